"""Drift is reported where data moved, and only there."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from headroom.forecast import drift as baseline

DAYS = pd.date_range("2026-01-01", periods=120)


def a_panel(seed: int = 1, servers: int = 20, ds=DAYS) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    level = np.linspace(20, 70, servers)
    parts = [
        pd.DataFrame({"server_id": f"s{n}", "metric": metric, "ds": ds, "y": level[n] + random.normal(0, 3, len(ds))})
        for n in range(servers)
        for metric in ("cpu", "memory")
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def kept() -> dict:
    """As it is read from the model's folder."""
    return json.loads(json.dumps(baseline.of_panel(a_panel(), recent=28, threshold=0.25)))


def test_the_same_data_has_not_drifted(kept):
    found = baseline.compare(kept, a_panel())
    nothing = {"servers_out_of_range": 0.0, "new_series": 0.0, "exceeded": False, "reason": None}
    assert found == {"psi": {"cpu": 0.0, "memory": 0.0}} | nothing


def test_new_weeks_of_the_same_kind_have_not_drifted(kept):
    later = a_panel(seed=2, ds=DAYS + pd.Timedelta(days=60))
    found = baseline.compare(kept, later)
    assert max(found["psi"].values()) < 0.1 and not found["exceeded"] and found["servers_out_of_range"] == 0


def test_a_fleet_that_moved_has_drifted_in_that_metric(kept):
    moved = a_panel()
    moved.loc[moved["metric"] == "cpu", "y"] += 60
    found = baseline.compare(kept, moved)
    assert found["psi"]["cpu"] > 0.25 > found["psi"]["memory"]
    assert found["exceeded"] and found["servers_out_of_range"] == 1
    assert found["reason"] == "CPU no longer looks as it did"


def test_a_few_servers_that_moved_are_a_share_and_not_drift_of_the_fleet(kept):
    moved = a_panel()
    two = moved["server_id"].isin(["s3", "s4"]) & (moved["metric"] == "memory")
    moved.loc[two, "y"] += 60
    found = baseline.compare(kept, moved)
    assert found["servers_out_of_range"] == pytest.approx(0.1)
    assert not found["exceeded"]


def test_only_the_newest_periods_count(kept):
    early = a_panel()
    early.loc[early["ds"] < DAYS[-28], "y"] = 100
    assert not baseline.compare(kept, early)["exceeded"]


def test_the_datasets_own_threshold_decides(kept):
    moved = a_panel()
    moved["y"] += 15
    index = max(baseline.compare(kept, moved)["psi"].values())
    assert baseline.compare(kept | {"threshold": index * 0.9}, moved)["exceeded"]
    assert not baseline.compare(kept | {"threshold": index * 1.1}, moved)["exceeded"]


def test_a_fleet_that_came_after_the_training_asks_for_a_new_model(kept):
    """However alike the newcomers are: the model knows nothing of each."""
    two = a_panel()
    two = two[two["server_id"].isin(["s3", "s4"])]
    kept = baseline.of_panel(two, recent=28, threshold=1e9)
    found = baseline.compare(kept, a_panel())
    assert found["new_series"] == 0.9 and found["exceeded"]
    assert found["reason"] == "36 of 40 series are new to the model"
    retrained = baseline.compare(baseline.of_panel(a_panel(), recent=28, threshold=1e9), a_panel())
    assert retrained["new_series"] == 0 and not retrained["exceeded"]


def test_a_metric_that_training_did_not_see_is_new_for_every_server(kept):
    disk = a_panel().assign(metric="disk")
    found = baseline.compare(kept, pd.concat([a_panel(), disk[disk["server_id"] != "s1"]]))
    assert found["new_series"] == round(19 / 59, 4) and not found["exceeded"]


def test_servers_that_fell_silent_before_the_training_are_not_new(kept):
    silent = a_panel(ds=DAYS[:30], servers=60).assign(server_id=lambda rows: "old " + rows["server_id"])
    panel = pd.concat([a_panel(), silent])
    kept = baseline.of_panel(panel, recent=28, threshold=0.25)
    assert baseline.compare(kept, panel)["new_series"] == 0


def test_up_to_half_the_fleet_may_be_new_and_a_new_metric_is_no_drift(kept):
    new = a_panel().assign(server_id=lambda rows: "new " + rows["server_id"], y=50.0)
    other = a_panel().assign(metric="disk", y=1.0)
    found = baseline.compare(kept, pd.concat([a_panel(), other]))
    assert set(found["psi"]) == {"cpu", "memory"} and not found["exceeded"]
    assert baseline.compare(kept, pd.concat([a_panel(), new]))["servers_out_of_range"] == 0


def test_constant_and_missing_values_are_compared_without_a_crash():
    flat = a_panel(servers=2).assign(y=50.0)
    flat.loc[::7, "y"] = np.nan
    kept = baseline.of_panel(flat, recent=28, threshold=0.25)
    assert not baseline.compare(kept, flat)["exceeded"]
    for moved in (90.0, 10.0):
        found = baseline.compare(kept, flat.assign(y=moved))
        assert found["servers_out_of_range"] == 1 and found["exceeded"]
