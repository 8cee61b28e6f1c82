"""Each server's level in each stretch of time."""

from __future__ import annotations

import numpy as np
import pandas as pd
from synthetic_assessment import assessment

from headroom.core.findings import LEVELS
from headroom.insight import over_time


def test_a_cell_is_the_worst_level_of_any_metric_in_that_week() -> None:
    found = assessment(20)
    risk = found.over_time
    as_of = found.forecasts.loc[~found.forecasts["is_future"], "ds"].max()
    assert risk.starts[risk.past] == as_of + pd.Timedelta(days=1)
    assert set(np.diff(risk.starts)) == {np.timedelta64(7, "D")}
    for i, name in enumerate(risk.server_ids):
        mine = found.forecasts[found.forecasts["server_id"] == name]
        for column, start in enumerate(risk.starts):
            week = mine[(mine["ds"] >= start) & (mine["ds"] < start + pd.Timedelta(days=7))]
            assert risk.levels[i, column] == max(LEVELS.index(level) for level in week["risk_level"])


def test_an_hourly_panel_is_drawn_by_day() -> None:
    risk = assessment(5, frequency="h").over_time
    assert risk.bucket == pd.Timedelta(days=1)
    assert len(risk.starts) - risk.past == 7


def test_a_long_horizon_is_drawn_in_longer_stretches() -> None:
    found = assessment(3, frequency="h")
    longer = found.settings.model_copy(update={"horizon": 1000})
    as_of = pd.Timestamp(found.summary["as_of"])
    assert over_time.of_forecasts(found.forecasts, as_of, longer).bucket == pd.Timedelta(days=7)


def test_the_parts_of_a_fleet_make_the_same_timeline_as_the_whole() -> None:
    found = assessment(20)
    as_of, names = pd.Timestamp(found.summary["as_of"]), sorted(found.servers["server_id"])
    young = found.forecasts["server_id"].isin(names[:5]) & (found.forecasts["ds"] < as_of - pd.Timedelta(days=9))
    forecasts = found.forecasts[~young]
    parts = [
        over_time.of_forecasts(forecasts[forecasts["server_id"].isin(some)], as_of, found.settings)
        for some in (names[:5], names[5:])
    ]
    whole, joined = over_time.of_forecasts(forecasts, as_of, found.settings), over_time.together(parts)
    assert parts[0].past < parts[1].past
    assert joined.server_ids == whole.server_ids and joined.starts.equals(whole.starts) and joined.past == whole.past
    np.testing.assert_array_equal(joined.levels, whole.levels)
