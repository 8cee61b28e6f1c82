"""The rules for every notification, whoever sends it."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST_SUBJECT = 100
LONGEST_LINE = 2_000
# Bytes of a text. SNS takes 256 KiB; Publish sends the text twice, once in JSON within JSON, where a backslash
# becomes four: 32,000 + 3 × 32,000 at the worst for each copy stays below, with the links beside them.
LONGEST_TEXT = 32_000


def subject(text: str) -> str:
    """A subject that SNS takes: printable ASCII, at most 100 characters."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text)[:LONGEST_SUBJECT]


def printable(line: str) -> str:
    """A line with escapes for what is not printed, controls and changes of direction: names come from CSVs."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in line)


def cut(text: str, most: int) -> str:
    """The text, with "…" at its end where it is longer."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def text(lines: Iterable[str], commands: Iterable[str] = ()) -> str:
    """The lines as one text that is safe to show and that SNS takes: long lines and long texts are cut.

    ``commands`` are lines to end with that must stay whole: what they stand for is what the reader has to do.
    """
    last = [printable(line) for line in commands]
    left = LONGEST_TEXT - sum(len(line.encode()) + 1 for line in last)
    kept: list[str] = []
    for line in lines:
        shown = cut(printable(line), LONGEST_LINE)
        left -= len(shown.encode()) + 1
        if left < 100:
            kept.append("… (cut: the rest did not fit into a notification)")
            break
        kept.append(shown)
    return "\n".join([*kept, *last])


def attributes(outcome: str, dataset: str | None = None, level: str | None = None) -> dict[str, dict[str, str]]:
    """SNS's message attributes, by which subscriptions filter (docs/events.md); what is not known is left out."""
    known = {"outcome": outcome, "dataset": dataset, "level": level}
    return {name: {"DataType": "String", "StringValue": value} for name, value in known.items() if value}
