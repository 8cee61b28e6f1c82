"""Facts about the fleet as a whole that the report and the pictures both show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from headroom.core import wording
from headroom.core.findings import LEVELS, Assessment

PAST_BUCKETS = 6
MAX_BUCKETS = 26


@dataclass(frozen=True)
class RiskOverTime:
    """Each server's worst level in each stretch of time.

    Attributes:
        starts: first moment of each bucket, datetime64, UTC; ``past`` of them lie before the forecast begins.
        bucket: a bucket's length.
        server_ids: one per row of ``levels``, in the order of ``assessment.servers`` (most urgent first).
        levels: int8 (servers, buckets), index into ``LEVELS``; -1 where there is no value.
    """

    starts: pd.DatetimeIndex
    past: int
    bucket: pd.Timedelta
    server_ids: list[str]
    levels: np.ndarray

    @property
    def stretch(self) -> str:
        """A bucket's length in words, "week"."""
        return {1: "day", 7: "week"}.get(self.bucket.days, f"{self.bucket.days} days")

    @property
    def every(self) -> str:
        """How often there is a bucket, "per week"."""
        return f"{'per' if self.bucket.days in (1, 7) else 'every'} {self.stretch}"


def last_period(assessment: Assessment) -> pd.Timestamp:
    """The last period that was measured: where history ends and the forecast begins."""
    return pd.Timestamp(assessment.summary["as_of"])


def risk_over_time(assessment: Assessment) -> RiskOverTime:
    """Each server's worst level per week (per day for hourly panels; longer for long horizons)."""
    period, as_of = assessment.settings.frequency.step, last_period(assessment)
    start = as_of + period
    days = 1 if assessment.settings.frequency.hourly else 7
    if assessment.settings.horizon * period > pd.Timedelta(days=days * MAX_BUCKETS):
        days *= 7 if days == 1 else 4
    bucket = pd.Timedelta(days=days)

    forecasts = assessment.forecasts
    column = ((forecasts["ds"] - start) // bucket).to_numpy()
    past = min(PAST_BUCKETS, max(0, -int(column.min()))) if len(column) else 0
    future = max(1, int(column.max()) + 1) if len(column) else 1
    starts = pd.DatetimeIndex(start + bucket * pd.Index(range(-past, future)))
    server_ids = assessment.servers["server_id"].tolist()
    code = pd.Categorical(forecasts["risk_level"], categories=list(LEVELS)).codes
    levels = np.full((len(server_ids), len(starts)), -1, dtype=np.int8)
    row = pd.Index(server_ids).get_indexer(forecasts["server_id"])
    seen = (row >= 0) & (column >= -past)
    np.maximum.at(levels, (row[seen], column[seen] + past), code[seen])
    return RiskOverTime(starts, past, bucket, server_ids, levels)


def unjudged(assessment: Assessment) -> set[str]:
    """The servers of which nothing is judged."""
    risks = assessment.risks
    judged = set(risks.loc[risks["p_critical"].notna(), "server_id"])
    return {item["server_id"] for item in assessment.not_judged} - judged


def open_risks(assessment: Assessment) -> pd.DataFrame:
    """The risks that nobody has accepted."""
    return assessment.risks[~assessment.risks["accepted"]]


def horizon_of(assessment: Assessment) -> str:
    """How far the forecasts reach, "90 days"."""
    return wording.span(assessment.settings.horizon, assessment.settings.frequency)


def calm(assessment: Assessment) -> str:
    """The headline of a fleet of which no server is at risk."""
    levels = assessment.servers["level"]
    watched, unknown = int((levels != "none").sum()), len(unjudged(assessment))
    others = [f", {watched:,} to watch" if watched else "", f", {unknown:,} not judged" if unknown else ""]
    return f"No server is at risk in the next {horizon_of(assessment)}{''.join(others)}"


def periods_between(start: pd.Timestamp, end: pd.Timestamp, assessment: Assessment) -> int:
    """How many of the panel's periods lie between two moments."""
    return round((end - start) / assessment.settings.frequency.step)
