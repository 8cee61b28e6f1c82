"""Azure Log Analytics, *Export to CSV* of Perf and InsightsMetrics: one row per counter, instance and moment."""

from __future__ import annotations

import re
from collections.abc import Iterator

from headroom.intake.formats import Export, Sample

NAME = "Azure Log Analytics (CSV)"
_PERF = {"computer", "objectname", "countername", "countervalue"}
_INSIGHTS = {"computer", "namespace", "name", "val"}
_MOUNT = re.compile(r'mountId\W+([^"\\]+)')


def recognise(export: Export) -> bool:
    """By the columns of one of the tables, beside the time of the row."""
    header = _plain(export.header())
    return "timegenerated" in header and any(wanted <= set(header) for wanted in (_PERF, _INSIGHTS))


def read(export: Export) -> Iterator[Sample]:
    """The metric is object and counter, or namespace and name; times are in the zone that their heading says."""
    header, utc = None, False
    for row in export.rows():
        if header is None:
            if "timegenerated" in _plain(row):
                header, utc = _plain(row), "[utc]" in row[_plain(row).index("timegenerated")].casefold()
            continue
        if not row or not export.fits(row, len(header)):
            continue
        said = dict(zip(header, row, strict=False))
        at = said.get("timegenerated", "")
        at = f"{at} UTC" if utc and at and not at.endswith("Z") else at
        if "countervalue" in said:
            metric, value = f"{said.get('objectname', '')}\\{said.get('countername', '')}", said["countervalue"]
            part = said.get("instancename", "")
        else:
            metric, value = f"{said.get('namespace', '')} {said.get('name', '')}", said.get("val", "")
            mount = _MOUNT.search(said.get("tags", ""))
            part = mount[1] if mount else ""
        yield Sample(said.get("computer", ""), metric, at, value, "", part)


def _plain(header: list[str]) -> list[str]:
    return [re.sub(r"\[.*\]", "", name).strip().casefold() for name in header]
