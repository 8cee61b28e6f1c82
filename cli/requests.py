"""Requests that change something: checked by the service's own description, and then sent, or only shown."""

from __future__ import annotations

from typing import Any

from cli import output
from cli.errors import CliError
from cli.stack import Stack


def send(stack: Stack, service: str, operation: str, request: dict[str, Any], dry_run: bool = False) -> dict[str, Any]:
    """Check a request, send it, and return the answer; with ``dry_run`` print it instead, and return nothing.

    Raises:
        CliError: the service would refuse it, by botocore's description of it.
    """
    if problems := problems_of(service, operation, request):
        raise CliError(f"{service} would refuse {operation}: {'; '.join(problems)}")
    if dry_run:
        output.document({"service": service, "operation": operation, "request": request})
        return {}
    from botocore import xform_name

    return getattr(stack.client(service), xform_name(operation))(**request)


def problems_of(service: str, operation: str, request: dict[str, Any]) -> list[str]:
    """What the service would object to, by its own description; botocore's validator is the second opinion."""
    from botocore.validate import ParamValidator

    from local.emulator.service_model import ServiceError, check, input_shape, unsupported

    plain = {name: value for name, value in request.items() if not isinstance(value, bytes)}
    problems = [problem.replace(" by Step Functions", "") for problem in unsupported(service, operation, request)]
    try:
        check(service, operation, plain | {name: "" for name in request.keys() - plain.keys()})
    except ServiceError as error:
        problems.append(str(error))
    report = ParamValidator().validate(request, input_shape(service, operation))
    return problems + ([report.generate_report()] if report.has_errors() else [])
