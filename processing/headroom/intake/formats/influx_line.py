"""InfluxDB's line protocol, which Telegraf writes by default: measurement, tags, fields and moment in a line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from headroom.intake.formats import Export, Sample
from headroom.intake.formats.influx_annotated import owner_of

NAME = "InfluxDB line protocol"
_NAME = r"(?:\\.|[^\s,=\\])+"
_VALUE = r'(?:"(?:\\.|[^"\\])*"|[^\s,"]+)'
_LINE = re.compile(
    rf"(?P<measurement>(?:\\.|[^\s,\\])+)(?P<tags>(?:,{_NAME}={_NAME})*) "
    rf"(?P<fields>{_NAME}={_VALUE}(?:,{_NAME}={_VALUE})*) (?P<at>\d{{10,19}})"
)
# Remarks, and what ``influx_inspect export`` writes in front.
_BESIDE = re.compile("#|CREATE DATABASE ")
_PAIR = re.compile(rf"({_NAME})=({_VALUE})")


def recognise(export: Export) -> bool:
    """By the first line that is not a remark."""
    first = next((line for line in export.first_lines if line.strip() and not _BESIDE.match(line)), "")
    return _LINE.fullmatch(first.strip()) is not None


def read(export: Export) -> Iterator[Sample]:
    """Of the fields those that are understood; the others are many, and of no use here."""
    with export.path.open(encoding="utf-8-sig", errors="replace") as file:
        for export.line, line in enumerate(file, start=1):
            if not line.strip() or _BESIDE.match(line):
                continue
            export.records += 1
            found = _LINE.fullmatch(line.strip())
            if found is None:
                export.leave_out(line.strip(), "not a measurement, tags, fields and a moment: is the line cut off?")
                continue
            measurement = _plain(found["measurement"])
            server, part = owner_of({_plain(name): _plain(value) for name, value in _PAIR.findall(found["tags"])})
            fields = [(_plain(name), value) for name, value in _PAIR.findall(found["fields"])]
            values = {f"{measurement} {name}": value for name, value in fields}
            for name in export.understood(tuple(values)):
                yield Sample(server, name, found["at"], re.sub(r"[iu]$", "", values[name]), "", part)


def _plain(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name)
