"""Inventories: files that describe servers and measure nothing, such as a CMDB's list.

Their rows stand in ``reading`` as others do, without a moment and without values; ``inventory`` has a row per file
and server. An entry stays known from run to run until a file of the same name comes without it.
"""

# ruff: noqa: S608 - SQL is put together of names and quoted literals; see `quoted`.

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from headroom.core.wording import counted
from headroom.intake.entities import server_of
from headroom.intake.files.layout import Layout
from headroom.intake.files.sources import Source
from headroom.intake.files.tables import field_of, scan_of, structure_problem
from headroom.intake.sql import quoted
from headroom.intake.words.headings import ATTRIBUTES

TABLES = "CREATE TABLE inventory (source VARCHAR, server_id VARCHAR);"


def scan(db: duckdb.DuckDBPyConnection, layout: Layout, sources: Sequence[Source]) -> None:
    """Insert the rows of inventories of one layout into ``reading``, those of no server with the reason."""
    orders = ", ".join(str(source.order) for source in sources)
    cells = {column: field_of(layout, place) for column, place in layout.places}
    db.execute(f"""
        INSERT INTO reading BY NAME
        WITH entry AS (
            SELECT [{orders}][file_index::BIGINT + 1] AS file, clean(coalesce({cells["server_id"]}, '')) AS server_id,
                [{", ".join(cells.get(name, "NULL") for name in ATTRIBUTES)}] AS attributes,
                {structure_problem(layout)} AS structure
            FROM {scan_of(layout, [source.readable for source in sources])}
        ), judged AS (SELECT *, coalesce(structure, server_problem(server_id)) AS problem FROM entry)
        SELECT file, server_id, attributes,
            CASE WHEN problem IS NOT NULL THEN [server_id, server_id, problem, NULL, NULL] END AS evidence
        FROM judged""")


def contradictions(db: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> list[tuple[Source, str]]:
    """Inventories that say different things of one server, each with the sentence that refuses it."""
    of_inventory = {source.order: source for source in _inventories(sources)}
    if not of_inventory:
        return []
    found = db.execute(f"""
        SELECT file, server_id, attribute, min(value), max(value) FROM (
            SELECT file, server_id, unnest([{", ".join(map(quoted, ATTRIBUTES))}]) AS attribute,
                clean(unnest(attributes)) AS value
            FROM reading WHERE file IN ({", ".join(map(str, of_inventory))}) AND evidence IS NULL
        ) WHERE NOT is_nothing(value) GROUP BY file, server_id, attribute HAVING min(value) <> max(value)
        ORDER BY ALL""").fetchall()
    refused: dict[int, str] = {}
    for file, server, attribute, one, other in found:
        refused.setdefault(
            file,
            f"{attribute} of {server} is {one!r:.60} in one of its rows and {other!r:.60} in another: send one row per "
            "server",
        )
    return [(of_inventory[file], sentence) for file, sentence in refused.items()]


def merge(db: duckdb.DuckDBPyConnection, before: Path, sources: Sequence[Source]) -> None:
    """Fill ``inventory`` with the entries of this run's files, and with those of earlier runs from the file ``before``
    that no file of the same name replaces."""
    if before.exists():
        db.execute(f"INSERT INTO inventory BY NAME FROM read_parquet({quoted(str(before))})")
    for source in _inventories(sources):
        if source.error is None:
            db.execute("DELETE FROM inventory WHERE source = ?", [source.file])
            db.execute(
                "INSERT INTO inventory SELECT DISTINCT ?, server_id FROM attribute_told WHERE file = ?",
                [source.file, source.order],
            )


def report(db: duckdb.DuckDBPyConnection) -> dict[str, Any] | None:
    """How inventory and panel differ: ``entries``, ``without_data`` and ``without_entry`` (names of servers, sorted);
    ``None`` where no inventory has ever come."""
    entries = {server for (server,) in db.execute("SELECT DISTINCT server_id FROM inventory").fetchall()}
    if not entries:
        return None
    measured = {server for (server,) in db.execute(f"""
        SELECT DISTINCT {server_of()} AS server_id FROM panel
        WHERE server_id NOT IN (SELECT group_name FROM member)
        UNION SELECT server_id FROM member WHERE hidden""").fetchall()}  # fmt: skip
    return {
        "entries": len(entries),
        "without_data": sorted(entries - measured),
        "without_entry": sorted(measured - entries),
    }


def notes(found: dict[str, Any] | None) -> list[str]:
    """What people should know of it, a sentence each."""
    if found is None:
        return []
    told = (
        ("without_data", "Servers of the inventory that have no data"),
        ("without_entry", "Servers with data that the inventory does not have"),
    )
    return [f"{sentence}: {counted(found[key])}." for key, sentence in told if found[key]]


def _inventories(sources: Sequence[Source]) -> list[Source]:
    return [source for source in sources if source.layout is not None and source.layout.shape == "inventory"]
