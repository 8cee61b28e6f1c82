"""Many objects for several datasets at once, some of them twice, their events repeated and out of order.

``BURST=1000,20`` (objects, datasets) makes it the burst of docs/reliability.md, which takes an hour of a processor.
"""

from __future__ import annotations

import json
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from integration import service as services
from integration.service import Service

from local import processes
from tests.unit.functions.messages import event

OBJECTS, DATASETS = map(int, os.environ.get("BURST", "200,2").split(","))
SERVERS, DAYS = 4, 60
FIRST = date(2026, 1, 1)


def name_of(dataset: int) -> str:
    return f"burst-{dataset:02d}"


def value(dataset: int, server: int, day: int, version: int) -> float:
    """What a version of a dataset's file says of a server's day."""
    return 20 + 5 * server + day % 7 + version / 2 + dataset % 16 / 64


def content(dataset: int, file: int, files: int, version: int) -> bytes:
    """Every so many of the samples of a dataset; the files of a dataset have all of them together."""
    samples = [divmod(one, DAYS) for one in range(file, SERVERS * DAYS, files)]
    rows = [f"{FIRST + timedelta(day)},web-{server},{value(dataset, server, day, version)}" for server, day in samples]
    return "\n".join(["timestamp,server_id,cpu", *rows, ""]).encode()


def test_a_burst_becomes_a_few_runs_per_dataset_and_every_version_counts_once_in_its_own(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "RUN_SECONDS", 60 * OBJECTS)
    chance, files = random.Random(7), OBJECTS // DATASETS  # noqa: S311
    firsts = [(number % DATASETS, number // DATASETS, 0) for number in range(files * DATASETS)]
    seconds = [(dataset, file, 1) for dataset, file, _ in chance.sample(firsts, len(firsts) // 10)]
    began, before = time.monotonic(), processor(service.cloud.pid)

    def drop(one: tuple[int, int, int]) -> None:
        dataset, file, version = one
        service.drop(name_of(dataset), f"{file:03d}.csv", content(dataset, file, files, version))

    with ThreadPoolExecutor(8) as pool:
        for uploads in (firsts, seconds):  # of one object, the newer version comes later
            chance.shuffle(uploads)
            list(pool.map(drop, uploads))
    dropped = time.monotonic() - began
    versions = all_versions(service)
    repeat(service, chance.sample(versions, len(versions) // 3))
    newest = {(one["Key"], one["VersionId"]) for one in versions if one["IsLatest"]}
    assert len(versions) == len(firsts) + len(seconds)
    deadline = time.monotonic() + services.RUN_SECONDS
    while sum(len(ledger(service, name_of(number))) for number in range(DATASETS)) < len(versions):
        assert time.monotonic() < deadline, "not all have come in"
        time.sleep(2)

    runs, used = 0, []
    for number in range(DATASETS):
        dataset = name_of(number)
        executions = service.wait(dataset)
        assert [one["status"] for one in executions] == ["SUCCEEDED"] * len(executions)
        assert len(executions) <= 6, "a few runs, and not one per file"
        runs += len(executions)
        chain = [service.outcome(one)["run_id"] for one in executions]
        taken = [file for run in chain for file in service.read_json(dataset, run, "manifest.json")["files"]]
        used += [(file["key"], file["version"]) for file in taken]
        says = {
            file["item"]["S"].partition("#")[2]: file.get("published", {}).get("S") for file in ledger(service, dataset)
        }
        assert set(says.values()) <= set(chain), "the ledger has every version in a published run"
        panel = service.panel(dataset, chain[-1])
        assert len(panel) == SERVERS * DAYS and set(panel["samples"]) == {1}
        again = {file for of, file, _ in seconds if of == number}
        for row in panel.itertuples():
            server, day = int(row.server_id[-1]), (row.ds.date() - FIRST).days
            version = int((server * DAYS + day) % files in again)
            assert row.mean == value(number, server, day, version), "its own files count, the newest version of each"
    assert len(set(used)) == len(used), "no version is used twice"
    assert newest <= set(used), "no object is lost"
    print(
        f"{len(versions)} versions of {len(firsts)} objects dropped in {dropped:.0f} s, {len(versions) // 3} events "
        f"repeated: {runs} runs, {runs / DATASETS:.1f} of a dataset, in {(time.monotonic() - began) / 60:.1f} min and "
        f"{processor(service.cloud.pid) - before:.0f} s of a processor"
    )


def processor(pid: int) -> float:
    """Seconds that the cloud and all that it has started have used: jobs are children of a process of their own."""
    used = 0
    for one in (pid, *processes.of_session(pid)):
        with suppress(OSError):  # it has ended meanwhile
            used += sum(map(int, Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()[11:15]))
    return used / os.sysconf("SC_CLK_TCK")


def all_versions(service: Service) -> list[dict[str, Any]]:
    bucket = service.stack.outputs["IngestBucketName"]
    pages = service.cloud.client("s3").get_paginator("list_object_versions").paginate(
        Bucket=bucket, Prefix="incoming/burst-"
    )  # fmt: skip
    return [one for page in pages for one in page["Versions"]]


def repeat(service: Service, versions: list[dict[str, Any]]) -> None:
    """Hand over events of these versions once more, as EventBridge may, some after their files were in a run."""
    sqs, bucket = service.cloud.client("sqs"), service.stack.outputs["IngestBucketName"]
    queue = services.physical(service, "FileQueue")
    for one in versions:
        made = {"key": one["Key"], "size": one["Size"], "etag": one["ETag"].strip('"'),
                "version-id": one["VersionId"], "sequencer": "00617F08299329D189"}  # fmt: skip
        moment = one["LastModified"].strftime("%Y-%m-%dT%H:%M:%SZ")
        detail = {"version": "0", "bucket": {"name": bucket}, "object": made, "request-id": "N4N7GDK58NMKJ12R",
                  "requester": "123456789012", "source-ip-address": "127.0.0.1", "reason": "PutObject"}  # fmt: skip
        told = event("aws.s3", "Object Created", detail, f"arn:aws:s3:::{bucket}", moment)
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(told))


def ledger(service: Service, dataset: str) -> list[dict[str, Any]]:
    """The entries of a dataset's files."""
    asked = {"TableName": service.stack.outputs["LedgerTable"], "ConsistentRead": True,
             "KeyConditionExpression": "dataset = :d AND begins_with(#i, :f)",
             "ExpressionAttributeNames": {"#i": "item"},
             "ExpressionAttributeValues": {":d": {"S": dataset}, ":f": {"S": "FILE#"}}}  # fmt: skip
    pages = service.cloud.client("dynamodb").get_paginator("query").paginate(**asked)
    return [one for page in pages for one in page["Items"]]
