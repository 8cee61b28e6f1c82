"""Reading files: every row of every file becomes one row of the table ``reading``, its problems beside it.

DuckDB scans all files of one layout together. Nothing is dropped on the way: a row that cannot be used is
kept with the reason, so that the counts of the data-quality report add up.
"""

# ruff: noqa: S608 - SQL is put together of names and quoted literals; see `quoted`.

from __future__ import annotations

import codecs
import csv
import io
import logging
import zlib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from headroom.core.settings import METRICS, PERCENT_METRICS, Settings
from headroom.intake.layout import (
    ATTRIBUTES,
    EARLIEST,
    NAME_LENGTH,
    NETWORK_LIMIT,
    PERCENT_LIMIT,
    Layout,
    UnreadableFile,
    brief,
    canonical_column,
    encoding_of,
    layout_of,
    open_bytes,
    server_from_name,
)

_log = logging.getLogger(__name__)

_TOO_MANY = "more fields than the header"
_TOO_FEW = "fewer fields than the header: is the line cut off, or a quotation mark never closed?"
_UNKNOWN_METRIC = f"unknown metric: known are {', '.join(METRICS)}; map others under `columns` in the settings"
_NO_TIMESTAMP = "not a timestamp: use ISO 8601 (2024-01-31T13:05:00Z), or epoch seconds or milliseconds"


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def for_each(names: Sequence[str], pattern: str, separator: str = ", ") -> str:
    """SQL text repeated for each name, which replaces every % in it."""
    return separator.join(pattern.replace("%", name) for name in names)


_PERCENT = f"BETWEEN 0 AND {PERCENT_LIMIT}"
_NETWORK = f"BETWEEN 0 AND {NETWORK_LIMIT}"
_NETWORK_METRICS = [metric for metric in METRICS if metric not in PERCENT_METRICS]
_METRIC_TEXTS = [f"{metric}_text" for metric in METRICS]
_EVIDENCE = ["at_text", "server_text", "structure_problem", "unknown_metric", *_METRIC_TEXTS]

# `reading` holds every row. Most are plainly right; where one is not, `evidence` keeps its texts (in the order of
# _EVIDENCE), and `suspect` says what becomes of it. `attributes` has the texts in the order of ATTRIBUTES, where the
# file has any. A row's number within all is its rowid; within a file, rowids follow the file's order.
_TABLES = f"""
CREATE TABLE reading (
    file INTEGER, server_id VARCHAR, sampled_at TIMESTAMP, {for_each(METRICS, "% DOUBLE")},
    attributes VARCHAR[], evidence VARCHAR[]);
CREATE TABLE rejected (file INTEGER, line BIGINT, value VARCHAR, reason VARCHAR);
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

CREATE MACRO instant(text) AS coalesce(
    try_cast(text AS TIMESTAMPTZ),
    instant_of_epoch(try_cast(text AS DOUBLE)),
    try_cast(regexp_replace(clean(text), '\s+([+-]\d{{2}}:?\d{{2}})$', '\1') AS TIMESTAMPTZ));

CREATE MACRO number(text) AS coalesce(
    try_cast(text AS DOUBLE), try_cast(rtrim(text, '% ') AS DOUBLE));

CREATE MACRO number_with_comma(text) AS coalesce(
    try_cast(text AS DOUBLE), try_cast(rtrim(replace(text, ',', '.'), '% ') AS DOUBLE));

CREATE MACRO is_nothing(text) AS lower(clean(text)) IN ('', 'nan', 'null', 'none', 'na', 'n/a', '-');

CREATE MACRO value_problem(text, number, most, unit) AS CASE
    WHEN text IS NULL OR number BETWEEN 0 AND most THEN NULL
    WHEN isnan(number) OR is_nothing(text) THEN NULL
    WHEN number IS NULL THEN 'not a number'
    WHEN isinf(number) THEN 'not a finite number'
    ELSE 'outside 0 to ' || most || unit END;

CREATE MACRO problem(source_column, cell, reason) AS {{'column': source_column, 'value': cell, 'reason': reason}};
CREATE MACRO not_null(list) AS list_filter(list, lambda item: item IS NOT NULL);

CREATE MACRO server_problem(name) AS CASE
    WHEN name = '' THEN 'no server name'
    WHEN length(name) > {NAME_LENGTH} THEN 'server name longer than {NAME_LENGTH} characters'
    WHEN regexp_matches(name, '\p{{Cc}}') THEN 'server name with control characters' END;

CREATE MACRO time_problem(text, instant_read, latest) AS CASE
    WHEN instant_read IS NULL AND clean(text) = '' THEN 'no timestamp'
    WHEN instant_read IS NULL THEN '{_NO_TIMESTAMP}'
    WHEN instant_read < TIMESTAMPTZ '{EARLIEST} 00:00:00+00' THEN 'timestamp before {EARLIEST}'
    WHEN instant_read > latest THEN 'timestamp later than the run' END;
"""

# From the texts of one layout (see _texts) to rows of `reading`.
_READ = f"""
WITH parsed AS (
    SELECT *, instant(at_text) AS instant, {for_each(METRICS, "$number(%_text) AS %_number")} FROM ($texts)
)
SELECT file, server_text AS server_id,
    CASE WHEN time_problem(at_text, instant, $latest) IS NULL THEN make_timestamp(epoch_us(instant)) END AS sampled_at,
    {for_each(METRICS, "%_number AS %")}, attributes,
    CASE WHEN structure_problem IS NULL AND unknown_metric IS NULL AND sampled_at IS NOT NULL
        AND server_problem(server_text) IS NULL
        AND {for_each(PERCENT_METRICS, "(%_text IS NULL OR coalesce(%_number BETWEEN 0 AND 100, false))", " AND ")}
        AND {for_each(_NETWORK_METRICS, f"(%_text IS NULL OR coalesce(%_number {_NETWORK}, false))", " AND ")}
        THEN NULL ELSE [{for_each(_EVIDENCE, "%")}] END AS evidence
FROM parsed
"""

# What becomes of the rows with evidence. A row is usable if it has a server, a moment and no fault in its
# structure, and not all that it says is wrong. Of its cells, those that are empty or wrong are NULL.
_JUDGE = f"""
CREATE TABLE suspect AS
WITH parsed AS (
    SELECT rowid AS row, file, server_id, sampled_at, {for_each(METRICS, "% AS %_number")},
        {", ".join(f"evidence[{place}] AS {name}" for place, name in enumerate(_EVIDENCE, start=1))}
    FROM reading WHERE evidence IS NOT NULL
), checked AS (
    SELECT *,
        {for_each(PERCENT_METRICS, f"value_problem(%_text, %_number, {PERCENT_LIMIT}, ' percent') AS %_problem")},
        {for_each(_NETWORK_METRICS, f"value_problem(%_text, %_number, {NETWORK_LIMIT}, ' MB/s') AS %_problem")},
        CASE
            WHEN structure_problem IS NOT NULL THEN problem('', at_text, structure_problem)
            WHEN sampled_at IS NULL
                THEN problem('timestamp', at_text, time_problem(at_text, instant(at_text), $latest))
            WHEN server_problem(server_text) IS NOT NULL
                THEN problem('server_id', server_text, server_problem(server_text))
            WHEN unknown_metric IS NOT NULL THEN problem('metric', unknown_metric, {quoted(_UNKNOWN_METRIC)})
        END AS row_problem
    FROM parsed
), judged AS (
    SELECT *,
        {for_each(PERCENT_METRICS, f"CASE WHEN %_number {_PERCENT} THEN least(%_number, 100) END AS %")},
        {for_each(_NETWORK_METRICS, f"CASE WHEN %_number {_NETWORK} THEN %_number END AS %")},
        not_null([
            {for_each(METRICS, "CASE WHEN %_problem IS NOT NULL THEN problem('%', %_text, %_problem) END")}
        ]) AS value_problems
    FROM checked
)
SELECT row, file, server_id, sampled_at, {for_each(METRICS, "%")},
    len(not_null([{for_each(METRICS, "%")}])) AS good,
    row_problem IS NULL AND (good > 0 OR len(value_problems) = 0) AS usable,
    CASE WHEN structure_problem IS NULL
        THEN len(not_null([{for_each(_METRIC_TEXTS, "%")}, unknown_metric])) ELSE 0 END AS cells,
    CASE WHEN structure_problem IS NULL
        THEN cells - good - len(value_problems) - len(not_null([unknown_metric])) ELSE 0 END AS empty,
    CASE WHEN usable THEN good ELSE 0 END AS used,
    cells - empty - used AS unusable,
    CASE WHEN usable THEN {for_each(PERCENT_METRICS, "(%_number > % IS TRUE)::INTEGER", " + ")} ELSE 0 END AS clipped,
    CASE WHEN row_problem IS NULL THEN value_problems ELSE [row_problem] END AS problems
FROM judged;

CREATE VIEW usable_reading AS
    SELECT file, row, server_id, sampled_at, {for_each(METRICS, "abs(%) AS %")}  -- no negative zeros
    FROM (
        SELECT *, rowid AS row FROM reading WHERE evidence IS NULL
        UNION ALL BY NAME SELECT * FROM suspect WHERE usable
    );
"""


@dataclass
class Source:
    """One incoming file. ``order`` is its place in the order of arrival: of equal samples the later file's wins.

    After reading, it has either a ``layout`` or an ``error`` that says why it holds no table and what to do.
    ``readable`` is what DuckDB reads in its place: UTF-8, under a name of our own.
    """

    order: int
    file: str
    path: Path
    readable: Path = Path()
    layout: Layout | None = None
    error: str | None = None


def read(db: duckdb.DuckDBPyConnection, sources: Sequence[Source], settings: Settings, latest: str, work: Path) -> None:
    """Read all sources into the tables ``reading`` and ``rejected`` (lines that are no rows) of ``db``.

    ``latest`` (ISO 8601 with offset) is the last moment that a sample may have. ``work`` is an empty folder for
    temporary files, needed as long as the sources are.
    """
    db.execute(_TABLES + _MACROS)
    db.execute("SET TimeZone = ?", [settings.timezone])
    alike: dict[Layout, list[Source]] = defaultdict(list)
    for source in sources:
        _recognize(db, source, settings, work)
        if source.layout is not None:
            alike[source.layout].append(source)
    for layout, group in alike.items():
        _scan(db, layout, group, settings, latest)
    db.execute(_JUDGE.replace("$latest", f"TIMESTAMPTZ {quoted(latest)}"))
    read_rows = "SELECT file FROM reading UNION SELECT file FROM rejected"
    with_rows = {file for (file,) in db.execute(read_rows).fetchall()}
    for source in sources:
        if source.error is None and source.order not in with_rows:
            source.error = "the file has a header but no rows: export it again"


def _recognize(db: duckdb.DuckDBPyConnection, source: Source, settings: Settings, work: Path) -> None:
    if source.error is not None:
        return
    source.readable = work / f"{source.order:06}"
    try:
        layout = layout_of(source.path, settings, db)
        if layout.compressed:
            _check_gzip(source.path)
        if layout.format == "csv" and encoding_of(source.path) != "utf-8":
            _to_utf8(source.path, source.readable)
            layout = layout_of(source.readable, settings, db)
        else:
            # DuckDB would take * ? [ ] in the file's own name for a pattern.
            source.readable.symlink_to(source.path.resolve())
        source.layout = layout
    except UnreadableFile as error:
        source.error = str(error)
    except OSError as error:
        source.error = f"the file cannot be read ({brief(error)}): send it again"


def _check_gzip(path: Path) -> None:
    """DuckDB takes some damaged gzip files for shorter ones; the checksums tell."""
    try:
        with open_bytes(path) as file:
            while file.read(1 << 20):
                pass
    except (EOFError, OSError, zlib.error) as error:
        raise UnreadableFile(f"damaged gzip file ({error}): send it again") from error


def _to_utf8(path: Path, target: Path) -> None:
    decoder = codecs.getincrementaldecoder(encoding_of(path))(errors="replace")
    with open_bytes(path) as source, target.open("w", encoding="utf-8", newline="") as out:
        while chunk := source.read(1 << 20):
            out.write(decoder.decode(chunk))
        out.write(decoder.decode(b"", final=True))


def _scan(
    db: duckdb.DuckDBPyConnection, layout: Layout, sources: Sequence[Source], settings: Settings, latest: str
) -> None:
    """Insert all rows of files of one layout; where one of them breaks the scan, they are read one by one."""
    texts = _texts(db, layout, sources, settings)
    try:
        number = "number" if layout.delimiter in ("", ",") else "number_with_comma"
        statement = _READ.replace("$number", number).replace("$latest", f"TIMESTAMPTZ {quoted(latest)}")
        db.execute("INSERT INTO reading BY NAME " + statement.replace("$texts", texts))
        _keep_rejects(db, sources)
    except (duckdb.InvalidInputException, duckdb.IOException, duckdb.ConversionException) as error:
        if len(sources) > 1:
            for source in sources:
                _scan(db, layout, [source], settings, latest)
        else:
            _log.warning("%s: %s", sources[0].file, error)
            sources[0].layout = None
            sources[0].error = f"the file cannot be read to its end ({brief(error)}): send it again"
    finally:
        db.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")


def _texts(db: duckdb.DuckDBPyConnection, layout: Layout, sources: Sequence[Source], settings: Settings) -> str:
    """A SELECT over files of one layout that gives every canonical column as text, NULL where there is none."""
    scan = _scan_function(layout, sources)
    cell = {column: _field(layout, place) for column, place in layout.places}
    orders = ", ".join(str(source.order) for source in sources)
    servers = ", ".join(quoted(server_from_name(source.file)) for source in sources)
    unknown_metric = "NULL"
    if layout.shape == "wide":
        values = {metric: cell[metric] for metric in METRICS if metric in cell}
    elif layout.shape == "two-column":
        values = {settings.metric: cell["value"]}
    else:
        name = f"coalesce(clean({cell['metric']}), '')"
        meaning = _metrics_named(db, f"SELECT DISTINCT {name} FROM {scan}", settings)
        known = ", ".join(quoted(text) for texts in meaning.values() for text in texts) or "NULL"
        unknown_metric = f"CASE WHEN {name} IN ({known}) THEN NULL ELSE {name} END"
        values = {
            metric: f"CASE WHEN {name} IN ({', '.join(map(quoted, texts))}) THEN coalesce({cell['value']}, '') END"
            for metric, texts in meaning.items()
        }
    structure = "NULL"
    if layout.format == "csv":
        last = _field(layout, len(layout.columns) - 1)
        structure = f"CASE WHEN beyond <> '' THEN {quoted(_TOO_MANY)} WHEN {last} IS NULL THEN {quoted(_TOO_FEW)} END"
    if layout.shape != "long":
        values = {metric: f"coalesce({value}, '')" for metric, value in values.items()}
    attributes = "NULL"
    if any(name in cell for name in ATTRIBUTES):
        attributes = f"[{', '.join(cell.get(name, 'NULL') for name in ATTRIBUTES)}]"
    texts = {
        "file": f"[{orders}][file_index::BIGINT + 1]",
        "at_text": f"coalesce({cell['timestamp']}, '')",
        "server_text": f"coalesce(clean({cell['server_id']}), '')" if "server_id" in cell
        else f"[{servers}][file_index::BIGINT + 1]",
        "structure_problem": structure,
        "unknown_metric": unknown_metric,
        **{f"{metric}_text": values.get(metric, "NULL::VARCHAR") for metric in METRICS},
        "attributes": attributes,
    }  # fmt: skip
    return f"SELECT {', '.join(f'{expression} AS {name}' for name, expression in texts.items())} FROM {scan}"


def _metrics_named(db: duckdb.DuckDBPyConnection, names: str, settings: Settings) -> dict[str, list[str]]:
    """Which of the names in a long file's metric column (a query) stand for which metric."""
    meaning: dict[str, list[str]] = defaultdict(list)
    for (name,) in sorted(db.execute(names).fetchall()):
        column = canonical_column(name, settings.columns)
        if column in METRICS:
            meaning[column].append(name)
    return meaning


def _field(layout: Layout, place: int) -> str:
    if layout.format == "csv":
        return f"c{place}"
    name = layout.columns[place].replace('"', '""')
    return f'CAST("{name}" AS VARCHAR)'


def _scan_function(layout: Layout, sources: Sequence[Source]) -> str:
    paths = ", ".join(quoted(str(source.readable)) for source in sources)
    if layout.format == "parquet":
        return f"read_parquet([{paths}], hive_partitioning = false)"
    # One column more than the header has shows rows that are too long. Of a short row the missing fields come
    # as NULL, which an empty field does not because no field equals this null string. DuckDB's parallel
    # scan of a single file guesses where rows begin, wrongly in messy files, so each file has one reader.
    columns = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(len(layout.columns)))
    return (
        f"read_csv([{paths}], auto_detect = false, columns = {{{columns}, 'beyond': 'VARCHAR'}}, "
        f"delim = {quoted(layout.delimiter)}, quote = {quoted(layout.quote)}, escape = {quoted(layout.quote)}, "
        f"header = false, skip = {layout.header_line}, nullstr = chr(1), null_padding = true, strict_mode = false, "
        f"parallel = false, store_rejects = true, hive_partitioning = false, "
        f"compression = '{'gzip' if layout.compressed else 'none'}')"
    )


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

    ``rows`` is how many rows the file has; ``rejected_lines`` are the lines that are no rows, ascending. ``None``
    says that each row is one line and follows the one before, so that line = position + 1 + header line.
    """
    layout = source.layout
    assert layout is not None  # noqa: S101 - only files with a layout have rows
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
