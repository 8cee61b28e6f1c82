"""Lines: where a row stands in its file, as an editor shows it."""

from __future__ import annotations

import csv
import io
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

from headroom.intake.files.layout import open_bytes
from headroom.intake.files.sources import Source


def one_each(source: Source, rows: int) -> bool:
    """Whether each of a file's rows is one line and follows the one before, so that its line is its position
    from 0 + 1 + header line; Parquet, which has no lines, is counted so. ``rows`` is how many rows the file has."""
    layout = source.known_layout
    return layout.format == "parquet" or _count_lines(source.readable) == layout.header_line + rows


def line_numbers(source: Source, positions: Sequence[int], rejected_lines: Sequence[int]) -> list[int]:
    """The lines, as an editor counts them from 1, of some rows of a file, given by their positions from 0.

    ``rejected_lines`` are the lines that are not rows, ascending.
    """
    layout = source.known_layout
    # Positions among all records, with those that were rejected.
    before = [line - layout.header_line - 1 - index for index, line in enumerate(rejected_lines)]
    records = [position + bisect_right(before, position) for position in positions]
    starts: dict[int, int] = {}
    wanted, last, record = set(records), max(records), 0
    with open_bytes(source.readable) as raw:
        text = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="")
        for _ in range(layout.header_line):
            text.readline()
        reader = csv.reader(text, delimiter=layout.delimiter, quotechar=layout.quote)
        line = layout.header_line + 1
        try:
            for fields in reader:
                if fields:
                    if record in wanted:
                        starts[record] = line
                    record += 1
                line = layout.header_line + reader.line_num + 1
                if record > last:
                    break
        except csv.Error:
            pass  # a giant field; the lines after it are counted as if each row had one
    return [starts.get(record, record + 1 + layout.header_line) for record in records]


def _count_lines(path: Path) -> int:
    lines, last = 0, b""
    with open_bytes(path) as file:
        while chunk := file.read(1 << 20):
            lines += chunk.count(b"\n")
            last = chunk[-1:]
    return lines + (last not in (b"\n", b""))
