"""What follows for a fleet: who is judged, what is accepted, what the summary says."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import whole_fleet
from hypothesis import given, settings
from hypothesis import strategies as st
from whole_fleet import WRITTEN, attributes, flat, hourly, panel_of

from headroom import conclusion, results
from headroom.core import accepted
from headroom.core.settings import Settings, parse
from headroom.insight import ranking

pytestmark = pytest.mark.slow


def test_nothing_is_saved_on_a_server_whose_memory_is_no_longer_reported():
    owned = {("blind", "cpu"): [5.5] * 800, ("blind", "memory"): [10.0] * 400}
    whole = {
        (f"seen {name}", metric): values * (1 if metric == "cpu" else 2) for (name, metric), values in owned.items()
    }
    found = hourly(owned | whole)
    assert [one["server_ids"] for one in found.recommendations] == [["seen blind"]]


def test_the_summary_lists_at_most_200_unjudged_servers_and_says_how_many_there_are(monkeypatch):
    monkeypatch.setattr(conclusion, "MOST_NOT_JUDGED", 2)
    found = hourly({("a", "cpu"): [50.0] * 400} | {(f"gone {n}", "cpu"): [50.0] * 300 for n in range(3)})
    assert (len(found.summary["not_judged"]), found.summary["not_judged_total"], len(found.not_judged)) == (2, 3, 3)


@pytest.mark.parametrize("frequency", ["D", "h"])
@pytest.mark.parametrize(
    "series",
    [
        {("only", "cpu"): [50.0, 51.0]},
        {("only", "network_in"): [5e6] * 30},
        {("a", "cpu"): [40.0] * 90, ("b", "memory"): [0.0] * 90},
        {("a", "cpu"): [100.0] * 90, ("b", "cpu"): [np.nan] * 89 + [1.0], ("c", "disk"): [np.nan] * 90},
    ],
    ids=["two periods", "only network", "different metrics", "next to nothing"],
)
def test_small_and_odd_fleets_are_assessed(series, frequency, tmp_path):
    panel = panel_of(series, frequency)
    found = whole_fleet.assessed(
        panel, attributes(panel), flat(panel, 10, frequency), parse(f"{{frequency: {frequency}, horizon: 10}}")
    )
    assert sorted(found.servers["server_id"]) == sorted({server for server, _ in series})
    whole_fleet.write(found, tmp_path)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == WRITTEN


@settings(max_examples=15)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(["cpu", "memory", "network_in"])),
        st.lists(st.one_of(st.just(float("nan")), st.floats(0, 100)), min_size=1, max_size=30),
        min_size=1,
    )
)
def test_no_panel_breaks_it(series):
    panel = panel_of(series)
    if panel["y"].notna().any():
        found = whole_fleet.assessed(panel, attributes(panel), flat(panel), Settings(horizon=10))
        assert set(found.servers["server_id"]) == {server for server, _ in series}


DECISION = {"server": "known", "metric": "cpu", "state": "accepted", "level": "critical", "reason": "ends <b>soon</b>",
            "by": "Ann", "at": "2026-01-15T09:00:00Z", "until": "2026-12-31"}  # fmt: skip


def with_decisions(decisions, day="2026-02-01T00:00:00Z"):
    """A fleet of three busy servers, one of them also short of memory, and what its owners have accepted."""
    full, tight, calm = [96.0] * 400, [85.0] * 400, [20.0] * 400
    panel = panel_of({("known", "cpu"): full, ("known", "memory"): tight, ("open", "cpu"): full, ("calm", "cpu"): calm},
                     "h")  # fmt: skip
    settings = Settings(frequency="h", horizon=24)
    run = {"dataset": "demo", "run_id": "r", "created_at": day}
    return whole_fleet.assessed(
        panel, attributes(panel), flat(panel, 24, "h"), settings, run=run, decisions=decisions
    )  # fmt: skip


def test_an_accepted_risk_leaves_the_top_list_and_stays_in_every_table(tmp_path):
    found = with_decisions(accepted.written([accepted.decided(DECISION)]))
    assert [(one["server_id"], one["metric"], one["level"]) for one in found.summary["top"]] == [
        ("open", "cpu", "critical"), ("known", "memory", "medium")
    ]  # fmt: skip
    assert found.summary["levels"]["critical"] == 2, "what is so stays so"
    assert (found.summary["open_levels"]["critical"], found.summary["open_levels"]["medium"]) == (1, 1)
    assert found.summary["headline"] == "1 critical, 1 medium"
    assert found.summary["accepted"]["hidden_total"] == 1
    by_server = found.servers.set_index("server_id")
    assert (by_server.loc["known", "level"], by_server.loc["known", "open_level"]) == ("critical", "medium")
    assert found.risks.query("accepted")[["server_id", "metric", "level"]].to_numpy().tolist() == [
        ["known", "cpu", "critical"]
    ]
    whole_fleet.write(found, tmp_path)
    listed = json.loads((tmp_path / "findings.json").read_text())["findings"]
    assert [(one["server"], one["metric"], one["hidden"]) for one in listed if one["kind"] == "risk"] == [
        ("open", "cpu", False), ("known", "memory", False), ("known", "cpu", True)
    ]  # fmt: skip
    report = (tmp_path / "report.html").read_text()
    assert "1 of 3 servers above a critical threshold now" in report
    assert "Accepted findings" in report and "ends <b>soon" not in report


def test_an_accepted_disk_leaves_the_next_worst_one_in_its_place(tmp_path):
    """Each disk is a finding of its own: nobody who accepts one hides the others."""
    full, tight = [96.0] * 400, [85.0] * 400
    disks = {("db\x1f/data", "disk"): full, ("db\x1f/var", "disk"): tight, ("calm", "disk"): [20.0] * 400}
    panel = panel_of(disks, "h")
    chosen = Settings(frequency="h", horizon=24)
    one = DECISION | {"server": "db", "metric": "disk", "entity": "/data"}
    run = {"dataset": "demo", "run_id": "r", "created_at": "2026-02-01T00:00:00Z"}
    servers = pd.DataFrame({"server_id": ["db", "calm"]}).reindex(columns=["server_id", *ranking.ATTRIBUTES])

    def assessed_with(text):
        return whole_fleet.assessed(panel, servers, flat(panel, 24, "h"), chosen, run=run, decisions=text)

    before, after = assessed_with(""), assessed_with(accepted.written([accepted.decided(one)]))
    [first], [second] = before.summary["top"], after.summary["top"]
    assert (first["entity"], first["level"]) == ("/data", "critical")
    assert (second["server_id"], second["entity"], second["level"]) == ("db", "/var", "medium")
    assert "/var" in second["reason"]
    shown = results.open_view(after)
    assert shown.risks.set_index("server_id").loc["db", "entity"] == "/var"
    assert shown.seasonality.groupby(["server_id", "metric"]).size().max() == 1
    facts = after.every["risks"].set_index(["server_id", "entity"])
    assert (facts.loc[("db", "/data"), "accepted"], facts.loc[("db", "/var"), "accepted"]) == (True, False)
    assert after.servers.set_index("server_id").loc["db", ["level", "open_level"]].tolist() == ["critical", "medium"]
    whole_fleet.write(after, tmp_path)
    listed = json.loads((tmp_path / "findings.json").read_text())["findings"]
    found = [(one["entity"], one["hidden"]) for one in listed if one["kind"] == "risk"]
    assert found == [("/var", False), ("/data", True)]


def test_it_comes_back_the_day_after_its_end():
    text = accepted.written([accepted.decided(DECISION)])
    found = with_decisions(text, "2027-01-01T00:00:00Z")
    assert {one["server_id"] for one in found.summary["top"]} == {"open", "known"}
    assert [one["why"] for one in found.summary["accepted"]["returned"]] == ["expired"]
    assert found.summary["open_levels"] == found.summary["levels"]


@pytest.mark.parametrize("text", ["{", '{"schema": 1, "findings": [{}]}', "\ufffd\ufffd"])
def test_a_bad_file_of_accepted_findings_hides_nothing_is_told_and_stops_no_run(text, tmp_path):
    found = with_decisions(text)
    assert found.summary["open_levels"] == found.summary["levels"]
    assert found.summary["accepted"]["problems"]
    whole_fleet.write(found, tmp_path)
    assert "cannot be used, so nothing is hidden" in (tmp_path / "report.html").read_text()
