"""What the report says of findings that their owners have accepted or snoozed: hidden above, and never silently."""

from __future__ import annotations

from typing import Any

import pandas as pd

from headroom.core import wording
from headroom.core.findings import Assessment
from headroom.report import blocks
from headroom.report.blocks import Block, Text

MAX_LISTED = 400
_WHY = {"expired": "its time is over", "worse": "it has become worse"}


def counts(found: Assessment) -> tuple[int, int]:
    """How many findings are hidden, and how many came back."""
    known = found.summary.get("accepted") or {}
    return known.get("hidden_total", 0), known.get("returned_total", 0)


def section(found: Assessment) -> list[dict[str, Any]]:
    """The findings that are hidden, and those that came back; no section where nobody has accepted anything."""
    content = _content(found)
    return [blocks.section("accepted", "Accepted", "Accepted findings", content)] if content else []


def _content(found: Assessment) -> list[Block]:
    known = found.summary.get("accepted") or {}
    hidden, returned, problems = known.get("hidden", []), known.get("returned", []), known.get("problems", [])
    if not (hidden or returned or problems):
        return []
    total = known["hidden_total"]
    intro = (
        f"{wording.plural(total, 'finding')} {'is' if total == 1 else 'are'} left out of the headline, of the order of "
        "servers and of the mail, because somebody knows and answers for it. All tables and files have "
        "them. A finding comes back the day after it ends, and as soon as its level is higher than it was then."
        if total
        else "No finding is hidden."
    )
    columns = [("Server", "name"), ("Finding", "short"), ("Decision", "short"), ("Until", "tight"), ("Why", "wide")]
    return [
        *blocks.warning("The file of accepted findings cannot be used, so nothing is hidden.", list(problems[:20])),
        blocks.paragraph(intro, style="intro"),
        *blocks.table("Findings that came back", columns, [_row(one) for one in returned[:MAX_LISTED]], 10, "findings"),
        *blocks.table("Findings that are hidden", columns, [_row(one) for one in hidden[:MAX_LISTED]], 10, "findings"),
    ]


def of_metric(found: Assessment, server: str, metric: str, entity: Any = None) -> str:
    """The decision on a metric's risk as a sentence; "" where there is none."""
    known = found.summary.get("accepted") or {}
    for one in known.get("hidden", []):
        if (one["server_id"], one["metric"], one["kind"]) == (server, metric, "risk") and one["entity"] == entity:
            until = wording.day(pd.Timestamp(one["until"]))
            return f"{wording.sentence(one['state'])} by {one['by']} until {until}: {one['reason'].rstrip('.')}."
    return ""


def _row(one: dict[str, Any]) -> list[Text]:
    entity = f" of {one['entity']}" if one["entity"] else ""
    what = f"{wording.metric(one['metric'])}{entity}"
    told = f"{what}: {one['level']}" if one["kind"] == "risk" else f"advice to {one['kind']}"
    then = blocks.small(f"{one['level_then']} at that time")
    why: Text = one["reason"]
    if "why" in one:
        why = [blocks.bold(f"Back, as {_WHY[one['why']]}. "), one["reason"]]
    return [
        [blocks.server(one["server_id"])],
        [told, then] if one["level_then"] != one["level"] else told,
        [f"{one['state']} by {one['by']}", blocks.small(wording.day(pd.Timestamp(one["at"])))],
        wording.day(pd.Timestamp(one["until"])),
        why,
    ]
