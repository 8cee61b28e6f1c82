from __future__ import annotations

from typing import Annotated

import typer

from cli.errors import CliError
from cli.options import STACK, AsJson, StackName


def status(
    dataset: Annotated[str | None, typer.Argument(help="One dataset; all where it is not given.")] = None,
    as_json: AsJson = False,
    stack: StackName = STACK,
) -> None:
    """Datasets: what runs, what waits, how the results stand."""
    from cli import output
    from cli import stack as stacks
    from functions import looking

    found = stacks.find(stack)
    names = [stacks.checked(dataset)] if dataset else found.ledger.datasets()
    if dataset and (problem := stacks.unknown(found, dataset)):
        raise CliError(problem)
    states = looking.dataset_states(found.ledger, found.client("s3"), found.artifacts, names)
    if as_json:
        output.document(states)
        return
    output.table(
        ["dataset", "state", "critical", "high", "medium", "not judged", "accepted", "data to", "waiting", "set aside",
         "run"],
        [
            [
                one["dataset"],
                f"running {one['running']}" if one["running"] else "failed" if one["failed_at"] else "idle",
                *(one["levels"].get(level) if one["levels"] else None for level in ("critical", "high", "medium")),
                one["unjudged"], one["accepted"], (one["as_of"] or "–")[:10], one["waiting"], one["set_aside"],
                one["current_run"],
            ]
            for one in states
        ],
        nothing="There is no dataset yet: headroom drop <dataset> <files>",
    )  # fmt: skip
