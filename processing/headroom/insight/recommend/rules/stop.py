"""Stop: a server whose CPU did nothing for the last 90 days, nor will, and whose network hardly did anything."""

from __future__ import annotations

import math

from headroom.core import wording
from headroom.core.findings import Action
from headroom.core.periods import Frequency
from headroom.insight.ranking import criticality
from headroom.insight.recommend.facts import (
    IDLE_NETWORK,
    IDLE_PEAK,
    NETWORKS,
    Advice,
    Fleet,
    Server,
    cost_evidence,
    number,
)

ORDER = 20
ACTION = Action("stop", "Stop", "idle, nothing seems to use them", effort="low")


def find(fleet: Fleet) -> list[Advice]:
    """One piece of advice per idle server."""
    return [_advice(one) for one in fleet.spared() if one.is_idle() and _stays_idle(one)]


def _stays_idle(server: Server) -> bool:
    busy = any(server.use[metric].p95 >= IDLE_NETWORK for metric in NETWORKS if metric in server.use)
    return not (server.use["cpu"].peak >= IDLE_PEAK or busy)


def _advice(server: Server) -> Advice:
    cpu = server.use["cpu"]
    seen = [metric for metric in NETWORKS if metric in server.use and not math.isnan(server.use[metric].p95)]
    caution = "" if seen else " Its network is not measured."
    if criticality(server.criticality) == "critical":
        caution += " It is business-critical and may be a standby."
    return Advice(
        server_ids=[server.name],
        metric="cpu",
        saving=server.cost,
        why=f"CPU has been idle for {wording.periods(round(cpu.days), Frequency.DAY)}: below "
            f"{wording.percent(cpu.p95, 1)} for 95 % of the time, at most {wording.percent(cpu.highest, 1)}.{caution} "
            "Stop the server if its owner does not need it.",
        evidence={"cpu_p95": number(cpu.p95), "cpu_max": number(cpu.highest),
                  **{f"{metric}_p95": number(server.use[metric].p95) for metric in seen},
                  "days": number(cpu.days, 0), **cost_evidence(server)},
    )  # fmt: skip
