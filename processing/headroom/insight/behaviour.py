"""What each server is like: features that have a meaning, which clusters are made from.

They and their scales are documented for their readers in ``docs/risk.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from headroom.core.grid import Grid, Span, mean, quantile
from headroom.core.metrics import is_percent, percent_names
from headroom.core.periods import DAYS_PER_MONTH, Frequency, in_month_end
from headroom.insight.decomposition import profiles
from headroom.insight.seasonality import LEAST_MONTH_ENDS, highest_by_day

# A value at or below the first number counts as none of the feature, at or above the second as all of it; the third
# is the feature's weight in distances. The scales are fixed, not the fleet's, so that the same behaviour is at the
# same place in every run.
FEATURES = {
    "level": (0, 100, 0.5),
    "p95": (0, 100, 0.25),
    "variability": (0, 0.5, 0.25),
    "day_strength": (0, 1, 0.25),
    "week_strength": (0, 1, 0.25),
    "year_strength": (0, 1, 0.25),
    "weekend_drop": (0.1, 0.4, 1.0),
    "peakedness": (0.1, 0.5, 1.0),
    "month_end": (4, 12, 1.0),
    "growth": (4, 12, 1.0),
    "step": (4, 12, 1.0),
    "leak": (3, 12, 1.0),
    "idle_share": (0, 1, 1.0),
}
IDLE_BELOW = 5.0  # percent
# Shares are of at least this much use: half of next to nothing is not a rhythm.
LEAST_USE = 20.0
# Growth, steps and leaks are told after eight weeks, weekends after three of them, by what nine of ten weeks show.
LEAST_DAYS, LEAST_WEEKS, WEEKS_AGREE = 56, 3, 0.9


@dataclass(frozen=True)
class Described:
    """What n servers are like.

    Attributes:
        table: one row per server: ``server_id, leading_metric`` and ``FEATURES``.
        weekdays: the mean of the leading metric on each weekday (n, 7).
        hours: the same at each hour (n, 24); None in a panel of days.
        days: how many days the panel has.
        longest: the first and the last period of the server with the longest history.
    """

    table: pd.DataFrame
    weekdays: np.ndarray
    hours: np.ndarray | None
    days: int
    longest: Span


def together(parts: Sequence[Described]) -> Described:
    """The parts of a fleet as one."""
    first = parts[0]
    return Described(
        pd.concat([part.table for part in parts], ignore_index=True),
        np.concatenate([part.weekdays for part in parts]),
        None if first.hours is None else np.concatenate([part.hours for part in parts if part.hours is not None]),
        first.days,
        max((part.longest for part in parts), key=lambda longest: longest.last - longest.first),
    )


def of_servers(panel: pd.DataFrame, grid: Grid, seasonality: pd.DataFrame) -> Described:
    """What each server of a grid is like; ``panel`` has its ``server_id, metric, mean``.

    Level and rhythm are those of its leading metric (cpu where it is measured, else the first percent metric, else
    the first): ``level`` and ``p95`` in percent of capacity (of its own P95 for metrics without one),
    ``variability`` (standard deviation over mean), season strengths, ``weekend_drop`` (share by which weekends lie
    below weekdays), ``peakedness`` (share by which the mean lies below the days' peaks), ``month_end`` (points
    above other days), ``idle_share`` (share of periods below 5 %). ``growth`` (points within the last year),
    ``step`` (points, up or down) and ``leak`` (points per month) are those of the metric that has most of it, NaN
    before eight weeks.
    """
    order = sorted(grid.by_metric, key=lambda name: (name != "cpu", not is_percent(name), name))
    leading = np.full(len(grid.servers), -1)
    for number in reversed(range(len(order))):
        leading[np.isfinite(grid.by_metric[order[number]]).any(axis=1)] = number
    table = pd.DataFrame({"server_id": grid.servers})
    table["leading_metric"] = [order[number] if number >= 0 else None for number in leading]
    averages = panel.groupby(["server_id", "metric"], observed=True)[["mean"]].mean()
    averages.index = pd.MultiIndex.from_tuples(averages.index, names=averages.index.names)  # no categories any more

    measured = seasonality.set_index(["server_id", "metric"])
    parts = []
    for number, metric in enumerate(order):
        rows = np.flatnonzero(leading == number)
        if rows.size:
            part = _rhythm(grid.by_metric[metric][rows], metric, grid)
            part.index = pd.MultiIndex.from_product([grid.servers[rows], [metric]])
            own = measured.reindex(part.index)
            for name in ("day_strength", "week_strength", "year_strength"):
                part[name] = own[name]
            unit = part.pop("unit")
            part["month_end"] = own["month_end_effect"] * unit
            average = averages.reindex(part.index)
            peak = mean(highest_by_day(grid.by_metric[metric][rows], grid.ds), axis=1)
            gap = (peak - average["mean"]) * unit
            part["peakedness"] = np.clip(gap / np.maximum(peak * unit, LEAST_USE), 0, 1)
            parts.append(part.droplevel(1))
    table = table.merge(pd.concat(parts), how="left", left_on="server_id", right_index=True)

    percent = seasonality[seasonality["metric"].isin(percent_names())]
    years = {name: _seen_years(values, grid) for name, values in grid.by_metric.items() if is_percent(name)}
    row = {server: number for number, server in enumerate(grid.servers)}
    seen = np.array(
        [years[metric][row[server]] for server, metric in zip(percent["server_id"], percent["metric"], strict=True)]
    )
    shape = pd.DataFrame({
        "server_id": percent["server_id"], "growth": percent["trend_per_month"] * 12 * seen,
        "step": percent["step"], "leak": percent["leak_per_month"],
    })  # fmt: skip
    shape.loc[seen * 12 * DAYS_PER_MONTH < LEAST_DAYS, ["growth", "step", "leak"]] = np.nan
    # What falls in jumps was no growth, and what leaks does not step.
    leaking = shape["leak"] >= FEATURES["leak"][1]
    shape.loc[leaking, ["growth", "step"]] = 0.0
    shape["step"] = shape["step"].abs()
    for name in ("growth", "step", "leak"):
        strongest = shape.dropna(subset=name).assign(size=lambda part, name=name: part[name].abs())
        strongest = strongest.sort_values(["server_id", "size"]).drop_duplicates("server_id", keep="last")
        table = table.merge(strongest[["server_id", name]], how="left", on="server_id")
    table = table[["server_id", "leading_metric", *FEATURES]]
    return Described(table, *_leading_profiles(table, grid), len(grid.ds) // grid.frequency.per_day, _longest(grid))


def too_short_for(longest: Span, frequency: Frequency) -> tuple[int, list[str]]:
    """The days of the longest history of a server, and what nothing can be said about yet because it is so short."""
    ds = pd.date_range(longest.first, longest.last, freq=frequency)
    days = len(ds) // frequency.per_day
    ends = (ds[in_month_end(ds)] - pd.Timedelta(days=1)).to_period("M").nunique()
    missing = {
        f"weekends (needs {LEAST_WEEKS})": days < 7 * LEAST_WEEKS,
        f"growth, steps and leaks (needs {LEAST_DAYS // 7} weeks)": days < LEAST_DAYS,
        f"ends of months (needs {LEAST_MONTH_ENDS})": ends < LEAST_MONTH_ENDS,
    }
    return days, [what for what, missed in missing.items() if missed]


def _longest(grid: Grid) -> Span:
    there = np.concatenate([np.isfinite(values) for values in grid.by_metric.values()])
    first, last = there.argmax(axis=1), there.shape[1] - 1 - there[:, ::-1].argmax(axis=1)
    last = np.where(there.any(axis=1), last, first)
    longest = np.argmax(last - first)
    return Span(grid.ds[first[longest]], grid.ds[last[longest]])


def _rhythm(values: np.ndarray, metric: str, grid: Grid) -> pd.DataFrame:
    top = quantile(values, 0.95)
    unit = np.ones(len(values)) if is_percent(metric) else 100 / np.maximum(top, 1e-9)
    values, top = values * unit[:, None], top * unit
    level = mean(values, axis=1)
    deviation = np.sqrt(mean((values - level[:, None]) ** 2, axis=1))
    idle = mean(np.where(np.isfinite(values), values < IDLE_BELOW, np.nan), axis=1)
    return pd.DataFrame({
        "level": level, "p95": top,
        "variability": deviation / np.maximum(level, LEAST_USE),
        "weekend_drop": _weekend_drop(values, grid.ds),
        "idle_share": idle if is_percent(metric) else np.nan,
        "unit": unit,
    })  # fmt: skip


def _weekend_drop(values: np.ndarray, ds: pd.DatetimeIndex) -> np.ndarray:
    """The share by which each row's weekends lie below its weekdays, negative where above.

    The median week's; NaN before three weeks, 0 unless nine of ten weeks agree which of the two is higher.
    """
    monday = (ds.normalize() - pd.to_timedelta(ds.weekday, unit="D")).to_numpy()
    week = np.unique(monday, return_inverse=True)[1]
    weekday, weekend = (
        profiles(values[:, days], week[days], int(week[-1]) + 1)
        for days in (np.asarray(ds.weekday < 5), np.asarray(ds.weekday >= 5))
    )
    drop = (weekday - weekend) / np.maximum(np.maximum(weekday, weekend), LEAST_USE)
    weeks = np.isfinite(drop).sum(axis=1)
    agree = (quantile(drop, 1 - WEEKS_AGREE) > 0) | (quantile(drop, WEEKS_AGREE) < 0)
    return np.where(weeks < LEAST_WEEKS, np.nan, np.where(agree, quantile(drop, 0.5), 0.0))


def _seen_years(values: np.ndarray, grid: Grid) -> np.ndarray:
    """For how much of the last year each row was measured, 0 to 1."""
    there = np.isfinite(values)
    periods = np.where(there.any(axis=1), values.shape[1] - there.argmax(axis=1) - there[:, ::-1].argmax(axis=1), 0)
    return np.minimum(periods / grid.frequency.per_day / (12 * DAYS_PER_MONTH), 1)


def _leading_profiles(described: pd.DataFrame, grid: Grid) -> tuple[np.ndarray, np.ndarray | None]:
    weekdays = np.full((len(described), 7), np.nan)
    hours = np.full((len(described), 24), np.nan) if grid.frequency.hourly else None
    for metric, rows in described.groupby("leading_metric").indices.items():
        weekdays[rows] = profiles(grid.by_metric[metric][rows], np.asarray(grid.ds.weekday), 7)
        if hours is not None:
            hours[rows] = profiles(grid.by_metric[metric][rows], np.asarray(grid.ds.hour), 24)
    return weekdays, hours
