"""Events of objects name the version, as those of AWS do."""

from __future__ import annotations

import json

from local.emulator.s3_events import with_version

EVENT = {"Source": "aws.s3", "Detail": json.dumps({"object": {"key": "a.csv", "etag": "e"}})}


def test_an_event_of_an_object_names_its_version() -> None:
    assert json.loads(with_version(EVENT, "v1")["Detail"])["object"] == {
        "key": "a.csv",
        "etag": "e",
        "version-id": "v1",
    }


def test_a_bucket_without_versions_and_other_services_events_are_left_alone() -> None:
    assert with_version(EVENT, None) is EVENT
    other = EVENT | {"Source": "aws.states"}
    assert with_version(other, "v1") is other
