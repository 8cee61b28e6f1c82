"""What to do about it, for which money: one rule per file in ``rules/``.

A server gets at most one recommendation, the first that applies in the order of the rules' ``ORDER``, so a total never
counts a saving twice. The rules are documented for their readers in ``docs/risk.md``.

A rule is a module of ``rules/`` with

- ``ORDER``: a number; rules with lower ones come first;
- ``ACTION``: its :class:`~headroom.core.findings.Action`, with the words that the report uses for it;
- ``find(fleet) -> list[Advice]``: see :mod:`headroom.insight.recommend.facts` for what it may look at.

To add a rule, add its file and its test; nothing else lists the rules.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from types import ModuleType
from typing import Any

import pandas as pd

from headroom.core.findings import Action
from headroom.core.modules import modules_of
from headroom.core.settings import Settings
from headroom.insight.recommend import rules
from headroom.insight.recommend.facts import Advice, Past, look


def all_rules() -> list[ModuleType]:
    """The modules of ``rules/``, in the order in which they are asked."""
    return sorted(modules_of(rules.__name__), key=lambda rule: rule.ORDER)


def actions() -> list[Action]:
    """What the rules may recommend, in their order."""
    return [rule.ACTION for rule in all_rules()]


def recommend(
    past: Past,
    risks: pd.DataFrame,
    servers: pd.DataFrame,
    settings: Settings,
    not_judged: Collection[str] = (),
) -> list[dict[str, Any]]:
    """All recommendations, the most urgent first; the dicts are those of ``Assessment.recommendations``.

    Args:
        past: see ``facts.past_of``.
        risks: see ``risk.risks``.
        servers: see ``ranking.servers``: the attributes and the score of each server.
        not_judged: servers of which something is not judged: nothing is taken from what may be gone, or is not known.
    """
    fleet = look(past, risks, servers, settings)
    found: list[tuple[Action, Advice]] = []
    for rule in all_rules():
        done = {*not_judged, *(server for _, one in found for server in one.involved)}
        found += [(rule.ACTION, one) for one in rule.find(replace(fleet, done=frozenset(done)))]
    urgency = {server: number for number, server in enumerate(servers["server_id"])}
    told = [one.told(action) for action, one in found]
    told.sort(key=lambda one: (
        one["action"] != "grow",
        urgency[one["server_ids"][0]] if one["action"] == "grow" else -one["monthly_saving"],
        one["server_ids"],
    ))  # fmt: skip
    return [{**one, "priority": number} for number, one in enumerate(told, 1)]


def totals(recommendations: list[dict[str, Any]], settings: Settings) -> dict[str, Any]:
    """Savings per month, in all and by action, and what growing costs more per month as far as its price is known."""
    by_action: dict[str, float] = {}
    for one in recommendations:
        by_action[one["action"]] = by_action.get(one["action"], 0.0) + one["monthly_saving"]
    by_action = {action: round(total, 2) for action, total in sorted(by_action.items())}
    growth = sum(one["evidence"].get("monthly_cost_increase") or 0.0 for one in recommendations)
    return {
        "monthly": round(sum(by_action.values()), 2), "currency": settings.costs.currency, "by_action": by_action,
        "growth_monthly": round(growth, 2),
    }  # fmt: skip
