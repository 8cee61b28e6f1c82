"""``az monitor metrics list``: one metric's time series per resource, in JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from headroom.intake.formats import Export, Sample, text

NAME = "Azure Monitor (JSON)"


def recognise(export: Export) -> bool:
    """By the keys of the answer, of one resource or of a batch of them."""
    of_one, of_many = ('"timespan"', '"value"'), ('"values"', '"resourceid"', '"timeseries"')
    return export.is_json() and any(all(key in export.head for key in keys) for keys in (of_one, of_many))


def read(export: Export) -> Iterator[Sample]:
    """The server is the resource's name in its id, without the metric's own part."""
    for document in export.answers():
        answers = document if isinstance(document, list) else document.get("values", [document])
        metrics = (metric for answer in answers for metric in answer["value"])
        yield from export.samples(metrics, partial(_of_metric, export))


def _of_metric(export: Export, metric: dict[str, Any]) -> Iterator[Sample]:
    resource = re.split("/providers/microsoft.insights", metric["id"], flags=re.IGNORECASE)[0]
    server, unit, name = server_of(resource), metric.get("unit", ""), _name(metric["name"])
    for series in metric.get("timeseries") or []:
        part = " ".join(_name(one) if isinstance(one, str) else text(one.get("value")) for one in
                        series.get("metadatavalues") or [])  # fmt: skip
        yield from export.samples(series.get("data") or [], partial(_of_point, server, name, unit, part))


def server_of(resource: str) -> str:
    """The name at the end of a resource's id, with those that it is within: ``vmss/0`` of a scale set's first machine,
    ``sql-1/app`` of a database."""
    kinds_and_names = re.split("/providers/", resource.rstrip("/"), flags=re.IGNORECASE)[-1].split("/")[1:]
    return "/".join(kinds_and_names[1::2]) or resource.rstrip("/").rsplit("/", 1)[-1]


def _of_point(server: str, name: str, unit: str, part: str, point: dict[str, Any]) -> Iterator[Sample]:
    if "average" in point or not set(point) & {"maximum", "minimum", "total"}:
        yield Sample(server, name, text(point["timeStamp"]), text(point.get("average")), unit, part)
    else:
        other = next(key for key in ("maximum", "minimum", "total") if key in point)
        yield Sample(server, f"{name} ({other})", text(point["timeStamp"]), text(point[other]), unit, part)


def _name(name: str | dict) -> str:
    return name if isinstance(name, str) else text(name.get("value"))
