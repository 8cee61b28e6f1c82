"""Starts a run that somebody has asked for, once for each key, and never beside another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from following import no_redrive
from ledger import Ledger
from locks import runs, take_lock
from names import execution_arn, execution_name

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class Busy(Exception):
    """The dataset has a run: ``running`` is the name of its execution."""

    def __init__(self, running: str | None) -> None:
        self.running = running
        super().__init__(
            f"the dataset has a run ({running}): wait for its end; files that came start the next by itself"
        )


class NotRedrivable(Exception):
    """The execution cannot go on; the message says why and what to do."""


class OtherRequest(Exception):
    """The key was used before, for a run that was to be another one."""


def name_of(dataset: str, key: str | None, caller: str, now: datetime) -> str:
    """The execution's name: the same for the same caller and key, otherwise a new one."""
    if key is None:
        return execution_name(dataset, now)
    digest = hashlib.sha256(json.dumps([caller, dataset, key]).encode()).hexdigest()
    return f"{dataset}-key-{digest[:24]}"


def start(
    ledger: Ledger,
    stepfunctions: SFNClient,
    machine: str,
    name: str,
    given: dict[str, Any],
    now: datetime,
    bring: Callable[[], None] = lambda: None,
) -> bool:
    """Start an execution of this name; False where it was started before, with the same input.

    ``bring`` brings the files that the run is for. The dataset is locked before, so that the first of them to arrive
    starts no other run.

    Raises:
        Busy: another run of the dataset is under way.
        OtherRequest: there is an execution of this name that was started with another input.
    """
    dataset = given["dataset"]
    if (before := _started(stepfunctions, machine, name)) is not None:
        if before != given:
            raise OtherRequest("this Idempotency-Key was used for a start with other parameters: use a new one")
        return False
    if not take_lock(ledger, stepfunctions, machine, dataset, name, now):
        raise Busy(ledger.state(dataset).running)
    try:
        bring()
    except Exception:
        ledger.unlock(dataset, name)  # the sweep finds what did arrive
        raise
    try:
        stepfunctions.start_execution(stateMachineArn=machine, name=name, input=json.dumps(given))
    except ClientError as error:
        known = error.response["Error"]["Code"] == "ExecutionAlreadyExists"
        if not (known and runs(stepfunctions, machine, name)):
            ledger.unlock(dataset, name)
        if known:  # by the same request, sent twice at once
            return False
        raise
    return True


def redrive(
    ledger: Ledger, stepfunctions: SFNClient, machine: str, dataset: str, execution: str, now: datetime
) -> None:
    """Let an execution of the dataset that ended badly go on at the state that failed, beside no other run.

    Raises:
        Busy: another run of the dataset is under way.
        NotRedrivable: it is under way itself, has succeeded, or Step Functions cannot redrive it any more.
    """
    arn = execution_arn(machine, execution)
    if why := no_redrive(dict(stepfunctions.describe_execution(executionArn=arn))):
        raise NotRedrivable(f"the run {execution} cannot be redriven: {why}")
    if not take_lock(ledger, stepfunctions, machine, dataset, execution, now):
        raise Busy(ledger.state(dataset).running)
    try:
        stepfunctions.redrive_execution(executionArn=arn)
    except ClientError as error:
        if not runs(stepfunctions, machine, execution):  # by the same request, sent twice at once
            ledger.unlock(dataset, execution)
        if error.response["Error"]["Code"] != "ExecutionNotRedrivable":
            raise
        words = error.response["Error"]["Message"]
        raise NotRedrivable(f"the run {execution} cannot be redriven: {words}") from error


def _started(stepfunctions: SFNClient, machine: str, name: str) -> Any:
    """The input of an execution; None where there is none."""
    try:
        described = stepfunctions.describe_execution(executionArn=execution_arn(machine, name))
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionDoesNotExist":
            raise
        return None
    return json.loads(described["input"])
