"""One robust regression per series on trend, seasons and calendar, fitted for all series at once.

The explainable half of the forecasts: what a weekday, a holiday or a quarter's end does to a server, where its trend
broke, the cycle of its own that it may have (a leak and its restart), and what it has left over lately.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from headroom.core.grid import by_phase, last_seen, median
from headroom.core.periods import Frequency, calendar
from headroom.core.settings import Settings

CHUNK = 512
WEEK = Frequency.HOUR.per_week
ITERATIONS = 6
CYCLE_CORRELATION = 0.8
BREAKS, STEPS = 16, 20
YEAR_WAVES = 4

# How many ordinary observations speak against each part of the regression, tuned by backtest on all cases of
# ``bench.accuracy`` together. Neighbouring hours move together, so that each counts as less than one observation.
DAILY_DOUBTS = {
    "level": 1e-6, "weekday": 0.5, "year": 5.0, "marked days": 3.0, "trend": 2.0, "break": 30.0, "step": 20.0,
}  # fmt: skip
HOURLY_DOUBTS = {
    "level": 1e-6, "hour": 0.1, "weekday": 300.0, "weekend hour": 0.5, "marked days": 30.0, "trend": 100.0,
    "break": 30.0, "step": 20.0,
}  # fmt: skip
# Histories from these lengths on (periods) show an hour's own weekend, and a year's waves.
LEAST_FOR_WEEKEND, LEAST_FOR_YEAR = WEEK, 540
# The trend does not break within this many of the newest "recent" spans (weeks of hours, four weeks of days).
CALM_DAILY, CALM_HOURLY = 1.0, 0.5


@dataclass(frozen=True)
class Shape:
    """What a regression may bend: weights halve every ``half_life`` periods; ``trend`` is piecewise linear or none."""

    half_life: float
    trend: bool


@dataclass(frozen=True)
class Design:
    """Columns for the known and the coming periods; each has a ``doubt``: how many observations speak for zero.

    ``sparse`` are the columns of which most should be exactly zero, and the others as large as they are: breaks of
    the trend and days of the calendar. ``marks`` are the latter.

    ``own_doubt``: an observation that speaks for zero weighs what those that the column is about weigh on average, not
    what all do. Otherwise large effects in a series with little noise shrink as soon as one accident makes their own
    observations look unusual. By the hour, where the doubts were tuned to the weight of all, it costs 3 % of MASE on
    CloudWatch (and gains 2 % on Bitbrains a week ahead).
    """

    known: np.ndarray
    coming: np.ndarray
    doubt: np.ndarray
    sparse: np.ndarray
    marks: slice
    own_doubt: bool


@dataclass(frozen=True)
class Fit:
    """Point forecasts (n × horizon), and what of them marked days and the series' own cycle do.

    ``known`` (n × T) and ``coming`` (n × horizon): the latter's part of the values, and of the forecasts.
    """

    points: np.ndarray
    known: np.ndarray
    coming: np.ndarray


def fit_and_forecast(
    values: np.ndarray, dates: pd.DatetimeIndex, ahead: pd.DatetimeIndex, settings: Settings, shape: Shape
) -> Fit:
    """Fit a regression of this shape to values (n × T, NaN where nothing was measured) and go on for ``ahead``."""
    forgetting = 0.5 ** ((len(dates) - 1 - np.arange(len(dates))) / shape.half_life)
    kept = forgetting > 0.01
    design = _design(dates[kept], ahead, settings, shape)
    points, coming, known = (np.zeros((len(values), width)) for width in (len(ahead), len(ahead), len(dates)))
    for start in range(0, len(values), CHUNK):
        rows = slice(start, start + CHUNK)
        explained, residual, marked = _least_absolute(values[rows, kept], design, forgetting[kept])
        if settings.frequency.hourly:
            weekly, residual = _hours_of_week(residual, len(ahead))
            explained = explained + weekly
        cycle, left = _own_cycle(residual, len(ahead))
        points[rows] = explained + cycle + _carried(left, len(ahead))
        known[rows, kept] = marked @ design.known[:, design.marks].T + np.nan_to_num(residual - left)
        coming[rows] = marked @ design.coming[:, design.marks].T + cycle
    return Fit(np.where(np.isfinite(points), points, last_seen(values)[:, None]), known, coming)


def _least_absolute(
    values: np.ndarray, design: Design, forgetting: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The regression's forecasts, what it leaves over (n × T), and the coefficients of marked days (n × marks).

    Least absolute deviations by iteratively reweighted least squares (Holland and Welsch 1977), so that bursts do not
    move the seasons; breaks are held near zero in the same way (l1 trend filtering, Kim et al. 2009).
    """
    seen = ~np.isnan(values)
    forgetting = seen * forgetting
    columns, sparse = design.known, design.sparse
    low, high = np.triu_indices(columns.shape[1])
    products = columns[:, low] * columns[:, high]
    # The place in that triangle of each entry of the symmetric matrix.
    entry = np.empty((columns.shape[1], columns.shape[1]), dtype=int)
    entry[low, high] = entry[high, low] = np.arange(len(low))
    gram = np.empty((len(values), *entry.shape))
    centre = np.nan_to_num(median(values))[:, None]
    target = np.where(seen, values - centre, 0.0)
    tiny = 1e-9 * (1 + np.abs(target).max(axis=1, keepdims=True))
    squared_doubt = design.doubt.copy()
    squared_doubt[sparse] = 1e-6
    diagonal = np.arange(columns.shape[1])
    undoubted = np.maximum(forgetting @ columns**2, 1e-12)
    weight, sparse_doubt = forgetting, np.tile(design.doubt[sparse], (len(values), 1))
    for _ in range(ITERATIONS):
        np.take(weight @ products, entry, axis=1, out=gram, mode="clip")
        if design.own_doubt:
            counted = gram[:, diagonal, diagonal] / undoubted
        else:
            counted = (weight.sum(axis=1) / np.maximum(forgetting.sum(axis=1), 1e-12))[:, None]
        gram[:, diagonal, diagonal] += squared_doubt * np.maximum(counted, 1e-9)
        gram[:, sparse, sparse] += sparse_doubt
        coefficients = np.linalg.solve(gram, ((weight * target) @ columns)[:, :, None])[:, :, 0]
        residual = np.where(seen, target - coefficients @ columns.T, np.nan)
        off = np.abs(residual)
        typical = np.maximum(np.nan_to_num(median(off))[:, None], tiny)
        weight = forgetting * typical / np.maximum(np.where(seen, off, 0.0), 0.25 * typical)
        sparse_doubt = design.doubt[sparse] * typical / np.maximum(np.abs(coefficients[:, sparse]), 0.05 * typical)
    return centre + coefficients @ design.coming.T, residual, coefficients[:, design.marks]


def _hours_of_week(residual: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """What comes back at the same hour of the week beyond days and weekends: its forecast, and what is left then.

    The mean over the last weeks counts as much as the correlation from week to week says (Spearman-Brown).
    """
    count, periods = residual.shape
    if periods < 3 * WEEK:
        return np.zeros((count, horizon)), residual
    limit = 3 * median(np.abs(residual))[:, None]
    held = np.clip(residual, -limit, limit)
    weeks = by_phase(held[:, -8 * WEEK :], WEEK)
    seen = (~np.isnan(weeks)).sum(axis=1)
    held = np.nan_to_num(held)
    profile = np.nan_to_num(weeks).sum(axis=1) / np.maximum(seen, 1)
    alike = (held[:, WEEK:] * held[:, :-WEEK]).sum(axis=1) / np.maximum((held**2).sum(axis=1), 1e-18)
    alike = np.clip(alike * periods / (periods - WEEK), 0, 1)[:, None]
    profile *= seen * alike / (1 + (seen - 1) * alike)
    position = (np.arange(periods) - periods) % WEEK
    return np.tile(profile, (1, horizon // WEEK + 1))[:, :horizon], residual - profile[:, position]


def _own_cycle(residual: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """A cycle of any other length that a series repeats at least three times: its forecast, and what is left then.

    Its length is where the autocorrelation peaks. That is the inverse Fourier transform of the power spectrum (Wiener
    and Khinchin), of series padded with as many zeros so that their ends do not meet, divided at each lag by how many
    pairs of values there are (themselves the autocorrelation of what is not zero).
    """
    count, periods = residual.shape
    forecast = np.zeros((count, horizon))
    longest = periods // 3
    if longest < 4:
        return forecast, residual
    centred = residual - np.nan_to_num(median(residual))[:, None]
    limit = 5 * median(np.abs(centred))[:, None]
    held = np.nan_to_num(np.clip(centred, -limit, limit))
    size = 2 * periods
    spectrum = np.abs(np.fft.rfft(held, size, axis=1)) ** 2
    overlap = np.abs(np.fft.rfft((held != 0).astype(float), size, axis=1)) ** 2
    together = np.fft.irfft(spectrum, size, axis=1)[:, : longest + 2]
    pairs = np.maximum(np.fft.irfft(overlap, size, axis=1)[:, : longest + 2], 1)
    variance = np.maximum(together[:, :1] / pairs[:, :1], 1e-18)
    correlation = together / pairs / variance
    middle = correlation[:, 3 : longest + 1]
    peak = (middle > correlation[:, 2:longest]) & (middle >= correlation[:, 4 : longest + 2])
    strength = np.where(peak, middle, 0.0)
    best = strength.argmax(axis=1)
    residual = residual.copy()
    for row in np.flatnonzero(strength.max(axis=1) > CYCLE_CORRELATION):
        # Of a cycle and its multiples, which are as like, the shortest.
        length = 3 + int(np.argmax(strength[row] > 0.9 * strength[row, best[row]]))
        first = periods % length
        turns = residual[row, first:].reshape(-1, length)[-8:]
        profile = np.nan_to_num(median(turns[None])[0])
        residual[row] -= profile[(np.arange(periods) - first) % length]
        forecast[row] = profile[np.arange(horizon) % length]
    return forecast, residual


def _carried(residual: np.ndarray, horizon: int) -> np.ndarray:
    """What was left over lately (n × T), carried into the horizon (n × horizon): its smoothed level, fading or not.

    Each series takes the smoothing and the fading that would have carried its past leftovers best over several
    distances up to the horizon. All pairs of these C constants are tried at once, and the series come last in all
    arrays (C × n, with the D distances D × C × n): what is many has to lie together for the processor.
    """
    residual = residual[:, -(6 * horizon + 100) :]
    count, periods = residual.shape
    constants = [(0.0, 1.0)] + [
        (smoothing, 0.5 ** (1 / half_life))
        for smoothing in (0.05, 0.2, 0.5, 0.9)
        for half_life in (2, 8, 24, max(horizon, 48), np.inf)
    ]
    smoothing, fade = (np.repeat(np.array(part)[:, None], count, axis=1) for part in zip(*constants, strict=True))
    there, seen = np.nan_to_num(residual).T, ~np.isnan(residual).T
    gaps = not seen.all()
    ahead = distances(horizon, periods)
    faded = np.stack([fade**one for one in ahead])
    judged = np.maximum(ahead, periods - 4 * horizon)  # from this period on, for each distance
    state, off, now = np.zeros((3, *fade.shape))
    states = np.empty((ahead[-1], *fade.shape), dtype=np.float32)  # the newest ones, in turn
    missed, distance = np.zeros((2, *faded.shape))
    for period in range(periods):
        now[:] = there[period]
        tried = np.searchsorted(judged, period, side="right")
        if tried:
            apart, total = distance[:tried], missed[:tried]
            for number in range(tried):
                apart[number] = states[(period - ahead[number]) % ahead[-1]]
            apart *= faded[:tried]
            np.abs(np.subtract(now, apart, out=apart), out=apart)
            if gaps:
                apart *= seen[period]
            total += apart
        # A period that is missing moves nothing; one that is there moves the state by its share of the distance.
        state *= fade
        np.subtract(now, state, out=off)
        off *= smoothing
        if gaps:
            off *= seen[period]
        state += off
        states[period % ahead[-1]] = state
    mean = [each / np.maximum(seen[first:].sum(axis=0), 1) for each, first in zip(missed, judged, strict=True)]
    best, row = sum(mean).argmin(axis=0), np.arange(count)
    return state[best, row][:, None] * fade[best, row][:, None] ** np.arange(1, horizon + 1)


def distances(horizon: int, periods: int) -> np.ndarray:
    """A few steps ahead, from the next one to the horizon, at which smoothing constants are tried."""
    return np.unique(np.geomspace(1, max(min(horizon, periods // 3), 1), 4).astype(int))


def _design(dates: pd.DatetimeIndex, ahead: pd.DatetimeIndex, settings: Settings, shape: Shape) -> Design:
    """Trend, seasons and calendar, each with its doubt."""
    both = dates.append(ahead)
    days = calendar(both, settings)
    hourly = settings.frequency.hourly
    position = (np.arange(len(both)) - (len(dates) - 1)) / settings.frequency.recent
    doubts = HOURLY_DOUBTS if hourly else DAILY_DOUBTS
    parts = [(np.ones((len(both), 1)), doubts["level"])]
    weekday = _dummies(days["weekday"].to_numpy(), 7)
    if hourly:
        hour, weekend = days["hour"].to_numpy(), days["weekday"].to_numpy() >= 5
        parts += [(_dummies(hour, 24), doubts["hour"]), (weekday, doubts["weekday"])]
        if len(dates) >= LEAST_FOR_WEEKEND:
            parts.append((_dummies(np.where(weekend, hour, 24), 25)[:, :24], doubts["weekend hour"]))
    else:
        parts.append((weekday, doubts["weekday"]))
        if shape.trend and len(dates) >= LEAST_FOR_YEAR:  # without a trend a year's waves would be taken for growth
            angle = 2 * np.pi * both.dayofyear.to_numpy()[:, None] / 365.25 * np.arange(1, YEAR_WAVES + 1)
            parts.append((np.hstack([np.sin(angle), np.cos(angle)]), doubts["year"]))
    marks = ["holiday", "before_holiday", "after_holiday", "month_start", "month_end", "quarter_end"]
    first = sum(part.shape[1] for part, _ in parts)
    parts.append((days[marks].to_numpy(float), doubts["marked days"]))
    # Of hours, methods.without_marked_days has told holidays and quarter ends from accidents already.
    sparse = [] if hourly else list(range(first, first + len(marks)))
    marked = slice(first, first + len(marks))
    if shape.trend:
        parts.append((position[:, None], doubts["trend"]))
        # None in the last weeks (days in hours): too few periods to tell a new trend from noise.
        span, calm = len(dates) / settings.frequency.recent, CALM_HOURLY if hourly else CALM_DAILY
        knots = np.linspace(-span, -calm, min(BREAKS, int(span)) + 2)[1:] if span > 2 * calm else np.empty(0)
        first = sum(part.shape[1] for part, _ in parts)
        parts.append((np.maximum(position[:, None] - knots, 0) + knots, doubts["break"]))
        # Old steps do no harm; a recent one would be taken for a trend.
        season, _ = settings.frequency.seasons
        steps = -np.arange(1, min(STEPS, len(dates) // season // 2) + 1) * season / settings.frequency.recent
        parts.append((-(position[:, None] < steps).astype(float), doubts["step"]))
        sparse += range(first, first + len(knots) + len(steps))
    columns = np.hstack([part for part, _ in parts])
    doubt = np.concatenate([np.full(part.shape[1], one) for part, one in parts])
    return Design(
        known=columns[: len(dates)],
        coming=columns[len(dates) :],
        doubt=doubt,
        sparse=np.array(sparse, dtype=int),
        marks=marked,
        own_doubt=not hourly,
    )


def _dummies(codes: np.ndarray, count: int) -> np.ndarray:
    return (codes[:, None] == np.arange(count)).astype(float)
