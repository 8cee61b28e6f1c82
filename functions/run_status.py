"""RunStatus: a run that failed is reported, with the reason and how to resume, and its dataset is freed.

Event: EventBridge "Step Functions Execution Status Change" with FAILED, TIMED_OUT or ABORTED, or RUNNING after
a redrive. Failures are seen from outside: the state machine itself stays at the state that failed. Events may come
twice, late and out of order, so each looks at what is so now before it touches the lock.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.parser.models import EventBridgeModel
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, ConfigDict, Field

from commands import ask_sweep, aws_redrive, headroom, logs, redrive, start
from environment import RunStatusSettings, from_environment
from events import put, run_failed
from failures import Failure, failed_state, failure_of
from following import STEPS, job_log
from ledger import Aside, File, Ledger, connect
from locks import runs, start_held_back, start_if_idle, take_lock
from names import run_token
from notification import attributes, cut, subject, text

logger = Logger()
tracer = Tracer()
metrics = Metrics()

# A file is set aside when this many attempts at a run with it have failed in a job, and other files wait.
ATTEMPTS = 3
LOG_LINES = 15
_NAMED, _ASIDE_NAMED = 5, 20  # files that a notification names: the newest, and those set aside
# Where a state comes before publication, nothing has changed for anybody.
AFTER_JOBS = ("Publish", "NotifyCompletion")


class StatusChange(BaseModel):
    model_config = ConfigDict(extra="ignore")

    execution_arn: str = Field(alias="executionArn")
    name: str
    status: Literal["RUNNING", "FAILED", "TIMED_OUT", "ABORTED"]
    input: str | None = None
    error: str | None = None
    cause: str | None = None
    redrive_count: int | None = Field(None, alias="redriveCount")


class StatusChangeEvent(EventBridgeModel):
    detail: StatusChange


@dataclass(frozen=True)
class Left:
    """What is so now, as the notification has to say."""

    published: bool = False
    """Whether the run's results are the current ones."""
    redriven: bool = False
    """Whether the run goes on again already."""
    files: tuple[File, ...] = ()
    """The run's files, in order of arrival, as far as they still wait."""
    aside: tuple[Aside, ...] = ()
    """The files that this run, or its failure, set aside."""
    following: str | None = None
    """The run that was started in its place."""
    log: tuple[str, ...] = ()
    """The last lines of the job's log."""


@cache
def _environment() -> RunStatusSettings:
    return from_environment(RunStatusSettings)


@tracer.capture_lambda_handler
@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
@event_parser(model=StatusChangeEvent)
def handler(event: StatusChangeEvent, context: LambdaContext) -> None:
    environment = _environment()
    run = event.detail
    dataset = dataset_of(run.input)
    ledger = connect(environment.ledger_table)
    stepfunctions = boto3.client("stepfunctions")
    now = datetime.now(UTC)
    logger.append_keys(dataset=dataset, execution=run.name)

    if run.status == "RUNNING":
        redriven(ledger, stepfunctions, environment.state_machine_arn, run, dataset, now)
        return

    metrics.add_metric("RunsFailed", MetricUnit.Count, 1)
    state = failed_state(stepfunctions, run.execution_arn)
    failure = failure_of(run.status, run.error, run.cause, state)
    left = Left(log=last_lines(boto3.client("logs"), failure))
    if dataset:
        left = free(ledger, stepfunctions, environment, run, dataset, state, failure, left, now)
    logger.error("run failed", extra={"state": state, "error": run.error, "cause": run.cause})
    told = notification(run, dataset, state, failure, left, environment.sweep_function)
    outcome = {"FAILED": "failed", "TIMED_OUT": "timed_out", "ABORTED": "stopped"}[run.status]
    boto3.client("sns").publish(TopicArn=environment.topic_arn, MessageAttributes=attributes(outcome, dataset), **told)
    detail = {
        "dataset": dataset,
        "execution": run.name,
        "execution_arn": run.execution_arn,
        "outcome": outcome,
        "state": state,
        "reason": failure.reason,
        "published": left.published,
        "set_aside": len(left.aside),
        "redrive": aws_redrive(run.execution_arn),
    }
    metrics.add_metric("EventsLost", MetricUnit.Count, put(boto3.client("events"), run_failed(detail), now))


def redriven(
    ledger: Ledger, stepfunctions: Any, machine: str, run: StatusChange, dataset: str | None, now: datetime
) -> None:
    """A redriven run takes its dataset's lock again, if it is free. It may have ended before this event came."""
    if dataset is None:
        return
    if not take_lock(ledger, stepfunctions, machine, dataset, run.name, now):
        logger.warning("redriven beside a newer run; whichever is published first stays")
    elif not runs(stepfunctions, machine, run.name):
        ledger.unlock(dataset, run.name)


def free(
    ledger: Ledger,
    stepfunctions: Any,
    environment: RunStatusSettings,
    run: StatusChange,
    dataset: str,
    state: str | None,
    failure: Failure,
    left: Left,
    now: datetime,
) -> Left:
    """Free the dataset of a run that ended badly, count its failure on its files, and start what can go on."""
    machine, attempt = environment.state_machine_arn, run.redrive_count or 0
    if runs(stepfunctions, machine, run.name):
        logger.warning("this failure is told late: the run has been redriven meanwhile")
        return replace(left, redriven=True)
    state_before = ledger.state(dataset)
    if failure.by_data:
        files = ledger.blame(dataset, run.name, attempt)
        spent = [file for file in files if file.failures >= ATTEMPTS]
        why = f"{ATTEMPTS} runs with it failed; the last one: {cut(failure.reason, 300)}"
        if spent and len(ledger.waiting(dataset, len(spent) + 1)) > len(spent):
            ledger.set_aside(dataset, ((file, why) for file in spent), run.name)
    else:
        files = [file for file in ledger.waiting(dataset) if file.planned == run.name]
        if state_before.running == run.name and state_before.running_since:
            ledger.failed(dataset, datetime.fromisoformat(state_before.running_since))
    aside = [one for one in ledger.aside(dataset) if one.by == run.name]
    # Freed at once, so that new files are not held up by a run that waits for a person.
    ledger.unlock(dataset, run.name)
    current = ledger.state(dataset)
    # What the files are not to blame for would fail again: only what came since the run began is tried by itself.
    # What they may be to blame for is tried with what else waits, or without what has been set aside.
    since = None if failure.by_data else current.failed_at
    following = None
    if state != "PlanRun" and (ledger.has_unplanned(dataset, since) or (failure.by_data and aside)):
        after = f"{run.name}/failed {attempt}"
        following = start_if_idle(ledger, stepfunctions, machine, dataset, now, environment.limits, after=after)
    start_held_back(ledger, stepfunctions, machine, now, environment.limits, f"{run.name}/{attempt}")
    published = (current.current_run or "").endswith(f"-{run_token(run.execution_arn)}")
    return replace(left, published=published, files=tuple(files), aside=tuple(aside), following=following)


def dataset_of(execution_input: str | None) -> str | None:
    """The dataset an execution was started for; None where its input names none."""
    try:
        dataset = json.loads(execution_input or "{}").get("dataset")
    except (ValueError, AttributeError):
        return None
    return dataset if isinstance(dataset, str) else None


def last_lines(logs: Any, failure: Failure) -> tuple[str, ...]:
    """The last lines of a failed job's log; none where they cannot be had, which holds up nothing."""
    if failure.job is None:
        return ()
    try:
        log = job_log(logs, str(failure.kind), f"{failure.job}/", LOG_LINES)
    except (ClientError, BotoCoreError) as error:
        logger.warning("the job's log cannot be read", extra={"error": str(error)})
        return ()
    return tuple(cut(line, 300) for line in log.lines) if log else ()


def notification(
    run: StatusChange, dataset: str | None, state: str | None, failure: Failure, left: Left, sweep_function: str
) -> dict[str, str]:
    """Subject and message of the failure notification."""
    verb = {"FAILED": "failed", "TIMED_OUT": "timed out", "ABORTED": "was stopped"}[run.status]
    where = f" in {state}" if state else ""
    machine, _, _ = run.execution_arn.replace(":execution:", ":stateMachine:").rpartition(":")
    first, *more = failure.reason.splitlines() or [""]
    lines = [
        f"Run {run.name} of dataset {dataset or '(not named)'} {verb}{where}.",
        "",
        f"Reason: {first}",
        *[f"  {line.strip()}" for line in more],
        "",
        what_stays(state, left),
        *file_lines(dataset or "", left),
        *(["", f"Files that wait are processed by: {left.following}."] if left.following else []),
        *(["", f"The last lines of the log of {failure.job}:"] if left.log else []),
        *[f"  | {line}" for line in left.log],
    ]
    log = ["", "Log:", *logs(dataset, STEPS.get(state or ""), failure.job or "", failure.kind or "")]
    instead = (
        "A redrive is possible for 14 days. After that, start a new run:"
        if state == "PlanRun"
        else "A redrive (possible for 14 days) keeps the files and settings of this run. Corrected files start a new "
        "run when they are uploaded. After changing the settings, start a new run:"
    )
    again = [instead, *start(machine, dataset or "")]
    back = [
        "The files that were set aside stay where they are. To try them again:",
        *ask_sweep(sweep_function, "put_back", dataset),
    ]
    commands = [
        *(log if failure.job else []),
        "",
        "After fixing the cause, resume from the failed state:",
        *redrive(run.execution_arn, dataset),
        *(again if dataset and not left.published else []),
        *(back if left.aside else []),
    ]
    return {"Subject": subject(f"Headroom {dataset or 'run'}: {verb}{where}"), "Message": text(lines, commands)}


def what_stays(state: str | None, left: Left) -> str:
    """Which results are current now, and what happens to the run's files."""
    if left.redriven:
        return "It has been redriven meanwhile and is running."
    if left.published and state == "NotifyCompletion":
        return "The run's results are published; only the message about them could not be sent."
    if left.published:
        return (
            "The run's results are published. What Publish does afterwards has not been done: its message, and perhaps "
            "the start of the next run. A redrive does it."
        )
    if state in AFTER_JOBS:
        return (
            "Its jobs succeeded, but its results are not the current ones. A redrive publishes them, unless a "
            "newer run has been published."
        )
    return "The results of the last good run stay current. This run's files are kept: the next run takes them."


def file_lines(dataset: str, left: Left) -> list[str]:
    """The run's newest files, one of which may be the cause, and those that were set aside."""
    lines = []
    if left.files:
        lines += ["", f"Newest of the {len(left.files):,} new file{'' if len(left.files) == 1 else 's'} of this run:"]
        lines += [f"  {cut(file.key, 200)!r}" for file in reversed(left.files[-_NAMED:])]
    if left.aside:
        lines += ["", f"Set aside, so that the dataset can go on without them: {len(left.aside):,}."]
        lines += [f"  {cut(one.file.key, 200)!r}: {cut(one.reason, 500)}" for one in left.aside[:_ASIDE_NAMED]]
        if len(left.aside) > _ASIDE_NAMED:
            lines.append(
                f"  and {len(left.aside) - _ASIDE_NAMED:,} more: {headroom('put-back', dataset, '--list').strip()}"
            )
    return lines
