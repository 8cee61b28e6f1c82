"""Graphite's render API, in JSON and CSV: one series per target, whose path names the server and the metric."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from headroom.intake.formats import Export, Sample, text
from headroom.intake.formats.grafana_joined import series_of
from headroom.intake.formats.prometheus_json import part_of, server_of
from headroom.intake.words.meaning import meaning_of

NAME = "Graphite render API (JSON, CSV)"
_ROW = re.compile(r'("[^"]+"|[^,"]+),\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,(-?[\d.]+(e[-+]?\d+)?)?', re.IGNORECASE)
# Nodes of a path below which there are parts of a server, whose numbers are theirs, or Graphite's own daemons.
_INSIDE = set(["carbon", "process", "processes", "docker", "container", "containers", "lxc", "jvm"])
# Nodes of a path that are no server, although they may have a number.
_DEVICE = re.compile(r"(cpu|core|eth|en[ospx]|sd[a-z]|vd[a-z]|xvd[a-z]|nvme|md|dm|disk|gpu)?[-_]?\d*[a-z]?\d*")


def recognise(export: Export) -> bool:
    """Targets with datapoints, or rows of target, time and value without a header."""
    if export.is_json():
        return '"target"' in export.head and '"datapoints"' in export.head
    return bool(export.first_lines) and _ROW.fullmatch(export.first_lines[0]) is not None


def read(export: Export) -> Iterator[Sample]:
    """A moment without a value is empty."""
    if export.is_json():
        for answer in export.answers():
            yield from export.samples(answer, partial(_of_series, export))
        return
    known: dict[str, tuple[str, str, str]] = {}
    for row in export.rows(","):
        if not row or not export.fits(row, 3):
            continue
        target, at, value, *_ = row
        if target not in known:
            known[target] = owner_of(target, export)
        server, metric, part = known[target]
        yield Sample(server, metric, at, value, "", part)


def _of_series(export: Export, series: dict[str, Any]) -> Iterator[Sample]:
    names = owner_of(series["target"], export)
    yield from export.samples(series["datapoints"], partial(_of_point, *names))


def _of_point(server: str, metric: str, part: str, point: Sequence[Any]) -> Iterator[Sample]:
    value, at = point
    yield Sample(server, metric, text(at), text(value), "", part)


def owner_of(target: str, export: Export) -> tuple[str, str, str]:
    """Server, metric and part in a target: a path, a series with tags, or an alias.

    The metric is the end of a path that speaks of one, and the server the node before it, if that is a name.
    """
    path, *tags = target.split(";")
    if tags:
        said = dict(tag.partition("=")[::2] for tag in tags)
        return server_of(said), path, part_of(said)
    nodes = target.split(".")
    if len(nodes) == 1 or not re.fullmatch(r"[\w.%+-]+", target):
        server, metric, part = series_of(target, export)
        return (server, metric, part) if server else ("-", target, "")
    if all(meaning_of(".".join(nodes[at:])) is None for at in range(len(nodes))):
        return "-", target, ""
    begin = max(at for at in range(len(nodes)) if meaning_of(".".join(nodes[at:])) is not None)
    while begin and meaning_of(nodes[begin - 1]) is not None:
        begin -= 1  # cpu-average.cpu-idle
    server = nodes[begin - 1] if begin else ""
    inside = any(node.casefold() in _INSIDE for node in nodes[:begin])
    named = re.search(r"[\d-]", server) and not inside and not _DEVICE.fullmatch(server.casefold())
    return (server, ".".join(nodes[begin:]), "") if named else ("-", target, "")
