"""Ingest: each arriving object goes into the ledger once; an idle dataset gets a run.

Event: SQS messages, each an EventBridge event "Object Created" of the ingest bucket.
"""

from __future__ import annotations

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

from arrivals import Taken, note_arrivals, take_in, tell
from environment import IngestSettings, from_environment
from ledger import File, connect
from locks import start_if_idle

logger = Logger()
tracer = Tracer()
metrics = Metrics()


class ArrivalRecord(SqsRecordModel):
    body: Json[S3EventNotificationEventBridgeModel]


@cache
def _environment() -> IngestSettings:
    return from_environment(IngestSettings)


@tracer.capture_lambda_handler
@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    environment = _environment()
    ledger = connect(environment.ledger_table)
    stepfunctions = boto3.client("stepfunctions")
    now = datetime.now(UTC)
    taken = Taken()

    def take(record: ArrivalRecord) -> None:
        take_in(ledger, file_of(record.body), environment.most_datasets, now, taken)

    processor = BatchProcessor(event_type=EventType.SQS, model=ArrivalRecord)
    with processor(event["Records"], take, lambda_context=context):
        processor.process()
    # After all files are written down, so that those dropped together are one run. An error from here on sends
    # the whole batch back, which is harmless: the ledger knows its files.
    note_arrivals(ledger, taken)
    try:
        tell(boto3.client("sns"), ledger, environment, taken.refused, now)
    finally:
        for dataset in sorted(taken.days):
            start_if_idle(ledger, stepfunctions, environment.state_machine_arn, dataset, now, environment.limits)
    metrics.add_metric("FilesRecorded", MetricUnit.Count, taken.recorded)
    metrics.add_metric("FilesRefused", MetricUnit.Count, len(taken.refused))
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
