"""What each series is judged by: its capacity and its thresholds, in the unit of its metric."""

from __future__ import annotations

import numpy as np
import pandas as pd

from headroom.core import metrics, series
from headroom.core.grid import Grid
from headroom.core.settings import Settings

LEVELS = ("warning", "critical", "underused")


def of_series(
    keys: pd.DataFrame,
    settings: Settings,
    capacities: pd.DataFrame | None = None,
    attributes: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Capacity and thresholds of series, NaN where there are none.

    Args:
        keys: ``server_id`` (owner), ``metric``.
        capacities: ``server_id, metric, ds, capacity`` as columns said them; the newest counts.
        attributes: ``server_id`` and the servers' attributes.

    Returns:
        ``capacity, warning, critical, underused`` in the metric's unit, a row per key and in its order.
    """
    said = _newest(capacities)
    owned = (
        {} if attributes is None else attributes.drop_duplicates("server_id").set_index("server_id").to_dict("index")
    )
    rows, known = [], {}
    for owner, name in zip(keys["server_id"], keys["metric"], strict=True):
        metric = metrics.of(name)
        capacity = metric.capacity
        if metric.capacity_column is not None:
            capacity = said.get((owner, name), said.get((series.parts_of(owner)[0], name)))
        elif metric.capacity_attribute is not None:
            capacity = owned.get(series.parts_of(owner)[0], {}).get(metric.capacity_attribute)
        capacity = float(capacity) if capacity is not None and capacity > 0 else np.nan
        # Without rules for single series all of a metric have the same levels.
        special = (owner, name) if settings.thresholds_for else ("", name)
        if special not in known:
            known[special] = settings.levels(*special)
        levels = known[special]
        unit = 1.0 if metric.percent or not metric.has_capacity else capacity / 100
        values = [np.nan if levels is None or getattr(levels, one) is None else getattr(levels, one) * unit
                  for one in LEVELS]  # fmt: skip
        rows.append((capacity, *values))
    return pd.DataFrame(rows, columns=["capacity", *LEVELS], index=keys.index, dtype=float)


def without_capacity(keys: pd.DataFrame, limits: pd.DataFrame) -> np.ndarray:
    """Which series have a capacity by their metric's definition, but none that is known: bool array (n,)."""
    limited = np.array([metrics.of(name).has_capacity for name in keys["metric"]], dtype=bool)
    return limited & limits["capacity"].isna().to_numpy()


def at_todays_capacity(grid: Grid, capacities: pd.DataFrame | None) -> Grid:
    """The grid with values of other capacities scaled to today's: half of what there was is half of what there is."""
    if capacities is None or capacities.empty:
        return grid
    values = grid.values.copy()
    row = pd.MultiIndex.from_frame(grid.series)
    for key, own in capacities.groupby(["server_id", "metric"], sort=False, observed=True):
        if own["capacity"].nunique() < 2 or key not in row:
            continue
        known = own.drop_duplicates("ds", keep="last").set_index("ds")["capacity"]
        known = known.reindex(grid.ds.union(known.index)).ffill().bfill().reindex(grid.ds).to_numpy(float)
        values[row.get_loc(key)] *= known[-1] / known
    return grid.holding(values)


def unmatched(settings: Settings, keys: pd.DataFrame) -> list[str]:
    """The settings' thresholds for single series that no series fits, a sentence each."""
    told = []
    for one in settings.thresholds_for:
        pairs = zip(keys["server_id"], keys["metric"], strict=True)
        if not any(one.fits(owner, metric) for owner, metric in pairs):
            told.append(f"Settings: the thresholds_for with {one.in_words()} fit no series.")
    return told


def _newest(capacities: pd.DataFrame | None) -> dict[tuple[str, str], float]:
    if capacities is None or capacities.empty:
        return {}
    newest = capacities.sort_values("ds").drop_duplicates(["server_id", "metric"], keep="last")
    return dict(zip(zip(newest["server_id"], newest["metric"], strict=True), newest["capacity"].tolist(), strict=True))
