"""Consolidate: underused servers that fit on another of the same region and criticality, by first-fit decreasing.

A server fits where the highest sum of use at one time, of CPU and of memory, leaves the host its headroom.
"""

from __future__ import annotations

import math

import numpy as np

from headroom.core import wording
from headroom.core.findings import Action
from headroom.insight.recommend.facts import LEAST_DAYS, Advice, Fleet, Server, number
from headroom.insight.recommend.sizes import RESOURCES, spare, underused

ORDER = 50
ACTION = Action("consolidate", "Consolidate", "move together onto fewer servers", effort="high")

MOST_MOVED_TO_A_HOST = 4


def find(fleet: Fleet) -> list[Advice]:
    """One piece of advice per host that others fit on."""
    if not set(RESOURCES) <= set(fleet.recent):
        return []
    groups: dict[tuple[str | None, str | None], list[Server]] = {}
    for server in fleet.spared():
        if _is_usable(server):
            groups.setdefault((server.region, server.criticality), []).append(server)
    found = []
    for group in groups.values():
        movers = [
            one for one in group
            if all(one.use[metric].demand < underused(metric, fleet.settings, one.name) for metric in RESOURCES)
        ]  # fmt: skip
        if movers and len(group) >= 2:
            found += _pack(group, movers, fleet)
    return found


def _is_usable(server: Server) -> bool:
    known = [value for metric in RESOURCES for value in (server.size.of(metric), server.use[metric].demand)]
    return (
        not any(map(math.isnan, known))
        and server.level == "none"
        and not server.busy
        and server.use["memory"].days >= LEAST_DAYS
    )


def _pack(group: list[Server], movers: list[Server], fleet: Fleet) -> list[Advice]:
    rows = [one.row for one in group]
    # Use over time, shaped (resource, server, period), in vCPUs and GB; where nothing was measured, the demand.
    sizes = {metric: np.array([one.size.of(metric) for one in group]) for metric in RESOURCES}
    over_time = []
    for metric, owned in sizes.items():
        values = fleet.recent[metric][rows]
        demand = np.array([one.use[metric].demand for one in group])[:, None]
        over_time.append(np.where(np.isfinite(values), values, demand) / 100 * owned[:, None])
    use = np.stack(over_time)
    spares = {metric: np.array([spare(metric, fleet.settings, one.name) for one in group]) for metric in sizes}
    capacity = np.stack([owned / spares[metric] for metric, owned in sizes.items()])[:, :, None]
    place = {one.name: position for position, one in enumerate(group)}
    share = use.max(axis=2) / capacity[:, :, 0]
    # First fit decreasing: the largest load is placed first, on the first host with room, the largest hosts first.
    order = sorted(movers, key=lambda one: (-use[:, place[one.name]].max(axis=1).sum(), one.name))
    hosts = np.array(
        sorted(range(len(group)), key=lambda at: (-group[at].size.vcpus, -share[:, at].max(), group[at].name))
    )
    load = use.copy()
    moved_to: dict[int, list[int]] = {}
    highest, lowest = load.max(axis=2), load.min(axis=2)
    guests, free = np.zeros(len(group), dtype=int), np.ones(len(group), dtype=bool)
    for server in order:
        mine = place[server.name]
        if guests[mine]:
            continue
        # Most hosts without room are told by their highest or lowest load alone: not all periods of all are added.
        own_most, own_least = use[:, mine].max(axis=1)[:, None], use[:, mine].min(axis=1)[:, None]
        may = free & (np.maximum(highest + own_least, lowest + own_most) <= capacity[:, :, 0]).all(axis=0)
        may[mine] = False
        room = (at for at in hosts[may[hosts]] if (load[:, at] + use[:, mine] <= capacity[:, at]).all())
        if (host := next(room, None)) is not None:
            load[:, host] += use[:, mine]
            highest[:, host], lowest[:, host] = load[:, host].max(axis=1), load[:, host].min(axis=1)
            guests[host] += 1
            moved_to.setdefault(int(host), []).append(mine)
            free[mine], free[host] = False, guests[host] < MOST_MOVED_TO_A_HOST
    found = []
    for host in np.flatnonzero(guests):
        moved = sorted((group[mine] for mine in moved_to[int(host)]), key=lambda one: one.name)
        peak = 100 * load[:, host].max(axis=1) / np.array([owned[host] for owned in sizes.values()])
        costs = [one.cost for one in moved if not math.isnan(one.cost)]
        saving = float(np.sum(costs)) if costs else math.nan
        found.append(Advice(
            server_ids=[one.name for one in moved],
            metric="cpu",
            saving=saving,
            target={"host": group[host].name},
            why=f"The work of {_servers(len(moved))} fits on {group[host].name}, which has the same region "
                "and criticality: "
                f"together they peak at {wording.percent(peak[0])} of its CPU and {wording.percent(peak[1])} of its "
                "memory.",
            evidence={"joint_cpu_peak": number(peak[0]), "joint_memory_peak": number(peak[1]),
                      "periods": use.shape[2], "monthly_cost": number(saving)},
        ))  # fmt: skip
    return found


def _servers(count: int) -> str:
    return "one underused server" if count == 1 else f"{count} underused servers"
