"""History and forecasts in few bytes, which are most of the report: the small lines of the table, and what charts draw.

Each series becomes one byte per value (1/254 of its own range, finer than a pixel of its chart), deltas of those,
deflated per server: the page unpacks only the servers that are opened.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from typing import Any

import numpy as np
import pandas as pd

from headroom.core.findings import Assessment
from headroom.core.metrics import is_percent
from headroom.report import fleet

SPARK_POINTS = 28
MISSING = 255
QUANTILES = ("q50", "q05", "q10", "q90", "q95")
_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def sparks(found: Assessment, shown: pd.DataFrame) -> list[list[str]]:
    """Small lines for the table: history, q50, q05 and q95 of each server's worst metric, one digit per point.

    Each point is the highest value of its stretch (the lowest for q05), on a scale from zero to the highest of the
    series, its critical threshold and, for percent, 100. The last digit of five is the critical threshold.
    """
    wanted = pd.MultiIndex.from_frame(shown[["server_id", "worst_metric"]])
    horizon, period = found.settings.horizon, found.settings.frequency.step
    table = found.forecasts
    table = table[pd.MultiIndex.from_frame(table[["server_id", "metric"]]).isin(wanted)]
    step = ((table["ds"] - fleet.last_period(found)) // period).to_numpy()
    table, step = table[step > -horizon], step[step > -horizon]
    future = table["is_future"].to_numpy()
    point = np.clip(np.where(future, step - 1, step + horizon - 1) * SPARK_POINTS // horizon, 0, SPARK_POINTS - 1)
    row = pd.Index(shown["server_id"]).get_indexer(table["server_id"])
    values = {}
    for name, pick in (("actual", np.fmax), ("q50", np.fmax), ("q05", np.fmin), ("q95", np.fmax)):
        grid = np.full((len(shown), SPARK_POINTS), np.nan)
        use = future if name != "actual" else ~future
        pick.at(grid, (row[use], point[use]), table[name].to_numpy()[use])
        values[name] = grid
    keys = pd.MultiIndex.from_frame(found.risks[["server_id", "metric"]])
    limits = found.risks["critical"].to_numpy(float)[keys.get_indexer(wanted)]
    tops = [
        100.0 if is_percent(metric) else limit * 1.1 if np.isfinite(limit) else 0.0
        for metric, limit in zip(shown["worst_metric"], limits, strict=True)
    ]
    highest = np.fmax.reduce([np.fmax.reduce(grid, axis=1) for grid in values.values()])
    scale = np.fmax(np.fmax(tops, highest), 1e-9)
    return [
        [*(_digits(grid[i] / scale[i]) for grid in values.values()),
         _digits(np.array([limit / scale[i]])) if np.isfinite(limit) else ""]
        for i, limit in enumerate(limits)
    ]  # fmt: skip


def series(found: Assessment, shown: pd.DataFrame, metrics: list[str], room: int) -> list[Any]:
    """History and forecast of each server shown, in its order, until the room (bytes) is used; then None.

    A server is ``[deflated bytes in base 64, [metric, first history step, values, first future step, values, low,
    high], …]``. Steps count from the last measured period. The bytes hold, metric after metric, the history and then
    q50, q05, q10, q90, q95, each as differences modulo 256 of values scaled from low to high onto 0 to 254; 255 is
    a period without a value.
    """
    position = {name: i for i, name in enumerate(shown["server_id"])}
    table = found.forecasts[found.forecasts["server_id"].isin(position)]
    step = ((table["ds"] - fleet.last_period(found)) // found.settings.frequency.step).to_numpy()
    values_of = {name: table[name].to_numpy() for name in ("actual", *QUANTILES)}
    future = table["is_future"].to_numpy()
    parts: list[list[tuple[list[Any], bytes]]] = [[] for _ in position]
    for (name, metric), rows in table.groupby(["server_id", "metric"], sort=False).indices.items():
        ahead = future[rows]
        history = _on_grid(step[rows[~ahead]], [values_of["actual"][rows[~ahead]]])
        forecast = _on_grid(step[rows[ahead]], [values_of[q][rows[ahead]] for q in QUANTILES])
        values = np.concatenate([history[1].ravel(), forecast[1].ravel()])
        seen = values[np.isfinite(values)]
        low, high = (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 0.0)
        head = [metrics.index(metric), history[0], history[1].shape[1], forecast[0], forecast[1].shape[1],
                rounded(low), rounded(high)]  # fmt: skip
        parts[position[name]].append((head, _bytes(history[1], low, high) + _bytes(forecast[1], low, high)))
    packed: list[Any] = []
    for part in parts:
        heads = [head for head, _ in part]
        content = deflated(b"".join(content for _, content in part))
        room -= len(content) + len(json.dumps(heads)) + 8
        if room < 0:
            return packed + [None] * (len(parts) - len(packed))
        packed.append([content, *heads])
    return packed


def deflated(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 9)).decode("ascii")


def rounded(value: float) -> float:
    """Four significant digits: enough to sort by and to draw."""
    return round(value) if abs(value) >= 1000 else float(f"{value:.4g}")


def _digits(shares: np.ndarray) -> str:
    """Numbers from 0 to 1 as one base-64 digit each; a dot where there is none."""
    return "".join("." if math.isnan(x) else _DIGITS[min(63, max(0, round(x * 63)))] for x in shares.tolist())


def _on_grid(steps: np.ndarray, values: list[np.ndarray]) -> tuple[int, np.ndarray]:
    """The first step, and the values laid on every step from it to the last, NaN where there is none."""
    if not len(steps):
        return 0, np.empty((len(values), 0))
    first = int(steps.min())
    grid = np.full((len(values), int(steps.max()) - first + 1), np.nan)
    grid[:, steps - first] = values
    return first, grid


def _bytes(values: np.ndarray, low: float, high: float) -> bytes:
    scaled = (values - low) * (254 / (high - low)) if high > low else values * 0
    levels = np.where(np.isfinite(scaled), np.rint(np.nan_to_num(scaled)), MISSING).astype(np.uint8)
    return np.diff(levels, axis=1, prepend=np.uint8(0)).tobytes()
