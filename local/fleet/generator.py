"""A fleet of servers with known truth: months of monitoring files, and what happens after they end.

Every server has an archetype (what it does), a level per metric (its daily P95 on an ordinary day when the
history ends) and, on some, growth, a step, calendar effects. The history and its continuation come out
of the same process, so ``truth`` states what a good forecast could have known.

    python -m local.fleet --servers 120 --days 400 --horizon 90 --seed 1 --out DIR

writes ``DIR/incoming`` (what monitoring exports), ``DIR/truth.csv``, ``DIR/future.parquet`` (the
continuation, a row per server, metric and day) and ``DIR/settings.yaml`` (the dataset's settings).
The same arguments give the same bytes.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import holidays
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

END = "2026-10-31"
COUNTRY = "US"
WARNING, CRITICAL = 80.0, 90.0

# How much of a server's activity each metric follows: cpu all of it, a disk hardly any.
METRICS = {"cpu": 1.0, "memory": 0.3, "disk": 0.02, "network_in": 1.2, "network_out": 1.2}
PERCENT = ("cpu", "memory", "disk")

ARCHETYPES = {
    "steady": 0.23, "office_hours": 0.22, "nightly_batch": 0.12, "month_end": 0.08,
    "growing": 0.15, "leaking_memory": 0.07, "idle": 0.07, "step_change": 0.06,
}  # fmt: skip

REGIONS = {"us-east-1": -5, "us-west-2": -8, "eu-central-1": 1, "ap-southeast-2": 10}  # hours from UTC
BUSINESS_UNITS = ("finance", "retail", "platform", "research", "marketing")
CRITICALITIES = ("low", "medium", "high", "critical")
INSTANCE_TYPES = pd.DataFrame(
    [
        ("t3.medium", 2, 4, 30.37), ("m5.large", 2, 8, 70.08), ("r5.large", 2, 16, 91.98),
        ("c5.xlarge", 4, 8, 124.10), ("m5.xlarge", 4, 16, 140.16), ("r5.xlarge", 4, 32, 183.96),
        ("c5.2xlarge", 8, 16, 248.20), ("m5.2xlarge", 8, 32, 280.32), ("r5.2xlarge", 8, 64, 367.92),
        ("c5.4xlarge", 16, 32, 496.40), ("m5.4xlarge", 16, 64, 560.64), ("r5.4xlarge", 16, 128, 735.84),
    ],
    columns=["instance_type", "vcpus", "memory_gb", "monthly_cost_usd"],
)  # fmt: skip
LARGE_FROM = 6  # oversized and idle servers have one of these types or larger

# A level counts as crossed on the first day above it that begins a week with this many days above it.
CROSSING_DAYS, CROSSING_WINDOW = 3, 7


@dataclass(frozen=True)
class Fleet:
    """A generated fleet.

    ``servers`` has one row per server with its attributes; ``truth`` one row per server and metric.
    ``history`` and ``continuation`` hold samples per metric, shaped (servers, samples), in percent or
    megabytes per second; missing samples are NaN, and only the history has them. ``continuation`` is
    ``CROSSING_WINDOW - 1`` days longer than the horizon, so that the rule for crossings holds to its end.
    """

    servers: pd.DataFrame
    truth: pd.DataFrame
    history: dict[str, np.ndarray]
    continuation: dict[str, np.ndarray]
    start: pd.Timestamp
    days: int
    horizon: int
    per_day: int

    def panel(self, frequency: str = "D") -> pd.DataFrame:
        """The history a day (``"D"``) or hour (``"h"``): server_id, metric, ds, y (P95), mean, max, samples."""
        return self._table(self.history, self.start, self.days, frequency)

    def future(self, frequency: str = "D") -> pd.DataFrame:
        """The continuation for ``horizon`` days in the same form: server_id, metric, ds, y."""
        start = self.start + pd.Timedelta(days=self.days)
        table = self._table(self.continuation, start, self.horizon, frequency)
        return table[["server_id", "metric", "ds", "y"]]

    def _table(self, samples: dict[str, np.ndarray], start: pd.Timestamp, days: int, frequency: str) -> pd.DataFrame:
        if frequency not in ("D", "h") or (frequency == "h" and self.per_day % 24):
            raise ValueError(f"samples {self.per_day} times per day make no panel of frequency {frequency!r}")
        per_period = self.per_day // 24 if frequency == "h" else self.per_day
        periods = days * self.per_day // per_period
        shape = (len(self.servers), periods, per_period)
        metrics = sorted(samples)
        one_metric_each = [
            _statistics(np.minimum(values, 100) if metric in PERCENT else values)
            for metric in metrics
            for values in [samples[metric][:, : days * self.per_day].reshape(shape)]
        ]
        p95, mean, top, count = (np.stack(statistic, axis=1) for statistic in zip(*one_metric_each, strict=True))
        server, metric, period = there = np.nonzero(count)
        return pd.DataFrame(
            {
                "server_id": self.servers["server_id"].to_numpy()[server],
                "metric": np.array(metrics, dtype=object)[metric],
                "ds": pd.date_range(start, periods=periods, freq=frequency).to_numpy()[period],
                "y": p95[there],
                "mean": mean[there],
                "max": top[there],
                "samples": count[there].astype(np.int32),
            }
        )


def generate(
    servers: int = 120,
    days: int = 400,
    sampling: str = "1h",
    metrics: tuple[str, ...] = PERCENT,
    horizon: int = 90,
    seed: int = 1,
    end: str = END,
) -> Fleet:
    """Make a fleet whose history has ``days`` days and ends with the day ``end``.

    ``sampling`` is any interval that divides a day. At ``"1D"`` a sample is the day's P95 itself, drawn
    directly: the quick way to a daily panel of thousands of servers.

    Raises:
        ValueError: an unknown metric, a sampling that does not divide a day, or nothing to generate.
    """
    if unknown := set(metrics) - set(METRICS):
        raise ValueError(f"unknown metrics {sorted(unknown)}; known are {', '.join(METRICS)}")
    if servers < 1 or days < 1 or horizon < 1 or not metrics:
        raise ValueError("servers, days, horizon and metrics must be at least one")
    per_day, rest = divmod(pd.Timedelta(days=1), pd.Timedelta(sampling))
    if rest or per_day < 1:
        raise ValueError(f"the sampling {sampling!r} does not divide a day")

    last_day = pd.Timestamp(end).normalize()
    start = last_day - pd.Timedelta(days=days - 1)
    calendar = pd.date_range(start, periods=days + horizon + CROSSING_WINDOW - 1, freq="D")
    plan = _plan(servers, days, metrics, horizon, np.random.default_rng([seed, 0]))
    gone = _missing_samples(plan, days, per_day, np.random.default_rng([seed, 1]))
    together = _autocorrelated(np.random.default_rng([seed, 2]), (servers, len(calendar)), 0.7)

    history, continuation, truth = {}, {}, []
    for metric in metrics:
        random = np.random.default_rng([seed, 3, list(METRICS).index(metric)])
        levels = _daily_levels(plan, metric, calendar, days)
        values = _samples(plan, metric, levels, per_day, together, random)
        past, future = values[:, : days * per_day].copy(), values[:, days * per_day :]
        # Never the last sample: the history ends on the same day for every server.
        past[:, :-1][(gone | (random.random(past.shape) < 0.001))[:, :-1]] = np.nan
        history[metric], continuation[metric] = past, future
        truth.append(_truth(plan, metric, past, future, start, days, horizon))
    attributes = ["server_id", "business_unit", "region", "criticality", *INSTANCE_TYPES.columns]
    return Fleet(
        servers=plan[attributes].copy(),
        truth=pd.concat(truth).sort_values(["server_id", "metric"], ignore_index=True),
        history=history,
        continuation=continuation,
        start=start,
        days=days,
        horizon=horizon,
        per_day=per_day,
    )


def write(fleet: Fleet, out: Path) -> None:
    """Write the fleet's files (see the module) below ``out``.

    Most servers are in wide files, one per month. Every tenth is in a gzip file with other headings, and
    another tenth in the long form, which has no attributes. Files of an earlier fleet are replaced.
    """
    incoming = out / "incoming"
    incoming.mkdir(parents=True, exist_ok=True)
    for earlier in [*incoming.glob("fleet-*.csv"), *incoming.glob("edge.csv.gz"), *incoming.glob("lab-long.csv")]:
        earlier.unlink()
    servers = np.arange(len(fleet.servers))
    wide, zipped, long = servers[(servers % 10 != 1) & (servers % 10 != 2)], servers[1::10], servers[2::10]

    times = pd.date_range(fleet.start, periods=fleet.days * fleet.per_day, freq=pd.Timedelta(days=1) / fleet.per_day)
    months = times.to_period("M")
    for month in months.unique():
        _write_csv(_wide(fleet, wide, times, np.flatnonzero(months == month)), incoming / f"fleet-{month}.csv")
    if len(zipped):
        headings = {"timestamp": "time", "server_id": "host", "cpu": "cpu_utilization", "memory": "mem_percent"}
        table = _wide(fleet, zipped, times, np.arange(len(times)))
        table = table.rename_columns([headings.get(name, name) for name in table.column_names])
        _write_csv(table, incoming / "edge.csv.gz")
    if len(long):
        _write_csv(_long(fleet, long, times), incoming / "lab-long.csv")

    fleet.truth.to_csv(out / "truth.csv", index=False, date_format="%Y-%m-%d")
    fleet.future().to_parquet(out / "future.parquet", index=False)
    (out / "settings.yaml").write_text(f"horizon: {fleet.horizon}\nholidays: {{country: {COUNTRY}}}\n", "utf-8")


def _plan(count: int, days: int, metrics: tuple[str, ...], horizon: int, random: np.random.Generator) -> pd.DataFrame:
    """What each server is and does: one row per server."""
    archetype = random.permutation(_shares(count, ARCHETYPES))
    if "memory" not in metrics:
        archetype[archetype == "leaking_memory"] = "steady"
    plan = pd.DataFrame({"archetype": archetype})

    def some_of(share: float, *archetypes: str, but: pd.Series | bool = False) -> np.ndarray:
        candidates = np.flatnonzero(np.isin(archetype, archetypes) & ~np.asarray(but))
        chosen = np.zeros(count, dtype=bool)
        chosen[random.permutation(candidates)[: round(share * len(candidates))]] = True
        return chosen

    plan["idle"] = archetype == "idle"
    plan["hot"] = some_of(0.15, "steady")
    plan["warm"] = some_of(0.12, "steady", but=plan["hot"])
    special = plan["hot"] | plan["warm"]
    plan["oversized"] = some_of(0.25, "steady", "office_hours", "nightly_batch", but=special)
    special |= plan["oversized"]
    plan["new"] = some_of(0.1, "steady", but=special)
    special |= plan["new"]
    plan["crosses"] = some_of(0.8, "growing")

    quiet = ("steady", "office_hours", "nightly_batch", "step_change")
    quarter_end = some_of(0.25, *quiet, but=special)
    holiday = some_of(0.3, "steady", "nightly_batch", but=special | quarter_end)
    plan["quarter_end_effect"] = np.where(quarter_end, random.uniform(10, 18, count), 0)
    plan["holiday_effect"] = np.where(holiday, random.uniform(10, 18, count), 0)
    plan["year_effect"] = np.where(holiday, random.uniform(3, 6, count), 0)  # more in December than in June

    percent: list[str] = [metric for metric in ("cpu", "disk", "memory") if metric in metrics] or list(metrics)
    turn = pd.Series(archetype).groupby(archetype).cumcount().to_numpy()
    plan["driver"] = np.array(percent)[turn % len(percent)]
    plan.loc[plan["archetype"].isin(["step_change", "month_end"]), "driver"] = percent[0]
    plan.loc[plan["archetype"] == "leaking_memory", "driver"] = "memory"

    # Growth is anchored where the history ends: the level there, and how far before it the growth began.
    crossing = random.uniform(0.1, 0.75, count) * horizon
    rise = np.clip(random.uniform(0.18, 0.45, count) * crossing, 3, 40)
    slow = random.uniform(0.03, 0.05, count) * 90 / max(horizon, 90)
    plan["growth"] = np.where(archetype == "growing", np.where(plan["crosses"], rise / crossing, slow), 0)
    plan["grown_level"] = np.where(plan["crosses"], CRITICAL - rise, random.uniform(55, 65, count))
    plan["grown_from"] = random.uniform(25, 40, count)
    plan["step_day"] = (random.uniform(0.2, 0.7, count) * days).astype(int)
    plan["step"] = np.where(
        archetype == "step_change", random.choice([-1, 1], count) * random.uniform(15, 22, count), 0
    )
    plan["pressed_level"] = np.where(plan["hot"], random.uniform(93.5, 95.5, count), random.uniform(80.5, 81.5, count))
    plan["leak_days"] = random.integers(10, 36, count)
    plan["leak_height"] = np.where(archetype == "leaking_memory", random.uniform(25, 35, count), 0)

    plan["cpu"] = random.uniform(48, 58, count)
    plan["memory"] = random.uniform(46, 62, count)
    plan["disk"] = random.uniform(35, 60, count)
    plan["network_in"] = 10 ** random.uniform(-0.5, 2.3, count)
    plan["network_out"] = plan["network_in"] * random.uniform(0.2, 3, count)
    plan.loc[archetype == "month_end", "cpu"] = random.uniform(62, 72, count)[archetype == "month_end"]
    plan.loc[archetype == "leaking_memory", "memory"] = random.uniform(30, 38, count)[archetype == "leaking_memory"]
    for metric, low, high in (("cpu", 10.0, 20.0), ("memory", 12.0, 24.0)):
        plan.loc[plan["oversized"], metric] = random.uniform(low, high, count)[plan["oversized"]]
    for metric, low, high in (("cpu", 1.2, 2.2), ("memory", 6.0, 14.0), ("disk", 8.0, 25.0)):
        plan.loc[plan["idle"], metric] = random.uniform(low, high, count)[plan["idle"]]
    plan.loc[plan["idle"], ["network_in", "network_out"]] *= 0.01

    plan["disk_growth"] = np.where(plan["idle"], 0, random.uniform(0.002, 0.012, count))
    plan["first_day"] = np.where(plan["new"], (days * random.uniform(0.75, 0.95, count)).astype(int), 0)
    plan["noise"] = random.uniform(0.7, 1.3, count)
    plan["peak_hour"] = random.normal(0, 1, count)

    units = np.where(quarter_end, "finance", np.where(holiday, "retail", random.choice(BUSINESS_UNITS, count)))
    plan["business_unit"] = units
    plan["region"] = random.choice(list(REGIONS), count, p=[0.4, 0.15, 0.3, 0.15])
    plan["criticality"] = random.choice(CRITICALITIES, count, p=[0.25, 0.4, 0.25, 0.1])
    large = (plan["oversized"] | plan["idle"]).to_numpy()
    kind = np.where(
        large, random.integers(LARGE_FROM, len(INSTANCE_TYPES), count), random.integers(0, len(INSTANCE_TYPES), count)
    )
    plan[INSTANCE_TYPES.columns] = INSTANCE_TYPES.iloc[kind].reset_index(drop=True)
    width = max(4, len(str(count)))
    plan.insert(0, "server_id", [f"{unit[:3]}-{number:0{width}d}" for number, unit in enumerate(units, 1)])
    return plan.sort_values("server_id", ignore_index=True)


def _shares(count: int, shares: dict[str, float]) -> np.ndarray:
    """``count`` names in the given shares, each name at least once where there is room."""
    names = np.array(list(shares))
    bounds = np.cumsum(list(shares.values())) / sum(shares.values())
    drawn = names[np.searchsorted(bounds, (np.arange(count) + 0.5) / count)]
    for name in names if count >= 2 * len(names) else ():
        if name not in drawn:
            most = max(names, key=lambda one: np.count_nonzero(drawn == one))
            drawn[np.flatnonzero(drawn == most)[0]] = name
    return drawn


def _daily_levels(plan: pd.DataFrame, metric: str, calendar: pd.DatetimeIndex, days: int) -> np.ndarray:
    """The level of one metric on every day without noise, in points (percent; 50 is a network's usual rate)."""

    def column(name: str) -> np.ndarray:
        return plan[name].to_numpy()[:, None]

    day = np.arange(len(calendar))
    since_end = day - (days - 1)
    own = column("driver") == metric
    levels = np.repeat(column(metric) if metric in PERCENT else np.full((len(plan), 1), 50.0), len(day), axis=1)

    growing = own & (column("archetype") == "growing")
    levels = np.where(
        growing, np.maximum(column("grown_level") + column("growth") * since_end, column("grown_from")), levels
    )
    levels = np.where(own & (column("hot") | column("warm")), column("pressed_level"), levels)
    levels -= own * column("step") * (day < column("step_day"))
    if metric == "disk":
        levels += np.where(growing, 0, column("disk_growth") * since_end)
    if metric == "memory":
        levels += column("leak_height") * ((day + column("step_day")) % column("leak_days")) / column("leak_days")

    follows = METRICS[metric]
    effects = np.maximum(
        _is_quarter_end(calendar) * column("quarter_end_effect"), _is_holiday(calendar) * column("holiday_effect")
    )
    effects = effects + np.cos((calendar.dayofyear - 350) / 365.25 * 2 * np.pi).to_numpy() * column("year_effect")
    levels = levels * (1 - follows * (1 - _day_factors(plan, calendar))) + min(follows, 1) * effects
    return np.clip(levels, 0, 97 if metric in PERCENT else None)


def _day_factors(plan: pd.DataFrame, calendar: pd.DatetimeIndex) -> np.ndarray:
    """A day's activity as a share of the busiest day's, shaped (servers, days)."""
    free = (calendar.dayofweek >= 5) | _is_holiday(calendar)
    month_end = (calendar.day == 1) | (calendar.days_in_month - calendar.day < 3)
    archetype = plan["archetype"].to_numpy()[:, None]
    factors = np.where(archetype == "office_hours", np.where(free, 0.4, 1.0), 1.0)
    factors = np.where(archetype == "month_end", np.where(month_end, 1.0, 0.6), factors)
    return np.where((archetype == "growing") & (calendar.dayofweek >= 5), 0.95, factors)


def _is_holiday(calendar: pd.DatetimeIndex) -> np.ndarray:
    dates = holidays.country_holidays(COUNTRY, years=range(calendar[0].year, calendar[-1].year + 1))
    return calendar.isin(pd.to_datetime(list(dates)))


def _is_quarter_end(calendar: pd.DatetimeIndex) -> np.ndarray:
    """The last five days of a calendar quarter."""
    return (calendar.month % 3 == 0) & (calendar.days_in_month - calendar.day < 5)


def _hour_factors(plan: pd.DataFrame, per_day: int) -> np.ndarray:
    """Activity in the course of a day as a share of its P95, shaped (servers, samples per day)."""
    if per_day == 1:
        return np.ones((len(plan), 1))
    hour = np.arange(288) / 12
    shift = plan["peak_hour"].to_numpy() - plan["region"].map(REGIONS).to_numpy()
    local = (hour - shift[:, None]) % 24
    shapes = {
        "office_hours": 0.25 + 0.75 / (1 + np.exp(-2 * (local - 8.5))) / (1 + np.exp(2 * (local - 17.5))),
        "nightly_batch": 0.35 + 0.65 / (1 + np.exp(-4 * (local - 1))) / (1 + np.exp(4 * (local - 5))),
        "idle": np.ones_like(local),
    }
    gentle = 0.9 + 0.1 * np.cos((local - 14) / 24 * 2 * np.pi)
    archetype = plan["archetype"].to_numpy()[:, None]
    shape = gentle
    for name, one in shapes.items():
        shape = np.where(archetype == name, one, shape)
    shape = shape / np.quantile(shape, 0.95, axis=1, keepdims=True)
    return (
        shape[:, (np.arange(per_day) * 288 // per_day)] if per_day < 288 else np.repeat(shape, per_day // 288, axis=1)
    )


def _samples(
    plan: pd.DataFrame,
    metric: str,
    levels: np.ndarray,
    per_day: int,
    together: np.ndarray,
    random: np.random.Generator,
) -> np.ndarray:
    """One metric as monitoring would sample it, in its own unit, shaped (servers, samples).

    Days drift (partly together over a server's metrics), samples scatter; both are autocorrelated and
    grow with the level. A burst now and then lasts one sample, and monitoring overshoots up to 105 %.
    """
    servers, days = levels.shape
    follows = METRICS[metric]
    spread = plan["noise"].to_numpy()[:, None] * (0.15 + 0.021 * levels) * (0.2 + 0.8 * min(follows, 1))
    drift = 0.6 * together + 0.8 * _autocorrelated(random, (servers, days), 0.7)
    values = levels + spread * drift
    if per_day == 1:
        values = values + 0.6 * spread * random.standard_normal(levels.shape)
    else:
        hours = 1 - min(follows, 1) * (1 - _hour_factors(plan, per_day))
        values = (values[:, :, None] * hours[:, None, :]).reshape(servers, -1)
        scatter = np.repeat(spread, per_day, axis=1)
        values += scatter * _autocorrelated(random, values.shape, 0.5)
        bursts = random.random(values.shape) < 0.1 / per_day
        values += bursts * np.repeat(levels, per_day, axis=1) * random.uniform(0.1, 0.4, values.shape) * min(follows, 1)
    if metric in PERCENT:
        return np.round(np.clip(values, 0, 105), 2)
    return np.round(plan[metric].to_numpy()[:, None] * np.exp((values - 50) / 50), 4)


def _autocorrelated(random: np.random.Generator, shape: tuple[int, int], share: float) -> np.ndarray:
    """Standard normal noise a row, in which ``share`` of each value is carried over to the next."""
    noise = random.standard_normal(shape[::-1])
    noise[1:] *= np.sqrt(1 - share**2)
    for now in range(1, len(noise)):
        noise[now] += share * noise[now - 1]
    return noise.T


def _missing_samples(plan: pd.DataFrame, days: int, per_day: int, random: np.random.Generator) -> np.ndarray:
    """Where no sample arrived: single ones, stretches of hours or days, and all before a new server's first."""
    servers, samples = len(plan), days * per_day
    gone = random.random((servers, samples)) < 0.003
    for server, kind in enumerate(random.choice(["none", "hours", "days"], servers, p=[0.8, 0.15, 0.05])):
        hours = {"none": 0, "hours": random.uniform(4, 72), "days": random.uniform(72, 240)}[kind]
        begins = int(random.uniform(0.05, 0.9) * samples)
        gone[server, begins : begins + int(hours * per_day / 24)] = True
    return gone | (np.arange(samples) < plan["first_day"].to_numpy()[:, None] * per_day)


def _truth(
    plan: pd.DataFrame,
    metric: str,
    past: np.ndarray,
    future: np.ndarray,
    start: pd.Timestamp,
    days: int,
    horizon: int,
) -> pd.DataFrame:
    """What is so about every server's metric: one row per server."""
    per_day = past.shape[1] // days
    before = _statistics(past.reshape(len(plan), days, per_day))[0]
    after = _statistics(future.reshape(len(plan), -1, per_day))[0]
    end = start + pd.Timedelta(days=days)
    percent = metric in PERCENT
    follows = min(METRICS[metric], 1)
    own = plan["driver"] == metric
    office = plan["archetype"] == "office_hours"
    return pd.DataFrame(
        {
            "server_id": plan["server_id"],
            "metric": metric,
            "archetype": plan["archetype"],
            "cluster": plan["archetype"],
            "oversized": plan["oversized"],
            "idle": plan["idle"],
            "first_ds": start + pd.to_timedelta(plan["first_day"], unit="D"),
            "current": np.round(np.nanmean(before[:, -7:], axis=1), 2),
            "already_critical": (plan["hot"] & own & percent),
            "warning_ds": first_crossing(after, WARNING, horizon, end) if percent else pd.NaT,
            "critical_ds": first_crossing(after, CRITICAL, horizon, end) if percent else pd.NaT,
            "growth_per_day": np.round(np.where(own, plan["growth"], 0), 4),
            "step": np.round(np.where(own, plan["step"], 0), 2),
            "quarter_end_effect": np.round(plan["quarter_end_effect"] * follows, 2),
            "holiday_effect": np.round(
                np.where(office, -0.6 * follows * (plan[metric] if percent else 50), plan["holiday_effect"] * follows),
                2,
            ),
            "weekday_pattern": np.where(office, "weekdays", "every day"),
        }
    )


def first_crossing(daily: np.ndarray, threshold: float, horizon: int, first: pd.Timestamp) -> np.ndarray:
    """The date each row first crosses a threshold for good reason, NaT where it does not within the horizon.

    A noisy day is not a crossing: the date is the first day at or above the threshold that begins
    ``CROSSING_WINDOW`` days of which ``CROSSING_DAYS`` are. ``daily`` has a row per server and
    ``horizon + CROSSING_WINDOW - 1`` days from ``first`` on.
    """
    crossed = crossing(daily >= threshold, horizon, CROSSING_WINDOW)
    dates = first.to_datetime64().astype("datetime64[D]") + np.maximum(crossed, 0)
    return np.where(crossed >= 0, dates, np.datetime64("NaT")).astype("datetime64[ns]")


def crossing(above: np.ndarray, horizon: int, window: int) -> np.ndarray:
    """The number of the first period in which each row (bool, horizon + window - 1 of them) crosses, -1 for none."""
    ahead = np.lib.stride_tricks.sliding_window_view(above, window, axis=1)[:, :horizon]
    crossed = above[:, :horizon] & (ahead.sum(axis=2) >= CROSSING_DAYS)
    return np.where(crossed.any(axis=1), crossed.argmax(axis=1), -1)


def _statistics(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """P95 (linear between samples), mean, maximum and count over the last axis, without NaN; NaN where empty."""
    if values.shape[-1] == 1:
        only = values[..., 0]
        return only, only, only, (~np.isnan(only)).astype(int)
    ordered = np.sort(values, axis=-1)  # NaN last
    count = np.count_nonzero(~np.isnan(values), axis=-1)
    last = np.maximum(count - 1, 0)
    lower = np.floor(0.95 * last).astype(int)
    below, above, top = (
        np.take_along_axis(ordered, at[..., None], axis=-1)[..., 0] for at in (lower, np.minimum(lower + 1, last), last)
    )
    mean = np.divide(np.nansum(values, axis=-1), count, out=np.full(count.shape, np.nan), where=count > 0)
    return below + (0.95 * last - lower) * (above - below), mean, top, count


def _wide(fleet: Fleet, servers: np.ndarray, times: pd.DatetimeIndex, within: np.ndarray) -> pa.Table:
    """Rows of some servers in order of time: timestamp, server_id, metrics, attributes; none without a value."""
    values = {metric: samples[np.ix_(servers, within)].T.ravel() for metric, samples in fleet.history.items()}
    kept = np.flatnonzero(~np.all([np.isnan(one) for one in values.values()], axis=0))
    moment, server = np.divmod(kept, max(len(servers), 1))
    columns = {"timestamp": _iso(times[within]).take(pa.array(moment))}
    attributes = pa.Table.from_pandas(fleet.servers.iloc[servers], preserve_index=False).take(pa.array(server))
    columns["server_id"] = attributes["server_id"]
    columns |= {metric: pa.array(one[kept], from_pandas=True) for metric, one in values.items()}
    columns |= {name: attributes[name] for name in attributes.column_names if name != "server_id"}
    return pa.table(columns)


def _long(fleet: Fleet, servers: np.ndarray, times: pd.DatetimeIndex) -> pa.Table:
    """Rows timestamp, server_id, metric, value; none without a value."""
    values = np.stack([samples[servers].T for samples in fleet.history.values()], axis=2)
    moment, server, metric = (pa.array(index) for index in np.nonzero(~np.isnan(values)))
    return pa.table(
        {
            "timestamp": _iso(times).take(moment),
            "server_id": pa.array(fleet.servers["server_id"].iloc[servers]).take(server),
            "metric": pa.array(list(fleet.history)).take(metric),
            "value": values[~np.isnan(values)],
        }
    )


def _iso(times: pd.DatetimeIndex) -> pa.Array:
    return pa.array(np.char.add(np.datetime_as_string(times.to_numpy(), unit="s"), "Z"))


def _write_csv(table: pa.Table, path: Path) -> None:
    options = pa.csv.WriteOptions(quoting_style="none")
    if path.suffix != ".gz":
        pa.csv.write_csv(table, path, options)
        return
    # Without a name and a time in its header the archive depends on nothing but its content.
    with path.open("wb") as raw, gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=3, mtime=0) as file:
        pa.csv.write_csv(table, file, options)
