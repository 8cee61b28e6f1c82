"""Whom to trust: how far off the candidates were in the backtests, how much each counts, and how wide intervals are."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import dataclass

import numpy as np

from headroom.core.grid import mean
from headroom.core.periods import Frequency
from headroom.forecast import intervals, methods, trend
from headroom.forecast.backtest import BOOSTER, CANDIDATES, THETA, Window, apart_from, independent

LAWS, COMBINATION = "laws of trends", "combination"
# How sharply better candidates are preferred, and how many windows' worth a group's experience counts; both tuned on
# the benchmarks' data sets together, where anything from 8 to 16 and 4 to 8 does about as well.
SHARPNESS = 12.0
GROUP_WINDOWS = 6.0
# How sharply for leaning to the laws of trends, and how many series a group must have to count as much as all do.
LEAN_SHARPNESS, LEAN_SERIES = 16.0, 10.0
# The laws must have lost this much less for an equal say: a few windows speak for a whole group.
LEAN_DOUBT = 1.2
SCORES = ("mae", "rmse", "smape", "mase", "scaled_quantile_loss", "coverage_80", "coverage_90")


def weights(windows: list[Window], group: np.ndarray, groups: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """How much candidates count: per series (candidates × n), and per group (candidates × (groups + 1), last: any).

    A candidate's weight falls with a power of its error relative to the typical candidate's; a series' own windows
    count one each, its group's experience ``GROUP_WINDOWS``.
    """
    losses = np.stack([np.full((len(CANDIDATES), len(group)), np.nan), *(window.losses for window in windows)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        typical = np.nanmedian(losses, axis=1, keepdims=True)
        relative = np.log(np.maximum(losses, 1e-3) / np.maximum(typical, 1e-3))
        own = np.nanmean(relative, axis=0)
        overall = np.nanmean(own, axis=1)
        grouped = np.stack([*(np.nanmean(own[:, group == name], axis=1) for name in groups), overall], axis=1)
    # Without any experience the methods count the same and the booster, which could not be trained, nothing.
    untried = np.where(np.isin(CANDIDATES, (BOOSTER, methods.THETA)), np.inf, 0.0)
    overall = np.where(np.isnan(overall), np.inf, overall) if np.isfinite(overall).any() else untried
    known = np.isfinite(grouped)
    grouped = np.where(known, grouped, np.where(known.any(axis=0), np.inf, overall[:, None]))
    of_group = grouped[:, [groups.index(name) for name in group]]
    counted = (~np.isnan(relative)).sum(axis=0)
    score = (counted * np.nan_to_num(own) + GROUP_WINDOWS * of_group) / (counted + GROUP_WINDOWS)
    score[np.isnan(own) & ~np.isnan(own).all(axis=0)] = np.inf
    score[THETA, np.isnan(own[THETA]) | (score[THETA] > score.min(axis=0))] = np.inf
    grouped[THETA] = np.inf
    return _normalised(score), _normalised(grouped)


def _normalised(score: np.ndarray) -> np.ndarray:
    weight = np.exp(-SHARPNESS * (score - score.min(axis=0)))
    return weight / weight.sum(axis=0)


def combine(points: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The candidates' weighted median (candidates × n × horizon, candidates × n → n × horizon).

    Between the two candidates where half the weight is reached it is interpolated. A median, since one candidate that
    is far off must not matter.
    """
    weight = np.broadcast_to(weight[:, :, None], points.shape)
    order = np.argsort(np.where(np.isnan(points) | (weight == 0), np.inf, points), axis=0, kind="stable")
    ordered = np.take_along_axis(points, order, axis=0)
    share = np.take_along_axis(np.where(np.isnan(points), 0.0, weight), order, axis=0)
    share = share / np.maximum(share.sum(axis=0), 1e-12)
    reached = np.cumsum(share, axis=0) - share / 2
    after = np.minimum((reached < 0.5).sum(axis=0), (share > 0).sum(axis=0) - 1)[None]
    before = np.maximum(after - 1, 0)
    low, high, from_, to = (
        np.take_along_axis(of, at, axis=0)[0] for of in (ordered, reached) for at in (before, after)
    )
    part = np.clip((0.5 - from_) / np.maximum(to - from_, 1e-12), 0, 1)
    return low + np.where(to > from_, part, 1.0) * (high - low)


def disagreement(points: np.ndarray, combined: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """How far the candidates lie below and above their combination on average (n × horizon × 2).

    Weights count by their square roots: a candidate that did somewhat worse before is still a possibility.
    """
    share = np.sqrt(weight)[:, :, None] * ~np.isnan(points)
    share /= np.maximum(share.sum(axis=0), 1e-12)
    distance = np.nan_to_num(points - combined)
    return np.stack([(share * np.maximum(side * distance, 0)).sum(axis=0) for side in (-1, 1)], axis=2)


@dataclass(frozen=True)
class Judged:
    """A forecast's scores (n × SCORES), each series' own spread in scales (n × 2), and its intervals' calibration.

    ``newest``: of the combination, its quantiles (n × horizon × 5) in the newest window, as windows apart have them.
    """

    scores: np.ndarray
    own: np.ndarray
    calibration: intervals.Calibration
    newest: np.ndarray | None = None


def judge(
    windows: list[Window], group: np.ndarray, groups: list[str], frequency: Frequency
) -> tuple[dict[str, Judged], np.ndarray]:
    """Scores and calibration of every candidate, of the laws, and of the combination; how far that leans to the laws.

    Nothing judges itself: a window's weights and intervals come from windows that share no day with it, and only such
    windows count. Where the history is too short for them, those that share some (or its own, where it is the only
    one) have to do. The calibration and the leaning (see :func:`lean`) that are kept come from all.
    """
    nowhere = [np.zeros((1, 1, 2))] * len(windows)
    judged = {}
    for number, name in enumerate(CANDIDATES):
        points = [window.points[number] for window in windows]
        quantiles, own, calibration = _quantiles(windows, points, nowhere, group, groups)
        judged[name] = Judged(_scores(windows, quantiles, len(group)), own, calibration)
    combined, between = [], []
    for window in windows:
        weight, _ = weights([windows[other] for other in apart_from(windows, window)], group, groups)
        combined.append(combine(window.points, weight))
        between.append(disagreement(window.points, combined[-1], weight))
    quantiles, own, calibration = _quantiles(windows, combined, between, group, groups)
    dense = [trend.dense(each) for each in quantiles]
    losses = [_losses(window, of_candidates) for window, of_candidates in zip(windows, dense, strict=True)]
    final = []
    for window, each in zip(windows, dense, strict=True):
        leaning = lean([losses[other] for other in apart_from(windows, window)], group, groups)
        share = trend.share(leaning, [groups.index(name) for name in group], window.laws, window.reach, frequency)
        final.append(trend.leaning(each, window.laws.quantiles, share)[:, :, trend.SPARSE])
    laws = [window.laws.quantiles[:, :, trend.SPARSE] for window in windows]
    judged[LAWS] = Judged(_scores(windows, laws, len(group)), own, calibration)
    newest = final[-1] if final else None
    judged[COMBINATION] = Judged(_scores(windows, final, len(group)), own, calibration, newest)
    return judged, lean(losses, group, groups)


def _quantiles(
    windows: list[Window], points: list[np.ndarray], between: list[np.ndarray], group: np.ndarray, groups: list[str]
) -> tuple[list[np.ndarray], np.ndarray, intervals.Calibration]:
    """Quantiles (n × horizon × 5) around one forecast per window (n × horizon), as windows apart from it have them.

    ``between``: how far the candidates are apart around it. Also the own spreads and the calibration from all windows.
    """
    misses = [(window.actual - point) / window.scale[:, None] for window, point in zip(windows, points, strict=True)]
    number = np.array([groups.index(name) for name in group], dtype=int)
    found = []
    for index, window in enumerate(windows):
        others = apart_from(windows, window)
        learned, own = _calibrate(
            [windows[one] for one in others], [misses[one] for one in others], [between[one] for one in others],
            group, groups,
        )  # fmt: skip
        spreads = _spreads(window, own, between[index])
        quantiles = intervals.around(points[index] / window.scale[:, None], spreads, number, learned)
        found.append(quantiles * window.scale[:, None, None])
    calibration, own = _calibrate(windows, misses, between, group, groups)
    return found, own, calibration


def _scores(windows: list[Window], quantiles: list[np.ndarray], count: int) -> np.ndarray:
    """Mean scores (n × SCORES) over the windows that count, NaN where there are none."""
    counted = independent(windows) or range(len(windows))
    scores = [score(windows[index].actual, quantiles[index], windows[index].scale) for index in counted]
    return mean(np.array([np.full((count, len(SCORES)), np.nan), *scores]), axis=0)


def _losses(window: Window, candidates: np.ndarray) -> np.ndarray:
    """Mean pinball losses in scales of the candidates' and of the laws' quantiles: 2 × n × buckets, NaN where unknown.

    ``candidates``: n × horizon × ``trend.LEVELS``.
    """
    bounds = intervals.buckets(window.actual.shape[1]) - 1
    found = np.full((2, len(window.actual), len(bounds) - 1), np.nan)
    both = ~np.isnan(window.laws.quantiles).any(axis=2)
    for number, quantiles in enumerate((candidates, window.laws.quantiles)):
        error = window.actual[:, :, None] - quantiles
        loss = np.maximum(error * trend.LEVELS, error * (np.array(trend.LEVELS) - 1)).mean(axis=2)
        loss = np.where(both, loss, np.nan) / window.scale[:, None]
        for bucket, (start, stop) in enumerate(itertools.pairwise(bounds)):
            found[number, :, bucket] = mean(loss[:, start:stop], axis=1)
    return found


def lean(losses: list[np.ndarray], group: np.ndarray, groups: list[str]) -> np.ndarray:
    """How far to lean from the candidates to the laws: (groups + 1) × buckets of 0 to 1, the last row for any group.

    Given what :func:`_losses` found in each window. The share grows with a power of the ratio of the losses, those of
    a group drawn towards those of all where its series are few; where nothing was backtested it is NaN.
    """
    if not losses:
        return np.full((len(groups) + 1, 1), np.nan)
    both = mean(np.stack(losses), axis=0)  # 2 × n × buckets
    overall = mean(both, axis=1)
    rows = [group == name for name in groups]
    counts = np.stack([np.isfinite(both[0, row]).sum(axis=0) for row in rows])
    of_groups = np.stack([np.nan_to_num(mean(both[:, row], axis=1)) for row in rows])
    of_groups = (counts[:, None] * of_groups + LEAN_SERIES * overall) / (counts[:, None] + LEAN_SERIES)
    candidates, laws = np.moveaxis(np.maximum(np.concatenate([of_groups, overall[None]]), 1e-6), 1, 0)
    return 1 / (1 + (LEAN_DOUBT * laws / candidates) ** LEAN_SHARPNESS)


def _calibrate(
    windows: list[Window], misses: list[np.ndarray], between: list[np.ndarray], group: np.ndarray, groups: list[str]
) -> tuple[intervals.Calibration, np.ndarray]:
    """Calibration and own spreads from misses in scales; each miss meets a spread that other windows gave."""
    horizon = windows[0].actual.shape[1] if windows else 1
    number = np.array([groups.index(name) for name in group], dtype=int)
    each = np.stack([np.full((len(group), 2), np.nan), *map(intervals.own_spread, misses)])[bool(windows) :]
    typical = intervals.typical(each, number, len(groups))
    spreads = []
    for index, window in enumerate(windows):
        own = intervals.settled(each[apart_from(windows, window)], typical[number])
        spreads.append(_spreads(window, own, between[index]))
    calibration = intervals.calibrate(
        np.concatenate(misses) if windows else np.empty((0, horizon)),
        np.concatenate(spreads) if windows else np.empty((0, horizon, 2)),
        np.tile(number, len(windows)),
        groups,
        typical,
    )
    return calibration, intervals.settled(each, typical[number])


def _spreads(window: Window, own: np.ndarray, between: np.ndarray) -> np.ndarray:
    scale = window.scale[:, None]
    return intervals.spread(window.below / scale, window.above / scale, own, between / scale[:, :, None])


def score(actual: np.ndarray, quantiles: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """n × SCORES from actuals (n × horizon, NaN where unknown) and quantiles (n × horizon × 5).

    MASE is Hyndman and Koehler's (2006); the scaled quantile loss is twice the pinball loss, averaged over the five
    levels and divided by the same scale; sMAPE is in percent, 0 where both are 0.
    """
    point = quantiles[:, :, 2]
    error = actual - point
    pinball = 2 * np.maximum(
        (actual[:, :, None] - quantiles) * intervals.LEVELS,
        (actual[:, :, None] - quantiles) * (np.array(intervals.LEVELS) - 1),
    ).mean(axis=2)
    unknown = np.where(np.isnan(error), np.nan, 0.0)
    size = np.abs(actual) + np.abs(point)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        mae = np.nanmean(np.abs(error), axis=1)
        return np.stack(
            [
                mae,
                np.sqrt(np.nanmean(error**2, axis=1)),
                np.nanmean(200 * np.abs(error) / np.where(size > 0, size, 1), axis=1),
                mae / scale,
                np.nanmean(pinball, axis=1) / scale,
                *(
                    np.nanmean(((actual >= quantiles[:, :, low]) & (actual <= quantiles[:, :, high])) + unknown, axis=1)
                    for low, high in ((1, 3), (0, 4))
                ),
            ],
            axis=1,
        )


def means(table: np.ndarray) -> dict[str, float | None]:
    """Mean scores over series (n × SCORES) by name; None where there are none."""
    pairs = zip(SCORES, mean(table, axis=0) if len(table) else np.full(len(SCORES), np.nan), strict=True)
    return {name: round(float(one), 4) if np.isfinite(one) else None for name, one in pairs}
