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
    from cli import output, watching  # fmt: skip
    from cli import stack as stacks
    from cli.requests import send

    stacks.checked(dataset)
    found = stacks.find(stack)
    execution = watching.newest(found, dataset, ("FAILED", "TIMED_OUT", "ABORTED"))["executionArn"]
    send(found, "stepfunctions", "RedriveExecution", {"executionArn": execution}, dry_run)
    if dry_run:
        return
    if follow:
        watching.stay(found, dataset, execution, as_json)
    elif as_json:
        output.document({"execution": execution})
    else:
        output.tell(f"redriven: {execution.rpartition(':')[2]}")
