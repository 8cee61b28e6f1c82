"""What to do about it, for which money: grow, stop, shrink, schedule, consolidate.

A server gets at most one recommendation, the first that applies in the order grow, stop, shrink, schedule,
consolidate, so a total never counts a saving twice. The rules are documented for their readers in ``docs/risk.md``.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from headroom.core import wording
from headroom.core.grid import Grid, quantile
from headroom.core.periods import Frequency
from headroom.core.settings import PERCENT_METRICS, Costs, Settings
from headroom.insight.clusters import IDLE_BELOW
from headroom.insight.risk import criticality
from headroom.insight.seasonality import highest_by_day

HOURS_A_MONTH = 730
# What a server of unknown size may shrink to, as sizes double.
SHARES = {0.125: "an eighth", 0.25: "a quarter", 0.5: "half"}
# Sizes that clouds sell: virtual CPUs, and 2, 4 or 8 GB for each.
VCPUS = (1, 2, 4, 8, 16, 32, 48, 64, 96, 128, 192)
GB_PER_VCPU = (2, 4, 8)

LOOKBACK_DAYS = 90
LEAST_DAYS = 14
# An idle server never does more than this: a job that runs once a month is work.
IDLE_PEAK = 20.0  # percent of cpu
IDLE_NETWORK = 1.0  # megabytes a second
# A schedule is worth its trouble from this share of the week on, and takes this many idle hours in a row every day.
LEAST_OFF_SHARE, LEAST_OFF_HOURS = 0.25, 6
# A time of the week is free where this share of its periods is idle; weekends after so many of their days.
QUIET_SHARE, WEEKEND_DAYS = 0.95, 6
MOST_MOVED_TO_A_HOST = 4

# From here on a percent metric hides what it would take if it could.
FULL = 99.5

RESOURCES = {"cpu": "vcpus", "memory": "memory_gb"}
EFFORT = {"grow": "medium", "stop": "low", "shrink": "medium", "schedule": "low", "consolidate": "high"}


@dataclass(frozen=True)
class _Fleet:
    """What the rules look at: attributes and measures of each server, and the recent past of all.

    ``highest_cpu`` has each period's highest sample, shaped as ``recent["cpu"]``, which has the settings' statistic.
    """

    servers: pd.DataFrame
    owned: dict[str, dict[str, Any]]
    grid: Grid
    settings: Settings
    row: dict[str, int]
    recent: dict[str, np.ndarray]
    highest_cpu: np.ndarray | None

    def spared(self, done: set[str]) -> np.ndarray:
        """The servers from which something may be taken: with two weeks of CPU, and without risk to CPU or memory."""
        table = self.servers
        return np.asarray((table["cpu_days"] >= LEAST_DAYS) & ~table["pressed"] & ~table.index.isin(done))


def recommend(
    grid: Grid,
    risks: pd.DataFrame,
    servers: pd.DataFrame,
    settings: Settings,
    not_judged: Collection[str] = (),
    panel: pd.DataFrame | None = None,
) -> list[dict[str, Any]]:
    """All recommendations, the most urgent first; the dicts are those of ``Assessment.recommendations``.

    Args:
        risks: see ``risk.risks``.
        servers: see ``risk.servers``: the attributes and the score of each server.
        not_judged: servers of which something is not judged: nothing is taken from what may be gone, or is not known.
        panel: ``server_id, metric, ds, max, p99``, for what the grid's statistic does not show: a daily P95 hides a
            job of one hour a day.
    """
    fleet = _look(grid, risks, servers, settings, panel)
    found: list[dict[str, Any]] = []
    for rule in (_grow, _stop, _shrink, _schedule, _consolidate):
        done = {*not_judged, *(server for one in found for server in _involved(one))}
        found += rule(fleet, risks, done)
    urgency = {server: number for number, server in enumerate(servers["server_id"])}
    found.sort(key=lambda one: (
        one["action"] != "grow",
        urgency[one["server_ids"][0]] if one["action"] == "grow" else -one["monthly_saving"],
        one["server_ids"],
    ))  # fmt: skip
    return [{**one, "priority": number} for number, one in enumerate(found, 1)]


def totals(recommendations: list[dict[str, Any]], settings: Settings) -> dict[str, Any]:
    """Savings a month, in all and by action, and what growing costs more a month as far as its price is known."""
    by_action: dict[str, float] = {}
    for one in recommendations:
        by_action[one["action"]] = by_action.get(one["action"], 0.0) + one["monthly_saving"]
    by_action = {action: round(total, 2) for action, total in sorted(by_action.items())}
    growth = sum(one["evidence"].get("monthly_cost_increase") or 0.0 for one in recommendations)
    return {
        "monthly": round(sum(by_action.values()), 2), "currency": settings.costs.currency, "by_action": by_action,
        "growth_monthly": round(growth, 2),
    }  # fmt: skip


def monthly_cost(servers: pd.DataFrame, costs: Costs) -> pd.Series:
    """What each server costs a month: its own ``monthly_cost_usd``, else its size at the settings' rates, else NaN."""
    by_size = HOURS_A_MONTH * (
        costs.per_vcpu_hour * servers["vcpus"] + costs.per_gb_hour * servers["memory_gb"].fillna(0)
    )
    return servers["monthly_cost_usd"].fillna(by_size)


def size_for(vcpus: float, memory_gb: float, costs: Costs) -> tuple[float, float] | None:
    """The cheapest standard size with at least so much; None above the largest."""
    fitting = [
        (costs.per_vcpu_hour * cpu + costs.per_gb_hour * cpu * ratio, cpu, cpu * ratio)
        for cpu in VCPUS for ratio in GB_PER_VCPU
        if cpu >= vcpus - 1e-9 and cpu * ratio >= memory_gb - 1e-9
    ]  # fmt: skip
    return min(fitting)[1:] if fitting else None


def _look(
    grid: Grid, risks: pd.DataFrame, servers: pd.DataFrame, settings: Settings, panel: pd.DataFrame | None
) -> _Fleet:
    periods = LOOKBACK_DAYS * grid.frequency.per_day
    recent, ds = {metric: values[:, -periods:] for metric, values in grid.by_metric.items()}, grid.ds[-periods:]
    table = servers.set_index("server_id")
    by_metric = risks.set_index(["metric", "server_id"])
    highest = {metric: _of_samples(panel, "max", metric, grid, values) for metric, values in recent.items()}
    for metric, values in recent.items():
        # What a job of an hour a day needs: of hours the highest of the day, of days the P99 of their samples.
        high = highest_by_day(values, ds) if grid.frequency.hourly else _of_samples(panel, "p99", metric, grid, values)
        own = pd.DataFrame({
            f"{metric}_p95": quantile(values, 0.95), f"{metric}_high": quantile(high, 0.95),
            f"{metric}_max": quantile(highest[metric], 1.0),
            f"{metric}_days": np.isfinite(values).sum(axis=1) / grid.frequency.per_day,
        }, index=grid.servers)  # fmt: skip
        table = table.join(own)
        known = metric in by_metric.index.get_level_values(0)
        table[f"{metric}_peak"] = by_metric.loc[metric]["peak_q50"] if known else np.nan
    for metric in ("cpu", "memory"):
        for measure in ("p95", "high", "max", "peak"):
            if f"{metric}_{measure}" not in table:
                table[f"{metric}_{measure}"] = np.nan
        if f"{metric}_days" not in table:
            table[f"{metric}_days"] = 0.0
        # What a size has to carry: the P95 of the past (in hours: of the days' highest), or the forecast's peak.
        table[f"{metric}_demand"] = table[[f"{metric}_high", f"{metric}_peak"]].max(axis=1)
    # A size of nothing is not known.
    for column in RESOURCES.values():
        table[column] = table[column].where(table[column] > 0)
    table["cost"] = monthly_cost(table, settings.costs)
    pressed = risks.loc[risks["metric"].isin(list(RESOURCES)) & (risks["level"] != "none"), "server_id"]
    table["pressed"] = table.index.isin(pressed)
    row = {server: number for number, server in enumerate(grid.servers)}
    return _Fleet(table, table.to_dict("index"), grid, settings, row, recent, highest.get("cpu"))


def _of_samples(panel: pd.DataFrame | None, column: str, metric: str, grid: Grid, values: np.ndarray) -> np.ndarray:
    """Another statistic of the same periods as ``values`` (n, T), never below them; ``values`` where it is not kept."""
    if panel is None or column not in panel:
        return values
    ds = grid.ds[-values.shape[1] :]
    rows = panel[(panel["metric"] == metric) & (panel["ds"] >= ds[0])]
    found = np.full_like(values, np.nan)
    found[pd.Index(grid.servers).get_indexer(rows["server_id"]), ds.get_indexer(rows["ds"])] = rows[column]
    return np.fmax(found, values)


def _grow(fleet: _Fleet, risks: pd.DataFrame, done: set[str]) -> list[dict[str, Any]]:
    """Servers with a metric at critical or high risk."""
    settings = fleet.settings
    found = []
    pressed = risks[risks["level"].isin(["critical", "high"])]
    pressed = pressed.sort_values(["server_id", "score", "metric"], ascending=[True, False, True])
    for server, group in groupby(pressed.itertuples(index=False), key=lambda row: row.server_id):
        rows = list(group)
        worst, owned = rows[0], fleet.owned[server]
        factors = {row.metric: _need(row) / _scale(row.metric, settings) * _spare(row.metric, fleet) for row in rows}
        factors = {metric: factor for metric, factor in factors.items() if np.isfinite(factor)}
        target, increase = _larger(owned, factors, settings)
        by = worst.breach_earliest
        found.append(_recommendation(
            "grow", [server], worst.metric, 0.0, target=target,
            by=None if pd.isna(by) else by.date().isoformat(),
            reason=f"{worst.reason}{_growth(rows, factors, target, owned)}",
            evidence={
                "metrics": {row.metric: _pressure(row) for row in rows},
                "vcpus": _number(owned["vcpus"]), "memory_gb": _number(owned["memory_gb"]),
                "monthly_cost_increase": _number(increase),
            },
        ))  # fmt: skip
    return found


def _need(row: Any) -> float:
    """What a metric at risk has to carry: the median forecast's peak where a crossing is expected, else the upper."""
    return max(row.peak_q50 if row.level == "critical" else row.peak_q95, row.current)


def _growth(rows: list[Any], factors: dict[str, float], target: dict[str, Any] | None, owned: dict[str, Any]) -> str:
    """What to grow to, in sentences after the reason."""
    also = [wording.metric(row.metric) for row in rows[1:]]
    text = f" Also at risk: {wording.listed(also)}." if also else ""
    full = [wording.metric(row.metric) for row in rows if row.metric in PERCENT_METRICS and _need(row) >= FULL]
    if full:
        what = "Its forecast" if len(rows) == 1 else f"The forecast of {wording.listed(full)}"
        text += f" {what} is at 100 %: the real need may be larger."
    if target is None:
        if all(factor <= 1 for factor in factors.values()):
            return text
        return f"{text} No standard size is large enough: share the work between servers."
    today = {column: _number(owned[column]) for column in RESOURCES.values() if column in target}
    return f"{text} Target: {_words(target)}{f'; today {_words(today)}' if today else ''}."


def _pressure(row: Any) -> dict[str, Any]:
    return {
        "current": _number(row.current),
        "peak_q50": _number(row.peak_q50),
        "peak_q95": _number(row.peak_q95),
        "p_critical": _number(row.p_critical, 3),
        "critical_date": None if pd.isna(row.critical_date) else row.critical_date.date().isoformat(),
    }


def _larger(
    owned: dict[str, Any], factors: dict[str, float], settings: Settings
) -> tuple[dict[str, Any] | None, float]:
    """What to grow to, and what that costs more a month (NaN where the size is not known)."""
    target: dict[str, Any] = {
        f"{metric}_factor": math.ceil(round(factor * 10, 6)) / 10
        for metric, factor in factors.items()
        if factor > 1 and (metric not in RESOURCES or not owned[RESOURCES[metric]] > 0)
    }
    increase = math.nan
    if any(metric in RESOURCES and owned[RESOURCES[metric]] > 0 and factor > 1 for metric, factor in factors.items()):
        need = {
            metric: (0 if pd.isna(owned[column]) else owned[column]) * max(factors.get(metric, 1), 1)
            for metric, column in RESOURCES.items()
        }
        size = size_for(need["cpu"], need["memory"], settings.costs)
        if size is not None:
            target |= _size(size, owned)
            if pd.notna(owned["cost"]):
                increase = max(owned["cost"] * (_rate(target, owned, settings.costs) - 1), 0)
    return target or None, increase


def _stop(fleet: _Fleet, risks: pd.DataFrame, done: set[str]) -> list[dict[str, Any]]:
    """Servers whose CPU did nothing for the last 90 days, nor will, and whose network hardly anything."""
    table = fleet.servers
    idle = fleet.spared(done) & (table["cpu_p95"] < IDLE_BELOW) & (table["cpu_max"] < IDLE_PEAK)
    idle &= ~(table["cpu_peak"] >= IDLE_PEAK)
    networks = [metric for metric in ("network_in", "network_out") if f"{metric}_p95" in table]
    for metric in networks:
        idle &= ~(table[f"{metric}_p95"] >= IDLE_NETWORK)
    found = []
    for server in table.index[idle]:
        owned = fleet.owned[server]
        seen = [metric for metric in networks if pd.notna(owned[f"{metric}_p95"])]
        caution = "" if seen else " Its network is not measured."
        if criticality(owned["criticality"]) == "critical":
            caution += " It is business-critical and may be a standby."
        found.append(_recommendation(
            "stop", [server], "cpu", owned["cost"],
            reason=f"CPU has been idle for {wording.periods(round(owned['cpu_days']), Frequency.DAY)}: below "
                   f"{wording.percent(owned['cpu_p95'], 1)} for 95 % of the time, at most "
                   f"{wording.percent(owned['cpu_max'], 1)}.{caution} Stop the server if its owner does not need it.",
            evidence={"cpu_p95": _number(owned["cpu_p95"]), "cpu_max": _number(owned["cpu_max"]),
                      **{f"{metric}_p95": _number(owned[f"{metric}_p95"]) for metric in seen},
                      "days": _number(owned["cpu_days"], 0), **_cost(owned)},
        ))  # fmt: skip
    return found


def _shrink(fleet: _Fleet, risks: pd.DataFrame, done: set[str]) -> list[dict[str, Any]]:
    """Servers that use less of cpu and memory than ``underused``, and that fit a smaller standard size."""
    settings, table = fleet.settings, fleet.servers
    candidates = fleet.spared(done)
    for metric in RESOURCES:
        candidates &= ~np.asarray(table[f"{metric}_demand"] >= (settings.thresholds[metric].underused or 0))
    found = []
    for server in table.index[candidates]:
        owned = fleet.owned[server]
        target = _smaller(owned, fleet)
        if target is None:
            continue
        saving = owned["cost"] * (1 - _rate(target, owned, settings.costs)) if pd.notna(owned["cost"]) else math.nan
        measured = [metric for metric in RESOURCES if pd.notna(owned[f"{metric}_demand"])]
        use = wording.listed(
            [f"{wording.metric(name)} needs {wording.percent(owned[f'{name}_demand'])}" for name in measured]
        )
        less = _words(target, "memory" in measured)
        known = {column: _number(owned[column]) for column in target if column in owned and pd.notna(owned[column])}
        kept = "" if "memory" in measured else " Memory is not measured and stays as it is."
        found.append(_recommendation(
            "shrink", [server], "cpu", saving, target=target,
            reason=f"{wording.sentence(use)} of today's {_words(known) if known else 'size'} (P95 of the daily peaks "
                   f"over {wording.periods(round(owned['cpu_days']), Frequency.DAY)}, or the forecast's peak if "
                   f"higher). With {wording.percent(settings.headroom_percent)} headroom {less} would do.{kept}",
            evidence={
                **{f"{metric}_p95": _number(owned[f"{metric}_p95"]) for metric in measured},
                **{f"{metric}_daily_peak_p95": _number(owned[f"{metric}_high"]) for metric in measured},
                **{f"{metric}_peak_q50": _number(owned[f"{metric}_peak"]) for metric in measured},
                "vcpus": _number(owned["vcpus"]), "memory_gb": _number(owned["memory_gb"]), **_cost(owned),
            },
        ))  # fmt: skip
    return found


def _smaller(owned: dict[str, Any], fleet: _Fleet) -> dict[str, Any] | None:
    """The smaller size that carries the demand with its headroom, or None."""
    shares = {metric: owned[f"{metric}_demand"] / 100 * _spare(metric, fleet) for metric in RESOURCES}
    if pd.isna(owned["vcpus"]):
        # Without a size: halves, as sizes double.
        share = max(share for share in shares.values() if pd.notna(share))
        factor = next((one for one in SHARES if share <= one), None)
        return None if factor is None else {"factor": factor}
    need_cpu = owned["vcpus"] * shares["cpu"]
    if pd.isna(owned["memory_gb"]) or pd.isna(shares["memory"]):
        vcpus = next((one for one in VCPUS if one >= need_cpu - 1e-9), owned["vcpus"])
        if vcpus > owned["vcpus"] / 2:
            return None
        return {"vcpus": vcpus} | ({} if pd.isna(owned["memory_gb"]) else {"memory_gb": _number(owned["memory_gb"])})
    size = size_for(need_cpu, owned["memory_gb"] * shares["memory"], fleet.settings.costs)
    if size is None or size[0] > owned["vcpus"] or size[1] > owned["memory_gb"]:
        return None
    # A step down in size halves something; less is not worth a restart.
    if size[0] > owned["vcpus"] / 2 and size[1] > owned["memory_gb"] / 2:
        return None
    return _size(size, owned)


def _schedule(fleet: _Fleet, risks: pd.DataFrame, done: set[str]) -> list[dict[str, Any]]:
    """Servers that do nothing at night or at weekends, as far as the panel's period shows it."""
    if "cpu" not in fleet.recent:
        return []
    cpu, highest = fleet.recent["cpu"], fleet.highest_cpu
    there, idle, busy = np.isfinite(cpu), cpu < IDLE_BELOW, highest >= IDLE_PEAK
    for metric in ("network_in", "network_out"):
        if metric in fleet.recent:
            busy |= fleet.recent[metric] >= IDLE_NETWORK
    ds = fleet.grid.ds[-idle.shape[1] :]
    table = fleet.servers
    found = []
    working = ~np.asarray((table["cpu_p95"] < IDLE_BELOW) & (table["cpu_max"] < IDLE_PEAK))
    for server in table.index[fleet.spared(done) & working]:
        owned, row = fleet.owned[server], fleet.row[server]
        if criticality(owned["criticality"]) == "critical":
            continue
        daily, weekend = _free_time(idle[row], busy[row], there[row], ds, fleet.grid.frequency)
        hours = 5 * len(daily) + (48 if weekend else 2 * len(daily))
        if hours / 168 < LEAST_OFF_SHARE:
            continue
        off = np.asarray(ds.hour.isin(daily) if daily else np.zeros(len(ds), dtype=bool))
        off = there[row] & (off | (weekend & np.asarray(ds.weekday >= 5)))
        when = []
        if daily:
            days, until = "working day" if weekend else "day", (daily[-1] + 1) % 24
            when = [f"every {days} from {daily[0]:02d}:00 to {until:02d}:00 UTC"]
        when += ["at weekends"] if weekend else []
        found.append(_recommendation(
            "schedule", [server], "cpu", owned["cost"] * hours / 168,
            reason=f"CPU is idle {wording.listed(when)}: below {wording.percent(IDLE_BELOW)} for "
                   f"{wording.chance(idle[row][off].mean())} of that time over "
                   f"{wording.periods(round(owned['cpu_days']), Frequency.DAY)}, "
                   f"at most {wording.percent(highest[row][off].max())}. "
                   f"Switch the server off then, {hours} hours a week.",
            target={"off_hours_utc": daily, "off_weekends": weekend, "hours_a_week": hours},
            evidence={"off_idle_share": _number(idle[row][off].mean(), 3),
                      "off_cpu_max": _number(highest[row][off].max()), "cpu_p95": _number(owned["cpu_p95"]),
                      "days": _number(owned["cpu_days"], 0), **_cost(owned)},
        ))  # fmt: skip
    return found


def _free_time(
    idle: np.ndarray, busy: np.ndarray, there: np.ndarray, ds: pd.DatetimeIndex, frequency: Frequency
) -> tuple[list[int], bool]:
    """The hours that are free every day, in order, and whether weekends are.

    A time of the week is free where 95 % of its periods are idle and none is busy.
    """
    weekend = np.asarray(ds.weekday >= 5)

    def free(chosen: np.ndarray) -> bool:
        measured = np.count_nonzero(chosen & there)
        quiet = np.count_nonzero(chosen & there & idle) >= QUIET_SHARE * measured
        return measured >= WEEKEND_DAYS and quiet and not (chosen & busy).any()

    weekends = free(weekend) and ds[weekend & there].normalize().nunique() >= WEEKEND_DAYS
    if not frequency.hourly:
        return [], weekends
    hours = np.asarray(ds.hour)
    quiet = [free((hours == hour) & ~(weekend & weekends)) for hour in range(24)]
    if all(quiet):
        return [], weekends
    # The longest run of quiet hours round the clock, beginning after a busy one.
    start = quiet.index(False)
    runs: list[list[int]] = [[]]
    for hour in ((start + step) % 24 for step in range(24)):
        if quiet[hour]:
            runs[-1].append(hour)
        elif runs[-1]:
            runs.append([])
    longest = max(runs, key=len)
    return (longest if len(longest) >= LEAST_OFF_HOURS else []), weekends


def _consolidate(fleet: _Fleet, risks: pd.DataFrame, done: set[str]) -> list[dict[str, Any]]:
    """Underused servers that fit on another of the same region and criticality, by first-fit decreasing.

    A server fits where the highest sum of use at one time, of cpu and of memory, leaves the host its headroom.
    """
    if not set(RESOURCES) <= set(fleet.recent):
        return []
    settings, table = fleet.settings, fleet.servers
    usable = table[["vcpus", "memory_gb", "cpu_demand", "memory_demand"]].notna().all(axis=1)
    usable &= fleet.spared(done) & (table["level"] == "none") & (table["memory_days"] >= LEAST_DAYS)
    small = usable.copy()
    for metric in RESOURCES:
        small &= table[f"{metric}_demand"] < (settings.thresholds[metric].underused or 0)
    found = []
    for _, group in table[usable].groupby(["region", "criticality"], dropna=False, sort=True):
        movers = group[small[group.index]]
        if movers.empty or len(group) < 2:
            continue
        found += _pack(group, movers, fleet)
    return found


def _pack(group: pd.DataFrame, movers: pd.DataFrame, fleet: _Fleet) -> list[dict[str, Any]]:
    rows = [fleet.row[server] for server in group.index]
    # Use over time, shaped (resource, server, period), in vCPUs and GB; where nothing was measured, the demand.
    over_time = []
    for metric, column in RESOURCES.items():
        values, demand = fleet.recent[metric][rows], group[f"{metric}_demand"].to_numpy()[:, None]
        over_time.append(np.where(np.isfinite(values), values, demand) / 100 * group[column].to_numpy()[:, None])
    use = np.stack(over_time)
    capacity = np.stack([
        group[column].to_numpy() / _spare(metric, fleet) for metric, column in RESOURCES.items()
    ])[:, :, None]  # fmt: skip
    number = {server: position for position, server in enumerate(group.index)}
    size = use.max(axis=2) / capacity[:, :, 0]
    # First fit decreasing: the largest load is placed first, on the first host with room, the largest hosts first.
    order = sorted(movers.index, key=lambda server: (-use[:, number[server]].max(axis=1).sum(), server))
    hosts = sorted(range(len(group)), key=lambda at: (-group["vcpus"].iloc[at], -size[:, at].max(), group.index[at]))
    hosts = np.array(hosts)
    load, moved_to = use.copy(), {}
    guests = np.zeros(len(group), dtype=int)
    for server in order:
        mine = number[server]
        if guests[mine]:
            continue
        free = [
            at for at in hosts if at != mine and group.index[at] not in moved_to and guests[at] < MOST_MOVED_TO_A_HOST
        ]
        if not free:
            break
        fits = ((load[:, free] + use[:, [mine]]) <= capacity[:, free]).all(axis=(0, 2))
        if fits.any():
            host = free[int(fits.argmax())]
            load[:, host] += use[:, mine]
            guests[host] += 1
            moved_to[server] = host
    found = []
    for host in sorted(set(moved_to.values())):
        moved = sorted(server for server, at in moved_to.items() if at == host)
        peak = 100 * load[:, host].max(axis=1) / np.array([group[column].iloc[host] for column in RESOURCES.values()])
        name = group.index[host]
        found.append(_recommendation(
            "consolidate", moved, "cpu", group.loc[moved, "cost"].sum(min_count=1), target={"host": name},
            reason=f"The work of {_servers(len(moved))} fits on {name}, of "
                   f"the same region and criticality: the joint peak there is {wording.percent(peak[0])} of CPU and "
                   f"{wording.percent(peak[1])} of memory.",
            evidence={"joint_cpu_peak": _number(peak[0]), "joint_memory_peak": _number(peak[1]),
                      "periods": use.shape[2], "monthly_cost": _number(group.loc[moved, "cost"].sum(min_count=1))},
        ))  # fmt: skip
    return found


def _recommendation(
    action: str, server_ids: list[str], metric: str, saving: float, reason: str, evidence: dict[str, Any],
    target: dict[str, Any] | None = None, by: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    known = pd.notna(saving)
    if not known:
        reason += " What it costs is not known."
    return {
        "action": action, "server_ids": server_ids, "metric": metric, "reason": reason, "evidence": evidence,
        "effort": EFFORT[action], "monthly_saving": round(max(float(saving), 0.0), 2) if known else 0.0,
        "target": target, "by": by,
    }  # fmt: skip


def _involved(one: dict[str, Any]) -> list[str]:
    return [*one["server_ids"], *([one["target"]["host"]] if one["action"] == "consolidate" else [])]


def _spare(metric: str, fleet: _Fleet) -> float:
    """How much larger than its use a resource must be: by the headroom, and enough to stay below the warning."""
    thresholds = fleet.settings.thresholds.get(metric)
    warning = 100 / thresholds.warning if thresholds and metric in PERCENT_METRICS and thresholds.warning > 0 else 1.0
    return max(1 + fleet.settings.headroom_percent / 100, warning)


def _scale(metric: str, settings: Settings) -> float:
    """All of a resource in the metric's unit; of a metric without capacity, its critical threshold."""
    return 100.0 if metric in PERCENT_METRICS else settings.thresholds[metric].critical


def _size(size: tuple[float, float], owned: dict[str, Any]) -> dict[str, Any]:
    """A target size, with only what is known of the server today."""
    known = {"vcpus": size[0], "memory_gb": size[1]}
    return {column: _number(value) for column, value in known.items() if pd.notna(owned[column])}


def _rate(target: dict[str, Any], owned: dict[str, Any], costs: Costs) -> float:
    """What a target costs as a share of today, by the settings' rates."""
    if "factor" in target:
        return target["factor"]
    rates = {"vcpus": costs.per_vcpu_hour, "memory_gb": costs.per_gb_hour}
    known = [column for column in rates if pd.notna(owned[column])]
    today = sum(rates[column] * owned[column] for column in known)
    return sum(rates[column] * target.get(column, owned[column]) for column in known) / today if today > 0 else 1.0


def _words(target: dict[str, Any], with_memory: bool = True) -> str:
    """A size, or what to multiply today's by, in words."""
    parts = [f"{target['vcpus']:g} vCPU{'' if target['vcpus'] == 1 else 's'}"] if "vcpus" in target else []
    parts += [f"{target['memory_gb']:g} GB of memory"] if with_memory and "memory_gb" in target else []
    factors = {name.removesuffix("_factor"): value for name, value in target.items() if name.endswith("_factor")}
    parts += [f"{value:g} times today's {wording.metric(name)}" for name, value in factors.items()]
    parts += (
        [f"{SHARES[target['factor']]} of today's {'size' if with_memory else 'vCPUs'}"] if "factor" in target else []
    )
    return wording.listed(parts)


def _cost(owned: dict[str, Any]) -> dict[str, Any]:
    given = pd.notna(owned["monthly_cost_usd"])
    return {
        "monthly_cost": _number(owned["cost"]),
        "cost_from": "monthly_cost_usd" if given else "rates" if pd.notna(owned["cost"]) else None,
    }


def _number(value: Any, digits: int = 2) -> float | int | None:
    if value is None or not np.isfinite(value):
        return None
    value = round(float(value), digits)
    return int(value) if value.is_integer() else value


def _servers(count: int) -> str:
    return "one underused server" if count == 1 else f"{count} underused servers"
