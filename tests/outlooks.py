"""Forecasts of single series, made up, and the risk that follows from them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtri

from headroom.core import grid
from headroom.core.settings import Settings
from headroom.insight import risk
from headroom.insight.crossing import QUANTILES

LAST = pd.Timestamp("2026-10-31")


def forecast(median, spread, server="s1", metric="cpu"):
    """Normal forecasts around ``median`` (H,) with a standard deviation (H,)."""
    median = np.asarray(median, float)
    values = median[:, None] + np.broadcast_to(spread, median.shape)[:, None] * ndtri(list(QUANTILES.values()))
    table = pd.DataFrame(values, columns=list(QUANTILES))
    table.insert(0, "ds", pd.date_range(LAST + pd.Timedelta(days=1), periods=len(median)))
    table.insert(0, "metric", metric)
    table.insert(0, "server_id", server)
    return table


def assessed(forecasts, noise=0.5, history=50.0, settings=None, climbs=None):
    """The outlook and the risks of forecasts, after thirty days at ``history``."""
    settings = settings or Settings()
    keys = forecasts[["server_id", "metric"]].drop_duplicates()
    days = pd.date_range(end=LAST, periods=30)
    panel = keys.merge(pd.DataFrame({"ds": days, "y": history}), how="cross")
    seen = risk.outlook(forecasts, keys.assign(noise=noise), settings)
    return seen, risk.risks(seen, grid.of_panel(panel, settings.frequency), settings, climbs=climbs)
