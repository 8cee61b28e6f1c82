"""Sizes of servers: what clouds sell, what carries a demand, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from headroom.core import wording
from headroom.core.metrics import of
from headroom.core.settings import Costs, Settings

HOURS_A_MONTH = 730
# Which attribute of a server is all of a metric.
RESOURCES = {"cpu": "vcpus", "memory": "memory_gb"}
# Sizes that clouds sell: virtual CPUs, and 2, 4 or 8 GB for each.
VCPUS = (1, 2, 4, 8, 16, 32, 48, 64, 96, 128, 192)
GB_PER_VCPU = (2, 4, 8)
# What a server of unknown size may shrink to, as sizes double.
SHARES = {0.125: "an eighth", 0.25: "a quarter", 0.5: "half"}


@dataclass(frozen=True)
class Size:
    """A server's size; NaN where it is not known."""

    vcpus: float
    memory_gb: float

    def of(self, metric: str) -> float:
        """All of a resource: vCPUs for cpu, GB for memory."""
        return float(getattr(self, RESOURCES[metric]))


def monthly_cost(servers: pd.DataFrame, costs: Costs) -> pd.Series:
    """What each server costs per month: its ``monthly_cost_usd``, else its size at the settings' rates, else NaN."""
    by_size = HOURS_A_MONTH * (
        costs.per_vcpu_hour * servers["vcpus"] + costs.per_gb_hour * servers["memory_gb"].fillna(0)
    )
    return servers["monthly_cost_usd"].fillna(by_size)


def size_for(vcpus: float, memory_gb: float, costs: Costs) -> tuple[float, float] | None:
    """The cheapest standard size (vCPUs, GB) with at least this much of both; None above the largest."""
    fitting = [
        (costs.per_vcpu_hour * cpu + costs.per_gb_hour * cpu * ratio, cpu, cpu * ratio)
        for cpu in VCPUS for ratio in GB_PER_VCPU
        if cpu >= vcpus - 1e-9 and cpu * ratio >= memory_gb - 1e-9
    ]  # fmt: skip
    return min(fitting)[1:] if fitting else None


def spare(metric: str, settings: Settings, owner: str = "") -> float:
    """How many times its use a resource must be: by the headroom, and enough to stay below the owner's warning."""
    levels = settings.levels(owner, metric)
    warning = 100 / levels.warning if levels and of(metric).has_capacity and levels.warning > 0 else 1.0
    return max(1 + settings.headroom_percent / 100, warning)


def underused(metric: str, settings: Settings, owner: str) -> float:
    """Below which percentage of a resource an owner's use of it is little; 0 where nothing is."""
    levels = settings.levels(owner, metric)
    return (levels and levels.underused) or 0


def target_size(size: tuple[float, float], today: Size) -> dict[str, Any]:
    """A target as JSON has it, with only what is known of the server today."""
    wanted = dict(zip(RESOURCES.values(), size, strict=True))
    return {column: _whole(value) for column, value in wanted.items() if pd.notna(getattr(today, column))}


def cost_share(target: dict[str, Any], today: Size, costs: Costs) -> float:
    """What a target costs as a share of today, by the settings' rates."""
    if "factor" in target:
        return float(target["factor"])
    rates = {"vcpus": costs.per_vcpu_hour, "memory_gb": costs.per_gb_hour}
    known = [column for column in rates if pd.notna(getattr(today, column))]
    now = sum(rates[column] * getattr(today, column) for column in known)
    return sum(rates[column] * target.get(column, getattr(today, column)) for column in known) / now if now > 0 else 1.0


def in_words(target: dict[str, Any], with_memory: bool = True, entities: Mapping[str, str] | None = None) -> str:
    """A size, or what to multiply today's by, as people read it; ``entities`` are what of a server, by metric."""
    entities = entities or {}
    shown = target if with_memory else {key: value for key, value in target.items() if key != "memory_gb"}
    parts = wording.size(shown.get("vcpus"), shown.get("memory_gb"))
    factors = {name.removesuffix("_factor"): value for name, value in target.items() if name.endswith("_factor")}
    parts += [
        f"{value:g} times today's {wording.metric(name, entities.get(name, ''))}" for name, value in factors.items()
    ]
    parts += [wording.capacity(name, value) for name, value in shown.items() if name.endswith("_capacity")]
    if "factor" in target:
        parts.append(f"{SHARES[target['factor']]} of today's {'size' if with_memory else 'vCPUs'}")
    return wording.listed(parts)


def _whole(value: float) -> float | int:
    return int(value) if float(value).is_integer() else value
