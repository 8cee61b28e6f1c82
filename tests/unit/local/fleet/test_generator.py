"""The generated fleet: looks like monitoring data, and its truth is true."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from headroom.core import settings
from local import fleet
from local.fleet import __main__ as command
from local.fleet import generator


@pytest.fixture(scope="module")
def hourly() -> fleet.Fleet:
    return fleet.generate(servers=60, seed=1)


@pytest.fixture(scope="module")
def large() -> fleet.Fleet:
    return fleet.generate(servers=500, sampling="1D", metrics=(*fleet.PERCENT, "network_in"), seed=2)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("fleet")
    fleet.write(fleet.generate(servers=30, days=70, seed=3), out)
    return out


def one_row_a_server(made: fleet.Fleet) -> pd.DataFrame:
    return made.truth.drop_duplicates("server_id").set_index("server_id")


def server_p95(made: fleet.Fleet) -> pd.DataFrame:
    return made.panel().groupby(["server_id", "metric"])["y"].quantile(0.95).unstack()


@pytest.mark.parametrize("servers", [16, 60, 500])
def test_every_archetype_is_there(servers):
    made = fleet.generate(servers=servers, days=30, sampling="1D")
    assert set(made.truth["archetype"]) == set(fleet.ARCHETYPES)


def test_the_shares_of_archetypes_are_as_stated(large):
    shares = one_row_a_server(large)["archetype"].value_counts(normalize=True)
    for archetype, share in fleet.ARCHETYPES.items():
        assert shares[archetype] == pytest.approx(share, abs=0.005)


@pytest.mark.slow
def test_truth_says_critical_only_when_the_continuation_crosses(hourly):
    daily = hourly.future().set_index(["server_id", "metric", "ds"])["y"]
    for row in hourly.truth.itertuples():
        y = daily[row.server_id, row.metric]
        for threshold, crossed in ((fleet.WARNING, row.warning_ds), (fleet.CRITICAL, row.critical_ds)):
            if pd.isna(crossed):
                above = (y >= threshold).rolling(fleet.CROSSING_WINDOW).sum()
                assert not (above >= fleet.CROSSING_DAYS).any()
            else:
                assert y[crossed] >= threshold
                week = y[crossed : crossed + pd.Timedelta(days=fleet.CROSSING_WINDOW - 1)]
                if len(week) == fleet.CROSSING_WINDOW:
                    assert (week >= threshold).sum() >= fleet.CROSSING_DAYS


def test_one_noisy_day_is_not_a_crossing_but_a_real_rise_is():
    first = pd.Timestamp("2026-01-01")
    noisy = [95, 50, 50, 50, 50, 50, 50, 50, 50, 50]
    rising = [50, 91, 50, 92, 93, 94, 50, 50, 50, 50]
    late = [50, 50, 50, 50, 50, 50, 91, 92, 93, 94]
    found = fleet.first_crossing(np.array([noisy, rising, late]), 90, horizon=4, first=first)
    assert pd.isna(found[0])
    assert found[1] == np.datetime64("2026-01-02")
    assert pd.isna(found[2]), "it crosses after the horizon"


def test_who_crosses_critical_is_warned_no_later(large):
    crossing = large.truth.dropna(subset="critical_ds")
    assert (crossing["warning_ds"] <= crossing["critical_ds"]).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_tenth_to_a_fifth_of_the_servers_become_critical_within_the_horizon(seed):
    made = fleet.generate(servers=200, sampling="1D", seed=seed)
    crossing = made.truth[made.truth["critical_ds"].notna()]
    becoming = crossing[~crossing["already_critical"]]["server_id"].nunique() / 200
    assert 0.1 <= becoming <= 0.2
    assert 0 < crossing[crossing["already_critical"]]["server_id"].nunique() / 200 <= 0.1


def test_who_becomes_critical_was_seen_growing(hourly):
    truth = hourly.truth[hourly.truth["critical_ds"].notna() & ~hourly.truth["already_critical"]]
    y = hourly.panel().set_index(["server_id", "metric", "ds"])["y"]
    assert len(truth) >= 5
    for row in truth.itertuples():
        history = y[row.server_id, row.metric]
        assert history.iloc[-14:].mean() > history.iloc[-60:-46].mean() + 4
        assert history.iloc[-7:].mean() < fleet.CRITICAL


def test_oversized_servers_use_far_less_than_they_have_and_the_others_do_not(large):
    servers, p95 = one_row_a_server(large), server_p95(large)
    busiest = p95[["cpu", "memory"]].max(axis=1)
    assert servers["oversized"].sum() >= 50
    assert busiest[servers["oversized"]].max() < 35
    assert busiest[~servers["oversized"] & ~servers["idle"]].min() > 45


def test_oversized_servers_have_a_smaller_size_to_go_to(large):
    kept = large.servers[large.servers["server_id"].isin(large.truth.query("oversized")["server_id"])]
    assert (kept["vcpus"] >= 8).all()


def test_idle_servers_do_nothing(large):
    servers, p95 = one_row_a_server(large), server_p95(large)
    assert servers["idle"].sum() >= 30
    assert p95.loc[servers["idle"], "cpu"].max() < 4
    assert p95.loc[~servers["idle"], "cpu"].min() > 6


@pytest.mark.slow
def test_office_servers_rest_at_weekends_and_on_holidays_and_work_in_their_own_daytime(hourly):
    panel = hourly.panel().query("metric == 'cpu'")
    office = panel[panel["server_id"].isin(hourly.truth.query("archetype == 'office_hours'")["server_id"])]
    by_day = office.groupby(office["ds"])["y"].mean()
    christmas, weekend, week = by_day["2025-12-25"], by_day[by_day.index.dayofweek >= 5].mean(), by_day["2025-12-10"]
    assert christmas == pytest.approx(weekend, rel=0.1)
    assert weekend < 0.6 * week

    hours = hourly.panel("h").query("metric == 'cpu'")
    hours = hours[hours["server_id"].isin(office["server_id"])].merge(hourly.servers[["server_id", "region"]])
    local = hours["ds"] + pd.to_timedelta(hours["region"].map(generator.REGIONS), unit="h")
    by_hour = hours.groupby([hours["region"], local.dt.hour])["y"].mean().unstack()
    assert len(by_hour) >= 3
    assert (by_hour[[10, 13, 16]].min(axis=1) > 2 * by_hour[[22, 1, 4]].max(axis=1)).all()


@pytest.mark.slow
def test_batch_servers_work_at_night(hourly):
    hours = hourly.panel("h").query("metric == 'cpu'").merge(hourly.servers[["server_id", "region"]])
    hours = hours[hours["server_id"].isin(hourly.truth.query("archetype == 'nightly_batch'")["server_id"])]
    local = hours["ds"] + pd.to_timedelta(hours["region"].map(generator.REGIONS), unit="h")
    assert hours.groupby(local.dt.hour)["y"].mean().idxmax() in range(0, 7)


def test_month_end_servers_peak_when_the_month_ends(large):
    panel = large.panel().query("metric == 'cpu'")
    panel = panel[panel["server_id"].isin(large.truth.query("archetype == 'month_end'")["server_id"])]
    at_end = (panel["ds"] + pd.Timedelta(days=3)).dt.month != panel["ds"].dt.month
    assert panel[at_end]["y"].mean() > 1.4 * panel[panel["ds"].dt.day.between(5, 25)]["y"].mean()


def test_leaking_memory_climbs_and_falls_back_again_and_again(large):
    panel = large.panel().query("metric == 'memory'").set_index(["server_id", "ds"])["y"]
    for server in large.truth.query("archetype == 'leaking_memory'")["server_id"].unique():
        steps = panel[server].diff().dropna()
        resets = steps[steps < -15]
        assert len(resets) >= 5
        assert steps[steps >= -15].mean() > 0.5


def test_a_step_stays(large):
    stepped = large.truth.query("step != 0")
    assert len(stepped) >= 20
    panel = large.panel().set_index(["server_id", "metric", "ds"])["y"]
    for row in stepped.itertuples():
        y = panel[row.server_id, row.metric]
        assert y.iloc[-60:].mean() - y.iloc[:60].mean() == pytest.approx(row.step, abs=5)


@pytest.mark.parametrize(
    ("effect", "is_on"),
    [
        ("quarter_end_effect", lambda ds: (ds.month % 3 == 0) & (ds.days_in_month - ds.day < 5)),
        (
            "holiday_effect",
            lambda ds: ds.isin(pd.to_datetime(["2025-11-27", "2025-12-25", "2026-01-01", "2026-07-03"])),
        ),
    ],
)
def test_planted_calendar_effects_show_in_the_history_as_large_as_stated(large, effect, is_on):
    planted = large.truth[(large.truth["metric"] == "cpu") & (large.truth[effect] > 0)]
    assert len(planted) >= 20
    panel = large.panel().query("metric == 'cpu'").merge(planted[["server_id", "archetype", effect]])
    panel = panel[panel["archetype"] == "steady"]
    on = is_on(pd.DatetimeIndex(panel["ds"]))
    near = panel["ds"].dt.month.isin([3, 6, 7, 9, 11, 12, 1])
    shown = panel[on]["y"].mean() - panel[~on & near]["y"].mean()
    assert shown == pytest.approx(panel[effect].mean(), abs=3)


def test_percent_metrics_are_percents_with_the_overshoot_monitoring_has(hourly):
    for metric in fleet.PERCENT:
        values = hourly.history[metric][~np.isnan(hourly.history[metric])]
        assert values.min() >= 0
        assert values.max() <= 105
    assert any((hourly.history[metric] > 100).any() for metric in fleet.PERCENT)
    assert hourly.panel()["y"].max() <= 100
    assert hourly.future()["y"].max() <= 100


def test_network_is_never_negative_and_spans_scales(large):
    rates = large.panel().query("metric == 'network_in'").groupby("server_id")["y"].median()
    assert large.panel()["y"].min() >= 0
    assert rates.quantile(0.95) > 100 * rates.quantile(0.05)


def test_network_has_no_thresholds_to_cross(large):
    network = large.truth.query("metric == 'network_in'")
    assert network[["warning_ds", "critical_ds"]].isna().all().all()


def test_metrics_of_one_server_move_together():
    made = fleet.generate(servers=40, sampling="1D", seed=5)
    changes = {metric: np.diff(made.continuation[metric], axis=1) for metric in ("cpu", "memory")}
    steady = (one_row_a_server(made)["archetype"] == "steady").to_numpy()
    together = [np.corrcoef(changes["cpu"][row], changes["memory"][row])[0, 1] for row in np.flatnonzero(steady)]
    assert np.mean(together) > 0.15


def test_some_samples_are_missing_and_some_servers_are_new(large, hourly):
    missing = np.isnan(hourly.history["cpu"])
    assert 0.002 < missing.mean() < 0.1
    old = (one_row_a_server(hourly)["first_ds"] == hourly.start).to_numpy()
    longest = max(len(run) for row in missing[old] for run in "".join("x" if gone else " " for gone in row).split())
    assert longest >= 24
    first_seen = large.panel().groupby("server_id")["ds"].min()
    new = one_row_a_server(large)["first_ds"] > large.start
    assert new.any()
    assert (first_seen[new] > large.start + pd.Timedelta(days=200)).all()


def test_everyone_is_still_there_on_the_last_day(hourly):
    for made in (hourly, fleet.generate(servers=300, days=10)):
        last = made.panel().groupby(["server_id", "metric"])["ds"].max()
        assert (last == pd.Timestamp(fleet.END)).all()


def test_the_continuation_starts_the_day_after_the_history_and_has_no_holes(hourly):
    future = hourly.future()
    assert future["ds"].min() == pd.Timestamp(fleet.END) + pd.Timedelta(days=1)
    assert len(future) == 60 * 3 * 90


def test_the_same_seed_gives_the_same_files_and_another_does_not(tmp_path):
    for name, seed in (("one", 4), ("again", 4), ("other", 5)):
        fleet.write(fleet.generate(servers=12, days=40, seed=seed), tmp_path / name)
    names = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    content = {run: [(tmp_path / run / name).read_bytes() for name in names] for run in ("one", "again", "other")}
    assert content["one"] == content["again"]
    assert all(mine != theirs for mine, theirs in zip(content["one"], content["other"], strict=True) if b"," in mine)
    assert (tmp_path / "one" / "incoming" / "edge.csv.gz").read_bytes()[4:8] == bytes(4), "a time of writing"
    who = [pd.read_csv(tmp_path / run / "truth.csv")["archetype"].tolist() for run in ("one", "other")]
    assert who[0] != who[1]


def test_files_of_an_earlier_fleet_do_not_stay_behind(tmp_path):
    fleet.write(fleet.generate(servers=3, days=90), tmp_path)
    fleet.write(fleet.generate(servers=3, days=20), tmp_path)
    assert [path.name for path in sorted((tmp_path / "incoming").glob("fleet-*"))] == ["fleet-2026-10.csv"]


def test_the_files_hold_what_the_panel_holds(files):
    made = fleet.generate(servers=30, days=70, seed=3)
    wide = [pd.read_csv(path) for path in (files / "incoming").glob("fleet-*.csv")]
    with gzip.open(files / "incoming" / "edge.csv.gz") as file:
        zipped = pd.read_csv(file)
    zipped = zipped.rename(
        columns={"time": "timestamp", "host": "server_id", "cpu_utilization": "cpu", "mem_percent": "memory"}
    )
    samples = pd.concat([*wide, zipped]).melt(["timestamp", "server_id"], fleet.PERCENT, "metric").dropna()
    samples = pd.concat([samples, pd.read_csv(files / "incoming" / "lab-long.csv")])
    samples["ds"] = pd.to_datetime(samples["timestamp"]).dt.tz_localize(None).dt.floor("D")
    samples["value"] = samples["value"].clip(upper=100)
    groups = samples.groupby(["server_id", "metric", "ds"])["value"]
    expected = groups.agg(mean="mean", max="max", samples="size").assign(y=groups.quantile(0.95)).reset_index()
    panel = made.panel()
    pd.testing.assert_frame_equal(panel, expected[panel.columns], check_dtype=False)


def test_the_files_carry_attributes_that_fit_together(files):
    wide = pd.read_csv(next((files / "incoming").glob("fleet-*.csv")))
    sizes = wide.drop_duplicates("server_id").merge(generator.INSTANCE_TYPES, "left")
    assert sizes[["vcpus", "memory_gb", "monthly_cost_usd"]].notna().all().all()
    assert len(sizes) == len(wide["server_id"].unique()) == len(sizes.merge(generator.INSTANCE_TYPES))
    assert set(wide["region"]) <= set(generator.REGIONS)


def test_a_file_a_month(files):
    names = sorted(path.name for path in (files / "incoming").iterdir())
    months = ["fleet-2026-08.csv", "fleet-2026-09.csv", "fleet-2026-10.csv"]
    assert names == ["edge.csv.gz", *months, "lab-long.csv"]
    october = pd.read_csv(files / "incoming" / "fleet-2026-10.csv")
    assert october["timestamp"].str.startswith("2026-10").all()


def test_the_sampling_does_not_change_who_is_who():
    hourly = fleet.generate(servers=20, days=30, sampling="1h")
    for sampling in ("5min", "6h", "1D"):
        other = fleet.generate(servers=20, days=30, sampling=sampling)
        pd.testing.assert_frame_equal(other.servers, hourly.servers)
        assert (other.truth["archetype"] == hourly.truth["archetype"]).all()


def test_a_daily_draw_has_the_levels_of_an_hourly_one():
    means = [
        fleet.generate(servers=40, days=60, sampling=sampling).panel().groupby(["server_id", "metric"])["y"].mean()
        for sampling in ("1h", "1D")
    ]
    assert (means[0] - means[1]).abs().median() < 3


@pytest.mark.slow
@pytest.mark.parametrize("metrics", [("cpu",), ("memory",), ("network_out",), tuple(fleet.METRICS)])
@pytest.mark.parametrize(("servers", "days", "horizon"), [(1, 1, 1), (2, 10, 400), (9, 800, 30)])
def test_any_size_and_choice_of_metrics(metrics, servers, days, horizon, tmp_path):
    made = fleet.generate(servers, days, "1D", metrics, horizon)
    fleet.write(made, tmp_path)
    assert set(made.panel()["metric"]) == set(metrics)
    assert made.panel()["server_id"].nunique() == servers
    assert len(made.future()) == servers * len(metrics) * horizon


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"metrics": ("cpu", "gpu")}, "gpu"),
        ({"sampling": "7h"}, "7h"),
        ({"sampling": "2D"}, "2D"),
        ({"servers": 0}, "at least one"),
    ],
)
def test_what_cannot_be_generated_is_said(wrong, says):
    with pytest.raises(ValueError, match=says):
        fleet.generate(**wrong)


def test_a_server_never_has_two_kinds_of_trouble(large):
    servers = one_row_a_server(large)
    assert not (servers["oversized"] & servers["idle"]).any()
    crossing = large.truth.dropna(subset="warning_ds").groupby("server_id").size()
    assert (crossing == 1).all()


@pytest.mark.parametrize(("sampling", "frequency"), [("1D", "h"), ("40min", "h"), ("1h", "W")])
def test_a_panel_that_the_samples_cannot_make_is_refused(sampling, frequency):
    with pytest.raises(ValueError, match="no panel of frequency"):
        fleet.generate(servers=1, days=2, sampling=sampling).panel(frequency)


def test_the_command_writes_a_fleet_and_says_how_many_cross(tmp_path, monkeypatch, capsys):
    line = "fleet --servers 40 --days 30 --sampling 6h --metrics cpu,network_in --horizon 20 --seed 9 --end 2025-02-28"
    monkeypatch.setattr("sys.argv", [*line.split(), "--out", str(tmp_path)])
    command.main()
    truth = pd.read_csv(tmp_path / "truth.csv", parse_dates=["critical_ds"])
    crossing = truth.dropna(subset="critical_ds")
    assert f"{crossing['server_id'].nunique()} servers cross 90 %" in capsys.readouterr().out
    assert crossing["critical_ds"].between("2025-03-01", "2025-03-20").all()
    future = pd.read_parquet(tmp_path / "future.parquet")
    assert (future["ds"].min(), future["ds"].max()) == (pd.Timestamp("2025-03-01"), pd.Timestamp("2025-03-20"))
    assert settings.load(tmp_path / "settings.yaml").horizon == 20


def test_the_command_says_what_is_wrong(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["fleet", "--sampling", "7h", "--out", "x"])
    with pytest.raises(SystemExit):
        command.main()
    assert "does not divide a day" in capsys.readouterr().err
