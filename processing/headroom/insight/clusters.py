"""Servers that behave alike: K-means on their features, and a name in words for each cluster.

The rules for names are documented for their readers in ``docs/risk.md``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
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
from headroom.core.grid import mean
from headroom.insight.behaviour import FEATURES, IDLE_BELOW, LEAST_USE, Described

# Falling use is another behaviour than growth; a step is a step in either direction.
_SIGNED = ("growth", "month_end", "weekend_drop")
LARGEST_K = 8
# A cluster has at least this share of the servers and at least two of them; this many are enough in any fleet.
LEAST_SHARE, LEAST_SIZE, ENOUGH = 0.05, 2, 20
_SAMPLE = 2000
# What is not clearly worse: by silhouette, and by the share of servers that their cluster's name fits.
_SILHOUETTE_MARGIN, _NAMES_MARGIN = 0.05, 0.05
# A cluster keeps the identity of the previous run's cluster this near to it (1 is the whole scale of one feature).
_SAME = 0.35


@dataclass(frozen=True)
class Clusters:
    """``table`` is ``Assessment.clusters``, ``profiles`` is ``Assessment.profiles``."""

    table: pd.DataFrame
    profiles: list[dict[str, Any]]


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


def name_of(known: Mapping[str, float]) -> str:
    """A cluster's name in words from its features' medians, NaN where they are not known: what stands out most.

    Nobody calls "steady" what may be growing: before eight weeks that is not known.
    """
    steady, typical = pd.notna(known["growth"]), {name: 0.0 if pd.isna(one) else one for name, one in known.items()}
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
    return f"steady, {level}" if steady else f"{level} use"


def _label(points: np.ndarray, described: pd.DataFrame, previous_k: int | None, seed: int) -> np.ndarray:
    """Cluster numbers from 0, the largest first; how many by silhouette (on a sample of large fleets).

    Each number of clusters is tried, clusters too small to be one are dissolved, and those of the same name in words
    are one. Of what remains, and is not clearly worse than the best silhouette, those are good under whose names the
    most servers fit by themselves; the fewest clusters of them are taken, or as many as in the previous run.
    """
    most = min(LARGEST_K, len(points) - 1, len(np.unique(points.round(6), axis=0)))
    sample = np.random.default_rng(seed).permutation(len(points))[:_SAMPLE]
    own_names = np.array([name_of(one) for one in described[list(FEATURES)].iloc[sample].to_dict("records")])

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
        medians = described[list(FEATURES)].groupby(label).median()
        names, merged = np.unique([name_of(one) for one in medians.to_dict("records")], return_inverse=True)
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
        typical = described.loc[label == number, list(FEATURES)].median()
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


def _rounded(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), 3) for value in values]
