"""A fleet assessed in memory: what the job does block by block, at once; and panels and forecasts to do it with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from headroom import conclusion, partition, results
from headroom.core.findings import Assessment
from headroom.core.settings import Settings
from headroom.insight import ranking
from headroom.insight.crossing import QUANTILES

WRITTEN = {
    "risk_flagged_forecasts.parquet", "risk_summary.json", "optimization_recommendations.json", "server_clusters.csv",
    "risk_heatmap.png", "utilization_clusters.png", "report.html", "data_quality.json", "model_metrics.json",
    "optimization_recommendations.csv", "findings.json",
}  # fmt: skip


def assessed(
    panel: pd.DataFrame, attributes: pd.DataFrame, forecasts: pd.DataFrame, settings: Settings, **known: Any
) -> Assessment:
    """The assessment of a whole panel; ``known`` are the other arguments of ``conclusion.conclude``."""
    return conclusion.conclude(partition.judge(panel, forecasts, settings), attributes, settings, **known)


def write(found: Assessment, folder: Path) -> None:
    """All results of an assessment that has the forecasts of all servers."""
    results.write_parquet(found.forecasts, folder / results.FORECASTS)
    results.write(found, folder)


def forecasts_of(future, spread=2.0):
    quantiles = {name: future["y"] + spread * ndtri(share) for name, share in QUANTILES.items()}
    return future[["server_id", "metric", "ds"]].assign(**quantiles)


def flat(panel, horizon=10, frequency="D"):
    """Forecasts that go on at each series' mean."""
    last = panel["ds"].max()
    ds = pd.date_range(last, periods=horizon + 1, freq=frequency)[1:]
    means = panel.groupby(["server_id", "metric"], as_index=False)["y"].mean().dropna()
    return forecasts_of(means.merge(pd.DataFrame({"ds": ds}), how="cross"))


def attributes(panel):
    servers = pd.DataFrame({"server_id": panel["server_id"].unique()})
    return servers.reindex(columns=["server_id", *ranking.ATTRIBUTES])


def panel_of(series, frequency="D"):
    """A panel of {(server, metric): values}."""
    tables = []
    for (server, metric), values in series.items():
        ds = pd.date_range("2026-01-01", periods=len(values), freq=frequency)
        y = np.asarray(values, float)
        tables.append(pd.DataFrame({"server_id": server, "metric": metric, "ds": ds, "y": y, "mean": y}))
    return pd.concat(tables, ignore_index=True)


def hourly(series):
    """The assessment of hourly values, {(server, metric): values}, that go on at their means for a day."""
    panel = panel_of(series, "h")
    return assessed(panel, attributes(panel), flat(panel, 24, "h"), Settings(frequency="h", horizon=24))
