"""Azure Monitor's chart as CSV: a column per machine, ``Percentage CPU (Avg), vm-1``, perhaps below a title."""

from __future__ import annotations

import re
from collections.abc import Iterator

from headroom.intake.formats import Export, Sample

NAME = "Azure portal, chart (CSV)"
_COLUMN = re.compile(
    r"(?P<metric>.+ \((?:Avg|Average|Max|Min|Sum|Count|Total)\)), (?P<server>[^\s,()]+)", re.IGNORECASE
)
_TIME = re.compile(r"(timestamp|time|date)( [\[(]utc[\])])?", re.IGNORECASE)
_LINES = 12


def recognise(export: Export) -> bool:
    """A time, and beside it nothing but metrics of machines, below some lines at most."""
    return any(_is_header(export.fields(line, ",")) for line in export.first_lines[:_LINES])


def read(export: Export) -> Iterator[Sample]:
    """Metric, aggregation and machine are in the heading."""
    header: list[str] | None = None
    for row in export.rows(","):
        if header is None:
            header = [name.strip() for name in row] if _is_header(row) else None
        elif any(row) and export.fits(row, len(header)):
            at = row[0].strip()
            if "utc" in header[0].casefold() and re.search(r"\d$", at) and not re.search(r"[+-]\d\d:?\d\d$", at):
                at = f"{at} UTC"
            for heading, value in zip(header[1:], row[1:], strict=False):
                if found := _COLUMN.fullmatch(heading):
                    yield Sample(found["server"], found["metric"], at, value)


def _is_header(row: list[str]) -> bool:
    named = [name.strip() for name in row[1:] if name.strip()]
    return bool(named) and bool(_TIME.fullmatch(row[0].strip())) and all(_COLUMN.fullmatch(name) for name in named)
