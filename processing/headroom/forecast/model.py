"""The forecast API: what a trained model is, how it is kept without pickle, and what it says about a panel."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from headroom.core.findings import CLIMB_COLUMNS
from headroom.core.grid import SERIES, Grid, Span, last_seen
from headroom.core.settings import Settings
from headroom.core.wording import periods
from headroom.forecast import backtest, booster, choice, drift, intervals, methods, trend
from headroom.forecast.features import FEATURE_VERSION, history_of, level_and_scale

# This many series at a time are combined, for memory and the processor's cache.
CHUNK = 512
# From this chance on a series is said to climb.
LIKELY_CLIMB = 0.5
COLUMNS = [f"q{100 * level:02.0f}" for level in trend.LEVELS]


class ModelError(Exception):
    """There is no usable model; the message says what to do."""


@dataclass(frozen=True)
class Model:
    """Everything needed to forecast a panel, the one it was trained on or a newer one.

    ``choices``: one row per series: server_id, metric, group, a weight per candidate, the own spread below and above in
    scales. ``group_weights``: candidates × (groups + 1), for series that training did not know. ``lean``: how far to
    lean to the laws of trends, see :func:`choice.lean`; ``reach``: how many steps ahead the backtests went.
    ``usual_scale``: by metric, the median of the scales of its series (:func:`scale_of`).
    """

    settings: Settings
    trained: booster.Booster | None
    choices: pd.DataFrame
    group_weights: np.ndarray
    calibration: intervals.Calibration
    lean: np.ndarray
    reach: int
    usual_scale: dict[str, float]
    baseline: dict[str, Any]


def predict(model: Model, panel: pd.DataFrame, servers: pd.DataFrame) -> pd.DataFrame:
    """The forecasts of :func:`predict_and_explain`."""
    return predict_and_explain(model, panel, servers)[0]


def predict_and_explain(
    model: Model, panel: pd.DataFrame, servers: pd.DataFrame, measured: Span | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Quantile forecasts of every series of the panel that has at least one point.

    Args:
        model: from :func:`load`.
        panel: server_id, metric, ds, y; may be newer than what the model was trained on, with other servers.
        servers: one row per server with its attributes; may be empty.
        measured: the first and last period with a value in the whole panel, where this is a part of it.

    Returns:
        server_id, metric, ds and COLUMNS (q05, q10, q20, … q90, q95): the horizon after the panel's last period for
        each series, sorted; monotone quantiles, at least 0, percent metrics at most 100; NaN for a series whose last
        point is older than the history that counts (``Frequency.forecast_history``).

        And one row per series of what they rest on: server_id, metric, ``history`` (periods from its first value to
        the panel's end), ``backtested`` (periods ahead), ``climb_chance`` (that it climbs now), and if it does,
        ``climb_per_day`` in the metric's unit and ``climb_since`` (NaT where as long as it has been measured).
    """
    history = history_of(panel, model.settings.frequency, measured)
    if not len(history.series):
        return pd.DataFrame(columns=[*SERIES, "ds", *COLUMNS]), pd.DataFrame(columns=[*SERIES, *CLIMB_COLUMNS])
    with threadpool_limits(1, "blas"):
        quantiles, laws = forecast(model, history, servers)
    count, horizon = len(history.series), model.settings.horizon
    result = history.series.loc[np.repeat(np.arange(count), horizon)].reset_index(drop=True)
    result["ds"] = np.tile(history.coming(model.settings.horizon).to_numpy(), count)
    result[COLUMNS] = quantiles.reshape(count * horizon, len(COLUMNS))
    return result, _climbs(model, history, laws)


def _climbs(model: Model, history: Grid, laws: trend.Trend) -> pd.DataFrame:
    """What the forecasts rest on, see :func:`predict_and_explain`."""
    seen = np.isfinite(history.values)
    length = history.values.shape[1] - seen.argmax(axis=1)
    climbs = laws.climbing >= LIKELY_CLIMB
    # As old as the part that was looked at is as long as it has been measured, or longer than anyone needs to know.
    dated = climbs & (laws.age < 0.9 * np.minimum(length, laws.looked_at))
    age = np.where(dated, np.round(laws.age), 0).astype(int)
    since = history.ds.to_numpy()[np.maximum(len(history.ds) - 1 - age, 0)]
    return history.series.assign(
        history=length,
        backtested=model.reach,
        climb_chance=laws.climbing,
        climb_per_day=np.where(climbs, laws.slope * model.settings.frequency.per_day, np.nan),
        climb_since=np.where(dated, since, np.datetime64("NaT")),
    )


def forecast(model: Model, history: Grid, servers: pd.DataFrame) -> tuple[np.ndarray, trend.Trend]:
    """Quantiles (n × horizon × COLUMNS) of every series of a grid, and what the laws of trends say of them."""
    settings = model.settings
    reasons = fallbacks(history, settings)
    history = moved_up(history, settings)
    known = history.series.merge(model.choices, on=SERIES, how="left")
    groups = model.calibration.groups
    group = known["group"].where(known["group"].notna(), pd.Series(backtest.behaviour(history, settings)))
    number = np.array([groups.index(name) if name in groups else -1 for name in group])
    weight = known[list(backtest.CANDIDATES)].to_numpy(float).T
    weight = np.where(np.isnan(weight), model.group_weights[:, number], weight)
    simple = np.array([bool(reason) for reason in reasons])
    weight[:, simple] = (np.array(backtest.CANDIDATES) == methods.AVERAGE)[:, None]
    theta = weight[backtest.THETA] > 0
    now = backtest.forecast(history, history, model.trained, servers, settings, theta)
    own = known[["own_below", "own_above"]].to_numpy(float)
    short = backtest.too_short(history, settings)
    scale = np.where(short, np.maximum(now.scale, _usual_scale(history, model.usual_scale)), now.scale)
    own = np.where(np.isnan(own), model.calibration.typical[number], own) * scale[:, None]
    below, above = (np.where(short[:, None], np.nan, learned) for learned in (now.below, now.above))
    share = trend.share(model.lean, number, now.laws, model.reach, settings.frequency)
    share[simple] = 0
    now.laws.climbing[simple] = np.nan  # of whose forecast the laws have no say, nothing is claimed by them
    upper, quantiles = history.upper[:, None, None], np.empty_like(now.laws.quantiles)
    for start in range(0, len(quantiles), CHUNK):
        rows = slice(start, start + CHUNK)
        points = choice.combine(now.points[:, rows], weight[:, rows])
        apart = choice.disagreement(now.points[:, rows], points, weight[:, rows])
        spreads = intervals.spread(below[rows], above[rows], own[rows], apart)
        around = trend.dense(intervals.around(points, spreads, number[rows], model.calibration))
        leaning = trend.leaning(around, now.laws.quantiles[rows], share[rows])
        np.clip(leaning, 0, upper[rows], out=quantiles[rows])
    return quantiles, now.laws


def scale_of(history: Grid, settings: Settings) -> np.ndarray:
    """How far each series moves from one season to the next (n), NaN for those too short to show it."""
    history = moved_up(history, settings)
    _, scale = level_and_scale(history.values, settings)
    return np.where(backtest.too_short(history, settings), np.nan, scale)


def _usual_scale(history: Grid, usual: dict[str, float]) -> np.ndarray:
    """The scale of each series' metric, for those too short to show one (n): a few calm days promise no calm quarter.

    It is the median of the metric's series; where training knew none, a fifth of the series' last value.
    """
    scale = history.series["metric"].map(usual).astype(float)
    return scale.fillna(pd.Series(np.abs(last_seen(history.values)) / 5)).to_numpy()


def fallbacks(history: Grid, settings: Settings) -> list[str]:
    """Why each series gets the simple forecast, the median of its last seasons; "" where it does not (n)."""
    seen = ~np.isnan(history.values)
    points = seen.sum(axis=1)
    silent = np.argmax(seen[:, ::-1], axis=1)
    short, constant = backtest.too_short(history, settings), backtest.constant(history)
    reasons = []
    for number in range(len(points)):
        if not points[number]:
            reasons.append(f"nothing in the last {periods(len(history.ds), settings.frequency)}")
        elif silent[number] >= settings.frequency.recent:
            reasons.append(f"stopped reporting {periods(silent[number], settings.frequency)} before the panel's end")
        elif short[number]:
            reasons.append(f"only {periods(points[number], settings.frequency)} of history")
        elif constant[number]:
            reasons.append("never changed")
        else:
            reasons.append("")
    return reasons


def moved_up(history: Grid, settings: Settings) -> Grid:
    """The grid with series that have stopped moved forward by whole weeks, so that what they last did goes on."""
    week = settings.frequency.per_week
    silent = np.argmax(~np.isnan(history.values[:, ::-1]), axis=1)
    values = history.values.copy()
    for row in np.flatnonzero(silent >= settings.frequency.recent):
        shift = silent[row] // week * week
        values[row] = np.concatenate([np.full(shift, np.nan), values[row, : len(values[row]) - shift]])
    return history.holding(values)


def drift_of(model: Model, panel: pd.DataFrame) -> dict[str, Any]:
    """How far a panel has moved from what the model was trained on, see :func:`drift.compare`."""
    return drift.compare(model.baseline, panel)


def save(model: Model, folder: Path) -> None:
    """Write a model as JSON, Parquet and LightGBM's text: nothing in it can run when it is loaded."""
    folder.mkdir(parents=True, exist_ok=True)
    calibration = model.calibration
    about = {
        "schema": 3,
        "feature_version": FEATURE_VERSION,
        "settings": model.settings.model_dump(mode="json"),
        "candidates": list(backtest.CANDIDATES),
        "group_weights": model.group_weights.tolist(),
        "calibration": {
            "groups": calibration.groups,
            **{name: getattr(calibration, name).tolist() for name in ("centres", "factors", "typical")},
        },
        "lean": [[None if np.isnan(one) else one for one in row] for row in model.lean.tolist()],
        "reach": model.reach,
        "usual_scale": model.usual_scale,
        "codes": model.trained.codes if model.trained else None,
    }
    (folder / "model.json").write_text(json.dumps(about, indent=1, sort_keys=True), encoding="utf-8")
    (folder / "baseline.json").write_text(json.dumps(model.baseline, indent=1, sort_keys=True), encoding="utf-8")
    model.choices.to_parquet(folder / "choices.parquet", index=False)
    for level, text in (model.trained.models if model.trained else {}).items():
        (folder / f"booster-{level}.txt").write_text(text, encoding="utf-8")


def load(folder: Path) -> Model:
    """Read a model that :func:`save` wrote.

    Raises:
        ModelError: there is none, it is damaged, or its features are of another version than this code's.
    """
    try:
        about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        if (about["schema"], about["feature_version"], about["candidates"]) != (
            3, FEATURE_VERSION, list(backtest.CANDIDATES),
        ):  # fmt: skip
            raise ModelError(f"the model in {folder} is of another version of Headroom: train again (mode train)")
        trained = about["codes"] and booster.Booster(
            {level: (folder / f"booster-{level}.txt").read_text(encoding="utf-8") for level in booster.LEVELS},
            about["codes"],
        )
        if trained:
            trained.trees  # noqa: B018  read now: what is damaged is said here
        parts = about["calibration"]
        arrays = {name: np.array(parts[name], dtype=float) for name in ("centres", "factors", "typical")}
        return Model(
            settings=Settings.model_validate(about["settings"]),
            trained=trained,
            choices=pd.read_parquet(folder / "choices.parquet"),
            group_weights=np.array(about["group_weights"], dtype=float),
            calibration=intervals.Calibration(parts["groups"], **arrays),
            lean=np.array(about["lean"], dtype=float),
            reach=int(about["reach"]),
            usual_scale={str(name): float(one) for name, one in about["usual_scale"].items()},
            baseline=json.loads((folder / "baseline.json").read_text(encoding="utf-8")),
        )
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise ModelError(f"the model in {folder} cannot be read ({error}): train again (mode train)") from error
