"""Telegraf's CSV: a measurement, its tags, and one column per field."""

from __future__ import annotations

from collections.abc import Iterator

from headroom.intake.formats import Export, Sample

NAME = "Telegraf (CSV)"
_MEASUREMENTS = ("measurement", "name")
_SERVERS = ("host", "hostname")
_FIELDS = ("usage_idle", "usage_active", "used_percent", "available_percent", "usage_user", "bytes_recv", "load1")


def recognise(export: Export) -> bool:
    """A measurement and a host beside fields that Telegraf's plugins have."""
    header = [name.strip() for name in export.header()]
    return bool(set(header) & set(_MEASUREMENTS)) and "host" in header and bool(set(header) & set(_FIELDS))


def read(export: Export) -> Iterator[Sample]:
    """Of the fields those that are understood; the others are many, and of no use here."""
    rows = export.rows()
    header = [name.strip() for name in next(rows)]
    for row in rows:
        if not row or not export.fits(row, len(header)):
            continue
        said = dict(zip(header, row, strict=False))
        measurement = next((said[name] for name in _MEASUREMENTS if said.get(name)), "")
        server = next((said[name] for name in _SERVERS if said.get(name)), "")
        part = next((said[name] for name in ("path", "cpu", "interface", "device") if said.get(name)), "")
        fields = [name for name in header if said.get(name) and name in _FIELDS]
        for name in fields or [""]:
            at = said.get("timestamp") or said.get("time", "")
            yield Sample(server, f"{measurement} {name}".strip() or "-", at, said.get(name, ""), "", part)
