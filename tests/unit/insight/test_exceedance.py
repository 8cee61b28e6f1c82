"""What is above a threshold already, on which days, at which hours and since when."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from headroom.core.periods import Frequency
from headroom.insight import exceedance

DAYS = pd.date_range(end="2026-10-31", periods=60)  # the last is a Saturday
HOURS = pd.date_range(end="2026-10-30 23:00", periods=24 * 30, freq="h")  # the last is a Friday


def daily(values, **more):
    return exceedance.of_series(np.asarray(values, float), DAYS, 90, Frequency.DAY, **more)


def hourly(values):
    return exceedance.of_series(np.asarray(values, float), HOURS, 90, Frequency.HOUR)


def told(found, frequency=Frequency.DAY):
    return exceedance.sentence(found, "cpu", "CPU", "90 %", frequency)


def test_a_server_that_stays_above_is_above_since_it_began():
    found = daily(np.where(DAYS >= "2026-10-05", 95, 50))
    assert (found.since, found.rhythm, found.from_the_start) == (pd.Timestamp("2026-10-05"), "every day", False)
    assert told(found) == "CPU has been above 90 % since 5 Oct 2026"


def test_a_server_always_above_is_so_for_as_long_as_it_has_been_measured():
    assert told(daily(np.full(60, 95))) == "CPU has been above 90 % since 2 Sep 2026, when measurements began"


def test_a_batch_that_crosses_every_morning_is_told_with_its_hours():
    found = hourly(np.where((HOURS.hour >= 9) & (HOURS.hour < 12) & (HOURS >= "2026-10-10"), 97, 20))
    assert told(found, Frequency.HOUR) == (
        "CPU reaches 97 % every day and is above 90 % between 09:00 and 12:00 UTC (since 10 Oct 2026)"
    )


def test_a_batch_past_midnight_is_one_stretch():
    found = hourly(np.where((HOURS.hour >= 22) | (HOURS.hour < 3), 97, 20))
    assert found.hours == "between 22:00 and 03:00 UTC"
    assert hourly(np.where(HOURS.hour >= 18, 97, 20)).hours == "between 18:00 and 24:00 UTC"


def test_office_hours_above_the_threshold_are_every_working_day():
    office = (HOURS.weekday < 5) & (HOURS.hour >= 8) & (HOURS.hour < 16)
    found = hourly(np.where(office, 95, 10))
    assert (found.rhythm, found.days, found.measured) == ("every working day", 5, 7)


def test_one_week_is_no_rhythm():
    office = (HOURS.weekday < 5) & (HOURS >= "2026-10-24")
    assert hourly(np.where(office, 95, 10)).rhythm == "on 5 of the last 7 days"


def test_work_at_changing_hours_is_told_by_its_length():
    start = (np.arange(30) * 7) % 19
    busy = (HOURS.hour >= np.repeat(start, 24)) & (HOURS.hour < np.repeat(start, 24) + 5)
    assert hourly(np.where(busy, 95, 10)).hours == "for 5 hours per day, at changing times"


def test_all_day_and_all_night_is_around_the_clock():
    assert told(hourly(np.where(HOURS >= "2026-10-10", 95, 20)), Frequency.HOUR) == (
        "CPU has been above 90 % around the clock since 10 Oct 2026"
    )


@pytest.mark.parametrize(
    ("back", "above"),
    [([1], False), ([1, 2], False), ([1, 3, 5], True), ([5, 6, 7], False), ([3, 5, 6], True), ([8, 9, 10], False)],
)
def test_three_of_the_last_seven_days_count_if_one_of_them_is_new(back, above):
    values = np.full(60, 50.0)
    values[[-day for day in back]] = 95
    assert (daily(values) is not None) == above


def test_yesterday_alone_counts_where_today_is_expected_to_be_the_same():
    values = np.full(60, 50.0)
    values[-1] = 95
    assert daily(values) is None and daily(values, soon=True).since == DAYS[-1]


def test_two_busy_hours_a_day_are_no_crossing():
    assert hourly(np.where(HOURS.hour < 2, 99, 20)) is None
    assert hourly(np.where(HOURS.hour < 3, 99, 20)) is not None


def test_days_without_values_are_not_days_below():
    values = np.full(60, 95.0)
    values[-6:-1] = np.nan
    found = daily(values)
    assert (found.days, found.measured, found.rhythm) == (2, 2, "on all 2 days measured of the last 7")


def test_a_server_new_today_is_above_on_the_only_day_there_is():
    values = np.full(60, np.nan)
    values[-1] = 95
    assert told(daily(values), Frequency.DAY) == (
        "CPU was above 90 % on the only day measured of the last 7 (since 31 Oct 2026, when measurements began)"
    )


def test_days_below_count_among_those_measured():
    values = np.full(60, np.nan)
    values[-4:] = [95, 50, 95, 95]
    assert daily(values).rhythm == "on 3 of the 4 days measured of the last 7"


def test_a_pause_of_five_days_begins_anew():
    values = np.full(60, 95.0)
    values[30:34] = 50
    assert daily(values).from_the_start
    values[34] = 50
    assert daily(values).since == DAYS[35]
