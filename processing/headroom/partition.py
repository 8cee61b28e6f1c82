"""What is found about some of a fleet's servers, and how the findings about all blocks become those about the fleet.

A block's findings rest on its own rows, the model and the span of the whole panel: they are the same in this process,
on the cores of one machine or on many. What needs all servers (order, clusters, who takes over whose work) works on
summaries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from headroom.core.findings import LEVELS, RiskOverTime
from headroom.core.grid import Grid, Span, of_panel
from headroom.core.settings import Settings
from headroom.core.tables import typed
from headroom.insight import clusters, over_time, risk, seasonality
from headroom.insight.clusters import Described
from headroom.insight.recommend import facts
from headroom.insight.risk import QUANTILES
from headroom.insight.seasonality import Sums

LEAST_HISTORY = 60


@dataclass(frozen=True)
class Part:
    """What is found about a block of servers.

    Attributes:
        ds: the panel's periods.
        forecasts: ``Assessment.forecasts`` of these servers, as they are written.
        risks, seasonality, not_judged: as in ``Assessment``, of these servers.
        over_time, peaks, described, past: what the findings about the fleet are made from.
    """

    ds: pd.DatetimeIndex
    forecasts: pa.Table
    risks: pd.DataFrame
    seasonality: pd.DataFrame
    not_judged: list[dict[str, Any]]
    over_time: RiskOverTime
    peaks: Sums
    described: Described
    past: facts.Past


def judge(
    panel: pd.DataFrame,
    forecasts: pd.DataFrame,
    chosen: Settings,
    climbs: pd.DataFrame | None = None,
    span: Span | None = None,
) -> Part:
    """Everything that follows for some servers from their panel and forecasts.

    Args:
        panel: ``server_id, metric, ds, y, mean``; ``max`` and ``p99`` as far as they are kept.
        forecasts: ``server_id, metric, ds, q05, q10, q50, q90, q95``.
        climbs: what the forecasts rest on, see ``model.predict_and_explain``.
        span: the first and last period of the whole panel, where this is a part of it.
    """
    laid_out = of_panel(panel, chosen.frequency, chosen.frequency.assessed_history, span)
    patterns = seasonality.measure(laid_out, chosen)
    first = laid_out.ds[-1] + chosen.frequency.step
    outlook = risk.outlook(_with_missing(forecasts, panel, first), patterns, chosen)
    outlook, reasons = risk.judged(outlook, laid_out, chosen)
    flagged = flag(panel, laid_out, outlook, chosen)
    return Part(
        ds=laid_out.ds,
        forecasts=typed(flagged),
        risks=risk.risks(outlook, laid_out, chosen, reasons, climbs),
        seasonality=patterns,
        not_judged=risk.not_judged(outlook.keys, reasons, laid_out, chosen),
        over_time=over_time.of_forecasts(flagged, laid_out.ds[-1], chosen),
        peaks=seasonality.sums(laid_out),
        described=clusters.describe_servers(panel, laid_out, patterns),
        past=facts.past_of(laid_out, panel),
    )


def together(parts: Sequence[Part]) -> Part:
    """The parts of a fleet, in the order of their servers, as one."""
    return Part(
        ds=parts[0].ds,
        forecasts=pa.concat_tables([part.forecasts for part in parts]),
        risks=pd.concat([part.risks for part in parts], ignore_index=True),
        seasonality=pd.concat([part.seasonality for part in parts], ignore_index=True),
        not_judged=[one for part in parts for one in part.not_judged],
        over_time=over_time.together([part.over_time for part in parts]),
        peaks=seasonality.sums_together([part.peaks for part in parts]),
        described=clusters.together([part.described for part in parts]),
        past=facts.together([part.past for part in parts]),
    )


def flag(panel: pd.DataFrame, laid_out: Grid, outlook: risk.Outlook, chosen: Settings) -> pd.DataFrame:
    """``risk_flagged_forecasts.parquet``: the tail of the history and the forecast, see ``Assessment.forecasts``."""
    levels = np.array(LEVELS, dtype=object)
    periods = max(2 * chosen.horizon, LEAST_HISTORY)
    start = laid_out.ds[max(len(laid_out.ds) - periods, 0)]
    tail = panel.loc[(panel["ds"] >= start) & panel["y"].notna(), ["server_id", "metric", "ds", "y"]]
    history = tail.rename(columns={"y": "actual"}).assign(is_future=False)
    limits = {name: tail["metric"].map({m: getattr(t, name) for m, t in chosen.thresholds.items()}).to_numpy(float)
              for name in ("warning", "critical")}  # fmt: skip
    y = tail["y"].to_numpy(float)
    history["risk_level"] = levels[risk.level_of(*(np.where(y >= limits[name], 1.0, 0.0) for name in limits))]

    count = len(outlook.ds)
    there = np.isfinite(outlook.quantiles).all(axis=2).ravel()
    future = pd.DataFrame({
        "server_id": np.repeat(outlook.keys["server_id"].to_numpy(), count),
        "metric": np.repeat(outlook.keys["metric"].to_numpy(), count),
        "ds": np.tile(outlook.ds.to_numpy(), len(outlook.keys)),
        "is_future": True,
        **{name: outlook.quantiles[:, :, number].ravel() for number, name in enumerate(QUANTILES)},
        "risk_level": levels[outlook.levels.ravel()],
    })[there]  # fmt: skip
    both = pd.concat([history, future], ignore_index=True)
    both = both.sort_values(["server_id", "metric", "ds"], ignore_index=True)
    return both[["server_id", "metric", "ds", "is_future", "actual", *QUANTILES, "risk_level"]]


def _with_missing(forecasts: pd.DataFrame, panel: pd.DataFrame, first: pd.Timestamp) -> pd.DataFrame:
    """The forecasts, and an empty row at ``first`` for each series of the panel without one: no server is lost."""
    present = panel[["server_id", "metric"]].drop_duplicates()
    known = forecasts[["server_id", "metric"]].drop_duplicates()
    missing = present.merge(known, how="left", on=["server_id", "metric"], indicator=True)
    missing = missing.loc[missing["_merge"] == "left_only", ["server_id", "metric"]]
    if missing.empty:
        return forecasts
    return pd.concat([forecasts, missing.assign(ds=first)], ignore_index=True)
