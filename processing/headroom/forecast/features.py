"""What forecasts are made from: the grid of all series, the calendar, and the booster's features.

The booster is direct and global: one row is a series, an origin (the last known period) and a step ahead, and every
feature of it is known at the origin or comes from the calendar. Values are taken relative to the series' own level
and scale at the origin, so servers of any size teach each other.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import holidays as holidays_package
import numpy as np
import pandas as pd

from headroom.core.grid import lay_out, quantiles
from headroom.core.settings import PERCENT_METRICS, Settings

T = TypeVar("T")

FEATURE_VERSION = 1

SERIES = ["server_id", "metric"]
ATTRIBUTES = ["business_unit", "region", "criticality", "instance_type"]
SIZES = ["vcpus", "memory_gb", "monthly_cost_usd"]
# Older history than this says nothing more about the next quarter: five years of days, half a year of hours.
LONGEST_HISTORY = {"D": 1830, "h": 4392}
CALENDAR = (
    "hour", "weekday", "day_of_month", "days_to_month_end", "month", "week_of_year", "month_start", "month_end", "step",
)  # fmt: skip
# "The end of the quarter" is its last days, "the end of the month" its last days and the first of the next.
QUARTER_END_DAYS = 5
MONTH_END_DAYS = 3


@dataclass(frozen=True)
class Grid:
    """All series on one axis of periods.

    ``series``: n rows of server_id and metric. ``dates``: the T periods without a gap, the last is the panel's last.
    ``values``: n × T, NaN where nothing was measured.
    """

    series: pd.DataFrame
    dates: pd.DatetimeIndex
    values: np.ndarray

    def until(self, origin: int) -> Grid:
        """What was known at the period with this index."""
        return Grid(self.series, self.dates[: origin + 1], self.values[:, : origin + 1])

    def only(self, rows: np.ndarray) -> Grid:
        """Some of the series, by index."""
        return Grid(self.series.iloc[rows].reset_index(drop=True), self.dates, self.values[rows])

    @property
    def upper(self) -> np.ndarray:
        """The greatest possible value of each series: 100 percent, or infinity."""
        return np.where(self.series["metric"].isin(PERCENT_METRICS), 100.0, np.inf)


def grid(panel: pd.DataFrame, frequency: str) -> Grid:
    """The panel (server_id, metric, ds, y) as a grid; of duplicates the last row counts, unusable values are gaps."""
    usable = panel[np.isfinite(panel["y"].to_numpy(float))]
    if usable.empty:
        empty = pd.DataFrame({"server_id": pd.Series(dtype=str), "metric": pd.Series(dtype=str)})
        return Grid(empty, pd.DatetimeIndex([]), np.empty((0, 0)))
    names = usable[SERIES].drop_duplicates().sort_values(SERIES, ignore_index=True)
    row = usable.groupby(SERIES).ngroup().to_numpy()
    dates, values = lay_out(row, len(names), usable["ds"], usable["y"], frequency, LONGEST_HISTORY[frequency])
    return Grid(names, dates, values)


def calendar(dates: pd.DatetimeIndex, settings: Settings) -> pd.DataFrame:
    """What the calendar says about each period, known arbitrarily far ahead."""
    days, day = dates.normalize(), pd.Timedelta(days=1)
    given = settings.holidays
    known = pd.DatetimeIndex([])
    if given is not None:
        years = range(days[0].year - 1, days[-1].year + 2)
        named = holidays_package.country_holidays(given.country, subdiv=given.subdivision, years=years)
        known = pd.DatetimeIndex(sorted(named))
    to_month_end = dates.days_in_month - dates.day
    fiscal = dates.month.isin(settings.fiscal_quarter_ends)
    return pd.DataFrame(
        {
            "hour": dates.hour,
            "weekday": dates.dayofweek,
            "day_of_month": dates.day,
            "days_to_month_end": to_month_end,
            "month": dates.month,
            "week_of_year": dates.isocalendar().week.to_numpy(int),
            "holiday": days.isin(known).astype(float),
            "before_holiday": (days + day).isin(known).astype(float),
            "after_holiday": (days - day).isin(known).astype(float),
            "month_start": (dates.day == 1).astype(float),
            "month_end": (to_month_end < MONTH_END_DAYS).astype(float),
            "days_to_quarter_end": np.where(fiscal, to_month_end, 31),
            "quarter_end": (fiscal & (to_month_end < QUARTER_END_DAYS)).astype(float),
        },
        index=dates,
    )


def side_by_side(work: Callable[[int], T], origins: list[int]) -> list[T]:
    """The results of one piece of work an origin, in order; two at a time."""
    # Threads share the filters of warnings: what one of them ignores has to be ignored around them all.
    with warnings.catch_warnings(), ThreadPoolExecutor(2) as pool:
        warnings.simplefilter("ignore", RuntimeWarning)
        return list(pool.map(work, origins))


def coming(known: Grid, settings: Settings) -> pd.DatetimeIndex:
    """The periods to forecast after the end of ``known``."""
    return pd.date_range(known.dates[-1], periods=settings.horizon + 1, freq=settings.frequency)[1:]


@dataclass(frozen=True)
class Snapshot:
    """What is known about each series at one origin, relative to its ``level`` and ``scale`` (both n)."""

    level: np.ndarray
    scale: np.ndarray
    origin: dict[str, np.ndarray] = field(repr=False)  # name → n
    phases: dict[str, tuple[int, np.ndarray]] = field(repr=False)  # name → season length, n × season length
    ahead: dict[str, np.ndarray] = field(repr=False)  # name → n × horizon


def level_and_scale(values: np.ndarray, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Where each series (n × T) has been lately and how far it moves from one season to the next (both n).

    The scale is the mean absolute seasonal difference, as in MASE (Hyndman and Koehler 2006), held above a
    thousandth of the series' size so that a constant series has one too.
    """
    day, _ = settings.season_lengths
    recent = values[:, -recent_periods(settings) :]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        level = median(recent)
        level = np.where(np.isnan(level), median(values), level)
        naive = np.nanmean(np.abs(values[:, day:] - values[:, :-day]), axis=1) if values.shape[1] > day else level * 0
        spread = np.nanmean(np.abs(values - level[:, None]), axis=1)
        size = np.nanmax(np.abs(values), axis=1)
    scale = np.where(np.isnan(naive) | (naive == 0), spread, naive)
    return level, np.maximum(np.nan_to_num(scale), np.maximum(1e-3 * size, 1e-9))


def recent_periods(settings: Settings) -> int:
    """Four weeks of days, one week of hours."""
    return 28 if settings.frequency == "D" else 168


def snapshot(known: Grid, settings: Settings, expected: dict[str, np.ndarray]) -> Snapshot:
    """What the booster may know at the end of ``known``.

    ``expected`` are other methods' forecasts from there (name → n × horizon), in the metric's unit.
    """
    values = known.values
    day, long = settings.season_lengths
    recent = recent_periods(settings)
    level, scale = level_and_scale(values, settings)
    relative = (values - level[:, None]) / scale[:, None]
    origin: dict[str, np.ndarray] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        origin["last"] = last_seen(relative)
        for name, periods in (("day" if day == 24 else "week", day), ("recent", recent), ("long", 3 * recent)):
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
        for lag in (1, day, recent if day == 24 else 2 * day):
            origin[f"memory_{lag}"] = _autocorrelation(relative[:, -4 * recent :], lag)
        phases: dict[str, tuple[int, np.ndarray]] = {}
        by_day = by_phase(relative[:, -4 * recent :], day)
        for back in (1, 2, 3):
            phases[f"lag_{back}_seasons"] = (day, _nth_last(by_day, back))
        for count in (4, 12):
            phases[f"mean_{count}_seasons"] = (day, np.nanmean(by_day[:, -count:], axis=1))
        phases["low_at_phase"], phases["high_at_phase"] = (
            (day, bound) for bound in quantiles(by_day[:, -12:], (0.1, 0.9))
        )
        if day == 24:
            by_week = by_phase(relative[:, -4 * recent :], long)
            for back in (1, 2):
                phases[f"lag_{back}_weeks"] = (long, _nth_last(by_week, back))
            phases["mean_4_weeks"] = (long, np.nanmean(by_week, axis=1))
    ahead = {name: (points - level[:, None]) / scale[:, None] for name, points in expected.items()}
    if day == 7:
        ahead["year_ago"] = _year_ago(relative, settings.horizon)
    return Snapshot(level, scale, origin, phases, ahead)


def matrix(at: Snapshot, rows: np.ndarray, steps: np.ndarray, days: pd.DataFrame, static: pd.DataFrame) -> pd.DataFrame:
    """Features of ``rows`` (series by index) at ``steps`` ahead (1 is the next period), one row each.

    ``days`` is the calendar of the periods after the origin, ``static`` the attributes a series.
    """
    columns = {name: feature[rows] for name, feature in at.origin.items()}
    columns |= {name: table[rows, (steps - 1) % season] for name, (season, table) in at.phases.items()}
    columns |= {name: table[rows, steps - 1] for name, table in at.ahead.items()}
    columns["step"] = steps
    columns |= {name: days[name].to_numpy()[steps - 1] for name in days.columns}
    columns |= {name: static[name].to_numpy()[rows] for name in static.columns}
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


def median(values: np.ndarray) -> np.ndarray:
    """The median over the second axis, NaN where there is nothing."""
    return quantiles(values, (0.5,))[0]


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
