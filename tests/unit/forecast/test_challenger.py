"""The challenger: it may know nothing of what it is judged by, and whatever it answers ends in a sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroom.core.grid import Grid
from headroom.core.periods import Frequency
from headroom.core.settings import Settings
from headroom.forecast import backtest, booster, challenger, choice
from headroom.forecast.backtest import Window
from headroom.forecast.challenger import COMPLETED, HISTORY, ITEM, OURS, QUANTILES, RESULT, TIME, VALUE

DAYS = pd.date_range(end="2026-10-31", periods=160)
CHOSEN = Settings(horizon=21, challenger=True)
ORIGIN = 160 - 1 - 21


def a_history(series: int = 6, days: pd.DatetimeIndex = DAYS) -> Grid:
    random = np.random.default_rng(7)
    week = 30 + 20 * (days.dayofweek < 5)
    values = np.stack([week + number + random.normal(0, 2, len(days)) for number in range(series)])
    names = pd.DataFrame({"server_id": [f"db-{number}" for number in range(series)], "metric": "cpu"})
    return Grid(names, days, values, Frequency.DAY)


def windows_of(history: Grid, chosen: Settings = CHOSEN) -> list[Window]:
    servers = pd.DataFrame(columns=["server_id", "business_unit", "region", "criticality", "instance_type", "vcpus",
                                    "memory_gb", "monthly_cost_usd"])  # fmt: skip
    examples = booster.examples(history, booster.training_origins(len(history.ds), chosen), servers, chosen)
    return backtest.run(history, examples, servers, chosen)


@pytest.fixture(scope="module")
def history() -> Grid:
    return a_history()


@pytest.fixture(scope="module")
def windows(history) -> list[Window]:
    return windows_of(history)


@pytest.fixture(scope="module")
def ours(history, windows) -> np.ndarray:
    group = np.array(["cpu/seasonal"] * len(history.values))
    judged, _ = choice.judge(windows, group, ["cpu/seasonal"], history.frequency)
    return judged[choice.COMBINATION].newest


@pytest.fixture
def folder(history, windows, ours, tmp_path) -> Path:
    challenger.prepare(history, windows, ours, tmp_path)
    return tmp_path


def told(folder: Path) -> dict:
    return json.loads((folder / challenger.EXERCISE).read_text())


def known(folder: Path) -> pd.DataFrame:
    files = sorted((folder / HISTORY).glob("*.csv"))
    return pd.concat([pd.read_csv(path, parse_dates=[TIME]) for path in files], ignore_index=True)


def answer(folder: Path, change=lambda table: table, name: str = "history-000.csv.out") -> None:
    """Forecasts as the service leaves them: here ours, changed."""
    table = pd.read_parquet(folder / RESULT / OURS)
    table = table.assign(**{TIME: table["ds"].dt.strftime("%Y-%m-%d %H:%M:%S")})[[ITEM, TIME, *QUANTILES]]
    (folder / RESULT / "forecast").mkdir(exist_ok=True)
    changed = change(table)
    text = changed if isinstance(changed, str) else changed.to_csv(index=False)
    (folder / RESULT / "forecast" / name).write_text(text)


def outcome(folder: Path, challenged: str = COMPLETED):
    return challenger.outcome(folder / RESULT, challenged, Frequency.DAY)


# ---------------------------------------------------------------- what it may know


@pytest.mark.slow
def test_it_learns_what_was_known_at_the_origin_of_our_newest_window_and_nothing_later(folder, history, windows):
    assert windows[-1].origin == ORIGIN
    table = known(folder)
    assert table[TIME].max() == DAYS[ORIGIN]
    assert len(table) == 6 * (ORIGIN + 1)
    first = table[table[ITEM] == "series-00000"].set_index(TIME)[VALUE]
    np.testing.assert_allclose(first, history.values[0, : ORIGIN + 1])


@pytest.mark.slow
def test_nothing_that_it_learns_depends_on_what_came_after_the_origin(history, ours, tmp_path):
    other = history.values.copy()
    other[:, ORIGIN + 1 :] = 99.0
    for name, values in (("a", history.values), ("b", other)):
        grid = history.holding(values)
        challenger.prepare(grid, windows_of(grid), ours, tmp_path / name)
    files = [sorted((tmp_path / name / HISTORY).glob("*")) for name in "ab"]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]


def test_it_learns_no_server_by_name(folder):
    assert "db-" not in known(folder)[ITEM].str.cat()


def test_it_is_asked_for_our_window_in_the_service_s_words(folder):
    assert told(folder) == {"possible": True, "frequency": "1D", "horizon": 21, "series": 6}


def test_series_that_were_silent_at_the_origin_take_no_part(history, windows, ours, tmp_path):
    values = history.values.copy()
    values[2, ORIGIN - 3 :] = np.nan
    challenger.prepare(history.holding(values), windows, ours, tmp_path)
    assert told(tmp_path)["series"] == 5


def test_files_hold_whole_series(history, windows, ours, tmp_path, monkeypatch):
    monkeypatch.setattr(challenger, "FILE_ROWS", 300)
    challenger.prepare(history, windows, ours, tmp_path)
    files = sorted((tmp_path / HISTORY).glob("*.csv"))
    assert len(files) == 3
    of_files = [set(pd.read_csv(path)[ITEM]) for path in files]
    assert sum(map(len, of_files)) == 6 == len(set().union(*of_files))


def test_of_a_fleet_too_large_some_series_are_drawn_evenly(history, windows, ours, tmp_path, monkeypatch):
    monkeypatch.setattr(challenger, "MOST_ROWS", 3 * (ORIGIN + 1))
    monkeypatch.setattr(challenger, "LEAST_ROWS", 100)
    challenger.prepare(history, windows, ours, tmp_path)
    assert told(tmp_path)["series"] == 3
    assert len(known(tmp_path)) <= 3 * (ORIGIN + 1)


# ---------------------------------------------------------------- the service's limits


@pytest.mark.slow
def test_it_forecasts_at_most_a_quarter_of_the_history_and_both_are_judged_by_that(tmp_path):
    history = a_history(12, DAYS[-100:])
    chosen = Settings(horizon=45)
    made = windows_of(history, chosen)
    ours = np.repeat(made[-1].points[0][:, :, None], 5, axis=2)
    challenger.prepare(history, made, ours, tmp_path)
    origin = made[-1].origin
    assert told(tmp_path)["horizon"] == (origin + 1) // 4 < 45
    assert pd.read_parquet(tmp_path / RESULT / OURS)["ds"].nunique() == (origin + 1) // 4


@pytest.mark.slow
@pytest.mark.parametrize("days", [16, 30])
def test_a_history_too_short_is_no_exercise_and_the_reason_says_so(days, tmp_path):
    history = a_history(days=DAYS[-days:])
    made = windows_of(history)
    ours = made[-1].points[0][:, :, None] * np.ones(5) if made else None
    challenger.prepare(history, made, ours, tmp_path)
    assert told(tmp_path)["possible"] is False
    assert "history" in told(tmp_path)["reason"]
    assert not (tmp_path / HISTORY).exists()


def test_too_few_values_are_no_exercise(tmp_path, history, windows, ours):
    one = history.only(np.array([0]))
    window = replace(windows[-1], actual=windows[-1].actual[:1], scale=windows[-1].scale[:1])
    challenger.prepare(one, [window], ours[:1], tmp_path)
    assert told(tmp_path)["reason"].startswith("AutoML wants 500 values")


# ---------------------------------------------------------------- how it is judged


def test_the_same_forecast_has_the_same_scores(folder):
    answer(folder)
    found = outcome(folder)
    assert found["status"] == "compared"
    assert found["ours"] == found["theirs"]
    assert "both were equally close" in found["words"]


def test_our_scores_are_those_of_the_backtest_s_own_functions(folder, windows, ours):
    answer(folder)
    expected = choice.means(choice.score(windows[-1].actual, ours, windows[-1].scale))
    assert outcome(folder)["ours"] == pytest.approx(expected, abs=1e-4)


def test_a_forecast_that_is_far_off_loses_and_a_perfect_one_wins(folder, windows):
    answer(folder, lambda table: table.assign(**{name: table[name] + 40 for name in QUANTILES}))
    lost = outcome(folder)
    assert lost["theirs"]["mase"] > lost["ours"]["mase"]
    assert "Headroom's forecasts were" in lost["words"]
    actual = windows[-1].actual.ravel()
    answer(folder, lambda table: table.assign(**dict.fromkeys(QUANTILES, actual)))
    won = outcome(folder)
    assert won["theirs"]["mase"] == 0
    assert "AutoML's forecasts were 100 % closer" in won["words"]


def test_both_are_judged_by_the_series_that_the_challenger_has_whole(folder):
    def without(table):
        return table[(table[ITEM] != "series-00003") & ~((table[ITEM] == "series-00001") & (table.index % 21 == 5))]

    answer(folder, without)
    found = outcome(folder)
    assert (found["series"], found["series_asked"]) == (4, 6)
    assert "for 4 of 6 series" in found["words"]


def test_forecasts_in_any_order_with_more_columns_and_in_several_files_are_read(folder):
    answer(folder, lambda table: table[table[ITEM] < "series-00003"].sample(frac=1, random_state=1).assign(mean=1.0))
    answer(folder, lambda table: table[table[ITEM] >= "series-00003"], "history-001.csv.out")
    assert outcome(folder)["series"] == 6


def test_a_run_without_a_challenger_has_nothing_to_say():
    assert challenger.outcome(None, "off", Frequency.DAY) is None
    assert challenger.outcome(Path("x"), "off", Frequency.DAY) is None


def test_a_challenger_that_failed_is_named_with_the_reason(folder):
    found = outcome(folder, "AutoML job failed: quota")
    assert found["status"] == "not compared"
    assert found["words"] == "AutoML challenger: not compared (AutoML job failed: quota)."


NONSENSE = {
    "no header": lambda table: table.to_csv(index=False, header=False),
    "empty": lambda table: "",
    "other columns": lambda table: "a,b\n1,2\n",
    "words for numbers": lambda table: table.astype({"p50": object}).assign(p50="high"),
    "words for dates": lambda table: table.assign(timestamp="tomorrow"),
    "other series": lambda table: table.assign(item_id="other"),
    "other days": lambda table: table.assign(timestamp="2001-01-01 00:00:00").drop_duplicates([ITEM, TIME]),
    "a series twice": lambda table: pd.concat([table, table]),
    "no values": lambda table: table.assign(p50=np.nan),
}


@pytest.mark.parametrize("kind", NONSENSE)
def test_nonsense_ends_in_a_sentence_and_no_failure(kind, folder):
    answer(folder, NONSENSE[kind])
    found = outcome(folder)
    assert found["status"] == "not compared"
    assert found["words"].startswith("AutoML challenger: not compared (its forecasts")


def test_no_forecast_at_all_ends_in_a_sentence(folder):
    assert outcome(folder)["reason"] == "its batch transform left no forecasts"


@pytest.mark.slow
@given(st.binary(max_size=200))
def test_whatever_bytes_come_end_in_a_sentence(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("bytes")
    pd.DataFrame({
        ITEM: ["series-00000"], "ds": DAYS[-1:], **dict.fromkeys(QUANTILES, 1.0), "actual": 1.0, "scale": 1.0,
        "apart": True,
    }).to_parquet(folder / OURS)  # fmt: skip
    (folder / "x.out").write_bytes(content)
    assert challenger.outcome(folder, COMPLETED, Frequency.DAY)["status"] == "not compared"
