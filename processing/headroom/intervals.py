"""From point forecasts to quantiles: what past forecasts missed, scaled to each series and step.

Split conformal prediction (Vovk et al. 2005; Romano et al. 2019 for the locally scaled form): the misses of the
backtest, none of which the forecasts had seen, are divided by an expected spread and their quantiles, pooled over a
group of series and neighbouring steps, are multiplied back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headroom.features import quantiles

LEVELS = (0.05, 0.1, 0.5, 0.9, 0.95)
COLUMNS = ["q05", "q10", "q50", "q90", "q95"]
BUCKETS = 6
# Without a single past forecast to learn from: wide.
UNKNOWN = np.array([-2.0, -1.5, 0.0, 1.5, 2.0])
# A bucket of fewer misses than this borrows those of all groups.
ENOUGH = 60


@dataclass(frozen=True)
class Calibration:
    """Quantiles of scaled misses a group and step bucket, learned from a backtest.

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
    """How far a series fell below and above its forecasts (n × any → n × 2), NaN where there is nothing to go by."""
    low, high = quantiles(misses, (0.1, 0.9))
    typical = quantiles(np.abs(misses), (0.5,))[0]
    return np.stack([np.maximum(-low, typical / 2), np.maximum(high, typical / 2)], axis=1)


def spread(below: np.ndarray, above: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Expected spread (n × horizon × 2, below and above): geometric mean of the booster's and the series' own.

    ``below`` and ``above`` (n × horizon) are the booster's, NaN without one; ``own`` is n × 2.
    """
    own = own[:, None, :]
    learned = np.stack([below, above], axis=2)
    learned = np.where(np.isnan(learned), own, learned)
    least = 0.02 * np.maximum(own.max(axis=2, keepdims=True), learned.max(axis=2, keepdims=True)) + 1e-12
    return np.sqrt(np.maximum(learned, least) * np.maximum(own, least))


def calibrate(
    misses: np.ndarray, spreads: np.ndarray, group: np.ndarray, groups: list[str], typical: np.ndarray
) -> Calibration:
    """Learn from misses (actual less forecast, rows × horizon, NaN where unknown) and spreads (rows × horizon × 2)."""
    horizon = misses.shape[1]
    bounds = buckets(horizon)
    scaled = np.where(misses < 0, misses / spreads[:, :, 0], misses / spreads[:, :, 1])
    factors = np.empty((len(groups) + 1, len(bounds) - 1, len(LEVELS)))
    for bucket, (start, stop) in enumerate(zip(bounds[:-1] - 1, bounds[1:] - 1, strict=True)):
        for number, chosen in enumerate([*(group == name for name in groups), np.full(len(group), True)]):
            seen = scaled[chosen, start:stop]
            seen = seen[np.isfinite(seen)]
            if len(seen) < ENOUGH:
                seen = scaled[:, start:stop][np.isfinite(scaled[:, start:stop])]
            factors[number, bucket] = _conformal(seen) if len(seen) else UNKNOWN
    return Calibration(groups, (bounds[:-1] + bounds[1:] - 1) / 2, factors, typical)


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
