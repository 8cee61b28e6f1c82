"""The data contract: which files Headroom understands, and what their columns mean.

A file is CSV (any common delimiter, quoting and encoding, plain or gzip) or Parquet. Its header decides its
shape: *wide* (a column a metric), *long* (columns ``metric`` and ``value``) or *two-column* (only ``value``).
Nothing here looks at rows; ``reading`` does.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import duckdb

from headroom.core.settings import METRICS, Settings

TEXT_ATTRIBUTES = ("business_unit", "region", "criticality", "instance_type")
NUMBER_ATTRIBUTES = ("vcpus", "memory_gb", "monthly_cost_usd")
ATTRIBUTES = (*TEXT_ATTRIBUTES, *NUMBER_ATTRIBUTES)

# Monitoring overshoots a little: above 100 and up to here a percentage counts as 100.
PERCENT_LIMIT = 110
# No server moves a terabyte a second; such a value is in other units than megabytes a second.
NETWORK_LIMIT = 1_000_000
NAME_LENGTH = 256
EARLIEST = "1990-01-01"
LATEST = "2100-01-01"

_HEAD_BYTES = 65_536
_HEAD_LINES = 50
_DELIMITERS = (",", ";", "\t", "|")
_FILE_ENDING = re.compile(r"(\.(csv|tsv|txt|gz|parquet|pq))+$", re.IGNORECASE)
_LINE_END = re.compile(r"\r\n|\r|\n")

_SAME_MEANING = {
    "timestamp": "timestamp time date ds datetime ts timestamputc timeutc datetimeutc",
    "server_id": "serverid server servername host hostname hostid instance instanceid instancename"
    " vm vmid vmname device deviceid devicename machine machineid node nodename",
    "metric": "metric metricname",
    "value": "value metricvalue",
    "business_unit": "businessunit",
    "region": "region",
    "criticality": "criticality",
    "instance_type": "instancetype",
    "vcpus": "vcpus vcpu cpucores cpucount",
    "memory_gb": "memorygb",
    "monthly_cost_usd": "monthlycostusd",
}
_BY_ALIAS = {alias: column for column, aliases in _SAME_MEANING.items() for alias in aliases.split()}
_STATISTIC = "p95|avg|average|mean"
# "used" alone is mostly bytes; "load" and "time" are other things than utilization.
_PERCENT_NAME = re.compile(
    rf"(?:{_STATISTIC})?(cpu|memory|mem|ram|disk)"
    rf"(?:utili[sz]ation|util|usage|used(?=percent|pct)|percent(?:age)?|pct|{_STATISTIC}){{0,3}}"
)
_PERCENT_OF = {"mem": "memory", "ram": "memory"}
# Not "mbps", which says megabits to some and megabytes to others.
_NETWORK_NAME = re.compile(
    rf"(?:{_STATISTIC})?net(?:work)?(in|out)(?:mbs|mbsec|mbpersec|mbpersecond|{_STATISTIC}){{0,2}}"
)
_UNIT = re.compile(r"[\[(]([^\[\]()]*)[\])]")
_PERCENT_UNIT = re.compile(rf"%|percent|pct|{_STATISTIC}", re.IGNORECASE)
_MEGABYTES_UNIT = re.compile(r"(MB|[Mm]egabytes?) ?(/|ps|per) ?(s|sec|second)?")


class UnreadableFile(ValueError):
    """The whole file is no table that Headroom can use; the message says why and what to do."""


@dataclass(frozen=True)
class Layout:
    """How a file is to be read, and where its columns are. Files of equal layout can be read in one scan.

    ``columns`` are the file's own headings in order; ``places`` says which of them carries which canonical
    column; ``header_line`` is the physical line (from 1) of the headings, 0 in Parquet.
    """

    format: Literal["csv", "parquet"]
    compressed: bool
    delimiter: str
    quote: str
    header_line: int
    columns: tuple[str, ...]
    places: tuple[tuple[str, int], ...]
    shape: Literal["wide", "long", "two-column"]
    ignored: tuple[str, ...]


def canonical_column(heading: str, mapping: Mapping[str, str]) -> str | None:
    """The canonical column that a heading (or, in long form, a metric's name) stands for, if any.

    ``mapping`` is the settings' ``columns`` and comes first. Case, white space and punctuation do not matter.
    A unit in brackets must fit the metric: ``CPU usage [%]`` is ``cpu``, ``CPU usage [MHZ]`` is not.
    """
    wanted = _same(heading)
    for source, column in mapping.items():
        if _same(source) == wanted:
            return column
    unit = _UNIT.search(heading)
    plain = re.sub(r"[\W_]+", "", _UNIT.sub("", heading)).casefold()
    if plain in _BY_ALIAS:
        return _BY_ALIAS[plain]
    if name := _PERCENT_NAME.fullmatch(plain):
        fits = unit is None or _PERCENT_UNIT.fullmatch(unit[1].strip())
        return _PERCENT_OF.get(name[1], name[1]) if fits else None
    if name := _NETWORK_NAME.fullmatch(plain):
        fits = unit is None or _MEGABYTES_UNIT.fullmatch(unit[1].strip())
        return f"network_{name[1]}" if fits else None
    return None


def server_from_name(file: str) -> str:
    """The server that a file without a server column is about: its name without folders and endings."""
    name = file.rsplit("/", 1)[-1]
    return _FILE_ENDING.sub("", name) or name


def layout_of(path: Path, settings: Settings, db: duckdb.DuckDBPyConnection) -> Layout:
    """Recognize a file by its content; its ending plays no part.

    Raises:
        UnreadableFile: it is no table, is damaged, or has no header with the columns that are needed.
    """
    with path.open("rb") as file:
        start = file.read(8)
    if not start:
        raise UnreadableFile("the file is empty: export it again")
    if start.startswith(b"PAR1"):
        return _parquet_layout(path, settings, db)
    if start.startswith(b"PK\x03\x04"):
        raise UnreadableFile("this is a ZIP archive or an Excel workbook: save it as CSV, plain or gzip")
    return _csv_layout(path, settings)


def open_bytes(path: Path) -> IO[bytes]:
    """A file's content, unpacked where it is gzip."""
    return gzip.open(path, "rb") if is_gzip(path) else path.open("rb")


def is_gzip(path: Path) -> bool:
    """Whether the content is gzip, whatever the file is called."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def encoding_of(path: Path) -> str:
    """``utf-8`` (with or without byte-order mark), ``utf-16`` by its mark, or else ``cp1252``, judged by the start."""
    head = _head(path)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _csv_layout(path: Path, settings: Settings) -> Layout:
    encoding = encoding_of(path)
    head = codecs.getincrementaldecoder(encoding)(errors="replace").decode(_head(path)).removeprefix("\ufeff")
    if not head.strip():
        raise UnreadableFile("the file holds nothing but white space: export it again")
    if len(re.findall(r"[\x00-\x08\x0e-\x1f]", head)) > len(head) // 100:
        raise UnreadableFile("this is not text but binary data: send CSV (plain or gzip) or Parquet")
    if head.lstrip().startswith("<"):
        raise UnreadableFile("this is a web page or XML, not a table: was a log-in page saved instead of the export?")
    if head.lstrip().startswith(("{", "[{", "[\n")):
        raise UnreadableFile("this is JSON, not a table: send CSV (plain or gzip) or Parquet")
    lines = _LINE_END.split(head)
    if len(lines) == 1 and len(head) >= _HEAD_BYTES // 4:
        raise UnreadableFile(f"the first line has no end within {_HEAD_BYTES} bytes: this is not a table of rows")
    for number, line in enumerate(lines[:_HEAD_LINES], start=1):
        found = [
            (len(places), delimiter, quote, headings)
            for delimiter in _DELIMITERS
            for quote in ["'" if line.startswith("'") or f"{delimiter}'" in line else '"']
            for headings in [_fields(line, delimiter, quote)]
            for places in [places_of(headings, settings.columns)]
            if _shape(places) is not None
        ]
        if found:
            _, delimiter, quote, headings = max(found, key=lambda candidate: candidate[0])
            return _layout("csv", path, settings, headings, delimiter, quote, number)
    raise UnreadableFile(_no_header(lines))


def _parquet_layout(path: Path, settings: Settings, db: duckdb.DuckDBPyConnection) -> Layout:
    try:
        described = db.execute("DESCRIBE SELECT * FROM read_parquet(?, hive_partitioning = false)", [str(path)])
        headings = [row[0] for row in described.fetchall()]
    except duckdb.Error as error:
        raise UnreadableFile(f"damaged Parquet file, send it again: {brief(error)}") from error
    if _shape(places_of(headings, settings.columns)) is None:
        raise UnreadableFile(_no_header([", ".join(headings)]))
    return _layout("parquet", path, settings, headings, "", "", 0)


def _layout(
    kind: Literal["csv", "parquet"], path: Path, settings: Settings, headings: Sequence[str],
    delimiter: str, quote: str, header_line: int,
) -> Layout:  # fmt: skip
    places = places_of(headings, settings.columns)
    shape = _shape(places)
    assert shape is not None  # noqa: S101 - both callers have looked
    unused = {"wide": {"metric", "value"}, "long": set(METRICS), "two-column": {"metric", *METRICS}}[shape]
    used = {column: place for column, place in places.items() if column not in unused}
    ignored = [heading for place, heading in enumerate(headings) if place not in used.values() and heading.strip()]
    return Layout(
        format=kind,
        compressed=kind == "csv" and is_gzip(path),
        delimiter=delimiter,
        quote=quote,
        header_line=header_line,
        columns=tuple(heading.strip() for heading in headings),
        places=tuple(sorted(used.items())),
        shape=shape,
        ignored=tuple(heading.strip() for heading in ignored),
    )


def places_of(headings: Sequence[str], mapping: Mapping[str, str]) -> dict[str, int]:
    """Where each canonical column is. Of several that fit: the mapped one, else the exact name, else the first."""
    places: dict[str, int] = {}
    mapped = {_same(source) for source in mapping}
    by_rank = sorted(
        enumerate(headings),
        key=lambda item: (_same(item[1]) not in mapped, canonical_column(item[1], {}) != _same(item[1]), item[0]),
    )
    for place, heading in by_rank:
        column = canonical_column(heading, mapping)
        if column is not None:
            places.setdefault(column, place)
    return places


def _shape(places: Mapping[str, int]) -> Literal["wide", "long", "two-column"] | None:
    if "timestamp" not in places:
        return None
    if any(metric in places for metric in METRICS):
        return "wide"
    if "value" in places:
        return "long" if "metric" in places else "two-column"
    return None


def _head(path: Path) -> bytes:
    try:
        with open_bytes(path) as file:
            return file.read(_HEAD_BYTES)
    except (EOFError, OSError, zlib.error) as error:
        raise UnreadableFile(f"damaged gzip file ({error}): send it again") from error


def _fields(line: str, delimiter: str, quote: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(line), delimiter=delimiter, quotechar=quote, skipinitialspace=True), [])
    except csv.Error:
        return []


def _no_header(lines: Sequence[str]) -> str:
    first = next((line.strip() for line in lines if line.strip()), "")
    return (
        "no header with a timestamp column and at least one of "
        f"{', '.join(METRICS)} (or value) was found; the first line is {first[:120]!r}. "
        "Name the columns so, or map them under `columns` in the dataset's settings"
    )


def _same(heading: str) -> str:
    return " ".join(heading.split()).casefold()


def brief(error: Exception) -> str:
    """The first line of a library's message, short enough for a report."""
    return str(error).strip().split("\n", 1)[0][:200]
