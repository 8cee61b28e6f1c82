"""Events out: what Headroom puts on the account's default EventBridge bus, for tickets, pagers and chats.

The schema is in docs/events.md. A field is never renamed or removed within one ``schema`` number.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from notification import cut

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

logger = Logger()

SOURCE = "headroom"
PUBLISHED, FAILED, LEVEL_CHANGED = "Headroom Run Published", "Headroom Run Failed", "Headroom Server Level Changed"
SCHEMA = 1
# Of a run; the rest is a number in the event of the run. A fleet that changes as a whole is one thing to look at.
MOST_SERVERS = 500
_IN_A_REQUEST = 10  # entries that PutEvents takes
_LONGEST_REASON = 2_000
LEVELS = ("critical", "high", "medium", "low", "none")


def run_published(run: dict[str, Any], summary: dict[str, Any], results: str) -> list[dict[str, Any]]:
    """The entries of a published run: one of the run, one of each server whose level changed, the worst first."""
    moved = summary.get("moved") or {}
    order = sorted(moved, key=lambda server: (_rank(moved[server]["now"]), server))
    about = {name: run[name] for name in ("dataset", "run_id", "execution")}
    published = {
        **about,
        "trained": run["trained"],
        "as_of": summary["as_of"],
        "servers": summary["servers"],
        "levels": summary["levels"],
        "level": worst(open_levels(summary)),
        "levels_changed": len(moved),
        "results": results,
    }
    reasons = {one["server_id"]: one["reason"] for one in summary.get("top", [])}
    changed = [
        {
            **about,
            "server_id": server,
            "level": moved[server]["now"],
            "was": moved[server]["was"],
            "reason": cut(reasons.get(server, ""), _LONGEST_REASON),
            "results": results,
        }
        for server in order[:MOST_SERVERS]
    ]
    return [_entry(PUBLISHED, published), *(_entry(LEVEL_CHANGED, one) for one in changed)]


def run_failed(detail: dict[str, Any]) -> list[dict[str, Any]]:
    """The entry of a failed run."""
    return [_entry(FAILED, detail | {"reason": cut(detail["reason"], _LONGEST_REASON)})]


def put(events: EventBridgeClient, entries: list[dict[str, Any]], now: datetime) -> int:
    """Put events on the bus; how many could not be put. A run is not held up by that: mail and results are there."""
    lost = 0
    for first in range(0, len(entries), _IN_A_REQUEST):
        batch = [entry | {"Time": now} for entry in entries[first : first + _IN_A_REQUEST]]
        try:
            lost += events.put_events(Entries=batch)["FailedEntryCount"]
        except ClientError as error:
            logger.error("events not sent", extra={"error": str(error)})
            lost += len(batch)
    return lost


def worst(levels: dict[str, int]) -> str:
    """The worst level that any server has."""
    return next((level for level in LEVELS if levels.get(level)), "none")


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else len(LEVELS)


def _entry(kind: str, detail: dict[str, Any]) -> dict[str, Any]:
    body = json.dumps({"schema": SCHEMA, **detail}, ensure_ascii=False)
    return {"Source": SOURCE, "DetailType": kind, "Detail": body}


def open_levels(summary: dict[str, Any]) -> dict[str, int]:
    """How many servers are at each level, without the findings that their owners have accepted."""
    return summary.get("open_levels", summary["levels"])
