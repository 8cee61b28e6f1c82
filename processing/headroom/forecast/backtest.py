"""Rolling-origin backtests: what each candidate would have forecast from days that are past now."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from headroom.core.grid import Grid, median
from headroom.core.settings import Settings
from headroom.forecast import booster, methods, trend
from headroom.forecast.features import level_and_scale, side_by_side

BOOSTER = "booster"
CANDIDATES = (*methods.METHODS, methods.THETA, BOOSTER)
THETA = CANDIDATES.index(methods.THETA)
# A few series need more windows to learn as much from: this many forecasts, in no fewer and no more windows.
FORECASTS, FEWEST_WINDOWS, MOST_WINDOWS = 40, 3, 8
# A backtest of the whole horizon wants a history of this many horizons; a shorter one reaches a third of the history.
LEAST_HORIZONS = 2
# The one method fitted one series at a time is tried on at most this many series, and used where it is the best.
THETA_SERIES = 40


@dataclass(frozen=True)
class Window:
    """Forecasts from one origin, made without a look at what came after it.

    ``points``: candidates × n × horizon (NaN for a booster that could not be trained); ``below`` and ``above``: the
    booster's distances from its median to its 10 % and 90 % quantiles (n × horizon); ``laws``: what the laws of trends
    say; ``actual``: n × horizon, NaN where nothing was measured and beyond the ``reach`` of the backtest; ``scale``: n,
    of what was known at the origin.
    """

    origin: int
    points: np.ndarray
    below: np.ndarray
    above: np.ndarray
    laws: trend.Trend
    actual: np.ndarray
    scale: np.ndarray
    reach: int

    @property
    def losses(self) -> np.ndarray:
        """Mean absolute error in scales, candidates × n; NaN where nothing was measured."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            return np.nanmean(np.abs(self.actual - self.points), axis=2) / self.scale


def reach(periods: int, settings: Settings) -> int:
    """How many steps ahead a history of this many periods can be backtested."""
    return settings.horizon if periods >= LEAST_HORIZONS * settings.horizon else min(periods // 3, settings.horizon)


def origins(periods: int, series: int, settings: Settings) -> list[int]:
    """The last known periods of the windows, oldest first; the newest leaves what the backtest reaches.

    They are that far apart, so that no two share a day, where that leaves the third a quarter of the history; half
    as far otherwise. And a tenth of the history at least, so that accidents of one week do not decide everything.
    """
    ahead = reach(periods, settings)
    roomy = periods - 1 - 3 * ahead >= periods // 4
    step = max(ahead if roomy else (ahead + 1) // 2, periods // 10)
    least = 2 * settings.frequency.seasons[0] - 1
    newest = periods - 1 - ahead
    windows = min(max(-(-FORECASTS // max(series, 1)), FEWEST_WINDOWS), MOST_WINDOWS)
    return [newest - step * back for back in range(windows - 1, -1, -1) if newest - step * back >= least]


def run(history: Grid, examples: booster.Examples, servers: pd.DataFrame, settings: Settings) -> list[Window]:
    """Forecast from every origin; the booster is trained anew at each one, on what was known by then."""
    tried = np.zeros(len(history.values), dtype=bool)
    tried[:: max(len(tried) // THETA_SERIES, 1)] = True

    ahead = reach(len(history.ds), settings)

    def window(origin: int) -> Window:
        known = history.until(origin)
        made = forecast(known, history, booster.train(examples.until(origin)), servers, settings, tried)
        # What nothing was known of yet tells nothing about forecasts of today, and has no scale to measure misses by.
        made.actual[too_short(known, settings) | constant(known)] = np.nan
        made.actual[:, ahead:] = np.nan
        return replace(made, reach=ahead)

    return side_by_side(window, origins(len(history.ds), len(history.values), settings))


def too_short(known: Grid, settings: Settings) -> np.ndarray:
    """Which series have fewer points than two seasons (n booleans)."""
    return (~np.isnan(known.values)).sum(axis=1) < 2 * settings.frequency.seasons[0]


def constant(known: Grid) -> np.ndarray:
    """Which series have never changed (n booleans)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmax(known.values, axis=1) == np.nanmin(known.values, axis=1)


def forecast(
    known: Grid,
    history: Grid,
    trained: booster.Booster | None,
    servers: pd.DataFrame,
    settings: Settings,
    theta: np.ndarray,
) -> Window:
    """All candidates' forecasts from the end of ``known``, beside what ``history`` says of the periods after it.

    ``theta`` (n booleans): the series for which that method is wanted.
    """
    points, (past, again) = methods.forecasts_and_effects(known, settings)
    laws = trend.of_grid(known.holding(known.values - past), settings)
    laws.quantiles[:] += again[:, :, None]
    shape = (len(known.values), settings.horizon)
    _, scale = level_and_scale(known.values, settings)
    if trained is None:
        below = points[BOOSTER] = above = np.full(shape, np.nan)
    else:
        low, points[BOOSTER], high = np.moveaxis(booster.predict(trained, known, points, servers, settings), 2, 0)
        below, above = points[BOOSTER] - low, high - points[BOOSTER]
    points[methods.THETA] = methods.theta(known, settings, theta)
    actual = np.full(shape, np.nan)
    after = history.values[:, len(known.ds) : len(known.ds) + settings.horizon]
    actual[:, : after.shape[1]] = after
    every = np.stack([points[name] for name in CANDIDATES])
    return Window(len(known.ds) - 1, every, below, above, laws, actual, scale, settings.horizon)


def behaviour(history: Grid, settings: Settings) -> np.ndarray:
    """The group of each series: its metric and whether it is flat, seasonal or irregular (n strings)."""
    day, _ = settings.frequency.seasons
    recent = history.values[:, -4 * settings.frequency.recent :]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        still = np.nanmean(np.abs(np.diff(recent, axis=1)) < 1e-9, axis=1) > 0.5
        centred = recent - median(recent)[:, None]
        memory = np.nanmean(centred[:, day:] * centred[:, :-day], axis=1) / np.nanmean(centred**2, axis=1)
    kind = np.where(still, "flat", np.where(memory > 0.5, "seasonal", "irregular"))
    return (history.series["metric"] + "/" + kind).to_numpy(str)


def independent(windows: list[Window]) -> list[int]:
    """The windows (by index) of which another shares no day, so that they can be judged by what never saw them."""
    return [index for index, window in enumerate(windows) if _separate(windows, window)]


def _separate(windows: list[Window], window: Window) -> list[int]:
    return [index for index, other in enumerate(windows) if abs(other.origin - window.origin) >= window.reach]


def apart_from(windows: list[Window], window: Window) -> list[int]:
    """The windows (by index) that may say something about this one: those that share no day with it.

    Failing such, those that share some; failing these, itself.
    """
    rest = [index for index, other in enumerate(windows) if other is not window]
    return _separate(windows, window) or rest or [0]
