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
    for said in export.powershell_rows():
        yield Sample(
            said.get("entity", ""), said.get("metricid", "-"), said.get("timestamp", ""), said.get("value", ""),
            said.get("unit", ""), said.get("instance", ""),
        )  # fmt: skip
