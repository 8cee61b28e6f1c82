from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import STACK, AsJson, Dataset, DryRun, Follow, StackName

if TYPE_CHECKING:
    from cli.stack import Stack


def redrive(
    dataset: Dataset,
    execution: Annotated[str | None, typer.Option(help="The run's name; the newest that failed by default.")] = None,
    follow: Follow = True,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    stack: StackName = STACK,
) -> None:
    """Go on with the dataset's newest failed run at the job that failed, with the same files and settings."""
    from cli import stack as stacks
    from cli import watching  # fmt: skip
    from cli.errors import CliError
    from cli.requests import send

    stacks.checked(dataset)
    found = stacks.find(stack)
    if execution is not None and dataset_of(found, execution) != dataset:
        raise CliError(f"{execution!r} is not a run of dataset {dataset!r}: headroom runs {dataset} lists them")
    arn = (
        watching.follow_arn(found, execution)
        if execution
        else watching.newest(found, dataset, ("FAILED", "TIMED_OUT", "ABORTED"))["executionArn"]
    )
    send(found, "stepfunctions", "RedriveExecution", {"executionArn": arn}, dry_run)
    if dry_run:
        return
    watching.tell(found, dataset, arn, "redriven", follow, as_json)


def dataset_of(stack: Stack, execution: str) -> str | None:
    """The dataset that an execution was started for; None where there is no such execution."""
    import json

    from botocore.exceptions import ClientError

    from cli import watching

    try:
        described = stack.client("stepfunctions").describe_execution(executionArn=watching.follow_arn(stack, execution))
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ExecutionDoesNotExist", "InvalidArn"):
            raise
        return None
    return json.loads(described["input"]).get("dataset")
