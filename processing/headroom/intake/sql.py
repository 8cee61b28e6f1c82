"""SQL in small: literals, lists of names, rows of queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def for_each(names: Sequence[str], pattern: str, separator: str = ", ") -> str:
    """SQL text repeated for each name, which replaces every % in it."""
    return separator.join(pattern.replace("%", name) for name in names)


def one_row(db: duckdb.DuckDBPyConnection, query: str, parameters: Any = None) -> tuple[Any, ...]:
    """The row of a query that always has exactly one, such as an aggregate without GROUP BY.

    Raises:
        ValueError: it has none, or several.
    """
    [row] = db.execute(query, parameters).fetchall()
    return row


def holds(db: duckdb.DuckDBPyConnection, relation: str) -> bool:
    """Whether a relation has a row."""
    return db.execute(f"SELECT 1 FROM {relation} LIMIT 1").fetchone() is not None  # noqa: S608 - a name of ours


def dicts(db: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    """The rows of a query, by the names of its columns."""
    result = db.execute(query)
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def insert_all(db: duckdb.DuckDBPyConnection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows, all at once: one by one takes half a millisecond each. Each column has values of one type."""
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        db.execute(f"INSERT INTO {table} SELECT {', '.join('unnest(?)' for _ in columns)}", columns)


def drop_rejects(db: duckdb.DuckDBPyConnection) -> None:
    """Drop the tables in which DuckDB keeps the lines that scans could not make rows of (see ``scan_of``).

    Who reads them does so before its scan, and nobody after theirs: it takes a millisecond, which counts where files
    are many.
    """
    db.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
