"""Datadog's query API (v1): series with points in milliseconds."""

from __future__ import annotations

from collections.abc import Iterator

from headroom.intake.formats import Export, Sample, text

NAME = "Datadog query API (JSON)"


def recognise(export: Export) -> bool:
    """By the keys of the answer."""
    return (
        export.is_json() and '"series"' in export.head and ('"pointlist"' in export.head or '"res_type"' in export.head)
    )


def read(export: Export) -> Iterator[Sample]:
    """The server is the tag ``host``; other tags name a part of it. What is not by host is of no server."""
    for series in export.document()["series"]:
        tags = [tag.partition(":") for tag in series.get("tag_set") or series.get("scope", "").split(",")]
        server = next((value for name, _, value in tags if name in ("host", "instance", "name")), "")
        part = " ".join(
            value for name, _, value in tags if name in ("device", "device_name", "interface", "core", "container_name")
        )
        metric = series.get("metric") or series.get("display_name", "")
        if not server:
            server, metric = "-", f"{metric} of {series.get('scope') or 'all hosts'}, not by host"
        for at, value in series["pointlist"]:
            yield Sample(server, metric, text(int(at)), text(value), "", part)
