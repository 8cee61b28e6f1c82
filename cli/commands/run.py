from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import STACK, AsJson, Dataset, DryRun, Follow, StackName

if TYPE_CHECKING:
    from cli.stack import Stack


class Mode(StrEnum):
    auto = "auto"
    train = "train"
    score = "score"


class Job(StrEnum):
    preprocess = "preprocess"
    train = "train"
    assess = "assess"


class Engine(StrEnum):
    machine = "machine"
    spark = "spark"


def run(
    dataset: Dataset,
    mode: Annotated[Mode, typer.Option(help="Train a model, score with the current one, or what is due.")] = Mode.auto,
    instance: Annotated[str | None, typer.Option(help="Machine of this run's jobs, such as ml.m5.4xlarge.")] = None,
    volume_gb: Annotated[int | None, typer.Option(min=1, max=16384, help="Gigabytes of the jobs' volumes.")] = None,
    only: Annotated[list[Job] | None, typer.Option(help="Machine and volume are for this job; repeatable.")] = None,
    engine: Annotated[Engine | None, typer.Option(help="Who assesses: one machine, or a Spark cluster.")] = None,
    instances: Annotated[int | None, typer.Option(min=1, max=100, help="How many machines Spark gets.")] = None,
    max_usd: Annotated[float | None, typer.Option(min=0, help="What it may cost, by estimate; 0 for anything.")] = None,
    follow: Follow = True,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    stack: StackName = STACK,
) -> None:
    """Start a run of a dataset now, and follow it. It takes the files that wait."""
    from cli import stack as stacks
    from cli import watching  # fmt: skip
    from cli.requests import send

    given = run_input(stacks.checked(dataset), mode, instance, volume_gb, only or list(Job), max_usd, engine, instances)
    found = stacks.find(stack)
    now = datetime.now(UTC)
    request = start_request(found.machine, given, now)
    if dry_run:
        show(found, request, now)
        return
    answer = send(found, "stepfunctions", "StartExecution", request)
    watching.tell(found, dataset, answer["executionArn"], "started", follow, as_json)


def show(stack: Stack, request: dict[str, Any], now: datetime) -> None:
    """Print the start and all that would come of it; raise ``CliError`` where a service would refuse a request."""
    from cli import output
    from cli.errors import CliError
    from cli.rehearsal import rehearse
    from cli.requests import problems_of

    first = {"service": "stepfunctions", "operation": "StartExecution", "request": request}
    first["problems"] = problems_of("stepfunctions", "StartExecution", request)
    told = rehearse(stack, request, f"{now:%Y-%m-%dT%H:%M:%S}.000Z")
    requests = [first, *told["requests"]]
    output.document({"plan": told["plan"], "requests": requests})
    wrong = [f"{one['operation']}: {problem}" for one in requests for problem in one["problems"]]
    if wrong:
        raise CliError("\n".join(["these requests would be refused:", *wrong]))


def run_input(
    dataset: str,
    mode: Mode,
    instance: str | None,
    volume_gb: int | None,
    jobs: list[Job],
    max_usd: float | None,
    engine: Engine | None = None,
    instances: int | None = None,
) -> dict[str, Any]:
    """What the state machine is started with; only what was said is in it."""
    if instance is not None:
        require_instance(instance, jobs)
    if instances is not None and engine is not Engine.spark:
        from cli.errors import CliError

        raise CliError("several machines are of use to Spark only: say --engine spark as well")
    machine = {"instance_type": instance, "volume_gb": volume_gb}
    override = {name: value for name, value in machine.items() if value is not None}
    overrides: dict[str, Any] = {str(job): dict(override) for job in jobs} if override else {}
    if instances is not None:
        for job in ("preprocess", "assess"):  # those that Spark shares out
            overrides.setdefault(job, {})["instance_count"] = instances
    if engine is not None:
        overrides["engine"] = str(engine)
    return {
        "dataset": dataset,
        "mode": str(mode),
        **({} if max_usd is None else {"max_usd": max_usd}),
        **({"overrides": overrides} if overrides else {}),
    }


def require_instance(instance: str, jobs: list[Job]) -> None:
    """Raise ``CliError`` for a machine that SageMaker has none of for one of the jobs, by its own description."""
    from cli.errors import CliError
    from local.emulator.service_model import input_shape

    for job in jobs:
        if job is Job.train:
            kinds = input_shape("sagemaker", "CreateTrainingJob").members["ResourceConfig"].members["InstanceType"].enum
        else:
            resources = input_shape("sagemaker", "CreateProcessingJob").members["ProcessingResources"]
            kinds = resources.members["ClusterConfig"].members["InstanceType"].enum
        if instance not in kinds:
            raise CliError(f"SageMaker has no machine {instance!r} for the {job} job: use one such as ml.m5.4xlarge")


def start_request(machine: str, given: dict[str, Any], now: datetime) -> dict[str, Any]:
    """StartExecution's request."""
    import json

    from functions.names import execution_name

    return {"stateMachineArn": machine, "name": execution_name(given["dataset"], now), "input": json.dumps(given)}
