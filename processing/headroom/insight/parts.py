"""Entities of servers among the results: which of them stands for its server, and how files name them."""

from __future__ import annotations

import pandas as pd

from headroom.core import wording
from headroom.core.findings import LEVELS
from headroom.core.grid import SERIES
from headroom.core.periods import Frequency
from headroom.core.series import have_entities, named, parts_of, split


def without_gone(panel: pd.DataFrame, last: pd.Timestamp, frequency: Frequency) -> tuple[pd.DataFrame, list[str]]:
    """The panel without series that others of the same server and metric have taken over from, and their names.

    A disk that is gone, and the server's own series from before its disks were told apart, are not silent servers.
    ``last`` is the last period of the whole panel.
    """
    if not have_entities(panel["server_id"]):
        return panel, []
    seen = panel[panel["y"].notna()].groupby(SERIES, observed=True, as_index=False)["ds"].max()
    seen["server"] = seen["server_id"].map(lambda owner: parts_of(owner)[0])
    newest = seen.groupby(["server", "metric"])["ds"].transform("max")
    old = seen["ds"] <= last - frequency.silent * frequency.step
    # A series of the whole server, once there are parts, ended when they began.
    entities = seen.groupby(["server", "metric"])["server_id"].transform("count") > 1
    whole = entities & (seen["server_id"] == seen["server"]) & (seen["ds"] < newest)
    gone = seen[((seen["ds"] < newest) & old & entities) | whole]
    if gone.empty:
        return panel, []
    keys = pd.MultiIndex.from_frame(panel[SERIES])
    left = panel[~keys.isin(pd.MultiIndex.from_frame(gone[SERIES]))]
    return left, sorted({wording.printable(named(owner)) for owner in gone["server_id"]})


def worst(risks: pd.DataFrame) -> pd.DataFrame:
    """Of each server and metric the owner that stands for it: by level, then score, then how near it is to critical."""
    near = (risks["peak_q95"] / risks["critical"].fillna(risks["capacity"])).fillna(risks["peak_q95"])
    table = risks[SERIES].assign(
        server=[parts_of(owner)[0] for owner in risks["server_id"]],
        rank=risks["level"].map(LEVELS.index), score=risks["score"], near=near,
    )  # fmt: skip
    table = table.sort_values(
        ["server", "metric", "rank", "score", "near", "server_id"], ascending=[True, True, False, False, False, True]
    )
    return table.drop_duplicates(["server", "metric"])[SERIES]


def of_servers(table: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """The rows of the series chosen (see :func:`worst`), under their servers' names, in the servers' order."""
    mine = table[pd.MultiIndex.from_frame(table[SERIES]).isin(pd.MultiIndex.from_frame(chosen))]
    mine = mine.assign(server_id=[parts_of(owner)[0] for owner in mine["server_id"]])
    order = [*SERIES, *(["ds"] if "ds" in mine else [])]
    return mine.sort_values(order, ignore_index=True)


def as_files(table: pd.DataFrame) -> pd.DataFrame:
    """A table of all series with ``server_id`` and ``entity``, sorted by them."""
    table = split(table.drop(columns="entity", errors="ignore"))
    order = ["server_id", "metric", "entity", *(["ds"] if "ds" in table else [])]
    return table.sort_values(order, ignore_index=True)
