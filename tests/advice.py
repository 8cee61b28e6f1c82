"""Recommendations for fleets made up in a line: what the tests of the rules ask with."""

from __future__ import annotations

import numpy as np
import pandas as pd

from headroom.core import grid
from headroom.core import metrics as metrics_table
from headroom.core.settings import Settings
from headroom.insight import ranking, recommend, risk
from headroom.insight.recommend import facts

DAYS = pd.date_range("2026-06-01", periods=120)
SIZE = {"vcpus": 8.0, "memory_gb": 32.0, "monthly_cost_usd": 280.0}


def advice(
    use,
    owned=None,
    config=None,
    ds=DAYS,
    chances=None,
    peaks=None,
    levels=None,
    not_judged=(),
    samples=None,
    entities=None,
):
    """Recommendations for ``use`` = {server: {metric: values or level}}; forecasts are the last level.

    ``owned`` = {server: attributes}; ``chances`` = {(server, metric): chance of a critical crossing}; ``levels`` =
    {(server, metric): level} where it is another than that chance's; ``samples`` = {(server, metric): {"max": values,
    "p99": values}} where the periods' samples go beyond ``use``; ``entities`` = {(server, metric): part of the server}.
    """
    config = config or Settings()
    metrics_table.use(config.own_metrics())
    rows, risks = [], []
    for server, metrics in use.items():
        for metric, values in metrics.items():
            y = np.broadcast_to(np.asarray(values, float), len(ds))
            beyond = {"max": y, "p99": y} | (samples or {}).get((server, metric), {})
            rows.append(pd.DataFrame({"server_id": server, "metric": metric, "ds": ds, "y": y, **beyond}))
            chance = (chances or {}).get((server, metric), 0.0)
            date = ds[-1] + pd.Timedelta(days=30) if chance >= 0.5 else pd.NaT
            levels_of = config.levels(server, metric)
            own = metrics_table.of(metric)
            unit = 1.0 if own.percent or own.capacity is None else own.capacity / 100
            risks.append({
                "server_id": server, "metric": metric, "entity": (entities or {}).get((server, metric), ""),
                "unit": own.unit,
                "capacity": np.nan if own.capacity is None else own.capacity,
                "warning": levels_of.warning * unit if levels_of else np.nan,
                "critical": levels_of.critical * unit if levels_of else np.nan, "current": y[-1],
                "peak_q50": (peaks or {}).get((server, metric), y[-1]), "peak_q95": 95.0 if chance else y[-1],
                "p_critical": chance, "level": (levels or {}).get(
                    (server, metric), risk.LEVELS[int(risk.level_of(np.array(0.0), np.array(chance)))]),
                "critical_date": date, "breach_earliest": date, "score": 100 * chance, "reason": f"{metric} grows.",
            })  # fmt: skip
    servers = pd.DataFrame([{"server_id": server, **(SIZE | (owned or {}).get(server, {}))} for server in use])
    servers = servers.reindex(columns=["server_id", *ranking.ATTRIBUTES])
    for column in SIZE:
        servers[column] = servers[column].astype(float)
    risks = pd.DataFrame(risks)
    worst = risks.sort_values("score", ascending=False).drop_duplicates("server_id")[["server_id", "level"]]
    servers = servers.merge(worst, on="server_id")
    panel = pd.concat(rows)
    past = facts.past_of(grid.of_panel(panel, config.frequency), panel)
    return recommend.recommend(past, risks, servers, config, not_judged)


def only(found):
    assert len(found) == 1, found
    return found[0]


SMALL = {"vcpus": 1.0, "memory_gb": 2.0, "monthly_cost_usd": 20.0, "region": "eu", "criticality": "low"}


def small(*names, **changed):
    return {name: SMALL | changed for name in names}
