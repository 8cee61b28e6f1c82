"""What a series' trend is and how it may go on, from the first weeks: Bayesian model averaging over simple laws.

A backtest says nothing of the next quarter while the history is shorter than that. What can be said comes from the
laws that a level may follow (constant; a line; a slope, a step or a saturation that began some time ago; a climb that
has ended) under several kinds of noise (none that lasts, much memory, a random walk, slow waves). Each pair explains
the history more or less well: its weight is a prior times its evidence, and its forecast is a Student t distribution.
The sum over all pairs knows what no single fit does: that a rise over two weeks may be a trend, a wave or an accident
(Hoeting, Madigan, Raftery and Volinsky 1999, "Bayesian model averaging: a tutorial").

All series of one length share the laws and the noise, so a noise's covariance is factorised once for all of them, and
a law's coefficient (normal prior) and the noise's size (inverse gamma prior) are integrated out in closed form
(Rasmussen and Williams 2006, section 2.7; Gelman et al. 2013, section 14.8): the evidence of thousands of pairs is a
few matrix products.

The weights of the prior, ``trend_prior.json``, are measured by ``python -m bench.prior`` on many made-up fleets. They
count like one more observation: the longer the history, the more its own evidence outweighs them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import ndtri, stdtrit
from threadpoolctl import threadpool_limits

from headroom.core.grid import Grid, median, quantiles
from headroom.core.periods import Frequency
from headroom.core.settings import Settings
from headroom.forecast import intervals, jumps
from headroom.forecast.features import side_by_side

PRIOR = Path(__file__).with_name("trend_prior.json")
LEVELS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
# Which of them every forecast shows.
SPARSE = [0, 1, 5, 9, 10]
# A series of which less is measured, as a share of its length, has gaps that no law should be drawn across.
LEAST_SEEN = 0.5
# Of longer histories only the newest part is looked at, half a year. A shorter one than six periods shows no law.
LONGEST, SHORTEST = 180, 6
# How far apart the lengths are that series begun at different times are cut to.
BUCKETS = 1.08
# How many days ago something may have begun, a fifth apart; coarser where two such times are combined.
AGES = (9, 11, 13, 16, 19, 23, 28, 33, 40, 48, 58, 69, 83, 100, 120, 144)
# A climb of little more than a week is none yet. A step is looked for on every day: one that is dated a few days wrong
# leaves outliers behind that ramps and memory explain better, and then goes on rising (on a fleet apart from the
# project's, the mean squared error of chances on servers with a step fell from 0.108 to 0.006 at 60 days).
OLDEST_STEP = 150
COARSE_AGES = (11, 16, 23, 33, 48, 69, 100, 144)
# The prior tells ages apart by these bounds, and the noises of series that are younger than a month.
AGE_GROUPS = (8, 15, 30, 60, 120)
OF_FIRST_WEEKS = " of the first weeks"
# After how many periods from now a climb may end; it may also last.
ENDS = (10, 30, 60)
# How much a law moves a metric that has an upper bound, in shares of that bound (per period or at once): how steep a
# climb is says how long it may last, and what is steep cannot be told from the noise alone.
SHARES: Mapping[str, tuple[float, ...]] = {
    "slope": (0.0003, 0.001, 0.003, 0.01, 0.03),
    "rise": (0.01, 0.03, 0.1, 0.3, 1.0),
}
# Prior standard deviations of a slope per period and of a rise, in sizes of the noise.
SLOPES, RISES = (0.01, 0.03, 0.1, 0.3, 1.0), (5.0, 20.0, 80.0)
SIZES = {
    "line": SLOPES, "slope": SLOPES, "ended": SLOPES, "ramp": SLOPES,
    "step": RISES, "saturation": RISES, "warming": RISES, "burst": RISES, "level": (1.0,),
}  # fmt: skip
# The same where something came later than a line: of the line, and of what came.
LINE_OF_TWO, AFTER_LINE = 0.06, {"slope": 0.3, "step": 10.0}
# Periods in which a rise comes to 63 %: one that began some time ago, and one as old as the series.
PACES, FIRST_PACES = (15.0, 35.0, 80.0), (2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 150.0)
# What may be a burst began this many days ago; and how fast it fades, in days.
BURST_AGES, FADING = (1, 2, 3, 4, 5, 6, 7, 9), 3.0
# Variance of a level that nothing is known of, in squared sizes of the noise.
ANY_LEVEL = 1e4
# Variances of a season's effects that are tried, likewise; the one with the most evidence is taken.
SEASONS = (0.0, 10.0, 300.0)
# From this many seasons on their effects are known well enough to be taken out before the laws are weighed.
SURE_SEASONS = 5
# Inverse gamma prior of the noise's variance, in squares of the usual change from one period to the next.
SHAPE, RATE = 1.0, 0.5
# A value that is further from the median of its neighbours than this many usual distances counts as that far.
OUTLIER = 6.0
# Shares of the horizon at which the forecast is worked out; between them it is a straight line.
KNOTS = (0.0, 0.03, 0.07, 0.13, 0.2, 0.3, 0.42, 0.56, 0.72, 0.86, 1.0)
PATHS, GOLDEN = 199, (5**0.5 - 1) / 2
MOST_LAWS = 80
# Laws with jumps are weighed under these noises, by the day only: by the hour rhythms jump too.
AROUND_JUMPS = ("noise white", "noise memory 0.5")
# This many series at a time, for the processor's cache.
CHUNK = 64
# A change of the slope is recent for this many days: backtests have seen hardly anything of it.
LATELY = 61
# The chance that a series climbs or has turned counts by this power: what only may have leaves the others their say.
SURE = 4


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

    # What is shared and kept must not depend on who asked first, with how many threads: that changes the last digits.
    with threadpool_limits(1, "blas"):
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
    weight = explained.evidence
    weight += _measured_prior(periods, tuple(steps.tolist()), pace, season)
    weight += log_prior_of_shares(explained.laws, size / upper, prior())[:, None, :]
    with_jumps = np.empty((count, 0))
    if explained.jumps is not None:
        with_jumps = explained.jumps.evidence + log_prior_of_jumps(explained.jumps, prior())
    picked, weight = heaviest(weight, with_jumps)
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


def heaviest(weight: np.ndarray, with_jumps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ``MOST_LAWS`` pairs of noise and law with the largest weights, and these (n × K each).

    Given the weights of pairs (n × N × C) and of those with jumps (n × J), see :class:`Explained` for their numbers.
    Of all laws only those can hold such a pair whose largest weight is among the largest.
    """
    count, noises, laws = weight.shape
    best = _largest(weight.max(axis=1), MOST_LAWS)
    pair = (np.arange(noises)[:, None] * laws + best[:, None]).reshape(count, -1)
    pair = np.concatenate([pair, np.tile(np.arange(with_jumps.shape[1]) + noises * laws, (count, 1))], axis=1)
    some = np.take_along_axis(weight, best[:, None], axis=2).reshape(count, -1)
    some = np.concatenate([some, with_jumps], axis=1)
    picked = _largest(some, MOST_LAWS)
    return np.take_along_axis(pair, picked, axis=1), np.take_along_axis(some, picked, axis=1)


def _largest(values: np.ndarray, most: int) -> np.ndarray:
    """In which columns each row's largest values are, rising: at most so many."""
    if values.shape[1] <= most:
        return np.tile(np.arange(values.shape[1]), (len(values), 1))
    return np.sort(np.argpartition(-values, most, axis=1)[:, :most], axis=1)


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
    surer a climb is. By the day also within it: where a series climbs or has turned lately, the backtests of its group
    speak of other series than it is now. By the hour a rhythm seen a few times looks like either.
    """
    horizon = laws.quantiles.shape[1]
    steps, untested = np.arange(1, horizon + 1), frequency.untested_share
    bounds = intervals.buckets(horizon)
    centres = (bounds[:-1] + bounds[1:] - 1) / 2
    known = np.full((len(lean), len(centres)), untested)
    known[:, : lean.shape[1]] = np.where(np.isnan(lean), untested, lean)
    by_step = np.stack([np.interp(steps, centres, row) for row in known])
    by_step[:, steps > reach] = untested
    sure_climb, sure_turn = np.nan_to_num(laws.climbing) ** SURE, np.nan_to_num(laws.turned) ** SURE
    within = np.zeros(len(sure_turn)) if frequency.hourly else np.maximum(sure_turn, sure_climb)
    surely = np.where(steps > reach, sure_climb[:, None], within[:, None])
    wanted = by_step[np.asarray(number, dtype=int)]
    wanted = wanted + (1 - wanted) * surely
    return np.where(np.isnan(laws.quantiles).any(axis=2), 0.0, wanted)


def leaning(candidates: np.ndarray, laws: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Two forecasts' quantiles (n × horizon × LEVELS each), averaged level by level with a share of the laws."""
    return np.where(share[:, :, None] > 0, share[:, :, None] * laws + (1 - share[:, :, None]) * candidates, candidates)


def measured_on() -> str:
    """What the prior was measured on, in words."""
    return json.loads(PRIOR.read_text(encoding="utf-8"))["measured_on"]


@cache
def prior() -> dict[str, float]:
    """The logarithms of the weights of noises and laws, by name, as ``bench.prior`` measured them."""
    return json.loads(PRIOR.read_text(encoding="utf-8"))["log_weights"]


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
        evidence = _evidence(-np.log(np.diag(factor)).sum(), (whitened**2).sum(axis=0), periods)
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


@dataclass(frozen=True)
class Laws:
    """What all series of one length share; times are in the laws' days, see ``Frequency.law_pace``.

    Of each shape that a level may have (the last is none): ``ages``: when it began, ``slopes``: its slope now,
    ``turns``: by how much it turned then.
    ``noises``: what may lie around a law. And of the C laws: ``parts``, their names in the prior; ``shapes``, C × 2
    indices (the second is none for laws of one part); ``sizes``, C × 2, standard deviations of the coefficients;
    ``ends``, C, when a climb will end (infinity for never); ``kinds``, C, what the prior calls it where it asks how
    large it is of all that is possible, "" where it does not. ``around_jumps``: what may lie around laws with
    jumps, where there are any.
    """

    ages: np.ndarray
    slopes: np.ndarray
    turns: np.ndarray
    noises: list[Noise]
    parts: list[tuple[str, ...]]
    shapes: np.ndarray
    sizes: np.ndarray
    ends: np.ndarray
    kinds: list[str]
    around_jumps: jumps.Noises | None

    @cached_property
    def grams(self) -> np.ndarray:
        """``gram`` of every noise (N × shapes × shapes)."""
        return np.stack([noise.gram for noise in self.noises])

    @cached_property
    def variance(self) -> np.ndarray:
        """``variance`` of every noise (N × S)."""
        return np.stack([noise.variance for noise in self.noises])

    @cached_property
    def columns(self) -> np.ndarray:
        """``columns`` of every noise (N × S × shapes)."""
        return np.stack([noise.columns for noise in self.noises])

    @cached_property
    def fits(self) -> tuple[np.ndarray, np.ndarray, int]:
        """The first law of each pair of shapes and sizes, those of one part before those of two, which one each law
        has, and how many are of one part: laws that differ in their ends alone explain the past alike."""
        both = np.concatenate([self.shapes, self.sizes], axis=1)
        _, first, same = np.unique(both, axis=0, return_index=True, return_inverse=True)
        # The coefficient of nothing has a precision of exactly 1 and tells nothing: see ``_left_of_one``.
        alone = (self.shapes[first, 1] == len(self.ages) - 1) & (self.sizes[first, 1] == 1)
        order = np.argsort(~alone, kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        return first[order], rank[same.ravel()], int(alone.sum())


@cache
def laws_of(periods: int, steps: tuple[int, ...], pace: float, season: int) -> Laws:
    """The laws and noises of series of this length.

    ``pace``: the panel's periods in a day of the laws; ``season``: the length of one that may be in the series.
    """
    time = np.concatenate([np.arange(1 - periods, 1), steps]) / pace
    oldest = periods / pace
    names: list[str] = []
    paces: list[tuple[str, ...]] = []
    ages: list[float] = []
    slopes: list[float] = []
    turns: list[float] = []
    columns: list[np.ndarray] = []

    def shape(
        name: str, age: float, column: np.ndarray, slope: float = 0.0, turn: float = 0.0, rate: float | None = None
    ) -> None:
        names.append(name)
        paces.append(() if rate is None else (f"{name} in {rate:g}",))
        ages.append(age)
        columns.append(column)
        slopes.append(slope)
        turns.append(turn)

    shape("line", oldest, time, 1.0)
    for age in (age for age in AGES if age <= oldest - 3):
        shape("slope", age, np.maximum(time + age, 0), 1.0, 1.0)
        shape("ended", age, np.minimum(time + age, 0), turn=1.0)
        for rate in PACES:
            rise = 1 - np.exp(-np.maximum(time + age, 0) / rate)
            shape("saturation", age, rise, np.exp(-age / rate) / rate, 1 / rate, rate)
    for age in (age for age in range(1, OLDEST_STEP + 1) if age <= oldest - 3):
        shape("step", age, (time > -age).astype(float))
        if age in BURST_AGES:
            shape("burst", age, (time > -age) * np.exp(-np.maximum(time, 0) / FADING))
    for age in (age for age in COARSE_AGES if age <= oldest - 3):
        for later in (later for later in COARSE_AGES if later < age):
            shape("ramp", later, np.minimum(np.maximum(time + age, 0), age - later), turn=1.0)
    for rate in FIRST_PACES:
        shape("warming", oldest, 1 - np.exp(-(time + oldest) / rate), np.exp(-oldest / rate) / rate, rate=rate)
    shape("level", oldest, np.zeros(len(time)))

    nothing = len(names) - 1
    laws: list[tuple[tuple[str, ...], tuple[int, int], tuple[float, float], float, str]] = []
    for number, (name, began, pace_of) in enumerate(zip(names, ages, paces, strict=True)):
        since = _age_group(began)
        of_age = name if name in ("warming", "level") else f"{name} {since}"
        for size in SIZES[name]:
            own = (of_age,) if name == "level" else (of_age, f"{name} x {size}", *pace_of)
            if name in ("line", "slope"):
                laws.append(((*own, f"lasts, {since}"), (number, nothing), (size, 1.0), np.inf, name))
                laws += [
                    ((*own, f"ends in {end}, {since}"), (number, nothing), (size, 1.0), end, f"{name} that ends")
                    for end in ENDS
                ]
            else:
                laws.append((own, (number, nothing), (size, 1.0), np.inf, "" if name == "level" else name))
        if name in AFTER_LINE:
            laws.append(((f"line and {of_age}",), (0, number), (LINE_OF_TWO, AFTER_LINE[name]), np.inf, ""))
    parts, kinds = [one for one, *_ in laws], [kind for *_, kind in laws]
    pairs, sizes = np.array([pair for _, pair, *_ in laws]), np.array([size for _, _, size, *_ in laws])
    shared = np.stack(columns, axis=1)
    noises = [
        _factorised(of_noise, covariance, shared, periods, pairs, sizes)
        for of_noise, covariance in _covariances(time, periods, season).items()
    ]
    return Laws(
        np.array(ages),
        np.array(slopes),
        np.array(turns),
        noises,
        parts,
        pairs,
        sizes,
        np.array([end for _, _, _, end, _ in laws], dtype=float),
        kinds,
        _around_jumps(noises) if pace == 1 else None,
    )


def _around_jumps(noises: list[Noise]) -> jumps.Noises:
    """Those of the noises under which laws with jumps are weighed."""
    some = [noise for noise in noises if noise.parts[0].removesuffix(OF_FIRST_WEEKS) in AROUND_JUMPS]
    names = ("parts", "factor", "carried", "variance")
    return jumps.noises(*([getattr(noise, name) for noise in some] for name in names))


def _age_group(age: float) -> str:
    return next((f"since less than {bound} days" for bound in AGE_GROUPS if age < bound), "since longer")


def _covariances(time: np.ndarray, periods: int, season: int) -> dict[tuple[str, ...], np.ndarray]:
    """Covariances of what follows no law, by its names in the prior: white, with memory, wandering, in slow waves.

    Each beside a season of several sizes while that is not sure; what comes is to be told without it.
    """
    apart, own = np.abs(time[:, None] - time), np.eye(len(time))
    since = time - time[0] + 1
    noises = {"white": own}
    noises |= {f"memory {share}": share**apart + 0.3 * own for share in (0.5, 0.8, 0.93, 0.98)}
    noises |= {f"walk {rate}": rate * np.minimum.outer(since, since) + own for rate in (0.02, 0.15, 1.0)}
    noises |= {
        f"waves {length}": 25 * np.exp(-0.5 * (apart / length) ** 2) + 0.5 * 0.6**apart + 0.7 * own
        for length in (12, 25, 50)
    }
    young = OF_FIRST_WEEKS if time[periods - 1] - time[0] < AGE_GROUPS[2] else ""
    noises = {f"noise {name}{young}": ANY_LEVEL + noise for name, noise in noises.items()}
    if periods >= SURE_SEASONS * season:
        return {(name,): noise for name, noise in noises.items()}
    number = np.arange(len(time))
    alike = ((number[:, None] - number) % season == 0) & (np.maximum.outer(number, number) < periods)
    return {
        (name, f"season x {variance:g}"): noise + variance * alike
        for name, noise in noises.items()
        for variance in SEASONS
    }


@dataclass(frozen=True)
class Noise:
    """What follows no law, factorised for all series of one length (T periods, S steps ahead, C laws).

    ``parts``: its names in the prior. ``factor``: T × T, of its covariance in squared sizes of the noise. ``known``:
    T × shapes, whitened; ``gram``: shapes × shapes, their products. ``carried``: T × S, from whitened values to its
    forecast, of ``variance`` (S). ``columns``: S × shapes, what a shape adds to that. Of the laws: ``precision``, see
    :class:`Fitted`, and ``likely``: C, the logarithms of what their evidence owes to determinants.
    """

    parts: tuple[str, ...]
    factor: np.ndarray
    known: np.ndarray
    gram: np.ndarray
    carried: np.ndarray
    variance: np.ndarray
    columns: np.ndarray
    precision: tuple[np.ndarray, np.ndarray, np.ndarray]
    likely: np.ndarray


def _factorised(
    parts: tuple[str, ...],
    covariance: np.ndarray,
    columns: np.ndarray,
    periods: int,
    shapes: np.ndarray,
    sizes: np.ndarray,
) -> Noise:
    """A noise of this covariance ((T + S) × (T + S)) around laws of these columns ((T + S) × shapes)."""
    factor = np.linalg.cholesky(covariance[:periods, :periods])
    known = solve_triangular(factor, columns[:periods], lower=True)
    carried = solve_triangular(factor, covariance[:periods, periods:], lower=True)
    gram, (one, two), (of_one, of_two) = known.T @ known, shapes.T, 1 / sizes.T**2
    precision = gram[one, one] + of_one, gram[two, two] + of_two, gram[one, two]
    determinant = precision[0] * precision[1] - precision[2] ** 2
    return Noise(
        parts=parts,
        factor=factor,
        known=known,
        gram=gram,
        carried=carried,
        variance=np.diag(covariance)[periods:] - (carried**2).sum(axis=0),
        columns=columns[periods:] - carried.T @ known,
        precision=precision,
        likely=-np.log(np.diag(factor)).sum() + 0.5 * np.log(of_one * of_two / determinant),
    )


@dataclass(frozen=True)
class Explained:
    """How n series of one length (T) are explained by each noise (N) and law (C), in sizes of the noise.

    ``evidence``: n × N × C, logarithms. ``squares``: N × n, the whitened series' sums of squares; ``products``: N ×
    shapes × n, those with the shapes. ``level``: N × n × S, the noise's own forecast at S steps ahead. ``jumps``: the J
    pairs of noise and law with jumps, None where there are none.

    A pair's number is that of noise times C plus that of the law; the pairs with jumps follow those N × C.
    """

    laws: Laws
    steps: np.ndarray
    periods: int
    evidence: np.ndarray
    squares: np.ndarray
    products: np.ndarray
    level: np.ndarray
    jumps: jumps.Jumps | None

    @property
    def freedom(self) -> float:
        """The degrees of freedom of the forecasts' Student t distributions."""
        return 2 * SHAPE + self.periods

    def without_jumps(self, pair: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The noise and the law of pairs (n × K each); the first of each for those with jumps."""
        return np.divmod(np.where(self.of_jumps(pair) < 0, pair, 0), len(self.laws.parts))

    def of_jumps(self, pair: np.ndarray) -> np.ndarray:
        """Which of ``jumps`` pairs are, negative for the others."""
        return pair - len(self.laws.noises) * len(self.laws.parts)

    def fitted(self, pair: np.ndarray) -> Fitted:
        """Some pairs of noise and law (n × K), fitted to their series; those with jumps have been fitted already."""
        noise, law = self.without_jumps(pair)
        row = np.arange(len(noise))[:, None]
        one, two = np.moveaxis(self.laws.shapes[law], -1, 0)
        of_one, of_two = np.moveaxis(1 / self.laws.sizes[law] ** 2, -1, 0)
        gram = self.laws.grams
        grams = gram[noise, one, one] + of_one, gram[noise, two, two] + of_two, gram[noise, one, two]
        return _fitted(self.squares[noise, row], self.products[noise, one, row], self.products[noise, two, row], *grams)

    def forecasts(self, pair: np.ndarray, fit: Fitted) -> tuple[np.ndarray, np.ndarray]:
        """Centres and scales (n × K × S) of the Student t forecasts by pairs of noise and law (n × K) and their fit."""
        noise, law = self.without_jumps(pair)
        row = np.arange(len(noise))[:, None]
        first, second = np.moveaxis(self.laws.shapes[law], -1, 0)
        over = np.maximum(self.steps - self.laws.ends[law][..., None], 0)
        one, two = self.laws.columns[noise, :, first], self.laws.columns[noise, :, second]
        centre = self.level[noise, row] + fit.one[..., None] * (one - over) + fit.two[..., None] * two
        squared = fit.precise_two[..., None] * one**2 + fit.precise_one[..., None] * two**2
        added = (squared - 2 * fit.together[..., None] * one * two) / fit.determinant[..., None]
        size = (RATE + 0.5 * fit.left) / (SHAPE + self.periods / 2)
        scale = np.sqrt(np.maximum(self.laws.variance[noise] + added, 1e-9) * size[..., None])
        if self.jumps:
            row, column = np.nonzero(self.of_jumps(pair) >= 0)
            jump = self.of_jumps(pair)[row, column]
            centre[row, column], scale[row, column] = self.jumps.centre[row, jump], self.jumps.scale[row, jump]
        return centre, scale

    def climb(self, pair: np.ndarray, fit: Fitted, weight: np.ndarray) -> tuple[np.ndarray, ...]:
        """The chances that each series climbs now and that it has turned lately; its slope and age if it climbs.

        Given weighed pairs (n × K each) and their fit. Four arrays (n), slopes and ages in the laws' days. What would
        not move a series within the horizon by twice its noise is neither climb nor change.
        """
        shapes = self.laws.shapes[self.without_jumps(pair)[1]]
        coefficients = np.stack([fit.one, fit.two], axis=2)
        least = 2 * np.sqrt(fit.left / self.periods) / self.steps[-1]
        slope = (coefficients * self.laws.slopes[shapes]).sum(axis=2)
        age = self.laws.ages[shapes].min(axis=2)
        if self.jumps:
            row, column = np.nonzero(self.of_jumps(pair) >= 0)
            slope[row, column] = self.jumps.slope[row, self.of_jumps(pair)[row, column]]
            age[row, column] = self.periods
        climbs = np.where(slope > least, weight, 0.0)
        changed = (np.abs(coefficients * self.laws.turns[shapes]) > least[..., None]).any(axis=2)
        turned = np.where(changed & (age < LATELY), weight, 0.0).sum(axis=1)
        return climbs.sum(axis=1), turned, _weighted_median(slope, climbs), _weighted_median(age, climbs)


@dataclass(frozen=True)
class Fitted:
    """Regressions on two shapes with normal priors: posterior means of the coefficients, and what is left over.

    ``precise_one``, ``precise_two`` and ``together`` are the coefficients' posterior precision, a 2 × 2 matrix.
    """

    one: np.ndarray
    two: np.ndarray
    left: np.ndarray
    precise_one: np.ndarray
    precise_two: np.ndarray
    together: np.ndarray
    determinant: np.ndarray


def _fitted(
    squares: np.ndarray,
    product_one: np.ndarray,
    product_two: np.ndarray,
    precise_one: np.ndarray,
    precise_two: np.ndarray,
    together: np.ndarray,
) -> Fitted:
    determinant = precise_one * precise_two - together**2
    one = (precise_two * product_one - together * product_two) / determinant
    two = (precise_one * product_two - together * product_one) / determinant
    left = np.maximum(squares - one * product_one - two * product_two, 0)
    return Fitted(one, two, left, precise_one, precise_two, together, determinant)


def _left_of_one(squares: np.ndarray, product: np.ndarray, precise: np.ndarray) -> np.ndarray:
    """What :func:`_fitted` leaves over, to the bit, where the second shape is nothing, with a precision of 1."""
    return np.maximum(squares - product / precise * product, 0)


def explain(values: np.ndarray, steps: np.ndarray, pace: float, season: int) -> Explained:
    """Weigh every pair of noise and law by the standardised series (n × T) that it is to explain."""
    count, periods = values.shape
    laws = laws_of(periods, tuple(steps.tolist()), pace, season)
    evidence = np.empty((count, len(laws.noises), len(laws.parts)))
    squares, products, level = [], [], []
    first, same, alone = laws.fits
    one, two = first[:alone], first[alone:]
    left = np.empty((len(first), count))  # the series last: what belongs to a law lies together
    for number, noise in enumerate(laws.noises):
        whitened = solve_triangular(noise.factor, values.T, lower=True)
        square, product = (whitened**2).sum(axis=0), noise.known.T @ whitened
        left[:alone] = _left_of_one(square, product[laws.shapes[one, 0]], noise.precision[0][one, None])
        precision = (part[two, None] for part in noise.precision)
        left[alone:] = _fitted(square, *(product[shape] for shape in laws.shapes[two].T), *precision).left
        evidence[:, number] = _evidence(noise.likely[first, None], left, periods)[same].T
        squares.append(square)
        products.append(product)
        level.append((noise.carried.T @ whitened).T)
    around = laws.around_jumps
    return Explained(
        laws=laws,
        steps=steps / pace,
        periods=periods,
        evidence=evidence,
        squares=np.stack(squares),
        products=np.stack(products),
        level=np.stack(level),
        jumps=None if around is None else jumps.weighed(values, around, steps, SHAPE, RATE),
    )


def _evidence(likely: np.ndarray | float, left: np.ndarray, periods: int) -> np.ndarray:
    """The logarithm of the evidence but for a constant, the noise's variance integrated out."""
    return likely - (SHAPE + periods / 2) * np.log(RATE + 0.5 * left)


@cache
def _measured_prior(periods: int, steps: tuple[int, ...], pace: float, season: int) -> np.ndarray:
    """:func:`log_prior` of the laws of one length with the measured weights."""
    return log_prior(laws_of(periods, steps, pace, season), prior())


def log_prior(laws: Laws, weights: dict[str, float]) -> np.ndarray:
    """The logarithms of the prior of each noise and law (N × C): the sums over their parts.

    Laws of the same parts, such as steps of neighbouring ages, share what one of them would have.
    """
    alike = Counter(laws.parts)
    of_law = [sum(weights.get(part, 0.0) for part in parts) - np.log(alike[parts]) for parts in laws.parts]
    of_noise = [sum(weights.get(part, 0.0) for part in noise.parts) for noise in laws.noises]
    return np.add.outer(of_noise, of_law)


def log_prior_of_shares(laws: Laws, size: np.ndarray, weights: dict[str, float]) -> np.ndarray:
    """What the prior adds for how large a law would be of all that is possible (n × C).

    ``size``: n, of the noise, as a share of the metric's upper bound; 0 where there is none, and nothing is added.
    """
    table = np.array([weights.get(name, 0.0) for name in share_names()])
    number = shares(laws, size)
    return np.where(number < 0, 0.0, table[number])


def log_prior_of_jumps(found: jumps.Jumps, weights: Mapping[str, float]) -> np.ndarray:
    """The logarithms of the prior of each pair with jumps, by how many a series has (n × J)."""
    of_pair = np.array([sum(weights.get(part, 0.0) for part in parts) for parts in found.parts])
    return of_pair + np.array([weights.get(name, 0.0) for name in jumps.NUMBERS])[found.number]


def share_names() -> list[str]:
    """The names in the prior of what :func:`shares` tells apart."""
    return [
        f"{kind}, {bound:g} of all and more" if bound else f"{kind}, less of all"
        for kind, bounds in _kinds().items()
        for bound in (0, *bounds)
    ]


def shares(laws: Laws, size: np.ndarray) -> np.ndarray:
    """Which of :func:`share_names` each law is of, for noises of these sizes (n × C); -1 for none, see above."""
    result = np.full((len(size), len(laws.kinds)), -1)
    kinds, first = np.array(laws.kinds), 0
    for kind, bounds in _kinds().items():
        own = np.flatnonzero(kinds == kind)
        large = np.multiply.outer(size, laws.sizes[own, 0])
        result[:, own] = np.where(large > 0, first + np.searchsorted(bounds, large), -1)
        first += len(bounds) + 1
    return result


def _kinds() -> dict[str, tuple[float, ...]]:
    """The kinds of laws that are told apart by shares, with their bounds."""
    slopes = ("line", "line that ends", "slope", "slope that ends", "ended", "ramp")
    rises = ("step", "saturation", "warming", "burst")
    return dict.fromkeys(slopes, SHARES["slope"]) | dict.fromkeys(rises, SHARES["rise"])


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


def _weighted_median(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The median of each row (n × K) under its weights; NaN where they are all zero."""
    order = np.argsort(values, axis=1)
    reached = np.cumsum(np.take_along_axis(weight, order, axis=1), axis=1)
    at = np.minimum((reached < reached[:, -1:] / 2).sum(axis=1), values.shape[1] - 1)[:, None]
    found = np.take_along_axis(np.take_along_axis(values, order, axis=1), at, axis=1)[:, 0]
    return np.where(reached[:, -1] > 0, found, np.nan)
