"""How surely, and by when, a series crosses a threshold: chances from forecast quantiles."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

from headroom.core.grid import mean
from headroom.core.periods import Frequency

QUANTILES = {"q05": 0.05, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q95": 0.95}
_SCORES = ndtri(np.array(list(QUANTILES.values())))

# One noisy period is not a crossing: of the crossing window's periods at least this many are above.
CROSSING_PERIODS = 3

PATHS = 200


def chance_crossed(
    quantiles: np.ndarray,
    noise: np.ndarray,
    threshold: float | np.ndarray,
    frequency: Frequency,
    scores: np.ndarray = _SCORES,
) -> np.ndarray:
    """The chance that each series has crossed a threshold by each period.

    A crossing is the first period at or above the threshold from which on ``CROSSING_PERIODS`` of
    ``Frequency.crossing_window`` periods are. The chance is the share of ``PATHS`` sample paths that have crossed. A
    path's value at a period has the distribution that the quantiles describe; between periods, a Gaussian copula with
    one factor ties them: what the forecast may be wrong about as a whole (level, trend) is shared by all periods, and
    what changes from one period to the next (``noise``) is drawn for each. Neither extreme would do: the highest chance
    of any single period forgets that every period is another occasion, and the product over the periods forgets that a
    level once wrong stays wrong.

    Args:
        quantiles: array (n, H, Q), rising along the last axis.
        scores: array (Q,), the quantiles' normal scores, the second and the last but one those of 10 and 90 %.
        threshold: in the metric's unit, one or array (n,).
        noise: array (n,), standard deviation of what differs between periods; NaN counts as 0.

    Returns:
        Array (n, H), rising along H; NaN for series without any forecast.
    """
    window = min(frequency.crossing_window, quantiles.shape[1])
    needed = min(CROSSING_PERIODS, window)
    score = threshold_score(quantiles, threshold, scores)
    spread = (quantiles[:, :, -2] - quantiles[:, :, 1]) / (scores[-2] - scores[1])
    own = np.clip(np.nan_to_num(noise)[:, None] ** 2 / np.maximum(spread, 1e-9) ** 2, 0.001, 1)
    # Windows at the end of the horizon look beyond it: the last window comes once more, and moves on as it did before.
    moved = np.zeros((len(score), 1))
    if score.shape[1] >= 2 * window:
        moved = mean(score[:, -window:] - score[:, -2 * window : -window], axis=1)[:, None]
    score = np.concatenate([score, score[:, -window:][:, : window - 1] + moved], axis=1)
    own = np.concatenate([own, own[:, -window:][:, : window - 1]], axis=1)

    periods = quantiles.shape[1]
    chances = np.zeros((len(quantiles), periods))
    open_question = np.flatnonzero(ndtr(-np.where(np.isnan(score), np.inf, score)).max(axis=1, initial=0) > 1e-3)
    shared, separate = _draws(int(score.shape[1]))
    for row in open_question:
        # A path is at or above the threshold where its normal score is; NaN compares as below.
        above = np.sqrt(1 - own[row]) * shared + np.sqrt(own[row]) * separate >= score[row]
        total = np.cumsum(np.pad(above, ((0, 0), (1, 0))), axis=1)
        enough = above[:, :periods] & (total[:, window:] - total[:, :periods] >= needed)
        chances[row] = np.maximum.accumulate(enough, axis=1).mean(axis=0)
    chances[np.isnan(quantiles).all(axis=(1, 2))] = np.nan
    return chances


def threshold_score(quantiles: np.ndarray, threshold: float | np.ndarray, scores: np.ndarray = _SCORES) -> np.ndarray:
    """Where a threshold lies in the forecast distribution, as a normal score: array (n, H).

    Between the quantiles the score is linear in the value; beyond them it goes on as in a normal distribution whose
    spread is that of the outer half (q05 to q50, or q50 to q95).
    """
    threshold = np.broadcast_to(np.asarray(threshold, dtype=float), len(quantiles))[:, None]
    values = quantiles + np.arange(len(scores)) * 1e-9
    middle = len(scores) // 2
    left = np.clip((values <= threshold[:, :, None]).sum(axis=2) - 1, 0, len(scores) - 2)
    low, high = (np.take_along_axis(values, (left + step)[:, :, None], axis=2)[:, :, 0] for step in (0, 1))
    inside = scores[left] + (threshold - low) / (high - low) * (scores[left + 1] - scores[left])
    below = scores[0] + (threshold - values[:, :, 0]) * -scores[0] / np.maximum(
        values[:, :, middle] - values[:, :, 0], 1e-9
    )
    above = scores[-1] + (threshold - values[:, :, -1]) * scores[-1] / np.maximum(
        values[:, :, -1] - values[:, :, middle], 1e-9
    )
    return np.select([np.isnan(quantiles).any(axis=2), threshold < values[:, :, 0], threshold > values[:, :, -1]],
                     [np.nan, below, above], inside)  # fmt: skip


def _draws(periods: int) -> tuple[np.ndarray, np.ndarray]:
    """Normal scores of the paths: shared (PATHS, 1), evenly over the distribution, and separate (PATHS, periods).

    All series use the same ones, so that a difference between two servers is never a sampling artefact.
    """
    shared = ndtri((np.arange(PATHS) + 0.5) / PATHS)[:, None]
    separate = np.random.default_rng(0).standard_normal((PATHS // 2, periods))
    # Each draw beside its opposite, and shuffled against the shared scores.
    separate = np.concatenate([separate, -separate])
    return shared, np.random.default_rng(1).permutation(separate)
