"""What is said of series that move in jumps: staircases, and teeth that fill up and are emptied."""

from __future__ import annotations

import numpy as np
import pytest

from headroom.forecast import jumps, trend
from headroom.forecast.laws import Explained, explain

STEPS = trend.knots(90)


def noisy(level: np.ndarray, seed: int = 1, spread: float = 1.0) -> np.ndarray:
    return level + np.random.default_rng(seed).normal(0, spread, len(level))


def staircase(days: int, apart: int, height: float) -> np.ndarray:
    """A level that jumps every so many days; its last step is half as old as the others were."""
    return height * ((np.arange(days) + apart // 2 - days) // apart).astype(float)


def weighed(*series: np.ndarray) -> tuple[jumps.Jumps, Explained, np.ndarray]:
    """The laws with jumps of standardised series, all laws, and the best evidence of those without jumps."""
    values = trend.standardised(np.stack(series), 7)[0]
    explained = explain(values, STEPS, 1.0, 7)
    return explained.jumps, explained, explained.evidence.reshape(len(values), -1).max(axis=1)


def best(found: jumps.Jumps) -> np.ndarray:
    return found.evidence.argmax(axis=1)


def test_the_days_on_which_a_staircase_jumps_are_found():
    begins = jumps.pieces(noisy(np.repeat([0.0, 8, 16, 24], [10, 12, 9, 14]))[None])
    np.testing.assert_array_equal(np.flatnonzero(begins[0]), [10, 22, 31])


def test_what_stays_level_has_no_jumps_and_no_drops():
    calm = np.stack([noisy(np.zeros(60), seed) for seed in range(20)])
    assert jumps.pieces(calm).any(axis=1).mean() <= 0.1
    assert jumps.drops(calm).any(axis=1).mean() <= 0.1


def test_what_goes_up_and_comes_down_is_no_staircase():
    """Bursts would otherwise have gaps and sizes that seem to lead somewhere."""
    burst = noisy(np.repeat([0.0, 12, 0], [12, 6, 12]))[None]
    assert jumps.pieces(burst).sum() == 2
    assert not jumps.stairs(burst).any()


def test_one_jump_is_a_step_and_no_staircase():
    assert not jumps.stairs(noisy(np.repeat([0.0, 12], [12, 18]))[None]).any()
    beside_a_low_one = noisy(np.repeat([0.0, 5, 40], [20, 20, 20]))[None]
    assert jumps.pieces(beside_a_low_one).sum() == 2
    assert not jumps.stairs(beside_a_low_one).any()


@pytest.mark.parametrize("apart", [6, 9, 13])
def test_a_staircase_is_explained_better_than_by_any_other_law_and_goes_on_at_its_pace(apart):
    days, height = 45, 6.0
    found, _, others = weighed(*(noisy(50 + staircase(days, apart, height), seed, 0.7) for seed in range(6)))
    assert (found.evidence.max(axis=1) > others + 3).all()
    row, own = np.arange(6), best(found)
    size = np.median(np.abs(np.diff(noisy(np.zeros(500), 1, 0.7))))
    grows = (found.centre[row, own, -1] - found.centre[row, own, 0]) * size
    np.testing.assert_allclose(np.median(grows), height / apart * 89, rtol=0.3)
    assert (found.slope[row, own] > 0).all()


def test_a_staircase_that_goes_down_goes_on_down():
    found, _, _ = weighed(noisy(80 - staircase(60, 8, 6.0)))
    assert found.slope[0, best(found)[0]] < 0
    assert found.centre[0, best(found)[0], -1] < found.centre[0, best(found)[0], 0]


def test_the_more_jumps_were_seen_the_surer_is_what_comes():
    few, many = (weighed(noisy(50 + staircase(days, 8, 6.0)))[0] for days in (20, 100))
    width = [found.scale[0, best(found)[0], -1] for found in (few, many)]
    assert width[1] < 0.6 * width[0]


def test_regular_gaps_say_better_how_many_jumps_will_come_than_irregular_ones():
    regular, irregular = np.array([[5, 13, 21, 29, 37, 45]]), np.array([[2, 5, 21, 23, 42, 45]])
    one, other = jumps._gaps(regular, 50), jumps._gaps(irregular, 50)
    assert one.random < other.random / 2
    assert one.likely > other.likely
    assert one.pace == pytest.approx(1 / 8, rel=0.25)


def test_places_that_no_jump_fills_change_nothing():
    """Series with few jumps are weighed beside others with more."""
    few, many = noisy(50 + staircase(60, 20, 8.0)), noisy(50 + staircase(60, 11, 8.0))
    alone, beside = weighed(few)[0], weighed(few, many)[0]
    np.testing.assert_allclose(alone.evidence[0], beside.evidence[0], rtol=1e-9)
    np.testing.assert_allclose(alone.centre[0], beside.centre[0], rtol=1e-7, atol=1e-9)


def test_a_growing_sawtooth_grows_by_its_line_and_not_by_its_teeth():
    time = np.arange(28)
    found, _, others = weighed(*(noisy(40 + 0.3 * time + 12 * ((time + 4) % 9) / 9, seed, 0.5) for seed in range(6)))
    assert (found.evidence.max(axis=1) > others).mean() > 0.8
    row, own = np.arange(6), best(found)
    assert all("teeth" in " ".join(found.parts[number]) for number in own)
    size = (found.centre[row, own, -1] - found.centre[row, own, 5]) / (STEPS[-1] - STEPS[5])
    assert (size > 0).all()
    level, _, _ = weighed(*(noisy(40 + 12 * ((time + 4) % 9) / 9, seed, 0.5) for seed in range(6)))
    flat = (level.centre[row, best(level), -1] - level.centre[row, best(level), 5]) / (STEPS[-1] - STEPS[5])
    assert np.abs(np.median(flat)) < np.median(size) / 3


def test_of_many_series_each_is_weighed_as_if_it_were_alone():
    series = [noisy(50 + staircase(45, 9, 5.0), seed) for seed in range(3)] + [noisy(np.full(45, 50.0), 4)]
    together = weighed(*series)[0]
    for number, one in enumerate(series):
        np.testing.assert_allclose(weighed(one)[0].evidence[0], together.evidence[number], rtol=1e-9)


def test_by_the_hour_there_are_no_jumps():
    """There the day's rhythm jumps every morning."""
    values = trend.standardised(np.stack([noisy(50 + staircase(96, 24, 5.0))]), 24)[0]
    assert explain(values, trend.knots(168), 168 / 90, 24).jumps is None
