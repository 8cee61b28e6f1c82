"""RunStatus: a run that failed is told of, with the reason and the way on, and its dataset is freed.

Event: EventBridge "Step Functions Execution Status Change" with FAILED, TIMED_OUT or ABORTED, or RUNNING after
a redrive. Failures are seen from outside: the state machine itself stays at the state that failed.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.parser.models import EventBridgeModel
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ConfigDict, Field

from environment import RunStatusSettings, from_environment
from ledger import Ledger
from locks import start_if_idle, take_lock
from notification import subject

logger = Logger()
tracer = Tracer()
metrics = Metrics()


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
    ledger = Ledger(boto3.resource("dynamodb").Table(environment.ledger_table))
    stepfunctions = boto3.client("stepfunctions")
    now = datetime.now(UTC)
    logger.append_keys(dataset=dataset, execution=run.name)

    if run.status == "RUNNING":
        machine = environment.state_machine_arn
        if dataset and not take_lock(ledger, stepfunctions, machine, dataset, run.name, now):
            logger.warning("redriven beside a newer run; whichever is published first stays")
        return

    metrics.add_metric("RunsFailed", MetricUnit.Count, 1)
    state = failed_state(stepfunctions, run.execution_arn)
    if dataset:
        # Freed at once, so that new files are not held up by a run that waits for a person.
        ledger.unlock(dataset, run.name)
        # A run that could not even be planned would fail again, and again. Its redrive takes what waits by then.
        if state != "PlanRun" and ledger.has_unplanned(dataset):
            start_if_idle(ledger, stepfunctions, environment.state_machine_arn, dataset, now)
    logger.error("run failed", extra={"state": state, "error": run.error, "cause": run.cause})
    boto3.client("sns").publish(TopicArn=environment.topic_arn, **notification(run, dataset, state))


def dataset_of(execution_input: str | None) -> str | None:
    """The dataset an execution was started for; None where its input names none."""
    try:
        dataset = json.loads(execution_input or "{}").get("dataset")
    except (ValueError, AttributeError):
        return None
    return dataset if isinstance(dataset, str) else None


def failed_state(stepfunctions: Any, execution_arn: str) -> str | None:
    """The state the execution stopped in: the last one it entered."""
    history = stepfunctions.get_execution_history(
        executionArn=execution_arn, reverseOrder=True, maxResults=1000, includeExecutionData=False
    )
    entered = (e["stateEnteredEventDetails"]["name"] for e in history["events"] if "stateEnteredEventDetails" in e)
    return next(entered, None)


def reason_of(run: StatusChange) -> tuple[str, str | None]:
    """Why the run failed in words, and the command that shows the log, where a job failed."""
    if run.status == "TIMED_OUT":
        return "it ran longer than the state machine allows", None
    if run.status == "ABORTED":
        return f"it was stopped: {run.cause or 'no reason was given'}", None
    if run.error == "States.Timeout":
        return "it waited longer for this step than the state machine allows", None
    try:
        cause = json.loads(run.cause or "")
    except ValueError:
        return f"{run.error}: {run.cause}", None
    if not isinstance(cause, dict):
        return f"{run.error}: {run.cause}", None
    for kind in ("Processing", "Training"):
        name = cause.get(f"{kind}JobName")
        if name:
            logs = (
                f"aws logs filter-log-events --log-group-name /aws/sagemaker/{kind}Jobs "
                f"--log-stream-name-prefix {name} --query 'events[].message' --output text"
            )
            stopped = "the job was stopped, by hand or because it ran longer than its 3 hours"
            told = cause.get("ExitMessage") or cause.get("FailureReason")
            return told or (stopped if cause.get(f"{kind}JobStatus") == "Stopped" else str(run.error)), logs
    return cause.get("errorMessage") or f"{run.error}: {run.cause}", None


def notification(run: StatusChange, dataset: str | None, state: str | None) -> dict[str, str]:
    """Subject and message of the failure notification."""
    reason, logs = reason_of(run)
    verb = {"FAILED": "failed", "TIMED_OUT": "timed out", "ABORTED": "was stopped"}[run.status]
    where = f" in {state}" if state else ""
    kept = "The results of the last good run stay the current ones. This run's files are kept: the next run takes them."
    published = "The run's results are published; only the message about them could not be sent."
    machine, _, _ = run.execution_arn.replace(":execution:", ":stateMachine:").rpartition(":")
    again = [
        "A redrive keeps the files and settings of this run. Corrected files start a new one when they are uploaded; "
        "after a change of settings start it:",
        f"  aws stepfunctions start-execution --state-machine-arn {machine} "
        f"--input '{json.dumps({'dataset': dataset})}'",
    ]
    lines = [
        f"Run {run.name} of dataset {dataset or '(not named)'} {verb}{where}.",
        "",
        f"Reason: {reason}",
        "",
        published if state == "NotifyCompletion" else kept,
        *(["", f"Log: {logs}"] if logs else []),
        "",
        "Once the cause is put right, go on from the state that failed:",
        f"  aws stepfunctions redrive-execution --execution-arn {run.execution_arn}",
        *(again if logs and dataset else []),
    ]
    return {"Subject": subject(f"Headroom {dataset or 'run'}: {verb}{where}"), "Message": "\n".join(lines)}
