"""What a reader sees first: the headline, the numbers below it, and what changed since the last run."""

from __future__ import annotations

from typing import Any

import pandas as pd

from headroom.core import wording
from headroom.core.findings import AT_RISK, Assessment
from headroom.report import blocks, fleet
from headroom.report.blocks import Block, Text
from headroom.report.sections import accepted
from headroom.report.sections.unjudged import MAX_LISTED


def headline(found: Assessment) -> str:
    """What the capacity manager must know first, as one sentence."""
    servers, risks = found.servers, fleet.open_risks(found)
    ahead = f"in the next {fleet.horizon_of(found)}"
    if servers.empty:
        return "There is no server to assess"
    at_risk = int(servers["level"].isin(AT_RISK).sum())
    all_servers = wording.plural(len(servers), "server")
    now = set(risks.loc[risks["above_already"], "server_id"])
    coming = risks[risks["critical_date"].notna() & ~risks["server_id"].isin(now)]
    if not now and coming.empty:
        if at_risk == 0:
            return fleet.calm(found)
        return f"{at_risk:,} of {all_servers} at risk, none expected to reach a critical threshold {ahead}"
    if coming.empty:
        return f"{len(now):,} of {all_servers} above a critical threshold now, no other expected to reach one {ahead}"
    first = coming.sort_values(["critical_date", "server_id"]).iloc[0]
    moment = f"{first['critical_date']:%-d %B}"
    if found.settings.frequency.hourly:
        moment += f" at {first['critical_date']:%H:%M}"
    when = f"the first around {moment} ({wording.metric(first['metric'])})"
    number = coming["server_id"].nunique()
    if now:
        return f"{len(now):,} of {all_servers} above a critical threshold now, {number:,} more expected {ahead}, {when}"
    return f"{number:,} of {all_servers} expected to reach a critical threshold {ahead}, {when}"


def top(found: Assessment) -> dict[str, Any]:
    """The head of the page: the headline, the numbers below it and what changed since the last run."""
    risks, settings, frequency = fleet.open_risks(found), found.settings, found.settings.frequency
    as_of, dataset = fleet.last_period(found), found.summary["dataset"]
    levels = found.servers["level"]
    at_risk, watched = int(levels.isin(AT_RISK).sum()), int((~levels.isin([*AT_RISK, "none"])).sum())
    above = set(risks.loc[risks["above_already"], "server_id"])
    coming = risks.loc[~risks["server_id"].isin(above), "critical_date"].dropna()
    saved, advice = found.summary["savings"]["monthly"], len(found.recommendations)
    beside = f", {watched:,} to watch" if watched else f" of {wording.plural(len(levels), 'server')}"
    numbers = [(wording.count(at_risk), f"at risk{beside}", "risk")]
    if above:
        numbers.append((wording.count(len(above)), "above critical now", "risk"))
    if len(coming):
        first = coming.min()
        words = f"next crossing, in {_until(first, found)}"
        numbers.append((wording.date(first, frequency, year=False), words, "risk"))
    if found.not_judged:
        numbers.append((wording.count(len(found.not_judged)), "not judged", "unjudged"))
    hidden, _ = accepted.counts(found)
    if hidden:
        numbers.append((wording.count(hidden), "accepted, not counted here", "accepted"))
    if saved > 0:
        numbers.append((wording.money(saved, settings.costs.currency), "to save per month", "actions"))
    numbers.append((wording.count(advice), "recommendation" if advice == 1 else "recommendations", "actions"))
    gain = (found.metrics.get("headline") or {}).get("improvement_percent")
    if gain is not None:
        backtested, horizon = found.metrics["backtested"], found.metrics["horizon"]
        tested = f", {wording.about(backtested, frequency)} ahead" if backtested < horizon else ""
        words = f"{'less' if gain >= 0 else 'more'} error than a naive forecast{tested}"
        numbers.append((wording.percent(abs(round(gain))), words, "forecast"))
    age = wording.age(found.summary["data_age_days"])
    what = f"capacity risk as of {wording.day(as_of)}{age and f', {age}'}"
    return {
        "kicker": f"{dataset} · {what}" if dataset else wording.sentence(what),
        "headline": f"{headline(found)}.",
        "numbers": [list(one) for one in numbers],
        "changes": _changes(found),
    }


def _changes(found: Assessment) -> list[Block]:
    if found.changes is None:
        return [blocks.paragraph("The first run: there is nothing yet to compare with.", style="since")]
    kinds = {"new_at_risk": "New at risk", "worse": "Worse", "better": "Better", "resolved": "Resolved"}
    entries: list[tuple[Text, Text]] = [
        ([f"{title} ", blocks.bold(f"{len(names):,}")], blocks.servers(names[:MAX_LISTED], len(names)))
        for kind, title in kinds.items()
        if (names := found.changes[kind])
    ]
    title = blocks.bold("Since the last run")
    if not entries:
        return [blocks.paragraph(title, " No server's risk has changed.", style="since")]
    return [{"since": title, "facts": [list(entry) for entry in entries]}]


def _until(moment: pd.Timestamp, found: Assessment) -> str:
    return wording.about(fleet.periods_between(fleet.last_period(found), moment, found), found.settings.frequency)
