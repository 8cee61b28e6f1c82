"""OpenTelemetry's metrics in JSON, as the collector's file exporter writes them: one batch per line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from headroom.intake.formats import Export, Sample, text

NAME = "OpenTelemetry metrics (JSON)"
_SERVERS = ("host.name", "k8s.node.name", "host.id")
# Attributes that say which part of the time or the space a number is: they belong to the metric's name.
_STATES = ("state", "cpu.mode", "system.cpu.state", "system.memory.state", "system.filesystem.state")
_PARTS = ("mountpoint", "system.filesystem.mountpoint", "cpu", "cpu.logical_number", "system.cpu.logical_number",
          "device", "system.device", "network.interface.name", "process.pid", "process.executable.name")  # fmt: skip


def recognise(export: Export) -> bool:
    """By the key of its batches."""
    return export.is_json() and '"resourceMetrics"' in export.head


def read(export: Export) -> Iterator[Sample]:
    """A share of one has the unit 1; a sum that only grows is a counter."""
    one_document = export.first_lines[0].strip() in ("{", "[")
    for batch in export.answers() if one_document else export.documents():
        for resource in batch["resourceMetrics"]:
            about = _said(resource.get("resource", {}).get("attributes", []))
            server = next((about[name] for name in _SERVERS if about.get(name)), "-")
            for metric in (one for scope in resource["scopeMetrics"] for one in scope["metrics"]):
                points = metric.get("gauge") or metric.get("sum") or {"dataPoints": []}
                name = f"{metric['name']} (counter)" if points.get("isMonotonic") else metric["name"]
                about_process = about.get("process.pid", "")
                yield from export.samples(points["dataPoints"], partial(_of_point, server, name, about_process))


def _of_point(server: str, name: str, process: str, point: Mapping[str, Any]) -> Iterator[Sample]:
    said = _said(point.get("attributes", []))
    state = next((said[key] for key in _STATES if key in said), "")
    part = next((said[key] for key in _PARTS if key in said), "") or process
    value = text(point.get("asDouble", point.get("asInt")))
    yield Sample(server, f"{name} {state}".strip(), text(point["timeUnixNano"]), value, "", part)


def _said(attributes: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {one["key"]: text(next(iter(one["value"].values()), "")) for one in attributes}
