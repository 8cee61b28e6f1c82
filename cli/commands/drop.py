from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import CliError
from cli.options import STACK, AsJson, Dataset, DryRun, Follow, StackName

if TYPE_CHECKING:
    from cli.stack import Stack


def drop(
    dataset: Dataset,
    files: Annotated[list[Path], typer.Argument(help="Files, or folders of them.", metavar="FILES")],
    settings: Annotated[Path | None, typer.Option(help="Also the dataset's settings, YAML.")] = None,
    follow: Follow = True,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    stack: StackName = STACK,
) -> None:
    """Upload files into a dataset. It stays with the run that they start."""
    from cli import files as chosen
    from cli import output
    from cli import stack as stacks
    from cli.commands.settings import require_valid
    from cli.follow import executions
    from cli.requests import send

    stacks.checked(dataset)
    given, unfit, others = chosen.chosen(files)
    text = None if settings is None else require_valid(settings)
    if others:
        output.say(chosen.passed_over(others))
    if unfit:
        output.say(chosen.left_out(unfit))
    found = stacks.find(stack)
    known = {one["executionArn"] for one in executions(found, found.machine, dataset)}
    if text is not None:  # first, so that the run that the files start knows them
        request = {"Bucket": found.ingest, "Key": f"config/{dataset}.yaml", "Body": text.encode()}
        send(found, "s3", "PutObject", request, dry_run)
    if dry_run:
        for path, name in given:
            output.document({
                "service": "s3", "operation": "PutObject", "file": str(path), "bytes": path.stat().st_size,
                "request": {"Bucket": found.ingest, "Key": f"incoming/{dataset}/{name}"},
            })  # fmt: skip
    else:
        _uploaded(found, dataset, given, known, follow, as_json)
    if unfit:
        raise CliError(chosen.incomplete(unfit))


def _uploaded(
    found: Stack, dataset: str, given: list[tuple[Path, str]], known: set[str], follow: bool, as_json: bool
) -> None:
    """Upload the files, and stay with the run that they start: the execution that is not among ``known``."""
    from cli import files as chosen
    from cli import output, watching

    chosen.upload(found.client("s3"), found.ingest, dataset, given, quiet=as_json)
    target = f"s3://{found.ingest}/incoming/{dataset}/"
    output.say(f"{len(given)} file{'' if len(given) == 1 else 's'} dropped into {target}")
    execution = watching.new_run(found, dataset, known) if follow else None
    if execution is not None:
        watching.stay(found, dataset, execution, as_json)
    elif as_json:
        output.document({"dataset": dataset, "files": [name for _, name in given], "execution": None})
