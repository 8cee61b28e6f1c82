from __future__ import annotations

from cli.options import STACK, AsJson, Dataset, DryRun, Follow, StackName


def redrive(
    dataset: Dataset,
    follow: Follow = True,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    stack: StackName = STACK,
) -> None:
    """Go on with the dataset's newest failed run at the job that failed, with the same files and settings."""
    from cli import stack as stacks
    from cli import watching  # fmt: skip
    from cli.requests import send

    stacks.checked(dataset)
    found = stacks.find(stack)
    execution = watching.newest(found, dataset, ("FAILED", "TIMED_OUT", "ABORTED"))["executionArn"]
    send(found, "stepfunctions", "RedriveExecution", {"executionArn": execution}, dry_run)
    if dry_run:
        return
    watching.tell(found, dataset, execution, "redriven", follow, as_json)
