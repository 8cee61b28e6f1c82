"""What to do, and the money in it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headroom.core import grid
from headroom.core.settings import Costs, Settings, parse
from headroom.insight import recommend, risk
from headroom.insight.recommend import sizes

DAYS = pd.date_range("2026-06-01", periods=120)
SIZE = {"vcpus": 8.0, "memory_gb": 32.0, "monthly_cost_usd": 280.0}


def advice(use, owned=None, config=None, ds=DAYS, chances=None, peaks=None, levels=None, not_judged=(), samples=None):
    """Recommendations for ``use`` = {server: {metric: values or level}}; forecasts are the last level.

    ``owned`` = {server: attributes}; ``chances`` = {(server, metric): chance of a critical crossing}; ``levels`` =
    {(server, metric): level} where it is another than that chance's; ``samples`` = {(server, metric): {"max": values,
    "p99": values}} where the periods' samples go beyond ``use``.
    """
    config = config or Settings()
    rows, risks = [], []
    for server, metrics in use.items():
        for metric, values in metrics.items():
            y = np.broadcast_to(np.asarray(values, float), len(ds))
            beyond = {"max": y, "p99": y} | (samples or {}).get((server, metric), {})
            rows.append(pd.DataFrame({"server_id": server, "metric": metric, "ds": ds, "y": y, **beyond}))
            chance = (chances or {}).get((server, metric), 0.0)
            date = ds[-1] + pd.Timedelta(days=30) if chance >= 0.5 else pd.NaT
            risks.append({
                "server_id": server, "metric": metric, "current": y[-1],
                "peak_q50": (peaks or {}).get((server, metric), y[-1]), "peak_q95": 95.0 if chance else y[-1],
                "p_critical": chance, "level": (levels or {}).get(
                    (server, metric), risk.LEVELS[int(risk.level_of(np.array(0.0), np.array(chance)))]),
                "critical_date": date, "breach_earliest": date, "score": 100 * chance, "reason": f"{metric} grows.",
            })  # fmt: skip
    servers = pd.DataFrame([{"server_id": server, **(SIZE | (owned or {}).get(server, {}))} for server in use])
    servers = servers.reindex(columns=["server_id", *risk.ATTRIBUTES])
    for column in SIZE:
        servers[column] = servers[column].astype(float)
    risks = pd.DataFrame(risks)
    worst = risks.sort_values("score", ascending=False).drop_duplicates("server_id")[["server_id", "level"]]
    servers = servers.merge(worst, on="server_id")
    panel = pd.concat(rows)
    return recommend.recommend(grid.of_panel(panel, config.frequency), risks, servers, config, not_judged, panel)


def only(found):
    assert len(found) == 1, found
    return found[0]


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


@pytest.mark.parametrize("metric", ["cpu", "memory"])
@pytest.mark.parametrize("level", ["low", "medium"])
def test_nothing_is_taken_from_a_server_whose_cpu_or_memory_may_run_out(metric, level):
    weekend = np.where(DAYS.weekday >= 5, 2.0, 30.0)
    use = {"idle": {"cpu": 2.0, "memory": 5.0}, "large": {"cpu": 20.0, "memory": 20.0},
           "off": {"cpu": weekend, "memory": 45.0}, "small": {"cpu": 30.0, "memory": 30.0}}  # fmt: skip
    owned = small("small", "host")
    use["host"] = {"cpu": 30.0, "memory": 30.0}
    assert {one["action"] for one in advice(use, owned=owned)} == {"stop", "shrink", "schedule", "consolidate"}
    assert advice(use, owned=owned, levels={(server, metric): level for server in use}) == []


def test_a_server_that_is_not_judged_is_left_as_it_is():
    use = {"idle": {"cpu": 2.0, "memory": 5.0}, "large": {"cpu": 20.0, "memory": 20.0}}
    assert advice(use, not_judged={"idle", "large"}) == []


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
        "over 90 days, or the forecast's peak if higher). With 20 % headroom 2 vCPUs and 16 GB of memory would do."
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


def test_a_server_without_a_price_costs_its_size_at_the_settings_rates():
    owned = {"a": {"monthly_cost_usd": np.nan}}
    one = only(advice({"a": {"cpu": 2.0}}, owned=owned, config=parse("costs: {per_vcpu_hour: 0.1, per_gb_hour: 0.01}")))
    assert one["monthly_saving"] == pytest.approx(730 * (8 * 0.1 + 32 * 0.01))
    assert one["evidence"]["cost_from"] == "rates"


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
    assert "Its forecast is at 100 %: the real need may be larger. Target: 16 vCPUs" in one["reason"]


def test_what_no_size_can_carry_is_to_be_shared():
    owned = {"a": {"vcpus": 192.0, "memory_gb": 1536.0}}
    one = only(advice({"a": {"cpu": 95.0}}, owned=owned, chances={("a", "cpu"): 0.9}))
    assert one["target"] is None and "share the work between servers" in one["reason"]


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
    assert "Its forecast is at 100 %: the real need may be larger." in one["reason"]


def test_of_several_metrics_the_one_whose_forecast_is_full_is_named():
    use = {"a": {"cpu": 90.0, "memory": 100.0}}
    one = only(advice(use, chances={("a", "cpu"): 0.9, ("a", "memory"): 0.8}))
    assert "Also at risk: memory. The forecast of memory is at 100 %: the real need may be larger." in one["reason"]


def test_a_server_that_must_grow_is_not_also_shrunk():
    found = advice({"a": {"disk": 88.0, "cpu": 10.0, "memory": 10.0}}, chances={("a", "disk"): 0.8})
    assert [one["action"] for one in found] == ["grow"]


def test_a_server_idle_every_weekend_is_switched_off_then():
    use = np.where(DAYS.weekday >= 5, 2.0, 60.0)
    one = only(advice({"a": {"cpu": use, "memory": 50.0}}))
    assert one["action"] == "schedule" and one["target"]["off_weekends"]
    assert one["monthly_saving"] == pytest.approx(280 * 48 / 168, abs=0.01)


def test_a_server_idle_every_night_is_switched_off_then():
    ds = pd.date_range("2026-06-01", periods=24 * 60, freq="h")
    use = np.where((ds.hour >= 20) | (ds.hour < 6), 1.0, 60.0)
    one = only(advice({"a": {"cpu": use, "memory": 50.0}}, ds=ds, config=parse("frequency: h")))
    assert one["target"]["off_hours_utc"] == [20, 21, 22, 23, 0, 1, 2, 3, 4, 5]
    assert one["monthly_saving"] == pytest.approx(280 * 70 / 168, abs=0.01)
    assert "from 20:00 to 06:00 UTC" in one["reason"]


def test_the_reason_to_switch_off_says_how_sure_that_is():
    ds = pd.date_range("2026-06-01", periods=24 * 60, freq="h")
    use = np.where((ds.weekday < 5) & (ds.hour >= 8) & (ds.hour < 18), 60.0, 1.0)
    use[3] = 12.0
    one = only(advice({"a": {"cpu": use, "memory": 50.0}}, ds=ds, config=parse("frequency: h")))
    assert one["reason"] == (
        "CPU is idle every working day from 18:00 to 08:00 UTC and at weekends: below 5 % for > 99 % of that time over "
        "60 days, at most 12 %. Switch the server off then, 118 hours a week."
    )


def test_two_weekends_are_too_few_for_a_rule():
    use = np.where(DAYS[:16].weekday >= 5, 2.0, 60.0)
    assert advice({"a": {"cpu": use, "memory": 50.0}}, ds=DAYS[:16]) == []


def test_business_critical_servers_are_not_switched_off():
    use = np.where(DAYS.weekday >= 5, 2.0, 60.0)
    assert advice({"a": {"cpu": use, "memory": 50.0}}, owned={"a": {"criticality": "critical"}}) == []


SMALL = {"vcpus": 1.0, "memory_gb": 2.0, "monthly_cost_usd": 20.0, "region": "eu", "criticality": "low"}


def small(*names, **changed):
    return {name: SMALL | changed for name in names}


def test_small_underused_servers_move_together():
    use = {"a": {"cpu": 30.0, "memory": 30.0}, "b": {"cpu": 30.0, "memory": 30.0}}
    one = only(advice(use, owned=small("a", "b")))
    assert one["action"] == "consolidate" and one["monthly_saving"] == 20
    assert {*one["server_ids"], one["target"]["host"]} == {"a", "b"}
    assert one["evidence"]["joint_cpu_peak"] == 60


def test_servers_that_peak_together_stay_apart_though_their_averages_would_fit():
    day = np.arange(len(DAYS)) % 30 == 0
    peaking = np.where(day, 50.0, 10.0)
    apart = np.where(np.roll(day, 15), 50.0, 10.0)
    together = {"a": {"cpu": peaking, "memory": 20.0}, "b": {"cpu": peaking, "memory": 20.0}}
    assert advice(together, owned=small("a", "b")) == []
    alternating = {"a": {"cpu": peaking, "memory": 20.0}, "b": {"cpu": apart, "memory": 20.0}}
    assert only(advice(alternating, owned=small("a", "b")))["action"] == "consolidate"


@pytest.mark.parametrize("other", [{"region": "us"}, {"criticality": "high"}])
def test_only_servers_of_the_same_region_and_criticality_move_together(other):
    use = {"a": {"cpu": 30.0, "memory": 30.0}, "b": {"cpu": 30.0, "memory": 30.0}}
    assert advice(use, owned=small("a") | small("b", **other)) == []


@settings(max_examples=30, deadline=None)
@given(
    levels=st.lists(
        st.tuples(st.floats(0, 100), st.floats(0, 100), st.sampled_from([0.0, 1.0, 2.0, 8.0])), min_size=1, max_size=12
    ),
    seed=st.integers(0, 100),
)  # fmt: skip
def test_no_server_is_counted_twice_and_nobody_saves_more_than_it_costs(levels, seed):
    random = np.random.default_rng(seed)
    use = {
        f"s{number}": {"cpu": np.clip(cpu + random.normal(0, 5, len(DAYS)), 0, 100), "memory": memory}
        for number, (cpu, memory, _) in enumerate(levels)
    }
    owned = {
        f"s{number}": {"vcpus": size, "memory_gb": 4 * size, "monthly_cost_usd": 35 * size}
        for number, (_, _, size) in enumerate(levels)
    }
    chances = {("s0", "cpu"): 0.9}
    found = advice(use, owned=owned, chances=chances)
    told = [server for one in found for server in one["server_ids"]]
    assert len(told) == len(set(told))
    moved = {server for one in found if one["action"] in ("consolidate", "stop") for server in one["server_ids"]}
    assert not moved & {one["target"]["host"] for one in found if one["action"] == "consolidate"}
    for one in found:
        assert (
            0 <= one["monthly_saving"] <= sum(owned[server]["monthly_cost_usd"] for server in one["server_ids"]) + 0.01
        )
        if one["action"] == "consolidate":
            assert max(one["evidence"]["joint_cpu_peak"], one["evidence"]["joint_memory_peak"]) <= 80.01
    total = recommend.totals(found, Settings())
    assert total["monthly"] == pytest.approx(sum(total["by_action"].values()))
    assert [one["priority"] for one in found] == list(range(1, len(found) + 1))


def test_the_cheapest_size_that_fits_is_chosen():
    assert sizes.size_for(2, 12, Costs()) == (2, 16)
    assert sizes.size_for(3, 4, Costs()) == (4, 8)
    assert sizes.size_for(1000, 4, Costs()) is None
