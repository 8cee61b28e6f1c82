"""Laws with jumps: staircases (batches, tenants that join) and teeth (logs that are rotated, leaks with restarts).

A line with noise that has memory explains a staircase badly, and a single step forgets that the next will come. So the
days of a series' jumps are found first. Given them, a law is a linear regression, weighed under the same noise as the
other laws of :mod:`headroom.forecast.laws`, times how likely jumps on just these days are: a renewal process whose
gaps have a gamma distribution, its mean and regularity weighed on a grid. The gaps also say how many jumps will come.

- A staircase is level between its jumps, which go all in one direction. They have something in common, their size or
  what flows in per period until it comes at once, and each has something of its own. What is common goes on.
- Teeth are a line on which something fills up at the same pace after every drop.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import gammaincc, gammaln, logsumexp

# A level piece has at least so many periods, and explains at least so much more: squared sizes of the noise.
SHORTEST_PIECE, PENALTY = 3, 12.0
# Where a staircase has so few jumps, the lowest has at least this share of the highest's height: without it 3 of 21
# servers with a lasting step were warned of at 90 days.
FEW, LEAST_HEIGHT = 3, 0.2
# From how many usual distances on a fall is a drop.
DROP = 6.0
# Series with more than one and up to the next of these numbers of jumps are weighed together; more are no law.
TOGETHER = (0, 4, 20)
# Of a staircase: what its jumps have in common; the standard deviation of a jump in sizes of the noise; and how much of
# that is each jump's own.
STAIRS = [*itertools.product(("alike", "inflow"), (4.0, 15.0), (0.2, 0.7))]
# Of teeth: standard deviations of the line's slope and the tooth's.
TEETH = [*itertools.product((0.05, 0.3), (0.5, 2.0))]
# Mean gaps in periods, and how regular they are: shapes of the gamma distribution; with 1 any moment is as likely.
MEAN, REGULAR = (grid.ravel() for grid in np.meshgrid(np.geomspace(3, 90, 14), (1.0, 5.0)))
# The prior tells these numbers of jumps and of drops apart.
NUMBERS = ("two jumps", "three jumps or more", "one drop", "two drops", "three drops or more")


@dataclass(frozen=True)
class Noises:
    """What may lie around a law, N kinds, for all series of one length (T periods, S steps ahead).

    Laws with jumps are made of T + 1 shapes: a step on each period, that on the first being a level, and a line that is
    0 on the last. ``parts``: the noises' names in the prior. ``whitening``: N × T × T, the inverse of each covariance's
    factor, in sizes of the noise; ``likely``: N, the logarithm of its determinant. ``known``: N × T × (T + 1), the
    shapes whitened; ``gram``: N × (T + 1) × (T + 1), their products. ``carried``: N × S × T, from whitened values to
    the noise's forecast, of ``variance`` (N × S); ``expected``: N × S × (T + 1), that of the shapes.
    """

    parts: list[tuple[str, ...]]
    whitening: np.ndarray
    likely: np.ndarray
    known: np.ndarray
    gram: np.ndarray
    carried: np.ndarray
    variance: np.ndarray
    expected: np.ndarray


def noises(
    parts: list[tuple[str, ...]], factors: list[np.ndarray], carried: list[np.ndarray], variances: list[np.ndarray]
) -> Noises:
    """The noises of these names and factors (T × T), which go on like this (T × S, and S)."""
    periods = len(factors[0])
    whitening = np.stack([solve_triangular(factor, np.eye(periods), lower=True) for factor in factors])
    likely = np.array([-np.log(np.diag(factor)).sum() for factor in factors])
    shapes = np.concatenate([np.tri(periods), np.arange(1.0 - periods, 1)[:, None]], axis=1)
    known, on = whitening @ shapes, np.swapaxes(np.stack(carried), 1, 2)
    gram = np.swapaxes(known, 1, 2) @ known
    return Noises(parts, whitening, likely, known, gram, on, np.stack(variances), on @ known)


@dataclass(frozen=True)
class Jumps:
    """How J pairs of noise and law with jumps explain n series and go on, S steps ahead.

    ``parts``: the names of each pair in the prior. ``number``: n × J, which of NUMBERS holds too. ``evidence``: n × J,
    minus infinity where a series has no such jumps. ``centre`` and ``scale``: n × J × S, of Student t forecasts.
    ``slope``: n × J, the growth per period.
    """

    parts: list[tuple[str, ...]]
    number: np.ndarray
    evidence: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    slope: np.ndarray


def weighed(values: np.ndarray, around: Noises, ahead: np.ndarray, shape: float, rate: float) -> Jumps:
    """Weigh the laws with jumps by standardised series (n × T); ``ahead``: S, in periods.

    ``shape`` and ``rate`` are those of the inverse gamma prior of the noise's variance.
    """
    names = _names()
    pairs = len(values), len(around.parts), len(names)
    number, evidence, slope = np.zeros(pairs, dtype=int), np.full(pairs, -np.inf), np.zeros(pairs)
    centre, scale = np.zeros((*pairs, len(ahead))), np.ones((*pairs, len(ahead)))
    of_stairs, of_teeth = slice(0, len(STAIRS)), slice(len(STAIRS), len(names))
    # What three of them are called in NUMBERS, and fewer before it.
    three_jumps, three_drops = 1, 4
    kinds = ((_stairs, stairs(values), of_stairs, three_jumps - 3), (_teeth, drops(values), of_teeth, three_drops - 3))
    for law, on, own, first in kinds:
        many = on.sum(axis=1)
        for least, most in itertools.pairwise(TOGETHER):
            rows = np.flatnonzero((many > least) & (many <= most))
            if rows.size:
                days = np.sort(np.where(on[rows], np.arange(on.shape[1]), on.shape[1]), axis=1)[:, : many[rows].max()]
                number[rows, :, own] = first + np.minimum(many[rows], 3)[:, None, None]
                found = law(around, _seen(around, values[rows]), days, _gaps(days, on.shape[1]), ahead, shape, rate)
                for whole, part in zip((evidence, centre, scale, slope), found, strict=True):
                    whole[rows, :, own] = part
    parts = [(*noise, *name) for noise in around.parts for name in names]
    flat = len(values), len(parts)
    return Jumps(
        parts, number.reshape(flat), evidence.reshape(flat), centre.reshape(*flat, -1), scale.reshape(*flat, -1),
        slope.reshape(flat),
    )  # fmt: skip


def _names() -> list[tuple[str, ...]]:
    """The names in the prior of all staircases and teeth."""
    of_stairs: list[tuple[str, ...]] = [
        (f"stairs {common}, own {own:g}", f"stairs {common} x {size:g}") for common, size, own in STAIRS
    ]
    return of_stairs + [(f"teeth x {saw:g}", f"teeth on line x {line:g}") for line, saw in TEETH]


def stairs(values: np.ndarray) -> np.ndarray:
    """On which periods series (n × T) jump that are level otherwise and go in one direction only (n × T booleans).

    One jump alone is a step and no staircase, and so is one beside few that are much lower.
    """
    begins = pieces(values)
    starts = begins.copy()
    starts[:, 0] = True
    row, first = np.nonzero(starts)[0], np.flatnonzero(starts)
    level = np.add.reduceat(values.ravel(), first) / np.diff(first, append=values.size)
    same, jump = np.diff(row) == 0, np.diff(level)
    up = jump > 0
    height = np.zeros((2, len(values)))
    height[0] = np.inf
    np.minimum.at(height[0], row[1:][same], np.abs(jump[same]))
    np.maximum.at(height[1], row[1:][same], np.abs(jump[same]))
    unlike = (height[0] < LEAST_HEIGHT * height[1]) & (begins.sum(axis=1) <= FEW)
    both_ways = np.bincount(row[1:], same & up, len(values)) * np.bincount(row[1:], same & ~up, len(values)) > 0
    return begins & ~(both_ways | unlike)[:, None] & (begins.sum(axis=1, keepdims=True) > 1)


def pieces(values: np.ndarray) -> np.ndarray:
    """On which periods level pieces of standardised series (n × T) begin but for the first (n × T booleans).

    They leave the least squares, a penalty for each added (optimal partitioning, Jackson et al. 2005).
    """
    count, periods = values.shape
    total = np.pad(np.cumsum(values, axis=1), ((0, 0), (1, 0)))
    best, before = np.full((count, periods + 1), np.inf), np.zeros((count, periods + 1), dtype=int)
    best[:, 0] = -PENALTY
    row = np.arange(count)
    length = np.arange(periods, 0, -1.0)
    for end in range(SHORTEST_PIECE, periods + 1):
        many = end - SHORTEST_PIECE + 1
        cost = total[:, end : end + 1] - total[:, :many]
        cost *= cost
        cost /= length[periods - end : periods - end + many]
        np.subtract(best[:, :many], cost, out=cost)
        before[:, end] = cost.argmin(axis=1)
        best[:, end] = cost[row, before[:, end]] + PENALTY
    begins, at = np.zeros((count, periods), dtype=bool), np.full(count, periods)
    while at.any():
        at = before[row, at]
        begins[row[at > 0], at[at > 0]] = True
    return begins


def drops(values: np.ndarray) -> np.ndarray:
    """On which periods series (n × T) fall much further than they usually move (n × T booleans)."""
    change = np.diff(values, axis=1, prepend=values[:, :1])
    change = change - np.median(change, axis=1, keepdims=True)
    falls = change < -DROP * np.median(np.abs(change), axis=1, keepdims=True)
    return falls & ~np.pad(falls, ((0, 0), (1, 0)))[:, :-1]  # of two such days the first


@dataclass(frozen=True)
class Gaps:
    """What the gaps between the jumps of n series say, each the mean over the grid of gaps.

    ``likely``: n, the logarithm of the chance of jumps on just these periods. ``pace``: n, jumps per period. The
    variance of their number in t periods is ``random`` times t and ``doubt`` times t² (n each).
    """

    likely: np.ndarray
    pace: np.ndarray
    random: np.ndarray
    doubt: np.ndarray


def _gaps(days: np.ndarray, periods: int) -> Gaps:
    """Given the jumps' periods among so many (n × k, rising); where there are fewer, that number fills the places."""
    rate, jumped = REGULAR / MEAN, days < periods
    gaps = np.diff(days, axis=1)[..., None].clip(1)
    density = REGULAR * np.log(rate) + (REGULAR - 1) * np.log(gaps) - rate * gaps - gammaln(REGULAR)
    chance = np.where(jumped[:, 1:, None], density, 0).sum(axis=1)
    # The gaps before the first jump and after the last are longer than what was seen of them; any period of the first
    # may be the history's first.
    ends = np.stack([days[:, 0], periods - np.where(jumped, days, 0).max(axis=1)], axis=1)[..., None]
    chance += np.log(np.maximum(gammaincc(REGULAR, rate * ends), 1e-12)).sum(axis=1) - np.log(MEAN)
    likely = logsumexp(chance, axis=1)
    weight = np.exp(chance - likely[:, None])
    pace = weight @ (1 / MEAN)
    random, doubt = weight @ (1 / (MEAN * REGULAR)), weight @ (1 / MEAN**2) - pace**2
    return Gaps(likely - np.log(len(MEAN)), pace, random, doubt)


@dataclass(frozen=True)
class Seen:
    """n series under N noises, whitened: their sums of squares (n × N), their products with the shapes
    (n × N × (T + 1)), and what the noise alone forecasts (n × N × S)."""

    squares: np.ndarray
    products: np.ndarray
    level: np.ndarray


def _seen(around: Noises, values: np.ndarray) -> Seen:
    """Series (n × T) under each noise."""
    white = around.whitening @ values.T
    products, level = np.swapaxes(white, 1, 2) @ around.known, around.carried @ white
    return Seen((white**2).sum(axis=1).T, products.swapaxes(0, 1), level.transpose(2, 0, 1))


Weighed = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Of n series, N noises and V laws: evidence (n × N × V), centres and scales of the forecasts (n × N × V × S each), and
growth per period (n × N × V)."""


def _stairs(
    around: Noises, seen: Seen, days: np.ndarray, gaps: Gaps, ahead: np.ndarray, shape: float, rate: float
) -> Weighed:
    """Staircases of n series that jump on up to k days each (n × k)."""
    jumped = (days < around.known.shape[1]).astype(float)
    apart = 1 / gaps.pace[:, None]
    # What comes at the first jump flowed in for a usual gap, or since the history began.
    inflow = jumped * np.diff(days, axis=1, prepend=days[:, :1] - np.minimum(days[:, :1], apart))
    counted = gaps.random[:, None] * ahead + gaps.doubt[:, None] * ahead**2
    sizes, own = np.array([[size, own * size] for kind, size, own in STAIRS if kind == "alike"]).T ** 2
    result = []
    for kind in ("alike", "inflow"):
        each = inflow if kind == "inflow" else jumped
        coming = ahead + 0 * apart if kind == "inflow" else ahead / apart
        usual = apart if kind == "inflow" else np.ones(apart.shape)
        # A column for what the jumps have in common, and one for each jump's own.
        made = np.concatenate([each[:, :, None], jumped[:, :, None] * np.eye(days.shape[1])], axis=2)
        future = np.ones((len(days), len(ahead), 1 + days.shape[1]))
        future[:, :, 0] = each.sum(axis=1, keepdims=True) + coming
        future[:, :, 1:] = jumped[:, None, :]
        prior = np.empty((len(days), len(sizes), made.shape[2]))
        prior[:, :, 0], prior[:, :, 1:] = sizes / usual**2, own[:, None]
        evidence, centre, variance, noisy, fit = _regression(around, seen, days, made, future, prior, shape, rate)
        jump = fit[..., 0] * usual[:, None]
        # How many come is not known; with an inflow, only what waits for the next.
        variance += (noisy * own)[..., None] * (ahead / apart)[:, None, None]
        variance += jump[..., None] ** 2 * (1 / 12 if kind == "inflow" else counted[:, None, None])
        result.append((gaps.likely[:, None, None] + evidence, centre, np.sqrt(variance), jump / apart[:, None]))
    evidence, centre, scale, slope = (np.concatenate(each, axis=2) for each in zip(*result, strict=True))
    return evidence, centre, scale, slope


def _teeth(
    around: Noises, seen: Seen, days: np.ndarray, gaps: Gaps, ahead: np.ndarray, shape: float, rate: float
) -> Weighed:
    """A line with teeth, of n series that drop on up to k days each (n × k)."""
    periods, usual = around.known.shape[1], 1 / gaps.pace[:, None]
    jumped = days < periods
    newest = np.where(jumped, days, -np.inf).max(axis=1, keepdims=True)
    # A tooth is a line from its begin, which the first has before the history, back to 0 at each drop.
    lost = np.where(jumped, np.diff(days, axis=1, prepend=days[:, :1] - usual), 0)
    begun = periods - 1 - (days[:, :1] - usual)
    shapes = np.concatenate([np.full((len(days), 1), periods), np.zeros((len(days), 1), dtype=int), days], axis=1)
    made = np.zeros((*shapes.shape, 2))
    made[:, 0], made[:, 1:, 1] = 1, np.concatenate([begun, -lost], axis=1)
    # The last tooth goes on until it is as long as usual; of those that follow nobody knows how far they are.
    later = periods - 1 - newest + ahead
    follows = later > usual
    future = np.stack([ahead + 0 * later, np.where(follows, usual / 2, later)], axis=2)
    prior = np.broadcast_to(np.square(TEETH), (len(days), len(TEETH), 2))
    evidence, centre, variance, _, fit = _regression(around, seen, shapes, made, future, prior, shape, rate)
    variance += (follows[:, None, None] / 12) * (fit[..., 1:] * usual[:, None, None]) ** 2
    return gaps.likely[:, None, None] + evidence, centre, np.sqrt(variance), fit[..., 0]


def _regression(
    around: Noises,
    seen: Seen,
    shapes: np.ndarray,
    made: np.ndarray,
    future: np.ndarray,
    prior: np.ndarray,
    shape: float,
    rate: float,
) -> tuple[np.ndarray, ...]:
    """Regress n series on columns of their own under N noises, and forecast by these (n × S × k).

    ``shapes`` and ``made``: which m shapes the columns are made of (n × m), and how much of each (n × m × k).
    ``prior``: n × V × k, the prior variances of the coefficients by each of V laws. Returns evidence (n × N × V),
    centres and variances of the forecasts (n × N × V × S each), the noise's variance (n × N × V) and the coefficients
    (n × N × V × k).
    """
    periods, own = around.known.shape[1], made[:, None]
    gram = around.gram[:, shapes[:, :, None], shapes[:, None, :]].swapaxes(0, 1)
    gram = own.swapaxes(2, 3) @ gram @ own
    products = np.take_along_axis(seen.products, shapes[:, None], axis=2)[:, :, None] @ own
    expected = around.expected[:, :, shapes].transpose(2, 0, 1, 3) @ own
    ahead = (future[:, None] - expected)[:, :, None]
    precise = gram[:, :, None] + (np.eye(made.shape[2]) / prior[:, :, None, :])[:, None]
    products = products[:, :, None].swapaxes(3, 4)
    inverse = np.linalg.inv(precise)
    fit = inverse @ products
    left = np.maximum(seen.squares[:, :, None] - (fit * products).sum(axis=(3, 4)), 0)
    determinant = np.linalg.slogdet(precise)[1] + np.log(prior).sum(axis=2)[:, None]
    evidence = around.likely[:, None] - 0.5 * determinant - (shape + periods / 2) * np.log(rate + 0.5 * left)
    noisy = (rate + 0.5 * left) / (shape + periods / 2)
    variance = noisy[..., None] * (around.variance[:, None] + ((ahead @ inverse) * ahead).sum(axis=4))
    return evidence, seen.level[:, :, None] + (ahead @ fit)[..., 0], variance, noisy, fit[..., 0]
