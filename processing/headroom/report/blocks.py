"""The parts that a section of the report is made of, as plain values: Python phrases, ``assets/blocks.js`` lays out.

A *text* is a string, or a list of pieces that follow one another: strings, and what the functions here give
(:func:`bold`, :func:`code`, :func:`server`, …). A *block* is a dict with its kind as its first key. Nothing here is
markup: the page writes every string as a text node.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headroom.core import wording

Text = str | list[Any] | dict[str, Any]
Block = dict[str, Any]


def bold(text: Text) -> dict[str, Any]:
    """A piece of text that stands out."""
    return {"as": "strong", "text": text}


def code(text: str) -> dict[str, Any]:
    """The name of a file or a value as it was given."""
    return {"as": "code", "text": text}


def small(text: Text) -> dict[str, Any]:
    """A remark on a line of its own below what it belongs to."""
    return {"as": "small", "text": text}


def soft(text: Text) -> dict[str, Any]:
    """A remark beside what it belongs to."""
    return {"as": "span", "class": "soft", "text": text}


def server(name: str) -> dict[str, Any]:
    """A server's name, as a link where the report holds it."""
    return {"server": name}


def link(text: str, name: str) -> dict[str, Any]:
    """Words that lead to a server."""
    return {"server": name, "text": text}


def servers(names: list[str], total: int, most: int = 8) -> list[Any]:
    """Names of servers, the first ones as links, and how many more there are."""
    shown = names[:most]
    pieces: list[Any] = [piece for name in shown for piece in (", ", server(name))][1:]
    return [*pieces, *([f" and {total - len(shown):,} more"] if total > len(shown) else [])]


def paragraph(*text: Any, style: str = "") -> Block:
    """Sentences; ``style`` is a class of report.css."""
    return {"paragraph": [piece for piece in text if piece], "class": style}


def listing(items: list[Text], style: str = "notes") -> list[Block]:
    """Points, or nothing where there are none."""
    return [{"list": items, "class": style}] if items else []


def warning(title: str, items: list[Text]) -> list[Block]:
    """A warning with its points, or nothing where there are none."""
    return [{"warning": title, "items": items}] if items else []


def figures(entries: list[tuple[str, str]]) -> Block:
    """Large numbers with what they count."""
    return {"figures": [list(entry) for entry in entries]}


def facts(entries: Sequence[tuple[str, Text | None]], style: str) -> Block:
    """Terms and what they are; entries without a value are left out."""
    return {"facts": [[term, value] for term, value in entries if value not in (None, "")], "class": style}


def table(
    caption: str, columns: list[tuple[str, str]], rows: list[list[Text]], shown: int = 0, of: str = ""
) -> list[Block]:
    """A table, or nothing where there are no rows.

    Args:
        columns: title and class of each.
        shown: how many rows are there at first, all if 0; ``of`` names them for the button that shows more.
    """
    if not rows:
        return []
    return [{"table": caption, "columns": [list(one) for one in columns], "rows": rows, "shown": shown, "of": of}]


def fold(title: str, *content: list[Block]) -> list[Block]:
    """A part that opens on demand, or nothing where it has no content."""
    blocks = [block for part in content for block in part]
    return [{"fold": title, "content": blocks}] if blocks else []


def article(heading: Text, *content: list[Block], style: str = "") -> Block:
    """A part of a section with a heading of its own."""
    return {"article": heading, "content": [block for part in content for block in part], "class": style}


def bars(
    title: str, values: list[float | None], names: list[str], ends: list[str], texts: list[str], marked: bool
) -> Block:
    """A row of bars; ``ends`` stand under them, ``texts`` say each; ``marked`` shows the highest."""
    return {"bars": title, "values": values, "names": names, "ends": ends, "texts": texts, "marked": marked}


def drawn(what: str) -> Block:
    """A part that the page lays out by itself: see ``assets/page.js``."""
    return {"drawn": what}


def section(name: str, nav: str, title: str, content: list[Block]) -> dict[str, Any]:
    """A section: its anchor, its word in the navigation, its heading and its blocks."""
    return {"id": name, "nav": nav, "title": title, "content": content}


def fixed(value: float | None, digits: int) -> str:
    """A number with this many digits after the point; a dash where it is not known."""
    return "–" if value is None else f"{value:.{digits}f}"


def number(value: float | None) -> str:
    """A whole number; a dash where it is not known."""
    return "–" if value is None else wording.count(value)
