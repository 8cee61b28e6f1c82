r"""Windows' typeperf, perfmon and logman: columns ``\\SERVER\Object(Instance)\Counter``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from headroom.intake.formats import Export, Sample

NAME = "Windows performance counters (CSV)"
COUNTER = re.compile(r"\\\\(?P<server>[^\\]+)\\(?P<object>[^\\(]+)(?:\((?P<part>.*)\))?\\(?P<counter>.+)")
_PDH = re.compile(r"\(PDH-[CT]SV[^)]*\)(?:\s*\(.*\)\s*\((?P<bias>-?\d+)\))?")


def recognise(export: Export) -> bool:
    """A time, and beside it nothing but counters."""
    headings = export.header()
    return len(headings) > 1 and all(COUNTER.fullmatch(name.strip()) for name in headings[1:] if name.strip()) and any(
        name.strip() for name in headings[1:]
    )  # fmt: skip


def read(export: Export) -> Iterator[Sample]:
    """PDH writes months first, and in its first heading by how many minutes UTC is ahead of local time."""
    rows = (row for row in export.rows() if any(row))
    first, *headings = next(rows)
    pdh = _PDH.search(first)
    counters = [COUNTER.fullmatch(name.strip()) for name in headings]
    for row in rows:
        if len(row) == 1 and not row[0][:1].isdigit():
            continue  # what typeperf says when it ends
        if not export.fits(row, 1 + len(headings)):
            continue
        at = _pdh_time(row[0], pdh["bias"]) if pdh else row[0]
        for counter, value in zip(counters, row[1:], strict=False):
            if counter:
                metric = f"{counter['object']}\\{counter['counter']}"
                yield Sample(counter["server"], metric, at, value.strip(), "", counter["part"] or "")


def _pdh_time(written: str, bias: str | None) -> str:
    """A moment with its offset; also as a spreadsheet writes it that saved the file again."""
    minutes = int(bias or 0)
    offset = f"{'-' if minutes > 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}" if bias else ""
    found = re.fullmatch(r"(\d\d)/(\d\d)/(\d{4}) (\d\d:\d\d:\d\d(?:\.\d+)?)", written.strip())
    return f"{found[3]}-{found[1]}-{found[2]} {found[4]}{offset}" if found else f"{written.strip()} {offset}".strip()
