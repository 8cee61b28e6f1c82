"""Quarantine: all that was not used, where it stands as an editor shows it, and why."""

# ruff: noqa: S608 - SQL is put together of names and quoted literals; see `quoted`.

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import duckdb

from headroom.core import metrics as table
from headroom.intake.files.lines import line_numbers, one_each
from headroom.intake.files.sources import Source
from headroom.intake.sql import for_each, insert_all

_VALUE_LENGTH = 200


def collect(db: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> None:
    """The table ``quarantine``: all that was not used, where it stands as an editor shows it, and why."""
    db.execute(
        "CREATE TABLE source (file INTEGER, file_name VARCHAR, header_line INTEGER, added INTEGER, error VARCHAR)"
    )
    db.execute('CREATE TABLE heading (file INTEGER, "column" VARCHAR, heading VARCHAR)')
    about = [
        (one.order, one.file, one.layout.header_line if one.layout else None, int(one.header_is_ours), one.error)
        for one in sources
    ]
    insert_all(db, "source", about)
    headings = [
        (source.order, column, source.layout.columns[place])
        for source in sources
        if source.layout is not None
        for column, place in source.layout.places
    ]
    insert_all(db, "heading", headings)
    db.execute("""
        CREATE TABLE problem AS
        SELECT file, row, NULL::BIGINT AS line, unnest(problems, recursive := true) FROM suspect
        UNION ALL BY NAME SELECT file, row, NULL AS line, "column", value, reason FROM attribute_problem
        UNION ALL BY NAME SELECT file, NULL AS row, line, '' AS "column", value, reason FROM rejected
        UNION ALL BY NAME SELECT file, NULL AS row, NULL AS line, '' AS "column", '' AS value, error AS reason
            FROM source WHERE error IS NOT NULL;
        CREATE TABLE place AS
        SELECT file, row, row - first AS position, rows
        FROM (SELECT DISTINCT file, row FROM problem WHERE row IS NOT NULL)
        JOIN file_told USING (file)""")
    db.execute("CREATE TABLE line_of (file INTEGER, row BIGINT, line BIGINT)")
    _add_lines(db, sources)
    db.execute(f"""
        CREATE TABLE quarantine AS
        SELECT row_number() OVER (ORDER BY file, line, "column", value, reason) AS place, *
        FROM (
            SELECT file, file_name, coalesce(line_of.line - added, problem.line) AS line,
                coalesce(heading, CASE WHEN "column" IN ({for_each(table.columns(), "'%'")}) THEN value_heading END, '')
                    AS "column",
                replace(problem.value[:{_VALUE_LENGTH}], chr(0), '') AS value, reason
            FROM problem JOIN source USING (file)
            LEFT JOIN line_of USING (file, row)
            LEFT JOIN heading USING (file, "column")
            LEFT JOIN (SELECT file, heading AS value_heading FROM heading WHERE "column" = 'value') USING (file)
        )""")


def _add_lines(db: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> None:
    """Fill the table ``line_of``: of each row with a problem, the line as an editor counts it, of its file or
    of the table made of it."""
    rejected: dict[int, list[int]] = defaultdict(list)
    for file, line in db.execute("SELECT file, line FROM rejected ORDER BY file, line").fetchall():
        rejected[file].append(line)
    rows_of = dict(db.execute("SELECT DISTINCT file, rows FROM place").fetchall())
    simple: list[int] = []
    for source in sources:
        file = source.order
        if source.layout is None or file not in rows_of:
            continue
        if source.layout.export or source.of_records:
            rejected.pop(file, None)  # they are lines of the file itself, and no rows of the table made of it
        if file not in rejected and one_each(source, rows_of[file]):
            simple.append(file)
            continue
        places = db.execute("SELECT row, position FROM place WHERE file = ? ORDER BY row", [file]).fetchall()
        lines = line_numbers(source, [position for _, position in places], rejected[file])
        insert_all(db, "line_of", [(file, row, line) for (row, _), line in zip(places, lines, strict=True)])
    db.execute(f"""
        INSERT INTO line_of SELECT file, row, position + 1 + header_line FROM place JOIN source USING (file)
        WHERE file IN ({", ".join(map(str, simple)) or "NULL"})""")
