"""Servers of which too little is known: no alarm, no advice, and word of what to do."""

from __future__ import annotations

import numpy as np
import pytest
import whole_fleet
from whole_fleet import attributes, flat, hourly, panel_of

from headroom.core.settings import Settings
from headroom.report.sections import actions, top

pytestmark = pytest.mark.slow


def test_a_server_that_fell_silent_raises_no_alarm_and_gets_no_advice():
    busy, idle = [95.0] * 400, [1.0] * 400
    found = hourly({("gone", "cpu"): busy[:300], ("gone idle", "cpu"): idle[:300], ("here", "cpu"): busy})
    levels = found.servers.set_index("server_id")["level"]
    assert (levels["gone"], levels["here"]) == ("none", "critical")
    reasons = found.risks.set_index("server_id")["reason"]
    assert reasons["gone"].startswith("CPU has not been reported since 13 Jan 2026")
    assert {server for one in found.recommendations for server in one["server_ids"]} == {"here"}
    assert "fallen silent or have too little history: 2 (gone, gone idle)" in found.summary["notes"][0]


def test_a_few_hours_of_history_are_too_little_to_raise_an_alarm_unless_it_is_there_now():
    spike = [0.0] * 27 + [99.0] * 3 + [0.0] * 6
    full = [50.0] * 400
    late = {("spike", "cpu"): [np.nan] * 364 + spike, ("full now", "cpu"): [np.nan] * 370 + [96.0] * 30}
    found = hourly({("old", "cpu"): full, **late})
    by_server = found.risks.set_index("server_id")
    assert by_server.loc["spike", "reason"] == "CPU has only 36 hours of history: too little to judge its risk."
    assert by_server.loc["spike", "level"] == "none"
    assert by_server.loc["full now", "level"] == "critical"


def test_servers_that_cannot_be_judged_have_a_list_of_their_own_that_says_what_to_do():
    full, gone = [50.0] * 400, [50.0] * 300
    found = hourly({
        ("gone", "cpu"): gone, ("gone", "memory"): gone, ("new", "cpu"): [np.nan] * 380 + [50.0] * 20,
        ("half blind", "cpu"): gone, ("half blind", "memory"): full, ("well", "cpu"): full,
    })  # fmt: skip
    listed = {one["server_id"]: one for one in found.not_judged}
    assert list(listed) == ["gone", "half blind", "new"]
    assert listed["gone"] == {
        "server_id": "gone", "metrics": ["cpu", "memory"], "last": "2026-01-13T11:00:00", "periods": 300,
        "reason": "Nothing has been reported since 13 Jan 2026 11:00: check whether the server, or only its "
        "monitoring, has stopped.",
    }  # fmt: skip
    assert listed["half blind"]["metrics"] == ["cpu"]
    assert "although the server reports other metrics: check its monitoring" in listed["half blind"]["reason"]
    assert "CPU has only 20 hours of history; risk is judged once there are 48 hours" in listed["new"]["reason"]
    assert found.summary["not_judged"] == found.not_judged and found.summary["not_judged_total"] == 3


def test_traffic_without_thresholds_makes_no_server_unjudged():
    found = hourly({("a", "cpu"): [50.0] * 400, ("a", "network_in"): [9.0] * 300})
    assert found.not_judged == []


def test_a_series_without_a_forecast_is_said_and_not_lost():
    panel = panel_of({("a", "cpu"): [50.0] * 30, ("b", "cpu"): [50.0] * 30})
    found = whole_fleet.assessed(panel, attributes(panel), flat(panel).query("server_id == 'a'"), Settings(horizon=10))
    assert set(found.servers["server_id"]) == {"a", "b"}
    assert [(one["server_id"], one["reason"]) for one in found.not_judged] == [
        ("b", "CPU has no forecast: train again.")
    ]


def test_a_fleet_of_which_nothing_is_judged_is_not_told_as_one_without_risk():
    """Three days of history say nothing, and nothing is what is said: no all-clear, no advice, no future."""
    found = hourly({("climbing", "cpu"): np.linspace(60, 78, 30), ("calm", "cpu"): [20.0] * 30})
    assert found.summary["unjudged"] == found.summary["servers"] == 2
    assert top.headline(found) == "None of 2 servers can be judged"
    text = str(actions.section(found))
    assert "no server can be judged" in text and "no server needs" not in text
    assert (found.over_time.levels[:, found.over_time.past :] == -1).all(), "no level is foretold"


def test_where_some_are_judged_the_others_are_counted_beside_the_calm():
    found = hourly({("well", "cpu"): [50.0] * 400, ("gone", "cpu"): [50.0] * 300})
    assert found.summary["unjudged"] == 1
    assert top.headline(found) == "No server is at risk in the next 1 day, 1 not judged"
    assert "no server that is judged needs more" in str(actions.section(found))
    levels = dict(zip(found.over_time.server_ids, found.over_time.levels[:, -1].tolist(), strict=True))
    assert levels == {"well": 0, "gone": -1}
