"""What is believed of the laws before a series is seen."""

from __future__ import annotations

import numpy as np

from headroom.forecast import jumps, prior, trend
from headroom.forecast.laws import explain, laws_of


def test_what_a_law_is_of_all_that_is_possible_counts_only_where_there_is_a_bound():
    laws = laws_of(40, tuple(trend.knots(90).tolist()), 1.0, 7)
    numbers, names = prior.shares(laws, np.array([0.0, 0.001, 0.1])), prior.share_names()
    assert (numbers[0] == -1).all()
    assert (prior.of_shares(laws, np.zeros(1), dict.fromkeys(names, 1.0)) == 0).all()
    for law, (kind, size, end) in enumerate(zip(laws.kinds, laws.sizes[:, 0], laws.ends, strict=True)):
        if not kind:
            assert (numbers[:, law] == -1).all()
            continue
        assert np.isfinite(end) == kind.endswith("that ends")
        for noise, number in zip((0.001, 0.1), numbers[1:, law], strict=True):
            told, least = names[number].split(", ")
            assert told == kind
            least = 0.0 if least.startswith("less") else float(least.split()[0])
            higher = [float(one.split(", ")[1].split()[0]) for one in names if one.startswith(f"{kind}, 0")]
            assert least < noise * size and not any(least < bound < noise * size for bound in higher)


def test_the_prior_names_nothing_that_no_law_has():
    steps = tuple(trend.knots(90).tolist())
    known = {*prior.share_names(), *jumps.NUMBERS}
    for periods in (7, 10, 20, 40, 100, 180):
        laws = laws_of(periods, steps, 1.0, 7)
        known |= {part for parts in laws.parts for part in parts}
        known |= {part for noise in laws.noises for part in noise.parts}
        with_jumps = explain(np.zeros((1, periods)), np.array(steps), 1.0, 7).jumps
        known |= {part for parts in with_jumps.parts for part in parts}
    assert set(prior.measured()) <= known


def test_the_prior_says_what_it_was_measured_on():
    assert "simulated" in prior.measured_on()
    assert all(np.isfinite(weight) for weight in prior.measured().values())
