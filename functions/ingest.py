"""Ingest: each arriving object goes into the ledger once; an idle dataset gets a run.

Event: SQS messages, each an EventBridge event "Object Created" of the ingest bucket.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.parser.models import S3EventNotificationEventBridgeModel, SqsRecordModel
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import Json

from environment import IngestSettings, from_environment
from ledger import DATASET_NAME, File, Ledger, in_days
from locks import start_if_idle
from notification import subject

logger = Logger()
tracer = Tracer()
metrics = Metrics()

ENDINGS = (
    ".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".csv.gz", ".tsv.gz", ".txt.gz", ".json.gz", ".jsonl.gz",
    ".ndjson.gz", ".gz", ".parquet",
)  # fmt: skip
# Above this a file is surely not one of utilization samples, and no job volume is sized for it.
LARGEST_FILE = 20 * 1024**3

# The ledger's name for the owner of files that belong to no dataset.
NOBODY = "-"


class ArrivalRecord(SqsRecordModel):
    body: Json[S3EventNotificationEventBridgeModel]


class Refused(Exception):
    """The object is no utilization file; the message says why and what to do."""


@cache
def _environment() -> IngestSettings:
    return from_environment(IngestSettings)


@cache
def _ledger() -> Ledger:
    return Ledger(boto3.resource("dynamodb").Table(_environment().ledger_table))


@tracer.capture_lambda_handler
@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    arrived: set[str] = set()
    refused: dict[File, str] = {}
    recorded = 0

    def take(record: ArrivalRecord) -> None:
        nonlocal recorded
        file = file_of(record.body)
        if file.key.endswith("/") and file.size == 0:
            return  # the console's marker of an empty folder
        try:
            dataset = dataset_of(file)
        except Refused as why:
            if not _ledger().knows(NOBODY, file):
                refused[file] = str(why)
            return
        if _ledger().record(dataset, file):
            recorded += 1
            logger.info("file recorded", extra={"dataset": dataset, "key": file.key, "size": file.size})
        arrived.add(dataset)

    processor = BatchProcessor(event_type=EventType.SQS, model=ArrivalRecord)
    with processor(event["Records"], take, lambda_context=context):
        processor.process()
    # After all files are written down, so that those dropped together are one run. An error from here on sends
    # the whole batch back, which is harmless: the ledger knows its files.
    now = datetime.now(UTC)
    try:
        if refused:
            tell(refused, in_days(now, _environment().retention_days))
    finally:
        for dataset in sorted(arrived):
            start_if_idle(_ledger(), boto3.client("stepfunctions"), _environment().state_machine_arn, dataset, now)
    metrics.add_metric("FilesRecorded", MetricUnit.Count, recorded)
    metrics.add_metric("FilesRefused", MetricUnit.Count, len(refused))
    return dict(processor.response())


def file_of(event: S3EventNotificationEventBridgeModel) -> File:
    """The object that an "Object Created" event tells of."""
    s3 = event.detail.object
    return File(
        key=s3.key,
        version=s3.version_id or s3.etag or "",
        size=int(s3.size or 0),
        etag=s3.etag or "",
        time=event.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        sequencer=s3.sequencer or "",
    )


def dataset_of(file: File) -> str:
    """The dataset that an object under ``incoming/`` belongs to.

    Raises:
        Refused: the key names no dataset, or the object cannot be utilization data.
    """
    _, _, rest = file.key.partition("incoming/")
    dataset, slash, name = rest.partition("/")
    if not slash or not name:
        raise Refused("it lies in no dataset's folder: upload it to incoming/<dataset>/")
    if not re.fullmatch(DATASET_NAME, dataset):
        raise Refused(
            f"{dataset!r} is no dataset name: use 1 to 40 lower-case letters, digits and hyphens, "
            "beginning and ending with a letter or digit"
        )
    if not name.isprintable() or any(part in ("", ".", "..") for part in name.split("/")) or "\\" in name:
        raise Refused("its key holds control characters, backslashes, or empty, '.' or '..' folders: rename it")
    # Firehose and collectd give their files no ending at all.
    if "." in name.rsplit("/", 1)[-1] and not name.lower().endswith(ENDINGS):
        raise Refused(f"its name ends in none of {', '.join(ENDINGS)}: convert or rename it")
    if file.size == 0:
        raise Refused("it is empty (0 bytes): check the export that made it")
    if file.size > LARGEST_FILE:
        raise Refused(f"it has {file.size / 1024**3:.0f} GiB, the most is {LARGEST_FILE / 1024**3:.0f}: split it")
    return dataset


def tell(refused: dict[File, str], expires: datetime) -> None:
    """Tell people of refused files, and only then write down that they know: at least once, that is."""
    logger.warning("files refused", extra={"refused": {file.key: why for file, why in refused.items()}})
    boto3.client("sns").publish(TopicArn=_environment().topic_arn, **refusal(refused))
    for file, why in refused.items():
        _ledger().refuse(NOBODY, file, why, expires)


def refusal(refused: dict[File, str]) -> dict[str, str]:
    """Subject and message of the notification about refused files, from their reasons."""
    lines = [f"- {file.key!r}: {why}" for file, why in list(refused.items())[:50]]
    more = [f"… and {len(refused) - 50} more, see the log of the ingest function"] if len(refused) > 50 else []
    count = f"{len(refused)} file" + ("s" if len(refused) > 1 else "")
    return {
        "Subject": subject(f"Headroom: {count} refused"),
        "Message": "\n".join(
            ["These files were not taken in. They stay where they are; nothing else is held up.", "", *lines, *more]
        ),
    }
