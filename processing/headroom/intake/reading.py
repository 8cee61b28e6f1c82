"""Reading files: every row of every file becomes one row of the table ``reading``, its problems beside it.

DuckDB scans all files of one layout together. Nothing is dropped on the way: a row that cannot be used is
kept with the reason, so that the counts of the data-quality report add up.
"""

# ruff: noqa: S608 - SQL is put together of names and quoted literals; see `quoted`.

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import duckdb

from headroom.core import metrics
from headroom.core.settings import Settings
from headroom.intake import entities
from headroom.intake.files import cells, doubts, inventory, judging, metric_names, scanning, whole_files
from headroom.intake.files.judging import for_each_metric
from headroom.intake.files.metric_names import Names, names_of
from headroom.intake.files.sources import Source, name_all, read_alike, recognize
from headroom.intake.servers.identity import canonical
from headroom.intake.sql import holds, insert_all


def read(
    db: duckdb.DuckDBPyConnection,
    sources: list[Source],
    settings: Settings,
    latest: str,
    work: Path,
    look: Callable[[duckdb.DuckDBPyConnection, list[Source], Settings, Path], None] | None = None,
) -> None:
    """Read all sources into the tables ``reading`` and ``rejected`` (lines that are not rows) of ``db``.

    ``latest`` (ISO 8601 with offset) is the last moment that a sample may have. ``work`` is an empty folder for
    temporary files, needed as long as the sources are. ``look`` does what ``look_at`` does in another way.
    """
    prepare(db)
    name_all(sources, settings)
    (look or look_at)(db, sources, settings, work)
    read_rows(db, sources, settings, latest, names_of(sources, settings.statistic))


def latest_of(planned: datetime) -> str:
    """The last moment that a sample may have: a day after the run was planned, for clocks and zones that are off."""
    return (planned + timedelta(days=1)).isoformat()


def prepare(db: duckdb.DuckDBPyConnection) -> None:
    """Make the tables that files are read into, empty, and the functions of SQL that it takes."""
    db.execute(_tables() + cells.MACROS)


# `reading` holds every row. Most are plainly right; where one is not, `evidence` keeps its texts (in the order of
# `judging.evidence_names`), and `suspect` says what becomes of it. `attributes` has the texts in the order of
# ATTRIBUTES, where the file has any. A row is told by its file and its number there, counted from the `first` of its
# file (see `tell`): here its rowid, as rowids follow the file's order. A row's `server_id` is the owner of its series:
# the server, or one of its entities (see `entities`).
def _tables() -> str:
    return f"""
CREATE TABLE reading (
    file INTEGER, server_id VARCHAR, sampled_at TIMESTAMP, {for_each_metric("% DOUBLE")},
    attributes VARCHAR[], evidence VARCHAR[]);
CREATE TABLE rejected (file INTEGER, line BIGINT, value VARCHAR, reason VARCHAR);
CREATE TABLE unclear_name (name VARCHAR, reason VARCHAR);
CREATE TABLE refused_file (file INTEGER);
CREATE TABLE busiest_file (file INTEGER);
CREATE TABLE together_file (file INTEGER);
CREATE TABLE owner_file (file INTEGER);
CREATE TABLE not_a_name (server_id VARCHAR);
CREATE TABLE unordered_file (file INTEGER);
"""


def look_at(db: duckdb.DuckDBPyConnection, sources: Sequence[Source], settings: Settings, work: Path) -> None:
    """Find out what each of some files is, and what stands in its metric column."""
    for source in sources:
        recognize(db, source, settings, work)
    for (layout, _), group in read_alike(sources).items():
        if layout.shape == "long":
            metric_names.find_keys(db, layout, group)


def read_rows(
    db: duckdb.DuckDBPyConnection,
    sources: Sequence[Source],
    settings: Settings,
    latest: str,
    names: Names,
) -> None:
    """Read the rows of some files that have been looked at, judge them, and ``tell`` what there is.

    What is found of a file rests on its own rows and on ``names``, so that it does not matter which files are read
    together.
    """
    insert_all(db, "unclear_name", list(names.unclear.items()))
    damaged = [(source.order, *one) for source in sources if source.error is None for one in source.damaged]
    insert_all(db, "rejected", damaged)
    insert_all(db, "busiest_file", [(source.order,) for source in sources if source.busiest])
    for alike, group in read_alike(sources).items():
        layout = alike[0]
        if layout.owners:
            files = [(source.order,) for source in group]
            insert_all(db, "owner_file", files)
            if any(entities.together(name) for name in metrics.columns()):
                insert_all(db, "together_file", files)
        for plain in (True, False):
            some = [source for source in group if source.plain == plain]
            if some:
                scanning.scan(db, layout, some, latest, names.meant.get(alike, {}))
    _look_at_names(db, settings)
    doubts.find(db, sources)
    judging.judge(db)
    make_views(db)
    for refused in (
        whole_files.days_before_months,
        whole_files.with_other_times,
        whole_files.without_order,
        whole_files.with_names_left_out,
        whole_files.with_dates_left_out,
        partial(whole_files.counted_from_1980, latest=latest),
        whole_files.with_commas_in_numbers,
        whole_files.put_together,
        whole_files.with_titles_between,
        whole_files.without_servers,
        inventory.contradictions,
    ):
        refuse(db, list(refused(db, sources)))
    tell(db)
    read = "SELECT file FROM file_told UNION SELECT file FROM rejected"
    with_rows = {file for (file,) in db.execute(read).fetchall()}
    for source in sources:
        if source.error is None and source.order not in with_rows:
            source.error = "the file has a header but no rows: export it again"


# A name without what nobody sees, as tables on web pages have it to break long names.
_VISIBLE = r"regexp_replace(named, '\p{Cf}', '', 'g')"


def _look_at_names(db: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Give servers the names that they go by, and find those that are none: of each name once, not of each row."""
    doubts.measure(db)
    db.execute(f"""
        CREATE TEMP TABLE tidied AS
            SELECT written, {canonical("server", settings.identity)} || substr(cleaned, length(named) + 1) AS name
            FROM (
                SELECT DISTINCT server_id AS written, clean(server_id) AS cleaned,
                    {entities.server_of("cleaned")} AS named, clean({_VISIBLE}) AS server
                FROM extent)
            WHERE name <> written""")
    if holds(db, "tidied"):
        db.execute("UPDATE reading SET server_id = name FROM tidied WHERE server_id = written")
        doubts.measure(db)
    db.execute(f"""
        CREATE TABLE name_in_file AS SELECT file, server_id, rows FROM extent;
        INSERT INTO not_a_name
        SELECT DISTINCT server_id FROM (
            SELECT server_id, CASE WHEN file IN (FROM owner_file) THEN {entities.server_of()} ELSE server_id END AS name
            FROM name_in_file
        ) WHERE server_problem(name) IS NOT NULL""")


def make_views(db: duckdb.DuckDBPyConnection) -> None:
    """The views ``plain_reading`` and ``usable_reading``, without the files refused so far."""
    refused = db.execute("SELECT file FROM refused_file").fetchall()
    doubted = db.execute("""
        SELECT 1 FROM suspect JOIN doubt USING (file) UNION ALL SELECT 1 FROM not_a_name LIMIT 1""").fetchone()
    without = f"AND file NOT IN ({', '.join(str(file) for (file,) in refused)})" if refused else ""
    plain = without + (" AND rowid NOT IN (SELECT row FROM suspect)" if doubted else "")
    db.execute(_views().replace("$plain", plain))
    make_usable_reading(db)


# Rows without evidence, and all usable ones; made anew when a file turns out to contradict itself. Of a file whose
# parts may stand for the whole (`entities: busiest`), each moment has the busiest part's value.
def _views() -> str:
    return f"""
CREATE OR REPLACE VIEW plain_reading AS
    SELECT *, rowid AS row FROM reading WHERE evidence IS NULL $plain;
CREATE OR REPLACE VIEW usable_row AS
    SELECT file, row, server_id, sampled_at, {for_each_metric("abs(%) AS %")}  -- no negative zeros
    FROM (
        SELECT file, row, server_id, sampled_at, {for_each_metric("%")} FROM plain_reading
        UNION ALL BY NAME
        SELECT file, row, server_id, sampled_at, {for_each_metric("%")} FROM suspect WHERE usable
    );
"""


def make_usable_reading(db: duckdb.DuckDBPyConnection) -> None:
    """The view ``usable_reading`` of ``usable_row``: parts of which the busiest counts, or all together, combined."""
    combined = db.execute("SELECT file FROM busiest_file UNION SELECT file FROM together_file").fetchone()
    db.execute(f"CREATE OR REPLACE VIEW usable_reading AS {_combined() if combined else 'FROM usable_row'}")


def _combined() -> str:
    """Rows of parts that count together: each moment has the busiest's value, or what a metric's definition says."""
    values: dict[str, dict[str, str | None]] = {
        "busiest_file": {name: "max" for name in metrics.columns()},
        "together_file": {name: entities.together(name) for name in metrics.columns()},
    }
    parts = ["SELECT * FROM usable_row WHERE file NOT IN (FROM busiest_file) AND file NOT IN (FROM together_file)"]
    for table, functions in values.items():
        each = ", ".join(
            f"CASE WHEN {name} IS NOT NULL THEN {function}({name}) OVER same END AS {name}" if function else name
            for name, function in functions.items()
        )
        parts.append(
            f"SELECT file, row, server_id, sampled_at, {each} FROM usable_row SEMI JOIN {table} USING (file) "
            "WINDOW same AS (PARTITION BY file, server_id, sampled_at ORDER BY row "
            "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)"  # means are of one order of rows
        )
    return " UNION ALL ".join(parts)


def refuse(db: duckdb.DuckDBPyConnection, refused: Sequence[tuple[Source, str]]) -> None:
    """Take files back that have been read, each with the reason: nothing of them is used."""
    if not refused:
        return
    for source, error in refused:
        source.error = error
    insert_all(db, "refused_file", [(source.order,) for source, _ in refused])
    for table in ("suspect", "rejected"):
        db.execute(f"DELETE FROM {table} WHERE file IN (FROM refused_file)")
    make_views(db)


def tell(db: duckdb.DuckDBPyConnection) -> None:
    """Say what later steps must know of the rows, in small tables.

    ``file_told``: of each file the number of its first row, the number of rows, the newest moment, and how many plain
    values it has of each metric. ``attribute_told``: what rows say of servers, with the newest moment and the first and
    last row that say it. ``part_told``: the parts of servers that have values of a metric of parts.
    """
    db.execute(f"""
        CREATE TABLE file_told AS
        SELECT * REPLACE ({for_each_metric("coalesce(%, 0) AS %")}) FROM (
            SELECT file, min(rowid) AS first, count(*) AS rows, max(sampled_at) AS newest FROM reading GROUP BY file
        ) LEFT JOIN (SELECT file, {for_each_metric("count(%) AS %")} FROM plain_reading GROUP BY file) USING (file);
        CREATE TABLE attribute_told AS
        SELECT file, {entities.server_of()} AS server_id, attributes, max(sampled_at) AS sampled_at,
            max(rowid) AS row, min(rowid) AS first_row
        FROM reading WHERE attributes IS NOT NULL
            AND (evidence IS NULL OR rowid IN (SELECT row FROM suspect WHERE usable))
        GROUP BY ALL""")
    entities.tell(db)
