"""When an alarm rings."""

from __future__ import annotations

import pytest

from local.emulator.alarms import wanted_state


@pytest.mark.parametrize(
    ("points", "needed", "missing", "state"),
    [
        ([1.0], 1, "notBreaching", "ALARM"),
        ([0.0], 1, "notBreaching", "OK"),
        ([None], 1, "notBreaching", "OK"),
        ([None], 1, "breaching", "ALARM"),
        ([None], 1, "missing", "INSUFFICIENT_DATA"),
        ([None], 1, "ignore", None),
        ([1.0, None, 1.0], 2, "notBreaching", "ALARM"),
        ([1.0, None, None], 2, "notBreaching", "OK"),
        ([1.0, None, None], 2, "breaching", "ALARM"),
        ([1.0, 0.0, None], 2, "missing", "OK"),
    ],
)
def test_an_alarm_is_judged_as_on_aws(points: list[float | None], needed: int, missing: str, state: str | None) -> None:
    assert wanted_state(points, lambda value: value >= 1, needed, missing) == state
