"""Incoming files: what each is, and what only all of its rows can tell before they are read."""

# ruff: noqa: S608 - SQL is put together of names and quoted literals; see `quoted`.

from __future__ import annotations

import codecs
import csv
import json
import logging
import re
import zlib
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType

import duckdb

from headroom.core import metrics
from headroom.core.settings import FileRules, Settings
from headroom.intake.files import columns, json_tables, parts, remarks, rows
from headroom.intake.files.layout import (
    SAMPLE_ROWS,
    File,
    Layout,
    encoding_of,
    head_of,
    is_gzip,
    last_lines,
    layout_of,
    layout_of_samples,
    open_bytes,
    zone_beside,
)
from headroom.intake.files.tables import field_of, scan_of, time_text
from headroom.intake.formats import Damaged, Export, Sample, Unlike, format_of
from headroom.intake.sql import one_row
from headroom.intake.unreadable import UnreadableFile, brief, in_settings
from headroom.intake.words import file_names, meaning
from headroom.intake.words.file_names import FileName
from headroom.intake.words.headings import role_of, same
from headroom.intake.words.meaning import Meaning
from headroom.intake.words.server_names import server_in
from headroom.intake.words.times import UnclearTime, has_zones, layout_of_times, zone_of_heading

_log = logging.getLogger(__name__)


@dataclass
class Source:
    """One incoming file. ``order`` is its place in the order of arrival: of equal samples the later file's wins.

    After reading, it has either a ``layout`` or an ``error`` that says why it holds no table and what to do.
    ``readable`` is what DuckDB reads in its place: UTF-8, under a name of our own. ``said`` are sentences about what
    of the file was left alone; ``meanings`` how its numbers were read; ``names`` all headings and metrics that
    occur in it, which a mapping may mean; ``keys`` what stands in its metric column, with units (``tables.key_text``).
    ``busiest``: of parts that count together, each moment has the busiest one's value. ``plain``: it is large, and
    each of its lines is a row for certain, so that several readers may share it. ``damaged`` are rows of an export
    that are not as its format has them. ``of_records``: the table is made of JSON, and has a header that this has not.
    """

    order: int
    file: str
    path: Path
    readable: Path = Path()
    layout: Layout | None = None
    error: str | None = None
    name: FileName = field(default_factory=lambda: FileName("", None))
    rules: FileRules = field(default_factory=FileRules)
    said: list[str] = field(default_factory=list)
    meanings: list[tuple[str, Meaning]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    busiest: bool = False
    plain: bool = False
    damaged: list[Damaged] = field(default_factory=list)
    of_records: bool = False

    @property
    def alike(self) -> tuple[Layout, str]:
        """What files have in common that are read together."""
        return self.known_layout, self.rules.model_dump_json()

    @property
    def header_is_ours(self) -> bool:
        """Whether the table that is read has a header line that the file has not."""
        return self.of_records and self.layout is not None and not self.layout.export

    @property
    def known_layout(self) -> Layout:
        """The layout of a file that has one.

        Raises:
            ValueError: it has not been recognized, or was refused.
        """
        if self.layout is None:
            raise ValueError(f"{self.file} has no layout: {self.error or 'it has not been recognized yet'}")
        return self.layout


def read_alike(sources: Sequence[Source]) -> dict[tuple[Layout, str], list[Source]]:
    """The files that can be read, with those that are read alike (``Source.alike``) together."""
    alike: dict[tuple[Layout, str], list[Source]] = defaultdict(list)
    for source in sources:
        if source.layout is not None:
            alike[source.alike].append(source)
    return alike


def name_all(sources: Sequence[Source], settings: Settings) -> None:
    """What the files' names say; files of one name in several folders are told apart by these."""
    places: dict[str, set[str]] = defaultdict(set)
    for source in sources:
        places[source.file.rsplit("/", 1)[-1]].add(file_names.place_of(source.file))
    for source in sources:
        source.rules, source.name = settings.for_file(source.file), file_names.of_file(source.file)
        name = source.file.rsplit("/", 1)[-1]
        folder, server = file_names.folder_of(source.file), server_in(file_names.stem(name))
        if source.rules.server == "folder":
            source.name = replace(source.name, server=folder)
        elif source.rules.server is None and len(places[name]) > 1 and source.name.server == server:
            # Of berlin/web-1.csv and paris/web-1.csv neither name says the server for certain.
            sure = folder and (re.search(r"\d", folder) or not re.search(r"\d", server))
            source.name = replace(source.name, server=folder if sure else "")
        elif source.rules.server == "file":
            source.name = replace(source.name, server=file_names.stem(name))
        elif source.rules.server is not None:
            source.name = replace(source.name, server=source.rules.server)
        elif (
            source.name.server and source.name.meaning and source.rules.metric not in (None, source.name.meaning.metric)
        ):
            source.name = replace(source.name, server=server_in(file_names.stem(name)))


def recognize(db: duckdb.DuckDBPyConnection, source: Source, settings: Settings, work: Path) -> None:
    """Give a source its layout, or the error that it cannot be read; ``work`` is a folder for temporary files."""
    if source.error is not None:
        return
    source.readable = work / f"{source.order:06}"
    try:
        file = File(source.path, source.name, source.rules, settings.statistic)
        export = _export_of(source, file)
        if export is None and (table := _table_of_json(source, work)) is not None:
            file = replace(file, path=table)
            export = _export_of(source, file)
        if export is not None:
            layout = _convert(source, file, *export)
            source.names.update(() if export[0].is_json() else export[0].header())
        else:
            layout = layout_of(file, db)
            if layout.compressed:
                _check_gzip(file.path)
            if layout.format == "csv" and encoding_of(file.path) != "utf-8":
                _to_utf8(file.path, source.readable)
                layout = layout_of(replace(file, path=source.readable), db)
            else:
                # DuckDB would take * ? [ ] in the file's own name for a pattern.
                source.readable.symlink_to(file.path.resolve())
            source.names.update(layout.columns)
            if layout.shape == "wide":
                _whole_name(source, {metric for metric, _ in layout.meanings})
            if layout.spread:
                layout = parts.as_rows(source, replace(file, name=source.name), layout)
        source.layout = layout if layout.shape == "inventory" else _settle(db, source, layout, settings.statistic)
    except UnreadableFile as error:
        source.error = str(error)
    except OSError as error:
        source.error = f"the file cannot be read ({brief(error)}): send it again"
    except Exception as error:  # a mistake of ours about one file must not end the run of all
        _log.exception("unexpected while reading %r", source.file)
        source.error = (
            f"reading it failed unexpectedly ({type(error).__name__}, see the job's log): send it as plain CSV"
        )


def _export_of(source: Source, file: File) -> tuple[Export, ModuleType] | None:
    with file.path.open("rb") as content:
        start = content.read(4)
    if start in (b"", b"PK\x03\x04"):
        return None
    export = Export(source.file, "" if start == b"PAR1" else head_of(file.path), file.path, file.rules)
    module = format_of(export)
    return None if module is None else (export, module)


def _table_of_json(source: Source, work: Path) -> Path | None:
    """The records of a file that is JSON of no known export, as CSV; ``None`` if it has none."""
    with source.path.open("rb") as content:
        if content.read(4) == b"PAR1":
            return None
    head = head_of(source.path)
    if not Export(source.file, head, source.path).is_json():
        return None
    text, table = (work / f"{source.order:06}.{ending}" for ending in ("json", "csv"))
    if is_gzip(source.path):
        _check_gzip(source.path)
    _to_utf8(source.path, text)
    export = Export(source.file, head, text)
    if not json_tables.write_table(export, table):
        return None
    source.damaged, source.of_records = export.damaged, True
    return table


_TOLD = 6
# Of an export, lines that may say something of all of its rows stand among so many first ones.
_FIRST_LINES = 12
# Bytes of a file that is worth several readers: each takes 8 MB at a time.
_LARGE = 32 * 2**20


def _convert(source: Source, file: File, export: Export, module: ModuleType) -> Layout:
    """Write an export's samples as one table."""
    path = file.path
    if not export.is_parquet and (is_gzip(path) or encoding_of(path) != "utf-8"):
        if is_gzip(path):
            _check_gzip(path)
        path = source.readable.with_suffix(".text")
        _to_utf8(file.path, path)
    sample: list[Sequence[str]] = []
    last, several = 0, False
    try:
        with source.readable.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            export = replace(export, path=path)
            for one in module.read(export):
                if one.value[-1:].isalpha() or one.value[-1:] == "%":
                    one = _with_unit_of_cell(one)
                if len(sample) < SAMPLE_ROWS:
                    sample.append((one.server, one.metric, one.timestamp, one.value, one.unit, one.entity))
                writer.writerow((one.server, one.metric, one.timestamp, one.value, one.unit, one.entity))
                last, several = export.line, several or one.timestamp.isalpha()
    except json.JSONDecodeError as error:
        raise UnreadableFile(f"it looks like {module.NAME}, but it is damaged ({error}): export it again") from error
    except duckdb.Error as error:
        raise UnreadableFile(f"damaged Parquet file, send it again: {brief(error)}") from error
    except Unlike as error:
        raise _unlike(module.NAME, str(error)) from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, csv.Error) as error:
        said = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else brief(error)
        raise _unlike(module.NAME, said) from error
    if several or export.damaged:
        remarks.refuse_put_together(export, last)
    _refuse_damaged(export, module.NAME, bool(sample))
    source.damaged += export.damaged
    source.said += export.said
    if all(one[1] for one in sample):
        meanings = {meaning.meaning_of(*key) for key in {(one[1], one[4]) for one in sample}}
        _whole_name(source, {one.metric if one else None for one in meanings})
    if not sample:
        raise UnreadableFile(f"it is an export of {module.NAME} without any samples: export it again")
    layout = layout_of_samples(module.NAME, file, sample)
    if export.is_json() or export.is_parquet or has_zones([one[2] for one in sample]):
        return layout
    return replace(layout, zone=_zone_of(export, path))


def _zone_of(export: Export, path: Path) -> str | None:
    """The zone that the heading of an export's times says, or a line beside its table.

    Raises:
        UnreadableFile: it is not clear.
    """
    lines = [*export.first_lines[:_FIRST_LINES], *last_lines(path)]
    first = {line: [cell for mark in ",;\t" for cell in export.fields(line, mark)[:1]] for line in lines}
    headings = {
        line: cell for line, cells in first.items() for cell in cells if role_of(cell, export.rules) == "timestamp"
    }
    try:
        said = [zone_of_heading(heading, export.rules.zones) for heading in headings.values()]
    except UnclearTime as error:
        raise UnreadableFile(str(error)) from error
    zone = next((zone for zone in said if zone is not None), None)
    return zone or zone_beside([line for line in lines if line not in headings], export.rules)


# Of an export with more rows than these that are too long, the others may have lost a cell, and what follows moved.
_FEW_TOO_LONG = 0.01


def _refuse_damaged(export: Export, name: str, any_sample: bool) -> None:
    """One damaged row in a file is an accident; many say that the file is not what it looks like.

    Raises:
        UnreadableFile: most rows are damaged, or so many have too many cells that those of others cannot be trusted.
    """
    count, records = len(export.damaged), export.records
    if not count:
        return
    place, written, reason = export.damaged[0]
    first = f"the first is {place}, {written[:80]!r}: {reason}"
    if not any_sample or 2 * count > records:
        raise _unlike(name, f"{count} of {records} rows or records cannot be read; {first}")
    if export.long > 1 and export.long > _FEW_TOO_LONG * records:
        raise _unlike(
            name,
            f"{export.long} of {records} rows have more fields than the header, as if decimal commas parted them; "
            f"{first}",
            "export it with semicolons between the fields, with decimal points, or with quotation marks around numbers",
        )


_ANOTHER_WAY = (
    "export it again, or send a table as CSV with the columns timestamp, server_id and cpu (or another metric)"
)


def _unlike(name: str, why: str, what_to_do: str = _ANOTHER_WAY) -> UnreadableFile:
    return UnreadableFile(f"it looks like {name}, but does not have its layout ({why}): {what_to_do}")


def _with_unit_of_cell(sample: Sample) -> Sample:
    """The same sample with the unit beside its number where it should be, unless the metric has one already."""
    found = re.fullmatch(r"([-+]?\d[\d., \xa0]*) ?(%|[A-Za-zµ]{1,7}(?:/[a-z]{1,4})?)", sample.value.strip())
    return sample._replace(value=found[1].strip(), unit=found[2]) if found and not sample.unit else sample


def _whole_name(source: Source, metrics_said: Collection[str | None]) -> None:
    """Where the content says the metrics, a word for one in the file's name belongs to the server's name, unless it is
    the only one of them (``web-1_cpu.csv`` with a column ``cpu``)."""
    if source.name.meaning is not None and set(metrics_said) == {source.name.meaning.metric}:
        return
    server = server_in(file_names.stem(source.file))
    known = ("", server, file_names.folder_of(source.file))
    if source.rules.server is None and source.name.server not in known:
        source.name = FileName(server, None)


def _settle(db: duckdb.DuckDBPyConnection, source: Source, layout: Layout, statistic: str) -> Layout:
    """The layout with what only all rows of a file can tell: how its times are written, its servers, its parts.

    Raises:
        UnreadableFile: these rows cannot be read to the end, or in more than one way.
    """
    rules = source.rules
    source.plain = layout.format == "csv" and not layout.compressed and _is_plain(source.readable, layout.quote)
    scan = f"(FROM {scan_of(layout, [source.readable], source.plain)})"
    absent = [name for name in rules.where if same(name) not in map(same, layout.columns)]
    if absent:
        raise UnreadableFile(f"`where` names a column that is not there ({', '.join(absent)}): correct the settings")
    try:
        time = layout_of_times(db, scan, time_text(layout), layout.sample_times, rules.time_format, rules.zones)
        layout = replace(layout, time=time)
        if layout.place("server_id") is None and not source.name.server:
            raise UnreadableFile(_of_no_server([layout.columns[place] for place in layout.labels]))
        layout = rows.settle(db, source, layout, scan, statistic)
        if layout.labels:
            _refuse_nameless(db, layout, scan, source.file)
        _refuse_mixed_shares(db, layout, scan)
        if not layout.decimal and layout.delimiter not in ("", ","):
            _refuse_unclear_marks(db, layout, scan)
        if layout.parts:
            layout = parts.settle(db, source, layout, scan)
    except UnclearTime as error:
        raise UnreadableFile(str(error)) from error
    except (duckdb.InvalidInputException, duckdb.IOException, duckdb.ConversionException) as error:
        raise UnreadableFile(f"the file cannot be read to its end ({brief(error)}): send it again") from error
    if layout.unclear:
        told = [f"{heading} {reason}" for heading, reason in layout.unclear[:_TOLD]]
        more = f"; and {len(layout.unclear) - _TOLD} more" if len(layout.unclear) > _TOLD else ""
        source.said.append(f"not read: {'; '.join(told)}{more}.")
    return layout


def _of_no_server(headings: Sequence[str]) -> str:
    """Why a file is of no server, and what to do; ``headings`` are of columns of names that are not known."""
    written = [heading for heading in headings if heading]
    mapping = (
        f"map the column that names servers ({in_settings('columns', written[0], 'server_id')}), " if written else ""
    )
    return (
        f"nothing says which server this is: {mapping}add a column server_id, name the file after the server, or put "
        "it into a folder named so"
    )


def _refuse_nameless(db: duckdb.DuckDBPyConnection, layout: Layout, scan: str, file: str) -> None:
    """A file without a server's column is about one server, unless something in it varies as names do."""
    each = [f"nullif(trim({field_of(layout, place)}), '')" for place in layout.labels]
    counts = ", ".join(f"count(DISTINCT {one}), min({one})" for one in each)
    rows, *found = one_row(db, f"SELECT count(*), {counts} FROM {scan}")
    for place, distinct, name in zip(layout.labels, found[::2], found[1::2], strict=True):
        heading = layout.columns[place] or f"the {place + 1}. column"
        mapped, ignored = (in_settings("columns", layout.columns[place], to) for to in ("server_id", "ignore"))
        map_it, leave_it = f"map it ({mapped})", f"say that it is not ({ignored})"
        if not layout.columns[place]:
            map_it, leave_it = "give it the heading server_id", "leave it out"
        if 1 < distinct <= max(rows // 2, 1):
            raise UnreadableFile(
                f"no column is known to be the server, and {heading!r} has {distinct} different names: if they are "
                f"servers, {map_it}, else {leave_it}"
            )
        if distinct == 1 and _may_be_the_server(heading, name, file):
            raise UnreadableFile(
                f"no column is known to be the server, and {heading!r} says {name!r:.80} in all rows, after which the "
                f"file is not named: if that is the server, {map_it}, else {leave_it}"
            )


_LIKE_SERVERS_WORDS = """
    server servers host hosts hostnamn machine maschine maskin maszyna ordinateur equipo asset node box svr vm vms
    computer instance entity device agent ci element gerät geraet rechner name system source target resource appliance
    ip ipaddress
"""
_LIKE_SERVERS = set(_LIKE_SERVERS_WORDS.split())
_OF_OTHER_THINGS_WORDS = """
    region zone az availability location site datacenter datacentre dc rack os operating version release kernel platform
    type size class model flavor env environment account subscription vpc subnet image ami cluster customer tenant
    project team group role tag tags status state level severity unit comment note
"""
_OF_OTHER_THINGS = set(_OF_OTHER_THINGS_WORDS.split())


def _may_be_the_server(heading: str, name: str, file: str) -> bool:
    """Whether what one column of a file says in all rows may be its server, and another than the file's name says."""
    words = set(meaning.words_of(heading))
    told = name.casefold() in file.casefold() or name.casefold() in columns.MEASUREMENTS
    if told or not columns.is_name(name) or words & _OF_OTHER_THINGS:
        return False
    like_a_host = re.fullmatch(r"(?=.*[A-Za-z])(?=.*\d)[\w.-]+|\d{1,3}(\.\d{1,3}){3}", name) is not None
    return like_a_host or bool(words & _LIKE_SERVERS)


def _refuse_unclear_marks(db: duckdb.DuckDBPyConnection, layout: Layout, scan: str) -> None:
    """6.104 and 6,104 in all cells of a rate may be six or six thousand, where a comma does not part the fields."""
    for metric, place in layout.places:
        if metrics.is_percent(metric) or metric not in (*metrics.columns(), "value"):
            continue
        cell = f"coalesce(clean({field_of(layout, place)}), '')"
        open_to_both = f"regexp_full_match({cell}, '[1-9]\\d{{0,2}}[.,]\\d{{3}}')"
        example, decided = one_row(
            db,
            f"""
            SELECT min({cell}) FILTER ({open_to_both}),
                count(*) FILTER (NOT {open_to_both} AND regexp_matches({cell}, '\\d[.,]\\d'))
            FROM {scan}""",
        )
        if example is not None and not decided:
            raise UnreadableFile(
                f"{example!r} under {layout.columns[place]!r} could be {example[:-4]} and a fraction, or thousands: "
                "say decimal_mark: '.' or ',' under `sources` in the settings"
            )


def _refuse_mixed_shares(db: duckdb.DuckDBPyConnection, layout: Layout, scan: str) -> None:
    """41% in some cells and 0.41 in others, as spreadsheets write of cells in two formats, are the same number: so a
    column with cells in percent must not have a server's bare numbers that never exceed 1."""
    server = layout.place("server_id")
    by = f"GROUP BY {field_of(layout, server)}" if server is not None else ""
    for place in layout.in_percent:
        cell = f"clean({field_of(layout, place)})"
        found = db.execute(f"""
            SELECT 1 FROM {scan} WHERE regexp_full_match({cell}, '\\d*[.,]?\\d+') {by}
            HAVING max(try_cast(replace({cell}, ',', '.') AS DOUBLE)) BETWEEN 1e-9 AND 1 LIMIT 1""").fetchone()
        if found is not None:
            raise UnreadableFile(
                f"some cells under {layout.columns[place]!r} are in percent, and the others never exceed 1, as if they "
                "were shares: export all of them in one format"
            )


def _is_plain(path: Path, quote: str) -> bool:
    """Whether a file is large, and nothing in it can make a reader that begins in its midst mistake where rows begin or
    how many came before: quotation marks, carriage returns, bytes that are not UTF-8, or lines without an end."""
    if path.stat().st_size < _LARGE:
        return False
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        try:
            while chunk := file.read(1 << 20):
                if quote.encode() in chunk or b"\r" in chunk or b"\n" not in chunk:
                    return False
                decoder.decode(chunk)
        except UnicodeDecodeError:
            return False
    return True


def _check_gzip(path: Path) -> None:
    """DuckDB takes some damaged gzip files for shorter ones; the checksums tell."""
    try:
        with open_bytes(path) as file:
            while file.read(1 << 20):
                pass
    except (EOFError, OSError, zlib.error) as error:
        raise UnreadableFile(f"damaged gzip file ({error}): send it again") from error


def _to_utf8(path: Path, target: Path) -> None:
    decoder = codecs.getincrementaldecoder(encoding_of(path))(errors="replace")
    with open_bytes(path) as source, target.open("w", encoding="utf-8", newline="") as out:
        while chunk := source.read(1 << 20):
            out.write(decoder.decode(chunk))
        out.write(decoder.decode(b"", final=True))
