"""Servers that behave alike: K-means on features that have a meaning, and a name in words for each cluster.

The features, their scales and the rules for names are documented for their readers in ``docs/risk.md``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from threadpoolctl import threadpool_limits

from headroom.core import wording
from headroom.core.grid import Grid, Span, mean, quantile
from headroom.core.metrics import is_percent, percent_names
from headroom.core.periods import DAYS_PER_MONTH, Frequency, in_month_end
from headroom.insight.seasonality import LEAST_MONTH_ENDS, highest_by_day, profiles

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
# Falling use is another behaviour than growth; a step is a step in either direction.
_SIGNED = ("growth", "month_end", "weekend_drop")

IDLE_BELOW = 5.0  # percent
# Shares are of at least this much use: half of next to nothing is not a rhythm.
LEAST_USE = 20.0
# Growth, steps and leaks are told after eight weeks, weekends after three of them, by what nine of ten weeks show.
LEAST_DAYS, LEAST_WEEKS, WEEKS_AGREE = 56, 3, 0.9
LARGEST_K = 8
# A cluster has at least this share of the servers and at least two of them; this many are enough in any fleet.
LEAST_SHARE, LEAST_SIZE, ENOUGH = 0.05, 2, 20
_SAMPLE = 2000
# What is not clearly worse: by silhouette, and by the share of servers that their cluster's name fits.
_SILHOUETTE_MARGIN, _NAMES_MARGIN = 0.05, 0.05
# A cluster keeps the identity of the previous run's cluster this near to it (1 is the whole scale of one feature).
_SAME = 0.35


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


@dataclass(frozen=True)
class Clusters:
    """``table`` is ``Assessment.clusters``, ``profiles`` is ``Assessment.profiles``."""

    table: pd.DataFrame
    profiles: list[dict[str, Any]]


def describe_servers(panel: pd.DataFrame, grid: Grid, seasonality: pd.DataFrame) -> Described:
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


def find(servers: Described, previous: pd.DataFrame | None = None, seed: int = 0) -> Clusters:
    """Cluster the servers, in the same way as the previous run where behaviour allows.

    ``previous``: the previous run's ``server_clusters.csv``, or None; a table of another form counts as none.
    """
    described = servers.table
    points = scaled(described)
    old = _old_clusters(previous)
    label = _label(points, described, len(old) if old is not None else None, seed)
    centers = np.stack([points[label == number].mean(axis=0) for number in range(label.max() + 1)])
    sizes = np.bincount(label)
    identity, names = _identify(centers, sizes, described, label, old)

    table = described[["server_id"]].copy()
    table["cluster"] = identity[label]
    table["cluster_name"] = names[label]
    table["distance"] = np.linalg.norm(points - centers[label], axis=1).round(6)
    table[list(FEATURES)] = described[list(FEATURES)].round(6)
    table["x"], table["y"] = _projection(points)
    return Clusters(table, _profiles(table, servers, label))


def _longest(grid: Grid) -> Span:
    there = np.concatenate([np.isfinite(values) for values in grid.by_metric.values()])
    first, last = there.argmax(axis=1), there.shape[1] - 1 - there[:, ::-1].argmax(axis=1)
    last = np.where(there.any(axis=1), last, first)
    longest = np.argmax(last - first)
    return Span(grid.ds[first[longest]], grid.ds[last[longest]])


def too_short_for(longest: Span, frequency: Frequency) -> tuple[int, list[str]]:
    """The days of the longest history of a server, and what nothing can be said about yet because it is so short."""
    ds = pd.date_range(longest.first, longest.last, freq=frequency)
    days = len(ds) // frequency.per_day
    ends = (ds[in_month_end(ds)] - pd.Timedelta(days=1)).to_period("M").nunique()
    missing = {
        f"weekends ({LEAST_WEEKS} of them)": days < 7 * LEAST_WEEKS,
        f"growth, steps and leaks ({LEAST_DAYS // 7} weeks)": days < LEAST_DAYS,
        f"ends of months ({LEAST_MONTH_ENDS} of them)": ends < LEAST_MONTH_ENDS,
    }
    return days, [what for what, missed in missing.items() if missed]


def scaled(described: pd.DataFrame) -> np.ndarray:
    """The features as coordinates (n, features), 0 to 1 (-1 to 1 where there is a sign) times the weight.

    A feature that could not be measured counts as not there, a level as 50 %.
    """
    columns = []
    for name, (least, full, weight) in FEATURES.items():
        value = described[name].fillna(50 if name in ("level", "p95") else 0).to_numpy(float)
        part = np.clip((np.abs(value) - least) / (full - least), 0, 1)
        columns.append(weight * (np.sign(value) * part if name in _SIGNED else part))
    return np.stack(columns, axis=1)


def name_of(typical: pd.Series) -> str:
    """A cluster's name in words from its features' medians: what stands out most names it."""
    level = "high" if typical["level"] >= 75 else "low" if typical["level"] < 30 else "moderate"
    if typical["idle_share"] >= 0.15 and typical["p95"] >= 50 and (typical["idle_share"] < 0.5 or level != "low"):
        return "on and off"
    if typical["idle_share"] >= 0.5:
        quiet = typical["peakedness"] < 0.3 and typical["p95"] < LEAST_USE
        return "idle" if quiet else "mostly idle, with peaks"
    if typical["leak"] >= 8:
        return "leaking, with restarts"
    if typical["step"] >= 8:
        return "one lasting step"
    if typical["month_end"] >= 8:
        return "month-end peaks"
    if typical["growth"] >= 8:
        return "growing"
    if typical["growth"] <= -8:
        return "shrinking"
    if typical["weekend_drop"] >= 0.25:
        return "weekday office hours" if typical["peakedness"] >= 0.25 else "weekdays"
    if typical["weekend_drop"] <= -0.25:
        return "weekends"
    if typical["peakedness"] >= 0.3:
        return "short daily peaks"
    return f"steady, {level}"


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


def _label(points: np.ndarray, described: pd.DataFrame, previous_k: int | None, seed: int) -> np.ndarray:
    """Cluster numbers from 0, the largest first; how many by silhouette (on a sample of large fleets).

    Each number of clusters is tried, clusters too small to be one are dissolved, and those of the same name in words
    are one. Of what remains, and is not clearly worse than the best silhouette, those are good under whose names the
    most servers fit by themselves; the fewest clusters of them are taken, or as many as in the previous run.
    """
    most = min(LARGEST_K, len(points) - 1, len(np.unique(points.round(6), axis=0)))
    sample = np.random.default_rng(seed).permutation(len(points))[:_SAMPLE]
    own_names = np.array([name_of(one) for _, one in described[list(FEATURES)].iloc[sample].fillna(0).iterrows()])

    def of_number(k: int) -> tuple[np.ndarray, float, float] | None:
        label = KMeans(k, n_init=20, random_state=seed).fit(points).labels_
        label, names = _named_alike(_large_enough(label, points), described)
        if len(set(label[sample])) == 1:
            return None
        fitting = float((names[label[sample]] == own_names).mean())
        return label, silhouette_score(points[sample], label[sample]), fitting

    # One thread adds up in one order: the same clusters on a machine with any number of cores. Two at a time.
    with threadpool_limits(1), ThreadPoolExecutor(2, initializer=threadpool_limits, initargs=(1,)) as pool:
        tried = [one for one in pool.map(of_number, range(most, 1, -1)) if one is not None][::-1]
    if not tried:
        return np.zeros(len(points), dtype=int)
    near = [one for one in tried if one[1] >= max(worth for _, worth, _ in tried) - _SILHOUETTE_MARGIN]
    good = [one for one in near if one[2] >= max(fitting for _, _, fitting in near) - _NAMES_MARGIN]
    label = min(good, key=lambda one: (one[0].max() + 1 != previous_k, one[0].max(), -round(one[1], 6)))[0]
    order = np.lexsort((np.unique(label, return_index=True)[1], -np.bincount(label)))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[label]


def _large_enough(label: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The labels after each cluster too small to be one, the smallest first, has gone to its nearest neighbours."""
    least = min(max(math.ceil(LEAST_SHARE * len(points)), LEAST_SIZE), ENOUGH)
    while (sizes := np.bincount(label)).min() < least and len(sizes) > 1:
        rest = np.delete(np.arange(len(sizes)), sizes.argmin())
        centers = np.stack([points[label == number].mean(axis=0) for number in rest])
        distance = np.linalg.norm(points[:, None] - centers[None], axis=2)
        nearest = rest[distance.argmin(axis=1)]
        label = np.unique(np.where(label == sizes.argmin(), nearest, label), return_inverse=True)[1]
    return label


def _named_alike(label: np.ndarray, described: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Labels and names after clusters with the same name in words have become one: nobody could tell them apart."""
    while True:
        medians = described[list(FEATURES)].groupby(label).median().fillna(0)
        names, merged = np.unique([name_of(typical) for _, typical in medians.iterrows()], return_inverse=True)
        if len(names) == len(medians):
            return merged[label], names
        label = merged[label]


def _old_clusters(previous: pd.DataFrame | None) -> pd.DataFrame | None:
    """The previous run's clusters: one row per cluster, ``cluster_name`` and the coordinates; None if unusable."""
    if previous is None or previous.empty or not {"cluster", "cluster_name", *FEATURES} <= set(previous.columns):
        return None
    table = previous.assign(cluster=pd.to_numeric(previous["cluster"], errors="coerce")).dropna(subset="cluster")
    table = table.assign(**{name: pd.to_numeric(table[name], errors="coerce") for name in FEATURES})
    if table.empty:
        return None
    coordinates = pd.DataFrame(scaled(table), index=table["cluster"].astype(int))
    centers = coordinates.groupby(level=0).mean()
    centers.insert(0, "cluster_name", table.groupby(table["cluster"].astype(int))["cluster_name"].first().astype(str))
    return centers


def _identify(
    centers: np.ndarray, sizes: np.ndarray, described: pd.DataFrame, label: np.ndarray, old: pd.DataFrame | None
) -> tuple[np.ndarray, np.ndarray]:
    """A number and a name for each cluster: the previous run's where it is the same behaviour, else new ones."""
    identity, names = np.full(len(centers), -1), np.full(len(centers), None, dtype=object)
    following = 0
    if old is not None:
        distance = np.linalg.norm(centers[:, None] - old.drop(columns="cluster_name").to_numpy()[None], axis=2)
        for new, before in zip(*linear_sum_assignment(distance), strict=True):
            if distance[new, before] <= _SAME:
                identity[new], names[new] = old.index[before], old["cluster_name"].iloc[before]
        following = int(old.index.max()) + 1
    for number in np.flatnonzero(identity < 0):
        identity[number] = following
        following += 1
        typical = described.loc[label == number, list(FEATURES)].median().fillna(0)
        names[number] = _unused(name_of(typical), typical, set(names))
    return identity, names


def _unused(name: str, typical: pd.Series, used: set[str]) -> str:
    """The name, told apart from a cluster that has it already by level, and by a number if that is not enough."""
    candidates = [name, f"{name}, around {typical['level']:.0f} %", *(f"{name} ({number})" for number in range(2, 99))]
    return next(candidate for candidate in candidates if candidate not in used)


def _projection(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first two principal components, turned so that the result does not depend on the solver's signs."""
    centered = points - points.mean(axis=0)
    _, _, axes = np.linalg.svd(centered, full_matrices=False)
    axes = np.pad(axes, ((0, max(0, 2 - len(axes))), (0, 0)))[:2]
    axes = axes * np.where(axes[[0, 1], np.abs(axes).argmax(axis=1)] < 0, -1, 1)[:, None]
    x, y = (centered @ axes.T).round(6).T
    return x, y


def _profiles(table: pd.DataFrame, servers: Described, label: np.ndarray) -> list[dict[str, Any]]:
    described, weekdays, hours = servers.table, servers.weekdays, servers.hours
    growth_over = "within a year" if servers.days >= 365 else f"within {servers.days} days"
    result = []
    for number in range(label.max() + 1):
        members = np.flatnonzero(label == number)
        # The medoid by distance to the centre; ties go to the first name.
        typical = members[np.argmin(table["distance"].to_numpy()[members])]
        medians = described.iloc[members][list(FEATURES)].median()
        result.append({
            "cluster": int(table["cluster"].iloc[typical]),
            "name": str(table["cluster_name"].iloc[typical]),
            "size": len(members),
            "typical_server": str(table["server_id"].iloc[typical]),
            "description": describe(medians, growth_over),
            "features": {name: None if pd.isna(value) else round(float(value), 3) for name, value in medians.items()},
            "weekday_profile": _rounded(mean(weekdays[members], axis=0)),
            "hour_profile": None if hours is None else _rounded(mean(hours[members], axis=0)),
        })  # fmt: skip
    return result


def describe(medians: pd.Series, growth_over: str = "within a year") -> str:
    """A sentence about a cluster from its features' medians; ``growth_over`` is the time that growth was seen over."""
    share = {name: wording.percent(100 * abs(medians[name])) for name in ("weekend_drop", "peakedness", "idle_share")}
    parts = [f"typically at {wording.percent(medians['level'])}, with a P95 of {wording.percent(medians['p95'])}"]
    if abs(medians["weekend_drop"]) >= 0.1:
        parts.append(f"{share['weekend_drop']} {'less' if medians['weekend_drop'] > 0 else 'more'} at weekends")
    if medians["peakedness"] >= 0.3:
        parts.append(f"a day's average {share['peakedness']} below its peak")
    if abs(medians["month_end"]) >= 4:
        more = "more" if medians["month_end"] > 0 else "less"
        parts.append(f"{abs(medians['month_end']):.0f} points {more} at the end of the month")
    if abs(medians["growth"]) >= 4:
        parts.append(f"{medians['growth']:+.0f} points {growth_over}")
    if medians["leak"] >= 3:
        parts.append(f"climbing and falling back by {medians['leak']:.0f} points per month")
    if medians["step"] >= 4:
        parts.append(f"one lasting step of {medians['step']:.0f} points, up or down")
    if medians["idle_share"] >= 0.1:
        parts.append(f"below {wording.percent(IDLE_BELOW)} for {share['idle_share']} of the time")
    text = "; ".join(parts)
    return f"{wording.sentence(text)}."


def _leading_profiles(described: pd.DataFrame, grid: Grid) -> tuple[np.ndarray, np.ndarray | None]:
    weekdays = np.full((len(described), 7), np.nan)
    hours = np.full((len(described), 24), np.nan) if grid.frequency.hourly else None
    for metric, rows in described.groupby("leading_metric").indices.items():
        weekdays[rows] = profiles(grid.by_metric[metric][rows], np.asarray(grid.ds.weekday), 7)
        if hours is not None:
            hours[rows] = profiles(grid.by_metric[metric][rows], np.asarray(grid.ds.hour), 24)
    return weekdays, hours


def _rounded(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), 3) for value in values]
