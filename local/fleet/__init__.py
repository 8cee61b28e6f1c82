"""Fleets whose truth is known: a company's servers (``generator``), and series that follow one law each (``laws``)."""

from local.fleet import own
from local.fleet.generator import (
    ARCHETYPES,
    COUNTRY,
    CRITICAL,
    CROSSING_DAYS,
    CROSSING_WINDOW,
    END,
    METRICS,
    PERCENT,
    WARNING,
    Fleet,
    first_crossing,
    generate,
    write,
)
from local.fleet.laws import LAWS, LawFleet, generate_laws

__all__ = [
    "ARCHETYPES", "COUNTRY", "CRITICAL", "CROSSING_DAYS", "CROSSING_WINDOW", "END", "LAWS", "METRICS", "PERCENT",
    "WARNING", "Fleet", "LawFleet", "first_crossing", "generate", "generate_laws", "own", "write",
]  # fmt: skip
