"""Follows a run of the capacity state machine: which state it is in, what its job says, how it ended."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any, Protocol

from functions.failures import Failure
from functions.following import ENDED_BADLY, KINDS, Log, Step, job_log, steps
from functions.names import job_name

FINAL = ("SUCCEEDED", *ENDED_BADLY)
# As locks.py and the command line name the executions that they start: these need not be described.
_OURS = re.compile(r"(.+)-(\d{8}T\d{6}-\d{6}|after-[0-9a-f]{12}-\d+|key-[0-9a-f]{24})")


class Cloud(Protocol):
    """Where a stack is: on AWS, or on this laptop."""

    def client(self, service: str) -> Any:
        """A boto3 client."""


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


def follow(cloud: Cloud, execution: str, every: float = 0.25) -> Iterator[tuple[dict[str, Any], list[Step]]]:
    """(DescribeExecution, steps) again and again until the execution has ended, the last time after its end."""
    states = cloud.client("stepfunctions")
    while True:
        description = states.describe_execution(executionArn=execution)
        yield description, steps(states, execution)
        if description["status"] in FINAL:
            return
        time.sleep(every)


def log_of(cloud: Cloud, prefix: str, dataset: str, execution: str, job: str, most: int) -> Log | None:
    """What a run's newest job of a kind has written; ``execution`` is an ARN, ``prefix`` the stack's JobNamePrefix."""
    return job_log(cloud.client("logs"), KINDS[job], f"{job_name(prefix, dataset, job, execution)}-", most)


def log_of_failed(cloud: Cloud, failed: Failure, most: int) -> list[str]:
    """The last lines of the job that a run failed in, where it was one."""
    if failed.job is None or failed.kind is None:
        return []
    log = job_log(cloud.client("logs"), failed.kind, f"{failed.job}/", most)
    return log.lines if log else []
