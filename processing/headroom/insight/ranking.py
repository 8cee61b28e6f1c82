"""From the risk of series to that of servers: the worst metric, how critical the server is, and which comes first."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from headroom.core import wording
from headroom.core.findings import LEVELS
from headroom.insight import reasons

SIZES = ("vcpus", "memory_gb", "monthly_cost_usd")
ATTRIBUTES = ["business_unit", "region", "criticality", "instance_type", *SIZES]

# What a server's criticality weighs in the ranking; an unknown word counts as medium.
WEIGHTS = {"critical": 1.0, "high": 0.9, "medium": 0.8, "low": 0.6}
RANKING = (
    "Servers are ordered by level, then by score: up to 50 points for the chance of crossing the critical threshold, "
    "30 for how soon, 20 for the chance of crossing the warning threshold; times "
    + ", ".join(f"{weight:g} for {word}" for word, weight in WEIGHTS.items())
    + " criticality (medium where it is not given)."
)
_SPELLINGS = {
    "critical": ("critical", "mission critical", "business critical", "very high", "tier 0", "tier 1"),
    "high": ("high", "production", "prod", "tier 2"),
    "low": ("low", "development", "dev", "test", "sandbox", "tier 4"),
}


def servers(table: pd.DataFrame, attributes: pd.DataFrame) -> pd.DataFrame:
    """A server's risk is its worst metric's, weighted by the server's criticality; the most urgent comes first.

    A server of high or critical criticality is one level higher where its metric's level is low or medium, one of low
    criticality one level lower where it is medium or high. "critical" and "none" are facts about the forecast
    and stay.

    Args:
        table: see :func:`risks`.
        attributes: the panel's ``servers.parquet``; a server missing there has none.

    Returns:
        ``server_id, level, worst_metric, worst_entity, score, reason, adjusted`` (why the level is not the metric's, or
        "") and the attributes.
    """
    rank = table["level"].map(LEVELS.index)
    worst = table.assign(rank=rank).sort_values(
        ["server_id", "rank", "score", "metric"], ascending=[True, False, False, True]
    )
    worst = worst.drop_duplicates("server_id").rename(columns={"metric": "worst_metric", "entity": "worst_entity"})
    worst = worst.merge(attributes.drop_duplicates("server_id"), how="left", on="server_id")
    how = worst["criticality"].map(criticality)
    rank = worst["rank"].to_numpy()
    raised = how.isin(["high", "critical"]).to_numpy() & np.isin(rank, [1, 2])
    lowered = (how == "low").to_numpy() & np.isin(rank, [2, 3])
    rank = rank + raised - lowered
    worst["level"] = np.array(LEVELS, dtype=object)[rank]
    worst["score"] = worst["score"] * how.map(WEIGHTS)
    before = np.array(LEVELS, dtype=object)[worst["rank"]]
    worst["adjusted"] = [reasons.adjusted(*one) for one in zip(before, worst["level"], how, strict=True)]
    worst["reason"] = [wording.sentences(one) for one in zip(worst["reason"], worst["adjusted"], strict=True)]
    worst["rank"] = rank
    worst = worst.sort_values(["rank", "score", "server_id"], ascending=[False, False, True], ignore_index=True)
    worst = worst.reindex(
        columns=[
            "server_id",
            "level",
            "worst_metric",
            "worst_entity",
            "score",
            "reason",
            "adjusted",
            *ATTRIBUTES,
        ]
    )
    return worst.astype({name: float if name in SIZES else object for name in ATTRIBUTES})


def criticality(word: object) -> str:
    """One of WEIGHTS for what an owner wrote as a server's criticality."""
    return _criticality(str(word))


@cache
def _criticality(word: str) -> str:
    text = word.strip().lower().replace("-", " ").replace("_", " ")
    return next((name for name, spellings in _SPELLINGS.items() if text in spellings), "medium")
