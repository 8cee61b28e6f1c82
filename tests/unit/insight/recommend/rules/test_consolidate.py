"""Servers that fit together."""

from __future__ import annotations

import numpy as np
import pytest
from advice import DAYS, advice, only, small


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
