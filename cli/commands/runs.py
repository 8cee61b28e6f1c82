from __future__ import annotations

from typing import Annotated

import typer

from cli.options import STACK, AsJson, Dataset, StackName


def runs(
    dataset: Dataset,
    most: Annotated[int, typer.Option(min=1, max=1000, help="The newest so many.")] = 20,
    as_json: AsJson = False,
    stack: StackName = STACK,
) -> None:
    """A dataset's runs, the newest first."""
    from cli import output
    from cli import stack as stacks
    from cli.errors import CliError
    from functions import looking

    stacks.checked(dataset)
    found = stacks.find(stack)
    if problem := stacks.unknown(found, dataset):
        raise CliError(problem)
    current = found.ledger.state(dataset).current_run
    told = looking.runs_of(found.client("s3"), found.artifacts, dataset, current, most)
    if as_json:
        output.document(told)
        return
    output.table(
        ["run", "state", "mode", "trained", "files", "critical", "high", "cost estimate"],
        [
            [one["run_id"], one["state"], one["mode"], one["train_reason"] if one["train"] else "no", one["files"],
             *((one["levels"] or {}).get(level) for level in ("critical", "high")),
             (one["cost_estimate"] or "–").partition(" (")[0]]
            for one in told
        ],
        nothing=f"Dataset {dataset!r} has no run yet.",
    )  # fmt: skip


def checked_run(run_id: str) -> str:
    """A run's id as PlanRun makes them: nothing else may become part of a key or a path.

    Raises:
        CliError: it is not one.
    """
    from cli.errors import CliError
    from functions.looking import is_run_id

    if not is_run_id(run_id):
        raise CliError(f"{run_id!r} is not a run's id, such as 20261121T090000Z-0a1b2c3d: headroom runs lists them")
    return run_id
