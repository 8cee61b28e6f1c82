"""Grow: a server with a metric at critical or high risk gets more of it, in time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from headroom.core import wording
from headroom.core.findings import Action
from headroom.core.metrics import is_percent
from headroom.core.series import owner
from headroom.core.settings import Settings
from headroom.insight.recommend.facts import Advice, Fleet, Server, number
from headroom.insight.recommend.sizes import RESOURCES, cost_share, in_words, size_for, spare, target_size

ORDER = 10
ACTION = Action("grow", "Grow", "give more capacity before it runs out", effort="medium")

# From here on a percent metric hides what it would take if it could.
FULL = 99.5


def find(fleet: Fleet) -> list[Advice]:
    """One piece of advice per server at risk, whether or not all of it is judged."""
    return [_advice(one, fleet.settings) for one in fleet.servers if one.at_risk]


def _advice(server: Server, settings: Settings) -> Advice:
    rows = server.at_risk
    worst = rows[0]
    factors = {row.metric: _need(row) / _scale(row) * spare(row.metric, settings, _owner(row)) for row in rows}
    factors = {metric: factor for metric, factor in factors.items() if np.isfinite(factor)}
    target, increase = _larger(server, factors, settings, {row.metric: row.capacity for row in rows})
    return Advice(
        server_ids=[server.name],
        metric=worst.metric,
        saving=0.0,
        why=f"{worst.reason}{_also(rows)}{_too_large(target, factors)}",
        target_told=_told(target, server, {row.metric: row.entity for row in rows}),
        target=target,
        by=None if pd.isna(worst.breach_earliest) else worst.breach_earliest.date().isoformat(),
        evidence={
            "metrics": {row.metric: _pressure(row) for row in rows},
            "vcpus": number(server.size.vcpus), "memory_gb": number(server.size.memory_gb),
            "monthly_cost_increase": number(increase),
        },
    )  # fmt: skip


def _need(row: Any) -> float:
    """What a metric at risk has to carry: the median forecast's peak where a crossing is expected, else the upper."""
    return max(row.peak_q50 if row.level == "critical" else row.peak_q95, row.current)


def _scale(row: Any) -> float:
    """All of a resource in the metric's unit; of a metric without capacity, its critical threshold."""
    return float(row.capacity if np.isfinite(row.capacity) else row.critical)


def _owner(row: Any) -> str:
    return owner(row.server_id, row.entity)


def _larger(
    server: Server, factors: dict[str, float], settings: Settings, capacities: dict[str, float]
) -> tuple[dict[str, Any] | None, float]:
    """What to grow to, and what that costs more per month (NaN where the size is not known)."""
    sized = {metric for metric in RESOURCES if server.size.of(metric) > 0}
    target: dict[str, Any] = {}
    for metric, factor in factors.items():
        if factor > 1 and metric not in sized:
            if is_percent(metric) or not np.isfinite(capacities[metric]):
                target[f"{metric}_factor"] = math.ceil(round(factor * 10, 6)) / 10
            else:
                target[f"{metric}_capacity"] = _rounded_up(factor * capacities[metric])
    increase = math.nan
    if any(metric in sized and factor > 1 for metric, factor in factors.items()):
        need = {
            metric: (server.size.of(metric) if metric in sized else 0) * max(factors.get(metric, 1), 1)
            for metric in RESOURCES
        }
        size = size_for(need["cpu"], need["memory"], settings.costs)
        if size is not None:
            target |= target_size(size, server.size)
            if pd.notna(server.cost):
                increase = max(server.cost * (cost_share(target, server.size, settings.costs) - 1), 0)
    return target or None, increase


def _rounded_up(value: float) -> float:
    """Two digits, upwards: what somebody may order."""
    digits = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(round(value / digits, 6)) * digits:.12g}")


def _also(rows: list[Any]) -> str:
    """The other metrics at risk, and those that are full, as sentences after the reason."""
    also = [wording.metric(row.metric, row.entity) for row in rows[1:]]
    text = f" Also at risk: {wording.listed(also)}." if also else ""
    full = [wording.metric(row.metric, row.entity) for row in rows if is_percent(row.metric) and _need(row) >= FULL]
    if full:
        what = "Its forecast" if len(rows) == 1 else f"The forecast of {wording.listed(full)}"
        text += f" {what} reaches 100 %, so the real need may be higher."
    return text


def _too_large(target: dict[str, Any] | None, factors: dict[str, float]) -> str:
    if target is not None or all(factor <= 1 for factor in factors.values()):
        return ""
    return " No standard size is large enough: spread the work over several servers."


def _told(target: dict[str, Any] | None, server: Server, entities: dict[str, str]) -> str:
    if target is None:
        return ""
    today = {column: number(getattr(server.size, column)) for column in RESOURCES.values() if column in target}
    return f"Target: {in_words(target, entities=entities)}{f'; today {in_words(today)}' if today else ''}."


def _pressure(row: Any) -> dict[str, Any]:
    return {
        **({"entity": row.entity} if row.entity else {}),
        "current": number(row.current),
        "peak_q50": number(row.peak_q50),
        "peak_q95": number(row.peak_q95),
        "p_critical": number(row.p_critical, 3),
        "critical_date": None if pd.isna(row.critical_date) else row.critical_date.date().isoformat(),
    }
