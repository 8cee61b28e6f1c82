"""Why an execution ended badly, in words, and whether its files may be to blame: for notifications and all doors."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from following import STEPS, Step

# What fails every run whatever its files are: run.sh says it where a container cannot be made ready.
_NOT_THE_FILES = (
    "The job's libraries could not be installed",
    "The image's Python",
    # Spark, when it was not memory that it lacked (processing/headroom/spark.py).
    "The Spark engine lost",
    "The Spark engine has",
    "The Spark engine ended",
    "The Spark engine's executors",
)
# What a job reads besides the files that came, by its folder in the artifact bucket, and what to do where it is gone.
_DELETED = {
    "code": "the job code that this run was planned with was deleted: start a new run, which brings its own",
    "model": "the model was deleted: start a new run, which trains another",
    "panel": "a panel was deleted: start a new run, which builds on it or says how to bring it back",
}


@dataclass(frozen=True)
class Failure:
    """Why a run failed."""

    reason: str
    job: str | None = None
    """Name of the job that failed, where one did."""
    kind: str | None = None
    """Processing or Training."""
    by_data: bool = False
    """Whether the run's files may be to blame: the job failed by itself, or could not fetch what it reads."""


def failed_state(stepfunctions: Any, execution_arn: str) -> str | None:
    """The state the execution stopped in: the last one it entered."""
    history = stepfunctions.get_execution_history(
        executionArn=execution_arn, reverseOrder=True, maxResults=1000, includeExecutionData=False
    )
    entered = (e["stateEnteredEventDetails"]["name"] for e in history["events"] if "stateEnteredEventDetails" in e)
    return next(entered, None)


def failure_of(status: str, error: str | None, cause: str | None, state: str | None) -> Failure:
    """Why an execution that ended with this status did, in words; ``state`` is the one it stopped in."""
    if status == "TIMED_OUT":
        return Failure("it ran longer than the state machine allows")
    if status == "ABORTED":
        return Failure(f"it was stopped: {' '.join((cause or 'no reason was given').split())}")
    if error == "States.Timeout":
        return Failure("it waited longer for this step than the state machine allows")
    plain = Failure(f"{error}: {cause}" if cause else str(error))
    try:
        told = json.loads(cause or "")
    except ValueError:
        return plain
    if not isinstance(told, dict):
        return plain
    for kind in ("Processing", "Training"):
        if name := told.get(f"{kind}JobName"):
            reason, by_data = reason_of_job(told, kind, str(error), state)
            return Failure(reason, name, kind, by_data)
    return Failure(told["errorMessage"]) if told.get("errorMessage") else plain


def of_execution(described: dict[str, Any], steps: Sequence[Step]) -> Failure:
    """The same of an execution as DescribeExecution has it, and the states that it has been in."""
    state = steps[-1].name if steps else None
    return failure_of(described["status"], described.get("error"), described.get("cause"), state)


def reason_of_job(job: dict[str, Any], kind: str, error: str, state: str | None) -> tuple[str, bool]:
    """Why a job failed, from its description, and whether what it read may be to blame."""
    given, last_word = job.get("FailureReason") or "", job.get("ExitMessage") or ""
    if job.get(f"{kind}JobStatus") == "Stopped":
        limit = job.get("StoppingCondition", {}).get("MaxRuntimeInSeconds")
        began, ended = (job.get(f"{kind}{moment}Time") for moment in ("Start", "End"))
        # SageMaker's timestamps come in milliseconds here; a job is stopped a little after its limit at the latest.
        if limit and began is not None and ended is not None and ended - began >= 0.98 * 1000 * limit:
            return f"the job was stopped because it ran longer than {limit / 3600:g} hours", True
        return "the job was stopped, by hand or because it ran longer than 3 hours", False
    if re.search(r"exit code: 137\b", given):
        return (
            f"out of memory: the job was killed (exit code 137). {_larger(state)}. Or check the "
            "files for what no fleet has, such as request ids in the server column",
            True,
        )
    # What SageMaker says itself is why; only where it says no more than that the program failed, the program knows.
    if not given.startswith("AlgorithmError"):
        if not given:
            return last_word or error, False
        gone = re.search(r"No S3 objects found .*?s3://[^/]+/(?:runs/[^/]+/[^/]+/)?(code|model|panel)/", given)
        if gone:
            return f"{_DELETED[gone[1]]} ({given})", False
        if given.startswith("CapacityError"):
            return f"AWS has no machine of this type free at present. {_another(state)} ({given})", False
        return given, "download" in given.lower()
    reason = last_word or given
    return reason, not any(words in reason for words in _NOT_THE_FILES)


def _larger(state: str | None) -> str:
    return f"Use a larger instance, {_overridden(state)}"


def _another(state: str | None) -> str:
    return f"Redrive the run later, or start a new one on another type, {_overridden(state)}"


def _overridden(state: str | None) -> str:
    """How a run gets another instance type for the job of a state."""
    which = STEPS.get(state or "", "<job>")
    return (
        "with the stack's parameters or, for one run, with overrides "
        f'({{"{which}": {{"instance_type": "ml.m5.4xlarge"}}}})'
    )
