"""The data-quality report: what came in, what was wrong with it and where, and what the panel lacks."""

# ruff: noqa: S608 - SQL is put together of names and quoted literals; see `quoted`.

from __future__ import annotations

import difflib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from headroom.core import metrics as table
from headroom.core.safe_csv import harmless_sql
from headroom.core.series import named, parts_of
from headroom.core.settings import Settings
from headroom.core.wording import counted
from headroom.intake import groups, inventory
from headroom.intake.columns import same
from headroom.intake.entities import server_of
from headroom.intake.lines import line_numbers, one_each
from headroom.intake.merge import Merge
from headroom.intake.sources import Source
from headroom.intake.tables import for_each, insert_all, one_row, quoted

_EXAMPLES = 100
_WORST_GAPS = 20
_SHORT_SERIES = 10
_NAMES = 5
_VALUE_LENGTH = 200


def report(
    db: duckdb.DuckDBPyConnection, sources: Sequence[Source], settings: Settings, merged: Merge,
    settings_report: dict[str, Any], dataset: str | None, notes: Sequence[str],
) -> dict[str, Any]:  # fmt: skip
    """The content of ``data_quality.json``, from the tables that reading and merging left in ``db``.

    Every row read is accepted, a duplicate (it says nothing that a newer row or the history does not say), or
    quarantined. Every value is used, empty, or quarantined; clipped values are used ones.
    """
    _collect_problems(db, sources)
    files = _files(db, sources)
    rows = {plural: sum(file[f"rows_{name}"] for file in files) for plural, name in _ROW_COUNTS.items()}
    [values] = _all(
        db,
        f"""
        SELECT {for_each(("cells", "used", "clipped", "empty", "unusable"), "coalesce(sum(%), 0)::BIGINT AS %")}
        FROM (
            SELECT cells, used, clipped, empty, unusable FROM suspect
            UNION ALL
            SELECT sum({for_each(table.columns(), "%", " + ")}) AS cells, cells AS used, 0, 0, 0
            FROM file_told ANTI JOIN refused_file USING (file))""",
    )
    assert values["cells"] == values["used"] + values["empty"] + values["unusable"]  # noqa: S101 - what we promise
    reasons = _all(
        db,
        """
        SELECT reason, count(DISTINCT (file, row, line)) AS rows FROM problem
        WHERE row IS NOT NULL OR line IS NOT NULL GROUP BY reason ORDER BY rows DESC, reason""",
    )
    examples = _all(
        db,
        f"""
        SELECT file_name AS file, line AS row, "column", value, reason FROM quarantine
        ORDER BY place LIMIT {_EXAMPLES}""",
    )
    metrics = [metric for (metric,) in db.execute("SELECT DISTINCT metric FROM panel ORDER BY metric").fetchall()]
    [panel] = _all(
        db,
        f"""
        SELECT count(DISTINCT {server_of()}) AS servers, min(ds) AS first, max(ds) AS last,
            count(DISTINCT ds) AS periods, count(*) AS rows FROM panel""",
    )
    short_series = _all(
        db,
        f"""
        SELECT server_id, metric, count(*) AS periods FROM panel GROUP BY ALL
        HAVING periods < {_SHORT_SERIES} ORDER BY server_id, metric""",
    )
    return {
        "schema": 1,
        "dataset": dataset,
        "frequency": settings.frequency,
        "statistic": settings.statistic,
        "rows": rows,
        "values": {
            "read": values["cells"],
            "clipped": values["clipped"],
            "empty": values["empty"],
            "quarantined": values["unusable"],
        },
        "files": files,
        "reasons": reasons,
        "examples": examples,
        "panel": {
            **panel,
            "first": _iso(panel["first"]),
            "last": _iso(panel["last"]),
            "metrics": metrics,
            "rows_new": merged.done.rows_new,
            "rows_changed": merged.done.rows_changed,
        },
        "gaps": _gaps(db, settings),
        "short_series": _as_file(short_series),
        "marked": (marked := _marked(db, settings)),
        "settings": settings_report,
        "inventory": (known := inventory.report(db)),
        "groups": (formed := groups.report(db, settings.groups)),
        "unmatched_mappings": (unmatched := unmatched_mappings(sources, settings)),
        "notes": [
            *notes,
            *unmatched,
            *inventory.notes(known),
            *groups.notes(formed, settings.groups),
            *_file_notes(db, sources),
            *_notes(db, settings, merged),
            *_notes_on_marked(marked, settings),
        ],
    }


def write(db: duckdb.DuckDBPyConnection, quality: dict[str, Any], folder: Path) -> None:
    """Write ``data_quality.json`` and ``quarantine.csv``, which has every bad row and value, safe for spreadsheets."""
    text = json.dumps(quality, indent=2, ensure_ascii=False) + "\n"
    (folder / "data_quality.json").write_text(text, encoding="utf-8")
    db.execute(f"""
        COPY (SELECT {harmless_sql("file_name")} AS file, line AS row, {harmless_sql('"column"')} AS "column",
                {harmless_sql("value")} AS value, reason FROM quarantine ORDER BY place)
        TO {quoted(str(folder / "quarantine.csv"))} (FORMAT csv, HEADER)""")


_ROW_COUNTS = {"read": "read", "accepted": "accepted", "duplicates": "duplicate", "quarantined": "quarantined"}


def _collect_problems(db: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> None:
    """The table ``quarantine``: all that was not used, where it stands as an editor shows it, and why."""
    db.execute("CREATE TABLE source (file INTEGER, file_name VARCHAR, header_line INTEGER, error VARCHAR)")
    db.execute('CREATE TABLE heading (file INTEGER, "column" VARCHAR, heading VARCHAR)')
    about = [(one.order, one.file, one.layout.header_line if one.layout else None, one.error) for one in sources]
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
            SELECT file, file_name, coalesce(line_of.line, problem.line) AS line,
                coalesce(heading, CASE WHEN "column" IN ({for_each(table.columns(), "'%'")}) THEN value_heading END, '')
                    AS "column",
                replace(problem.value[:{_VALUE_LENGTH}], chr(0), '') AS value, reason
            FROM problem JOIN source USING (file)
            LEFT JOIN line_of USING (file, row)
            LEFT JOIN heading USING (file, "column")
            LEFT JOIN (SELECT file, heading AS value_heading FROM heading WHERE "column" = 'value') USING (file)
        )""")


def _add_lines(db: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> None:
    """Fill the table ``line_of``: of each row with a problem, the line of its file as an editor counts it."""
    rejected: dict[int, list[int]] = defaultdict(list)
    for file, line in db.execute("SELECT file, line FROM rejected ORDER BY file, line").fetchall():
        rejected[file].append(line)
    rows_of = dict(db.execute("SELECT DISTINCT file, rows FROM place").fetchall())
    simple: list[int] = []
    for source in sources:
        file = source.order
        if source.layout is None or file not in rows_of:
            continue
        if source.layout.export:
            rejected.pop(file, None)  # they are lines of the export itself, and no samples
        if file not in rejected and one_each(source, rows_of[file]):
            simple.append(file)
            continue
        places = db.execute("SELECT row, position FROM place WHERE file = ? ORDER BY row", [file]).fetchall()
        lines = line_numbers(source, [position for _, position in places], rejected[file])
        insert_all(db, "line_of", [(file, row, line) for (row, _), line in zip(places, lines, strict=True)])
    db.execute(f"""
        INSERT INTO line_of SELECT file, row, position + 1 + header_line FROM place JOIN source USING (file)
        WHERE file IN ({", ".join(map(str, simple)) or "NULL"})""")


def _files(db: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> list[dict[str, Any]]:
    counts = {
        file: rest
        for file, *rest in db.execute("""
            SELECT file, coalesce(read, 0) + coalesce(lines, 0), coalesce(rows, 0),
                coalesce(unusable, 0) + coalesce(lines, 0)
            FROM (SELECT file, rows AS read FROM file_told ANTI JOIN refused_file USING (file))
            FULL JOIN (SELECT file, count(*) AS lines FROM rejected GROUP BY file) USING (file)
            LEFT JOIN (SELECT file, count(*) AS unusable FROM suspect WHERE NOT usable GROUP BY file) USING (file)
            LEFT JOIN (SELECT file, sum(rows)::BIGINT AS rows FROM duplicate GROUP BY file) USING (file)
            """).fetchall()
    }
    files = []
    for source in sources:
        read, duplicate, quarantined = counts.get(source.order, (0, 0, 0))
        files.append({
            "file": source.file,
            "format": source.layout.format if source.layout else None,
            "export": source.layout.name if source.layout else None,
            "shape": source.layout.shape if source.layout else None,
            "rows_read": read,
            "rows_accepted": read - duplicate - quarantined,
            "rows_duplicate": duplicate,
            "rows_quarantined": quarantined,
            "ignored_columns": list(source.layout.ignored) if source.layout else [],
            "error": source.error,
        })  # fmt: skip
    return files


def _gaps(db: duckdb.DuckDBPyConnection, settings: Settings) -> dict[str, Any]:
    seconds = int(settings.frequency.step.total_seconds())
    db.execute(f"""
        CREATE TABLE gap AS
        SELECT server_id, metric, expected - periods AS missing, expected FROM (
            SELECT server_id, metric, count(*) AS periods,
                date_diff('second', min(ds), max(ds)) // {seconds} + 1 AS expected
            FROM panel GROUP BY server_id, metric)
        WHERE expected > periods""")
    missing, servers = one_row(db, f"SELECT coalesce(sum(missing), 0)::BIGINT, count(DISTINCT {server_of()}) FROM gap")
    worst = _all(
        db,
        f"""
        SELECT server_id, metric, missing, expected FROM gap
        ORDER BY missing DESC, server_id, metric LIMIT {_WORST_GAPS}""",
    )
    return {"missing_periods": missing, "servers_with_gaps": servers, "worst": _as_file(worst)}


# Of fewer samples, a 95th percentile lies between the highest two.
_FEW_SAMPLES = 20
# So many periods show how many samples a series usually has.
_A_HABIT = 7
# The last period of a series with less than this part of its usual samples is not over, or was cut off.
_PARTIAL = 0.5


def _marked(db: duckdb.DuckDBPyConnection, settings: Settings) -> dict[str, Any]:
    """What the values of periods are not: series whose last period is ``partial``, and series whose quantiles are
    usually those of ``few_samples``; each with its number of series and the first of them."""
    found = {}
    few = settings.statistic in ("p95", "p99")
    for name, condition in (
        ("partial", f"last < {_PARTIAL} * usual AND usual >= {_FEW_SAMPLES}"),
        ("few_samples", f"{few} AND usual < {_FEW_SAMPLES} AND periods >= {_A_HABIT}"),
    ):
        rows = _all(
            db,
            f"""
            SELECT server_id, metric, last AS samples, usual::INTEGER AS usual FROM (
                SELECT server_id, metric, arg_max(samples, ds) AS last, median(samples) AS usual, max(ds) AS ds,
                    count(*) AS periods
                FROM panel GROUP BY server_id, metric
            ) WHERE {condition} AND (ds = (SELECT max(ds) FROM panel) OR '{name}' <> 'partial')
            ORDER BY server_id, metric""",
        )
        found[name] = {"series": len(rows), "first": _as_file(rows[:_WORST_GAPS])}
    return found


def _notes_on_marked(marked: dict[str, Any], settings: Settings) -> list[str]:
    notes = []
    if count := marked["partial"]["series"]:
        notes.append(
            f"The last {settings.frequency.word} is not complete: {count} series have less than half of their usual "
            "samples in it, and its values may still change."
        )
    if (count := marked["few_samples"]["series"]) and not settings.frequency.hourly:
        notes.append(
            f"{count} series have fewer than {_FEW_SAMPLES} samples a day, so that their {settings.statistic.upper()} "
            "is nearly the highest of them, or the only one: export finer samples, or set statistic: mean or max."
        )
    return notes


def unmatched_mappings(sources: Sequence[Source], settings: Settings) -> list[str]:
    """The settings' mappings that no file of the run has a heading or metric for, with the nearest one that it has."""
    read = [source for source in sources if source.layout is not None]
    said: list[tuple[str, Sequence[Source], Mapping[str, str]]]
    said = [("The settings' columns", read, settings.columns), ("The settings' units", read, settings.units)]
    for source in settings.sources:
        matched = [one for one in read if source.is_of(one.file)]
        said += [(f"The source {source.match!r}", matched, {**source.columns, **source.units})]
    sentences = []
    for where, files, mapping in said:
        names = {same(name): name for file in files for name in file.names}
        known = {*names, *(name.rsplit(" ", 1)[-1] for name in names), *table.columns()}
        for heading in mapping:
            if files and same(heading) not in known:
                nearest = difflib.get_close_matches(same(heading), names, 1, 0.5)
                meant = f": did you mean {names[nearest[0]]!r}?" if nearest else "."
                sentences.append(f"{where} name {heading!r}, which is not a heading or metric of the files{meant}")
    return sentences


def _file_notes(db: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> list[str]:
    """What was left out of the files, or corrected by later files, one sentence each."""
    notes = []
    gone = _without_rows(db, f"SELECT DISTINCT {server_of()} AS server_id FROM suspect WHERE server_id <> ''")
    if gone:
        notes.append(f"Servers of which nothing could be used, so that they are missing: {counted(gone)}.")
    doubts = db.execute(
        "SELECT reason, list(DISTINCT file ORDER BY file) FROM doubt GROUP BY reason ORDER BY reason"
    ).fetchall()
    by_order = {source.order: source.file for source in sources}
    notes += [f"{_named([by_order[file] for file in found])}: {reason}." for reason, found in doubts]
    replaced = db.execute("SELECT file, later, sum(samples)::BIGINT FROM replaced GROUP BY ALL ORDER BY ALL").fetchall()
    for file, later, samples in replaced[:_NAMES]:
        notes.append(
            f"{samples} samples of {by_order[file]} were replaced by other values of {by_order[later]}, "
            "which came later."
        )
    files: dict[str, list[str]] = {}
    for source in sources:
        for sentence in source.said:
            files.setdefault(sentence, []).append(source.file)
    notes += [f"{_named(names)}: {sentence}" for sentence, names in files.items()]
    return notes


def _without_rows(db: duckdb.DuckDBPyConnection, servers: str) -> list[str]:
    """Those of some servers (a query) that have no usable row, sorted: all of their rows, if any, are bad ones."""
    found = db.execute(f"""
        SELECT server_id FROM ({servers}) ANTI JOIN (
            SELECT server_id FROM (
                SELECT {server_of()} AS server_id, rows FROM name_in_file ANTI JOIN refused_file USING (file)
                UNION ALL SELECT {server_of()}, -1 FROM suspect WHERE NOT usable
            ) GROUP BY server_id HAVING sum(rows) > 0) USING (server_id)
        ORDER BY server_id""").fetchall()
    return [server for (server,) in found]


def _named(files: Sequence[str]) -> str:
    return files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"


def _notes(db: duckdb.DuckDBPyConnection, settings: Settings, merged: Merge) -> list[str]:
    notes = []
    if merged.done.late_samples:
        notes.append(
            f"{merged.done.late_samples} samples came too late: their {merged.done.late_periods} periods lie before "
            f"the samples kept ({settings.keep_samples_days} days) and were made of more samples than these, so they "
            "stay as they were. Send all samples of such a period again to replace it, or raise keep_samples_days."
        )
    if merged.done.unconfirmed:
        server, metric, ds, old, new = one_row(db, "FROM unconfirmed ORDER BY ds, server_id, metric LIMIT 1")
        notes.append(
            f"{merged.done.unconfirmed} closed periods would change more than tenfold, such as {metric} of "
            f"{named(server)} on {ds:%Y-%m-%d} from {old:g} to {new:g}, and stay as they were: are the new ones in "
            "another unit? If they are right, name their files under `confirmed` in the settings and send them again."
        )
    if merged.rows_dropped:
        notes.append(
            f"The frequency changed: the panel was made anew from the samples kept, and {merged.rows_dropped} older "
            "rows of the former frequency were dropped. Send the older files again to have them back."
        )
    seconds = settings.frequency.step.total_seconds()
    series, sparse, usual = one_row(
        db,
        """
        SELECT count(*), count(*) FILTER (step > $seconds), median(step) FILTER (step > $seconds) FROM (
            SELECT median(step) AS step FROM (
                SELECT server_id, metric, date_diff('second', lag(ds) OVER series, ds) AS step FROM panel
                WINDOW series AS (PARTITION BY server_id, metric ORDER BY ds)
            ) GROUP BY server_id, metric HAVING count(step) > 0)""",
        {"seconds": seconds},
    )
    if sparse and sparse * 2 > series:
        advice = " Set frequency: D." if settings.frequency.hourly else ""
        notes.append(
            f"The settings contradict the data: they ask for {'an hour' if settings.frequency.hourly else 'a day'} a "
            f"period, but in {sparse} of {series} series the samples are {_duration(usual)} apart.{advice}"
        )
    absent = f"""
        SELECT DISTINCT {server_of()} AS server_id FROM name_in_file
        ANTI JOIN (SELECT {server_of()} AS server_id FROM panel) USING (server_id)
        ANTI JOIN inventory USING (server_id) ANTI JOIN member USING (server_id)"""
    silent = sorted({server for (server,) in db.execute(absent).fetchall()} - set(_without_rows(db, absent)))
    if silent:
        notes.append(f"Servers with rows but no usable value, so that nothing is forecast for them: {counted(silent)}.")
    for metric in table.columns():
        headed, filled = one_row(
            db,
            f"""
            SELECT (SELECT count(*) FROM heading WHERE "column" = '{metric}'),
                (SELECT coalesce(sum({metric}), 0) FROM file_told ANTI JOIN refused_file USING (file))
                + (SELECT count({metric}) FROM suspect WHERE usable)""",
        )
        if headed and not filled:
            notes.append(f"The files have a column for {metric}, but no usable value in it.")
    fractions = db.execute(f"""
        SELECT metric FROM panel WHERE metric IN ({for_each(table.percent_names(), "'%'")}) GROUP BY metric
        HAVING max(max) <= 1 AND max(max) > 0 ORDER BY metric""").fetchall()
    for (metric,) in fractions:
        notes.append(
            f"{metric} never exceeds 1: it is read as percent (0 to 100). Multiply it by 100 if it is a share."
        )
    [quiet] = one_row(
        db,
        f"""
        SELECT count(*) FROM (SELECT {server_of()} AS server FROM panel GROUP BY server
        HAVING max(ds) < (SELECT max(ds) FROM panel) - INTERVAL 7 DAY)""",
    )
    if quiet:
        notes.append(f"Servers that have sent nothing in the last 7 days of the data: {quiet}.")
    return notes


def _as_file(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Series with server and entity instead of their owner."""
    parts = [parts_of(row["server_id"]) for row in rows]
    return [
        row | {"server_id": server} | ({"entity": entity} if entity else {})
        for row, (server, entity) in zip(rows, parts, strict=True)
    ]


def _duration(seconds: float) -> str:
    for unit, name in ((86_400, "days"), (3_600, "hours")):
        if seconds >= unit:
            return f"{seconds / unit:g} {name if seconds != unit else name[:-1]}"
    return f"{seconds:g} seconds"


def _all(db: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    result = db.execute(query)
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _iso(moment: Any) -> str | None:
    return None if moment is None else moment.isoformat()
