"""The training job as its operators see it: a program, its last word, and the files it leaves."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from headroom import train
from headroom.core.panel import Panel
from headroom.core.settings import Settings
from headroom.forecast import booster

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DAYS = pd.date_range(end="2026-10-31", periods=200)
SETTINGS = Settings(horizon=14, holidays={"country": "US"})


def a_panel(servers: int = 12, metrics: tuple[str, ...] = ("cpu", "network_in")) -> pd.DataFrame:
    random = np.random.default_rng(3)
    office = 30 + 20 * (DAYS.dayofweek < 5)
    parts = [
        pd.DataFrame({
            "server_id": f"s{number:02}", "metric": metric, "ds": DAYS, "y": office + random.normal(0, 3, len(DAYS))
        })
        for number in range(servers) for metric in metrics
    ]  # fmt: skip
    parts.append(pd.DataFrame({"server_id": "idle", "metric": "cpu", "ds": DAYS, "y": 0.0}))
    return pd.concat(parts, ignore_index=True)


def attributes(servers: int = 12) -> pd.DataFrame:
    return pd.DataFrame({
        "server_id": [f"s{number:02}" for number in range(servers)], "business_unit": "shop", "region": ["a", "b"] * 6,
        "criticality": None, "instance_type": "m5.large", "vcpus": 2.0, "memory_gb": np.nan, "monthly_cost_usd": 70.0,
    })  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A panel's folder as preprocess leaves it."""
    panel = tmp_path_factory.mktemp("job") / "panel"
    panel.mkdir()
    a_panel().to_parquet(panel / "panel.parquet")
    attributes().to_parquet(panel / "servers.parquet")
    (panel / "settings.json").write_text(SETTINGS.model_dump_json())
    return panel.parent


def job(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "headroom.train", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "processing")}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(scope="module")
def ran(folder) -> subprocess.CompletedProcess[str]:
    return job("--panel", folder / "panel", "--model", folder / "model", "--message", folder / "message")


@pytest.fixture(scope="module")
def metrics(folder, ran) -> dict:
    return json.loads((folder / "model" / "model_metrics.json").read_text())


def test_the_jobs_last_word_says_how_good_the_model_is(folder, ran):
    assert ran.returncode == 0, ran.stdout + ran.stderr
    word = json.loads(ran.stdout.splitlines()[-1])
    assert word["series"] == 25 and word["fallbacks"] == 1
    assert 0 < word["relative_mase"] < 1 and 0.6 < word["coverage_80"] <= 1
    assert json.loads((folder / "message").read_text()) == word


def test_the_error_that_models_are_compared_by_is_said_well_before_the_exit(ran):
    """SageMaker reads it from the log, and may miss what comes with the last line."""
    said = [line for line in ran.stdout.splitlines() if '"relative_mase": ' in line]
    assert len(said) == 2
    assert said[1] == ran.stdout.splitlines()[-1]
    found = [re.search(r'"relative_mase": ([0-9.]+)', line)[1] for line in said]
    assert found[0] == found[1]


def test_a_missing_panel_is_an_error_that_says_what_to_do(tmp_path):
    ended = job("--panel", tmp_path, "--model", tmp_path / "model", "--message", tmp_path / "message")
    assert ended.returncode == 1
    message = (tmp_path / "message").read_text()
    assert (
        "panel.parquet is missing: run preprocess first" in message and "Traceback" not in ended.stdout + ended.stderr
    )


def test_a_panel_without_a_single_value_is_an_error_that_says_where_to_look(folder, tmp_path):
    a_panel(servers=1).assign(y=np.nan).to_parquet(tmp_path / "panel.parquet")
    ended = job("--panel", tmp_path, "--model", tmp_path / "model", "--message", tmp_path / "message")
    assert ended.returncode == 1 and "data_quality.json" in (tmp_path / "message").read_text()
    assert not (tmp_path / "model").exists()


def test_training_again_writes_the_same_bytes(folder, ran, tmp_path):
    train.train(Panel.of(a_panel()), attributes(), SETTINGS, tmp_path)
    first, second = files(folder / "model"), files(tmp_path)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_every_candidate_is_scored_for_each_metric_and_group(metrics):
    groups = {(one["metric"], one["group"]) for one in metrics["candidates"]}
    assert groups == {("cpu", "seasonal"), ("network_in", "seasonal")}
    names = {one["candidate"] for one in metrics["candidates"]}
    assert names >= {"seasonal naive", "seasonal average", "booster", "theta", "combination"}
    assert len(metrics["candidates"]) == len(names) * len(groups)
    scored = [one for one in metrics["candidates"] if one["candidate"] == "combination"]
    for score in ("mae", "rmse", "smape", "mase", "scaled_quantile_loss", "coverage_80", "coverage_90"):
        assert all(one[score] >= 0 for one in scored)
    assert all(0 <= one["coverage_80"] <= one["coverage_90"] <= 1 for one in scored)


def test_what_was_chosen_and_why_adds_up_to_the_series(metrics):
    assert sum(one["series"] for one in metrics["chosen"]) == 24
    assert all("error" in one["reason"] for one in metrics["chosen"])


def test_the_headline_compares_with_last_week_again(metrics):
    headline = metrics["headline"]
    assert headline["mase"] < headline["seasonal_naive_mase"]
    assert headline["relative_mase"] == pytest.approx(headline["mase"] / headline["seasonal_naive_mase"], abs=1e-3)
    assert headline["improvement_percent"] == pytest.approx(100 * (1 - headline["relative_mase"]), abs=0.1)


def test_the_metrics_say_what_was_trained(metrics):
    assert (metrics["frequency"], metrics["horizon"], metrics["windows"]) == ("D", 14, 3)
    assert metrics["sampled_series"] == 24  # all but the idle one
    assert [(one["server_id"], one["reason"]) for one in metrics["fallbacks"]] == [("idle", "never changed")]


def test_of_thousands_of_series_the_same_sample_is_learned_from_each_time_and_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "SAMPLE", 10)
    monkeypatch.setattr(booster, "ROWS", 1200)
    for folder in ("first", "second"):
        metrics = train.train(Panel.of(a_panel()), attributes(), SETTINGS, tmp_path / folder)
    assert metrics["sampled_series"] == 10 and metrics["series"] == 25
    assert "10 series drawn from 25" in " ".join(metrics["notes"])
    assert files(tmp_path / "first") == files(tmp_path / "second")


def test_a_fleet_of_which_nothing_can_be_learned_is_still_trained(tmp_path):
    still = a_panel(servers=0).assign(y=7.0)
    metrics = train.train(Panel.of(still), attributes().iloc[:0], SETTINGS, tmp_path)
    assert metrics["series"] == 1 and metrics["fallbacks"][0]["reason"] == "never changed"


def young(days: int) -> pd.DataFrame:
    panel = a_panel(servers=4, metrics=("cpu",))
    return panel[panel["ds"] > DAYS[-1] - pd.Timedelta(days=days)]


@pytest.fixture(scope="module")
def month(tmp_path_factory) -> dict:
    return train.train(Panel.of(young(30)), attributes(), Settings(), tmp_path_factory.mktemp("month"))


def test_a_month_of_history_is_backtested_ten_days_ahead_and_that_is_said(month):
    assert (month["horizon"], month["backtested"], month["windows"]) == (90, 10, 2)
    rests_on = "rests on each series' own trend and on how such trends went on in"
    assert month["notes"][0] == (
        "30 days of history: backtests reach 10 days ahead. What is said of later dates, up to 90 days ahead, "
        f"{rests_on} {month['trend_prior']}; it becomes more reliable as the history grows."
    )
    assert "do not overlap" in month["notes"][1]


def test_ten_days_are_no_bar_for_models_of_the_whole_horizon(month):
    headline = month["headline"]
    assert headline["relative_mase"] is None
    assert headline["mase"] > 0 and headline["seasonal_naive_mase"] > 0 and headline["improvement_percent"] is not None


def test_how_far_forecasts_lean_to_trends_is_told_by_group(month, metrics):
    for one in (month, metrics):
        groups = {f"{row['metric']}/{row['group']}" for row in one["candidates"]}
        assert one["trend_share"].keys() == groups
        assert all(0 <= share <= 1 for share in one["trend_share"].values())
        assert "laws of trends" in {row["candidate"] for row in one["candidates"]}
    assert all("least backtest error" in one["reason"] for one in month["chosen"])


def test_where_nothing_could_be_backtested_that_is_said_and_nothing_is_scored(tmp_path):
    metrics = train.train(Panel.of(young(15)), attributes(), Settings(), tmp_path)
    assert (metrics["windows"], metrics["backtested"], metrics["trend_share"]) == (0, 0, {})
    assert metrics["notes"][0].startswith("15 days of history: backtests are not possible yet. What is said of later")
    assert len(metrics["notes"]) == 1
    assert all(one["reason"].startswith("nothing could be backtested; counts ") for one in metrics["chosen"])
    assert metrics["headline"]["mase"] is None and metrics["headline"]["relative_mase"] is None


def test_a_history_of_two_horizons_is_backtested_whole_and_needs_no_note(metrics):
    assert metrics["backtested"] == metrics["horizon"] == 14
    assert metrics["notes"] == [] and metrics["headline"]["relative_mase"] is not None
