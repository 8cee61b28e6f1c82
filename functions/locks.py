"""How a run of a dataset is started: by an arriving file, by a run that ended, or in place of a dead one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from ledger import Ledger, State
from names import execution_arn, execution_name

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

logger = Logger()

# Between taking the lock and the execution being known to Step Functions lie milliseconds.
_STARTING = timedelta(minutes=5)
# How often the same run can be followed: by its redrives, each of which may leave files to start for.
_FOLLOW_UPS = 100


@dataclass(frozen=True)
class Limits:
    """How many runs the stack starts by itself. Runs by hand and redrives are held to none of it."""

    minutes_between_runs: int = 0
    """Between the starts of two runs of a dataset that does not say so itself."""
    parallel_runs: int = 1_000


def start_if_idle(
    ledger: Ledger,
    stepfunctions: SFNClient,
    state_machine_arn: str,
    dataset: str,
    now: datetime,
    limits: Limits = Limits(),
    train: bool = False,
    after: str | None = None,
) -> str | None:
    """Start a run of a dataset that has waiting files and no run; the caller has written the files down before.

    With ``train`` a run that trains starts where no file waits, and at once. ``after`` names the run that this one
    follows (and its redrive): whoever tries again in its name takes the same lock and starts the same run.

    Returns:
        The name of the execution, or None where there is nothing to do: no file waits, or a run is under way
        (it looks for waiting files when it ends), or the limits say later (the sweep looks again every few minutes).
    """
    waiting = ledger.has_waiting(dataset)
    if not (waiting or train):
        return None
    state = ledger.state(dataset)
    if not train and now < earliest(state, limits):
        logger.info("not yet: the last run is too recent", extra={"dataset": dataset})
        return None
    besides = (after or "").partition("/")[0]
    if _running(stepfunctions, state_machine_arn, besides) >= limits.parallel_runs:
        logger.info("not yet: as many runs as allowed are under way", extra={"dataset": dataset})
        ledger.hold_back(dataset)
        return None
    given = {"dataset": dataset} if waiting else {"dataset": dataset, "mode": "train"}
    for execution in _names(dataset, now, after):
        if not take_lock(ledger, stepfunctions, state_machine_arn, dataset, execution, now):
            return None
        try:
            stepfunctions.start_execution(stateMachineArn=state_machine_arn, name=execution, input=json.dumps(given))
        except ClientError as error:
            known = error.response["Error"]["Code"] == "ExecutionAlreadyExists"
            if known and runs(stepfunctions, state_machine_arn, execution):
                return execution
            ledger.unlock(dataset, execution)
            if known:
                continue
            raise
        logger.info("run started", extra={"dataset": dataset, "execution": execution})
        return execution
    raise RuntimeError(f"run {after} has been followed {_FOLLOW_UPS} times: start the next run by hand")


def start_held_back(
    ledger: Ledger, stepfunctions: SFNClient, state_machine_arn: str, now: datetime, limits: Limits, after: str
) -> None:
    """Give the place of a run that has ended to the datasets whose runs waited for one."""
    for dataset in ledger.held_back():
        ledger.let_go(dataset)  # noted again if it has to wait on
        start_if_idle(ledger, stepfunctions, state_machine_arn, dataset, now, limits, after=f"{after}/held")


def earliest(state: State, limits: Limits) -> datetime:
    """The moment from which the next run of a dataset may start by itself; of the past, where it may now."""
    minutes = state.minutes_between_runs if state.minutes_between_runs is not None else limits.minutes_between_runs
    began = datetime.fromisoformat(state.last_start) if state.last_start else datetime.fromtimestamp(0, UTC)
    return began + timedelta(minutes=minutes)


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


def runs(stepfunctions: SFNClient, state_machine_arn: str, execution: str) -> bool:
    """Whether an execution that Step Functions knows is under way."""
    described = stepfunctions.describe_execution(executionArn=execution_arn(state_machine_arn, execution))
    return described["status"] in ("RUNNING", "PENDING_REDRIVE")


def _has_ended(stepfunctions: SFNClient, state_machine_arn: str, state: State, now: datetime) -> bool:
    """Whether the execution that holds the lock is over: its end may have been missed."""
    try:
        return not runs(stepfunctions, state_machine_arn, state.running or "")
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionDoesNotExist":
            raise
        return state.running_since is None or now - datetime.fromisoformat(state.running_since) > _STARTING


def _running(stepfunctions: SFNClient, state_machine_arn: str, besides: str) -> int:
    """How many runs are under way, about: Step Functions' list may lag by a moment."""
    listed = stepfunctions.list_executions(stateMachineArn=state_machine_arn, statusFilter="RUNNING", maxResults=1000)
    return sum(execution["name"] != besides for execution in listed["executions"])


def _names(dataset: str, now: datetime, after: str | None) -> Iterator[str]:
    """The names to try: a new one, or those of the runs that follow another, the same each time."""
    if after is None:
        yield execution_name(dataset, now)
        return
    digest = hashlib.sha256(f"{dataset} after {after}".encode()).hexdigest()[:12]
    yield from (f"{dataset}-after-{digest}-{number}" for number in range(_FOLLOW_UPS))
