"""Attributes of servers, such as region, owner and size: of several that files say, the newest counts."""

# ruff: noqa: S608 - SQL is put together of names and literals of our own; data never becomes part of it.

from __future__ import annotations

from datetime import datetime

import duckdb

from headroom.intake.entities import server_of
from headroom.intake.files.layout import NAME_LENGTH
from headroom.intake.servers.slices import literal
from headroom.intake.sql import for_each, one_row, quoted
from headroom.intake.words.headings import ATTRIBUTES, NUMBER_ATTRIBUTES, TEXT_ATTRIBUTES

TABLES = """
CREATE TABLE attribute (server_id VARCHAR, attribute VARCHAR, value VARCHAR, sampled_at TIMESTAMP);
CREATE TABLE attribute_problem (file INTEGER, row BIGINT, "column" VARCHAR, value VARCHAR, reason VARCHAR);
"""


def merge(db: duckdb.DuckDBPyConnection) -> None:
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
            SELECT file, server_id, coalesce(sampled_at, {literal(newest or datetime.min)}) AS sampled_at, row,
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
