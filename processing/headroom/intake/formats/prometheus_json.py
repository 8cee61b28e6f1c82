"""Prometheus' and Thanos' ``query_range`` answers, and VictoriaMetrics' export: series with labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from headroom.intake.formats import Export, Sample, text

NAME = "Prometheus (JSON)"
# Which label is the server, the surest first.
SERVERS = ("vm", "pod", "hostname", "host", "nodename", "instance_name", "instance", "node", "server", "name")
_PARTS = ("device", "mountpoint", "interface", "cpu", "container", "core", "gpu")


def recognise(export: Export) -> bool:
    """A matrix, or lines of a metric's labels with values and timestamps."""
    head = export.head
    return export.is_json() and (
        ('"resultType"' in head and '"matrix"' in head) or ('"metric"' in head and '"values"' in head)
    ) and '"MetricDataResults"' not in head  # fmt: skip


def read(export: Export) -> Iterator[Sample]:
    """An expression has no name: then the metric is the file's name."""
    if '"resultType"' in export.head:
        document = export.document()
        for series in document["data"]["result"]:
            for at, value in series.get("values", []):
                yield Sample(*_names(series["metric"]), text(at), text(value), "", part_of(series["metric"]))
    else:
        for series in export.documents():
            for at, value in zip(series["timestamps"], series["values"], strict=True):
                yield Sample(*_names(series["metric"]), text(at), text(value), "", part_of(series["metric"]))


def _names(labels: Mapping[str, Any]) -> tuple[str, str]:
    return server_of(labels), text(labels.get("__name__"))


def server_of(labels: Mapping[str, Any]) -> str:
    """The label that is the server, without the exporter's port."""
    return next((without_port(text(labels[name])) for name in SERVERS if labels.get(name)), "")


def part_of(labels: Mapping[str, Any]) -> str:
    """The labels that name a part of the server; a file system goes by where it is mounted."""
    if labels.get("mountpoint"):
        return text(labels["mountpoint"])
    return " ".join(text(labels[name]) for name in _PARTS if labels.get(name))


def without_port(name: str) -> str:
    """``web-1`` of ``web-1:9100``."""
    host, colon, port = name.rpartition(":")
    return host if colon and port.isdigit() and ":" not in host else name
