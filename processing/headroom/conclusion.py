"""What follows for the whole fleet from what was found about its servers: order, advice, groups, changes, a summary."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from headroom.core import findings, series, wording
from headroom.core import metrics as table_of_metrics
from headroom.core.findings import AT_RISK, LEVELS, Assessment
from headroom.core.periods import Frequency
from headroom.core.plain import plain
from headroom.core.settings import Settings
from headroom.core.tables import decoded
from headroom.insight import (
    accepted,
    behaviour,
    changes,
    clusters,
    limits,
    over_time,
    parts,
    ranking,
    recommend,
    seasonality,
)
from headroom.partition import Part

TOP = 20
MOST_NOT_JUDGED = 200
MOST_ACCEPTED = 1_000


def conclude(
    fleet: Part,
    attributes: pd.DataFrame,
    chosen: Settings,
    run: dict[str, Any] | None = None,
    quality: dict[str, Any] | None = None,
    metrics: dict[str, Any] | None = None,
    drift: dict[str, Any] | None = None,
    previous: Path | None = None,
    decisions: str = "",
) -> Assessment:
    """What follows for the whole fleet from what was found about its servers.

    Args:
        fleet: see ``partition.judge`` and ``partition.together``.
        attributes: one row per server: ``server_id`` and ``ranking.ATTRIBUTES``, nulls allowed.
        previous: the previous run's assessment folder.
        decisions: the text of the dataset's ``accepted.json``; the day that counts is that of the run.
    """
    table_of_metrics.use(chosen.own_metrics())
    run, quality, metrics = run or {}, quality or {}, metrics or {}
    risks, not_judged = fleet.risks, fleet.not_judged
    servers = ranking.servers(risks, attributes)
    unknown, blank = {one["server_id"] for one in not_judged}, findings.wholly_unjudged(risks, not_judged)
    advice = recommend.recommend(fleet.past, risks, servers, chosen, unknown)
    known, problems = accepted.read(decisions, [one.name for one in recommend.actions()])
    every = fleet.every.get("risks", risks)
    judged = replace(accepted.judge(known, every, advice, _day_of(run)), problems=problems)
    for table in (every, risks):
        table["accepted"] = accepted.hidden_risks(table, judged.findings)
    open_risks, open_seasonality = standing(fleet, judged)
    quiet = accepted.quieted(open_risks, judged)
    open_servers = ranking.servers(quiet, attributes)
    open_servers["open_level"] = open_servers["level"]
    servers = servers.merge(open_servers[["server_id", "open_level"]], how="left", on="server_id")
    recommendations = accepted.open_advice(advice, judged.findings, quiet)

    before, notes_on_clusters = changes.clusters_of(previous)
    found = clusters.find(fleet.described, before)
    groups = found.table[["server_id", "cluster", "cluster_name"]]
    servers, open_servers = (one.merge(groups, how="left", on="server_id") for one in (servers, open_servers))
    changed, notes_on_changes = changes.against(previous, servers, unknown)

    notes = [*metrics.get("notes", []), *_notes(fleet, servers, chosen.frequency)]
    notes += limits.unmatched(chosen, series.joined(every))
    open_levels, age = _counts(servers["open_level"]), _age(fleet.ds[-1] + chosen.frequency.step, run)
    summary = {
        "schema": 1,
        "headline": _headline(open_levels, len(servers), len(blank)),
        "dataset": run.get("dataset"),
        "run_id": run.get("run_id"),
        "as_of": fleet.ds[-1].isoformat(),
        "data_age_days": age,
        "data_age": wording.age(age),
        "frequency": chosen.frequency,
        "horizon": chosen.horizon,
        "servers": len(servers),
        "series": len(risks),
        "levels": _counts(servers["level"]),
        "open_levels": open_levels,
        "levels_by_metric": {metric: _counts(rows["level"]) for metric, rows in risks.groupby("metric")},
        "ranking": ranking.RANKING,
        "top": _top(open_servers, open_risks),
        "accepted": _accepted(judged),
        "not_judged": not_judged[:MOST_NOT_JUDGED],
        "not_judged_total": len(not_judged),
        "unjudged": len(blank),
        "savings": recommend.totals(recommendations, chosen),
        "recommendations": pd.Series([one["action"] for one in recommendations], dtype=object).value_counts().to_dict(),
        "clusters": [{key: one[key] for key in ("cluster", "name", "size")} for one in found.profiles],
        "changes": changed,
        "moved": changes.moved(previous, servers),
        "forecast": metrics.get("headline"),
        "challenger": metrics.get("challenger"),
        "drift": drift,
        "notes": [*notes, *notes_on_clusters, *notes_on_changes],
    }
    return Assessment(
        settings=chosen,
        run=run,
        quality=quality,
        metrics=metrics,
        summary=plain(summary),
        forecasts=decoded(fleet.forecasts).to_pandas(),
        every=fleet.every,
        risks=risks,
        servers=servers,
        seasonality=fleet.seasonality,
        fleet_peaks=seasonality.fleet_peaks(fleet.peaks, fleet.ds, chosen.frequency),
        clusters=found.table,
        profiles=found.profiles,
        recommendations=plain(recommendations),
        actions=recommend.actions(),
        changes=changed,
        over_time=over_time.in_order(fleet.over_time, servers["server_id"].tolist()),
        not_judged=not_judged,
        open_servers=open_servers,
        open_risks=open_risks,
        open_seasonality=open_seasonality,
        findings=plain(accepted.listed(every, advice, judged.findings)),
    )


def standing(fleet: Part, judged: accepted.Judged) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Risks and seasonality of the series that stands for each server and metric without accepted findings.

    Where servers have entities, that is the worst one of which nobody has accepted the risk.
    """
    if not fleet.every:
        return fleet.risks, fleet.seasonality
    risks, patterns = fleet.every["risks"], fleet.every["seasonality"]
    worst = parts.worst(series.joined(accepted.quieted(risks, judged)))
    owned = series.joined(risks).assign(entity=risks["entity"])
    return parts.of_servers(owned, worst), parts.of_servers(series.joined(patterns), worst)


def _day_of(run: dict[str, Any]) -> date:
    """The day (UTC) that the run was planned on: the same one when a job of it runs again."""
    planned = run.get("created_at")
    return datetime.fromisoformat(planned).astimezone(UTC).date() if planned else datetime.now(UTC).date()


def _age(end: pd.Timestamp, run: dict[str, Any]) -> int | None:
    """How many whole days before the run its newest data ends; None where nobody knows when the run was planned."""
    return max((pd.Timestamp(_day_of(run)) - end).days, 0) if run.get("created_at") else None


def _headline(levels: dict[str, int], servers: int, unjudged: int) -> str:
    """How many servers are at risk, the worst level first, in the words of mail, page and terminal."""
    told = [f"{levels[level]:,} {level}" for level in (*reversed(AT_RISK), "medium") if levels[level]]
    return ", ".join(told) or wording.calm(servers, unjudged)


def _notes(fleet: Part, servers: pd.DataFrame, frequency: Frequency) -> list[str]:
    notes, not_judged = [], fleet.not_judged
    if not_judged:
        named = ", ".join(one["server_id"] for one in not_judged[:10]) + (" and others" if len(not_judged) > 10 else "")
        notes.append(
            f"Servers whose risk is not judged, or not for every metric, because they have fallen silent or have too "
            f"little history: {len(not_judged)} ({named})."
        )
    days, missing = behaviour.too_short_for(fleet.described.longest, frequency)
    if missing:
        history = "Less than a day" if days == 0 else wording.periods(days, Frequency.DAY)
        notes.append(
            f"{history} of history {'is' if days < 2 else 'are'} too short to recognise {wording.listed(missing)}: "
            "clusters ignore these."
        )
    if "cpu" not in fleet.peaks:
        notes.append("CPU is not measured: idle servers, sizes and schedules cannot be judged.")
    elif "memory" not in fleet.peaks:
        notes.append("Memory is not measured: sizes are judged by CPU alone, and nothing is consolidated.")
    if gone := fleet.gone:
        shown = ", ".join(gone[:5]) + (" and others" if len(gone) > 5 else "")
        notes.append(f"Series left out, as other parts of the same server took over from them: {len(gone)} ({shown}).")
    unknown = int((servers["vcpus"].isna() & servers["monthly_cost_usd"].isna()).sum())
    if unknown:
        notes.append(
            f"Servers with neither vcpus nor monthly_cost_usd, whose savings are not in the totals: {unknown:,}."
        )
    estimated = int((servers["vcpus"].notna() & servers["monthly_cost_usd"].isna()).sum())
    if estimated:
        notes.append(
            f"Servers without monthly_cost_usd, whose savings are by size at the settings' rates: {estimated:,}."
        )
    return notes


def _counts(levels: pd.Series) -> dict[str, int]:
    return {level: int((levels == level).sum()) for level in reversed(LEVELS)}


def _top(servers: pd.DataFrame, risks: pd.DataFrame) -> list[dict[str, Any]]:
    worst = servers[servers["level"] != "none"].head(TOP)
    told = risks.drop(columns=["level", "reason", "score", "entity"])
    worst = worst.merge(told, left_on=["server_id", "worst_metric"], right_on=["server_id", "metric"])
    columns = [
        "server_id",
        "level",
        "metric",
        "above_already",
        "critical_date",
        "days_to_breach",
        "p_critical",
        "score",
        "reason",
    ]
    told = worst[columns].round({"p_critical": 4, "score": 1}).to_dict("records")
    entities = worst["worst_entity"].tolist()
    return [one | ({"entity": entity} if entity else {}) for one, entity in zip(told, entities, strict=True)]


def _accepted(judged: accepted.Judged) -> dict[str, Any]:
    """The findings that are hidden, those that came back, and what is wrong with their file."""
    return {
        "hidden_total": len(judged.hidden),
        "hidden": judged.hidden[:MOST_ACCEPTED],
        "returned_total": len(judged.returned),
        "returned": judged.returned[:MOST_ACCEPTED],
        "problems": judged.problems,
    }
