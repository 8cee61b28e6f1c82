"""A failed run is reported with its reason and how to resume it, and does not hold up its dataset."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

import run_status
from tests.unit.conftest import a_file
from tests.unit.functions.messages import status_change


@pytest.fixture
def stopped_in(aws, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The states that the run entered, the one in which it stopped last."""
    states = ["PlanRun", "Preprocess"]

    class Histories:
        """Step Functions' histories, newest event first."""

        def __init__(self, client: Any) -> None:
            self.start_execution, self.describe_execution = client.start_execution, client.describe_execution
            self.list_executions = client.list_executions

        def get_execution_history(self, **_: Any) -> dict[str, Any]:
            entered = [{"stateEnteredEventDetails": {"name": name}} for name in reversed(states)]
            return {"events": [{"type": "ExecutionFailed"}, *entered]}

    client = run_status.boto3.client
    monkeypatch.setattr(
        run_status.boto3, "client", lambda name: Histories(client(name)) if name == "stepfunctions" else client(name)
    )
    return states


@pytest.fixture
def failed_run(aws, stopped_in: list[str]) -> str:
    """The ARN of an execution that holds the lock of the dataset."""
    started = aws.stepfunctions.start_execution(stateMachineArn=aws.state_machine, name="demo-1", input="{}")
    aws.ledger.record("demo", a_file())
    aws.ledger.lock("demo", "demo-1", datetime.now(UTC))
    aws.ledger.plan("demo", [a_file()], "demo-1")
    aws.stepfunctions.stop_execution(executionArn=started["executionArn"])
    return started["executionArn"]


def go_on(aws) -> None:
    """The run is redriven, which moto does not know."""
    from moto.stepfunctions.models import stepfunctions_backends

    [backend] = [regions["us-east-1"] for regions in stepfunctions_backends.values()]
    [execution] = [one for machine in backend.state_machines for one in machine.executions if one.name == "demo-1"]
    execution.status = "RUNNING"


def machine_of(execution: str) -> str:
    return execution.replace(":execution:", ":stateMachine:").rpartition(":")[0]


def test_the_notification_of_a_failed_job_gives_reason_log_and_redrive(aws, failed_run: str) -> None:
    job = {
        "ProcessingJobName": "headroom-demo-assess-1",
        "ExitMessage": "no such column",
        "FailureReason": "AlgorithmError: , exit code: 1",
    }
    run_status.handler(status_change(failed_run, cause=json.dumps(job)), aws.context)
    [mail] = aws.notifications()
    assert mail["Subject"] == "Headroom demo: failed in Preprocess"
    for words in (
        "Reason: no such column",
        "--log-group-name /aws/sagemaker/ProcessingJobs --log-stream-name-prefix headroom-demo-assess-1",
        f"\n  headroom redrive demo --execution {failed_run.rpartition(':')[2]}\n",
        "\n  headroom logs demo --job preprocess\n",
        "\n  headroom run demo\n",
        f"aws stepfunctions redrive-execution --execution-arn {failed_run}",
        # A redriven job reads the settings that its run was planned with: new ones need a new run.
        "A redrive (possible for 14 days) keeps the files and settings of this run.",
        """start-execution --state-machine-arn """ + machine_of(failed_run) + """ --input '{"dataset": "demo"}'""",
    ):
        assert words in mail["Message"]


@pytest.mark.parametrize(
    ("detail", "reason"),
    [
        ({"status": "TIMED_OUT"}, "ran longer than"),
        ({"status": "ABORTED", "cause": "by hand"}, "stopped: by hand"),
        ({"cause": json.dumps({"TrainingJobName": "t", "FailureReason": "AlgorithmError: x"})}, "AlgorithmError: x"),
        ({"cause": json.dumps({"errorType": "CannotPlan", "errorMessage": "no files yet"})}, "no files yet"),
        ({"cause": json.dumps({"TrainingJobName": "t", "TrainingJobStatus": "Stopped"})}, "longer than 3 hours"),
        ({"error": "States.Timeout", "cause": None}, "waited longer"),
        ({"cause": "not JSON"}, "States.TaskFailed: not JSON"),
        ({"cause": "[1]"}, "States.TaskFailed: [1]"),
    ],
)
def test_every_kind_of_failure_has_its_reason(aws, failed_run: str, detail: dict[str, Any], reason: str) -> None:
    run_status.handler(status_change(failed_run, **detail), aws.context)
    [mail] = aws.notifications()
    assert reason in mail["Message"]


def test_a_failed_run_frees_its_dataset_and_keeps_its_files(aws, failed_run: str) -> None:
    run_status.handler(status_change(failed_run), aws.context)
    assert aws.ledger.state("demo").running is None
    assert len(aws.ledger.waiting("demo")) == 1
    assert len(aws.executions()) == 1, "nothing is tried again by itself"


def test_a_file_that_came_during_the_failed_run_starts_the_next(aws, failed_run: str) -> None:
    aws.ledger.record("demo", a_file("incoming/demo/late.csv"))
    run_status.handler(status_change(failed_run), aws.context)
    assert len(aws.executions()) == 2


def test_a_file_left_by_a_run_that_died_after_it_gave_up_the_lock_starts_the_next(aws, failed_run: str) -> None:
    aws.ledger.record("demo", a_file("incoming/demo/late.csv"))
    aws.ledger.unlock("demo", "demo-1")
    run_status.handler(status_change(failed_run), aws.context)
    assert len(aws.executions()) == 2


def test_a_run_that_cannot_even_be_planned_frees_its_dataset_and_is_not_tried_for_ever(
    aws, failed_run: str, stopped_in: list[str]
) -> None:
    stopped_in.append("PlanRun")
    aws.ledger.record("demo", a_file("incoming/demo/late.csv"))
    run_status.handler(status_change(failed_run), aws.context)
    assert aws.ledger.state("demo").running is None
    assert len(aws.executions()) == 1


def test_a_redriven_run_holds_its_dataset_again(aws, failed_run: str) -> None:
    run_status.handler(status_change(failed_run), aws.context)
    go_on(aws)
    run_status.handler(status_change(failed_run, status="RUNNING", redriveCount=1), aws.context)
    assert aws.ledger.state("demo").running == "demo-1"
    assert len(aws.notifications()) == 1


def test_a_redriven_run_takes_its_dataset_back_from_a_run_that_is_over(aws, failed_run: str) -> None:
    run_status.handler(status_change(failed_run), aws.context)
    newer = aws.stepfunctions.start_execution(stateMachineArn=aws.state_machine, name="newer", input="{}")
    assert aws.ledger.lock("demo", "newer", datetime.now(UTC))
    go_on(aws)
    run_status.handler(status_change(failed_run, status="RUNNING", redriveCount=1), aws.context)
    assert aws.ledger.state("demo").running == "newer", "it still runs"
    aws.stepfunctions.stop_execution(executionArn=newer["executionArn"])
    run_status.handler(status_change(failed_run, status="RUNNING", redriveCount=1), aws.context)
    assert aws.ledger.state("demo").running == "demo-1"


def test_a_run_started_without_a_dataset_is_still_told_of(aws, failed_run: str) -> None:
    for given in ("[]", "{}", "nonsense", '{"dataset": 3}'):
        run_status.handler(status_change(failed_run, input=given), aws.context)
    assert len(aws.notifications()) == 4
