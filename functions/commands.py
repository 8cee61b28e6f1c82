"""The commands that notifications offer, ready to be pasted into a shell."""

from __future__ import annotations

import json
import shlex
from typing import Any


def ask_sweep(function: str, **payload: Any) -> str:
    """Ask the sweep function for something: see ``sweep.Command``."""
    given = shlex.quote(json.dumps(payload))
    return (
        f"  aws lambda invoke --function-name {function} --cli-binary-format raw-in-base64-out --payload {given} "
        "/dev/stdout"
    )


def start(state_machine_arn: str, dataset: str, **given: Any) -> str:
    """Start a run of a dataset by hand, now."""
    wanted = shlex.quote(json.dumps({"dataset": dataset, **given}))
    return f"  aws stepfunctions start-execution --state-machine-arn {state_machine_arn} --input {wanted}"


def redrive(execution_arn: str) -> str:
    """Go on with a failed run at the state that failed."""
    return f"  aws stepfunctions redrive-execution --execution-arn {execution_arn}"
