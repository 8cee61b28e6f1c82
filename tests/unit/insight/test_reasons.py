"""A reason's parts: each says one thing, and together they are the reason."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from headroom.core.findings import REASON_PARTS
from headroom.core.settings import Settings
from headroom.insight import reasons

LAST = pd.Timestamp("2026-10-31")
NOT_ABOVE = {"warning": None, "critical": None}


def row(**changed):
    return SimpleNamespace(**({
        "metric": "network_in", "entity": "", "capacity": np.nan, "warning": 200.0, "critical": 400.0,
        "level": "high", "current": 12.3, "peak_q50": 320.0, "p_warning": 0.8,
        "p_critical": 0.31, "early": True, "history": 40.0, "backtested": 12.0, "climb_per_day": 2.5,
        "climb_since": pd.Timestamp("2026-09-26"), "critical_date": pd.NaT, "warning_date": LAST,
    } | changed))  # fmt: skip


def test_each_part_says_one_thing():
    settings = Settings(thresholds={"network_in": {"warning": 200, "critical": 400}})
    assert reasons.of_series(row(), LAST, NOT_ABOVE, settings) == {
        "what": "The chance that incoming network crosses 400 MB/s within 90 days is 31 %.",
        "since": "It has been climbing by an estimated 2.5 MB/s per day since 26 Sep 2026.",
        "how_sure": "Early warning after 40 days of history; forecasts were tested 12 days ahead.",
        "lately": "Average of the last 7 days: 12.3 MB/s.",
    }


def test_a_part_without_anything_to_say_is_empty():
    calm = row(metric="cpu", capacity=100.0, warning=80.0, critical=90.0, level="none", peak_q50=40.0, current=np.nan)
    parts = reasons.of_series(calm, LAST, NOT_ABOVE, Settings())
    assert list(parts) == list(REASON_PARTS)
    assert parts["since"] == parts["how_sure"] == "" and parts["lately"] == "Last seen 31 Oct 2026."


def test_a_metric_without_thresholds_says_so():
    bare = row(warning=np.nan, critical=np.nan)
    assert reasons.of_series(bare, LAST, NOT_ABOVE, Settings())["what"] == (
        "No thresholds are set for the incoming network, whose expected peak is 320 MB/s."
    )


def test_a_level_that_criticality_changed_is_explained():
    assert reasons.adjusted("low", "medium", "high") == "Raised to medium for the server's criticality, high."
    assert reasons.adjusted("high", "high", "low") == ""
