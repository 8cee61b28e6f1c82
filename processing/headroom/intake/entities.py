"""Parts of servers that have series of their own: disks, mounts, network cards, devices.

While files are read and merged, the owner of a sample is one text in ``server_id``: the server's name, or that and the
entity's (see ``core.series``). A server whose metric has only one part has no entities: its series is the server's.
"""

# ruff: noqa: S608 - SQL is put together of names and quoted literals.

from __future__ import annotations

from typing import Any

import duckdb

from headroom.core import metrics, series

MARK = "chr(31)"  # core.series.MARK


def server_of(owner: str = "server_id") -> str:
    """The SQL of an owner's server."""
    return f"split_part({owner}, {MARK}, 1)"


def entity_of(owner: str = "server_id") -> str:
    """The SQL of an owner's entity, '' where it is the server itself."""
    return f"split_part({owner}, {MARK}, 2)"


def owner_of(server: str, entity: str) -> str:
    """The SQL of the owner of a server and entity, both SQL texts."""
    return f"CASE WHEN coalesce({entity}, '') = '' THEN {server} ELSE {server} || {MARK} || {entity} END"


def have_entities(db: duckdb.DuckDBPyConnection, relation: str) -> bool:
    """Whether some owner in a relation is an entity."""
    return db.execute(f"SELECT 1 FROM {relation} WHERE contains(server_id, {MARK}) LIMIT 1").fetchone() is not None


def as_named(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of series with server and entity instead of their owner."""
    parts = [series.parts_of(row["server_id"]) for row in rows]
    return [
        row | {"server_id": server} | ({"entity": entity} if entity else {})
        for row, (server, entity) in zip(rows, parts, strict=True)
    ]


def own_series(metric: str) -> bool:
    """Whether parts of a server have series of this metric by themselves."""
    return metrics.of_column(metric).parts == "own"


def together(metric: str) -> str | None:
    """The SQL function that makes one value of those of all parts; ``None`` where none does."""
    return {"sum": "sum", "mean": "avg", "max": "max"}.get(metrics.of_column(metric).parts)


def tell(db: duckdb.DuckDBPyConnection) -> None:
    """Make the table ``part_told``: the owners and metrics of the samples that have been read of parts."""
    db.execute("CREATE TABLE part_told (server_id VARCHAR, metric VARCHAR)")
    if db.execute("SELECT 1 FROM owner_file LIMIT 1").fetchone() is not None:
        db.execute(f"INSERT INTO part_told {_seen_in('reading')}")


def settle(db: duckdb.DuckDBPyConnection) -> bool:
    """Decide which parts have series of their own (``part_of``): those of a server that has several of the metric, in
    this run or before. The rest are their server (see ``give_to_servers``). Gives whether files have parts at all."""
    db.execute("CREATE TABLE part_of (server_id VARCHAR, metric VARCHAR, parts BIGINT, known BOOLEAN)")
    if db.execute("SELECT 1 FROM owner_file LIMIT 1").fetchone() is None:
        return False
    db.execute(f"""
        INSERT INTO part_of
        SELECT server_id, metric, count(*) OVER (PARTITION BY {server_of()}, metric) AS parts,
            bool_or(known) OVER (PARTITION BY {server_of()}, metric) AS known
        FROM (
            SELECT server_id, metric, bool_or(known) AS known FROM (
                SELECT *, false AS known FROM part_told
                UNION ALL SELECT *, true FROM ({_seen_in("kept")})
                UNION ALL SELECT DISTINCT server_id, metric, true FROM stored WHERE contains(server_id, {MARK})
            ) GROUP BY ALL);
        UPDATE name_in_file SET server_id = {server_of()} WHERE contains(server_id, {MARK})
            AND server_id NOT IN (SELECT server_id FROM part_of WHERE parts > 1 OR known)""")
    return True


def give_to_servers(db: duckdb.DuckDBPyConnection, *tables: str) -> None:
    """Give the samples of parts that have no series of their own (see ``settle``) to their servers."""
    alone = " AND ".join(
        f"({name} IS NULL OR server_id NOT IN (SELECT server_id FROM part_of WHERE metric = '{name}' "
        "AND (parts > 1 OR known)))"
        for name in metrics.columns() if own_series(name)
    )  # fmt: skip
    for table in tables:
        db.execute(f"UPDATE {table} SET server_id = {server_of()} WHERE contains(server_id, {MARK}) AND {alone}")


def _seen_in(table: str) -> str:
    """The SQL of the parts, and metrics of parts, that have values in a table."""
    return " UNION ALL ".join(
        f"SELECT DISTINCT server_id, '{name}' AS metric FROM {table} "
        f"WHERE {name} IS NOT NULL AND contains(server_id, {MARK})"
        for name in metrics.columns() if own_series(name)
    )  # fmt: skip
