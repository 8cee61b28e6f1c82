"""Servers that behave alike end up together, under a name that stays."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from headroom import clusters, grid, seasonality
from headroom.settings import Settings

DAYS = pd.date_range("2025-09-01", periods=400)


def make(kinds, seed=0, days=DAYS):
    """A panel and its grid: ``kinds`` is {server_id: kind}."""
    random = np.random.default_rng(seed)
    size = len(days)
    shapes = {
        "steady": np.full(size, 55.0),
        "office": 20 + 40.0 * (days.weekday < 5),
        "growing": 30 + 0.1 * np.arange(size),
        "idle": np.full(size, 2.0),
        "step": 40 + 20.0 * (np.arange(size) > 200),
    }
    rows = []
    for server, kind in kinds.items():
        y = np.clip(shapes[kind] + random.normal(0, 0.02 * shapes[kind].mean(), size), 0, 100)
        rows.append(pd.DataFrame({"server_id": server, "metric": "cpu", "ds": days, "y": y, "mean": y * 0.9}))
    return pd.concat(rows, ignore_index=True)


def found(panel, previous=None):
    laid_out = grid.of_panel(panel, "D")
    patterns = seasonality.measure(laid_out, Settings())
    return clusters.find(clusters.features(panel, laid_out, patterns), laid_out, previous)


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


def test_new_behaviour_gets_a_new_number_and_name():
    first = found(make(fleet(steady=10, office=10))).table
    second = found(make(fleet(steady=10, office=10, growing=10)), first).table
    growing = second[second["server_id"].str.startswith("growing")]
    assert set(growing["cluster_name"]) == {"growing"}
    assert not set(growing["cluster"]) & set(first["cluster"])


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


def test_the_same_input_gives_the_same_table():
    pd.testing.assert_frame_equal(found(make(FLEET)).table, found(make(FLEET)).table)
