"""What commands print: tables for people, JSON for programs. All but results goes to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from functions.notification import printable

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan",
          "FAILED": "red", "TIMED_OUT": "red", "ABORTED": "red", "SUCCEEDED": "green"}  # fmt: skip

_GAP = 2  # blanks behind each column, as rich counts them


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
    """A result for people; text in it comes from outside, and is never markup nor control characters.

    Where the terminal is too narrow for a table without broken words, a block of lines per row.
    """
    from rich.text import Text

    cells = [[printable(_text(value)) for value in row] for row in rows]
    if not cells:
        print(nothing)
        return
    widths = _widths([columns, *cells], console().width)
    styled = [[Text(cell, style=STYLES.get(cell, "")) for cell in row] for row in cells]
    if widths is not None:
        console().print(_grid(styled, widths, columns))
        return
    left = max(map(len, columns))
    for number, row in enumerate(styled):
        if number:
            print()
        named = [[Text(column, style="bold"), cell] for column, cell in zip(columns, row, strict=True)]
        console().print(_grid(named, [left, max(1, console().width - left - 2 * _GAP)]))


def _grid(rows: list[list[Text]], widths: list[int], headings: Sequence[str] = ()) -> Table:
    from rich.table import Table

    shown = Table(box=None, header_style="bold", pad_edge=False, show_header=bool(headings), padding=(0, _GAP, 0, 0))
    for place, width in enumerate(widths):
        shown.add_column(headings[place] if headings else "", width=width, overflow="fold")
    for row in rows:
        shown.add_row(*row)
    return shown


def _widths(rows: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """How wide each column is: as its text, or where there is no room for that, at least as its longest word.

    None where there is no room for the words either.
    """
    from rich.cells import cell_len

    columns = list(zip(*rows, strict=True))
    widths = [max(cell_len(word) for cell in column for word in cell.split() or [""]) for column in columns]
    whole = [max(map(cell_len, column)) for column in columns]
    left = room - sum(widths) - _GAP * len(widths)
    if left < 0:
        return None
    wanting = sorted(range(len(widths)), key=lambda place: whole[place] - widths[place])
    for done, place in enumerate(wanting):  # the least wanting first: what they leave is for the others
        more = min(whole[place] - widths[place], left // (len(wanting) - done))
        widths[place] += more
        left -= more
    return widths


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:%Y-%m-%d %H:%M}" if hasattr(value, "strftime") else str(value)
