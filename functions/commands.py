"""The commands that notifications offer, ready to be pasted into a shell, one line each.

First that of Headroom's own command line (docs/cli.md), then AWS's, for whoever does not have the first at hand.
"""

from __future__ import annotations

import json
import os
import shlex
from typing import Any

# The stack that the command line looks for where it is told of none.
USUAL_STACK = "headroom"
WITHOUT = "or, without the headroom command:"
# What the command line has of the sweep's commands (``sweep.Command``).
ASKED_BY = {"put_back": "put-back", "give_up": "give-up", "start_over": "start-over"}
# What ``headroom run`` can say of a run's input.
_SAID_BY_RUN = {"mode", "max_usd"}


def headroom(*words: str) -> str:
    """A command of Headroom's command line; the stack is named where it is not called as usual."""
    stack = os.environ.get("POWERTOOLS_SERVICE_NAME", USUAL_STACK)
    of_stack = [] if stack == USUAL_STACK else ["--stack", stack]
    return f"  {shlex.join(['headroom', *words, *of_stack])}"


def either(ours: str, aws: str) -> list[str]:
    """Two ways to do one thing, as lines."""
    return [ours, WITHOUT, aws]


def ask_sweep(function: str, do: str, dataset: str | None) -> list[str]:
    """Ask the sweep function for something: see ``sweep.Command``."""
    given = shlex.quote(json.dumps({"do": do, "dataset": dataset}))
    aws = (
        f"  aws lambda invoke --function-name {function} --cli-binary-format raw-in-base64-out --payload {given} "
        "/dev/stdout"
    )
    return either(headroom(ASKED_BY[do], dataset), aws) if dataset and do in ASKED_BY else [aws]


def start(state_machine_arn: str, dataset: str, **given: Any) -> list[str]:
    """Start a run of a dataset by hand, now."""
    wanted = shlex.quote(json.dumps({"dataset": dataset, **given}))
    aws = f"  aws stepfunctions start-execution --state-machine-arn {state_machine_arn} --input {wanted}"
    flags = [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    return either(headroom("run", dataset, *flags), aws) if given.keys() <= _SAID_BY_RUN else [aws]


def redrive(execution_arn: str, dataset: str | None) -> list[str]:
    """Go on with a failed run at the state that failed."""
    aws = f"  {aws_redrive(execution_arn)}"
    name = execution_arn.rpartition(":")[2]
    return either(headroom("redrive", dataset, "--execution", name), aws) if dataset else [aws]


def aws_redrive(execution_arn: str) -> str:
    """The same as AWS's command alone, for machines that read it (docs/events.md)."""
    return f"aws stepfunctions redrive-execution --execution-arn {execution_arn}"


def logs(dataset: str | None, step: str | None, job: str, kind: str) -> list[str]:
    """See what a job wrote; ``step`` is what the command line calls it."""
    aws = (
        f"  aws logs filter-log-events --log-group-name /aws/sagemaker/{kind}Jobs --log-stream-name-prefix {job} "
        "--query 'events[].message' --output text"
    )
    return either(headroom("logs", dataset, "--job", step), aws) if dataset and step else [aws]


def report(dataset: str, run_id: str, results: str) -> list[str]:
    """Fetch a run's report."""
    return either(headroom("report", dataset, "--run", run_id), f"  aws s3 cp {results}report.html .")


def approve(dataset: str, model_package: str) -> list[str]:
    """Approve a model that was held back."""
    aws = f"  aws sagemaker update-model-package --model-approval-status Approved --model-package-arn {model_package}"
    return either(headroom("approve", dataset, model_package.rpartition("/")[2]), aws)


def bring_back(bucket: str, prefix: str) -> str:
    """The command that takes the delete markers off all objects under a prefix."""
    return (
        f"  aws s3api list-object-versions --bucket {bucket} --prefix {prefix} "
        "--query 'DeleteMarkers[?IsLatest].[Key,VersionId]' --output text | while read -r key version; do "
        f'aws s3api delete-object --bucket {bucket} --key "$key" --version-id "$version"; done'
    )
