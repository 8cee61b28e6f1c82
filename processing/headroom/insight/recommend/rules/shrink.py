"""Shrink: a server that uses less of CPU and memory than ``underused``, and that fits a smaller standard size."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from headroom.core import wording
from headroom.core.findings import Action
from headroom.core.periods import Frequency
from headroom.core.settings import Settings
from headroom.insight.recommend.facts import Advice, Fleet, Server, cost_evidence, number
from headroom.insight.recommend.sizes import (
    RESOURCES,
    SHARES,
    VCPUS,
    cost_share,
    in_words,
    size_for,
    spare,
    target_size,
    underused,
)

ORDER = 30
ACTION = Action("shrink", "Shrink", "a smaller size keeps enough headroom", effort="medium")


def find(fleet: Fleet) -> list[Advice]:
    """One piece of advice per underused server that a smaller size carries."""
    found = []
    for server in fleet.spared():
        if any(server.use[metric].demand >= underused(metric, fleet.settings, server.name) for metric in RESOURCES):
            continue
        if any(share >= underused(metric, fleet.settings, server.name) for metric, share in server.busy.items()):
            continue
        target = _smaller(server, fleet.settings)
        if target is not None:
            found.append(_advice(server, target, fleet.settings))
    return found


def _smaller(server: Server, settings: Settings) -> dict[str, Any] | None:
    """The smaller size that carries the demand with its headroom, or None."""
    today = server.size
    shares = {metric: server.use[metric].demand / 100 * spare(metric, settings, server.name) for metric in RESOURCES}
    if pd.isna(today.vcpus):
        # Without a size: halves, as sizes double.
        share = max(share for share in shares.values() if pd.notna(share))
        factor = next((one for one in SHARES if share <= one), None)
        return None if factor is None else {"factor": factor}
    need_cpu = today.vcpus * shares["cpu"]
    if pd.isna(today.memory_gb) or pd.isna(shares["memory"]):
        vcpus = next((one for one in VCPUS if one >= need_cpu - 1e-9), today.vcpus)
        if vcpus > today.vcpus / 2:
            return None
        return {"vcpus": vcpus} | ({} if pd.isna(today.memory_gb) else {"memory_gb": number(today.memory_gb)})
    size = size_for(need_cpu, today.memory_gb * shares["memory"], settings.costs)
    if size is None or size[0] > today.vcpus or size[1] > today.memory_gb:
        return None
    # A step down in size halves something; less is not worth a restart.
    if size[0] > today.vcpus / 2 and size[1] > today.memory_gb / 2:
        return None
    return target_size(size, today)


def _advice(server: Server, target: dict[str, Any], settings: Settings) -> Advice:
    known_cost = pd.notna(server.cost)
    saving = server.cost * (1 - cost_share(target, server.size, settings.costs)) if known_cost else math.nan
    use = {metric: server.use[metric] for metric in RESOURCES if pd.notna(server.use[metric].demand)}
    needs = wording.listed([f"{wording.metric(name)} needs {wording.percent(own.demand)}" for name, own in use.items()])
    owned = {column: getattr(server.size, column) for column in RESOURCES.values() if column in target}
    known = {column: value for column, value in owned.items() if pd.notna(value)}
    spare_words, less = wording.percent(settings.headroom_percent), in_words(target, "memory" in use)
    kept = "" if "memory" in use else " Memory is not measured, so it stays as it is."
    return Advice(
        server_ids=[server.name],
        metric="cpu",
        saving=saving,
        target=target,
        why=f"{wording.sentence(needs)} of today's {in_words(known) if known else 'size'} (P95 of the daily peaks "
            f"over {wording.periods(round(server.use['cpu'].days), Frequency.DAY)}, or the forecast's peak if higher). "
            f"With {spare_words} headroom, {less} would be enough.{kept}",
        evidence={
            **{f"{metric}_p95": number(own.p95) for metric, own in use.items()},
            **{f"{metric}_daily_peak_p95": number(own.high) for metric, own in use.items()},
            **{f"{metric}_peak_q50": number(own.peak) for metric, own in use.items()},
            "vcpus": number(server.size.vcpus), "memory_gb": number(server.size.memory_gb), **cost_evidence(server),
        },
    )  # fmt: skip
