"""PRTG's historic data of a CPU load sensor: its channels are called ``Total`` and ``Processor 1``, …

Other sensors have a channel ``Total`` as well, in bytes; what theirs are called says enough for a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

from headroom.intake.formats import Export, Sample

NAME = "PRTG, CPU load (CSV, JSON)"
_TIMES = ("date time", "datetime")
_DATE = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})")
# Days are counted from here.
_FIRST_DAY = date(1899, 12, 30)


def recognise(export: Export) -> bool:
    """By the names of its channels beside PRTG's time."""
    header = [name.casefold() for name in export.header()]
    return header[:1] != [] and header[0] in _TIMES and {"total", "processor 1"} <= set(header)


def read(export: Export) -> Iterator[Sample]:
    """Of a channel that is shown rounded, what is given raw; the last line has averages."""
    header: list[str] = []
    for row in export.rows():
        if not header:
            header = [name.strip().casefold() for name in row] if row and row[0].strip().casefold() in _TIMES else []
            continue
        if not row or not re.match(r"\s*\d", row[0]):
            continue
        said = dict(zip(header, row, strict=False))
        day = said.get(f"{header[0]}(raw)") or said.get(f"{header[0]}_raw", "")
        yield Sample("", "Processor total", _in_order(row[0], day), _percent(said), "%")


def _percent(said: dict[str, str]) -> str:
    """The raw number where it is the same percentage as the one shown."""
    shown, raw = said.get("total", "").strip().removesuffix("%").strip(), said.get("total(raw)", "").strip()
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
