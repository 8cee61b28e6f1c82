"""The servers that are not judged, and what to do about them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from headroom.core import wording
from headroom.core.findings import Assessment
from headroom.report import blocks, fleet
from headroom.report.blocks import Text

MAX_LISTED = 400


def section(found: Assessment) -> list[dict[str, Any]]:
    """The servers of which some or all metrics are not judged; no section where every server is."""
    if not found.not_judged:
        return []
    frequency, as_of = found.settings.frequency, fleet.last_period(found)
    whole, total = fleet.unjudged(found), len(found.not_judged)
    attributes = found.servers.set_index("server_id")[["business_unit", "region"]].to_dict("index")

    def last_seen(item: dict[str, Any]) -> Text:
        if item["last"] is None:
            return "never"
        moment = pd.Timestamp(item["last"])
        ago = fleet.periods_between(moment, as_of, found)
        words = wording.date(moment, frequency)
        return [words, blocks.small(f"{wording.about(ago, frequency)} ago")] if ago > 0 else words

    rows: list[list[Text]] = [
        [
            [blocks.server(item["server_id"]), blocks.small(_joined(attributes[item["server_id"]].values()))],
            "all metrics"
            if item["server_id"] in whole
            else ", ".join(wording.metric(name) for name in item["metrics"]),
            last_seen(item),
            wording.count(item["periods"]),
            item["reason"],
        ]
        for item in found.not_judged[:MAX_LISTED]
    ]
    partly = total - len(whole)
    intro = blocks.paragraph(
        "Silent servers and those with too little history have no risk level, and nothing is recommended for silent "
        "servers. ",
        f"For {wording.plural(partly, 'server')}, only some metrics are affected. " if partly else "",
        f"The first {len(rows):,} of {total:,} are here. " if total > len(rows) else "",
        style="intro",
    )
    columns = [("Server", "name"), ("Not judged", "short"), ("Last seen", "tight"),
               ("Hours seen" if frequency.hourly else "Days seen", "number"),
               ("Why, and what to do", "wide")]  # fmt: skip
    listed = blocks.table("Servers that are not judged", columns, rows, shown=10, of="servers")
    return [blocks.section("unjudged", "Not judged", "Not judged", [intro, *listed])]


def _joined(words: Any) -> str:
    return " · ".join(str(word) for word in words if isinstance(word, str) and word)
