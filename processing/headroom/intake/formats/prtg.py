"""PRTG's historic data of a sensor: each channel as it is shown, with its unit and often rounded, and raw.

The channels of a CPU's load are called ``Total`` and ``Processor 1``, …; other sensors have a ``Total`` as well, in
bytes. Those of drives are called ``Free Space C:``, those of a network card ``Traffic In (Speed)``, raw in bytes per
second.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

from headroom.intake.formats import Export, Sample
from headroom.intake.words.meaning import Meaning, meaning_of
from headroom.intake.words.units import factor

NAME = "PRTG (CSV, JSON)"
_TIMES = ("date time", "datetime", "datum uhrzeit")
_COVERED = ({"coverage", "coverage(raw)"}, {"abdeckung", "abdeckung(raw)"}, {"total", "processor 1"},
            {"gesamt", "prozessor 1"}, {"traffic in (speed)", "coverage"})  # fmt: skip
_WHOLE = {"total": "processor 1", "gesamt": "prozessor 1"}
_SPEED = re.compile(r"Traffic (?:In|Out) \(speed\)", re.IGNORECASE)
_SHOWN = re.compile(r"([\d.,\s'’]*\d) (\w+/s)")
_DATE = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})")
_FREE_SPACE = re.compile(r"^Free Space(?= [A-Z]:)")
# Days are counted from here.
_FIRST_DAY = date(1899, 12, 30)


def recognise(export: Export) -> bool:
    """By its time and how much of it was covered, or the channels of a CPU's load."""
    header = [name.casefold() for name in export.header()]
    return bool(header) and header[0] in _TIMES and any(columns <= set(header) for columns in _COVERED)


def read(export: Export) -> Iterator[Sample]:
    """Of the channels those that are understood, or all; the last line has averages."""
    header: list[str] = []
    channels: dict[int, str] = {}
    for row in export.rows():
        if not header:
            header = [name.strip() for name in row] if row and row[0].strip().casefold() in _TIMES else []
            channels = _channels(header)
            continue
        if not row or not re.match(r"\s*\d", row[0]) or not export.fits(row, len(header)):
            continue
        said = dict(zip(header, row, strict=False))
        at = _in_order(row[0], said.get(f"{header[0]}(RAW)") or said.get(f"{header[0]}_raw", ""))
        for place, metric in channels.items():
            shown = row[place].strip() if place < len(row) else ""
            raw = _with_point(said.get(f"{header[place]}(RAW)") or said.get(f"{header[place]}_raw", ""))
            if shown.endswith("%") or metric == "Processor total":
                yield Sample("", metric, at, _percent(shown, raw), "%")
            elif _SPEED.fullmatch(metric) and (speed := _bytes_per_second(shown, raw)):
                yield Sample("", metric, at, speed, "B/s")
            else:
                yield Sample("", metric, at, shown)


def _channels(header: list[str]) -> dict[int, str]:
    """Places and metrics of the channels that are understood; where none is, of all columns, which may be mapped."""
    names = {name.casefold() for name in header}
    metrics = {
        place: "Processor total" if _WHOLE.get(name.casefold()) in names else _FREE_SPACE.sub(r"disk \g<0>", name)
        for place, name in enumerate(header)
        if place and name
    }
    speeds = {place: name for place, name in metrics.items() if _SPEED.fullmatch(name)}
    understood = {place: name for place, name in metrics.items() if isinstance(meaning_of(name, "%"), Meaning)}
    return understood | speeds or metrics


def _with_point(raw: str) -> str:
    """A raw number with a point before its decimals, which may be a comma there."""
    return raw.replace(",", ".") if re.fullmatch(r"\d+,\d+", raw.strip()) else raw


def _percent(shown: str, raw: str) -> str:
    """The raw number where it is the same percentage as the one shown, which may be ``< 1 %``."""
    shown = shown.removesuffix("%").strip()
    try:
        return raw if abs(float(raw) - float(shown.removeprefix("<").replace(",", "."))) <= 1 else shown
    except ValueError:
        return shown


def _bytes_per_second(shown: str, raw: str) -> str:
    """The raw number where it is the rate that is shown, whose marks between digits can be read in two ways."""
    found = _SHOWN.fullmatch(shown)
    if found is None or not raw:
        return raw or shown if re.fullmatch(r"[\d.]+", raw or shown) else ""  # JSON has only the raw numbers
    unit = factor("network_in", found[2])
    if not unit:
        return ""
    number = re.sub(r"[\s'’]", "", found[1])
    readings = {number.replace(",", ""), number.replace(".", "").replace(",", ".")}
    try:
        told = [float(one) * unit * 1e6 for one in readings if one.count(".") <= 1]
        # PRTG's kilobytes are 1,024 bytes, and what is shown is rounded.
        return raw if any(abs(one - float(raw)) <= 0.1 * float(raw) + unit * 1e6 for one in told) else ""
    except ValueError:
        return ""


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
