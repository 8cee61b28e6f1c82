"""S3's events as AWS sends them to EventBridge: of a bucket with versions they name the version."""

from __future__ import annotations

import contextvars
import json
from typing import Any

_version: contextvars.ContextVar[str | None] = contextvars.ContextVar("version", default=None)


def install() -> None:
    """Add what MiniStack leaves out, in the process that runs it."""
    from ministack.services import eventbridge, s3

    fire, dispatch = s3._fire_s3_event, eventbridge._dispatch_event

    def fire_with_version(*arguments: Any, **named: Any) -> None:
        token = _version.set(named.get("version_id"))
        try:
            fire(*arguments, **named)
        finally:
            _version.reset(token)

    def dispatch_with_version(event: dict[str, Any], *arguments: Any, **named: Any) -> Any:
        return dispatch(with_version(event, _version.get()), *arguments, **named)

    s3._fire_s3_event = fire_with_version
    eventbridge._dispatch_event = dispatch_with_version


def with_version(event: dict[str, Any], version: str | None) -> dict[str, Any]:
    """An event of an object with the version that it is about; other events are as they were."""
    if version is None or event.get("Source") != "aws.s3":
        return event
    detail = json.loads(event["Detail"])
    detail["object"]["version-id"] = version
    return event | {"Detail": json.dumps(detail)}
