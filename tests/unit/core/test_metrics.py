"""The table of metrics: the built-in five and a dataset's own."""

from headroom.core import metrics
from headroom.core.settings import parse


def test_the_built_in_five_are_rows_of_the_table():
    assert metrics.names() == ("cpu", "memory", "disk", "network_in", "network_out") == metrics.columns()
    assert metrics.percent_names() == ("cpu", "memory", "disk")
    assert [metrics.of(name).capacity for name in metrics.names()] == [100, 100, 100, None, None]
    assert metrics.own() == ()


def test_a_datasets_own_metrics_take_the_place_of_those_before():
    metrics.use(parse("metrics: {queue: {unit: messages}}").own_metrics())
    assert metrics.names()[5:] == ("queue",)
    metrics.use(parse("metrics: {gpu: {unit: percent}, iops: {unit: IOPS, capacity: {column: owned}}}").own_metrics())
    assert metrics.names()[5:] == ("gpu", "iops") and metrics.columns()[-1] == "iops_capacity"
    assert metrics.is_percent("gpu") and metrics.of("gpu").capacity == 100
    assert metrics.of_column("iops_capacity").name == "iops"


def test_a_name_that_nobody_has_defined_has_no_unit_and_no_capacity():
    assert metrics.of("mystery").unit == "" and not metrics.of("mystery").has_capacity
