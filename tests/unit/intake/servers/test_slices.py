"""Slices: ranges of days whose samples are worked on together."""

from datetime import datetime, timedelta

import pytest

from headroom.intake.servers import slices

DAY = timedelta(days=1)
MONDAY = datetime(2024, 1, 1)


@pytest.mark.parametrize(
    "rows, ranges",
    [
        ([], []),
        ([5], [(0, 1)]),
        ([5, 5, 5], [(0, 2), (2, 3)]),
        ([50, 1, 1], [(0, 1), (1, 3)]),
    ],
)
def test_days_are_put_together_until_a_slice_is_full(monkeypatch, rows, ranges):
    monkeypatch.setattr(slices, "_SLICE_ROWS", 10)
    days = [(MONDAY + number * DAY, count) for number, count in enumerate(rows)]
    assert slices.slices_of(days) == [(MONDAY + begin * DAY, MONDAY + end * DAY) for begin, end in ranges]


def test_more_metrics_make_smaller_slices(monkeypatch):
    monkeypatch.setattr(slices, "_SLICE_ROWS", 10)
    monkeypatch.setattr(slices.table, "columns", lambda: tuple("abcdefghij"))
    days = [(MONDAY + number * DAY, 5) for number in range(2)]
    assert len(slices.slices_of(days)) == 2 and slices.most_rows() == 5
