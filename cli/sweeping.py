"""What only the sweep function may do for a person: it has the ledger's permissions, and holds its rules."""

from __future__ import annotations

import json
from typing import Any

from cli.errors import CliError
from cli.requests import send
from cli.stack import Stack


def ask(stack: Stack, command: dict[str, Any], dry_run: bool = False) -> dict[str, Any]:
    """Invoke the sweep function with one of its commands; with ``dry_run`` print the request and return nothing.

    Raises:
        CliError: it refuses; its reason.
    """
    function = stack.outputs.get("SweepFunctionName")
    if function is None:
        raise CliError("this stack is older than this command: deploy the present template")
    if dry_run:
        send(stack, "lambda", "Invoke", {"FunctionName": function, "Payload": json.dumps(command)}, dry_run=True)
        return {}
    answer = send(stack, "lambda", "Invoke", {"FunctionName": function, "Payload": json.dumps(command).encode()})
    result = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise CliError(str(result.get("errorMessage", result)))
    return result
