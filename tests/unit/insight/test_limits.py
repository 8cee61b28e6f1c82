"""Capacities and thresholds of single series, in their own unit."""

import numpy as np
import pandas as pd
import pytest

from headroom.core import metrics
from headroom.core.grid import of_panel
from headroom.core.periods import Frequency
from headroom.core.series import owner
from headroom.core.settings import parse
from headroom.insight import limits

OWN = """
metrics:
  conns: {unit: connections, capacity: 500}
  iops: {unit: IOPS, capacity: {column: provisioned}}
  cache: {unit: GB, capacity: {attribute: memory_gb}}
  queue: {unit: messages}
thresholds: {conns: {warning: 60, critical: 80}, network_in: {warning: 100, critical: 200}}
thresholds_for: [{metric: disk, entity: /var, warning: 50, critical: 60}, {metric: cpu, server: "nobody-*"}]
"""
ATTRIBUTES = pd.DataFrame({"server_id": ["a", "b"], "memory_gb": [64.0, np.nan]})
SAID = pd.DataFrame({
    "server_id": ["a", "a"], "metric": "iops", "ds": pd.to_datetime(["2026-01-02", "2026-01-01"]),
    "capacity": [4000.0, 3000.0],
})  # fmt: skip


@pytest.fixture
def settings():
    chosen = parse(OWN)
    metrics.use(chosen.own_metrics())
    return chosen


def of(settings, *keys):
    table = pd.DataFrame(keys, columns=["server_id", "metric"])
    found = limits.of_series(table, settings, SAID, ATTRIBUTES)
    return found.to_numpy().round(6).tolist(), limits.without_capacity(table, found).tolist()


def test_thresholds_are_shares_of_the_capacity_in_the_metrics_unit(settings):
    values, unknown = of(settings, ("a", "cpu"), ("a", "conns"), ("a", "iops"), ("a", "cache"))
    assert values == [[100, 80, 90, 40], [500, 300, 400, 200], [4000, 3200, 3600, 1600], [64, 51.2, 57.6, 25.6]]
    assert unknown == [False] * 4


def test_without_a_capacity_thresholds_are_in_the_unit_or_there_are_none(settings):
    [network, queue], unknown = of(settings, ("a", "network_in"), ("a", "queue"))
    assert network[1:3] == [100, 200] and np.isnan(network[0])
    assert np.isnan(queue).all() and unknown == [False, False]


def test_a_capacity_that_nobody_has_said_is_told(settings):
    values, unknown = of(settings, ("b", "cache"), ("b", "iops"))
    assert np.isnan(values).all() and unknown == [True, True]


def test_thresholds_of_single_series_come_first_and_those_that_fit_none_are_named(settings):
    values, _ = of(settings, (owner("a", "/var"), "disk"), (owner("a", "/"), "disk"))
    assert [one[2] for one in values] == [60, 90]
    keys = pd.DataFrame({"server_id": [owner("a", "/var")], "metric": ["disk"]})
    assert limits.unmatched(settings, keys) == [
        "Settings: the thresholds_for with metric: cpu, server: nobody-* fit no series."
    ]


def test_values_under_another_capacity_are_compared_with_that(settings):
    panel = pd.DataFrame({
        "server_id": "a", "metric": "iops", "ds": pd.date_range("2026-01-01", periods=3), "y": [1500.0, 2000.0, 2000.0],
    })  # fmt: skip
    grid = limits.at_todays_capacity(of_panel(panel, Frequency.DAY), SAID)
    assert grid.values.tolist() == [[2000, 2000, 2000]]
