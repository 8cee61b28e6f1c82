"""What commands print: tables for people, JSON for programs. All but results goes to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from functions.notification import printable

STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan",
          "FAILED": "red", "TIMED_OUT": "red", "ABORTED": "red", "SUCCEEDED": "green"}  # fmt: skip


@cache
def console(stderr: bool = False) -> Any:
    """Where people read."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def say(text: str) -> None:
    """A remark on the way, which is no result."""
    print("\n".join(printable(line) for line in text.splitlines()), file=sys.stderr)


def tell(text: str) -> None:
    """A result in words."""
    print("\n".join(printable(line) for line in text.splitlines()))


def document(value: Any) -> None:
    """A result for programs."""
    print(json.dumps(value, indent=1, ensure_ascii=False, default=_text))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], nothing: str = "Nothing.") -> None:
    """A result for people; text in it comes from outside, and is never markup nor control characters."""
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        cells = [printable(_text(value)) for value in row]
        shown.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in cells))
    if not shown.row_count:
        print(nothing)
        return
    console().print(shown)


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:%Y-%m-%d %H:%M}" if hasattr(value, "strftime") else str(value)
