"""SageMaker's AutoML for time series and its batch transforms: what a request may ask, and jobs that really forecast.

The service's containers are its own; here ``seasonal`` forecasts in their place, as a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local.emulator import transfer
from local.emulator.jobs import MESSAGE_LENGTH, Job, places
from local.emulator.service_model import ServiceError

# Beyond botocore's model: TimeSeriesForecastingJobConfig's and AutoMLJobObjective's references, the limits page of
# time-series forecasting, and CreateTransformJob's reference.
MOST_AHEAD, MOST_PAYLOAD_MB = 500, 100
OBJECTIVES = {"RMSE", "MAPE", "MASE", "WAPE", "AverageWeightedQuantileLoss"}
CONTENT = {"text/csv;header=present", "x-application/vnd.amazon+parquet"}
FILLINGS = {"zero", "value", "median", "mean", "min", "max"}
IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/autopilot-timeseries:laptop"
ROOT = Path(__file__).parents[2]


class _Failed(Exception):
    """The job is over; status, finer status, reason."""

    def __init__(self, status: str, secondary: str, reason: str):
        self.status, self.secondary, self.reason = status, secondary, reason
        super().__init__(reason)


def check_automl(request: dict[str, Any]) -> None:
    """Refuse what the service refuses at once; what its data is like shows later."""
    if len(request["AutoMLProblemTypeConfig"]) != 1:
        raise ServiceError("ValidationException", "Exactly one problem type must be configured")
    asked = request["AutoMLProblemTypeConfig"].get("TimeSeriesForecastingJobConfig")
    if asked is None:
        raise ServiceError("ValidationException", "the laptop cloud forecasts time series only")
    if asked["ForecastHorizon"] > MOST_AHEAD:
        raise ServiceError("ValidationException", f"ForecastHorizon must be at most {MOST_AHEAD}")
    quantiles = asked.get("ForecastQuantiles", ["p10", "p50", "p90"])
    if len(set(quantiles)) < len(quantiles):
        raise ServiceError("ValidationException", "ForecastQuantiles must be unique")
    objective = request.get("AutoMLJobObjective", {}).get("MetricName", "AverageWeightedQuantileLoss")
    if objective not in OBJECTIVES:
        raise ServiceError("ValidationException", f"{objective} is not an objective of time-series forecasting")
    channels = request["AutoMLJobInputDataConfig"]
    if [channel.get("ChannelType", "training") for channel in channels] != ["training"]:
        raise ServiceError("ValidationException", "time-series forecasting takes one training channel")
    if channels[0].get("ContentType", "text/csv;header=present") not in CONTENT:
        raise ServiceError("ValidationException", f"ContentType must be one of {', '.join(sorted(CONTENT))}")
    if channels[0].get("CompressionType", "None") != "None" or "parquet" in channels[0].get("ContentType", ""):
        raise ServiceError("ValidationException", "the laptop cloud reads plain CSV only")
    for column, wishes in asked.get("Transformations", {}).get("Filling", {}).items():
        for name, method in wishes.items():
            known = {"none"} if name == "frontfill" else FILLINGS
            if not name.endswith("_value") and method not in known:
                raise ServiceError("ValidationException", f"{column}: {name} cannot be {method}")


def check_transform(request: dict[str, Any]) -> None:
    """Refuse what CreateTransformJob refuses."""
    if request.get("MaxPayloadInMB", 6) > MOST_PAYLOAD_MB:
        raise ServiceError("ValidationException", f"MaxPayloadInMB must be at most {MOST_PAYLOAD_MB}")
    if request.get("MaxPayloadInMB") == 0 and request["TransformInput"].get("SplitType", "None") != "None":
        raise ServiceError("ValidationException", "MaxPayloadInMB 0 needs SplitType None")
    if request["TransformInput"].get("SplitType", "None") != "None":
        raise ServiceError("ValidationException", "the laptop cloud gives a model whole files only (SplitType None)")


def run_automl(job: Job) -> None:
    """Run an AutoML job from beginning to end; everything that goes wrong is in its description afterwards."""
    _run(job, _automl)


def run_transform(job: Job) -> None:
    """The same of a batch transform."""
    _run(job, _transform)


def _run(job: Job, work: Any) -> None:
    reason = ""
    try:
        with places:
            if job.stop.is_set():
                raise _Failed("Stopped", "Stopped", "")
            work(job)
        status, secondary = "Completed", "Completed"
    except _Failed as end:
        status, secondary, reason = end.status, end.secondary, end.reason
    except transfer.TransferError as error:
        status, secondary, reason = "Failed", "Failed", f"ClientError: {error}"
    except Exception as error:
        status, secondary, reason = "Failed", "Failed", f"InternalServerError: {type(error).__name__}: {error}"
        raise
    finally:
        facts: dict[str, Any] = {"EndTime" if job.kind == "AutoML" else "TransformEndTime": time.time()}
        facts |= {"FailureReason": reason[:MESSAGE_LENGTH]} if reason else {}
        _update(job, status, secondary, **facts)
        job.done.set()


def _update(job: Job, status: str, secondary: str, **facts: Any) -> None:
    finer = {"AutoMLJobSecondaryStatus": secondary} if job.kind == "AutoML" else {}
    job.update(status, **finer, **facts)


def _automl(job: Job) -> None:
    given = job.description
    asked = {"ForecastQuantiles": ["p10", "p50", "p90"]} | given["AutoMLProblemTypeConfig"][
        "TimeSeriesForecastingJobConfig"
    ]
    _update(job, "InProgress", "AnalyzingData")
    source = given["AutoMLJobInputDataConfig"][0]["DataSource"]["S3DataSource"]
    s3, folder = _s3(job), job.folder
    transfer.download(s3, source["S3Uri"], source["S3DataType"], folder / "data", given["RoleArn"])
    (folder / "asked.json").write_text(json.dumps(asked), encoding="utf-8")
    _update(job, "InProgress", "TrainingModels")
    seconds = asked.get("CompletionCriteria", {}).get("MaxAutoMLJobRuntimeInSeconds")
    _seasonal(job, seconds, "fit", folder / "asked.json", folder / "data", folder / "model", folder / "backtest")
    place = f"{given['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{job.name}"
    name = f"{job.name[:40]}-ensemble"
    transfer.upload_archive(s3, folder / "model", f"{place}/models/{name}/model.tar.gz")
    transfer.upload(s3, folder / "backtest", f"{place}/backtest/{name}")
    now = time.time()
    metric = json.loads((folder / "backtest" / "metrics.json").read_text())["AverageWeightedQuantileLoss"]
    job.description["BestCandidate"] = {
        "CandidateName": name,
        "FinalAutoMLJobObjectiveMetric": {
            "Type": "Minimize", "MetricName": "AverageWeightedQuantileLoss", "Value": metric,
        },
        "ObjectiveStatus": "Succeeded",
        "CandidateSteps": [],
        "CandidateStatus": "Completed",
        "InferenceContainers": [
            {"Image": IMAGE, "ModelDataUrl": f"{place}/models/{name}/model.tar.gz", "Environment": {}}
        ],
        "CreationTime": now,
        "EndTime": now,
        "LastModifiedTime": now,
        "CandidateProperties": {
            "CandidateArtifactLocations": {
                "Explainability": f"{place}/explainability/{name}", "BacktestResults": f"{place}/backtest/{name}",
            }
        },
    }  # fmt: skip


def _transform(job: Job) -> None:
    given, s3, folder = job.description, _s3(job), job.folder
    job.update("InProgress", TransformStartTime=time.time())
    model: dict[str, Any] = job.model or {}
    [container], role = model["Containers"], model["ExecutionRoleArn"]
    transfer.download(s3, container["ModelDataUrl"], "S3Prefix", folder / "archive", role)
    with tarfile.open(folder / "archive" / "model.tar.gz") as archive:
        archive.extractall(folder / "model", filter="data")
    source = given["TransformInput"]["DataSource"]["S3DataSource"]
    transfer.download(s3, source["S3Uri"], source["S3DataType"], folder / "data", role)
    seconds = given.get("ModelClientConfig", {}).get("InvocationsTimeoutInSeconds", 600)
    for path in sorted(path for path in (folder / "data").rglob("*") if path.is_file()):
        if path.stat().st_size > MOST_PAYLOAD_MB * 2**20:
            raise _Failed("Failed", "Failed", f"ClientError: {path.name} is larger than {MOST_PAYLOAD_MB} MB")
        target = folder / "out" / f"{path.relative_to(folder / 'data')}.out"
        target.parent.mkdir(parents=True, exist_ok=True)
        _seasonal(job, seconds, "predict", folder / "model", path, target)
    transfer.upload(s3, folder / "out", given["TransformOutput"]["S3OutputPath"])


def _seasonal(job: Job, seconds: float | None, *words: str | Path) -> None:
    """Run the forecaster; its refusals are the job's, and a job that is stopped or out of time ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "local.emulator.seasonal", *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + (seconds or float("inf"))
    try:
        while True:
            try:
                output, errors = process.communicate(timeout=0.2)
                break
            except subprocess.TimeoutExpired:
                if job.stop.is_set():
                    raise _Failed("Stopped", "Stopped", "") from None
                if time.monotonic() > deadline:
                    if job.kind == "AutoML":
                        raise _Failed("Stopped", "MaxAutoMLJobRuntimeReached", "") from None
                    raise _Failed("Failed", "Failed", "ClientError: the model did not answer in time") from None
    finally:
        process.kill()
    if process.returncode:
        from local.emulator.seasonal import REFUSED  # with pandas, which the cloud itself does without

        if process.returncode == REFUSED:
            raise _Failed("Failed", "Failed", f"ClientError: {output.strip()}")
        raise _Failed("Failed", "Failed", f"AlgorithmError: {errors.strip()[-300:]}")


def _s3(job: Job) -> Any:
    session = boto3.Session(**job.credentials, region_name=job.region)
    return session.client("s3", endpoint_url=job.endpoint, config=Config(s3={"addressing_style": "path"}))
