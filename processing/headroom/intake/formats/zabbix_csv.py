"""Zabbix' tables history and trends, joined with host and item: ``host,key_,clock,value``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from headroom.intake.formats import Export, Sample

NAME = "Zabbix history and trends (CSV)"
_MOUNT = re.compile(r"vfs\.fs\.(?:dependent\.)?size\[([^,\]]+)")
_KEYS = ("key_", "key", "item_key")


def recognise(export: Export) -> bool:
    """By its columns."""
    header = {name.strip().casefold() for name in export.header()}
    return bool(header & set(_KEYS)) and "clock" in header and bool(header & {"value", "value_avg"})


def read(export: Export) -> Iterator[Sample]:
    """Of an hour's minimum, average and maximum in the trends, the average."""
    rows = export.rows()
    header = [name.strip().casefold() for name in next(rows)]
    for row in rows:
        if not row or not export.fits(row, len(header)):
            continue
        said = dict(zip(header, row, strict=False))
        server = next((said[name] for name in ("host", "hostname", "host_name") if said.get(name)), "")
        metric = next((said[name] for name in _KEYS if said.get(name)), "-")
        mount = _MOUNT.match(metric)
        part = mount[1].strip('"') if mount else ""
        yield Sample(server, metric, said.get("clock", ""), said.get("value", said.get("value_avg", "")), "", part)
