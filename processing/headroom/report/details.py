"""The section of a single server behind its row: what it is, what to do, and each metric's words and figures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from headroom.core import wording
from headroom.core.findings import LEVELS, Assessment
from headroom.core.metrics import is_percent
from headroom.core.periods import Frequency
from headroom.core.plain import plain
from headroom.report import blocks, fleet
from headroom.report.lines import deflated
from headroom.report.sections import accepted, actions, rhythm
from headroom.report.servers import cut, day, points, step

# A trend is told from this change per month and this strength on.
LEAST_GROWTH, LEAST_TREND = 0.5, 0.3
# Entities named beside the worst one.
MOST_PARTS = 6
Parts = dict[tuple[str, str], list[tuple[str, float, str]]]


def sections(found: Assessment, shown: pd.DataFrame, table: pd.DataFrame, metrics: list[str]) -> Iterator[str]:
    """Each server's section without its charts, deflated in base 64; see :func:`_section`."""
    by_server: dict[str, list[Any]] = {}
    for row in table.itertuples():
        by_server.setdefault(row.server_id, []).append(row)
    advice: dict[str, list[dict[str, Any]]] = {}
    for item in found.recommendations:
        for name in item["server_ids"]:
            advice.setdefault(name, []).append(item)
    common, parts = {metric: thresholds_of_all(found, metric) for metric in metrics}, _parts(found)
    for server in shown.itertuples():
        name = server.server_id
        section = _section(server, by_server.get(name, []), advice.get(name, []), found, metrics, common, parts)
        yield deflated(json.dumps(section, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))


def _section(
    server: Any, rows: list[Any], advice: list[dict[str, Any]], found: Assessment, metrics: list[str],
    common: dict[str, Any], parts: Parts,
) -> dict[str, Any]:  # fmt: skip
    """A server's facts, advice and metrics, the worst metric first.

    ``common`` are the thresholds by metric of all servers, ``parts`` the entities, see :func:`_parts`.
    """
    currency = found.settings.costs.currency
    entries = [
        ("Name", cut(server.server_id) if len(server.server_id) > 40 else None),
        ("Instance", server.instance_type),
        ("vCPUs", _known(server.vcpus, "{:g}")),
        ("Memory", _known(server.memory_gb, "{:g} GB")),
        ("Cost", None if pd.isna(server.monthly_cost_usd)
         else f"{wording.money(server.monthly_cost_usd, currency)} per month"),
        ("Behaviour", server.cluster_name),
        ("Business unit", server.business_unit),
        ("Region", server.region),
        ("Criticality", server.criticality),
        ("Link", blocks.link("to this server", server.server_id)),
    ]  # fmt: skip
    ordered = sorted(rows, key=lambda row: (-LEVELS.index(row.level), row.metric != server.worst_metric))
    return {
        "facts": blocks.facts([(term, cut(plain(value))) for term, value in entries], "server-facts"),
        "advice": [_advice(item, found) for item in advice],
        "metrics": [_metric(row, found, metrics, common, parts) for row in ordered],
    }


def _advice(item: dict[str, Any], found: Assessment) -> list[Any]:
    """A recommendation beside the charts of its server, which say why it is to grow."""
    currency = found.settings.costs.currency
    title = next(action.title for action in found.actions if action.name == item["action"])
    pieces: list[Any] = [blocks.bold(title), ": "]
    target, now = actions.target_of(item)
    if item["action"] == "grow" and target:
        by = actions.by_when(item["by"], fleet.last_period(found))
        pieces += ["to ", *target, f" (today {now})" if now else "", f", {by}." if by else "."]
    else:
        pieces.append(item["reason"])
    if item["monthly_saving"] > 0:
        pieces.append(f" Saves {wording.money(item['monthly_saving'], currency)} per month.")
    increase = item["evidence"].get("monthly_cost_increase") or 0
    if increase > 0:
        pieces.append(f" Costs {wording.money(increase, currency)} more per month.")
    return pieces


def _metric(row: Any, found: Assessment, metrics: list[str], common: dict[str, Any], parts: Parts) -> dict[str, Any]:
    """One metric of a server: words, figures, and what its chart marks."""
    frequency, metric = found.settings.frequency, row.metric
    limited = bool(np.isfinite(row.critical))
    judged = not pd.isna(row.p_critical)
    peak = _on(row.peak_q50, row.peak_ds, metric, frequency)
    lately = "Last 24 hours" if frequency.hourly else "Last 7 days"
    entries: list[tuple[str, Any]] = [
        (lately, wording.amount(row.current, metric)),
        ("Expected peak", peak or "–"),
        ("Peak, 95 % forecast", wording.amount(row.peak_q95, metric)),
    ]
    if np.isfinite(row.capacity) and not is_percent(metric):
        entries.append(("Capacity", wording.amount(row.capacity, metric)))
    if limited and judged:
        entries += [
            (f"Chance above {_short(row.warning, row.capacity, metric)}", wording.chance(row.p_warning)),
            (f"Chance above {_short(row.critical, row.capacity, metric)}", wording.chance(row.p_critical)),
        ]
    coming = pd.notna(row.critical_date) and not row.above_already
    if limited:
        entries.append(("Critical around", _critical_around(row, judged, found)))
        if coming and pd.notna(row.breach_earliest) and row.breach_earliest != row.breach_latest:
            entries.append(("8 in 10 between", _range(row, found)))
    entries += [
        ("Next holiday", _on(row.holiday_peak, row.holiday_ds, metric, frequency)),
        ("Quarter end", _on(row.quarter_end_peak, row.quarter_end_ds, metric, frequency)),
    ]
    if abs(row.trend_per_month) >= LEAST_GROWTH * points(row) and row.trend_strength >= LEAST_TREND:
        sign = "+" if row.trend_per_month > 0 else "−"
        entries.append(("Long-term trend", f"{sign}{wording.change(abs(row.trend_per_month), metric)} per month"))
    entries.append(("Rhythm", rhythm.rhythm_of(row, frequency)))
    if row.entity:
        entries.append(("Beside it", _others(row, parts)))
    mark = None
    if coming:
        mark = {
            "at": step(row.critical_date, found),
            "earliest": step(row.breach_earliest, found),
            "latest": step(row.breach_latest, found),
            "text": f"critical {wording.date(row.critical_date, frequency, year=False)}",
        }
    thresholds = _thresholds(row, metric)
    own = {"thresholds": thresholds} if thresholds != common[metric] else {}
    decision = accepted.of_metric(found, row.server_id, metric, row.entity or None)
    return {
        "metric": metrics.index(metric),
        **own,
        "title": wording.sentence(wording.metric(metric, cut(row.entity))),
        "level": LEVELS.index(row.level),
        "reason": cut(wording.sentences([decision, row.reason])),
        "facts": blocks.facts(entries, "metric-facts"),
        "summary": f"Expected peak {wording.amount(row.peak_q50, metric)} on "
        f"{wording.date(row.peak_ds, frequency, year=False)}" if peak else "No forecast",
        "mark": mark,
    }  # fmt: skip


def thresholds_of_all(found: Assessment, metric: str) -> list[dict[str, Any]] | None:
    """What charts of a metric mark; ``None`` where it has no thresholds, or series have different ones."""
    rows = found.risks.loc[found.risks["metric"] == metric, ["warning", "critical", "capacity"]].drop_duplicates()
    return _thresholds(rows.iloc[0], metric) if len(rows) == 1 else None


def _thresholds(row: Any, metric: str) -> list[dict[str, Any]] | None:
    """The thresholds of a row of the risks, where its chart marks them."""
    if not np.isfinite(row.critical):
        return None
    return [
        {"name": name, "at": plain(value), "text": f"{name} {_short(value, row.capacity, metric)}"}
        for name, value in (("warning", row.warning), ("critical", row.critical))
    ]


def _short(limit: float, capacity: float, metric: str) -> str:
    """A threshold where there is little room: percent of what has a capacity, "90 %", else "100 MB/s"."""
    share = 100 * limit / capacity if np.isfinite(capacity) and not is_percent(metric) else limit
    return wording.threshold(float(f"{share:.6g}"), metric)


def _others(row: Any, parts: Parts) -> str:
    """The other entities of a server's metric with their expected peaks, the highest first."""
    others = parts.get((row.server_id, row.metric), [])
    told = [
        f"{wording.printable(name)} {wording.amount(peak, row.metric)}{f' ({level})' if level != 'none' else ''}"
        for name, peak, level in others
        if name != row.entity
    ]
    return ", ".join(told[:MOST_PARTS]) + (f" and {len(told) - MOST_PARTS} more" if len(told) > MOST_PARTS else "")


def _parts(found: Assessment) -> Parts:
    """By server and metric its entities: name, expected peak, level; empty where there are none."""
    if "risks" not in found.every:
        return {}
    table = found.every["risks"].sort_values(["peak_q50", "entity"], ascending=[False, True])
    grouped = table.groupby(["server_id", "metric"], sort=False)
    return {key: list(zip(own["entity"], own["peak_q50"], own["level"], strict=True)) for key, own in grouped}


def _critical_around(row: Any, judged: bool, found: Assessment) -> str:
    if row.above_already:
        return f"above since {day(row.above_since, found)}"
    if pd.notna(row.critical_date):
        return wording.date(row.critical_date, found.settings.frequency, year=False)
    return "not expected" if judged else "not judged"


def _range(row: Any, found: Assessment) -> str:
    frequency = found.settings.frequency
    end = fleet.last_period(found) + found.settings.horizon * frequency.step
    latest = f"sometime after {wording.date(end, frequency, year=False)}"
    if pd.notna(row.breach_latest):
        latest = wording.date(row.breach_latest, frequency, year=False)
    return f"{wording.date(row.breach_earliest, frequency, year=False)} and {latest}"


def _on(value: float, moment: pd.Timestamp, metric: str, frequency: Frequency) -> str:
    if pd.isna(value) or pd.isna(moment):
        return ""
    return f"{wording.amount(value, metric)}, {wording.date(moment, frequency, year=False)}"


def _known(value: float, form: str) -> str | None:
    return None if pd.isna(value) else form.format(value)
