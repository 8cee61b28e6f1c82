"""``headroom smoke`` on the laptop cloud: the same code that accepts a deployment on AWS."""

from __future__ import annotations

import pytest

from cli import smoke
from local.cloud import Cloud
from local.deploy import Stack


def test_a_deployed_stack_passes_and_nothing_of_the_test_stays(cloud: Cloud, stack: Stack) -> None:
    said: list[str] = []
    test = smoke.Smoke(cloud.client, stack.name, "smoke-one", said.append)
    output = test.run()
    assert output["status"] == "published"
    text = "\n".join(said)
    for words in (
        "quotas: not checked: emulator",
        "6 servers is dropped",
        "the run has succeeded",
        "all results are there",
        "the run is the dataset's current one",
        "the notification has arrived",
        "cleaned up: files, settings, runs, ledger, models",
    ):
        assert words in text
    s3 = cloud.client("s3")
    for bucket in ("IngestBucketName", "ArtifactBucketName"):
        versions = s3.list_object_versions(Bucket=stack.outputs[bucket])
        keys = [one["Key"] for one in versions.get("Versions", []) + versions.get("DeleteMarkers", [])]
        assert [key for key in keys if "smoke-one" in key] == []
    assert test.items() == []
    groups = cloud.client("sagemaker").list_model_package_groups(NameContains="smoke-one")
    assert groups["ModelPackageGroupSummaryList"] == []
    assert "smoke-one" not in str(cloud.client("sqs").list_queues().get("QueueUrls"))


def test_a_dataset_of_somebody_is_never_touched(cloud: Cloud, stack: Stack) -> None:
    bucket, key = stack.outputs["IngestBucketName"], "incoming/somebody/notes.txt"
    cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=b"server_id\n")
    with pytest.raises(smoke.SmokeFailure, match="'somebody' exists"):
        smoke.Smoke(cloud.client, stack.name, "somebody", print).run()
    assert cloud.client("s3").head_object(Bucket=bucket, Key=key)


def test_a_stack_that_is_not_there_is_said_so(cloud: Cloud) -> None:
    with pytest.raises(smoke.SmokeFailure, match="no stack nowhere"):
        smoke.Smoke(cloud.client, "nowhere", "smoke-two", print).run()


def test_a_run_that_fails_names_the_state_the_reason_and_where_to_look(
    cloud: Cloud, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smoke, "fleet", lambda: "dear diary\ntoday nothing happened\n")
    said: list[str] = []
    test = smoke.Smoke(cloud.client, stack.name, "smoke-bad", said.append)
    with pytest.raises(smoke.SmokeFailure, match="failed in Preprocess") as failure:
        test.run()
    assert "usable row" in str(failure.value)
    assert "get-execution-history" in failure.value.look
    assert test.items() == [], "cleaned up all the same"
    assert not [line for line in said if "could not clean up" in line], "there is no model yet, and nothing to delete"
