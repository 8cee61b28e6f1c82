"""What to do, and the money in it: what holds for all rules together."""

from __future__ import annotations

import numpy as np
import pytest
from advice import DAYS, advice, only, small
from hypothesis import given, settings
from hypothesis import strategies as st

from headroom.core.settings import Settings, parse
from headroom.insight import recommend
from headroom.insight.recommend import rules


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


def test_a_server_without_a_price_costs_its_size_at_the_settings_rates():
    owned = {"a": {"monthly_cost_usd": np.nan}}
    one = only(advice({"a": {"cpu": 2.0}}, owned=owned, config=parse("costs: {per_vcpu_hour: 0.1, per_gb_hour: 0.01}")))
    assert one["monthly_saving"] == pytest.approx(730 * (8 * 0.1 + 32 * 0.01))
    assert one["evidence"]["cost_from"] == "rates"


def test_a_server_that_must_grow_is_not_also_shrunk():
    found = advice({"a": {"disk": 88.0, "cpu": 10.0, "memory": 10.0}}, chances={("a", "disk"): 0.8})
    assert [one["action"] for one in found] == ["grow"]


@pytest.mark.slow
@settings(max_examples=30)
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


RULE = """
from headroom.core.findings import Action
from headroom.insight.recommend.facts import Advice

ORDER = 25
ACTION = Action("rename", "Rename", "their names say nothing", effort="low")


def find(fleet):
    return [
        Advice([one.name], "cpu", 0.0, "Nobody knows what it is for.", {})
        for one in fleet.servers if len(one.name) == 1 and one.name not in fleet.done
    ]
"""


def test_a_rule_is_added_by_adding_its_file(tmp_path, monkeypatch):
    (tmp_path / "rename.py").write_text(RULE)
    monkeypatch.setattr(rules, "__path__", [*rules.__path__, str(tmp_path)])
    assert [action.name for action in recommend.actions()] == [
        "grow", "stop", "rename", "shrink", "schedule", "consolidate",
    ]  # fmt: skip
    found = advice({"a": {"cpu": 20.0, "memory": 30.0}, "idle": {"cpu": 2.0}, "b": {"cpu": 2.0}})
    assert {one["server_ids"][0]: one["action"] for one in found} == {"a": "rename", "idle": "stop", "b": "stop"}
    assert next(one for one in found if one["action"] == "rename")["reason"] == "Nobody knows what it is for."


def test_the_target_is_a_sentence_of_its_own_that_a_reader_can_leave_out():
    use = {"a": {"cpu": 85.0, "memory": 50.0}}
    one = only(advice(use, chances={("a", "cpu"): 0.9}, peaks={("a", "cpu"): 95.0}))
    assert one["reason"] == f"{one['why']} Target: 16 vCPUs and 32 GB of memory; today 8 vCPUs and 32 GB of memory."
