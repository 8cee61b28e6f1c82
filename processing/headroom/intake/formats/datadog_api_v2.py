"""Datadog's timeseries query API (v2): one list of times, and one of values per series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from headroom.intake.formats import Export, Sample, Unlike, pairs, text
from headroom.intake.formats.datadog_api import owner_of

NAME = "Datadog query API v2 (JSON)"


def recognise(export: Export) -> bool:
    """By the keys of the answer."""
    return export.is_json() and '"group_tags"' in export.head and '"attributes"' in export.head


def read(export: Export) -> Iterator[Sample]:
    """The answer does not name its metric, so that the file's name must; what is not by host is of no server."""
    answers = [document["data"]["attributes"] for document in export.answers()]
    if len(answers) > 1 or len({series.get("query_index") for series in answers[0]["series"]}) > 1:
        raise Unlike("it has the answers of several queries, and does not say of which metrics: ask one by one")
    [answer] = answers
    if len(answer["series"]) != len(answer["values"]):
        raise Unlike("it has more series than lists of values, or fewer")
    series = zip(answer["series"], answer["values"], strict=True)
    yield from export.samples(series, partial(_samples, answer["times"]))


def _samples(times: Sequence[Any], of_series: tuple[dict[str, Any], Sequence[Any]]) -> Iterator[Sample]:
    series, values = of_series
    server, part = owner_of(tag.partition(":") for tag in series.get("group_tags") or [])
    metric = "" if server else "a value that is not by host"
    for at, value in pairs(times, values):
        yield Sample(server or "-", metric, text(at), text(value), _unit(series.get("unit")), part)


def _unit(unit: Any) -> str:
    """``byte`` and ``second`` of a list of a unit and what it is divided by."""
    return "/".join(text(one.get("name")) for one in unit or [] if one)
