"""Follows a run of the capacity state machine: which state it is in, what its job says, how it ended."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

FINAL = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")


# As locks.py and the command line name the executions that they start: these need not be described.
_OURS = re.compile(r"(.+)-(\d{8}T\d{6}-\d{6}|after-[0-9a-f]{12}-\d+|key-[0-9a-f]{24})")


class Cloud(Protocol):
    """Where a stack is: on AWS, or on this laptop."""

    def client(self, service: str) -> Any:
        """A boto3 client."""


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


def executions(cloud: Cloud, machine: str, dataset: str) -> list[dict[str, Any]]:
    """The dataset's executions, the oldest first, as ListExecutions gives them."""
    states = cloud.client("stepfunctions")
    found = states.list_executions(stateMachineArn=machine)["executions"]
    ours = [execution for execution in found if dataset_of(states, execution) == dataset]
    return sorted(ours, key=lambda execution: execution["startDate"])


def dataset_of(states: Any, execution: dict[str, Any]) -> str | None:
    """The dataset of an execution, by its name where a run is named by Headroom, else by its input."""
    if named := _OURS.fullmatch(execution["name"]):
        return named[1]
    given = json.loads(states.describe_execution(executionArn=execution["executionArn"]).get("input") or "{}")
    return given.get("dataset") if isinstance(given, dict) else None


def wait_for_start(cloud: Cloud, machine: str, dataset: str, known: set[str], seconds: float) -> str | None:
    """The first execution of the dataset that is not among ``known``, or None if none comes in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for execution in executions(cloud, machine, dataset):
            if execution["executionArn"] not in known:
                return execution["executionArn"]
        time.sleep(0.2)
    return None


def steps(cloud: Cloud, execution: str) -> list[Step]:
    """The states that the execution has been in. A state that a redrive ran again is there again."""
    found: list[Step] = []
    pages = cloud.client("stepfunctions").get_paginator("get_execution_history")
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


def follow(cloud: Cloud, execution: str, every: float = 0.25) -> Iterator[tuple[dict[str, Any], list[Step]]]:
    """(DescribeExecution, steps) again and again until the execution has ended, the last time after its end."""
    states = cloud.client("stepfunctions")
    while True:
        description = states.describe_execution(executionArn=execution)
        yield description, steps(cloud, execution)
        if description["status"] in FINAL:
            return
        time.sleep(every)


def running_job(cloud: Cloud, dataset: str) -> str | None:
    """The name of the dataset's SageMaker job that is running now."""
    sagemaker = cloud.client("sagemaker")
    for kind in ("processing", "training"):
        answer = getattr(sagemaker, f"list_{kind}_jobs")(
            StatusEquals="InProgress", NameContains=dataset[:20], SortOrder="Descending"
        )
        for job in answer[f"{kind.capitalize()}JobSummaries"]:
            return job[f"{kind.capitalize()}JobName"]
    return None


def log_tail(cloud: Cloud, job: str, lines: int) -> list[str]:
    """The last lines that a job wrote."""
    from botocore.exceptions import ClientError

    logs = cloud.client("logs")
    for kind in ("Processing", "Training"):
        group = f"/aws/sagemaker/{kind}Jobs"
        try:
            streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{job}/")["logStreams"]
        except ClientError:
            continue
        for stream in streams:
            events = logs.get_log_events(
                logGroupName=group, logStreamName=stream["logStreamName"], limit=lines, startFromHead=False
            )["events"]
            return [event["message"] for event in events]
    return []


@dataclass(frozen=True)
class Failure:
    """Why an execution did not succeed: the error's name, a reason for people, and the job where it was one."""

    error: str
    reason: str
    job: str | None


def failure(description: dict[str, Any]) -> Failure:
    """What DescribeExecution says of a failure; a failed job's cause is its whole description."""
    error, cause = description.get("error") or description["status"], description.get("cause") or ""
    try:
        details = json.loads(cause)
    except ValueError:
        details = None
    if not isinstance(details, dict):
        return Failure(error, cause, None)
    job = details.get("ProcessingJobName") or details.get("TrainingJobName")
    reasons = [details.get(key) for key in ("FailureReason", "ExitMessage", "errorMessage")]
    return Failure(error, ": ".join(filter(None, reasons)) or cause, job)
