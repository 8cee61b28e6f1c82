"""From cells to numbers: a rate's unit in its cell, beside that of its heading."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import exports
import pytest

from headroom.core.job import InputError


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


BERLIN = ZoneInfo("Europe/Berlin")
# Ten minutes apart, from an hour before clocks go back in Berlin until an hour after it.
AUTUMN = [datetime(2024, 10, 26, 23, tzinfo=UTC) + timedelta(minutes=10 * step) for step in range(24)]


def local(rows: list[tuple[datetime, float]]) -> dict[str, str]:
    written = [f"{at.astimezone(BERLIN):%Y-%m-%d %H:%M},web-1,{value}" for at, value in rows]
    return {"a.csv": "\n".join(["timestamp,server_id,cpu", *written])}


@pytest.mark.parametrize("newest_first", [False, True])
def test_where_clocks_go_back_rows_that_lack_their_twin_are_of_the_hour_in_which_they_stand(
    tmp_path: Path, newest_first: bool
) -> None:
    rows = [(at, 20.0 + place) for place, at in enumerate(AUTUMN) if place not in (8, 15)]
    settings = "timezone: Europe/Berlin\nfrequency: h"
    panel, _ = exports.read(tmp_path, local(rows[::-1] if newest_first else rows), settings)
    assert panel["max"].tolist() == [25.0, 31.0, 37.0, 43.0]
    assert panel["samples"].tolist() == [6, 5, 5, 6]


def test_an_empty_cell_where_clocks_go_back_is_of_its_row(tmp_path: Path) -> None:
    rows = [(at, f"{20.0 + place},{'' if place == 8 else 50.0 + place}") for place, at in enumerate(AUTUMN)]
    written = [f"{at.astimezone(BERLIN):%Y-%m-%d %H:%M},web-1,{cells}" for at, cells in rows]
    files = {"a.csv": "\n".join(["timestamp,server_id,cpu,memory", *written])}
    panel, _ = exports.read(tmp_path, files, "timezone: Europe/Berlin\nfrequency: h")
    assert panel["max"].tolist() == [25.0, 31.0, 37.0, 43.0, 55.0, 61.0, 67.0, 73.0]


def test_rows_in_no_order_where_clocks_go_back_are_not_guessed(tmp_path: Path) -> None:
    rows = [(at, 20.0 + place) for place, at in enumerate(AUTUMN)]
    mixed = [rows[place * 7 % 24] for place in range(24)]
    with pytest.raises(InputError, match="its rows are in no order"):
        exports.read(tmp_path, local(mixed), "timezone: Europe/Berlin\nfrequency: h")
