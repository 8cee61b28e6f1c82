"""The recommendations."""

from __future__ import annotations

from typing import Any

import pandas as pd

from headroom.core import wording
from headroom.core.findings import Assessment
from headroom.report import blocks, fleet
from headroom.report.blocks import Block, Text

MAX_RECOMMENDATIONS = 400
MAX_SERVERS_NAMED = 20


def section(found: Assessment) -> dict[str, Any]:
    items, currency = found.recommendations[:MAX_RECOMMENDATIONS], found.settings.costs.currency
    total, savings = len(found.recommendations), found.summary["savings"]
    title = "Recommendations"
    if not total:
        blank = len(fleet.unjudged(found))
        nothing = "Nothing to change: no server needs more capacity, and none could clearly do with less."
        if blank == len(found.servers):
            nothing = "Nothing is recommended, as no server can be judged."
        elif blank:
            nothing = "Nothing to change: no server that is judged needs more capacity or could clearly do with less."
        return blocks.section("actions", title, title, [blocks.paragraph(nothing)])
    most_urgent = f"The {len(items):,} most urgent of {total:,} are here; all are in "
    intro = blocks.paragraph(
        *([blocks.bold(f"{wording.money(savings['monthly'], currency)} per month could be saved"),
           ", with no server counted twice. "] if savings["monthly"] > 0 else []),
        *(["The recommended upsizing would cost about ",
           blocks.bold(f"{wording.money(savings['growth_monthly'], currency)} more per month"),
           ", where prices are known. "] if savings["growth_monthly"] > 0 else []),
        most_urgent if total > len(items) else "The same list for programs and spreadsheets: ",
        blocks.code("optimization_recommendations.json"), " and ", blocks.code(".csv"), ".", style="intro",
    )  # fmt: skip
    articles = []
    for action in found.actions:
        number = sum(item["action"] == action.name for item in found.recommendations)
        mine = [item for item in items if item["action"] == action.name]
        if not mine:
            continue
        saved = savings["by_action"].get(action.name, 0)
        saving = f", saving {wording.money(saved, currency)} per month" if saved > 0 else ""
        heading = [f"{action.title} ", blocks.soft(f"{number:,}: {action.what}{saving}")]
        articles.append(blocks.article(heading, _advice_table(action.title, mine, found), style="action"))
    return blocks.section("actions", title, title, [intro, *articles])


def _advice_table(title: str, items: list[dict[str, Any]], found: Assessment) -> list[Block]:
    currency, as_of = found.settings.costs.currency, fleet.last_period(found)

    def cells(item: dict[str, Any]) -> list[Text]:
        target, now = target_of(item)
        increase = item["evidence"].get("monthly_cost_increase") or 0
        names = item["server_ids"]
        return [
            blocks.servers(names[:MAX_SERVERS_NAMED], len(names)),
            [wording.sentence(item["why"]), blocks.small(_evidence(item, currency))],
            [*target, *([blocks.small(f"now {now}")] if now else [])],
            by_when(item["by"], as_of),
            item["effort"],
            f"+ {wording.money(increase, currency)}" if increase > 0 else "",
            wording.money(item["monthly_saving"], currency) if item["monthly_saving"] > 0 else "",
        ]

    columns = [("Servers", "name"), ("Why", "wide"), ("Target", "short"), ("When", "tight"), ("Effort", "tight"),
               ("Costs per month", "number"), ("Saves per month", "number")]  # fmt: skip
    rows = [cells(item) for item in items]
    used = [number for number in range(len(columns)) if any(row[number] for row in rows)]
    rows = [[row[number] or "–" for number in used] for row in rows]
    caption = f"Recommendations: {title}"
    return blocks.table(caption, [columns[number] for number in used], rows, shown=8, of="recommendations")


def _evidence(item: dict[str, Any], currency: str) -> str:
    """What a recommendation rests on, as far as no column says it."""
    evidence, told = item["evidence"], []
    for key, value in evidence.items():
        if value is not None and key.endswith(("_p95", "_max", "_peak", "_peak_q50")):
            unit = "network_in" if key.startswith("network") else "cpu"
            told.append(f"{wording.label(key)} {wording.amount(value, unit)}")
    cost = evidence.get("monthly_cost")
    if cost is not None:
        by_rates = " by the rates" if evidence.get("cost_from") == "rates" else ""
        told.append(f"costs {wording.money(cost, currency)} per month{by_rates}")
    return ", ".join(told)


def target_of(item: dict[str, Any]) -> tuple[list[Any], str]:
    """What a recommendation changes to, and the size now where that is another ("" where it is not)."""
    target = item["target"]
    if not target:
        return [], ""
    if "host" in target:
        return ["onto ", blocks.server(target["host"])], ""
    size = ", ".join(wording.size(target.get("vcpus"), target.get("memory_gb"), of=""))
    parts = [size] if size else []
    if "factor" in target:
        parts.append(f"{target['factor']:g} × today's size")
    if "hours_a_week" in target:
        parts.append(f"off {target['hours_a_week']} hours per week")
    factors = {key.removesuffix("_factor"): value for key, value in target.items() if key.endswith("_factor")}
    parts += [f"{value:g} × today's {wording.metric(name, _entity(item, name))}" for name, value in factors.items()]
    parts += [wording.capacity(key, value) for key, value in target.items() if key.endswith("_capacity")]
    now = ", ".join(wording.size(item["evidence"].get("vcpus"), item["evidence"].get("memory_gb"), of=""))
    return [", ".join(parts)], now if size and now != size else ""


def _entity(item: dict[str, Any], metric: str) -> str:
    """The part of the server that a recommendation is about, or ""."""
    return str(item["evidence"].get("metrics", {}).get(metric, {}).get("entity", ""))


def by_when(date: str | None, as_of: pd.Timestamp) -> str:
    """The date by which to act, or that it is time."""
    if date is None:
        return ""
    moment = pd.Timestamp(date)
    return f"by {wording.day(moment, year=False)}" if moment > as_of else "now"
