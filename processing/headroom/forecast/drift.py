"""Drift: how far today's data has moved from what a model was trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from headroom.core import wording

BINS = 10
# A server is out of its range when its level leaves what it was by this many spreads.
RANGE = 4.0
# Above this share of series that training did not see, the model is one of another fleet.
MOST_NEW = 0.5


def of_panel(panel: pd.DataFrame, recent: int, threshold: float) -> dict[str, Any]:
    """Statistics to compare later data with.

    ``recent`` is how many of the newest periods count, ``threshold`` the population stability index that is too much.
    A metric has the inner bounds of about ten equally frequent bins and their shares, a server and metric its usual
    level (median) and spread (the 5 to 95 % range), of which half of the metric's typical one is the least.
    """
    latest = _latest(panel, recent)
    metrics, servers = {}, {}
    for metric, rows in latest.groupby("metric"):
        bounds = _bounds(rows["y"])
        metrics[str(metric)] = {"bounds": bounds.tolist(), "shares": _shares(rows["y"], bounds).tolist()}
        by_server = rows.groupby("server_id")["y"]
        level, spread = by_server.median(), by_server.quantile(0.95) - by_server.quantile(0.05)
        spread = spread.clip(lower=max(spread.median() / 2, 1e-9))
        servers[str(metric)] = {
            str(server): [round(float(level[server]), 6), round(float(spread[server]), 6)] for server in level.index
        }
    return {"schema": 1, "recent": recent, "threshold": threshold, "metrics": metrics, "servers": servers}


def compare(baseline: dict[str, Any], panel: pd.DataFrame) -> dict[str, Any]:
    """The panel's newest periods against a baseline.

    Returns ``psi`` per metric (population stability index: 0 is the same, above 0.25 is usually called a shift; Siddiqi
    2006), ``servers_out_of_range``: the share of known servers whose level moved by more than ``RANGE`` spreads in any
    metric, ``new_series``: the share of reporting series (a server's metric) that the baseline has not, ``exceeded``:
    whether any metric's index is above the dataset's threshold or ``new_series`` above ``MOST_NEW``, and ``reason``:
    why it is, in words, or None.
    """
    latest = _latest(panel, baseline["recent"])
    psi: dict[str, float] = {}
    out, known = set(), set()
    series = new = 0
    for metric, rows in latest.groupby("metric"):
        usual_of = baseline["servers"].get(str(metric), {})
        levels = rows.groupby("server_id")["y"].median()
        series, new = series + len(levels), new + sum(str(server) not in usual_of for server in levels.index)
        before = baseline["metrics"].get(str(metric))
        if before is None:
            continue
        was, now = np.array(before["shares"]), _shares(rows["y"], np.array(before["bounds"]))
        psi[str(metric)] = round(float(((now - was) * np.log(now / was)).sum()), 4)
        for server, level in levels.items():
            usual = usual_of.get(str(server))
            if usual is not None:
                known.add(server)
                if abs(level - usual[0]) > RANGE * usual[1]:
                    out.add(server)
    moved = [metric for metric, value in psi.items() if value > baseline["threshold"]]
    reasons = (
        [f"{wording.listed([wording.metric(metric) for metric in moved])} no longer looks as it did"] if moved else []
    )
    new_fleet = new > MOST_NEW * series
    reasons += [f"{new:,} of {series:,} series are new to the model"] if new_fleet else []
    return {
        "psi": psi,
        "servers_out_of_range": round(len(out) / len(known), 4) if known else 0.0,
        "new_series": round(new / series, 4) if series else 0.0,
        "exceeded": bool(reasons),
        "reason": wording.listed(reasons) if reasons else None,
    }


def _latest(panel: pd.DataFrame, recent: int) -> pd.DataFrame:
    usable = panel[np.isfinite(panel["y"].to_numpy(float))]
    newest = np.sort(usable["ds"].unique())[-recent:]
    return usable[usable["ds"].isin(newest)]


def _bounds(values: pd.Series) -> np.ndarray:
    """Inner bounds of equally frequent bins; a value that fills more than one bin has a bin to itself.

    So a metric that never changed has a bin below and one above what it was.
    """
    found, often = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]), return_counts=True)
    repeated = found[often > 1]
    hair = 1e-6 * np.maximum(np.abs(repeated), 1e-3)
    return np.unique(np.concatenate([found[often == 1], repeated - hair, repeated + hair]))


def _shares(values: pd.Series, bounds: np.ndarray) -> np.ndarray:
    """Share of values in each bin, none quite zero so that logarithms exist."""
    counts = np.bincount(np.searchsorted(bounds, values, side="right"), minlength=len(bounds) + 1)
    return (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
