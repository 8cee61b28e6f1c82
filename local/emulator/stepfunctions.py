"""What MiniStack's Step Functions lack: redrive, execution time-outs, metrics, and the tasks of ``tasks``.

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
from typing import Any

from ministack.core.responses import error_response_json, json_response, now_iso
from ministack.services import cloudwatch, eventbridge
from ministack.services import stepfunctions as sfn

from local.emulator import tasks
from local.emulator.tasks import MILLISECONDS, Attempt, epoch, milliseconds, walking

REDRIVE_DAYS = 14
OPEN_DAYS = 365
MOST_EVENTS = 24_999

_FINAL = {"SUCCEEDED": "ExecutionsSucceeded", "FAILED": "ExecutionsFailed", "TIMED_OUT": "ExecutionsTimedOut",
          "ABORTED": "ExecutionsAborted"}  # fmt: skip


_changes = threading.RLock()  # of any execution's status


def install() -> None:
    """Put the additions in place."""
    sfn._run_execution = run_execution
    sfn._emit_execution_status_event = publish_status
    _wrap("_describe_execution", _with_redrive_facts)
    sfn._stop_execution = _locked(sfn._stop_execution)
    original_handler = sfn.handle_request

    async def handle_request(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> tuple[int, dict[str, str], bytes]:
        if headers.get("x-amz-target", "").endswith(".RedriveExecution"):
            return sfn._finalize_response(redrive(json.loads(body or b"{}")))
        return await original_handler(method, path, headers, body, query)

    sfn.handle_request = handle_request
    tasks.install()


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
    attempt = Attempt(execution, number, context)
    walking.set(attempt)
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


def _walk(attempt: Attempt, states: dict[str, Any], point: dict[str, Any]) -> Any:
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
    if time.time() - epoch(execution["stopDate"]) > REDRIVE_DAYS * 24 * 3600:
        return "NOT_REDRIVABLE", f"Execution has exceeded the redrivable period of {REDRIVE_DAYS} days"
    # A year of open time, and a history that a redrive could not be written into any more (the same page, and quotas).
    if time.time() - epoch(execution["startDate"]) > OPEN_DAYS * 24 * 3600:
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
        "startDate": milliseconds(execution.get("startDate")),
        "stopDate": milliseconds(execution.get("stopDate")),
        "output": execution.get("output") if status == "SUCCEEDED" else None,
        "outputDetails": {"included": True} if status == "SUCCEEDED" else None,
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "redriveCount": count,
        "redriveDate": milliseconds(execution.get("redriveDate")),
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
        seconds = epoch(execution["stopDate"]) - epoch(began)
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
