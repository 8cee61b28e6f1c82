"""Scanning: DuckDB reads all files of one layout together, and every row becomes one of the table ``reading``."""

# ruff: noqa: S608 - SQL is put together of names and quoted literals; see `quoted`.

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import duckdb

from headroom.core import metrics
from headroom.intake import entities
from headroom.intake.files import inventory
from headroom.intake.files.judging import evidence_names, for_each_metric, most
from headroom.intake.files.layout import NAME_LENGTH, NETWORK_LIMIT, Layout
from headroom.intake.files.sources import Source
from headroom.intake.files.tables import (
    field_of,
    is_part,
    key_text,
    left_out,
    name_text,
    part_text,
    scan_of,
    structure_problem,
    time_text,
)
from headroom.intake.sql import drop_rejects, for_each, one_row, quoted
from headroom.intake.unreadable import brief
from headroom.intake.words import times
from headroom.intake.words.headings import ATTRIBUTES
from headroom.intake.words.meaning import Meaning

_log = logging.getLogger(__name__)

_TOO_FEW = "fewer fields than the header: is the line cut off, or a quotation mark never closed?"


def scan(
    db: duckdb.DuckDBPyConnection,
    layout: Layout,
    sources: Sequence[Source],
    latest: str,
    understood: Mapping[str, Meaning],
) -> None:
    """Insert all rows of files of one layout into ``reading``, and lines that are not rows into ``rejected``."""

    def insert(some: Sequence[Source]) -> None:
        drop_rejects(db)
        if layout.shape == "inventory":
            inventory.scan(db, layout, some)
            _keep_rejects(db, layout, some)
            return
        db.execute("SET TimeZone = ?", [layout.zone or some[0].rules.timezone])
        texts, numbers = _texts(layout, some, understood)
        statement = _read().replace("$moment", layout.time.sql("at_text")).replace("$numbers", numbers)
        statement = statement.replace("$latest", f"TIMESTAMPTZ {quoted(latest)}")
        db.execute("INSERT INTO reading BY NAME " + statement.replace("$texts", texts))
        _keep_rejects(db, layout, some)
        _second_hours(db, layout, some)

    of_all_or_each(sources, insert)


def of_all_or_each(sources: Sequence[Source], work: Callable[[Sequence[Source]], None]) -> None:
    """Work on files together or, where one of them breaks it, on each by itself; those that do are refused."""
    try:
        work(sources)
    except (duckdb.InvalidInputException, duckdb.IOException, duckdb.ConversionException) as error:
        if len(sources) > 1:
            for source in sources:
                of_all_or_each([source], work)
            return
        _log.warning("%s: %s", sources[0].file, error)
        sources[0].layout = None
        sources[0].error = f"the file cannot be read to its end ({brief(error)}): send it again"


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
    {for_each_metric("%_number AS %")}, attributes,
    CASE WHEN structure_problem IS NULL AND unknown_metric IS NULL AND sampled_at IS NOT NULL
        AND {for_each_metric("(%_text IS NULL OR %_number BETWEEN 0 AND #usual)", " AND ")}
        THEN NULL ELSE [{for_each(evidence_names(), "%")}] END AS evidence
FROM parsed
"""


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
        number = f"{mark or ('percent' if metrics.is_percent(metric) else 'number')}({metric}_text)"
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
        named = f"coalesce(nullif({name}, ''), {quoted(layout.named_text)})"  # the file's name, where no cell says it
        unknown_metric = f"CASE WHEN {key} IN ({known}) THEN NULL ELSE {named} END"
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
    read = {
        metric: _as_its_cell_says(metric, numbers[metric], layout.decimal) for metric in values
    }  # to plan one takes 10 ms
    return (
        f"SELECT {', '.join(f'{expression} AS {name}' for name, expression in texts.items())} FROM {scan}",
        ", ".join(f"{read.get(metric, 'NULL::DOUBLE')} AS {metric}_number" for metric in metrics.columns()),
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


def _as_its_cell_says(metric: str, number: str, decimal: str) -> str:
    """The SQL of a rate that may have its unit in its cell, which then counts, whatever its heading says."""
    if most(metric) != NETWORK_LIMIT:
        return number
    amount = {",": "amount_with_comma", ".": "amount_with_point"}.get(decimal, "amount")
    return f"rate({metric}_text, {number}, {amount}({metric}_text))"


def _by_key(keys: Mapping[str, Meaning], number: str) -> str:
    """The same where it depends on the row's metric and unit."""
    by_sql: dict[str, list[str]] = defaultdict(list)
    for key, found in keys.items():
        by_sql[_ours(found, number)].append(key)
    if len(by_sql) == 1:
        return next(iter(by_sql))
    cases = " ".join(f"WHEN meaning IN ({', '.join(map(quoted, some))}) THEN {sql}" for sql, some in by_sql.items())
    return f"CASE {cases} END"


def _second_hours(db: duckdb.DuckDBPyConnection, layout: Layout, sources: Sequence[Source]) -> None:
    """Where clocks go back an hour of local times occurs twice: the first time round is an hour before the second."""
    zone = layout.zone or sources[0].rules.timezone
    files = ", ".join(str(source.order) for source in sources)
    if zone == "UTC" or zone.startswith(("Etc/", "GMT")):
        return
    first, last = one_row(db, f"SELECT min(sampled_at), max(sampled_at) FROM reading WHERE file IN ({files})")
    begins = times.repeated_hours(zone, first, last)
    if not begins:
        return
    backwards = db.execute(f"""
        SELECT file FROM reading WHERE file IN ({files}) AND sampled_at IS NOT NULL GROUP BY file
        HAVING arg_min(sampled_at, rowid) > arg_max(sampled_at, rowid)""").fetchall()
    newest_first = ", ".join(str(file) for (file,) in backwards) or "NULL"
    kind = f"[{for_each_metric('% IS NULL')}]" if layout.shape == "long" else "1"  # of several rows of one moment
    for begin in begins:
        # DuckDB takes such times for the second hour. Where a series goes back once, what comes before that is of the
        # first; where it never does, a row whose text comes again behind it. Where it goes back again and again, its
        # rows are in no order, and which of two came first is not known.
        db.execute(f"""
            CREATE OR REPLACE TEMP TABLE twice AS
            WITH hour AS (
                SELECT file, rowid AS row, server_id, sampled_at, {kind} AS kind,
                    CASE WHEN file IN ({newest_first}) THEN -rowid ELSE rowid END AS place
                FROM reading WHERE file IN ({files}) AND sampled_at >= TIMESTAMP '{begin}'
                    AND sampled_at < TIMESTAMP '{begin}' + INTERVAL 1 HOUR
                    AND (evidence IS NULL OR (evidence[3] IS NULL AND evidence[4] IS NULL))  -- a cell may be empty
                    AND NOT ({for_each_metric("% IS NULL", " AND ")})
            ), step AS (
                SELECT *, coalesce(sampled_at < lag(sampled_at) OVER series, false)::INTEGER AS back,
                    row_number() OVER same AS number,
                    count(*) OVER (PARTITION BY file, server_id, kind, sampled_at) AS times
                FROM hour WINDOW series AS (PARTITION BY file, server_id, kind ORDER BY place),
                    same AS (PARTITION BY file, server_id, kind, sampled_at ORDER BY place)
            )
            SELECT file, row, number, times, sum(back) OVER (PARTITION BY file, server_id, kind) AS backs,
                sum(back) OVER (PARTITION BY file, server_id, kind ORDER BY place) AS round,
                max(times) OVER (PARTITION BY file, server_id, kind) AS most
            FROM step;
            UPDATE reading SET sampled_at = sampled_at - INTERVAL 1 HOUR WHERE rowid IN (
                SELECT row FROM twice
                WHERE most = 2 AND CASE WHEN backs = 1 THEN round = 0 ELSE times = 2 AND number = 1 END);
            INSERT INTO unordered_file SELECT DISTINCT file FROM twice WHERE most = 2 AND backs > 1""")


def _keep_rejects(db: duckdb.DuckDBPyConnection, layout: Layout, sources: Sequence[Source]) -> None:
    """Lines that the CSV reader could not make a row of."""
    if layout.format != "csv":
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
