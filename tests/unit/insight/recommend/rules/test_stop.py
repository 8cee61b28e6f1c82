"""What is idle, and what only looks so."""

from __future__ import annotations

import numpy as np
from advice import DAYS, advice, only

from headroom.core.settings import parse


def test_an_idle_server_is_to_be_stopped_and_saves_what_it_costs():
    one = only(advice({"a": {"cpu": 2.0, "memory": 12.0}}))
    assert (one["action"], one["server_ids"], one["monthly_saving"], one["effort"]) == ("stop", ["a"], 280.0, "low")


def test_the_reason_to_stop_is_true_of_its_numbers_and_says_what_is_not_known():
    y = np.full(len(DAYS), 2.0)
    y[40] = 9.0
    reason = only(advice({"a": {"cpu": y}}, owned={"a": {"criticality": "critical"}}))["reason"]
    assert reason == (
        "CPU has been idle for 90 days: below 2.0 % for 95 % of the time, at most 9.0 %. Its network is not measured. "
        "It is business-critical and may be a standby. Stop the server if its owner does not need it."
    )
    assert "network" not in only(advice({"a": {"cpu": 2.0, "network_in": 0.1}}))["reason"]


def test_a_server_forecast_to_wake_up_is_not_stopped():
    assert advice({"a": {"cpu": 2.0, "memory": 70.0}}, peaks={("a", "cpu"): 35.0}) == []


def test_a_job_that_runs_once_a_month_is_not_idle_and_may_fall_on_a_weekend():
    monthly = np.where(DAYS.day == 1, 60.0, 2.0)
    assert advice({"a": {"cpu": monthly, "memory": 70.0}}) == []


def test_a_nightly_job_of_an_hour_is_work_though_the_days_p95_does_not_show_it():
    nightly = {("a", "cpu"): {"max": 97.0, "p99": 75.0}}
    assert advice({"a": {"cpu": 2.8, "memory": 10.0}}, samples=nightly) == []
    weekend = np.where(DAYS.weekday >= 5, 2.0, 30.0)
    assert only(advice({"a": {"cpu": weekend, "memory": 70.0}}))["action"] == "schedule"
    assert advice({"a": {"cpu": weekend, "memory": 70.0}}, samples=nightly) == []


def test_the_highest_use_in_a_reason_is_that_of_the_samples():
    one = only(advice({"a": {"cpu": 2.0}}, samples={("a", "cpu"): {"max": 7.0, "p99": 4.0}}))
    assert "below 2.0 % for 95 % of the time, at most 7.0 %" in one["reason"] and one["evidence"]["cpu_max"] == 7


def test_a_server_that_only_moves_data_is_not_idle():
    assert advice({"a": {"cpu": 2.0, "memory": 70.0, "network_out": 40.0}}) == []


def test_a_server_seen_for_a_week_is_left_alone():
    assert advice({"a": {"cpu": 2.0}}, ds=DAYS[:7]) == []


OWN = parse(
    "metrics: {gpu: {unit: '%'}, conns: {unit: connections, capacity: 500}, volume: {unit: GB}, jobs: {unit: jobs}}"
)


def test_a_server_that_works_by_an_own_metric_is_not_idle_because_its_cpu_is():
    for working in ({"gpu": 60.0}, {"conns": 100.0}, {"jobs": 2.0}):
        found = advice({"a": {"cpu": 2.0, "memory": 12.0, **working}}, config=OWN)
        assert not {one["action"] for one in found} & {"stop", "schedule", "consolidate"}, working


def test_what_is_only_stored_or_hardly_used_does_not_keep_an_idle_server():
    use = {"cpu": 2.0, "memory": 12.0, "gpu": 1.0, "conns": 10.0, "volume": 900.0, "jobs": 0.0}
    assert only(advice({"a": use}, config=OWN))["action"] == "stop"
