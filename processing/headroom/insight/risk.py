"""When, and how surely, a server runs out: from forecast quantiles to probabilities, dates and levels.

The rules are documented for their readers in ``docs/risk.md``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from headroom.core import metrics, wording
from headroom.core.findings import CLIMB_COLUMNS, LEVELS, REASON_PARTS
from headroom.core.grid import SERIES, Grid, coded, mean, rows_of, series_in
from headroom.core.periods import Frequency, calendar, in_quarter_end
from headroom.core.series import parts_of
from headroom.core.settings import Settings
from headroom.insight import exceedance, limits, reasons
from headroom.insight.exceedance import Standing

QUANTILES = {"q05": 0.05, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q95": 0.95}
_SCORES = ndtri(np.array(list(QUANTILES.values())))

# One noisy period is not a crossing: of the crossing window's periods at least this many are above.
CROSSING_PERIODS = 3

# Chances from which on a crossing is expected, or possible; and the two ends of the range of dates.
LIKELY, POSSIBLE = 0.5, 0.2
EARLIEST, LATEST = 0.1, 0.9

PATHS = 200
_CHUNK = 500

# What a server's criticality weighs in the ranking; an unknown word counts as medium.
WEIGHTS = {"critical": 1.0, "high": 0.9, "medium": 0.8, "low": 0.6}
RANKING = (
    "Servers are ordered by level, then by score: up to 50 points for the chance of crossing the critical threshold, "
    "30 for how soon, 20 for the chance of crossing the warning threshold; times "
    + ", ".join(f"{weight:g} for {word}" for word, weight in WEIGHTS.items())
    + " criticality (medium where it is not given)."
)
_SPELLINGS = {
    "critical": ("critical", "mission critical", "business critical", "very high", "tier 0", "tier 1"),
    "high": ("high", "production", "prod", "tier 2"),
    "low": ("low", "development", "dev", "test", "sandbox", "tier 4"),
}


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
        by_chance = level_of(self.crossed["warning"], self.crossed["critical"])
        return np.where(self.is_above("critical")[:, None], LEVELS.index("critical"), by_chance)

    def is_above(self, threshold: str) -> np.ndarray:
        """Which series are above the threshold already: bool array (n,)."""
        return np.array([one is not None for one in self.above.get(threshold, [None] * len(self.keys))], dtype=bool)


def level_of(p_warning: np.ndarray, p_critical: np.ndarray) -> np.ndarray:
    """The level that chances of crossing stand for, as indices into LEVELS; NaN counts as no chance."""
    return np.select([p_critical >= LIKELY, p_critical >= POSSIBLE, p_warning >= LIKELY, p_warning >= POSSIBLE],
                     [4, 3, 2, 1], 0)  # fmt: skip


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


def chance_crossed(
    quantiles: np.ndarray,
    noise: np.ndarray,
    threshold: float | np.ndarray,
    frequency: Frequency,
    scores: np.ndarray = _SCORES,
) -> np.ndarray:
    """The chance that each series has crossed a threshold by each period.

    A crossing is the first period at or above the threshold from which on ``CROSSING_PERIODS`` of
    ``Frequency.crossing_window`` periods are. The chance is the share of ``PATHS`` sample paths that have crossed. A
    path's value at a period has the distribution that the quantiles describe; between periods, a Gaussian copula with
    one factor ties them: what the forecast may be wrong about as a whole (level, trend) is shared by all periods, and
    what changes from one period to the next (``noise``) is drawn for each. Neither extreme would do: the highest chance
    of any single period forgets that every period is another occasion, and the product over the periods forgets that a
    level once wrong stays wrong.

    Args:
        quantiles: array (n, H, Q), rising along the last axis.
        scores: array (Q,), the quantiles' normal scores, the second and the last but one those of 10 and 90 %.
        threshold: in the metric's unit, one or array (n,).
        noise: array (n,), standard deviation of what differs between periods; NaN counts as 0.

    Returns:
        Array (n, H), rising along H; NaN for series without any forecast.
    """
    window = min(frequency.crossing_window, quantiles.shape[1])
    needed = min(CROSSING_PERIODS, window)
    score = threshold_score(quantiles, threshold, scores)
    spread = (quantiles[:, :, -2] - quantiles[:, :, 1]) / (scores[-2] - scores[1])
    own = np.clip(np.nan_to_num(noise)[:, None] ** 2 / np.maximum(spread, 1e-9) ** 2, 0.001, 1)
    # Windows at the end of the horizon look beyond it: the last window comes once more, and moves on as it did before.
    moved = np.zeros((len(score), 1))
    if score.shape[1] >= 2 * window:
        moved = mean(score[:, -window:] - score[:, -2 * window : -window], axis=1)[:, None]
    score = np.concatenate([score, score[:, -window:][:, : window - 1] + moved], axis=1)
    own = np.concatenate([own, own[:, -window:][:, : window - 1]], axis=1)

    periods = quantiles.shape[1]
    chances = np.zeros((len(quantiles), periods))
    open_question = np.flatnonzero(ndtr(-np.where(np.isnan(score), np.inf, score)).max(axis=1, initial=0) > 1e-3)
    shared, separate = _draws(int(score.shape[1]))
    for row in open_question:
        # A path is at or above the threshold where its normal score is; NaN compares as below.
        above = np.sqrt(1 - own[row]) * shared + np.sqrt(own[row]) * separate >= score[row]
        total = np.cumsum(np.pad(above, ((0, 0), (1, 0))), axis=1)
        enough = above[:, :periods] & (total[:, window:] - total[:, :periods] >= needed)
        chances[row] = np.maximum.accumulate(enough, axis=1).mean(axis=0)
    chances[np.isnan(quantiles).all(axis=(1, 2))] = np.nan
    return chances


def threshold_score(quantiles: np.ndarray, threshold: float | np.ndarray, scores: np.ndarray = _SCORES) -> np.ndarray:
    """Where a threshold lies in the forecast distribution, as a normal score: array (n, H).

    Between the quantiles the score is linear in the value; beyond them it goes on as in a normal distribution whose
    spread is that of the outer half (q05 to q50, or q50 to q95).
    """
    threshold = np.broadcast_to(np.asarray(threshold, dtype=float), len(quantiles))[:, None]
    values = quantiles + np.arange(len(scores)) * 1e-9
    middle = len(scores) // 2
    left = np.clip((values <= threshold[:, :, None]).sum(axis=2) - 1, 0, len(scores) - 2)
    low, high = (np.take_along_axis(values, (left + step)[:, :, None], axis=2)[:, :, 0] for step in (0, 1))
    inside = scores[left] + (threshold - low) / (high - low) * (scores[left + 1] - scores[left])
    below = scores[0] + (threshold - values[:, :, 0]) * -scores[0] / np.maximum(
        values[:, :, middle] - values[:, :, 0], 1e-9
    )
    above = scores[-1] + (threshold - values[:, :, -1]) * scores[-1] / np.maximum(
        values[:, :, -1] - values[:, :, middle], 1e-9
    )
    return np.select([np.isnan(quantiles).any(axis=2), threshold < values[:, :, 0], threshold > values[:, :, -1]],
                     [np.nan, below, above], inside)  # fmt: skip


def judged(seen: Outlook, grid: Grid, settings: Settings, judged_by: Grid | None = None) -> tuple[Outlook, list[str]]:
    """The outlook as far as it can be judged: what is above a threshold already, and no chances where nothing can be.

    Args:
        judged_by: the same grid with values at today's capacities, where these have changed.

    Returns:
        The outlook, and for each series why its risk is not judged, "" where it is.

    A short series that is above a threshold now is judged all the same.
    """
    current, last_seen = _current(seen.keys, grid)
    row = pd.Index(grid.servers).get_indexer(seen.keys["server_id"])
    unlimited = limits.without_capacity(seen.keys, seen.limits)
    reasons = []
    warning, critical = (seen.limits[name].to_numpy() for name in ("warning", "critical"))
    no_forecast = np.isnan(seen.quantiles).all(axis=(1, 2))
    for number, (owner, metric) in enumerate(zip(seen.keys["server_id"], seen.keys["metric"], strict=True)):
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
    unknown = np.array([bool(reason) for reason in reasons])[:, None]
    seen = replace(seen, crossed={name: np.where(unknown, np.nan, p) for name, p in seen.crossed.items()})
    return replace(seen, above={name: _above(seen, name, judged_by or grid) for name in seen.crossed}), reasons


def _where_from(metric: str) -> str:
    """Where the capacity of a metric should have come from."""
    meant = metrics.of(metric)
    if meant.capacity_attribute is not None:
        return f"say the server's {meant.capacity_attribute} (a column of that name in a file)"
    return f"no file has said its {meant.capacity_column}"


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


def not_judged(keys: pd.DataFrame, reasons: list[str], grid: Grid, settings: Settings) -> list[dict[str, Any]]:
    """The servers of which something is not judged, one dict each, by name; see ``Assessment.not_judged``.

    Args:
        keys: ``server_id, metric`` of all series.
        reasons: what :func:`judged` gave: "" for a series that is judged.
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
    table["current"], last_seen = _current(seen.keys, grid)
    median, upper = seen.quantiles[:, :, 2], seen.quantiles[:, :, 4]
    table["peak_q50"], table["peak_ds"] = _peak(median, seen.ds)
    table["peak_q95"] = _peak(upper, seen.ds)[0]
    table["p_warning"], table["p_critical"] = seen.crossed["warning"][:, -1], seen.crossed["critical"][:, -1]
    table["warning_date"] = _first_date(seen.crossed["warning"] >= LIKELY, seen.ds)
    table["critical_date"] = _first_date(seen.crossed["critical"] >= LIKELY, seen.ds)
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


def servers(table: pd.DataFrame, attributes: pd.DataFrame) -> pd.DataFrame:
    """A server's risk is its worst metric's, weighted by the server's criticality; the most urgent comes first.

    A server of high or critical criticality is one level higher where its metric's level is low or medium, one of low
    criticality one level lower where it is medium or high. "critical" and "none" are facts about the forecast
    and stay.

    Args:
        table: see :func:`risks`.
        attributes: the panel's ``servers.parquet``; a server missing there has none.

    Returns:
        ``server_id, level, worst_metric, worst_entity, score, reason, adjusted`` (why the level is not the metric's, or
        "") and the attributes.
    """
    rank = table["level"].map(LEVELS.index)
    worst = table.assign(rank=rank).sort_values(
        ["server_id", "rank", "score", "metric"], ascending=[True, False, False, True]
    )
    worst = worst.drop_duplicates("server_id").rename(columns={"metric": "worst_metric", "entity": "worst_entity"})
    worst = worst.merge(attributes.drop_duplicates("server_id"), how="left", on="server_id")
    how = worst["criticality"].map(criticality)
    rank = worst["rank"].to_numpy()
    raised = how.isin(["high", "critical"]).to_numpy() & np.isin(rank, [1, 2])
    lowered = (how == "low").to_numpy() & np.isin(rank, [2, 3])
    rank = rank + raised - lowered
    worst["level"] = np.array(LEVELS, dtype=object)[rank]
    worst["score"] = worst["score"] * how.map(WEIGHTS)
    before = np.array(LEVELS, dtype=object)[worst["rank"]]
    worst["adjusted"] = [reasons.adjusted(*one) for one in zip(before, worst["level"], how, strict=True)]
    worst["reason"] = [wording.sentences(one) for one in zip(worst["reason"], worst["adjusted"], strict=True)]
    worst["rank"] = rank
    worst = worst.sort_values(["rank", "score", "server_id"], ascending=[False, False, True], ignore_index=True)
    worst = worst.reindex(
        columns=[
            "server_id",
            "level",
            "worst_metric",
            "worst_entity",
            "score",
            "reason",
            "adjusted",
            *ATTRIBUTES,
        ]
    )
    return worst.astype({name: float if name in SIZES else object for name in ATTRIBUTES})


SIZES = ("vcpus", "memory_gb", "monthly_cost_usd")
ATTRIBUTES = ["business_unit", "region", "criticality", "instance_type", *SIZES]


def criticality(word: object) -> str:
    """One of WEIGHTS for what an owner wrote as a server's criticality."""
    return _criticality(str(word))


@cache
def _criticality(word: str) -> str:
    text = word.strip().lower().replace("-", " ").replace("_", " ")
    return next((name for name, spellings in _SPELLINGS.items() if text in spellings), "medium")


def _draws(periods: int) -> tuple[np.ndarray, np.ndarray]:
    """Normal scores of the paths: shared (PATHS, 1), evenly over the distribution, and separate (PATHS, periods).

    All series use the same ones, so that a difference between two servers is never a sampling artefact.
    """
    shared = ndtri((np.arange(PATHS) + 0.5) / PATHS)[:, None]
    separate = np.random.default_rng(0).standard_normal((PATHS // 2, periods))
    # Each draw beside its opposite, and shuffled against the shared scores.
    separate = np.concatenate([separate, -separate])
    return shared, np.random.default_rng(1).permutation(separate)


def _current(keys: pd.DataFrame, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """The mean over the newest periods of each series, and the date of its newest value."""
    current, last_seen = np.full(len(keys), np.nan), np.full(len(keys), np.datetime64("NaT", "ns"))
    row = pd.Index(grid.servers).get_indexer(keys["server_id"])
    for metric, values in grid.by_metric.items():
        mine = np.flatnonzero((keys["metric"] == metric) & (row >= 0))
        own = values[row[mine]]
        there = np.isfinite(own)
        newest = own.shape[1] - 1 - there[:, ::-1].argmax(axis=1)
        current[mine] = mean(own[:, -grid.frequency.crossing_window :], axis=1)
        last_seen[mine] = np.where(there.any(axis=1), grid.ds.to_numpy()[newest], np.datetime64("NaT"))
    return current, last_seen


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
