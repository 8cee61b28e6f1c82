"""Units: what a unit's name means, and by what a value has to be multiplied to become ours.

Ours are percent (0 to 100) for cpu, memory and disk, megabytes (10^6 bytes) per second for the network, and for the
dataset's own metrics what their definition says. What
cannot be converted without knowing more (bytes, cores, megahertz, a sum of an unsaid period) has no factor.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from headroom.core import metrics
from headroom.core.metrics import Metric

Kind = Literal["share of the whole", "data rate", "other"]


@dataclass(frozen=True)
class Unit:
    """A unit of measure; ``factor`` leads to percent, or to megabytes per second."""

    kind: Kind
    factor: float = 1.0


_PERCENT = {
    "%",
    "percent",
    "pct",
    "percentage",
    "perc",
    "prozent",
    "pourcent",
    "porcentaje",
    "percent (0-100)",
    "0-100",
}
_SHARE = {"ratio", "share", "fraction", "percentunit", "0-1", "0..1", "0.0-1.0", "10^2.%", "percent (0.0-1.0)"}
_OTHER = re.compile(
    r"[kmgtp]?i?(b|bytes?|bits?|hz)|(kilo|mega|giga|tera|kibi|mebi|gibi)?(bytes?|bits?|hertz)|m?cores?|millicores?|"
    r"v?cpus?|ns|us|µs|ms|s|sec|seconds?|min|minutes?|counts?(/s(ec(ond)?)?)?|none|iops|ops/s|io/s|°?[cf]|celsius|"
    r"watts?|w|usd|pages|threads|processes|load|connections|packets(/s)?",
    re.IGNORECASE,
)
_RATE = re.compile(
    r"(?P<prefix>[kKMGT]i?|[Kk]ilo|[Mm]ega|[Gg]iga|[Kk]ibi|[Mm]ebi|[Gg]ibi)?"
    r"(?P<what>By?|[Bb]ytes?|octets?|bit|[Bb]its)(?: ?/ ?|ps$| ?[Pp]er ?|_per_)(?P<time>s|sec|[Ss]econds?|)"
)
_FACTOR = {"": 1e-6, "k": 1e-3, "kilo": 1e-3, "m": 1.0, "mega": 1.0, "g": 1e3, "giga": 1e3, "t": 1e6,
           "ki": 1024e-6, "kibi": 1024e-6, "mi": 1024**2 / 1e6, "mebi": 1024**2 / 1e6, "gi": 1024**3 / 1e6,
           "gibi": 1024**3 / 1e6, "ti": 1024**4 / 1e6}  # fmt: skip


def unit_of(name: str) -> Unit | None:
    """The unit that a name stands for; ``None`` where it is not a unit that we know.

    Small and capital letters matter where they tell bits from bytes: ``MB/s`` is known, and ``Mb/s`` and ``mbps``,
    which say megabits to some and megabytes to others, have no factor.
    """
    name = " ".join(name.split())
    plain = name.casefold()
    if plain in _PERCENT:
        return Unit("share of the whole", 1.0)
    if plain in _SHARE:
        return Unit("share of the whole", 100.0)
    rate = _RATE.fullmatch(name)
    if rate and (rate["time"] or name.endswith("ps")):
        factor = _FACTOR[(rate["prefix"] or "").casefold()]
        return Unit("data rate", factor / 8 if rate["what"].casefold().startswith("bit") else factor)
    if _OTHER.fullmatch(plain) or re.fullmatch(r"[kmgt]?i?b(it)?(ps|/s|/sec)", plain):
        return Unit("other")
    return None


def factor(metric: str, unit: str) -> float | None:
    """What a value of the metric in the unit is multiplied by to be in ours; ``None`` where that cannot be said."""
    meant = metrics.of_column(metric)
    if not meant.built_in:
        return _between(unit, meant)
    known = unit_of(unit)
    kind = "share of the whole" if meant.percent else "data rate"
    return known.factor if known is not None and known.kind == kind else None


def wanted(metric: str) -> str:
    """What a metric's values have to be, in words."""
    meant = metrics.of_column(metric)
    if meant.percent:
        return "percent or a share"
    return "megabytes per second" if meant.built_in else meant.unit


# --- units of a dataset's own metrics ---

# Factors to bytes, seconds and times per second, by what a unit's name is once its prefix is off.
_PREFIX = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "p": 1e15,
           "ki": 2.0**10, "mi": 2.0**20, "gi": 2.0**30, "ti": 2.0**40, "pi": 2.0**50,
           "kilo": 1e3, "mega": 1e6, "giga": 1e9, "tera": 1e12,
           "kibi": 2.0**10, "mebi": 2.0**20, "gibi": 2.0**30, "tebi": 2.0**40}  # fmt: skip
_BYTES = re.compile(
    rf"({'|'.join(sorted(filter(None, _PREFIX), key=len, reverse=True))})?(b|bytes?|bits?)", re.IGNORECASE
)
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0,
            "min": 60.0, "minute": 60.0, "minutes": 60.0, "h": 3600.0, "hour": 3600.0, "hours": 3600.0}  # fmt: skip
_PER = re.compile(r"(.*?)(?: ?/ ?| per |_per_)(s|sec|second|min|minute|h|hour)|(.+)(ps)", re.IGNORECASE)
# Words for a plain number of things: they fit a metric whatever its things are called.
_COUNTS = {"", "count", "counts", "none", "number", "short", "total", "1", "units"}


def _between(unit: str, meant: Metric) -> float | None:
    """What a number in a unit is multiplied by to be in a metric's own; ``None`` where that cannot be said.

    Of a counter, what is read is the count: the factor makes of its rate per second one in the metric's unit.
    """
    kind, factor = _measured(unit)
    own_kind, own = _measured(meant.unit)
    if meant.counter:
        if kind.endswith(" per second") or not own_kind.endswith(" per second"):
            return None
        kind += " per second"
    if kind == own_kind:
        return factor / own
    counts = [one.removesuffix(" per second") == "count" for one in (kind, own_kind)]
    things = not any(one.startswith(_SPECIAL) for one in (kind, own_kind))
    same_pace = kind.endswith(" per second") == own_kind.endswith(" per second")
    return factor / own if any(counts) and things and same_pace else None


_SPECIAL = ("bytes", "seconds", "share")


def _measured(unit: str) -> tuple[str, float]:
    """What a unit measures, and the factor to its base: ("bytes", 1e9), ("requests per second", 1 / 60)."""
    unit = " ".join(unit.split())
    plain = unit.casefold()
    if plain in _PERCENT:
        return "share", 1.0
    if plain in _SHARE:
        return "share", 100.0
    if plain in ("iops", "tps", "qps", "rps"):
        return "operations per second" if plain == "iops" else "count per second", 1.0
    if per := _PER.fullmatch(unit):
        what, time = (per[1], per[2]) if per[2] else (per[3], "s")
        if per[2] or _BYTES.fullmatch(what):
            kind, factor = _measured(what)
            return f"{kind} per second", factor / _SECONDS[time.casefold()]
    if plain in _SECONDS:
        return "seconds", _SECONDS[plain]
    size = _BYTES.fullmatch(unit)
    # Small letters say bits to some and bytes to others; kb alone is kilobytes to all.
    if size and not re.fullmatch(r"[KMGTkmgt]?b", unit.replace("kb", "kB")):
        bits = size[2].casefold().startswith("bit")
        return "bytes", _PREFIX[(size[1] or "").casefold()] / (8 if bits else 1)
    if plain in _COUNTS:
        return "count", 1.0
    operations = {"ops", "op", "io", "ios", "operation", "operations"}
    return ("operations" if plain in operations else _singular(plain)), 1.0


def _singular(word: str) -> str:
    return word.removesuffix("s") if len(word) > 3 else word


# Units that stand behind numbers in cells ("6.10 MB/s"); capital letters matter here as well.
RATES_IN_CELLS = {
    f"{prefix}{name}": factor("network_in", f"{prefix}{name}")
    for prefix in ("", "k", "K", "M", "G", "Ki", "Mi", "Gi")
    for name in ("B/s", "Bps", "bit/s")
}
