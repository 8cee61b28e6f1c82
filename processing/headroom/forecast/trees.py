"""A trained booster's trees, worked out for all series and steps ahead together.

LightGBM takes one row after the other: a series and a step, with all features. But most features are those of the
series alone, others those of the step: what they decide is found once per series or step here, and only the few that
differ by both are compared for each pair. The results are LightGBM's own to the bit, in a third to half of the time.

A tree's leaves are bits of a number. Where a condition does not hold, the leaves to its left are out of reach; the
first within reach of all conditions is the leaf that the tree comes to (Lucchese et al. 2015, "QuickScorer").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# As many leaves as a number has bits.
BITS, LEAVES = np.uint32, 32
# This many pairs of series and step at a time, for the processor's cache.
PAIRS = 25_000


@dataclass(frozen=True)
class Tree:
    """A tree of m conditions "the feature is at most the threshold", and its leaves' ``values`` from left to right.

    ``holds_missing`` (m): whether a condition holds for a feature that is missing. ``lost`` (m): the leaves that are
    out of reach where it does not hold.
    """

    feature: np.ndarray
    threshold: np.ndarray
    holds_missing: np.ndarray
    lost: np.ndarray
    values: np.ndarray


def trees_of(text: str) -> list[Tree]:
    """The trees of a model as LightGBM writes it, whose features are all numbers.

    Raises:
        ValueError, KeyError, IndexError: the text is not that of such a model, or was cut off.
    """
    if "\nend of trees\n" not in text:
        raise ValueError("the booster's text was cut off")
    parts = text.partition("\nend of trees\n")[0].split("\nTree=")[1:]
    return [_tree(dict(line.split("=", 1) for line in part.splitlines() if "=" in line)) for part in parts]


def _tree(given: dict[str, str]) -> Tree:
    values = np.array(given["leaf_value"].split(), float)
    named = ("split_feature", "decision_type", "left_child", "right_child")
    feature, decision, left, right = (np.array(given.get(name, "").split(), int) for name in named)
    threshold = np.array(given.get("threshold", "").split(), float)
    if len(values) > LEAVES or len({len(values) - 1, *map(len, (feature, decision, left, right, threshold))}) > 1:
        raise ValueError(f"a tree with {len(values)} leaves, of at most {LEAVES}, and {len(threshold)} conditions")
    # The lowest bit is for conditions on categories; then where a missing value goes, and of which kind it is.
    to_left, kind = decision & 2 > 0, decision >> 2
    if (decision & 1).any() or (kind == 1).any():
        raise ValueError("a tree with conditions on categories, or for which zero is missing")
    order: list[int] = []
    lost = np.zeros(len(feature), BITS)

    def walk(node: int) -> None:
        if node < 0:
            order.append(~node)
            return
        first = len(order)
        walk(left[node])
        lost[node] = (1 << len(order)) - (1 << first)
        walk(right[node])

    walk(0 if len(feature) else -1)
    if sorted(order) != list(range(len(values))):
        raise ValueError("a tree in which not every leaf is reached")
    # What learned of no missing value takes one for 0.
    holds_missing = np.where(kind == 0, threshold >= 0, to_left)
    return Tree(feature, _not_above(threshold), holds_missing, lost, values[order])


def _not_above(threshold: np.ndarray) -> np.ndarray:
    """The largest single-precision numbers that are not above thresholds: features of that precision compare alike."""
    with np.errstate(over="ignore"):  # where only what is missing goes right, the threshold is beyond all numbers
        near = threshold.astype(np.float32)
    return np.where(near.astype(float) <= threshold, near, np.nextafter(near, np.float32(-np.inf)))


@dataclass(frozen=True)
class Alike:
    """Features whose tables have one shape (a × b), ``values`` each twice (2m × a × b): with what is missing as minus
    infinity, for which all conditions hold, and as NaN, for which none does. And of each tree, the conditions on these
    features: which row of ``values``, the threshold, and the leaves that are lost above it."""

    values: np.ndarray
    conditions: list[tuple[np.ndarray, np.ndarray, np.ndarray]]


def predict(trees: Sequence[Tree], features: Sequence[np.ndarray], count: int, steps: int) -> np.ndarray:
    """What a model says of series at each step ahead (count × steps).

    ``features``: a table each, in the model's order: one row per series or one for all, and one column per step, or
    fewer that repeat.
    """
    alike = [_alike(trees, features, shape) for shape in dict.fromkeys(one.shape for one in features)]
    result = np.zeros((count, steps))
    size = max(PAIRS // steps, 1)
    for start in range(0, count, size):
        rows = slice(start, start + size)
        total = result[rows]
        for number, tree in enumerate(trees):
            lost = np.zeros((1, 1), BITS)
            for one in alike:
                column, threshold, leaves = one.conditions[number]
                if len(column):
                    values = one.values[column, rows if one.values.shape[1] > 1 else slice(1)]
                    by_these = np.bitwise_or.reduce(np.multiply(~(values <= threshold), leaves, dtype=BITS), axis=0)
                    if by_these.shape[1] not in (1, steps):
                        by_these = by_these[:, np.arange(steps) % by_these.shape[1]]
                    lost = lost | by_these
            # As many as are lost before the first that is not.
            total += tree.values.take(np.bitwise_count(lost & ~(lost + BITS(1))))
    return result


def _alike(trees: Sequence[Tree], features: Sequence[np.ndarray], shape: tuple[int, ...]) -> Alike:
    own = np.array([one.shape == shape for one in features])
    values = np.stack([one for one in features if one.shape == shape]).astype(np.float32)
    missing, place = np.isnan(values), np.cumsum(own) - 1
    conditions = []
    for tree in trees:
        on = np.flatnonzero(own[tree.feature])
        column = place[tree.feature[on]] + np.where(tree.holds_missing[on], 0, len(values))
        conditions.append((column, tree.threshold[on, None, None], tree.lost[on, None, None]))
    return Alike(np.concatenate([np.where(missing, np.float32(-np.inf), values), values]), conditions)
