"""What MiniStack's Step Functions lack: SageMaker tasks, redrive, execution time-outs, metrics, role permissions.

``install()`` puts these functions in the place of MiniStack's own, in the process that runs it. The interpretation of
each state stays MiniStack's; the walk from state to state is ours, because a redrive has to know where it was.
"""

from __future__ import annotations

import contextvars
import copy
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response, now_iso
from ministack.services import cloudwatch, eventbridge
from ministack.services import stepfunctions as sfn

from local.emulator import permissions, sagemaker
from local.emulator.service_model import ServiceError, unsupported

REDRIVE_DAYS = 14
OPEN_DAYS = 365
MOST_EVENTS = 24_999
POLL_SECONDS = 0.1
MILLISECONDS = 1000

_FINAL = {"SUCCEEDED": "ExecutionsSucceeded", "FAILED": "ExecutionsFailed", "TIMED_OUT": "ExecutionsTimedOut",
          "ABORTED": "ExecutionsAborted"}  # fmt: skip


@dataclass
class _Attempt:
    """One walk through an execution: the first one, or a redrive. Threads of an older attempt must not go on."""

    execution: dict[str, Any]
    number: int
    context: dict[str, Any]

    @property
    def current(self) -> bool:
        return self.execution["status"] == "RUNNING" and self.execution.get("redriveCount", 0) == self.number


_attempt: contextvars.ContextVar[_Attempt | None] = contextvars.ContextVar("_attempt", default=None)
_cancelled: contextvars.ContextVar[threading.Event | None] = contextvars.ContextVar("_cancelled", default=None)
_changes = threading.RLock()  # of any execution's status


def install() -> None:
    """Put the additions in place."""
    sfn._run_execution = run_execution
    sfn._emit_execution_status_event = publish_status
    sfn._invoke_resource_with_timeout = _invoke_with_timeout
    _wrap("_describe_execution", _with_redrive_facts)
    sfn._stop_execution = _locked(sfn._stop_execution)
    original_invoke = sfn._invoke_resource
    sfn._invoke_resource = lambda resource, arguments: _invoke(original_invoke, resource, arguments)
    original_handler = sfn.handle_request

    async def handle_request(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> tuple[int, dict[str, str], bytes]:
        if headers.get("x-amz-target", "").endswith(".RedriveExecution"):
            return sfn._finalize_response(redrive(json.loads(body or b"{}")))
        return await original_handler(method, path, headers, body, query)

    sfn.handle_request = handle_request
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


def _wrap(name: str, after: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]) -> None:
    original = getattr(sfn, name)

    def wrapped(request: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        status, headers, body = original(request)
        return json_response(after(request, json.loads(body))) if status == 200 else (status, headers, body)

    setattr(sfn, name, wrapped)


def _locked(function: Callable[..., Any]) -> Callable[..., Any]:
    def locked(*arguments: Any) -> Any:
        with _changes:
            return function(*arguments)

    return locked


# ------------------------------------------------------------------------------------------------ the walk


def run_execution(execution_arn: str) -> None:
    """Walk an execution's states, from the start or from where a redrive resumes, to its end."""
    execution = sfn._executions[execution_arn]
    machine = sfn._state_machines.get(execution["stateMachineArn"])
    number = execution.setdefault("redriveCount", 0)
    if machine is None:
        _end(execution, number, "FAILED", "States.Runtime", "the state machine does not exist any more")
        return
    definition = execution.setdefault("_definition", json.loads(machine["definition"]))
    execution.setdefault("_role", machine["roleArn"])
    given = json.loads(execution["input"] or "{}")
    point = execution.get("_resume") or {"state": definition["StartAt"], "input": given, "variables": {}}
    context = {
        "QueryLanguage": definition.get("QueryLanguage", "JSONPath"),
        "Execution": {
            "Id": execution_arn,
            "Input": given,
            "Name": execution["name"],
            "RoleArn": execution["_role"],
            "StartTime": execution["startDate"],
            "RedriveCount": number,
            **({"RedriveTime": execution["redriveDate"]} if number else {}),
        },
        "StateMachine": {"Id": execution["stateMachineArn"], "Name": machine["name"]},
        "variables": copy.deepcopy(point["variables"]),
    }
    attempt = _Attempt(execution, number, context)
    _attempt.set(attempt)
    if "TimeoutSeconds" in definition:
        scope = contextvars.copy_context()
        timer = threading.Timer(definition["TimeoutSeconds"], scope.run, args=(_end, execution, number, "TIMED_OUT"))
        timer.daemon = True
        timer.start()
    try:
        output = _walk(attempt, definition["States"], point)
    except sfn._ExecutionError as error:
        _end(execution, number, "FAILED", error.error, error.cause)
    except Exception as error:
        sfn.logger.exception("unexpected error in execution %s", execution_arn)
        _end(execution, number, "FAILED", "States.Runtime", str(error))
    else:
        _end(execution, number, "SUCCEEDED", output=json.dumps(output))


def _walk(attempt: _Attempt, states: dict[str, Any], point: dict[str, Any]) -> Any:
    """Run states one after the other, remembering before each what a redrive would need; returns the output."""
    name, data, execution, context = point["state"], point["input"], attempt.execution, attempt.context
    redriven = attempt.number > 0
    while name and attempt.current:
        state = states[name]
        kind = state["Type"]
        execution["_resume"] = {"state": name, "input": data, "variables": copy.deepcopy(context["variables"])}
        context["State"] = {"Name": name, "EnteredTime": now_iso(), "RetryCount": 0}
        if not (redriven and kind in ("Task", "Parallel", "Map")):  # a redriven task was entered before
            _event(execution, f"{kind}StateEntered", "stateEntered", name=name, input=json.dumps(data))
        redriven = False
        if kind == "Succeed":
            data, following = sfn._apply_output_path(state, sfn._apply_input_path(state, data, context), context), None
        elif kind == "Fail":
            raise sfn._ExecutionError(*sfn._fail_state_error(state, data, context))
        elif kind in ("Task", "Parallel", "Map"):
            data, following = getattr(sfn, f"_execute_{kind.lower()}")(state, data, execution, context)
        else:
            data, following = getattr(sfn, f"_execute_{kind.lower()}")(state, data, context)
        if attempt.current:
            _event(execution, f"{kind}StateExited", "stateExited", name=name, output=json.dumps(data))
        name = following
    return data


def _end(
    execution: dict[str, Any], number: int, status: str, error: str = "", cause: str = "", output: str | None = None
) -> None:
    """Give attempt ``number`` its final status, unless it has one already (aborted, timed out) or was redriven."""
    with _changes:
        if execution["status"] != "RUNNING" or execution.get("redriveCount", 0) != number:
            return
        execution.update(status=status, stopDate=now_iso(), output=output, error=error or None, cause=cause or None)
        if status == "SUCCEEDED":
            _event(execution, "ExecutionSucceeded", "executionSucceeded", output=output)
        elif status == "FAILED":
            _event(execution, "ExecutionFailed", "executionFailed", error=error, cause=cause)
        else:
            _event(execution, "ExecutionTimedOut", "executionTimedOut")
    publish_status(execution)


def _event(execution: dict[str, Any], kind: str, details: str, **facts: Any) -> None:
    sfn._add_event(execution, kind, {f"{details}EventDetails": facts})


# ------------------------------------------------------------------------------------------------ redrive


def redrive(request: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """``RedriveExecution``: go on at the state that did not end well, with the input and variables it had."""
    execution_arn = request.get("executionArn", "")
    execution = sfn._executions.get(execution_arn)
    if execution is None:
        return error_response_json("ExecutionDoesNotExist", f"Execution Does Not Exist: '{execution_arn}'", 400)
    with _changes:
        token = request.get("clientToken")
        if token and execution.get("_redriveToken") == token:
            return json_response({"redriveDate": execution["redriveDate"]})
        status, reason = redrive_status(execution)
        if status != "REDRIVABLE":
            return error_response_json("ExecutionNotRedrivable", f"{reason}: '{execution_arn}'", 400)
        execution.update(
            status="RUNNING", stopDate=None, error=None, cause=None, output=None, redriveDate=now_iso(),
            redriveCount=execution.get("redriveCount", 0) + 1, _redriveToken=token,
        )  # fmt: skip
        _event(execution, "ExecutionRedriven", "executionRedriven", redriveCount=execution["redriveCount"])
    publish_status(execution)
    scope = contextvars.copy_context()
    threading.Thread(target=scope.run, args=(run_execution, execution_arn), daemon=True).start()
    return json_response({"redriveDate": execution["redriveDate"]})


def redrive_status(execution: dict[str, Any]) -> tuple[str, str]:
    """(``REDRIVABLE`` or ``NOT_REDRIVABLE``, why not)."""
    status = execution["status"]
    if status in ("RUNNING", "SUCCEEDED") or execution.get("sync"):
        return "NOT_REDRIVABLE", f"Execution is {status} and cannot be redriven"
    # Counted from the end (API reference of RedriveExecution), a redrive's end included.
    if time.time() - _epoch(execution["stopDate"]) > REDRIVE_DAYS * 24 * 3600:
        return "NOT_REDRIVABLE", f"Execution has exceeded the redrivable period of {REDRIVE_DAYS} days"
    # A year of open time, and a history that a redrive could not be written into any more (the same page, and quotas).
    if time.time() - _epoch(execution["startDate"]) > OPEN_DAYS * 24 * 3600:
        return "NOT_REDRIVABLE", "Execution has exceeded the maximum open time of one year"
    if len(execution.get("events", [])) >= MOST_EVENTS:
        return "NOT_REDRIVABLE", f"Execution event history has {MOST_EVENTS} events or more"
    return "REDRIVABLE", ""


def _with_redrive_facts(request: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    execution = sfn._executions[request["executionArn"]]
    status, reason = redrive_status(execution)
    answer |= {"redriveCount": execution.get("redriveCount", 0), "redriveStatus": status}
    if reason:
        answer["redriveStatusReason"] = reason
    if "redriveDate" in execution:
        answer["redriveDate"] = execution["redriveDate"]
    return answer


# ------------------------------------------------------------------------------------------------ status and metrics


def publish_status(execution: dict[str, Any]) -> None:
    """Tell EventBridge and CloudWatch that an execution has started, been redriven, or ended."""
    if execution.get("sync"):
        return
    status, count = execution["status"], execution.get("redriveCount", 0)
    redrivable, reason = redrive_status(execution)
    detail = {
        **{key: execution.get(key) for key in ("executionArn", "stateMachineArn", "name", "status", "input")},
        "inputDetails": {"included": True},
        "startDate": _milliseconds(execution.get("startDate")),
        "stopDate": _milliseconds(execution.get("stopDate")),
        "output": execution.get("output") if status == "SUCCEEDED" else None,
        "outputDetails": {"included": True} if status == "SUCCEEDED" else None,
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "redriveCount": count,
        "redriveDate": _milliseconds(execution.get("redriveDate")),
        "redriveStatus": redrivable,
        "redriveStatusReason": reason or None,
        "error": execution.get("error"),
        "cause": execution.get("cause"),
    }
    publish("aws.states", "Step Functions Execution Status Change", detail, execution["executionArn"])
    dimensions = {"StateMachineArn": execution["stateMachineArn"]}
    if status == "RUNNING":
        names = ["ExecutionsRedriven" if count else "ExecutionsStarted"]
    else:
        names = [_FINAL[status]] + ([f"Redriven{_FINAL[status]}"] if count else [])
        began = execution["redriveDate"] if count else execution["startDate"]
        seconds = _epoch(execution["stopDate"]) - _epoch(began)
        cloudwatch.record_metric("AWS/States", "ExecutionTime", seconds * MILLISECONDS, "Milliseconds", dimensions)
    for name in names:
        cloudwatch.record_metric("AWS/States", name, 1, "Count", dimensions)


def publish(source: str, kind: str, detail: dict[str, Any], resource: str) -> None:
    """Put an event of an AWS service on the default bus; as on AWS, failure to do so harms nobody."""
    entry = {"Source": source, "DetailType": kind, "Detail": json.dumps(detail), "Resources": [resource]}
    try:
        eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
    except Exception:
        sfn.logger.exception("could not publish %s", kind)


def _epoch(moment: str) -> float:
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()


def _milliseconds(moment: str | None) -> int | None:
    return int(_epoch(moment) * MILLISECONDS) if moment else None


# ------------------------------------------------------------------------------------------------ tasks


def _invoke(original: Callable[[str, Any], Any], resource: str, arguments: Any) -> Any:
    """Run a task if the state machine's role may."""
    attempt = _attempt.get()
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
    attempt, cancelled = _attempt.get(), _cancelled.get() or threading.Event()
    while child["status"] == "RUNNING":
        if cancelled.is_set() or (attempt is not None and not attempt.current):
            sfn._stop_execution({"executionArn": execution_arn})
        time.sleep(POLL_SECONDS)
    described = {
        "ExecutionArn": execution_arn, "Input": child["input"], "Name": name, "StateMachineArn": machine,
        "StartDate": _milliseconds(child["startDate"]), "StopDate": _milliseconds(child["stopDate"]),
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
    attempt = _attempt.get()
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
    attempt = _attempt.get()
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
    job, attempt, cancelled = sagemaker.job(job_arn), _attempt.get(), _cancelled.get() or threading.Event()
    for operation in (f"Describe{kind}", f"Stop{kind}"):
        _authorize(f"sagemaker:{operation}", job_arn, {})
    while not job.done.wait(POLL_SECONDS):
        if not job.stop.is_set() and (cancelled.is_set() or (attempt is not None and not attempt.current)):
            sagemaker.call(f"Stop{kind}", {f"{kind}Name": name}, _authorize)
    description = _with_milliseconds(sagemaker.call(f"Describe{kind}", {f"{kind}Name": name}, _authorize))
    if description[f"{kind}Status"] != "Completed":
        raise sfn._ExecutionError("States.TaskFailed", json.dumps(description))
    return description


def _with_milliseconds(value: Any, name: str = "") -> Any:
    """Timestamps as Step Functions' own integrations give them: milliseconds."""
    if isinstance(value, dict):
        return {key: _with_milliseconds(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_milliseconds(item, name) for item in value]
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
