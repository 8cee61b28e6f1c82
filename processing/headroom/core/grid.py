"""A panel as one matrix: all series on one calendar, so that one array operation treats them all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from headroom.core.metrics import percent_names
from headroom.core.periods import Frequency

SERIES = ["server_id", "metric"]


@dataclass(frozen=True)
class Span:
    """The first and the last period of something."""

    first: pd.Timestamp
    last: pd.Timestamp


@dataclass(frozen=True)
class Grid:
    """The statistic of every series at every period, NaN where nothing was measured.

    Attributes:
        series: server_id and metric of the n series, sorted.
        ds: the periods without a gap, T of them; the last is the panel's last.
        values: n × T, in the metric's unit.
        frequency: how long a period is.
    """

    series: pd.DataFrame
    ds: pd.DatetimeIndex
    values: np.ndarray
    frequency: Frequency

    def until(self, origin: int) -> Grid:
        """What was known at the period with this index."""
        return replace(self, ds=self.ds[: origin + 1], values=self.values[:, : origin + 1])

    def only(self, rows: np.ndarray) -> Grid:
        """Some of the series, by index."""
        return replace(self, series=self.series.iloc[rows].reset_index(drop=True), values=self.values[rows])

    def holding(self, values: np.ndarray) -> Grid:
        """Other values (n × T) of the same series and periods."""
        return replace(self, values=values)

    def coming(self, horizon: int) -> pd.DatetimeIndex:
        """The periods after the last one."""
        return pd.date_range(self.ds[-1], periods=horizon + 1, freq=self.frequency)[1:]

    @property
    def upper(self) -> np.ndarray:
        """The greatest possible value of each series (n): 100 percent, or infinity."""
        return np.where(self.series["metric"].isin(percent_names()), 100.0, np.inf)

    @cached_property
    def servers(self) -> np.ndarray:
        """The names of the servers, sorted."""
        return np.asarray(pd.unique(self.series["server_id"]), dtype=object)

    @cached_property
    def by_metric(self) -> dict[str, np.ndarray]:
        """Each metric's values, servers × T; a row of NaN for a server without the metric. Metrics sorted."""
        server = pd.Index(self.servers).get_indexer(self.series["server_id"])
        found = {}
        for metric, rows in sorted(self.series.groupby("metric", observed=True).indices.items()):
            found[str(metric)] = np.full((len(self.servers), len(self.ds)), np.nan)
            found[str(metric)][server[rows]] = self.values[rows]
        return found


def coded(table: pd.DataFrame) -> pd.DataFrame:
    """The table with server and metric, as far as it has them, as categories in the order of their names.

    Of millions of rows, texts are compared once instead of in every step that goes by series.
    """
    made = table.copy(deep=False)
    for name in table.columns.intersection(SERIES):
        column = table[name].astype("category")
        names = column.cat.categories
        made[name] = column if names.is_monotonic_increasing else column.cat.reorder_categories(sorted(names))
    return made


def rows_of(table: pd.DataFrame, keys: pd.DataFrame) -> np.ndarray:
    """For each row of a table (``server_id, metric``) the row of ``keys`` that has its series; -1 where none has."""
    server, metric = (coded(table)[name].cat for name in SERIES)
    width = len(metric.categories)
    place = np.full(len(server.categories) * width, -1)
    at = server.categories.get_indexer(keys["server_id"]), metric.categories.get_indexer(keys["metric"])
    known = (at[0] >= 0) & (at[1] >= 0)
    place[at[0][known] * width + at[1][known]] = np.flatnonzero(known)
    return place[server.codes.to_numpy(int) * width + metric.codes.to_numpy(int)]


def series_in(table: pd.DataFrame) -> pd.DataFrame:
    """The series that a table has rows of: ``server_id, metric``, sorted."""
    server, metric = (coded(table)[name].cat for name in SERIES)
    width = len(metric.categories)
    number = server.codes.to_numpy(int) * width + metric.codes.to_numpy(int)
    there = np.flatnonzero(np.bincount(number))
    names = server.categories.to_numpy(object)[there // width], metric.categories.to_numpy(object)[there % width]
    return pd.DataFrame(dict(zip(SERIES, names, strict=True)))


def of_panel(panel: pd.DataFrame, frequency: Frequency, longest: int | None = None, span: Span | None = None) -> Grid:
    """Lay out a panel (``server_id, metric, ds, y``) over its ``longest`` newest periods, by default all.

    Every series of the panel has a row, all NaN where it has no finite value; of several values at one period the last
    counts. An empty panel gives an empty grid. A part of a panel is laid out over the ``span`` of the whole.
    """
    if panel.empty:
        empty = pd.DataFrame({name: pd.Series(dtype=str) for name in SERIES})
        return Grid(empty, pd.DatetimeIndex([]), np.empty((0, 0)), frequency)
    keys = coded(panel[SERIES])
    series = series_in(keys)
    row, step = rows_of(keys, series), frequency.step
    span = span or Span(panel["ds"].min(), panel["ds"].max())
    first, last = span.first.floor(frequency), span.last.floor(frequency)
    first = first if longest is None else max(first, last - (longest - 1) * step)
    ds = pd.date_range(first, last, freq=frequency)
    column, y = ((panel["ds"] - ds[0]) // step).to_numpy(), panel["y"].to_numpy(float)
    usable = (column >= 0) & np.isfinite(y)
    values = np.full((len(series), len(ds)), np.nan)
    values[row[usable], column[usable]] = y[usable]
    return Grid(series, ds, values, frequency)


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


def median(values: np.ndarray) -> np.ndarray:
    """The median over the second axis, NaN where there is nothing."""
    return quantile(values, 0.5)


def last_seen(values: np.ndarray) -> np.ndarray:
    """The newest observation of each series (n × T → n); NaN for a series without any."""
    if not values.shape[1]:
        return np.full(len(values), np.nan)
    position = values.shape[1] - 1 - np.argmax(~np.isnan(values[:, ::-1]), axis=1)
    return values[np.arange(len(values)), position]


def by_phase(values: np.ndarray, season: int) -> np.ndarray:
    """n × seasons × season length, the last column of the last season being the last period."""
    short = -values.shape[1] % season
    padded = np.pad(values, ((0, 0), (short, 0)), constant_values=np.nan)
    return padded.reshape(len(values), -1, season)


def newest(keys: pd.DataFrame, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Of some series (``server_id, metric``): the mean over the newest periods, and the date of the newest value."""
    current, last_seen = np.full(len(keys), np.nan), np.full(len(keys), np.datetime64("NaT", "ns"))
    row = pd.Index(grid.servers).get_indexer(keys["server_id"])
    for metric, values in grid.by_metric.items():
        mine = np.flatnonzero((keys["metric"] == metric) & (row >= 0))
        own = values[row[mine]]
        there = np.isfinite(own)
        newest = own.shape[1] - 1 - there[:, ::-1].argmax(axis=1)
        current[mine] = mean(own[:, -grid.frequency.crossing_window :], axis=1)
        last_seen[mine] = np.where(there.any(axis=1), grid.ds.to_numpy()[newest], np.datetime64("NaT"))
    return current, last_seen
