"""Why a metric of a server stands where it does: the facts of ``risk.risks`` as sentences, phrased here once.

A reason has the parts of ``findings.REASON_PARTS``, so that who shows it can leave out what stands beside it anyway;
nobody takes a sentence apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from headroom.core import metrics, wording
from headroom.core.settings import Settings
from headroom.insight import exceedance
from headroom.insight.exceedance import Standing

# From this chance on, what is above a threshold is said to stay so without a number.
SURE = 0.9


def of_series(
    row: Any, last_seen: pd.Timestamp, above: dict[str, Standing | None], settings: Settings
) -> dict[str, str]:
    """The parts of a metric's reason, by name; "" for a part that there is nothing to say of.

    Args:
        row: of ``risk.risks``.
        above: how it is above "warning" and "critical" already, or None.
    """
    if not np.isfinite(row.critical):
        name, peak = wording.metric(row.metric, row.entity), wording.amount(row.peak_q50, row.metric)
        if metrics.of(row.metric).built_in:
            what = f"No thresholds are set for the {name}, whose expected peak is {peak}."
            return {"what": what, "since": "", "how_sure": "", "lately": ""}
        left = metrics.of(row.metric).free and not metrics.of(row.metric).has_capacity
        expected = f"at most {peak} are expected to be left" if left else f"the expected peak is {peak}"
        has = wording.verb(row.metric, "has", "have")
        what = f"{wording.sentence(name)} {has} no capacity to be judged by; {expected}."
        since, lately = _since(row, settings), _lately(row, last_seen, settings)
        return {"what": what, "since": since, "how_sure": "", "lately": lately}
    pressing = row.level != "none" and not above["critical"]
    return {
        "what": _what(row, above, settings),
        "since": _since(row, settings) if pressing else "",
        "how_sure": _how_sure(row, settings) if pressing else "",
        "lately": _lately(row, last_seen, settings),
    }


def adjusted(before: str, after: str, criticality: str) -> str:
    """Why a server's level is another than its metric's; "" where it is not."""
    if before == after:
        return ""
    raised = criticality in ("high", "critical")
    return f"{'Raised' if raised else 'Lowered'} to {after} for the server's criticality, {criticality}."


def _what(row: Any, above: dict[str, Standing | None], settings: Settings) -> str:
    """What is crossed, by when or since when, and how likely that is."""
    frequency, metric = settings.frequency, row.metric
    called = wording.metric(metric, row.entity)
    are, crosses = wording.verb(metric, "is", "are"), wording.verb(metric, "crosses", "cross")
    name = wording.sentence(called)
    critical, warning = (wording.limit(limit, row.capacity, metric) for limit in (row.critical, row.warning))
    within, chance = f"within {wording.span(settings.horizon, frequency)}", wording.likelihood(row.p_critical)
    peak = wording.amount(row.peak_q50, metric)
    if row.level == "critical" and above["critical"]:
        stays = "this is expected to continue"
        if row.p_critical < SURE:
            stays = f"the chance that this continues is {chance}"
        return f"{exceedance.sentence(above['critical'], metric, called, critical, frequency)}; {stays}."
    if row.level == "critical":
        beyond = f"beyond the {wording.span(settings.horizon, frequency)} of the forecast"
        latest = beyond if pd.isna(row.breach_latest) else wording.date(row.breach_latest, frequency)
        return (
            f"{name} {are} expected to cross {critical} around {wording.date(row.critical_date, frequency)} "
            f"(earliest {wording.date(row.breach_earliest, frequency)}, latest {latest}); chance {within}: {chance}."
        )
    if row.level == "high":
        return f"The chance that {called} {crosses} {critical} {within} is {chance}."
    if row.level == "medium" and above["warning"]:
        so = exceedance.sentence(above["warning"], metric, called, warning, frequency)
        return f"{so}; the chance of crossing {critical} {within} is {chance}."
    if row.level == "medium":
        return f"{name} {are} expected to cross {warning} around {wording.date(row.warning_date, frequency)}."
    if row.level == "low":
        chance = wording.likelihood(row.p_warning)
        return f"The chance that {called} {crosses} {warning} {within} is {chance}."
    if row.peak_q50 >= row.warning:
        return f"{name} {are} expected to peak at {peak}, but not for long enough to count as crossing {warning}."
    return f"{name} {are} expected to stay below {warning}, with a peak of {peak}."


def _since(row: Any, settings: Settings) -> str:
    """How fast it climbs by the laws of trends, and since when; "" where no climb is likely."""
    if not np.isfinite(row.climb_per_day):
        return ""
    pace = wording.pace(row.climb_per_day, row.metric)
    history = wording.span(int(row.history), settings.frequency)
    since = f"since measurements began {history} ago"
    if row.history > settings.frequency.long_climb:
        since = f"for more than {wording.span(settings.frequency.long_climb, settings.frequency)}"
    if pd.notna(row.climb_since):
        since = f"since {wording.date(row.climb_since, settings.frequency)}"
    return f"{wording.verb(row.metric, 'It has', 'They have')} been climbing by an estimated {pace} per day {since}."


def _how_sure(row: Any, settings: Settings) -> str:
    """On how little an early warning rests; "" for one that rests on enough."""
    if not row.early:
        return ""
    tested = f"forecasts were tested {wording.span(int(row.backtested), settings.frequency)} ahead"
    tested = tested if row.backtested > 0 else "no forecast could be tested yet"
    return f"Early warning after {wording.span(int(row.history), settings.frequency)} of history; {tested}."


def _lately(row: Any, last_seen: pd.Timestamp, settings: Settings) -> str:
    """The average of the newest periods, or when it was last seen."""
    if np.isfinite(row.current):
        window = wording.periods(settings.frequency.crossing_window, settings.frequency)
        return f"Average of the last {window}: {wording.amount(row.current, row.metric)}."
    return f"Last seen {wording.date(last_seen, settings.frequency)}."
