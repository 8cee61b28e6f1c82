"""The file of accepted findings: strict, one decision per finding, and always an end."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroom.core import accepted
from headroom.core.accepted import Accepted, AcceptedError, Finding

GIVEN: dict[str, Any] = {
    "server": "web-1", "metric": "cpu", "state": "accepted", "level": "high", "reason": "moves in December",
    "by": "Ann", "at": "2026-11-21T09:00:00Z", "until": "2026-12-31",
}  # fmt: skip


def one(**other: Any) -> Accepted:
    return accepted.decided(GIVEN | other)


def test_what_is_written_is_read_again_and_in_one_order():
    both = [one(server="b"), one(server="a", entity="/var", kind="shrink")]
    text = accepted.written(both)
    assert accepted.parse(text) == both[::-1]
    assert accepted.written(accepted.parse(text)) == text


def test_no_file_and_an_empty_one_accept_nothing():
    assert accepted.parse("") == accepted.parse(" \n") == []
    assert accepted.parse('{"schema": 1, "findings": []}') == []


def test_a_later_decision_on_a_finding_takes_the_place_of_the_earlier_one():
    longer = one(until="2027-01-31")
    found = accepted.put([one(), one(metric="memory")], longer)
    assert [(item.metric, item.until) for item in found] == [
        ("memory", date(2026, 12, 31)),
        ("cpu", date(2027, 1, 31)),
    ]
    assert accepted.taken_back(found, Finding("web-1", "cpu")) == [one(metric="memory")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "file: Invalid JSON"),
        ("[]", "file: Input should be an object"),
        ('{"schema": 2, "findings": []}', "schema: Input should be 1"),
        ('{"findings": []}', "schema: Field required"),
        ('{"schema": 1, "findings": [], "all": true}', "all: Extra inputs are not permitted"),
        ('{"schema": 1, "findings": [{"server": 7}]}', "findings.0.server: Input should be a valid string"),
    ],
)
def test_a_file_that_says_anything_else_is_refused_with_the_place(text, problem):
    with pytest.raises(AcceptedError) as refused:
        accepted.parse(text)
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"level": "urgent"}, "level: Input should be"),
        ({"reason": "  "}, "reason: must say something"),
        ({"by": ""}, "by: String should have at least 1 character"),
        ({"until": "2026-11-20"}, "until must be a day from 2026-11-21 on"),
        ({"until": "2030-01-01"}, "at most 731 days later"),
        ({"until": "for ever"}, "until: Input should be a valid date"),
        ({"at": "2026-11-21T09:00:00"}, "at needs an offset"),
        ({"kind": "Risk!"}, "kind: String should match pattern"),
        ({"text": "CPU crosses 90 %"}, "text: Extra inputs are not permitted"),
    ],
)
def test_a_decision_that_is_not_complete_is_refused(wrong, problem):
    with pytest.raises(AcceptedError) as refused:
        one(**wrong)
    assert problem in str(refused.value)


def test_two_decisions_on_one_finding_are_refused_and_named():
    body = accepted.written([one()]).replace('"findings": [', '"findings": [' + one().model_dump_json() + ",")
    with pytest.raises(AcceptedError, match="web-1: cpu is there twice"):
        accepted.parse(body)


def test_a_finding_comes_back_the_day_after_its_end_and_when_it_gets_worse():
    known = one()
    assert accepted.returns(known, "high", date(2026, 12, 31)) == ""
    assert accepted.returns(known, "medium", date(2026, 12, 1)) == ""
    assert accepted.returns(known, "high", date(2027, 1, 1)) == "expired"
    assert accepted.returns(known, "critical", date(2026, 12, 1)) == "worse"


@given(st.text())
def test_no_text_breaks_it(text):
    try:
        accepted.parse(text)
    except AcceptedError as error:
        assert str(error)
