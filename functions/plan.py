"""PlanRun: looks at what there is, has it decided what a run does (``planning``), and writes that down as its manifest.

Event: ``{"input": <what the execution was started with>, "execution": {"arn", "name", "started"}}``; with ``"dry_run"``
it only says what it would decide.
Returns the plan that the state machine's later states read.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from pydantic import ValidationError

import job_code
from commands import ask_sweep, bring_back
from dataset_settings import read_config, read_settings, whole_number
from environment import PlanSettings, from_environment
from ledger import File, Ledger, State, connect, in_days
from locks import take_lock
from models import Models, models
from names import model_group
from objects import fetched_json, sizes
from opening import Opened, open_all
from planning import Before, CannotPlan, Found, make_plan
from run_input import RunInput

logger = Logger()
tracer = Tracer()
metrics = Metrics()


@cache
def _environment() -> PlanSettings:
    return from_environment(PlanSettings)


@tracer.capture_lambda_handler
@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    environment = _environment()
    ledger = connect(environment.ledger_table)
    s3 = boto3.client("s3", config=Config(max_pool_connections=16))
    given = parse_input(event["input"])
    dataset, execution = given.dataset, event["execution"]["name"]
    now = datetime.now(UTC)
    logger.append_keys(dataset=dataset, execution=execution)
    if event.get("dry_run"):
        return rehearse(s3, ledger, environment, given, event["execution"])

    if not take_lock(ledger, boto3.client("stepfunctions"), environment.state_machine_arn, dataset, execution, now):
        raise CannotPlan(
            f"dataset {dataset!r} already has a run ({ledger.state(dataset).running}): "
            "wait until it ends; files that arrive meanwhile start the next run by themselves"
        )
    state = ledger.state(dataset)
    finish_closing(s3, ledger, environment, dataset, state, now)
    waiting = share(ledger.waiting(dataset, environment.most_files), environment.preprocess_volume_gb)
    # Before anything can fail, or these files would be tried again and again.
    ledger.plan(dataset, waiting, execution)
    opened = open_waiting(s3, environment, waiting)
    ledger.set_aside(dataset, opened.refused, execution)
    code = job_code.read()
    found = look(s3, environment, dataset, state, waiting, opened, job_code.version(code))
    plan, texts = make_plan(environment, given, event["execution"], found, now)

    ledger.begin(dataset, now, whole_number(found.config, "minutes_between_runs"))
    job_code.upload(s3, environment.artifact_bucket, plan["code_uri"], code)
    for name, text in texts.items():
        write(s3, f"{plan['run_uri']}/{name}", text.encode())
    metrics.add_metric("FilesPlanned", MetricUnit.Count, len(found.files))
    metrics.add_metric("FilesSetAside", MetricUnit.Count, len(opened.refused))
    logger.info("planned", extra={"plan": plan})
    return plan


def rehearse(s3: Any, ledger: Ledger, environment: PlanSettings, given: RunInput, execution: dict[str, str]) -> Any:
    """The plan that a run would have if it began now; nothing is locked, noted or written."""
    state = ledger.state(given.dataset)
    waiting = share(ledger.waiting(given.dataset, environment.most_files), environment.preprocess_volume_gb)
    opened = open_waiting(s3, environment, waiting)
    found = look(s3, environment, given.dataset, state, waiting, opened, job_code.version(job_code.read()))
    plan, texts = make_plan(environment, given, execution, found, datetime.now(UTC))
    manifest = json.loads(texts["manifest.json"])
    told = {name: manifest.get(name) for name in ("cost_estimate", "engine", "notes")}
    return plan | told | {"files": [file["key"] for file in manifest["files"]], "running": state.running}


def open_waiting(s3: Any, environment: PlanSettings, waiting: list[File]) -> Opened:
    """What becomes of the files that wait.

    Raises:
        CannotPlan: none of them can be read.
    """
    opened = open_all(s3, environment.ingest_bucket, waiting)
    if opened.refused and not opened.readable:
        # Not set aside: it may well be a permission of this function that is missing, and nothing could go on.
        told = "; ".join(f"{file.key!r}: {why}" for file, why in opened.refused[:3])
        raise CannotPlan(f"none of the {len(opened.refused)} waiting files can be read: {told}")
    return opened


def look(
    s3: Any, environment: PlanSettings, dataset: str, state: State, waiting: list[File], opened: Opened, code: str
) -> Found:
    """What a run of the dataset would begin with now; reads, and changes nothing."""
    refused = {file.item for file, _ in opened.refused}
    return Found(
        state=state,
        files=[file for file in waiting if file.item not in refused],
        readable={file.item for file in opened.readable},
        before=previous_results(s3, environment, dataset, state.current_run),
        models=with_file(s3, models(boto3.client("sagemaker"), model_group(environment.job_name_prefix, dataset))),
        code=code,
        config=read_settings(s3, environment.ingest_bucket, dataset),
        accepted=read_config(s3, environment.ingest_bucket, f"{dataset}.accepted.json"),
    )


def finish_closing(
    s3: Any, ledger: Ledger, environment: PlanSettings, dataset: str, state: State, now: datetime
) -> None:
    """The published run's files wait no more, even if Publish ended before it said so: no file is used twice."""
    if state.current_run in (None, state.closed):
        return
    manifest = fetched_json(s3, environment.artifact_bucket, f"runs/{dataset}/{state.current_run}/manifest.json")
    if manifest is None:
        return
    used = manifest["ledger_items"]
    logger.warning("files of the published run may still wait", extra={"files": len(used)})
    ledger.close(dataset, used, state.current_run, in_days(now, environment.retention_days))


def share(waiting: list[File], volume_gb: int) -> list[File]:
    """The first files that a run's volume surely has room for, at least one: half of it, for what is made of them."""
    taken: list[File] = []
    size = 0
    for file in waiting:
        size += file.size
        if taken and size > volume_gb * 1e9 / 2:
            break
        taken.append(file)
    return taken


def previous_results(s3: Any, environment: PlanSettings, dataset: str, current_run: str | None) -> Before:
    """What the new run builds on.

    Raises:
        CannotPlan: the current run's panel was deleted; the message has both ways back.
    """
    if current_run is None:
        return Before()
    bucket, run = environment.artifact_bucket, f"runs/{dataset}/{current_run}"
    panel = sizes(s3, bucket, f"{run}/panel/")
    if f"{run}/panel/panel.parquet" not in panel:
        raise CannotPlan(
            f"the panel of the current run {current_run} is gone (s3://{bucket}/{run}/panel/panel.parquet), and every "
            "run builds on it. Deleted objects of this bucket can be restored for 30 days:\n"
            f"{bring_back(bucket, f'{run}/panel/')}\n"
            "then redrive this run. Otherwise start over from all files under incoming/:\n"
            + "\n".join(ask_sweep(environment.sweep_function, "start_over", dataset))
        )
    return Before(sum(panel.values()), bool(sizes(s3, bucket, f"{run}/assessment/risk_summary.json")))


def with_file(s3: Any, known: Models) -> Models:
    """What the registry holds, without the approved model where its file is gone."""
    if known.approved is None:
        return known
    bucket, _, key = known.approved.uri.removeprefix("s3://").partition("/")
    if key in sizes(s3, bucket, key):
        return known
    return replace(known, approved=None, gone=known.approved.uri)


def parse_input(given: Any) -> RunInput:
    """The execution's input, or :class:`CannotPlan` with a line for each thing that is wrong with it."""
    try:
        return RunInput.model_validate(given)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, one['loc'])) or 'input'}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors()
        ]
        example = '{"dataset": "demo", "mode": "auto", "overrides": {"train": {"instance_type": "ml.m5.4xlarge"}}}'
        raise CannotPlan(f"the execution's input is wrong: {'; '.join(problems)}. An example: {example}") from error


def write(s3: Any, uri: str, body: bytes) -> None:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    s3.put_object(Bucket=bucket, Key=key, Body=body)
