"""The data-quality report: what came in, what was wrong with it and where, and what the panel lacks."""

# ruff: noqa: S608 - SQL is put together of names and quoted literals; see `quoted`.

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from headroom.core import metrics as table
from headroom.core.safe_csv import harmless_sql
from headroom.core.settings import Settings
from headroom.intake.accounting import marked, notes, quarantine
from headroom.intake.entities import as_named, server_of
from headroom.intake.files import inventory
from headroom.intake.files.sources import Source
from headroom.intake.merge import Merge
from headroom.intake.servers import groups
from headroom.intake.sql import dicts, for_each, one_row, quoted

_EXAMPLES = 100
_WORST_GAPS = 20
_SHORT_SERIES = 10
_ROW_COUNTS = {"read": "read", "accepted": "accepted", "duplicates": "duplicate", "quarantined": "quarantined"}


def report(
    db: duckdb.DuckDBPyConnection, sources: Sequence[Source], settings: Settings, merged: Merge,
    settings_report: dict[str, Any], dataset: str | None, said: Sequence[str],
) -> dict[str, Any]:  # fmt: skip
    """The content of ``data_quality.json``, from the tables that reading and merging left in ``db``.

    ``said`` are notes that there are already.

    Every row read is accepted, a duplicate (it says nothing that a newer row or the history does not say), or
    quarantined. Every value is used, empty, or quarantined; clipped values are used ones.
    """
    quarantine.collect(db, sources)
    files = _files(db, sources)
    rows = {plural: sum(file[f"rows_{name}"] for file in files) for plural, name in _ROW_COUNTS.items()}
    [values] = dicts(
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
    reasons = dicts(
        db,
        """
        SELECT reason, count(DISTINCT (file, row, line)) AS rows FROM problem
        WHERE row IS NOT NULL OR line IS NOT NULL GROUP BY reason ORDER BY rows DESC, reason""",
    )
    examples = dicts(
        db,
        f"""
        SELECT file_name AS file, line AS row, "column", value, reason FROM quarantine
        ORDER BY place LIMIT {_EXAMPLES}""",
    )
    metrics = [metric for (metric,) in db.execute("SELECT DISTINCT metric FROM panel ORDER BY metric").fetchall()]
    [panel] = dicts(
        db,
        f"""
        SELECT count(DISTINCT {server_of()}) AS servers, min(ds) AS first, max(ds) AS last,
            count(DISTINCT ds) AS periods, count(*) AS rows FROM panel""",
    )
    short_series = dicts(
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
        "short_series": as_named(short_series),
        "marked": (unusual := marked.report(db, settings)),
        "settings": settings_report,
        "inventory": (known := inventory.report(db)),
        "groups": (formed := groups.report(db, settings.groups)),
        "unmatched_mappings": (unmatched := notes.unmatched_mappings(sources, settings)),
        "notes": [
            *said,
            *unmatched,
            *inventory.notes(known),
            *groups.notes(formed, settings.groups),
            *notes.on_files(db, sources),
            *notes.on_panel(db, settings, merged),
            *marked.notes(unusual, settings),
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
    seconds = settings.frequency.seconds
    db.execute(f"""
        CREATE TABLE gap AS
        SELECT server_id, metric, expected - periods AS missing, expected FROM (
            SELECT server_id, metric, count(*) AS periods,
                date_diff('second', min(ds), max(ds)) // {seconds} + 1 AS expected
            FROM panel GROUP BY server_id, metric)
        WHERE expected > periods""")
    missing, servers = one_row(db, f"SELECT coalesce(sum(missing), 0)::BIGINT, count(DISTINCT {server_of()}) FROM gap")
    worst = dicts(
        db,
        f"""
        SELECT server_id, metric, missing, expected FROM gap
        ORDER BY missing DESC, server_id, metric LIMIT {_WORST_GAPS}""",
    )
    return {"missing_periods": missing, "servers_with_gaps": servers, "worst": as_named(worst)}


def _iso(moment: Any) -> str | None:
    return None if moment is None else moment.isoformat()
