"""Exports that are more than a table with a header: one module each, which turns an export into samples.

A module has a ``NAME`` that people know the export by, ``recognise(export)``, which looks at its beginning, and
``read(export)``, which yields every sample in the export's own words: texts as they stand, names as the tool gives
them. What names, units and times mean is decided in one place, for all formats (see ``meaning``). To add a format, add
its module here and its test beside the others.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import duckdb

from headroom.core.modules import modules_of


class Sample(NamedTuple):
    """One value as an export gives it. An empty ``server`` or ``metric`` is left to the file's name."""

    server: str
    metric: str
    timestamp: str
    value: str
    unit: str = ""
    entity: str = ""


@dataclass(frozen=True)
class Export:
    """A file to be recognised: its name with folders, its beginning as text, and its content (UTF-8, unpacked)."""

    file: str
    head: str
    path: Path

    @cached_property
    def first_lines(self) -> list[str]:
        """The lines at its beginning; the last of them may be cut off."""
        return self.head.splitlines()

    def is_json(self) -> bool:
        """Whether it begins as JSON does."""
        return self.head.lstrip()[:1] in ("{", "[")

    def document(self) -> Any:
        """The whole file as one JSON document."""
        with self.path.open(encoding="utf-8-sig", errors="replace") as file:
            return json.load(file)

    def documents(self) -> Iterator[Any]:
        """Its lines, each a JSON document; also where they follow each other without line breaks."""
        decoder = json.JSONDecoder()
        with self.path.open(encoding="utf-8-sig", errors="replace") as file:
            for line in file:
                place = 0
                while place < len(line.rstrip()):
                    document, place = decoder.raw_decode(line, place)
                    yield document
                    while place < len(line) and line[place] in " ,\t\r\n":
                        place += 1

    @cached_property
    def delimiter(self) -> str:
        """What most often stands between fields of its first lines that are not remarks."""
        lines = [line for line in self.first_lines[:20] if not line.startswith("#")][:5]
        return max(",;\t", key=lambda mark: sum(len(self.fields(line, mark)) for line in lines))

    @cached_property
    def is_parquet(self) -> bool:
        """Whether its content is Parquet, which has no beginning as text."""
        if self.head or self.path is None:
            return False
        with self.path.open("rb") as file:
            return file.read(4) == b"PAR1"

    def parquet_columns(self) -> set[str]:
        """The names of its columns where it is Parquet, in lower case; nothing if it is damaged."""
        if not self.is_parquet:
            return set()
        try:
            with duckdb.connect() as db:
                described = db.execute("DESCRIBE FROM read_parquet(?)", [str(self.path)])
                return {name.casefold() for name, *_ in described.fetchall()}
        except duckdb.Error:
            return set()

    def parquet_rows(self) -> Iterator[dict[str, Any]]:
        """Its rows where it is Parquet, by the names of their columns in lower case."""
        with duckdb.connect() as db:
            found = db.execute("FROM read_parquet(?)", [str(self.path)])
            names = [column[0].casefold() for column in found.description]
            while rows := found.fetchmany(10_000):
                yield from (dict(zip(names, row, strict=True)) for row in rows)

    def rows(self, delimiter: str = "") -> Iterator[list[str]]:
        """Its rows as CSV."""
        with self.path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            yield from csv.reader(file, delimiter=delimiter or self.delimiter)

    def header(self) -> list[str]:
        """The fields of the first line that is not a remark (PowerShell and Excel write some before the header)."""
        lines = (line for line in self.first_lines if line.strip() and not re.match(r"#TYPE|\"?sep=", line))
        return [name.strip() for name in self.fields(next(lines, ""))]

    def fields(self, line: str, delimiter: str = "") -> list[str]:
        """The fields of one line."""
        try:
            return next(csv.reader([line], delimiter=delimiter or self.delimiter), [])
        except csv.Error:
            return []


@cache
def all_formats() -> Sequence[ModuleType]:
    """The modules of this folder, by name."""
    return modules_of(__name__)


def format_of(export: Export) -> ModuleType | None:
    """The format that recognises an export; ``None`` where it is left to be a table."""
    return next((module for module in all_formats() if module.recognise(export)), None)


def text(value: Any) -> str:
    """A JSON value as a cell: nothing for null."""
    return "" if value is None else str(value)
