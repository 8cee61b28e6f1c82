"""Telegraf's CSV and JSON: a measurement, its tags and its fields in a row or record."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from headroom.intake.formats import Export, Sample, text
from headroom.intake.formats.influx_annotated import owner_of

NAME = "Telegraf (CSV, JSON)"
_MEASUREMENTS = ("measurement", "name")
_FIELDS = ("usage_idle", "usage_active", "used_percent", "available_percent", "usage_user", "bytes_recv", "load1",
           "Percent_Processor_Time", "Percent_Idle_Time", "Percent_Free_Space")  # fmt: skip
_KEYS = (r'"fields"\s*:\s*\{', r'"tags"\s*:\s*\{', r'"name"\s*:\s*"', r'"timestamp"\s*:\s*\d')


def recognise(export: Export) -> bool:
    """A measurement and a host beside fields that Telegraf's plugins have; or records of such parts."""
    if export.is_json():
        return all(re.search(key, export.head) for key in _KEYS) and any(f'"{name}"' in export.head for name in _FIELDS)
    header = {_plain(name) for name in export.header()}
    # The tag of a core says the measurement as well.
    named = header & set(_MEASUREMENTS) or {"cpu", "usage_idle"} <= header
    return bool(named) and "host" in header and bool(header & set(_FIELDS))


def read(export: Export) -> Iterator[Sample]:
    """Of the fields those that are understood; the others are many, and of no use here."""
    if export.is_json():
        yield from export.samples(_metrics(export), partial(_of_metric, export))
        return
    rows = export.rows()
    header = [_plain(name) for name in next(rows)]
    for row in rows:
        if not row or not export.fits(row, len(header)):
            continue
        said = {name: cell for name, cell in zip(header, row, strict=False) if cell}
        measurement = next((said.pop(name) for name in _MEASUREMENTS if name in said), "cpu" if "cpu" in said else "")
        at = said.get("timestamp") or said.get("time", "")
        yield from _samples(export, measurement, said, {name: said[name] for name in _FIELDS if name in said}, at)


def _plain(heading: str) -> str:
    """A heading without what ``csv_column_prefix`` puts in front."""
    return re.sub("^(?:tag|field)_", "", heading.strip())


def _metrics(export: Export) -> Iterator[Any]:
    """The records: one per line, or all of an interval together as ``metrics``."""
    documents: Iterator[Any]
    try:
        documents = iter([export.document()])
    except json.JSONDecodeError:
        documents = export.documents()
    for document in documents:
        several = document.get("metrics", [document]) if isinstance(document, dict) else document
        yield from several


def _of_metric(export: Export, metric: Mapping[str, Any]) -> Iterator[Sample]:
    fields = {name: text(value) for name, value in metric["fields"].items() if type(value) in (int, float)}
    yield from _samples(export, metric["name"], metric["tags"], fields, text(metric["timestamp"]))


def _samples(
    export: Export, measurement: str, tags: Mapping[str, str], fields: Mapping[str, str], at: str
) -> Iterator[Sample]:
    server, part = owner_of(tags)
    names = {f"{measurement} {name}".strip(): value for name, value in fields.items()}
    for name in export.understood(tuple(names)) or ("-",):
        yield Sample(server, name, at, names.get(name, ""), "", part)
