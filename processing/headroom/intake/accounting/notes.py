"""Notes: what people should know of a run's files and of its panel, a sentence each."""

# ruff: noqa: S608 - SQL is put together of names and quoted literals; see `quoted`.

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

import duckdb

from headroom.core import metrics as table
from headroom.core.series import named
from headroom.core.settings import Settings
from headroom.core.wording import counted
from headroom.intake.entities import server_of
from headroom.intake.files.sources import Source
from headroom.intake.merge import Merge
from headroom.intake.sql import for_each, one_row
from headroom.intake.words.headings import same

_NAMES = 5
# No fleet is silent for so long: what is before is of another archive, or its times count from another year.
_SILENT_DAYS = 365


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


def on_files(db: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> list[str]:
    """What was left out of the files, or corrected by later files, one sentence each."""
    notes = []
    # Of names, not of rows: every row with an empty cell is a suspect.
    named = f"SELECT DISTINCT {server_of()} AS server_id FROM name_in_file WHERE server_id <> ''"
    suspect = f"{server_of()} IN (SELECT {server_of()} FROM suspect)"
    gone = _without_rows(db, f"{named} AND {suspect} AND NOT is_total({server_of()})")
    if gone:
        notes.append(f"Servers of which nothing could be used, so that they are left out: {counted(gone)}.")
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


def on_panel(db: duckdb.DuckDBPyConnection, settings: Settings, merged: Merge) -> list[str]:
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
    silence = db.execute(f"""
        SELECT ds, next FROM (SELECT ds, lead(ds) OVER (ORDER BY ds) AS next FROM (SELECT DISTINCT ds FROM panel))
        WHERE next - ds > INTERVAL {_SILENT_DAYS} DAY ORDER BY ds DESC LIMIT 1""").fetchone()
    if silence:
        last, first = silence
        older = f"SELECT DISTINCT {server_of()} FROM panel WHERE ds <= ? ORDER BY ALL"
        servers = counted([server for (server,) in db.execute(older, [last]).fetchall()])
        notes.append(
            f"Nothing is known between {last:%Y-%m-%d} and {first:%Y-%m-%d}. If what is older ({servers}) is not so "
            "old, its times count from another year: export them as ISO 8601."
        )
    seconds = settings.frequency.seconds
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


def _duration(seconds: float) -> str:
    for unit, name in ((86_400, "days"), (3_600, "hours")):
        if seconds >= unit:
            return f"{seconds / unit:g} {name if seconds != unit else name[:-1]}"
    return f"{seconds:g} seconds"
