"""When, and how surely, a series runs out: from forecasts to chances, dates and levels.

The rules are documented for their readers in ``docs/risk.md``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy.special import ndtri

from headroom.core import metrics, wording
from headroom.core.findings import CLIMB_COLUMNS, LEVELS, REASON_PARTS
from headroom.core.grid import SERIES, Grid, coded, newest, rows_of, series_in
from headroom.core.periods import calendar, in_quarter_end
from headroom.core.series import parts_of
from headroom.core.settings import Settings
from headroom.insight import exceedance, limits, reasons, unjudged
from headroom.insight.crossing import QUANTILES, chance_crossed
from headroom.insight.exceedance import Standing

# Chances from which on a crossing is expected, or possible; and the two ends of the range of dates.
LIKELY, POSSIBLE = 0.5, 0.2
EARLIEST, LATEST = 0.1, 0.9

_CHUNK = 500


@dataclass(frozen=True)
class Outlook:
    """The forecasts of n series over the horizon's H periods, as arrays.

    Attributes:
        keys: ``server_id, metric`` of each series, sorted.
        ds: the H periods.
        quantiles: array (n, H, 5) in the metrics' units, rising along the last axis, NaN where there is no forecast.
        limits: what each series is judged by, see :func:`limits.of_series`.
        crossed: "warning", "critical": array (n, H), the chance that the threshold is crossed by that period; NaN for
            metrics without thresholds.
        above: "warning", "critical": of each series, how it is above that threshold already, or None. Empty where
            nobody has looked yet; see :func:`judged`.
    """

    keys: pd.DataFrame
    ds: pd.DatetimeIndex
    quantiles: np.ndarray
    limits: pd.DataFrame
    crossed: dict[str, np.ndarray]
    above: dict[str, list[Standing | None]] = field(default_factory=dict)

    @property
    def levels(self) -> np.ndarray:
        """The level reached by each period: indices into LEVELS, shaped (n, H)."""
        warning, critical = self.crossed["warning"], self.crossed["critical"]
        by_chance = _levels(expected(critical), critical >= POSSIBLE, expected(warning), warning >= POSSIBLE)
        return np.where(self.is_above("critical")[:, None], LEVELS.index("critical"), by_chance)

    def is_above(self, threshold: str) -> np.ndarray:
        """Which series are above the threshold already: bool array (n,)."""
        return np.array([one is not None for one in self.above.get(threshold, [None] * len(self.keys))], dtype=bool)


def expected(chances: np.ndarray) -> np.ndarray:
    """By which periods a crossing is expected: bool array (n, H), False for series that are unlikely to cross.

    It is expected at the median of the crossings that the forecast holds possible: the first period by which half of
    the horizon's chance has come. The first by which it is more likely than not would be late where the chance is
    little more than a half, since there it is the date of the slowest of these crossings.

    Args:
        chances: array (n, H), the chance of having crossed by each period, rising along H.
    """
    return (chances[:, -1:] >= LIKELY) & (chances >= chances[:, -1:] / 2)


def level_of(p_warning: np.ndarray, p_critical: np.ndarray) -> np.ndarray:
    """The level that chances of crossing stand for, as indices into LEVELS; NaN counts as no chance."""
    return _levels(p_critical >= LIKELY, p_critical >= POSSIBLE, p_warning >= LIKELY, p_warning >= POSSIBLE)


def _levels(critical: np.ndarray, high: np.ndarray, medium: np.ndarray, low: np.ndarray) -> np.ndarray:
    return np.select([critical, high, medium, low], [4, 3, 2, 1], 0)


def outlook(
    forecasts: pd.DataFrame,
    seasonality: pd.DataFrame,
    settings: Settings,
    capacities: pd.DataFrame | None = None,
    attributes: pd.DataFrame | None = None,
) -> Outlook:
    """Chances of crossing from forecasts.

    Args:
        forecasts: ``server_id, metric, ds, q05, q10, q50, q90, q95``, and any quantiles between them, which the chances
            rest on too.
        seasonality: ``server_id, metric, noise`` at least: how much a series changes from one period to the next.
        capacities, attributes: see :func:`limits.of_series`.
    """
    coded_keys = coded(forecasts[SERIES])
    keys = series_in(coded_keys)
    number = rows_of(coded_keys, keys)
    ds, column = np.unique(forecasts["ds"].to_numpy(), return_inverse=True)
    names = sorted(name for name in forecasts if re.fullmatch(r"q\d\d", str(name)))
    quantiles = np.full((len(keys), len(ds), len(names)), np.nan)
    quantiles[number, column] = np.sort(forecasts[names].to_numpy(float), axis=1)
    scores = ndtri([int(name[1:]) / 100 for name in names])

    noise = keys.merge(seasonality[["server_id", "metric", "noise"]], how="left", on=["server_id", "metric"])
    crossed = {name: np.full(quantiles.shape[:2], np.nan) for name in ("warning", "critical")}
    limited = limits.of_series(keys, settings, capacities, attributes)
    rows = np.flatnonzero(limited["critical"].notna())
    for name, chances in crossed.items():
        for part in np.array_split(rows, max(1, -(-len(rows) // _CHUNK))):
            chances[part] = chance_crossed(
                quantiles[part],
                noise["noise"].to_numpy()[part],
                limited[name].to_numpy()[part],
                settings.frequency,
                scores,
            )
    told = quantiles[:, :, [names.index(name) for name in QUANTILES]]
    return Outlook(keys, pd.DatetimeIndex(ds), told, limited, crossed)


def judged(seen: Outlook, grid: Grid, settings: Settings, judged_by: Grid | None = None) -> tuple[Outlook, list[str]]:
    """The outlook as far as it can be judged: what is above a threshold already, and no chances where nothing can be.

    Args:
        judged_by: the same grid with values at today's capacities, where these have changed.

    Returns:
        The outlook, and for each series why its risk is not judged, "" where it is.
    """
    why = unjudged.why(seen.keys, seen.limits, np.isnan(seen.quantiles).all(axis=(1, 2)), grid)
    unknown = np.array([bool(reason) for reason in why])[:, None]
    seen = replace(seen, crossed={name: np.where(unknown, np.nan, p) for name, p in seen.crossed.items()})
    return replace(seen, above={name: _above(seen, name, judged_by or grid) for name in seen.crossed}), why


def _above(seen: Outlook, threshold: str, grid: Grid) -> list[Standing | None]:
    """How each series is above a threshold already; only where the forecast expects it to cross (again)."""
    chances = seen.crossed[threshold]
    row = pd.Index(grid.servers).get_indexer(seen.keys["server_id"])
    tomorrow = grid.frequency.per_day - 1
    found: list[Standing | None] = [None] * len(seen.keys)
    for number in np.flatnonzero(chances[:, -1] >= LIKELY):
        metric = seen.keys["metric"].iat[number]
        limit = float(seen.limits[threshold].iat[number])
        soon = chances[number, min(tomorrow, chances.shape[1] - 1)] >= LIKELY
        found[number] = exceedance.of_series(grid.by_metric[metric][row[number]], grid.ds, limit, grid.frequency, soon)
    return found


def risks(
    seen: Outlook,
    grid: Grid,
    settings: Settings,
    not_judged: list[str] | None = None,
    climbs: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One row per server and metric; the columns are those of ``Assessment.risks``.

    ``seen`` and ``not_judged`` are what :func:`judged` gave; without the latter every series is judged. ``climbs`` is
    what the forecasts rest on (``forecast.predict_and_explain``); without it nothing is said of that.
    """
    not_judged = not_judged or [""] * len(seen.keys)
    climbs = pd.DataFrame(columns=["server_id", "metric"]) if climbs is None else climbs
    table = seen.keys.merge(climbs, how="left", on=["server_id", "metric"])
    table = table.reindex(columns=["server_id", "metric", *CLIMB_COLUMNS])
    table = table.astype(dict.fromkeys(CLIMB_COLUMNS, float) | {"climb_since": "datetime64[ns]"})
    table["entity"] = [parts_of(owner)[1] for owner in table["server_id"]]
    table["unit"] = [metrics.of(name).unit for name in table["metric"]]
    table[["capacity", "warning", "critical"]] = seen.limits[["capacity", "warning", "critical"]].to_numpy()
    table["level"] = np.array(LEVELS, dtype=object)[seen.levels[:, -1]]
    table["current"], last_seen = newest(seen.keys, grid)
    median, upper = seen.quantiles[:, :, 2], seen.quantiles[:, :, 4]
    table["peak_q50"], table["peak_ds"] = _peak(median, seen.ds)
    table["peak_q95"] = _peak(upper, seen.ds)[0]
    table["p_warning"], table["p_critical"] = seen.crossed["warning"][:, -1], seen.crossed["critical"][:, -1]
    table["warning_date"] = _first_date(expected(seen.crossed["warning"]), seen.ds)
    table["critical_date"] = _first_date(expected(seen.crossed["critical"]), seen.ds)
    table["breach_earliest"] = _first_date(seen.crossed["critical"] >= EARLIEST, seen.ds)
    table["breach_latest"] = _first_date(seen.crossed["critical"] >= LATEST, seen.ds)
    now = grid.ds[-1]
    standings = [seen.above.get(name, [None] * len(table)) for name in ("warning", "critical")]
    above = table["above_already"] = seen.is_above("critical")
    table["above_since"] = pd.DatetimeIndex([one.since if one else pd.NaT for one in standings[1]])
    table.loc[above, ["critical_date", "breach_earliest", "breach_latest"]] = now
    table.loc[above | seen.is_above("warning"), "warning_date"] = now
    table["days_to_breach"] = (table["critical_date"] - now) / pd.Timedelta(days=1)
    table["holiday_peak"], table["holiday_ds"] = _window_peak(median, seen.ds, _holidays(seen.ds, settings))
    quarter_end = in_quarter_end(seen.ds, settings.fiscal_quarter_ends)
    table["quarter_end_peak"], table["quarter_end_ds"] = _window_peak(median, seen.ds, quarter_end)
    # The share of the horizon after the crossing, as expected: both sooner and surer count.
    after = np.where(above, 1.0, seen.crossed["critical"].mean(axis=1))
    table["score"] = 100 * (
        0.5 * table["p_critical"].fillna(0) + 0.3 * np.nan_to_num(after) + 0.2 * table["p_warning"].fillna(0)
    )
    # A warning of a series younger than the horizon, which has not come true yet.
    table["early"] = (table["level"] != "none") & ~above & (table["history"] < settings.horizon)
    told = [
        {"what": why} if why else reasons.of_series(row, seen_at, {"warning": warning, "critical": critical}, settings)
        for row, seen_at, why, warning, critical in zip(
            table.itertuples(), pd.DatetimeIndex(last_seen), not_judged, *standings, strict=True
        )
    ]
    for part in REASON_PARTS:
        table[part] = [one.get(part, "") for one in told]
    table["reason"] = [wording.sentences(one.values()) for one in told]
    return table


def _peak(values: np.ndarray, ds: pd.DatetimeIndex) -> tuple[np.ndarray, pd.DatetimeIndex]:
    some = np.isfinite(values).any(axis=1)
    at = np.where(np.isfinite(values), values, -np.inf).argmax(axis=1)
    return np.where(some, values[np.arange(len(values)), at], np.nan), _dates(ds, at, some)


def _window_peak(values: np.ndarray, ds: pd.DatetimeIndex, inside: np.ndarray) -> tuple[np.ndarray, pd.DatetimeIndex]:
    """The peak in the first unbroken stretch of days that are ``inside``."""
    days = ds.normalize()
    inside_days = days[inside].unique()
    if inside_days.empty:
        return np.full(len(values), np.nan), pd.DatetimeIndex([pd.NaT] * len(values))
    breaks = np.flatnonzero(np.diff(inside_days.to_numpy()) > np.timedelta64(1, "D"))
    window = np.asarray(days.isin(inside_days[: breaks[0] + 1] if breaks.size else inside_days))
    return _peak(values[:, window], ds[window])


def _holidays(ds: pd.DatetimeIndex, settings: Settings) -> np.ndarray:
    """Which periods lie on a holiday of the settings, the day before or the day after."""
    return (calendar(ds, settings)[["holiday", "before_holiday", "after_holiday"]] > 0).any(axis=1).to_numpy()


def _first_date(reached: np.ndarray, ds: pd.DatetimeIndex) -> pd.DatetimeIndex:
    return _dates(ds, reached.argmax(axis=1), np.asarray(reached.any(axis=1)))


def _dates(ds: pd.DatetimeIndex, at: np.ndarray, there: np.ndarray) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(np.where(there, ds.to_numpy()[at], np.datetime64("NaT", "ns")))
