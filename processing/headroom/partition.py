"""What is found about some of a fleet's servers, and how the findings about all blocks become those about the fleet.

A block's findings rest on its own rows, the model and the span of the whole panel: they are the same in this process,
on the cores of one machine or on many. What needs all servers (order, clusters, who takes over whose work) works on
summaries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from headroom.core import metrics
from headroom.core.findings import LEVELS, RiskOverTime, wholly_unjudged
from headroom.core.grid import SERIES, Grid, Span, coded, of_panel, rows_of, series_in
from headroom.core.series import have_entities
from headroom.core.settings import Settings
from headroom.core.tables import decoded, typed
from headroom.insight import behaviour, limits, over_time, parts, risk, seasonality, unjudged
from headroom.insight.behaviour import Described
from headroom.insight.crossing import QUANTILES
from headroom.insight.recommend import facts
from headroom.insight.seasonality import Sums

LEAST_HISTORY = 60


@dataclass(frozen=True)
class Part:
    """What is found about a block of servers.

    Attributes:
        ds: the panel's periods.
        forecasts: ``Assessment.forecasts`` of these servers, as they are written; texts may be categories still.
        risks, seasonality, not_judged: as in ``Assessment``, of these servers.
        over_time, peaks, described, past: what the findings about the fleet are made from.
        every: where servers have entities, ``risks`` and ``seasonality`` of every series, as files have them; above are
            those of each server's worst entity. Else empty.
        gone: series that are left out because others have taken over from them, as people name them.
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
    every: dict[str, pd.DataFrame] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)


def judge(
    panel: pd.DataFrame,
    forecasts: pd.DataFrame,
    chosen: Settings,
    climbs: pd.DataFrame | None = None,
    span: Span | None = None,
    attributes: pd.DataFrame | None = None,
    entities: bool | None = None,
) -> Part:
    """Everything that follows for some servers from their panel and forecasts.

    Args:
        panel: ``server_id`` (the owner of the series, see ``core.series``), ``metric, ds, y, mean``; ``max``, ``p99``
            and ``capacity`` as far as they are kept.
        forecasts: ``server_id, metric, ds, q05, q10, q50, q90, q95``.
        climbs: what the forecasts rest on, see ``model.predict_and_explain``.
        span: the first and last period of the whole panel, where this is a part of it.
        attributes: of the servers, for capacities that they say.
        entities: whether servers of the whole panel have entities; by default, whether these have.
    """
    metrics.use(chosen.own_metrics())
    entities = have_entities(panel["server_id"]) if entities is None else entities
    span = span or Span(panel["ds"].min(), panel["ds"].max())
    panel, gone = parts.without_gone(panel, span.last, chosen.frequency)
    panel = panel if entities else coded(panel)
    capacities = panel.loc[panel["capacity"].notna(), [*SERIES, "ds", "capacity"]] if "capacity" in panel else None
    laid_out = of_panel(panel, chosen.frequency, chosen.frequency.assessed_history, span)
    patterns = seasonality.measure(laid_out, chosen)
    first = laid_out.ds[-1] + chosen.frequency.step
    forecasts = _with_missing(_of_panel(forecasts, panel), panel, first)
    outlook = risk.outlook(forecasts, patterns, chosen, capacities, attributes)
    judged_by = limits.at_todays_capacity(laid_out, capacities)
    outlook, reasons = risk.judged(outlook, laid_out, chosen, judged_by)
    flagged = flag(panel, judged_by, outlook, chosen)
    risks = risk.risks(outlook, laid_out, chosen, reasons, climbs)
    not_judged = unjudged.listed(outlook.keys, reasons, laid_out, chosen)
    every: dict[str, pd.DataFrame] = {}
    if entities:
        every = {"risks": parts.as_files(risks), "seasonality": parts.as_files(patterns)}
        flagged = parts.as_files(flagged)
        # From here on a server has one series of each metric: its worst entity's.
        worst = parts.worst(risks)
        risks, patterns, panel = (parts.of_servers(table, worst) for table in (risks, patterns, panel))
        laid_out = of_panel(panel, chosen.frequency, chosen.frequency.assessed_history, span)
    return Part(
        ds=laid_out.ds,
        forecasts=typed(flagged),
        risks=risks,
        seasonality=patterns,
        not_judged=not_judged,
        over_time=over_time.of_forecasts(flagged, laid_out.ds[-1], chosen, wholly_unjudged(risks, not_judged)),
        peaks=seasonality.sums(laid_out),
        described=behaviour.of_servers(panel, laid_out, patterns),
        past=facts.past_of(laid_out, panel),
        every=every,
        gone=gone,
    )


def together(found: Sequence[Part]) -> Part:
    """The parts of a fleet, in the order of their servers, as one."""
    return Part(
        ds=found[0].ds,
        forecasts=pa.concat_tables([decoded(part.forecasts) for part in found]),
        risks=pd.concat([part.risks for part in found], ignore_index=True),
        seasonality=pd.concat([part.seasonality for part in found], ignore_index=True),
        not_judged=[one for part in found for one in part.not_judged],
        over_time=over_time.together([part.over_time for part in found]),
        peaks=seasonality.sums_together([part.peaks for part in found]),
        described=behaviour.together([part.described for part in found]),
        past=facts.together([part.past for part in found]),
        every={name: pd.concat([part.every[name] for part in found], ignore_index=True) for name in found[0].every},
        gone=[name for part in found for name in part.gone],
    )


def flag(panel: pd.DataFrame, laid_out: Grid, outlook: risk.Outlook, chosen: Settings) -> pd.DataFrame:
    """``risk_flagged_forecasts.parquet``: the tail of the history and the forecast, see ``Assessment.forecasts``."""
    periods = max(2 * chosen.horizon, LEAST_HISTORY)
    start = laid_out.ds[max(len(laid_out.ds) - periods, 0)]
    tail = panel.loc[(panel["ds"] >= start) & panel["y"].notna(), ["server_id", "metric", "ds", "y"]]
    of_tail, past = rows_of(tail, outlook.keys), len(tail)
    y = _as_judged(tail, laid_out)
    reached = (np.where(y >= outlook.limits[name].to_numpy()[of_tail], 1.0, 0.0) for name in ("warning", "critical"))

    there = np.isfinite(outlook.quantiles).all(axis=2).ravel()
    coming = np.tile(outlook.ds.to_numpy(), len(outlook.keys))[there]
    series = np.concatenate([of_tail, np.arange(len(outlook.keys)).repeat(len(outlook.ds))[there]])
    ds = np.concatenate([tail["ds"].to_numpy(), coming])
    levels = np.concatenate([risk.level_of(*reached), outlook.levels.ravel()[there]])
    # Every column is laid out once, in the order of the series, which is that of their names, and of time.
    order = np.lexsort((ds.view("int64"), series))
    is_future = order >= past
    actual, quantiles = np.full(len(order), np.nan), np.full((len(QUANTILES), len(order)), np.nan)
    actual[~is_future] = tail["y"].to_numpy(float)[order[~is_future]]
    quantiles[:, is_future] = outlook.quantiles.reshape(-1, len(QUANTILES))[there][order[is_future] - past].T
    return pd.DataFrame(
        {
            **{name: outlook.keys[name].astype(tail[name].dtype).array.take(series[order]) for name in SERIES},
            "ds": ds[order],
            "is_future": is_future,
            "actual": actual,
            **dict(zip(QUANTILES, quantiles, strict=True)),
            "risk_level": _as_levels(levels[order]),
        },
        copy=False,
    )


def _as_levels(numbers: np.ndarray) -> pd.Categorical:
    """Indices into LEVELS as what they stand for."""
    return pd.Categorical.from_codes(numbers, categories=list(LEVELS))


def _as_judged(tail: pd.DataFrame, laid_out: Grid) -> np.ndarray:
    """The values of some rows of the panel as the grid has them: at today's capacities."""
    if not any(metric.capacity_column for metric in metrics.own()):
        return tail["y"].to_numpy(float)
    row = rows_of(tail, laid_out.series)
    return laid_out.values[row, laid_out.ds.get_indexer(tail["ds"].dt.floor(laid_out.frequency))]


def _of_panel(forecasts: pd.DataFrame, panel: pd.DataFrame) -> pd.DataFrame:
    """The forecasts of the series that the panel has."""
    known = rows_of(forecasts, series_in(panel)) >= 0
    return forecasts if known.all() else forecasts[known]


def _with_missing(forecasts: pd.DataFrame, panel: pd.DataFrame, first: pd.Timestamp) -> pd.DataFrame:
    """The forecasts, and an empty row at ``first`` for each series of the panel without one: no server is lost."""
    present = series_in(panel)
    missing = present[rows_of(present, series_in(forecasts)) < 0]
    if missing.empty:
        return forecasts
    return pd.concat([forecasts, missing.assign(ds=first)], ignore_index=True)
