"""What Headroom would make of files, before a run: their format, and what each heading means.

    python -m headroom.preview FILE… [--settings FILE]

Of large files only the beginning is looked at, so that it takes seconds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from headroom.core import metrics, wording
from headroom.core import settings as settings_module
from headroom.core.settings import Settings, SettingsError
from headroom.intake import entities, merge, reading
from headroom.intake.files.columns import name_of_cell
from headroom.intake.files.layout import encoding_of, first_bytes, is_gzip
from headroom.intake.files.sources import Source
from headroom.intake.servers.slices import days_of
from headroom.intake.sql import one_row, quoted
from headroom.intake.unreadable import UnreadableFile, in_settings
from headroom.intake.words.meaning import Meaning

# So much of a table shows what it is; JSON is one document and has to be read whole.
_BYTES = 4 * 2**20
_ROWS = 50_000
_EXAMPLES = 3
_ONE_OF = "<cpu, memory, … if it is that>"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 1 if a file would be refused."""
    parser = argparse.ArgumentParser(prog="headroom.preview", description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="files, or folders of them")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="the dataset's settings, YAML")
    given = parser.parse_args(arguments)
    try:
        settings = settings_module.load(given.settings)
    except (SettingsError, OSError) as error:
        print(f"The settings cannot be used: {error}", file=sys.stderr)
        return 1
    refused = False
    for path, name in _files(given.files):
        lines, usable = preview(path, name, settings)
        print("\n".join(lines) + "\n")
        refused = refused or not usable
    return int(refused)


def preview(path: Path, name: str, settings: Settings) -> tuple[list[str], bool]:
    """What is to be said of one file, called ``name`` with its folders, and whether anything of it can be used."""
    metrics.use(settings.own_metrics())
    lines = [name]
    with tempfile.TemporaryDirectory(prefix="headroom-") as folder:
        work = Path(folder)
        (work / "files").mkdir()
        with duckdb.connect(config={"autoinstall_known_extensions": False}) as db:
            try:
                beginning, is_part = _beginning(db, path, work / "beginning")
            except (OSError, UnreadableFile, duckdb.Error) as error:
                return [*lines, f"  refused: {error}"], False
            source = Source(0, name, beginning)
            reading.read(db, [source], settings, reading.latest_of(datetime.now(UTC)), work / "files")
            merge.prepare(db)
            merge.settle_samples(db, days_of(db), [source])
            if source.error:
                return [*lines, f"  refused: {source.error}"], False
            lines += _described(db, source, settings)
            if is_part:
                lines.append("  judged by its beginning; a run looks at all of it")
            [usable] = one_row(db, "SELECT count(*) FROM usable_reading")
            return lines, usable > 0


def _files(given: Sequence[Path]) -> list[tuple[Path, str]]:
    """The files, and the names that they would have in a dataset: those below a folder keep its sub-folders."""
    found = []
    for path in given:
        if path.is_dir():
            found += [(one, one.relative_to(path).as_posix()) for one in sorted(path.rglob("*")) if one.is_file()]
        else:
            found.append((path, path.name))
    return found


def _beginning(db: duckdb.DuckDBPyConnection, path: Path, target: Path) -> tuple[Path, bool]:
    """A file with the first rows of another, or that itself where it is small; and whether it is a part."""
    with path.open("rb") as file:
        start = file.read(4)
    if start == b"PAR1":
        source = f"read_parquet({quoted(str(path))}, hive_partitioning = false)"
        [rows] = one_row(db, f"SELECT count(*) FROM {source}")  # noqa: S608 - a quoted path
        if rows <= _ROWS:
            return path, False
        db.execute(f"COPY (FROM {source} LIMIT {_ROWS}) TO {quoted(str(target))} (FORMAT parquet)")
        return target, True
    if not start or (path.stat().st_size <= _BYTES and not is_gzip(path)):
        return path, False
    content = first_bytes(path, _BYTES + 1)
    one_document = content.lstrip()[:1] in (b"{", b"[") and content.count(b"\n{") < 2
    if len(content) <= _BYTES or one_document or encoding_of(path) == "utf-16":
        return path, False
    target.write_bytes(content[: content.rfind(b"\n") + 1])
    return target, True


def _described(db: duckdb.DuckDBPyConnection, source: Source, settings: Settings) -> list[str]:
    layout = source.known_layout
    rows, usable, servers, parts = one_row(
        db,
        f"""
        SELECT (SELECT count(*) FROM reading) + (SELECT count(*) FROM rejected), count(*),
            coalesce(list_sort(list(DISTINCT {entities.server_of()})), []),
            coalesce(list_sort(list(DISTINCT {entities.entity_of()})), [])
        FROM usable_reading""",  # noqa: S608 - no data in it
    )
    parts = [part for part in parts if part]
    shape = "" if layout.export else f", {layout.shape}"
    lines = [f"  format: {layout.name}{shape}; {rows:,} rows, {usable:,} usable"]
    lines += [f"  servers: {wording.counted(servers)}"] if servers else []
    lines += [f"  with series of their parts: {wording.counted(parts)}"] if parts else []
    lines += [f"  {line}" for line in _headings(source, settings)]
    lines += [f"  {line}" for line in _values(db, source)]
    lines += [f"  {sentence}" for sentence in source.said]
    problems = db.execute("""
        SELECT reason, count(*) AS rows, min(value) FROM (SELECT unnest(problems, recursive := true) FROM suspect)
        GROUP BY reason UNION ALL SELECT reason, count(*), min(value) FROM rejected GROUP BY reason
        ORDER BY rows DESC LIMIT 8""").fetchall()
    lines += [f"  in quarantine: {rows:,} × {reason} (such as {value[:60]!r})" for reason, rows, value in problems]
    lines += [f"  settings that would change this: {line}" for line in _settings_lines(db, source)]
    return lines


def _headings(source: Source, settings: Settings) -> list[str]:
    layout, lines = source.known_layout, []
    if layout.export:
        for name in sorted(source.names)[:20]:
            found = name_of_cell(name, "", source.rules)
            if isinstance(found, Meaning):
                lines.append(f"{name!r}: {_in_words(found.metric, found)}")
        return lines
    meanings = dict(layout.meanings)
    roles = {place: role for role, place in layout.places} | {place: "part of the server" for place in layout.parts}
    for place, heading in enumerate(layout.columns):
        role = roles.get(place)
        if role is not None and role in meanings:
            lines.append(f"{heading!r}: {_in_words(role, meanings[role])}")
        elif role == "value" and meanings:
            lines.append(f"{heading!r}: {' '.join(_in_words(metric, one) for metric, one in layout.meanings)}")
        elif role:
            zone = f" in {layout.zone or source.rules.timezone} where it has no offset" if role == "timestamp" else ""
            lines.append(f"{heading!r}: {role}{zone}")
        elif heading:
            lines.append(f"{heading!r}: not used")
    if layout.place("server_id") is None:
        lines.append(f"server: {source.name.server!r}, by the name of the file or its folder")
    return lines


def _in_words(metric: str, meaning: Meaning) -> str:
    meant = metrics.of_column(metric)
    unit = "percent" if meant.percent else meant.unit
    factor = "" if meaning.factor == 1 else f" times {meaning.factor:g}"
    free = f", {meant.capacity or 100:g} minus what is free" if meaning.free else ""
    return f"{metric} in {unit}{factor}{free}{'' if meaning.certain else ' (assumed)'}"


def _values(db: duckdb.DuckDBPyConnection, source: Source) -> list[str]:
    lines = []
    for metric in metrics.columns():
        found = db.execute(
            f"SELECT server_id, sampled_at, {metric} FROM usable_reading WHERE {metric} IS NOT NULL "  # noqa: S608
            f"ORDER BY row LIMIT {_EXAMPLES}"
        ).fetchall()
        if found:
            shown = "; ".join(
                f"{wording.owner(server)} at {at:%Y-%m-%d %H:%M:%S} UTC: {value:g}" for server, at, value in found
            )
            lines.append(f"{metric}: {shown}")
    return lines


def _settings_lines(db: duckdb.DuckDBPyConnection, source: Source) -> list[str]:
    lines = [
        in_settings("columns", heading, _ONE_OF)
        for heading, _ in source.known_layout.unclear
        if not heading.startswith("'")
    ]
    shares = db.execute("""
        SELECT DISTINCT metric, server IS NULL FROM doubt WHERE reason LIKE '%shares of one%'
        ORDER BY ALL""").fetchall()
    lines += [
        f"units: {{{metric}: ratio}}, or {{{metric}: percent}}" if all_of_it else f"units: {{{metric}: percent}}"
        for metric, all_of_it in shares
    ]
    unknown = db.execute("""
        SELECT DISTINCT evidence[4] AS name FROM reading WHERE name IS NOT NULL ORDER BY name LIMIT 5""").fetchall()
    if any(name in ("", source.known_layout.named_text) for (name,) in unknown):
        lines.append(f"metric: {_ONE_OF}")
        unknown = [(name,) for (name,) in unknown if name not in ("", source.known_layout.named_text)]
    return lines + [in_settings("columns", name, _ONE_OF) for (name,) in unknown]


if __name__ == "__main__":
    sys.exit(main())
