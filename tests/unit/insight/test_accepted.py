"""What is accepted is hidden for as long as it was said, and no finding beside it."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from headroom.core import accepted as core
from headroom.insight import accepted

TODAY = date(2026, 12, 1)
RISKS = pd.DataFrame(
    [
        ("web-1", "cpu", "high", 70.0, "CPU crosses."),
        ("web-1", "memory", "medium", 40.0, "Memory crosses."),
        ("db-1", "cpu", "critical", 90.0, "CPU is above."),
        ("db-1", "memory", "none", 0.0, "Fine."),
    ],
    columns=["server_id", "metric", "level", "score", "reason"],
)
STOP = {"action": "stop", "server_ids": ["idle"], "metric": "cpu", "reason": "Idle.", "evidence": {}, "priority": 1}
GROW = {"action": "grow", "server_ids": ["web-1"], "metric": "cpu", "reason": "Grow.", "priority": 2,
        "evidence": {"metrics": {"cpu": {}, "memory": {}}}}  # fmt: skip
MOVE = {"action": "consolidate", "server_ids": ["a", "b"], "metric": "cpu", "reason": "Move.", "evidence": {},
        "priority": 3}  # fmt: skip


def decision(server: str = "web-1", metric: str = "cpu", **other: str) -> core.Accepted:
    given = {"state": "accepted", "level": "high", "reason": "known", "by": "Ann", "at": "2026-11-21T09:00:00Z"}
    return core.decided(given | {"server": server, "metric": metric, "until": "2026-12-31"} | other)


def judged(*decisions: core.Accepted, risks: pd.DataFrame = RISKS) -> accepted.Judged:
    return accepted.judge(decisions, risks, [STOP, GROW, MOVE], TODAY)


def test_a_risk_is_hidden_by_server_and_metric_and_its_other_metrics_stay():
    found = judged(decision())
    assert [(one["server_id"], one["metric"], one["level"]) for one in found.hidden] == [("web-1", "cpu", "high")]
    assert accepted.hidden_risks(RISKS, found.findings).tolist() == [True, False, False, False]
    quiet = accepted.quieted(RISKS, found)
    assert quiet["level"].tolist() == ["none", "medium", "critical", "none"]
    assert quiet["reason"][0] == "CPU at high is accepted by Ann until 31 Dec 2026: known. CPU crosses."
    assert RISKS["level"].tolist() == ["high", "medium", "critical", "none"], "the facts stay"


def test_it_comes_back_when_it_ends_and_when_it_is_worse():
    found = judged(decision(until="2026-11-30"), decision("db-1"))
    assert found.hidden == []
    assert [(one["server_id"], one["why"], one["level_then"], one["level"]) for one in found.returned] == [
        ("web-1", "expired", "high", "high"),
        ("db-1", "worse", "high", "critical"),
    ]


def test_a_decision_on_what_is_not_found_now_hides_nothing_and_is_kept_for_later():
    assert judged(decision("db-1", "memory"), decision("gone")) == accepted.Judged()


def test_an_entity_has_decisions_of_its_own():
    risks = pd.DataFrame(
        {"server_id": "web-1", "metric": "disk", "entity": ["/var", "/data", ""], "level": "high", "score": 1.0}
    )
    found = judged(decision(metric="disk", entity="/var"), risks=risks)
    assert accepted.hidden_risks(risks, found.findings).tolist() == [True, False, False]
    assert judged(decision(metric="disk"), risks=risks).findings == {core.Finding("web-1", "disk")}


def test_advice_is_hidden_for_its_server_and_numbers_close_up():
    found = judged(decision("idle", kind="stop", level="none"))
    left = accepted.open_advice([STOP, GROW, MOVE], found.findings, accepted.quieted(RISKS, found))
    assert [(one["action"], one["priority"]) for one in left] == [("grow", 1), ("consolidate", 2)]


def test_advice_for_several_servers_stays_until_all_are_accepted():
    first = decision("a", kind="consolidate", level="none")
    assert len(accepted.open_advice([MOVE], judged(first).findings, RISKS)) == 1
    both = judged(first, decision("b", kind="consolidate", level="none"))
    assert accepted.open_advice([MOVE], both.findings, RISKS) == []


def test_advice_to_grow_goes_with_the_risks_that_it_follows_from():
    risks = RISKS.replace({"level": {"medium": "high"}})
    one, both = judged(decision(), risks=risks), judged(decision(), decision(metric="memory"), risks=risks)
    assert len(accepted.open_advice([GROW], one.findings, accepted.quieted(risks, one))) == 1
    assert accepted.open_advice([GROW], both.findings, accepted.quieted(risks, both)) == []


@pytest.mark.parametrize("kind", ["stopp", "grow"])
def test_a_kind_that_does_not_exist_is_told_and_hides_nothing(kind):
    text = core.written([decision(), decision("idle", kind=kind)])
    found, problems = accepted.read(text, ["grow", "stop"])
    assert found == []
    assert problems == [f"findings: idle, cpu: {kind!r} is not a kind of finding; there are risk, stop"]


def test_all_that_can_be_accepted_is_listed_the_most_urgent_first_and_the_hidden_last():
    found = accepted.listed(RISKS, [STOP, GROW], judged(decision("db-1", level="critical")).findings)
    assert [(one["server"], one["metric"], one["kind"], one["level"], one["hidden"]) for one in found] == [
        ("web-1", "cpu", "risk", "high", False),
        ("web-1", "memory", "risk", "medium", False),
        ("db-1", "cpu", "risk", "critical", True),
        ("idle", "cpu", "stop", "none", False),
    ]


def test_advice_about_one_disk_stays_when_another_is_accepted():
    grow = {**GROW, "metric": "disk", "evidence": {"metrics": {"disk": {"entity": "/data"}}}}
    risks = pd.DataFrame({
        "server_id": "web-1", "metric": "disk", "entity": ["/data", "/var"], "level": ["high", "medium"],
        "score": [70.0, 40.0], "reason": "It fills.",
    })  # fmt: skip

    def left(disk: str) -> int:
        found = judged(decision(metric="disk", entity=disk), risks=risks)
        return len(accepted.open_advice([grow], found.findings, accepted.quieted(risks, found)))

    assert (left("/var"), left("/data")) == (1, 0)
