"""Units: what a unit's name means, and by what a value has to be multiplied to become ours.

Ours are percent (0 to 100) for cpu, memory and disk, and megabytes (10^6 bytes) per second for the network. What
cannot be converted without knowing more (bytes, cores, megahertz, a sum of an unsaid period) has no factor.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from headroom.core.settings import PERCENT_METRICS

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
    r"(?P<what>B|[Bb]ytes?|octets?|bit|[Bb]its)(?: ?/ ?|ps$| ?per ?|_per_)(?P<time>s|sec|[Ss]econds?|)"
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
    known = unit_of(unit)
    wanted = "share of the whole" if metric in PERCENT_METRICS else "data rate"
    return known.factor if known is not None and known.kind == wanted else None


# Units that stand behind numbers in cells ("6.10 MB/s"); capital letters matter here as well.
RATES_IN_CELLS = {
    f"{prefix}{name}": factor("network_in", f"{prefix}{name}")
    for prefix in ("", "k", "K", "M", "G", "Ki", "Mi", "Gi")
    for name in ("B/s", "Bps", "bit/s")
}
