"""Old runs' panels expire, results stay, and what a run may still read is never touched."""

from __future__ import annotations

import json
from typing import Any

import pytest

import panels

FILES = ("panel/panel.parquet", "panel/samples/2026-01.parquet", "assessment/report.html", "model/model.tar.gz")


def a_run(aws: Any, run: str, previous: str | None, dataset: str = "demo") -> None:
    for name in FILES:
        aws.s3.put_object(Bucket="artifact-bucket", Key=f"runs/{dataset}/{run}/{name}", Body=b"x")
    manifest = json.dumps({"run_id": run, "previous_run_id": previous})
    aws.s3.put_object(Bucket="artifact-bucket", Key=f"runs/{dataset}/{run}/manifest.json", Body=manifest)


def tagged(aws: Any) -> set[str]:
    """Keys that the lifecycle rule deletes."""
    keys = [entry["Key"] for entry in aws.s3.list_objects_v2(Bucket="artifact-bucket")["Contents"]]
    return {
        key
        for key in keys
        if {"Key": "superseded", "Value": "true"}
        in aws.s3.get_object_tagging(Bucket="artifact-bucket", Key=key)["TagSet"]
    }


def publish_all(aws: Any, runs: list[str], keep: int) -> None:
    for previous, run in zip([None, *runs], runs, strict=False):
        a_run(aws, run, previous)
        panels.expire_superseded(aws.s3, "artifact-bucket", "demo", run, previous, keep)


@pytest.mark.parametrize("keep", [1, 3])
def test_the_newest_runs_keep_their_panels_and_every_run_its_results(aws, keep: int) -> None:
    runs = [f"2026010{day}T000000Z-aaaaaaaa" for day in range(1, 7)]
    publish_all(aws, runs, keep)
    old = runs[:-keep]
    assert tagged(aws) == {f"runs/demo/{run}/{name}" for run in old for name in FILES if name.startswith("panel/")}


def test_a_run_that_was_never_published_loses_its_panel_with_its_neighbours(aws) -> None:
    first, failed, *others = [f"2026010{day}T000000Z-aaaaaaaa" for day in range(1, 6)]
    publish_all(aws, [first], keep=1)
    a_run(aws, failed, first)
    chain = [first, *others]
    for previous, run in zip(chain, others, strict=False):
        a_run(aws, run, previous)
        panels.expire_superseded(aws.s3, "artifact-bucket", "demo", run, previous, 1)
    assert f"runs/demo/{failed}/panel/panel.parquet" in tagged(aws)
    assert f"runs/demo/{others[-1]}/panel/panel.parquet" not in tagged(aws)


def test_another_datasets_panels_are_left_alone(aws) -> None:
    a_run(aws, "20251231T000000Z-bbbbbbbb", None, dataset="demo-2")
    publish_all(aws, [f"2026010{day}T000000Z-aaaaaaaa" for day in range(1, 5)], keep=1)
    assert not any(key.startswith("runs/demo-2/") for key in tagged(aws))


def test_a_manifest_that_is_gone_costs_storage_and_not_the_publication(aws) -> None:
    a_run(aws, "20260102T000000Z-aaaaaaaa", "20260101T000000Z-aaaaaaaa")
    panels.expire_superseded(
        aws.s3, "artifact-bucket", "demo", "20260102T000000Z-aaaaaaaa", "20260101T000000Z-aaaaaaaa", 1
    )
    assert tagged(aws) == set()
