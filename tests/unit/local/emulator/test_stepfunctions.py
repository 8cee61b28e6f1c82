"""Redrives that AWS refuses are refused here."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest
from ministack.services import stepfunctions as sfn

from local.emulator.stepfunctions import redrive, redrive_status


def failed(ended: timedelta, began: timedelta | None = None, events: int = 5) -> dict[str, Any]:
    """An execution that ended so long ago, known to the emulator."""
    now = datetime.now(UTC)
    execution = {
        "executionArn": "arn:aws:states:us-east-1:000000000000:execution:m:x",
        "stateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:m",
        "name": "x",
        "status": "FAILED",
        "input": "{}",
        "startDate": (now - (began or ended + timedelta(hours=1))).isoformat(),
        "stopDate": (now - ended).isoformat(),
        "events": [{}] * events,
    }
    sfn._executions[execution["executionArn"]] = execution
    return execution


@pytest.mark.parametrize(
    ("execution", "why"),
    [
        (failed(timedelta(days=14, minutes=1)), "exceeded the redrivable period of 14 days"),
        (failed(timedelta(days=1), began=timedelta(days=366)), "exceeded the maximum open time of one year"),
        (failed(timedelta(days=1), events=24_999), "event history has 24999 events"),
    ],
)
def test_a_redrive_that_aws_refuses_is_refused_with_its_error(execution: dict[str, Any], why: str) -> None:
    sfn._executions[execution["executionArn"]] = execution
    status, _, body = redrive({"executionArn": execution["executionArn"]})
    told = json.loads(body)
    assert (status, told["__type"]) == (400, "ExecutionNotRedrivable")
    assert why in told["message"]
    assert execution["status"] == "FAILED", "nothing has changed"
    assert redrive_status(execution)[0] == "NOT_REDRIVABLE", "and so says DescribeExecution"


def test_the_redrivable_period_begins_with_the_end_and_not_with_the_start() -> None:
    assert redrive_status(failed(timedelta(days=13), began=timedelta(days=30)))[0] == "REDRIVABLE"


def test_what_is_known_of_these_errors_is_what_the_services_model_says() -> None:
    shape = botocore.session.get_session().get_service_model("stepfunctions").operation_model("RedriveExecution")
    assert "ExecutionNotRedrivable" in {error.name for error in shape.error_shapes}
