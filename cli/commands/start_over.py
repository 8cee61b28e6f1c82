from __future__ import annotations

from typing import Annotated

import typer

from cli.options import STACK, AsJson, Dataset, DryRun, StackName

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def start_over(
    dataset: Dataset, yes: Yes = False, dry_run: DryRun = False, as_json: AsJson = False, stack: StackName = STACK
) -> None:
    """Begin a dataset anew from all files under incoming/. For when its history is lost or wrong."""
    from cli import output  # fmt: skip
    from cli import stack as stacks
    from cli.errors import CliError
    from cli.sweeping import ask

    stacks.checked(dataset)
    found = stacks.find(stack)
    if problem := stacks.unknown(found, dataset):
        raise CliError(problem)
    if not (yes or dry_run):
        before = found.ledger.state(dataset).current_run
        output.say(
            f"All files of dataset {dataset} that are under incoming/ now will be read again, and its next run builds "
            f"on nothing: what only its history has ({f'run {before}' if before else 'no run yet'}), because files "
            "were deleted or overwritten, does not come back. Results of earlier runs stay where they are."
        )
        if not typer.confirm("Start over?", err=True):
            raise CliError("nothing was changed")
    answer = ask(found, {"do": "start_over", "dataset": dataset}, dry_run)
    if dry_run:
        return
    if as_json:
        output.document(answer)
        return
    started = f"; the run {answer['started']} takes them" if answer["started"] else ""
    output.tell(f"files that wait again: {answer['files']:,}{started}")
