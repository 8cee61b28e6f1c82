"""All sections of the page."""

from __future__ import annotations

import dataclasses

from synthetic_assessment import assessment, with_silent

from headroom.report import sections


def test_a_fleet_of_which_nobody_is_judged_still_has_all_its_sections() -> None:
    found = with_silent(assessment(4), servers=3)
    risk = dataclasses.replace(found, profiles=[], fleet_peaks={})
    names = [one["id"] for one in sections.all_sections(risk, risk.over_time, 4)]
    assert names == ["risk", "unjudged", "fleet", "rhythm", "groups", "actions", "data", "forecast", "run"]
