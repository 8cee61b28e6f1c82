"""The fleet's levels over time."""

from __future__ import annotations

from typing import Any

from headroom.core.findings import RiskOverTime
from headroom.report import blocks


def section(risk: RiskOverTime) -> dict[str, Any]:
    words = f"The worst level {risk.every}, of the whole fleet and of each server. "
    if risk.past:
        words += "Left of the line as measured; right of it the level reached by then, as forecast."
    content = [blocks.paragraph(words, style="intro"), blocks.drawn("heat")]
    return blocks.section("fleet", "Over time", "The fleet over time", content)
