"""What a regression finds in a series, and how it goes on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from headroom.core.periods import Frequency
from headroom.core.settings import Settings
from headroom.forecast import regression
from headroom.forecast.regression import Fit, Shape, distances, fit_and_forecast

DAILY, HOURLY = Settings(horizon=28), Settings(frequency="h", horizon=48)
DAYS = pd.date_range("2026-01-01", periods=200)
TREND, LEVEL = Shape(12 * 28, trend=True), Shape(4 * 28, trend=False)


def fitted(values: np.ndarray, settings: Settings = DAILY, shape: Shape = TREND) -> Fit:
    values = np.atleast_2d(values)
    ds = pd.date_range("2026-01-01", periods=values.shape[1], freq=settings.frequency)
    ahead = pd.date_range(ds[-1], periods=settings.horizon + 1, freq=settings.frequency)[1:]
    return fit_and_forecast(values, ds, ahead, settings, shape)


def noise(size: int, spread: float = 1.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, spread, size)


def test_a_line_goes_on_as_a_line():
    points = fitted(20 + 0.1 * np.arange(200) + noise(200, 0.3)).points[0]
    np.testing.assert_allclose(points, 20 + 0.1 * np.arange(200, 228), atol=1.0)


def test_without_a_trend_in_its_shape_it_stays_where_it_was_lately():
    points = fitted(np.where(np.arange(200) < 60, 20.0, 40.0) + noise(200, 0.3), shape=LEVEL).points[0]
    np.testing.assert_allclose(points, 40, atol=1.0)


def test_a_week_s_rhythm_goes_on():
    busy = DAYS.dayofweek < 5
    points = fitted(30 + 20 * busy + noise(200)).points[0]
    ahead = pd.date_range(DAYS[-1], periods=29)[1:].dayofweek < 5
    assert abs(points[ahead].mean() - 50) < 1.5 and abs(points[~ahead].mean() - 30) < 1.5


def test_a_burst_moves_the_rhythm_of_other_weeks_hardly():
    values = 30 + 20.0 * (DAYS.dayofweek < 5) + noise(200)
    burst = values.copy()
    burst[100:103] = 95
    assert np.abs(fitted(burst).points - fitted(values).points).max() < 1.0


@pytest.mark.parametrize("shape", [TREND, LEVEL])
@pytest.mark.parametrize("began", [9, 16, 30, 37])
def test_a_burst_takes_no_weekends_away_where_there_is_little_noise(began, shape):
    """A doubt that stayed as large while accidents made the weekends look unusual shrank them to the working days."""
    days = pd.date_range("2026-01-01", periods=60)
    values = 20 + 30.0 * (days.dayofweek < 5) + noise(60, 0.1)
    values[began : began + 3] += 40
    ahead = pd.date_range(days[-1], periods=29)[1:]
    weekends = fitted(values, shape=shape).points[0][ahead.dayofweek >= 5]
    assert abs(np.median(weekends) - 20) < 4


def test_a_lasting_step_is_not_a_trend():
    points = fitted(np.where(np.arange(200) < 120, 20.0, 55.0) + noise(200)).points[0]
    assert 51 <= points.mean() <= 59


def test_a_cycle_that_is_not_the_calendar_s_goes_on_where_it_stopped():
    cycle = 3.0 * (np.arange(228) % 9)
    points = fitted(30 + cycle[:200] + noise(200, 0.2)).points[0]
    assert np.abs(points - 30 - cycle[200:]).mean() < 2.0


def test_a_gap_changes_nothing_but_what_is_known():
    values = 20 + 0.1 * np.arange(200) + noise(200, 0.3)
    gaps = values.copy()
    gaps[50:70] = np.nan
    np.testing.assert_allclose(fitted(gaps).points, fitted(values).points, atol=1.0)


def test_the_hours_of_a_day_go_on_and_weekends_have_their_own():
    ds = pd.date_range("2026-01-01", periods=24 * 28, freq="h")
    level = 20 + 30.0 * ((ds.hour >= 9) & (ds.hour < 17) & (ds.dayofweek < 5))
    ahead = pd.date_range(ds[-1], periods=49, freq="h")[1:]
    expected = 20 + 30.0 * ((ahead.hour >= 9) & (ahead.hour < 17) & (ahead.dayofweek < 5))
    points = fitted(np.asarray(level) + noise(len(ds)), HOURLY, Shape(4 * 168, trend=False)).points[0]
    assert np.abs(points - expected).mean() < 2.0


@pytest.mark.parametrize("frequency", list(Frequency))
def test_each_series_is_fitted_as_if_it_were_alone(frequency):
    settings = Settings(frequency=frequency, horizon=20)
    one, other = 20 + noise(200), 60 + 0.05 * np.arange(200) + noise(200, seed=1)
    both = fitted(np.stack([one, other]), settings).points
    np.testing.assert_allclose(both[0], fitted(one, settings).points[0], rtol=1e-9)
    np.testing.assert_allclose(both[1], fitted(other, settings).points[0], rtol=1e-9)


def test_constants_are_tried_at_distances_from_the_next_period_to_the_horizon():
    assert distances(90, 1000).tolist()[0] == 1 and distances(90, 1000).tolist()[-1] == 90
    assert distances(90, 30).max() == 10


def test_what_is_left_over_is_carried_the_same_whatever_lies_beside_it():
    random = np.random.default_rng(1)
    left = random.normal(size=(20, 120))
    left[random.random(left.shape) < 0.1] = np.nan
    left[3] = np.nan
    together = regression._carried(left, 30)
    alone = [regression._carried(one[None], 30)[0] for one in left]
    np.testing.assert_array_equal(alone, together)
