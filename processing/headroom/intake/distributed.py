"""Intake in parts: shares of the files are read, and buckets of servers merged, each in a database of its own.

What is done to a share or a bucket are the steps of one machine (``reading``, ``merge``) on the same tables. Only what
goes from part to part is here: small tables, from which a database of decisions is made that has what the whole fleet
must know; and samples, packed, of which each bucket gets those of its servers.
"""

# ruff: noqa: S608 - SQL is put together of names and literals of our own.

from __future__ import annotations

import copy
import io
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from headroom.core import job, metrics
from headroom.core.settings import Settings
from headroom.intake import database, entities, merge, reading
from headroom.intake.entities import MARK, server_of
from headroom.intake.sources import Source
from headroom.intake.tables import for_each, one_row, quoted

Tables = Mapping[str, pa.Table]
Kind = Literal["usable_row", "kept", "stored"]

# Bytes of files, unpacked, that are read together: more files than cores keep all of them busy, and a share that is
# done again costs little.
SHARE_BYTES = 128 * 2**20
SHARE_FILES = 2_000
# Rows of the run before that are read together, and rows that are packed together: some 60 bytes each in memory.
SHARE_ROWS = 20_000_000
PACKED_ROWS = 500_000
# Rows of a bucket, of all days and of the fullest one: what one process merges without much spilling.
BUCKET_ROWS, BUCKET_DAY_ROWS = 5_000_000, 1_000_000

# What a share tells of its files: tables of ``reading``, in which no row says of what database it was.
_TOLD = {
    "name_in_file": "*",
    "suspect": "* REPLACE (suspect.row - first AS row)",
    "rejected": "*",
    "doubt": "*",
    "refused_file": "*",
    "owner_file": "*",
    "busiest_file": "*",
    "together_file": "*",
    "file_told": "* REPLACE (0 AS first)",
    "attribute_told": "* REPLACE (attribute_told.row - first AS row, first_row - first AS first_row)",
    "part_told": "*",
}
# What a bucket must know of the whole fleet.
_KNOWN = (
    "owner_file", "refused_file", "busiest_file", "together_file", "part_of", "member", "group_problem", "attribute",
)  # fmt: skip
# What a bucket tells of its servers.
_FOUND = ("panel", "duplicate", "replaced", "unconfirmed", "group_problem")


class Rows(NamedTuple):
    """Packed rows of a table."""

    kind: Kind
    packed: bytes


@dataclass(frozen=True)
class Files:
    """A share of the files; ``work`` is the folder for what is made of them, on whichever machine that is."""

    sources: Sequence[Source]
    settings: Settings
    work: Path
    came: Sequence[Source] = ()
    """The files as they were before they were looked at."""

    def __str__(self) -> str:
        first, last = self.sources[0].file, self.sources[-1].file
        return f"the file {first!r}" if len(self.sources) == 1 else f"{len(self.sources)} files, {first!r} to {last!r}"


@dataclass(frozen=True)
class Past:
    """A share of what the run before left: samples kept, or periods of the servers from one to before another."""

    kept: Sequence[Path] = ()
    panel: Path | None = None
    first: str | None = None
    end: str | None = None

    def __str__(self) -> str:
        if self.panel is None:
            return f"samples kept, {self.kept[0].name} to {self.kept[-1].name}"
        return f"the former panel's servers from {self.first or 'the first'!r} on"


@dataclass(frozen=True)
class Told:
    """What a share tells: ``days`` are (file, day, rows with a value); samples kept are of the file -1. ``repeated``:
    whether a file has, or may have, several rows of a server at one moment."""

    sources: Sequence[Source] = ()
    tables: Tables = field(default_factory=dict)
    days: Sequence[tuple[int, datetime, int]] = ()
    repeated: bool = False


@dataclass(frozen=True)
class Known:
    """What a bucket must know of the whole fleet; ``tables`` are those of ``_KNOWN``."""

    settings: Settings
    tables: Tables
    slices: Sequence[tuple[datetime, datetime]]
    work: merge.Work | None = None


@dataclass(frozen=True)
class Found:
    """What a bucket tells: what was done, the tables of ``_FOUND``, and the samples to keep, a packed table per day."""

    done: merge.Done
    tables: Tables
    kept: Mapping[datetime, bytes]


# ------------------------------------------------------------------------------------------------ shares of files


def shares_of(sources: Sequence[Source], settings: Settings, work: Path) -> list[Files]:
    """The files in shares, in their order; a file is never cut, as its rows have one reader."""
    shares: list[list[Source]] = []
    filled = SHARE_BYTES
    for source in sources:
        size = _unpacked(source)
        if not shares or filled + size > SHARE_BYTES or len(shares[-1]) == SHARE_FILES:
            shares.append([])
            filled = 0
        shares[-1].append(source)
        filled += size
    return [Files(share, settings, work / f"share-{number}") for number, share in enumerate(shares)]


def _unpacked(source: Source) -> int:
    try:
        size = source.path.stat().st_size
    except OSError:
        return 0  # the file has gone, which reading it will say
    return 8 * size if source.file.lower().endswith((".gz", ".parquet")) else size


def look_at(share: Files) -> Files:
    """The share with what each of its files is (``reading.look_at``)."""
    shutil.rmtree(share.work, ignore_errors=True)  # of an attempt that was lost
    seen = copy.deepcopy(share.sources)
    _look_at(seen, share.settings, share.work)
    return replace(share, sources=seen, came=share.sources)


def readable_here(sources: Sequence[Source], came: Sequence[Source], settings: Settings, work: Path) -> None:
    """Make the files anew that are read in place of some sources, where they are on another machine's disk.

    ``came`` are the same sources before they were looked at; ``work`` is a folder for what is made of them.
    """
    gone = [place for place, one in enumerate(sources) if one.layout is not None and not one.readable.exists()]
    again = [copy.deepcopy(came[place]) for place in gone]
    _look_at(again, settings, work)
    for place, one in zip(gone, again, strict=True):
        sources[place].readable = one.readable


def _look_at(sources: Sequence[Source], settings: Settings, work: Path) -> None:
    work.mkdir(parents=True, exist_ok=True)
    with _database(settings) as (db, _):
        reading.prepare(db)
        reading.look_at(db, sources, settings, work)


def read(share: Files, latest: str, names: reading.Names) -> Iterator[Told | Rows]:
    """Read a share that has been looked at (see ``reading.read_rows``): first what it tells, then its usable rows.

    On another machine than where it was looked at, the files are looked at again.
    """
    with _database(share.settings) as (db, _):
        readable_here(share.sources, share.came, share.settings, share.work)
        reading.prepare(db)
        reading.read_rows(db, share.sources, share.settings, latest, names)
        any_value = for_each(metrics.columns(), "% IS NOT NULL", " OR ")
        days = db.execute(f"""
            SELECT file, date_trunc('day', sampled_at)::TIMESTAMP AS day, count(*) FROM usable_row WHERE {any_value}
            GROUP BY ALL ORDER BY ALL""").fetchall()
        tables = {}
        for name, columns in _TOLD.items():
            first = "JOIN (SELECT file, first FROM file_told) USING (file)" if "first AS" in columns else ""
            columns = f"{columns.replace('*', f'{name}.*', 1)}" if first else columns
            tables[name] = _arrow(db, f"SELECT {columns} FROM {name} {first}")
        rows, distinct = one_row(
            db, f"SELECT count(*), count(DISTINCT hash(file, {server_of()}, sampled_at)) FROM usable_row"
        )
        yield Told(share.sources, tables, days, rows != distinct)
        yield from _packed(db, "usable_row", f"""
            SELECT file, row - first AS row, server_id, sampled_at, {", ".join(metrics.columns())}
            FROM usable_row JOIN (SELECT file, first FROM file_told) USING (file)""")  # fmt: skip


# ------------------------------------------------------------------------------------------------ the run before


def past_of(before: merge.Before) -> list[Past]:
    """What the run before left and this run needs, in shares."""
    shares = [Past(kept=[path]) for path in before.kept]
    if before.panel is None:
        return shares
    with duckdb.connect() as db:
        panel = f"read_parquet({quoted(str(before.panel))})"
        [rows] = one_row(db, f"SELECT count(*) FROM {panel}")
        parts = max(rows // SHARE_ROWS, 1)
        starts = db.execute(f"""
            SELECT min(server_id) FROM (
                SELECT server_id, ntile({parts}) OVER (ORDER BY server_id) AS part
                FROM (SELECT DISTINCT server_id FROM {panel})
            ) GROUP BY part ORDER BY 1""").fetchall()
    bounds = [None, *(server for (server,) in starts[1:]), None]
    return shares + [Past(panel=before.panel, first=bounds[n], end=bounds[n + 1]) for n in range(len(bounds) - 1)]


def read_past(share: Past, settings: Settings) -> Iterator[Told | Rows]:
    """Read a share of what the run before left: first what it tells, then its rows."""
    with _database(settings) as (db, _):
        reading.prepare(db)
        reading.read_rows(db, [], settings, "1970-01-01 00:00:00+00", reading.Names({}, {}))
        merge.prepare(db)
        if share.kept:
            merge.read_kept(db, share.kept)
            any_of = for_each(metrics.columns(), "max(%) AS %")
            parts = f"SELECT server_id, {any_of} FROM kept WHERE contains(server_id, {MARK}) GROUP BY server_id"
            yield Told(tables={"kept": _arrow(db, parts)}, days=[(-1, *day) for day in merge.days_of(db)])
            yield from _packed(db, "kept", "FROM kept")
        if share.panel is not None:
            merge.read_stored(db, share.panel, share.first, share.end)
            series = "SELECT server_id, metric, max(ds) AS ds FROM stored GROUP BY ALL"
            yield Told(tables={"stored": _arrow(db, series)})
            yield from _packed(db, "stored", "FROM stored")


# ------------------------------------------------------------------------------------------------ decisions


def gather(db: duckdb.DuckDBPyConnection, told: Sequence[Told]) -> None:
    """Put what all shares tell into the tables of ``reading`` and ``merge``, which are there and empty.

    Of samples there is no row, and of series in ``kept`` and ``stored`` a single one: who and when, and not how much.
    """
    for one in told:
        for name, table in one.tables.items():
            _insert(db, name, table)


def days_of(told: Sequence[Told], without: frozenset[int] = frozenset()) -> list[tuple[datetime, int]]:
    """The days that have samples, with their rows, but for those of some files."""
    rows: dict[datetime, int] = {}
    for one in told:
        for file, day, count in one.days:
            if file not in without:
                rows[day] = rows.get(day, 0) + count
    return sorted(rows.items())


def known(
    db: duckdb.DuckDBPyConnection,
    settings: Settings,
    slices: Sequence[tuple[datetime, datetime]],
    work: merge.Work | None = None,
) -> Known:
    """What buckets must know, from the database of decisions."""
    capacities = ", ".join(quoted(one.capacity_attribute) for one in metrics.own() if one.capacity_attribute)
    queries = {name: f"FROM {name}" for name in _KNOWN}
    queries["attribute"] += f" WHERE attribute IN ({capacities or 'NULL'})"
    return Known(settings, {name: _arrow(db, query) for name, query in queries.items()}, slices, work)


def together(db: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Servers and groups that must be in one bucket with others: of each, the one by which the bucket is chosen."""
    root: dict[str, str] = {}

    def find(name: str) -> str:
        while root.setdefault(name, name) != name:
            name = root[name]
        return name

    for server, group in db.execute("SELECT server_id, group_name FROM member ORDER BY ALL").fetchall():
        one, other = sorted((find(server), find(group)))
        root[other] = one
    return {name: find(name) for name in root}


# ------------------------------------------------------------------------------------------------ buckets of servers


def buckets_for(days: Sequence[tuple[datetime, int]], at_least: int) -> int:
    """How many buckets there are to be for so many rows."""
    rows = [count for _, count in days]
    return max(at_least, sum(rows) // BUCKET_ROWS + 1, max(rows, default=0) // BUCKET_DAY_ROWS + 1)


def cut(rows: Rows, buckets: int, chosen_by: Mapping[str, str]) -> Iterator[tuple[int, Rows]]:
    """Packed rows, apart by the bucket of their server."""
    with duckdb.connect(config={"threads": 1}) as db:
        table = _unpack(rows.packed)
        db.register("packed", table)
        columns = {"server": list(chosen_by), "chosen": list(chosen_by.values())}
        db.register("chosen_by", pa.table(columns, pa.schema([(name, pa.string()) for name in columns])))
        server = server_of("server_id")
        sorted_rows = _arrow(
            db,
            f"""
            SELECT packed.*, (hash(coalesce(chosen, {server})) % {buckets})::INTEGER AS bucket
            FROM packed LEFT JOIN chosen_by ON server = {server} ORDER BY bucket""",
        )
    begin = 0
    for bucket, count in _runs(sorted_rows["bucket"].to_pylist()):
        yield bucket, Rows(rows.kind, _pack(sorted_rows.slice(begin, count).drop_columns("bucket")))
        begin += count


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    begin = 0
    for place in range(1, len(numbers) + 1):
        if place == len(numbers) or numbers[place] != numbers[begin]:
            yield numbers[begin], place - begin
            begin = place


def conflicts(rows: Iterator[Rows], given: Known) -> list[merge.Conflict]:
    """The conflicts within files (``merge.conflicts``) in a share's rows: no file is in two shares."""
    with _bucket(rows, given) as (db, _):
        return merge.conflicts(db, merge.repeated_in(db, given.slices))


def merged(rows: Iterator[Rows], given: Known) -> Found:
    """What merging makes of a bucket's rows (``merge.make_panel``)."""
    if given.work is None:
        raise ValueError("before buckets are merged, it must be known what closes periods")
    with _bucket(rows, given) as (db, folder):
        samples = folder / "samples"
        samples.mkdir()
        repeated = merge.repeated_in(db, given.slices)
        done = merge.make_panel(db, merge.days_of(db), repeated, given.work, given.settings, samples)
        kept = {day: (samples / merge.file_of(day)).read_bytes() for day in done.kept_days}
        return Found(done, {name: _arrow(db, f"FROM {name}") for name in _FOUND}, kept)


@contextmanager
def _bucket(rows: Iterator[Rows], given: Known) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """The tables of merging with a bucket's rows, without those of files that have been refused."""
    with _database(given.settings) as (db, folder):
        values = for_each(metrics.columns(), "% DOUBLE")
        db.execute(f"""
            CREATE TABLE usable_row (file INTEGER, row BIGINT, server_id VARCHAR, sampled_at TIMESTAMP, {values});
            CREATE TABLE refused_file (file INTEGER);
            CREATE TABLE busiest_file (file INTEGER);
            CREATE TABLE together_file (file INTEGER);
            CREATE TABLE part_of (server_id VARCHAR, metric VARCHAR, parts BIGINT, known BOOLEAN)""")
        for name in ("refused_file", "busiest_file", "together_file", "part_of"):
            _insert(db, name, given.tables[name])
        reading.make_usable_reading(db)
        merge.prepare(db)
        for name in ("member", "group_problem", "attribute"):
            _insert(db, name, given.tables[name])
        for one in rows:
            _insert(db, one.kind, _unpack(one.packed),
                    "WHERE file NOT IN (FROM refused_file)" if one.kind == "usable_row" else "")  # fmt: skip
        if given.tables["owner_file"].num_rows:
            entities.give_to_servers(db, "usable_row")
        try:
            yield db, folder
        except duckdb.Error as error:
            raise job.PartFailed(f"{_servers_in(db)}: {type(error).__name__}: {error}") from error


def _servers_in(db: duckdb.DuckDBPyConnection) -> str:
    """The servers of a bucket, for people."""
    names = " UNION ALL ".join(f"SELECT server_id FROM {name}" for name in ("usable_row", "kept", "stored"))
    servers, first, last = one_row(
        db,
        f"""
        SELECT count(DISTINCT server), min(server), max(server) FROM (SELECT {server_of()} AS server FROM ({names}))""",
    )
    return f"{servers:,} servers from {first!r} to {last!r}"


# ------------------------------------------------------------------------------------------------ the end


def finish(db: duckdb.DuckDBPyConnection, found: Iterator[Found], samples: Path, pieces: Path) -> merge.Done:
    """Put what the buckets tell into the tables that ``merge.make_panel`` makes, and the samples to keep into
    ``samples``; ``pieces`` is a new folder for what they are made of."""
    done = merge.Done()
    for number, one in enumerate(found):
        for name, table in one.tables.items():
            if not number and name in ("panel", "unconfirmed"):
                db.register("first", table)
                db.execute(f"CREATE TABLE {name} AS FROM first LIMIT 0")
                db.unregister("first")
            _insert(db, name, table)
        for day, packed in one.kept.items():
            of_day = pieces / merge.file_of(day)
            of_day.mkdir(parents=True, exist_ok=True)
            (of_day / f"{number:06}.parquet").write_bytes(packed)
        done = done.plus(one.done)
    for day in sorted(done.kept_days):
        merge.keep_together(db, pieces / merge.file_of(day), samples / merge.file_of(day))
    return done


@contextmanager
def _database(settings: Settings) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """A database of one part of the work, on one core; other parts may be under way beside it."""
    metrics.use(settings.own_metrics())
    with tempfile.TemporaryDirectory(prefix="headroom-") as folder:
        db = database.open_in(Path(folder))
        try:
            db.execute("SET threads = 1")
            yield db, Path(folder)
        finally:
            db.close()


def _arrow(db: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    return db.sql(query).to_arrow_table()


def _insert(db: duckdb.DuckDBPyConnection, name: str, table: pa.Table, where: str = "") -> None:
    if table.num_rows:
        db.register("inserted", table)
        db.execute(f"INSERT INTO {name} BY NAME FROM inserted {where}")
        db.unregister("inserted")


def _packed(db: duckdb.DuckDBPyConnection, kind: Kind, query: str) -> Iterator[Rows]:
    for batch in db.sql(query).to_arrow_reader(PACKED_ROWS):
        if batch.num_rows:
            yield Rows(kind, _pack(pa.Table.from_batches([batch])))


def _pack(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd", compression_level=1)
    return out.getvalue()


def _unpack(packed: bytes) -> pa.Table:
    return pq.read_table(io.BytesIO(packed))
