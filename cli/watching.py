"""How commands that start a run stay with it, and what their exit code says."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from cli import follow, live, output
from cli.errors import CliError
from cli.stack import Stack, unknown

# How long a file may take from S3 to a run, by the way of EventBridge, the queue and ingest.
START_SECONDS = 120


def tell(stack: Stack, dataset: str, execution: str, done: str, follow: bool, as_json: bool) -> None:
    """Stay with an execution that was just started or redriven, or only say which it is.

    Raises:
        CliError: it was followed, and did not succeed.
    """
    if follow:
        stay(stack, dataset, execution, as_json)
    elif as_json:
        output.document({"execution": execution})
    else:
        output.tell(f"{done}: {execution.rpartition(':')[2]}. Follow it with: headroom follow {dataset}")


def stay(stack: Stack, dataset: str, execution: str, as_json: bool) -> None:
    """Follow an execution to its end, and say what came of it.

    Raises:
        CliError: it did not succeed.
    """
    if as_json:
        *_, (description, steps) = follow.follow(stack, execution, every=2.0)
    else:
        description, steps = live.watch(
            output.console(stderr=True), stack, stack.outputs["JobNamePrefix"], execution, dataset
        )
    if description["status"] != "SUCCEEDED":
        raise CliError(
            "\n".join(
                [*live.why(stack, description, steps), "", f"when the cause is mended: headroom redrive {dataset}"]
            )
        )
    result = json.loads(description["output"])
    if as_json:
        output.document({"execution": execution, **result})
        return
    output.tell(f"{result['status']}: run {result['run_id']}. See it with: headroom report {dataset}")


def new_run(stack: Stack, dataset: str, known: set[str]) -> str | None:
    """The execution that dropped files start, or None where they have to wait; says why."""
    with output.console(stderr=True).status("waiting for the files to start a run"):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            for execution in follow.executions(stack, stack.machine, dataset):
                if execution["executionArn"] not in known:
                    return execution["executionArn"]
            state = stack.ledger.state(dataset)
            if state.running and follow_arn(stack, state.running) in known:
                output.say("a run is under way; the next one, which starts by itself when it ends, takes the files")
                return None
            if (due := earliest(stack, state)) > datetime.now(UTC) and stack.ledger.has_waiting(dataset):
                output.say(
                    f"the files wait for the next run, which starts by itself at {due:%H:%M} UTC "
                    f"(MinutesBetweenRuns). To start it now: headroom run {dataset}"
                )
                return None
            time.sleep(2)
    raise CliError(
        f"no run has started within {START_SECONDS} s. In a stack's first minutes that is usual; otherwise see "
        f"headroom status {dataset}, and the log of the ingest function"
    )


def earliest(stack: Stack, state: Any) -> datetime:
    """The moment from which the next run may start by itself."""
    minutes = state.minutes_between_runs
    if minutes is None:
        minutes = int(stack.parameters.get("MinutesBetweenRuns") or 0)
    began = datetime.fromisoformat(state.last_start) if state.last_start else datetime.fromtimestamp(0, UTC)
    return began + timedelta(minutes=minutes)


def follow_arn(stack: Stack, execution: str) -> str:
    """The ARN of an execution of the stack's state machine."""
    return f"{stack.machine.replace(':stateMachine:', ':execution:')}:{execution}"


def newest(stack: Stack, dataset: str, status: tuple[str, ...] = ()) -> dict[str, Any]:
    """The dataset's newest execution, or the newest with one of these statuses.

    Raises:
        CliError: there is none.
    """
    found = follow.executions(stack, stack.machine, dataset)
    wanted = [one for one in found if not status or one["status"] in status]
    if not wanted:
        if not found and (problem := unknown(stack, dataset)):
            raise CliError(problem)
        raise CliError(f"dataset {dataset!r} has no {'failed ' if status else ''}run that Step Functions still keeps")
    return wanted[-1]
