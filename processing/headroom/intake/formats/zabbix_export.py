"""Zabbix' real-time export: JSON lines with the item's name in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headroom.intake.formats import Export, Sample, text

NAME = "Zabbix real-time export (JSON lines)"


def recognise(export: Export) -> bool:
    """By the keys of its lines."""
    return export.is_json() and '"itemid"' in export.head and '"clock"' in export.head and '"host"' in export.head


def read(export: Export) -> Iterator[Sample]:
    """Trends have an average instead of a value."""
    yield from export.samples(export.documents(), _samples)


def _samples(line: dict[str, Any]) -> Iterator[Sample]:
    host = line.get("host") or {}
    server = host if isinstance(host, str) else text(host.get("name") or host.get("host"))
    value = line.get("value", line.get("avg"))
    yield Sample(server, text(line.get("name")) or "-", text(line["clock"]), text(value))
