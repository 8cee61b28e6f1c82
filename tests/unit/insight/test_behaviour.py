"""What each server is like, and what a short history cannot tell."""

from __future__ import annotations

import pandas as pd
import pytest
from kinds import described, make

from headroom.core.periods import Frequency
from headroom.insight import behaviour


def test_a_feature_says_what_the_kind_of_server_is() -> None:
    of = described(make({kind: kind for kind in ("steady", "office", "growing", "idle", "step")})).table.set_index(
        "server_id"
    )
    assert of["idle_share"].idxmax() == "idle" and of.loc["idle", "idle_share"] == 1
    assert of["weekend_drop"].idxmax() == "office" and of.loc["steady", "weekend_drop"] == 0
    assert of["step"].idxmax() == "step" and of["growth"].idxmax() == "growing"
    assert of.loc["steady", "level"] == pytest.approx(55, abs=1)


@pytest.mark.parametrize(
    ("periods", "missing"),
    [
        (20, ["weekends (needs 3)", "growth, steps and leaks (needs 8 weeks)", "ends of months (needs 3)"]),
        (30, ["growth, steps and leaks (needs 8 weeks)", "ends of months (needs 3)"]),
        (60, ["ends of months (needs 3)"]),
        (120, []),
    ],
)
def test_what_a_history_is_too_short_for_is_said(periods, missing):
    days = pd.date_range("2026-08-12", periods=periods)
    panel = make({"a": "steady"}, days=days)
    assert behaviour.too_short_for(described(panel).longest, Frequency.DAY) == (periods, missing)
    gone = make({"b": "steady"}, days=days - pd.Timedelta(days=400))
    both = behaviour.together([described(gone), described(panel)])
    assert behaviour.too_short_for(both.longest, Frequency.DAY) == (periods, missing)
