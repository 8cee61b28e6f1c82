"""The grid, the calendar, and what the booster may know."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from headroom.core.settings import Settings
from headroom.forecast import booster, features, methods

DAYS = pd.date_range("2026-01-01", periods=200)
KINDS = {"lag", "rolling", "seasonal", "calendar", "holiday", "quarter_end", "static"}


def rows(server: str, ds, values, metric: str = "cpu") -> pd.DataFrame:
    return pd.DataFrame(
        {"server_id": server, "metric": metric, "ds": pd.DatetimeIndex(ds), "y": np.array(values, float)}
    )


def a_week(scale: float = 1.0, metric: str = "network_in") -> features.Grid:
    random = np.random.default_rng(2)
    values = scale * (10 + 5 * (DAYS.dayofweek < 5) + random.normal(0, 1, (3, len(DAYS))))
    return features.grid(pd.concat([rows(f"s{n}", DAYS, values[n], metric) for n in range(3)]), "D")


def test_a_day_without_a_row_or_with_an_unusable_value_is_a_gap():
    panel = pd.concat([
        rows("a", ["2026-01-01", "2026-01-02", "2026-01-05"], [1, np.nan, 5]), rows("b", ["2026-01-03"], [3]),
        rows("c", ["2026-01-04"], [np.inf]), rows("d", ["2026-01-09"], [np.nan]),
    ])  # fmt: skip
    grid = features.grid(panel, "D")
    assert list(grid.series["server_id"]) == ["a", "b"]
    assert (grid.dates[0], grid.dates[-1]) == (pd.Timestamp("2026-01-01"), pd.Timestamp("2026-01-05"))
    np.testing.assert_array_equal(grid.values, [[1, np.nan, np.nan, np.nan, 5], [np.nan, np.nan, 3, np.nan, np.nan]])


def test_of_duplicates_the_last_row_counts_and_rows_may_come_in_any_order():
    ds = ["2026-01-02", "2026-01-01", "2026-01-02"]
    np.testing.assert_array_equal(features.grid(rows("a", ds, [9, 1, 2]), "D").values, [[1, 2]])


def test_hours_of_a_panel_of_days_fall_into_their_day():
    ds = ["2026-01-01 07:00", "2026-01-02 23:00"]
    np.testing.assert_array_equal(features.grid(rows("a", ds, [1, 2]), "D").values, [[1, 2]])


def test_no_measurement_at_all_makes_an_empty_grid():
    assert features.grid(rows("a", DAYS, np.full(200, np.nan)), "D").values.shape == (0, 0)


def test_ten_years_are_cut_to_the_newest_five():
    ds = pd.date_range(end="2026-10-31", periods=3650)
    grid = features.grid(rows("a", ds, np.arange(3650)), "D")
    assert len(grid.dates) == 1830 and grid.values[0, -1] == 3649 and grid.dates[-1] == ds[-1]


def test_the_calendar_knows_holidays_and_the_days_around_them():
    days = pd.date_range("2026-11-24", "2026-11-28")  # Thanksgiving is the 26th
    table = features.calendar(days, Settings(holidays={"country": "US"}))
    assert list(table["holiday"]) == [0, 0, 1, 0, 0]
    assert list(table["before_holiday"]) == [0, 1, 0, 0, 0]
    assert list(table["after_holiday"]) == [0, 0, 0, 1, 0]
    assert not features.calendar(days, Settings())[["holiday", "before_holiday", "after_holiday"]].any(axis=None)
    german = features.calendar(
        pd.DatetimeIndex(["2026-11-01"]), Settings(holidays={"country": "DE", "subdivision": "BY"})
    )
    assert german["holiday"].iloc[0] == 1


def test_quarters_end_in_the_months_that_the_settings_say():
    year = pd.date_range("2026-01-01", "2026-12-31")
    for months in ([3, 6, 9, 12], [1, 4, 7, 10]):
        busy = features.calendar(year, Settings(fiscal_quarter_ends=months))["quarter_end"]
        days = busy.index[busy == 1]
        assert sorted(set(days.month)) == months and len(days) == 20
        assert all(days.days_in_month - days.day < 5)


def test_metrics_of_any_unit_look_the_same_to_the_booster():
    settings = Settings(horizon=14)
    columns = []
    for scale in (1.0, 1e4):
        grid = a_week(scale)
        at = features.snapshot(grid, settings, methods.forecasts(grid, settings))
        ahead = features.calendar(features.coming(grid, settings), settings)
        static = booster.static_features(
            grid, pd.DataFrame({"server_id": ["s0"]}), {name: [] for name in features.ATTRIBUTES}
        )
        columns.append(features.matrix(at, np.repeat(np.arange(3), 14), np.tile(np.arange(1, 15), 3), ahead, static))
    pd.testing.assert_frame_equal(columns[0], columns[1], rtol=1e-3)
    assert {features.kinds(name) for name in columns[0]} == KINDS


@pytest.mark.parametrize("frequency", ["D", "h"])
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
        booster.examples(features.Grid(series, dates, one), origins, nobody, settings).until(200)
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
