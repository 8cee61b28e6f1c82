"""The headline."""

from __future__ import annotations

from synthetic_assessment import assessment

from headroom.report.sections import top


def test_the_headline_says_who_runs_out_and_when() -> None:
    found = assessment()
    first = found.risks["critical_date"].min()
    assert top.headline(found).startswith("3 of 60 servers expected to reach a critical threshold in the next 90 days")
    assert f"the first around {first:%-d %B}" in top.headline(found)


def test_the_headline_of_a_calm_fleet_says_that_nobody_is_at_risk() -> None:
    assert top.headline(assessment(calm=True)) == "No server is at risk in the next 90 days"
    assert top.headline(assessment(calm=True, frequency="h")) == "No server is at risk in the next 7 days"


def test_the_headline_of_an_hourly_fleet_says_the_hour() -> None:
    found = assessment(frequency="h")
    assert f"the first around {found.risks['critical_date'].min():%-d %B at %H:%M}" in top.headline(found)
