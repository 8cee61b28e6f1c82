"""The servers of known laws: each does what its law says, and their truth is true."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from local import fleet
from local.fleet import laws
from local.fleet.generator import crossing

# The level of these stays below the threshold; only noise could ever carry one over it.
NOT_CROSSING = ("plateau", "cache", "step", "shrink", "slow wave", "steady")


@pytest.fixture(scope="module")
def daily() -> fleet.LawFleet:
    return fleet.generate_laws(servers=300, days=60, seed=1)


@pytest.fixture(scope="module")
def hourly() -> fleet.LawFleet:
    return fleet.generate_laws(servers=60, days=7, seed=1, frequency="h")


def of_law(made: fleet.LawFleet, law: str) -> pd.DataFrame:
    return made.truth[made.truth["law"] == law]


def matrix(table: pd.DataFrame, made: fleet.LawFleet) -> pd.DataFrame:
    """A row a server in the truth's order, a column a period."""
    return table.pivot(index="server_id", columns="ds", values="y").reindex(made.truth["server_id"])


def slope(values: np.ndarray) -> float:
    """Points a period, by least squares."""
    return float(np.polyfit(np.arange(len(values)), values, 1)[0])


@pytest.mark.parametrize("frequency", ["D", "h"])
def test_the_same_arguments_give_the_same_fleet(frequency):
    first, second = (fleet.generate_laws(servers=30, days=14, seed=5, frequency=frequency) for _ in range(2))
    for name in ("panel", "future", "truth"):
        pd.testing.assert_frame_equal(getattr(first, name), getattr(second, name))


def test_another_seed_gives_another_fleet():
    first, second = (fleet.generate_laws(servers=30, days=14, seed=seed) for seed in (5, 6))
    assert not first.panel["y"].equals(second.panel["y"])


@pytest.mark.parametrize(("days", "frequency"), [(14, "D"), (400, "D"), (3, "h"), (30, "h")])
def test_every_law_is_present_and_those_that_grow_twice_as_often(days, frequency):
    shares = {name: 2 if law.grows else 1 for name, law in laws.LAWS.items()}
    made = fleet.generate_laws(servers=2 * sum(shares.values()), days=days, frequency=frequency)
    assert made.truth["law"].value_counts().to_dict() == {name: 2 * share for name, share in shares.items()}


def test_truth_has_a_row_and_the_panel_one_metric_for_each_server(daily):
    assert daily.truth["server_id"].is_unique
    assert len(daily.truth) == daily.panel["server_id"].nunique() == daily.future["server_id"].nunique() == 300
    for table in (daily.panel, daily.future):
        told = table.drop_duplicates(["server_id", "metric"])[["server_id", "metric"]]
        assert set(told.itertuples(index=False, name=None)) == set(
            daily.truth[["server_id", "metric"]].itertuples(index=False, name=None)
        )


def test_the_future_begins_where_the_history_ends(daily):
    assert daily.panel["ds"].max() == pd.Timestamp(fleet.END)
    assert daily.future["ds"].min() == pd.Timestamp(fleet.END) + pd.Timedelta(days=1)
    assert daily.panel["ds"].nunique() == 60
    assert daily.future["ds"].nunique() == daily.horizon == 90


@pytest.mark.parametrize("which", ["daily", "hourly"])
def test_values_are_percent_between_1_and_100(which, request):
    made = request.getfixturevalue(which)
    values = pd.concat([made.panel, made.future])["y"]
    assert values.notna().all()
    assert values.between(1, 100).all()


@pytest.mark.parametrize("which", ["daily", "hourly"])
def test_the_critical_date_is_the_first_crossing_of_what_follows(which, request):
    made = request.getfixturevalue(which)
    window = laws.WINDOW[made.frequency]
    # Of the last periods the future does not show all that the rule looks at.
    within = made.horizon - window + 1
    future = matrix(made.future, made)
    first = crossing(future.to_numpy() >= fleet.CRITICAL, within, window)
    expected = pd.Series(future.columns.to_numpy()[first]).where(first >= 0)
    told = made.truth["critical_ds"]
    pd.testing.assert_series_equal(
        told.where(told <= future.columns[within - 1]).reset_index(drop=True), expected, check_names=False
    )
    assert expected.notna().sum() > 10


def test_no_critical_date_lies_outside_the_horizon(daily):
    dates = daily.truth["critical_ds"].dropna()
    assert dates.between(daily.future["ds"].min(), daily.future["ds"].max()).all()


def test_a_bend_is_flat_before_it_began_and_climbs_afterwards():
    made = fleet.generate_laws(servers=40, days=200, laws=("bend",))
    values = np.concatenate([matrix(made.panel, made), matrix(made.future, made)], axis=1)
    now = made.panel["ds"].nunique() - 1
    assert made.truth["began"].between(5, 60).all()
    for began, own in zip(made.truth["began"], values, strict=True):
        start = now - int(began)
        assert abs(slope(own[: start - 1])) < 0.03
        # It may be full soon after it crosses.
        climb = own[start : start + 60]
        assert slope(climb[: max(np.argmax(climb >= 97), 15) if (climb >= 97).any() else None]) > 0.1


def test_what_began_to_climb_before_the_history_is_a_line_there():
    made = fleet.generate_laws(servers=60, days=14, laws=("bend",))
    older = made.truth["began"].isna().to_numpy()
    assert older.sum() > 30
    first = matrix(made.panel, made).to_numpy()[older, :7]
    assert np.median([slope(own) for own in first]) > 0.1
    assert made.truth["began"].dropna().between(5, 14).all()


@pytest.mark.parametrize("law", NOT_CROSSING)
def test_what_does_not_grow_crosses_only_by_the_rarest_noise(law):
    fleets = [fleet.generate_laws(servers=100, days=days, seed=2, laws=(law,)) for days in (14, 60, 180)]
    truth = pd.concat([made.truth for made in fleets])
    assert not truth["grows"].any()
    assert truth["critical_ds"].notna().mean() < 0.01


def test_in_a_fleet_of_all_laws_what_does_not_grow_never_crosses(daily):
    assert daily.truth.loc[daily.truth["law"].isin(NOT_CROSSING), "critical_ds"].isna().all()


@pytest.mark.parametrize("law", ["line", "line with rhythm", "bend", "sawtooth growth", "batch growth"])
def test_many_servers_that_grow_cross_within_the_horizon(law):
    made = fleet.generate_laws(servers=100, days=60, seed=2, laws=(law,))
    assert made.truth["grows"].all()
    assert made.truth["critical_ds"].notna().mean() > 0.35


@pytest.mark.parametrize("frequency", ["D", "h"])
def test_a_cache_has_no_values_before_it_began(frequency):
    made = fleet.generate_laws(servers=40, days=40, laws=("cache",), frequency=frequency)
    first = made.panel.groupby("server_id")["ds"].min().reindex(made.truth["server_id"])
    age = ((made.panel["ds"].max() - first) / pd.Timedelta(1, frequency)).to_numpy()
    np.testing.assert_array_equal(age, np.floor(made.truth["began"]))
    assert (made.panel.groupby("server_id").size().reindex(made.truth["server_id"]).to_numpy() == age + 1).all()


def test_other_servers_are_there_from_the_first_day(daily):
    others = daily.truth.loc[daily.truth["law"] != "cache", "server_id"]
    assert (daily.panel[daily.panel["server_id"].isin(others)].groupby("server_id").size() == 60).all()


def test_what_began_lies_within_the_history(daily):
    began = daily.truth["began"].dropna()
    assert began.between(0, 60).all()
    assert set(daily.truth.loc[began.index, "law"]) == {"bend", "saturation", "step", "cache", "plateau"}


def test_a_plateau_has_stopped_climbing():
    made = fleet.generate_laws(servers=40, days=120, laws=("plateau",))
    history, future = matrix(made.panel, made).to_numpy(), matrix(made.future, made).to_numpy()
    end = [row[-int(began) :].mean() for began, row in zip(made.truth["began"], history, strict=True)]
    assert np.median(np.abs(future.mean(axis=1) - end)) < 1
    assert np.median(end - history[:, :14].mean(axis=1)) > 10


def test_only_the_laws_asked_for_are_made():
    assert set(fleet.generate_laws(servers=10, days=14, laws=("bend", "step")).truth["law"]) == {"bend", "step"}


def test_an_unknown_law_is_refused_with_the_names_of_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown laws \['gravity'\]") as refused:
        fleet.generate_laws(laws=("line", "gravity"))
    for law in laws.LAWS:
        assert law in str(refused.value)


@pytest.mark.parametrize("bad", [{"servers": 0}, {"days": 2}, {"frequency": "W"}, {"laws": ()}])
def test_what_cannot_be_made_is_refused(bad):
    with pytest.raises(ValueError, match="at least"):
        fleet.generate_laws(**bad)


def test_by_the_hour_a_week_of_hours_lies_ahead_and_nights_are_calmer(hourly):
    assert hourly.horizon == 168 == hourly.future["ds"].nunique()
    assert hourly.panel["ds"].nunique() == 7 * 24
    assert (hourly.panel["ds"].drop_duplicates().sort_values().diff().dropna() == pd.Timedelta(hours=1)).all()
    assert set(hourly.truth["law"]) == set(laws.LAWS)
    steady = hourly.panel[hourly.panel["server_id"].isin(of_law(hourly, "steady")["server_id"])]
    by_hour = steady.groupby(steady["ds"].dt.hour)["y"].mean()
    assert by_hour[[22, 23, 0, 1, 2, 3]].max() < by_hour[range(8, 19)].min()


@pytest.mark.parametrize("law", laws.OTHER_LAWS)
def test_laws_that_the_prior_has_not_seen_move_and_stay_between_1_and_100(law):
    made = fleet.generate_laws(servers=30, days=60, seed=1, laws=(law,))
    history, future = matrix(made.panel, made).to_numpy(), matrix(made.future, made).to_numpy()
    assert history.shape == (30, 60) and future.shape == (30, 90)
    both = np.concatenate([history, future], axis=1)
    assert ((both >= 1) & (both <= 100)).all()
    assert np.median(np.ptp(both, axis=1)) > 8
    assert set(made.truth["law"]) == {law} and (made.truth["grows"] == laws.OTHER_LAWS[law].grows).all()


def test_laws_that_the_prior_has_not_seen_are_not_among_those_it_is_measured_on():
    assert not set(laws.OTHER_LAWS) & set(laws.LAWS)
