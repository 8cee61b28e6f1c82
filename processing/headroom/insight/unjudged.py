"""Of which series the risk is not judged, why, and what their owners can do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from headroom.core import metrics, wording
from headroom.core.grid import Grid, newest
from headroom.core.series import parts_of
from headroom.core.settings import Settings
from headroom.insight import limits


def why(keys: pd.DataFrame, limits_of: pd.DataFrame, no_forecast: np.ndarray, grid: Grid) -> list[str]:
    """Why the risk of each series is not judged, "" where it is.

    A short series that is above its warning threshold now is judged all the same.

    Args:
        keys: ``server_id, metric`` of n series.
        limits_of: see :func:`limits.of_series`.
        no_forecast: bool array (n,).
    """
    current, last_seen = newest(keys, grid)
    row = pd.Index(grid.servers).get_indexer(keys["server_id"])
    unlimited = limits.without_capacity(keys, limits_of)
    warning, critical = (limits_of[name].to_numpy() for name in ("warning", "critical"))
    reasons = []
    for number, (owner, metric) in enumerate(zip(keys["server_id"], keys["metric"], strict=True)):
        there = np.isfinite(grid.by_metric[metric][row[number]])
        points, limited = int(there.sum()), bool(np.isfinite(critical[number]))
        pressed = limited and current[number] >= warning[number]
        called = wording.metric(metric, parts_of(owner)[1])
        name, have = wording.sentence(called), wording.verb(metric, "has", "have")
        if _is_silent(there, grid):
            since = wording.date(pd.Timestamp(last_seen[number]), grid.frequency)
            reasons.append(f"{name} {have} not been reported since {since}: check whether the server still runs.")
        elif points < grid.frequency.short and not pressed:
            history = wording.periods(points, grid.frequency)
            reasons.append(f"{name} {have} only {history} of history: too little to judge its risk.")
        elif limited and no_forecast[number]:
            reasons.append(f"There is no forecast for {called}: its risk is not known.")
        elif unlimited[number]:
            reasons.append(f"The capacity of {called} is not known: {_where_from(metric)}.")
        else:
            reasons.append("")
    return reasons


def listed(keys: pd.DataFrame, reasons: list[str], grid: Grid, settings: Settings) -> list[dict[str, Any]]:
    """The servers of which something is not judged, one dict each, by name; see ``Assessment.not_judged``.

    Args:
        keys: ``server_id, metric`` of all series.
        reasons: what :func:`why` gave: "" for a series that is judged.
    """
    row = {owner: number for number, owner in enumerate(grid.servers)}
    parts = [parts_of(owner) for owner in keys["server_id"]]
    table = keys.assign(unknown=[bool(reason) for reason in reasons], why=reasons)
    table = table.assign(server=[server for server, _ in parts], entity=[entity for _, entity in parts])
    concerned = table[table["server"].isin(table.loc[table["unknown"], "server"])]
    found = []
    for server, own in concerned.groupby("server", sort=True):
        whole = bool(own["unknown"].all())
        # A metric without thresholds has no risk in any case.
        judged = own["metric"].map(lambda name: name in settings.thresholds or metrics.of(name).has_capacity)
        open_ones = own[own["unknown"] & (judged | whole)]
        if open_ones.empty:
            continue
        there = {
            wording.metric(one.metric, one.entity): np.isfinite(grid.by_metric[one.metric][row[one.server_id]])
            for one in open_ones.itertuples()
        }
        seen = np.flatnonzero(np.any(list(there.values()), axis=0))
        unlimited = [one.why for one in open_ones.itertuples() if one.why.startswith("The capacity of ")]
        reason = " ".join(unlimited) if len(unlimited) == len(open_ones) else _what_to_do(there, whole, grid)
        found.append({
            "server_id": server,
            "metrics": list(dict.fromkeys(open_ones["metric"])),
            "last": grid.ds[seen[-1]].isoformat() if seen.size else None,
            "periods": len(seen),
            "reason": reason,
        })  # fmt: skip
    return found


def _where_from(metric: str) -> str:
    """Where the capacity of a metric should have come from."""
    meant = metrics.of(metric)
    if meant.capacity_attribute is not None:
        return f"say the server's {meant.capacity_attribute} (a column of that name in a file)"
    return f"no file has said its {meant.capacity_column}"


def _what_to_do(there: dict[str, np.ndarray], whole: bool, grid: Grid) -> str:
    """Why these metrics of a server are not judged, and what its owner can do.

    Args:
        there: by what each is called, which periods have a value.
        whole: whether they are all that the server has.
    """
    silent = {name: values for name, values in there.items() if _is_silent(values, grid)}
    empty = [name for name, values in there.items() if not values.any()]
    short = {name: values for name, values in there.items() if values.any() and name not in silent}
    sentences = []
    if silent:
        last = max(grid.ds[np.flatnonzero(values)[-1]] for values in silent.values())
        since = f"since {wording.date(last, grid.frequency)}"
        sentences.append(
            f"Nothing has been reported {since}: check whether the server, or only its monitoring, has stopped."
            if whole and not short
            else f"{_has(list(silent))} not been reported {since}, although the server reports other metrics: check "
            "its monitoring."
        )
    if short:
        points = min(int(values.sum()) for values in short.values())
        least = grid.frequency.short
        sentences.append(
            f"{_has(list(short))} only {wording.periods(points, grid.frequency)} of history; risk is judged once "
            f"there are {wording.periods(least, grid.frequency)}. Wait, or add older files."
            if points < least
            else f"{_has(list(short))} no forecast: train again."
        )
    if empty:
        sentences.append(f"{_has(empty)} no usable value: data_quality.json says what was wrong with the files.")
    return " ".join(sentences)


def _has(names: list[str]) -> str:
    return f"{wording.sentence(wording.listed(names))} {'has' if len(names) == 1 else 'have'}"


def _is_silent(there: np.ndarray, grid: Grid) -> bool:
    return bool(there.any() and not there[-grid.frequency.silent :].any())
