"""How surely, and by when, a threshold is crossed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from outlooks import forecast
from scipy.special import ndtr, ndtri

from headroom.core.periods import Frequency
from headroom.insight.crossing import QUANTILES, chance_crossed, threshold_score

SHARES = np.array(list(QUANTILES.values()))


def test_the_chance_of_crossing_lies_between_all_days_as_one_and_each_for_itself():
    quantiles = forecast(np.full(90, 80.0), 6.0)[list(QUANTILES)].to_numpy()[None]
    shared = chance_crossed(quantiles, np.array([0.0]), 84, Frequency.DAY)[0, -1]
    mixed = chance_crossed(quantiles, np.array([3.0]), 84, Frequency.DAY)[0, -1]
    separate = chance_crossed(quantiles, np.array([6.0]), 84, Frequency.DAY)[0, -1]
    marginal = ndtr((80 - 84) / 6)
    assert shared == pytest.approx(marginal, abs=0.03)
    assert shared < mixed < separate


def test_chances_of_a_bad_forecast_are_unknown_not_zero():
    quantiles = np.full((1, 5, 5), np.nan)
    assert np.isnan(chance_crossed(quantiles, np.array([1.0]), 90, Frequency.DAY)).all()


def test_a_certain_forecast_needs_no_spread():
    above = chance_crossed(np.full((1, 10, 5), 95.0), np.array([0.0]), 90, Frequency.DAY)
    below = chance_crossed(np.full((1, 10, 5), 85.0), np.array([np.nan]), 90, Frequency.DAY)
    assert (above == 1).all() and (below == 0).all()


def test_thresholds_lie_in_the_forecast_distribution_where_a_normal_one_has_them():
    quantiles = (50 + 10 * ndtri(SHARES))[None, None, :]
    for threshold in (20, 36, 48, 50, 60, 80):
        assert threshold_score(quantiles, threshold)[0, 0] == pytest.approx((threshold - 50) / 10, abs=1e-6)


@given(
    quantiles=st.lists(st.floats(0, 100), min_size=5, max_size=5).map(sorted),
    low=st.floats(0, 100), high=st.floats(0, 100),
)  # fmt: skip
def test_a_higher_threshold_is_never_likelier_to_be_crossed(quantiles, low, high):
    low, high = sorted((low, high))
    array = np.tile(quantiles, (1, 12, 1))
    lower, higher = (chance_crossed(array, np.array([1.0]), one, Frequency.DAY)[0] for one in (low, high))
    assert (lower >= higher - 1e-12).all()
    assert (np.diff(lower) >= 0).all() and lower.min() >= 0 and lower.max() <= 1
