"""From cells to numbers: a rate's unit in its cell, beside that of its heading."""

from __future__ import annotations

from pathlib import Path

import exports
import pytest


@pytest.mark.parametrize(
    ("heading", "cell", "megabytes"),
    [
        ("Network In (kB/s)", "5 MB/s", 5.0), ("Network In (MB/s)", "5 MB/s", 5.0),
        ("Network In (Mbit/s)", "800 kbit/s", 0.1), ("Network In (kB/s)", "500", 0.5), ("network_in", "5 MB/s", 5.0),
    ],
)  # fmt: skip
def test_the_unit_in_a_cell_counts_once_and_before_its_headings(
    tmp_path: Path, heading: str, cell: str, megabytes: float
) -> None:
    """Both units at once would make a thousandth of it, and a busy network idle."""
    rows = [f"2026-11-{day:02d} 12:00:00,web-1,{cell}" for day in range(1, 20)]
    panel, _ = exports.read(tmp_path, {"a.csv": "\n".join([f"timestamp,server_id,{heading}", *rows])})
    assert panel["y"].unique().tolist() == pytest.approx([megabytes])
