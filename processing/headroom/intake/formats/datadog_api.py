"""Datadog's query API (v1): series with points in milliseconds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from headroom.intake.formats import Export, Sample, text

NAME = "Datadog query API (JSON)"
_PARTS = ("device", "device_name", "interface", "core", "container_name")
# What an expression makes of several samples, where it is not their average.
_MADE = re.compile(r"(max|min|sum):|.*\.rollup\( *(max|min|sum)\b")


def recognise(export: Export) -> bool:
    """By the keys of the answer."""
    return (
        export.is_json() and '"series"' in export.head and ('"pointlist"' in export.head or '"res_type"' in export.head)
    )


def read(export: Export) -> Iterator[Sample]:
    """The server is the tag ``host``; other tags name a part of it. What is not by host is of no server."""
    for answer in export.answers():
        yield from export.samples(answer["series"], partial(_of_series, export))


def _of_series(export: Export, series: dict[str, Any]) -> Iterator[Sample]:
    server, part = owner_of(tag.partition(":") for tag in series.get("tag_set") or series.get("scope", "").split(","))
    metric = series.get("metric") or series.get("display_name", "")
    if made := _MADE.match(series.get("expression") or ""):
        metric = f"{made[1] or made[2]}:{metric}{{*}}"
    if not server:
        server, metric = "-", f"{metric} of {series.get('scope') or 'all hosts'}, not by host"
    yield from export.samples(series["pointlist"], partial(_of_point, server, metric, part))


def _of_point(server: str, metric: str, part: str, point: Sequence[Any]) -> Iterator[Sample]:
    at, value = point
    yield Sample(server, metric, text(int(at)), text(value), "", part)


def owner_of(tags: Iterable[Sequence[str]]) -> tuple[str, str]:
    """Server and part in tags, each a name, a colon and a value; no server where none is one."""
    tags = list(tags)
    server = next((value for name, _, value in tags if name in ("host", "instance", "name")), "")
    return server, " ".join(value for name, _, value in tags if name in _PARTS)
