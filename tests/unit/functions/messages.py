"""What the functions are given, as AWS and the jobs make it: events, records of a queue, the results of a run."""

from __future__ import annotations

import json
from typing import Any

# The parts of a run's results that Publish reads.
SUMMARY: dict[str, Any] = {
    "headline": "2 critical, 1 medium",
    "as_of": "2026-01-01T00:00:00",
    "data_age": "",
    "frequency": "D",
    "horizon": 90,
    "servers": 12,
    "levels": {"critical": 2, "high": 0, "medium": 1, "low": 0, "none": 9},
    "top": [{"server_id": "web-1", "level": "critical", "metric": "cpu", "reason": "cpu crosses 90 % about 12 March"}],
    "savings": {"monthly": 1234.5, "currency": "USD"},
    "changes": {"new_at_risk": ["web-1"], "resolved": [], "worse": [], "better": ["db-1", "db-2"]},
    "drift": {"exceeded": False},
    "notes": [],
}
QUALITY: dict[str, Any] = {
    "rows": {"read": 1000, "quarantined": 3},
    "files": [{"file": "good.csv", "error": None}],
    "settings": {"errors": []},
    "notes": ["2 servers have gaps."],
}


def event(source: str, kind: str, detail: dict[str, Any], resource: str, time: str) -> dict[str, Any]:
    """An event as EventBridge hands it over."""
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": kind,
        "source": source,
        "account": "123456789012",
        "time": time,
        "region": "us-east-1",
        "resources": [resource],
        "detail": detail,
    }


def arrival(
    key: str,
    version: str = "v1",
    size: int = 10,
    message: str = "m1",
    etag: str = "e",
    sequencer: str = "00617F08299329D189",
    time: str = "2026-01-01T00:00:00Z",
) -> dict[str, Any]:
    """A queue's record of the event that an object was created in the ingest bucket."""
    created = {"key": key, "size": size, "etag": etag, "version-id": version, "sequencer": sequencer}
    detail = {
        "version": "0",
        "bucket": {"name": "ingest-bucket"},
        "object": created,
        "request-id": "N4N7GDK58NMKJ12R",
        "requester": "123456789012",
        "reason": "PutObject",
    }
    return {
        "messageId": message,
        "receiptHandle": "r",
        "body": json.dumps(event("aws.s3", "Object Created", detail, "arn:aws:s3:::ingest-bucket", time)),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1545082649183",
            "SenderId": "A",
            "ApproximateFirstReceiveTimestamp": "1545082649185",
        },
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:files",
        "awsRegion": "us-east-1",
    }


def status_change(arn: str, status: str = "FAILED", **detail: Any) -> dict[str, Any]:
    """The event that an execution has ended badly or was redriven."""
    told = {
        "executionArn": arn,
        "name": arn.rpartition(":")[2],
        "status": status,
        "input": '{"dataset": "demo"}',
        "error": "States.TaskFailed",
        "cause": "{}",
        "redriveCount": 0,
    }
    kind = "Step Functions Execution Status Change"
    return event("aws.states", kind, told | detail, arn, "2026-01-01T00:00:00Z")
