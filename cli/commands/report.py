from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from cli.options import STACK, AsJson, Dataset, StackName


def report(
    dataset: Dataset,
    run: Annotated[str | None, typer.Option("--run", help="An earlier run's id; the current one by default.")] = None,
    output_file: Annotated[Path | None, typer.Option("--output", help="Where to save it.")] = None,
    browse: Annotated[bool, typer.Option("--open/--no-open", help="Open it in the browser.")] = True,
    as_json: AsJson = False,
    stack: StackName = STACK,
) -> None:
    """Fetch a dataset's report and open it."""
    from cli import output  # fmt: skip
    from cli import stack as stacks
    from cli.commands.runs import checked_run
    from cli.errors import CliError
    from functions import objects

    stacks.checked(dataset)
    found = stacks.find(stack)
    run_id = checked_run(run) if run else stacks.current_run(found, dataset)
    key = f"runs/{dataset}/{run_id}/assessment/report.html"
    content, etag = objects.fetched(found.client("s3"), found.artifacts, key)
    if etag is None:
        raise CliError(f"run {run_id} of dataset {dataset!r} has no report; headroom runs {dataset} lists its runs")
    path = output_file or cache() / dataset / run_id / "report.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if as_json:
        output.document({"dataset": dataset, "run_id": run_id, "file": str(path.resolve())})
        return
    output.tell(str(path.resolve()))
    if browse:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())


def cache() -> Path:
    """Where reports are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headroom"
