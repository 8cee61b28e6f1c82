"""Servers that fit together."""

from __future__ import annotations

import numpy as np
import pytest
from advice import DAYS, advice, only, small
from hypothesis import given, settings
from hypothesis import strategies as st

from headroom.core.settings import Settings
from headroom.insight.recommend.sizes import RESOURCES, spare


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


@pytest.mark.slow
@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_who_moves_leaves_every_host_its_headroom_at_every_moment(seed):
    random = np.random.default_rng(seed)
    names = [f"s{number}" for number in range(12)]
    level = random.uniform(5, 60, size=(len(names), 2, 1))
    daily = np.clip(level + random.normal(scale=8, size=(len(names), 2, len(DAYS))), 0, 100)
    use = {name: {"cpu": daily[at, 0], "memory": daily[at, 1]} for at, name in enumerate(names)}
    sizes = {name: float(random.choice([1, 2, 4])) for name in names}
    owned = {name: {"vcpus": size, "memory_gb": 4 * size, "region": "eu"} for name, size in sizes.items()}
    found = [one for one in advice(use, owned=owned) if one["action"] == "consolidate"]
    hosts, moved = [one["target"]["host"] for one in found], [name for one in found for name in one["server_ids"]]
    assert len({*hosts, *moved}) == len(hosts) + len(moved)
    for one in found:
        host = one["target"]["host"]
        together = sum(daily[names.index(name)] * sizes[name] for name in [host, *one["server_ids"]]) / sizes[host]
        for metric, name in enumerate(RESOURCES):
            assert (together[metric] <= 100 / spare(name, Settings(), host) + 1e-9).all()
