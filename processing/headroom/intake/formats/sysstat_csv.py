"""``sadf -d``: sysstat's tables, each with a header of its own that begins with ``# hostname``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from headroom.intake.formats import Export, Sample

NAME = "sysstat, sadf -d (CSV)"
# What a table is about, by a column that only it has; and the columns of use.
_ACTIVITIES = {"%idle": "cpu", "%memused": "memory", "%fsused": "filesystem", "rxkB/s": "network", "%util": "device"}
_PARTS = ("CPU", "DEV", "IFACE", "FILESYSTEM", "MOUNTPOINT")


def recognise(export: Export) -> bool:
    """By the beginning of its header."""
    return export.head.startswith("# hostname;")


def read(export: Export) -> Iterator[Sample]:
    """One sample per line and activity; a line of a restart has no values."""
    header: list[str] = []
    for row in export.rows(";"):
        if not row:
            continue
        if row[0].startswith("#"):
            header = [row[0].lstrip("# "), *(name.split("[")[0].strip() for name in row[1:])]
            continue
        said = dict(zip(header, row, strict=False))
        if 3 < len(row) < len(header) and row[3].startswith(("LINUX-RESTART", "COM")):
            activities = [(name, activity) for name, activity in _ACTIVITIES.items() if name in header]
            metric, unit = _metric(*activities[0]) if activities else ("-", "")
            yield Sample(said.get("hostname", ""), metric, said.get("timestamp", ""), "", unit)
            continue
        if not export.fits(row, len(header)):
            continue
        yield from samples_of(said.get("hostname", ""), said.get("timestamp", ""), said)


def samples_of(server: str, at: str, said: Mapping[str, str]) -> Iterator[Sample]:
    """What a line says by the names of its columns: a sample of each activity that is known, or one without a name."""
    part = next((said[name] for name in _PARTS if name in said), "")
    activities = [(name, activity) for name, activity in _ACTIVITIES.items() if name in said]
    for name, activity in activities or [("", "-")]:
        metric, unit = _metric(name, activity)
        yield Sample(server, metric, at, said.get(name, ""), unit, part)
        if activity == "network" and "txkB/s" in said:
            yield Sample(server, "network out", at, said["txkB/s"], "KiB/s", part)


def _metric(name: str, activity: str) -> tuple[str, str]:
    """sysstat's kB are 1,024 bytes."""
    return ("network in", "KiB/s") if activity == "network" else (f"{activity} {name}".strip(), "")
