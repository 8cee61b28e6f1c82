"""PowerShell's ``Get-Counter`` with its samples exported as CSV: a counter's path and its value in a row."""

from __future__ import annotations

from collections.abc import Iterator

from headroom.intake.formats import Export, Sample
from headroom.intake.formats.windows_perfmon import COUNTER

NAME = "PowerShell Get-Counter (CSV)"


def recognise(export: Export) -> bool:
    """By its columns, below PowerShell's line of type information."""
    return {"path", "cookedvalue", "timestamp"} <= {name.casefold() for name in export.header()}


def read(export: Export) -> Iterator[Sample]:
    """A path names server, object, part and counter, in small letters."""
    for said in export.powershell_rows():
        counter = COUNTER.fullmatch(said["path"].strip())
        if counter is None:
            export.leave_out(",".join(said.values()), "its path names no counter of a server")
            continue
        metric = f"{counter['object']}\\{counter['counter']}"
        yield Sample(counter["server"], metric, said["timestamp"], said["cookedvalue"], "", counter["part"] or "")
