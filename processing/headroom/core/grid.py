"""A panel as matrices: all servers of a metric on one calendar, so that one array operation treats them all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

# What the assessment looks back on: enough for the year's season (four of them), or for the week's in hours.
LOOKBACK = {"D": 4 * 366, "h": 400 * 24}
STEP = {"D": pd.Timedelta(days=1), "h": pd.Timedelta(hours=1)}


@dataclass(frozen=True)
class Grid:
    """The statistic of every server and metric at every period, NaN where nothing was measured.

    Attributes:
        servers: the server ids, sorted, n of them.
        ds: the periods without a gap, T of them; the last is the dataset's last.
        values: metric: array (n, T) in the metric's unit; metrics in order of name.
        frequency: "D" or "h".
    """

    servers: np.ndarray
    ds: pd.DatetimeIndex
    values: dict[str, np.ndarray]
    frequency: str


def of_panel(panel: pd.DataFrame, frequency: str) -> Grid:
    """Lay out a panel (``server_id, metric, ds, y``) as matrices over at most ``LOOKBACK`` periods.

    Every server of the panel has a row in every matrix, all NaN where it lacks the metric.

    Raises:
        ValueError: the panel is empty.
    """
    if panel.empty:
        raise ValueError("the panel is empty")
    server, servers = pd.factorize(panel["server_id"], sort=True)
    metric, metrics = pd.factorize(panel["metric"], sort=True)
    row = metric * len(servers) + server
    ds, every = lay_out(row, len(metrics) * len(servers), panel["ds"], panel["y"], frequency, LOOKBACK[frequency])
    values = dict(zip(metrics, every.reshape(len(metrics), len(servers), len(ds)), strict=True))
    return Grid(np.asarray(servers, dtype=object), ds, values, frequency)


def lay_out(
    row: np.ndarray, rows: int, ds: pd.Series, y: pd.Series, frequency: str, longest: int
) -> tuple[pd.DatetimeIndex, np.ndarray]:
    """Observations (``y`` at ``ds``, of series number ``row``) as the periods without a gap and rows × T values.

    At most the ``longest`` newest periods; of several observations in one the last counts, NaN where there is none.
    """
    period, step = ds.dt.floor(frequency), STEP[frequency]
    last = period.max()
    dates = pd.date_range(max(period.min(), last - (longest - 1) * step), last, freq=frequency)
    column, y = ((period - dates[0]) // step).to_numpy(), y.to_numpy(float)
    usable = (column >= 0) & np.isfinite(y)
    values = np.full((rows, len(dates)), np.nan)
    values[row[usable], column[usable]] = y[usable]
    return dates, values


def mean(values: np.ndarray, axis: int | None = None) -> np.ndarray:
    """The mean of what is there, NaN (without a warning) where nothing is."""
    there = np.isfinite(values)
    count = there.sum(axis=axis)
    total = np.where(there, values, 0.0).sum(axis=axis)
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)


def quantiles(values: np.ndarray, levels: tuple[float, ...]) -> list[np.ndarray]:
    """Quantiles over the second axis (linear between values), NaN where there is nothing; quick where NaN are many."""
    ordered = np.sort(values, axis=1)  # NaN come last
    last = np.maximum((~np.isnan(values)).sum(axis=1) - 1, 0)
    result = []
    for level in levels:
        position = level * last
        below = np.floor(position).astype(int)
        low, high = (
            np.take_along_axis(ordered, np.expand_dims(at, 1), axis=1).squeeze(1)
            for at in (below, np.minimum(below + 1, last))
        )
        result.append(low + (position - below) * (high - low))
    return result


def quantile(values: np.ndarray, level: float) -> np.ndarray:
    """One of :func:`quantiles`."""
    return quantiles(values, (level,))[0]
