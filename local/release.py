"""Deploying an environment of samconfig.toml: its stack's name, its change set, the policy that guards its data."""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import ClientError, WaiterError

from local.cloud import ROOT

POLICY = ROOT / "stack-policy.json"
POLL_SECONDS = 5


class ReleaseError(Exception):
    """The deployment has failed; the message says why."""


def environments() -> dict[str, dict[str, Any]]:
    """The deployment parameters of each environment, by its name."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    return {name: part["deploy"]["parameters"] for name, part in config.items() if isinstance(part, dict)}


def guard(client: Callable[[str], Any], stack: str) -> None:
    """Have CloudFormation refuse updates that would replace or delete a bucket or the ledger."""
    client("cloudformation").set_stack_policy(StackName=stack, StackPolicyBody=POLICY.read_text(encoding="utf-8"))


def execute(client: Callable[[str], Any], stack: str, change_set: str) -> str:
    """Execute a change set that ``sam deploy`` has made, wait for its end, and return the stack's state.

    Raises:
        ReleaseError: CloudFormation has rolled back; the message has the first failures.
    """
    cloudformation = client("cloudformation")
    kind = cloudformation.describe_change_set(ChangeSetName=change_set)["ChangeSetName"]
    first = state(cloudformation, stack) == "REVIEW_IN_PROGRESS"
    cloudformation.execute_change_set(ChangeSetName=change_set)
    waiter = cloudformation.get_waiter("stack_create_complete" if first else "stack_update_complete")
    try:
        waiter.wait(StackName=stack, WaiterConfig={"Delay": POLL_SECONDS, "MaxAttempts": 3600 // POLL_SECONDS})
    except WaiterError as error:
        events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        failed = [e for e in events if e["ResourceStatus"].endswith("_FAILED")][:10]
        lines = [f"  {e['LogicalResourceId']}: {e.get('ResourceStatusReason', '')}" for e in failed]
        raise ReleaseError("\n".join([f"{kind}: the stack is {state(cloudformation, stack)}", *lines])) from error
    guard(client, stack)
    return state(cloudformation, stack)


def state(cloudformation: Any, stack: str) -> str:
    """The stack's state, such as UPDATE_COMPLETE."""
    [found] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    return found["StackStatus"]


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m local.release", description=__doc__)
    arguments.add_argument("what", choices=["name", "guard", "execute"])
    arguments.add_argument("--environment", choices=sorted(environments()), default="default")
    arguments.add_argument("--change-set", metavar="ARN")
    given = arguments.parse_args()
    parameters = environments()[given.environment]
    stack = parameters["stack_name"]
    client: Any = boto3.Session(region_name=parameters["region"]).client
    try:
        if given.what == "name":
            print(stack)
        elif given.what == "guard":
            guard(client, stack)
        else:
            print(f"{stack} is {execute(client, stack, given.change_set)}")
    except (ReleaseError, ClientError) as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
