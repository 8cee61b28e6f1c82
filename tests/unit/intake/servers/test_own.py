"""A dataset's own metrics as files have them: named, in their units, counters, and what is free."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headroom import preprocess
from headroom.core.job import InputError
from tests import exports

HOURS = [f"2024-02-13T{hour:02}:00:00Z" for hour in range(24)]


def column(panel, metric, name="max"):
    return panel.query("metric == @metric")[name].tolist()


def table(heading, values, server="db-1", times=HOURS):
    return f"time,host,{heading}\n" + "".join(
        f"{at},{server},{value}\n" for at, value in zip(times, values, strict=False)
    )


def test_an_own_metric_is_found_by_its_name_its_label_and_its_other_names(tmp_path):
    own = "metrics: {conns: {label: database connections, unit: connections, names: [DatabaseConnections]}}"
    for number, heading in enumerate(["conns", "Conns [Count]", "Database Connections", "databaseconnections"]):
        panel, _ = exports.read(tmp_path / str(number), {"a.csv": table(heading, range(24))}, own)
        assert column(panel, "conns") == [23] and panel["unit"].tolist() == ["connections"], heading


def test_an_own_metric_is_found_in_a_metric_column_and_by_a_mapping(tmp_path):
    long = "time,host,metric,value,unit\n" + "".join(
        f"{at},db-1,{name},{value},{unit}\n"
        for at in HOURS
        for name, value, unit in (("cpu", 40, "%"), ("DatabaseConnections", 120, "Count"), ("Sessions", 7, ""))
    )
    own = """
metrics: {conns: {unit: connections, names: [DatabaseConnections]}, sessions_open: {unit: sessions}}
columns: {Sessions: sessions_open}
"""
    panel, quality = exports.read(tmp_path, {"a.csv": long}, own)
    assert (column(panel, "cpu"), column(panel, "conns"), column(panel, "sessions_open")) == ([40], [120], [7])
    assert quality["unmatched_mappings"] == [] and exports.adds_up(quality)


def test_values_are_converted_to_the_metrics_unit_and_others_are_refused(tmp_path):
    own = "metrics: {cache: {unit: GB, capacity: 64}}"
    panel, _ = exports.read(tmp_path / "a", {"a.csv": table("cache [GiB]", [32] * 24)}, own)
    assert column(panel, "cache") == [pytest.approx(34.359738368)]
    with pytest.raises(InputError, match=r"cache.*is in 'ms', of which Headroom cannot make GB"):
        exports.read(tmp_path / "b", {"a.csv": table("cache [ms]", [32] * 24)}, own)


def test_large_values_of_own_metrics_are_no_percentages(tmp_path):
    own = "metrics: {sent: {unit: B}, gpu: {unit: '%'}}"
    panel, _ = exports.read(tmp_path / "a", {"a.csv": table("sent", [5e12 + hour for hour in range(24)])}, own)
    assert column(panel, "sent") == [5e12 + 23] and column(panel, "sent", "mean") == [5e12 + 11.5]
    panel, quality = exports.read(tmp_path / "b", {"a.csv": table("gpu", [*range(23), 104])}, own)
    assert column(panel, "gpu") == [100] and quality["values"]["clipped"] == 1


# --- what is free ---


def test_what_is_free_becomes_used_before_the_quantiles(tmp_path):
    free = [2000 - 10 * hour for hour in range(24)]
    own = "metrics: {volume: {unit: GB, direction: free, capacity: 2000}}"
    panel, _ = exports.read(tmp_path, {"a.csv": table("volume", free)}, own)
    used = 2000 - np.array(free)
    assert column(panel, "volume") == [used.max()]
    assert column(panel, "volume", "p95") == [pytest.approx(np.quantile(used, 0.95))]


def test_more_free_than_there_is_goes_to_quarantine(tmp_path):
    own = "metrics: {volume: {unit: GB, direction: free, capacity: 2000}}"
    _, quality = exports.read(tmp_path, {"a.csv": table("volume", [*[1000] * 23, 2100])}, own)
    assert quality["rows"]["quarantined"] == 1 and "outside 0 to" in quality["reasons"][0]["reason"]


def test_a_capacity_from_a_column_changes_over_time(tmp_path):
    rows = "time,host,volume,volume_size\n" + "".join(
        f"2024-02-{day}T{hour:02}:00:00Z,db-1,400,{size}\n"
        for day, size in (("13", 1000), ("14", 2000)) for hour in range(24)
    )  # fmt: skip
    own = "metrics: {volume: {unit: GB, direction: free, capacity: {column: volume_size}}}"
    panel, _ = exports.read(tmp_path, {"a.csv": rows}, own)
    assert panel["metric"].unique().tolist() == ["volume"]
    assert panel["max"].tolist() == [600, 1600] and panel["capacity"].tolist() == [1000, 2000]


def test_a_capacity_may_be_said_in_another_file_and_seldom(tmp_path):
    files = {
        "usage.csv": "time,host,volume\n" + "".join(f"2024-02-{day}T01:00:00Z,db-1,400\n" for day in range(10, 20)),
        "size.csv": "time,host,volume_size [TB]\n2024-02-12T00:00:00Z,db-1,1\n2024-02-16T00:00:00Z,db-1,2\n",
    }
    own = "metrics: {volume: {unit: GB, direction: free, capacity: {column: volume_size}}}"
    panel, _ = exports.read(tmp_path, files, own)
    assert panel["max"].tolist() == [600] * 6 + [1600] * 4


def test_a_capacity_said_before_counts_however_old_another_servers_new_file_is(tmp_path):
    own = """
metrics: {space: {unit: GB, direction: free, capacity: {column: size}}}
keep_samples_days: 2
"""
    runs = [
        {
            "said.csv": "time,host,space,size\n2024-02-02 12:00,db-1,40,100\n",
            "later.csv": "time,host,space\n2024-02-03 12:00,db-1,39\n2024-02-04 12:00,db-1,38\n",
        },
        {
            "older.csv": "time,host,space,size\n2024-02-01 12:00,db-2,10,50\n",
            "new.csv": "time,host,space\n2024-02-05 12:00,db-1,30\n",
        },
    ]
    history = None
    for number, files in enumerate(runs):
        folder = tmp_path / str(number)
        (folder / "raw").mkdir(parents=True)
        (folder / "settings.yaml").write_text(own)
        for name, content in files.items():
            (folder / "raw" / name).write_text(content)
        preprocess.preprocess(folder / "raw", history, folder / "settings.yaml", None, folder / "panel")
        history = folder / "panel"
    panel = pd.read_parquet(history / "panel.parquet").query("server_id == 'db-1'")
    assert column(panel, "space") == [60, 61, 62, 70]


def test_a_capacity_may_be_an_attribute_of_the_server(tmp_path):
    rows = "time,host,available,memory_gb\n" + "".join(f"{at},db-1,10,64\n" for at in HOURS)
    own = "metrics: {ram: {unit: GB, direction: free, capacity: {attribute: memory_gb}, names: [available]}}"
    panel, _ = exports.read(tmp_path, {"a.csv": rows}, own)
    assert column(panel, "ram") == [54]


def test_without_a_capacity_the_little_that_is_left_counts(tmp_path):
    own = "metrics: {volume: {unit: GB, direction: free}}"
    panel, _ = exports.read(tmp_path, {"a.csv": table("volume", range(100, 124))}, own)
    assert column(panel, "volume") == [100]
    assert column(panel, "volume", "p95") == [pytest.approx(np.quantile(np.arange(100, 124), 0.05))]


# --- counters ---

COUNTER = "metrics: {hits: {unit: hits/s, kind: counter}}"


def test_a_counter_becomes_a_rate_and_a_restart_counts_from_zero(tmp_path):
    counts = [3600 * hour for hour in range(12)] + [7200 + 3600 * hour for hour in range(12)]
    panel, quality = exports.read(tmp_path, {"a.csv": table("hits", counts)}, COUNTER)
    assert column(panel, "hits") == [2] and column(panel, "hits", "samples") == [23]
    assert column(panel, "hits", "mean") == [pytest.approx((22 * 1 + 2) / 23)]
    assert exports.adds_up(quality)


def test_a_silence_of_more_than_a_day_has_no_rate(tmp_path):
    rows = table(
        "hits", [0, 3600, 360000], times=["2024-02-13T00:00:00Z", "2024-02-13T01:00:00Z", "2024-02-15T00:00:00Z"]
    )
    panel, _ = exports.read(tmp_path, {"a.csv": rows}, COUNTER)
    assert panel["samples"].tolist() == [1] and panel["max"].tolist() == [1]


def test_a_counter_goes_on_in_the_next_file_and_the_next_run(tmp_path):
    days = [f"2024-02-{day}" for day in (13, 14, 15)]
    files = {
        f"{day}.csv": table("hits", [86400 * 5 * place + 3600 * 5 * hour for hour in range(24)],
                            times=[f"{day}T{hour:02}:00:00Z" for hour in range(24)])
        for place, day in enumerate(days)
    }  # fmt: skip
    at_once, _ = exports.read(tmp_path / "all", files, COUNTER)
    assert at_once["max"].tolist() == [5, 5, 5] and at_once["samples"].tolist() == [23, 24, 24]
    history = None
    for place, (name, content) in enumerate(files.items()):
        folder = tmp_path / f"run{place}"
        (folder / "raw").mkdir(parents=True)
        (folder / "raw" / name).write_text(content)
        (folder / "settings.yaml").write_text(COUNTER)
        preprocess.preprocess(folder / "raw", history, folder / "settings.yaml", None, folder / "panel")
        history = folder / "panel"
    pd.testing.assert_frame_equal(pd.read_parquet(history / "panel.parquet"), at_once)


@settings(max_examples=8)
@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=40), st.integers(1, 6))
def test_rates_of_any_counter_are_its_increases(tmp_path_factory, counts, minutes):
    times = pd.date_range("2024-02-13", periods=len(counts), freq=f"{minutes}min")
    rows = table("hits", counts, times=[f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in times])
    panel, quality = exports.read(tmp_path_factory.mktemp("counter"), {"a.csv": rows}, COUNTER)
    steps = np.diff(counts)
    rates = np.where(steps >= 0, steps, counts[1:]) / (60 * minutes)
    assert column(panel, "hits") == [pytest.approx(rates.max())] and exports.adds_up(quality)
    assert column(panel, "hits", "mean") == [pytest.approx(rates.mean(), abs=1e-6)]


# --- settings that change ---


def test_a_metric_that_the_settings_no_longer_have_leaves_the_panel(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    exports.read(
        first, {"a.csv": table("cpu,queue", [f"40.{hour},{hour}" for hour in range(24)])}, "metrics: {queue: {unit: x}}"
    )
    (second / "raw").mkdir(parents=True)
    (second / "raw" / "b.csv").write_text(table("cpu", [50] * 24, server="db-2"))
    preprocess.preprocess(second / "raw", first / "panel", None, None, second / "panel")
    panel = pd.read_parquet(second / "panel" / "panel.parquet")
    assert panel[["server_id", "metric"]].values.tolist() == [["db-1", "cpu"], ["db-2", "cpu"]]
    assert "unit" not in panel


def test_a_group_has_the_mean_of_percentages_the_sum_of_amounts_and_no_capacity_that_nobody_said(tmp_path):
    rows = "time,host,gpu,queue,conns\n" + "".join(
        f"2024-02-13T{hour:02}:{minute:02}:00Z,web-{place},{30.5 * place},{7 * place},{100 * place}\n"
        for hour in range(24) for minute in range(0, 60, 5) for place in (1, 2)
    )  # fmt: skip
    rules = """
metrics: {gpu: {unit: '%'}, queue: {unit: messages}, conns: {unit: connections, capacity: 500}}
groups: [{match: "{group}-?", name: "group {group}"}]
"""
    panel, _ = exports.read(tmp_path, {"a.csv": rows}, rules)
    group = panel.query("server_id == 'group web'").set_index("metric")["max"]
    assert group.to_dict() == {"gpu": 45.75, "queue": 21}
    assert set(panel.query("server_id == 'web-1'")["metric"]) == {"gpu", "queue", "conns"}
