"""What is different from the previous run."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from headroom.insight import changes


def levels(**of):
    return pd.DataFrame({"server_id": list(of), "level": list(of.values())})


def previous(folder, of, run_id="before"):
    (folder / "risk_summary.json").write_text(json.dumps({"schema": 1, "run_id": run_id}))
    (folder / "tables" / "servers").mkdir(parents=True)
    levels(**of).to_parquet(folder / "tables" / "servers" / "servers.parquet")
    return folder


def test_new_resolved_worse_and_better_are_told_apart(tmp_path):
    before = previous(tmp_path, {
        "calm": "none", "new": "low", "solved": "critical", "worse": "high", "eased": "critical", "milder": "medium",
        "gone": "critical",
    })  # fmt: skip
    now = levels(
        calm="none", new="critical", solved="low", worse="critical", eased="high", milder="low", arrived="high"
    )
    found, notes = changes.against(before, now)
    assert notes == []
    assert found == {
        "previous_run_id": "before", "new_at_risk": ["new", "arrived"], "resolved": ["solved"], "worse": ["worse"],
        "better": ["eased", "milder"],
    }  # fmt: skip


def test_each_server_that_moved_is_told_with_both_levels(tmp_path):
    before = previous(tmp_path, {"calm": "none", "new": "low", "solved": "critical", "gone": "high"})
    now = levels(calm="none", new="critical", solved="none", arrived="high")
    assert changes.moved(before, now) == {
        "new": {"was": "low", "now": "critical"}, "solved": {"was": "critical", "now": "none"},
        "arrived": {"was": "none", "now": "high"},
    }  # fmt: skip
    assert changes.moved(None, now) == {}


def test_a_server_that_has_fallen_silent_has_solved_nothing(tmp_path):
    before = previous(tmp_path, {"silent": "critical", "half": "medium", "well": "critical", "pressed": "low"})
    now = levels(silent="none", half="low", well="none", pressed="critical")
    found, _ = changes.against(before, now, {"silent", "half", "pressed"})
    assert (found["resolved"], found["better"], found["new_at_risk"]) == (["well"], [], ["pressed"])


def test_the_first_run_has_nothing_to_compare_with(tmp_path):
    assert changes.against(None, levels(a="high")) == (None, [])
    assert changes.against(tmp_path, levels(a="high")) == (None, [])
    assert changes.clusters_of(tmp_path) == (None, [])


@pytest.mark.parametrize("content", ["", "[]", "{", '{"schema": 99}'])
def test_unreadable_results_of_the_previous_run_are_a_note_not_a_failure(tmp_path, content):
    (tmp_path / "risk_summary.json").write_text(content)
    (tmp_path / "risk_flagged_forecasts.parquet").write_text("not parquet")
    found, notes = changes.against(tmp_path, levels(a="high"))
    assert found is None and "No comparison" in notes[0]


def test_a_level_that_nobody_knows_is_a_note_not_a_failure(tmp_path):
    found, notes = changes.against(previous(tmp_path, {"a": "severe"}), levels(a="high"))
    assert found is None and "No comparison" in notes[0]
