"""How a run goes: its states, what its jobs write, and whether it can go on. For all doors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from names import execution_arn

# The states whose jobs write a log, and what people call these jobs; and SageMaker's kind of each.
STEPS = {"Preprocess": "preprocess", "Train": "train", "AssessRisk": "assess"}
KINDS = {"preprocess": "Processing", "train": "Training", "assess": "Processing"}
ENDED_BADLY = ("FAILED", "TIMED_OUT", "ABORTED")


def described(stepfunctions: Any, machine: str, dataset: str, execution: str) -> dict[str, Any] | None:
    """DescribeExecution's answer, if the execution is one of this dataset; None where it is not, or not there."""
    try:
        found = stepfunctions.describe_execution(executionArn=execution_arn(machine, execution))
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ExecutionDoesNotExist", "InvalidArn"):
            raise
        return None
    try:
        given = json.loads(found.get("input") or "{}")
    except ValueError:
        return None
    return found if isinstance(given, dict) and given.get("dataset") == dataset else None


def no_redrive(description: dict[str, Any]) -> str | None:
    """Why an execution (as DescribeExecution has it) cannot be redriven, and what to do; None where it can."""
    if description["status"] == "SUCCEEDED":
        return "it has succeeded, so nothing is left to go on with"
    if description["status"] not in ENDED_BADLY:
        return "it is under way: wait for its end"
    if description.get("redriveStatus", "REDRIVABLE") == "REDRIVABLE":
        return None
    reason = description.get("redriveStatusReason") or "it is not redrivable"
    return f"Step Functions cannot redrive it any more ({reason}): start a new run, which takes the files that wait"


@dataclass(frozen=True)
class Step:
    """One state of a run: when it began, and when it ended, if it has. ``failed`` is why it did not end well."""

    name: str
    began: datetime
    ended: datetime | None = None
    failed: str | None = None

    def seconds(self, now: datetime) -> float:
        """How long it took, or has taken until ``now``."""
        return ((self.ended or now) - self.began).total_seconds()


def steps(stepfunctions: Any, execution: str) -> list[Step]:
    """The states that the execution (an ARN) has been in. A state that a redrive ran again is there again."""
    found: list[Step] = []
    pages = stepfunctions.get_paginator("get_execution_history")
    for page in pages.paginate(executionArn=execution, PaginationConfig={"PageSize": 1000}):
        for event in page["events"]:
            kind, moment = event["type"], event["timestamp"]
            if kind.endswith("StateEntered"):
                found.append(Step(event["stateEnteredEventDetails"]["name"], moment))
            elif kind == "ExecutionRedriven" and found:
                found.append(Step(found[-1].name, moment))
            elif kind.endswith("StateExited"):
                found[-1] = Step(found[-1].name, found[-1].began, moment)
            elif kind in ("ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted") and found:
                found[-1] = Step(found[-1].name, found[-1].began, moment, kind.removeprefix("Execution"))
    return found


def jobs_begun(stepfunctions: Any, execution: str) -> list[str]:
    """Which of its jobs an execution (an ARN) has begun, in that order; one that was begun again is there again."""
    return [STEPS[one.name] for one in steps(stepfunctions, execution) if one.name in STEPS]


@dataclass(frozen=True)
class Log:
    """The last lines that a job wrote."""

    job: str
    """Its name, as SageMaker has it."""
    lines: list[str]


def job_log(logs: Any, kind: str, name: str, most: int) -> Log | None:
    """What the newest job whose name begins with ``name`` has written; None while there is nothing of it.

    ``kind`` is SageMaker's, Processing or Training. Of several instances the first one's log is taken.
    """
    group = f"/aws/sagemaker/{kind}Jobs"
    asked = {"logGroupName": group, "logStreamNamePrefix": name}
    streams: list[dict[str, Any]] = []
    try:
        while True:
            page = logs.describe_log_streams(**asked)
            streams += page["logStreams"]
            if not page.get("nextToken"):
                break
            asked["nextToken"] = page["nextToken"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
    if not streams:
        return None
    job = _job_of(max(streams, key=lambda one: (one.get("creationTime", 0), one["logStreamName"])))
    stream = min(one["logStreamName"] for one in streams if _job_of(one) == job)
    events = logs.get_log_events(logGroupName=group, logStreamName=stream, limit=most, startFromHead=False)["events"]
    return Log(job, [event["message"].rstrip() for event in events])


def _job_of(stream: dict[str, Any]) -> str:
    return stream["logStreamName"].partition("/")[0]
