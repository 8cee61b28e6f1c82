"""Google Cloud Monitoring's ``timeSeries.list``, in JSON."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from headroom.intake.formats import Export, Sample, text

NAME = "Google Cloud Monitoring (JSON)"


def recognise(export: Export) -> bool:
    """By the keys of the answer, or of the series in the list that gcloud makes of it."""
    head = export.head
    return export.is_json() and '"points"' in head and ('"timeSeries"' in head or '"metricKind"' in head)


def read(export: Export) -> Iterator[Sample]:
    """The server is the instance's name, or its number where the name is not there."""
    for document in export.answers():
        alone = isinstance(document, dict) and "points" in document  # a series a line, as jq writes them
        series = [document] if alone else document if isinstance(document, list) else document.get("timeSeries", [])
        yield from export.samples(series, partial(_of_series, export))


def _of_series(export: Export, series: dict[str, Any]) -> Iterator[Sample]:
    labels = {**series.get("resource", {}).get("labels", {}), **series["metric"].get("labels", {})}
    labels |= series.get("metadata", {}).get("systemLabels", {})
    server = text(
        next(
            (
                labels[key]
                for key in ("instance_name", "name", "node_name", "database_id", "instance_id")
                if key in labels
            ),
            "",
        )
    )
    part = " ".join(text(labels[key]) for key in ("device_name", "device", "cpu_number") if key in labels)
    cumulative = series.get("metricKind") == "CUMULATIVE"
    state = text(labels.get("state") or labels.get("cpu_state"))
    metric = f"{series['metric']['type']} {state}".strip() + (" (counter)" if cumulative else "")
    yield from export.samples(series["points"], partial(_of_point, server, metric, _unit(series), part))


def _of_point(server: str, metric: str, unit: str, part: str, point: dict[str, Any]) -> Iterator[Sample]:
    value = next(iter(point["value"].values()), None)
    yield Sample(server, metric, text(point["interval"]["endTime"]), text(value), unit, part)


def _unit(series: dict) -> str:
    """Its own unit, unless it only says that it is a number."""
    unit = text(series.get("unit"))
    return unit if unit not in ("1", "") else ""
