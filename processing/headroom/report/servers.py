"""The report's table of servers: what its cells say, and the numbers that it sorts by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from headroom.core import metrics as table_of_metrics
from headroom.core import wording
from headroom.core.findings import LEVELS, REASON_PARTS, Assessment
from headroom.core.metrics import is_percent
from headroom.core.plain import plain
from headroom.report import fleet
from headroom.report.lines import rounded

TEXT_LENGTH = 1000
# What moves a metric is worth telling from here on, in points or megabytes per second: how much it rose in four weeks
# (hourly panels: one week), how much falls in jumps per month, how much more it is at the end of a quarter.
LEAST_RISE, LEAST_LEAK, LEAST_QUARTER = 1.0, 3.0, 3.0


def cut(value: Any) -> Any:
    """The value with its texts not too long."""
    if isinstance(value, dict):
        return {key: cut(one) for key, one in value.items()}
    if isinstance(value, list):
        return [cut(one) for one in value]
    return f"{value[:TEXT_LENGTH]}…" if isinstance(value, str) and len(value) > TEXT_LENGTH else value


def facts(found: Assessment, shown: pd.DataFrame) -> pd.DataFrame:
    """All that is known of each metric of the servers shown, one row each, with ``rise`` and the seasonality."""
    risks = found.risks[found.risks["server_id"].isin(shown["server_id"])]
    table = risks.merge(found.seasonality, on=["server_id", "metric"], how="left", validate="one_to_one")
    table["rise"] = _rise(found).reindex(pd.MultiIndex.from_frame(table[["server_id", "metric"]])).to_numpy()
    return table


def columns(found: Assessment, shown: pd.DataFrame, table: pd.DataFrame, metrics: list[str]) -> dict[str, list[Any]]:
    """The table of servers, in order of urgency: texts of its cells, and the numbers that it sorts by.

    Args:
        shown: the servers of the report.
        table: see :func:`facts`.
        metrics: names of all metrics, which the columns refer to by position.
    """
    worst = shown.merge(
        table.drop(columns=["level", "score", "reason", "entity"]), how="left",
        left_on=["server_id", "worst_metric"], right_on=["server_id", "metric"],
    )  # fmt: skip
    unjudged = fleet.unjudged(found)
    attributes = {"unit": "business_unit", "region": "region", "criticality": "criticality", "cluster": "cluster_name"}
    rows = list(worst.itertuples())
    return {
        "name": [cut(name) for name in worst["server_id"]],
        "level": [LEVELS.index(level) for level in worst["level"]],
        "unjudged": [int(name in unjudged) for name in worst["server_id"]],
        "worst": [metrics.index(metric) for metric in worst["worst_metric"]],
        **({"part": [cut(wording.printable(name)) for name in worst["worst_entity"]]} if found.every else {}),
        **{key: [cut(value) for value in plain(worst[column].tolist())] for key, column in attributes.items()},
        "reason": [cut(reason) for reason in worst["reason"]],
        "why": [cut(_why(row, found)) for row in rows],
        "current": _numbers(worst["current"]),
        "currentTold": [wording.amount(row.current, row.worst_metric) for row in rows],
        "peak": _numbers(worst["peak_q50"]),
        "peakTold": [wording.amount(row.peak_q50, row.worst_metric) for row in rows],
        "critical": [step(row.critical_date, found) for row in rows],
        "criticalTold": [_critical(row, row.server_id in unjudged, found) for row in rows],
        "chance": _numbers(worst["p_critical"]),
        "chanceTold": [wording.chance(row.p_critical) for row in rows],
    }


def _why(row: Any, found: Assessment) -> str:
    """The reason without what the columns beside it say: what drives the metric, where a crossing is to come."""
    if row.accepted:
        return row.reason
    driver = _driver(row, found) if pd.notna(row.critical_date) and not row.above_already else ""
    parts = {part: getattr(row, part) for part in REASON_PARTS}
    return driver or wording.sentences([parts["what"], parts["since"], parts["how_sure"], row.adjusted])


def _driver(row: Any, found: Assessment) -> str:
    """What moves a metric, as a sentence; "" where nothing stands out."""
    over = "a week" if found.settings.frequency.hourly else "four weeks"
    parts = []
    unit = points(row)
    if row.rise >= LEAST_RISE * unit:
        parts.append(f"rose by {wording.change(row.rise, row.metric)} in {over}")
    if row.leak_per_month >= LEAST_LEAK * unit:
        size = wording.change(row.leak_per_month, row.metric)
        parts.append(f"climbs and falls back by {size} per month, as with a leak and restarts")
    if row.quarter_end_effect >= LEAST_QUARTER * unit:
        parts.append(f"rises by {wording.change(row.quarter_end_effect, row.metric)} at the end of a quarter")
    name = wording.metric(row.metric, cut(row.worst_entity or ""))
    return f"{wording.sentence(name)} {'; it '.join(parts)}." if parts else ""


def points(row: Any) -> float:
    """What a point is to a metric: one percent, one MB/s, a hundredth of an own metric's capacity or, without, peak."""
    if table_of_metrics.of(row.metric).built_in or is_percent(row.metric):
        return 1.0
    return next((one for one in (row.capacity, row.peak_q95) if np.isfinite(one) and one > 0), np.nan) / 100


def _critical(row: Any, unjudged: bool, found: Assessment) -> list[str]:
    """The cell "Critical around": what it says, and up to two remarks below it."""
    frequency = found.settings.frequency
    if row.above_already:
        lines = ["above now", f"since {day(row.above_since, found)}"]
    elif pd.notna(row.critical_date):
        ahead = fleet.periods_between(fleet.last_period(found), row.critical_date, found)
        lines = [wording.date(row.critical_date, frequency, year=False), f"in {wording.about(ahead, frequency)}"]
    else:
        lines = ["not judged" if unjudged else "no threshold" if pd.isna(row.p_critical) else "not expected"]
    if row.early:
        lines.append(f"early warning: {wording.about(int(row.history), frequency)} of history")
    return lines


def day(moment: pd.Timestamp, found: Assessment) -> str:
    """A day that may be long ago."""
    return wording.day(moment, year=moment.year != fleet.last_period(found).year)


def _rise(found: Assessment) -> pd.Series:
    """By server and metric, how much higher the newest week is than four weeks before (hourly: day, and week)."""
    table = found.forecasts[~found.forecasts["is_future"]]
    age = (fleet.last_period(found) - table["ds"]) / pd.Timedelta(days=1)
    length, before = (1, 7) if found.settings.frequency.hourly else (7, 28)

    def mean(since: int) -> pd.Series:
        mine = table[(age >= since) & (age < since + length)]
        return mine.groupby(["server_id", "metric"])["actual"].mean()

    return mean(0) - mean(before)


def step(moment: pd.Timestamp, found: Assessment) -> int | None:
    """A moment as periods after the last measured one."""
    return None if pd.isna(moment) else fleet.periods_between(fleet.last_period(found), moment, found)


def _numbers(values: pd.Series) -> list[float | None]:
    return [None if value is None else rounded(value) for value in plain(values.tolist())]
