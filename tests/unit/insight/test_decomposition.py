"""A series taken apart as STL does it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.seasonal import STL

from headroom.core.periods import Frequency
from headroom.insight.decomposition import decompose, strength

NOISE = np.random.default_rng(0)
YEAR = pd.date_range("2025-01-01", periods=420)


def test_the_decomposition_is_that_of_stl():
    values = 40 + 8 * (YEAR.weekday < 5) + np.linspace(0, 20, len(YEAR)) + NOISE.normal(0, 2, len(YEAR))
    ours = decompose(values[None], YEAR, Frequency.DAY)
    theirs = STL(values, period=7, seasonal=100_001, trend=91).fit()
    inner = slice(45, -45)
    assert np.abs(ours.trend[0] - theirs.trend)[inner].max() < 0.5
    assert np.abs(ours.seasons["week"][0] - theirs.seasonal)[inner].max() < 0.9
    expected = 1 - theirs.resid.var() / (theirs.resid + theirs.seasonal).var()
    assert strength(ours, "week")[0] == pytest.approx(expected, abs=0.03)


def test_the_parts_add_up_to_what_was_measured():
    values = NOISE.normal(50, 5, (3, len(YEAR)))
    values[0, 100:150] = np.nan
    values[1, :400] = np.nan
    parts = decompose(values, YEAR, Frequency.DAY)
    total = parts.trend + sum(parts.seasons.values()) + parts.remainder
    np.testing.assert_allclose(total[np.isfinite(values)], values[np.isfinite(values)])
