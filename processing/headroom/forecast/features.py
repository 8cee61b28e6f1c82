"""What forecasts are made from: the grid of all series, the calendar, and the booster's features.

The booster is direct and global: one row is a series, an origin (the last known period) and a step ahead, and every
feature of it is known at the origin or comes from the calendar. Values are taken relative to the series' own level
and scale at the origin, so servers of any size teach each other.
"""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from headroom.core.grid import SERIES, Grid, Span, by_phase, last_seen, median, of_panel, quantiles
from headroom.core.periods import Frequency
from headroom.core.settings import Settings

T = TypeVar("T")

FEATURE_VERSION = 1
# In a process of a pool every core has work already; a second thread would only wait for the interpreter.
THREADS = 1 if multiprocessing.parent_process() else 2

ATTRIBUTES = ["business_unit", "region", "criticality", "instance_type"]
SIZES = ["vcpus", "memory_gb", "monthly_cost_usd"]
CALENDAR = (
    "hour", "weekday", "day_of_month", "days_to_month_end", "month", "week_of_year", "month_start", "month_end", "step",
)  # fmt: skip


def history_of(panel: pd.DataFrame, frequency: Frequency, measured: Span | None = None) -> Grid:
    """What forecasts are made from: the panel's newest periods, without series that have no usable value.

    ``measured``: the first and last period with a value in the whole panel, where this is a part of it.
    """
    usable = np.isfinite(panel["y"].to_numpy(float))
    panel = panel[[*SERIES, "ds", "y"]]
    panel = panel if usable.all() else panel[usable]
    return of_panel(panel, frequency, frequency.forecast_history, measured)


def side_by_side(work: Callable[[int], T], origins: list[int]) -> list[T]:
    """The results of one piece of work per origin, in order; two at a time where this process is not one of many."""
    # Threads share the filters of warnings: what one of them ignores has to be ignored around them all. They also share
    # how many threads the linear algebra has, which changes the last digits: of what they keep for others as well.
    with threadpool_limits(1, "blas"), warnings.catch_warnings(), ThreadPoolExecutor(THREADS) as pool:
        warnings.simplefilter("ignore", RuntimeWarning)
        return list(pool.map(work, origins))


@dataclass(frozen=True)
class Snapshot:
    """What is known about each series at one origin, relative to its ``level`` and ``scale`` (both n)."""

    level: np.ndarray
    scale: np.ndarray
    origin: dict[str, np.ndarray] = field(repr=False)  # name → n
    phases: dict[str, np.ndarray] = field(repr=False)  # name → n × season length
    ahead: dict[str, np.ndarray] = field(repr=False)  # name → n × horizon


def level_and_scale(values: np.ndarray, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Where each series (n × T) has been lately and how far it moves from one season to the next (both n).

    The scale is the mean absolute seasonal difference, as in MASE (Hyndman and Koehler 2006), held above a
    thousandth of the series' size so that a constant series has one too.
    """
    day, _ = settings.frequency.seasons
    recent = values[:, -settings.frequency.recent :]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        level = median(recent)
        level = np.where(np.isnan(level), median(values), level)
        naive = np.nanmean(np.abs(values[:, day:] - values[:, :-day]), axis=1) if values.shape[1] > day else level * 0
        spread = np.nanmean(np.abs(values - level[:, None]), axis=1)
        size = np.nanmax(np.abs(values), axis=1)
    scale = np.where(np.isnan(naive) | (naive == 0), spread, naive)
    return level, np.maximum(np.nan_to_num(scale), np.maximum(1e-3 * size, 1e-9))


def snapshot(known: Grid, settings: Settings, expected: dict[str, np.ndarray]) -> Snapshot:
    """What the booster may know at the end of ``known``.

    ``expected`` are other methods' forecasts from there (name → n × horizon), in the metric's unit.
    """
    values = known.values
    day, long = settings.frequency.seasons
    hourly, recent = settings.frequency.hourly, settings.frequency.recent
    level, scale = level_and_scale(values, settings)
    relative = (values - level[:, None]) / scale[:, None]
    origin: dict[str, np.ndarray] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        origin["last"] = last_seen(relative)
        for name, periods in (("day" if hourly else "week", day), ("recent", recent), ("long", 3 * recent)):
            window, before = relative[:, -periods:], relative[:, -2 * periods : -periods]
            origin[f"mean_{name}"] = np.nanmean(window, axis=1)
            origin[f"change_{name}"] = np.nanmean(window, axis=1) - _mean_or_nan(before)
            origin[f"spread_{name}"] = np.nanstd(window, axis=1)
            origin[f"low_{name}"], origin[f"high_{name}"] = quantiles(window, (0.1, 0.9))
        window = relative[:, -recent:]
        origin["lowest_recent"], origin["highest_recent"] = np.nanmin(window, axis=1), np.nanmax(window, axis=1)
        origin["zero_share"] = np.nanmean(values[:, -recent:] == 0, axis=1)
        origin["missing_share"] = np.isnan(values[:, -recent:]).mean(axis=1)
        origin["age"] = np.log1p((~np.isnan(values)).sum(axis=1))
        origin["scale_of_level"] = np.log(scale / np.maximum(np.abs(level), scale))
        origin["room_above"] = np.where(np.isfinite(known.upper), (known.upper - level) / scale, np.nan)
        origin["room_below"] = level / scale
        for lag in (1, day, recent if hourly else 2 * day):
            origin[f"memory_{lag}"] = _autocorrelation(relative[:, -4 * recent :], lag)
        phases: dict[str, np.ndarray] = {}
        by_day = by_phase(relative[:, -4 * recent :], day)
        for back in (1, 2, 3):
            phases[f"lag_{back}_seasons"] = _nth_last(by_day, back)
        for count in (4, 12):
            phases[f"mean_{count}_seasons"] = np.nanmean(by_day[:, -count:], axis=1)
        phases["low_at_phase"], phases["high_at_phase"] = quantiles(by_day[:, -12:], (0.1, 0.9))
        if hourly:
            by_week = by_phase(relative[:, -4 * recent :], long)
            for back in (1, 2):
                phases[f"lag_{back}_weeks"] = _nth_last(by_week, back)
            phases["mean_4_weeks"] = np.nanmean(by_week, axis=1)
    ahead = {name: (points - level[:, None]) / scale[:, None] for name, points in expected.items()}
    if not hourly:
        ahead["year_ago"] = _year_ago(relative, settings.horizon)
    return Snapshot(level, scale, origin, phases, ahead)


def tables(at: Snapshot, days: pd.DataFrame, static: pd.DataFrame) -> dict[str, np.ndarray]:
    """The features by name, each as a table of series and steps ahead.

    Of what is the same for all series there is one row, and of what the steps repeat, only as many columns.
    ``days`` is the calendar of the periods after the origin, ``static`` the attributes per series.
    """
    found = {name: feature[:, None] for name, feature in at.origin.items()}
    found |= at.phases | at.ahead
    found["step"] = np.arange(1, len(days) + 1)[None]
    found |= {name: days[name].to_numpy()[None] for name in days.columns}
    return found | {name: static[name].to_numpy()[:, None] for name in static.columns}


def matrix(given: dict[str, np.ndarray], rows: np.ndarray, steps: np.ndarray) -> pd.DataFrame:
    """The features of :func:`tables` of ``rows`` (series by index) at ``steps`` ahead (1 is the next period), one row
    each."""
    columns = {name: table[rows % len(table), (steps - 1) % table.shape[1]] for name, table in given.items()}
    return pd.DataFrame(columns, dtype=np.float32)


def kinds(feature: str) -> str:
    """What a feature of :func:`matrix` tells: lag, rolling, seasonal, calendar, holiday, quarter_end or static."""
    if "holiday" in feature:
        return "holiday"
    if "quarter_end" in feature:
        return "quarter_end"
    if feature in CALENDAR:
        return "calendar"
    if feature in ("metric", *ATTRIBUTES, *SIZES):
        return "static"
    if feature.startswith("lag_") or feature in ("last", "year_ago"):
        return "lag"
    methods = ("season", "regression", "smoothing")
    if feature.endswith(("_seasons", "_weeks", "_phase")) or any(word in feature for word in methods):
        return "seasonal"
    return "rolling"


def _nth_last(by_season: np.ndarray, back: int) -> np.ndarray:
    return by_season[:, -back] if by_season.shape[1] >= back else np.full(by_season[:, -1].shape, np.nan)


def _mean_or_nan(values: np.ndarray) -> np.ndarray:
    return np.nanmean(values, axis=1) if values.shape[1] else np.full(len(values), np.nan)


def _autocorrelation(values: np.ndarray, lag: int) -> np.ndarray:
    if values.shape[1] <= lag + 2:
        return np.full(len(values), np.nan)
    centred = values - np.nanmean(values, axis=1, keepdims=True)
    return np.nanmean(centred[:, lag:] * centred[:, :-lag], axis=1) / np.nanmean(centred**2, axis=1)


def _year_ago(relative: np.ndarray, horizon: int) -> np.ndarray:
    """How a week around the same time last year stood to four weeks around the origin last year (n × horizon)."""
    end = relative.shape[1]
    result = np.full((len(relative), horizon), np.nan)
    around = relative[:, max(end - 364 - 14, 0) : max(end - 364 + 14, 0)]
    if around.shape[1] < 28:
        return result
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        then = np.nanmean(around, axis=1)
        for step in range(horizon):
            centre = end + step - 364
            if centre >= 3 and centre + 4 <= end:
                result[:, step] = np.nanmean(relative[:, centre - 3 : centre + 4], axis=1) - then
    return result
