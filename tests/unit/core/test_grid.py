"""How a panel is laid out as a matrix."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from headroom.core.grid import by_phase, coded, last_seen, mean, median, of_panel, quantile, rows_of, series_in
from headroom.core.periods import Frequency

DAYS = pd.date_range("2026-01-01", periods=200)


def rows(server: str, ds, values, metric: str = "cpu") -> pd.DataFrame:
    return pd.DataFrame(
        {"server_id": server, "metric": metric, "ds": pd.DatetimeIndex(ds), "y": np.array(values, float)}
    )


def test_a_day_without_a_row_or_with_an_unusable_value_is_a_gap():
    panel = pd.concat([
        rows("a", ["2026-01-01", "2026-01-02", "2026-01-05"], [1, np.nan, 5]), rows("b", ["2026-01-03"], [3]),
        rows("c", ["2026-01-04"], [np.inf]), rows("d", ["2026-01-09"], [np.nan]),
    ])  # fmt: skip
    grid = of_panel(panel, Frequency.DAY)
    assert list(grid.series["server_id"]) == ["a", "b", "c", "d"]
    assert (grid.ds[0], grid.ds[-1]) == (pd.Timestamp("2026-01-01"), pd.Timestamp("2026-01-09"))
    gap = np.nan
    np.testing.assert_array_equal(grid.values[:2, :5], [[1, gap, gap, gap, 5], [gap, gap, 3, gap, gap]])
    assert np.isnan(grid.values[2:]).all()


def test_of_duplicates_the_last_row_counts_and_rows_may_come_in_any_order():
    ds = ["2026-01-02", "2026-01-01", "2026-01-02"]
    np.testing.assert_array_equal(of_panel(rows("a", ds, [9, 1, 2]), Frequency.DAY).values, [[1, 2]])


def test_hours_of_a_panel_of_days_fall_into_their_day():
    ds = ["2026-01-01 07:00", "2026-01-02 23:00"]
    np.testing.assert_array_equal(of_panel(rows("a", ds, [1, 2]), Frequency.DAY).values, [[1, 2]])


def test_only_as_much_is_laid_out_as_is_asked_for():
    grid = of_panel(rows("a", DAYS, np.arange(200)), Frequency.DAY, longest=7)
    assert grid.ds[0] == DAYS[-7] and grid.values.tolist() == [[193, 194, 195, 196, 197, 198, 199]]


def test_a_panel_without_rows_makes_an_empty_grid():
    assert of_panel(rows("a", DAYS[:0], []), Frequency.DAY).values.shape == (0, 0)


def test_a_metric_s_matrix_has_a_row_for_every_server():
    grid = of_panel(pd.concat([rows("b", DAYS[:1], [1]), rows("a", DAYS[:1], [2], "disk")]), Frequency.DAY)
    assert list(grid.servers) == ["a", "b"] and list(grid.by_metric) == ["cpu", "disk"]
    np.testing.assert_array_equal(grid.by_metric["cpu"], [[np.nan], [1]])
    np.testing.assert_array_equal(grid.by_metric["disk"], [[2], [np.nan]])


def test_the_means_and_quantiles_of_nothing_are_missing_without_a_warning():
    values = np.array([[1.0, np.nan, 3.0], [np.nan] * 3])
    np.testing.assert_array_equal(mean(values, axis=1), [2, np.nan])
    np.testing.assert_array_equal(median(values), [2, np.nan])
    np.testing.assert_array_equal(quantile(values, 0.25), [1.5, np.nan])
    np.testing.assert_array_equal(last_seen(values), [3, np.nan])


def test_phases_end_with_the_newest_period():
    np.testing.assert_array_equal(by_phase(np.arange(5.0)[None], 3), [[[np.nan, 0, 1], [2, 3, 4]]])


NAMES = pd.DataFrame({"server_id": ["web", "Db", "web", "web", "app"], "metric": ["cpu", "cpu", "disk", "cpu", "cpu"]})

UNSORTED = pd.CategoricalDtype(["web", "cpu", "app", "Db", "disk"])


@pytest.mark.parametrize(
    "table", [NAMES, coded(NAMES), NAMES.astype("category"), NAMES.astype(UNSORTED)],
    ids=["texts", "coded", "categories", "categories in another order"],
)  # fmt: skip
def test_the_series_of_a_table_are_found_whether_its_names_are_texts_or_categories(table):
    found = series_in(table)
    assert found.to_numpy().tolist() == [["Db", "cpu"], ["app", "cpu"], ["web", "cpu"], ["web", "disk"]]
    assert found.dtypes.tolist() == [object, object]
    assert rows_of(table, found).tolist() == [2, 0, 3, 2, 1]
    other = pd.DataFrame({"server_id": ["web", "db", "app"], "metric": ["disk", "cpu", "memory"]})
    assert rows_of(table, other).tolist() == [-1, -1, 0, -1, -1], "what has no row there has none"
    assert len(series_in(table[:0])) == 0
