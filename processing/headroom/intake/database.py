"""The database that files are read into: in memory, and on disk where it grows beyond its share."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from headroom.core import metrics
from headroom.core.settings import Settings

# With this much, 50 million rows pass through 2 GB: rows read spill to disk, and the program itself takes the rest.
_USUAL = 1 << 30
# The part of the machine's free memory that the database may take where it needs it.
_SHARE = 0.6


def open_in(work: Path) -> duckdb.DuckDBPyConnection:
    """A new database that spills into the folder ``work``; its tables are in the catalog ``work``."""
    db = duckdb.connect(config={"autoinstall_known_extensions": False})
    db.execute("ATTACH ':memory:' AS work (COMPRESS); USE work")
    db.execute("SET temp_directory = ?", [str(work / "spill")])
    make_room(db, False)
    return db


def make_room(db: duckdb.DuckDBPyConnection, for_more_than_usual: bool) -> None:
    """Set how much memory the database may take: its usual amount, or all of its share.

    Quantiles of one day cannot spill: a day of more samples than usual needs what there is.
    """
    share = int((_available() or 4 * _USUAL) * _SHARE)
    limit = share if for_more_than_usual else min(share, _USUAL)
    db.execute("SET memory_limit = ?", [f"{limit // 2**20} MiB"])


def _available() -> int | None:
    """Bytes that this machine can give without swapping; ``None`` where it does not say."""
    try:
        said = re.search(r"MemAvailable:\s+(\d+)", Path("/proc/meminfo").read_text())
    except OSError:
        return None
    return 1024 * int(said[1]) if said else None


@contextmanager
def of_a_part(settings: Settings, cores: int = 1) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """A database of one part of the work, and its folder; other parts may be under way beside it."""
    metrics.use(settings.own_metrics())
    with tempfile.TemporaryDirectory(prefix="headroom-") as folder:
        db = open_in(Path(folder))
        try:
            db.execute(f"SET threads = {cores}")
            yield db, Path(folder)
        finally:
            db.close()
