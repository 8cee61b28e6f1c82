"""Conflicts: different values of one server, metric and moment within one file, which is refused for it."""

# ruff: noqa: S608 - SQL is put together of names and literals of our own; data never becomes part of it.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from headroom.core import metrics as table
from headroom.core.series import named
from headroom.intake.files.sources import Source
from headroom.intake.files.tables import field_of, scan_of
from headroom.intake.reading import refuse
from headroom.intake.servers.slices import within
from headroom.intake.sql import for_each, one_row
from headroom.intake.unreadable import in_settings
from headroom.intake.words.headings import plain

# Values that differ by less are the same: 100 minus what is idle, and what is active.
_SAME = 1e-6
# An arrival is the file's order and, in its lower 36 bits, the row.
_ROW = (1 << 36) - 1


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


def find(db: duckdb.DuckDBPyConnection, slices: Mapping[tuple[datetime, datetime], bool]) -> list[Conflict]:
    """The conflicts within files, at most one per file, slice and metric; ``slices`` as ``repeated_in`` says."""
    found: list[Conflict] = []
    differs = for_each(table.columns(), f"max(%) - min(%) > {_SAME}", " OR ")
    for number, ((begin, end), repeated) in enumerate(slices.items()):
        if not repeated:
            continue
        any_conflict = db.execute(f"""
            SELECT 1 {within(begin, end)} AND arrival >= 0
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
                        {within(begin, end)} AND arrival >= 0 AND {metric} IS NOT NULL
                        GROUP BY arrival >> 36, server_id, sampled_at HAVING max({metric}) - min({metric}) > {_SAME}
                    ) GROUP BY file)""").fetchall()
            found += [Conflict(file, number, place, *moment) for file, *moment in moments]
    return found


def refuse_all(db: duckdb.DuckDBPyConnection, found: Sequence[Conflict], sources: Sequence[Source]) -> bool:
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
        in_all = f", and at {count} moments in all" if count > 1 else ""
        refused.append((
            by_order[file],
            f"{table.columns()[first.metric]} of {named(first.server)} has different values at the same moment "
            f"({first.at} UTC: {first.low:g} and {first.high:g}{in_all}). "
            + _what_tells_apart(db, by_order[file], first.low_row, first.high_row),
        ))  # fmt: skip
    refuse(db, refused)
    return bool(refused)


# Columns that say a part of the time.
_OF_TIME = {"hour", "minute", "stunde", "heure", "hora", "ora", "uur", "timeofday"}


def _what_tells_apart(db: duckdb.DuckDBPyConnection, source: Source, one: int, other: int) -> str:
    """In what two rows of a file differ, and what to do; rows are numbered as in ``file_told``."""
    layout = source.known_layout
    [first] = one_row(db, "SELECT first FROM file_told WHERE file = ?", [source.order])
    rows = []
    for row in (one, other):
        fields = ", ".join(f"coalesce({field_of(layout, place)}, '')" for place in range(len(layout.columns)))
        found = db.execute(f"SELECT {fields} FROM {scan_of(layout, [source.readable])} LIMIT 1 OFFSET {row - first}")
        rows.append(found.fetchone() or ())
    values = {place for column, place in layout.places if column in table.columns() or column == "value"}
    places = [place for place, (a, b) in enumerate(zip(*rows, strict=False)) if a != b and place not in values]
    if layout.place("timestamp") in places:
        low, high = (row[layout.required_place("timestamp")] for row in rows)
        return (
            f"Its times {low!r:.60} and {high!r:.60} are one moment as they are read: say under `sources` in the "
            "settings in which zone they are (timezone: Europe/Berlin), or export times in UTC"
        )
    differ = [layout.columns[place] for place in places if layout.columns[place]]
    told = f"They differ in {', '.join(map(repr, differ))}" if differ else "Nothing in the file tells them apart"
    if any(plain(heading) in _OF_TIME for heading in differ):
        return f"{told}: write date and time of day into one column"
    known = dict(layout.places).values()
    free = [layout.columns[place] for place in places if layout.columns[place] and place not in known]
    mapping = in_settings("columns", free[0], "server_id") if free and not layout.export else ""
    named_there = f", map the one that names servers ({mapping})" if mapping else ""
    return (
        f"{told}: export one of them{named_there}, or say under `sources` in the settings which rows count (where), or "
        "keep the highest value (entities: busiest)"
    )
