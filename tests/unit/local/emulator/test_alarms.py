"""When an alarm rings."""

from __future__ import annotations

import json
import time

import pytest
from infrastructure.stack import Stack
from ministack.services import cloudwatch

from local.emulator.alarms import embedded, evaluate, wanted_state


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


def after_each_minute(alarm: dict, watched: dict, values: list[float | None], monkeypatch: pytest.MonkeyPatch) -> str:
    """The alarm's states as letters, O and A, when one of its metrics has these values, minute by minute."""
    clock = [1_900_000_000.0]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    cloudwatch._metrics.clear()
    monkeypatch.setattr(cloudwatch, "_dispatch_alarm_actions", lambda *_: None)
    dimensions = {one["Name"]: one["Value"] for one in watched["Dimensions"]}
    expression = next((one["Expression"] for one in alarm.get("Metrics", []) if "Expression" in one), None)
    record = alarm | {"AlarmName": "a", "StateValue": "OK"} | ({"MetricName": expression} if expression else {})
    states = ""
    for value in values:
        clock[0] += 60
        if value is not None:
            cloudwatch.record_metric(watched["Namespace"], watched["MetricName"], value, "None", dimensions)
        evaluate(record)
        states += record["StateValue"][0]
    return states


OPTIONAL = {"SlackWebhookParameter": "/slack", "Collectors": "on", "HttpApi": "true"}


def watched_metrics() -> list[tuple[str, dict]]:
    """Every metric of every alarm of the stack, optional ones included."""
    found = []
    for name, alarm in Stack(**OPTIONAL).of_type("AWS::CloudWatch::Alarm").items():
        stats = [one["MetricStat"]["Metric"] for one in alarm.get("Metrics", []) if "MetricStat" in one]
        found += [(name, metric) for metric in stats or [alarm]]
    return found


@pytest.mark.parametrize(
    ("name", "watched"), watched_metrics(), ids=lambda one: one if isinstance(one, str) else one["MetricName"]
)
def test_every_alarm_of_the_stack_goes_on_and_comes_back(
    name: str, watched: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    alarm = Stack(**OPTIONAL).of_type("AWS::CloudWatch::Alarm")[name]
    quiet, bad = 0.0, float(alarm["Threshold"])
    states = after_each_minute(alarm, watched, [quiet] * 5 + [bad] + [quiet] * 20, monkeypatch)
    assert states.startswith("OOOOOA"), states
    assert states.endswith("AO" + "O" * (19 - states[6:].count("A"))), states
    almost = [quiet, 0.9 * bad, quiet, None, 0.9 * bad, None, quiet]
    assert "A" not in after_each_minute(alarm, watched, almost if bad > 1 else [quiet] * 7, monkeypatch)


@pytest.mark.parametrize("name", ["OverdueAlarm", "RunLateAlarm"])
def test_an_alarm_on_what_the_sweep_reports_stays_as_it_is_where_a_report_is_late(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alarm = Stack().of_type("AWS::CloudWatch::Alarm")[name]
    bad = float(alarm["Threshold"])
    states = after_each_minute(alarm, alarm, [0.0, bad, *[None] * 12, 0.0, *[None] * 6], monkeypatch)
    assert states == "O" + "A" * 13 + "O" * 7


def test_metrics_are_taken_out_of_a_functions_log() -> None:
    line = {
        "_aws": {
            "Timestamp": 1,
            "CloudWatchMetrics": [
                {
                    "Namespace": "Headroom",
                    "Dimensions": [["service"]],
                    "Metrics": [{"Name": "RunsFailed", "Unit": "Count"}, {"Name": "RelativeError", "Unit": "None"}],
                }
            ],
        },
        "service": "one",
        "RunsFailed": [1.0, 2.0],
        "RelativeError": 0.8,
    }
    log = "\n".join(
        ["START", json.dumps({"level": "INFO", "message": '"CloudWatchMetrics"'[1:]}), json.dumps(line), "{"]
    )
    assert list(embedded(log)) == [
        ("Headroom", "RunsFailed", 1.0, "Count", {"service": "one"}),
        ("Headroom", "RunsFailed", 2.0, "Count", {"service": "one"}),
        ("Headroom", "RelativeError", 0.8, "None", {"service": "one"}),
    ]
