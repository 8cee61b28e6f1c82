"""Shares of one beside percent: columns whose unit nobody said, and servers that stand out in one.

A column that never exceeds 1 could hold shares, or percent of idle servers: it is doubted whole. Where other servers of
the column are clearly in percent, one that never exceeds 1 is idle, or comes from another tool: taken for idle, a
server that is 60 % busy would be switched off. So it is believed to be idle only where its numbers say so themselves.
"""

# ruff: noqa: S608 - SQL is put together of names of our own.

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from headroom.core import metrics
from headroom.intake.entities import server_of
from headroom.intake.sql import for_each, insert_all

if TYPE_CHECKING:
    from headroom.intake.files.sources import Source

# Monitors overshoot a little, also in shares.
ONE = 1.1
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
# Hundredths of a percent and hundredths of one look alike where both have a course; up to here they are believed to be
# an idle server's, which are far more frequent than shares that somebody has rounded. Of the traces' days in which a
# server works, six of ten are above it.
_LITTLE = 0.6
# Steps between a server's numbers: of shares they would be three percent of the machine.
_WIDE = 0.03
# About so many rows of a file, evenly spread, tell how many decimals it has; its so many busiest servers have a course
# to compare with.
_ROWS, _OTHERS = 10_000, 5
_NAMES = 3

Doubts = list[tuple[int, str, str]]
DoubtsOfServers = list[tuple[int, str, str, str]]


class _Low(NamedTuple):
    """A server's numbers up to one: their decimals, the highest, whether they are many, and vary as an idle one's."""

    decimals: int
    most: float
    many: bool
    varies: bool


def find(db: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> tuple[Doubts, DoubtsOfServers]:
    """Columns in doubt (file, metric, reason), and servers in doubt within others (file, metric, reason, server).

    What is found of a file rests on its own rows alone: files may come in any order, and one by one.
    """
    highest = for_each(metrics.percent_names(), "max(%_most), min(%_least), bool_or(%_fractions)")
    found = db.execute(f"SELECT file, {highest} FROM extent GROUP BY file ORDER BY file").fetchall()
    by_order = {source.order: source for source in sources}
    columns: Doubts = []
    percent: dict[tuple[str, bool], list[tuple[Source, bool]]] = defaultdict(list)
    for file, *rest in found:
        for place, metric in enumerate(metrics.percent_names()):
            most, least, fractions = rest[3 * place : 3 * place + 3]
            certain, free = said(by_order[file], metric)
            if most is None or not fractions or certain:
                continue
            if (least >= 99 and most <= 100) if free else (most <= ONE and least >= 0):
                columns.append((
                    file, metric,
                    f"{metric} never exceeds 1 here: shares of one, or percent of idle servers? Say it under `units` "
                    f"in the settings ({metric}: ratio, or {metric}: percent) or in the heading ([%])",
                ))  # fmt: skip
            else:
                has_low = (most >= 100 - ONE) if free else (least <= ONE)
                percent[metric, free].append((by_order[file], has_low))
    servers: DoubtsOfServers = []
    for (metric, free), files in sorted(percent.items(), key=lambda item: item[0][0] == "cpu"):
        any_low = any(has_low for _, has_low in files)
        low, at_times = _low_servers(db, metric, free, files) if any_low else ({}, {})
        if at_times:
            servers += _changed(db, metric, free, at_times)
        if low:
            already = {(file, server) for file, _, _, server in servers}
            servers += _servers(db, metric, free, already, low)
    return columns, servers


def said(source: Source, metric: str) -> tuple[bool, bool]:
    """Whether a file says the unit of a metric, and whether its values are what is free."""
    meanings = [meaning for name, meaning in source.meanings if name == metric]
    return all(meaning.certain for meaning in meanings), any(meaning.free for meaning in meanings)


def _number(metric: str, free: bool) -> str:
    """The SQL of a value as the file has it."""
    return f"(100 - {metric})" if free else metric


def _most(metric: str, free: bool) -> str:
    """The SQL of a server's highest value, as the file has it."""
    return f"(100 - {metric}_least)" if free else f"{metric}_most"


def _above(metric: str, free: bool) -> str:
    """The SQL of a server's lowest value above one, as the file has it."""
    return f"(100 - {metric}_below)" if free else f"{metric}_above"


def _decimals(number: str) -> str:
    return f"CASE {' '.join(f'WHEN {_fits(number, places)} THEN {places}' for places in range(1, 7))} ELSE 7 END"


def _low_servers(
    db: duckdb.DuckDBPyConnection, metric: str, free: bool, files: Sequence[tuple[Source, bool]]
) -> tuple[dict[int, dict[str, _Low]], dict[int, dict[str, _Low]]]:
    """The servers that never exceed 1, by files in which others do, and those that do so at times and never by a
    little; with each file, whether it has such low numbers at all."""
    number = _number(metric, free)
    orders = ", ".join(str(source.order) for source, has_low in files if has_low)
    low: dict[int, dict[str, _Low]] = defaultdict(dict)
    at_times: dict[int, dict[str, _Low]] = defaultdict(dict)
    for file, server, always, *rest in db.execute(f"""
        WITH asked AS (
            SELECT file, {server_of()} AS server, max({_most(metric, free)}) <= {ONE} AS always
            FROM extent WHERE file IN ({orders}) GROUP BY ALL HAVING always OR min({_above(metric, free)}) > {_GAP}
        ), low AS (
            SELECT file, server_id, count(*) AS samples, max({_decimals(number)}) AS decimals,
                max({number}) AS most, stddev({number}) / nullif(avg({number}), 0) AS noise,
                bool_or({number} <> floor({number})) AS fractions
            FROM reading SEMI JOIN (
                SELECT file, server_id FROM extent WHERE (file, {server_of()}) IN (SELECT (file, server) FROM asked)
            ) USING (file, server_id)
            WHERE {number} BETWEEN 0 AND {ONE} GROUP BY file, server_id
        ), of_server AS (
            SELECT file, {server_of()} AS server, max(decimals) AS decimals, max(most) AS most,
                sum(samples) AS samples, max(noise) AS noise
            FROM low GROUP BY ALL HAVING bool_or(fractions)
        )
        SELECT file, server, always, decimals, most, samples >= {_SAMPLES}, coalesce(noise >= {_NOISE}, false)
        FROM of_server JOIN asked USING (file, server) ORDER BY file, server""").fetchall():
        (low if always else at_times)[file][server] = _Low(*rest)
    return low, at_times


def _changed(
    db: duckdb.DuckDBPyConnection, metric: str, free: bool, at_times: Mapping[int, Mapping[str, _Low]]
) -> DoubtsOfServers:
    """The servers whose numbers are below 1 at times, in finer numbers than others are, and never a little above."""
    usual = _usual_decimals(db, metric, _number(metric, free), at_times)
    found: DoubtsOfServers = []
    for file, servers in at_times.items():
        for server, one in servers.items():
            if one.many and one.decimals > usual.get(file, 0):
                reason = (
                    f"{metric} of {server} is at times below 1, with more decimals than above: has it changed from "
                    f"percent to shares of one? If all are percent, say units: {{{metric}: percent}} in the settings"
                )
                found.append((file, metric, reason, server))
    return found


def _usual_decimals(db: duckdb.DuckDBPyConnection, metric: str, number: str, files: Collection[int]) -> dict[int, int]:
    """How many decimals the numbers above 1 of some files have at most."""
    orders = ", ".join(map(str, files)) or "NULL"
    return dict(db.execute(f"""
        SELECT file, max({_decimals(number)}) FROM reading
        JOIN (SELECT file, min(rowid) AS first, count(*) // {_ROWS} + 1 AS step FROM reading
            WHERE file IN ({orders}) GROUP BY file) USING (file)
        WHERE (reading.rowid - first) % step = 0 AND {number} > {ONE} AND isfinite({metric})
        GROUP BY file""").fetchall())  # fmt: skip


def _servers(
    db: duckdb.DuckDBPyConnection,
    metric: str,
    free: bool,
    doubted_already: set[tuple[int, str]],
    low: Mapping[int, Mapping[str, _Low]],
) -> DoubtsOfServers:
    """Those of the ``low`` servers of which nothing says that they are idle.

    Nobody writes shares with one decimal. A CPU may be in percent by its numbers (see ``_idle_cpus``); a memory is
    never below 1 %, and a disk's numbers have no course. A server (by file) whose memory or disk is doubted is not idle
    either.
    """
    asked = {
        file: {server: one for server, one in servers.items() if one.decimals > 1} for file, servers in low.items()
    }
    idle = _idle_cpus(db, metric, _number(metric, free), asked) if metric == "cpu" else set()
    found: DoubtsOfServers = []
    for file, servers in low.items():
        doubted = [
            server
            for server in servers
            if (server in asked[file] and (file, server) not in idle) or (file, server) in doubted_already
        ]
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


def _idle_cpus(
    db: duckdb.DuckDBPyConnection, metric: str, number: str, low: Mapping[int, Mapping[str, _Low]]
) -> set[tuple[int, str]]:
    """Those of some files' servers whose CPU is in percent by what its numbers say, each with its file.

    One that varies and never does more than a little, with two decimals where the others have two: of a share those
    would be whole percents, beside hundredths of a percent. Then, with no more decimals than the others, one whose
    numbers have no course, such as the noise of an idle server, beside others with one; and one that is at nothing for
    most of the time and otherwise makes steps so wide that no tool measures shares by them.
    """
    usual = _usual_decimals(db, metric, number, [file for file, servers in low.items() if servers])
    idle: set[tuple[int, str]] = set()
    asked: set[tuple[int, str]] = set()
    for file, servers in low.items():
        for server, one in servers.items():
            if one.decimals == usual.get(file) == 2 and one.many and one.varies and one.most <= _LITTLE:
                idle.add((file, server))
            elif one.decimals <= usual.get(file, 0):
                asked.add((file, server))
    if not asked:
        return idle
    files = ", ".join(map(str, {file for file, _ in asked})) or "NULL"
    busiest = db.execute(f"""
        SELECT file, server_id FROM reading WHERE file IN ({files}) AND isfinite({metric}) GROUP BY file, server_id
        QUALIFY row_number() OVER (PARTITION BY file ORDER BY avg({number}) DESC, server_id) <= {_OTHERS}""").fetchall()
    db.execute("CREATE OR REPLACE TEMP TABLE compared (file INTEGER, server_id VARCHAR)")
    insert_all(db, "compared", sorted({*asked, *busiest}))
    course = {(file, server): (alike, noise) for file, server, alike, noise in db.execute(f"""
        SELECT file, server_id, corr(value, before), stddev(value) / avg(value) FROM (
            SELECT file, server_id, {number} AS value, lag({number}) OVER (
                PARTITION BY file, server_id ORDER BY sampled_at) AS before
            FROM reading SEMI JOIN compared USING (file, server_id)
            WHERE isfinite({metric}) AND sampled_at IS NOT NULL
        ) GROUP BY file, server_id HAVING count(before) >= {_SAMPLES} AND NOT isnan(corr(value, before))""",
    ).fetchall()}  # fmt: skip
    idle |= (
        set(
            db.execute(f"""
        SELECT file, server_id FROM (
            SELECT file, server_id, value, samples, value - lag(value) OVER (
                PARTITION BY file, server_id ORDER BY value) AS step
            FROM (SELECT file, server_id, {number} AS value, count(*) AS samples
                FROM reading SEMI JOIN compared USING (file, server_id) WHERE isfinite({metric}) GROUP BY ALL)
        ) GROUP BY file, server_id
        HAVING min(step) >= {_WIDE} AND sum(samples) FILTER (value = 0) > sum(samples) / 2
            AND sum(samples) >= {_SAMPLES}""").fetchall()
        )
        & asked
    )
    of_others: dict[int, list[float]] = defaultdict(list)
    for file, server in busiest:
        if (file, server) in course and (file, server) not in asked:
            of_others[file].append(course[file, server][0])
    for file, server in asked & course.keys():
        others = sorted(of_others[file])
        alike, noise = course[file, server]
        if others and others[len(others) // 2] >= _COURSE and alike < _NO_COURSE and noise >= _NOISE:
            idle.add((file, server))
    return idle


def _fits(number: str, places: int) -> str:
    """The SQL condition of a number with so many decimals at most."""
    return f"abs({number} * 1e{places} - round({number} * 1e{places})) < 1e-6"
