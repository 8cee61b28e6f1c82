"""CloudWatch's console, *Download as CSV*: rows of labels, then one column per metric."""

from __future__ import annotations

import re
from collections.abc import Iterator

from headroom.intake.formats import Export, Sample
from headroom.intake.formats.grafana_joined import split_name
from headroom.intake.words.meaning import Meaning, meaning_of

NAME = "CloudWatch console (CSV)"
_LABELS = ("full label", "label", "id", "metric name", "statistic", "period", "unit", "account", "region", "namespace")

_NAMESPACES = ("AWS/EC2", "EC2", "AWS/RDS", "RDS", "CWAgent")
# A dynamic label may show numbers behind the name: ``web-1 [avg: 45.1]``.
_STATISTICS_BESIDE = re.compile(r"( \[?(avg|max|min|sum|last|first): [^\]]*\]?)+$", re.IGNORECASE)


def recognise(export: Export) -> bool:
    """Its first cell is a label's name, and one of the rows has the metrics' names."""
    first = [field.strip().casefold() for line in export.first_lines[:12] for field in export.fields(line)[:1]]
    return bool(first) and first[0] in _LABELS and "metric name" in first


def read(export: Export) -> Iterator[Sample]:
    """The label is the server; a maximum or a sum is named so, and is not a sample."""
    labels: dict[str, list[str]] = {}
    for row in export.rows():
        if not row:
            continue
        name = row[0].strip().casefold()
        if name in _LABELS:
            labels[name] = row
            continue
        if not export.fits(row, len(labels["metric name"])):
            continue
        for place in range(1, len(labels["metric name"])):
            said = {key: cells[place].strip() for key, cells in labels.items() if place < len(cells)}
            metric, statistic = said.get("metric name", ""), said.get("statistic", "Average")
            server = _STATISTICS_BESIDE.sub("", said.get("label") or said.get("full label", ""))
            for word in (metric, statistic, metric, said.get("region", ""), *_NAMESPACES):
                server = _without(server, word)
            if server and (split := split_name(server)) and _are_one(split[1], metric):
                server = split[0]
            metric = metric if statistic.casefold() in ("average", "avg", "") else f"{metric} ({statistic})"
            yield Sample(server, metric, row[0], row[place], said.get("unit", ""))


def _are_one(name: str, metric: str) -> bool:
    """Whether two names are of the same metric (``CPU usage`` in a label of one's own, and ``CPUUtilization``)."""
    one, other = meaning_of(name), meaning_of(metric)
    return isinstance(one, Meaning) and isinstance(other, Meaning) and one.metric == other.metric


def _without(label: str, word: str) -> str:
    """A label without a word at its end or beginning, and the marks between them (``web-1 - CPUUtilization``)."""
    if not word:
        return label.strip()
    one = re.escape(word)
    return re.sub(rf"(?:^|[\s|:•/,(\[-]+){one}[\s)\]]*$|^{one}[\s|:•/,-]+", "", label.strip()).strip()
