"""The global booster: LightGBM quantile models over all servers, metrics, origins and steps ahead."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from headroom.core import series
from headroom.core.grid import Grid
from headroom.core.metrics import BUILT_IN
from headroom.core.periods import calendar
from headroom.core.settings import Settings
from headroom.forecast import methods, trees
from headroom.forecast.features import (
    ATTRIBUTES,
    SIZES,
    Snapshot,
    matrix,
    side_by_side,
    snapshot,
    tables,
)

LEVELS = (0.1, 0.5, 0.9)
ROWS = 30_000
FEWEST = 400
ROUNDS = 60
# A model per thread: LightGBM's own threads wait for each other actively, which is slow on a busy machine.
PARAMETERS = {
    "objective": "quantile",
    "learning_rate": 0.12,
    "num_leaves": 31,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 1.0,
    "max_bin": 63,
    "num_threads": 1,
    "deterministic": True,
    "force_col_wise": True,
    "seed": 1,
    "verbosity": -1,
}


@dataclass(frozen=True)
class Booster:
    """Trained models per quantile level, as LightGBM writes them, and the codes of the attributes they saw.

    ``gain``: by feature, what the median's trees gained; known only of models that have just been trained.
    """

    models: dict[float, str]
    codes: dict[str, list[str]]
    gain: dict[str, float] = field(default_factory=dict)

    @cached_property
    def trees(self) -> dict[float, list[trees.Tree]]:
        """The models' trees."""
        return {level: trees.trees_of(model) for level, model in self.models.items()}


@dataclass(frozen=True)
class Examples:
    """What the booster learns from: features, the target beside them, and the period (index) each target is of."""

    features: pd.DataFrame
    target: np.ndarray
    period: np.ndarray
    codes: dict[str, list[str]]

    def until(self, origin: int) -> Examples:
        """The examples that were complete at this origin."""
        known = self.period <= origin
        return Examples(self.features[known], self.target[known], self.period[known], self.codes)


def examples(history: Grid, origins: list[int], servers: pd.DataFrame, settings: Settings) -> Examples:
    """Examples from each origin (index of the last known period), a like number of each, drawn over series and steps.

    The target is what the methods' mean forecast missed, relative to the series' scale.
    """
    codes = {
        name: sorted(servers[name].dropna().astype(str).unique()) if name in servers else [] for name in ATTRIBUTES
    }
    static = static_features(history, servers, codes)
    random = np.random.default_rng(1)
    features, targets, periods = [], [], []

    def seen_from(origin: int) -> Snapshot:
        known = history.until(origin)
        return snapshot(known, settings, methods.forecasts(known, settings))

    for origin, at in zip(origins, side_by_side(seen_from, origins), strict=True):
        after = history.values[:, origin + 1 : origin + 1 + settings.horizon]
        rows, steps = np.nonzero(np.isfinite(after) & np.isfinite(at.level)[:, None])
        if len(rows) > ROWS // len(origins):
            picked = np.sort(random.choice(len(rows), ROWS // len(origins), replace=False))
            rows, steps = rows[picked], steps[picked]
        days = calendar(history.until(origin).coming(settings.horizon), settings)
        features.append(matrix(tables(at, days, static), rows, steps + 1))
        targets.append((after[rows, steps] - at.level[rows]) / at.scale[rows] - base(at)[rows, steps])
        periods.append(origin + 1 + steps)
    if not origins:
        return Examples(pd.DataFrame(), np.empty(0), np.empty(0), codes)
    return Examples(pd.concat(features), np.concatenate(targets), np.concatenate(periods), codes)


def train(given: Examples) -> Booster | None:
    """Fit the quantile models; None where there are too few examples."""
    if len(given.target) < FEWEST:
        return None
    import lightgbm  # loads slowly, with scikit-learn, and only here

    data = lightgbm.Dataset(given.features, given.target, params=PARAMETERS, free_raw_data=False).construct()
    with ThreadPoolExecutor(len(LEVELS)) as pool:
        found = pool.map(lambda level: lightgbm.train(PARAMETERS | {"alpha": level}, data, ROUNDS), LEVELS)
        models = dict(zip(LEVELS, found, strict=True))
    median = models[0.5]
    gain = dict(zip(median.feature_name(), median.feature_importance("gain").tolist(), strict=True))
    return Booster({level: model.model_to_string() for level, model in models.items()}, given.codes, gain)


def predict(
    booster: Booster, known: Grid, points: dict[str, np.ndarray], servers: pd.DataFrame, settings: Settings
) -> np.ndarray:
    """The three quantiles (n × horizon × 3), not crossing, in the metric's unit; ``points`` are the methods'."""
    at = snapshot(known, settings, points)
    count, horizon = len(known.values), settings.horizon
    static = static_features(known, servers, booster.codes)
    days = calendar(known.coming(settings.horizon), settings)
    features = [*tables(at, days, static).values()]
    result = np.empty((count, horizon, len(LEVELS)))
    for position, level in enumerate(LEVELS):
        corrected = trees.predict(booster.trees[level], features, count, horizon) + base(at)
        result[:, :, position] = corrected * at.scale[:, None] + at.level[:, None]
    return np.clip(np.sort(result, axis=2), 0, known.upper[:, None, None])


def base(at: Snapshot) -> np.ndarray:
    """Where the booster starts from: the mean of the methods that know weeks and the calendar (n × horizon)."""
    names = (methods.LEVEL, methods.TREND, methods.SMOOTH_WEEK)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmean([at.ahead[name] for name in names], axis=0)


def training_origins(periods: int, settings: Settings) -> list[int]:
    """Indices of last known periods to learn from, spread over the history after its first quarter."""
    count = settings.frequency.booster_origins
    first = max(2 * settings.frequency.seasons[0], periods // 4) - 1
    return sorted(set(np.linspace(first, periods - 2, count).astype(int).tolist())) if periods > first + 2 else []


# The built-in metrics have a code each; a dataset's own share one, and are told apart by all that is measured.
_CODES = {name: number for number, name in enumerate(BUILT_IN)}


def static_features(grid: Grid, servers: pd.DataFrame, codes: dict[str, list[str]]) -> pd.DataFrame:
    """Metric and attributes per series as numbers; a value that training did not know is missing."""
    server = series.servers(grid.series["server_id"]).to_frame()
    attributes = server.merge(servers.drop_duplicates("server_id"), on="server_id", how="left")
    columns = {"metric": grid.series["metric"].map(_CODES).fillna(len(_CODES)).to_numpy(float)}
    unknown = pd.Series(np.nan, index=attributes.index)
    for name in ATTRIBUTES:
        code = {value: number for number, value in enumerate(codes[name])}
        columns[name] = attributes.get(name, unknown).map(code).to_numpy(float)
    for name in SIZES:
        columns[name] = pd.to_numeric(attributes.get(name, unknown), errors="coerce").to_numpy(float)
    return pd.DataFrame(columns)
