"""What depends on whether periods are days or hours, and the calendar."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from headroom.core import wording
from headroom.core.periods import Frequency, calendar, in_month_end, in_quarter_end
from headroom.core.settings import Settings


def test_the_calendar_knows_holidays_and_the_days_around_them():
    days = pd.date_range("2026-11-24", "2026-11-28")  # Thanksgiving is the 26th
    table = calendar(days, Settings(holidays={"country": "US"}))
    assert list(table["holiday"]) == [0, 0, 1, 0, 0]
    assert list(table["before_holiday"]) == [0, 1, 0, 0, 0]
    assert list(table["after_holiday"]) == [0, 0, 0, 1, 0]
    assert not calendar(days, Settings())[["holiday", "before_holiday", "after_holiday"]].any(axis=None)
    german = calendar(pd.DatetimeIndex(["2026-11-01"]), Settings(holidays={"country": "DE", "subdivision": "BY"}))
    assert german["holiday"].iloc[0] == 1


def test_quarters_end_in_the_months_that_the_settings_say():
    year = pd.date_range("2026-01-01", "2026-12-31")
    for months in ([3, 6, 9, 12], [1, 4, 7, 10]):
        busy = calendar(year, Settings(fiscal_quarter_ends=months))["quarter_end"]
        days = busy.index[busy == 1]
        assert sorted(set(days.month)) == months and len(days) == 20
        assert all(days.days_in_month - days.day < 5)


@pytest.mark.parametrize("frequency", list(Frequency))
def test_lengths_are_told_in_periods_of_the_frequency(frequency):
    assert frequency.per_day * frequency.step == pd.Timedelta(days=1)
    assert frequency.per_week * frequency.step == pd.Timedelta(days=7)
    assert frequency.per_week in frequency.seasons and frequency.seasons == tuple(sorted(frequency.seasons))
    ds = pd.date_range("2026-01-01", periods=3, freq=frequency)
    assert ds[1] - ds[0] == frequency.step


def test_the_first_of_a_month_belongs_to_its_end_and_not_to_the_quarter_s():
    ds = pd.date_range("2026-03-26", "2026-04-02")
    np.testing.assert_array_equal(in_month_end(ds), [0, 0, 0, 1, 1, 1, 1, 0])
    np.testing.assert_array_equal(in_quarter_end(ds, [3]), [0, 1, 1, 1, 1, 1, 0, 0])


def test_a_long_climb_is_told_in_days_by_the_hour_too():
    assert [wording.span(each.long_climb, each) for each in Frequency] == ["160 days", "12 days"]
