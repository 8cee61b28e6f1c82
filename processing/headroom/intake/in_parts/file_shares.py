"""Shares of the files: those that are looked at together, in one process of this machine or somewhere on a cluster."""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from headroom.core.settings import Settings
from headroom.intake import database, reading
from headroom.intake.files.sources import Source

# Bytes of files, unpacked, that are read together: more files than cores keep all of them busy, and a share that is
# done again costs little.
SHARE_BYTES = 128 * 2**20
SHARE_FILES = 2_000


@dataclass(frozen=True)
class Files:
    """A share of the files; ``work`` is the folder for what is made of them, on whichever machine that is."""

    sources: Sequence[Source]
    settings: Settings
    work: Path
    came: Sequence[Source] = ()
    """The files as they were before they were looked at."""

    def __str__(self) -> str:
        first, last = self.sources[0].file, self.sources[-1].file
        return f"the file {first!r}" if len(self.sources) == 1 else f"{len(self.sources)} files, {first!r} to {last!r}"

    @property
    def cores(self) -> int:
        """How many cores of its machine work on it: a giant file, which is never cut, is read by several."""
        return min(max(sum(map(_unpacked, self.sources)) // SHARE_BYTES, 1), os.cpu_count() or 1)


def shares_of(sources: Sequence[Source], settings: Settings, work: Path, most: int | None = None) -> list[Files]:
    """The files in shares of ``most`` files (``SHARE_FILES``) at the most, in their order; a file is never cut."""
    shares: list[list[Source]] = []
    filled = SHARE_BYTES
    for source in sources:
        size = _unpacked(source)
        if not shares or filled + size > SHARE_BYTES or len(shares[-1]) == (most or SHARE_FILES):
            shares.append([])
            filled = 0
        shares[-1].append(source)
        filled += size
    return [Files(share, settings, work / f"share-{number}") for number, share in enumerate(shares)]


def _unpacked(source: Source) -> int:
    try:
        size = source.path.stat().st_size
    except OSError:
        return 0  # the file has gone, which reading it will say
    return 8 * size if source.file.lower().endswith((".gz", ".parquet")) else size


def look_at(share: Files) -> Files:
    """The share with what each of its files is (``reading.look_at``)."""
    shutil.rmtree(share.work, ignore_errors=True)  # of an attempt that was lost
    seen = copy.deepcopy(share.sources)
    _look_at(seen, share.settings, share.work, share.cores)
    return replace(share, sources=seen, came=share.sources)


def readable_here(sources: Sequence[Source], came: Sequence[Source], settings: Settings, work: Path) -> None:
    """Make the files anew that are read in place of some sources, where they are on another machine's disk.

    ``came`` are the same sources before they were looked at; ``work`` is a folder for what is made of them.
    """
    gone = [place for place, one in enumerate(sources) if one.layout is not None and not one.readable.exists()]
    again = [copy.deepcopy(came[place]) for place in gone]
    _look_at(again, settings, work)
    for place, one in zip(gone, again, strict=True):
        sources[place].readable = one.readable


def _look_at(sources: Sequence[Source], settings: Settings, work: Path, cores: int = 1) -> None:
    work.mkdir(parents=True, exist_ok=True)
    with database.of_a_part(settings, cores) as (db, _):
        reading.prepare(db)
        reading.look_at(db, sources, settings, work)
