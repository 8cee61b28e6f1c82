"""Smaller sizes that carry past and forecast."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from advice import advice, only

from headroom.core.settings import parse


def test_an_oversized_server_shrinks_to_the_size_that_carries_p95_and_headroom():
    one = only(advice({"a": {"cpu": 20.0, "memory": 30.0}}))
    # 8 x 20 % x 1.25 = 2 vCPUs, 32 x 30 % x 1.25 = 12 GB: 2 vCPUs with 8 GB each. 25 % of the vCPUs, half the memory.
    assert one["action"] == "shrink" and one["target"] == {"vcpus": 2, "memory_gb": 16}
    share = (2 * 0.048 + 16 * 0.006) / (8 * 0.048 + 32 * 0.006)
    assert one["monthly_saving"] == pytest.approx(280 * (1 - share), abs=0.01)
    assert "20 % headroom" in one["reason"] and one["evidence"]["cpu_p95"] == 20


def test_in_hours_a_size_must_carry_the_days_peaks_though_most_hours_are_quiet():
    ds = pd.date_range("2026-06-01", periods=24 * 60, freq="h")
    config = parse("frequency: h")
    quiet = np.where(ds.hour == 3, 9.0, 6.0)
    batch = np.where(ds.hour == 3, 62.0, 6.0)
    assert only(advice({"a": {"cpu": quiet}}, ds=ds, config=config))["target"] == {"vcpus": 1, "memory_gb": 32}
    assert advice({"a": {"cpu": batch}}, ds=ds, config=config) == []


def test_the_reason_to_shrink_says_of_what_and_over_what_time():
    one = only(advice({"a": {"cpu": 20.0, "memory": 30.0}}))
    assert one["reason"] == (
        "CPU needs 20 % and memory needs 30 % of today's 8 vCPUs and 32 GB of memory (P95 of the daily peaks "
        "over 90 days, or the forecast's peak if higher). With 20 % headroom, 2 vCPUs and 16 GB of memory would be "
        "enough."
    )


def test_more_headroom_makes_the_target_larger():
    one = only(advice({"a": {"cpu": 20.0, "memory": 30.0}}, config=parse("headroom_percent: 100")))
    assert one["target"] == {"vcpus": 4, "memory_gb": 32}


def test_what_the_forecast_will_need_is_not_taken_away():
    assert advice({"a": {"cpu": 20.0, "memory": 30.0}}, peaks={("a", "memory"): 75.0}) == []


def test_memory_in_use_keeps_a_server_from_shrinking():
    assert advice({"a": {"cpu": 10.0, "memory": 70.0}}) == []


def test_without_memory_measured_only_the_vcpus_shrink_and_the_reason_says_so():
    one = only(advice({"a": {"cpu": 20.0}}))
    assert one["target"] == {"vcpus": 2, "memory_gb": 32} and "Memory is not measured" in one["reason"]


def test_a_server_of_unknown_size_and_price_is_advised_without_a_made_up_saving():
    bare = {"vcpus": np.nan, "memory_gb": np.nan, "monthly_cost_usd": np.nan}
    one = only(advice({"a": {"cpu": 20.0}}, owned={"a": bare}))
    assert one["target"] == {"factor": 0.25} and one["monthly_saving"] == 0 and "not known" in one["reason"]


def test_a_server_is_not_made_smaller_while_an_own_metric_is_in_use():
    own = parse("metrics: {gpu: {unit: '%'}}")
    use = {"cpu": 20.0, "memory": 30.0}
    assert [one["action"] for one in advice({"a": use | {"gpu": 20.0}}, config=own)] == ["shrink"]
    assert advice({"a": use | {"gpu": 55.0}}, config=own) == []
