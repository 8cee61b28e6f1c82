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
from headroom.intake.unreadable import UnreadableFile, brief
from headroom.intake.words.headings import ZONES, plain, role_of, statistic_under
from headroom.intake.words.meaning import Meaning, meaning_of
from headroom.intake.words.server_names import KEYS, says_nothing


def write_table(export: Export, target: Path) -> list[str]:
    """Write a file's records as CSV with a header, and return its headings; nothing if it has no such records.

    A record's inner objects are taken apart: ``{"tags": {"host": "web-1"}}`` has the heading ``host``, and
    ``{"cpu": {"usage": 41}}`` the heading ``cpu usage``. Records that are damaged are kept in the export, and each of
    the others stands on the line below its own, because of the header.

    Raises:
        UnreadableFile: most of its records are damaged.
    """
    try:
        headings = list(dict.fromkeys(chain.from_iterable(record for _, record in _flat_records(export))))
        if not headings:
            return []
        export.damaged.clear()
        with target.open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, headings, lineterminator="\n")
            writer.writeheader()
            good = written = 0
            for line, record in _flat_records(export):
                out.write("\n" * (line - written - 1))
                writer.writerow(record)
                good, written = good + 1, max(line, written + 1)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return []
    if len(export.damaged) > good:
        line, written_there, reason = export.damaged[0]
        raise UnreadableFile(
            f"{len(export.damaged)} of its {len(export.damaged) + good} JSON records cannot be read; the first is "
            f"{line}, {written_there[:80]!r}: {reason}. Export it again"
        )
    return headings


def _flat_records(export: Export) -> Iterator[tuple[int, dict[str, str]]]:
    """A file's records that are not damaged, each with its line (in a document its number)."""
    for number, record in enumerate(_records(export), start=1):
        try:
            yield export.line or number, _flat(record)
        except (ValueError, AttributeError) as error:
            said = f"not a record of a table ({brief(error)})" if isinstance(error, ValueError) else "not a JSON object"
            export.leave_out(record, said, number)


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
    """What a document says beside its list of records, unless these say it themselves: server, metric, unit, statistic
    and time zone.

    ``name`` is the list's, and the server's or the metric's where it looks like one.
    """
    beside = [document, *(value for value in document.values() if isinstance(value, dict))]
    said = {key.casefold(): value for one in beside for key, value in one.items() if isinstance(value, str)}
    roles = {role_of(key, FileRules()) for key in record}
    like_a_server = re.fullmatch(r"[A-Za-z][\w.-]*\d[\w.-]*", name) and not says_nothing(name) and not meaning_of(name)
    server = next((said[key] for key in KEYS if key in said), name if like_a_server else "")
    found = {"server_id": server} if server and "server_id" not in roles else {}
    if "value" in roles and "metric" not in roles and isinstance(meaning_of(name), Meaning):
        found["metric"] = name
    of_rows = {key for key in said if plain(key) in ZONES or statistic_under(key, said[key])}
    return found | {key: said[key] for key in ("metric", "unit", *sorted(of_rows)) if key in said and key not in record}


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
