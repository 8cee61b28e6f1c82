"""InfluxDB 2, annotated CSV: tables with annotations and headers of their own, one below the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from headroom.intake.formats import Export, Sample
from headroom.intake.words.meaning import statistic_of

NAME = "InfluxDB annotated CSV"
_SERVERS = ("host", "hostname", "server", "instance", "vm", "node")
_PARTS = ("path", "device", "cpu", "interface", "container_name", "name")


def recognise(export: Export) -> bool:
    """By annotations, or by columns that begin with an underscore."""
    lines = export.first_lines[:6]
    header = next((line for line in lines if line and not line.startswith("#")), "").split(",")
    return {"_time", "_value"} <= {name.strip() for name in header} and ("_field" in header or "_measurement" in header)


def read(export: Export) -> Iterator[Sample]:
    """The metric is measurement and field; tags name the server and its parts."""
    header: list[str] = []
    result = ""
    for row in export.rows():
        if not any(row) or row[0].startswith("#"):
            result = row[1] if row and row[0] == "#default" and len(row) > 1 else result
            continue
        if "_value" in row:
            header = [name.strip() for name in row]
            continue
        if not export.fits(row, len(header)):
            continue
        said = dict(zip(header, row, strict=False))
        server, part = owner_of(said)
        metric = f"{said.get('_measurement', '')} {said.get('_field', '')}".strip()
        # A result goes by the function that made it, as the page of InfluxDB names them.
        if statistic_of(name := said.get("result") or result) not in ("", "avg"):
            metric += f" ({name})"
        yield Sample(server, metric, said.get("_time", ""), said.get("_value", ""), "", part)


def owner_of(tags: Mapping[str, str]) -> tuple[str, str]:
    """Server and part in tags."""
    server = next((tags[name] for name in _SERVERS if tags.get(name)), "")
    # A disk's path says all; its device is the same part by another name.
    return server, next((tags[name] for name in _PARTS if tags.get(name)), "")
