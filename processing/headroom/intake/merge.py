"""The panel: one row per server, metric and period, made of samples and of the panel of the run before.

The samples of the newest ``keep_samples_days`` days that have any are kept beside the panel, so that a late file
merges exactly: the panel of files that come one after the other is the same, to the bit, as that of all files at
once. Older periods are closed. Samples of a closed period make it where there was none, or replace it if they are
at least as many as it was made of; otherwise they are left out and counted as late.

A run touches the days of its new files only: of all others the rows and the samples stay as they are.
"""

# ruff: noqa: S608 - SQL is put together of names and literals of our own; data never becomes part of it.

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

import duckdb

from headroom.core import metrics as table
from headroom.core.series import named
from headroom.core.settings import Settings
from headroom.intake import database, entities, groups, inventory, own
from headroom.intake.columns import ATTRIBUTES, NUMBER_ATTRIBUTES, TEXT_ATTRIBUTES
from headroom.intake.entities import entity_of, have_entities, owner_of, server_of
from headroom.intake.layout import NAME_LENGTH
from headroom.intake.reading import refuse
from headroom.intake.sources import Source
from headroom.intake.tables import for_each, one_row, quoted
from headroom.intake.whole_files import columns_that_differ

# The values of this many rows of five metrics are in memory together while their quantiles are computed.
_SLICE_ROWS = 5_000_000
_STATISTICS = ("mean", "max", "samples", "p95", "p99")
# Only the next run reads the samples kept: written so they take a third less time and a tenth more room.
_FAST_PARQUET = ", PARQUET_VERSION v2, DICTIONARY_SIZE_LIMIT 4096"
# A series whose closed periods change more than tenfold has rather got another unit than other values; near zero, where
# less than one percent or MB/s lies between them, tenfold says nothing.
_TENFOLD, _APART = 10, 1
# An arrival is the file's order and, in its lower 36 bits, the row.
_ROW = (1 << 36) - 1


def _any_value() -> str:
    return for_each(table.columns(), "% IS NOT NULL", " OR ")


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
CREATE TABLE attribute (server_id VARCHAR, attribute VARCHAR, value VARCHAR, sampled_at TIMESTAMP);
CREATE TABLE attribute_problem (file INTEGER, row BIGINT, "column" VARCHAR, value VARCHAR, reason VARCHAR);
CREATE VIEW incoming AS
    SELECT server_id, sampled_at, {for_each(names, "%")}, -1 AS arrival FROM kept
    UNION ALL
    SELECT server_id, sampled_at, {for_each(names, "%")}, (file::BIGINT << 36) + row AS arrival FROM usable_reading;
"""


@dataclass(frozen=True)
class Merge:
    """What a run did to the panel. ``rows_dropped`` are rows of the former panel that are of no use any more.

    ``kept_days`` are the days whose samples are kept, from ``samples_since`` on, and how many rows each has.
    """

    samples_since: datetime
    kept_days: Mapping[datetime, int]
    rows_dropped: int
    done: Done


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
    new_days = {day for day, _ in days_of(db)}
    before_run = look_back(db, history, settings, before, new_days)
    read_kept(db, before_run.kept)
    if before_run.panel is not None:
        read_stored(db, before_run.panel)
    days, slices = settle_samples(db, sources)
    settle_servers(db, history or samples, settings, sources)
    keep_since = keep_since_of(before_run, [day for day, _ in days], settings)
    kept_days = keep_untouched(before_run, keep_since, samples)
    work = Work(before_run.closed_before, keep_since, min(new_days, default=None), confirmed(sources, settings))
    done = make_panel(db, days, slices, work, settings, samples)
    list_servers(db)
    return Merge(keep_since, {**kept_days, **done.kept_days}, before_run.rows_dropped, done)


def prepare(db: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of merging, empty."""
    db.execute(_tables())


def settle_samples(
    db: duckdb.DuckDBPyConnection, sources: Sequence[Source]
) -> tuple[list[tuple[datetime, int]], dict[tuple[datetime, datetime], bool]]:
    """Settle whose each sample is and refuse the files that contradict themselves; ``prepare`` and what is left of the
    run before come first. Gives the days that then have samples and their slices (see ``make_panel``)."""
    if entities.settle(db):
        entities.give_to_servers(db, "reading", "suspect")
    days = days_of(db)
    slices = repeated_in(db, slices_of(days))
    if refuse_conflicts(db, conflicts(db, slices), sources):
        days = days_of(db)
        slices = repeated_in(db, slices_of(days))
    return days, slices


def settle_servers(
    db: duckdb.DuckDBPyConnection, history: Path, settings: Settings, sources: Sequence[Source]
) -> None:  # fmt: skip
    """Settle what is known of servers, over all files and the run before: inventories, attributes, groups' members."""
    inventory.merge(db, history / "samples" / "inventory.parquet", sources)
    _merge_attributes(db)
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
        database.make_room(db, sum(rows for _, rows in here) > _slice_rows())
        _make_slice(db, begin, end, repeated)
        _aggregate(db, begin, end, settings)
        kept_days |= _keep(db, [day for day, _ in here if day >= work.keep_since], samples, repeated)
        db.execute(f"DROP {'TABLE' if repeated else 'VIEW'} slice")
    if own.needs_days_around() and work.first_new is not None:
        # Days before the new ones were read for what comes after them: they stay as they were.
        db.execute(f"""
            DELETE FROM fresh USING stored WHERE fresh.ds < {_literal(work.first_new)} AND fresh.ds = stored.ds
                AND fresh.server_id = stored.server_id AND fresh.metric = stored.metric""")
    late_samples, late_periods = one_row(
        db,
        f"""
        CREATE TABLE late AS SELECT fresh.* FROM fresh JOIN stored USING (server_id, metric, ds)
        WHERE ds < {_literal(work.closed_before)} AND fresh.samples < stored.samples;
        DELETE FROM fresh USING late WHERE fresh.server_id = late.server_id AND fresh.metric = late.metric
            AND fresh.ds = late.ds;
        SELECT coalesce(sum(samples), 0)::BIGINT, count(*) FROM late""",
    )
    unconfirmed = _withhold_tenfold(db, work.closed_before, settings, work.confirmed)
    beside = f"metric NOT IN ({', '.join(map(quoted, _capacity_series())) or quoted('')})"
    rows_new = _count(db, f"fresh ANTI JOIN stored USING (server_id, metric, ds) WHERE {beside}")
    differs = for_each(_STATISTICS, "fresh.% IS DISTINCT FROM stored.%", " OR ")
    rows_changed = _count(db, f"fresh JOIN stored USING (server_id, metric, ds) WHERE {beside} AND ({differs})")
    columns = f"server_id, metric, ds, {settings.statistic} AS y, {for_each(_STATISTICS, '%')}"
    db.execute(f"""
        CREATE TABLE panel AS SELECT {columns} FROM fresh
        UNION ALL SELECT {columns} FROM stored ANTI JOIN fresh USING (server_id, metric, ds)
            WHERE {server_of()} NOT IN (SELECT server_id FROM member WHERE hidden)""")
    if _capacity_series():
        _capacities_beside(db)
    return Done(kept_days, rows_new, rows_changed, late_samples, late_periods, unconfirmed)


def _capacities_beside(db: duckdb.DuckDBPyConnection) -> None:
    """What columns said of capacities, beside the values that they are the capacity of."""
    series = ", ".join(map(quoted, _capacity_series()))
    db.execute(f"""
        CREATE TABLE capacity AS SELECT server_id, metric, ds, mean AS capacity FROM panel WHERE metric IN ({series});
        DELETE FROM panel WHERE metric IN ({series});
        CREATE TABLE with_capacity AS
        SELECT panel.*, capacity.capacity FROM panel LEFT JOIN capacity
            ON panel.server_id = capacity.server_id AND panel.ds = capacity.ds
            AND capacity.metric = panel.metric || '_capacity';
        DROP TABLE panel; DROP TABLE capacity; ALTER TABLE with_capacity RENAME TO panel""")


def write(db: duckdb.DuckDBPyConnection, merged: Merge, samples: Path, folder: Path) -> None:
    """Write what ``merge`` made into a panel folder, the next run's history."""
    shutil.rmtree(folder / "samples", ignore_errors=True)
    shutil.copytree(samples, folder / "samples" / "samples")
    _copy(db, _as_file(db), folder / "panel.parquet")
    _copy(db, "FROM server ORDER BY server_id", folder / "servers.parquet")
    _copy(db, "FROM attribute ORDER BY server_id, attribute", folder / "samples" / "attributes.parquet")
    if _count(db, "inventory"):
        _copy(db, "FROM inventory ORDER BY ALL", folder / "samples" / "inventory.parquet")
    days = {f"{day:%Y-%m-%d}": rows for day, rows in sorted(merged.kept_days.items())}
    kept = json.dumps({"since": merged.samples_since.isoformat(), "days": days}) + "\n"
    (folder / "samples" / "kept.json").write_text(kept, encoding="utf-8")


@dataclass(frozen=True)
class Before:
    """What the run before left: periods before ``closed_before`` are closed; ``untouched`` are the days whose samples
    are in ``folder`` and need not be looked at, with their rows; ``rows_dropped`` are rows of its panel that are of no
    use because its periods were of another length. What is of use are the files ``kept``, with samples of other days,
    and ``panel``, if there is one."""

    closed_before: datetime = datetime.min
    rows_dropped: int = 0
    folder: Path = Path()
    untouched: Mapping[datetime, int] = field(default_factory=dict)
    kept: Sequence[Path] = ()
    panel: Path | None = None


def _as_file(db: duckdb.DuckDBPyConnection) -> str:
    """The panel as its file has it: with the columns ``entity`` and ``unit`` where it has entities or own metrics."""
    with_entities, own_metrics = have_entities(db, "panel"), table.own()
    if not with_entities and not own_metrics:
        return "FROM panel ORDER BY server_id, metric, ds"
    columns = "* EXCLUDE (capacity)" if _capacity_series() else "*"
    parts = f"{server_of()} AS server_id"
    entity = f", {entity_of()} AS entity" if with_entities else ""
    units = " ".join(f"WHEN '{name}' THEN {quoted(table.of(name).unit)}" for name in table.names())
    unit = f", CASE metric {units} END AS unit" if own_metrics else ""
    capacity = ", capacity" if _capacity_series() else ""
    replaced = f"{columns} REPLACE ({parts})" if with_entities else columns
    order = "server_id, metric, entity, ds" if with_entities else "server_id, metric, ds"
    return f"FROM (SELECT {replaced}{entity}{unit}{capacity} FROM panel) ORDER BY {order}"


def look_back(
    db: duckdb.DuckDBPyConnection, history: Path | None, settings: Settings, before: Settings | None,
    new_days: Collection[datetime],
) -> Before:  # fmt: skip
    """What of the run before is needed; the servers' attributes are read from it."""
    if history is None or not (history / "panel.parquet").exists():
        return Before()
    panel, samples = history / "panel.parquet", history / "samples"
    db.execute(f"INSERT INTO attribute BY NAME FROM read_parquet({quoted(str(samples / 'attributes.parquet'))})")
    kept = json.loads((samples / "kept.json").read_text(encoding="utf-8"))
    closed_before = datetime.fromisoformat(kept["since"])
    other_periods = before is not None and before.frequency != settings.frequency
    # Panels of earlier versions do not say the days: then all samples are read once.
    all_of_them = other_periods or own.needs_days_around()
    rows_of = {} if all_of_them else {datetime.fromisoformat(day): rows for day, rows in kept.get("days", {}).items()}
    untouched = {day: rows for day, rows in rows_of.items() if day not in new_days}
    left = {file_of(day) for day in untouched}
    touched = sorted(path for path in (samples / "samples").glob("*.parquet") if path.name not in left)
    if other_periods:
        older = f"SELECT count(*) FROM read_parquet({quoted(str(panel))}) WHERE ds < ?"
        return Before(closed_before, one_row(db, older, [closed_before])[0], kept=touched)
    return Before(closed_before, 0, samples / "samples", untouched, touched, panel)


def file_of(day: datetime) -> str:
    """The name of the file with a day's samples."""
    return f"{day:%Y%m%d}.parquet"


def keep_untouched(before: Before, keep_since: datetime, samples: Path) -> dict[datetime, int]:
    """Keep the samples of days that no new sample touches, as they are."""
    kept = {day: rows for day, rows in before.untouched.items() if day >= keep_since}
    for day in kept:
        shutil.copyfile(before.folder / file_of(day), samples / file_of(day))
    return kept


def read_kept(db: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> None:
    """Read samples kept, of the metrics that there are now: settings may have changed meanwhile."""
    if not files:
        return
    relation = f"read_parquet([{', '.join(quoted(str(path)) for path in files)}], union_by_name = true)"
    there = _columns_of(db, relation)
    wanted = [name for name in ("server_id", "sampled_at", *table.columns()) if name in there]
    db.execute(f"INSERT INTO kept BY NAME SELECT {', '.join(wanted)} FROM {relation}")


def read_stored(db: duckdb.DuckDBPyConnection, panel: Path, first: str | None = None, end: str | None = None) -> None:
    """Read the panel of the run before as it was aggregated: by owner, and with capacities as series of their own.

    ``first`` and ``end``: of the servers from that name to before this one only.
    """
    relation = f"read_parquet({quoted(str(panel))})"
    there = _columns_of(db, relation)
    bounds = [f"server_id {sign} {quoted(name)}" for sign, name in ((">=", first), ("<", end)) if name is not None]
    relation = f"(FROM {relation} WHERE {' AND '.join(bounds) or 'true'})"
    owner = owner_of("server_id", "entity") if "entity" in there else "server_id"
    columns = f"{owner} AS server_id, metric, ds, {for_each(_STATISTICS, '%')}"
    known = ", ".join(quoted(name) for name in table.names())
    db.execute(f"INSERT INTO stored BY NAME SELECT {columns} FROM {relation} WHERE metric IN ({known})")
    if "capacity" in there:
        same = for_each(_STATISTICS, "capacity AS %").replace("capacity AS samples", "samples")
        for series in _capacity_series():
            db.execute(f"""
                INSERT INTO stored BY NAME SELECT {owner} AS server_id, '{series}' AS metric, ds, {same} FROM {relation}
                WHERE metric = '{series.removesuffix("_capacity")}' AND capacity IS NOT NULL""")


def _columns_of(db: duckdb.DuckDBPyConnection, relation: str) -> list[str]:
    return [name for name, *_ in db.execute(f"DESCRIBE FROM {relation}").fetchall()]


def _capacity_series() -> list[str]:
    return [one.capacity_series for one in table.own() if one.capacity_series]


def days_of(db: duckdb.DuckDBPyConnection) -> list[tuple[datetime, int]]:
    """The midnights of the days that have samples, oldest first, and how many rows each has."""
    return db.execute(f"""
        SELECT date_trunc('day', sampled_at)::TIMESTAMP AS day, count(*) FROM incoming WHERE {_any_value()}
        GROUP BY day ORDER BY day""").fetchall()


def _slice_rows() -> int:
    """Rows of a slice: fewer where there are more metrics, as their values take the memory."""
    return max(_SLICE_ROWS * 5 // max(len(table.columns()), 5), 1)


def slices_of(days: Sequence[tuple[datetime, int]]) -> list[tuple[datetime, datetime]]:
    """Whole days put together into ranges of about ``_slice_rows`` rows: first midnight, and the midnight after."""
    slices: list[tuple[datetime, datetime]] = []
    most = _slice_rows()
    filled = most
    for midnight, rows in days:
        if filled + rows > most:
            slices.append((midnight, midnight))
            filled = 0
        slices[-1] = (slices[-1][0], midnight + timedelta(days=1))
        filled += rows
    return slices


def _within(begin: datetime, end: datetime) -> str:
    return f"FROM incoming WHERE sampled_at >= {_literal(begin)} AND sampled_at < {_literal(end)}"


def repeated_in(
    db: duckdb.DuckDBPyConnection, slices: Sequence[tuple[datetime, datetime]]
) -> dict[tuple[datetime, datetime], bool]:
    """Of each slice, whether some server has several rows at one moment in it."""
    return {within: _is_repeated(db, *within) for within in slices}


def _is_repeated(db: duckdb.DuckDBPyConnection, begin: datetime, end: datetime) -> bool:
    """Whether some server has several rows at one moment, or, very seldom, only seems to."""
    # Most servers have one row in a minute at most: a bit for each minute of a day shows it in half of the time.
    minute = "(epoch_us(sampled_at) // 60_000_000) % 1440"
    several = db.execute(f"""
        SELECT 1 {_within(begin, end)} GROUP BY server_id, epoch_us(sampled_at) // 86_400_000_000
        HAVING count(*) > bit_count(bitstring_agg({minute}, 0, 1439)) LIMIT 1""").fetchone()
    if several is None:
        return False
    # A hash takes less time and memory than the pair; where two pairs share one, the slice takes the longer way.
    rows, distinct = one_row(db, f"SELECT count(*), count(DISTINCT hash(server_id, sampled_at)) {_within(begin, end)}")
    return rows != distinct


@dataclass(frozen=True)
class Conflict:
    """Different values of one server, metric and moment in one file: the first such moment of a slice, of ``count``.

    ``slice`` and ``metric`` are numbers, in the order in which conflicts are looked for; rows as in ``usable_reading``.
    """

    file: int
    slice: int
    metric: int
    at: datetime
    server: str
    low: float
    high: float
    low_row: int
    high_row: int
    count: int


def conflicts(db: duckdb.DuckDBPyConnection, slices: Mapping[tuple[datetime, datetime], bool]) -> list[Conflict]:
    """The conflicts within files, at most one per file, slice and metric; ``slices`` as ``repeated_in`` says."""
    found: list[Conflict] = []
    differs = for_each(table.columns(), "min(%) <> max(%)", " OR ")
    for number, ((begin, end), repeated) in enumerate(slices.items()):
        if not repeated:
            continue
        any_conflict = db.execute(f"""
            SELECT 1 {_within(begin, end)} AND arrival >= 0
            GROUP BY arrival >> 36, server_id, sampled_at HAVING count(*) > 1 AND ({differs}) LIMIT 1""").fetchone()
        if any_conflict is None:
            continue
        for place, metric in enumerate(table.columns()):
            moments = db.execute(f"""
                SELECT file, unnest(first), count FROM (
                    SELECT file, arg_min(moment, (moment.at, moment.server)) AS first, count(*) AS count FROM (
                        SELECT arrival >> 36 AS file, {{
                            'at': sampled_at, 'server': server_id, 'low': min({metric}), 'high': max({metric}),
                            'low_row': arg_min(arrival & {_ROW}, ({metric}, arrival)),
                            'high_row': arg_min(arrival & {_ROW}, (-{metric}, arrival))
                        }} AS moment
                        {_within(begin, end)} AND arrival >= 0 AND {metric} IS NOT NULL
                        GROUP BY arrival >> 36, server_id, sampled_at HAVING min({metric}) <> max({metric})
                    ) GROUP BY file)""").fetchall()
            found += [Conflict(file, number, place, *moment) for file, *moment in moments]
    return found


def refuse_conflicts(db: duckdb.DuckDBPyConnection, found: Sequence[Conflict], sources: Sequence[Source]) -> bool:
    """Refuse each file that has different values of one server, metric and moment: something tells them apart that
    is not understood, such as several disks, statistics, or machines of one name. Gives whether there was any."""
    by_order = {source.order: source for source in sources}
    of_file: dict[int, list[Conflict]] = {}
    for one in sorted(found, key=lambda one: (one.slice, one.metric, one.at, one.server)):
        same = of_file.setdefault(one.file, [one])
        if same[0] is not one and (one.slice, one.metric) == (same[0].slice, same[0].metric):
            same.append(one)
    refused = []
    for file, [first, *more] in of_file.items():
        count = first.count + sum(one.count for one in more)
        differ = columns_that_differ(db, by_order[file], first.low_row, first.high_row)
        told = f"They differ in {', '.join(map(repr, differ))}" if differ else "Nothing in the file tells them apart"
        refused.append((
            by_order[file],
            f"{table.columns()[first.metric]} of {named(first.server)} has different values at the same moment "
            f"({first.at} UTC: {first.low:g} and {first.high:g}{f', and so at {count} moments' if count > 1 else ''}). "
            f"{told}: export one of them, or say under `sources` in the settings which rows count (where) or that the "
            "busiest does (entities: busiest)",
        ))  # fmt: skip
    refuse(db, refused)
    return bool(refused)


def _make_slice(db: duckdb.DuckDBPyConnection, begin: datetime, end: datetime, repeated: bool) -> None:
    """The view or table ``slice``: the newest value of each sample of some days."""
    within = _within(begin, end)
    if not repeated:
        db.execute(f"CREATE VIEW slice AS SELECT * EXCLUDE (arrival) {within}")
    else:
        _count_duplicates(db, within)
        newest = for_each(table.columns(), "arg_max(%, arrival) AS %")
        db.execute(f"CREATE TABLE slice AS SELECT server_id, sampled_at, {newest} {within} GROUP BY ALL")


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


def _keep(
    db: duckdb.DuckDBPyConnection, days: Sequence[datetime], samples: Path, repeated: bool
) -> dict[datetime, int]:
    """Write the samples of these days of ``slice``, a file per day; gives how many rows each has."""
    # The order means nothing, but the same input makes the same file: rows of a view are in the order of arrival, those
    # of a table of groups in none. Sorting takes as long as all the rest of writing.
    order = "ORDER BY sampled_at, server_id" if repeated else ""

    def write(day: datetime) -> int:
        own = db.cursor()  # days are small: several at once keep all cores busy
        own.execute("USE work")
        end = day + timedelta(days=1)
        of_day = f"FROM slice WHERE sampled_at >= {_literal(day)} AND sampled_at < {_literal(end)} AND ({_any_value()})"
        return _copy(own, f"{of_day} {order}", samples / file_of(day), _FAST_PARQUET)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(days, pool.map(write, days), strict=True))


def keep_together(db: duckdb.DuckDBPyConnection, pieces: Path, target: Path) -> None:
    """Write the samples of one day that several parts of the work have written, files below a folder, as one."""
    relation = f"read_parquet({quoted(str(pieces / '*.parquet'))})"
    _copy(db, f"FROM {relation} ORDER BY sampled_at, server_id", target, _FAST_PARQUET)


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
        WHERE ds < {_literal(closed_before)}
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


def _count_duplicates(db: duckdb.DuckDBPyConnection, within: str) -> None:
    """Count, file by file, the rows whose every value was overtaken by a newer row or was kept from before."""
    newest = for_each(
        table.columns(), "max(arrival) FILTER (% IS NOT NULL) AS %_arrival, max(%) FILTER (arrival < 0) AS %_kept"
    )
    nothing_new = for_each(
        table.columns(), "(row.% IS NULL OR arrival < %_arrival OR coalesce(row.% = %_kept, false))", " AND "
    )
    db.execute(f"""
        INSERT INTO duplicate
        WITH row AS (SELECT * {within}), newest AS (
            SELECT server_id, sampled_at, {newest} FROM row GROUP BY server_id, sampled_at HAVING count(*) > 1
        )
        SELECT arrival >> 36, count(*) FROM row JOIN newest USING (server_id, sampled_at)
        WHERE arrival >= 0 AND ({_any_value()}) AND {nothing_new} GROUP BY ALL""")
    differs = for_each(table.columns(), "min(%) <> max(%)", " OR ")
    db.execute(f"""
        INSERT INTO replaced
        SELECT file, later, count(*) FROM (
            SELECT min(arrival) >> 36 AS file, max(arrival) >> 36 AS later {within} AND arrival >= 0
            GROUP BY server_id, sampled_at HAVING ({differs}) AND min(arrival) >> 36 < max(arrival) >> 36
        ) GROUP BY ALL""")


def _merge_attributes(db: duckdb.DuckDBPyConnection) -> None:
    """Attributes of servers: the one of the newest sample counts, of equally new ones the one that came last.

    What an inventory says is as new as the newest sample that is known when it comes.
    """
    [newest] = one_row(db, """
        SELECT max(moment) FROM (
            SELECT max(newest) AS moment FROM file_told UNION ALL SELECT max(sampled_at) FROM attribute
            UNION ALL SELECT max(ds) FROM stored)""")  # fmt: skip
    is_number = f"attribute IN ({', '.join(quoted(name) for name in NUMBER_ATTRIBUTES)})"
    db.execute(f"""
        CREATE TABLE attribute_seen AS
        WITH seen AS (
            SELECT file, server_id, coalesce(sampled_at, {_literal(newest or datetime.min)}) AS sampled_at, row,
                first_row, unnest([{", ".join(quoted(name) for name in ATTRIBUTES)}]) AS attribute,
                clean(unnest(attributes)) AS value
            FROM attribute_told WHERE file NOT IN (FROM refused_file)
        )
        SELECT *, CASE
            WHEN {is_number} AND try_cast(value AS DOUBLE) IS NULL THEN 'not a number'
            WHEN {is_number} AND NOT coalesce(try_cast(value AS DOUBLE) BETWEEN 0 AND 1e9, false)
                THEN 'outside 0 to 1000000000'
            WHEN length(value) > {NAME_LENGTH} THEN 'longer than {NAME_LENGTH} characters'
            WHEN regexp_matches(value, '\\p{{Cc}}') THEN 'control characters' END AS problem
        FROM seen WHERE NOT is_nothing(value)""")
    db.execute("""
        INSERT INTO attribute_problem
        SELECT file, min(first_row), attribute, value, first(problem) FROM attribute_seen
        WHERE problem IS NOT NULL GROUP BY file, attribute, value""")
    db.execute(f"""
        CREATE TABLE newest AS
        SELECT server_id, attribute, arg_max(value, (sampled_at, file, row)) AS value, max(sampled_at) AS sampled_at
        FROM (
            SELECT server_id, attribute, sampled_at, file, row,
                CASE WHEN {is_number} THEN try_cast(value AS DOUBLE)::VARCHAR ELSE value END AS value
            FROM attribute_seen WHERE problem IS NULL
            UNION ALL
            SELECT server_id, attribute, sampled_at, -1, -1, value FROM attribute
        ) GROUP BY server_id, attribute;
        DROP TABLE attribute; ALTER TABLE newest RENAME TO attribute""")


def list_servers(db: duckdb.DuckDBPyConnection) -> None:
    """The table ``server``: a row per server of the panel, with its attributes."""
    texts = for_each(TEXT_ATTRIBUTES, "max(value) FILTER (attribute = '%') AS %")
    numbers = for_each(NUMBER_ATTRIBUTES, "max(value) FILTER (attribute = '%')::DOUBLE AS %")
    db.execute(f"""
        CREATE TABLE server AS
        SELECT server_id, {texts}, {numbers}
        FROM (SELECT DISTINCT {server_of()} AS server_id FROM panel) LEFT JOIN attribute USING (server_id)
        GROUP BY server_id""")


def _copy(db: duckdb.DuckDBPyConnection, query: str, path: Path, more: str = "") -> int:
    """Write the rows of a query as Parquet; gives their number."""
    options = f"FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1{more}"
    return one_row(db, f"COPY ({query}) TO {quoted(str(path))} ({options})")[0]


def _count(db: duckdb.DuckDBPyConnection, relation: str) -> int:
    return one_row(db, f"SELECT count(*) FROM {relation}")[0]


def _literal(moment: datetime) -> str:
    return f"TIMESTAMP '{moment.isoformat(sep=' ')}'"
