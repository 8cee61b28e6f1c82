"""Tables in JSON: records with the same keys, as a list, as the only list of a document, or one per line."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from headroom.core.settings import FileRules
from headroom.intake.formats import Export
from headroom.intake.words.headings import role_of
from headroom.intake.words.meaning import Meaning, meaning_of
from headroom.intake.words.server_names import KEYS, says_nothing


def write_table(export: Export, target: Path) -> list[str]:
    """Write a file's records as CSV with a header, and return its headings; nothing if it has no such records.

    A record's inner objects are taken apart: ``{"tags": {"host": "web-1"}}`` has the heading ``host``, and
    ``{"cpu": {"usage": 41}}`` the heading ``cpu usage``.
    """
    try:
        headings = list(dict.fromkeys(chain.from_iterable(_flat(one) for one in _records(export))))
        if not headings:
            return []
        with target.open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, headings)
            writer.writeheader()
            writer.writerows(_flat(one) for one in _records(export))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return []
    return headings


def _records(export: Export) -> Iterator[Mapping[str, Any]]:
    if not export.is_json():
        return
    try:
        document = export.document()
    except json.JSONDecodeError:
        yield from export.documents()
        return
    if isinstance(document, dict) and (rows := _of_pandas(document)) is not None:
        yield from rows
        return
    if isinstance(document, dict):
        lists = [name for name, value in document.items() if isinstance(value, list)]
        if len(lists) != 1:
            return
        records = document[lists[0]]
        of_all = _said_of_all(document, lists[0], _flat(records[0]) if records else {})
        document = [{**of_all, **record} for record in records]
    yield from document


def _said_of_all(document: Mapping[str, Any], name: str, record: Mapping[str, str]) -> dict[str, str]:
    """What a document says beside its list of records, unless these say it themselves: server, metric and unit.

    ``name`` is the list's, and the server's where it looks like one.
    """
    beside = [document, *(value for value in document.values() if isinstance(value, dict))]
    said = {key.casefold(): value for one in beside for key, value in one.items() if isinstance(value, str)}
    roles = {role_of(key, FileRules()) for key in record}
    like_a_server = re.fullmatch(r"[A-Za-z][\w.-]*\d[\w.-]*", name) and not says_nothing(name) and not meaning_of(name)
    server = next((said[key] for key in KEYS if key in said), name if like_a_server else "")
    found = {"server_id": server} if server and "server_id" not in roles else {}
    return found | {key: said[key] for key in ("metric", "unit") if key in said and key not in record}


def _of_pandas(document: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    """The records of a data frame that pandas writes by columns, or with its headings apart; ``None`` if it is none."""
    headings, data = document.get("columns", document.get("labels")), document.get("data")
    if isinstance(headings, list) and isinstance(data, list) and all(isinstance(row, list) for row in data):
        return [dict(zip(headings, row, strict=True)) for row in data]
    columns = list(document.values())
    if len(columns) > 1 and all(isinstance(one, dict) and one.keys() == columns[0].keys() for one in columns):
        keys = columns[0].keys()
        if all(key.isdigit() for key in keys):
            return [{heading: column[key] for heading, column in document.items()} for key in keys]
    return None


def _flat(record: Mapping[str, Any]) -> dict[str, str]:
    """A record's values by the names nearest to them.

    Raises:
        ValueError: it is not a record of a table: it has lists of more than words, or one name twice.
    """
    flat: dict[str, str] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            inner = _flat(value)
            if isinstance(meaning_of(name), Meaning):
                # Not Beats' ``pct``, which is a share.
                direct = {key for key, one in value.items() if not isinstance(one, dict | list) and key != "pct"}
                named = {key: name if key == "value" else f"{name} {key}" for key in direct}
                inner = {named.get(key, key): one for key, one in inner.items()}
        elif isinstance(value, list):
            if not all(isinstance(one, str) for one in value):
                raise ValueError(f"{name} is a list")
            inner = {name: " ".join(value)}
        else:
            inner = {name: "" if value is None else str(value)}
        if flat.keys() & inner.keys():
            raise ValueError(f"{', '.join(flat.keys() & inner.keys())} twice")
        flat |= inner
    return flat
