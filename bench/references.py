"""The usual alternatives. Each takes a panel and gives five quantiles per series and period.

Gaps are interpolated first, since none of these methods accepts a missing period. Forecasts of percent metrics are
clipped to 0 to 100, as Headroom's are.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

from bench.datasets import DAY_SEASON, LONG_SEASON, SERIES
from headroom.core.periods import Frequency

QUANTILES = (0.05, 0.1, 0.5, 0.9, 0.95)
COLUMNS = ["q05", "q10", "q50", "q90", "q95"]
Reference = Callable[[pd.DataFrame, Frequency, int], pd.DataFrame]
"""(panel, frequency, horizon) -> ``server_id, metric, ds`` and the quantiles ``COLUMNS``."""


def filled(panel: pd.DataFrame, frequency: Frequency) -> pd.DataFrame:
    """One row per period, from the first of each series to the last of the panel: ``unique_id, ds, y``."""
    wide = panel.pivot(index="ds", columns=SERIES, values="y")
    wide = wide.reindex(pd.date_range(wide.index.min(), wide.index.max(), freq=frequency, name="ds"))
    wide = wide.interpolate(limit_area="inside").ffill()
    wide.columns = pd.Index([f"{server}\x1f{metric}" for server, metric in wide.columns], name="unique_id")
    return wide.stack().rename("y").reset_index().sort_values(["unique_id", "ds"])[["unique_id", "ds", "y"]]


def _statsforecast(model: object, panel: pd.DataFrame, frequency: Frequency, horizon: int) -> pd.DataFrame:
    from statsforecast import StatsForecast
    from statsforecast.models import Naive

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = StatsForecast([model], freq=frequency, fallback_model=Naive(alias=str(model))).forecast(
            df=filled(panel, frequency), h=horizon, level=[80, 90]
        )
    name = str(model)
    bounds = [f"{name}-lo-90", f"{name}-lo-80", name, f"{name}-hi-80", f"{name}-hi-90"]
    return _named(result.rename(columns=dict(zip(bounds, COLUMNS, strict=True))))


def seasonal_naive(panel: pd.DataFrame, frequency: Frequency, horizon: int) -> pd.DataFrame:
    """statsforecast's SeasonalNaive with a season of a day (hourly data) or a week (daily data)."""
    from statsforecast.models import SeasonalNaive

    return _statsforecast(SeasonalNaive(DAY_SEASON[frequency]), panel, frequency, horizon)


def auto_ets(panel: pd.DataFrame, frequency: Frequency, horizon: int) -> pd.DataFrame:
    """statsforecast's AutoETS with a season of a day (hourly data) or a week (daily data)."""
    from statsforecast.models import AutoETS

    return _statsforecast(AutoETS(season_length=DAY_SEASON[frequency]), panel, frequency, horizon)


def auto_theta(panel: pd.DataFrame, frequency: Frequency, horizon: int) -> pd.DataFrame:
    """statsforecast's AutoTheta with a season of a day (hourly data) or a week (daily data)."""
    from statsforecast.models import AutoTheta

    return _statsforecast(AutoTheta(season_length=DAY_SEASON[frequency]), panel, frequency, horizon)


def mstl(panel: pd.DataFrame, frequency: Frequency, horizon: int) -> pd.DataFrame:
    """statsforecast's MSTL: seasons of a day and a week (hourly), or a week and, given two years, a year (daily)."""
    from statsforecast.models import MSTL

    periods = panel["ds"].nunique()
    seasons = [DAY_SEASON[frequency], LONG_SEASON[frequency]]
    return _statsforecast(
        MSTL(season_length=[season for season in seasons if periods > 2 * season]), panel, frequency, horizon
    )


def plain_lightgbm(panel: pd.DataFrame, frequency: Frequency, horizon: int) -> pd.DataFrame:
    """One default LightGBM for all series, on lags and date parts, and mlforecast's conformal intervals."""
    import lightgbm
    from mlforecast import MLForecast
    from mlforecast.utils import PredictionIntervals

    history = filled(panel, frequency)
    lags = [1, 2, 3, 7, 14, 28] if frequency == "D" else [1, 2, 3, 24, 48, 168]
    lengths = history.groupby("unique_id")["y"].size()
    needed = 2 * horizon + 2
    lags = [lag for lag in lags if lag + needed < lengths.max()] or [1]
    long_enough = lengths.index[lengths > max(lags) + needed]
    model = MLForecast(
        models={"lgb": lightgbm.LGBMRegressor(verbosity=-1, num_threads=2, deterministic=True, seed=1)},
        freq=frequency,
        lags=lags,
        date_features=["dayofweek", "month"] + (["hour"] if frequency == "h" else []),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(
            history[history["unique_id"].isin(long_enough)],
            static_features=[],
            prediction_intervals=PredictionIntervals(n_windows=2, h=horizon),
        )
        result = model.predict(horizon, level=[80, 90])
    bounds = ["lgb-lo-90", "lgb-lo-80", "lgb", "lgb-hi-80", "lgb-hi-90"]
    result = _named(result.rename(columns=dict(zip(bounds, COLUMNS, strict=True))))
    missing = history[~history["unique_id"].isin(long_enough)]
    if len(missing):
        rest = panel.merge(_split(missing[["unique_id"]].drop_duplicates())[SERIES], on=SERIES)
        result = pd.concat([result, seasonal_naive(rest, frequency, horizon)])
    return result


def prophet(panel: pd.DataFrame, frequency: Frequency, horizon: int) -> pd.DataFrame:
    """Prophet with its defaults, one series at a time."""
    from prophet import Prophet

    for name in ("prophet", "cmdstanpy"):
        logging.getLogger(name).disabled = True
    frames = []
    np.random.seed(1)
    for series, history in filled(panel, frequency).groupby("unique_id"):
        model = Prophet(uncertainty_samples=300)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(history[["ds", "y"]])
            future = model.make_future_dataframe(horizon, freq=frequency, include_history=False)
            samples = model.predictive_samples(future)["yhat"]
        quantiles = pd.DataFrame(np.quantile(samples, QUANTILES, axis=1).T, columns=COLUMNS)
        frames.append(quantiles.assign(unique_id=series, ds=future["ds"].to_numpy()))
    return _named(pd.concat(frames))


REFERENCES: dict[str, Reference] = {
    "seasonal naive": seasonal_naive,
    "AutoETS": auto_ets,
    "AutoTheta": auto_theta,
    "MSTL": mstl,
    "plain LightGBM": plain_lightgbm,
    "Prophet": prophet,
}


def _split(result: pd.DataFrame) -> pd.DataFrame:
    parts = result["unique_id"].str.split("\x1f", expand=True)
    return result.assign(server_id=parts[0].to_numpy(), metric=parts[1].to_numpy())


def _named(result: pd.DataFrame) -> pd.DataFrame:
    result = _split(result.reset_index(drop=True))[[*SERIES, "ds", *COLUMNS]]
    percent = result["metric"].isin(["cpu", "memory", "disk"])
    result.loc[percent, COLUMNS] = result.loc[percent, COLUMNS].clip(0, 100)
    result.loc[~percent, COLUMNS] = result.loc[~percent, COLUMNS].clip(lower=0)
    return result
