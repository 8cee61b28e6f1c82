"""Shares of one beside percent: columns whose unit nobody said, and servers that stand out in one.

A column that never exceeds 1 could hold shares, or percent of idle servers: it is doubted whole. Where other servers of
the column are clearly in percent, one that never exceeds 1 is idle, or comes from another tool: taken for idle, a
server that is 60 % busy would be switched off. So it is believed to be idle only where its numbers say so themselves.
"""

# ruff: noqa: S608 - SQL is put together of names of our own.

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import duckdb

from headroom.core import metrics
from headroom.intake.entities import server_of
from headroom.intake.tables import one_row

if TYPE_CHECKING:
    from headroom.intake.layout import Layout
    from headroom.intake.sources import Source

# Monitors overshoot a little, also in shares.
_ONE = 1.1
# Above one and up to here a server elsewhere in the same layout is plainly a little busy, and in percent.
_A_LITTLE = 10.0
# A server that works at times has numbers between these two as well; one whose unit has changed has none.
_GAP = 3.0
# So few numbers say nothing of their course.
_SAMPLES = 24
# How alike successive samples are (their correlation): below the first they have no course, above the second they do.
# Of the Bitbrains traces' days of servers, 93 % of those that never exceed 1 % are below the first, and 2 % of those
# that are above 20 % half of the time.
_NO_COURSE, _COURSE = 0.3, 0.5
# How far samples lie apart (standard deviation by mean): a busy server without a course is one that works to its limit
# all day, at 0.01 at most in these traces; of those that never exceed 1 %, 98 % are above 0.07.
_NOISE = 0.05
# Rows of a file that tell how many decimals it has, and the busiest servers, whose course is compared.
_ROWS, _OTHERS = 10_000, 5
_NAMES = 3

Doubts = list[tuple[int, str, str]]
DoubtsOfServers = list[tuple[int, str, str, str]]
# Files that can speak for each other's servers: their layout, the metric, and whether its values are what is free.
Alike = tuple["Layout", str, bool]


@dataclass(frozen=True)
class Seen:
    """What files can say of each other's servers.

    Attributes:
        highest: of files that are alike, each server's highest number, where it is above one.
        low: of files that are alike, the servers that never exceed one in some file in which others do.
    """

    highest: Mapping[Alike, Mapping[str, float]] = field(default_factory=dict)
    low: Mapping[Alike, Collection[str]] = field(default_factory=dict)

    def idle(self) -> dict[Alike, set[str]]:
        """The servers that are plainly a little busy, and so in percent."""
        return {
            alike: {server for server, most in servers.items() if most <= _A_LITTLE}
            for alike, servers in self.highest.items()
        }


def together(seen: Sequence[Seen]) -> Seen:
    """What all files say of each other's servers, from what some say."""
    highest: dict[Alike, dict[str, float]] = defaultdict(dict)
    low: dict[Alike, set[str]] = defaultdict(set)
    for one in seen:
        for alike, servers in one.highest.items():
            for server, most in servers.items():
                highest[alike][server] = max(most, highest[alike].get(server, most))
        for alike, names in one.low.items():
            low[alike].update(names)
    return Seen(highest, low)


def would_differ(seen: Seen, of_all: Mapping[Alike, Collection[str]]) -> bool:
    """Whether some files would be read differently if they knew which servers are idle by what all files say."""
    own = seen.idle()
    return any(
        (server in own.get(alike, ())) != (server in of_all.get(alike, ()))
        for alike, servers in seen.low.items()
        for server in servers
    )


def find(
    db: duckdb.DuckDBPyConnection,
    sources: Sequence[Source],
    idle: Mapping[Alike, Collection[str]] | None = None,
) -> tuple[Doubts, DoubtsOfServers, Seen]:
    """Columns in doubt (file, metric, reason), servers in doubt within others (file, metric, reason, server), and what
    these files can say of others' servers. ``idle``: what all files say, where these are not all; empty if it is not
    known yet."""
    highest = ", ".join(
        f"max({metric}) FILTER (isfinite({metric})), min({metric}), "
        f"count(*) FILTER ({metric} BETWEEN 0 AND 100 AND {metric} <> floor({metric}))"
        for metric in metrics.percent_names()
    )
    found = db.execute(f"SELECT file, {highest} FROM reading GROUP BY file ORDER BY file").fetchall()
    by_order = {source.order: source for source in sources}
    columns: Doubts = []
    percent: dict[tuple[str, bool], list[tuple[Source, bool]]] = defaultdict(list)
    for file, *rest in found:
        for place, metric in enumerate(metrics.percent_names()):
            most, least, fractions = rest[3 * place : 3 * place + 3]
            certain, free = said(by_order[file], metric)
            if most is None or not fractions or certain:
                continue
            if (least >= 99 and most <= 100) if free else (most <= _ONE and least >= 0):
                columns.append((
                    file, metric,
                    f"{metric} never exceeds 1 here: shares of one, or percent of idle servers? Say it under `units` "
                    f"in the settings ({metric}: ratio, or {metric}: percent) or in the heading ([%])",
                ))  # fmt: skip
            else:
                has_low = (most >= 100 - _ONE) if free else (least <= _ONE)
                percent[metric, free].append((by_order[file], has_low))
    servers: DoubtsOfServers = []
    seen: list[Seen] = []
    for (metric, free), files in sorted(percent.items(), key=lambda item: item[0][0] == "cpu"):
        low = _low_servers(db, metric, free, files) if any(has_low for _, has_low in files) else {}
        if low or idle is not None:
            seen.append(_seen(db, metric, free, files, low))
        if any(has_low for _, has_low in files):
            servers += _changed(db, metric, free)
        if low:
            already = {(file, server) for file, _, _, server in servers}
            servers += _servers(db, metric, free, files, already, low, idle or seen[-1].idle())
    return columns, servers, together(seen)


def said(source: Source, metric: str) -> tuple[bool, bool]:
    """Whether a file says the unit of a metric, and whether its values are what is free."""
    meanings = [meaning for name, meaning in source.meanings if name == metric]
    return all(meaning.certain for meaning in meanings), any(meaning.free for meaning in meanings)


def _seen(
    db: duckdb.DuckDBPyConnection,
    metric: str,
    free: bool,
    files: Sequence[tuple[Source, bool]],
    low: Mapping[int, Sequence[str]],
) -> Seen:
    by_order = {source.order: source for source, _ in files}
    number = _number(metric, free)
    highest: dict[Alike, dict[str, float]] = defaultdict(dict)
    for file, server, most in db.execute(f"""
        SELECT file, {server_of()} AS server, max({number}) AS most FROM reading
        WHERE file IN ({", ".join(map(str, by_order))}) AND isfinite({metric})
        GROUP BY ALL HAVING most > {_ONE}""").fetchall():
        alike = by_order[file].known_layout, metric, free
        highest[alike][server] = max(most, highest[alike].get(server, most))
    low_of: dict[Alike, set[str]] = defaultdict(set)
    for file, servers in low.items():
        low_of[by_order[file].known_layout, metric, free].update(servers)
    return Seen(highest, low_of)


def _number(metric: str, free: bool) -> str:
    """The SQL of a value as the file has it."""
    return f"(100 - {metric})" if free else metric


def _decimals(number: str) -> str:
    return f"CASE {' '.join(f'WHEN {_fits(number, places)} THEN {places}' for places in range(1, 7))} ELSE 7 END"


def _low_servers(
    db: duckdb.DuckDBPyConnection, metric: str, free: bool, files: Sequence[tuple[Source, bool]]
) -> dict[int, list[str]]:
    """The servers that never exceed 1, by files in which others do (table ``low_server``); with each file, whether it
    has such low numbers at all."""
    number = _number(metric, free)
    decimals = _decimals(number)
    orders = ", ".join(str(source.order) for source, has_low in files if has_low)
    db.execute(f"""
        CREATE OR REPLACE TEMP TABLE low AS
        SELECT file, server_id, count(*) AS samples, max({decimals}) AS decimals,
            stddev({number}) / nullif(avg({number}), 0) AS noise, bool_or({number} <> floor({number})) AS fractions
        FROM reading WHERE file IN ({orders}) AND {number} BETWEEN 0 AND {_ONE} GROUP BY file, server_id;
        CREATE OR REPLACE TEMP TABLE low_server AS
        SELECT file, {server_of()} AS server, sum(samples) AS samples, max(decimals) AS decimals, max(noise) AS noise
        FROM low
        GROUP BY ALL HAVING bool_or(fractions)""")
    db.execute(f"""
        CREATE OR REPLACE TEMP TABLE higher AS
        SELECT file, {server_of()} AS server, min({number}) AS least FROM reading
        WHERE file IN ({orders}) AND {number} > {_ONE} AND isfinite({metric}) GROUP BY ALL;
        CREATE OR REPLACE TEMP TABLE low_at_times AS
        SELECT file, server, samples, decimals, least FROM low_server JOIN higher USING (file, server);
        DELETE FROM low_server WHERE (file, server) IN (SELECT (file, server) FROM higher)""")
    low = db.execute("SELECT file, list(server ORDER BY server) FROM low_server GROUP BY file ORDER BY file").fetchall()
    return dict(low)


def _changed(db: duckdb.DuckDBPyConnection, metric: str, free: bool) -> DoubtsOfServers:
    """The servers whose numbers are below 1 at times, in finer numbers than others are, and never a little above."""
    found: DoubtsOfServers = []
    at_times = db.execute(
        "SELECT file, server, decimals FROM low_at_times WHERE samples >= ? AND least > ? ORDER BY ALL",
        [_SAMPLES, _GAP],
    )
    for file, server, most in at_times.fetchall():
        if most > _usual_decimals(db, metric, _number(metric, free), file):
            reason = (
                f"{metric} of {server} is at times below 1, with more decimals than above: has it changed from percent "
                f"to shares of one? If all are percent, say units: {{{metric}: percent}} in the settings"
            )
            found.append((file, metric, reason, server))
    return found


def _usual_decimals(db: duckdb.DuckDBPyConnection, metric: str, number: str, file: int) -> int:
    """How many decimals a file's numbers above 1 have at most."""
    above = f"FROM reading WHERE file = {file} AND isfinite({metric}) AND {number} > {_ONE} LIMIT {_ROWS}"
    [usual] = one_row(db, f"SELECT coalesce(max({_decimals(number)}), 0) FROM (SELECT {metric} {above})")
    return usual


def _servers(
    db: duckdb.DuckDBPyConnection,
    metric: str,
    free: bool,
    files: Sequence[tuple[Source, bool]],
    doubted_already: set[tuple[int, str]],
    low: Mapping[int, Sequence[str]],
    idle_elsewhere: Mapping[Alike, Collection[str]],
) -> DoubtsOfServers:
    """Those of the ``low`` servers of which nothing says that they are idle.

    A server (by file) whose memory or disk is doubted is not idle either.
    """
    by_order = {source.order: source for source, _ in files}
    found: DoubtsOfServers = []
    for file, servers in low.items():
        elsewhere = idle_elsewhere.get((by_order[file].known_layout, metric, free), ())
        idle = _idle(db, metric, _number(metric, free), file, elsewhere)
        doubted = [server for server in servers if server not in idle or (file, server) in doubted_already]
        if not doubted:
            continue
        names = ", ".join(server or "?" for server in doubted[:_NAMES]) + (", …" if len(doubted) > _NAMES else "")
        reason = (
            f"{metric} of {names} never exceeds 1, and that of others does: shares of one, or percent of idle servers? "
            f"If all are percent, say units: {{{metric}: percent}} in the settings; if these are shares, export them "
            "in percent"
        )
        found += [(file, metric, reason, server) for server in doubted]
    return found


def _idle(db: duckdb.DuckDBPyConnection, metric: str, number: str, file: int, elsewhere: Collection[str]) -> set[str]:
    """Those of a file's servers below 1 that are in percent, by what their numbers say.

    Nobody writes shares with one decimal. A server that exceeds 1 by a little in another file of the same layout is in
    percent. So is a CPU that varies, with two decimals where the others have two: of a share those would be whole
    percents, beside hundredths of a percent. And numbers without a course, such as the noise of an idle server, beside
    others with one, and with no more decimals than these, are percent too. A memory is never below 1 %, and a disk's
    numbers have no course.
    """
    known = db.execute(
        "SELECT server, decimals, samples >= ? AND noise >= ? FROM low_server WHERE file = ?", [_SAMPLES, _NOISE, file]
    ).fetchall()
    written = {server: most for server, most, _ in known}
    idle = {server for server, most in written.items() if most <= 1}
    idle |= written.keys() & set(elsewhere)
    if metric != "cpu" or idle.issuperset(written):
        return idle
    of_file = f"FROM reading WHERE file = {file} AND isfinite({metric})"
    usual = _usual_decimals(db, metric, number, file)
    idle |= {server for server, most, varies in known if most == usual == 2 and varies}
    asked = [server for server, most in written.items() if most <= usual and server not in idle]
    if not asked:
        return idle
    busiest = [server for (server,) in db.execute(f"""
        SELECT server_id {of_file} GROUP BY server_id ORDER BY avg({number}) DESC, server_id LIMIT {_OTHERS}""",
    ).fetchall()]  # fmt: skip
    course = {server: (alike, noise) for server, alike, noise in db.execute(f"""
        SELECT server_id, corr(value, before), stddev(value) / avg(value) FROM (
            SELECT server_id, {number} AS value, lag({number}) OVER (
                PARTITION BY server_id ORDER BY sampled_at) AS before
            {of_file} AND sampled_at IS NOT NULL AND server_id IN (SELECT unnest(?))
        ) GROUP BY server_id HAVING count(before) >= {_SAMPLES} AND NOT isnan(corr(value, before))""",
        [asked + busiest],
    ).fetchall()}  # fmt: skip
    of_others = sorted(course[server][0] for server in busiest if server in course and server not in asked)
    if of_others and of_others[len(of_others) // 2] >= _COURSE:
        without = {server for server, (alike, noise) in course.items() if alike < _NO_COURSE and noise >= _NOISE}
        idle |= without & set(asked)
    return idle


def _fits(number: str, places: int) -> str:
    """The SQL condition of a number with so many decimals at most."""
    return f"abs({number} * 1e{places} - round({number} * 1e{places})) < 1e-6"
