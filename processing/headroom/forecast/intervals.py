"""From point forecasts to quantiles: what past forecasts missed, scaled to each series and step.

Split conformal prediction (Vovk et al. 2005; Romano et al. 2019 for the locally scaled form): the misses of the
backtest, none of which the forecasts had seen, are divided by an expected spread and their quantiles, pooled over a
group of series and neighbouring steps, are multiplied back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headroom.core.grid import quantiles

LEVELS = (0.05, 0.1, 0.5, 0.9, 0.95)
COLUMNS = ["q05", "q10", "q50", "q90", "q95"]
BUCKETS = 6
# The least spread of a series in a window, in scales.
LEAST = 0.2
# The spread of a series, in scales, where no backtest could show one.
UNTRIED = 3.0
# How far a window's misses on one side, and those on the other, speak for the first: what went only up in one window
# may come down in the next. And the least either side has, as a share of the usual miss. Tuned by the coverage of the
# 80 % interval in all cases of ``bench.accuracy``, which is 79 to 83 %.
OWN_SIDE, OTHER_SIDE, LEAST_SIDE = 0.7, 0.3, 0.5
# How much of the larger of two expected spreads the smaller counts as at least.
LEAST_SHARE = 0.02
# Quantiles of scaled misses on most data, and how many series' windows' worth they count against what is observed.
USUAL = np.array([-1.4, -1.0, 0.0, 1.0, 1.4])
PRIOR_ROWS = 100


@dataclass(frozen=True)
class Calibration:
    """Quantiles of scaled misses per group and step bucket, learned from a backtest.

    ``factors``: (groups + 1) × buckets × 5, the last for series of any other group; buckets are centred on
    ``centres`` (steps ahead). ``typical``: (groups + 1) × 2, a series' usual spread in scales.
    """

    groups: list[str]
    centres: np.ndarray
    factors: np.ndarray
    typical: np.ndarray


def buckets(horizon: int) -> np.ndarray:
    """Bounds of the step buckets, narrow for the first steps and wider later."""
    return np.unique(np.round(np.geomspace(1, horizon + 1, min(BUCKETS, horizon) + 1)).astype(int))


def own_spread(misses: np.ndarray) -> np.ndarray:
    """How far a series fell below and above its forecasts in one window (n × horizon → n × 2), NaN where unknown."""
    low, high = quantiles(misses, (0.05, 0.95))
    usual = quantiles(np.abs(misses), (0.5,))[0]
    least = LEAST_SIDE * usual
    sides = np.stack([np.maximum(-low, least), np.maximum(high, least)], axis=1) + LEAST
    return sides**OWN_SIDE * sides[:, ::-1] ** OTHER_SIDE


def typical(each: np.ndarray, number: np.ndarray, groups: int) -> np.ndarray:
    """The median over series of spreads per window (windows × n × 2): (groups + 1) × 2, the last over all groups."""
    overall = np.nan_to_num(_median(each), nan=UNTRIED)
    of_groups = [_median(each[:, number == one]) for one in range(groups)]
    return np.stack([np.where(np.isnan(one), overall, one) for one in of_groups] + [overall])


def settled(each: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """A series' spread (n × 2): the geometric mean of its windows' (windows × n × 2) and of the usual one (n × 2).

    Geometric, so that one window with an accident in it does not make every later interval useless.
    """
    logs = np.log(np.concatenate([each, usual[None]]))
    return np.exp(np.nansum(logs, axis=0) / (~np.isnan(logs)).sum(axis=0))


def _median(each: np.ndarray) -> np.ndarray:
    return quantiles(each.reshape(-1, 2).T, (0.5,))[0] if each.size else np.full(2, np.nan)


def spread(below: np.ndarray, above: np.ndarray, own: np.ndarray, apart: np.ndarray) -> np.ndarray:
    """Expected spread below and above (n × horizon × 2).

    The geometric mean of the booster's (``below`` and ``above``, n × horizon, NaN without one) and the series' own
    (``own``, n × 2), and how far the candidates are apart (``apart``, n × horizon × 2): where those that did well
    before disagree, nobody knows.
    """
    own = own[:, None, :]
    learned = np.stack([below, above], axis=2)
    learned = np.where(np.isnan(learned), own, learned)
    least = LEAST_SHARE * np.maximum(own.max(axis=2, keepdims=True), learned.max(axis=2, keepdims=True)) + 1e-12
    return np.sqrt(np.maximum(learned, least) * np.maximum(own, least)) + apart


def calibrate(
    misses: np.ndarray, spreads: np.ndarray, number: np.ndarray, groups: list[str], typical: np.ndarray
) -> Calibration:
    """Learn from misses (actual less forecast, rows × horizon, NaN where unknown) and spreads (rows × horizon × 2).

    ``number`` is the group of each row, an index into ``groups``.
    """
    horizon = misses.shape[1]
    bounds = buckets(horizon)
    scaled = np.where(misses < 0, misses / spreads[:, :, 0], misses / spreads[:, :, 1])
    factors = np.empty((len(groups) + 1, len(bounds) - 1, len(LEVELS)))
    chosen = [*(number == one for one in range(len(groups))), np.full(len(number), True)]
    for bucket, (start, stop) in enumerate(zip(bounds[:-1] - 1, bounds[1:] - 1, strict=True)):
        overall = _shrunk(scaled[:, start:stop], USUAL)
        for one, rows in enumerate(chosen):
            factors[one, bucket] = _shrunk(scaled[rows, start:stop], overall)
    return Calibration(groups, (bounds[:-1] + bounds[1:] - 1) / 2, factors, typical)


def _shrunk(scaled: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """Quantiles of scaled misses (rows × steps), drawn geometrically to others where the rows are few."""
    rows = int(np.isfinite(scaled).any(axis=1).sum())
    if not rows:
        return towards
    found = _conformal(scaled[np.isfinite(scaled)])
    share = rows / (rows + PRIOR_ROWS)
    return np.sign(towards) * np.maximum(np.abs(found), 0.1) ** share * np.abs(towards) ** (1 - share)


def around(points: np.ndarray, spreads: np.ndarray, number: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Quantiles (n × horizon × 5) around point forecasts (n × horizon), not crossing.

    ``number`` (n) is the index of each series' group in the calibration, -1 for any other.
    """
    steps = np.arange(1, points.shape[1] + 1)
    by_step = np.apply_along_axis(lambda known: np.interp(steps, calibration.centres, known), 1, calibration.factors)
    factor = by_step[number]
    offset = np.where(factor < 0, factor * spreads[:, :, :1], factor * spreads[:, :, 1:])
    return np.sort(points[:, :, None] + offset, axis=2)


def _conformal(scaled: np.ndarray) -> np.ndarray:
    """Quantiles with split conformal's correction for few observations; the median stays where it is."""
    levels, count = np.array(LEVELS), len(scaled)
    rank = np.where(levels < 0.5, np.floor((count + 1) * levels), np.ceil((count + 1) * levels))
    result = np.sort(scaled)[np.clip(rank.astype(int) - 1, 0, count - 1)]
    return np.where(levels < 0.5, np.minimum(result, 0), np.where(levels > 0.5, np.maximum(result, 0), 0))
