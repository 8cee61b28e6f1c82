"""PowerCLI's ``Get-Stat | Export-Csv``: one row per metric, instance and moment."""

from __future__ import annotations

from collections.abc import Iterator

from headroom.intake.formats import Export, Sample

NAME = "VMware PowerCLI Get-Stat (CSV)"


def recognise(export: Export) -> bool:
    """By its columns, below PowerShell's line of type information."""
    return {"metricid", "timestamp", "value", "entity"} <= {name.casefold() for name in export.header()}


def read(export: Export) -> Iterator[Sample]:
    """The instance is a core or device; the whole machine has none."""
    header = None
    for row in export.rows():
        if header is None:
            if row and not row[0].startswith("#TYPE"):
                header = [name.strip().casefold() for name in row]
            continue
        if row and export.fits(row, len(header)):
            said = dict(zip(header, row, strict=False))
            yield Sample(
                said.get("entity", ""), said.get("metricid", "-"), said.get("timestamp", ""), said.get("value", ""),
                said.get("unit", ""), said.get("instance", ""),
            )  # fmt: skip
