"""Groups of servers that behave alike."""

from __future__ import annotations

from typing import Any

from headroom.core import wording
from headroom.core.findings import Assessment
from headroom.report import blocks
from headroom.report.blocks import Text
from headroom.report.sections.rhythm import WEEKDAYS


def section(found: Assessment) -> dict[str, Any]:
    """Groups of servers that behave alike, the largest first."""
    title = "Servers that behave alike"
    if not found.profiles:
        return blocks.section("groups", "Groups", title, [blocks.paragraph("There are too few servers to compare.")])
    intro = "Servers close together on the map use their capacity alike. " if len(found.profiles) > 1 else ""
    intro += "A group's bars are its average week."
    return blocks.section("groups", "Groups", title, [blocks.paragraph(intro, style="intro"), blocks.drawn("groups")])


def profile(one: dict[str, Any]) -> dict[str, Any]:
    """A group's entry beside the map."""
    week = one["weekday_profile"] or []
    pieces = [one["description"], " Typical: ", blocks.server(one["typical_server"]), "."]
    medians: list[tuple[str, Text]] = [
        (wording.label(key), f"{value:.4g}") for key, value in one["features"].items() if value is not None
    ]
    return {
        "name": one["name"],
        "size": wording.plural(one["size"], "server"),
        "about": pieces,
        "medians": blocks.fold("Medians", [blocks.facts(medians, "inline")] if medians else []),
        "week": week,
        "texts": [f"{name}: {blocks.fixed(value, 0)}" for name, value in zip(WEEKDAYS, week, strict=False)],
        "names": WEEKDAYS,
        "ends": [name[0] for name in WEEKDAYS],
    }
