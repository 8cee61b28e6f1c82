r"""Windows' typeperf, perfmon and logman: columns ``\\SERVER\Object(Instance)\Counter``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from headroom.intake.formats import Export, Sample

NAME = "Windows performance counters (CSV)"
_COUNTER = re.compile(r"\\\\(?P<server>[^\\]+)\\(?P<object>[^\\(]+)(?:\((?P<part>.*)\))?\\(?P<counter>.+)")
_ZONE = re.compile(r"\(PDH-CSV[^)]*\)\s*\(.*\)\s*\((?P<bias>-?\d+)\)")


def recognise(export: Export) -> bool:
    """A time, and beside it nothing but counters."""
    headings = export.header()
    return len(headings) > 1 and all(_COUNTER.fullmatch(name.strip()) for name in headings[1:] if name.strip()) and any(
        name.strip() for name in headings[1:]
    )  # fmt: skip


def read(export: Export) -> Iterator[Sample]:
    """PDH writes months first, and in its first heading by how many minutes UTC is ahead of local time."""
    rows = export.rows()
    first, *headings = next(rows)
    zone = _ZONE.search(first)
    counters = [_COUNTER.fullmatch(name.strip()) for name in headings]
    for row in rows:
        if not row:
            continue
        at = _pdh_time(row[0], int(zone["bias"])) if zone else row[0]
        for counter, value in zip(counters, row[1:], strict=False):
            if counter:
                metric = f"{counter['object']}\\{counter['counter']}"
                yield Sample(counter["server"], metric, at, value.strip(), "", counter["part"] or "")


def _pdh_time(written: str, bias: int) -> str:
    found = re.fullmatch(r"(\d\d)/(\d\d)/(\d{4}) (\d\d:\d\d:\d\d(?:\.\d+)?)", written.strip())
    if not found:
        return written
    sign, minutes = "-" if bias > 0 else "+", abs(bias)
    return f"{found[3]}-{found[1]}-{found[2]} {found[4]}{sign}{minutes // 60:02}:{minutes % 60:02}"
