"""Errors of the HTTP API as problem details (RFC 9457): what was wrong, where, and what to do."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError


class Problem(Exception):
    """The request cannot be done; ``more`` are further members of the answer."""

    def __init__(self, status: HTTPStatus, detail: str, **more: Any) -> None:
        self.status, self.more = status, more
        super().__init__(detail)


def answer(status: HTTPStatus, detail: str, more: dict[str, Any] | None = None) -> Response[str]:
    """A problem as the response that carries it. The type says no more than the status does (RFC 9457, 4.2.1)."""
    body = {"type": "about:blank", "title": status.phrase, "status": int(status), "detail": detail, **(more or {})}
    return Response(int(status), "application/problem+json", json.dumps(body, ensure_ascii=False, default=str))


def of_problem(problem: Problem) -> Response[str]:
    """A problem that the code found."""
    return answer(problem.status, str(problem), problem.more)


def of_request(error: RequestValidationError) -> Response[str]:
    """A request that is not as the API describes it; each of its faults with its place."""
    errors = [{"where": ".".join(map(str, one["loc"])), "problem": one["msg"].removeprefix("Value error, ")}
              for one in error.errors()]  # fmt: skip
    told = "; ".join(f"{one['where']}: {one['problem']}" for one in errors[:5])
    return answer(HTTPStatus.UNPROCESSABLE_ENTITY, f"the request is not valid: {told}", {"errors": errors})
