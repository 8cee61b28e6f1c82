"""``sadf -p``: sysstat's values one by one, as host, interval, moment, device, field and value between tabs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from headroom.intake.formats import Export, Sample

NAME = "sysstat, sadf -p (text)"
_METRICS = {"%idle": ("cpu %idle", ""), "%memused": ("memory %memused", ""), "%fsused": ("filesystem %fsused", ""),
            "rxkB/s": ("network in", "KiB/s"), "txkB/s": ("network out", "KiB/s")}  # fmt: skip
_ROW = re.compile(r"[^\t]+\t-?\d+\t\d[\d: -]+(?: [A-Z]+)?\t[^\t]+\t[^\t]+(?:\t-?[\d.]+)?")


def recognise(export: Export) -> bool:
    """By its first line."""
    return bool(export.first_lines) and _ROW.fullmatch(export.first_lines[0]) is not None


def read(export: Export) -> Iterator[Sample]:
    """Of the fields those that are understood; the others are many, and of no use here."""
    for row in export.rows("\t"):
        if len(row) == 5 and "RESTART" in row[3]:
            continue
        if row and export.fits(row, 6):
            server, _, at, device, field, value = row[:6]
            if field in _METRICS:
                metric, unit = _METRICS[field]
                yield Sample(server, metric, at, value, unit, device)
