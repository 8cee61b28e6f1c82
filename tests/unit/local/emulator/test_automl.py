"""The laptop cloud's AutoML: it refuses what the service refuses, and its forecasts are forecasts."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from local.emulator import automl, seasonal
from local.emulator.service_model import ServiceError, check

ASKED: dict[str, Any] = {
    "ForecastFrequency": "1D",
    "ForecastHorizon": 14,
    "ForecastQuantiles": ["p10", "p50", "p90"],
    "Transformations": {"Filling": {"value": {"middlefill": "median", "backfill": "median"}}},
    "TimeSeriesConfig": {
        "ItemIdentifierAttributeName": "item_id",
        "TimestampAttributeName": "timestamp",
        "TargetAttributeName": "value",
    },
}
REQUEST: dict[str, Any] = {
    "AutoMLJobName": "headroom-0a1b2c3d-0-0-0-0",
    "AutoMLJobInputDataConfig": [
        {
            "ChannelType": "training",
            "ContentType": "text/csv;header=present",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://a/b/"}},
        }
    ],
    "OutputDataConfig": {"S3OutputPath": "s3://a/c/"},
    "AutoMLProblemTypeConfig": {"TimeSeriesForecastingJobConfig": ASKED},
    "RoleArn": "arn:aws:iam::123456789012:role/automl",
}
DAYS = pd.date_range(end="2026-10-31", periods=120)


def history(series: int = 6) -> pd.DataFrame:
    """Servers that are busy on weekdays."""
    random = np.random.default_rng(5)
    week = 30 + 20 * (DAYS.dayofweek < 5)
    parts = [
        pd.DataFrame({"item_id": f"s{number}", "timestamp": DAYS, "value": week + random.normal(0, 1, len(DAYS))})
        for number in range(series)
    ]
    return pd.concat(parts, ignore_index=True)


def fitted(folder: Path, table: pd.DataFrame, **changes: Any) -> Path:
    (folder / "data").mkdir(parents=True)
    table.to_csv(folder / "data" / "a.csv", index=False)
    (folder / "asked.json").write_text(json.dumps(ASKED | changes))
    seasonal.fit(folder / "asked.json", folder / "data", folder / "model", folder / "backtest")
    return folder / "model"


def test_a_request_that_the_service_takes_is_taken():
    check("sagemaker", "CreateAutoMLJobV2", REQUEST)
    automl.check_automl(REQUEST)


REFUSED: dict[str, Any] = {
    "a name of 33 characters": lambda r: r.update(AutoMLJobName="a" * 33),
    "a horizon of 501": lambda r, a: a.update(ForecastHorizon=501),
    "60min for 1H": lambda r, a: a.update(ForecastFrequency="60min"),
    "pandas' word for an hour": lambda r, a: a.update(ForecastFrequency="h"),
    "six quantiles": lambda r, a: a.update(ForecastQuantiles=[f"p{n}" for n in (5, 10, 20, 50, 90, 95)]),
    "a quantile twice": lambda r, a: a.update(ForecastQuantiles=["p50", "p50"]),
    "an unknown quantile": lambda r, a: a.update(ForecastQuantiles=["p05"]),
    "an objective of classification": lambda r: r.update(AutoMLJobObjective={"MetricName": "F1"}),
    "a filling that there is not": lambda r, a: a.update(Transformations={"Filling": {"value": {"middlefill": "x"}}}),
    "a front that is filled": lambda r, a: a.update(Transformations={"Filling": {"value": {"frontfill": "mean"}}}),
    "a validation channel": lambda r: r["AutoMLJobInputDataConfig"][0].update(ChannelType="validation"),
    "JSON": lambda r: r["AutoMLJobInputDataConfig"][0].update(ContentType="application/json"),
    "no problem": lambda r: r.update(AutoMLProblemTypeConfig={}),
    "no target": lambda r, a: a["TimeSeriesConfig"].pop("TargetAttributeName"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_service_refuses_is_refused(case):
    request = copy.deepcopy(REQUEST)
    change = REFUSED[case]
    asked = request["AutoMLProblemTypeConfig"]["TimeSeriesForecastingJobConfig"]
    change(request, asked) if change.__code__.co_argcount == 2 else change(request)
    with pytest.raises(ServiceError):
        check("sagemaker", "CreateAutoMLJobV2", request)
        automl.check_automl(request)


@pytest.mark.parametrize(
    "change", [{"MaxPayloadInMB": 101}, {"MaxPayloadInMB": 0, "TransformInput": {"SplitType": "Line"}}]
)
def test_a_transform_that_the_service_refuses_is_refused(change):
    with pytest.raises(ServiceError):
        automl.check_transform({"TransformInput": {}} | change)


def test_a_week_s_rhythm_is_found_and_forecast(tmp_path):
    model = fitted(tmp_path, history())
    history().to_csv(tmp_path / "in.csv", index=False)
    seasonal.predict(model, tmp_path / "in.csv", tmp_path / "out.csv")
    made = pd.read_csv(tmp_path / "out.csv", parse_dates=["timestamp"])
    assert list(made.columns) == ["item_id", "timestamp", "p10", "p50", "p90"]
    assert made["timestamp"].min() == DAYS[-1] + pd.Timedelta(days=1)
    assert len(made) == 6 * 14
    weekday = made["timestamp"].dt.dayofweek < 5
    assert made.loc[weekday, "p50"].mean() == pytest.approx(50, abs=2)
    assert made.loc[~weekday, "p50"].mean() == pytest.approx(30, abs=2)
    assert (made["p10"] < made["p50"]).all() and (made["p50"] < made["p90"]).all()


def test_its_choice_rests_on_its_own_data_s_last_part(tmp_path):
    flat = history().assign(value=lambda table: 40 + np.random.default_rng(1).normal(0, 5, len(table)))
    chosen = [
        json.loads((fitted(tmp_path / name, table) / "model.json").read_text())["method"]
        for name, table in (("week", history()), ("flat", flat))
    ]
    assert chosen[0] != chosen[1]


@pytest.mark.parametrize(
    ("table", "changes", "reason"),
    [
        (history(), {"ForecastHorizon": 31}, "more than 1/4 of the 120 time-steps"),
        (history(4), {}, "480 rows, and at least 500"),
        (history().rename(columns={"value": "y"}), {}, "has no column value"),
        (history().astype({"value": str}).assign(value="high"), {}, "cannot be read"),
        (history().assign(timestamp="one day"), {}, "cannot be read"),
    ],
)
def test_data_that_the_service_would_refuse_is_refused_with_a_reason(table, changes, reason, tmp_path):
    with pytest.raises(seasonal.RefusedError, match=reason):
        fitted(tmp_path, table, **changes)


def test_a_series_of_three_values_is_no_history(tmp_path):
    model = fitted(tmp_path, history())
    history().groupby("item_id").head(3).to_csv(tmp_path / "in.csv", index=False)
    with pytest.raises(seasonal.RefusedError, match="at least 4"):
        seasonal.predict(model, tmp_path / "in.csv", tmp_path / "out.csv")
