"""A matrix of series taken apart into trend, seasons and remainder.

The decomposition is STL (Cleveland, Cleveland, McRae & Terpenning, 1990) with periodic seasons: trend by local
linear regression with tricube weights, seasons by the mean of each phase, fitted in turn until they agree. Missing
periods weigh nothing, and because every series lies on the same calendar each step is one operation on the matrix of
all series, some hundred times faster than one decomposition per series. Strengths are those of Wang, Smith & Hyndman
(2006) as Hyndman & Athanasopoulos define them in "Forecasting: Principles and Practice", section 4.3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.fft import irfft, next_fast_len, rfft
from scipy.sparse import csr_array

from headroom.core.grid import mean
from headroom.core.periods import Frequency

# Days of the trend's window where the year's season is fitted too: a year and a half.
YEAR_TREND_WINDOW = 547
# The year's season is a smooth curve over the days of the year; one of 366 free values would fit the noise.
YEAR_SMOOTHING = 31
_ROUNDS = 3


@dataclass(frozen=True)
class Parts:
    """A matrix taken apart: ``values = trend + the seasons + remainder`` wherever something was measured.

    Attributes:
        trend, remainder: arrays (n, T), NaN where nothing was measured.
        seasons: "day", "week", "year": array (n, T), zero for the series where it cannot be measured.
        measured: the same names: array (n,), whether the series is long enough for that season (two of them).
    """

    trend: np.ndarray
    seasons: dict[str, np.ndarray]
    measured: dict[str, np.ndarray]
    remainder: np.ndarray


def decompose(values: np.ndarray, ds: pd.DatetimeIndex, frequency: Frequency) -> Parts:
    """Take the rows of a matrix (n series, T periods) apart into trend, seasons and remainder."""
    there = np.isfinite(values)
    count = there.sum(axis=1)
    first = np.where(count > 0, there.argmax(axis=1), values.shape[1])
    days = (values.shape[1] - first) / frequency.per_day
    measured = {
        "day": (count >= 48) & frequency.hourly,
        "week": (count >= 0.7 * 14 * frequency.per_day) & (days >= 14),
        "year": (count >= 0.7 * 730) & (days >= 730) & (not frequency.hourly),
    }
    trend = np.full(values.shape, np.nan)
    seasons = {name: np.zeros(values.shape) for name in measured}
    for with_year in (False, True):
        rows = np.flatnonzero((measured["year"] == with_year) & (count > 0))
        if rows.size:
            window = YEAR_TREND_WINDOW if with_year else frequency.trend_window
            phases = {name: _phase(name, ds, frequency) for name in measured if measured[name][rows].any()}
            part_trend, part_seasons = _backfit(values[rows], there[rows], phases, window)
            trend[rows] = part_trend
            for name, season in part_seasons.items():
                seasons[name][rows] = season * measured[name][rows, None]
    remainder = values - trend - sum(seasons.values())
    return Parts(np.where(there, trend, np.nan), seasons, measured, remainder)


def strength(parts: Parts, name: str) -> np.ndarray:
    """How much of each row is its "trend" or one of its seasons: array (n,), 0 to 1, NaN where that is not measured."""
    part = parts.trend if name == "trend" else parts.seasons[name]
    both = np.where(np.isfinite(parts.remainder), part, np.nan) + parts.remainder
    total, rest = _variance(both), _variance(parts.remainder)
    share = np.divide(rest, total, out=np.ones(total.shape), where=total > 1e-9)
    strength = np.clip(1 - share, 0, 1)
    return strength if name == "trend" else np.where(parts.measured[name], strength, np.nan)


def profiles(values: np.ndarray, phase: np.ndarray, phases: int) -> np.ndarray:
    """Mean of each row of a matrix (n, T) at each phase: array (n, phases), NaN where nothing was measured."""
    total, count = phase_sums(values, phase, phases)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def phase_sums(values: np.ndarray, phase: np.ndarray, phases: int) -> tuple[np.ndarray, np.ndarray]:
    """Sum and count of each row's values at each phase, both (n, phases)."""
    there = np.isfinite(values)
    member = csr_array((np.ones(len(phase)), (phase, np.arange(len(phase)))), shape=(phases, len(phase)))
    return (member @ np.where(there, values, 0.0).T).T, (member @ there.T.astype(float)).T


def _phase(season: str, ds: pd.DatetimeIndex, frequency: Frequency) -> tuple[np.ndarray, int]:
    if season == "day":
        return np.asarray(ds.hour), 24
    if season == "year":
        return np.asarray(ds.dayofyear - 1), 366
    if frequency.hourly:
        return np.asarray(ds.weekday * 24 + ds.hour), 168
    return np.asarray(ds.weekday), 7


def _backfit(
    values: np.ndarray, there: np.ndarray, phases: dict[str, tuple[np.ndarray, int]], window: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    smooth = _Smoother(there, window)
    seasons = {name: np.zeros(values.shape) for name in phases}
    trend = smooth(values)
    for _ in range(_ROUNDS):
        for name, (phase, length) in phases.items():
            others = sum(season for other, season in seasons.items() if other != name)
            rest = values - trend - others
            means = _year_means(rest, phase) if name == "year" else np.nan_to_num(profiles(rest, phase, length))
            season = means[:, phase]
            seasons[name] = season - mean(np.where(there, season, np.nan), axis=1)[:, None]
        trend = smooth(values - sum(seasons.values()))
    return trend, seasons


class _Smoother:
    """Local linear regression with tricube weights along each row, on what was measured (n, T)."""

    def __init__(self, there: np.ndarray, window: int) -> None:
        half = window // 2
        steps = np.arange(-half, half + 1) / (half + 1)
        weights = (1 - np.abs(steps) ** 3) ** 3
        self._there = there
        # Convolution turns its kernel round: the odd moments change their sign.
        self._kernels = [weights[None, :] * (-steps[None, :]) ** power for power in range(3)]
        full = there.all()
        self._moments = [
            self._convolve(there[:1].astype(float) if full else there.astype(float), k) for k in self._kernels
        ]

    def __call__(self, values: np.ndarray) -> np.ndarray:
        zeroed = np.where(self._there, values, 0.0)
        sum0, sum1 = (self._convolve(zeroed, kernel) for kernel in self._kernels[:2])
        m0, m1, m2 = self._moments
        determinant = m0 * m2 - m1**2
        with np.errstate(invalid="ignore", divide="ignore"):
            line = (m2 * sum0 - m1 * sum1) / determinant
            # One point, or points all on one date, carry a level and no slope.
            level = np.where(m0 > 1e-6, sum0 / m0, np.nan)
        return np.where(determinant > 1e-6 * np.maximum(m0, 1e-6) ** 2, line, level)

    @staticmethod
    def _convolve(rows: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        half = kernel.shape[1] // 2
        return _convolved(rows, kernel)[:, half : half + rows.shape[1]]


def _year_means(values: np.ndarray, day: np.ndarray) -> np.ndarray:
    total, count = phase_sums(values, day, 366)
    half = YEAR_SMOOTHING // 2
    weights = (1 - np.abs(np.arange(-half, half + 1) / (half + 1)) ** 3) ** 3

    def around(table: np.ndarray) -> np.ndarray:
        wrapped = np.concatenate([table[:, -half:], table, table[:, :half]], axis=1)
        return _convolved(wrapped, weights[None, :])[:, 2 * half : wrapped.shape[1]]

    total, count = around(total), around(count)
    return np.divide(total, count, out=np.zeros(total.shape), where=count > 1e-6)


def _convolved(rows: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The whole convolution of each row (n, T) with a kernel (1, k): array (n, T + k - 1).

    ``scipy.signal`` has it too, and takes a second of each process to load.
    """
    length = rows.shape[1] + kernel.shape[1] - 1
    size = next_fast_len(length, real=True)
    return irfft(rfft(rows, size) * rfft(kernel, size), size)[:, :length]


def _variance(values: np.ndarray) -> np.ndarray:
    return mean((values - mean(values, axis=1)[:, None]) ** 2, axis=1)
