"""InfluxDB 2, annotated CSV: tables with annotations and headers of their own, one below the other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from headroom.intake.formats import Export, Sample
from headroom.intake.words.meaning import statistic_of

NAME = "InfluxDB annotated CSV"
_SERVERS = ("host", "hostname", "server", "instance", "vm", "node")
_PARTS = ("path", "device", "cpu", "interface", "container_name", "name", "instance")

_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[-+]?\d+)?", re.IGNORECASE)


def recognise(export: Export) -> bool:
    """By annotations, or by columns that begin with an underscore."""
    lines = export.first_lines[:6]
    line = next((line for line in lines if line and not line.startswith("#")), "")
    header = {name.strip() for name in line.split(",")}
    return {"_time", "_measurement"} <= header or {"_time", "_value", "_field"} <= header


def read(export: Export) -> Iterator[Sample]:
    """The metric is measurement and field; tags name the server and its parts. A table after Flux's ``pivot`` has a
    column for each field."""
    header: list[str] = []
    result = ""
    for row in export.rows():
        if not any(row) or row[0].startswith("#"):
            result = row[1] if row and row[0] == "#default" and len(row) > 1 else result
            continue
        if "_time" in row:
            header = [name.strip() for name in row]
            continue
        if not export.fits(row, len(header)):
            continue
        said = dict(zip(header, row, strict=False))
        server, part = owner_of(said)
        # A result goes by the function that made it, as the page of InfluxDB names them.
        statistic = statistic_of(name := said.get("result") or result)
        suffix = f" ({name})" if statistic not in ("", "avg") else ""
        measurement = said.get("_measurement", "")
        if "_value" in said:
            fields = {f"{measurement} {said.get('_field', '')}".strip() + suffix: said["_value"]}
        else:
            fields = {f"{measurement} {name}{suffix}": said[name] for name in header if _NUMBER.fullmatch(said[name])}
        for metric in export.understood(tuple(fields)) or ("-",):
            yield Sample(server, metric, said.get("_time", ""), fields.get(metric, ""), "", part)


def owner_of(tags: Mapping[str, str]) -> tuple[str, str]:
    """Server and part in tags."""
    server = next((name for name in _SERVERS if tags.get(name)), "")
    # A disk's path says all; its device is the same part by another name. Windows' counters are of an instance.
    part = next((tags[name] for name in _PARTS if tags.get(name) and name != server), "")
    return tags.get(server, ""), part
