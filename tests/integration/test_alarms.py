"""The stack's alarms go on when what they watch happens."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.cloud import Cloud
from local.deploy import Stack
from local.emulator import mailbox

LETTERS = {
    "ArrivalLettersAlarm": "ArrivalLettersArn",
    "EventLettersAlarm": "EventLettersArn",
    "FunctionLettersAlarm": "FunctionLettersArn",
}


def physical(cloud: Cloud, stack: Stack, name: str) -> str:
    found = cloud.client("cloudformation").describe_stack_resource(StackName=stack.name, LogicalResourceId=name)
    return found["StackResourceDetail"]["PhysicalResourceId"]


def state(cloud: Cloud, alarm: str) -> str:
    [found] = cloud.client("cloudwatch").describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    return found["StateValue"]


def becomes(cloud: Cloud, alarm: str, wanted: str, seconds: float = 200) -> None:
    deadline = time.monotonic() + seconds
    while state(cloud, alarm) != wanted:
        assert time.monotonic() < deadline, f"{alarm} is {state(cloud, alarm)} and not {wanted}"
        time.sleep(1)


def queue(cloud: Cloud, stack: Stack, output: str) -> str:
    name = stack.outputs[output].rpartition(":")[2]
    return cloud.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]


def test_a_dead_letter_rings(cloud: Cloud, stack: Stack) -> None:
    """That the second one rings, too, is tested without waiting in tests/unit/local/emulator/test_alarms.py."""
    sqs, alarms = cloud.client("sqs"), {name: physical(cloud, stack, name) for name in LETTERS}
    for output in LETTERS.values():
        sqs.send_message(QueueUrl=queue(cloud, stack, output), MessageBody="{}")
    for alarm in alarms.values():
        becomes(cloud, alarm, "ALARM")
    for output in LETTERS.values():
        sqs.purge_queue(QueueUrl=queue(cloud, stack, output))


def test_a_dataset_whose_files_have_stopped_coming_is_told_of_and_rings(cloud: Cloud, stack: Stack) -> None:
    """As if its files had come on four days of last month; the schedule's next look is made at once."""
    table, today = stack.outputs["LedgerTable"], datetime.now(UTC).date()
    days = [(today - timedelta(days=number)).isoformat() for number in (20, 25, 30, 35)]
    dynamodb = cloud.client("dynamodb")
    for item, update, value in (
        ({"dataset": {"S": "silent"}, "item": {"S": "STATE"}}, "ADD arrivals :new", days),
        ({"dataset": {"S": "-"}, "item": {"S": "DATASETS"}}, "ADD members :new", ["silent"]),
    ):
        values = {":new": {"SS": value}}
        dynamodb.update_item(TableName=table, Key=item, UpdateExpression=update, ExpressionAttributeValues=values)
    dynamodb.delete_item(TableName=table, Key={"dataset": {"S": "-"}, "item": {"S": "SWEPT"}})
    sweep = stack.outputs["SweepFunctionName"]
    answer = json.loads(cloud.client("lambda").invoke(FunctionName=sweep, Payload=b"{}")["Payload"].read())
    assert answer.get("overdue") == ["silent"], answer
    becomes(cloud, physical(cloud, stack, "OverdueAlarm"), "ALARM")
    [letter] = [one for one in mailbox.letters(cloud.mailbox) if "silent: nothing arrived in 20 days" in one.subject]
    [payload] = re.findall(r"--payload '(.*?)'", letter.body)
    answer = json.loads(cloud.client("lambda").invoke(FunctionName=sweep, Payload=payload.encode())["Payload"].read())
    assert answer["given_up"] == "silent"


def test_a_function_that_fails_rings(cloud: Cloud, stack: Stack) -> None:
    function = physical(cloud, stack, "RunStatusFunction")
    cloud.client("lambda").invoke(FunctionName=function, Payload=json.dumps({"no": "event"}).encode())
    becomes(cloud, physical(cloud, stack, "FunctionErrorsAlarm"), "ALARM")


# Metrics that AWS's services report and the laptop cloud's do not: (alarm, namespace, metric, dimension, resource).
REPORTED = [
    ("FunctionThrottlesAlarm", "AWS/Lambda", "Throttles", "FunctionName", "PlanFunction"),
    ("RulesFailedAlarm", "AWS/Events", "FailedInvocations", "RuleName", "FileArrived"),
]


@pytest.mark.parametrize(("alarm", "namespace", "metric", "dimension", "resource"), REPORTED, ids=lambda one: str(one))
def test_what_the_services_report_rings(
    cloud: Cloud, stack: Stack, alarm: str, namespace: str, metric: str, dimension: str, resource: str
) -> None:
    watched = physical(cloud, stack, alarm)
    value: dict[str, Any] = {"MetricName": metric, "Value": 1, "Unit": "Count"}
    value["Dimensions"] = [{"Name": dimension, "Value": physical(cloud, stack, resource)}]
    cloud.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[value])
    becomes(cloud, watched, "ALARM")
