"""The forecaster behind the laptop cloud's AutoML, a program of its own: ``seasonal fit|predict``.

As the service does, it tries several methods, keeps the one whose forecasts of the data's own last part are best, and
forecasts with it. Its methods are those of ``statsforecast``; nothing of the project's forecasts is in it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

# The service refuses more (API reference of TimeSeriesForecastingJobConfig, CreateAutoMLJob's, the example notebook).
SHARE_AHEAD, LEAST_ROWS, LEAST_VALUES = 4, 500, 4
SEASONS = {"D": 7, "H": 24}
METHODS = ("SeasonalNaive", "AutoTheta", "HistoricAverage")
REFUSED = 3  # the exit code of data that the service would refuse; the reason is on standard output


class RefusedError(Exception):
    """The service would end the job with this reason."""


def main() -> None:
    command, *paths = sys.argv[1:]
    try:
        (fit if command == "fit" else predict)(*map(Path, paths))
    except RefusedError as error:
        print(error)
        sys.exit(REFUSED)


def fit(config: Path, data: Path, model: Path, backtest: Path) -> None:
    """Choose a method by its forecasts of the last horizon, and leave model and backtest."""
    asked = json.loads(config.read_text())
    table = read(sorted(path for path in data.rglob("*") if path.is_file()), asked)
    steps = len(pd.date_range(table["ds"].min(), table["ds"].max(), freq=period(asked)))
    if len(table) < LEAST_ROWS:
        raise RefusedError(f"the dataset has {len(table)} rows, and at least {LEAST_ROWS} are needed")
    if asked["ForecastHorizon"] * SHARE_AHEAD > steps:
        raise RefusedError(
            f"ForecastHorizon {asked['ForecastHorizon']} is more than 1/{SHARE_AHEAD} of the {steps} time-steps in the "
            "dataset"
        )
    whole = filled(table, asked)
    split = np.sort(whole["ds"].unique())[-asked["ForecastHorizon"]]
    past, held = whole[whole["ds"] < split], whole[whole["ds"] >= split]
    losses = {method: loss(forecast(past, asked, method), held, asked) for method in METHODS}
    best = min(losses, key=losses.__getitem__)
    model.mkdir(parents=True, exist_ok=True)
    (model / "model.json").write_text(json.dumps({"asked": asked, "method": best}))
    backtest.mkdir(parents=True, exist_ok=True)
    named(forecast(past, asked, best), asked).to_csv(backtest / "backtest.csv", index=False)
    (backtest / "metrics.json").write_text(json.dumps({"AverageWeightedQuantileLoss": losses[best]}))


def predict(model: Path, data: Path, output: Path) -> None:
    """Forecast what follows one file of history, as a model's container does."""
    known = json.loads((model / "model.json").read_text())
    table = read([data], known["asked"])
    if (short := table.groupby("unique_id")["y"].count().min()) < LEAST_VALUES:
        raise RefusedError(f"a time-series has {short} values, and at least {LEAST_VALUES} are needed")
    made = forecast(filled(table, known["asked"]), known["asked"], known["method"])
    named(made, known["asked"]).to_csv(output, index=False)


def read(files: list[Path], asked: dict[str, Any]) -> pd.DataFrame:
    """The rows of CSV files with a header, as ``unique_id, ds, y``."""
    columns = asked["TimeSeriesConfig"]
    names = {
        columns["ItemIdentifierAttributeName"]: "unique_id",
        columns["TimestampAttributeName"]: "ds",
        columns["TargetAttributeName"]: "y",
    }
    parts = []
    for path in files:
        try:
            table = pd.read_csv(path)
            if missing := names.keys() - set(table.columns):
                raise RefusedError(f"{path.name} has no column {sorted(missing)[0]}")
            table = table[list(names)].rename(columns=names)
            parts.append(table.assign(ds=pd.to_datetime(table["ds"]), y=pd.to_numeric(table["y"])))
        except (ValueError, UnicodeDecodeError) as error:
            raise RefusedError(f"{path.name} cannot be read: {error}") from error
    table = pd.concat(parts, ignore_index=True)
    return table.astype({"unique_id": str}).sort_values(["unique_id", "ds"], ignore_index=True)


def period(asked: dict[str, Any]) -> str:
    """The pandas frequency of the service's, such as ``1D`` or ``15min``."""
    return asked["ForecastFrequency"].replace("H", "h")


def filled(table: pd.DataFrame, asked: dict[str, Any]) -> pd.DataFrame:
    """Every series without gaps to the end of the data, filled as was asked, by default with zeros."""
    wishes = asked.get("Transformations", {}).get("Filling", {}).get(asked["TimeSeriesConfig"]["TargetAttributeName"])
    middle, back = ((wishes or {}).get(name, "zero") for name in ("middlefill", "backfill"))
    end, parts = table["ds"].max(), []
    for name, rows in table.groupby("unique_id"):
        values = rows.set_index("ds")["y"]
        days = pd.date_range(values.index.min(), end, freq=period(asked))
        whole = values.groupby(level=0).sum().reindex(days)
        by = {"zero": 0.0, "median": values.median(), "mean": values.mean(), "min": values.min(), "max": values.max()}
        inside = days <= values.index.max()
        y = np.where(whole.isna(), np.where(inside, by[middle], by[back]), whole)
        parts.append(pd.DataFrame({"unique_id": name, "ds": days, "y": y}))
    return pd.concat(parts, ignore_index=True)


def forecast(table: pd.DataFrame, asked: dict[str, Any], method: str) -> pd.DataFrame:
    """``unique_id, ds`` and a column per quantile (p5, p50 …)."""
    from statsforecast import StatsForecast  # seconds, which the cloud itself never needs
    from statsforecast.models import AutoTheta, HistoricAverage, SeasonalNaive

    season = SEASONS.get(asked["ForecastFrequency"][-1], 1)
    models = {
        "SeasonalNaive": SeasonalNaive(season),
        "AutoTheta": AutoTheta(season_length=season),
        "HistoricAverage": HistoricAverage(),
    }
    wanted = {name: int(name[1:]) for name in asked["ForecastQuantiles"]}
    levels = sorted({abs(100 - 2 * share) for share in wanted.values()} - {0})
    engine = StatsForecast([models[method]], freq=period(asked), fallback_model=SeasonalNaive(1))
    made = engine.forecast(df=table, h=asked["ForecastHorizon"], level=levels)
    for name, share in wanted.items():
        side = "" if share == 50 else f"-{'lo' if share < 50 else 'hi'}-{abs(100 - 2 * share)}"
        made[name] = made[f"{method}{side}"]
    return made[["unique_id", "ds", *wanted]]


def loss(made: pd.DataFrame, held: pd.DataFrame, asked: dict[str, Any]) -> float:
    """AverageWeightedQuantileLoss of forecasts against what came."""
    both = held.merge(made, on=["unique_id", "ds"])
    total = max(both["y"].abs().sum(), 1e-9)
    shares = [(both["y"] - both[name], int(name[1:]) / 100) for name in asked["ForecastQuantiles"]]
    return float(np.mean([2 * np.maximum(error * q, error * (q - 1)).sum() / total for error, q in shares]))


def named(made: pd.DataFrame, asked: dict[str, Any]) -> pd.DataFrame:
    """With the columns' names of the dataset."""
    columns = asked["TimeSeriesConfig"]
    ours = {"unique_id": columns["ItemIdentifierAttributeName"], "ds": columns["TimestampAttributeName"]}
    return made.rename(columns=ours)


if __name__ == "__main__":
    main()
