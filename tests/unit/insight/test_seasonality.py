"""Strengths, peaks and effects of series whose make is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headroom.core.grid import Grid
from headroom.core.periods import Frequency
from headroom.core.settings import Settings, parse
from headroom.insight import seasonality

NOISE = np.random.default_rng(0)
YEAR = pd.date_range("2025-01-01", periods=420)


def measured(values, ds, frequency=Frequency.DAY, metric="cpu", config=None):
    values = np.atleast_2d(np.asarray(values, float))
    series = pd.DataFrame({"server_id": [f"s{number}" for number in range(len(values))], "metric": metric})
    return seasonality.measure(Grid(series, ds, values, frequency), config or Settings())


def test_office_hours_have_a_week_and_noise_has_none():
    office = 20 + 40 * (YEAR.weekday < 5) + 5 * (YEAR.weekday == 2) + NOISE.normal(0, 1, len(YEAR))
    noise = 50 + NOISE.normal(0, 3, len(YEAR))
    table = measured([office, noise], YEAR)
    assert table["week_strength"].iloc[0] > 0.95 and table["week_strength"].iloc[1] < 0.1
    assert table["peak_weekday"].iloc[0] == 2
    assert table["day_strength"].isna().all() and table["peak_hour"].isna().all()


def test_hours_show_the_peak_of_the_day():
    ds = pd.date_range("2026-01-01", periods=24 * 60, freq="h")
    values = 30 + 30 * np.cos((ds.hour.to_numpy() - 14) / 24 * 2 * np.pi) + NOISE.normal(0, 1, len(ds))
    row = measured(values, ds, Frequency.HOUR).iloc[0]
    assert row["day_strength"] > 0.95 and row["peak_hour"] == 14 and row["week_strength"] < 0.2


def test_a_year_shows_after_two_of_them():
    ds = pd.date_range("2023-01-01", periods=1096)
    values = 50 + 15 * np.cos((ds.dayofyear.to_numpy() - 350) / 365.25 * 2 * np.pi) + NOISE.normal(0, 2, len(ds))
    row = measured(values, ds).iloc[0]
    assert row["year_strength"] > 0.9 and row["peak_month"] == 12
    assert np.isnan(measured(values[-400:], ds[-400:]).iloc[0]["year_strength"])


def test_growth_is_a_trend_and_a_step_is_not():
    growing = 30 + 0.1 * np.arange(len(YEAR)) + NOISE.normal(0, 1, len(YEAR))
    step = 40 + 20 * (np.arange(len(YEAR)) > 250) + NOISE.normal(0, 1, len(YEAR))
    table = measured([growing, step], YEAR)
    assert table["trend_per_month"].iloc[0] == pytest.approx(0.1 * 365.25 / 12, rel=0.05)
    assert table["trend_strength"].iloc[0] > 0.9
    assert table["step"].iloc[0] == 0 and table["step"].iloc[1] == pytest.approx(20, abs=2)
    assert abs(table["trend_per_month"].iloc[1]) < 0.3


@pytest.mark.parametrize("days", [10, 14, 21, 35])
def test_a_leak_with_restarts_is_told_from_the_week(days):
    leak = 30 + 28 * (np.arange(len(YEAR)) % days) / days + NOISE.normal(0, 1, len(YEAR))
    office = 20 + 40 * (YEAR.weekday < 5) + NOISE.normal(0, 1, len(YEAR))
    table = measured([leak, office], YEAR, metric="memory")
    assert table["leak_per_month"].iloc[0] == pytest.approx(28 / days * 30, rel=0.35)
    assert table["leak_per_month"].iloc[1] < 3


def test_the_end_of_the_quarter_has_its_size_by_the_owners_calendar():
    ends = (YEAR.days_in_month - YEAR.day < 5) & (YEAR.month % 3 == 0)
    values = 50 + 12 * ends + NOISE.normal(0, 1, len(YEAR))
    assert measured(values, YEAR)["quarter_end_effect"].iloc[0] == pytest.approx(12, abs=1.5)
    other = measured(values, YEAR, config=parse("fiscal_quarter_ends: [1, 4, 7, 10]"))
    assert abs(other["quarter_end_effect"].iloc[0]) < 2
    assert abs(measured(values, YEAR)["month_end_effect"].iloc[0]) < 3


def test_one_end_of_a_quarter_and_two_of_a_month_are_anecdotes():
    ds = pd.date_range("2026-01-20", periods=80)
    values = 50 + 20 * (ds.days_in_month - ds.day < 5) + NOISE.normal(0, 1, len(ds))
    row = measured(values, ds).iloc[0]
    assert np.isnan(row["quarter_end_effect"]) and row["month_end_effect"] > 8
    assert np.isnan(measured(values[:60], ds[:60]).iloc[0]["month_end_effect"])
    late = np.where(ds < "2026-03-10", np.nan, values)
    assert np.isnan(measured(late, ds).iloc[0]["month_end_effect"])


def test_a_month_of_days_shows_no_lasting_step_and_less_no_trend():
    ds = pd.date_range("2026-01-01", periods=30)
    step = 40 + 30 * (np.arange(30) >= 15) + NOISE.normal(0, 1, 30)
    assert measured(step, ds).iloc[0]["step"] == 0
    assert np.isnan(measured(step[:20], ds[:20]).iloc[0]["trend_per_month"])
    newcomer = np.full((1, len(YEAR)), np.nan)
    newcomer[0, -30:] = step
    assert measured(newcomer, YEAR).iloc[0]["step"] == 0


def test_a_level_line_has_no_peak_of_the_day_or_week():
    ds = pd.date_range("2026-01-05", periods=24 * 28, freq="h")
    flat = measured(50 + NOISE.normal(0, 0.2, len(ds)), ds, Frequency.HOUR).iloc[0]
    assert np.isnan(flat["peak_hour"]) and np.isnan(flat["peak_weekday"])
    one_week = measured(50 + 20.0 * (ds[:168].weekday == 2), ds[:168], Frequency.HOUR).iloc[0]
    assert np.isnan(one_week["peak_weekday"])


def test_the_fleet_peaks_where_its_mean_does():
    values = np.array([20 + 40 * (YEAR.weekday == 1), 20 + 10 * (YEAR.weekday == 3)], float)
    series = pd.DataFrame({"server_id": ["a", "b"], "metric": "cpu"})
    fleet = seasonality.sums(Grid(series, YEAR, values, Frequency.DAY))
    peaks = seasonality.fleet_peaks(fleet, YEAR, Frequency.DAY)["cpu"]
    assert peaks["hours"] is None and np.argmax(peaks["weekdays"]) == 1 and len(peaks["months"]) == 12


def test_series_with_next_to_nothing_are_measured_as_far_as_they_can_be():
    values = np.full((5, len(YEAR)), np.nan)
    values[1] = 7.0
    values[2, -1] = 50.0
    values[3, -10:] = NOISE.normal(50, 2, 10)
    values[4, ::60] = 50.0
    table = measured(values, YEAR).set_index("server_id")
    assert "s0" not in table.index
    assert table.loc["s1", ["week_strength", "trend_strength", "noise"]].tolist() == pytest.approx([0, 0, 0], abs=1e-9)
    assert np.isnan(table.loc["s2", "week_strength"]) and np.isnan(table.loc["s3", "week_strength"])


@pytest.mark.slow
@settings(max_examples=25)
@given(st.lists(st.one_of(st.just(float("nan")), st.floats(0, 1e6)), min_size=2, max_size=40))
def test_no_history_breaks_it(history):
    values = np.array([history, [50.0] * len(history)])
    ds = pd.date_range("2026-01-01", periods=len(history))
    for metric in ("cpu", "network_in"):
        table = measured(values, ds, metric=metric)
        for name in ("week_strength", "trend_strength"):
            assert table[name].dropna().between(0, 1).all()


def test_one_saturday_says_nothing_of_saturdays():
    few = pd.date_range("2026-11-19", periods=4)
    sums = {"cpu": (np.array([50.0, 50, 60, 50]), np.ones(4))}
    assert np.isnan(seasonality.fleet_peaks(sums, few, Frequency.DAY)["cpu"]["weekdays"]).all()
    weeks = pd.date_range("2026-11-02", periods=14)
    sums = {"cpu": (np.full(14, 50.0), np.ones(14))}
    assert np.isfinite(seasonality.fleet_peaks(sums, weeks, Frequency.DAY)["cpu"]["weekdays"]).all()
