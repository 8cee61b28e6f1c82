"""Servers that behave alike end up together, under a name that stays."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from kinds import DAYS, described, make

from headroom.core import grid
from headroom.core.periods import Frequency
from headroom.core.settings import Settings
from headroom.insight import behaviour, clusters, seasonality


def found(panel, previous=None):
    return clusters.find(described(panel), previous)


def fleet(**counts):
    return {f"{kind}-{number}": kind for kind, count in counts.items() for number in range(count)}


FLEET = fleet(steady=12, office=10, growing=8, idle=6, step=4)


def test_each_behaviour_is_a_cluster_with_a_name_in_words():
    table = found(make(FLEET)).table.set_index("server_id")
    kinds = pd.Series(FLEET).reindex(table.index)
    names = table.groupby(kinds)["cluster_name"].agg(lambda group: "|".join(sorted(set(group))))
    assert names.to_dict() == {
        "steady": "steady, moderate", "office": "weekdays", "growing": "growing", "idle": "idle",
        "step": "one lasting step",
    }  # fmt: skip


def test_a_profile_tells_size_typical_server_and_week():
    result = found(make(FLEET))
    profile = next(one for one in result.profiles if one["name"] == "weekdays")
    assert profile["size"] == 10 and profile["typical_server"].startswith("office-")
    assert profile["weekday_profile"][0] > 2 * profile["weekday_profile"][6] and profile["hour_profile"] is None
    members = result.table[result.table["cluster"] == profile["cluster"]]
    nearest = members.loc[members["distance"].idxmin(), "server_id"]
    assert profile["typical_server"] == nearest
    assert "less at weekends" in profile["description"]


@pytest.mark.slow
def test_the_next_run_finds_the_same_clusters_under_the_same_numbers_and_names(tmp_path):
    first = found(make(FLEET)).table
    first.to_csv(tmp_path / "server_clusters.csv", index=False)
    previous = pd.read_csv(tmp_path / "server_clusters.csv")
    previous["cluster"] += 7
    previous.loc[previous["cluster_name"] == "growing", "cluster_name"] = "our growers"
    grown = FLEET | fleet(idle=20)
    second = found(make(grown, seed=5, days=DAYS + pd.Timedelta(days=7)), previous).table
    both = second.merge(previous, on="server_id")
    assert (both["cluster_x"] == both["cluster_y"]).all()
    assert (both["cluster_name_x"] == both["cluster_name_y"]).all()


@pytest.mark.slow
def test_new_behaviour_gets_a_new_number_and_name():
    first = found(make(fleet(steady=10, office=10))).table
    second = found(make(fleet(steady=10, office=10, growing=10)), first).table
    growing = second[second["server_id"].str.startswith("growing")]
    assert set(growing["cluster_name"]) == {"growing"}
    assert not set(growing["cluster"]) & set(first["cluster"])


HOURS = pd.date_range("2026-08-12", periods=24 * 30, freq="h")


def a_month(kinds, seed=0):
    """Thirty days of hours: idle, on and off, busy by day; a server of each kind jumps, climbs or has a busy day."""
    random = np.random.default_rng(seed)
    rows = []
    for server, kind in kinds.items():
        on = random.permutation(np.repeat([0, 1], 15)).repeat(24)
        y = {
            "idle": np.full(len(HOURS), 2.0),
            "onoff": np.where(on, 95.0, 2.0),
            "day": np.where((HOURS.hour >= 8) & (HOURS.hour < 18), 60.0, 20.0),
            "climbing": np.linspace(20, 60, len(HOURS)),
            "jumping": np.where(np.arange(len(HOURS)) < 360, 20.0, 60.0),
            "month end": np.where(HOURS.day >= 29, 80.0, 40.0),
        }[kind] + random.normal(0, 0.5, len(HOURS))
        y = np.clip(y, 0, 100)
        rows.append(pd.DataFrame({"server_id": server, "metric": "cpu", "ds": HOURS, "y": y, "mean": y}))
    return pd.concat(rows, ignore_index=True)


def found_in_hours(panel):
    laid_out = grid.of_panel(panel, Frequency.HOUR)
    patterns = seasonality.measure(laid_out, Settings(frequency="h"))
    return clusters.find(behaviour.of_servers(panel, laid_out, patterns))


def test_a_month_of_history_says_nothing_of_years_month_ends_and_lasting_steps():
    counts = {"idle": 20, "onoff": 8, "day": 8, "climbing": 4, "jumping": 4, "month end": 4}
    kinds = {f"{kind}-{number}": kind for kind, count in counts.items() for number in range(count)}
    result = found_in_hours(a_month(kinds))
    assert result.table[["growth", "step", "leak", "month_end"]].isna().all(axis=None)
    words = " ".join(one["name"] + one["description"] for one in result.profiles)
    for claim in ("year", "month", "step", "grow", "shrink", "leak"):
        assert claim not in words


def test_days_on_and_off_at_random_are_no_weekends():
    result = found_in_hours(
        a_month({f"onoff-{n}": "onoff" for n in range(10)} | {f"idle-{n}": "idle" for n in range(10)})
    )
    assert {one["name"] for one in result.profiles} == {"idle", "on and off"}
    assert not any("weekend" in one["description"] for one in result.profiles)


@pytest.mark.slow
def test_a_server_like_no_other_is_no_cluster():
    assert [one["size"] for one in found(make(fleet(idle=5, growing=1))).profiles] == [6]
    assert [one["size"] for one in found(make(fleet(idle=5, growing=2))).profiles] == [5, 2]
    assert [one["size"] for one in found(make(fleet(idle=38, growing=2))).profiles] == [38, 2]
    assert [one["size"] for one in found(make(fleet(idle=58, growing=2))).profiles] == [60]


def test_no_two_clusters_have_the_same_name_or_a_number_for_one():
    low = make(fleet(growing=10))
    low[["y", "mean"]] -= 25
    high = make(fleet(growing=10), seed=1).assign(server_id=lambda rows: "high-" + rows["server_id"])
    high[["y", "mean"]] += 25
    both = pd.concat([low, high], ignore_index=True)
    assert {one["name"]: one["size"] for one in found(both).profiles} == {"growing": 20}


@pytest.mark.slow
@pytest.mark.parametrize("previous", [pd.DataFrame(), pd.DataFrame({"server_id": ["a"], "cluster": ["x"]})])
def test_a_previous_run_of_another_form_is_no_obstacle(previous):
    assert len(found(make(FLEET), previous).table) == len(FLEET)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_tiny_fleets_have_clusters_too(count):
    result = found(make(fleet(steady=count)))
    assert len(result.table) == count and sum(one["size"] for one in result.profiles) == count
    assert result.table[["x", "y", "distance"]].notna().all().all()


def test_servers_that_are_all_the_same_are_one_cluster():
    panel = pd.concat([make({"a": "steady"}).assign(server_id=name) for name in "abcde"], ignore_index=True)
    assert set(found(panel).table["cluster"]) == {0}


def test_two_days_of_data_are_enough_not_to_fail():
    assert len(found(make(fleet(steady=3, idle=2), days=DAYS[:2])).table) == 5


def test_a_server_without_any_value_is_in_the_table():
    panel = make(fleet(steady=4, idle=4))
    panel.loc[panel["server_id"] == "idle-0", ["y", "mean"]] = np.nan
    assert "idle-0" in set(found(panel).table["server_id"])


def test_servers_with_only_network_traffic_are_clustered_by_its_rhythm():
    panel = make(fleet(steady=6, office=6)).assign(metric="network_in")
    panel["y"] *= 1000
    panel["mean"] *= 1000
    table = found(panel).table
    assert table.groupby(table["server_id"].str[:4])["cluster"].nunique().tolist() == [1, 1]
    assert table["cluster"].nunique() == 2


@pytest.mark.slow
def test_the_same_input_gives_the_same_table():
    pd.testing.assert_frame_equal(found(make(FLEET)).table, found(make(FLEET)).table)


def test_nobody_is_called_steady_before_growth_can_be_seen():
    panel = make({name: "steady" for name in ("a", "b", "c")}, days=DAYS[:30])
    assert set(found(panel).table["cluster_name"]) == {"moderate use"}
