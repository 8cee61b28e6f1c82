"""The stack's alarms go on when what they watch happens."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from integration.service import Service, physical

from local.emulator import mailbox

LETTERS = {
    "ArrivalLettersAlarm": "ArrivalLettersArn",
    "EventLettersAlarm": "EventLettersArn",
    "FunctionLettersAlarm": "FunctionLettersArn",
}


def state(service: Service, alarm: str) -> str:
    [found] = service.cloud.client("cloudwatch").describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    return found["StateValue"]


def becomes(service: Service, alarm: str, wanted: str, seconds: float = 200) -> None:
    deadline = time.monotonic() + seconds
    while state(service, alarm) != wanted:
        assert time.monotonic() < deadline, f"{alarm} is {state(service, alarm)} and not {wanted}"
        time.sleep(1)


def queue(service: Service, output: str) -> str:
    name = service.stack.outputs[output].rpartition(":")[2]
    return service.cloud.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]


def test_a_dead_letter_rings(service: Service) -> None:
    """That the second one rings, too, is tested without waiting in tests/unit/local/emulator/test_alarms.py."""
    sqs, alarms = service.cloud.client("sqs"), {name: physical(service, name) for name in LETTERS}
    for output in LETTERS.values():
        sqs.send_message(QueueUrl=queue(service, output), MessageBody="{}")
    for alarm in alarms.values():
        becomes(service, alarm, "ALARM")
    for output in LETTERS.values():
        sqs.purge_queue(QueueUrl=queue(service, output))


SILENT = "silent: nothing arrived in 20 days"


def test_a_dataset_whose_files_have_stopped_coming_is_told_of_and_rings(service: Service) -> None:
    """As if its files had come on four days of last month; the schedule's next look is made at once."""
    table, today = service.stack.outputs["LedgerTable"], datetime.now(UTC).date()
    days = [(today - timedelta(days=number)).isoformat() for number in (20, 25, 30, 35)]
    dynamodb = service.cloud.client("dynamodb")
    for item, update, value in (
        ({"dataset": {"S": "silent"}, "item": {"S": "STATE"}}, "ADD arrivals :new", days),
        ({"dataset": {"S": "-"}, "item": {"S": "DATASETS"}}, "ADD members :new", ["silent"]),
    ):
        values = {":new": {"SS": value}}
        dynamodb.update_item(TableName=table, Key=item, UpdateExpression=update, ExpressionAttributeValues=values)
    # The schedule's own sweep may be under way: then it tells, or it has noted the hour's look before these days came.
    answer, deadline = None, time.monotonic() + 60
    while not (letters := [one for one in mailbox.letters(service.cloud.mailbox) if SILENT in one.subject]):
        assert time.monotonic() < deadline, answer
        dynamodb.delete_item(TableName=table, Key={"dataset": {"S": "-"}, "item": {"S": "SWEPT"}})
        answer = swept(service, b"{}")
    becomes(service, physical(service, "OverdueAlarm"), "ALARM")
    [payload] = re.findall(r"--payload '(.*?)'", letters[0].body)
    assert swept(service, payload.encode())["given_up"] == "silent"


def swept(service: Service, asked: bytes) -> Any:
    """What the sweep answers."""
    name = service.stack.outputs["SweepFunctionName"]
    return json.loads(service.cloud.client("lambda").invoke(FunctionName=name, Payload=asked)["Payload"].read())


def test_a_function_that_fails_rings(service: Service) -> None:
    function = physical(service, "RunStatusFunction")
    service.cloud.client("lambda").invoke(FunctionName=function, Payload=json.dumps({"no": "event"}).encode())
    becomes(service, physical(service, "FunctionErrorsAlarm"), "ALARM")


# Metrics that AWS's services report and the laptop cloud's do not: (alarm, namespace, metric, dimension, resource).
REPORTED = [
    ("FunctionThrottlesAlarm", "AWS/Lambda", "Throttles", "FunctionName", "PlanFunction"),
    ("RulesFailedAlarm", "AWS/Events", "FailedInvocations", "RuleName", "FileArrived"),
]


@pytest.mark.parametrize(("alarm", "namespace", "metric", "dimension", "resource"), REPORTED, ids=lambda one: str(one))
def test_what_the_services_report_rings(
    service: Service, alarm: str, namespace: str, metric: str, dimension: str, resource: str
) -> None:
    watched = physical(service, alarm)
    value: dict[str, Any] = {"MetricName": metric, "Value": 1, "Unit": "Count"}
    value["Dimensions"] = [{"Name": dimension, "Value": physical(service, resource)}]
    service.cloud.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[value])
    becomes(service, watched, "ALARM")
