"""What is written, under which names, and that no name from outside does harm."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic_assessment
import whole_fleet
from whole_fleet import WRITTEN, attributes, flat, forecasts_of, panel_of

from headroom import preprocess, train
from headroom.core.settings import Settings
from local import fleet

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made():
    return fleet.generate(servers=40, days=150, sampling="1D", horizon=30, seed=2)


@pytest.fixture(scope="module")
def found(made):
    run = {"dataset": "demo", "run_id": "20261031T060000Z-000000", "files": []}
    return whole_fleet.assessed(made.panel(), made.servers, forecasts_of(made.future()), Settings(horizon=30), run=run)


def test_every_result_is_written_under_its_name(found, tmp_path):
    whole_fleet.write(found, tmp_path)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == WRITTEN
    for path in tmp_path.glob("*.json"):
        json.loads(path.read_text(), parse_constant=lambda text: pytest.fail(f"{text} is not JSON"))
    written = pd.read_parquet(tmp_path / "risk_flagged_forecasts.parquet")
    assert list(written) == [
        "server_id", "metric", "ds", "is_future", "actual", "q05", "q10", "q50", "q90", "q95", "risk_level",
    ]  # fmt: skip
    assert written.loc[written["is_future"], "actual"].isna().all()
    assert written.loc[written["is_future"], "q50"].notna().all()
    assert written.loc[~written["is_future"], ["q05", "q95"]].isna().all(axis=None)


def test_the_same_input_gives_the_same_bytes(made, found, tmp_path):
    again = whole_fleet.assessed(
        made.panel(), made.servers, forecasts_of(made.future()), Settings(horizon=30), run=dict(found.run)
    )
    for folder, one in (("a", found), ("b", again)):
        whole_fleet.write(one, tmp_path / folder)
    for path in sorted((tmp_path / "a").rglob("*")):
        if path.is_file():
            other = tmp_path / "b" / path.relative_to(tmp_path / "a")
            assert path.read_bytes() == other.read_bytes(), path.name


def test_the_summary_agrees_with_the_tables(found):
    summary = found.summary
    assert summary["servers"] == len(found.servers) == sum(summary["levels"].values()) == 40
    assert summary["series"] == len(found.risks)
    for metric, levels in summary["levels_by_metric"].items():
        assert sum(levels.values()) == (found.risks["metric"] == metric).sum()
    assert summary["top"][0]["server_id"] == found.servers["server_id"].iloc[0]
    assert sum(summary["recommendations"].values()) == len(found.recommendations)
    assert summary["savings"]["monthly"] == pytest.approx(sum(one["monthly_saving"] for one in found.recommendations))
    assert sum(one["size"] for one in summary["clusters"]) == 40
    assert summary["as_of"] == "2026-10-31T00:00:00"


def test_the_history_shown_is_two_horizons_and_its_levels_are_those_measured(found):
    history = found.forecasts[~found.forecasts["is_future"]]
    assert history["ds"].min() == pd.Timestamp("2026-10-31") - pd.Timedelta(days=59)
    expected = np.select([history["actual"] >= 90, history["actual"] >= 80], ["critical", "medium"], "none")
    assert (history["risk_level"] == expected).all()


def test_the_next_run_is_compared_and_keeps_the_clusters(made, found, tmp_path):
    whole_fleet.write(found, tmp_path)
    hotter = forecasts_of(made.future().assign(y=lambda rows: rows["y"] + 60))
    again = whole_fleet.assessed(made.panel(), made.servers, hotter, Settings(horizon=30), previous=tmp_path)
    assert again.changes["previous_run_id"] == found.run["run_id"]
    assert again.changes["new_at_risk"] and not again.changes["resolved"]
    assert again.summary["changes"] == again.changes
    pd.testing.assert_series_equal(again.clusters["cluster_name"], found.clusters["cluster_name"])


HOSTILE = [
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "../../etc/passwd",
    "x" * 300,
    "‮مرحبا",
    "a,b\"c'd",
    "-2+3",
]


def test_names_from_outside_do_no_harm_and_stay_findable(tmp_path):
    random = np.random.default_rng(0)
    panel = panel_of({(name, "cpu"): random.normal(2, 0.1, 60) for name in HOSTILE})
    found = whole_fleet.assessed(panel, attributes(panel), flat(panel), Settings(horizon=10))
    whole_fleet.write(found, tmp_path)
    assert sorted(found.servers["server_id"]) == sorted(HOSTILE)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == WRITTEN
    assert "<script>alert(1)</script>" not in (tmp_path / "report.html").read_text()
    for name in ("server_clusters.csv", "optimization_recommendations.csv"):
        cells = [cell for row in csv.reader(io.StringIO((tmp_path / name).read_text())) for cell in row]
        formulas = [cell for cell in cells if cell[:1] in "=+-@" and cell and not _is_number(cell)]
        assert formulas == []


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_the_assessments_made_up_for_tests_have_the_columns_and_types_of_real_ones(found):
    made_up = synthetic_assessment.assessment(10, ("cpu", "memory", "disk"))
    for name in ("forecasts", "risks", "servers", "seasonality"):
        real, other = getattr(found, name), getattr(made_up, name)
        assert sorted(other.columns) == sorted(real.columns), name
        kinds = {column: _kind(real[column]) for column in real}
        assert {column: _kind(other[column]) for column in real} == kinds, name
    assert set(made_up.clusters.columns) <= set(found.clusters.columns)
    assert {"cluster", "cluster_name", "distance", "x", "y"} <= set(made_up.clusters.columns)
    assert made_up.profiles[0].keys() == found.profiles[0].keys()
    assert made_up.fleet_peaks.keys() == found.fleet_peaks.keys()
    assert made_up.fleet_peaks["cpu"].keys() == found.fleet_peaks["cpu"].keys()
    assert made_up.recommendations[0].keys() == found.recommendations[0].keys()
    assert [one.name for one in made_up.actions] == [one.name for one in found.actions]
    assert made_up.summary.keys() == found.summary.keys()
    assert made_up.summary["savings"].keys() == found.summary["savings"].keys()
    assert made_up.changes.keys() == {"previous_run_id", "new_at_risk", "resolved", "worse", "better"}


def test_what_tests_make_up_of_quality_and_model_has_the_keys_of_real_ones(tmp_path):
    made = fleet.generate(servers=6, days=120, sampling="1D", horizon=14, seed=5)
    fleet.write(made, tmp_path / "fleet")
    files = [{"file": path.name} for path in (tmp_path / "fleet" / "incoming").iterdir()]
    (tmp_path / "manifest.json").write_text(json.dumps({"created_at": "2030-01-01T00:00:00Z", "files": files}))
    jobs = {
        preprocess: {"raw": tmp_path / "fleet" / "incoming", "settings": tmp_path / "fleet" / "settings.yaml",
                     "manifest": tmp_path / "manifest.json", "panel": tmp_path / "panel"},
        train: {"panel": tmp_path / "panel", "model": tmp_path / "model"},
    }  # fmt: skip
    for one, folders in jobs.items():
        arguments = [part for name, path in folders.items() for part in (f"--{name}", str(path))]
        subprocess.run([sys.executable, "-m", one.__name__, *arguments], check=True, env=os.environ | {
            "PYTHONPATH": str(Path(train.__file__).parents[1])
        })  # fmt: skip
    made_up = synthetic_assessment.assessment(6)
    quality = json.loads((tmp_path / "panel" / "data_quality.json").read_text())
    metrics = json.loads((tmp_path / "model" / "model_metrics.json").read_text())
    for real, other in ((quality, made_up.quality), (metrics, made_up.metrics)):
        assert other.keys() == real.keys()
        for key, value in real.items():
            if isinstance(value, dict) and key != "trend_share":
                assert other[key].keys() == value.keys(), key
            if isinstance(value, list) and value and other[key] and isinstance(value[0], dict):
                assert other[key][0].keys() == value[0].keys(), key


def _kind(column):
    """Numbers, dates, truth values, or anything else."""
    return "text" if column.dtype.kind == "O" else "number" if column.dtype.kind in "if" else column.dtype.kind
