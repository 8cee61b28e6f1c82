"""What MiniStack's Step Functions lack in tasks: SageMaker's jobs, executions within executions, permissions.

A task is held to what the running state machine's role may do, and to the fields that Step Functions takes.
"""

from __future__ import annotations

import contextvars
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import stepfunctions as sfn

from local.emulator import permissions, sagemaker
from local.emulator.service_model import ServiceError, unsupported

POLL_SECONDS = 0.1
MILLISECONDS = 1000


@dataclass
class Attempt:
    """One walk through an execution: the first one, or a redrive. Threads of an older attempt must not go on."""

    execution: dict[str, Any]
    number: int
    context: dict[str, Any]

    @property
    def current(self) -> bool:
        return self.execution["status"] == "RUNNING" and self.execution.get("redriveCount", 0) == self.number


walking: contextvars.ContextVar[Attempt | None] = contextvars.ContextVar("walking", default=None)
_cancelled: contextvars.ContextVar[threading.Event | None] = contextvars.ContextVar("_cancelled", default=None)


def install() -> None:
    """Put the tasks in the place of MiniStack's own."""
    sfn._invoke_resource_with_timeout = _invoke_with_timeout
    original_invoke = sfn._invoke_resource
    sfn._invoke_resource = lambda resource, arguments: _invoke(original_invoke, resource, arguments)
    sfn._AWS_SDK_SERVICE_MAP["sagemaker"] = {"target_prefix": "SageMaker", "protocol": "json"}
    sfn._AWS_SDK_ERROR_PREFIX["sagemaker"] = "SageMaker"
    sfn._AWS_SDK_ERROR_CODE_OVERRIDES["sagemaker"] = {
        "ResourceInUse": "ResourceInUseException",
        "ResourceNotFound": "ResourceNotFoundException",
        "ResourceLimitExceeded": "ResourceLimitExceededException",
        "ValidationException": "SageMakerException",
        "AccessDeniedException": "SageMakerException",
    }
    for action in ("createProcessingJob", "createTrainingJob"):
        sfn._SERVICE_DISPATCH[f"arn:aws:states:::sagemaker:{action}"] = _create_job


def epoch(moment: str) -> float:
    """Seconds of a moment in ISO 8601."""
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()


def milliseconds(moment: str | None) -> int | None:
    """The same in milliseconds, as events and executions within executions have it."""
    return int(epoch(moment) * MILLISECONDS) if moment else None


def _invoke(original: Callable[[str, Any], Any], resource: str, arguments: Any) -> Any:
    """Run a task if the state machine's role may."""
    attempt = walking.get()
    if attempt is not None:
        try:
            _authorize_task(resource, arguments)
        except ServiceError as refusal:
            raise sfn._ExecutionError(_error_name(resource, refusal), refusal.message) from refusal
    if resource.startswith("arn:aws:states:::states:startExecution.sync"):
        return _start_and_wait(resource, arguments)
    if resource.startswith("arn:aws:states:::aws-sdk:sagemaker:"):
        return _call_sagemaker(resource, arguments)
    return original(resource, _with_attributes(arguments) if resource.endswith(":sns:publish") else arguments)


def _call_sagemaker(resource: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Any operation of SageMaker, in the name of the state machine's role, passing of roles included."""
    action = resource.rpartition(":")[2]
    operation = action[0].upper() + action[1:]
    _refuse(unsupported("sagemaker", operation, arguments), arguments)
    try:
        return sagemaker.call(operation, arguments, _authorize)
    except ServiceError as refusal:
        raise sfn._ExecutionError(_error_name(resource, refusal), refusal.message) from refusal


def _refuse(problems: list[str], arguments: Any) -> None:
    """End the execution over fields that Step Functions does not take."""
    if problems:
        raise sfn._ExecutionError(
            "States.Runtime",
            f"The Parameters '{json.dumps(arguments)}' could not be used to start the Task: [{', '.join(problems)}]",
        )


def _start_and_wait(resource: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """``states:startExecution.sync:2``: another state machine's execution, which is stopped when this one is."""
    machine, name = arguments["StateMachineArn"], arguments.get("Name") or f"nested-{time.time_ns()}"
    children = machine.replace(":stateMachine:", ":execution:") + ":*"
    rule = "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
    try:
        for needed in ("events:PutTargets", "events:PutRule", "events:DescribeRule"):
            _authorize(needed, f"arn:aws:events:{get_region()}:{get_account_id()}:{rule}", {})
        for needed in ("states:DescribeExecution", "states:StopExecution"):
            _authorize(needed, children, {})
    except ServiceError as refusal:
        raise sfn._ExecutionError(_error_name(resource, refusal), refusal.message) from refusal
    request = {"stateMachineArn": machine, "name": name, "input": json.dumps(arguments.get("Input", {}))}
    status, _, body = contextvars.copy_context().run(sfn._start_execution, request)
    if status >= 400:
        told = json.loads(body)
        raise sfn._ExecutionError(f"StepFunctions.{told.get('__type', 'Exception')}Exception", told.get("message", ""))
    execution_arn = json.loads(body)["executionArn"]
    child = sfn._executions[execution_arn]
    attempt, cancelled = walking.get(), _cancelled.get() or threading.Event()
    while child["status"] == "RUNNING":
        if cancelled.is_set() or (attempt is not None and not attempt.current):
            sfn._stop_execution({"executionArn": execution_arn})
        time.sleep(POLL_SECONDS)
    described = {
        "ExecutionArn": execution_arn, "Input": child["input"], "Name": name, "StateMachineArn": machine,
        "StartDate": milliseconds(child["startDate"]), "StopDate": milliseconds(child["stopDate"]),
        "Status": child["status"],
    }  # fmt: skip
    if child["status"] != "SUCCEEDED":
        failed = {"Cause": child.get("cause"), "Error": child.get("error")} | described
        raise sfn._ExecutionError("States.TaskFailed", json.dumps(failed))
    parsed = resource.endswith(".sync:2")
    return described | {"Output": json.loads(child["output"]) if parsed else child["output"]}


def _with_attributes(message: dict[str, Any]) -> dict[str, Any]:
    """A message to SNS whose attributes MiniStack finds: it looks for them as the query protocol spells them."""
    flat = {key: value for key, value in message.items() if key != "MessageAttributes"}
    for number, (name, attribute) in enumerate(message.get("MessageAttributes", {}).items(), start=1):
        entry = f"MessageAttributes.entry.{number}"
        flat |= {f"{entry}.Name": name} | {f"{entry}.Value.{key}": value for key, value in attribute.items()}
    return flat


def _authorize(action: str, resource: str, context: dict[str, Any]) -> None:
    """Hold an action to the policies of the running state machine's role."""
    attempt = walking.get()
    if attempt is not None:
        permissions.require(attempt.execution["_role"], attempt.execution["name"][:64], action, resource, context)


def _authorize_task(resource: str, arguments: Any) -> None:
    integration = resource.removeprefix("arn:aws:states:::").split(".")[0]
    if integration == "lambda:invoke" or resource.startswith("arn:aws:lambda:"):
        function = arguments.get("FunctionName", "") if integration == "lambda:invoke" else resource
        if not function.startswith("arn:"):
            function = f"arn:aws:lambda:{get_region()}:{get_account_id()}:function:{function}"
        _authorize("lambda:InvokeFunction", function, {})
    elif integration == "sns:publish":
        _authorize("sns:Publish", arguments.get("TopicArn", "*"), {})
    elif integration == "sqs:sendMessage":
        queue = arguments.get("QueueUrl", "").rsplit("/", 1)[-1]
        _authorize("sqs:SendMessage", f"arn:aws:sqs:{get_region()}:{get_account_id()}:{queue}", {})
    elif integration.startswith("dynamodb:"):
        action = integration.partition(":")[2]
        table = arguments.get("TableName", "").rsplit("/", 1)[-1]
        arn = f"arn:aws:dynamodb:{get_region()}:{get_account_id()}:table/{table}"
        _authorize(f"dynamodb:{action[0].upper()}{action[1:]}", arn, {})
    elif integration == "states:startExecution":
        _authorize("states:StartExecution", arguments.get("StateMachineArn", "*"), {})


def _invoke_with_timeout(resource: str, arguments: Any, timeout: Any) -> Any:
    """Run a task for at most ``timeout`` seconds (a number, or a JSONata expression), then cancel it."""
    attempt = walking.get()
    if isinstance(timeout, str) and attempt is not None:
        timeout = sfn._apply_jsonata_template(timeout, arguments, attempt.context)
    cancelled, scope = threading.Event(), contextvars.copy_context()
    scope.run(_cancelled.set, cancelled)
    pool = ThreadPoolExecutor(max_workers=1)
    task = pool.submit(scope.run, sfn._invoke_resource, resource, arguments)
    pool.shutdown(wait=False)
    try:
        return task.result(timeout=timeout)
    except FutureTimeout:
        cancelled.set()
        raise sfn._ExecutionError("States.Timeout", f"The task ran longer than {timeout} seconds") from None


def _create_job(resource: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """``sagemaker:createProcessingJob`` and ``createTrainingJob``, with and without ``.sync``."""
    action = resource.rpartition(":")[2]
    operation = action.removesuffix(".sync")
    operation = operation[0].upper() + operation[1:]
    _refuse(unsupported("sagemaker", operation, arguments) + doubtful(operation, arguments), arguments)
    kind = operation.removeprefix("Create")
    waits = action.endswith(".sync")
    try:
        if waits:
            # Step Functions waits by a rule of its own on the default bus and marks the jobs that it starts.
            rule = f"rule/StepFunctionsGetEventsForSageMaker{kind}sRule"
            for needed in ("events:PutTargets", "events:PutRule", "events:DescribeRule"):
                _authorize(needed, f"arn:aws:events:{get_region()}:{get_account_id()}:{rule}", {})
            marked = [*arguments.get("Tags", []), {"Key": "MANAGED_BY_AWS", "Value": "STARTED_BY_STEP_FUNCTIONS"}]
            arguments = {**arguments, "Tags": marked}
        answer = sagemaker.call(operation, arguments, _authorize)
        if not waits:
            return answer
        return _wait(kind, answer[f"{kind}Arn"], arguments[f"{kind}Name"])
    except ServiceError as refusal:
        raise sfn._ExecutionError(_error_name(resource, refusal), refusal.message) from refusal


def doubtful(operation: str, arguments: dict[str, Any]) -> list[str]:
    """Fields that SageMaker knows, but perhaps not Step Functions' own list for this integration.

    These two came to training jobs in 2023, years after the integration; no source says that it has learned them
    (design.md section 6). What cannot be confirmed is refused here.
    """
    if operation != "CreateTrainingJob":
        return []
    found = sorted({"ContainerEntrypoint", "ContainerArguments"} & arguments.get("AlgorithmSpecification", {}).keys())
    return [f"The field '{name}' is not supported by Step Functions" for name in found]


def _wait(kind: str, job_arn: str, name: str) -> dict[str, Any]:
    """Wait for a job to end, and stop it when the execution is aborted or the task runs out of time."""
    job, attempt, cancelled = sagemaker.job(job_arn), walking.get(), _cancelled.get() or threading.Event()
    for operation in (f"Describe{kind}", f"Stop{kind}"):
        _authorize(f"sagemaker:{operation}", job_arn, {})
    while not job.done.wait(POLL_SECONDS):
        if not job.stop.is_set() and (cancelled.is_set() or (attempt is not None and not attempt.current)):
            sagemaker.call(f"Stop{kind}", {f"{kind}Name": name}, _authorize)
    description = with_milliseconds(sagemaker.call(f"Describe{kind}", {f"{kind}Name": name}, _authorize))
    if description[f"{kind}Status"] != "Completed":
        raise sfn._ExecutionError("States.TaskFailed", json.dumps(description))
    return description


def with_milliseconds(value: Any, name: str = "") -> Any:
    """Timestamps as Step Functions' own integrations give them: milliseconds."""
    if isinstance(value, dict):
        return {key: with_milliseconds(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [with_milliseconds(item, name) for item in value]
    return round(value * MILLISECONDS) if name.endswith("Time") and isinstance(value, float) else value


def _error_name(resource: str, refusal: ServiceError) -> str:
    """The error name that Retry and Catch see."""
    service = resource.removeprefix("arn:aws:states:::").removeprefix("aws-sdk:").split(":")[0]
    if service == "sagemaker":
        named = {"ResourceInUse", "ResourceLimitExceeded", "ResourceNotFound"}
        generic = "SageMakerException" if "aws-sdk" in resource else "AmazonSageMakerException"
        return f"SageMaker.{refusal.code}Exception" if refusal.code in named else f"SageMaker.{generic}"
    names = {"lambda": "Lambda.AWSLambdaException", "sns": "SNS.AuthorizationErrorException",
             "states": "StepFunctions.AccessDeniedException",
             "sqs": "SQS.AmazonSQSException", "dynamodb": "DynamoDB.AmazonDynamoDBException"}  # fmt: skip
    return names.get(service, f"States.{refusal.code}")
