"""What somebody has accepted is said in the report, with who and until when; nothing is hidden in silence."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import synthetic_assessment

from headroom.report.sections import accepted, top

HIDDEN = {
    "server_id": "web-001", "metric": "cpu", "entity": None, "kind": "risk", "state": "accepted", "level": "high",
    "level_then": "high", "reason": "moves <b>soon</b>.", "by": "Ann", "at": "2026-11-01T09:00:00+00:00",
    "until": "2026-12-31",
}  # fmt: skip
NOTHING: dict[str, Any] = {"hidden_total": 0, "hidden": [], "returned_total": 0, "returned": [], "problems": []}


def fleet(**known: Any) -> Any:
    found = synthetic_assessment.assessment(10)
    return dataclasses.replace(found, summary=found.summary | {"accepted": NOTHING | known})


def test_there_is_no_section_where_nobody_has_accepted_anything():
    assert accepted.section(fleet()) == []


def test_hidden_findings_are_listed_with_person_reason_and_last_day():
    [section] = accepted.section(fleet(hidden_total=1, hidden=[HIDDEN]))
    told = json.dumps(section)
    for words in ("web-001", "CPU: high", "accepted by Ann", "1 Nov 2026", "31 Dec 2026", "moves <b>soon</b>."):
        assert words in told
    assert "1 finding is left out" in told
    assert accepted.of_metric(fleet(hidden_total=1, hidden=[HIDDEN]), "web-001", "cpu") == (
        "Accepted by Ann until 31 Dec 2026: moves <b>soon</b>."
    )
    assert accepted.of_metric(fleet(), "web-001", "cpu") == ""


def test_findings_that_came_back_say_why():
    back = HIDDEN | {"why": "worse", "level": "critical"}
    told = json.dumps(accepted.section(fleet(returned_total=1, returned=[back])))
    assert "Back, as it has become worse. " in told and "high at that time" in told and "No finding is hidden." in told


def test_a_file_that_cannot_be_used_is_a_warning_with_its_problems():
    told = json.dumps(accepted.section(fleet(problems=["findings.0.until: Field required"])))
    assert "so nothing is hidden" in told and "findings.0.until: Field required" in told


def test_the_headline_counts_what_is_open_and_names_what_is_not():
    found = fleet(hidden_total=2, hidden=[HIDDEN] * 2)
    coming = found.risks["critical_date"].notna()
    quiet = dataclasses.replace(found, risks=found.risks.assign(accepted=True))
    assert coming.any() and "expected to reach" in top.headline(found)
    assert "expected to reach a critical threshold in" not in top.headline(quiet).replace("none expected", "")
    numbers = {words: (number, anchor) for number, words, anchor in top.top(found)["numbers"]}
    assert numbers["accepted, not counted here"] == ("2", "accepted")
