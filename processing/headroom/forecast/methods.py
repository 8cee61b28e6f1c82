"""Forecast methods that look at one series at a time, written for all series at once.

Each takes the grid's values (n × T, NaN where nothing was measured) and gives point forecasts (n × horizon), with a
number for every series that has at least one observation.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from headroom.core.grid import Grid, by_phase, last_seen, median
from headroom.core.periods import calendar
from headroom.core.settings import Settings
from headroom.forecast.regression import CHUNK, WEEK, Shape, distances, fit_and_forecast


def seasonal_naive(values: np.ndarray, season: int, horizon: int) -> np.ndarray:
    """The last season again; where it has gaps, the last value seen at that time of the season, else anywhere."""
    phases = by_phase(values, season)
    last = phases[:, -1]
    for back in range(2, phases.shape[1] + 1):
        gaps = np.isnan(last)
        if not gaps.any():
            break
        last = np.where(gaps, phases[:, -back], last)
    last = np.where(np.isnan(last), last_seen(values)[:, None], last)
    return np.tile(last, (1, horizon // season + 1))[:, :horizon]


def seasonal_average(values: np.ndarray, season: int, horizon: int, window: int) -> np.ndarray:
    """The median of the last ``window`` seasons at each time of the season."""
    phases = by_phase(values[:, -season * window :], season)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        typical = median(phases)
        overall = median(phases.reshape(len(phases), -1))
    overall = np.where(np.isnan(overall), last_seen(values), overall)
    typical = np.where(np.isnan(typical), overall[:, None], typical)
    return np.tile(typical, (1, horizon // season + 1))[:, :horizon]


# Smoothing of level, season and trend; trend is None, or how much of it is left after each period.
SMOOTHING = [
    (level, season, trend) for level in (0.02, 0.1, 0.3, 0.6, 0.95) for season in (0.02, 0.15) for trend in (None, 0.98)
]


def exponential_smoothing(values: np.ndarray, season: int, horizon: int, memory: int) -> np.ndarray:
    """Additive Holt-Winters with a damped trend or none (Gardner and McKenzie 1985), all series at once.

    Each series takes, of a grid of smoothing constants, those with the least absolute error at several distances
    up to the horizon over the last ``memory`` periods; missing periods move nothing.
    """
    values = values[:, -(memory + 4 * season) :]
    count, periods = values.shape
    lags = distances(horizon, periods)
    first = by_phase(values[:, : 4 * season][:, ::-1], season)[:, ::-1, ::-1]
    alpha, gamma, kept = (np.array([setting[part] for setting in SMOOTHING], float) for part in range(3))
    damping, beta = np.nan_to_num(kept), np.where(np.isnan(kept), 0.0, 0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        centre = np.nan_to_num(median(values[:, : 4 * season]))
        start = np.nan_to_num(median(first) - centre[:, None])
    ahead = np.arange(1, horizon + 1)
    gone = np.cumsum(damping[:, None] ** ahead, axis=1)  # periods of trend by each step
    points = np.empty((count, horizon))
    for begin in range(0, count, CHUNK):
        part = values[begin : begin + CHUNK]
        level = np.repeat(centre[begin : begin + CHUNK, None], len(alpha), axis=1)
        slope, missed = np.zeros_like(level), np.zeros_like(level)
        # The phase of a period is its number modulo the season, counted from the first one kept.
        seasonal = np.repeat(start[begin : begin + CHUNK].T[:, :, None], len(alpha), axis=2)
        for period in range(periods):
            phase = period % season
            expected = level + damping * slope
            error = part[:, period, None] - expected - seasonal[phase]
            error = np.where(np.isnan(error), 0.0, error)
            level = expected + alpha * error
            slope = damping * slope + alpha * beta * error
            seasonal[phase] += gamma * (1 - alpha) * error
            for lag in lags:
                if max(periods - memory, 2 * season) <= period + lag < periods:
                    forecast = level + slope * gone[:, lag - 1] + seasonal[(period + lag) % season]
                    distance = np.abs(part[:, period + lag, None] - forecast)
                    missed += np.where(np.isnan(distance), 0.0, distance)
        best, row = np.argmin(missed, axis=1), np.arange(len(part))
        again = seasonal[(periods + ahead - 1) % season][:, row, best].T
        points[begin : begin + CHUNK] = level[row, best, None] + slope[row, best, None] * gone[best] + again
    return points


FLOOR, AVERAGE, LEVEL, TREND, LOGARITHM, SMOOTH, SMOOTH_WEEK = (
    "seasonal naive", "seasonal average", "regression", "regression with trend", "regression of logarithms",
    "exponential smoothing", "exponential smoothing of hours of the week",
)  # fmt: skip
METHODS = (FLOOR, AVERAGE, LEVEL, TREND, LOGARITHM, SMOOTH, SMOOTH_WEEK)
THETA = "theta"


def forecasts(grid: Grid, settings: Settings) -> dict[str, np.ndarray]:
    """The points of :func:`forecasts_and_effects`."""
    return forecasts_and_effects(grid, settings)[0]


def forecasts_and_effects(
    grid: Grid, settings: Settings
) -> tuple[dict[str, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Point forecasts (n × horizon) of every method from the end of the grid, within what is possible.

    NaN where a method is not for that metric, frequency or length of history; all are numbers for the others where a
    series has an observation.

    Beside them, what marked days and own cycles did to the values (n × T) and will do to what comes (n × horizon):
    nothing where too few months have ended to tell an end of a month from the beginning of something else.
    """
    hourly, recent = settings.frequency.hourly, settings.frequency.recent
    day, long = settings.frequency.seasons
    ahead = grid.coming(settings.horizon)
    values, marked = without_marked_days(grid, ahead, settings)
    trend = fit_and_forecast(values, grid.ds, ahead, settings, Shape(12 * recent, trend=True))
    points = {
        FLOOR: seasonal_naive(values, day, settings.horizon),
        AVERAGE: seasonal_average(values, day, settings.horizon, 7 if hourly else 4),
        LEVEL: fit_and_forecast(values, grid.ds, ahead, settings, Shape(4 * recent, trend=False)).points,
        TREND: trend.points,
        LOGARITHM: _of_logarithms(grid.holding(values), ahead, settings, Shape(12 * recent, trend=True)),
        SMOOTH: exponential_smoothing(values, day, settings.horizon, recent if hourly else 2 * recent),
        SMOOTH_WEEK: np.full((len(values), settings.horizon), np.nan),
    }
    if hourly and values.shape[1] >= 3 * long:
        points[SMOOTH_WEEK] = exponential_smoothing(values, long, settings.horizon, 2 * long)
    low, high = plausible(grid)
    effects = np.nan_to_num(grid.values - values) + trend.known, marked + trend.coming
    if values.shape[1] < 2 * recent:
        effects = np.zeros_like(values), np.zeros_like(marked)
    return {name: np.clip(point + marked, low[:, None], high[:, None]) for name, point in points.items()}, effects


def without_marked_days(grid: Grid, ahead: pd.DatetimeIndex, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """The grid's values without what holidays and quarter ends did (n × T), and what those ahead will do (n × horizon).

    Of hours only: a day's regression sees them itself, but an hour's remembers weeks and they are months apart. An
    hour's effect is the median of what it differed from the same hour a week before and after; it counts the less,
    the fewer occasions the series has seen (one tells nothing) and the less it stands out from what differs anyway.
    """
    values, effects = grid.values, np.zeros((len(grid.values), len(ahead)))
    if not settings.frequency.hourly or values.shape[1] <= WEEK:
        return values, effects
    days, days_ahead = calendar(grid.ds, settings), calendar(ahead, settings)
    marks = [
        (on, days_ahead[mark].to_numpy() > 0)
        for mark in ("holiday", "quarter_end")
        if (on := days[mark].to_numpy() > 0).any()
    ]
    if not marks:
        return values, effects
    values = values.copy()
    for start in range(0, len(values), CHUNK):
        _take_out(values[start : start + CHUNK], effects[start : start + CHUNK], marks, days, days_ahead)
    return values, effects


def _take_out(
    values: np.ndarray,
    effects: np.ndarray,
    marks: list[tuple[np.ndarray, np.ndarray]],
    days: pd.DataFrame,
    days_ahead: pd.DataFrame,
) -> None:
    """Take the effect of each mark (where it is on, and will be) out of ``values`` and add it to ``effects``."""
    hour, hour_ahead = days["hour"].to_numpy(), days_ahead["hour"].to_numpy()
    plain = np.where(np.any([on for on, _ in marks], axis=0), np.nan, values)
    weeks = np.pad(plain, ((0, 0), (WEEK, WEEK)), constant_values=np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        differs = values - np.nanmean([weeks[:, : -2 * WEEK], weeks[:, 2 * WEEK :]], axis=0)
    anyway = median(np.abs(np.where(np.isnan(plain), np.nan, differs)))[:, None]
    for on, will_be in marks:
        starts = np.flatnonzero(np.diff(on, prepend=False) & on)
        occasions = np.logical_or.reduceat(np.isfinite(differs) & on, starts, axis=1).sum(axis=1)[:, None]
        effect = np.zeros((len(values), 24))
        for one in np.unique(hour[on]):
            effect[:, one] = np.nan_to_num(median(differs[:, on & (hour == one)]))
        shown = 1 - (anyway / np.maximum(np.abs(effect), 1e-12)) ** 2 / np.maximum(occasions, 1)
        effect *= np.maximum(np.nan_to_num(shown), 0) * np.maximum(occasions - 1, 0) / np.maximum(occasions, 1)
        past = effect[:, hour[on]]
        values[:, on] -= past
        differs[:, on] -= past  # a holiday at the end of a quarter counts once
        effects += effect[:, hour_ahead] * will_be


def _of_logarithms(grid: Grid, ahead: pd.DatetimeIndex, settings: Settings, shape: Shape) -> np.ndarray:
    """The regression of log(y + a tenth of the usual y), for seasons and bursts that grow with the level.

    Only where a metric has no upper bound; NaN for percentages, which gain nothing by it.
    """
    points = np.full((len(grid.values), len(ahead)), np.nan)
    rows = np.flatnonzero(np.isinf(grid.upper))
    values = grid.values[rows]
    shift = 0.1 * np.maximum(np.nan_to_num(median(np.abs(values)))[:, None], 1e-9)
    logarithms = fit_and_forecast(np.log(np.maximum(values, 0) + shift), grid.ds, ahead, settings, shape)
    points[rows] = np.exp(np.minimum(logarithms.points, 300)) - shift
    return points


def theta(grid: Grid, settings: Settings, wanted: np.ndarray) -> np.ndarray:
    """statsforecast's dynamic optimized theta (Fiorucci et al. 2016), a series at a time: n × horizon, NaN elsewhere.

    Only what is recent is looked at, gaps are filled in a straight line.
    """
    points = np.full((len(grid.values), settings.horizon), np.nan)
    if not wanted.any():
        return points
    from statsforecast.models import DynamicOptimizedTheta  # loads slowly, and is not always needed

    day, _ = settings.frequency.seasons
    low, high = plausible(grid)
    for row in np.flatnonzero(wanted):
        recent = grid.values[row, -((16 if settings.frequency.hourly else 36) * day) :]
        seen = np.flatnonzero(~np.isnan(recent))
        if len(seen) < 3 * day or np.ptp(recent[seen]) == 0:
            continue
        filled = np.interp(np.arange(seen[0], len(recent)), seen, recent[seen])
        model = DynamicOptimizedTheta(season_length=day, decomposition_type="additive")
        points[row] = np.clip(model.forecast(y=filled, h=settings.horizon)["mean"], low[row], high[row])
    return points


def plausible(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """The range a point forecast is held in (n and n): what was seen and as much again either way, and possible."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        low, high = np.nanmin(grid.values, axis=1), np.nanmax(grid.values, axis=1)
    return np.maximum(low - (high - low), 0), np.minimum(high + (high - low), grid.upper)
