"""How a run of a dataset is started: by an arriving file, by a run that ended, or in place of a dead one."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from ledger import Ledger, State

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

logger = Logger()

# Between taking the lock and the execution being known to Step Functions lie milliseconds.
_STARTING = timedelta(minutes=5)


def start_if_idle(
    ledger: Ledger, stepfunctions: SFNClient, state_machine_arn: str, dataset: str, now: datetime, train: bool = False
) -> str | None:
    """Start a run of a dataset that has waiting files and no run; the caller has written the files down before.

    With ``train`` a run that trains starts where no file waits.

    Returns:
        The name of the execution, or None where there is nothing to do: no file waits, or a run is under way
        (it looks for waiting files when it ends).
    """
    waiting = bool(ledger.waiting(dataset))
    if not (waiting or train):
        return None
    given = {"dataset": dataset} if waiting else {"dataset": dataset, "mode": "train"}
    execution = f"{dataset}-{now:%Y%m%dT%H%M%S}-{now.microsecond:06d}"
    if not take_lock(ledger, stepfunctions, state_machine_arn, dataset, execution, now):
        return None
    try:
        stepfunctions.start_execution(stateMachineArn=state_machine_arn, name=execution, input=json.dumps(given))
    except ClientError:
        ledger.unlock(dataset, execution)
        raise
    logger.info("run started", extra={"dataset": dataset, "execution": execution})
    return execution


def take_lock(
    ledger: Ledger, stepfunctions: SFNClient, state_machine_arn: str, dataset: str, execution: str, now: datetime
) -> bool:
    """Take the dataset's lock for an execution, which may hold it already, or from one that is over.

    Returns:
        False where another execution holds it and still runs.
    """
    state = ledger.state(dataset)
    held = state.running not in (None, execution)
    dead = state.running if held and _has_ended(stepfunctions, state_machine_arn, state, now) else None
    return ledger.lock(dataset, execution, now, instead_of=dead)


def _has_ended(stepfunctions: SFNClient, state_machine_arn: str, state: State, now: datetime) -> bool:
    """Whether the execution that holds the lock is over: its end may have been missed."""
    try:
        described = stepfunctions.describe_execution(executionArn=execution_arn(state_machine_arn, state.running or ""))
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionDoesNotExist":
            raise
        return state.running_since is None or now - datetime.fromisoformat(state.running_since) > _STARTING
    return described["status"] not in ("RUNNING", "PENDING_REDRIVE")


def execution_arn(state_machine_arn: str, execution: str) -> str:
    """The ARN of an execution, from its state machine's and its name."""
    return f"{state_machine_arn.replace(':stateMachine:', ':execution:')}:{execution}"
