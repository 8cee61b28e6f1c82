"""PRTG's historic data of a sensor: each channel as it is shown, with its unit and often rounded, and raw.

The channels of a CPU's load are called ``Total`` and ``Processor 1``, …; other sensors have a ``Total`` as well, in
bytes. Those of drives are called ``Free Space C:``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

from headroom.intake.formats import Export, Sample
from headroom.intake.meaning import Meaning, meaning_of

NAME = "PRTG (CSV, JSON)"
_TIMES = ("date time", "datetime")
_DATE = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})")
_FREE_SPACE = re.compile(r"^Free Space(?= [A-Z]:)")
# Days are counted from here.
_FIRST_DAY = date(1899, 12, 30)


def recognise(export: Export) -> bool:
    """By its time and how much of it was covered, or the channels of a CPU's load."""
    header = [name.casefold() for name in export.header()]
    return bool(header) and header[0] in _TIMES and (
        {"coverage", "coverage(raw)"} <= set(header) or {"total", "processor 1"} <= set(header)
    )  # fmt: skip


def read(export: Export) -> Iterator[Sample]:
    """Of the channels those that are understood, or all; the last line has averages."""
    header: list[str] = []
    channels: dict[int, str] = {}
    for row in export.rows():
        if not header:
            header = [name.strip() for name in row] if row and row[0].strip().casefold() in _TIMES else []
            channels = _channels(header)
            continue
        if not row or not re.match(r"\s*\d", row[0]):
            continue
        said = dict(zip(header, row, strict=False))
        at = _in_order(row[0], said.get(f"{header[0]}(RAW)") or said.get(f"{header[0]}_raw", ""))
        for place, metric in channels.items():
            shown = row[place].strip() if place < len(row) else ""
            if shown.endswith("%") or metric == "Processor total":
                yield Sample("", metric, at, _percent(shown, said.get(f"{header[place]}(RAW)", "")), "%")
            else:
                yield Sample("", metric, at, shown)


def _channels(header: list[str]) -> dict[int, str]:
    """Places and metrics of the channels that are understood; where none is, of all columns, which may be mapped."""
    load = "processor 1" in map(str.casefold, header)
    metrics = {
        place: "Processor total" if load and name.casefold() == "total" else _FREE_SPACE.sub(r"disk \g<0>", name)
        for place, name in enumerate(header)
        if place and name
    }
    understood = {place: name for place, name in metrics.items() if isinstance(meaning_of(name, "%"), Meaning)}
    return understood or metrics


def _percent(shown: str, raw: str) -> str:
    """The raw number where it is the same percentage as the one shown."""
    shown = shown.removesuffix("%").strip()
    try:
        return raw if abs(float(raw) - float(shown.replace(",", "."))) <= 1 else shown
    except ValueError:
        return shown


def _in_order(shown: str, day: str) -> str:
    """A time whose date is written with the year first, where the raw day says which number is the month."""
    found = _DATE.match(shown.strip())
    if not found or not re.match(r"\d{5}(\D|$)", day):
        return shown
    about = _FIRST_DAY + timedelta(days=int(day[:5]))
    fits = set()
    for month, of_month in ((found[1], found[3]), (found[3], found[1])):
        try:
            one = date(int(found[4]), int(month), int(of_month))
        except ValueError:
            continue
        if abs(one - about) <= timedelta(days=1):
            fits.add(one)
    return f"{fits.pop()}{shown.strip()[found.end() :]}" if len(fits) == 1 else shown
