"""Azure Monitor's chart as CSV: a column per machine, ``Percentage CPU (Avg), vm-1``, perhaps below a title."""

from __future__ import annotations

import re
from collections.abc import Iterator

from headroom.intake.formats import Export, Sample

NAME = "Azure portal, chart (CSV)"
_COLUMN = re.compile(
    r"(?P<metric>.+ \((?:Avg|Average|Max|Min|Sum|Count|Total)\)), (?P<server>[^\s,()]+)", re.IGNORECASE
)
_TIME = re.compile(r"(timestamp|time|date)( [\[(].+[\])])?", re.IGNORECASE)
_LINES = 12
_MARKS = (",", ";", "\t")


def recognise(export: Export) -> bool:
    """A time, and beside it nothing but metrics of machines, below some lines at most."""
    return bool(_mark(export))


def read(export: Export) -> Iterator[Sample]:
    """Metric, aggregation and machine are in the heading."""
    header: list[str] | None = None
    for row in export.rows(_mark(export)):
        if header is None:
            header = [name.strip() for name in row] if _is_header(row) else None
        elif any(row) and export.fits(row, len(header)):
            for heading, value in zip(header[1:], row[1:], strict=False):
                if found := _COLUMN.fullmatch(heading):
                    yield Sample(found["server"], found["metric"], row[0].strip(), value)


def _mark(export: Export) -> str:
    """What stands between its fields (a spreadsheet may have saved it); nothing if it is no such chart."""
    lines = export.first_lines[:_LINES]
    return next((mark for mark in _MARKS if any(_is_header(export.fields(line, mark)) for line in lines)), "")


def _is_header(row: list[str]) -> bool:
    named = [name.strip() for name in row[1:] if name.strip()]
    return (
        bool(named) and _TIME.fullmatch(row[0].strip()) is not None and all(_COLUMN.fullmatch(name) for name in named)
    )
