"""Servers of kinds: steady, busy on weekdays, growing, idle, after a step."""

from __future__ import annotations

import numpy as np
import pandas as pd

from headroom.core import grid
from headroom.core.periods import Frequency
from headroom.core.settings import Settings
from headroom.insight import behaviour, seasonality

DAYS = pd.date_range("2025-09-01", periods=400)


def make(kinds, seed=0, days=DAYS):
    """A panel and its grid: ``kinds`` is {server_id: kind}."""
    random = np.random.default_rng(seed)
    size = len(days)
    shapes = {
        "steady": np.full(size, 55.0),
        "office": 20 + 40.0 * (days.weekday < 5),
        "growing": 30 + 0.1 * np.arange(size),
        "idle": np.full(size, 2.0),
        "step": 40 + 20.0 * (np.arange(size) > 200),
    }
    rows = []
    for server, kind in kinds.items():
        y = np.clip(shapes[kind] + random.normal(0, 0.02 * shapes[kind].mean(), size), 0, 100)
        rows.append(pd.DataFrame({"server_id": server, "metric": "cpu", "ds": days, "y": y, "mean": y * 0.9}))
    return pd.concat(rows, ignore_index=True)


def described(panel):
    """What the servers of a panel of days are like."""
    laid_out = grid.of_panel(panel, Frequency.DAY)
    return behaviour.of_servers(panel, laid_out, seasonality.measure(laid_out, Settings()))
