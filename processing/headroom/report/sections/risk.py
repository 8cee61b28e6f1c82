"""The table of servers at risk and to watch."""

from __future__ import annotations

from typing import Any

from headroom.core.findings import AT_RISK, Assessment
from headroom.report import blocks
from headroom.report.sections.forecasts import coverage_warning


def section(found: Assessment, shown: int) -> dict[str, Any]:
    levels = found.servers["level"]
    at_risk, watched = levels.isin(AT_RISK).any(), (~levels.isin([*AT_RISK, "none"])).any()
    title = {(True, True): "Servers at risk and to watch", (True, False): "Servers at risk",
             (False, True): "Servers to watch"}.get((bool(at_risk), bool(watched)), "Servers")  # fmt: skip
    left = len(levels) - shown
    content = []
    if left > 0:
        content.append(blocks.paragraph(
            f"The {shown:,} servers that matter most are here: those at risk, and those that a change or a "
            f"recommendation names. The other {left:,} are in ", blocks.code("risk_flagged_forecasts.parquet"), " and ",
            blocks.code("server_clusters.csv"), ".", style="note",
        ))  # fmt: skip
    content += [
        *coverage_warning(found),
        blocks.drawn("filters"),
        blocks.paragraph(
            "Most urgent first: by level, then by how likely and how soon it turns critical, weighted by the server's "
            "criticality. High and critical are at risk.", style="how",
        ),
        blocks.drawn("servers"),
    ]  # fmt: skip
    return blocks.section("risk", "Servers", title, content)
