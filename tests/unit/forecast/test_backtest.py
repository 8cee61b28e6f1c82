"""What would have been forecast from days that are past now."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from headroom.core.grid import Grid
from headroom.core.periods import Frequency
from headroom.core.settings import Settings
from headroom.forecast import backtest, booster

SETTINGS = Settings(horizon=14)
NOBODY = pd.DataFrame({"server_id": pd.Series(dtype=str)})
PERIODS = 220


def history(changed: slice = slice(0, 0)) -> Grid:
    """Six servers; the ``changed`` periods are those of quite another world."""
    random, dates = np.random.default_rng(1), pd.date_range("2026-01-01", periods=PERIODS)
    values = 40 + 15 * (dates.dayofweek < 5) + random.normal(0, 2, (6, PERIODS))
    values[:, changed] = random.uniform(0, 100, values[:, changed].shape)
    return Grid(pd.DataFrame({"server_id": [f"s{n}" for n in range(6)], "metric": "cpu"}), dates, values, Frequency.DAY)


def backtested(grid: Grid) -> list[backtest.Window]:
    examples = booster.examples(grid, booster.training_origins(PERIODS, SETTINGS), NOBODY, SETTINGS)
    return backtest.run(grid, examples, NOBODY, SETTINGS)


@pytest.fixture(scope="module")
def windows() -> list[backtest.Window]:
    return backtested(history())


@pytest.mark.slow
def test_forecasts_of_a_window_do_not_change_with_what_came_after_it(windows):
    newest = windows[-1].origin
    other = backtested(history(changed=slice(newest + 1, None)))
    assert newest == PERIODS - 1 - SETTINGS.horizon
    for before, after in zip(windows, other, strict=True):
        for name in ("points", "below", "above", "scale"):
            np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    assert not np.allclose(windows[-1].actual, other[-1].actual)


def test_the_newest_window_leaves_exactly_the_horizon():
    assert backtest.origins(400, 100, Settings(horizon=90)) == [129, 219, 309]
    assert backtest.origins(300, 100, Settings(horizon=90)) == [119, 164, 209]
    first, _, last = backtest.origins(120, 100, Settings(horizon=31))
    assert last - first >= 31
    assert backtest.origins(13, 100, Settings(horizon=1)) == []
    assert all(origin >= 13 for origin in backtest.origins(60, 100, Settings(horizon=30)))


@pytest.mark.parametrize(
    ("periods", "horizon", "ahead"),
    [(400, 90, 90), (180, 90, 90), (179, 90, 59), (30, 90, 10), (2, 90, 0), (2, 1, 1), (1, 1, 0)],
)
def test_two_horizons_of_history_are_backtested_whole_and_less_to_a_third_of_it(periods, horizon, ahead):
    assert backtest.reach(periods, Settings(horizon=horizon)) == ahead


def test_of_a_short_history_the_newest_window_leaves_what_the_backtest_reaches():
    assert backtest.origins(50, 100, Settings()) == [17, 25, 33]
    assert backtest.origins(30, 100, Settings()) == [14, 19]
    assert backtest.origins(20, 100, Settings()) == [13]
    assert backtest.origins(19, 100, Settings()) == []  # two weeks have to be known, and some days after them


@pytest.mark.slow
def test_what_lies_beyond_the_reach_counts_nowhere():
    days = 30
    short = replace(history(), ds=history().ds[-days:], values=history().values[:, -days:])
    nothing = booster.examples(short, booster.training_origins(days, Settings()), NOBODY, Settings())
    made = backtest.run(short, nothing, NOBODY, Settings())
    assert [(one.origin, one.reach) for one in made] == [(14, 10), (19, 10)]
    for one in made:
        np.testing.assert_array_equal(one.actual[:, :10], short.values[:, one.origin + 1 : one.origin + 11])
        assert one.actual.shape == (6, 90) and np.isnan(one.actual[:, 10:]).all()
        assert np.isfinite(one.laws.quantiles).all()


def test_windows_share_a_day_only_if_they_reach_into_each_other(windows):
    made = [replace(windows[0], origin=14 + 5 * n, reach=reach)
            for reach in (5, 10) for n in range(2)]  # fmt: skip
    assert backtest.independent(made[:2]) == [0, 1]
    assert backtest.independent(made[2:]) == []


def test_a_few_series_are_tried_in_more_windows_since_each_tells_less():
    few, many = (backtest.origins(400, series, SETTINGS) for series in (4, 100))
    assert len(few) > len(many) == 3 and few[-3:] == many
