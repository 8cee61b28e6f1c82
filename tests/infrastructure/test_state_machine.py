"""The state machine's shape: its order, its limits, and what makes a redrive run just the job that failed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from infrastructure import machine
from infrastructure.stack import Stack

# design.md, section 1: this order, these integrations; the two of the model registry came with it, and the challenger.
ORDER = [
    ("Gather", None),
    ("PlanRun", "arn:aws:states:::lambda:invoke"),
    ("Preprocess", "arn:aws:states:::sagemaker:createProcessingJob.sync"),
    ("ChooseModel", None),
    ("DescribeTraining", None),
    ("Train", "arn:aws:states:::sagemaker:createTrainingJob.sync"),
    ("MakeModelGroup", "arn:aws:states:::aws-sdk:sagemaker:createModelPackageGroup"),
    ("RegisterModel", "arn:aws:states:::aws-sdk:sagemaker:createModelPackage"),
    ("ChooseChallenger", None),
    ("Challenge", "arn:aws:states:::states:startExecution.sync:2"),
    ("AssessRisk", "arn:aws:states:::sagemaker:createProcessingJob.sync"),
    ("Publish", "arn:aws:states:::lambda:invoke"),
    ("NotifyCompletion", "arn:aws:states:::sns:publish"),
]

# Errors of the services themselves, as Step Functions names them. `Lambda.Unknown` and `States.*` are
# not here: they are what bad data, a bug or a job's own failure look like.
SERVICE_FAULTS = {
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.ClientExecutionTimeoutException",
    "SageMaker.AmazonSageMakerException",
    "SageMaker.ResourceLimitExceededException",
    "SageMaker.SdkClientException",
    "SageMaker.ThrottlingException",
    "SNS.InternalErrorException",
    "SNS.ThrottledException",
    "SNS.KmsThrottlingException",
    "SNS.SdkClientException",
    "StepFunctions.ExecutionLimitExceededException",
    "StepFunctions.SdkClientException",
}
# Where an integration's errors are not named after it.
NAMED = {"states": "stepfunctions"}
QUOTA = "SageMaker.ResourceLimitExceededException"


@pytest.fixture(scope="module")
def definition() -> dict[str, Any]:
    return machine.definition(Stack())


def tasks(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: state for name, state in definition["States"].items() if state["Type"] == "Task"}


def test_the_states_and_integrations_are_those_of_the_design_in_its_order(definition):
    found = [(name, state.get("Resource")) for name, state in definition["States"].items()]
    assert found == ORDER
    assert definition["QueryLanguage"] == "JSONata"


def out_of_order(definition: dict[str, Any]) -> Iterator[str]:
    states = list(definition["States"])
    if definition["StartAt"] != states[0]:
        yield f"it starts at {definition['StartAt']}"
    for here, after in zip(states, [*states[1:], None], strict=True):
        state = definition["States"][here]
        onward = [state.get("Next"), state.get("Default"), *(choice["Next"] for choice in state.get("Choices", []))]
        if after is None:
            if not state.get("End"):
                yield f"{here} does not end the run"
        elif after not in onward:
            yield f"{here} does not lead to {after}"
        for target in filter(None, onward):
            if states.index(target) <= states.index(here):
                yield f"{here} leads back to {target}"


def untimed_tasks(definition: dict[str, Any]) -> Iterator[str]:
    for name, task in tasks(definition).items():
        if not isinstance(task.get("TimeoutSeconds"), int):
            yield f"{name} has no timeout"
    if not isinstance(definition.get("TimeoutSeconds"), int):
        yield "the state machine has no timeout"
    elif sum(task.get("TimeoutSeconds", 0) for task in tasks(definition).values()) > definition["TimeoutSeconds"]:
        yield "the state machine's timeout is shorter than that of its tasks together"


def wrong_retries(definition: dict[str, Any]) -> Iterator[str]:
    for name, task in tasks(definition).items():
        errors = {error for retry in task.get("Retry", []) for error in retry["ErrorEquals"]}
        if not errors:
            yield f"{name} gives up at the service's first fault"
        for error in errors - SERVICE_FAULTS:
            yield f"{name} retries {error}, which is no fault of the service"
        service = task["Resource"].removeprefix("arn:aws:states:::").removeprefix("aws-sdk:").split(":")[0]
        service = NAMED.get(service, service)
        for error in errors:
            if error.split(".")[0].lower() != service:
                yield f"{name} retries {error}, which its service does not know"
        for retry in task.get("Retry", []):
            most = 25 if retry["ErrorEquals"] == [QUOTA] else 10
            if retry.get("MaxAttempts", 3) > most or retry.get("BackoffRate", 2) < 1.5:
                yield f"{name} retries without backing off or without end"


def failures_hidden(definition: dict[str, Any]) -> Iterator[str]:
    """A redrive restarts at the state that failed: it must be the job, not a state that reports the job."""
    for name, state in definition["States"].items():
        if state["Type"] == "Fail":
            yield f"{name} is a Fail state: a redrive would restart there"
        for catch in state.get("Catch", []):
            # Nothing depends on a challenger: what became of it is told, and no redrive is wanted.
            if name == "Challenge" and catch.get("Next") == state["Next"] and "challenged" in catch["Assign"]:
                continue
            # Making what is there already may fail: the next state, which needs it, is where a real failure shows.
            if state["Resource"].endswith(".sync") or catch.get("Next") != state["Next"] or "Group" not in name:
                yield f"{name} catches its failure: a redrive would not run it again"


def impatient(definition: dict[str, Any]) -> Iterator[str]:
    """Two datasets may share a quota of one machine, and a run may take hours: a job waits as long for its turn."""
    for name, task in tasks(definition).items():
        if not task["Resource"].endswith("Job.sync"):
            continue
        (retry,) = (retry for retry in task["Retry"] if QUOTA in retry["ErrorEquals"])
        if retry is not task["Retry"][0] or retry["ErrorEquals"] != [QUOTA]:
            yield f"{name}: a quota's patience is shared with other errors"
        delays = [
            min(retry["IntervalSeconds"] * retry["BackoffRate"] ** number, retry.get("MaxDelaySeconds", 10**9))
            for number in range(retry["MaxAttempts"])
        ]
        if sum(delays) / 2 < 4 * 3600:  # full jitter draws half of each delay on average
            yield f"{name} waits for {sum(delays) / 7200:.1f} hours on average until a quota is free"


def shorter_than_its_waits(definition: dict[str, Any]) -> Iterator[str]:
    """The state machine's timeout leaves room for every job's run and every job's wait for its quota."""
    longest = 0.0
    for task in tasks(definition).values():
        longest += task.get("TimeoutSeconds", 0)
        for retry in task.get("Retry", []):
            if retry["ErrorEquals"] == [QUOTA]:
                limit = retry.get("MaxDelaySeconds", 10**9)
                delays = (retry["IntervalSeconds"] * retry["BackoffRate"] ** n for n in range(retry["MaxAttempts"]))
                longest += sum(min(delay, limit) for delay in delays)
    if definition.get("TimeoutSeconds", 0) < longest:
        yield f"runs may take {longest / 3600:.0f} hours, and are ended before"


def hidden_requests(definition: dict[str, Any]) -> Iterator[str]:
    """Each job's inputs and outputs are to be read in the definition, not inside of an expression."""
    for name, state in definition["States"].items():
        for expression in expressions(state):
            if "://" in expression or "/opt/ml" in expression or len(expression) > 260:
                yield f"{name} hides part of a request: {expression[:60]}…"


def expressions(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from expressions(item)
    elif isinstance(value, list):
        for item in value:
            yield from expressions(item)
    elif isinstance(value, str) and value.startswith("{%"):
        yield value


def test_jobs_end_by_their_own_limit_before_the_state_machine_gives_up_on_them(definition):
    """So that the failure says what happened, and no job runs on unseen."""
    requests = {name: definition["States"][name]["Arguments"] for name in ("Preprocess", "AssessRisk")}
    requests["Train"] = definition["States"]["DescribeTraining"]["Assign"]["training"]
    for name, request in requests.items():
        limit = request["StoppingCondition"]["MaxRuntimeInSeconds"]
        assert limit + 600 <= definition["States"][name]["TimeoutSeconds"]


def test_files_that_are_dropped_together_are_gathered_before_they_are_planned(definition):
    assert definition["StartAt"] == "Gather"
    gather = definition["States"]["Gather"]
    assert (gather["Type"], gather["Next"]) == ("Wait", "PlanRun")
    assert gather["Seconds"] == "{% 60 %}", "the parameter BatchWindowSeconds"


@pytest.mark.parametrize("name", machine.FILES)
def test_every_substitution_of_the_template_is_used(name):
    resource = Stack(Challenger="on").of_type("AWS::StepFunctions::StateMachine")[name]
    text = machine.DEFINITION.with_name(machine.FILES[name]).read_text(encoding="utf-8")
    assert [name for name in resource["DefinitionSubstitutions"] if f"${{{name}}}" not in text] == []


@pytest.mark.parametrize("name", machine.FILES)
def test_the_state_machine_logs_and_traces(name):
    resource = Stack(Challenger="on").of_type("AWS::StepFunctions::StateMachine")[name]
    assert resource["StateMachineType"] == "STANDARD"
    assert resource["TracingConfiguration"] == {"Enabled": True}
    assert resource["LoggingConfiguration"]["Level"] == "ALL"
    assert resource["LoggingConfiguration"]["Destinations"]
    assert resource["LoggingConfiguration"]["IncludeExecutionData"] is False, (
        "it holds links that open without signing in"
    )


def states_of_the_challenger() -> dict[str, dict[str, Any]]:
    return machine.definition(Stack(Challenger="on"), "ChallengerMachine")["States"]


def test_a_challenger_that_fails_anywhere_ends_with_a_sentence_and_leaves_no_job_running():
    states = states_of_the_challenger()
    for name, state in states.items():
        assert state["Type"] != "Fail", name
        if state["Type"] != "Task":
            continue
        (catch,) = state["Catch"]
        assert catch["ErrorEquals"] == ["States.ALL"], name
        assert "reason" in catch.get("Assign", {}) or name.startswith(("Stop", "Delete")), name
    assert states["DescribeAutoMLJob"]["Catch"][0]["Next"] == "StopAutoMLJob"
    assert states["DescribeTransformJob"]["Catch"][0]["Next"] == "StopTransformJob"
    assert states["CreateTransformJob"]["Catch"][0]["Next"] == "DeleteModel"


def test_a_challenger_s_tasks_back_off_and_have_timeouts():
    challenger = machine.definition(Stack(Challenger="on"), "ChallengerMachine")
    # A question may be asked again whatever the answer was: for hours nothing else keeps the comparison alive.
    asked = {name: state for name, state in challenger["States"].items() if name.startswith("Describe")}
    for state in asked.values():
        errors = state["Retry"][0]["ErrorEquals"]
        errors.remove("SageMaker.SageMakerException")
    assert list(wrong_retries(challenger)) == []
    assert all(isinstance(task["TimeoutSeconds"], int) for task in tasks(challenger).values())


def test_the_run_waits_longer_than_any_challenger_takes(definition):
    """The longest AutoML job that the template allows, its preparation, its batch transform, and their waits."""
    challenger = machine.definition(Stack(Challenger="on"), "ChallengerMachine")
    longest = 600 * 60 + 72 * 60 + 132 * 60 + challenger["States"]["Prepare"]["TimeoutSeconds"]
    assert longest < challenger["TimeoutSeconds"] < definition["States"]["Challenge"]["TimeoutSeconds"]


RULES = [
    out_of_order,
    untimed_tasks,
    wrong_retries,
    failures_hidden,
    impatient,
    shorter_than_its_waits,
    hidden_requests,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_state_machine_keeps(rule, definition):
    assert list(rule(definition)) == []


HIDDEN = "{% $merge([$plan.options, {'OutputDataConfig': {'S3OutputPath': 's3://' & $plan.bucket}}]) %}"
BREAKS: list[tuple[Callable[..., Iterator[str]], str, Callable[[dict[str, Any]], Any]]] = [
    (out_of_order, "a step left out", lambda d: d["States"]["Preprocess"].update(Next="AssessRisk")),
    (out_of_order, "a circle", lambda d: d["States"]["AssessRisk"].update(Next="Preprocess")),
    (out_of_order, "no end", lambda d: d["States"]["NotifyCompletion"].pop("End")),
    (out_of_order, "another start", lambda d: d.update(StartAt="Train")),
    (untimed_tasks, "a task without a timeout", lambda d: d["States"]["Train"].pop("TimeoutSeconds")),
    (untimed_tasks, "no timeout at all", lambda d: d.pop("TimeoutSeconds")),
    (untimed_tasks, "too short a timeout", lambda d: d.update(TimeoutSeconds=3600)),
    (wrong_retries, "a failed job retried", lambda d: errors(d, "Train").append("States.TaskFailed")),
    (wrong_retries, "everything retried", lambda d: errors(d, "PlanRun").append("States.ALL")),
    (wrong_retries, "a bug retried", lambda d: errors(d, "Publish").append("Lambda.Unknown")),
    (wrong_retries, "another service's error", lambda d: errors(d, "Publish").append("SNS.ThrottledException")),
    (wrong_retries, "no retry", lambda d: d["States"]["NotifyCompletion"].pop("Retry")),
    (wrong_retries, "no backing off", lambda d: d["States"]["Train"]["Retry"][0].update(BackoffRate=1)),
    (
        failures_hidden,
        "a caught failure",
        lambda d: d["States"]["Train"].update(Catch=[{}]),
    ),
    (failures_hidden, "a detour", lambda d: d["States"]["MakeModelGroup"]["Catch"][0].update(Next="Publish")),
    (impatient, "a quarter of an hour's patience", lambda d: d["States"]["Train"]["Retry"][0].update(MaxAttempts=5)),
    (impatient, "one patience for all", lambda d: errors(d, "Train").append("SageMaker.AmazonSageMakerException")),
    (shorter_than_its_waits, "a day for all", lambda d: d.update(TimeoutSeconds=86400)),
    (hidden_requests, "an output in an expression", lambda d: d["States"]["Train"].update(Arguments=HIDDEN)),
    (failures_hidden, "a Fail state", lambda d: d["States"].update(Failed={"Type": "Fail"})),
]


def errors(definition: dict[str, Any], state: str) -> list[str]:
    return definition["States"][state]["Retry"][0]["ErrorEquals"]


@pytest.mark.parametrize(("rule", "breaks"), [(r, breaks) for r, _, breaks in BREAKS], ids=[b for _, b, _ in BREAKS])
def test_these_tests_see(rule, breaks, definition):
    broken = copy.deepcopy(definition)
    breaks(broken)
    assert list(rule(broken)) != []
