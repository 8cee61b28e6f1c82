"""Metrics of a dataset's own and entities, through all three jobs into what people and Athena read."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pandas as pd
import pytest

from headroom import assess, preprocess, train
from local.fleet import own

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    own.write(folder, days=120, servers=2)
    panel, model, out = (folder / name for name in ("panel", "model", "assessment"))
    preprocess.preprocess(folder / "incoming", None, folder / "settings.yaml", None, panel)
    train.work(argparse.Namespace(panel=panel, settings=None, model=model, manifest=None))
    judge_again(folder, out)
    return out


def judge_again(folder: Path, out: Path, accepted: Path | None = None) -> None:
    given = {"panel": folder / "panel", "model": folder / "model", "assessment": out, "accepted": accepted}
    assess.work(
        argparse.Namespace(
            settings=None, manifest=None, previous=None, challenger=None, challenged="off", engine="machine", **given
        )
    )


def table(results, name):
    return pd.read_parquet(results / "tables" / name / f"{name}.parquet")


def row(results, server, metric, entity=""):
    [found] = table(results, "risks").query(
        "server_id == @server and metric == @metric and entity == @entity"
    ).to_dict("records")  # fmt: skip
    return found


def test_a_metric_is_judged_by_the_share_of_its_capacity_and_forecast_in_its_unit(results):
    connections = row(results, "db-1", "connections")
    assert (connections["unit"], connections["capacity"]) == ("connections", 500)
    assert (connections["warning"], connections["critical"]) == (375, 450)
    assert connections["level"] != "none" and connections["peak_q50"] > 350
    assert row(results, "db-2", "connections")["level"] == "none"


def test_a_capacity_from_a_column_is_the_newest(results):
    assert row(results, "db-1", "iops")["capacity"] == 4000 and row(results, "db-1", "licences")["capacity"] == 80


def test_without_a_capacity_there_is_a_forecast_and_a_trend_and_no_level(results):
    queue = row(results, "db-2", "queue_depth")
    assert queue["level"] == "none" and pd.isna(queue["critical"]) and pd.isna(queue["p_critical"])
    assert queue["reason"].startswith("Queue depth has no capacity to be judged by; the expected peak is")
    forecasts = table(results, "forecasts").query("server_id == 'db-2' and metric == 'queue_depth' and is_future")
    assert forecasts["q50"].notna().all() and (forecasts["risk_level"] == "none").all()


def test_forecasts_of_own_metrics_are_not_cut_off_at_a_hundred(results):
    assert table(results, "forecasts").query("metric == 'free_space'")["q50"].max() > 500
    assert table(results, "forecasts").query("metric == 'gpu'")["q95"].max() <= 100


def test_each_disk_has_its_forecast_and_the_server_shows_its_worst(results):
    disks = table(results, "risks").query("server_id == 'web-1' and metric == 'disk'")
    assert disks["entity"].tolist() == ["/", "/backup", "/var"]
    assert table(results, "forecasts").query("metric == 'disk'")["entity"].nunique() == 3
    # 88 % of /backup is much, and its own thresholds allow it.
    worst = table(results, "servers").set_index("server_id").loc["web-1"]
    assert (worst["worst_metric"], worst["worst_entity"]) == ("disk", "/var") and worst["level"] != "none"
    assert worst["reason"].startswith("Disk /var ") or "disk /var" in worst["reason"]
    [told] = [one for one in json.loads((results / "risk_summary.json").read_text())["top"]
              if one["server_id"] == "web-1"]  # fmt: skip
    assert told["entity"] == "/var"


def test_the_report_is_written_and_nobody_sees_how_owners_are_told_apart(results):
    page = (results / "report.html").read_text()
    assert "database connections" in page and "\x1f" not in page and "\\u001f" not in page
    for path in results.rglob("*.json"):
        assert "\\u001f" not in path.read_text(), path.name
    for path in results.rglob("*.parquet"):
        assert not pd.read_parquet(path)["server_id" if "recommend" not in path.name else "action"].astype(
            str).str.contains("\x1f").any()  # fmt: skip


def test_recommendations_name_a_capacity_in_its_unit(results):
    advice = json.loads((results / "optimization_recommendations.json").read_text())["recommendations"]
    [grow] = [one for one in advice if one["action"] == "grow" and one["server_ids"] == ["db-1"]]
    assert grow["target"]["connections_capacity"] > 500 and "a capacity of" in grow["reason"]
    assert not [one for one in advice if one["metric"] == "queue_depth"]


def test_who_accepts_one_disk_still_hears_of_the_others(results, tmp_path):
    decision = {
        "server": "web-1", "metric": "disk", "entity": "/var", "kind": "risk", "state": "accepted", "level": "critical",
        "reason": "A cleaning job comes.", "by": "Ana", "at": "2026-10-31T10:00:00Z", "until": "2027-03-01",
    }  # fmt: skip
    (tmp_path / "accepted.json").write_text(json.dumps({"schema": 1, "findings": [decision]}))
    # With /backup judged as any disk, two of its disks are at risk.
    folder = results.parent
    shared = (folder / "panel" / "settings.json").read_text()
    settings = json.loads(shared) | {"thresholds_for": []}
    (folder / "panel" / "settings.json").write_text(json.dumps(settings))
    try:
        judge_again(folder, tmp_path / "out", tmp_path / "accepted.json")
    finally:
        (folder / "panel" / "settings.json").write_text(shared)
    summary = json.loads((tmp_path / "out" / "risk_summary.json").read_text())
    assert [one["entity"] for one in summary["accepted"]["hidden"]] == ["/var"]
    [told] = [one for one in summary["top"] if one["server_id"] == "web-1"]
    assert told["entity"] == "/backup" and "/backup" in told["reason"]
