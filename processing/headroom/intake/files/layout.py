"""The data contract: which files Headroom understands, and how each is read.

A file is CSV (any common delimiter, quoting and encoding, plain or gzip), Parquet, or an export that one of the
readers in ``formats`` turns into rows of one long table. Its header decides its shape: *wide* (one column per metric),
*long* (columns ``metric`` and ``value``) or *two-column* (only ``value``). Only a table's first rows are looked at
here; ``reading`` reads all of them.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import duckdb

from headroom.core.settings import FileRules
from headroom.intake.files import columns, remarks
from headroom.intake.files.columns import Columns, Shape, Spread
from headroom.intake.unreadable import UnreadableFile, brief
from headroom.intake.words import meaning, units
from headroom.intake.words.file_names import FileName
from headroom.intake.words.headings import role_of, same
from headroom.intake.words.meaning import Meaning, Unclear
from headroom.intake.words.times import PLAIN, TimeLayout, UnclearTime, has_zones, zone_around

# Monitoring overshoots a little: above 100 and up to here a percentage counts as 100.
PERCENT_LIMIT = 110
# No server moves a terabyte per second; such a value is in other units than megabytes per second.
NETWORK_LIMIT = 1_000_000
NAME_LENGTH = 256
EARLIEST = "1990-01-01"

# What the readers in `formats` write: one long table without a header.
SAMPLE_COLUMNS = ("server_id", "metric", "timestamp", "value", "unit", "entity")

# So many of the samples that such a reader writes show how its times and numbers are written.
SAMPLE_ROWS = 1000

_HEAD_BYTES = 65_536
_HEAD_LINES = 50
# Footers are short.
_TAIL_BYTES, _TAIL_LINES = 4096, 12
_SAMPLE_ROWS = 200
_DELIMITERS = (",", ";", "\t", "|")
# Answers that people save, and which have no series, by a key of theirs.
_OTHER_JSON = {
    '"resultType":"vector"': ", an answer about one moment; /api/v1/query_range gives a series",
    '"frames":[{"schema"': ", Grafana's own; Inspect, Data, Download CSV gives a table",
    '"rrddata"': ", a graph of Checkmk",
    '"hits":{"total"': ", a search of Elasticsearch; Discover exports CSV",
}
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Layout:
    """How a file is to be read, and what its columns are. Files of equal layout are read in one scan.

    ``columns`` are the file's own headings in order; ``places`` says which of them carries which canonical column;
    ``header_line`` is the physical line (from 1) before the first row, 0 in Parquet and exports. ``meanings`` say how
    numbers become ours, ``named`` what an export's unnamed metric is by the file's name, ``parts`` which columns name
    a part of a server; ``wholes`` that only rows of all parts together count of the metrics ``of_wholes`` (in the long
    form their names); ``of_parts`` columns of which a cell says that its row is of a part of the time or of a core (the
    column and cell); ``in_percent`` columns with cells that say percent; ``owners`` that parts may have series of their
    own. ``decimal`` is the decimal mark where it is known.
    """

    name: str
    format: Literal["csv", "parquet"]
    compressed: bool
    delimiter: str
    quote: str
    header_line: int
    columns: tuple[str, ...]
    places: tuple[tuple[str, int], ...]
    shape: Shape
    ignored: tuple[str, ...]
    meanings: tuple[tuple[str, Meaning], ...] = ()
    named: Meaning | Unclear | None = None
    named_text: str = ""
    parts: tuple[int, ...] = ()
    wholes: bool = False
    of_wholes: tuple[str, ...] = ()
    owners: bool = False
    where: tuple[tuple[int, tuple[str, ...]], ...] = ()
    unclear: tuple[tuple[str, str], ...] = ()
    spread: tuple[Spread, ...] = ()
    labels: tuple[int, ...] = ()
    of_parts: tuple[tuple[int, str], ...] = ()
    in_percent: tuple[int, ...] = ()
    time: TimeLayout = field(default_factory=TimeLayout)
    sample_times: tuple[str, ...] = ()
    zone: str | None = None
    decimal: str = ""
    export: bool = False

    def place(self, column: str) -> int | None:
        """Where a canonical column is; ``None`` if the file has none."""
        return dict(self.places).get(column)

    def required_place(self, column: str) -> int:
        """Where a canonical column is that every file of this shape has.

        Raises:
            KeyError: it has none.
        """
        return dict(self.places)[column]


@dataclass(frozen=True)
class File:
    """A file as it is looked at: where it is, what it is called in the dataset, and what is known beforehand."""

    path: Path
    name: FileName
    rules: FileRules
    statistic: str = "p95"


def layout_of(file: File, db: duckdb.DuckDBPyConnection) -> Layout:
    """Recognize a table by its content; its ending plays no part.

    Raises:
        UnreadableFile: it is not a table, is damaged, or does not say what it measures.
    """
    with file.path.open("rb") as content:
        start = content.read(8)
    if not start:
        raise UnreadableFile("the file is empty: export it again")
    if start.startswith(b"PAR1"):
        return _parquet_layout(file, db)
    if start.startswith(b"PK\x03\x04"):
        raise UnreadableFile("this is a ZIP archive or an Excel workbook: save it as CSV, plain or gzip")
    return _csv_layout(file)


def layout_of_samples(name: str, file: File, sample: Sequence[Sequence[str]]) -> Layout:
    """The layout of what a reader in ``formats`` made of a file."""
    places = {column: place for place, column in enumerate(SAMPLE_COLUMNS) if column != "entity"}
    return Layout(
        name=name,
        format="csv",
        compressed=False,
        delimiter=",",
        quote='"',
        header_line=0,
        columns=SAMPLE_COLUMNS,
        places=tuple(sorted(places.items())),
        shape="long",
        ignored=(),
        named=file.name.meaning if file.rules.metric is None else meaning.of_metric(file.rules.metric),
        named_text=file.name.text if file.rules.metric is None else "",
        parts=(SAMPLE_COLUMNS.index("entity"),),
        where=_where(SAMPLE_COLUMNS, file.rules),
        sample_times=_sample_times(places, sample),
        decimal=file.rules.decimal_mark or _decimal_mark([row[3:4] for row in sample], ";"),
        export=True,
    )


def meaning_of_cell(layout: Layout, name: str, unit: str, rules: FileRules) -> Meaning | Unclear | None:
    """What a cell of a metric column means; where it is empty, what the file's name says."""
    if name:
        return columns.name_of_cell(name, unit, rules)
    if isinstance(layout.named, Unclear) and unit and layout.named_text:
        return meaning.meaning_of(layout.named_text, unit)
    if not isinstance(layout.named, Meaning):
        return layout.named
    return meaning.with_said(layout.named, unit, columns.said_unit(rules, layout.named.metric))


def open_bytes(path: Path) -> gzip.GzipFile | io.BufferedReader:
    """A file's content, unpacked where it is gzip."""
    return gzip.open(path, "rb") if is_gzip(path) else path.open("rb")


def is_gzip(path: Path) -> bool:
    """Whether the content is gzip, whatever the file is called."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def encoding_of(path: Path) -> str:
    """``utf-8`` (with or without byte-order mark), ``utf-16`` by its mark, or else ``cp1252``, judged by the start."""
    head = first_bytes(path)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def head_of(path: Path) -> str:
    """The text at the beginning of a file.

    Raises:
        UnreadableFile: it is damaged.
    """
    decoder = codecs.getincrementaldecoder(encoding_of(path))(errors="replace")
    return decoder.decode(first_bytes(path)).removeprefix("\ufeff")


def fields_of(line: str, delimiter: str, quote: str = '"') -> list[str]:
    """The fields of one line of CSV."""
    try:
        return next(csv.reader(io.StringIO(line), delimiter=delimiter, quotechar=quote, skipinitialspace=True), [])
    except csv.Error:
        return []


def _csv_layout(file: File) -> Layout:
    head = head_of(file.path)
    if not head.strip():
        raise UnreadableFile("the file holds nothing but white space: export it again")
    if len(re.findall(r"[\x00-\x08\x0e-\x1f]", head)) > len(head) // 100:
        raise UnreadableFile("this is not text but binary data: send CSV (plain or gzip) or Parquet")
    if head.lstrip().startswith("<"):
        raise UnreadableFile("this is a web page or XML, not a table: was a log-in page saved instead of the export?")
    if head.lstrip().startswith(("{", "[{", "[\n", "[\r")):
        known = next((told for key, told in _OTHER_JSON.items() if key in head.replace(" ", "")), "")
        raise UnreadableFile(
            f"this is JSON of a kind that Headroom does not know (see docs/data-contract.md){known}: send one of the "
            "exports named there, or CSV or Parquet"
        )
    lines = _LINE_END.split(head)
    if len(lines) == 1 and len(head) >= _HEAD_BYTES // 4:
        raise UnreadableFile(f"the first line has no end within {_HEAD_BYTES} bytes: this is not a table of rows")
    problem = None
    for number, line in enumerate(lines[:_HEAD_LINES], start=1):
        found = [
            (understood, delimiter, quote, headings)
            for delimiter in _DELIMITERS
            for quote in [_quote_of(line, lines[number : number + 1], delimiter)]
            for headings in [_without_nameless_end(fields_of(line, delimiter, quote))]
            for understood in [columns.measures_something(headings, file.rules)]
            if understood
        ]
        if not found:
            continue
        _, delimiter, quote, headings = max(found, key=lambda candidate: candidate[0])
        rows = [fields_of(one, delimiter, quote) for one in lines[number : number + _SAMPLE_ROWS] if one.strip()]
        rows = rows if len(head) < _HEAD_BYTES else rows[:-1]
        if _is_preface(headings, rows, file.rules):
            continue
        unit_row = bool(rows) and _is_unit_row(rows[0])
        said = [cell.strip().strip("()[]") for cell in rows[0]] if unit_row else ()
        try:
            understood = columns.understand(
                headings, rows[unit_row:], file.rules, file.statistic, file.name.meaning, said
            )
        except UnreadableFile as error:
            problem = problem or error
            continue
        _refuse_second_header(rows[unit_row:], understood)
        above, last = lines[: number - 1], last_lines(file.path)
        remarks.refuse_others(above, last, understood, file.name, file.rules, file.statistic)
        if understood.zone is None and not _have_zones(understood.places, rows):
            understood = replace(understood, zone=zone_beside([*above, *last], file.rules))
        below = next((place for place, one in enumerate(lines[number:], start=1) if one.strip()), 0)
        header_line = number + below if unit_row else number
        return _layout("csv", file, headings, rows[unit_row:], understood, delimiter, quote, header_line)
    if problem is None and (found_inventory := _inventory_layout(file, lines)):
        return found_inventory
    raise problem or UnreadableFile(_no_header(lines, file.rules))


def _quote_of(header: str, below: Sequence[str], delimiter: str) -> str:
    """The quotation mark of a table: an apostrophe where its header has some, or a row below has one around a field."""
    mark = re.escape(delimiter)
    alone = any(re.search(rf"(?:^|{mark})'[^']*'(?:{mark}|$)", line) for line in below) and '"' not in header
    return "'" if alone or header.startswith("'") or f"{delimiter}'" in header else '"'


def zone_beside(lines: Sequence[str], rules: FileRules) -> str | None:
    """The zone that lines beside a table say of its times; one that is not clear counts where the settings say none.

    Raises:
        UnreadableFile: the zone is not clear.
    """
    try:
        return zone_around(lines, rules.zones)
    except UnclearTime as error:
        if rules.timezone != "UTC":
            return None
        raise UnreadableFile(str(error)) from error


def _have_zones(places: Mapping[str, int], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the times of some rows, which may have remarks below them, say their zones themselves."""
    wanted = [places[column] for column in ("timestamp", "clock") if column in places]
    return has_zones([row[max(wanted)] for row in rows if max(wanted) < len(row)])


def _without_nameless_end(headings: list[str]) -> list[str]:
    """Headings without the empty ones that marks at the end of a line make: rows may have these marks or not."""
    while headings and not headings[-1].strip():
        headings.pop()
    return headings


def _parquet_layout(file: File, db: duckdb.DuckDBPyConnection) -> Layout:
    source = "read_parquet(?, hive_partitioning = false)"
    try:
        described = db.execute(f"DESCRIBE SELECT * FROM {source}", [str(file.path)])  # noqa: S608 - no data in it
        headings = [row[0] for row in described.fetchall()]
        texts = f"SELECT COLUMNS(*)::VARCHAR FROM {source} LIMIT {_SAMPLE_ROWS}"  # noqa: S608
        cells = db.execute(texts, [str(file.path)]).fetchall()
    except duckdb.Error as error:
        raise UnreadableFile(f"damaged Parquet file, send it again: {brief(error)}") from error
    if not columns.measures_something(headings, file.rules):
        if places := columns.of_inventory(headings, file.rules):
            return _inventory("parquet", file, headings, places, "", "", 0)
        raise UnreadableFile(_no_header([", ".join(headings)], file.rules))
    rows = [["" if cell is None else cell for cell in row] for row in cells]
    understood = columns.understand(headings, rows, file.rules, file.statistic, file.name.meaning)
    return _layout("parquet", file, headings, rows, understood, "", "", 0)


def _layout(
    kind: Literal["csv", "parquet"], file: File, headings: Sequence[str], rows: Sequence[Sequence[str]],
    found: Columns, delimiter: str, quote: str, header_line: int,
) -> Layout:  # fmt: skip
    places = {column: place for column, place in found.places.items() if not column.startswith("ignored ")}
    where = _where(headings, file.rules)
    used = {
        *places.values(),
        *found.entities,
        *(place for place, _ in where),
        *(place for _, place, *_ in found.spread),
    }
    ignored = [heading.strip() for place, heading in enumerate(headings) if place not in used and heading.strip()]
    decimal = file.rules.decimal_mark or _decimal_mark(rows, delimiter)
    of_parts = []
    for place in sorted({*range(len(headings))} - {*places.values(), *(spot for _, spot, *_ in found.spread)}):
        cells = dict(where).get(place) or sorted({row[place].strip() for row in rows if place < len(row)})
        part = columns.part_in(headings[place], cells, cores=place not in found.entities)
        if part is not None and role_of(headings[place], file.rules) != "ignore":
            of_parts.append((place, part))
    labels = () if "server_id" in places or file.rules.server else _labels(headings, rows, used)
    measured = {places.get(metric, places.get("value")) for metric, _ in found.meanings}
    columns_measured = sorted(place for place in measured if place is not None)
    if delimiter == ",":
        _refuse_parted_numbers(headings, rows, columns_measured)
    name = "Parquet" if kind == "parquet" else "CSV"
    bare = _bare(name, kind, file, headings, places, delimiter, quote, header_line, found.shape, ignored)
    return replace(
        bare,
        meanings=tuple(sorted(found.meanings, key=lambda item: item[0])),
        parts=found.entities,
        where=where,
        unclear=found.unclear,
        spread=found.spread,
        labels=labels,
        of_parts=tuple(of_parts),
        in_percent=tuple(
            place for place in columns_measured if any(row[place:] and row[place].strip().endswith("%") for row in rows)
        ),
        sample_times=_sample_times(places, rows),
        zone=found.zone,
        decimal=decimal,
    )


def _where(headings: Sequence[str], rules: FileRules) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """The places of the columns by which the settings choose rows, and the values of those that count."""
    return tuple(
        (place, values)
        for place, heading in enumerate(headings)
        for said, values in rules.where.items()
        if same(said) == same(heading)
    )


def _inventory_layout(file: File, lines: Sequence[str]) -> Layout | None:
    """The layout of a table that only describes servers, if one of the first lines is the header of one."""
    for number, line in enumerate(lines[:_HEAD_LINES], start=1):
        for delimiter in _DELIMITERS:
            headings = fields_of(line, delimiter)
            if places := columns.of_inventory(headings, file.rules):
                return _inventory("csv", file, headings, places, delimiter, '"', number)
    return None


def _inventory(
    kind: Literal["csv", "parquet"], file: File, headings: Sequence[str], places: Mapping[str, int], delimiter: str,
    quote: str, header_line: int,
) -> Layout:  # fmt: skip
    used = set(places.values())
    ignored = [name.strip() for place, name in enumerate(headings) if place not in used and name.strip()]
    return _bare("inventory", kind, file, headings, places, delimiter, quote, header_line, "inventory", ignored)


def _bare(
    name: str, kind: Literal["csv", "parquet"], file: File, headings: Sequence[str], places: Mapping[str, int],
    delimiter: str, quote: str, header_line: int, shape: Shape, ignored: Sequence[str],
) -> Layout:  # fmt: skip
    """A layout with what all tables have, measurements or inventories."""
    return Layout(
        name=name,
        format=kind,
        compressed=kind == "csv" and is_gzip(file.path),
        delimiter=delimiter,
        quote=quote,
        header_line=header_line,
        columns=tuple(heading.strip() for heading in headings),
        places=tuple(sorted(places.items())),
        shape=shape,
        ignored=tuple(ignored),
    )


def _is_preface(headings: Sequence[str], rows: Sequence[Sequence[str]], rules: FileRules) -> bool:
    """Whether a line only looks like a header: what stands below its time is a heading and no time."""
    place = columns.place_of_time(headings, rules)
    below = next((row[place] for row in rows[:1] if place < len(row)), "")
    return bool(below.strip()) and not re.search(r"\d", below) and bool(columns.measures_something(rows[0], rules))


def _refuse_second_header(rows: Sequence[Sequence[str]], found: Columns) -> None:
    """A row below the header that has no time, and words where the numbers are, says something of its columns: which
    statistic, state or server each of them is.

    Raises:
        UnreadableFile: there is one.
    """
    row = rows[0] if rows else []
    measured = [*(place for column, place in found.places.items() if column in (*dict(found.meanings), "value")),
                *(place for _, place, *_ in found.spread)]  # fmt: skip
    words = [row[place].strip() for place in measured if place < len(row) and re.match(r"\s*[^\W\d]", row[place])]
    if words and not row[found.places["timestamp"]].strip():
        raise UnreadableFile(
            f"the row below its header has no time, and {words[0]!r:.60} in place of a number, as if it were a second "
            "row of headings: write one row of headings, which says all of each column"
        )


def _is_unit_row(row: Sequence[str]) -> bool:
    """A row below the header that has units and no numbers."""
    cells = [cell.strip().strip("()[]") for cell in row if cell.strip()]
    known = [units.unit_of(cell) for cell in cells]
    return any(known) and not any(columns.is_number(cell) or re.search(r"\d{3}", cell) for cell in cells)


_UNIT_BEHIND = re.compile(r"\s*(?:%|[A-Za-z]+(?:/s|ps))?\s*$")


def _decimal_mark(rows: Sequence[Sequence[str]], delimiter: str) -> str:
    """The decimal mark, where some number of the table can be read in one way only."""
    cells = [_UNIT_BEHIND.sub("", cell.strip()) for row in rows for cell in row if "," in cell]  # others tell nothing
    comma = any(re.fullmatch(r"[-+]?(\d{1,3}(\.\d{3})+,\d+|\d+,(\d{1,2}|\d{4,})|0,\d+)", cell) for cell in cells)
    point = any(re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+(\.\d+|,\d{3})", cell) for cell in cells)
    return "," if comma and not point else "." if point and not comma else ""


# In so many rows, digits that occur alike are decimals: no metric's numbers stop at 9 and come as often below it.
_DIGITS_TELL, _MOST_OF_A_DIGIT = 30, 0.3


def _refuse_parted_numbers(headings: Sequence[str], rows: Sequence[Sequence[str]], measured: Sequence[int]) -> None:
    """45,05 without quotation marks is 45 and a second field that begins with a zero, as no number by itself does; of
    12,5 the second field has one digit in all rows, and each digit in some.

    Raises:
        UnreadableFile: a column is followed by one that has its decimals.
    """
    for place in measured:
        pairs = [[cell.strip() for cell in row[place : place + 2]] for row in rows if len(row) > place + 1]
        pairs = [pair for pair in pairs if pair[1]]
        if not all(one.isdigit() and other.isdigit() for one, other in pairs):
            continue
        digits = Counter(other for _, other in pairs if len(other) == 1)
        evenly = len(digits) > 8 and max(digits.values()) <= _MOST_OF_A_DIGIT * len(pairs)
        single = len(pairs) >= _DIGITS_TELL and digits.total() == len(pairs) and evenly
        if single or any(re.fullmatch(r"0\d+", other) for _, other in pairs):
            raise UnreadableFile(
                f"the numbers under {headings[place]!r} seem to go on in the next column, as if a decimal comma parted "
                f"them ({','.join(pairs[0])}): export it with semicolons between the fields, or with decimal points"
            )


_OF_NUMBERS = re.compile(r"(id|ids|name|label|number|nr\.?|no\.?)$", re.IGNORECASE)


def _labels(headings: Sequence[str], rows: Sequence[Sequence[str]], used: set[int]) -> tuple[int, ...]:
    """Columns of texts that are not numbers, or of numbers that are names (``itemid``): one of them may be the server's
    name under an unknown heading."""
    found = []
    for place in range(len(headings)):
        cells = [row[place].strip() for row in rows if place < len(row) and row[place].strip()]
        numbered = _OF_NUMBERS.search(headings[place].strip()) and all(cell.isdigit() for cell in cells)
        if place not in used and cells and (numbered or all(columns.is_name(cell) for cell in cells)):
            found.append(place)
    return tuple(found)


def _sample_times(places: Mapping[str, int], rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Times that are not plain, as many as show how they are written; nothing if all are plain."""
    wanted = [places[column] for column in ("timestamp", "clock") if column in places]
    texts = [" ".join(row[place].strip() for place in wanted) for row in rows if max(wanted) < len(row)]
    texts = list(dict.fromkeys(text for text in texts if re.search(r"\d", text)))
    strange = [text for text in texts if not PLAIN.fullmatch(text.strip())]
    if not strange:
        return ()
    plain = [text for text in texts if PLAIN.fullmatch(text.strip())]
    return (*strange[:_HEAD_LINES], *plain[:_HEAD_LINES])


def first_bytes(path: Path, most: int = _HEAD_BYTES) -> bytes:
    """The content's first bytes, unpacked.

    Raises:
        UnreadableFile: it is damaged.
    """
    try:
        with open_bytes(path) as file:
            return file.read(most)
    except (EOFError, OSError, zlib.error) as error:
        raise UnreadableFile(f"damaged gzip file ({error}): send it again") from error


def last_lines(path: Path) -> list[str]:
    """The last lines of a file, in which it may say something of all of its rows.

    Raises:
        UnreadableFile: it is damaged.
    """
    content = b""
    try:
        with open_bytes(path) as file:
            if not is_gzip(path):
                file.seek(max(path.stat().st_size - _TAIL_BYTES, 0))
            while chunk := file.read(1 << 20):
                content = content[-_TAIL_BYTES:] + chunk
    except (EOFError, OSError, zlib.error) as error:
        raise UnreadableFile(f"damaged gzip file ({error}): send it again") from error
    encoding = encoding_of(path)
    text = content.replace(b"\0", b"").decode("utf-8" if encoding == "utf-16" else encoding, errors="replace")
    return _LINE_END.split(text[-_TAIL_BYTES:])[-_TAIL_LINES:]


def _no_header(lines: Sequence[str], rules: FileRules) -> str:
    """Why none of the lines is a header: what is missing in the one that has a time, or that none has."""
    for line in lines[:_HEAD_LINES]:
        for headings in (fields_of(line, delimiter) for delimiter in _DELIMITERS):
            if len(headings) > 1 and "timestamp" in (role_of(heading, rules) for heading in headings):
                return (
                    f"its header ({', '.join(headings)[:120]}) has a time, but nothing that is known to be one of "
                    "cpu, memory, disk, network_in, network_out (or value): map a column under `columns` in the "
                    "dataset's settings. If it has a column per server (named with a digit, a hyphen or a dot), put "
                    "the metric into the file's name (cpu.csv) or the settings (metric: cpu, under `sources`); else "
                    "export a column for the server, and one for the metric"
                )
    first = next((line.strip() for line in lines if line.strip()), "")
    between = "; its columns stand between blanks, as a terminal shows them: send CSV" if _in_blanks(lines) else ""
    return (
        "no header with a timestamp column and at least one of "
        "cpu, memory, disk, network_in, network_out (or value) was found; "
        f"the first line is {first[:120]!r}{between}. "
        "Rename the columns accordingly, or map them under `columns` in the dataset's settings"
    )


def _in_blanks(lines: Sequence[str]) -> bool:
    """Whether most lines are words with blanks between them and no other marks."""
    written = [line for line in lines[:_HEAD_LINES] if line.strip()]
    apart = [line for line in written if len(line.split()) > 3 and not any(mark in line for mark in _DELIMITERS)]
    return len(written) > 2 and 2 * len(apart) > len(written)
