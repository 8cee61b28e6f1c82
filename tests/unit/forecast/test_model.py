"""What people may expect of a forecast, whatever their servers did."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from headroom import train
from headroom.core.findings import CLIMB_COLUMNS
from headroom.core.panel import Panel
from headroom.core.settings import Settings
from headroom.forecast import model as forecast
from headroom.forecast.features import FEATURE_VERSION
from local import fleet

pytestmark = pytest.mark.slow

QUANTILES = forecast.COLUMNS
HORIZON = 30
# The thirty days after the end hold Christmas, the new year, and the end of the fiscal year.
DAYS = pd.date_range(end="2026-12-05", periods=430)
HOURS = pd.date_range(end="2026-11-05 23:00", periods=24 * 35, freq="h")
SETTINGS = Settings(horizon=HORIZON, holidays={"country": "US"})
NOBODY = pd.DataFrame({"server_id": pd.Series(dtype=str)})
US_HOLIDAYS = ("2025-10-13", "2025-11-11", "2025-11-27", "2025-12-25", "2026-01-01", "2026-01-19", "2026-02-16",
               "2026-05-25", "2026-06-19", "2026-07-03", "2026-07-04", "2026-09-07", "2026-10-12", "2026-11-11",
               "2026-11-26")  # fmt: skip


def series(server: str, values, ds=DAYS, metric: str = "cpu") -> pd.DataFrame:
    """A server's rows; its last value is of the last date."""
    values = np.asarray(values, float)
    return pd.DataFrame({"server_id": server, "metric": metric, "ds": ds[len(ds) - len(values) :], "y": values})


def office(random: np.random.Generator, ds=DAYS, level: float = 30) -> np.ndarray:
    return level + 20 * (ds.dayofweek < 5) + random.normal(0, 2, len(ds))


def without(values: np.ndarray, *gone: slice) -> np.ndarray:
    values = values.copy()
    for one in gone:
        values[one] = np.nan
    return values


def a_fleet() -> pd.DataFrame:
    """Ordinary servers, planted effects, and everything that monitoring ever exported."""
    random, day = np.random.default_rng(5), np.arange(len(DAYS))
    closed = DAYS.isin(pd.DatetimeIndex(US_HOLIDAYS))
    quarter_end = DAYS.month.isin([3, 6, 9, 12]) & (DAYS.days_in_month - DAYS.day < 5)
    traffic = (5 + 4 * (DAYS.dayofweek < 5)) * random.lognormal(0, 0.1, len(DAYS))
    office_hours = office(random)
    odd = {
        "constant": np.full(len(DAYS), 42.0),
        "saturated": np.full(len(DAYS), 100.0),
        "nearly saturated": np.minimum(99 + random.normal(0, 2, len(DAYS)), 100),
        "one point": [37.0],
        "two points": [37.0, 39.0],
        "ten points": random.normal(37, 1, 10),
        "never measured": np.full(len(DAYS), np.nan),
        "intermittent": np.where(random.random(len(DAYS)) < 0.1, 60.0, 0.0),
        "stepped": np.where(day < 380, 20.0, 55.0) + random.normal(0, 1, len(DAYS)),
        "restarted": 10 + day % 40 + random.normal(0, 1, len(DAYS)),
        "long gap": without(office(random), slice(200, 330)),
        "mostly gaps": np.where(random.random(len(DAYS)) < 0.2, office(random), np.nan),
        "stopped": without(office(random), slice(300, None)),
        "infinite": np.where(day == 400, np.inf, office(random)),
    }
    parts = [
        *(series(f"office-{number}", office(random)) for number in range(8)),
        *(series(f"growing-{n}", 20 + 0.1 * day + random.normal(0, 1, len(DAYS))) for n in range(4)),
        *(series(f"shop-{number}", office(random) - 15 * closed) for number in range(4)),
        *(series(f"ledger-{number}", office(random, level=20) + 25 * quarter_end) for number in range(4)),
        *(series("small", traffic, metric=metric) for metric in ("network_in",)),
        *(series("large", 1e4 * traffic, metric=metric) for metric in ("network_in",)),
        *(series(server, values) for server, values in odd.items()),
        series("twice", office_hours - 20),
        series("twice", office_hours),
        series("once", office_hours),
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder, panel = tmp_path_factory.mktemp("model"), a_fleet()
    metrics = train.train(Panel.of(panel), NOBODY, SETTINGS, folder)
    return folder, panel, metrics, forecast.predict(forecast.load(folder), panel, NOBODY)


@pytest.fixture(scope="module")
def hourly(tmp_path_factory):
    random, folder = np.random.default_rng(6), tmp_path_factory.mktemp("hourly")
    work = (HOURS.dayofweek < 5) & (HOURS.hour >= 8) & (HOURS.hour < 18)
    panel = pd.concat([
        *(series(f"s{n}", 15 + n + 50 * work + random.normal(0, 3, len(HOURS)), HOURS) for n in range(8)),
        series("new yesterday", random.normal(30, 3, 20), HOURS),
        series("intermittent", np.where(random.random(len(HOURS)) < 0.02, 80.0, 0.0), HOURS),
    ])  # fmt: skip
    settings = Settings(frequency="h", horizon=96)
    metrics = train.train(Panel.of(panel), NOBODY, settings, folder)
    return panel, metrics, forecast.predict(forecast.load(folder), panel, NOBODY)


def of(result: pd.DataFrame, server: str, column: str = "q50") -> pd.Series:
    rows = result[result["server_id"] == server]
    return rows.set_index("ds")[column]


def is_sound(result: pd.DataFrame, panel: pd.DataFrame, horizon: int, frequency: str) -> None:
    """Each series that was ever measured has exactly the horizon after the panel's end, in order and in bounds."""
    measured = panel[np.isfinite(panel["y"])]
    expected = pd.date_range(panel["ds"].max(), periods=horizon + 1, freq=frequency)[1:]
    dates = result.groupby(["server_id", "metric"])["ds"].apply(list)
    assert set(dates.index) == set(zip(measured["server_id"], measured["metric"], strict=True))
    assert all(one == list(expected) for one in dates)
    quantiles = result[QUANTILES].to_numpy()
    assert np.isfinite(quantiles).all() and (np.diff(quantiles, axis=1) >= 0).all() and (quantiles >= 0).all()
    assert (quantiles[result["metric"].isin(["cpu", "memory", "disk"])] <= 100).all()


def test_every_series_has_a_forecast_of_the_horizon_whatever_it_did(trained):
    _, panel, _, result = trained
    is_sound(result, panel, HORIZON, "D")


def test_hourly_series_too(hourly):
    panel, metrics, result = hourly
    is_sound(result, panel, 96, "h")
    assert [one["server_id"] for one in metrics["fallbacks"]] == ["new yesterday"]


def test_a_simple_forecast_is_said_to_be_one_and_why(trained):
    metrics = json.loads((trained[0] / "model_metrics.json").read_text())
    reasons = {one["server_id"]: (one["points"], one["reason"]) for one in metrics["fallbacks"]}
    assert reasons == {
        "constant": (430, "never changed"),
        "saturated": (430, "never changed"),
        "one point": (1, "only 1 day of history"),
        "never measured": (0, "never measured"),
        "two points": (2, "only 2 days of history"),
        "ten points": (10, "only 10 days of history"),
        "stopped": (300, "stopped reporting 130 days before the panel's end"),
    }


@pytest.mark.parametrize(
    ("server", "low", "high"),
    [("constant", 42, 42), ("saturated", 100, 100), ("nearly saturated", 96, 100), ("one point", 37, 37),
     ("two points", 37, 39), ("ten points", 34, 40), ("intermittent", 0, 10), ("stepped", 51, 59)],
)  # fmt: skip
def test_forecasts_stay_where_an_odd_series_is(trained, server, low, high):
    assert of(trained[3], server).between(low, high).all()


def test_a_step_long_ago_widens_no_interval_to_where_the_series_was(trained):
    assert (of(trained[3], "stepped", "q05") > 25).all()


def test_a_few_calm_days_promise_no_calm_month(trained):
    def width(server):
        return (of(trained[3], server, "q95") - of(trained[3], server, "q05")).median()

    for server in ("one point", "two points", "ten points"):
        assert width(server) > 0.5 * width("office-1")
    assert width("constant") < 1


def test_a_disk_that_began_to_fill_is_judged_by_the_time_since_it_did(tmp_path):
    """While it was empty nothing could be forecast, and nothing is learned from how wrong that was."""
    random, day = np.random.default_rng(9), np.arange(150)
    filling = np.maximum(day - 40, 0) * 0.6 + random.normal(0, 0.2, 150) * (day > 40)
    panel = pd.concat(
        [series("filling", filling, DAYS[-150:], "disk")]
        + [series(f"s{n}", 40 + n + random.normal(0, 2, 150), DAYS[-150:], "disk") for n in range(6)]
    )
    metrics = train.train(Panel.of(panel), NOBODY, SETTINGS, tmp_path)
    result = forecast.predict(forecast.load(tmp_path), panel, NOBODY)
    assert metrics["headline"]["mase"] < 10
    assert of(result, "filling", "q05").iloc[0] > 45 and of(result, "filling").iloc[-1] > 75


def test_of_duplicate_timestamps_the_last_one_counts(trained):
    np.testing.assert_allclose(of(trained[3], "twice"), of(trained[3], "once"), rtol=0.02)


def test_by_the_hour_too_a_server_that_rests_on_holidays_will_rest_on_the_next_one(tmp_path):
    hours = pd.date_range("2026-08-15", "2026-11-25 23:00", freq="h")
    closed = hours.normalize().isin(pd.DatetimeIndex(US_HOLIDAYS))
    work = (hours.dayofweek < 5) & (hours.hour >= 8) & (hours.hour < 18)
    random = np.random.default_rng(8)
    panel = pd.concat(
        series(f"{kind}-{number}", 20 + 40 * at_work + random.normal(0, 3, len(hours)), hours)
        for kind, at_work in (("rests", work & ~closed), ("works", work))
        for number in range(6)
    )
    new = hours[hours >= "2026-10-20"]
    outage = new.normalize() == "2026-11-11"
    panel = pd.concat([panel, series("new", 60 - 55 * outage + random.normal(0, 3, len(new)), new)])
    train.train(Panel.of(panel), NOBODY, Settings(frequency="h", horizon=48, holidays={"country": "US"}), tmp_path)
    result = forecast.predict(forecast.load(tmp_path), panel, NOBODY)
    thanksgiving = result[(result["ds"] >= "2026-11-26 08:00") & (result["ds"] < "2026-11-26 18:00")]
    usual = thanksgiving.groupby(thanksgiving["server_id"].str[:5])["q50"].mean()
    assert usual["rests"] < 40 and abs(usual["works"] - 60) < 3
    # One occasion, an accident perhaps, says nothing about the next holiday.
    assert abs(usual["new"] - 60) < 3


def test_a_gap_or_an_end_of_months_leaves_the_week_as_it_was(trained):
    for server in ("long gap", "stopped", "infinite"):
        points = of(trained[3], server)
        ordinary = points[points.index < "2026-12-20"]
        weekend = ordinary.index.dayofweek >= 5
        assert abs(ordinary[weekend].mean() - 30) < 4 and abs(ordinary[~weekend].mean() - 50) < 4


def test_linear_growth_goes_on_to_the_horizon(trained):
    for number in range(4):
        points, start = of(trained[3], f"growing-{number}"), 20 + 0.1 * len(DAYS)
        truth = start + 0.1 * np.arange(HORIZON)
        assert np.abs(points - truth).max() < 1.5
        assert points.iloc[-7:].mean() - points.iloc[:7].mean() > 0.7 * 0.1 * (HORIZON - 7)


def test_forecasts_say_what_they_rest_on_and_who_climbs_how_fast(trained):
    folder, panel, metrics, result = trained
    again, climbs = forecast.predict_and_explain(forecast.load(folder), panel, NOBODY)
    pd.testing.assert_frame_equal(again, result)
    assert list(climbs) == ["server_id", "metric", *CLIMB_COLUMNS]
    climbs = climbs.set_index("server_id")
    assert climbs.index.tolist() == result.drop_duplicates(["server_id", "metric"])["server_id"].tolist()
    assert (climbs["backtested"] == metrics["backtested"]).all() and metrics["backtested"] == HORIZON
    assert climbs.loc[["office-0", "ten points", "one point"], "history"].tolist() == [len(DAYS), 10, 1]
    growing = climbs[climbs.index.str.startswith("growing")]
    assert (growing["climb_chance"] > 0.5).all()
    np.testing.assert_allclose(growing["climb_per_day"], 0.1, rtol=0.25)
    assert climbs.loc[["constant", "one point", "mostly gaps"], "climb_chance"].isna().all()
    still = climbs[~(climbs["climb_chance"] >= 0.5)]
    assert still[["climb_per_day", "climb_since"]].isna().all(axis=None)


def test_a_climb_is_dated_where_it_began_and_not_where_measuring_did(tmp_path):
    random, day = np.random.default_rng(3), np.arange(-119, 1)
    lately = [f"since a month {number}" for number in range(5)]
    panel = pd.concat([
        *(series(f"s{n}", 40 + random.normal(0, 1, 120), DAYS[-120:]) for n in range(6)),
        *(series(name, 30 + 0.6 * np.maximum(day + 30, 0) + random.normal(0, 1, 120), DAYS[-120:]) for name in lately),
        series("always", 30 + 0.4 * (day + 120) + random.normal(0, 1, 120), DAYS[-120:]),
    ])  # fmt: skip
    train.train(Panel.of(panel), NOBODY, Settings(), tmp_path)
    _, climbs = forecast.predict_and_explain(forecast.load(tmp_path), panel, NOBODY)
    climbs = climbs.set_index("server_id")
    assert (climbs.loc[[*lately, "always"], "climb_chance"] > 0.8).all()
    # Under this noise the pace of one series in ten is a third off.
    began = climbs.loc[lately, "climb_since"].median()
    assert abs((began - (DAYS[-1] - pd.Timedelta(days=30))).days) <= 5
    assert climbs.loc[lately, "climb_per_day"].median() == pytest.approx(0.6, rel=0.15)
    assert climbs.loc[lately, "climb_per_day"].between(0.35, 0.8).all()
    assert pd.isna(climbs.loc["always", "climb_since"])
    assert climbs.loc["always", "climb_per_day"] == pytest.approx(0.4, rel=0.15)


def test_the_next_holiday_is_a_quiet_day_where_holidays_were(trained):
    for number in range(4):
        points = of(trained[3], f"shop-{number}")
        assert points["2026-12-25"] < points[["2026-12-11", "2026-12-18"]].min() - 8
    points = of(trained[3], "office-0")
    assert abs(points["2026-12-25"] - points["2026-12-18"]) < 5


def test_the_next_quarter_end_is_busy_where_quarter_ends_were(trained):
    for number in range(4):
        points = of(trained[3], f"ledger-{number}")
        busy, usual = points["2026-12-28":"2026-12-31"], points["2026-12-14":"2026-12-17"]
        assert busy.mean() > usual.mean() + 12


def test_the_calendars_part_in_the_forecast_is_shown(trained):
    importance = trained[2]["feature_importance"]
    shown = {one["kind"] for one in importance if one["share"] > 0}
    assert shown >= {"calendar", "holiday", "quarter_end", "seasonal"}
    assert 0 < trained[2]["calendar_share"] < 1
    assert sum(one["share"] for one in importance) == pytest.approx(1, abs=0.01)


def test_the_unit_of_a_metric_without_bounds_does_not_matter(trained):
    small, large = (trained[3].query(f"server_id == '{name}'")[QUANTILES].to_numpy() for name in ("small", "large"))
    np.testing.assert_allclose(large, 1e4 * small, rtol=0.01)
    assert 4 < np.median(small) < 10


def test_hours_follow_the_day_and_the_week(hourly):
    points = of(hourly[2], "s3")
    assert abs(points["2026-11-06 12:00"] - 68) < 6 and abs(points["2026-11-06 03:00"] - 18) < 4  # a Friday
    assert abs(points["2026-11-07 12:00"] - 18) < 10  # a Saturday
    assert abs(points["2026-11-09 12:00"] - 68) < 8


def test_weeks_later_the_model_forecasts_newer_days_and_servers_it_never_saw(trained):
    folder, panel, _, _ = trained
    random = np.random.default_rng(7)
    later = pd.date_range(DAYS[-1] + pd.Timedelta(days=1), periods=21)
    new = pd.date_range(end=later[-1], periods=100)
    newer = pd.concat([
        panel,
        *(series(f"office-{number}", office(random, later), later) for number in range(8)),
        series("hired", office(random, new), new),
        series("hired yesterday", [50.0], later),
    ])  # fmt: skip
    result = forecast.predict(forecast.load(folder), newer, NOBODY)
    is_sound(result, newer, HORIZON, "D")
    points = of(result, "hired")
    weekend = points.index.dayofweek >= 5
    assert abs(points[weekend].mean() - 30) < 4 and abs(points[~weekend].mean() - 50) < 4
    assert (of(result, "hired yesterday") == 50).all()


def test_a_model_of_other_features_is_refused_and_says_what_to_do(trained, tmp_path):
    old = shutil.copytree(trained[0], tmp_path / "old")
    about = json.loads((old / "model.json").read_text())
    (old / "model.json").write_text(json.dumps(about | {"feature_version": FEATURE_VERSION - 1}))
    with pytest.raises(forecast.ModelError, match="train again"):
        forecast.load(old)


def test_a_model_from_before_trends_is_refused_and_says_what_to_do(trained, tmp_path):
    old = shutil.copytree(trained[0], tmp_path / "old")
    about = json.loads((old / "model.json").read_text())
    (old / "model.json").write_text(json.dumps(about | {"schema": 1}))
    with pytest.raises(forecast.ModelError, match="another version of Headroom: train again"):
        forecast.load(old)


@pytest.mark.parametrize("name", ["model.json", "choices.parquet", "baseline.json", "booster-0.5.txt"])
def test_a_damaged_model_is_refused_and_says_what_to_do(trained, tmp_path, name):
    damaged = shutil.copytree(trained[0], tmp_path / "damaged")
    (damaged / name).write_bytes(b"{}"[:1])
    with pytest.raises(forecast.ModelError, match="train again"):
        forecast.load(damaged)


def test_nothing_in_a_model_can_run_when_it_is_loaded(trained):
    files = list(trained[0].iterdir())
    assert {file.suffix for file in files} == {".json", ".txt", ".parquet"}
    assert not any(file.read_bytes().startswith(b"\x80") for file in files)


def test_a_panel_without_a_single_value_has_no_forecast_and_no_crash(trained):
    empty = series("s", np.full(5, np.nan))
    assert forecast.predict(forecast.load(trained[0]), empty, NOBODY).empty


@pytest.mark.parametrize(
    ("periods", "frequency", "every"),
    [(1, "D", "D"), (2, "D", "D"), (10, "D", "D"), (20, "D", "D"), (40, "D", "D"), (3, "h", "h"), (60, "h", "h"),
     (90, "h", "D"), (72, "D", "h")],
    ids=lambda given: str(given),
)  # fmt: skip
def test_a_short_history_or_one_of_another_frequency_still_gives_forecasts(tmp_path, periods, frequency, every):
    ds = pd.date_range(end="2026-10-31", periods=periods, freq=every)
    random = np.random.default_rng(8)
    panel = pd.concat([series(f"s{number}", random.normal(40, 2, periods), ds) for number in range(3)])
    settings = Settings(frequency=frequency, horizon=90)
    metrics = train.train(Panel.of(panel), NOBODY, settings, tmp_path)
    result = forecast.predict(forecast.load(tmp_path), panel, NOBODY)
    panel["ds"] = panel["ds"].dt.floor(frequency)
    is_sound(result, panel, 90, frequency)
    assert result["q50"].between(30, 50).all()
    assert metrics["notes"] if metrics["headline"]["mase"] is None else metrics["windows"]


def test_eight_of_ten_days_fall_into_the_interval_of_80_percent(tmp_path):
    made = fleet.generate(servers=60, days=400, sampling="1D", metrics=("cpu", "network_in"), horizon=HORIZON, seed=4)
    panel = made.panel()
    train.train(Panel.of(panel), made.servers, SETTINGS, tmp_path)
    both = forecast.predict(forecast.load(tmp_path), panel, made.servers).merge(
        made.future(), on=["server_id", "metric", "ds"]
    )
    for _, rows in both.groupby("metric"):
        assert 0.70 < rows["y"].between(rows["q10"], rows["q90"]).mean() < 0.90
        assert 0.80 < rows["y"].between(rows["q05"], rows["q95"]).mean() < 0.97


def test_of_a_series_too_young_for_the_laws_no_climb_is_claimed(tmp_path):
    old = pd.date_range("2026-10-01", periods=40)
    random = np.random.default_rng(3)
    panel = pd.concat(
        [
            series("old", 40 + 0.5 * np.arange(40) + random.normal(0, 0.5, 40), old),
            series("young", 40 + 1.0 * np.arange(10) + random.normal(0, 0.5, 10), old[-10:]),
        ]
    )
    train.train(Panel.of(panel), NOBODY, Settings(), tmp_path)
    _, climbs = forecast.predict_and_explain(forecast.load(tmp_path), panel, NOBODY)
    told = climbs.set_index("server_id")
    assert told["climb_chance"]["old"] > 0.5 and told["climb_per_day"]["old"] > 0
    assert np.isnan(told["climb_chance"]["young"]) and np.isnan(told["climb_per_day"]["young"])
