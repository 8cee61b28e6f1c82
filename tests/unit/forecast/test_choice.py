"""Who is trusted, and on what evidence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroom.core.periods import Frequency
from headroom.forecast import backtest, choice, intervals, trend

CANDIDATES = len(backtest.CANDIDATES)


def a_window(errors: list[float], series: int = 8, seed: int = 0) -> backtest.Window:
    """A window in which each candidate is off by its error at each step."""
    actual = np.random.default_rng(seed).uniform(30, 60, (series, 14))
    points = actual + np.array(errors)[:, None, None]
    spread = np.ones((series, 14))
    return backtest.Window(100, points, spread, spread, no_laws(series), actual, np.ones(series), 14)


def no_laws(series: int) -> trend.Trend:
    """What the laws of trends say of series that are too short for them."""
    return trend.Trend(np.full((series, 14, len(trend.LEVELS)), np.nan), *np.full((4, series), np.nan), 0)


def test_a_window_does_not_choose_for_itself():
    """Of two windows with favourites of their own each is forecast by the favourite of the other."""
    good, bad = [[5.0] * CANDIDATES, [5.0] * CANDIDATES]
    good[2], bad[4] = 0.1, 0.1
    windows = [a_window(errors, seed=n) for n, errors in enumerate((good, bad))]
    judged = choice.judge(windows, np.array(["g"] * 8), ["g"], Frequency.DAY)[0][choice.COMBINATION].scores
    assert (judged[:, choice.SCORES.index("mae")] > 4).all()


def test_windows_that_share_days_do_not_vouch_for_each_other():
    """The middle one shares days with both others: neither does it judge them, nor is it judged itself."""
    errors = [5.0] * CANDIDATES
    made = [
        replace(window, origin=origin)
        for origin, window in zip((100, 107, 114), (a_window(errors, seed=n) for n in range(3)), strict=True)
    ]
    assert backtest.independent(made) == [0, 2]
    judged = choice.judge(made, np.array(["g"] * 8), ["g"], Frequency.DAY)[0][choice.COMBINATION].scores
    made[1].points[:] = made[1].actual
    again = choice.judge(made, np.array(["g"] * 8), ["g"], Frequency.DAY)[0][choice.COMBINATION].scores
    np.testing.assert_array_equal(judged[:, choice.SCORES.index("mase")], again[:, choice.SCORES.index("mase")])
    assert backtest.independent(made[:2]) == []


def test_a_windows_intervals_are_judged_by_a_truth_they_were_not_made_from():
    """Of an ordinary window and one where all went wrong, neither knows the other's kind of miss."""
    random = np.random.default_rng(2)
    made = [a_window([0.0] * CANDIDATES, series=60, seed=n) for n in range(2)]
    for one, off in zip(made, (0.0, 20.0), strict=True):
        one.actual[:] += random.normal(off, 1, one.actual.shape)
    judged = choice.judge(made, np.array(["g"] * 60), ["g"], Frequency.DAY)[0][choice.COMBINATION]
    # With its own kind known, the window that went wrong would lose a third of that.
    assert judged.scores[:, choice.SCORES.index("scaled_quantile_loss")].mean() > 8


def test_whoever_was_right_everywhere_is_trusted():
    errors = [5.0] * CANDIDATES
    errors[2] = 0.5
    weight, _ = choice.weights([a_window(errors, seed=n) for n in range(3)], np.array(["g"] * 8), ["g"])
    assert (weight[2] > 0.9).all()
    np.testing.assert_allclose(weight.sum(axis=0), 1)


def test_a_series_with_a_favourite_of_its_own_keeps_it():
    errors = [5.0] * CANDIDATES
    errors[2] = 2.0
    made = [a_window(errors, seed=n) for n in range(3)]
    for one in made:
        one.points[:, 0] = one.actual[0] + 5.0
        one.points[3, 0] = one.actual[0] + 0.1
    weight, _ = choice.weights(made, np.array(["g"] * 8), ["g"])
    assert weight[:, 0].argmax() == 3 and weight[:, 1].argmax() == 2


def test_without_any_window_the_methods_count_alike_and_what_was_never_tried_not_at_all():
    weight, of_groups = choice.weights([], np.array(["g"] * 3), ["g"])
    untried = [backtest.CANDIDATES.index(name) for name in ("booster", "theta")]
    assert (weight[untried] == 0).all() and (of_groups[untried] == 0).all()
    np.testing.assert_allclose(np.delete(weight, untried, axis=0), 1 / (CANDIDATES - 2))


@given(
    st.lists(st.floats(0, 1e6), min_size=2, max_size=8),
    st.lists(st.floats(0.01, 1), min_size=8, max_size=8),
    st.floats(0, 1e6),
)
def test_a_combination_lies_among_those_it_combines(values, weight, fill):
    points = np.array(values).reshape(-1, 1, 1)
    combined = choice.combine(points, np.array(weight[: len(values)]).reshape(-1, 1))[0, 0]
    assert min(values) - 1e-6 <= combined <= max(values) + 1e-6
    missing = np.concatenate([points, [[[np.nan]]]])
    with_missing = choice.combine(missing, np.array([*weight[: len(values)], fill + 1]).reshape(-1, 1))[0, 0]
    assert with_missing == pytest.approx(combined)


def test_where_the_candidates_disagree_the_interval_is_wider_on_the_side_they_lean_to():
    points = np.array([[50.0, 50.0], [50.0, 50.0], [50.0, 80.0]])[:, None, :]
    weight = np.array([[0.4], [0.4], [0.2]])
    agreed, leaning = choice.disagreement(points, choice.combine(points, weight), weight)[0]
    np.testing.assert_array_equal(agreed, [0, 0])
    assert leaning[1] > 5 and leaning[0] < leaning[1]
    own, still = np.ones((1, 2)), np.zeros((1, 2))
    above = intervals.spread(still, still, own, np.stack([agreed, leaning])[None])[0, :, 1]
    assert above[1] - above[0] == pytest.approx(leaning[1])


def test_one_candidate_that_is_far_off_does_not_matter():
    points = np.array([50.0, 51.0, 52.0, 1e9]).reshape(-1, 1, 1)
    weight = np.array([0.35, 0.3, 0.25, 0.1]).reshape(-1, 1)
    assert 50 <= choice.combine(points, weight)[0, 0] <= 52


def test_scores_are_those_of_the_textbook():
    actual = np.array([[10.0, 20.0, np.nan, 40.0]])
    quantiles = np.array([[[5, 8, 12, 15, 18], [5, 6, 7, 8, 9], [0, 0, 0, 0, 0], [30, 35, 40, 45, 50]]], float)
    mae, rmse, smape, mase, loss, within_80, within_90 = choice.score(actual, quantiles, np.array([5.0]))[0]
    assert mae == pytest.approx((2 + 13 + 0) / 3)
    assert rmse == pytest.approx(np.sqrt((4 + 169 + 0) / 3))
    assert smape == pytest.approx((200 * 2 / 22 + 200 * 13 / 27) / 3)
    assert mase == pytest.approx(1.0)
    assert (within_80, within_90) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    levels = np.array(intervals.LEVELS)
    pinball = [
        [max(level * (y - q), (level - 1) * (y - q)) for level, q in zip(levels, of, strict=True)]
        for y, of in zip(actual[0, [0, 1, 3]], quantiles[0, [0, 1, 3]], strict=True)
    ]
    assert loss == pytest.approx(2 * np.mean(pinball) / 5)


def test_nothing_to_score_is_no_score():
    nothing, forecasts = np.full((1, 3), np.nan), np.zeros((1, 3, 5))
    assert np.isnan(choice.score(nothing, forecasts, np.ones(1))).all()
    assert np.isnan(choice.score(np.zeros((1, 3)), forecasts * np.nan, np.ones(1))).all()


LOSSES = {"laws half": (2.0, 1.0), "alike": (1.0, 1.0), "laws double": (1.0, 2.0)}


def some_losses(series: int, candidates: float, laws: float, buckets: int = 3) -> np.ndarray:
    return np.stack([np.full((series, buckets), loss) for loss in (candidates, laws)])


def test_forecasts_lean_to_whoever_lost_less():
    group = np.array(["g"] * 40)
    half, alike, double = (choice.lean([some_losses(40, *losses)] * 2, group, ["g"]) for losses in LOSSES.values())
    assert half.shape == (2, 3)
    assert (half > 0.99).all() and (double < 0.01).all()
    assert (alike > 0.05).all() and (alike < 0.51).all()  # in doubt the candidates are not left


def test_a_group_of_few_leans_as_all_do_and_a_large_one_as_itself():
    """Nine tenths of all lose with the laws; a group of their friends is believed if it is large enough."""
    leaning = []
    for friends in (1, 100):
        group = np.array(["friends"] * friends + ["others"] * 9 * friends)
        losses = np.concatenate(
            [some_losses(friends, *LOSSES["laws half"]), some_losses(9 * friends, *LOSSES["laws double"])], axis=1
        )
        leaning.append(choice.lean([losses], group, ["friends", "others"])[:, 0])
    (few, *_), (many, others, overall) = leaning
    assert few < 0.5 < many and others < 0.01 and others < overall < 0.5


def test_what_was_not_backtested_says_nothing_about_leaning():
    assert choice.lean([], np.array(["g"]), ["g"]).shape == (2, 1)
    assert np.isnan(choice.lean([], np.array(["g"]), ["g"])).all()
    losses = some_losses(5, 2.0, 1.0)
    losses[:, :, 2] = np.nan
    found = choice.lean([losses], np.array(["g"] * 5), ["g"])
    assert np.isfinite(found[:, :2]).all() and np.isnan(found[:, 2]).all()


def with_laws(window: backtest.Window, off: float) -> backtest.Window:
    """The window with laws that are off by so much, and sure of it."""
    around = np.linspace(-0.1, 0.1, len(trend.LEVELS))
    chances = (np.full(len(window.actual), one) for one in (0.0, 0.0, 1.0, 100.0))
    return replace(window, laws=trend.Trend((window.actual + off)[:, :, None] + around, *chances, 180))


@pytest.mark.parametrize(("candidates", "laws", "leans"), [(5.0, 0.0, True), (0.1, 20.0, False)])
def test_the_combination_is_the_laws_where_these_were_right_before_and_not_where_they_were_wrong(
    candidates, laws, leans
):
    made = [with_laws(a_window([candidates] * CANDIDATES, seed=n), laws) for n in range(3)]
    made = [replace(one, origin=100 + 14 * number) for number, one in enumerate(made)]
    judged, lean = choice.judge(made, np.array(["g"] * 8), ["g"], Frequency.DAY)
    mae = choice.SCORES.index("mae")
    combined = judged[choice.COMBINATION].scores[:, mae]
    np.testing.assert_allclose(judged[choice.LAWS].scores[:, mae], laws, atol=1e-9)
    assert ((lean > 0.9) if leans else (lean < 0.1)).all()
    assert (combined < min(candidates, max(laws, 0.5)) + 0.5).all()


def test_a_window_does_not_say_how_far_it_leans_itself():
    """Of two windows, in one of which the laws were right and in the other wrong, each is led astray by the other."""
    right, wrong = (with_laws(a_window([3.0] * CANDIDATES, seed=n), off) for n, off in enumerate((0.0, 30.0)))
    judged, _ = choice.judge([right, replace(wrong, origin=200)], np.array(["g"] * 8), ["g"], Frequency.DAY)
    combined = judged[choice.COMBINATION].scores[:, choice.SCORES.index("mae")]
    assert (combined > 15).all()  # 30 where it trusted the laws, 3 where it did not
