from __future__ import annotations

from typing import Annotated

import typer

from cli.options import STACK, AsJson, Dataset, DryRun, StackName


def approve(
    dataset: Dataset,
    version: Annotated[
        int | None, typer.Argument(help="The version; the newest that waits by default.", metavar="VERSION")
    ] = None,
    reject: Annotated[bool, typer.Option("--reject", help="Reject it instead, so that no run uses it.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    stack: StackName = STACK,
) -> None:
    """Approve a model that was held back. Runs score with it from the next one on."""
    from cli import output  # fmt: skip
    from cli import stack as stacks
    from cli.commands.models import versions
    from cli.errors import CliError
    from cli.requests import send

    stacks.checked(dataset)
    found = stacks.find(stack)
    known = versions(found, dataset)
    fitting = [
        one for one in known
        if (one["version"] == version if version is not None else one["status"] == "PendingManualApproval")
    ]  # fmt: skip
    if not fitting:
        wanted = f"version {version}" if version is not None else "model that waits for approval"
        raise CliError(f"dataset {dataset!r} has no {wanted}: headroom models {dataset} lists them")
    status = "Rejected" if reject else "Approved"
    request = {"ModelPackageArn": fitting[0]["arn"], "ModelApprovalStatus": status}
    send(found, "sagemaker", "UpdateModelPackage", request, dry_run)
    if dry_run:
        return
    if as_json:
        output.document(fitting[0] | {"status": status})
        return
    output.tell(f"version {fitting[0]['version']} of dataset {dataset} is {status.lower()}")
