"""What is different from the previous run."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from headroom.core.findings import AT_RISK, LEVELS


def against(
    previous: Path | None, servers: pd.DataFrame, not_judged: Collection[str] = ()
) -> tuple[dict[str, Any] | None, list[str]]:
    """Compare the servers' levels with the previous run's.

    A server is at risk at level high or critical. New at risk are also servers that the previous run did not have;
    a server that is gone is in no list.

    Args:
        previous: the previous run's assessment folder, or None.
        servers: ``server_id, level`` of this run, the most urgent first; the lists keep that order.
        not_judged: servers of which something is not judged now: they may be worse, and are neither resolved nor
            better, as a server that has fallen silent has solved nothing.

    Returns:
        The changes, None where there is nothing to compare with, and notes for a person.
    """
    if previous is None or not (previous / "risk_summary.json").exists():
        return None, []
    try:
        summary = json.loads((previous / "risk_summary.json").read_text(encoding="utf-8"))
        run_id = summary.get("run_id") if isinstance(summary, dict) else None
        before = _levels(previous)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        return None, [f"No comparison with the previous run: its results cannot be read ({_short(error)})."]
    now = dict(zip(servers["server_id"], servers["level"], strict=True))
    lists: dict[str, list[str]] = {"new_at_risk": [], "resolved": [], "worse": [], "better": []}
    for server, level in now.items():
        was = before.get(server, "none")
        if level in AT_RISK and was not in AT_RISK:
            lists["new_at_risk"].append(server)
        elif server in not_judged and LEVELS.index(level) <= LEVELS.index(was):
            continue
        elif was in AT_RISK and level not in AT_RISK:
            lists["resolved"].append(server)
        elif server in before and LEVELS.index(level) > LEVELS.index(was):
            lists["worse"].append(server)
        elif server in before and LEVELS.index(level) < LEVELS.index(was):
            lists["better"].append(server)
    return {"previous_run_id": run_id, **lists}, []


def moved(previous: Path | None, servers: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Each server whose level is another one than in the previous run: ``{server: {"was": level, "now": level}}``.

    Servers that the previous run did not have count where they have a level; none count in a first run, or where the
    previous results cannot be read.
    """
    if previous is None or not (previous / "risk_summary.json").exists():
        return {}
    try:
        before = _levels(previous)
    except (OSError, ValueError, KeyError, pa.ArrowException):
        return {}
    now = zip(servers["server_id"], servers["level"], strict=True)
    return {one: {"was": was, "now": level} for one, level in now if (was := before.get(one, "none")) != level}


def clusters_of(previous: Path | None) -> tuple[pd.DataFrame | None, list[str]]:
    """The previous run's ``server_clusters.csv`` and notes for a person; None where there is none to use."""
    if previous is None or not (previous / "server_clusters.csv").exists():
        return None, []
    try:
        return pd.read_csv(previous / "server_clusters.csv", dtype={"server_id": str, "cluster_name": str}), []
    except (OSError, ValueError) as error:
        return None, [f"The previous run's clusters cannot be read ({_short(error)}): clusters get new names."]


def _levels(previous: Path) -> dict[str, str]:
    """Each server's level in the previous run."""
    table = parquet.read_table(previous / "tables" / "servers" / "servers.parquet", columns=["server_id", "level"])
    # An unknown level is a ValueError here, not a wrong comparison later.
    return {str(row["server_id"]): LEVELS[LEVELS.index(row["level"])] for row in table.to_pylist()}


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
