"""Slices: ranges of days whose samples are worked on together, as many as fit into memory."""

# ruff: noqa: S608 - SQL is put together of names and literals of our own; data never becomes part of it.

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import duckdb

from headroom.core import metrics as table
from headroom.intake.sql import for_each, one_row

# The values of this many rows of five metrics are in memory together while their quantiles are computed.
_SLICE_ROWS = 5_000_000


def days_of(db: duckdb.DuckDBPyConnection) -> list[tuple[datetime, int]]:
    """The midnights of the days that have samples, oldest first, and how many rows each has."""
    return db.execute(f"""
        SELECT date_trunc('day', sampled_at)::TIMESTAMP AS day, count(*) FROM incoming WHERE {any_value()}
        GROUP BY day ORDER BY day""").fetchall()


def any_value() -> str:
    return for_each(table.columns(), "% IS NOT NULL", " OR ")


def slices_of(days: Sequence[tuple[datetime, int]]) -> list[tuple[datetime, datetime]]:
    """Whole days put together into ranges of about ``_slice_rows`` rows: first midnight, and the midnight after."""
    slices: list[tuple[datetime, datetime]] = []
    most = most_rows()
    filled = most
    for midnight, rows in days:
        if filled + rows > most:
            slices.append((midnight, midnight))
            filled = 0
        slices[-1] = (slices[-1][0], midnight + timedelta(days=1))
        filled += rows
    return slices


def most_rows() -> int:
    """Rows of a slice: fewer where there are more metrics, as their values take the memory."""
    return max(_SLICE_ROWS * 5 // max(len(table.columns()), 5), 1)


def within(begin: datetime, end: datetime) -> str:
    return f"FROM incoming WHERE sampled_at >= {literal(begin)} AND sampled_at < {literal(end)}"


def literal(moment: datetime) -> str:
    return f"TIMESTAMP '{moment.isoformat(sep=' ')}'"


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
        SELECT 1 {within(begin, end)} GROUP BY server_id, epoch_us(sampled_at) // 86_400_000_000
        HAVING count(*) > bit_count(bitstring_agg({minute}, 0, 1439)) LIMIT 1""").fetchone()
    if several is None:
        return False
    # A hash takes less time and memory than the pair; where two pairs share one, the slice takes the longer way.
    rows, distinct = one_row(db, f"SELECT count(*), count(DISTINCT hash(server_id, sampled_at)) {within(begin, end)}")
    return rows != distinct
