"""How a run goes: which states it has been in, and why it failed. For the command line and the API."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any


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
