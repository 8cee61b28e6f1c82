"""Why a run failed is said in the same words by the mail, the page and the command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

import failures
from following import Step

STEPS = [Step(name, datetime(2026, 1, 1, tzinfo=UTC)) for name in ("PlanRun", "Preprocess", "Train")]


def described(status: str = "FAILED", **more: Any) -> dict[str, Any]:
    """What DescribeExecution says."""
    return {"executionArn": "arn:aws:states:us-east-1:123456789012:execution:capacity:web-1", "status": status} | more


def test_a_job_that_was_killed_is_told_with_what_to_change_for_it() -> None:
    job = {"TrainingJobName": "headroom-web-train-1", "FailureReason": "AlgorithmError: , exit code: 137"}
    failed = failures.of_execution(described(error="States.TaskFailed", cause=json.dumps(job)), STEPS)
    assert (failed.job, failed.kind) == ("headroom-web-train-1", "Training")
    assert failed.reason.startswith("out of memory") and '{"train": {"instance_type":' in failed.reason


def test_what_a_job_said_last_is_why_it_failed() -> None:
    job = {"ProcessingJobName": "job-1", "FailureReason": "AlgorithmError: , exit code: 1", "ExitMessage": "no rows"}
    failed = failures.of_execution(described(error="States.TaskFailed", cause=json.dumps(job)), STEPS)
    assert (failed.reason, failed.job, failed.kind) == ("no rows", "job-1", "Processing")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"status": "ABORTED"}, "it was stopped: no reason was given"),
        ({"status": "TIMED_OUT"}, "it ran longer than the state machine allows"),
        ({"error": "States.Runtime", "cause": "odd"}, "States.Runtime: odd"),
        ({"error": "States.Runtime"}, "States.Runtime"),
        ({"error": "CannotPlan", "cause": '{"errorMessage": "no files yet"}'}, "no files yet"),
        ({"error": "CannotPlan", "cause": "{}"}, "CannotPlan: {}"),
    ],
)
def test_what_step_functions_says_is_said_in_words(more: dict[str, Any], reason: str) -> None:
    assert failures.of_execution(described(**more), []).reason == reason


def of_spark(message: str, **given: str) -> tuple[str, bool]:
    job = {"FailureReason": "AlgorithmError: , exit code: 1", "ExitMessage": message} | given
    return failures.reason_of_job(job, "Processing", "States.TaskFailed", "AssessRisk")


@pytest.mark.parametrize(
    ("message", "by_data"),
    [
        ("The Spark engine lost instances, and the work on one block was begun four times: redrive the run.", False),
        ("The Spark engine has no executor after 10 minutes.", False),
        ("The Spark engine has filled a volume: use larger ones", False),
        ("The Spark engine has executors that cannot start the job's Python", False),
        ("The Spark engine ended the work. It was at 1,000 servers from 'a' to 'b'.", False),
        ("The Spark engine's executors run other libraries", False),
        ("The Spark engine ran out of memory: use instances with more memory per core", True),
        ("1,000 servers from 'a' to 'b': KeyError: 'x'", True),
    ],
)
def test_what_ended_spark_itself_is_not_counted_against_the_files(message: str, by_data: bool) -> None:
    assert of_spark(message) == (message, by_data)


def test_aws_without_a_free_machine_is_told_with_what_to_do() -> None:
    given = "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different type."
    reason, by_data = of_spark("", FailureReason=given)
    assert reason.startswith("AWS has no machine of this type free at present. Redrive the run later")
    assert '{"assess": {"instance_type":' in reason and given in reason
    assert not by_data
