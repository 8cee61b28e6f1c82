"""Which server is at what level, and which comes first."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from outlooks import assessed, forecast

from headroom.insight import ranking


def attributes(**columns):
    return pd.DataFrame(columns).reindex(columns=["server_id", *ranking.ATTRIBUTES])


def test_a_servers_level_is_its_worst_metrics():
    forecasts = pd.concat([forecast(np.full(30, 95.0), 1, metric="disk"), forecast(np.full(30, 30.0), 1)])
    servers = ranking.servers(assessed(forecasts)[1], attributes(server_id=["s1"]))
    assert servers.iloc[0][["level", "worst_metric"]].tolist() == ["critical", "disk"]


@pytest.mark.parametrize(
    ("word", "median", "level"),
    [
        ("medium", 82, "medium"), ("critical", 82, "high"), ("high", 82, "high"), ("low", 82, "low"),
        ("Dev", 82, "low"), (None, 82, "medium"), ("what?", 82, "medium"),
        ("low", 95, "critical"), ("critical", 95, "critical"), ("critical", 40, "none"),
    ],
)  # fmt: skip
def test_criticality_moves_a_level_but_neither_makes_nor_hides_a_breach(word, median, level):
    risks = assessed(forecast(np.full(30, float(median)), 0.5))[1]
    servers = ranking.servers(risks, attributes(server_id=["s1"], criticality=[word]))
    assert servers.iloc[0]["level"] == level


def test_a_level_that_criticality_has_moved_says_so():
    risks = assessed(forecast(np.full(30, 82.0), 0.5))[1]
    reason = {
        word: ranking.servers(risks, attributes(server_id=["s1"], criticality=[word])).iloc[0]["reason"]
        for word in ("production", "dev", None)
    }
    assert reason["production"].endswith("Raised to high for the server's criticality, high.")
    assert reason["dev"].endswith("Lowered to low for the server's criticality, low.")
    assert "criticality" not in reason[None]


def test_of_two_servers_alike_the_critical_one_comes_first():
    forecasts = pd.concat([forecast(np.full(30, 95.0), 1, server=name) for name in ("a", "b")])
    servers = ranking.servers(assessed(forecasts)[1], attributes(server_id=["a", "b"], criticality=["low", "critical"]))
    assert servers["server_id"].tolist() == ["b", "a"]
    assert servers["score"].between(0, 100).all()


def test_a_server_without_attributes_is_not_lost():
    servers = ranking.servers(assessed(forecast(np.full(30, 95.0), 1))[1], attributes(server_id=["another"]))
    assert servers["server_id"].tolist() == ["s1"]
