from __future__ import annotations

from typing import Annotated

import typer

from cli.options import STACK, AsJson, Dataset, DryRun, Follow, StackName


def redrive(
    dataset: Dataset,
    execution: Annotated[str | None, typer.Option(help="The run's name; the newest that failed by default.")] = None,
    follow: Follow = True,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    stack: StackName = STACK,
) -> None:
    """Go on with the newest failed run at the job that failed. Its files and settings stay the same."""
    from cli import stack as stacks
    from cli import watching  # fmt: skip
    from cli.errors import CliError
    from cli.requests import send
    from functions import following

    stacks.checked(dataset)
    found = stacks.find(stack)
    name = execution or watching.newest(found, dataset, following.ENDED_BADLY)["name"]
    described = following.described(found.client("stepfunctions"), found.machine, dataset, name)
    if described is None:
        raise CliError(f"{name!r} is not a run of dataset {dataset!r}: headroom runs {dataset} lists them")
    if why := following.no_redrive(described):
        raise CliError(f"the run {name} cannot be redriven: {why}")
    arn = described["executionArn"]
    send(found, "stepfunctions", "RedriveExecution", {"executionArn": arn}, dry_run)
    if dry_run:
        return
    watching.tell(found, dataset, arn, "redriven", follow, as_json)
