"""Reading files: every row of every file becomes one row of the table ``reading``, its problems beside it.

DuckDB scans all files of one layout together. Nothing is dropped on the way: a row that cannot be used is
kept with the reason, so that the counts of the data-quality report add up.
"""

# ruff: noqa: S608 - SQL is put together of names and quoted literals; see `quoted`.

from __future__ import annotations

import csv
import io
import logging
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from headroom.core import metrics
from headroom.core.settings import Settings
from headroom.intake import doubts, entities, inventory, meaning, times, units
from headroom.intake.columns import ATTRIBUTES, WHOLE, best
from headroom.intake.identity import canonical
from headroom.intake.layout import (
    EARLIEST,
    NAME_LENGTH,
    NETWORK_LIMIT,
    PERCENT_LIMIT,
    Layout,
    brief,
    open_bytes,
)
from headroom.intake.meaning import Meaning, Unclear
from headroom.intake.sources import Source, meaning_of_cell, name_all, recognize
from headroom.intake.tables import (
    drop_rejects,
    field_of,
    for_each,
    key_text,
    left_out,
    name_text,
    one_row,
    part_text,
    quoted,
    scan_of,
    time_text,
)

_log = logging.getLogger(__name__)

_TOO_MANY = "more fields than the header"
_TOO_FEW = "fewer fields than the header: is the line cut off, or a quotation mark never closed?"
_NO_TIMESTAMP = "not a timestamp: use ISO 8601 (2024-01-31T13:05:00Z), or epoch seconds or milliseconds"


_RATES = " ".join(f"WHEN {quoted(unit)} THEN {factor!r}" for unit, factor in units.RATES_IN_CELLS.items())
_OF_ROW = ["at_text", "server_text", "structure_problem", "unknown_metric", "time_problem"]
# Bytes of the largest stores there are, and room above them.
_OWN_LIMIT = 10**18


def _evidence() -> list[str]:
    """The texts that are kept of a row that is not plainly right, in their order."""
    return [*_OF_ROW, *(f"{name}_text" for name in metrics.columns())]


def _most(name: str) -> int:
    """The highest value that a metric can have, in its unit."""
    if _is_percent(name):
        return PERCENT_LIMIT
    return NETWORK_LIMIT if metrics.of_column(name).built_in else _OWN_LIMIT


def _is_percent(name: str) -> bool:
    return metrics.is_percent(name)  # a capacity is not, whatever its metric is


def _for_each(pattern: str, separator: str = ", ") -> str:
    """SQL repeated for each metric: % is its name, and #most, #usual and #unit what it can be and is shown in."""
    return separator.join(
        pattern.replace("%", name).replace("#most", str(_most(name)))
        .replace("#usual", "100" if _is_percent(name) else str(_most(name)))
        .replace("#unit", quoted(" percent" if _is_percent(name) else f" {metrics.of_column(name).unit}"))
        for name in metrics.columns()
    )  # fmt: skip


# `reading` holds every row. Most are plainly right; where one is not, `evidence` keeps its texts (in the order of
# _evidence), and `suspect` says what becomes of it. `attributes` has the texts in the order of ATTRIBUTES, where the
# file has any. A row's number within all is its rowid; within a file, rowids follow the file's order.
# A row's `server_id` is the owner of its series: the server, or one of its entities (see `entities`).
def _tables() -> str:
    return f"""
CREATE TABLE reading (
    file INTEGER, server_id VARCHAR, sampled_at TIMESTAMP, {_for_each("% DOUBLE")},
    attributes VARCHAR[], evidence VARCHAR[]);
CREATE TABLE rejected (file INTEGER, line BIGINT, value VARCHAR, reason VARCHAR);
CREATE TABLE unclear_name (name VARCHAR, reason VARCHAR);
CREATE TABLE refused_file (file INTEGER);
CREATE TABLE busiest_file (file INTEGER);
CREATE TABLE together_file (file INTEGER);
CREATE TABLE owner_file (file INTEGER);
CREATE TABLE not_a_name (server_id VARCHAR);
"""


_MACROS = rf"""
CREATE MACRO clean(cell) AS CASE
    WHEN ascii(cell) <= 32 OR ascii(cell) = 160 OR ascii(right(cell, 1)) <= 32 OR ascii(right(cell, 1)) = 160
    THEN trim(cell, ' ' || chr(9) || chr(10) || chr(13) || chr(160)) ELSE cell END;

CREATE MACRO instant_of_epoch(number) AS CASE
    WHEN number < 0 THEN NULL
    WHEN number < 1e11 THEN to_timestamp(number)
    WHEN number < 1e14 THEN to_timestamp(number / 1e3)
    WHEN number < 1e17 THEN to_timestamp(number / 1e6)
    WHEN number < 1e20 THEN to_timestamp(number / 1e9) END;

-- DuckDB takes abbreviations of zones for one of the places that use them: only texts without letters get there, but
-- for the T, Z, UTC and GMT of plain times. CASE looks at its ways one by one, which coalesce does not for all of them.
CREATE MACRO instant(text) AS CASE
    WHEN suffix(text, 'Z') AND strlen(text) <= 20 THEN try_cast(text AS TIMESTAMPTZ)
    WHEN lower(text) = upper(text) OR regexp_full_match(text, '[0-9TZ:.+ \t\-/]*(UTC|GMT|z)?\s*') THEN coalesce(
        try_cast(text AS TIMESTAMPTZ),
        CASE WHEN try_cast(text AS DOUBLE) IS NOT NULL THEN instant_of_epoch(try_cast(text AS DOUBLE))
            ELSE try_cast(regexp_replace(clean(text), '\s+([+-]\d{{2}}:?\d{{2}})$', '\1') AS TIMESTAMPTZ) END) END;

-- The quick way first: the others are only looked at where it fails.
CREATE MACRO quick_or(text, slow) AS
    CASE WHEN try_cast(text AS DOUBLE) IS NULL THEN slow ELSE try_cast(text AS DOUBLE) END;

CREATE MACRO plain_number(text) AS coalesce(try_cast(text AS DOUBLE), try_cast(rtrim(text, '% ') AS DOUBLE));

-- The mark of decimals is a point, and a comma, blank or apostrophe stands between thousands.
CREATE MACRO number_with_point(text) AS coalesce(
    plain_number(text), plain_number(regexp_replace(clean(text), '[, ''\x{{a0}}]', '', 'g')));

-- The other way round.
CREATE MACRO number_with_comma(text) AS CASE
    WHEN regexp_matches(text, ',|^\s*[-+]?\d{{1,3}}(\.\d{{3}})+\s*%?\s*$')
    THEN plain_number(replace(regexp_replace(clean(text), '[. ''\x{{a0}}]', '', 'g'), ',', '.'))
    ELSE plain_number(text) END;

-- Not known: 6,104.50 and 45,12 can be read in one way only, 6,104 in two.
CREATE MACRO number(text) AS coalesce(
    plain_number(text),
    CASE WHEN regexp_full_match(clean(text), '[-+]?\d{{1,3}}(,\d{{3}})+(\.\d+|,\d{{3}})\s*%?')
        THEN number_with_point(text)
        WHEN regexp_full_match(clean(text), '[-+]?\d{{1,3}}(\.\d{{3}})+(,\d+|\.\d{{3}})\s*%?')
            OR regexp_full_match(clean(text), '[-+]?(\d+,(\d\d?|\d{{4,}})|0,\d+)\s*%?')
        THEN number_with_comma(text) END);

-- A percentage above a thousand is none, so a comma in it stands before decimals.
CREATE MACRO percent(text) AS coalesce(number(text), plain_number(replace(text, ',', '.')));

-- A rate may have its unit in its cell.
CREATE MACRO rate(text, read) AS coalesce(read,
    try_cast(regexp_extract(text, '^\s*([-+]?[\d.]+)\s*[A-Za-z/]+\s*$', 1) AS DOUBLE)
    * CASE regexp_extract(text, '([A-Za-z/]+)\s*$', 1) {_RATES} END);

CREATE MACRO is_nothing(text) AS lower(clean(text)) IN ('', 'nan', 'null', 'none', 'na', 'n/a', '-');

CREATE MACRO value_problem(text, number, most, unit) AS CASE
    WHEN text IS NULL OR number BETWEEN 0 AND most THEN NULL
    WHEN isnan(number) OR is_nothing(text) THEN NULL
    WHEN number IS NULL AND regexp_matches(text, '^\s*[-+]?\d{{1,3}}[.,]\d{{3}}\s*$')
        THEN 'could be a fraction or thousands: say decimal_mark under sources in the settings'
    WHEN number IS NULL THEN 'not a number'
    WHEN isinf(number) THEN 'not a finite number'
    ELSE 'outside 0 to ' || most || unit END;

-- A column in doubt has no good values.
CREATE MACRO doubt(text, number, reason, most, unit) AS CASE
    WHEN reason IS NOT NULL AND number IS NOT NULL AND NOT isnan(number) THEN reason
    ELSE value_problem(text, number, most, unit) END;

CREATE MACRO problem(source_column, cell, reason) AS {{'column': source_column, 'value': cell, 'reason': reason}};
CREATE MACRO not_null(list) AS list_filter(list, lambda item: item IS NOT NULL);

CREATE MACRO server_problem(name) AS CASE
    WHEN name = '' THEN 'no server name'
    WHEN length(name) > {NAME_LENGTH} THEN 'server name longer than {NAME_LENGTH} characters'
    WHEN regexp_matches(name, '\p{{Cc}}') THEN 'server name with control characters' END;

CREATE MACRO time_problem(text, instant_read, latest) AS CASE
    WHEN instant_read BETWEEN TIMESTAMPTZ '{EARLIEST} 00:00:00+00' AND latest THEN NULL  -- the quick way first
    WHEN instant_read IS NULL AND clean(text) = '' THEN 'no timestamp'
    WHEN instant_read IS NULL THEN '{_NO_TIMESTAMP}'
    WHEN instant_read < TIMESTAMPTZ '{EARLIEST} 00:00:00+00' THEN 'timestamp before {EARLIEST}'
    WHEN instant_read > latest THEN 'timestamp later than the run' END;
"""


def _read() -> str:
    """From the texts of one layout (see _texts) to rows of `reading`."""
    return f"""
WITH read AS (
    SELECT *, $moment AS instant, $numbers FROM ($texts)
), parsed AS (
    SELECT *, time_problem(at_text, instant, $latest) AS time_problem FROM read
)
SELECT file, server_text AS server_id,
    CASE WHEN time_problem IS NULL THEN make_timestamp(epoch_us(instant)) END AS sampled_at,
    {_for_each("%_number AS %")}, attributes,
    CASE WHEN structure_problem IS NULL AND unknown_metric IS NULL AND sampled_at IS NOT NULL
        AND {_for_each("(%_text IS NULL OR %_number BETWEEN 0 AND #usual)", " AND ")}
        THEN NULL ELSE [{for_each(_evidence(), "%")}] END AS evidence
FROM parsed
"""


def _texts_of_evidence() -> str:
    return ", ".join(
        f"CASE WHEN evidence IS NULL THEN {name}::VARCHAR ELSE evidence[{place}] END AS {name}_text"
        for place, name in enumerate(metrics.columns(), start=len(_OF_ROW) + 1)
    )


# What becomes of the rows with evidence, and of those whose column is in doubt. A row is usable if it has a server, a
# moment and no fault in its structure, and not all that it says is wrong. Of its cells, those that are empty or wrong
# are NULL.
def _judge() -> str:
    texts = [f"{name}_text" for name in metrics.columns()]
    percent = metrics.percent_names()
    unknown = f"unknown metric: known are {', '.join(metrics.names())}; map others under `columns` in the settings"
    return f"""
CREATE TABLE suspect AS
WITH with_doubt AS (
    SELECT reading.rowid AS row, reading.*, {_for_each("%_doubt")}
    FROM reading LEFT JOIN doubt_of_file USING (file)
    WHERE evidence IS NOT NULL OR server_id IN (SELECT server_id FROM not_a_name)
        OR {_for_each("(%_doubt IS NOT NULL AND % IS NOT NULL)", " OR ")}
), parsed AS (
    SELECT row, file, server_id, sampled_at, {_for_each("% AS %_number, %_doubt")},
        CASE WHEN file IN (FROM owner_file) THEN {entities.server_of()} ELSE server_id END AS server_name,
        {", ".join(f"evidence[{place}] AS {name}" for place, name in enumerate(_OF_ROW, start=1))},
        {_texts_of_evidence()}
    FROM with_doubt
), checked AS (
    SELECT * REPLACE ({_for_each("CASE WHEN %_doubt IS NULL THEN %_number END AS %_number")}),
        {_for_each("doubt(%_text, %_number, %_doubt, #most, #unit) AS %_problem")},
        CASE
            WHEN structure_problem IS NOT NULL THEN problem('', at_text, structure_problem)
            WHEN sampled_at IS NULL THEN problem('timestamp', at_text, time_problem)
            WHEN server_problem(server_name) IS NOT NULL
                THEN problem('server_id', server_name, server_problem(server_name))
            WHEN unknown_metric IS NOT NULL
                THEN problem('metric', unknown_metric, coalesce(unclear_name.reason, {quoted(unknown)}))
        END AS row_problem
    FROM parsed LEFT JOIN unclear_name ON name = unknown_metric
), judged AS (
    SELECT *,
        {_for_each("CASE WHEN %_number BETWEEN 0 AND #most THEN least(%_number, #usual) END AS %")},
        not_null([
            {_for_each("CASE WHEN %_problem IS NOT NULL THEN problem('%', %_text, %_problem) END")}
        ]) AS value_problems
    FROM checked
)
SELECT row, file, server_id, sampled_at, {_for_each("%")},
    len(not_null([{_for_each("%")}])) AS good,
    row_problem IS NULL AND (good > 0 OR len(value_problems) = 0) AS usable,
    CASE WHEN structure_problem IS NULL
        THEN len(not_null([{for_each(texts, "%")}, unknown_metric])) ELSE 0 END AS cells,
    CASE WHEN structure_problem IS NULL
        THEN cells - good - len(value_problems) - len(not_null([unknown_metric])) ELSE 0 END AS empty,
    CASE WHEN usable THEN good ELSE 0 END AS used,
    cells - empty - used AS unusable,
    CASE WHEN usable THEN {for_each(percent, "(%_number > % IS TRUE)::INTEGER", " + ")} ELSE 0 END AS clipped,
    CASE WHEN row_problem IS NULL THEN value_problems ELSE [row_problem] END AS problems
FROM judged;
"""


# Rows without evidence, and all usable ones; made anew when a file turns out to contradict itself. Of a file whose
# parts may stand for the whole (`entities: busiest`), each moment has the busiest part's value.
def _views() -> str:
    return f"""
CREATE OR REPLACE VIEW plain_reading AS
    SELECT *, rowid AS row FROM reading WHERE evidence IS NULL $plain;
CREATE OR REPLACE VIEW usable_row AS
    SELECT file, row, server_id, sampled_at, {_for_each("abs(%) AS %")}  -- no negative zeros
    FROM (
        SELECT file, row, server_id, sampled_at, {_for_each("%")} FROM plain_reading
        UNION ALL BY NAME
        SELECT file, row, server_id, sampled_at, {_for_each("%")} FROM suspect WHERE usable
    );
CREATE OR REPLACE VIEW usable_reading AS $usable;
"""


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
            "WINDOW same AS (PARTITION BY file, server_id, sampled_at)"
        )
    return " UNION ALL ".join(parts)


def read(db: duckdb.DuckDBPyConnection, sources: Sequence[Source], settings: Settings, latest: str, work: Path) -> None:
    """Read all sources into the tables ``reading`` and ``rejected`` (lines that are not rows) of ``db``.

    ``latest`` (ISO 8601 with offset) is the last moment that a sample may have. ``work`` is an empty folder for
    temporary files, needed as long as the sources are.
    """
    db.execute(_tables() + _MACROS)
    name_all(sources, settings)
    alike: dict[tuple, list[Source]] = defaultdict(list)
    for source in sources:
        recognize(db, source, settings, work)
        if source.layout is not None:
            alike[source.layout, source.rules.model_dump_json()].append(source)
    for (layout, _), group in alike.items():
        if layout.owners:
            files = [[source.order] for source in group]
            db.executemany("INSERT INTO owner_file VALUES (?)", files)
            if any(entities.together(name) for name in metrics.columns()):
                db.executemany("INSERT INTO together_file VALUES (?)", files)
        _scan(db, layout, group, latest, settings.statistic)
    _look_at_names(db, settings)
    doubts.find(db, sources)
    db.execute(_judge())
    make_views(db)
    _repeated_headers(db, sources)
    _refuse_what_is_not_a_server(db, sources)
    for source, sentence in inventory.contradictions(db, sources):
        refuse(db, source, sentence)
    read_rows = "SELECT file FROM reading UNION SELECT file FROM rejected"
    with_rows = {file for (file,) in db.execute(read_rows).fetchall()}
    for source in sources:
        if source.error is None and source.order not in with_rows:
            source.error = "the file has a header but no rows: export it again"


def make_views(db: duckdb.DuckDBPyConnection) -> None:
    """The views ``plain_reading`` and ``usable_reading``, without the files refused so far."""
    refused = db.execute("SELECT file FROM refused_file").fetchall()
    doubted = db.execute("""
        SELECT 1 FROM suspect JOIN doubt_of_file USING (file) UNION ALL SELECT 1 FROM not_a_name LIMIT 1""").fetchone()
    combined = db.execute("SELECT file FROM busiest_file UNION SELECT file FROM together_file").fetchone()
    without = f"AND file NOT IN ({', '.join(str(file) for (file,) in refused)})" if refused else ""
    plain = without + (" AND rowid NOT IN (SELECT row FROM suspect)" if doubted else "")
    usable = _combined() if combined else "FROM usable_row"
    db.execute(_views().replace("$plain", plain).replace("$usable", usable))


def refuse(db: duckdb.DuckDBPyConnection, source: Source, error: str) -> None:
    """Take a file back that has been read: nothing of it is used."""
    source.error = error
    db.execute("INSERT INTO refused_file VALUES (?)", [source.order])
    db.execute("DELETE FROM suspect WHERE file = ?", [source.order])
    db.execute("DELETE FROM rejected WHERE file = ?", [source.order])
    make_views(db)


def columns_that_differ(db: duckdb.DuckDBPyConnection, source: Source, one: int, other: int) -> list[str]:
    """The headings under which two rows of a file differ; rows are numbered as in ``reading``."""
    layout = source.known_layout
    [first] = one_row(db, "SELECT min(rowid) FROM reading WHERE file = ?", [source.order])
    rows = []
    for row in (one, other):
        fields = ", ".join(f"coalesce({field_of(layout, place)}, '')" for place in range(len(layout.columns)))
        found = db.execute(f"SELECT {fields} FROM {scan_of(layout, [source.readable])} LIMIT 1 OFFSET {row - first}")
        rows.append(found.fetchone() or ())
    drop_rejects(db)
    values = {place for column, place in layout.places if column in metrics.columns() or column == "value"}
    differ = [place for place, (a, b) in enumerate(zip(*rows, strict=False)) if a != b and place not in values]
    return [layout.columns[place] for place in differ if layout.columns[place]]


def _look_at_names(db: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Give servers the names that they go by, and find those that are none: of each name once, not of each row."""
    db.execute(f"""
        CREATE TABLE name_in_file AS SELECT file, server_id, count(*) AS rows FROM reading GROUP BY ALL;
        CREATE TEMP TABLE tidied AS
            SELECT written, {canonical("server", settings.identity)} || substr(cleaned, length(server) + 1) AS name
            FROM (
                SELECT DISTINCT server_id AS written, clean(server_id) AS cleaned,
                    {entities.server_of("cleaned")} AS server
                FROM name_in_file)
            WHERE name <> written""")
    if db.execute("SELECT 1 FROM tidied LIMIT 1").fetchone():
        db.execute("""
            UPDATE reading SET server_id = name FROM tidied WHERE server_id = written;
            UPDATE name_in_file SET server_id = name FROM tidied WHERE server_id = written""")
    db.execute("""
        INSERT INTO not_a_name
        SELECT DISTINCT server_id FROM name_in_file
        WHERE server_problem(CASE WHEN file IN (FROM owner_file) THEN split_part(server_id, chr(31), 1)
            ELSE server_id END) IS NOT NULL""")


# More servers than one machine carries, nearly all of them with one row, are not servers. 400,000 of them took 9 GB of
# memory in AssessRisk before this was refused.
MOST_SERVERS_OF_ONE_ROW, ONE_ROW_SHARE = 100_000, 0.9


def _refuse_what_is_not_a_server(db: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> None:
    """Refuse files whose server column holds what is new in every row, such as a request's id."""
    found = db.execute(
        """
        SELECT file, count(*), count(*) FILTER (rows = 1) AS once, any_value(server_id) FROM name_in_file
        GROUP BY file HAVING once > ? AND once >= ? * count(*) ORDER BY file""",
        [MOST_SERVERS_OF_ONE_ROW, ONE_ROW_SHARE],
    ).fetchall()
    by_order = {source.order: source for source in sources}
    for file, servers, once, example in found:
        refuse(
            db, by_order[file],
            f"{servers:,} different servers, {once:,} of them in a single row, such as {example!r:.80}. This column "
            "does not name servers (is it a request's id?): map the right one in the settings, columns: {your column: "
            "server_id}, or leave the file out",
        )  # fmt: skip


def _repeated_headers(db: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> None:
    """Files put together: a header in the midst must be that of the beginning, and rows must name their server."""
    found = db.execute("""
        SELECT file, at_text, count(*) FROM (
            SELECT file, evidence[1] AS at_text FROM reading
            WHERE evidence IS NOT NULL AND sampled_at IS NULL AND NOT regexp_matches(evidence[1], '[0-9]')
        ) WHERE trim(at_text) <> '' GROUP BY file, at_text""").fetchall()
    by_order = {source.order: source for source in sources}
    for file, at_text, count in found:
        source = by_order[file]
        layout = source.layout
        if source.error is not None or layout is None or layout.export or layout.format == "parquet":
            continue
        heading = " ".join(
            layout.columns[place] for place in (layout.place("timestamp"), layout.place("clock")) if place is not None
        )
        if meaning.words_of(at_text) != meaning.words_of(heading) and at_text.strip().casefold() not in (
            "timestamp",
            "time",
            "date",
        ):
            continue
        texts = ", ".join(f"coalesce(trim({field_of(layout, place)}), '')" for place in range(len(layout.columns)))
        rows = db.execute(f"""
            SELECT DISTINCT [{texts}] FROM {scan_of(layout, [source.readable])}
            WHERE {time_text(layout)} = {quoted(at_text)}""").fetchall()
        drop_rejects(db)
        others = [
            row for (row,) in rows if [name.casefold() for name in row] != [name.casefold() for name in layout.columns]
        ]
        if others:
            refuse(
                db, source,
                f"a second header with other columns stands in it ({', '.join(others[0])}): these are files put "
                "together; send them one by one",
            )  # fmt: skip
        elif layout.place("server_id") is None:
            refuse(
                db, source,
                f"its header stands in it {count + 1} times, so these are several series, and nothing says whose: "
                "send one file per server, or add a column server_id",
            )  # fmt: skip


def _scan(
    db: duckdb.DuckDBPyConnection, layout: Layout, sources: Sequence[Source], latest: str, statistic: str
) -> None:
    """Insert all rows of files of one layout; where one of them breaks the scan, they are read one by one."""
    try:
        if layout.shape == "inventory":
            inventory.scan(db, layout, sources)
            _keep_rejects(db, sources)
            return
        db.execute("SET TimeZone = ?", [layout.zone or sources[0].rules.timezone])
        texts, numbers = _texts(db, layout, sources, statistic)
        statement = _read().replace("$moment", layout.time.sql("at_text")).replace("$numbers", numbers)
        statement = statement.replace("$latest", f"TIMESTAMPTZ {quoted(latest)}")
        db.execute("INSERT INTO reading BY NAME " + statement.replace("$texts", texts))
        _keep_rejects(db, sources)
        _second_hours(db, layout, sources)
    except (duckdb.InvalidInputException, duckdb.IOException, duckdb.ConversionException) as error:
        if len(sources) > 1:
            for source in sources:
                _scan(db, layout, [source], latest, statistic)
        else:
            _log.warning("%s: %s", sources[0].file, error)
            sources[0].layout = None
            sources[0].error = f"the file cannot be read to its end ({brief(error)}): send it again"
    finally:
        drop_rejects(db)


def _second_hours(db: duckdb.DuckDBPyConnection, layout: Layout, sources: Sequence[Source]) -> None:
    """Where clocks go back an hour of local times occurs twice: the first time round is an hour before the second."""
    zone = layout.zone or sources[0].rules.timezone
    files = ", ".join(str(source.order) for source in sources)
    if zone == "UTC" or zone.startswith("Etc/"):
        return
    first, last = one_row(db, f"SELECT min(sampled_at), max(sampled_at) FROM reading WHERE file IN ({files})")
    for begin in times.repeated_hours(zone, first, last):
        # DuckDB takes such times for the second hour; a row is of the first where its text comes again later.
        db.execute(f"""
            UPDATE reading SET sampled_at = sampled_at - INTERVAL 1 HOUR WHERE rowid IN (
                SELECT row FROM (
                    SELECT rowid AS row, row_number() OVER same AS place, count(*) OVER same AS times
                    FROM reading WHERE file IN ({files}) AND sampled_at >= TIMESTAMP '{begin}'
                        AND sampled_at < TIMESTAMP '{begin}' + INTERVAL 1 HOUR AND evidence IS NULL
                    WINDOW same AS (PARTITION BY file, server_id, sampled_at, {_for_each("% IS NULL")}
                        ORDER BY rowid ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
                ) WHERE times = 2 AND place = 1)""")


def _texts(db: duckdb.DuckDBPyConnection, layout: Layout, sources: Sequence[Source], statistic: str) -> tuple[str, str]:
    """A SELECT over files of one layout that gives every canonical column as text, NULL where there is none, and the
    expressions that make the metrics' numbers of these texts."""
    scan = scan_of(layout, [source.readable for source in sources])
    cell = {column: field_of(layout, place) for column, place in layout.places}
    orders = ", ".join(str(source.order) for source in sources)
    servers = ", ".join(quoted(source.name.server) for source in sources)
    unknown_metric = key = "NULL"
    mark = {",": "number_with_comma", ".": "number_with_point"}.get(layout.decimal)
    numbers = {}
    for metric in metrics.columns():
        number = f"{mark or ('percent' if _is_percent(metric) else 'number')}({metric}_text)"
        number = f"rate({metric}_text, {number})" if _most(metric) == NETWORK_LIMIT else number
        # Where commas are decimal marks a point may stand between thousands, and no way is quicker.
        numbers[metric] = number if layout.decimal == "," else f"quick_or({metric}_text, {number})"
    if layout.shape == "wide":
        values = {metric: cell[metric] for metric, _ in layout.meanings}
        numbers |= {metric: _ours(found, numbers[metric]) for metric, found in layout.meanings}
    elif layout.shape == "two-column":
        [(metric, found)] = layout.meanings
        values = {metric: cell["value"]}
        numbers[metric] = _ours(found, numbers[metric])
    else:
        name, key = name_text(layout), key_text(layout)
        understood = _names(db, layout, scan, sources, statistic)
        known = ", ".join(quoted(one) for one in understood) or "NULL"
        unknown_metric = f"CASE WHEN {key} IN ({known}) THEN NULL ELSE {name} END"
        values = {}
        for metric in metrics.columns():
            keys = {one: found for one, found in understood.items() if found.metric == metric}
            if keys:
                values[metric] = (
                    f"CASE WHEN {key} IN ({', '.join(map(quoted, keys))}) THEN coalesce({cell['value']}, '') END"
                )
                numbers[metric] = _by_key(keys, numbers[metric])
    for source in sources:
        source.meanings = (
            list(layout.meanings) if layout.shape != "long" else [(one.metric, one) for one in understood.values()]
        )
    structure = "NULL"
    if layout.format == "csv":
        last = field_of(layout, len(layout.columns) - 1)
        structure = f"CASE WHEN beyond <> '' THEN {quoted(_TOO_MANY)} WHEN {last} IS NULL THEN {quoted(_TOO_FEW)} END"
    if layout.shape != "long":
        values = {metric: f"coalesce({value}, '')" for metric, value in values.items()}
    without = left_out(layout)
    if without:
        values = {metric: f"CASE WHEN NOT ({without}) THEN {value} END" for metric, value in values.items()}
        unknown_metric = f"CASE WHEN NOT ({without}) THEN {unknown_metric} END"
    attributes = "NULL"
    if any(name in cell for name in ATTRIBUTES):
        attributes = f"[{', '.join(cell.get(name, 'NULL') for name in ATTRIBUTES)}]"
    server = f"[{servers}][file_index::BIGINT + 1]"
    if "server_id" in cell:
        server, named = f"coalesce({cell['server_id']}, '')", server
        server = f"coalesce(nullif(clean({server}), ''), {named})" if layout.export else server
    if layout.owners:
        server = _owner(layout, server, understood if layout.shape == "long" else {}, key)
    texts = {
        "file": f"[{orders}][file_index::BIGINT + 1]",
        "at_text": time_text(layout),
        "server_text": server,
        "structure_problem": structure,
        "unknown_metric": unknown_metric,
        "meaning": key,
        **{f"{metric}_text": values.get(metric, "NULL::VARCHAR") for metric in metrics.columns()},
        "attributes": attributes,
    }  # fmt: skip
    return (
        f"SELECT {', '.join(f'{expression} AS {name}' for name, expression in texts.items())} FROM {scan}",
        ", ".join(f"{numbers[metric]} AS {metric}_number" for metric in metrics.columns()),
    )


def _owner(layout: Layout, server: str, understood: Mapping[str, Meaning], key: str) -> str:
    """Whose series a row belongs to: its server's, or that of the part that it names."""
    part = f"left(regexp_replace({part_text(layout)}, '\\p{{Cc}}', ' ', 'g'), {NAME_LENGTH})"
    if layout.wholes:
        part = f"CASE WHEN lower({part}) NOT IN ({', '.join(map(quoted, WHOLE))}) THEN {part} END"
    if layout.shape == "long":
        of_parts = [one for one, found in understood.items() if metrics.of_column(found.metric).parts == "own"]
        part = f"CASE WHEN {key} IN ({', '.join(map(quoted, of_parts)) or 'NULL'}) THEN {part} END"
    elif not all(metrics.of_column(metric).parts == "own" for metric, _ in layout.meanings):
        return server
    return entities.owner_of(f"replace(clean({server}), {entities.MARK}, chr(30))", part)


def _ours(found: Meaning, number: str) -> str:
    """The SQL of a number in our units."""
    scaled = number if found.factor == 1 else f"{number} * {found.factor!r}::DOUBLE"
    return f"{metrics.of_column(found.metric).capacity!r}::DOUBLE - {scaled}" if found.free else scaled


def _by_key(keys: Mapping[str, Meaning], number: str) -> str:
    """The same where it depends on the row's metric and unit."""
    by_sql: dict[str, list[str]] = defaultdict(list)
    for key, found in keys.items():
        by_sql[_ours(found, number)].append(key)
    if len(by_sql) == 1:
        return next(iter(by_sql))
    cases = " ".join(f"WHEN meaning IN ({', '.join(map(quoted, some))}) THEN {sql}" for sql, some in by_sql.items())
    return f"CASE {cases} END"


def _names(
    db: duckdb.DuckDBPyConnection, layout: Layout, scan: str, sources: Sequence[Source], statistic: str
) -> dict[str, Meaning]:
    """What the names in a long file's metric column mean, by name and unit; the reasons of others are kept."""
    keys = [key for (key,) in db.execute(f"SELECT DISTINCT {key_text(layout)} FROM {scan}").fetchall()]
    for source in sources:
        source.names.update(key.partition("\x1f")[0] for key in keys)
    understood: dict[str, Meaning] = {}
    for key in sorted(keys):
        name, _, unit = key.partition("\x1f")
        found = meaning_of_cell(layout, name, unit, sources[0].rules)
        if isinstance(found, Meaning):
            understood[key] = found
        elif isinstance(found, Unclear):
            db.execute("INSERT INTO unclear_name VALUES (?, ?)", [name, f"{found.metric}: {name!r} {found.reason}"])
    taken: dict[str, Meaning] = {}
    for metric in metrics.columns():
        candidates = [(key, found) for key, found in understood.items() if found.metric == metric]
        fit = best([(key, replace(found, certain=True, free=False)) for key, found in candidates], statistic)
        for key, found in candidates:
            if key in fit:
                taken[key] = found
            else:
                name = key.partition("\x1f")[0]
                shown = repr(name) if name else "what the file's name says"
                reason = f"{metric}: {shown} is another statistic than what was measured on average"
                db.execute("INSERT INTO unclear_name VALUES (?, ?)", [name, reason])
    db.execute(
        "CREATE OR REPLACE TABLE unclear_name AS SELECT name, min(reason) AS reason FROM unclear_name GROUP BY name"
    )
    return taken


def _keep_rejects(db: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> None:
    """Lines that the CSV reader could not make a row of."""
    if not db.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'reject_errors'").fetchone():
        return
    orders = ", ".join(f"({quoted(str(source.readable))}, {source.order})" for source in sources)
    db.execute(f"""
        INSERT INTO rejected
        SELECT source.file, line, first(csv_line[:200]), first(CASE error_type
            WHEN 'INVALID ENCODING' THEN 'not UTF-8 text: save the file as UTF-8'
            WHEN 'LINE SIZE OVER MAXIMUM' THEN 'a line of more than 2000000 bytes'
            ELSE 'not a CSV row (' || lower(error_type::VARCHAR) || ')' END)
        FROM reject_errors JOIN reject_scans USING (scan_id, file_id)
        JOIN (VALUES {orders}) AS source(path, file) ON file_path = path
        GROUP BY source.file, line, line_byte_position
    """)


def line_numbers(
    source: Source, positions: Sequence[int], rows: int, rejected_lines: Sequence[int]
) -> list[int] | None:
    """The lines, as an editor counts them from 1, of some rows of a file, given by their positions from 0.

    ``rows`` is how many rows the file has; ``rejected_lines`` are the lines that are not rows, ascending. ``None``
    says that each row is one line and follows the one before, so that line = position + 1 + header line.
    """
    layout = source.known_layout
    if layout.format == "parquet" or not positions:
        return None
    if not rejected_lines and _count_lines(source.readable) == layout.header_line + rows:
        return None
    # Positions among all records, with those that were rejected.
    before = [line - layout.header_line - 1 - index for index, line in enumerate(rejected_lines)]
    records = [position + bisect_right(before, position) for position in positions]
    starts: dict[int, int] = {}
    wanted, last, record = set(records), max(records), 0
    with open_bytes(source.readable) as raw:
        text = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="")
        for _ in range(layout.header_line):
            text.readline()
        reader = csv.reader(text, delimiter=layout.delimiter, quotechar=layout.quote)
        line = layout.header_line + 1
        try:
            for fields in reader:
                if fields:
                    if record in wanted:
                        starts[record] = line
                    record += 1
                line = layout.header_line + reader.line_num + 1
                if record > last:
                    break
        except csv.Error:
            pass  # a giant field; the lines after it are counted as if each row had one
    return [starts.get(record, record + 1 + layout.header_line) for record in records]


def _count_lines(path: Path) -> int:
    lines, last = 0, b""
    with open_bytes(path) as file:
        while chunk := file.read(1 << 20):
            lines += chunk.count(b"\n")
            last = chunk[-1:]
    return lines + (last not in (b"\n", b""))
