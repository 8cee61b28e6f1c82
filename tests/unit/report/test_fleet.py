"""The fleet over time, as the report and the pictures show it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
from synthetic_assessment import assessment

from headroom.core.findings import LEVELS
from headroom.report import fleet


def test_a_cell_is_the_worst_level_of_any_metric_in_that_week() -> None:
    found = assessment(20)
    risk = fleet.risk_over_time(found)
    as_of = found.forecasts.loc[~found.forecasts["is_future"], "ds"].max()
    assert risk.starts[risk.past] == as_of + pd.Timedelta(days=1)
    assert set(np.diff(risk.starts)) == {np.timedelta64(7, "D")}
    for i, name in enumerate(risk.server_ids):
        mine = found.forecasts[found.forecasts["server_id"] == name]
        for column, start in enumerate(risk.starts):
            week = mine[(mine["ds"] >= start) & (mine["ds"] < start + pd.Timedelta(days=7))]
            assert risk.levels[i, column] == max(LEVELS.index(level) for level in week["risk_level"])


def test_an_hourly_panel_is_drawn_by_day() -> None:
    risk = fleet.risk_over_time(assessment(5, frequency="h"))
    assert risk.bucket == pd.Timedelta(days=1)
    assert len(risk.starts) - risk.past == 7


def test_a_long_horizon_is_drawn_in_longer_stretches() -> None:
    found = assessment(3, frequency="h")
    longer = dataclasses.replace(found, settings=found.settings.model_copy(update={"horizon": 1000}))
    assert fleet.risk_over_time(longer).bucket == pd.Timedelta(days=7)
