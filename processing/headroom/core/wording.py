"""How the assessment speaks to people: a metric's name, a value with its unit, a chance, a date.

One place for each, so that a sentence in a mail reads as the same sentence in the report does.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from headroom.core import metrics, series
from headroom.core.periods import Frequency

if TYPE_CHECKING:  # the preview speaks these words without it
    import pandas as pd

# Data of yesterday is as new as data of whole days can be, and of the day before where a clock or an export is late.
STALE = 3


def metric(name: str, entity: str = "") -> str:
    """A metric's name inside a sentence, "disk" or "disk /var"; so that report, mail and files agree."""
    return f"{metrics.of(name).label} {printable(entity)}" if entity else metrics.of(name).label


def verb(name: str, one: str, several: str) -> str:
    """The form of a verb that a metric's name takes: "CPU is", "database connections are"."""
    last = metrics.of(name).label.split()[-1]
    many = last.endswith("s") and not last.endswith(("ss", "us", "is")) and not last.isupper()
    return several if many and not metrics.of(name).built_in else one


def owner(name: str) -> str:
    """Whose a series is: "web-1", or "/var on web-1"."""
    return printable(series.named(name))


def sentence(text: str) -> str:
    """The text with a capital letter at its beginning."""
    return text[:1].upper() + text[1:]


def sentences(parts: Iterable[str]) -> str:
    """The sentences that are there, one after another."""
    return " ".join(part for part in parts if part)


def count(number: float) -> str:
    """A whole number, "1,234"."""
    return f"{number:,.0f}"


def plural(number: float, word: str, words: str | None = None) -> str:
    """A number of things, "1 server", "1,234 servers"."""
    return f"{count(number)} {word if number == 1 else words or word + 's'}"


def money(value: float, currency: str) -> str:
    """A sum in whole units of the currency, "USD 1,234"."""
    return f"{currency} {count(value)}"


def percent(value: float, digits: int = 0) -> str:
    """A number that is in percent already, "80 %"."""
    return f"{value:.{digits}f} %"


def unit(name: str) -> str:
    """The unit of a metric's values."""
    return metrics.of(name).unit


def amount(value: float, name: str) -> str:
    """A value of a metric in its unit: whole percent, or in three digits; "–" for none."""
    if _missing(value):
        return "–"
    if metrics.is_percent(name):
        return percent(value)
    return f"{count(value) if abs(value) >= 1000 else f'{value:.3g}'} {unit(name)}".rstrip()


def _missing(value: float | None) -> bool:
    return value is None or math.isnan(value)


def capacity(key: str, value: float) -> str:
    """A capacity to grow to, "a capacity of 600 connections" for the key "connections_capacity"."""
    name = key.removesuffix("_capacity")
    label, of = metric(name), amount(value, name)
    return f"a capacity of {of}" + ("" if unit(name) in label else f" for {label}")


def calm(servers: int, unjudged: int, horizon: str = "", watched: int = 0) -> str:
    """What is said where no server is at risk, which is not the same as where nothing is known."""
    if unjudged and unjudged == servers:
        return f"none of {servers:,} servers can be judged" if servers > 1 else "the server cannot be judged"
    ahead = f" in the next {horizon}" if horizon else ""
    others = [f", {watched:,} to watch" if watched else "", f", {unjudged:,} not judged" if unjudged else ""]
    return f"no server is at risk{ahead}{''.join(others)}"


def age(days: int | None) -> str:
    """How old the newest data was when the run began, where it is old; "now" and all dates count from that data."""
    return f"{days:,} days before this run" if days is not None and days >= STALE else ""


def change(value: float, name: str) -> str:
    """A change of a metric: of one in percent, in whole points."""
    return plural(round(value), "point") if metrics.is_percent(name) else amount(value, name)


def pace(value: float, name: str) -> str:
    """A change of a metric in its unit, in two digits; of a percentage in points."""
    number = f"{value:.2g}" if value < 10 else f"{value:,.0f}"
    of = ("point" if number == "1" else "points") if metrics.is_percent(name) else unit(name)
    return f"{number} {of}".rstrip()


def threshold(value: float, name: str) -> str:
    """A threshold as its owner wrote it: in percent of what has a capacity, else in the metric's unit."""
    return f"{value:g} {metrics.PERCENT if metrics.of(name).has_capacity else unit(name)}".rstrip()


def limit(value: float, capacity: float, name: str) -> str:
    """A threshold in the metric's unit: "90 %", "100 MB/s"; where the capacity says more, "450 connections (90 %)"."""
    if metrics.is_percent(name) or not metrics.of(name).has_capacity:
        return f"{value:g} {unit(name)}".rstrip()
    return f"{amount(value, name)} ({100 * value / capacity:.3g} %)"


def share(value: float) -> str:
    """A share of one in whole percent; "< 1 %" and "> 99 %" rather than a wrong 0 and 100; "–" for none."""
    if _missing(value):
        return "–"
    if 0 < value < 0.01:
        return "< 1 %"
    return "> 99 %" if 0.99 < value < 1 else percent(int(100 * value + 0.5))


def chance(value: float) -> str:
    """A probability as a figure, "> 99 %": a forecast is never certain, and nothing is impossible."""
    return share(min(max(value, 0.001), 0.999))


def likelihood(value: float) -> str:
    """A probability inside a sentence, "more than 99 %"."""
    return chance(value).replace("> ", "more than ").replace("< ", "less than ")


def day(moment: pd.Timestamp, year: bool = True) -> str:
    """A day, "3 Dec 2026" or "3 Dec"."""
    return f"{moment.day} {moment:%b %Y}" if year else f"{moment.day} {moment:%b}"


def date(moment: pd.Timestamp, frequency: Frequency, year: bool = True) -> str:
    """A day, and in hourly panels the hour."""
    return f"{day(moment, year)} {moment:%H:%M}" if frequency.hourly else day(moment, year)


def periods(number: int, frequency: Frequency) -> str:
    """A number of the panel's periods, "1 day", "36 hours"."""
    return plural(number, frequency.word)


def span(number: int, frequency: Frequency) -> str:
    """A length of time; hours that are whole days are told as days."""
    days, rest = divmod(number, frequency.per_day)
    return periods(number, frequency) if rest else periods(days, Frequency.DAY)


def about(number: int, frequency: Frequency) -> str:
    """A length of time, from two days on in whole days."""
    days = number / frequency.per_day
    return periods(round(days), Frequency.DAY) if days >= 2 else periods(number, frequency)


def label(key: str) -> str:
    """A key of the data as people read it: "cpu_p95" is "CPU P95", "network_in_p95" "incoming network P95"."""
    known = next(
        (name for name in sorted(metrics.names(), key=len, reverse=True) if key == name or key.startswith(f"{name}_")),
        "",
    )
    rest = key.removeprefix(known).replace("_", " ").replace("peak q50", "expected peak").strip()
    rest = re.sub(r"\bp(\d\d)\b", r"P\1", re.sub(r"\bcpu\b", "CPU", rest))
    rest = re.sub(r"\bgb\b", "GB", re.sub(r"\bvcpus\b", "vCPUs", rest))
    return f"{metric(known)} {rest}".strip() if known else rest


def printable(text: str) -> str:
    """Text from outside with its control and direction characters shown, not obeyed."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def size(vcpus: float | None, memory_gb: float | None, of: str = " of memory") -> list[str]:
    """A server's size, as far as it is known: "8 vCPUs" and "32 GB of memory"; ``of`` is what the GB are of."""
    parts = [f"{vcpus:g} vCPU{'' if vcpus == 1 else 's'}"] if vcpus is not None else []
    return [*parts, *([f"{memory_gb:g} GB{of}"] if memory_gb is not None else [])]


def listed(parts: list[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def counted(names: Sequence[str], shown: int = 5) -> str:
    """How many there are, and the first of them: "7 (a, b, c, d, e, and so on)"."""
    return f"{len(names)} ({', '.join(names[:shown])}{', and so on' if len(names) > shown else ''})"
