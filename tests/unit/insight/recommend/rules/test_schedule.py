"""When nobody uses a server."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from advice import DAYS, advice, only

from headroom.core.settings import parse


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
        "CPU is idle every working day from 18:00 to 08:00 UTC and at weekends: below 5 % for more than 99 % of "
        "that time over 60 days, at most 12 %. Switch the server off at these times: 118 hours per week."
    )


def test_two_weekends_are_too_few_for_a_rule():
    use = np.where(DAYS[:16].weekday >= 5, 2.0, 60.0)
    assert advice({"a": {"cpu": use, "memory": 50.0}}, ds=DAYS[:16]) == []


def test_business_critical_servers_are_not_switched_off():
    use = np.where(DAYS.weekday >= 5, 2.0, 60.0)
    assert advice({"a": {"cpu": use, "memory": 50.0}}, owned={"a": {"criticality": "critical"}}) == []
