"""How well each law explains a series."""

from __future__ import annotations

import numpy as np
import pytest

from headroom.forecast import laws, trend


@pytest.mark.parametrize("days", [10, 40, 180])
def test_laws_that_explain_the_past_alike_are_weighed_once_and_every_law_as_if_alone(days):
    values = np.linspace(0, 3, days) + np.random.default_rng(1).normal(size=(3, days))
    explained = laws.explain(values, trend.knots(90), 1.0, 7)
    shared = explained.laws
    assert len(shared.fits[0]) < len(shared.parts)
    for number, noise in enumerate(shared.noises):
        products = (explained.products[number][shared.shapes[:, part]].T for part in (0, 1))
        left = laws._fitted(explained.squares[number][:, None], *products, *noise.precision).left
        wanted = laws.log_evidence(noise.likely, left, days)
        np.testing.assert_array_equal(explained.evidence[:, number], wanted, strict=True)
