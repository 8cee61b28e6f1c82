"""What to grow to before it runs out."""

from __future__ import annotations

import pandas as pd
from advice import DAYS, advice, only

from headroom.core.settings import Settings, parse
from headroom.insight import recommend


def test_a_server_that_will_run_out_grows_in_time_to_a_size_below_the_warning():
    found = advice({"a": {"cpu": 85.0, "memory": 50.0}}, chances={("a", "cpu"): 0.9}, peaks={("a", "cpu"): 95.0})
    one = only(found)
    assert (one["action"], one["metric"], one["monthly_saving"]) == ("grow", "cpu", 0.0)
    assert one["target"] == {"vcpus": 16, "memory_gb": 32}
    assert 8 * 95 / one["target"]["vcpus"] < 80
    assert one["by"] == (DAYS[-1] + pd.Timedelta(days=30)).date().isoformat()
    total = recommend.totals([one, one | {"evidence": {"monthly_cost_increase": None}}], Settings())
    assert total["growth_monthly"] == one["evidence"]["monthly_cost_increase"] > 0


def test_a_possible_breach_is_met_by_the_upper_end_of_the_forecast():
    use, chances = {"a": {"cpu": 70.0, "memory": 50.0}}, {("a", "cpu"): 0.3}
    one = only(advice(use, chances=chances))
    assert one["target"] == {"vcpus": 16, "memory_gb": 32} and "today 8 vCPUs and 32 GB" in one["reason"]


def test_a_server_forecast_at_its_limit_may_need_more_than_can_be_seen():
    one = only(advice({"a": {"cpu": 100.0}}, chances={("a", "cpu"): 0.9}))
    assert "Its forecast reaches 100 %, so the real need may be higher. Target: 16 vCPUs" in one["reason"]


def test_what_no_size_can_carry_is_to_be_shared():
    owned = {"a": {"vcpus": 192.0, "memory_gb": 1536.0}}
    one = only(advice({"a": {"cpu": 95.0}}, owned=owned, chances={("a", "cpu"): 0.9}))
    assert one["target"] is None and "spread the work over several servers" in one["reason"]


def test_all_that_is_at_risk_is_named():
    use = {"a": {"cpu": 95.0, "memory": 95.0}}
    one = only(advice(use, chances={("a", "cpu"): 0.9, ("a", "memory"): 0.8}))
    assert "Also at risk: memory." in one["reason"]


def test_a_disk_grows_by_a_factor():
    one = only(advice({"a": {"disk": 88.0, "cpu": 50.0}}, chances={("a", "disk"): 0.8}, peaks={("a", "disk"): 96.0}))
    assert one["target"] == {"disk_factor": 1.2}


def test_a_disk_forecast_to_be_full_may_need_more_and_is_to_stay_below_its_warning():
    one = only(advice({"a": {"disk": 88.0, "cpu": 50.0}}, chances={("a", "disk"): 0.8}, peaks={("a", "disk"): 100.0}))
    assert one["target"] == {"disk_factor": 1.3} and 100 / 1.3 < 80
    assert "Its forecast reaches 100 %, so the real need may be higher." in one["reason"]


def test_of_several_metrics_the_one_whose_forecast_is_full_is_named():
    use = {"a": {"cpu": 90.0, "memory": 100.0}}
    one = only(advice(use, chances={("a", "cpu"): 0.9, ("a", "memory"): 0.8}))
    told = "Also at risk: memory. The forecast of memory reaches 100 %, so the real need may be higher."
    assert told in one["reason"]


OWN = parse("""
metrics:
  conns: {label: database connections, unit: connections, capacity: 500}
  volume: {label: data volume, unit: GB, direction: free, capacity: 2000}
""")


def test_an_own_metric_at_risk_needs_a_larger_capacity_in_its_unit():
    one = only(
        advice({"a": {"conns": 430.0}}, chances={("a", "conns"): 0.9}, peaks={("a", "conns"): 520.0}, config=OWN)
    )
    # 520 with 20 % headroom and below the warning of 80 %.
    assert one["target"] == {"conns_capacity": 650} and "Target: a capacity of 650 connections." in one["reason"]
    one = only(advice({"a": {"volume": 1900.0}}, chances={("a", "volume"): 0.9}, config=OWN))
    assert one["target"] == {"volume_capacity": 2400} and "a capacity of 2,400 GB for data volume" in one["reason"]


def test_a_metric_without_a_capacity_needs_nothing_that_could_be_said():
    assert advice({"a": {"queue": 50.0}}, config=parse("metrics: {queue: {unit: messages}}")) == []


def test_what_of_a_server_is_to_grow_is_named():
    found = advice({"a": {"disk": 85.0}}, chances={("a", "disk"): 0.9}, entities={("a", "disk"): "/var"})
    assert "times today's disk /var." in only(found)["reason"]
