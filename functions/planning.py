"""What a run does, decided from what PlanRun has found: train or score, on which machines, with which inputs.

Nothing is read or written here: ``plan`` does both.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import engines
import prices
from commands import bring_back, start
from dataset_settings import switched_on
from environment import JOBS, PlanSettings
from images import aws_image
from ledger import File, State
from machines import challenger_of, cluster, machine, spark_machines, training_options, vpc
from models import Models
from names import job_name, model_group, run_token
from run_input import RunInput

NOTHING_ACCEPTED = '{"schema": 1, "findings": []}\n'


class CannotPlan(Exception):
    """The run cannot be planned; the message says why and what to do."""


@dataclass(frozen=True)
class Before:
    """What is left of the current run's results."""

    panel_bytes: int = 0
    assessed: bool = True
    """Whether its assessment is there, with which the new one is compared."""


@dataclass(frozen=True)
class Found:
    """What PlanRun finds when it looks: the ledger's ``state``, the new files, and what the last runs left.

    The run is done with ``files``; it reads those whose ledger items are ``readable``, and passes over the rest,
    deleted or overwritten meanwhile. ``code`` is the hash of the job code, ``config`` the text of the dataset's
    settings file, ``accepted`` that of the findings that its owners have accepted.
    """

    state: State
    files: list[File]
    readable: set[str]
    before: Before
    models: Models
    code: str
    config: str
    accepted: str = ""

    @property
    def taken(self) -> list[File]:
        """The files that the run reads."""
        return [file for file in self.files if file.item in self.readable]

    @property
    def settings(self) -> str:
        """The hash of the dataset's settings."""
        return settings_hash(self.config)


@dataclass(frozen=True)
class Run:
    """Where a run's files are. All is made of the execution alone, so that a repeated PlanRun plans the same run."""

    id: str
    token: str
    created_at: str
    folder: str
    """Of the dataset's files in the ingest bucket."""
    runs: str
    uri: str
    code_uri: str


def run_of(environment: PlanSettings, dataset: str, execution: dict[str, str], code: str) -> Run:
    """The run that an execution is."""
    token = run_token(execution["arn"])
    started = datetime.fromisoformat(execution["started"]).astimezone(UTC)
    run_id, bucket = f"{started:%Y%m%dT%H%M%SZ}-{token}", f"s3://{environment.artifact_bucket}"
    return Run(
        id=run_id,
        token=token,
        created_at=f"{started:%Y-%m-%dT%H:%M:%SZ}",
        folder=f"incoming/{dataset}/",
        runs=f"{bucket}/runs/{dataset}",
        uri=f"{bucket}/runs/{dataset}/{run_id}",
        code_uri=f"{bucket}/code/{code}/",
    )


def make_plan(
    environment: PlanSettings, given: RunInput, execution: dict[str, str], found: Found, now: datetime
) -> tuple[dict[str, Any], dict[str, str]]:
    """The plan of a run, and the texts to be written into the run's folder by name.

    Raises:
        CannotPlan: there is no data, no image, or no model to score with, or the run would cost too much.
    """
    dataset, taken = given.dataset, found.taken
    if not taken and found.state.current_run is None:
        raise CannotPlan(
            f"dataset {dataset!r} has no files yet: upload CSVs to s3://{environment.ingest_bucket}/incoming/{dataset}/"
        )
    image = environment.image_uri or aws_image(environment.region)
    if image is None:
        raise CannotPlan(
            f"AWS's scikit-learn image is not known for region {environment.region}: deploy the stack with the address "
            "of an image as ImageUri (Python 3.11 or newer, bash and sagemaker-training)"
        )
    train, reason = choose_mode(environment, given, found, now)
    size = sum(map(unpacked, taken))
    panel_gb = (prices.PANEL_SHARE * size + found.before.panel_bytes) / 1e9
    amounts: dict[engines.Job, float] = {"preprocess": size / 1e9, "assess": panel_gb}
    choices = {job: choose_engine(environment, given, job, gigabytes) for job, gigabytes in amounts.items()}
    machines = {job: machine(environment, job, getattr(given.overrides, job)) for job in JOBS}
    for job, choice in choices.items():
        if choice.engine == "spark":
            machines[job] = spark_machines(environment, job, getattr(given.overrides, job))
    running = {job: machines[job] for job in JOBS if train or job != "train"}
    challenged = train and bool(environment.challenger_arn) and switched_on(found.config, "challenger")
    if challenged:
        transform = {"instance_type": environment.challenger_instance_type, "instance_count": 1}
        automl = prices.AUTOML | {"minutes": environment.challenger_minutes}
        running |= {"challenge": machines["preprocess"], "AutoML": automl, "transform": transform}
    cost = prices.estimate(environment.region, environment.instance_prices, running, size, found.before.panel_bytes)
    check_cost(environment, given, cost)

    run = run_of(environment, dataset, execution, found.code)
    shared = {"dataset": dataset, "run_id": run.id, "train": train, "train_reason": reason}
    told = {
        job: engines.told(choice, machines[job]["instance_type"], machines[job]["instance_count"])
        for job, choice in choices.items()
    }
    manifest = {
        **shared,
        "mode": given.mode,
        "cost_estimate": cost.words,
        "engine": told["assess"],
        "engines": {job: {"engine": choice.engine, "told": told[job]} for job, choice in choices.items()},
        **manifest_of(run, found),
    }
    plan = {**shared, "image": image, **inputs_of(environment, run, found)}
    plan["jobs"] = {
        job: {
            "name": job_name(environment.job_name_prefix, dataset, job, execution["arn"]),
            "cluster": cluster(environment, machines[job]),
        }
        for job in JOBS
    }
    for job, choice in choices.items():
        plan["jobs"][job] |= {"engine": choice.engine, "image": image_of(environment, choice, image)}
    plan["model_group"] = model_group(environment.job_name_prefix, dataset)
    plan["challenger"] = {"on": challenged, **challenger_of(environment, dataset, run.id, run.token)}
    return plan, texts_of(environment, run, found, manifest)


def manifest_of(run: Run, found: Found) -> dict[str, Any]:
    """What the run is made from: the part of its manifest that all later readers trace results by."""
    return {
        "schema": 1,
        "created_at": run.created_at,
        "previous_run_id": found.state.current_run,
        "code": {"uri": run.code_uri, "hash": found.code},
        "settings": found.settings,
        "notes": notes(found.models),
        "ledger_items": [file.item for file in found.files],
        "files": [
            {
                "key": file.key,
                "file": file.key.removeprefix(run.folder),
                "version": file.version,
                "size": file.size,
                "etag": file.etag,
                "last_modified": file.time,
            }
            for file in found.taken
        ],
    }


def texts_of(environment: PlanSettings, run: Run, found: Found, manifest: dict[str, Any]) -> dict[str, str]:
    """The files of a run's folder that PlanRun writes, by name."""
    names = [file.key.removeprefix(run.folder) for file in found.taken]
    raw = [{"prefix": f"s3://{environment.ingest_bucket}/{run.folder}"}, *names]
    return {
        "manifest.json": json.dumps(manifest, indent=1),
        "settings.yaml": found.config or "{}\n",  # an input is never empty
        "accepted.json": found.accepted or NOTHING_ACCEPTED,
        "raw.manifest": json.dumps(raw),
    }


def inputs_of(environment: PlanSettings, run: Run, found: Found) -> dict[str, Any]:
    """Where the jobs' inputs are, and what they are run with.

    A job's inputs are always the same ones, because SageMaker knows no optional input: where there is nothing to
    give, the input holds the manifest (or the code again), in which the job finds nothing it seeks.
    """
    nothing, approved = f"{run.uri}/manifest.json", found.models.approved
    previous = f"{run.runs}/{found.state.current_run}" if found.state.current_run else None
    raw = {"type": "ManifestFile", "uri": f"{run.uri}/raw.manifest"}
    return {
        "run_uri": run.uri,
        "code_uri": run.code_uri,
        "wheels_uri": environment.wheelhouse_uri or run.code_uri,
        "raw": raw if found.taken else {"type": "S3Prefix", "uri": nothing},
        "history_uri": f"{previous}/panel/" if previous else nothing,
        "previous_assessment_uri": f"{previous}/assessment/" if previous and found.before.assessed else nothing,
        "model_uri": approved.uri if approved else "",
        "bar": bar(found.models, found.code, found.settings),
        "code": found.code,
        "settings": found.settings,
        "network": {"EnableNetworkIsolation": environment.network_isolation, **vpc(environment)},
        "training_options": training_options(environment, run.uri),
    }


def choose_mode(environment: PlanSettings, given: RunInput, found: Found, now: datetime) -> tuple[bool, str]:
    """Whether the run trains a model, and the reason in words."""
    known, model = found.models, found.models.approved
    if given.mode == "train":
        return True, "asked to train"
    if given.mode == "score" and known.gone:
        bucket, _, key = known.gone.removeprefix("s3://").partition("/")
        raise CannotPlan(
            f"the approved model's file is gone ({known.gone}). It can be restored for 30 days after its deletion:\n"
            f"{bring_back(bucket, key)}\nOtherwise start the run with mode auto or train, which makes a new one"
        )
    if given.mode == "score" and model is None:
        raise CannotPlan(f"dataset {given.dataset!r} has no model to score with yet: start it with mode auto or train")
    if given.mode == "score":
        return False, "asked to score"
    if known.gone:
        return True, f"the approved model's file is gone ({known.gone})"
    if model is None or known.last_trained_at is None:
        return True, "there was no approved model before"
    if model.code != found.code:
        return True, "the job code has changed since the model was trained"
    if model.settings != found.settings:
        return True, "the dataset's settings have changed since the model was trained"
    if found.state.drifted:
        return True, "the last run found that the data has drifted from what the model was trained on"
    if now - known.last_trained_at >= timedelta(days=environment.retrain_after_days):
        return True, f"the last training was {environment.retrain_after_days} days ago or more"
    return False, "the current model is recent and fits"


def check_cost(environment: PlanSettings, given: RunInput, cost: prices.Estimate) -> None:
    """Raise :class:`CannotPlan` where the run is estimated to cost more than it may."""
    most = given.max_usd if given.max_usd is not None else environment.most_usd
    if cost.usd is None or not most or cost.usd <= most:
        return
    more = given.model_dump(exclude_unset=True) | {"max_usd": math.ceil(cost.usd)}
    raise CannotPlan(
        f"the run would cost {cost.words}, and a run may cost at most {most:g} USD (the stack's MaxRunCostUsd). Its "
        "files keep waiting. To run it anyway:\n" + "\n".join(start(environment.state_machine_arn, **more))
    )


def notes(known: Models) -> list[str]:
    """What a person should know of the plan."""
    return [
        f"The registry's approved version {arn} was registered by hand: it cannot be compared and is not used, "
        "because nothing says what it was made from."
        for arn in known.foreign[:5]
    ]


def bar(known: Models, code: str, config_hash: str) -> dict[str, float]:
    """The backtest error that a new model is measured against; none where there is no comparable one.

    A model of other job code is none: this run's code may not be able to score with it.
    """
    model = known.approved
    if model is None or model.relative_mase is None or (model.code, model.settings) != (code, config_hash):
        return {}
    return {"relative_mase": model.relative_mase}


def settings_hash(config: str) -> str:
    return hashlib.sha256(config.encode()).hexdigest()[:16]


def choose_engine(environment: PlanSettings, given: RunInput, job: engines.Job, gigabytes: float) -> engines.Choice:
    """Who does a job's work; raises :class:`CannotPlan` where that cannot be."""
    try:
        return engines.choose(
            given.overrides.engine,
            environment.engine,
            gigabytes,
            environment.spark_from_gb,
            environment.network_isolation,
            job,
        )
    except engines.NotPossible as error:
        raise CannotPlan(str(error)) from error


def image_of(environment: PlanSettings, choice: engines.Choice, image: str) -> str:
    """The image of a job that can run on Spark: that of the other jobs, or Spark's."""
    if choice.engine == "machine":
        return image
    try:
        return engines.image(environment.region, environment.spark_image_uri)
    except engines.NotPossible as error:
        raise CannotPlan(str(error)) from error


def unpacked(file: File) -> int:
    """The bytes of a file's content as text, roughly."""
    return 8 * file.size if file.key.lower().endswith((".gz", ".parquet")) else file.size
