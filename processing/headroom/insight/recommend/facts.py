"""What the rules of ``recommend`` look at: typed facts about each server, and what they answer with."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from headroom.core import metrics
from headroom.core.findings import Action
from headroom.core.grid import Grid, quantile
from headroom.core.periods import Frequency
from headroom.core.settings import Settings
from headroom.insight.behaviour import IDLE_BELOW
from headroom.insight.recommend.sizes import RESOURCES, Size, monthly_cost
from headroom.insight.seasonality import highest_by_day

LOOKBACK_DAYS = 90
# Nothing is taken from a server with less CPU history than this.
LEAST_DAYS = 14
# An idle server never does more than this: a job that runs once a month is work.
IDLE_PEAK = 20.0  # percent of cpu
IDLE_NETWORK = 1.0  # megabytes per second
NETWORKS = ("network_in", "network_out")


@dataclass(frozen=True)
class Use:
    """One server's use of one metric over the last 90 days, in the metric's unit; NaN where it is not known.

    Attributes:
        p95: the 95th percentile of the panel's statistic.
        high: what a job of an hour per day needs: the 95th percentile of the days' highest hours (hourly panels) or
            of the days' P99 of samples.
        highest: the highest sample.
        peak: the highest median forecast within the horizon.
        days: how many days have a value.
    """

    p95: float = math.nan
    high: float = math.nan
    highest: float = math.nan
    peak: float = math.nan
    days: float = 0.0

    @property
    def demand(self) -> float:
        """What a size has to carry: the past's ``high`` or the forecast's peak, whichever is known and higher."""
        return max((value for value in (self.high, self.peak) if not math.isnan(value)), default=math.nan)


@dataclass(frozen=True)
class Server:
    """Facts about one server; a number that is not known is NaN.

    Attributes:
        row: its row in the fleet's arrays.
        level: its risk, after criticality.
        region, criticality: as its owner wrote them, or None.
        cost: per month, in the settings' currency: as given (``cost_given``), else by size and rates.
        pressed: whether its CPU, memory or a metric of the dataset's own has any risk.
        busy: the dataset's own metrics by which it works, whatever its CPU says, and their P95 in percent of their
            capacity (NaN without one).
        use: by metric; every metric of the fleet, and cpu and memory in any case.
        at_risk: the rows of the risks (``risk.risks``) at critical or high, the most urgent first.
    """

    name: str
    row: int
    level: str
    region: str | None
    criticality: str | None
    size: Size
    cost: float
    cost_given: bool
    pressed: bool
    busy: dict[str, float]
    use: dict[str, Use]
    at_risk: list[Any] = field(default_factory=list)

    def is_idle(self) -> bool:
        """Whether its CPU has done nothing, nor what the dataset's own metrics measure."""
        return not self.busy and self.use["cpu"].p95 < IDLE_BELOW and self.use["cpu"].highest < IDLE_PEAK


@dataclass(frozen=True)
class Fleet:
    """All servers, in order of urgency, and their recent past.

    Attributes:
        ds: the T periods of the arrays.
        recent: by metric that a rule looks at period by period, the settings' statistic, shaped (servers, T).
        highest_cpu: each period's highest sample of CPU, shaped the same; None where CPU is not measured.
        done: names of the servers that have a recommendation already, or that are not judged.
    """

    servers: list[Server]
    settings: Settings
    frequency: Frequency
    ds: pd.DatetimeIndex
    recent: dict[str, np.ndarray]
    highest_cpu: np.ndarray | None
    done: frozenset[str] = frozenset()

    def spared(self) -> Iterator[Server]:
        """The servers from which something may be taken: with two weeks of CPU, and no risk to CPU or memory."""
        for one in self.servers:
            if one.use["cpu"].days >= LEAST_DAYS and not one.pressed and one.name not in self.done:
                yield one


@dataclass(frozen=True)
class Advice:
    """What a rule recommends.

    Attributes:
        why: sentences for people, without the target.
        target_told: the target as a sentence, where ``why`` does not name it; "" otherwise.
        saving: per month in the settings' currency; NaN where the cost is not known.
        evidence: the numbers that it rests on, as JSON has them.
        target: what to change to, as JSON has it.
        by: ISO date by which to act.
    """

    server_ids: list[str]
    metric: str
    saving: float
    why: str
    evidence: dict[str, Any]
    target_told: str = ""
    target: dict[str, Any] | None = None
    by: str | None = None

    @property
    def involved(self) -> list[str]:
        """The servers that get no other recommendation: its own, and the host that others move to."""
        return [*self.server_ids, *([self.target["host"]] if self.target and "host" in self.target else [])]

    def told(self, action: Action) -> dict[str, Any]:
        """As ``Assessment.recommendations`` has it, without the priority."""
        known = pd.notna(self.saving)
        cost = "" if known else "Its cost is not known."
        return {
            "action": action.name, "server_ids": self.server_ids, "metric": self.metric,
            "reason": " ".join(filter(None, [self.why, self.target_told, cost])), "evidence": self.evidence,
            "effort": action.effort, "monthly_saving": round(max(float(self.saving), 0.0), 2) if known else 0.0,
            "target": self.target, "by": self.by, "why": " ".join(filter(None, [self.why, cost])),
        }  # fmt: skip


@dataclass(frozen=True)
class Past:
    """What the last 90 days of n servers were like.

    Attributes:
        server_ids: sorted.
        ds: the T periods.
        measures: by metric, ``p95, high, highest, days`` of ``Use`` (n, 4).
        recent: by metric that a rule looks at period by period, the settings' statistic (n, T).
        highest_cpu: as in :class:`Fleet` (n, T); NaN where CPU is not measured.
    """

    server_ids: np.ndarray
    ds: pd.DatetimeIndex
    measures: dict[str, np.ndarray]
    recent: dict[str, np.ndarray]
    highest_cpu: np.ndarray


def past_of(grid: Grid, panel: pd.DataFrame | None = None) -> Past:
    """The past of the servers of a grid; ``panel`` (``server_id, metric, ds, max, p99``) has what the grid does not."""
    periods = LOOKBACK_DAYS * grid.frequency.per_day
    recent, ds = {metric: values[:, -periods:] for metric, values in grid.by_metric.items()}, grid.ds[-periods:]
    highest = {metric: _of_samples(panel, "max", metric, grid, values) for metric, values in recent.items()}
    measures = {}
    for metric, values in recent.items():
        # What a job of an hour per day needs: of hours the highest of the day, of days the P99 of their samples.
        high = highest_by_day(values, ds) if grid.frequency.hourly else _of_samples(panel, "p99", metric, grid, values)
        days = np.isfinite(values).sum(axis=1) / grid.frequency.per_day
        measures[metric] = np.stack(
            [quantile(values, 0.95), quantile(high, 0.95), quantile(highest[metric], 1.0), days], axis=1
        )
    looked_at = {metric: recent[metric] for metric in (*RESOURCES, *NETWORKS) if metric in recent}
    unknown = np.full((len(grid.servers), len(ds)), np.nan)
    return Past(grid.servers, ds, measures, looked_at, highest.get("cpu", unknown))


def together(parts: Sequence[Past]) -> Past:
    """The parts of a fleet as one: a metric that a part does not have is NaN there."""

    def joined(name: str) -> dict[str, np.ndarray]:
        tables = [getattr(part, name) for part in parts]
        width = {metric: table.shape[1] for tables_of in tables for metric, table in tables_of.items()}
        return {
            metric: np.concatenate([
                table.get(metric, np.full((len(part.server_ids), width[metric]), np.nan))
                for part, table in zip(parts, tables, strict=True)
            ])
            for metric in sorted(width)
        }  # fmt: skip

    names = np.concatenate([part.server_ids for part in parts])
    highest = np.concatenate([part.highest_cpu for part in parts])
    return Past(names, parts[0].ds, joined("measures"), joined("recent"), highest)


def look(past: Past, risks: pd.DataFrame, servers: pd.DataFrame, settings: Settings) -> Fleet:
    """The facts of all servers; the arguments are those of ``recommend.recommend``."""
    row = {server: number for number, server in enumerate(past.server_ids)}
    peaks = dict(zip(zip(risks["server_id"], risks["metric"], strict=True), risks["peak_q50"], strict=True))
    uses: list[dict[str, Use]] = [{"cpu": Use(), "memory": Use()} for _ in past.server_ids]
    for metric, measures in past.measures.items():
        for server, use, (p95, high, highest, days) in zip(past.server_ids, uses, measures.tolist(), strict=True):
            # Where the server does not have the metric, days may be unknown, which is none.
            peak = float(peaks.get((server, metric), math.nan))
            use[metric] = Use(p95, high, highest, peak, 0.0 if math.isnan(days) else days)

    own = [one.name for one in metrics.own()]
    pressed = set(risks.loc[risks["metric"].isin([*RESOURCES, *own]) & (risks["level"] != "none"), "server_id"])
    at_risk: dict[str, list[Any]] = {}
    urgent = risks[risks["level"].isin(["critical", "high"])]
    urgent = urgent.sort_values(["server_id", "score", "metric"], ascending=[True, False, True])
    for risk in urgent.itertuples(index=False):
        at_risk.setdefault(risk.server_id, []).append(risk)

    busy = _busy(risks, uses, row)
    # A size of nothing is not known.
    sizes = servers[list(RESOURCES.values())].where(servers[list(RESOURCES.values())] > 0)
    costs = monthly_cost(servers.assign(**sizes), settings.costs).tolist()
    facts = [
        Server(
            name=name, row=row[name], level=level, region=None if pd.isna(region) else region,
            criticality=None if pd.isna(word) else word, size=Size(vcpus, memory), cost=cost,
            cost_given=pd.notna(given), pressed=name in pressed, busy=busy.get(name, {}),
            use=uses[row[name]], at_risk=at_risk.get(name, []),
        )
        for name, level, region, word, vcpus, memory, cost, given in zip(
            servers["server_id"], servers["level"], servers["region"], servers["criticality"],
            sizes["vcpus"].tolist(), sizes["memory_gb"].tolist(), costs, servers["monthly_cost_usd"].tolist(),
            strict=True,
        )
    ]  # fmt: skip
    highest_cpu = past.highest_cpu if "cpu" in past.recent else None
    return Fleet(facts, settings, settings.frequency, past.ds, past.recent, highest_cpu)


def _busy(risks: pd.DataFrame, uses: list[dict[str, Use]], row: dict[str, int]) -> dict[str, dict[str, float]]:
    """``Server.busy`` by server: more is used than of an idle CPU, as a share of the capacity or, without one, at all.

    What is only stored is not work.
    """
    found: dict[str, dict[str, float]] = {}
    own = {one.name for one in metrics.own() if not one.free and not _STORED.fullmatch(one.unit)}
    for risk in risks[risks["metric"].isin(own)].itertuples():
        used = uses[row[risk.server_id]][risk.metric].p95
        share = 100 * used / risk.capacity
        if share > IDLE_BELOW or (np.isnan(share) and used > 0):
            found.setdefault(risk.server_id, {})[risk.metric] = share
    return found


# Units of what lies there, used or not.
_STORED = re.compile(r"([kmgtp]i?)?b|(kilo|mega|giga|tera|kibi|mebi|gibi|tebi)?bytes?", re.IGNORECASE)


def cost_evidence(server: Server) -> dict[str, Any]:
    """What a server costs, and whether its owner said so or its size and the settings' rates."""
    source = "monthly_cost_usd" if server.cost_given else "rates" if pd.notna(server.cost) else None
    return {"monthly_cost": number(server.cost), "cost_from": source}


def number(value: float | None, digits: int = 2) -> float | int | None:
    """As JSON has it: rounded, whole numbers without a point, None where it is not known."""
    if value is None or not np.isfinite(value):
        return None
    value = round(float(value), digits)
    return int(value) if value.is_integer() else value


def _of_samples(panel: pd.DataFrame | None, column: str, metric: str, grid: Grid, values: np.ndarray) -> np.ndarray:
    """Another statistic of the same periods as ``values`` (n, T), never below them; ``values`` where it is not kept."""
    if panel is None or column not in panel:
        return values
    ds = grid.ds[-values.shape[1] :]
    rows = panel.loc[(panel["metric"] == metric) & (panel["ds"] >= ds[0]), ["server_id", "ds", column]]
    found = np.full_like(values, np.nan)
    found[pd.Index(grid.servers).get_indexer(rows["server_id"]), ds.get_indexer(rows["ds"])] = rows[column]
    return np.fmax(found, values)
