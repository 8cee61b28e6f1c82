"""Evaluates CloudWatch alarms every few seconds; MiniStack does so only when somebody puts metric data.

An alarm is judged as on AWS: its own dimensions, its periods, ``DatapointsToAlarm`` and ``TreatMissingData``. Of
metric math it knows what the template uses, ``SUM(METRICS())`` and ``DIFF(FILL(name, 0))``, which MiniStack's
CloudFormation refuses; any other expression is refused here, too. Anomaly detection is left alone.
"""

from __future__ import annotations

import itertools
import json
import operator
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from ministack.core.iam_evaluator import pin_request_origin
from ministack.services import cloudwatch, lambda_svc, sqs
from ministack.services.cloudformation import provisioners

PERIOD_SECONDS = 2.0

SUM = "SUM(METRICS())"
_NEW = re.compile(r"DIFF\(FILL\((\w+), 0\)\)")
_COMPARISONS = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


def start() -> None:
    """Keep evaluating in the background, for as long as the process lives."""
    cloudwatch._evaluate_alarm = evaluate
    provisioners._cw_metric_alarm_record = _with_math(provisioners._cw_metric_alarm_record)
    lambda_svc._execute_function = _measured(lambda_svc._execute_function)
    threading.Thread(target=_keep_evaluating, name="alarms", daemon=True).start()


def _keep_evaluating() -> None:
    pin_request_origin("127.0.0.1", True)  # alarms publish over TLS
    while True:
        time.sleep(PERIOD_SECONDS)
        _measure_queues()
        cloudwatch._evaluate_all_alarms()


def _with_math(record: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """MiniStack's record of a template's alarm, for alarms on expressions, too."""

    def with_math(name: str, properties: dict[str, Any]) -> dict[str, Any]:
        metrics = properties.get("Metrics")
        if not metrics:
            return record(name, properties)
        (expression,) = (one["Expression"] for one in metrics if "Expression" in one)
        if not (expression == SUM or _NEW.fullmatch(expression)):
            raise ValueError(f"the laptop cloud does not know the expression {expression!r}")
        plain = {key: value for key, value in properties.items() if key != "Metrics"}
        periods = {int(one["MetricStat"]["Period"]) for one in metrics if "MetricStat" in one}
        alarm = record(name, plain | {"Namespace": "math", "MetricName": expression, "Period": max(periods)})
        return alarm | {"Metrics": metrics}

    return with_math


def _measured(execute: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Lambda reports invocations and errors of its functions by itself."""

    def measured(function: dict[str, Any], event: Any, *rest: Any, **more: Any) -> dict[str, Any]:
        answer = execute(function, event, *rest, **more)
        name = {"FunctionName": function["config"]["FunctionName"]}
        cloudwatch.record_metric("AWS/Lambda", "Invocations", 1, "Count", name)
        cloudwatch.record_metric("AWS/Lambda", "Errors", int(bool(answer.get("error"))), "Count", name)
        for metric in embedded(answer.get("log") or ""):
            cloudwatch.record_metric(*metric)
        return answer

    return measured


def embedded(log: str) -> Iterator[tuple[str, str, float, str, dict[str, str]]]:
    """Namespace, name, value, unit and dimensions of the metrics in a log: CloudWatch takes them out of its lines.

    The lines are in the embedded metric format, in which Powertools writes them.
    """
    for line in log.splitlines():
        if not line.startswith("{") or '"CloudWatchMetrics"' not in line:
            continue
        told = json.loads(line)
        for directive in told["_aws"]["CloudWatchMetrics"]:
            for names, metric in itertools.product(directive["Dimensions"], directive["Metrics"]):
                values = told[metric["Name"]]
                for value in values if isinstance(values, list) else [values]:
                    dimensions = {name: told[name] for name in names}
                    yield directive["Namespace"], metric["Name"], value, metric.get("Unit", "None"), dimensions


def _measure_queues() -> None:
    """SQS reports its queues to CloudWatch by itself; here, for the queues that an alarm asks about."""
    watched = {
        dimension["Value"]
        for alarm in list(cloudwatch._alarms.values())
        for metric in _metrics_of(alarm)
        if metric.get("Namespace") == "AWS/SQS"
        for dimension in metric.get("Dimensions") or []
        if dimension.get("Name") == "QueueName"
    }
    now = time.time()
    for queue in list(sqs._queues.values()):
        if queue.get("name") in watched:
            messages = queue.get("messages", [])
            hidden = sum(message.get("visible_at", 0) > now for message in messages)
            oldest = max((now - message.get("sent_at", now) for message in messages), default=0.0)
            for metric, value in (
                ("ApproximateNumberOfMessagesVisible", len(messages) - hidden),
                ("ApproximateNumberOfMessagesNotVisible", hidden),
                ("ApproximateAgeOfOldestMessage", oldest),
            ):
                cloudwatch.record_metric("AWS/SQS", metric, value, "Count", {"QueueName": queue["name"]})


def evaluate(alarm: dict[str, Any]) -> None:
    """Bring one metric alarm to the state that its metric asks for, and perform the actions of a change."""
    compare = _COMPARISONS.get(alarm.get("ComparisonOperator", ""))
    if compare is None or not alarm.get("MetricName"):
        return
    state = wanted_state(
        [_math(alarm, number) for number in range(alarm.get("EvaluationPeriods", 1))],
        lambda value: bool(compare(value, alarm.get("Threshold", 0))),
        alarm.get("DatapointsToAlarm") or alarm.get("EvaluationPeriods", 1),
        alarm.get("TreatMissingData") or "missing",
    )
    before = alarm["StateValue"]
    if state is None or state == before:
        return
    reason = f"Threshold Crossed: {alarm['MetricName']} {alarm['ComparisonOperator']} {alarm.get('Threshold', 0)}"
    alarm |= {"StateValue": state, "StateReason": reason, "StateUpdatedTimestamp": int(time.time())}
    cloudwatch._record_history(alarm["AlarmName"], before, state, reason)
    cloudwatch._dispatch_alarm_actions(alarm, before, state, reason)
    cloudwatch._evaluate_parent_alarms(alarm)


def wanted_state(points: list[float | None], breaches: Any, needed: int, missing: str) -> str | None:
    """``ALARM``, ``OK``, ``INSUFFICIENT_DATA``, or None for no change.

    ``points`` are the periods' values (None: no data), ``breaches`` judges one, ``needed`` breaching ones make an
    alarm, and ``missing`` is ``TreatMissingData``: missing, ignore, breaching or notBreaching.
    """
    present = [point for point in points if point is not None]
    if not present and missing in ("missing", "ignore"):
        return None if missing == "ignore" else "INSUFFICIENT_DATA"
    breaching = sum(breaches(point) for point in present)
    if missing == "breaching":
        breaching += len(points) - len(present)
    return "ALARM" if breaching >= needed else "OK"


def _metrics_of(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """The metrics that an alarm looks at: its own, or those of its expression, each as an alarm on it alone has it."""
    stats = [one["MetricStat"] for one in alarm.get("Metrics") or [] if "MetricStat" in one]
    return [one["Metric"] | {"Statistic": one["Stat"], "Period": int(one["Period"])} for one in stats] or [alarm]


def _math(alarm: dict[str, Any], number: int) -> float | None:
    """The alarm's value over the period ``number`` periods ago, or None without data."""
    metrics = _metrics_of(alarm)
    if "Metrics" not in alarm:
        return _values(alarm, number)
    if alarm["MetricName"] == SUM:
        found = [value for one in metrics if (value := _values(one, number)) is not None]
        return sum(found) if found else None
    (one,) = metrics
    return (_values(one, number) or 0) - (_values(one, number + 1) or 0)


def _values(alarm: dict[str, Any], number: int) -> float | None:
    """One metric's statistic over the period ``number`` periods ago, or None without data."""
    period = alarm.get("Period", 60)
    dimensions = {d["Name"]: d["Value"] for d in alarm.get("Dimensions") or []}
    end = time.time() - number * period
    key = (alarm["Namespace"], alarm["MetricName"], cloudwatch._dims_key(dimensions))
    points = [point for point in list(cloudwatch._metrics.get(key) or []) if end - period < point["Timestamp"] <= end]
    if not points:
        return None
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic", "Average")
    return cloudwatch._stat_value(cloudwatch._calc_stats(points), statistic, points)
