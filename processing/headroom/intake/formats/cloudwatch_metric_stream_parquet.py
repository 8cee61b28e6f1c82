"""CloudWatch Metric Streams through Firehose, converted to Parquet: the columns of AWS's own Glue schema for them.

These are ``metric_stream_name, account_id, region, namespace, metric_name, unit`` (texts), ``timestamp``,
``dimensions`` (a map) and ``value`` (a struct with ``min, max, count, sum`` and perhaps percentiles).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from headroom.intake.formats import Export, Sample
from headroom.intake.formats.cloudwatch_metric_stream import sample_of

NAME = "CloudWatch Metric Streams (Parquet)"


def recognise(export: Export) -> bool:
    """By the columns that samples are made of."""
    return {"metric_name", "dimensions", "value", "timestamp"} <= export.parquet_columns()


def read(export: Export) -> Iterator[Sample]:
    """Rows as they stand, their moments in UTC, which Firehose writes without a zone."""
    yield from export.samples(export.parquet_rows(), _samples)


def _samples(row: dict[str, Any]) -> Iterator[Sample]:
    at = row["timestamp"]
    if isinstance(at, datetime):
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    yield sample_of({**row, "timestamp": at})
