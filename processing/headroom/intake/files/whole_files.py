"""What only all rows of a file say against it: the files to refuse, each with the sentence why and what to do."""

# ruff: noqa: S608 - SQL is put together of names and quoted literals; see `quoted`.

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise

import duckdb

from headroom.intake.files import cells, remarks
from headroom.intake.files.layout import open_bytes
from headroom.intake.files.sources import Source
from headroom.intake.files.tables import field_of, scan_of, time_text
from headroom.intake.sql import one_row, quoted
from headroom.intake.words import meaning, server_names, times

Refusals = Iterator[tuple[Source, str]]

# More servers than one machine carries, nearly all of them with one row, are not servers. 400,000 of them took 9 GB of
# memory in AssessRisk before this was refused.
MOST_SERVERS_OF_ONE_ROW, ONE_ROW_SHARE = 100_000, 0.9


def without_servers(db: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> Refusals:
    """Files whose server column holds what is new in every row, such as a request's id."""
    found = db.execute(
        """
        SELECT file, count(*), count(*) FILTER (rows = 1) AS once, any_value(server_id) FROM name_in_file
        GROUP BY file HAVING once > ? AND once >= ? * count(*) ORDER BY file""",
        [MOST_SERVERS_OF_ONE_ROW, ONE_ROW_SHARE],
    ).fetchall()
    by_order = {source.order: source for source in sources}
    for file, servers, once, example in found:
        told = (
            f"{servers:,} different servers, {once:,} of them in a single row, such as {example!r:.80}. This column "
            "does not name servers (is it a request's id?): map the right one in the settings, columns: {your column: "
            "server_id}, or leave the file out"
        )
        yield by_order[file], told


def with_names_left_out(db: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> Refusals:
    """Files that name a server in its first row only, as spreadsheets with merged cells do."""
    found = db.execute("""
        SELECT file, sum(rows) FILTER (server_id = '') AS without FROM name_in_file
        GROUP BY file HAVING without * 2 >= sum(rows) AND without < sum(rows) ORDER BY file""").fetchall()
    by_order = {source.order: source for source in sources}
    for file, without in found:
        yield by_order[file], f"{without} of its rows name no server: write the server's name into each row"


def with_dates_left_out(db: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> Refusals:
    """Files that say a day in its first row only: of such a day one row would be all there is."""
    found = db.execute(r"""
        SELECT file, without FROM (
            SELECT file, count(*) AS without FROM reading
            WHERE evidence IS NOT NULL AND sampled_at IS NULL
                AND regexp_full_match(evidence[1], '\s*(\d{1,2}:\d\d.*)?')
            GROUP BY file
        ) JOIN (SELECT file, sum(rows) AS rows FROM name_in_file GROUP BY file) USING (file)
        WHERE without * 2 >= rows AND without < rows ORDER BY file""").fetchall()
    by_order = {source.order: source for source in sources}
    for file, without in found:
        yield by_order[file], f"{without} of its rows have no date: write the date into each row"


# So many rows, of a file with so many more, whose times are others than those at its beginning are no accident.
_OTHER_TIMES, _OTHER_TIMES_SHARE = 10, 0.02


def with_other_times(db: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> Refusals:
    """Files that go on in another layout of times, or another zone, than they begin in: of the day on which they
    change, what can be read would pass for all."""
    found = db.execute(
        f"""
        SELECT file, example FROM (
            SELECT file, count(*) AS others, min(trim(evidence[1])) AS example FROM reading
            WHERE evidence IS NOT NULL AND sampled_at IS NULL AND evidence[3] IS NULL
                AND evidence[5] = {quoted(cells.NO_TIMESTAMP)} AND regexp_matches(evidence[1], '\\d.*\\d.*\\d.*\\d')
            GROUP BY file
        ) JOIN (SELECT file, sum(rows) AS rows FROM name_in_file GROUP BY file) USING (file)
        WHERE others >= ? AND others > ? * rows AND others < rows ORDER BY file""",
        [_OTHER_TIMES, _OTHER_TIMES_SHARE],
    ).fetchall()
    by_order = {source.order: source for source in sources}
    for file, example in found:
        source = by_order[file]
        told = f"its times are in several layouts, one of them as in {example!r:.80}: export it again in one of them"
        try:
            times.refuse_abbreviation(example, source.rules.zones)
        except times.UnclearTime as error:
            told = str(error)
        yield source, told


def without_order(db: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> Refusals:
    """Files in no order in which an hour of local times occurs twice (see ``scanning``)."""
    found = db.execute("SELECT DISTINCT file FROM unordered_file ORDER BY file").fetchall()
    by_order = {source.order: source for source in sources}
    for (file,) in found:
        told = (
            "the clocks go back in it, and its rows are in no order, so that of two at the same local time nobody "
            "knows which came first: export it sorted by time, or with times in UTC"
        )
        yield by_order[file], told


def days_before_months(db: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> Refusals:
    """Files of which some dates have the day before the month (2024-18-03): the others would be read as of others."""
    found = db.execute(r"""
        SELECT file, min(evidence[1]) FROM reading
        WHERE evidence IS NOT NULL AND sampled_at IS NULL
            AND regexp_matches(evidence[1], '^\s*\d{4}[-/.](1[3-9]|2\d|3[01])[-/.](0?[1-9]|1[0-2])(\D|$)')
        GROUP BY file HAVING count(*) > 1 ORDER BY file""").fetchall()
    by_order = {source.order: source for source in sources}
    for file, example in found:
        told = (
            f"{example.strip()!r} has the day before the month: say how its times are written under `sources` in the "
            "settings (time_format: '%Y-%d-%m %H:%M:%S')"
        )
        yield by_order[file], told


# GPS counts from 1980-01-06, and DOS from the beginning of that year: in seconds since 1970. A file whose numbers, if
# they count from there, end within so many days before the run, is rather one of today than one of ten years ago.
_GPS, _DOS = 315_964_800, 315_532_800
_NEW_DAYS = 31


def counted_from_1980(db: duckdb.DuckDBPyConnection, sources: Sequence[Source], latest: str) -> Refusals:
    """Files whose times are numbers that count from 1980: as seconds since 1970 they would be of ten years ago."""
    found = db.execute(
        f"""
        SELECT file, newest FROM (SELECT file, max(sampled_at) AS newest FROM reading GROUP BY file)
        WHERE newest + INTERVAL {_GPS} SECOND >= ($latest::TIMESTAMPTZ AT TIME ZONE 'UTC') - INTERVAL {_NEW_DAYS} DAY
            AND newest + INTERVAL {_DOS} SECOND <= $latest::TIMESTAMPTZ AT TIME ZONE 'UTC' ORDER BY file""",
        {"latest": latest},
    ).fetchall()
    by_order = {source.order: source for source in sources}
    for file, newest in found:
        source = by_order[file]
        scan = scan_of(source.known_layout, [source.readable])
        is_number = f"try_cast({time_text(source.known_layout)} AS DOUBLE) IS NOT NULL"
        [numbers] = one_row(db, f"SELECT count(*) FILTER ({is_number}) * 2 > count(*) FROM {scan}")
        if numbers:
            told = (
                f"its times are numbers that end on {newest:%Y-%m-%d}, or in these weeks if they count from 1980, as "
                "GPS time does: export them as ISO 8601 (2024-01-31T13:05:00Z)"
            )
            yield source, told


# Of a file with more rows than these that are too long, the others are looked at as well.
_FEW_TOO_LONG = 0.01
_LINES = 10_000


def with_commas_in_numbers(db: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> Refusals:
    """Files whose decimal commas part the fields: a row that fits all the same has lost one, and what follows moved."""
    found = db.execute(
        """
        SELECT file FROM (
            SELECT file, count(*) AS long FROM (
                SELECT file FROM reading WHERE evidence IS NOT NULL AND evidence[3] LIKE 'more fields%'
                UNION ALL SELECT file FROM rejected
            ) GROUP BY file
        ) LEFT JOIN (SELECT file, sum(rows) AS rows FROM name_in_file GROUP BY file) USING (file)
        WHERE long > 1 AND long > ? * coalesce(rows, 0) ORDER BY file""",
        [_FEW_TOO_LONG],
    ).fetchall()
    by_order = {source.order: source for source in sources}
    for (file,) in found:
        if example := _parted_number(by_order[file]):
            told = (
                f"rows have more fields than the header, as if decimal commas parted them ({example}): export it with "
                "semicolons between the fields, or with decimal points, or with quotation marks around the numbers"
            )
            yield by_order[file], told


def _parted_number(source: Source) -> str:
    """Two fields of a row that is too long that may be one number, if most of such rows at the beginning have some."""
    layout, examples, long = source.known_layout, [], 0
    if layout.format != "csv" or layout.delimiter != "," or layout.export:
        return ""
    with open_bytes(source.readable) as raw:
        text = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="")
        try:
            for row in csv.reader(islice(text, _LINES), quotechar=layout.quote):
                if len(row) > len(layout.columns):
                    long += 1
                    pairs = [f"{one},{other}" for one, other in pairwise(row) if one.isdigit() and other.isdigit()]
                    examples += pairs[:1]
        except csv.Error:
            pass  # a giant field: what is before it tells
    return examples[0] if examples and 2 * len(examples) > long else ""


def with_titles_between(db: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> Refusals:
    """Files in which a title stands among the rows: what follows it may be of another server or another metric."""
    short = "evidence[3] IS NOT NULL OR evidence[5] IS NOT NULL"
    found = db.execute(f"SELECT DISTINCT file FROM reading WHERE evidence IS NOT NULL AND ({short}) ORDER BY file")
    by_order = {source.order: source for source in sources}
    for (file,) in found.fetchall():
        source = by_order[file]
        layout = source.layout
        if source.error is not None or layout is None or layout.export or layout.format == "parquet":
            continue
        others = [f"coalesce(trim({field_of(layout, place)}), '') = ''" for place in range(1, len(layout.columns))]
        alone = " AND ".join(others)
        rows = f"""
            SELECT trim({field_of(layout, 0)}) AS title, {alone} AS alone, row_number() OVER () AS number
            FROM {scan_of(layout, [source.readable])}"""
        titles = db.execute(f"""
            WITH row AS MATERIALIZED ({rows}) SELECT DISTINCT title FROM row
            WHERE alone AND regexp_matches(title, '^\\pL') AND NOT is_total(title)
                AND title NOT IN (SELECT title FROM row WHERE NOT alone)  -- a row that is cut off
                AND number < (SELECT max(number) FROM row WHERE NOT alone) ORDER BY title""").fetchall()
        told = [title for (title,) in titles if not server_names.says_nothing(title) and title not in layout.columns]
        if told:
            yield source, remarks.TITLE_BETWEEN.format(title=told[0][:120])


def put_together(db: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> Refusals:
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
        if layout.shape == "inventory":
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
        others = [
            row for (row,) in rows if [name.casefold() for name in row] != [name.casefold() for name in layout.columns]
        ]
        if others:
            told = (
                f"a second header with other columns stands in it ({', '.join(others[0])}): these are files put "
                "together; send them one by one"
            )
            yield source, told
        elif layout.place("server_id") is None:
            told = (
                f"its header stands in it {count + 1} times, so these are several series, and nothing says whose: "
                "send one file per server, or add a column server_id"
            )
            yield source, told
