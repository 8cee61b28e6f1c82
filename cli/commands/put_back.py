from __future__ import annotations

from typing import Annotated

import typer

from cli.options import STACK, AsJson, Dataset, DryRun, StackName


def put_back(
    dataset: Dataset,
    keys: Annotated[list[str] | None, typer.Argument(help="Keys of files, as --list has them; all by default.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="Only list the files that were set aside, and why.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    stack: StackName = STACK,
) -> None:
    """Put files back that were set aside. Runs with them had failed; a run tries them again."""
    from cli import output  # fmt: skip
    from cli import stack as stacks
    from cli.sweeping import ask

    stacks.checked(dataset)
    payload = {"do": "list" if listed else "put_back", "dataset": dataset} | ({"keys": keys} if keys else {})
    answer = ask(stacks.find(stack), payload, dry_run)
    if dry_run:
        return
    if as_json:
        output.document(answer)
    elif listed:
        output.table(
            ["file", "why"],
            [[one["key"], one["reason"]] for one in answer["files"]],
            nothing=f"No file of dataset {dataset} is set aside.",
        )
    else:
        started = f"; the run {answer['started']} takes them" if answer["started"] else ""
        output.tell(f"put back: {answer['put_back']}{started}")
