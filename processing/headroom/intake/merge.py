"""The panel: one row per server, metric and period, made of samples and of the panel of the run before.

The samples of the newest ``keep_samples_days`` days that have any are kept beside the panel, so that a late file
merges exactly: the panel of files that come one after the other is the same, to the bit, as that of all files at
once. Older periods are closed. Samples of a closed period make it where there was none, or replace it if they are
at least as many as it was made of; otherwise they are left out and counted as late.

A run touches the days of its new files only: of all others the rows and the samples stay as they are.
"""

# ruff: noqa: S608 - SQL is put together of names and literals of our own; data never becomes part of it.

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

import duckdb

from headroom.core import metrics as table
from headroom.core.settings import Settings
from headroom.intake import conflicts, database, entities
from headroom.intake.entities import server_of
from headroom.intake.files import inventory
from headroom.intake.files.sources import Source
from headroom.intake.servers import attributes, groups, own
from headroom.intake.servers.panel_folder import (
    FAST_PARQUET,
    STATISTICS,
    Before,
    capacity_series,
    copy,
    file_of,
    keep_untouched,
    look_back,
    read_kept,
    read_stored,
)
from headroom.intake.servers.slices import any_value, days_of, literal, most_rows, repeated_in, slices_of, within
from headroom.intake.sql import for_each, one_row, quoted

# A series whose closed periods change more than tenfold has rather got another unit than other values; near zero, where
# less than one percent or MB/s lies between them, tenfold says nothing.
_TENFOLD, _APART = 10, 1


def merge(
    db: duckdb.DuckDBPyConnection, history: Path | None, settings: Settings, before: Settings | None, samples: Path,
    sources: Sequence[Source],
) -> Merge:  # fmt: skip
    """Make the tables ``panel``, ``server``, ``attribute``, ``duplicate`` (rows per file) and ``replaced`` in ``db``.

    Files of the ``sources`` that contradict themselves are refused.

    Samples come from the view ``usable_reading`` (see ``reading``) and from ``history``, the panel folder of the
    run before, made with the settings ``before``; those to keep go into the new folder ``samples``. Without any
    sample the tables are empty.
    """
    samples.mkdir()
    prepare(db)
    days = days_of(db)
    new_days = {day for day, _ in days}
    before_run = look_back(db, history, settings, before, new_days)
    read_kept(db, before_run.kept)
    if before_run.panel is not None:
        read_stored(db, before_run.panel)
    days, slices = settle_samples(db, days_of(db) if before_run.kept else days, sources)
    settle_servers(db, history or samples, settings, sources)
    keep_since = keep_since_of(before_run, [day for day, _ in days], settings)
    kept_days = keep_untouched(before_run, keep_since, samples)
    work = Work(before_run.closed_before, keep_since, min(new_days, default=None), confirmed(sources, settings))
    done = make_panel(db, days, slices, work, settings, samples)
    attributes.list_servers(db)
    return Merge(keep_since, {**kept_days, **done.kept_days}, before_run.rows_dropped, done)


def prepare(db: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of merging, empty."""
    db.execute(_tables())


def _tables() -> str:
    names = table.columns()
    return f"""
CREATE TABLE stored (server_id VARCHAR, metric VARCHAR, ds TIMESTAMP,
    mean DOUBLE, max DOUBLE, samples INTEGER, p95 DOUBLE, p99 DOUBLE);
CREATE TABLE fresh AS FROM stored;
CREATE TABLE kept (server_id VARCHAR, sampled_at TIMESTAMP, {for_each(names, "% DOUBLE")});
CREATE TABLE duplicate (file INTEGER, rows BIGINT);
CREATE TABLE replaced (file INTEGER, later INTEGER, samples BIGINT);
{inventory.TABLES}
{groups.TABLES}
{attributes.TABLES}
CREATE VIEW incoming AS
    SELECT server_id, sampled_at, {for_each(names, "%")}, -1 AS arrival FROM kept
    UNION ALL
    SELECT server_id, sampled_at, {for_each(names, "%")}, (file::BIGINT << 36) + row AS arrival FROM usable_reading;
"""


def settle_samples(
    db: duckdb.DuckDBPyConnection, days: list[tuple[datetime, int]], sources: Sequence[Source]
) -> tuple[list[tuple[datetime, int]], dict[tuple[datetime, datetime], bool]]:
    """Settle whose each sample is, and refuse the files that contradict themselves; ``days`` have samples (see
    ``days_of``). Gives the days that then have some, and their slices (see ``make_panel``)."""
    if entities.settle(db):
        entities.give_to_servers(db, "reading", "suspect")
    slices = repeated_in(db, slices_of(days))
    if conflicts.refuse_all(db, conflicts.find(db, slices), sources):
        days = days_of(db)
        slices = repeated_in(db, slices_of(days))
    return days, slices


def settle_servers(
    db: duckdb.DuckDBPyConnection, history: Path, settings: Settings, sources: Sequence[Source]
) -> None:  # fmt: skip
    """Settle what is known of servers, over all files and the run before: inventories, attributes, groups' members."""
    inventory.merge(db, history / "samples" / "inventory.parquet", sources)
    attributes.merge(db)
    groups.find_members(db, settings)


def keep_since_of(before: Before, days: Collection[datetime], settings: Settings) -> datetime:
    """From when on samples are kept, where these are the ``days`` that have been looked at."""
    all_days = sorted({*before.untouched, *days})
    if len(all_days) <= settings.keep_samples_days:
        return before.closed_before
    return max(before.closed_before, all_days[-settings.keep_samples_days])


def confirmed(sources: Sequence[Source], settings: Settings) -> tuple[int, ...]:
    """The files that the settings confirm, by their order."""
    return tuple(source.order for source in sources if any(fnmatchcase(source.file, one) for one in settings.confirmed))


@dataclass(frozen=True)
class Merge:
    """What a run did to the panel. ``rows_dropped`` are rows of the former panel that are of no use any more.

    ``kept_days`` are the days whose samples are kept, from ``samples_since`` on, and how many rows each has.
    """

    samples_since: datetime
    kept_days: Mapping[datetime, int]
    rows_dropped: int
    done: Done


@dataclass(frozen=True)
class Work:
    """What the merging of some servers must know of all.

    Attributes:
        closed_before, keep_since: periods before are closed; samples from then on are kept.
        first_new: the first day that has new samples.
        confirmed: files whose values count even where they change closed periods more than tenfold.
    """

    closed_before: datetime
    keep_since: datetime
    first_new: datetime | None
    confirmed: Sequence[int]


@dataclass(frozen=True)
class Done:
    """What merging did to some servers' part of the panel, in rows of it; samples came too ``late`` for closed periods.

    ``kept_days`` has the days whose samples have been written, with their rows.
    """

    kept_days: Mapping[datetime, int] = field(default_factory=dict)
    rows_new: int = 0
    rows_changed: int = 0
    late_samples: int = 0
    late_periods: int = 0
    unconfirmed: int = 0

    def plus(self, other: Done) -> Done:
        """What merging did to the servers of both."""
        days = {day: self.kept_days.get(day, 0) + other.kept_days.get(day, 0)
                for day in {*self.kept_days, *other.kept_days}}  # fmt: skip
        counts = (getattr(self, one.name) + getattr(other, one.name) for one in fields(self)[1:])
        return Done(days, *counts)


def make_panel(
    db: duckdb.DuckDBPyConnection,
    days: Sequence[tuple[datetime, int]],
    slices: Mapping[tuple[datetime, datetime], bool],
    work: Work,
    settings: Settings,
    samples: Path,
) -> Done:
    """Make the tables ``panel``, ``duplicate``, ``replaced`` and ``unconfirmed`` of the servers whose samples are in
    ``incoming`` and whose periods are in ``stored``, and write the samples to keep into ``samples``.

    ``days`` are those of ``incoming``, with their rows; ``slices`` the ranges of days that are worked on together (see
    ``repeated_in``), of which those without rows here are passed over.

    Nothing of it depends on other servers but those of the same group (``member``).
    """
    kept_days: dict[datetime, int] = {}
    for (begin, end), repeated in slices.items():
        here = [(day, rows) for day, rows in days if begin <= day < end]
        if not here:
            continue
        database.make_room(db, sum(rows for _, rows in here) > most_rows())
        _make_slice(db, begin, end, repeated)
        _aggregate(db, begin, end, settings)
        kept_days |= _keep(db, [day for day, _ in here if day >= work.keep_since], samples, repeated)
        db.execute(f"DROP {'TABLE' if repeated else 'VIEW'} slice")
    if own.needs_days_around() and work.first_new is not None:
        # Days before the new ones were read for what comes after them: they stay as they were.
        db.execute(f"""
            DELETE FROM fresh USING stored WHERE fresh.ds < {literal(work.first_new)} AND fresh.ds = stored.ds
                AND fresh.server_id = stored.server_id AND fresh.metric = stored.metric""")
    late_samples, late_periods = one_row(
        db,
        f"""
        CREATE TABLE late AS SELECT fresh.* FROM fresh JOIN stored USING (server_id, metric, ds)
        WHERE ds < {literal(work.closed_before)} AND fresh.samples < stored.samples;
        DELETE FROM fresh USING late WHERE fresh.server_id = late.server_id AND fresh.metric = late.metric
            AND fresh.ds = late.ds;
        SELECT coalesce(sum(samples), 0)::BIGINT, count(*) FROM late""",
    )
    unconfirmed = _withhold_tenfold(db, work.closed_before, settings, work.confirmed)
    beside = f"metric NOT IN ({', '.join(map(quoted, capacity_series())) or quoted('')})"
    rows_new = _count(db, f"fresh ANTI JOIN stored USING (server_id, metric, ds) WHERE {beside}")
    differs = for_each(STATISTICS, "fresh.% IS DISTINCT FROM stored.%", " OR ")
    rows_changed = _count(db, f"fresh JOIN stored USING (server_id, metric, ds) WHERE {beside} AND ({differs})")
    columns = f"server_id, metric, ds, {settings.statistic} AS y, {for_each(STATISTICS, '%')}"
    db.execute(f"""
        CREATE TABLE panel AS SELECT {columns} FROM fresh
        UNION ALL SELECT {columns} FROM stored ANTI JOIN fresh USING (server_id, metric, ds)
            WHERE {server_of()} NOT IN (SELECT server_id FROM member WHERE hidden)""")
    if capacity_series():
        _capacities_beside(db)
    return Done(kept_days, rows_new, rows_changed, late_samples, late_periods, unconfirmed)


def _make_slice(db: duckdb.DuckDBPyConnection, begin: datetime, end: datetime, repeated: bool) -> None:
    """The view or table ``slice``: the newest value of each sample of some days."""
    rows = within(begin, end)
    if not repeated:
        db.execute(f"CREATE VIEW slice AS SELECT * EXCLUDE (arrival) {rows}")
    else:
        _count_duplicates(db, rows)
        newest = for_each(table.columns(), "arg_max(%, arrival) AS %")
        db.execute(f"CREATE TABLE slice AS SELECT server_id, sampled_at, {newest} {rows} GROUP BY ALL")


def _count_duplicates(db: duckdb.DuckDBPyConnection, rows: str) -> None:
    """Count, file by file, the rows whose every value was overtaken by a newer row or was kept from before."""
    newest = for_each(
        table.columns(), "max(arrival) FILTER (% IS NOT NULL) AS %_arrival, max(%) FILTER (arrival < 0) AS %_kept"
    )
    nothing_new = for_each(
        table.columns(), "(row.% IS NULL OR arrival < %_arrival OR coalesce(row.% = %_kept, false))", " AND "
    )
    db.execute(f"""
        INSERT INTO duplicate
        WITH row AS (SELECT * {rows}), newest AS (
            SELECT server_id, sampled_at, {newest} FROM row GROUP BY server_id, sampled_at HAVING count(*) > 1
        )
        SELECT arrival >> 36, count(*) FROM row JOIN newest USING (server_id, sampled_at)
        WHERE arrival >= 0 AND ({any_value()}) AND {nothing_new} GROUP BY ALL""")
    differs = for_each(table.columns(), "min(%) <> max(%)", " OR ")
    db.execute(f"""
        INSERT INTO replaced
        SELECT file, later, count(*) FROM (
            SELECT min(arrival) >> 36 AS file, max(arrival) >> 36 AS later {rows} AND arrival >= 0
            GROUP BY server_id, sampled_at HAVING ({differs}) AND min(arrival) >> 36 < max(arrival) >> 36
        ) GROUP BY ALL""")


def _aggregate(db: duckdb.DuckDBPyConnection, begin: datetime, end: datetime, settings: Settings) -> None:
    """Add the periods of ``slice``, the days from begin to end, to ``fresh``."""
    each = ", ".join(_statistics_of(name) for name in table.columns())
    by_metric = for_each(
        table.columns(),
        """
        SELECT server_id, '%' AS metric, ds, %_mean AS mean, %_max AS max, %_samples AS samples,
            %_quantiles[1] AS p95, %_quantiles[2] AS p99
        FROM aggregated WHERE %_samples > 0""",
        " UNION ALL ",
    )
    measured = own.measured(db, begin, end)
    db.execute(f"""
        INSERT INTO fresh BY NAME
        WITH aggregated AS MATERIALIZED (
            SELECT server_id, date_trunc('{settings.frequency.word}', sampled_at) AS ds, {each}
            FROM {groups.series_of(db, measured)} GROUP BY ALL
        ) {by_metric}""")


def _statistics_of(name: str) -> str:
    """The SQL of the statistics of a metric's samples in a period."""
    metric = table.of_column(name)
    if name != metric.name:  # a capacity: the newest counts
        newest = f"arg_max({name}, sampled_at)"
        return (
            f"[{newest}, {newest}] AS {name}_quantiles, {newest} AS {name}_mean, {newest} AS {name}_max, "
            f"count({name}) AS {name}_samples"
        )
    # Of what is left, without a capacity to take it from, the little counts: high statistics are those of its negative.
    sign = "-" if metric.free and not metric.has_capacity else ""
    # A sum of decimals is exact, so the mean does not depend on the order of the samples.
    decimal = "DECIMAL(18, 9)" if metric.built_in else "DECIMAL(38, 9)"
    if sign:
        return (
            f"list_transform(quantile_cont(-{name}, [0.95, 0.99]), lambda x: -x) AS {name}_quantiles, "
            f"sum({name}::{decimal})::DOUBLE / count({name}) AS {name}_mean, min({name}) AS {name}_max, "
            f"count({name}) AS {name}_samples"
        )
    return (
        f"quantile_cont({name}, [0.95, 0.99]) AS {name}_quantiles, "
        f"sum({name}::{decimal})::DOUBLE / count({name}) AS {name}_mean, max({name}) AS {name}_max, "
        f"count({name}) AS {name}_samples"
    )


def _keep(
    db: duckdb.DuckDBPyConnection, days: Sequence[datetime], samples: Path, repeated: bool
) -> dict[datetime, int]:
    """Write the samples of these days of ``slice``, a file per day; gives how many rows each has."""
    # The order means nothing, but the same input makes the same file: rows of a view are in the order of arrival, but
    # not beside suspects, and those of a table of groups in none. Sorting takes as long as all the rest of writing.
    suspects = "SELECT 1 FROM duckdb_tables() WHERE table_name = 'suspect' AND estimated_size > 0"
    order = "ORDER BY sampled_at, server_id" if repeated or db.execute(suspects).fetchone() else ""

    def write(day: datetime) -> int:
        own = db.cursor()  # days are small: several at once keep all cores busy
        own.execute("USE work")
        end = day + timedelta(days=1)
        of_day = f"FROM slice WHERE sampled_at >= {literal(day)} AND sampled_at < {literal(end)} AND ({any_value()})"
        return copy(own, f"{of_day} {order}", samples / file_of(day), FAST_PARQUET)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(days, pool.map(write, days), strict=True))


def _withhold_tenfold(
    db: duckdb.DuckDBPyConnection, closed_before: datetime, settings: Settings, confirmed: Sequence[int]
) -> int:
    """Leave closed periods of a series as they were where most of them would change more than tenfold, unless their
    files are confirmed; gives their number. The table ``unconfirmed`` has them: server, metric, ds, and the means
    ``old`` and ``new``."""
    db.execute(f"""
        CREATE TABLE unconfirmed AS
        SELECT server_id, metric, ds, stored.mean AS old, fresh.mean AS new
        FROM fresh JOIN stored USING (server_id, metric, ds)
        WHERE ds < {literal(closed_before)}
            AND (server_id, ds) NOT IN (
                SELECT DISTINCT unnest([server_id, coalesce(group_name, server_id)]),
                    date_trunc('{settings.frequency.word}', sampled_at)
                FROM usable_reading LEFT JOIN member USING (server_id)
                WHERE file IN ({", ".join(map(str, confirmed)) or "NULL"}) AND sampled_at IS NOT NULL)
        QUALIFY median((abs(new - old) >= {_APART} AND greatest(new, old) > {_TENFOLD} * least(new, old))::INTEGER)
            OVER (PARTITION BY server_id, metric) > 0.5;
        DELETE FROM fresh USING unconfirmed WHERE fresh.server_id = unconfirmed.server_id
            AND fresh.metric = unconfirmed.metric AND fresh.ds = unconfirmed.ds""")
    return _count(db, "unconfirmed")


def _capacities_beside(db: duckdb.DuckDBPyConnection) -> None:
    """What columns said of capacities, beside the values that they are the capacity of."""
    series = ", ".join(map(quoted, capacity_series()))
    db.execute(f"""
        CREATE TABLE capacity AS SELECT server_id, metric, ds, mean AS capacity FROM panel WHERE metric IN ({series});
        DELETE FROM panel WHERE metric IN ({series});
        CREATE TABLE with_capacity AS
        SELECT panel.*, capacity.capacity FROM panel LEFT JOIN capacity
            ON panel.server_id = capacity.server_id AND panel.ds = capacity.ds
            AND capacity.metric = panel.metric || '_capacity';
        DROP TABLE panel; DROP TABLE capacity; ALTER TABLE with_capacity RENAME TO panel""")


def _count(db: duckdb.DuckDBPyConnection, relation: str) -> int:
    return one_row(db, f"SELECT count(*) FROM {relation}")[0]
