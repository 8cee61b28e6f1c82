"""Units convert, or say that they do not."""

import pytest

from headroom.core import metrics
from headroom.core.settings import parse
from headroom.intake.words.units import factor, unit_of


@pytest.mark.parametrize(
    "metric, unit, expected",
    [
        ("cpu", "%", 1), ("cpu", "Percent", 1), ("memory", "ratio", 100), ("cpu", "10^2.%", 100), ("disk", "GB", None),
        ("cpu", "cores", None), ("cpu", "MB/s", None), ("network_in", "MB/s", 1), ("network_in", "B/s", 1e-6),
        ("network_in", "Bytes/Second", 1e-6), ("network_in", "KBps", 1e-3), ("network_in", "MiB/s", 1.048576),
        ("network_in", "Mbit/s", 0.125), ("network_in", "Bits/Second", 1.25e-7), ("network_in", "Mb/s", None),
        ("network_in", "mbps", None), ("network_in", "Bytes", None), ("network_in", "%", None),
        ("cpu", "furlongs", None),
    ],
)  # fmt: skip
def test_a_unit_becomes_ours_or_is_refused(metric, unit, expected):
    assert factor(metric, unit) == (expected if expected is None else pytest.approx(expected))


def test_what_is_no_unit_is_not_taken_for_one():
    assert [unit_of(name) for name in ("avg", "web-1", "Europe/Berlin", "", "total")] == [None] * 5


OWN = """
metrics:
  conns: {unit: connections, capacity: 500}
  volume: {unit: GB, direction: free, capacity: 2000}
  iops: {unit: IOPS, capacity: {column: owned}}
  queue: {unit: messages}
  wait: {unit: ms}
  gpu: {unit: "%"}
  hits: {unit: hits/s, kind: counter}
  orders: {unit: orders/min}
  bytes: {unit: MB/s, kind: counter}
"""


@pytest.mark.parametrize(
    "metric, unit, expected",
    [
        ("conns", "Count", 1), ("conns", "connection", 1), ("conns", "Connections", 1), ("conns", "GB", None),
        ("conns", "%", None), ("conns", "threads", None), ("conns", "Count/Second", None),
        ("volume", "GiB", 1.073741824), ("volume", "Bytes", 1e-9), ("volume", "TB", 1000), ("volume", "%", None),
        ("volume", "Gb", None), ("volume", "Gbit", 0.125), ("volume", "Count", None),
        ("iops", "ops/s", 1), ("iops", "Count/Second", 1), ("iops", "ops/min", 1 / 60), ("iops_capacity", "IOPS", 1),
        ("queue", "ms", None), ("queue", "messages", 1), ("wait", "s", 1000), ("wait", "us", 0.001),
        ("gpu", "ratio", 100), ("gpu", "Percent", 1), ("gpu", "cores", None),
        ("hits", "hits", 1), ("hits", "Count", 1), ("hits", "hits/s", None), ("orders", "orders/s", 60),
        ("orders", "orders", None), ("bytes", "Bytes", 1e-6), ("bytes", "KiB", 1024e-6), ("bytes", "Bytes/s", None),
    ],
)  # fmt: skip
def test_a_unit_becomes_that_of_the_datasets_own_metric_or_is_refused(metric, unit, expected):
    metrics.use(parse(OWN).own_metrics())
    assert factor(metric, unit) == (expected if expected is None else pytest.approx(expected))
