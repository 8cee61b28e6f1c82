"""The panel folder: what of the run before is read, and what this run leaves for the next."""

# ruff: noqa: S608 - SQL is put together of names and literals of our own; data never becomes part of it.

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from headroom.core import metrics as table
from headroom.core.settings import Settings
from headroom.intake.entities import entity_of, have_entities, owner_of, server_of
from headroom.intake.servers import own
from headroom.intake.sql import for_each, holds, one_row, quoted

if TYPE_CHECKING:
    from headroom.intake.merge import Merge

STATISTICS = ("mean", "max", "samples", "p95", "p99")
# Only the next run reads the samples kept: written so they take a third less time and a tenth more room.
FAST_PARQUET = ", PARQUET_VERSION v2, DICTIONARY_SIZE_LIMIT 4096"


@dataclass(frozen=True)
class Before:
    """What the run before left: periods before ``closed_before`` are closed; ``untouched`` are the days whose samples
    are in ``folder`` and need not be looked at, with their rows; ``rows_dropped`` are rows of its panel that are of no
    use because its periods were of another length. What is of use are the files ``kept``, with samples of other days,
    and ``panel``, if there is one."""

    closed_before: datetime = datetime.min
    rows_dropped: int = 0
    folder: Path = Path()
    untouched: Mapping[datetime, int] = field(default_factory=dict)
    kept: Sequence[Path] = ()
    panel: Path | None = None


def look_back(
    db: duckdb.DuckDBPyConnection, history: Path | None, settings: Settings, before: Settings | None,
    new_days: Collection[datetime],
) -> Before:  # fmt: skip
    """What of the run before is needed; the servers' attributes are read from it."""
    if history is None or not (history / "panel.parquet").exists():
        return Before()
    panel, samples = history / "panel.parquet", history / "samples"
    db.execute(f"INSERT INTO attribute BY NAME FROM read_parquet({quoted(str(samples / 'attributes.parquet'))})")
    kept = json.loads((samples / "kept.json").read_text(encoding="utf-8"))
    closed_before = datetime.fromisoformat(kept["since"])
    other_periods = before is not None and before.frequency != settings.frequency
    # Panels of earlier versions do not say the days: then all samples are read once.
    all_of_them = other_periods or own.needs_days_around()
    rows_of = {} if all_of_them else {datetime.fromisoformat(day): rows for day, rows in kept.get("days", {}).items()}
    untouched = {day: rows for day, rows in rows_of.items() if day not in new_days}
    left = {file_of(day) for day in untouched}
    touched = sorted(path for path in (samples / "samples").glob("*.parquet") if path.name not in left)
    if other_periods:
        older = f"SELECT count(*) FROM read_parquet({quoted(str(panel))}) WHERE ds < ?"
        return Before(closed_before, one_row(db, older, [closed_before])[0], kept=touched)
    return Before(closed_before, 0, samples / "samples", untouched, touched, panel)


def file_of(day: datetime) -> str:
    """The name of the file with a day's samples."""
    return f"{day:%Y%m%d}.parquet"


def read_kept(db: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> None:
    """Read samples kept, of the metrics that there are now: settings may have changed meanwhile."""
    if not files:
        return
    relation = f"read_parquet([{', '.join(quoted(str(path)) for path in files)}], union_by_name = true)"
    there = _columns_of(db, relation)
    wanted = [name for name in ("server_id", "sampled_at", *table.columns()) if name in there]
    db.execute(f"INSERT INTO kept BY NAME SELECT {', '.join(wanted)} FROM {relation}")


def read_stored(db: duckdb.DuckDBPyConnection, panel: Path, first: str | None = None, end: str | None = None) -> None:
    """Read the panel of the run before as it was aggregated: by owner, and with capacities as series of their own.

    ``first`` and ``end``: of the servers from that name to before this one only.
    """
    relation = f"read_parquet({quoted(str(panel))})"
    there = _columns_of(db, relation)
    bounds = [f"server_id {sign} {quoted(name)}" for sign, name in ((">=", first), ("<", end)) if name is not None]
    relation = f"(FROM {relation} WHERE {' AND '.join(bounds) or 'true'})"
    owner = owner_of("server_id", "entity") if "entity" in there else "server_id"
    columns = f"{owner} AS server_id, metric, ds, {for_each(STATISTICS, '%')}"
    known = ", ".join(quoted(name) for name in table.names())
    db.execute(f"INSERT INTO stored BY NAME SELECT {columns} FROM {relation} WHERE metric IN ({known})")
    if "capacity" in there:
        same = for_each(STATISTICS, "capacity AS %").replace("capacity AS samples", "samples")
        for series in capacity_series():
            db.execute(f"""
                INSERT INTO stored BY NAME SELECT {owner} AS server_id, '{series}' AS metric, ds, {same} FROM {relation}
                WHERE metric = '{series.removesuffix("_capacity")}' AND capacity IS NOT NULL""")


def _columns_of(db: duckdb.DuckDBPyConnection, relation: str) -> list[str]:
    return [name for name, *_ in db.execute(f"DESCRIBE FROM {relation}").fetchall()]


def capacity_series() -> list[str]:
    return [one.capacity_series for one in table.own() if one.capacity_series]


def keep_untouched(before: Before, keep_since: datetime, samples: Path) -> dict[datetime, int]:
    """Keep the samples of days that no new sample touches, as they are."""
    kept = {day: rows for day, rows in before.untouched.items() if day >= keep_since}
    for day in kept:
        shutil.copyfile(before.folder / file_of(day), samples / file_of(day))
    return kept


def keep_together(db: duckdb.DuckDBPyConnection, pieces: Path, target: Path) -> None:
    """Write the samples of one day that several parts of the work have written, files below a folder, as one."""
    relation = f"read_parquet({quoted(str(pieces / '*.parquet'))})"
    copy(db, f"FROM {relation} ORDER BY sampled_at, server_id", target, FAST_PARQUET)


def write(db: duckdb.DuckDBPyConnection, merged: Merge, samples: Path, folder: Path) -> None:
    """Write what ``merge`` made into a panel folder, the next run's history; ``samples`` are moved there."""
    shutil.rmtree(folder / "samples", ignore_errors=True)
    (folder / "samples").mkdir()
    shutil.move(samples, folder / "samples" / "samples")
    copy(db, _as_file(db), folder / "panel.parquet")
    copy(db, "FROM server ORDER BY server_id", folder / "servers.parquet")
    copy(db, "FROM attribute ORDER BY server_id, attribute", folder / "samples" / "attributes.parquet")
    if holds(db, "inventory"):
        copy(db, "FROM inventory ORDER BY ALL", folder / "samples" / "inventory.parquet")
    days = {f"{day:%Y-%m-%d}": rows for day, rows in sorted(merged.kept_days.items())}
    kept = json.dumps({"since": merged.samples_since.isoformat(), "days": days}) + "\n"
    (folder / "samples" / "kept.json").write_text(kept, encoding="utf-8")


def _as_file(db: duckdb.DuckDBPyConnection) -> str:
    """The panel as its file has it: with the columns ``entity`` and ``unit`` where it has entities or own metrics."""
    with_entities, own_metrics = have_entities(db, "panel"), table.own()
    if not with_entities and not own_metrics:
        return "FROM panel ORDER BY server_id, metric, ds"
    columns = "* EXCLUDE (capacity)" if capacity_series() else "*"
    parts = f"{server_of()} AS server_id"
    entity = f", {entity_of()} AS entity" if with_entities else ""
    units = " ".join(f"WHEN '{name}' THEN {quoted(table.of(name).unit)}" for name in table.names())
    unit = f", CASE metric {units} END AS unit" if own_metrics else ""
    capacity = ", capacity" if capacity_series() else ""
    replaced = f"{columns} REPLACE ({parts})" if with_entities else columns
    order = "server_id, metric, entity, ds" if with_entities else "server_id, metric, ds"
    return f"FROM (SELECT {replaced}{entity}{unit}{capacity} FROM panel) ORDER BY {order}"


def copy(db: duckdb.DuckDBPyConnection, query: str, path: Path, more: str = "") -> int:
    """Write the rows of a query as Parquet; gives their number."""
    options = f"FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1{more}"
    return one_row(db, f"COPY ({query}) TO {quoted(str(path))} ({options})")[0]
