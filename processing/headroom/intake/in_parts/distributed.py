"""Intake in parts: shares of the files and of the run before are read, each in a database of its own.

What is done to a share are the steps of one machine (``reading``) on the same tables. Only what it tells the others is
here: small tables, from which a database of decisions is made that has what the whole fleet must know; and samples,
packed, of which each bucket of servers gets its own (``buckets``).
"""

# ruff: noqa: S608 - SQL is put together of names and literals of our own.

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import duckdb

from headroom.core import metrics
from headroom.core.settings import Settings
from headroom.intake import database, merge, reading
from headroom.intake.entities import MARK, server_of
from headroom.intake.files.metric_names import Names
from headroom.intake.files.sources import Source
from headroom.intake.in_parts import file_shares
from headroom.intake.in_parts.file_shares import Files
from headroom.intake.in_parts.packed import Rows, Tables, arrow, insert, packed
from headroom.intake.servers import panel_folder, slices
from headroom.intake.servers.panel_folder import Before
from headroom.intake.sql import for_each, one_row, quoted

# Rows of the run before that are read together: some 60 bytes each in memory.
SHARE_ROWS = 20_000_000
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


def read(share: Files, latest: str, names: Names) -> Iterator[Told | Rows]:
    """Read a share that has been looked at (see ``reading.read_rows``): first what it tells, then its usable rows.

    On another machine than where it was looked at, the files are looked at again.
    """
    with database.of_a_part(share.settings, share.cores) as (db, _):
        file_shares.readable_here(share.sources, share.came, share.settings, share.work)
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
            tables[name] = arrow(db, f"SELECT {columns} FROM {name} {first}")
        count, distinct = one_row(
            db, f"SELECT count(*), count(DISTINCT hash(file, {server_of()}, sampled_at)) FROM usable_row"
        )
        yield Told(share.sources, tables, days, count != distinct)
        rows = f"""
            SELECT file, row - first AS row, server_id, sampled_at, {", ".join(metrics.columns())}
            FROM usable_row JOIN (SELECT file, first FROM file_told) USING (file)"""
        yield from packed(db, "usable_row", rows, share.cores)


def past_of(before: Before) -> list[Past]:
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
    with database.of_a_part(settings) as (db, _):
        reading.prepare(db)
        reading.read_rows(db, [], settings, "1970-01-01 00:00:00+00", Names({}, {}))
        merge.prepare(db)
        if share.kept:
            panel_folder.read_kept(db, share.kept)
            any_of = for_each(metrics.columns(), "max(%) AS %")
            parts = f"SELECT server_id, {any_of} FROM kept WHERE contains(server_id, {MARK}) GROUP BY server_id"
            yield Told(tables={"kept": arrow(db, parts)}, days=[(-1, *day) for day in slices.days_of(db)])
            yield from packed(db, "kept", "FROM kept")
        if share.panel is not None:
            panel_folder.read_stored(db, share.panel, share.first, share.end)
            series = "SELECT server_id, metric, max(ds) AS ds FROM stored GROUP BY ALL"
            yield Told(tables={"stored": arrow(db, series)})
            yield from packed(db, "stored", "FROM stored")


def gather(db: duckdb.DuckDBPyConnection, told: Sequence[Told]) -> None:
    """Put what all shares tell into the tables of ``reading`` and ``merge``, which are there and empty.

    Of samples there is no row, and of series in ``kept`` and ``stored`` a single one: who and when, and not how much.
    """
    for one in told:
        for name, table in one.tables.items():
            insert(db, name, table)


def days_of(told: Sequence[Told], without: frozenset[int] = frozenset()) -> list[tuple[datetime, int]]:
    """The days that have samples, with their rows, but for those of some files."""
    rows: dict[datetime, int] = {}
    for one in told:
        for file, day, count in one.days:
            if file not in without:
                rows[day] = rows.get(day, 0) + count
    return sorted(rows.items())
