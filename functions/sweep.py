"""Sweep: finds files that had no event, and starts runs that had to wait. Also does what a person asks of the ledger.

Event: EventBridge's schedule, every few minutes; or by hand ``{"do": …, "dataset": …}``, see :class:`Command`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Literal

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from pydantic import BaseModel, ConfigDict

from arrivals import Refused, Taken, dataset_of, note_arrivals, take_in, tell
from environment import SweepSettings, from_environment
from ledger import NOBODY, File, Ledger, connect, in_days
from locks import start_if_idle, take_lock
from objects import fetched_json
from overdue import DAYS_KEPT, NothingToGiveUp, give_up, is_overdue, tell_overdue

logger = Logger()
tracer = Tracer()
metrics = Metrics()

# The bucket is listed this often; datasets that wait for their time are looked at whenever the schedule comes.
LISTED_EVERY = timedelta(hours=1)
# What is younger than this is left to its event.
GRACE = timedelta(minutes=10)
# How much older than the last sweep an object may be that it could not see: S3 dates a multipart upload by its
# beginning, and the bucket drops those that are not ended within 7 days.
SEEN_LATE = timedelta(days=8)
_AT_ONCE = 16


class Command(BaseModel):
    """What a person may ask for; a schedule's event asks for a sweep."""

    model_config = ConfigDict(extra="ignore")

    do: Literal["sweep", "list", "put_back", "give_up", "start_over", "rebuild_ledger"] = "sweep"
    dataset: str | None = None
    keys: list[str] | None = None
    """Of files to put back; all where they are not given."""


class CannotDo(Exception):
    """What was asked for cannot be done; the message says why."""


@cache
def _environment() -> SweepSettings:
    return from_environment(SweepSettings)


@tracer.capture_lambda_handler
@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    environment = _environment()
    command = Command.model_validate(event)
    ledger = connect(environment.ledger_table)
    s3 = boto3.client("s3", config=Config(max_pool_connections=_AT_ONCE))
    now = datetime.now(UTC)
    logger.append_keys(do=command.do, dataset=command.dataset)
    if command.do == "sweep":
        return scheduled(s3, ledger, environment, context.function_name, now)
    if command.do == "rebuild_ledger":
        return rebuild(s3, ledger, environment, now) | sweep(s3, ledger, environment, now, since=None)
    if command.dataset is None:
        raise CannotDo(f'{command.do} needs a dataset: {{"do": "{command.do}", "dataset": "web"}}')
    if command.do == "start_over":
        return start_over(s3, ledger, environment, command.dataset, now)
    if command.do == "give_up":
        try:
            return give_up(ledger, command.dataset)
        except NothingToGiveUp as error:
            raise CannotDo(str(error)) from error
    aside = ledger.aside(command.dataset)
    if command.do == "list":
        files = [{"key": one.file.key, "reason": one.reason, "by": one.by} for one in aside[:1_000]]
        return {"set_aside": len(aside), "files": files}
    wanted = [one.file for one in aside if command.keys is None or one.file.key in command.keys]
    return put_back(ledger, environment, command.dataset, wanted, now)


def scheduled(s3: Any, ledger: Ledger, environment: SweepSettings, own_name: str, now: datetime) -> dict[str, Any]:
    """What the schedule asks for: start what had to wait; now and then list the bucket and look what is overdue."""
    last = ledger.swept()
    listed = last is None or now - last >= LISTED_EVERY
    found = sweep(s3, ledger, environment, now, since=last and last - SEEN_LATE) if listed else {}
    found |= {"started": start_waiting(ledger, environment, now)}
    if listed:
        found |= {"overdue": tell_overdue(s3, boto3.client("sns"), ledger, environment, own_name, now)}
    measure(ledger, now)
    return found


def measure(ledger: Ledger, now: datetime) -> None:
    """What alarms watch of all datasets: how many are overdue, and how long the oldest run has been under way."""
    states = [ledger.state(dataset) for dataset in ledger.datasets()]
    since = [now - datetime.fromisoformat(state.running_since) for state in states if state.running_since]
    metrics.add_metric("DatasetsOverdue", MetricUnit.Count, sum(map(is_overdue, states)))
    metrics.add_metric("OldestRunSeconds", MetricUnit.Seconds, max(since, default=timedelta()).total_seconds())


def sweep(s3: Any, ledger: Ledger, environment: SweepSettings, now: datetime, since: datetime | None) -> dict[str, Any]:
    """Take in the objects under ``incoming/`` that the ledger does not know, of those created after ``since``.

    Entries of the ledger end after the retention; what is older than that was in a run long ago, or is left alone.
    """
    oldest = now - timedelta(days=environment.retention_days - 1)
    taken, found = Taken(), 0
    for files in _pages(s3, environment.ingest_bucket, "incoming/", max(oldest, since or oldest), now - GRACE):
        for file in unknown(ledger, files):
            found += 1
            logger.warning("found without an event", extra={"key": file.key})
            take_in(ledger, file, environment.most_datasets, now, taken)
    note_arrivals(ledger, taken)
    tell(boto3.client("sns"), ledger, environment, taken.refused, now)
    ledger.note_sweep(now)
    metrics.add_metric("FilesFound", MetricUnit.Count, found)
    return {"found": found, "recorded": taken.recorded, "refused": len(taken.refused)}


def unknown(ledger: Ledger, files: list[File]) -> list[File]:
    """The files of which the ledger has no entry, neither as a dataset's nor as refused."""
    names: dict[File, set[tuple[str, str]]] = {}
    for file in files:
        owners = {NOBODY}
        with contextlib.suppress(Refused):
            owners.add(dataset_of(file))
        names[file] = {(owner, name) for owner in owners for name in (file.item, _by_etag(file).item)}
    known = ledger.in_the_table(key for keys in names.values() for key in keys)
    return [file for file, keys in names.items() if not keys & known]


def start_waiting(ledger: Ledger, environment: SweepSettings, now: datetime) -> list[str]:
    """Start the datasets whose files had to wait for their time, or whose start was lost on the way."""
    stepfunctions = boto3.client("stepfunctions")
    machine, limits = environment.state_machine_arn, environment.limits
    started = []
    due = []
    for dataset in ledger.datasets():
        state = ledger.state(dataset)
        # A run that failed for other reasons than its files is not tried again for what waited then.
        if ledger.has_unplanned(dataset, state.failed_at):
            due.append((state.last_start or "", dataset))
    for _, dataset in sorted(due):  # who has waited longest comes first
        if execution := start_if_idle(ledger, stepfunctions, machine, dataset, now, limits):
            started.append(execution)
    return started


def put_back(
    ledger: Ledger, environment: SweepSettings, dataset: str, files: list[File], now: datetime
) -> dict[str, Any]:
    """Files that were set aside wait again, and a run is started for them."""
    ledger.put_back(dataset, files, now)
    stepfunctions = boto3.client("stepfunctions")
    started = start_if_idle(ledger, stepfunctions, environment.state_machine_arn, dataset, now, environment.limits)
    return {"put_back": len(files), "started": started}


def start_over(s3: Any, ledger: Ledger, environment: SweepSettings, dataset: str, now: datetime) -> dict[str, Any]:
    """All files of a dataset wait again, and its next run begins from nothing: for when its history is lost."""
    stepfunctions = boto3.client("stepfunctions")
    name = f"start-over-{now:%Y%m%dT%H%M%S}"
    if not take_lock(ledger, stepfunctions, environment.state_machine_arn, dataset, name, now):
        raise CannotDo(f"dataset {dataset!r} has a run ({ledger.state(dataset).running}): wait for its end, or stop it")
    count = 0
    try:
        ledger.forget_current_run(dataset, name)
        for files in _pages(s3, environment.ingest_bucket, f"incoming/{dataset}/", None, now):
            usable = [file for file in files if _is_of(dataset, file)]
            ledger.reopen(dataset, known_as(ledger, dataset, usable), now)
            count += len(usable)
    finally:
        ledger.unlock(dataset, name)
    started = start_if_idle(ledger, stepfunctions, environment.state_machine_arn, dataset, now, environment.limits)
    return {"files": count, "started": started}


def rebuild(s3: Any, ledger: Ledger, environment: SweepSettings, now: datetime) -> dict[str, Any]:
    """Write the ledger anew from S3: each dataset's pointer, and the files of all runs in its chain as published."""
    runs, files = 0, 0
    bucket, expires = environment.artifact_bucket, in_days(now, environment.retention_days)
    for dataset in _folders(s3, bucket, "runs/"):
        chain = chain_of(s3, bucket, dataset)
        for run_id, manifest in chain:
            ledger.close(dataset, manifest["ledger_items"], run_id, expires)
            files += len(manifest["ledger_items"])
        if chain:
            ledger.admit(dataset, environment.most_datasets)
            ledger.publish(dataset, chain[-1][0], None, False)
        days = sorted({file["last_modified"][:10] for _, manifest in chain for file in manifest["files"]})
        if days:
            ledger.note_arrivals(dataset, days[-DAYS_KEPT:])
        runs += len(chain)
    return {"published_runs": runs, "published_files": files}


def chain_of(s3: Any, bucket: str, dataset: str) -> list[tuple[str, dict[str, Any]]]:
    """The dataset's published runs with their manifests, the oldest first.

    Publish leaves a mark in each. The head is the newest published run on which no other builds; from there each
    manifest names the run before it, as far as they are kept.
    """
    folders = _folders(s3, bucket, f"runs/{dataset}/")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        marks = pool.map(lambda run: fetched_json(s3, bucket, f"runs/{dataset}/{run}/published.json"), folders)
    published = {run: mark for run, mark in zip(folders, marks, strict=True) if mark is not None}
    built_on = {mark["previous_run_id"] for mark in published.values()}
    heads = sorted((mark["published_at"], run) for run, mark in published.items() if run not in built_on)
    chain: list[tuple[str, dict[str, Any]]] = []
    run = heads[-1][1] if heads else None
    while run is not None and (manifest := fetched_json(s3, bucket, f"runs/{dataset}/{run}/manifest.json")) is not None:
        chain.append((run, manifest))
        run = manifest["previous_run_id"]
    return chain[::-1]


def _is_of(dataset: str, file: File) -> bool:
    try:
        return dataset_of(file) == dataset
    except Refused:
        return False


def _by_etag(file: File) -> File:
    """The file as an event names it that carries no version."""
    return replace(file, version=file.etag)


def known_as(ledger: Ledger, dataset: str, files: list[File]) -> list[File]:
    """The files under the names that the ledger has them by, if it has them."""
    by_etag = [_by_etag(file) for file in files]
    known = ledger.in_the_table((dataset, file.item) for file in by_etag)
    return [other if (dataset, other.item) in known else file for file, other in zip(files, by_etag, strict=True)]


def _pages(s3: Any, bucket: str, prefix: str, since: datetime | None, until: datetime) -> Iterator[list[File]]:
    """What lies under a prefix now, page by page, of what was created within the time."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        yield [
            File(
                key=entry["Key"],
                version=entry["VersionId"] if entry.get("VersionId", "null") != "null" else entry["ETag"].strip('"'),
                size=entry["Size"],
                etag=entry["ETag"].strip('"'),
                time=entry["LastModified"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                sequencer="",
            )
            for entry in page.get("Versions", [])
            if entry["IsLatest"]
            and entry["LastModified"] <= until
            and (since is None or entry["LastModified"] >= since)
        ]


def _folders(s3: Any, bucket: str, prefix: str) -> list[str]:
    """The names of the "folders" directly under a prefix."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
    found = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
    return [name.removeprefix(prefix).rstrip("/") for name in found]
