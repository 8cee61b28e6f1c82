"""What is said of a series' trend, from its first weeks on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from scipy.special import ndtri

from headroom.core.grid import Grid
from headroom.core.periods import Frequency
from headroom.core.settings import Settings
from headroom.forecast import intervals, trend
from headroom.insight.crossing import chance_crossed

DAYS = Settings()
HOURS = Settings(frequency="h", horizon=168)
MANY = 12
WORK = np.array([1.0, 1, 1, 1, 1, 0, 0])


def told(*series: np.ndarray, settings: Settings = DAYS, metric: str = "cpu") -> trend.Trend:
    """What the laws say of series, each of which ends with the panel."""
    longest = max(map(len, series))
    values = np.stack([np.concatenate([np.full(longest - len(one), np.nan), one]) for one in series])
    dates = pd.date_range(end="2026-12-05", periods=longest, freq=settings.frequency)
    servers = pd.DataFrame({"server_id": [f"s{number}" for number in range(len(series))], "metric": metric})
    return trend.of_grid(Grid(servers, dates, values, settings.frequency), settings)


def noisy(level: np.ndarray, many: int = MANY, spread: float = 1.0) -> list[np.ndarray]:
    """Series of the same level, each with its own noise."""
    return [level + np.random.default_rng(seed).normal(0, spread, len(level)) for seed in range(many)]


def with_memory(days: int, many: int, memory: float = 0.95, spread: float = 5.0) -> list[np.ndarray]:
    """Series around 50 that forget where they have been by a twentieth a day."""
    random = np.random.default_rng(1)
    values = np.empty((days, many))
    values[0] = random.normal(0, spread, many)
    for day in range(1, days):
        values[day] = memory * values[day - 1] + random.normal(0, spread * np.sqrt(1 - memory**2), many)
    return list(50 + values.T)


def chance_above(found: trend.Trend, threshold: float) -> np.ndarray:
    """The chance that each series crosses a threshold within the horizon, as the assessment works it out."""
    scores = np.array([ndtri(level) for level in trend.LEVELS])
    noise = np.ones(len(found.climbing))
    return chance_crossed(found.quantiles, noise, threshold, Frequency.DAY, scores)[:, -1]


def middle(found: trend.Trend) -> np.ndarray:
    return found.quantiles[:, :, trend.LEVELS.index(0.5)]


def width(found: trend.Trend) -> np.ndarray:
    """How wide the band of 90 % is at the end of the horizon."""
    return found.quantiles[:, -1, -1] - found.quantiles[:, -1, 0]


def test_a_steady_climb_goes_on_and_crosses():
    found = told(*noisy(70 + 0.4 * np.arange(-29, 1)))
    assert np.median(found.climbing) > 0.8 and (found.climbing > 0.4).all()
    assert np.median(chance_above(found, 90)) > 0.6
    np.testing.assert_allclose(np.median(middle(found)[:, [29, 59]], axis=0), [82, 94], atol=4)
    assert np.median(found.slope) == pytest.approx(0.4, rel=0.15)
    assert np.median(found.age) > 27  # as long as it has been measured


def test_a_flat_series_stays_where_it_is_and_hardly_spreads():
    found = told(*noisy(np.full(200, 50.0)))
    assert np.median(np.abs(middle(found)[:, -1] - 50)) < 1
    assert np.median(width(found)) < 15
    assert np.median(found.climbing) < 0.1 and np.median(found.turned) < 0.2
    assert np.median(chance_above(found, 90)) < 0.01


def test_a_climb_that_began_a_month_ago_is_told_with_its_age_and_pace():
    found = told(*noisy(30 + 0.4 * np.maximum(np.arange(230) - 199, 0)))
    assert (found.climbing > 0.8).all() and (found.turned > 0.8).all()
    assert np.abs(np.median(found.age) - 30) <= 10 and (np.abs(found.age - 30) <= 15).all()
    assert np.median(found.slope) == pytest.approx(0.4, rel=0.25)
    assert (middle(found)[:, 29] > 46).all()


def test_a_climb_that_has_ended_is_not_said_to_go_on():
    found = told(*noisy(30 + 0.5 * np.minimum(np.arange(120), 90)))
    assert (found.climbing < 0.2).all() and (found.turned > 0.8).all()
    assert np.abs(middle(found)[:, -1] - 75).max() < 3


@pytest.mark.parametrize("age", [14, 40])
def test_a_step_that_lasts_is_no_climb(age):
    found = told(*noisy(30 + 20.0 * (np.arange(120) >= 120 - age)))
    assert (found.climbing < 0.3).all()
    assert np.abs(np.median(middle(found), axis=0) - 50).max() < 3
    assert np.median(width(found)) < 15


@pytest.mark.parametrize("age", [10, 15, 21, 25, 30, 37])
def test_a_step_is_found_on_whatever_day_it_was(age):
    found = told(*noisy(40 + 20.0 * (np.arange(60) >= 60 - age), many=40))
    assert (found.climbing < 0.3).mean() > 0.9
    assert (chance_above(found, 90) < 0.5).all()


def test_what_only_remembers_where_it_has_been_may_go_anywhere():
    """Long swings look like trends: most are not told as such, and the band has room for the next ones."""
    wandering, climbing = told(*with_memory(120, 60)), told(*noisy(30 + 0.4 * np.arange(120)))
    assert np.median(wandering.climbing) < 0.5 < np.median(climbing.climbing)
    assert np.median(width(wandering)) > 20  # where they have been: 33
    ends = np.array([one[-1] for one in with_memory(210, 60)])
    earlier = told(*(one[:120] for one in with_memory(210, 60))).quantiles[:, -1]
    assert ((ends > earlier[:, 0]) & (ends < earlier[:, -1])).mean() > 0.75


@pytest.mark.parametrize("weeks", [4, 9, 17])
def test_a_week_s_rhythm_is_no_climb_and_comes_back(weeks):
    days = np.arange(7 * weeks + 3)
    found = told(*noisy(50 + 15 * WORK[days % 7]))
    assert np.median(found.climbing) < 0.3
    coming = 50 + 15 * WORK[np.arange(len(days), len(days) + 28) % 7]
    assert np.abs(np.median(middle(found)[:, :28], axis=0) - coming).max() < 4


def test_a_burst_of_some_days_is_not_carried_on_as_growth():
    found = told(*noisy(20 + 40.0 * (np.arange(60) >= 56)))
    later = middle(found)[:, 30:]
    assert later.min() > 15 and later.max() < 63
    assert (found.climbing < 0.2).all()


@pytest.mark.parametrize("days", [30, 60, 120])
def test_a_little_more_use_on_the_last_three_days_alarms_nobody(days):
    later = middle(told(*noisy(50 + 4.0 * (np.arange(days) >= days - 3), many=40)))[:, 30:].max(axis=1)
    assert np.median(later) < 57 and np.quantile(later, 0.9) < 75 and later.max() < 90


@pytest.mark.parametrize("days", [30, 60, 120])
def test_one_high_last_day_says_nothing_of_the_quarter(days):
    later = middle(told(*noisy(60 + 35.0 * (np.arange(days) == days - 1), many=40)))[:, 14:].max(axis=1)
    assert np.median(later) < 63 and later.max() < 80


def test_the_unit_of_what_has_no_upper_bound_does_not_matter():
    series = [*noisy(30 + 0.4 * np.arange(60), many=3), *noisy(np.full(60, 5.0), many=3), *with_memory(60, 3)]
    small, large = (told(*(unit * one for one in series), metric="network_in") for unit in (1, 1000))
    np.testing.assert_allclose(large.quantiles, 1000 * small.quantiles, rtol=1e-6, atol=1e-3)
    np.testing.assert_allclose(large.climbing, small.climbing, atol=1e-6)
    np.testing.assert_allclose(large.slope, 1000 * small.slope, rtol=1e-6)


def test_other_servers_change_nothing():
    one, others = noisy(30 + 0.4 * np.arange(60), many=1), with_memory(60, 80)
    alone, among = told(*one), told(*others[:40], *one, *others[40:])
    np.testing.assert_allclose(among.quantiles[40], alone.quantiles[0], rtol=1e-9)
    assert among.climbing[40] == pytest.approx(alone.climbing[0], abs=1e-9)
    # Beside older servers some of its first days may be left out, so that many share a length.
    beside_older = told(*one, *noisy(np.full(90, 5.0), many=2))
    assert np.abs(middle(beside_older)[0] - middle(alone)[0])[:30].max() < 3
    assert beside_older.climbing[0] == pytest.approx(alone.climbing[0], abs=0.2)


def test_of_what_shows_no_law_nothing_is_said():
    random, level = np.random.default_rng(1), noisy(np.full(60, 50.0), many=1)[0]
    mostly_gaps = np.where(random.random(60) < 0.6, np.nan, level)
    mostly_gaps[[0, -1]] = 50
    found = told(mostly_gaps, np.full(60, 42.0), level[:5], np.full(60, np.nan), level[:6], level)
    silent = np.array([True, True, True, True, False, False])
    np.testing.assert_array_equal(np.isnan(found.quantiles).all(axis=(1, 2)), silent)
    np.testing.assert_array_equal(np.isfinite(found.quantiles).all(axis=(1, 2)), ~silent)
    for chance in (found.climbing, found.turned):
        np.testing.assert_array_equal(np.isnan(chance), silent)


def test_some_days_without_a_value_change_little():
    whole = noisy(30 + 0.4 * np.arange(60), many=6)
    gaps = [one.copy() for one in whole]
    for seed, one in enumerate(gaps):
        one[1 + np.random.default_rng(seed).permutation(55)[:6]] = np.nan
    with_gaps, without = told(*gaps), told(*whole)
    assert np.abs(middle(with_gaps) - middle(without))[:, :60].max() < 4
    assert np.abs(with_gaps.climbing - without.climbing).max() < 0.2


def test_what_was_half_a_year_ago_and_longer_is_not_looked_at():
    new = noisy(30 + 0.1 * np.arange(180), many=1)[0]
    np.testing.assert_array_equal(told(np.concatenate([np.full(90, 95.0), new])).quantiles, told(new).quantiles)
    assert told(new).looked_at == 180


@pytest.mark.parametrize(("settings", "periods"), [(DAYS, 40), (Settings(horizon=1), 40), (Settings(horizon=2), 40),
                                                   (Settings(horizon=1000), 40), (HOURS, 240)])  # fmt: skip
def test_quantiles_rise_along_the_levels_at_every_horizon(settings, periods):
    found = told(*noisy(30 + 0.2 * np.arange(periods), many=4), settings=settings)
    assert found.quantiles.shape == (4, settings.horizon, len(trend.LEVELS))
    assert np.isfinite(found.quantiles).all() and (np.diff(found.quantiles, axis=2) >= 0).all()


def test_tomorrow_is_forecast_where_only_tomorrow_is_asked_for():
    found = told(*noisy(30 + 0.4 * np.arange(60)), settings=Settings(horizon=1))
    assert np.abs(middle(found)[:, 0] - 54).max() < 2.5


def test_by_the_hour_a_climb_is_told_with_its_pace_and_the_day_s_rhythm_comes_back():
    hours = np.arange(240)
    daily = 8.0 * (hours % 24 > 8)
    found = told(*noisy(40 + 0.1 * hours + daily), *noisy(40 + daily), settings=HOURS)
    climbing, flat = np.arange(MANY), np.arange(MANY, 2 * MANY)
    assert np.median(found.climbing[climbing]) > 0.8 and np.median(found.climbing[flat]) < 0.2
    assert np.median(found.slope[climbing]) == pytest.approx(0.1, rel=0.15)
    coming = np.median(middle(found)[flat][:, :48], axis=0)
    assert np.abs(coming - 40 - 8 * (np.arange(48) % 24 > 8)).max() < 2


@pytest.mark.slow
@given(st.lists(st.floats(0, 1e6).map(lambda value: round(value, 3)), min_size=6, max_size=60))
@examples(max_examples=25)
def test_of_any_values_the_quantiles_are_finite_and_rise_and_chances_are_chances(values):
    found = told(np.array(values))
    if max(values) == min(values):
        assert np.isnan(found.quantiles).all()
        return
    assert np.isfinite(found.quantiles).all() and (np.diff(found.quantiles, axis=2) >= 0).all()
    for chance in (found.climbing, found.turned):
        assert 0 <= chance[0] <= 1 + 1e-9
    if found.climbing[0] > 0.01:
        assert found.slope[0] > 0 and found.age[0] > 0


def test_lengths_are_cut_so_that_many_share_one_but_never_by_much():
    lengths = np.arange(6, 181)
    cut = np.array([trend.bucket(int(one), 180) for one in lengths])
    assert (cut <= lengths).all() and (cut > lengths / 1.15).all() and (np.diff(cut) >= 0).all()
    assert (cut[lengths <= 24] == lengths[lengths <= 24]).all() and cut[-1] == 180
    assert len(set(cut[lengths > 24])) < 30
    assert [trend.bucket(short, 180) for short in (0, 5)] == [0, 0]
    assert trend.bucket(100, 100) == 100  # as long as the panel is


def test_gaps_are_bridged_in_straight_lines_and_ends_stay_level():
    gaps = np.array([[np.nan, 10, np.nan, np.nan, 16, np.nan]])
    np.testing.assert_allclose(trend.filled(gaps), [[10, 10, 12, 14, 16, 16]])
    assert np.isnan(gaps).sum() == 4


def test_dense_quantiles_keep_those_given_and_are_normal_between_them():
    normal = 50 + 10 * ndtri(np.array(intervals.LEVELS))
    given_ones = np.stack([normal, [10, 11, 20, 70, 71], [5, 5, 5, 5, 5]])[None]
    found = trend.dense(given_ones)
    np.testing.assert_array_equal(found[:, :, trend.SPARSE], given_ones)
    np.testing.assert_allclose(found[0, 0], 50 + 10 * ndtri(np.array(trend.LEVELS)))
    assert (np.diff(found, axis=2) >= 0).all()


def test_leaning_goes_from_the_one_forecast_to_the_other():
    candidates, laws = np.zeros((1, 3, len(trend.LEVELS))), np.full((1, 3, len(trend.LEVELS)), 8.0)
    leaning = trend.leaning(candidates, laws, np.array([[0.0, 0.25, 1.0]]))
    np.testing.assert_array_equal(leaning[0, :, 0], [0, 2, 8])
    nothing = trend.leaning(candidates, laws * np.nan, np.zeros((1, 3)))
    np.testing.assert_array_equal(nothing, candidates)


def some_laws(climbing: float = 0.0, turned: float = 0.0, horizon: int = 90) -> trend.Trend:
    """Laws of two series; of the second there are none."""
    quantiles = np.zeros((2, horizon, len(trend.LEVELS)))
    quantiles[1] = np.nan
    chances = (np.array([one, np.nan]) for one in (climbing, turned))
    return trend.Trend(quantiles, *chances, np.ones(2), np.ones(2), 180)


def test_a_series_without_laws_does_not_lean_to_them():
    for lean in (np.ones((2, 6)), np.full((2, 1), np.nan)):
        shares = trend.share(lean, [0, 0], some_laws(climbing=1.0, turned=1.0), 30, Frequency.DAY)
        assert (shares[0] > 0).all() and (shares[1] == 0).all()


def test_as_far_as_backtests_reach_they_decide_and_beyond_nobody_has_tried():
    lean = np.array([[0.2] * 6, [0.4] * 6])
    for frequency in Frequency:
        for number, known in ((0, 0.2), (-1, 0.4)):
            shares = trend.share(lean, [number, number], some_laws(), 30, frequency)[0]
            np.testing.assert_allclose(shares[:30], known)
            np.testing.assert_allclose(shares[30:], frequency.untested_share)


def test_where_nothing_was_backtested_nobody_has_tried():
    shares = trend.share(np.full((2, 1), np.nan), [0, 0], some_laws(), 0, Frequency.HOUR)[0]
    np.testing.assert_allclose(shares, Frequency.HOUR.untested_share)


def test_a_series_that_has_surely_turned_leans_to_the_laws_whatever_backtests_said():
    lean = np.full((2, 6), 0.1)
    turned, perhaps, hourly = (
        trend.share(lean, [0, 0], some_laws(turned=chance), 90, frequency)[0]
        for chance, frequency in ((1.0, Frequency.DAY), (0.5, Frequency.DAY), (1.0, Frequency.HOUR))
    )
    np.testing.assert_allclose(turned, 1)
    assert (perhaps > 0.1).all() and (perhaps < 0.2).all()
    np.testing.assert_allclose(hourly, 0.1)


def test_a_series_that_surely_climbs_leans_to_the_laws_whatever_backtests_said_of_its_group():
    for frequency in Frequency:
        shares = trend.share(np.full((2, 6), 0.1), [0, 0], some_laws(climbing=1.0), 90, frequency)[0]
        np.testing.assert_allclose(shares, 1)


def test_by_the_hour_what_may_be_a_rhythm_is_left_to_the_backtests():
    likely, hourly = (
        trend.share(np.full((2, 6), 0.1), [0, 0], some_laws(climbing=0.9), 90, frequency)[0]
        for frequency in (Frequency.DAY, Frequency.HOUR)
    )
    assert (likely > 0.6).all()
    assert (hourly < 0.12).all()


def test_beyond_the_backtests_a_likely_climb_counts_by_the_hour_too():
    lean = np.full((2, 6), 0.1)
    likely, unlikely = (
        trend.share(lean, [0, 0], some_laws(climbing=chance), 30, Frequency.HOUR)[0] for chance in (0.9, 0.2)
    )
    assert (likely[:30] < 0.12).all()
    assert (likely[30:] > 0.7).all()
    np.testing.assert_allclose(unlikely[30:], Frequency.HOUR.untested_share, atol=0.05)


def test_a_week_s_effects_are_found_beside_a_climb_and_beside_a_step():
    days = np.arange(70)
    rhythm = 6.0 * WORK[days % 7]
    climb, step = 0.5 * days, 30.0 * (days >= 35)
    plain, *others = (trend.season_effects(np.stack(noisy(rhythm + level, many=4)), 7) for level in (0, climb, step))
    expected = 6 * (WORK - WORK.mean())
    for effects in (plain, *others):
        np.testing.assert_allclose(effects.mean(axis=1), 0, atol=1e-9)
        assert np.abs(effects - expected).max() < 2.5
    none = trend.season_effects(np.stack(noisy(np.zeros(70), many=4)), 7)
    assert np.abs(none).max() < 0.5


def test_what_stands_out_for_a_day_is_moved_nearer_and_what_lasts_is_not():
    values = np.random.default_rng(1).normal(0, 1, (1, 60))
    burst, step = values.copy(), values + 40 * (np.arange(60) >= 30)
    burst[0, 20] += 40
    np.testing.assert_allclose(trend.without_outliers(burst)[0, 20], 0, atol=12)
    newest = values + 40 * (np.arange(60) == 59)
    np.testing.assert_allclose(trend.without_outliers(newest)[0, 59], 0, atol=12)
    np.testing.assert_allclose(np.delete(trend.without_outliers(burst), 20), np.delete(burst, 20), atol=3)
    assert (trend.without_outliers(step)[0, 33:] > 30).all()


def test_the_pairs_that_count_most_are_found_among_all_of_them():
    random = np.random.default_rng(1)
    of_fits, same, with_jumps = (
        random.normal(size=(11, 200, 3)),
        random.integers(0, 200, 300),
        random.normal(size=(3, 24)),
    )
    of_pairs, of_shares = random.normal(size=(11, 300)), random.normal(size=(3, 300))
    of_fits[:, :, 0], with_jumps[1] = -np.inf, -np.inf
    of_fits[3, same[7], 0] = 9.0
    pair, heaviest = trend.heaviest(of_fits, same, of_pairs, of_shares, with_jumps)
    weight = np.moveaxis(of_fits[:, same], 2, 0) + of_pairs + of_shares[:, None]
    every = np.concatenate([weight.reshape(3, -1), with_jumps], axis=1)
    np.testing.assert_array_equal(np.sort(heaviest), np.sort(every)[:, -trend.MOST_LAWS :])
    np.testing.assert_array_equal(np.take_along_axis(every, pair, axis=1), heaviest)
    assert all(len(set(row)) == trend.MOST_LAWS for row in pair.tolist())


def test_the_quantiles_of_a_mixture_are_those_of_its_parts():
    weight = np.array([[0.25, 0.75], [1.0, 0.0]])
    centre, scale = np.array([[[50.0], [10.0]], [[30.0], [90.0]]]), np.array([[[1.0], [2.0]], [[3.0], [1.0]]])
    found = trend.mixed(weight, centre, scale, 1e6)[:, 0]
    # By the root of the mixture's distribution function, at each level.
    exact = [7.0, 7.78, 8.75, 9.49, 10.17, 10.86, 11.68, 13.0, 49.16, 50.25, 50.84]
    np.testing.assert_allclose(found[0], exact, atol=0.3)
    np.testing.assert_allclose(found[1], 30 + 3 * ndtri(np.array(trend.LEVELS)), atol=0.1)
