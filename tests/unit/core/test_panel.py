"""A panel is read by blocks of servers, the same from a file as from a table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from headroom.core import job
from headroom.core import panel as panels
from headroom.core.panel import Panel
from headroom.core.periods import Frequency

DAYS = pd.date_range("2026-01-01", periods=30)
NAMES = [f"web-{number}" for number in range(9)] + ["ä", "Z"]


def table() -> pd.DataFrame:
    rows = [
        pd.DataFrame({"server_id": name, "metric": metric, "ds": DAYS, "y": float(number), "mean": 1.0})
        for number, name in enumerate(NAMES)
        for metric in ("cpu", "memory")
    ]
    return pd.concat(rows, ignore_index=True)


@pytest.fixture(params=["a file", "a table", "a file in no order"])
def panel(request, tmp_path) -> Panel:
    if request.param == "a table":
        return Panel.of(table())
    rows = table().sample(frac=1, random_state=1) if request.param.endswith("order") else table()
    rows.to_parquet(tmp_path / "panel.parquet", row_group_size=50)
    return panels.at(tmp_path)


def test_the_blocks_hold_every_server_once_and_every_row_of_it(panel, monkeypatch):
    monkeypatch.setattr(panels, "BLOCK_VALUES", 3 * 2 * len(DAYS))
    blocks = panel.blocks(Frequency.DAY)
    assert [len(block) for block in blocks] == [3, 3, 3, 2]
    assert [name for block in blocks for name in block] == sorted(NAMES)
    read = [panel.of_servers(block).astype({"server_id": object, "metric": object}) for block in blocks]
    assert [set(part["server_id"]) for part in read] == [set(block) for block in blocks]
    whole = pd.concat(read).sort_values(["server_id", "metric", "ds"], ignore_index=True)
    pd.testing.assert_frame_equal(whole, table().sort_values(["server_id", "metric", "ds"], ignore_index=True))


def test_a_server_larger_than_a_block_is_a_block_of_its_own(panel, monkeypatch):
    monkeypatch.setattr(panels, "BLOCK_VALUES", 10)
    assert panel.blocks(Frequency.DAY) == [[name] for name in sorted(NAMES)]


def test_the_newest_periods_are_those_at_which_something_was_measured():
    rows = table()
    rows.loc[rows["ds"] >= DAYS[-3], "y"] = np.nan
    panel = Panel.of(rows)
    assert (panel.span.last, panel.measured.last) == (DAYS[-1], DAYS[-4])
    assert panel.newest(2)["ds"].min() == DAYS[-5]


def test_columns_that_are_not_kept_are_not_asked_for(panel):
    assert list(panel.of_servers(["Z"])) == ["server_id", "metric", "ds", "y", "mean"]
    assert list(panel.of_servers(["Z"], ["server_id", "p99"])) == ["server_id"]


def test_a_folder_without_a_panel_or_with_an_empty_one_says_what_to_do(tmp_path):
    with pytest.raises(job.InputError, match="run preprocess first"):
        panels.in_folder(tmp_path)
    table().assign(y=np.nan).to_parquet(tmp_path / "panel.parquet")
    with pytest.raises(job.InputError, match=r"data_quality\.json"):
        panels.in_folder(tmp_path)
    table().iloc[:0].to_parquet(tmp_path / "panel.parquet")
    with pytest.raises(job.InputError, match=r"data_quality\.json"):
        panels.in_folder(tmp_path)


def rows_of_days(last_samples, samples=288, days=10):
    ds = pd.date_range("2026-11-01", periods=days)
    return pd.DataFrame({"server_id": "a", "metric": "cpu", "ds": ds, "y": 50.0 + np.arange(days),
                         "samples": [samples] * (days - 1) + [last_samples]})  # fmt: skip


@pytest.mark.parametrize(("samples", "last", "kept"), [(288, 72, False), (288, 240, True), (4, 1, True)])
def test_a_day_that_is_not_over_is_not_forecast_from(samples, last, kept):
    """An export made at six in the morning has a last day of a quarter of its samples."""
    rows = rows_of_days(last, samples)
    found = panels.whole_periods(rows, rows["ds"].max())
    assert np.isfinite(found["y"].iloc[-1]) == kept and found["y"].iloc[:-1].equals(rows["y"].iloc[:-1])
    assert np.isfinite(rows["y"]).all(), "the table itself stays as it is"


def test_a_series_that_ended_earlier_is_whole_to_its_end():
    rows = rows_of_days(72)
    assert panels.whole_periods(rows, rows["ds"].max() + pd.Timedelta(days=3)).equals(rows)
