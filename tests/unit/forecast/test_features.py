"""What the booster may know."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from headroom.core.grid import Grid
from headroom.core.periods import Frequency, calendar
from headroom.core.settings import Settings
from headroom.forecast import booster, features, methods

pytestmark = pytest.mark.slow

DAYS = pd.date_range("2026-01-01", periods=200)
KINDS = {"lag", "rolling", "seasonal", "calendar", "holiday", "quarter_end", "static"}


def rows(server: str, ds, values, metric: str = "cpu") -> pd.DataFrame:
    return pd.DataFrame(
        {"server_id": server, "metric": metric, "ds": pd.DatetimeIndex(ds), "y": np.array(values, float)}
    )


def a_week(scale: float = 1.0, metric: str = "network_in") -> Grid:
    random = np.random.default_rng(2)
    values = scale * (10 + 5 * (DAYS.dayofweek < 5) + random.normal(0, 1, (3, len(DAYS))))
    return features.history_of(pd.concat([rows(f"s{n}", DAYS, values[n], metric) for n in range(3)]), Frequency.DAY)


def test_series_that_have_no_usable_value_are_left_out():
    assert features.history_of(rows("a", DAYS, np.full(200, np.nan)), Frequency.DAY).values.shape == (0, 0)


def test_ten_years_are_cut_to_the_newest_five():
    ds = pd.date_range(end="2026-10-31", periods=3650)
    grid = features.history_of(rows("a", ds, np.arange(3650)), Frequency.DAY)
    assert len(grid.ds) == 1830 and grid.values[0, -1] == 3649 and grid.ds[-1] == ds[-1]


def test_metrics_of_any_unit_look_the_same_to_the_booster():
    settings = Settings(horizon=14)
    columns = []
    for scale in (1.0, 1e4):
        grid = a_week(scale)
        at = features.snapshot(grid, settings, methods.forecasts(grid, settings))
        ahead = calendar(grid.coming(14), settings)
        static = booster.static_features(
            grid, pd.DataFrame({"server_id": ["s0"]}), {name: [] for name in features.ATTRIBUTES}
        )
        every = features.tables(at, ahead, static)
        columns.append(features.matrix(every, np.repeat(np.arange(3), 14), np.tile(np.arange(1, 15), 3)))
    pd.testing.assert_frame_equal(columns[0], columns[1], rtol=1e-3)
    assert {features.kinds(name) for name in columns[0]} == KINDS


@pytest.mark.parametrize("frequency", list(Frequency))
def test_examples_that_were_complete_at_an_origin_know_nothing_of_what_came_later(frequency):
    random = np.random.default_rng(3)
    dates = pd.date_range("2026-01-01", periods=300, freq=frequency)
    series = pd.DataFrame({"server_id": ["a", "b"], "metric": "cpu"})
    values = random.normal(40, 5, (2, 300))
    changed = values.copy()
    changed[:, 201:] = random.normal(80, 5, (2, 99))
    settings, nobody = Settings(frequency=frequency, horizon=20), pd.DataFrame({"server_id": []})
    origins = booster.training_origins(300, settings)
    first, second = (
        booster.examples(Grid(series, dates, one, settings.frequency), origins, nobody, settings).until(200)
        for one in (values, changed)
    )
    assert len(first.target) > 100 and first.period.max() == 200
    pd.testing.assert_frame_equal(first.features, second.features)
    np.testing.assert_array_equal(first.target, second.target)


def test_an_attribute_that_training_did_not_know_is_missing_and_no_error():
    grid = a_week()
    servers = pd.DataFrame({"server_id": ["s0", "s1"], "region": ["north", "moon"], "vcpus": ["4", "many"]})
    codes = {name: [] for name in features.ATTRIBUTES} | {"region": ["north", "south"]}
    static = booster.static_features(grid, servers, codes)
    np.testing.assert_array_equal(static["region"], [0, np.nan, np.nan])
    np.testing.assert_array_equal(static["vcpus"], [4, np.nan, np.nan])


def test_what_works_side_by_side_has_one_thread_of_linear_algebra_each() -> None:
    """A window of the backtest must not have other last digits because its neighbour has more threads for a moment."""

    def threads(origin: int) -> set[int]:
        return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}

    with threadpool_limits(2, "blas"):
        assert features.side_by_side(threads, [1, 2, 3]) == [{1}] * 3
