"""Sizes that clouds sell."""

from __future__ import annotations

from headroom.core.settings import Costs
from headroom.insight.recommend import sizes


def test_the_cheapest_size_that_fits_is_chosen():
    assert sizes.size_for(2, 12, Costs()) == (2, 16)
    assert sizes.size_for(3, 4, Costs()) == (4, 8)
    assert sizes.size_for(1000, 4, Costs()) is None
