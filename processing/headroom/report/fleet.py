"""Facts about the fleet as a whole that the report and the pictures both show."""

from __future__ import annotations

import pandas as pd

from headroom.core import findings, wording
from headroom.core.findings import Assessment


def last_period(assessment: Assessment) -> pd.Timestamp:
    """The last period that was measured: where history ends and the forecast begins."""
    return pd.Timestamp(assessment.summary["as_of"])


def unjudged(assessment: Assessment) -> set[str]:
    """The servers of which nothing is judged."""
    return findings.wholly_unjudged(assessment.risks, assessment.not_judged)


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
    return wording.sentence(wording.calm(len(levels), unknown, horizon_of(assessment), watched))


def periods_between(start: pd.Timestamp, end: pd.Timestamp, assessment: Assessment) -> int:
    """How many of the panel's periods lie between two moments."""
    return round((end - start) / assessment.settings.frequency.step)
