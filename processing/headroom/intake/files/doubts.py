"""Doubts about whole columns of a file, which single values do not raise: shares (see ``shares``), percent per core,
counters.

Each makes a row of the table ``doubt``: the file's values of that metric, or those of one server, are quarantined, with
the reason.
"""

# ruff: noqa: S608 - SQL is put together of names of our own.

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import duckdb

from headroom.core import metrics
from headroom.intake.files import shares
from headroom.intake.files.layout import PERCENT_LIMIT
from headroom.intake.sql import for_each, insert_all, quoted

if TYPE_CHECKING:
    from headroom.intake.files.sources import Source

# So large a part of a server's values above the limit is not a spike that a monitor overshot by.
_OFTEN = 0.05
# Numbers that say how all of a column are written; and all that may have been a number, but for a spreadsheet's errors
# (``#DIV/0!``), of which so large a part of a server's rows is no accident.
_WITH_MARKS = r"^\s*[-+]?\d[\d.,]*([.,]\d{3}|\s*[A-Za-zµ/]+)\s*$"
_LIKE_A_NUMBER = r"(?i)(^|[^/\d])\d|∞|^\s*#+\s*$|^\s*[-+]?inf"
_FEW = 0.01
# A rate that has not fallen once in so many samples, and has doubled, is a count since some start.
_COUNTER_SAMPLES = 24
_RATES = [name for name, one in metrics.BUILT_IN.items() if not one.percent]
# What numbers of cores and gigabytes usually are; 1 and 2 alone may as well be the percent of an idle server.
_SIZES = (1, 2, 4, 6, 8, 10, 12, 16, 20, 24, 32, 36, 40, 48, 56, 60, 64, 72, 80, 96)


def find(db: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> None:
    """Make the tables ``doubt`` (file, metric, reason, and server where only its values are doubted), ``doubt_of_file``
    and ``doubt_of_server`` (one row per file, or file and server, with ``<metric>_doubt``), after ``measure``."""
    db.execute("CREATE TABLE doubt (file INTEGER, metric VARCHAR, reason VARCHAR, server VARCHAR)")
    columns, servers = shares.find(db, sources)
    found = [*_unreadable_numbers(db), *_sizes(db, sources), *columns, *_more_than_all(db), *_counters(db)]
    insert_all(db, "doubt", [*((*one, None) for one in found), *servers])
    each = ", ".join(f"min(reason) FILTER (metric = '{metric}') AS {metric}_doubt" for metric in metrics.columns())
    db.execute(f"""
        CREATE TABLE doubt_of_file AS SELECT file, {each} FROM doubt WHERE server IS NULL GROUP BY file;
        CREATE TABLE doubt_of_server AS SELECT file, server, {each} FROM doubt WHERE server IS NOT NULL
        GROUP BY file, server""")


def measure(db: duckdb.DuckDBPyConnection) -> None:
    """The table ``extent``: how many ``rows`` each server has in each file, and how far its numbers go, found in one
    look at all rows.

    Of percentages ``_least``, ``_most``, the least ``_above`` one and the most ``_below`` 100 by more than one (see
    ``shares``), ``_samples`` and whether there are ``_fractions``; NaN and infinity are left out. Of rates the
    ``_first`` row.
    """
    percent = for_each(
        metrics.percent_names(),
        f"""
        min(%) AS %_least, max(%) AS %_most, min(CASE WHEN % > {shares.ONE} THEN % END) AS %_above,
        max(CASE WHEN 100 - % > {shares.ONE} THEN % END) AS %_below,
        count(%) AS %_samples, bool_or(% BETWEEN 0 AND 100 AND % <> floor(%)) AS %_fractions""",
    )
    finite = for_each(metrics.percent_names(), "CASE WHEN isfinite(%) THEN % END AS %")
    rates = for_each(_RATES, "min(rowid) FILTER (% IS NOT NULL) AS %_first")
    db.execute(f"""
        CREATE OR REPLACE TEMP TABLE extent AS
        SELECT file, server_id, count(*) AS rows, {percent}, {rates}
        FROM (SELECT file, server_id, rowid, {", ".join(_RATES)}, {finite} FROM reading)
        GROUP BY file, server_id""")


def _unreadable_numbers(db: duckdb.DuckDBPyConnection) -> list[tuple[int, str, str]]:
    """Columns in which some numbers cannot be read: without them, which may be the large ones, the rest would lie.

    One with thousands or a unit says how all are written. Others may be damaged (``4?.2``), and count where a server
    has more than a few (``<0.1``, ``97.3 (!)``, ``####``).
    """
    found = []
    for place, metric in enumerate(metrics.columns(), start=6):
        rows = db.execute(f"""
            SELECT file, arg_max(cell, (of_all, cell)) FROM (
                SELECT file, server_id, evidence[{place}] AS cell,
                    regexp_matches(cell, {quoted(_WITH_MARKS)}) AS of_all,
                    count(*) OVER (PARTITION BY file, server_id) AS several
                FROM reading WHERE evidence IS NOT NULL AND NOT coalesce(isfinite({metric}), false)
                    AND cell <> '' AND regexp_matches(cell, {quoted(_LIKE_A_NUMBER)})
            ) JOIN extent USING (file, server_id)
            WHERE of_all OR (several > 1 AND several > {_FEW} * rows) GROUP BY file""").fetchall()
        for file, example in rows:
            found.append((
                file, metric,
                f"{metric} has numbers that are not clear, such as {example!r}: export plain numbers without marks, "
                "thousands separators and units, or say decimal_mark under `sources` in the settings",
            ))  # fmt: skip
    return found


def _sizes(db: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> list[tuple[int, str, str]]:
    """Columns of a bare name in which every server has one number that never changes, as cores and gigabytes do."""
    found = []
    by_order = {source.order: source for source in sources}
    like_sizes = {
        metric: db.execute(f"""
            SELECT file, min({metric}_least), max({metric}_most), min({metric}_samples) FROM extent
            WHERE {metric}_samples > 0 GROUP BY file
            HAVING bool_and({metric}_least = {metric}_most AND {metric}_most IN {_SIZES}) AND max({metric}_most) >= 4
                AND (min({metric}_samples) >= {_COUNTER_SAMPLES} OR count(*) > 1)""").fetchall()
        for metric in ("cpu", "memory")
    }
    # Fewer samples, as an inventory with a time has, tell enough where both are so, of several servers.
    both = {file for file, *_ in like_sizes["cpu"]} & {file for file, *_ in like_sizes["memory"]}
    for metric, rows in like_sizes.items():
        for file, least, most, samples in rows:
            enough = samples >= _COUNTER_SAMPLES or file in both
            if enough and not shares.said(by_order[file], metric)[0]:
                found.append((
                    file, metric,
                    f"{metric} never changes here ({least:g} to {most:g}): a size, and not a usage? Say it under "
                    f"`units` in the settings ({metric}: percent) if it is percent",
                ))  # fmt: skip
    return found


def _more_than_all(db: duckdb.DuckDBPyConnection) -> list[tuple[int, str, str]]:
    """Columns in which a server often exceeds what a monitor overshoots by: percent of one core, or another unit."""
    found = []
    for metric in metrics.percent_names():
        rows = db.execute(f"""
            SELECT file, list(server_id ORDER BY above DESC, server_id), arg_max(most, (above, most)) FROM (
                SELECT file, server_id, count(*) FILTER ({metric} > {PERCENT_LIMIT}) AS above, max({metric}) AS most
                FROM reading SEMI JOIN (FROM extent WHERE {metric}_most > {PERCENT_LIMIT}) USING (file, server_id)
                WHERE isfinite({metric}) GROUP BY file, server_id
                HAVING above > 1 AND above > {_OFTEN} * count({metric})
            ) GROUP BY file ORDER BY file""").fetchall()
        for file, servers, most in rows:
            names = ", ".join(map(str, servers[:3])) + (", …" if len(servers) > 3 else "")
            likely = " (100 % per core, perhaps)" if metric == "cpu" else ""
            found.append((
                file, metric,
                f"{metric} exceeds {PERCENT_LIMIT} % often, of {names} up to {most:g}: not percent "
                f"of the whole server{likely}. Nothing under this heading is used; export percent of the whole",
            ))  # fmt: skip
    return found


def _counters(db: duckdb.DuckDBPyConnection) -> list[tuple[int, str, str]]:
    """Rates that only grow. Of each file the first three servers are looked at: a column is of one kind."""
    first_servers = for_each(
        _RATES,
        """
        SELECT '%' AS metric, file, server_id FROM extent
        JOIN (SELECT file, min(%_first) AS begin FROM extent GROUP BY file) USING (file)
        WHERE %_first < begin + 2000
        QUALIFY row_number() OVER (PARTITION BY file ORDER BY server_id) <= 3""",
        " UNION ALL ",
    )
    value = "SELECT '%' AS metric, file, server_id, sampled_at, % AS value FROM row WHERE isfinite(%)"
    rows = db.execute(f"""
        WITH looked_at AS MATERIALIZED ({first_servers}), row AS MATERIALIZED (
            SELECT file, server_id, sampled_at, {", ".join(_RATES)} FROM reading
            SEMI JOIN looked_at USING (file, server_id) WHERE sampled_at IS NOT NULL
        ), steps AS (
            SELECT metric, file, server_id, value, lag(value) OVER series AS before
            FROM ({for_each(_RATES, value, " UNION ALL ")}) SEMI JOIN looked_at USING (metric, file, server_id)
            WINDOW series AS (PARTITION BY metric, file, server_id ORDER BY sampled_at)
        )
        SELECT file, metric, min(server_id) FROM (
            SELECT metric, file, server_id FROM steps GROUP BY ALL
            HAVING count(*) >= {_COUNTER_SAMPLES} AND count(*) FILTER (value < before) <= count(*) / 100
                AND count(*) FILTER (value > before) > count(*) / 2 AND max(value) >= 2 * min(value)
        ) GROUP BY ALL ORDER BY ALL""").fetchall()
    return [
        (file, metric, f"{metric} only grows (of {server}): a counter, not a rate. Export a rate in MB/s")
        for file, metric, server in rows
    ]
