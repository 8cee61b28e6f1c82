"""How the assessment speaks to people: a metric's name, a value with its unit, a chance, a date.

One place for each, so that a sentence in a mail reads as the same sentence in the report does.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from headroom.core.settings import PERCENT_METRICS

NAMES = {
    "cpu": "CPU",
    "memory": "memory",
    "disk": "disk",
    "network_in": "incoming network",
    "network_out": "outgoing network",
}  # fmt: skip


def metric(name: str) -> str:
    """A metric's name inside a sentence."""
    return NAMES.get(name, name)


def sentence(text: str) -> str:
    """The text with a capital letter at its beginning."""
    return text[:1].upper() + text[1:]


def sentences(parts: Iterable[str]) -> str:
    """The sentences that are there, one after another."""
    return " ".join(part for part in parts if part)


def percent(value: float, digits: int = 0) -> str:
    """A number that is in percent already, "80 %"."""
    return f"{value:.{digits}f} %"


def amount(value: float, name: str) -> str:
    """A value of a metric in its unit: whole percent, or megabytes a second in three digits."""
    return percent(value) if name in PERCENT_METRICS else f"{value:.3g} MB/s"


def pace(value: float, name: str) -> str:
    """A change of a metric in its unit: points of a percentage, or megabytes a second, in two digits."""
    return f"{f'{value:.2g}' if value < 10 else f'{value:,.0f}'} {'points' if name in PERCENT_METRICS else 'MB/s'}"


def threshold(value: float, name: str) -> str:
    """A threshold as its owner wrote it, in the metric's unit."""
    return f"{value:g} {'%' if name in PERCENT_METRICS else 'MB/s'}"


def chance(share: float) -> str:
    """In whole percent as the report rounds it; never certain, never impossible."""
    return "> 99 %" if share > 0.99 else "< 1 %" if share < 0.01 else percent(int(100 * share + 0.5))


def date(moment: pd.Timestamp, frequency: str) -> str:
    """A day, and in hourly panels the hour."""
    return f"{moment.day} {moment:%b %Y}" if frequency == "D" else f"{moment.day} {moment:%b %Y %H:%M}"


def periods(count: int, frequency: str) -> str:
    """A number of the panel's periods, "1 day", "36 hours"."""
    return f"{count:,} {'day' if frequency == 'D' else 'hour'}{'' if count == 1 else 's'}"


def span(count: int, frequency: str) -> str:
    """A length of time; hours that are whole days are told as days."""
    return periods(count // 24, "D") if frequency == "h" and count % 24 == 0 else periods(count, frequency)


def size(vcpus: float | None, memory_gb: float | None) -> list[str]:
    """A server's size, as far as it is known: "8 vCPUs" and "32 GB of memory"."""
    parts = [f"{vcpus:g} vCPU{'' if vcpus == 1 else 's'}"] if vcpus is not None else []
    return [*parts, *([f"{memory_gb:g} GB of memory"] if memory_gb is not None else [])]


def listed(parts: list[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""
