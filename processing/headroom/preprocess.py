"""The first job: raw monitoring files and the panel of the run before become a new panel and a data-quality report.

    python -m headroom.preprocess --raw DIR [--history DIR] [--settings FILE] [--manifest FILE] --panel DIR

What files may look like is in ``docs/data-contract.md``.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from headroom import engine, spark
from headroom.core import job, metrics, settings
from headroom.core.settings import Settings, SettingsError
from headroom.intake import database, merge, reading
from headroom.intake.accounting import quality
from headroom.intake.files.sources import Source
from headroom.intake.in_parts import file_shares
from headroom.intake.servers.panel_folder import write as write_panel

_log = logging.getLogger(__name__)


def main() -> None:
    arguments = argparse.ArgumentParser(prog="headroom.preprocess", description=__doc__.splitlines()[0])
    arguments.add_argument(
        "--raw", type=Path, required=True, metavar="DIR", help="incoming files, with any sub-folders"
    )
    arguments.add_argument("--history", type=Path, metavar="DIR", help="the panel folder of the run before")
    arguments.add_argument("--settings", type=Path, metavar="FILE", help="the dataset's settings, YAML")
    arguments.add_argument(
        "--manifest", type=Path, metavar="FILE", help="the run's manifest.json: the order of arrival"
    )
    arguments.add_argument("--panel", type=Path, required=True, metavar="DIR", help="where to write the new panel")
    arguments.add_argument("--engine", choices=engine.ENGINES, default=engine.MACHINE, help="who reads the files")
    job.run(
        lambda given: preprocess(given.raw, given.history, given.settings, given.manifest, given.panel, given.engine),
        arguments,
    )


def preprocess(
    raw: Path,
    history: Path | None,
    settings_file: Path | None,
    manifest_file: Path | None,
    panel_folder: Path,
    where: str = engine.MACHINE,
) -> dict[str, Any]:
    """Run the job with the folders and files of its command line (see ``main``); returns a small summary.

    ``where`` is the engine: on one machine all is done in this process, with Spark on a cluster; results are the same.

    Raises:
        InputError: there is no usable row and no history, or the manifest is not valid.
    """
    manifest = _read_manifest(manifest_file)
    sources, notes = _incoming(raw, manifest)
    before = _settings_before(history)
    effective, settings_report = _effective_settings(settings_file, before)
    with tempfile.TemporaryDirectory(prefix="headroom-") as folder:
        work = Path(folder)
        (work / "files").mkdir()
        metrics.use(effective.own_metrics())
        db = database.open_in(work)
        latest = reading.latest_of(_planned(manifest))
        if where == engine.SPARK:
            from headroom import spread  # and pyarrow with it, which one machine has no need to load

            with spark.cluster() as cluster:
                merged = spread.read_and_merge(cluster, db, sources, history, effective, before, latest, work)
        else:
            look = _look_on_all_cores if len(sources) >= _MANY else None
            reading.read(db, sources, effective, latest, work / "files", look)
            merged = merge.merge(db, history, effective, before, work / "samples", sources)
        report = quality.report(db, sources, effective, merged, settings_report, manifest.get("dataset"), notes)
        if not report["panel"]["rows"]:
            raise job.InputError(_nothing_usable(report))
        panel_folder.mkdir(parents=True, exist_ok=True)
        write_panel(db, merged, work / "samples", panel_folder)
        quality.write(db, report, panel_folder)
        (panel_folder / "settings.json").write_text(effective.model_dump_json(indent=2) + "\n", encoding="utf-8")
        db.close()
    return {
        "servers": report["panel"]["servers"],
        "metrics": report["panel"]["metrics"],
        "rows_read": report["rows"]["read"],
        "rows_quarantined": report["rows"]["quarantined"],
        "files": len(sources),
        "first": report["panel"]["first"],
        "last": report["panel"]["last"],
    }


# A file takes 3 to 5 ms to be looked at, which is Python's work and so one core's; a process takes 0.4 s to start.
_MANY = 1_000


def _look_on_all_cores(_: duckdb.DuckDBPyConnection, sources: list[Source], effective: Settings, work: Path) -> None:
    """Find out what each of many files is (``reading.look_at``), in a process per core."""
    shares = file_shares.shares_of(sources, effective, work, most=-(-len(sources) // (4 * (os.cpu_count() or 1))))
    sources[:] = [source for share in engine.in_order(file_shares.look_at, shares) for source in share.sources]


def _read_manifest(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        files = manifest.get("files", [])
        if not all(isinstance(entry["file"], str) for entry in files):
            raise TypeError("a file's name is not text")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise job.InputError(f"{path.name} is not the manifest of a run ({error}): plan the run again") from error
    return manifest


def _incoming(raw: Path, manifest: dict[str, Any]) -> tuple[list[Source], list[str]]:
    """The files to read, in the order of arrival: the manifest's, or else all of the folder by name."""
    present = sorted(path.relative_to(raw).as_posix() for path in raw.rglob("*") if path.is_file())
    if "files" not in manifest:
        return [Source(order, name, raw / name) for order, name in enumerate(present)], []
    places = _places(manifest["files"], set(present))
    sources = [Source(order, name, raw / place) for order, (name, place) in enumerate(places.items())]
    for source, place in zip(sources, places.values(), strict=True):
        if place not in present:
            source.error = "the file was planned but is not there (deleted meanwhile?): upload it again"
    # A run without new files is handed the manifest instead.
    ignored = sorted(set(present) - set(places.values()) - {"manifest.json"})
    if not ignored:
        return sources, []
    return sources, [f"Files left alone, as they are not in the run's manifest: {len(ignored)}, such as {ignored[0]}."]


def _places(files: list[dict[str, Any]], present: set[str]) -> dict[str, str]:
    """Where each listed file lies below the raw folder: under its name there, or under its whole S3 key.

    SageMaker does not document which of the two it does with the files of a manifest. It does the same with all files
    of a job, and a name may itself look like a key, so the layout that finds more of them is taken for all.
    """
    by_name = {entry["file"]: entry["file"] for entry in files}
    by_key = {entry["file"]: entry.get("key", entry["file"]) for entry in files}
    return max(by_name, by_key, key=lambda places: sum(place in present for place in places.values()))


def _settings_before(history: Path | None) -> Settings | None:
    if history is None or not (history / "settings.json").exists():
        return None
    return settings.load(history / "settings.json")


def _effective_settings(given: Path | None, before: Settings | None) -> tuple[Settings, dict[str, Any]]:
    """The settings given; where they are wrong, the last good ones, so that one typing error stops no dataset."""
    if given is None:
        return Settings(), {"source": "default", "errors": []}
    try:
        return settings.load(given), {"source": "given", "errors": []}
    except (SettingsError, OSError) as error:
        errors = str(error).splitlines()
        for line in errors:
            _log.warning("settings: %s", line)
    if before is not None:
        return before, {"source": "last_good", "errors": errors}
    return Settings(), {"source": "default", "errors": errors}


def _planned(manifest: dict[str, Any]) -> datetime:
    try:
        return datetime.fromisoformat(manifest["created_at"].replace("Z", "+00:00"))
    except (KeyError, ValueError, AttributeError):
        return datetime.now(UTC)  # nobody planned this run: it is now


def _nothing_usable(report: dict[str, Any]) -> str:
    if not report["files"]:
        return "There is no file to read and no earlier panel: upload monitoring files (see docs/data-contract.md)."
    faults = [f"{file['file']}: {file['error']}" for file in report["files"] if file["error"]]
    faults += [f"{reason['reason']} ({reason['rows']} rows)" for reason in report["reasons"]]
    if report["inventory"] and not faults:
        return (
            "The files describe servers and measure nothing, and there is no earlier panel: upload monitoring files as "
            "well (see docs/data-contract.md)."
        )
    shown = "; ".join(faults[:4]) + ("; …" if len(faults) > 4 else "")
    return (
        f"None of {len(report['files'])} files has a usable row, and there is no earlier panel. "
        f"{shown or 'All rows are empty'}. "
        "Correct the files or map their columns in the dataset's settings, and upload them again."
    )


if __name__ == "__main__":
    job.as_program(main)
