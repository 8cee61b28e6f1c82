"""Forecast methods that look at one series at a time, written for all series at once.

Each takes the grid's values (n × T, NaN where nothing was measured) and gives point forecasts (n × horizon), with a
number for every series that has at least one observation.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from headroom.features import Grid, by_phase, calendar, coming, last_seen, median, recent_periods
from headroom.settings import Settings

CHUNK = 512


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


@dataclass(frozen=True)
class Regression:
    """A regression on seasons, calendar and trend that forgets: weights halve every ``half_life`` periods.

    ``trend``: whether a straight line goes on; without it only the level moves.
    """

    half_life: float
    trend: bool


def regression(
    values: np.ndarray, dates: pd.DatetimeIndex, ahead: pd.DatetimeIndex, settings: Settings, shape: Regression
) -> tuple[np.ndarray, np.ndarray]:
    """Robust ridge regression a series: point forecasts (n × horizon) and the fit's residuals (n × T).

    Least absolute deviations by iteratively reweighted least squares (Holland and Welsch 1977), so bursts do not move
    the season; what it leaves over lately is carried on, see _carried.
    """
    columns, penalty = _design(dates, ahead, settings, shape.trend)
    known, future = columns[: len(dates)], columns[len(dates) :]
    age = len(dates) - 1 - np.arange(len(dates))
    forgetting = 0.5 ** (age / shape.half_life)
    keep = forgetting > 0.01
    known, forgetting, used = known[keep], forgetting[keep], values[:, keep]
    points = np.empty((len(values), len(ahead)))
    residuals = np.full(values.shape, np.nan)
    for start in range(0, len(values), CHUNK):
        rows = slice(start, start + CHUNK)
        coefficients, residual = _least_absolute(used[rows], known, forgetting, penalty)
        points[rows] = coefficients @ future.T + _carried(residual, len(ahead))
        residuals[rows, keep] = residual
    fallback = last_seen(values)[:, None]
    return np.where(np.isfinite(points), points, fallback), residuals


def _least_absolute(
    values: np.ndarray, columns: np.ndarray, forgetting: np.ndarray, penalty: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    seen = ~np.isnan(values)
    weight = seen * forgetting
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        centre = np.nan_to_num(median(values))[:, None]
    target = np.where(seen, values - centre, 0.0)
    current = weight
    products = (columns[:, :, None] * columns[:, None, :]).reshape(len(columns), -1)
    for _ in range(4):
        gram = (current @ products).reshape(len(values), *2 * columns.shape[1:])
        mean_weight = current.sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-12)
        gram += np.diag(penalty) * np.maximum(mean_weight, 1e-9)[:, None, None]
        right = (current * target) @ columns
        coefficients = np.linalg.solve(gram, right[:, :, None])[:, :, 0]
        residual = np.where(seen, target - coefficients @ columns.T, np.nan)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            typical = np.nan_to_num(median(np.abs(residual)))[:, None]
        size = np.maximum(np.abs(np.nan_to_num(residual)), np.maximum(0.25 * typical, 1e-9))
        current = weight * np.maximum(typical, 1e-9) / size
    coefficients = coefficients.copy()
    coefficients[:, 0] += centre[:, 0]
    return coefficients, residual


def _carried(residual: np.ndarray, horizon: int) -> np.ndarray:
    """What the regression left over lately (n × T), carried into the horizon: its smoothed level, fading or not.

    Each series takes the smoothing and the fading that would have carried its past leftovers best over several
    distances up to the horizon.
    """
    periods = residual.shape[1]
    lags = _distances(horizon, periods)
    settings = [(0.0, 1.0)] + [
        (smoothing, 0.5 ** (1 / half_life))
        for smoothing in (0.05, 0.2, 0.5, 0.9)
        for half_life in (2, 8, 24, max(horizon, 48), np.inf)
    ]
    smoothing, fade = (np.array(part) for part in zip(*settings, strict=True))
    state = np.zeros((len(residual), len(settings)))
    states = np.empty((periods, *state.shape), dtype=np.float32)
    for period in range(periods):
        state = fade * state
        error = residual[:, period, None] - state
        state = state + smoothing * np.where(np.isnan(error), 0.0, error)
        states[period] = state
    off = np.zeros_like(state)
    for lag in lags:
        missed = np.abs(residual.T[lag:, :, None] - states[:-lag] * fade**lag)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            off += np.nan_to_num(np.nanmean(missed[-4 * horizon :], axis=0))
    best = np.argmin(off, axis=1)
    return state[np.arange(len(state)), best][:, None] * fade[best][:, None] ** np.arange(1, horizon + 1)


def _design(
    dates: pd.DatetimeIndex, ahead: pd.DatetimeIndex, settings: Settings, trend: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Columns for the known and the coming periods, and how many observations' worth of doubt each one has."""
    both = dates.append(ahead)
    days = calendar(both, settings)
    position = (np.arange(len(both)) - (len(dates) - 1)) / recent_periods(settings)
    parts: list[tuple[np.ndarray, float]] = [(np.ones((len(both), 1)), 1e-6)]
    if trend:
        parts.append((position[:, None], 2.0))
    if settings.frequency == "h":
        hour, weekend = days["hour"].to_numpy(), days["weekday"].to_numpy() >= 5
        parts.append((_dummies(hour, 24), 0.3))
        parts.append((_dummies(days["weekday"].to_numpy(), 7), 3.0))
        if len(dates) >= 168:
            parts.append((_dummies(np.where(weekend, hour, 24), 25)[:, :24], 1.0))
    else:
        parts.append((_dummies(days["weekday"].to_numpy(), 7), 0.5))
        if len(dates) >= 540:
            angle = 2 * np.pi * both.dayofyear.to_numpy()[:, None] / 365.25 * np.arange(1, 5)
            parts.append((np.hstack([np.sin(angle), np.cos(angle)]), 5.0))
    marks = ["holiday", "before_holiday", "after_holiday", "month_start", "month_end", "quarter_end"]
    parts.append((days[marks].to_numpy(float), 3.0))
    return np.hstack([columns for columns, _ in parts]), np.concatenate(
        [np.full(columns.shape[1], doubt) for columns, doubt in parts]
    )


def _dummies(codes: np.ndarray, count: int) -> np.ndarray:
    return (codes[:, None] == np.arange(count)).astype(float)


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
    lags = _distances(horizon, periods)
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


def _distances(horizon: int, periods: int) -> np.ndarray:
    """A few steps ahead, from the next one to the horizon, at which smoothing constants are tried."""
    return np.unique(np.geomspace(1, max(min(horizon, periods // 3), 1), 4).astype(int))


FLOOR, AVERAGE, LEVEL, TREND, SMOOTH = (
    "seasonal naive", "seasonal average", "regression", "regression with trend", "exponential smoothing",
)  # fmt: skip
METHODS = (FLOOR, AVERAGE, LEVEL, TREND, SMOOTH)


def forecasts(grid: Grid, settings: Settings) -> dict[str, np.ndarray]:
    """Point forecasts (n × horizon) of every method from the end of the grid, within what is possible."""
    values, (day, _), recent = grid.values, settings.season_lengths, recent_periods(settings)
    ahead = coming(grid, settings)
    points = {
        FLOOR: seasonal_naive(values, day, settings.horizon),
        AVERAGE: seasonal_average(values, day, settings.horizon, 7 if day == 24 else 4),
        LEVEL: regression(values, grid.dates, ahead, settings, Regression(4 * recent, False))[0],
        TREND: regression(values, grid.dates, ahead, settings, Regression(4 * recent, True))[0],
        SMOOTH: exponential_smoothing(values, day, settings.horizon, recent if day == 24 else 2 * recent),
    }
    return {name: np.clip(point, 0, grid.upper[:, None]) for name, point in points.items()}
