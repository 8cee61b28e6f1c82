"""A state machine's definition, walked as Step Functions walks it: requests evaluated, results made up."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

# Where a walk is not told which execution it is of.
BY_HAND = {
    "Id": "arn:aws:states:eu-central-1:123456789012:execution:headroom-capacity:by-hand",
    "Name": "by-hand",
    "StartTime": "2026-10-31T06:00:00.123Z",
}


@dataclass(frozen=True)
class Step:
    """A task that the walk came by: its state, its integration and the request it would send."""

    state: str
    resource: str
    request: Any


class EvaluationError(Exception):
    """What Step Functions calls States.QueryEvaluationError."""


def walk(
    machine: dict[str, Any],
    given: dict[str, Any],
    results: dict[str, Any],
    redrives: int | None = 0,
    retries: int = 0,
    execution: dict[str, Any] = BY_HAND,
) -> list[Step]:
    """Follow an execution started with ``given`` to its end.

    ``results`` are the tasks' results by state: values, or functions of the request that give them.
    ``redrives=None`` leaves ``RedriveCount`` out of the context, as emulators do.
    """
    execution = {**execution, "Input": given, **({} if redrives is None else {"RedriveCount": redrives})}
    variables: dict[str, Any] = {}
    steps: list[Step] = []
    data: Any = given
    name: str | None = machine["StartAt"]
    while name is not None:
        state = machine["States"][name]
        context = {"Execution": execution, "State": {"Name": name, "RetryCount": retries}}
        states = {"input": data, "context": context}
        if state["Type"] == "Choice":
            taken = (choice for choice in state["Choices"] if _evaluate(choice["Condition"], variables, states) is True)
            name = next(taken, {"Next": state["Default"]})["Next"]
            continue
        if state["Type"] == "Wait":
            seconds = _evaluate(state["Seconds"], variables, states)
            if not isinstance(seconds, int | float) or seconds < 0:
                raise EvaluationError(f"{name} waits for {seconds!r} seconds")
            variables |= _evaluate(state.get("Assign", {}), variables, states)
            name = state["Next"]
            continue
        if state["Type"] == "Pass":
            variables |= _evaluate(state.get("Assign", {}), variables, states)
            data = _evaluate(state["Output"], variables, states) if "Output" in state else data
            name = None if state.get("End") else state["Next"]
            continue
        if state["Type"] != "Task":
            raise NotImplementedError(f"this walk does not know {state['Type']} states: teach it")
        steps.append(Step(name, state["Resource"], _evaluate(state["Arguments"], variables, states)))
        result = results[name]
        states["result"] = result(steps[-1].request) if callable(result) else result
        assigned = _evaluate(state.get("Assign", {}), variables, states)
        data = _evaluate(state["Output"], variables, states) if "Output" in state else states["result"]
        variables |= assigned
        name = None if state.get("End") else state["Next"]
    return steps


def _evaluate(template: Any, variables: dict[str, Any], states: dict[str, Any]) -> Any:
    if isinstance(template, dict):
        return {name: _evaluate(item, variables, states) for name, item in template.items()}
    if isinstance(template, list):
        return [_evaluate(item, variables, states) for item in template]
    if not isinstance(template, str) or not template.startswith("{%"):
        return template
    expression = template.removeprefix("{%").removesuffix("%}").strip()
    value = _parsed(expression).evaluate(None, variables | {"states": states})
    if value is None:  # undefined, which Step Functions refuses; no expression here means null
        raise EvaluationError(f"no result: {expression}")
    return value


@cache
def _parsed(expression: str) -> Any:
    import jsonata

    parsed = jsonata.Jsonata.jsonata(expression)
    parsed.register_lambda("parse", json.loads)  # what Step Functions adds to JSONata, as far as it is used
    return parsed
