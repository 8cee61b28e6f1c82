"""When an alarm rings."""

from __future__ import annotations

import time

import pytest
from infrastructure.stack import Stack
from ministack.services import cloudwatch

from local.emulator.alarms import evaluate, wanted_state


@pytest.mark.parametrize(
    ("points", "needed", "missing", "state"),
    [
        ([1.0], 1, "notBreaching", "ALARM"),
        ([0.0], 1, "notBreaching", "OK"),
        ([None], 1, "notBreaching", "OK"),
        ([None], 1, "breaching", "ALARM"),
        ([None], 1, "missing", "INSUFFICIENT_DATA"),
        ([None], 1, "ignore", None),
        ([1.0, None, 1.0], 2, "notBreaching", "ALARM"),
        ([1.0, None, None], 2, "notBreaching", "OK"),
        ([1.0, None, None], 2, "breaching", "ALARM"),
        ([1.0, 0.0, None], 2, "missing", "OK"),
    ],
)
def test_an_alarm_is_judged_as_on_aws(points: list[float | None], needed: int, missing: str, state: str | None) -> None:
    assert wanted_state(points, lambda value: value >= 1, needed, missing) == state


def lying(alarm: dict, minutes: list[int | None], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The alarm's state after each minute, when so many letters lie in its queue (None: SQS reports nothing)."""
    clock = [1_800_000_000.0]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    monkeypatch.setattr(cloudwatch, "_dispatch_alarm_actions", lambda *_: None)
    (stat,) = (one["MetricStat"] for one in alarm["Metrics"] if "MetricStat" in one)
    dimensions = {one["Name"]: one["Value"] for one in stat["Metric"]["Dimensions"]}
    (expression,) = (one["Expression"] for one in alarm["Metrics"] if "Expression" in one)
    record = alarm | {"AlarmName": "a", "MetricName": expression, "StateValue": "OK"}
    states = []
    for count in minutes:
        clock[0] += 60
        if count is not None:
            cloudwatch.record_metric(
                stat["Metric"]["Namespace"], stat["Metric"]["MetricName"], count, "Count", dimensions
            )
        evaluate(record)
        states.append(record["StateValue"])
    return states


@pytest.mark.parametrize("name", ["ArrivalLettersAlarm", "EventLettersAlarm", "FunctionLettersAlarm"])
def test_the_stacks_alarm_rings_with_every_dead_letter_and_not_while_it_lies_there(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alarm = Stack().of_type("AWS::CloudWatch::Alarm")[name]
    quiet, ringing = ["OK"], ["ALARM"]
    # Two letters, ten minutes apart; the first one still lies there when the second comes.
    states = lying(alarm, [0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2], monkeypatch)
    assert states == quiet * 2 + ringing * 3 + quiet * 3 + ringing * 3 + quiet


def test_the_stacks_alarm_sees_the_first_letter_of_a_queue_that_has_reported_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alarm = Stack().of_type("AWS::CloudWatch::Alarm")["ArrivalLettersAlarm"]
    alarm["Metrics"][1]["MetricStat"]["Metric"]["Dimensions"][0]["Value"] = "silent"
    assert lying(alarm, [None, None, 1, None, None, None], monkeypatch)[:3] == ["OK", "OK", "ALARM"]
