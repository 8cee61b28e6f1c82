"""A pivot of pandas as CSV: two rows of headings, metrics and servers, and a column for each pair."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from headroom.core.settings import FileRules
from headroom.intake.formats import Export, Sample
from headroom.intake.formats.grafana_joined import is_server
from headroom.intake.words.headings import role_of
from headroom.intake.words.meaning import Meaning, meaning_of

NAME = "pandas, a column per metric and server (CSV)"


def recognise(export: Export) -> bool:
    """By its first two rows, of which one has metrics only and the other servers only."""
    lines = export.first_lines
    return len(lines) > 3 and _pairs(export.fields(lines[0]), export.fields(lines[1])) != []


def read(export: Export) -> Iterator[Sample]:
    """Below the headings there may be a row with the name of the index."""
    rows = export.rows()
    pairs = _pairs(next(rows), next(rows))
    for row in rows:
        if not row or (not any(row[1:]) and not re.search(r"\d", row[0])):
            continue
        if not export.fits(row, 1 + len(pairs)):
            continue
        at, *values = row
        for (server, metric), value in zip(pairs, values, strict=False):
            yield Sample(server, metric, at, value)


def _pairs(first: Sequence[str], second: Sequence[str]) -> list[tuple[str, str]]:
    """Server and metric of each column but the first, or nothing where these are not such headings."""
    if len(first) < 3 or len(first) != len(second) or role_of(first[0], FileRules()) == "timestamp":
        return []  # a table with a header of one row
    for metrics, servers in ((first, second), (second, first)):
        pairs = list(zip(servers[1:], metrics[1:], strict=True))
        named = len(set(pairs)) == len(pairs) and all(map(_is_name, set(servers[1:])))
        if named and all(isinstance(meaning_of(metric), Meaning) for metric in set(metrics[1:])):
            return pairs
    return []


def _is_name(cell: str) -> bool:
    return is_server(cell) and not re.fullmatch(r"v?[-+\d.,eE]+", cell)
