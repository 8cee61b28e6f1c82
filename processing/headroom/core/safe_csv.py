"""Tables for people: CSV files that a spreadsheet may open without running anything in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # loading pandas takes as long as reading 200,000 rows, and Preprocess needs none of it
    import pandas as pd

# A cell that begins with one of these is read as a formula by spreadsheets (OWASP, CSV Injection).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def harmless(text: str) -> str:
    """The text, with an apostrophe before it where a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def harmless_sql(expression: str) -> str:
    """DuckDB's SQL for ``harmless`` of a text expression."""
    starts = " OR ".join(f"starts_with({expression}, chr({ord(start)}))" for start in _FORMULA_STARTS)
    return f"CASE WHEN {starts} THEN chr(39) || {expression} ELSE {expression} END"


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table as UTF-8 CSV; text in cells and headings is made harmless, numbers stay numbers."""
    safe = table.rename(columns=lambda name: harmless(str(name)))
    for column in safe.select_dtypes(exclude=["number", "bool", "datetime", "datetimetz"]).columns:
        safe[column] = safe[column].map(lambda cell: harmless(cell) if isinstance(cell, str) else cell)
    safe.to_csv(path, index=False)
