"""Units convert, or say that they do not."""

import pytest

from headroom.intake.units import factor, unit_of


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
