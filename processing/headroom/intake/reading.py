"""Reading files: every row of every file becomes one row of the table ``reading``, its problems beside it.

DuckDB scans all files of one layout together. Nothing is dropped on the way: a row that cannot be used is
kept with the reason, so that the counts of the data-quality report add up.
"""

# ruff: noqa: S608 - SQL is put together of names and quoted literals; see `quoted`.

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from headroom.core import metrics
from headroom.core.settings import FileRules, Settings
from headroom.intake import cells, doubts, entities, inventory, times, whole_files
from headroom.intake.columns import ATTRIBUTES, best
from headroom.intake.identity import canonical
from headroom.intake.layout import (
    NAME_LENGTH,
    NETWORK_LIMIT,
    PERCENT_LIMIT,
    Layout,
    brief,
    meaning_of_cell,
)
from headroom.intake.meaning import Meaning, Unclear
from headroom.intake.sources import Source, name_all, recognize
from headroom.intake.tables import (
    drop_rejects,
    field_of,
    for_each,
    insert_all,
    is_part,
    key_text,
    left_out,
    name_text,
    one_row,
    part_text,
    quoted,
    scan_of,
    structure_problem,
    time_text,
)

_log = logging.getLogger(__name__)

_TOO_FEW = "fewer fields than the header: is the line cut off, or a quotation mark never closed?"


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
# file has any. A row is told by its file and its number there, counted from the `first` of its file (see `tell`): here
# its rowid, as rowids follow the file's order. A row's `server_id` is the owner of its series: the server, or one of
# its entities (see `entities`).
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
def _judge(of_servers: bool) -> str:
    """``of_servers`` says whether some server's values are in doubt, and not only whole columns."""
    texts = [f"{name}_text" for name in metrics.columns()]
    percent = metrics.percent_names()
    held, joined = "%_doubt", ""
    if of_servers:
        held = "coalesce(doubt_of_file.%_doubt, doubt_of_server.%_doubt)"
        joined = (
            "LEFT JOIN doubt_of_server ON doubt_of_server.file = reading.file "
            f"AND doubt_of_server.server = {entities.server_of('reading.server_id')}"
        )
    doubt = f"{held} AS %_doubt" if of_servers else held
    unknown = f"unknown metric: known are {', '.join(metrics.names())}; map others under `columns` in the settings"
    return f"""
CREATE TABLE suspect AS
WITH with_doubt AS (
    SELECT reading.rowid AS row, reading.*, {_for_each(doubt)}
    FROM reading LEFT JOIN doubt_of_file USING (file) {joined}
    WHERE evidence IS NOT NULL OR server_id IN (SELECT server_id FROM not_a_name)
        OR {_for_each(f"({held} IS NOT NULL AND % IS NOT NULL)", " OR ")}
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
            "WINDOW same AS (PARTITION BY file, server_id, sampled_at ORDER BY row "
            "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)"  # means are of one order of rows
        )
    return " UNION ALL ".join(parts)


def read(db: duckdb.DuckDBPyConnection, sources: Sequence[Source], settings: Settings, latest: str, work: Path) -> None:
    """Read all sources into the tables ``reading`` and ``rejected`` (lines that are not rows) of ``db``.

    ``latest`` (ISO 8601 with offset) is the last moment that a sample may have. ``work`` is an empty folder for
    temporary files, needed as long as the sources are.
    """
    prepare(db)
    name_all(sources, settings)
    look_at(db, sources, settings, work)
    read_rows(db, sources, settings, latest, names_of(sources, settings.statistic))


def latest_of(planned: datetime) -> str:
    """The last moment that a sample may have: a day after the run was planned, for clocks and zones that are off."""
    return (planned + timedelta(days=1)).isoformat()


def prepare(db: duckdb.DuckDBPyConnection) -> None:
    """Make the tables that files are read into, empty, and the functions of SQL that it takes."""
    db.execute(_tables() + cells.MACROS)


def look_at(db: duckdb.DuckDBPyConnection, sources: Sequence[Source], settings: Settings, work: Path) -> None:
    """Find out what each of some files is, and what stands in its metric column."""
    for source in sources:
        recognize(db, source, settings, work)
    for (layout, _), group in _alike(sources).items():
        if layout.shape == "long":
            _find_keys(db, layout, group)


def _alike(sources: Sequence[Source]) -> dict[tuple[Layout, str], list[Source]]:
    """The files that can be read, with those that are read alike together."""
    alike: dict[tuple[Layout, str], list[Source]] = defaultdict(list)
    for source in sources:
        if source.layout is not None:
            alike[source.alike].append(source)
    return alike


@dataclass(frozen=True)
class Names:
    """What the names in metric columns mean.

    Attributes:
        meant: of files that are read alike (``Source.alike``), the meaning of each name and unit that is read.
        unclear: why others are not, by name.
    """

    meant: Mapping[tuple[Layout, str], Mapping[str, Meaning]]
    unclear: Mapping[str, str]


def names_of(sources: Sequence[Source], statistic: str) -> Names:
    """What the names in all files' metric columns mean; each of several files alike is told what stands in all."""
    meant: dict[tuple[Layout, str], Mapping[str, Meaning]] = {}
    unclear: dict[str, str] = {}
    for alike, group in _alike(sources).items():
        if alike[0].shape != "long":
            continue
        keys = set().union(*(source.keys for source in group))
        for source in group:
            source.names.update(key.partition("\x1f")[0] for key in keys)
        meant[alike], reasons = _meant(alike[0], group[0].rules, keys, statistic)
        for name, reason in reasons:
            unclear[name] = min(reason, unclear.get(name, reason))
    return Names(meant, unclear)


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
    for alike, group in _alike(sources).items():
        layout = alike[0]
        if layout.owners:
            files = [(source.order,) for source in group]
            insert_all(db, "owner_file", files)
            if any(entities.together(name) for name in metrics.columns()):
                insert_all(db, "together_file", files)
        for plain in (True, False):
            some = [source for source in group if source.plain == plain]
            if some:
                _scan(db, layout, some, latest, names.meant.get(alike, {}))
    _look_at_names(db, settings)
    doubts.find(db, sources)
    db.execute(_judge(db.execute("SELECT 1 FROM doubt_of_server LIMIT 1").fetchone() is not None))
    make_views(db)
    for refused in (
        whole_files.days_before_months,
        whole_files.with_names_left_out,
        whole_files.with_commas_in_numbers,
        whole_files.put_together,
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


def tell(db: duckdb.DuckDBPyConnection) -> None:
    """Say what later steps must know of the rows, in small tables.

    ``file_told``: of each file the number of its first row, the number of rows, the newest moment, and how many plain
    values it has of each metric. ``attribute_told``: what rows say of servers, with the newest moment and the first and
    last row that say it. ``part_told``: the parts of servers that have values of a metric of parts.
    """
    db.execute(f"""
        CREATE TABLE file_told AS
        SELECT * REPLACE ({_for_each("coalesce(%, 0) AS %")}) FROM (
            SELECT file, min(rowid) AS first, count(*) AS rows, max(sampled_at) AS newest FROM reading GROUP BY file
        ) LEFT JOIN (SELECT file, {_for_each("count(%) AS %")} FROM plain_reading GROUP BY file) USING (file);
        CREATE TABLE attribute_told AS
        SELECT file, {entities.server_of()} AS server_id, attributes, max(sampled_at) AS sampled_at,
            max(rowid) AS row, min(rowid) AS first_row
        FROM reading WHERE attributes IS NOT NULL
            AND (evidence IS NULL OR rowid IN (SELECT row FROM suspect WHERE usable))
        GROUP BY ALL""")
    entities.tell(db)


def make_views(db: duckdb.DuckDBPyConnection) -> None:
    """The views ``plain_reading`` and ``usable_reading``, without the files refused so far."""
    refused = db.execute("SELECT file FROM refused_file").fetchall()
    doubted = db.execute("""
        SELECT 1 FROM suspect JOIN doubt USING (file) UNION ALL SELECT 1 FROM not_a_name LIMIT 1""").fetchone()
    without = f"AND file NOT IN ({', '.join(str(file) for (file,) in refused)})" if refused else ""
    plain = without + (" AND rowid NOT IN (SELECT row FROM suspect)" if doubted else "")
    db.execute(_views().replace("$plain", plain))
    make_usable_reading(db)


def make_usable_reading(db: duckdb.DuckDBPyConnection) -> None:
    """The view ``usable_reading`` of ``usable_row``: parts of which the busiest counts, or all together, combined."""
    combined = db.execute("SELECT file FROM busiest_file UNION SELECT file FROM together_file").fetchone()
    db.execute(f"CREATE OR REPLACE VIEW usable_reading AS {_combined() if combined else 'FROM usable_row'}")


def refuse(db: duckdb.DuckDBPyConnection, refused: Sequence[tuple[Source, str]]) -> None:
    """Take files back that have been read, each with the reason: nothing of them is used."""
    for source, error in refused:
        source.error = error
    insert_all(db, "refused_file", [(source.order,) for source, _ in refused])
    for table in ("suspect", "rejected"):
        db.execute(f"DELETE FROM {table} WHERE file IN (FROM refused_file)")
    make_views(db)


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
    db.execute(f"""
        INSERT INTO not_a_name
        SELECT DISTINCT server_id FROM name_in_file
        WHERE server_problem(CASE WHEN file IN (FROM owner_file) THEN {entities.server_of()}
            ELSE server_id END) IS NOT NULL""")


def _scan(
    db: duckdb.DuckDBPyConnection,
    layout: Layout,
    sources: Sequence[Source],
    latest: str,
    understood: Mapping[str, Meaning],
) -> None:
    """Insert all rows of files of one layout; where one of them breaks the scan, they are read one by one."""
    drop_rejects(db)
    try:
        if layout.shape == "inventory":
            inventory.scan(db, layout, sources)
            _keep_rejects(db, sources)
            return
        db.execute("SET TimeZone = ?", [layout.zone or sources[0].rules.timezone])
        texts, numbers = _texts(layout, sources, understood)
        statement = _read().replace("$moment", layout.time.sql("at_text")).replace("$numbers", numbers)
        statement = statement.replace("$latest", f"TIMESTAMPTZ {quoted(latest)}")
        db.execute("INSERT INTO reading BY NAME " + statement.replace("$texts", texts))
        _keep_rejects(db, sources)
        _second_hours(db, layout, sources)
    except (duckdb.InvalidInputException, duckdb.IOException, duckdb.ConversionException) as error:
        if len(sources) > 1:
            for source in sources:
                _scan(db, layout, [source], latest, understood)
        else:
            _refuse_damaged(sources[0], error)


def _refuse_damaged(source: Source, error: Exception) -> None:
    _log.warning("%s: %s", source.file, error)
    source.layout = None
    source.error = f"the file cannot be read to its end ({brief(error)}): send it again"


def _second_hours(db: duckdb.DuckDBPyConnection, layout: Layout, sources: Sequence[Source]) -> None:
    """Where clocks go back an hour of local times occurs twice: the first time round is an hour before the second."""
    zone = layout.zone or sources[0].rules.timezone
    files = ", ".join(str(source.order) for source in sources)
    if zone == "UTC" or zone.startswith("Etc/"):
        return
    first, last = one_row(db, f"SELECT min(sampled_at), max(sampled_at) FROM reading WHERE file IN ({files})")
    begins = times.repeated_hours(zone, first, last)
    if not begins:
        return
    backwards = db.execute(f"""
        SELECT file FROM reading WHERE file IN ({files}) AND sampled_at IS NOT NULL GROUP BY file
        HAVING arg_min(sampled_at, rowid) > arg_max(sampled_at, rowid)""").fetchall()
    newest_first = ", ".join(str(file) for (file,) in backwards) or "NULL"
    for begin in begins:
        # DuckDB takes such times for the second hour; a row is of the first where its text comes again later.
        db.execute(f"""
            UPDATE reading SET sampled_at = sampled_at - INTERVAL 1 HOUR WHERE rowid IN (
                SELECT row FROM (
                    SELECT rowid AS row, row_number() OVER same AS place, count(*) OVER same AS times
                    FROM reading WHERE file IN ({files}) AND sampled_at >= TIMESTAMP '{begin}'
                        AND sampled_at < TIMESTAMP '{begin}' + INTERVAL 1 HOUR AND evidence IS NULL
                    WINDOW same AS (PARTITION BY file, server_id, sampled_at, {_for_each("% IS NULL")}
                        ORDER BY CASE WHEN file IN ({newest_first}) THEN -rowid ELSE rowid END
                        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
                ) WHERE times = 2 AND place = 1)""")


def _texts(layout: Layout, sources: Sequence[Source], understood: Mapping[str, Meaning]) -> tuple[str, str]:
    """A SELECT over files of one layout that gives every canonical column as text, NULL where there is none, and the
    expressions that make the metrics' numbers of these texts."""
    scan = scan_of(layout, [source.readable for source in sources], all(source.plain for source in sources))
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
    if layout.shape != "long":
        values = {metric: f"coalesce({value}, '')" for metric, value in values.items()}
    for metric, value in values.items():
        if without := left_out(layout, metric):
            values[metric] = f"CASE WHEN NOT ({without}) THEN {value} END"
    if without := left_out(layout):
        unknown_metric = f"CASE WHEN NOT ({without}) THEN {unknown_metric} END"
    attributes = "NULL"
    if any(name in cell for name in ATTRIBUTES):
        attributes = f"[{', '.join(cell.get(name, 'NULL') for name in ATTRIBUTES)}]"
    server = f"[{servers}][file_index::BIGINT + 1]"
    if "server_id" in cell:
        server, named = f"coalesce({cell['server_id']}, '')", server
        server = f"coalesce(nullif(clean({server}), ''), {named})" if layout.export else server
    if layout.owners:
        server = _owner(layout, server, understood, key)
    texts = {
        "file": f"[{orders}][file_index::BIGINT + 1]",
        "at_text": time_text(layout),
        "server_text": server,
        "structure_problem": structure_problem(layout, _TOO_FEW),
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
    part = f"CASE WHEN {is_part(layout)} THEN {part} END"
    if layout.shape == "long":
        of_parts = [one for one, found in understood.items() if metrics.of_column(found.metric).parts == "own"]
        part = f"CASE WHEN {key} IN ({', '.join(map(quoted, of_parts)) or 'NULL'}) THEN {part} END"
    elif any(entities.together(metric) for metric, _ in layout.meanings):
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


def _find_keys(db: duckdb.DuckDBPyConnection, layout: Layout, sources: Sequence[Source]) -> None:
    """Find what stands in the metric columns of files of one layout; where one breaks the scan, of each by itself."""
    try:
        scan = scan_of(layout, [source.readable for source in sources], all(source.plain for source in sources))
        keys = {key for (key,) in db.execute(f"SELECT DISTINCT {key_text(layout)} FROM {scan}").fetchall()}
        for source in sources:
            source.keys = keys
    except (duckdb.InvalidInputException, duckdb.IOException, duckdb.ConversionException) as error:
        if len(sources) > 1:
            for source in sources:
                _find_keys(db, layout, [source])
        else:
            _refuse_damaged(sources[0], error)


def _meant(
    layout: Layout, rules: FileRules, keys: Collection[str], statistic: str
) -> tuple[dict[str, Meaning], list[tuple[str, str]]]:
    """What the names in a long file's metric column mean, by name and unit; and names that are not read, with why."""
    understood: dict[str, Meaning] = {}
    unclear: list[tuple[str, str]] = []
    for key in sorted(keys):
        name, _, unit = key.partition("\x1f")
        found = meaning_of_cell(layout, name, unit, rules)
        if isinstance(found, Meaning):
            understood[key] = found
        elif isinstance(found, Unclear):
            unclear.append((name, f"{found.metric}: {name!r} {found.reason}"))
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
                unclear.append((name, f"{metric}: {shown} is another statistic than what was measured on average"))
    return taken, unclear


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
