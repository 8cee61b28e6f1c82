from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.commands.run import Job
from cli.options import STACK, AsJson, Dataset, StackName

if TYPE_CHECKING:
    from cli.stack import Stack
    from functions.following import Log


def logs(
    dataset: Dataset,
    job: Annotated[Job | None, typer.Option(help="One job; the newest where it is not given.")] = None,
    lines: Annotated[int, typer.Option(min=1, max=10_000, help="The last so many lines.")] = 200,
    as_json: AsJson = False,
    stack: StackName = STACK,
) -> None:
    """What a dataset's newest job wrote."""
    from cli import output  # fmt: skip
    from cli import stack as stacks
    from cli.errors import CliError

    stacks.checked(dataset)
    found = stacks.find(stack)
    log = newest(found, dataset, job, lines)
    if log is None:
        logged = f"log of {'an' if job is Job.assess else 'a'} {job} job" if job else "job logs"
        raise CliError(stacks.unknown(found, dataset) or f"dataset {dataset!r} has no {logged} yet")
    if as_json:
        output.document({"job": log.job, "lines": log.lines})
        return
    output.say(log.job)
    for line in log.lines:
        output.tell(line)


def newest(stack: Stack, dataset: str, job: Job | None, lines: int) -> Log | None:
    """The log of the newest job of this kind, or of any, of the runs that Step Functions lists."""
    from cli import follow
    from functions.following import jobs_begun

    prefix = stack.outputs["JobNamePrefix"]
    for execution in reversed(follow.executions(stack, stack.machine, dataset)):
        arn = execution["executionArn"]
        for wanted in reversed(jobs_begun(stack.client("stepfunctions"), arn)):
            if job in (None, wanted) and (log := follow.log_of(stack, prefix, dataset, arn, wanted, lines)):
                return log
    return None
