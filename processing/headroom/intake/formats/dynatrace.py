"""Dynatrace's metrics API v2, ``/api/v2/metrics/query``, in JSON and CSV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from headroom.intake.formats import Export, Sample, pairs, text

NAME = "Dynatrace metrics API (JSON, CSV)"
_SERVERS = ("dt.entity.host.name", "dt.entity.host")
_PARTS = ("dt.entity.disk.name", "dt.entity.disk", "dt.entity.network_interface.name", "dt.entity.network_interface")
# Transformations that change no number, or make the average of samples.
_HARMLESS = ("names", "parents", "splitby", "filter", "sort", "limit", "avg", "auto", "merge")
_FOLDED = ("fold", "fold()", "fold(avg)", "fold(auto)")


def recognise(export: Export) -> bool:
    """By the keys of the answer, or its header."""
    if export.is_json():
        return '"metricId"' in export.head and '"dimensionMap"' in export.head
    return export.head.startswith(("metricId,", '"metricId"')) and {"time", "value"} <= set(export.header())


def read(export: Export) -> Iterator[Sample]:
    """The dimensions name host and disk."""
    if export.is_json():
        for metric in (one for answer in export.answers() for one in answer["result"]):
            yield from export.samples(metric["data"], partial(_of_series, _metric(metric["metricId"])))
        return
    rows = export.rows(",")
    header = next(rows)
    for row in rows:
        if row and export.fits(row, len(header)):
            said = dict(zip(header, row, strict=False))
            server, part = _owner(said)
            yield Sample(server, _metric(said["metricId"]), said["time"], said["value"], "", part)


def _of_series(metric: str, series: dict[str, Any]) -> Iterator[Sample]:
    server, part = _owner(series["dimensionMap"])
    for at, value in pairs(series["timestamps"], series["values"]):
        yield Sample(server, metric, text(at), text(value), "", part)


def _owner(dimensions: Mapping[str, str]) -> tuple[str, str]:
    """Host, ``-`` where a value is of several of them, and part."""
    server = next((dimensions[name] for name in _SERVERS if dimensions.get(name)), "-")
    return server, next((dimensions[name] for name in _PARTS if dimensions.get(name)), "")


def _metric(key: str) -> str:
    """The metric's name without the transformations that leave it what it is."""
    scope, colon, rest = key.partition(":")
    name, *made = rest.split(":") if colon else [scope]
    others = [
        one for one in made if one.casefold() not in _FOLDED and one.partition("(")[0].casefold() not in _HARMLESS
    ]
    return ":".join([scope, name, *others] if colon else [name])
