"""Evaluates CloudWatch alarms every few seconds; MiniStack does so only when somebody puts metric data.

An alarm on one metric is judged as on AWS: its own dimensions, its periods, ``DatapointsToAlarm`` and
``TreatMissingData``. Alarms on expressions of several metrics and anomaly detection are left alone.
"""

from __future__ import annotations

import operator
import threading
import time
from typing import Any

from ministack.core.iam_evaluator import pin_request_origin
from ministack.services import cloudwatch, sqs

PERIOD_SECONDS = 2.0

_COMPARISONS = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


def start() -> None:
    """Keep evaluating in the background, for as long as the process lives."""
    cloudwatch._evaluate_alarm = evaluate
    threading.Thread(target=_keep_evaluating, name="alarms", daemon=True).start()


def _keep_evaluating() -> None:
    pin_request_origin("127.0.0.1", True)  # alarms publish over TLS
    while True:
        time.sleep(PERIOD_SECONDS)
        _measure_queues()
        cloudwatch._evaluate_all_alarms()


def _measure_queues() -> None:
    """SQS reports its queues to CloudWatch by itself; here, for the queues that an alarm asks about."""
    watched = {
        dimension["Value"]
        for alarm in list(cloudwatch._alarms.values())
        if alarm.get("Namespace") == "AWS/SQS"
        for dimension in alarm.get("Dimensions") or []
        if dimension.get("Name") == "QueueName"
    }
    now = time.time()
    for queue in list(sqs._queues.values()):
        if queue.get("name") in watched:
            messages = queue.get("messages", [])
            hidden = sum(message.get("visible_at", 0) > now for message in messages)
            for metric, value in (
                ("ApproximateNumberOfMessagesVisible", len(messages) - hidden),
                ("ApproximateNumberOfMessagesNotVisible", hidden),
            ):
                cloudwatch.record_metric("AWS/SQS", metric, value, "Count", {"QueueName": queue["name"]})


def evaluate(alarm: dict[str, Any]) -> None:
    """Bring one metric alarm to the state that its metric asks for, and perform the actions of a change."""
    compare = _COMPARISONS.get(alarm.get("ComparisonOperator", ""))
    if compare is None or not alarm.get("MetricName"):
        return
    state = wanted_state(
        [_values(alarm, number) for number in range(alarm.get("EvaluationPeriods", 1))],
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


def _values(alarm: dict[str, Any], number: int) -> float | None:
    """The alarm's statistic over the period ``number`` periods ago, or None without data."""
    period = alarm.get("Period", 60)
    dimensions = {d["Name"]: d["Value"] for d in alarm.get("Dimensions") or []}
    end = time.time() - number * period
    points = [
        point
        for (namespace, metric, _), series in list(cloudwatch._metrics.items())
        if namespace == alarm["Namespace"] and metric == alarm["MetricName"]
        for point in list(series)
        if point.get("Dimensions", {}) == dimensions and end - period < point["Timestamp"] <= end
    ]
    if not points:
        return None
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic", "Average")
    return cloudwatch._stat_value(cloudwatch._calc_stats(points), statistic, points)
