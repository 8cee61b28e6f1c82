"""The map of clusters: where each server's dot is, and where the names of the clusters are written."""

from __future__ import annotations

import numpy as np
import pandas as pd

# Height by width of a cluster map, here and in the report, and the most servers whose dots can stand side by side.
MAP_SHAPE = 0.67
MOST_DOTS = 2000


def on_map(clusters: pd.DataFrame) -> np.ndarray:
    """The servers' places on the cluster map, shaped (servers, 2), on the unit square.

    Each is moved to the nearest free place of a honeycomb, those in the middle of their cluster first, so that no
    server's dot covers another's; beyond ``MOST_DOTS`` servers they stay where they are.
    """
    spots = clusters[["x", "y"]].to_numpy(float)
    if not len(spots):
        return spots
    low, high = np.nanmin(spots, axis=0), np.nanmax(spots, axis=0)
    share = np.divide(spots - low, high - low, out=np.full_like(spots, 0.5), where=high > low)
    spots = 0.06 + 0.88 * np.nan_to_num(share, nan=0.5)
    if len(spots) > MOST_DOTS:
        return spots
    across = dot_width(len(spots))
    up = across * 0.866 / MAP_SHAPE
    x, y = np.meshgrid(np.arange(across / 2, 1 - across / 2, across), np.arange(up / 2, 1, up))
    x[1::2] += across / 2
    places = np.stack([x.ravel(), y.ravel()], axis=1)
    taken = np.zeros(len(places))
    for number in np.argsort(clusters["distance"].to_numpy(float), kind="stable"):
        nearest = int(np.argmin(((places - spots[number]) ** 2) @ [1, MAP_SHAPE**2] + taken))
        spots[number], taken[nearest] = places[nearest], np.inf
    return spots


def dot_width(servers: int) -> float:
    """How wide a server's dot is on the map, as a share of the map's width."""
    return 0.0175 if servers <= 400 else 0.011 if servers <= MOST_DOTS else 0.0055


def place_labels(points: np.ndarray, anchors: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Where to write a label for each anchor: near it, over no other label and few points, its line crossing nothing.

    Args:
        points: shaped (points, 2), on the unit square, as are the other arguments and the result.
        anchors: what the labels name, shaped (labels, 2), the most important first.
        sizes: width and height of each label, shaped (labels, 2).

    Returns:
        The middle of each label, shaped (labels, 2).
    """
    angles = np.radians(np.arange(0, 360, 30))
    around = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    anywhere = np.stack(np.meshgrid(np.linspace(0, 1, 10), np.linspace(0, 1, 16)), axis=-1).reshape(-1, 2)
    along = np.linspace(0, 1, 24)[:, None]
    choices = []
    for anchor, size in zip(anchors, sizes, strict=True):
        # Around the anchor, so that the label's edge and not its middle is at the distance; at worst, anywhere.
        rings = [around * (size / 2 + 0.02 + ring) for ring in (0.0, 0.03, 0.08, 0.14, 0.21, 0.3)]
        middles = np.concatenate([anchor + np.concatenate(rings), anywhere])
        middles = np.clip(middles, size / 2 + 0.005, 0.995 - size / 2)
        covered = _inside(points, middles, size / 2 + 0.008).sum(axis=1)
        named = _inside(anchors, middles, size / 2 + 0.015).sum(axis=1)
        choices.append((middles, 3.0 * np.minimum(covered, 20) + 100 * named + 60 * np.hypot(*(middles - anchor).T)))
    places: dict[int, np.ndarray] = {}
    # Once each, and then again with all of the others in place.
    for number in 3 * list(range(len(anchors))):
        anchor, size, (middles, cost) = anchors[number], sizes[number], choices[number]
        lines = anchor + along * (middles - anchor)[:, None]
        for other, place in places.items():
            if other == number:
                continue
            line = anchors[other] + along * (place - anchors[other])
            cost = cost + 10_000 * (np.abs(middles - place) < (size + sizes[other]) / 2 + 0.01).all(axis=1)
            cost += 150 * (np.abs(lines - place) < sizes[other] / 2 + 0.005).all(axis=2).any(axis=1)
            cost += 150 * _inside(line, middles, size / 2 + 0.005).any(axis=1)
            cost += 150 * _crosses(anchor, middles, anchors[other], place)
        places[number] = middles[int(np.argmin(cost))]
    return np.array([places[number] for number in range(len(anchors))]).reshape(-1, 2)


def _inside(points: np.ndarray, middles: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Which points, in columns, lie in the box around each middle, in rows."""
    return (np.abs(points - middles[:, None]) < reach).all(axis=2)


def _crosses(start: np.ndarray, ends: np.ndarray, other: np.ndarray, other_end: np.ndarray) -> np.ndarray:
    """Which of the lines from one start cross the other line."""

    def side(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
        return np.sign((b - a)[..., 0] * (c - a)[..., 1] - (b - a)[..., 1] * (c - a)[..., 0])

    apart = side(start, ends, other) * side(start, ends, other_end) < 0
    return apart & (side(other, other_end, start) * side(other, other_end, ends) < 0)
