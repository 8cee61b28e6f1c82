"""Which findings are hidden because their owners have accepted them, and which come back.

What is measured and forecast stays as it is in every table; only what people are told first leaves these findings out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from headroom.core import wording
from headroom.core.accepted import LEVELS, RISK, Accepted, AcceptedError, Finding, parse, returns
from headroom.core.findings import AT_RISK

GROW = "grow"
"""The advice that follows from a risk: who accepts the risk has answered it."""


@dataclass(frozen=True)
class Judged:
    """What became of the decisions, as ``risk_summary.json`` has them under ``accepted``.

    Attributes:
        hidden: the findings that are there and hidden; each the decision with ``server_id`` and ``level`` of now.
        returned: those that are there and not hidden any more; also ``why``, "expired" or "worse".
        problems: why the file, or a line of it, could not be used.
    """

    hidden: list[dict[str, Any]] = field(default_factory=list)
    returned: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def findings(self) -> set[Finding]:
        """The names of those that are hidden."""
        return {Finding(one["server_id"], one["metric"], one["entity"], one["kind"]) for one in self.hidden}


def read(text: str, actions: Collection[str]) -> tuple[list[Accepted], list[str]]:
    """The decisions of a file's text, and its problems; with any problem nothing is hidden."""
    try:
        found = parse(text)
    except AcceptedError as error:
        return [], str(error).splitlines()
    kinds = sorted({RISK, *actions} - {GROW})
    wrong = [
        f"findings: {one.server}, {one.metric}: {one.kind!r} is not a kind of finding; there are {', '.join(kinds)}"
        for one in found
        if one.kind not in kinds
    ]
    return ([], wrong) if wrong else (found, [])


def judge(
    decisions: Sequence[Accepted], risks: pd.DataFrame, recommendations: Sequence[dict[str, Any]], today: date
) -> Judged:
    """Which of the decisions hide a finding today. One whose finding is not there now hides nothing, and waits.

    Args:
        risks: ``server_id, metric, level``, and ``entity`` where the panel has entities.
    """
    if not decisions:
        return Judged()
    levels = dict(zip(_names(risks), risks["level"], strict=True))
    there = {name for name, level in levels.items() if level != "none"}
    there |= {
        Finding(server, one["metric"], None, one["action"]) for one in recommendations for server in one["server_ids"]
    }
    judged = Judged()
    for one in decisions:
        if one.finding not in there:
            continue
        level = levels.get(one.finding._replace(kind=RISK), "none")
        told = {
            "server_id": one.server, "metric": one.metric, "entity": one.entity, "kind": one.kind, "state": one.state,
            "level": level, "level_then": one.level, "reason": one.reason, "by": one.by, "at": one.at.isoformat(),
            "until": one.until.isoformat(),
        }  # fmt: skip
        if why := returns(one, level, today):
            judged.returned.append(told | {"why": why})
        else:
            judged.hidden.append(told)
    return judged


def hidden_risks(risks: pd.DataFrame, hidden: set[Finding]) -> np.ndarray:
    """Which rows of the risks are hidden: bool array."""
    return np.array([name in hidden for name in _names(risks)] if hidden else [False] * len(risks), dtype=bool)


def quieted(risks: pd.DataFrame, judged: Judged) -> pd.DataFrame:
    """The risks as they stand without accepted findings, which have no level and no score; their reason says why."""
    if not judged.hidden:
        return risks.copy()
    words = {(one["server_id"], one["metric"], one["entity"]): decision_in_words(one) for one in judged.hidden
             if one["kind"] == RISK}  # fmt: skip
    told = [words.get(name[:3], "") for name in _names(risks)]
    accepted = np.array([bool(one) for one in told], dtype=bool)
    return risks.assign(
        level=np.where(accepted, "none", risks["level"]),
        score=np.where(accepted, 0.0, risks["score"]),
        reason=[wording.sentences([one, reason]) for one, reason in zip(told, risks["reason"], strict=True)],
    )


def open_advice(
    recommendations: Sequence[dict[str, Any]], hidden: set[Finding], quiet: pd.DataFrame
) -> list[dict[str, Any]]:
    """The recommendations of which nobody has said that they will not be followed, numbered anew.

    Advice for several servers stays until it is accepted for each of them. Advice to grow follows from risks, and goes
    when all of these are accepted; ``quiet`` are the risks of :func:`quieted`.
    """
    pressing = quiet[quiet["level"].isin(AT_RISK)]
    still = set(zip(pressing["server_id"], pressing["metric"], strict=True))
    kept = [one for one in recommendations if not _is_answered(one, hidden, still)]
    return [{**one, "priority": number} for number, one in enumerate(kept, 1)]


def decision_in_words(one: dict[str, Any]) -> str:
    """A decision as a sentence: what, who, until when and why."""
    until = wording.day(pd.Timestamp(one["until"]))
    entity = f" of {one['entity']}" if one["entity"] else ""
    what = f"{wording.sentence(wording.metric(one['metric']))}{entity} at {one['level']}"
    if one["kind"] != RISK:
        what = f"The advice to {one['kind']}"
    return f"{what} is {one['state']} by {one['by']} until {until}: {one['reason'].rstrip('.')}."


def listed(
    risks: pd.DataFrame, recommendations: Sequence[dict[str, Any]], hidden: set[Finding]
) -> list[dict[str, Any]]:
    """All that can be accepted, the most urgent first: ``findings.json``. ``hidden`` are so already."""
    rows = risks[risks["level"] != "none"]
    found = [
        {**name._asdict(), "level": row.level, "hidden": name in hidden, "reason": row.reason}
        for name, row in zip(_names(rows), rows.itertuples(), strict=True)
    ]
    found.sort(key=lambda one: (one["hidden"], -LEVELS.index(one["level"]), one["server"], one["metric"]))
    levels = dict(zip(_names(risks), risks["level"], strict=True))
    for one in recommendations:
        for server in one["server_ids"] if one["action"] != GROW else []:
            name = Finding(server, one["metric"], None, one["action"])
            level = levels.get(name._replace(kind=RISK), "none")
            found.append({**name._asdict(), "level": level, "hidden": name in hidden, "reason": one["reason"]})
    return found


def _is_answered(one: dict[str, Any], hidden: set[Finding], still: set[tuple[str, str]]) -> bool:
    servers = one["server_ids"]
    if one["action"] != GROW:
        return all(Finding(server, one["metric"], None, one["action"]) in hidden for server in servers)
    return not any((server, metric) in still for server in servers for metric in one["evidence"]["metrics"])


def _names(risks: pd.DataFrame) -> list[Finding]:
    """The names of the findings that the rows would be."""
    entities = risks["entity"] if "entity" in risks else [None] * len(risks)
    return [
        Finding(server, metric, entity if isinstance(entity, str) and entity else None)
        for server, metric, entity in zip(risks["server_id"], risks["metric"], entities, strict=True)
    ]
