"""What the methods tell of a series beside their forecasts: what the calendar did to it, and will do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from headroom.core.grid import Grid
from headroom.core.periods import Frequency
from headroom.core.settings import Settings
from headroom.forecast import methods

DAILY = Settings(horizon=30, holidays={"country": "US"})
HOURLY = Settings(frequency="h", horizon=72, holidays={"country": "US"})
RISE = 25.0


def a_grid(dates: pd.DatetimeIndex, *levels: np.ndarray) -> Grid:
    random = np.random.default_rng(4)
    values = np.stack([level + random.normal(0, 1, len(dates)) for level in levels])
    servers = pd.DataFrame({"server_id": [f"s{number}" for number in range(len(levels))], "metric": "cpu"})
    return Grid(servers, dates, values, Frequency.HOUR if dates.hour.any() else Frequency.DAY)


def ends_quarter(dates: pd.DatetimeIndex) -> np.ndarray:
    return np.asarray(dates.month.isin([3, 6, 9, 12]) & (dates.days_in_month - dates.day < 5))


@pytest.fixture(scope="module")
def ledger() -> Grid:
    """One server that is busy at the end of every quarter, and one that is not."""
    dates = pd.date_range(end="2026-12-10", periods=430)
    return a_grid(dates, 30 + RISE * ends_quarter(dates), np.full(len(dates), 30.0))


def test_the_points_are_those_of_the_methods_alone(ledger):
    points, _ = methods.forecasts_and_effects(ledger, DAILY)
    alone = methods.forecasts(ledger, DAILY)
    assert points.keys() == alone.keys() == set(methods.METHODS)
    for name, values in points.items():
        np.testing.assert_array_equal(values, alone[name])


def test_what_quarter_ends_did_is_told_and_what_the_next_will_do(ledger):
    _, (past, ahead) = methods.forecasts_and_effects(ledger, DAILY)
    assert past.shape == ledger.values.shape and ahead.shape == (2, 30)
    lately = slice(-90, None)  # what is long past counts less
    marked, then = ends_quarter(ledger.ds)[lately], ends_quarter(ledger.coming(DAILY.horizon))
    assert marked.sum() == then.sum() == 5
    for busy, usual in ((past[0, lately][marked], past[0, lately][~marked]), (ahead[0, then], ahead[0, ~then])):
        assert np.abs(busy - RISE).max() < 8 and np.abs(usual).mean() < 2
    assert np.abs(past[1]).mean() < 1.5 and np.abs(ahead[1]).mean() < 1.5


def test_without_what_the_calendar_did_a_series_is_calm(ledger):
    """It is in this form that the laws of trends look at it: no quarter's end is taken for a climb."""
    _, (past, _) = methods.forecasts_and_effects(ledger, DAILY)
    assert np.ptp(ledger.values[0, -90:]) > RISE
    assert np.ptp((ledger.values - past)[0, -90:]) < 0.6 * RISE


def test_in_the_first_months_nobody_can_tell_a_months_end_from_a_beginning():
    dates = pd.date_range(end="2026-12-10", periods=40)
    grid = a_grid(dates, 30 + RISE * (dates >= "2026-11-27"))
    _, (past, ahead) = methods.forecasts_and_effects(grid, DAILY)
    assert past.shape == (1, 40) and not past.any() and not ahead.any()


@pytest.mark.slow
def test_by_the_hour_what_holidays_did_is_told_too():
    dates = pd.date_range("2026-06-01", "2026-11-25 23:00", freq="h")
    closed = np.asarray(dates.normalize().isin(pd.DatetimeIndex(
        ["2026-06-19", "2026-07-03", "2026-07-04", "2026-09-07", "2026-10-12", "2026-11-11"]
    )))  # fmt: skip
    grid = a_grid(dates, 60.0 - 40 * closed)
    _, (past, ahead) = methods.forecasts_and_effects(grid, HOURLY)
    tomorrow = np.asarray(grid.coming(HOURLY.horizon).normalize() == "2026-11-26")  # Thanksgiving
    assert past[0, closed].mean() < -20 and np.abs(past[0, ~closed]).mean() < 2
    assert ahead[0, tomorrow].mean() < -20 and np.abs(ahead[0, ~tomorrow]).mean() < 5
