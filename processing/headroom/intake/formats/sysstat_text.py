"""``sar`` as it prints: tables below a line that says the host and the day; times are local."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

from headroom.intake.formats import Export, Sample
from headroom.intake.formats.sysstat_csv import samples_of

NAME = "sysstat, sar (text)"
_FIRST = re.compile(r"Linux \S+ \((?P<host>[^()]+)\)\s+(?P<day>\d[\d./-]+\d)\s")
_CLOCK = re.compile(r"(?P<clock>\d\d:\d\d:\d\d(?: [AP]M)?)\s+(?P<rest>\S.*)")


def recognise(export: Export) -> bool:
    """By its first line."""
    return _FIRST.match(export.head) is not None


def read(export: Export) -> Iterator[Sample]:
    """A header begins with a time as well; a table may end with the first sample of the next day."""
    host = day = last = ""
    header: list[str] = []
    with export.path.open(encoding="utf-8-sig", errors="replace") as file:
        for export.line, line in enumerate(file, start=1):
            if first := _FIRST.match(line):
                host, day, header = first["host"], first["day"], []
                continue
            found = _CLOCK.match(line.strip())
            if found is None:
                header = header if not line.strip() else []  # averages end a table
                continue
            cells = found["rest"].split()
            if "RESTART" in cells[:2]:
                continue
            if len(cells) > 1 and not re.fullmatch(r"-?[\d.,]+", cells[-1]):
                if cells != header:
                    header, last = cells, ""
                continue
            if not export.fits(cells, len(header)):
                continue
            clock = _of_24_hours(found["clock"])
            at = f"{day} {clock}" if clock >= last else _past_midnight(day, clock, last)
            last = max(clock, last)
            yield from samples_of(host, at, dict(zip(header, cells, strict=False)))


def _of_24_hours(clock: str) -> str:
    """``00:10:01`` of ``12:10:01 AM``."""
    if not clock.endswith("M"):
        return clock
    return f"{int(clock[:2]) % 12 + 12 * clock.endswith('PM'):02}{clock[2:8]}"


def _past_midnight(day: str, clock: str, last: str) -> str:
    """The moment of a time that comes after a later one: of the next day, if it is soon after midnight and the day is
    written so that one can count on; else a text that is no moment."""
    try:
        if last < "22" or clock > "02":
            raise ValueError
        return f"{date.fromisoformat(day) + timedelta(days=1)} {clock}"
    except ValueError:
        return f"{clock} after {last} of {day}"
