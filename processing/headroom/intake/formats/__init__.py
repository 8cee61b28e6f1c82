"""Exports that are more than a table with a header: one module each, which turns an export into samples.

A module has a ``NAME`` that people know the export by, ``recognise(export)``, which looks at its beginning, and
``read(export)``, which yields every sample in the export's own words: texts as they stand, names as the tool gives
them. What names, units and times mean is decided in one place, for all formats (see ``meaning``). A row or record that
is not as the format has it costs that row and not the file: readers pass rows to ``fits`` and records to ``samples``,
which keep the damaged ones with their lines. To add a format, add its module here and its test beside the others.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, TypeVar

import duckdb

from headroom.core.modules import modules_of
from headroom.core.settings import FileRules
from headroom.intake.unreadable import brief
from headroom.intake.words.headings import mapped
from headroom.intake.words.meaning import Meaning, meaning_of

Record = TypeVar("Record")
_TOO_MANY = "more fields than the header"
_TOO_FEW = "fewer fields than the header: is the line cut off, or does another mark part its fields?"
_SHOWN = 200


class Sample(NamedTuple):
    """One value as an export gives it. An empty ``server`` or ``metric`` is left to the file's name."""

    server: str
    metric: str
    timestamp: str
    value: str
    unit: str = ""
    entity: str = ""


class Damaged(NamedTuple):
    """What is known of a row or record that is not as its format has it: its line from 1 (in a JSON document or Parquet
    its number), its text, and what is wrong with it."""

    line: int
    text: str
    reason: str


class Unlike(Exception):
    """A whole file is not as its format has it; the message says in what."""


@dataclass
class Export:
    """A file to be recognised: its name with folders, its beginning as text, and its content (UTF-8, unpacked).

    ``rules`` are what the settings say of it. While it is read, ``said`` are sentences about what is left alone,
    ``line`` is the line of the row or document at hand, ``records`` counts rows and records, ``long`` those of them
    with too many fields, ``damaged`` are those that are left out, and ``known`` is what ``understood`` found.
    """

    file: str
    head: str
    path: Path
    rules: FileRules = field(default_factory=FileRules)
    line: int = 0
    records: int = 0
    long: int = 0
    damaged: list[Damaged] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    known: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def first_lines(self) -> list[str]:
        """The lines at its beginning; the last of them may be cut off."""
        return self.head.splitlines()

    def is_json(self) -> bool:
        """Whether it begins as JSON does, perhaps after a damaged line."""
        return self.head.lstrip()[:1] in ("{", "[") or self.has_json_lines

    @cached_property
    def has_json_lines(self) -> bool:
        """Whether the second and third line are each a JSON object: then the first should be one as well."""
        return len(self.first_lines) > 3 and all(map(_is_json_object, self.first_lines[1:3]))

    def document(self) -> Any:
        """The whole file as one JSON document."""
        with self.path.open(encoding="utf-8-sig", errors="replace") as file:
            return json.load(file)

    def answers(self) -> Iterator[Any]:
        """The JSON documents that it holds, over as many lines as they are: one as a rule, and several one below the
        other where a script wrote each answer behind the last (``>>``)."""
        written, decoder, place = self.path.read_text(encoding="utf-8-sig", errors="replace"), json.JSONDecoder(), 0
        while place == 0 or place < len(written):
            document, place = decoder.raw_decode(written, _blank(written, place))
            place = _blank(written, place)
            yield document

    def documents(self) -> Iterator[Any]:
        """Its lines, each a JSON document; also where they follow each other without line breaks.

        Of a line that is not valid, the rest is ``damaged``.

        Raises:
            JSONDecodeError: the first line is not valid, and nothing says that each line is a document.
        """
        decoder, any_read = json.JSONDecoder(), False
        with self.path.open(encoding="utf-8-sig", errors="replace") as file:
            for self.line, line in enumerate(file, start=1):
                place = 0
                while place < len(line.rstrip()):
                    rest = line[place:].strip()
                    try:
                        document, place = decoder.raw_decode(line, place)
                        problem = "" if isinstance(document, dict | list) else "not a JSON object"
                    except json.JSONDecodeError as error:
                        if not any_read and not self.has_json_lines:
                            raise
                        problem = f"not valid JSON ({error.msg}): is the line cut off?"
                    if problem:
                        self.records += 1
                        self.leave_out(rest, problem)
                        break
                    any_read = True
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
                for row in rows:
                    self.line += 1
                    yield dict(zip(names, row, strict=True))

    def rows(self, delimiter: str = "") -> Iterator[list[str]]:
        """Its rows as CSV."""
        with self.path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter or self.delimiter)
            self.line = 1
            for row in reader:
                yield row
                self.line = reader.line_num + 1

    def powershell_rows(self) -> Iterator[dict[str, str]]:
        """Rows of PowerShell's ``Export-Csv``, by headings in small letters, below its line of type information."""
        header = None
        for row in self.rows():
            if header is None:
                if row and not row[0].startswith("#TYPE"):
                    header = [name.strip().casefold() for name in row]
            elif row and self.fits(row, len(header)):
                yield dict(zip(header, row, strict=False))

    def fits(self, row: Sequence[str], fields: int) -> bool:
        """Whether a row of ``rows`` has as many fields as the header, but for empty ones behind them; if not, it is
        ``damaged``: which of its cells belong to which heading is not known."""
        self.records += 1
        if len(row) == fields or (len(row) > fields and not any(cell.strip() for cell in row[fields:])):
            return True
        self.long += len(row) > fields
        self.leave_out(self.delimiter.join(row), _TOO_MANY if len(row) > fields else _TOO_FEW)
        return False

    def samples(self, records: Iterable[Record], make: Callable[[Record], Iterable[Sample]]) -> Iterator[Sample]:
        """The samples that ``make`` gives of each record; where it fails, the rest of the record is ``damaged``."""
        for number, record in enumerate(records, start=1):
            self.records += 1
            try:
                yield from make(record)
            except KeyError as error:
                self.leave_out(record, f"{error.args[0]!r} is missing", number)
            except (ValueError, TypeError, IndexError, AttributeError) as error:
                self.leave_out(record, f"not a record of this format ({brief(error)})", number)

    def understood(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Of the names in one record those that are read; all if none is.

        Of what is used and what is free of one metric, what is used: caches are in between (Telegraf's
        ``used_percent`` and ``available_percent``).
        """
        if names not in self.known:
            mapped_to = {
                name for name in names if any(mapped(one, self.rules) for one in (name, name.rsplit(" ", 1)[-1]))
            }
            meant = {name: one for name in names if isinstance(one := meaning_of(name), Meaning)}
            used = {one.metric for name, one in meant.items() if not one.free or name in mapped_to}
            read = [
                name
                for name in names
                if name in mapped_to or (name in meant and not (meant[name].free and meant[name].metric in used))
            ]
            self.known[names] = tuple(read) or names
        return self.known[names]

    def leave_out(self, what: Any, reason: str, number: int = 0) -> None:
        """Keep a row or record as ``damaged``: the one at hand, or, where records have no lines, that of a number."""
        written = what if isinstance(what, str) else json.dumps(what, default=str, ensure_ascii=False)
        self.damaged.append(Damaged(self.line or number, written[:_SHOWN], reason))

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


def _blank(written: str, place: int) -> int:
    """The place behind the blanks and line breaks that begin at a place."""
    found = re.compile(r"\s*").match(written, place)
    return found.end() if found else place


def _is_json_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def pairs(times: Sequence[Any], values: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """Each time with its value.

    Raises:
        ValueError: there are more of the ones than of the others, so that it is not known which belong together.
    """
    if len(times) != len(values):
        raise ValueError(f"{len(times)} times and {len(values)} values")
    return zip(times, values, strict=True)


def text(value: Any) -> str:
    """A JSON value as a cell: nothing for null."""
    return "" if value is None else str(value)
