"""The deployed stack, found by its CloudFormation outputs: on AWS, or on the laptop cloud by AWS_ENDPOINT_URL."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cli.errors import CliError
from functions.names import dataset_problem, model_group

if TYPE_CHECKING:
    from functions.ledger import Ledger

_NEEDED = ("IngestBucketName", "ArtifactBucketName", "LedgerTable", "StateMachineArn")


@dataclass(frozen=True)
class Stack:
    """A deployed stack: its outputs, such as ``IngestBucketName``, and its parameters."""

    name: str
    outputs: dict[str, str]
    parameters: dict[str, str] = field(default_factory=dict)
    _clients: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def client(self, service: str) -> Any:
        """A boto3 client with the caller's credentials; region and endpoint come from the environment."""
        if service not in self._clients:
            self._clients[service] = client(service)
        return self._clients[service]

    @property
    def ingest(self) -> str:
        return self.outputs["IngestBucketName"]

    @property
    def artifacts(self) -> str:
        return self.outputs["ArtifactBucketName"]

    @property
    def machine(self) -> str:
        return self.outputs["StateMachineArn"]

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger, which is only read here."""
        from functions.ledger import connect

        return connect(self.outputs["LedgerTable"])

    def model_group(self, dataset: str) -> str:
        return model_group(self.outputs["JobNamePrefix"], dataset)


def client(service: str) -> Any:
    """A boto3 client."""
    import boto3
    from botocore.config import Config

    make: Any = boto3.client  # its types know no service name that is only known at run time
    # The signature that every region takes, for links; the laptop cloud has an address for all buckets.
    return make(service, config=Config(signature_version="s3v4") if service == "s3" else None)


def find(name: str) -> Stack:
    """The stack of this name.

    Raises:
        CliError: there is none, or it is no stack of Headroom.
    """
    from botocore.exceptions import ClientError

    try:
        [found] = client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        raise CliError(
            f"there is no stack {name!r} in this account and region: name yours with --stack or HEADROOM_STACK, and "
            "check AWS_PROFILE and AWS_REGION. For the laptop cloud (make up): "
            'eval "$(.venv/bin/python -m local test-env)"'
        ) from error
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
    parameters = {one["ParameterKey"]: one.get("ParameterValue", "") for one in found.get("Parameters", [])}
    if missing := [key for key in _NEEDED if key not in outputs]:
        raise CliError(
            f"the stack {name!r} ({found['StackStatus']}) lacks the outputs {', '.join(missing)}: "
            "it is not Headroom's, or not deployed yet"
        )
    return Stack(name, outputs, parameters)


def api_address(stack: Stack) -> str:
    """Where the stack's HTTP API and its page are; the laptop cloud serves all APIs at its own address.

    Raises:
        CliError: the stack has none.
    """
    if "ApiEndpoint" not in stack.outputs:
        raise CliError(f"the stack {stack.name!r} has no HTTP API: deploy it with HttpApi=true (docs/api.md)")
    return api_address_of(stack.outputs["ApiEndpoint"], os.environ.get("AWS_ENDPOINT_URL"))


def api_address_of(output: str, laptop: str | None) -> str:
    """The address of the API by the stack's output; on a laptop cloud, by that cloud's endpoint."""
    api = output.partition("://")[2].partition(".")[0]
    return f"{laptop}/_aws/execute-api/{api}/$default" if laptop else output


def checked(dataset: str) -> str:
    """A dataset's name.

    Raises:
        CliError: no dataset can be called that.
    """
    if problem := dataset_problem(dataset):
        raise CliError(problem)
    return dataset


def unknown(stack: Stack, dataset: str) -> str | None:
    """That no file has ever come for a dataset, the nearest name, and which datasets there are; None where one has."""
    known = stack.ledger.datasets()
    if dataset in known:
        return None
    if not known:
        return f"there is no dataset {dataset!r}; headroom drop {dataset} FILES begins it"
    near = difflib.get_close_matches(dataset, known, 1)
    meant = f"did you mean {near[0]!r}? There" if near else "there"
    return f"there is no dataset {dataset!r}; {meant} are {', '.join(known[:20])}"


def current_run(stack: Stack, dataset: str) -> str:
    """The id of the run whose results are the dataset's current ones.

    Raises:
        CliError: there is none yet.
    """
    run = stack.ledger.state(checked(dataset)).current_run
    if run is None:
        known = stack.ledger.datasets()
        there = f"; there are {', '.join(known[:20])}" if known and dataset not in known else ""
        raise CliError(f"dataset {dataset!r} has no published run yet{there}")
    return run
