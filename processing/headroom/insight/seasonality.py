"""How each server's use moves with the hour, the week, the year and the quarter, and how strongly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from headroom.core.grid import Grid, mean, quantile
from headroom.core.metrics import is_percent
from headroom.core.periods import DAYS_PER_MONTH, Frequency, in_month_end, in_quarter_end
from headroom.core.settings import Settings
from headroom.insight.decomposition import decompose, phase_sums, profiles, strength

# What a history can show: a slope per month after a month, a lasting step after the days it must last on both sides
# together, the effect of an end of a month after three of them and of a quarter after two.
LEAST_SLOPE_DAYS, LEAST_STEP_DAYS, LEAST_MONTH_ENDS, LEAST_QUARTER_ENDS = 28, 56, 3, 2
# An hour, weekday or month is a peak where it is seen twice (a month once) and the means differ by this share.
LEAST_PEAK = 0.02
# On how many days an hour, a weekday or a month must have been seen for the fleet's mean of it.
LEAST_SEEN = {"hours": 2, "weekdays": 2, "months": 1}
# A jump of the level counts from this share of the scale on: 100 of percent metrics, else the series' own P95.
LEAST_JUMP = 0.08


def measure(grid: Grid, settings: Settings) -> pd.DataFrame:
    """Strengths, peaks and effects of every server and metric that has at least one value.

    Returns:
        One row per server and metric: ``server_id, metric, day_strength, week_strength, year_strength,
        trend_strength, trend_per_month, peak_hour, peak_weekday, peak_month, quarter_end_effect,
        month_end_effect, step, leak_per_month, noise``; effects, trend, step, leak and noise in the metric's unit.
        What the history is too short to show is NaN (``step``: 0).
        ``trend_per_month`` is the slope over the last year apart from ``step``, the largest lasting jump of the level
        (0 where there is none). ``leak_per_month`` is how much falls in jumps, where it climbs without them, as a leak
        does that ends in restarts. ``noise`` is the standard deviation of what changes from one period to the next
        and is explained by nothing else here.
    """
    tables = []
    for metric, values in grid.by_metric.items():
        table = _measure(values, metric, grid, settings)
        table.insert(0, "metric", metric)
        table.insert(0, "server_id", grid.servers)
        tables.append(table[np.isfinite(values).any(axis=1)])
    return pd.concat(tables).sort_values(["server_id", "metric"], ignore_index=True)


# Of each metric, at each period the sum over the servers and how many of them have a value, both (T,).
Sums = dict[str, tuple[np.ndarray, np.ndarray]]


def sums(grid: Grid) -> Sums:
    """What :func:`fleet_peaks` needs of some servers."""
    return {
        metric: (np.where(np.isfinite(values), values, 0.0).sum(axis=0), np.isfinite(values).sum(axis=0))
        for metric, values in grid.by_metric.items()
    }


def sums_together(parts: Sequence[Sums]) -> Sums:
    """The sums over all parts of a fleet."""
    found: Sums = {}
    for part in parts:
        for metric, (total, count) in part.items():
            before = found.get(metric, (0.0, 0))
            found[metric] = (before[0] + total, before[1] + count)
    return dict(sorted(found.items()))


def fleet_peaks(fleet: Sums, ds: pd.DatetimeIndex, frequency: Frequency) -> dict[str, dict[str, list[float] | None]]:
    """When the fleet peaks together: a metric's mean over all servers by hour (None in days), weekday and month.

    NaN for an hour or weekday that was not seen twice: one Saturday says nothing of Saturdays.
    """
    peaks: dict[str, dict[str, list[float] | None]] = {}
    for metric, (total, count) in fleet.items():
        fleet_mean = np.divide(total, count, out=np.full(len(ds), np.nan), where=count > 0)[None, :]
        by = {"hours": (ds.hour, 24), "weekdays": (ds.weekday, 7), "months": (ds.month - 1, 12)}
        peaks[metric] = {
            name: None
            if name == "hours" and not frequency.hourly
            else _profile(fleet_mean, np.asarray(phase), n, ds, LEAST_SEEN[name])
            for name, (phase, n) in by.items()
        }
    return peaks


def _profile(values: np.ndarray, phase: np.ndarray, phases: int, ds: pd.DatetimeIndex, times: int) -> list[float]:
    """The mean of a row (1, T) at each phase, NaN where that was not seen on so many days."""
    there = np.isfinite(values[0])
    pairs = np.unique(np.stack([phase[there], ds[there].normalize().asi8]), axis=1)
    seen = np.bincount(pairs[0], minlength=phases)
    return np.where(seen >= times, profiles(values, phase, phases)[0], np.nan).tolist()


def by_day(values: np.ndarray, ds: pd.DatetimeIndex) -> np.ndarray:
    """Daily means of the rows of a matrix (n, T): array (n, days), NaN where nothing was measured."""
    day = np.asarray((ds.normalize() - ds[0].normalize()).days)
    return values if day[-1] + 1 == len(day) else profiles(values, day, int(day[-1]) + 1)


def highest_by_day(values: np.ndarray, ds: pd.DatetimeIndex) -> np.ndarray:
    """The highest value of each row of a matrix (n, T) on each day: array (n, days), NaN where nothing was measured."""
    first = np.flatnonzero(np.diff(ds.normalize(), prepend=pd.NaT) != np.timedelta64(0))
    return np.fmax.reduceat(values, first, axis=1)


def _measure(values: np.ndarray, metric: str, grid: Grid, settings: Settings) -> pd.DataFrame:
    ds, frequency = grid.ds, grid.frequency
    parts = decompose(values, ds, frequency)
    table = {f"{name}_strength": strength(parts, name) for name in ("day", "week", "year")}
    table["trend_strength"] = np.where(np.isfinite(values).sum(axis=1) >= 14, strength(parts, "trend"), np.nan)

    level = by_day(values - sum(parts.seasons.values()), ds)[:, -365:]
    scale = np.full(len(values), 100.0) if is_percent(metric) else quantile(values, 0.95)
    jump, at = _step(level, 14)
    table["step"] = np.where(np.abs(jump) >= LEAST_JUMP * scale, jump, 0.0)
    without_step = level - table["step"][:, None] * (np.arange(level.shape[1]) >= at[:, None])
    table["trend_per_month"] = _slope(without_step) * DAYS_PER_MONTH
    # Of the values as they are: a leak of two weeks would be half hidden in the week's season.
    table["leak_per_month"] = _leak(by_day(values, ds)[:, -365:], LEAST_JUMP * scale) * DAYS_PER_MONTH

    detrended = values - parts.trend
    differ = LEAST_PEAK * scale
    no_hours = np.full(len(values), np.nan)
    table["peak_hour"] = _peak(detrended, np.asarray(ds.hour), 24, differ, 2) if frequency.hourly else no_hours
    by_weekday = 2 * frequency.per_day
    table["peak_weekday"] = _peak(detrended, np.asarray(ds.weekday), 7, differ, by_weekday)
    yearly = np.where(
        parts.measured["year"][:, None], np.where(np.isfinite(values), parts.seasons["year"], np.nan), values
    )
    table["peak_month"] = 1 + _peak(yearly, np.asarray(ds.month - 1), 12, differ, 1)

    unexplained = parts.remainder + parts.seasons["year"]
    ends = in_quarter_end(ds, settings.fiscal_quarter_ends)
    effect = mean(unexplained[:, ends], axis=1) - mean(unexplained[:, ~ends], axis=1)
    table["quarter_end_effect"] = np.where(_months_seen(unexplained, ends, ds) >= LEAST_QUARTER_ENDS, effect, np.nan)
    effect = _month_end_effect(unexplained, ds)
    seen = _months_seen(unexplained, in_month_end(ds), ds)
    table["month_end_effect"] = np.where(seen >= LEAST_MONTH_ENDS, effect, np.nan)

    steps = np.diff(parts.remainder[:, -180 * frequency.per_day :], axis=1)
    table["noise"] = np.sqrt(mean(steps**2, axis=1) / 2)
    return pd.DataFrame(table)


def _of_month(ds: pd.DatetimeIndex) -> np.ndarray:
    """The month that each period belongs to, counted from the first: the first of a month ends the one before."""
    before = ds - pd.Timedelta(days=1)
    month = np.asarray(before.year * 12 + before.month)
    return month - month[0]


def _months_seen(values: np.ndarray, chosen: np.ndarray, ds: pd.DatetimeIndex) -> np.ndarray:
    """In how many different months each row has values at the chosen periods (T,): array (n,)."""
    if not chosen.any():
        return np.zeros(len(values), dtype=int)
    number = _of_month(ds)[chosen]
    return np.isfinite(profiles(values[:, chosen], number, int(number.max()) + 1)).sum(axis=1)


def _month_end_effect(values: np.ndarray, ds: pd.DatetimeIndex) -> np.ndarray:
    """How far the ends of months lie above the other days: the median over the months, as quarters alone are not it."""
    ends = in_month_end(ds)
    number = _of_month(ds)[ends]
    by_month = profiles(values[:, ends], number, int(number.max(initial=0)) + 1)
    return quantile(by_month, 0.5) - mean(values[:, ~ends], axis=1)


def _step(values: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest jump of each row that lasts, and the period it came at.

    A jump is the difference of the means a ``window`` after and before; it lasts as far as it shows over four windows
    as well. Growth has little of the first, a short peak little of the second. 0 where a row is too short to tell.
    """
    size = values.shape[1]
    if size < LEAST_STEP_DAYS:
        return np.zeros(len(values)), np.zeros(len(values), dtype=int)
    there = np.isfinite(values)
    seen = size - np.where(there.any(axis=1), there.argmax(axis=1), size)
    total, count = (
        np.cumsum(np.pad(array, ((0, 0), (1, 0))), axis=1)
        for array in (np.where(there, values, 0.0), there.astype(float))
    )
    at = np.arange(window, size - window + 1)

    def jump(width: int) -> np.ndarray:
        before, after = np.maximum(at - width, 0), np.minimum(at + width, size)
        with np.errstate(invalid="ignore", divide="ignore"):
            left = (total[:, at] - total[:, before]) / (count[:, at] - count[:, before])
            right = (total[:, after] - total[:, at]) / (count[:, after] - count[:, at])
        enough = np.minimum(count[:, at] - count[:, before], count[:, after] - count[:, at]) >= window / 2
        return np.where(enough, right - left, 0.0)

    short, lasting = jump(window), jump(4 * window)
    size_of = np.where(short * lasting > 0, np.minimum(np.abs(short), np.abs(lasting)), 0.0)
    size_of[seen < LEAST_STEP_DAYS] = 0.0
    best = size_of.argmax(axis=1)
    rows = np.arange(len(values))
    return np.sign(short[rows, best]) * size_of[rows, best], at[best]


def _leak(values: np.ndarray, least: np.ndarray) -> np.ndarray:
    """How much each row falls in jumps of at least ``least`` (n,) from one period to the next, a period.

    0 unless it jumps down at least three times and hardly ever up (a quarter of the way at most): what jumps both
    ways is work that comes and goes.
    """
    change = np.diff(values, axis=1)
    with np.errstate(invalid="ignore"):
        fall, rise = (np.where(sign * change >= least[:, None], sign * change, 0.0) for sign in (-1, 1))
    leaks = ((fall > 0).sum(axis=1) >= 3) & (rise.sum(axis=1) <= fall.sum(axis=1) / 4)
    return np.where(leaks, fall.sum(axis=1), 0.0) / np.maximum(np.isfinite(change).sum(axis=1), 1)


def _slope(values: np.ndarray) -> np.ndarray:
    """Least-squares slope per day of each row (n, days); NaN with fewer than LEAST_SLOPE_DAYS values."""
    there = np.isfinite(values)
    time = np.where(there, np.arange(values.shape[1], dtype=float), np.nan)
    time = time - mean(time, axis=1)[:, None]
    spread = np.where(there, time**2, 0).sum(axis=1)
    joint = np.where(there, time * values, 0).sum(axis=1)
    return np.divide(
        joint, spread, out=np.full(len(values), np.nan), where=(spread > 0) & (there.sum(axis=1) >= LEAST_SLOPE_DAYS)
    )


def _peak(values: np.ndarray, phase: np.ndarray, phases: int, differ: float | np.ndarray, times: int) -> np.ndarray:
    """The phase of each row's highest mean; NaN unless all were seen that many times and differ by that much."""
    total, count = phase_sums(values, phase, phases)
    profile = total / np.maximum(count, 1)
    clear = (count >= times).all(axis=1) & (np.ptp(profile, axis=1) > np.maximum(differ, 1e-9))
    return np.where(clear, profile.argmax(axis=1), np.nan)
