from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.commands.run import Job
from cli.options import STACK, AsJson, Dataset, StackName

if TYPE_CHECKING:
    from cli.stack import Stack


def logs(
    dataset: Dataset,
    job: Annotated[Job | None, typer.Option(help="One job; the newest where it is not given.")] = None,
    lines: Annotated[int, typer.Option(min=1, max=10_000, help="The last so many lines.")] = 200,
    as_json: AsJson = False,
    stack: StackName = STACK,
) -> None:
    """What a dataset's newest job wrote."""
    from cli import follow, output  # fmt: skip
    from cli import stack as stacks
    from cli.errors import CliError

    stacks.checked(dataset)
    found = stacks.find(stack)
    jobs = [one for one in newest_jobs(found, dataset) if job is None or f"-{job}-" in one["name"]]
    if not jobs:
        raise CliError(f"SageMaker knows no {job or ''} job of dataset {dataset!r}".replace("  ", " "))
    name = max(jobs, key=lambda one: one["created"])["name"]
    text = follow.log_tail(found, name, lines)
    if as_json:
        output.document({"job": name, "lines": text})
        return
    output.say(name)
    for line in text:
        output.tell(line.rstrip())


def newest_jobs(stack: Stack, dataset: str) -> list[dict[str, Any]]:
    """The newest jobs of a dataset, of each kind, as far as SageMaker lists them on its first pages with any."""
    sagemaker, found = stack.client("sagemaker"), []
    # As PlanRun names jobs. Of two datasets that begin with the same 20 characters the tag tells which it is.
    start = f"{stack.outputs['JobNamePrefix']}-{dataset[:20]}-"
    for kind in ("Processing", "Training"):
        pages = sagemaker.get_paginator(f"list_{kind.lower()}_jobs").paginate(
            NameContains=start, SortBy="CreationTime", SortOrder="Descending", PaginationConfig={"MaxItems": 100}
        )
        jobs = [one for page in pages for one in page[f"{kind}JobSummaries"]]
        mine = (one for one in jobs if one[f"{kind}JobName"].startswith(start))
        names = {f"-{job}-": job for job in Job}
        seen: set[str] = set()
        for one in mine:
            step = next((job for part, job in names.items() if part in one[f"{kind}JobName"][len(start) - 1 :]), None)
            if step is None or step in seen or not is_of(sagemaker, one[f"{kind}JobArn"], dataset):
                continue
            seen.add(step)
            found.append({"name": one[f"{kind}JobName"], "created": one["CreationTime"], "job": str(step)})
    return found


def is_of(sagemaker: Any, arn: str, dataset: str) -> bool:
    """Whether a job is tagged with this dataset."""
    tags = sagemaker.list_tags(ResourceArn=arn)["Tags"]
    return any((tag["Key"], tag["Value"]) == ("dataset", dataset) for tag in tags)
