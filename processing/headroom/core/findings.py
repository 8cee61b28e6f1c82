"""What one assessment found: the values that the report and the pictures are drawn from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from headroom.core.accepted import LEVELS as LEVELS
from headroom.core.settings import Settings

AT_RISK = ("high", "critical")

# The parts of a metric's reason, in the order in which people are told them; columns of ``Assessment.risks``.
REASON_PARTS = ("what", "since", "how_sure", "lately")

# What a series' forecast rests on; columns of ``Assessment.risks``.
CLIMB_COLUMNS = ("history", "backtested", "climb_chance", "climb_per_day", "climb_since")


@dataclass(frozen=True)
class Action:
    """What a rule may recommend.

    Attributes:
        name: the key in files: "grow".
        title: the same as a heading.
        what: what it means for the servers under that heading.
        effort: "low", "medium" or "high".
    """

    name: str
    title: str
    what: str
    effort: str


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


def wholly_unjudged(risks: pd.DataFrame, not_judged: list[dict[str, Any]]) -> set[str]:
    """The servers of which nothing is judged; the arguments are those of :class:`Assessment`."""
    judged = set(risks.loc[risks["p_critical"].notna(), "server_id"])
    return {item["server_id"] for item in not_judged} - judged


@dataclass(frozen=True)
class Assessment:
    """Everything an assessment found, in memory. Rules and units: ``docs/risk.md``.

    Every ``server_id`` is text from the outside: escape it wherever it is shown. Metrics in percent run from
    0 to 100, the network metrics are megabytes per second. ``ds`` and all dates are datetime64 without zone, UTC.
    A value that cannot be known is NaN, NaT or None, never a made-up zero.

    Attributes:
        settings: the dataset's settings (thresholds, horizon, frequency, holidays, costs, headroom).
        run: the run's manifest; ``{}`` when the job ran without one.
        quality: ``data_quality.json``; ``{}`` when the panel came without it.
        metrics: ``model_metrics.json``; ``{}`` when the model came without it.
        summary: ``risk_summary.json``.
        forecasts: of the servers in the report (the file has all) one row per server, metric and date, sorted so:
            ``server_id, metric, ds, is_future (bool), actual, q05, q10, q50, q90, q95, risk_level``. History rows (the
            last 2 horizons, at least 60 periods, of what there is) have ``actual`` and no quantiles, future rows the
            reverse. ``risk_level`` is, on a future row, the level reached by that date (by the chance of having crossed
            the thresholds until then, so it only rises, and the first critical row is ``critical_date``; all are
            critical where it is above already), and on a history row the level that the measured value stands for.
        risks: one row per server and metric (``entity`` names the part of the server that stands worst, "" where it has
            none; ``unit``, ``capacity``, ``warning`` and ``critical`` are what it is judged by, in its unit, or NaN):
            ``server_id, metric, level, current`` (mean of y over the last 7 days or
            24 hours: an average, not the peak), ``peak_q50, peak_q95, peak_ds, p_warning, p_critical`` (probability
            of crossing within the horizon; NaN for a metric without thresholds), ``warning_date, critical_date``
            (the median of the crossings within the horizon if one is more likely than not, or NaT),
            ``breach_earliest, breach_latest``
            (first dates by which the critical threshold is crossed with a chance of 10 and of 90 percent, or NaT),
            ``days_to_breach`` (days from the last period to ``critical_date``, or NaN), ``above_already`` (bool:
            has crossed the critical threshold and is expected to again; then all of these dates are the last
            period, and ``days_to_breach`` 0), ``above_since`` (when that began, or NaT), ``holiday_peak,
            holiday_ds, quarter_end_peak, quarter_end_ds`` (highest q50 in the next such window, NaN and NaT where
            there is none within the horizon), ``score`` (0 to 100, before criticality), ``reason`` (sentences) and
            its ``REASON_PARTS``, each a sentence or ""; what they rest on: ``early`` (bool: a warning of a series
            younger than the horizon), ``history`` (periods since the first value), ``backtested`` (periods ahead that
            forecasts were tested), ``climb_chance`` (that it climbs now), and where that is likely ``climb_per_day``
            and ``climb_since`` (NaT: for longer than the laws of trends look back, or since it has been measured);
            ``accepted`` (bool: its owners know of it, and it is hidden from mail and top list).
        servers: one row per server, the most urgent first: ``server_id, level, worst_metric, score`` (0 to 100),
            ``reason, adjusted`` (the part of the reason that is not its worst metric's, or ""), ``business_unit,
            region, criticality, instance_type, vcpus, memory_gb, monthly_cost_usd, cluster`` (int),
            ``cluster_name, open_level`` (without accepted findings).
        open_servers: the same columns and servers as they stand without accepted findings, in that order of urgency;
            the report and the pictures are drawn from these.
        open_risks, open_seasonality: ``risks`` and ``seasonality``; where servers have entities, those of the worst one
            whose risk nobody has accepted.
        findings: all that can be accepted, the most urgent first, one dict each: ``server, metric, entity, kind, level,
            hidden, reason``.
        seasonality: one row per server and metric: ``server_id, metric, day_strength, week_strength, year_strength,
            trend_strength`` (0 to 1, NaN where not measurable), ``trend_per_month, peak_hour, peak_weekday``
            (0 Monday), ``peak_month`` (1 to 12), ``quarter_end_effect, month_end_effect, step, leak_per_month, noise``
            (in the metric's unit).
        fleet_peaks: ``{metric: {"hours": [24] or None, "weekdays": [7], "months": [12]}}``, the mean of y over the
            fleet; NaN where nothing was measured.
        clusters: ``server_clusters.csv``: ``server_id, cluster, cluster_name, distance``, the features, and ``x, y``
            (the two-dimensional projection for the map).
        profiles: one dict per cluster: ``cluster, name, size, typical_server, description, features`` (name: median),
            ``weekday_profile`` [7], ``hour_profile`` [24] or None.
        recommendations: most urgent first; each ``action`` ("grow", "shrink", "stop", "schedule", "consolidate"),
            ``server_ids, metric, reason, evidence, effort`` ("low", "medium", "high"), ``monthly_saving`` (in the
            settings' currency, 0 for grow), ``target`` (dict or None), ``by`` (ISO date or None), ``priority`` (1
            first), ``why`` (the reason without the sentence that names the target).
        actions: what the rules may recommend, in their order.
        changes: against the previous run, or None where there is none: ``previous_run_id, new_at_risk, resolved,
            worse, better`` (lists of server_id).
        over_time: each server's worst level in each stretch of time.
        not_judged: the servers of which some or all metrics are not judged, sorted by name, one dict each: ``server_id,
            metrics`` (those not judged), ``last`` (ISO date of their last period, or None), ``periods`` (how many of
            them have a value), ``reason`` (a sentence with what to do). Their level is "none", as a placeholder.
        every: where servers have entities, ``risks`` and ``seasonality`` of every series, with a column ``entity``;
            those above, and the forecasts, have of each server and metric the worst entity's. Else empty.
    """

    settings: Settings
    run: dict[str, Any]
    quality: dict[str, Any]
    metrics: dict[str, Any]
    summary: dict[str, Any]
    forecasts: pd.DataFrame
    risks: pd.DataFrame
    servers: pd.DataFrame
    seasonality: pd.DataFrame
    fleet_peaks: dict[str, dict[str, list[float] | None]]
    clusters: pd.DataFrame
    profiles: list[dict[str, Any]]
    recommendations: list[dict[str, Any]]
    actions: list[Action]
    changes: dict[str, Any] | None
    over_time: RiskOverTime
    not_judged: list[dict[str, Any]] = field(default_factory=list)
    open_servers: pd.DataFrame | None = None
    open_risks: pd.DataFrame | None = None
    open_seasonality: pd.DataFrame | None = None
    findings: list[dict[str, Any]] = field(default_factory=list)
    every: dict[str, pd.DataFrame] = field(default_factory=dict)
