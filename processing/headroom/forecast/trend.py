"""What a series' trend is and how it may go on, from the first weeks: Bayesian model averaging over simple laws.

A backtest says nothing of the next quarter while the history is shorter than that. What can be said comes from the
laws that a level may follow under several kinds of noise (``laws.py``, ``jumps.py``). Each pair explains the history
more or less well: its weight is a prior (``prior.py``) times its evidence, and its forecast is a Student t
distribution. The sum over all pairs knows what no single fit does: that a rise over two weeks may be a trend, a wave or
an accident (Hoeting, Madigan, Raftery and Volinsky 1999, "Bayesian model averaging: a tutorial").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import ndtri, stdtrit

from headroom.core.grid import Grid, median, quantiles
from headroom.core.periods import Frequency
from headroom.core.settings import Settings
from headroom.forecast import intervals, prior
from headroom.forecast.features import side_by_side
from headroom.forecast.laws import ANY_LEVEL, SEASONS, SURE_SEASONS, explain, log_evidence

LEVELS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
# Which of them every forecast shows.
SPARSE = [0, 1, 5, 9, 10]
# A series of which less is measured, as a share of its length, has gaps that no law should be drawn across.
LEAST_SEEN = 0.5
# Of longer histories only the newest part is looked at, half a year. A shorter one than six periods shows no law.
LONGEST, SHORTEST = 180, 6
# How far apart the lengths are that series begun at different times are cut to.
BUCKETS = 1.08
# A value that is further from the median of its neighbours than this many usual distances counts as that far.
OUTLIER = 6.0
# Shares of the horizon at which the forecast is worked out; between them it is a straight line.
KNOTS = (0.0, 0.03, 0.07, 0.13, 0.2, 0.3, 0.42, 0.56, 0.72, 0.86, 1.0)
PATHS, GOLDEN = 199, (5**0.5 - 1) / 2
MOST_LAWS = 80
# This many series at a time, for the processor's cache.
CHUNK = 64
# The chance that a series climbs or has turned counts by this power: what only may have leaves the others their say.
SURE = 4
# The same by the hour, within the reach of backtests. A rhythm that was seen a few times looks like a climb: a power of
# 4 raises the quantile loss of 120 loads from 0.412 to 0.420, one of 40 to 0.414, and with both crossings are told as
# well (14 days of hours, 300 servers: recall 0.61 → 0.85, Brier score 0.093 → 0.051).
SURE_BY_HOUR = 40


@dataclass(frozen=True)
class Trend:
    """What the laws say of n series; NaN where a series is too short for them.

    ``quantiles``: n × horizon × LEVELS, in the metric's unit, not yet held within what is possible.
    ``climbing``: n, the chance that it climbs now. ``slope``: n, how much per period if it climbs. ``age``: n, for how
    many periods if so. ``turned``: n, the chance that it began to climb, or has ended to, within the last horizon.
    ``looked_at``: how many of the newest periods the laws were asked about.
    """

    quantiles: np.ndarray
    climbing: np.ndarray
    turned: np.ndarray
    slope: np.ndarray
    age: np.ndarray
    looked_at: int


def of_grid(history: Grid, settings: Settings) -> Trend:
    """The laws' forecasts after the end of a grid, of its newest ``LONGEST`` periods."""
    count, horizon = len(history.values), settings.horizon
    pace = settings.frequency.law_pace
    values = history.values[:, -round(LONGEST * pace) :]
    seen = np.isfinite(values)
    length = np.where(seen.any(axis=1), values.shape[1] - seen.argmax(axis=1), 0)
    quantiles = np.full((count, horizon, len(LEVELS)), np.nan)
    climbing, turned, slope, age = np.full((4, count), np.nan)
    found = Trend(quantiles, climbing, turned, slope, age, values.shape[1])
    cut = np.array([bucket(one, values.shape[1]) for one in length], dtype=int)
    moves = np.nanmax(np.where(seen, values, -np.inf), axis=1) > np.nanmin(np.where(seen, values, np.inf), axis=1)
    usable = (seen.sum(axis=1) >= np.maximum(SHORTEST, LEAST_SEEN * length)) & moves
    parts = [
        (int(periods), rows[start : start + CHUNK])
        for periods in np.unique(cut[usable])
        for rows in [np.flatnonzero(usable & (cut == periods))]
        for start in range(0, len(rows), CHUNK)
    ]

    def of_part(number: int) -> None:
        periods, rows = parts[number]
        one = _of_series(
            filled(values[rows, -periods:]), history.upper[rows], pace, horizon, settings.frequency.seasons[0]
        )
        for name in ("quantiles", "climbing", "turned", "slope", "age"):
            getattr(found, name)[rows] = getattr(one, name)

    side_by_side(of_part, list(range(len(parts))))
    return found


def bucket(length: int, longest: int) -> int:
    """The length that a series is cut to, so that series of many lengths share few factorisations; 0 for too short."""
    if length < SHORTEST:
        return 0
    if length <= 24 or length == longest:
        return length
    return int(24 * BUCKETS ** np.floor(np.log(length / 24) / np.log(BUCKETS)))


def filled(values: np.ndarray) -> np.ndarray:
    """The values (n × T) with straight lines across gaps, and level before the first and after the last value."""
    position = np.arange(values.shape[1])
    result = values.copy()
    for row in np.flatnonzero(np.isnan(values).any(axis=1)):
        there = np.isfinite(values[row])
        result[row] = np.interp(position, position[there], values[row, there])
    return result


def _of_series(values: np.ndarray, upper: np.ndarray, pace: float, horizon: int, season: int) -> Trend:
    """The laws' forecasts of series of one length without gaps (n × T) and with these upper bounds (n)."""
    count, periods = values.shape
    scaled, level, size, effects = standardised(values, season)
    steps = knots(horizon)
    explained = explain(scaled, steps, pace, season)
    with_jumps = np.empty((count, 0))
    if explained.jumps is not None:
        with_jumps = explained.jumps.evidence + prior.of_jumps(explained.jumps, prior.measured())
    of_pairs = prior.of_length(periods, tuple(steps.tolist()), pace, season)
    of_shares = prior.of_shares(explained.laws, size / upper, prior.measured())
    picked, weight = heaviest(explained.of_fits, explained.laws.fits[1], of_pairs, of_shares, with_jumps)
    weight = np.exp(weight - weight.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    fit = explained.fitted(picked)
    at_knots = mixed(weight, *explained.forecasts(picked, fit), explained.freedom)
    between = np.stack([np.interp(np.arange(1, horizon + 1), steps, one) for one in np.eye(len(steps))], axis=1)
    quantiles = np.einsum("hs,nsl->nhl", between, at_knots)
    again = effects[:, np.arange(periods, periods + horizon) % season]
    quantiles = level[:, None, None] + size[:, None, None] * quantiles + again[:, :, None]
    climbing, turned, slope, age = explained.climb(picked, fit, weight)
    return Trend(quantiles, climbing, turned, slope / pace * size, age * pace, periods)


def heaviest(
    of_fits: np.ndarray, same: np.ndarray, of_pairs: np.ndarray, of_shares: np.ndarray, with_jumps: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The ``MOST_LAWS`` pairs of noise and law with the largest weights, and these (n × K each).

    A pair's weight is its evidence (``of_fits``, N × fits × n, of which ``same`` has each law's, C) and what the prior
    says of the pair (N × C) and of the law for the series (n × C). Those of pairs with jumps are given (n × J), see
    :class:`Explained` for their numbers. Of all laws only those can hold such a pair whose largest weight is among the
    largest.
    """
    noises, count, laws = len(of_fits), *of_shares.shape
    by_law, largest = np.ascontiguousarray(of_shares.T), np.full((laws, count), -np.inf)
    for evidence, of_law in zip(of_fits, of_pairs, strict=True):
        weight = evidence[same]
        weight += of_law[:, None]
        weight += by_law
        np.maximum(largest, weight, out=largest)
    best, row = _largest(np.ascontiguousarray(largest.T), MOST_LAWS), np.arange(count)[:, None]
    pair = (np.arange(noises)[:, None] * laws + best[:, None]).reshape(count, -1)
    pair = np.concatenate([pair, np.tile(np.arange(with_jumps.shape[1]) + noises * laws, (count, 1))], axis=1)
    some = (of_fits[:, same[best], row] + of_pairs[:, best] + of_shares[row, best]).swapaxes(0, 1).reshape(count, -1)
    some = np.concatenate([some, with_jumps], axis=1)
    picked = _largest(some, MOST_LAWS)
    return np.take_along_axis(pair, picked, axis=1), np.take_along_axis(some, picked, axis=1)


def _largest(values: np.ndarray, most: int) -> np.ndarray:
    """In which columns each row's largest values are, rising: at most so many."""
    if values.shape[1] <= most:
        return np.tile(np.arange(values.shape[1]), (len(values), 1))
    return np.sort(np.argpartition(-values, most, axis=1)[:, :most], axis=1)


def mixed(weight: np.ndarray, centre: np.ndarray, scale: np.ndarray, freedom: float) -> np.ndarray:
    """Quantiles (n × S × LEVELS) of mixtures of Student t distributions: weights n × K, centres and scales n × K × S.

    They are those of ``PATHS`` draws, spread evenly over the weights, from the lowest end to the highest, and over the
    distribution by turns of the golden ratio: half as far from what many more draws give as if these were shuffled.
    """
    row = np.arange(len(weight))[:, None]
    order = np.argsort(centre[:, :, -1], axis=1)
    reached = np.cumsum(weight[row, order], axis=1) / weight.sum(axis=1, keepdims=True)
    even = (np.arange(PATHS) + 0.5) / PATHS
    # From which draw on a pair is done with, and so how many of them are by each draw.
    done = row * (PATHS + 1) + np.searchsorted(even, reached, side="right")
    by_draw = np.bincount(done.ravel(), minlength=len(weight) * (PATHS + 1)).reshape(len(weight), -1).cumsum(axis=1)
    which = order[row, np.minimum(by_draw[:, :-1], weight.shape[1] - 1)]
    score = stdtrit(freedom, even)[np.argsort(np.argsort(np.arange(PATHS) * GOLDEN % 1))][:, None]
    return np.stack(quantiles(centre[row, which] + score * scale[row, which], LEVELS), axis=2)


def knots(horizon: int) -> np.ndarray:
    """The steps ahead at which forecasts are worked out, rising; the first is 1 and the last the horizon."""
    return np.unique(np.maximum(np.round(np.array(KNOTS) * horizon), 1)).astype(int)


def standardised(values: np.ndarray, season: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Series (n × T) without outliers and their season, from their last level on, in usual changes per period.

    A season that was seen less than ``SURE_SEASONS`` times stays in: what it is, is then weighed with the laws.
    Returns the values (n × T), the level and the size taken out of them (n each), and the season (n × its length,
    counted from the first period) in the values' unit.
    """
    periods = values.shape[1]
    least = np.maximum(1e-3 * np.abs(values).max(axis=1), 1e-9)[:, None]
    level = median(values[:, -season:])[:, None]
    size = np.maximum(median(np.abs(np.diff(values, axis=1)))[:, None], least)
    result = (values - level) / size
    effects = season_effects(result, season) if periods >= 2 * season else np.zeros((len(values), season))
    again = effects[:, np.arange(periods) % season]
    result = without_outliers(result - again)
    left = np.maximum(median(np.abs(np.diff(result, axis=1)))[:, None], least / size)
    if periods < SURE_SEASONS * season:
        result += again
    return result / left, level[:, 0], (size * left)[:, 0], effects * size


def season_effects(values: np.ndarray, season: int) -> np.ndarray:
    """Each series' usual difference at each phase of a season, 0 on average: n × T → n × season.

    Posterior means under a level that wanders and a line, so that neither a trend nor a step is taken for a season.
    """
    periods = values.shape[1]
    phase, factors = _around_season(periods, season)
    best, chosen = np.full(len(values), -np.inf), np.zeros((len(values), season))
    for variance, factor in zip(SEASONS, factors, strict=True):
        whitened = solve_triangular(factor, values.T, lower=True)
        evidence = log_evidence(-np.log(np.diag(factor)).sum(), (whitened**2).sum(axis=0), periods)
        effects = (variance * phase @ solve_triangular(factor, whitened, lower=True, trans=1)).T
        chosen = np.where((evidence > best)[:, None], effects - effects.mean(axis=1, keepdims=True), chosen)
        best = np.maximum(best, evidence)
    return chosen


@cache
def _around_season(periods: int, season: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Which period is in which phase (season × T), and the factor of the covariance with each of ``SEASONS``."""
    time = np.arange(periods) + 1.0
    phase = np.equal.outer(np.arange(season), np.arange(periods) % season).astype(float)
    base = ANY_LEVEL + 0.05 * np.multiply.outer(time - periods, time - periods)
    base += 0.15 * np.minimum.outer(time, time) + np.eye(periods)
    return phase, [np.linalg.cholesky(base + variance * phase.T @ phase) for variance in SEASONS]


def without_outliers(values: np.ndarray) -> np.ndarray:
    """The values (n × T), those far from the median of the seven around them moved nearer to it."""
    # Reflected, so that the newest values are compared with those before them.
    around = np.lib.stride_tricks.sliding_window_view(np.pad(values, ((0, 0), (3, 3)), mode="reflect"), 7, axis=1)
    apart = values - np.median(around, axis=2)
    limit = OUTLIER * np.median(np.abs(apart), axis=1, keepdims=True) + 1e-9
    return values - apart + np.clip(apart, -limit, limit)


def dense(quantiles: np.ndarray) -> np.ndarray:
    """Quantiles at ``intervals.LEVELS`` (n × horizon × 5) at all LEVELS, as of normal distributions between them."""
    given, wanted = ndtri(intervals.LEVELS), ndtri(LEVELS)
    right = np.clip(np.searchsorted(given, wanted), 1, len(given) - 1)
    part = (wanted - given[right - 1]) / (given[right] - given[right - 1])
    return quantiles[:, :, right - 1] * (1 - part) + quantiles[:, :, right] * part


def share(
    lean: np.ndarray, number: Sequence[int] | np.ndarray, laws: Trend, reach: int, frequency: Frequency
) -> np.ndarray:
    """How much of each series' forecast at each step is the laws' (n × horizon), 0 where there are none.

    ``lean``: (groups + 1) × buckets, what backtests said, NaN where they said nothing; ``number``: the group of each
    series, -1 for any other. Beyond the ``reach`` of the backtests it is ``Frequency.untested_share``, or more, the
    surer a climb is. Within it too: where a series climbs, the backtests of its group speak of other series than it is
    now; by the day also where it has turned lately. By the hour it must be all but certain, see ``SURE_BY_HOUR``.
    """
    horizon = laws.quantiles.shape[1]
    steps, untested = np.arange(1, horizon + 1), frequency.untested_share
    bounds = intervals.buckets(horizon)
    centres = (bounds[:-1] + bounds[1:] - 1) / 2
    known = np.full((len(lean), len(centres)), untested)
    known[:, : lean.shape[1]] = np.where(np.isnan(lean), untested, lean)
    by_step = np.stack([np.interp(steps, centres, row) for row in known])
    by_step[:, steps > reach] = untested
    climbing, turned = np.nan_to_num(laws.climbing), np.nan_to_num(laws.turned)
    sure_climb = climbing**SURE
    within = climbing**SURE_BY_HOUR if frequency.hourly else np.maximum(turned**SURE, sure_climb)
    surely = np.where(steps > reach, sure_climb[:, None], within[:, None])
    wanted = by_step[np.asarray(number, dtype=int)]
    wanted = wanted + (1 - wanted) * surely
    return np.where(np.isnan(laws.quantiles).any(axis=2), 0.0, wanted)


def leaning(candidates: np.ndarray, laws: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Two forecasts' quantiles (n × horizon × LEVELS each), averaged level by level with a share of the laws."""
    return np.where(share[:, :, None] > 0, share[:, :, None] * laws + (1 - share[:, :, None]) * candidates, candidates)
