"""InfluxDB 1's query API, in JSON: series of a measurement, with tags, columns and rows of values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from headroom.intake.formats import Export, Sample, text
from headroom.intake.formats.influx_annotated import owner_of

NAME = "InfluxDB 1 query API (JSON)"
# A column of an expression goes by its function alone, whichever field that is of.
_FUNCTION = re.compile(
    r"(count|distinct|integral|mean|median|mode|spread|stddev|sum|bottom|first|last|max|min|percentile|sample|top"
    r"|derivative|difference|moving_average|non_negative_derivative|value)(_\d+)?"
)


def recognise(export: Export) -> bool:
    """By the keys of the answer."""
    head = export.head
    return export.is_json() and '"results"' in head and '"columns"' in head and '"values"' in head


def read(export: Export) -> Iterator[Sample]:
    """The metric is measurement and field; tags name the server and its parts, also where they are columns."""
    for answer in export.documents() if '"partial"' in export.head else export.answers():
        for result in answer["results"]:
            for series in result.get("series", []):
                yield from export.samples(series["values"], partial(_samples, export, series))


def _samples(export: Export, series: Mapping[str, Any], row: Sequence[Any]) -> Iterator[Sample]:
    measurement, columns = text(series.get("name")), series["columns"]
    said = dict(zip(columns, row, strict=True))
    tags = {name: value for name, value in said.items() if isinstance(value, str)} | (series.get("tags") or {})
    server, part = owner_of(tags)
    values = {metric_of(measurement, name): said[name] for name in columns if name not in tags and name != "time"}
    for name in export.understood(tuple(values)):
        yield Sample(server, name, text(said["time"]), text(values[name]), "", part)


def metric_of(measurement: str, name: str) -> str:
    """A metric's name of measurement and field; a field of which only the function is known has no name."""
    if _FUNCTION.fullmatch(name):
        return f"{measurement}: {name} of a field that is not named"
    function, _, field = name.partition("_")  # mean_usage_idle, of mean(*)
    if field and _FUNCTION.fullmatch(function):
        return f"{measurement} {field}" if function == "mean" else f"{measurement} {field} ({function})"
    return f"{measurement} {name}"
