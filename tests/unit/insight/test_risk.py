"""From forecasts to chances, dates and levels."""

from __future__ import annotations

import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from outlooks import LAST, assessed, forecast

from headroom.core import grid, metrics
from headroom.core.findings import CLIMB_COLUMNS
from headroom.core.periods import Frequency
from headroom.core.settings import Settings, parse
from headroom.insight import risk
from headroom.insight.crossing import QUANTILES


def test_a_sure_climb_is_critical_on_the_day_it_reaches_the_threshold():
    _, risks = assessed(forecast(np.linspace(70, 99, 90), 0.3), noise=0.1)
    row = risks.iloc[0]
    expected = LAST + pd.Timedelta(days=1 + int(np.argmax(np.linspace(70, 99, 90) >= 90)))
    assert row["level"] == "critical"
    assert abs((row["critical_date"] - expected).days) <= 1
    assert row["breach_earliest"] <= row["critical_date"] <= row["breach_latest"]
    assert row["warning_date"] < row["critical_date"]
    assert row["days_to_breach"] == (row["critical_date"] - LAST).days
    assert "expected to cross 90 %" in row["reason"]


def test_a_low_server_has_no_risk_and_no_dates():
    _, risks = assessed(forecast(np.full(90, 40.0), 3))
    row = risks.iloc[0]
    assert (row["level"], row["p_warning"], row["p_critical"]) == ("none", 0, 0)
    assert pd.isna(row["critical_date"]) and pd.isna(row["warning_date"]) and np.isnan(row["days_to_breach"])


def test_one_noisy_day_is_no_crossing():
    peak = np.full(90, 60.0)
    peak[40] = 97
    week = np.full(90, 60.0)
    week[40:43] = 97
    assert assessed(forecast(peak, 0.5))[1].iloc[0]["level"] == "none"
    assert assessed(forecast(week, 0.5))[1].iloc[0]["level"] == "critical"


def test_a_crossing_on_the_very_last_day_of_a_climb_counts():
    row = assessed(forecast(np.linspace(60, 90.3, 90), 0.05), noise=0.05)[1].iloc[0]
    assert row["critical_date"] >= LAST + pd.Timedelta(days=88)


def test_the_level_of_each_day_only_rises_and_ends_at_the_servers_level():
    seen, risks = assessed(forecast(np.linspace(70, 95, 90), 2.0))
    assert (np.diff(seen.levels[0]) >= 0).all()
    assert risk.LEVELS[seen.levels[0, -1]] == risks.iloc[0]["level"] == "critical"
    assert seen.ds[np.argmax(seen.levels[0] == 4)] == risks.iloc[0]["critical_date"]


def test_the_date_is_the_middle_of_the_crossings_that_may_come_also_where_they_are_not_sure():
    seen, risks = assessed(forecast(np.linspace(60, 90, 90), 8.0))
    row, chances = risks.iloc[0], seen.crossed["critical"][0]
    assert 0.5 <= row["p_critical"] < 0.8
    at = seen.ds.get_loc(row["critical_date"])
    assert chances[at - 1] < row["p_critical"] / 2 <= chances[at] < 0.5
    assert row["breach_earliest"] < row["critical_date"]


def test_a_crossing_that_is_unlikely_has_no_date():
    row = assessed(forecast(np.linspace(60, 85, 90), 8.0))[1].iloc[0]
    assert 0.2 <= row["p_critical"] < 0.5
    assert pd.isna(row["critical_date"])


def test_a_metric_without_thresholds_has_no_level_and_unknown_chances():
    row = assessed(forecast(np.full(10, 500.0), 20, metric="network_in"))[1].iloc[0]
    assert row["level"] == "none" and np.isnan(row["p_critical"])
    assert "No thresholds are set for the incoming network" in row["reason"]


def test_thresholds_that_owners_set_for_a_network_are_used():
    settings = parse("thresholds: {network_in: {warning: 300, critical: 400}}")
    row = assessed(forecast(np.full(10, 500.0), 20, metric="network_in"), settings=settings)[1].iloc[0]
    assert row["level"] == "critical" and "400 MB/s" in row["reason"]


def test_the_next_holiday_and_quarter_end_show_their_own_peaks():
    median = np.full(90, 50.0)
    days = pd.date_range(LAST + pd.Timedelta(days=1), periods=90)
    median[days == "2026-11-26"] = 70  # Thanksgiving
    median[days == "2026-12-29"] = 60
    median[days == "2026-12-10"] = 75
    settings = parse("holidays: {country: US}")
    row = assessed(forecast(median, 1), settings=settings)[1].iloc[0]
    assert (row["quarter_end_peak"], row["quarter_end_ds"]) == (60, pd.Timestamp("2026-12-29"))
    # The next holiday is Veterans Day on 11 November, with the days beside it; Thanksgiving is another one.
    assert (row["holiday_peak"], row["holiday_ds"]) == (50, pd.Timestamp("2026-11-10"))
    assert np.isnan(assessed(forecast(median, 1))[1].iloc[0]["holiday_peak"])


def hours_of_a_batch(hours=24 * 20, level=97.0):
    """A server that is busy from 9 to 12 every day, hour by hour."""
    ds = pd.date_range("2026-10-01", periods=hours, freq="h")
    return ds, np.where((ds.hour >= 9) & (ds.hour < 12), level, 20.0)


def batch(level=97.0, settings=None, expected=None, climbs=None):
    """Such a server's outlook and risks; it is forecast to go on at the level ``expected``, or as it is."""
    settings = settings or Settings(frequency="h", horizon=168)
    ds, y = hours_of_a_batch(level=level)
    panel = pd.DataFrame({"server_id": "s1", "metric": "cpu", "ds": ds, "y": y})
    coming = np.tile(y[:24], 7) if expected is None else np.full(168, expected)
    forecasts = forecast(coming, 0.5).assign(ds=pd.date_range(ds[-1], periods=169, freq="h")[1:])
    laid_out = grid.of_panel(panel, Frequency.HOUR)
    noise = pd.DataFrame({"server_id": ["s1"], "metric": ["cpu"], "noise": [0.5]})
    seen, reasons = risk.judged(risk.outlook(forecasts, noise, settings), laid_out, settings)
    return seen, risk.risks(seen, laid_out, settings, reasons, climbs).iloc[0], ds[-1]


def test_a_server_that_crosses_every_day_has_crossed_and_its_date_is_now():
    seen, row, now = batch()
    assert row["above_already"] and row["above_since"] == pd.Timestamp("2026-10-01 09:00")
    assert row["critical_date"] == row["breach_earliest"] == row["breach_latest"] == row["warning_date"] == now
    assert row["days_to_breach"] == 0
    assert row["current"] == pytest.approx((3 * 97 + 21 * 20) / 24)
    assert row["reason"] == (
        "CPU reaches 97 % every day and is above 90 % between 09:00 and 12:00 UTC (since 1 Oct 2026, when measurements "
        "began); this is expected to continue. Average of the last 24 hours: 30 %."
    )
    assert (seen.levels == 4).all()


def test_a_server_that_was_above_and_is_expected_to_stay_below_is_not_above_already():
    row = batch(expected=30.0)[1]
    assert not row["above_already"] and pd.isna(row["above_since"]) and row["level"] == "none"


def test_a_server_above_the_warning_every_day_is_told_so_without_a_date_to_come():
    _, row, now = batch(level=85.0)
    assert (row["level"], row["above_already"], row["warning_date"]) == ("medium", False, now)
    assert pd.isna(row["critical_date"])
    assert row["reason"].startswith("CPU reaches 85 % every day and is above 80 % between 09:00 and 12:00 UTC")
    assert "the chance of crossing 90 % within 7 days is less than 1 %" in row["reason"]


def test_what_is_above_already_ranks_before_what_will_be():
    assert batch()[1]["score"] > assessed(forecast(np.linspace(89, 99, 90), 0.3), noise=0.1)[1].iloc[0]["score"]


def test_a_single_peak_above_the_warning_is_not_told_as_staying_below_it():
    peak = np.full(90, 60.0)
    peak[40] = 97
    reason = assessed(forecast(peak, 0.5))[1].iloc[0]["reason"]
    assert reason.startswith("CPU is expected to peak at 97 %, but not for long enough to count as crossing 80 %")


def climbs(history=400, backtested=90, chance=0.97, per_day=0.4, since="2026-10-02", metric="cpu"):
    """What the forecasts of s1 rest on, as ``forecast.predict_and_explain`` tells it."""
    row = {"server_id": "s1", "metric": metric, "history": history, "backtested": backtested, "climb_chance": chance,
           "climb_per_day": per_day, "climb_since": pd.Timestamp(since)}  # fmt: skip
    return pd.DataFrame([row])


def reason(found, median=82.0, metric="cpu", **given):
    return assessed(forecast(np.full(90, median), 0.5, metric=metric), climbs=found, **given)[1].iloc[0]["reason"]


WARNED = "CPU is expected to cross 80 % around 1 Nov 2026."
LATELY = "Average of the last 7 days: 50 %."


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (climbs(), "It has been climbing by an estimated 0.4 points per day since 2 Oct 2026."),
        (climbs(since=None), "It has been climbing by an estimated 0.4 points per day for more than 160 days."),
        (climbs(history=90, since=None),
         "It has been climbing by an estimated 0.4 points per day since measurements began 90 days ago."),
        (climbs(per_day=0.1234), "It has been climbing by an estimated 0.12 points per day since 2 Oct 2026."),
        (climbs(history=30, backtested=10, since=None),
         "It has been climbing by an estimated 0.4 points per day since measurements began 30 days ago. Early warning "
         "after 30 days of history; forecasts were tested 10 days ahead."),
        (climbs(history=89, backtested=29, per_day=np.nan, since=None),
         "Early warning after 89 days of history; forecasts were tested 29 days ahead."),
        (climbs(history=14, backtested=0, per_day=np.nan, since=None),
         "Early warning after 14 days of history; no forecast could be tested yet."),
        (climbs(per_day=np.nan, since=None), ""),
        (climbs(history=90, backtested=29, per_day=np.nan, since=None), ""),
    ],
)  # fmt: skip
def test_a_warning_says_since_when_it_climbs_and_how_little_it_rests_on(found, told):
    assert reason(found) == " ".join(filter(None, [WARNED, told, LATELY]))


def test_without_word_of_what_forecasts_rest_on_nothing_is_said_of_it():
    assert reason(None) == reason(climbs().assign(server_id="another")) == f"{WARNED} {LATELY}"


def test_where_nothing_is_warned_of_no_climb_is_told():
    assert reason(climbs(history=30, backtested=10), median=40.0) == (
        "CPU is expected to stay below 80 %, with a peak of 40 %. Average of the last 7 days: 50 %."
    )


def test_what_is_above_already_needs_no_climb_to_be_believed():
    row = batch(climbs=climbs(history=100, backtested=33, since=None))[1]
    assert row["above_already"] and "climbing" not in row["reason"] and "Early warning" not in row["reason"]
    warned = batch(level=85.0, climbs=climbs(history=100, backtested=33, per_day=np.nan, since=None))[1]["reason"]
    assert warned.endswith(
        "Early warning after 100 hours of history; forecasts were tested 33 hours ahead. "
        "Average of the last 24 hours: 28 %."
    )


def test_a_network_climbs_by_megabytes_a_second():
    settings = parse("thresholds: {network_in: {warning: 300, critical: 400}}")
    told = reason(climbs(per_day=2.5, metric="network_in"), median=500.0, metric="network_in", settings=settings)
    assert "It has been climbing by an estimated 2.5 MB/s per day since 2 Oct 2026." in told


def test_what_forecasts_rest_on_is_kept_beside_the_risk():
    row = assessed(forecast(np.full(90, 40.0), 0.5), climbs=climbs())[1].iloc[0]
    assert row[list(CLIMB_COLUMNS)].tolist() == [400, 90, 0.97, 0.4, pd.Timestamp("2026-10-02")]
    unknown = assessed(forecast(np.full(90, 40.0), 0.5))[1]
    assert unknown[list(CLIMB_COLUMNS)].isna().all(axis=None)
    assert unknown["climb_since"].dtype == "datetime64[ns]" and unknown["history"].dtype == float


def test_more_quantiles_tell_more_of_what_lies_between_them():
    """Two ways to go on, neither of them the middle: five quantiles would draw a line between them."""
    table = forecast(np.full(90, 50.0), 0.1)
    for share in (20, 30, 40):
        table[f"q{share}"] = 50.0
    for share in (60, 70, 80):
        table[f"q{share}"] = 95.0
    table[["q05", "q10", "q50", "q90", "q95"]] = [49.0, 50, 50, 95, 96]
    five = table[["server_id", "metric", "ds", *QUANTILES]]
    many, few = (assessed(one, noise=0.1)[0] for one in (table, five))
    assert many.quantiles.shape == few.quantiles.shape == (1, 90, 5)
    assert many.crossed["critical"][0, -1] == pytest.approx(0.41, abs=0.05)
    assert few.crossed["critical"][0, -1] < 0.25


@pytest.mark.slow
@hypothesis.settings(max_examples=20)
@given(st.floats(20, 110), st.floats(-0.5, 0.8), st.floats(0.5, 8), st.sampled_from([0.02, 5.0, 2e4, 1e9]))
def test_the_same_share_of_a_capacity_is_judged_alike_in_every_unit(level, slope, spread, unit):
    own = parse(f"metrics: {{volume: {{unit: things, capacity: {100 * unit}}}}}")
    metrics.use(own.own_metrics())
    median = np.clip(level + slope * np.arange(40), 1, None)
    percent = risk.outlook(forecast(median, spread), noise_of("cpu", 0.5), Settings())
    table = forecast(median * unit, spread * unit, metric="volume")
    units = risk.outlook(table, noise_of("volume", 0.5 * unit), own)
    for name, chances in percent.crossed.items():
        np.testing.assert_allclose(units.crossed[name], chances, atol=0.011)


def noise_of(metric, noise):
    return pd.DataFrame({"server_id": ["s1"], "metric": [metric], "noise": [noise]})
