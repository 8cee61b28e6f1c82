"""What the report says: the headline, and the words of its sections."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from synthetic_assessment import assessment, with_silent

from headroom.core.periods import Frequency
from headroom.report import views


def test_the_headline_says_who_runs_out_and_when() -> None:
    found = assessment()
    first = found.risks["critical_date"].min()
    assert views.headline(found).startswith(
        "3 of 60 servers expected to reach a critical threshold in the next 90 days"
    )
    assert f"the first on {first:%-d %B}" in views.headline(found)


def test_the_headline_of_a_calm_fleet_says_that_nobody_is_at_risk() -> None:
    assert views.headline(assessment(calm=True)) == "No server is at risk in the next 90 days"
    assert views.headline(assessment(calm=True, frequency="h")) == "No server is at risk in the next 7 days"


def test_the_headline_of_an_hourly_fleet_says_the_hour() -> None:
    found = assessment(frequency="h")
    assert f"the first on {found.risks['critical_date'].min():%-d %B at %H:%M}" in views.headline(found)


def test_coverage_is_told_for_each_metric_from_what_was_forecast_with() -> None:
    rows = [
        {"candidate": "combination", "metric": "cpu", "series": 30, "coverage_80": 0.9},
        {"candidate": "combination", "metric": "cpu", "series": 10, "coverage_80": 0.5},
        {"candidate": "theta", "metric": "cpu", "series": 40, "coverage_80": 0.0},
        {"candidate": "theta", "metric": "disk", "series": 40, "coverage_80": 0.8},
    ]
    assert views.coverage({"candidates": rows}) == [("cpu", pytest.approx(0.8))]


def test_seasons_are_named_when_they_are_strong_and_their_peaks_when_they_are_noticeable() -> None:
    row = pd.Series({"day_strength": 0.7, "week_strength": 0.4, "year_strength": np.nan, "peak_hour": 14.0,
                     "peak_weekday": 2.0, "peak_month": np.nan})  # fmt: skip
    assert views.rhythm_of(row, Frequency.HOUR) == "daily, highest at 14:00, on Wednesdays"
    assert views.rhythm_of(row.replace(0.7, 0.5), Frequency.HOUR) == ""


def test_a_target_is_told_with_the_size_now_where_that_is_another() -> None:
    evidence = {"vcpus": 2, "memory_gb": 8}
    assert views.target_of({"target": {"vcpus": 2, "memory_gb": 16}, "evidence": evidence}) == (
        ["2 vCPUs, 16 GB"], "2 vCPUs, 8 GB",
    )  # fmt: skip
    assert views.target_of({"target": {"disk_factor": 1.3}, "evidence": evidence}) == (["1.3 × today's disk"], "")
    assert views.target_of({"target": {"factor": 0.5}, "evidence": {}}) == (["0.5 × today's size"], "")
    assert views.target_of({"target": {"hours_a_week": 118}, "evidence": {}}) == (["off 118 hours per week"], "")
    assert views.target_of({"target": {"host": "db-1"}, "evidence": {}}) == (["onto ", {"server": "db-1"}], "")
    assert views.target_of({"target": None, "evidence": {}}) == ([], "")


def test_the_time_to_act_is_a_date_or_now() -> None:
    as_of = pd.Timestamp("2026-11-15")
    assert views.by_when("2026-12-03", as_of) == "by 3 Dec"
    assert views.by_when("2026-11-15", as_of) == "now" and views.by_when(None, as_of) == ""


def test_a_fleet_of_which_nobody_is_judged_still_has_all_its_sections() -> None:
    found = with_silent(assessment(4), servers=3)
    risk = dataclasses.replace(found, profiles=[], fleet_peaks={})
    names = [one["id"] for one in views.sections(risk, risk.over_time, 4)]
    assert names == ["risk", "unjudged", "fleet", "rhythm", "groups", "actions", "data", "forecast", "run"]
