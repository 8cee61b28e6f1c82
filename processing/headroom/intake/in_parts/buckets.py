"""Buckets of servers: each gets the rows of its servers from all shares, and is merged as one machine merges all."""

# ruff: noqa: S608 - SQL is put together of names and literals of our own.

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from headroom.core import job, metrics
from headroom.core.settings import Settings
from headroom.intake import conflicts, database, entities, merge, reading
from headroom.intake.conflicts import Conflict
from headroom.intake.entities import server_of
from headroom.intake.in_parts.packed import Rows, Tables, arrow, insert, pack, unpack
from headroom.intake.servers import panel_folder
from headroom.intake.servers.slices import days_of, repeated_in
from headroom.intake.sql import for_each, one_row, quoted

# Rows of a bucket, of all days and of the fullest one: what one process merges without much spilling.
BUCKET_ROWS, BUCKET_DAY_ROWS = 5_000_000, 1_000_000
# What a bucket must know of the whole fleet.
_KNOWN = (
    "owner_file", "refused_file", "busiest_file", "together_file", "part_of", "member", "group_problem", "attribute",
)  # fmt: skip
# What a bucket tells of its servers.
_FOUND = ("panel", "duplicate", "replaced", "unconfirmed", "group_problem")


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
    return Known(settings, {name: arrow(db, query) for name, query in queries.items()}, slices, work)


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


def how_many(days: Sequence[tuple[datetime, int]], at_least: int) -> int:
    """How many buckets there are to be for so many rows."""
    rows = [count for _, count in days]
    return max(at_least, sum(rows) // BUCKET_ROWS + 1, max(rows, default=0) // BUCKET_DAY_ROWS + 1)


def cut(rows: Rows, buckets: int, chosen_by: Mapping[str, str]) -> Iterator[tuple[int, Rows]]:
    """Packed rows, apart by the bucket of their server."""
    with duckdb.connect(config={"threads": 1}) as db:
        table = unpack(rows.packed)
        db.register("packed", table)
        columns = {"server": list(chosen_by), "chosen": list(chosen_by.values())}
        db.register("chosen_by", pa.table(columns, pa.schema([(name, pa.string()) for name in columns])))
        server = server_of("server_id")
        sorted_rows = arrow(
            db,
            f"""
            SELECT packed.*, (hash(coalesce(chosen, {server})) % {buckets})::INTEGER AS bucket
            FROM packed LEFT JOIN chosen_by ON server = {server} ORDER BY bucket""",
        )
    begin = 0
    for bucket, count in _runs(sorted_rows["bucket"].to_pylist()):
        yield bucket, Rows(rows.kind, pack(sorted_rows.slice(begin, count).drop_columns("bucket")))
        begin += count


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    begin = 0
    for place in range(1, len(numbers) + 1):
        if place == len(numbers) or numbers[place] != numbers[begin]:
            yield numbers[begin], place - begin
            begin = place


def conflicts_in(rows: Iterator[Rows], given: Known) -> list[Conflict]:
    """The conflicts within files (``conflicts.find``) in a share's rows: no file is in two shares."""
    with _bucket(rows, given) as (db, _):
        return conflicts.find(db, repeated_in(db, given.slices))


def merged(rows: Iterator[Rows], given: Known) -> Found:
    """What merging makes of a bucket's rows (``merge.make_panel``)."""
    if given.work is None:
        raise ValueError("before buckets are merged, it must be known what closes periods")
    with _bucket(rows, given) as (db, folder):
        samples = folder / "samples"
        samples.mkdir()
        repeated = repeated_in(db, given.slices)
        done = merge.make_panel(db, days_of(db), repeated, given.work, given.settings, samples)
        kept = {day: (samples / panel_folder.file_of(day)).read_bytes() for day in done.kept_days}
        return Found(done, {name: arrow(db, f"FROM {name}") for name in _FOUND}, kept)


@contextmanager
def _bucket(rows: Iterator[Rows], given: Known) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """The tables of merging with a bucket's rows, without those of files that have been refused."""
    with database.of_a_part(given.settings) as (db, folder):
        values = for_each(metrics.columns(), "% DOUBLE")
        db.execute(f"""
            CREATE TABLE usable_row (file INTEGER, row BIGINT, server_id VARCHAR, sampled_at TIMESTAMP, {values});
            CREATE TABLE refused_file (file INTEGER);
            CREATE TABLE busiest_file (file INTEGER);
            CREATE TABLE together_file (file INTEGER);
            CREATE TABLE part_of (server_id VARCHAR, metric VARCHAR, parts BIGINT, known BOOLEAN)""")
        for name in ("refused_file", "busiest_file", "together_file", "part_of"):
            insert(db, name, given.tables[name])
        reading.make_usable_reading(db)
        merge.prepare(db)
        for name in ("member", "group_problem", "attribute"):
            insert(db, name, given.tables[name])
        for one in rows:
            insert(db, one.kind, unpack(one.packed),
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
            insert(db, name, table)
        for day, packed in one.kept.items():
            of_day = pieces / panel_folder.file_of(day)
            of_day.mkdir(parents=True, exist_ok=True)
            (of_day / f"{number:06}.parquet").write_bytes(packed)
        done = done.plus(one.done)
    for day in sorted(done.kept_days):
        panel_folder.keep_together(db, pieces / panel_folder.file_of(day), samples / panel_folder.file_of(day))
    return done
