"""``aws cloudwatch get-metric-statistics``: points with a statistic each; the server is the file's name."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from headroom.intake.formats import Export, Sample, text

NAME = "CloudWatch get-metric-statistics (JSON)"


def recognise(export: Export) -> bool:
    """By the keys of the answer."""
    return export.is_json() and '"Datapoints"' in export.head and '"Timestamp"' in export.head


def read(export: Export) -> Iterator[Sample]:
    """The average of each point; where only another statistic is there, the metric is named so."""
    for document in export.answers():
        yield from export.samples(document["Datapoints"], partial(_samples, document["Label"]))


def _samples(label: str, point: dict[str, Any]) -> Iterator[Sample]:
    statistics = [key for key in point if key not in ("Timestamp", "Unit")]
    statistic = "Average" if "Average" in point else next(iter(statistics), "Average")
    metric = label if statistic == "Average" else f"{label} ({statistic})"
    yield Sample("", metric, text(point["Timestamp"]), text(point.get(statistic)), text(point.get("Unit")))
