"""What a recommendation changes, and by when."""

from __future__ import annotations

import pandas as pd

from headroom.report.sections import actions


def test_a_target_is_told_with_the_size_now_where_that_is_another() -> None:
    evidence = {"vcpus": 2, "memory_gb": 8}
    assert actions.target_of({"target": {"vcpus": 2, "memory_gb": 16}, "evidence": evidence}) == (
        ["2 vCPUs, 16 GB"], "2 vCPUs, 8 GB",
    )  # fmt: skip
    assert actions.target_of({"target": {"disk_factor": 1.3}, "evidence": evidence}) == (["1.3 × today's disk"], "")
    assert actions.target_of({"target": {"factor": 0.5}, "evidence": {}}) == (["0.5 × today's size"], "")
    assert actions.target_of({"target": {"hours_a_week": 118}, "evidence": {}}) == (["off 118 hours per week"], "")
    assert actions.target_of({"target": {"host": "db-1"}, "evidence": {}}) == (["onto ", {"server": "db-1"}], "")
    assert actions.target_of({"target": None, "evidence": {}}) == ([], "")


def test_the_time_to_act_is_a_date_or_now() -> None:
    as_of = pd.Timestamp("2026-11-15")
    assert actions.by_when("2026-12-03", as_of) == "by 3 Dec"
    assert actions.by_when("2026-11-15", as_of) == "now" and actions.by_when(None, as_of) == ""
