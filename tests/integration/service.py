"""The deployed service as its users see it, for the tests of whole runs."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cli import follow
from functions import failures, following
from local.cloud import Cloud
from local.deploy import Stack
from local.emulator import mailbox

RUN_SECONDS = 300


@dataclass
class Service:
    """The deployed service as its users see it: two buckets, executions, a mailbox."""

    cloud: Cloud
    stack: Stack

    @property
    def machine(self) -> str:
        return self.stack.outputs["StateMachineArn"]

    def drop(self, dataset: str, name: str, content: bytes) -> None:
        bucket = self.stack.outputs["IngestBucketName"]
        self.cloud.client("s3").put_object(Bucket=bucket, Key=f"incoming/{dataset}/{name}", Body=content)

    def executions(self, dataset: str) -> list[dict[str, Any]]:
        return follow.executions(self.cloud, self.machine, dataset)

    def wait(self, dataset: str, more_than: int = 0) -> list[dict[str, Any]]:
        """The dataset's executions, the oldest first, once there are more than ``more_than``, none runs, and no file
        waits except those of a failed run."""
        deadline = time.monotonic() + RUN_SECONDS
        while time.monotonic() < deadline:
            waiting = self.waiting(dataset)
            found = self.executions(dataset)
            ended = len(found) > more_than and all(execution["status"] in follow.FINAL for execution in found)
            if ended and (not waiting or found[-1]["status"] != "SUCCEEDED"):
                return found
            time.sleep(0.5)
        raise AssertionError(f"{dataset}: not ended in time: {self.executions(dataset)}")

    def waiting(self, dataset: str) -> int:
        """How many files the ledger holds that are in no published run."""
        query = {"TableName": self.stack.outputs["LedgerTable"], "IndexName": "waiting", "ConsistentRead": True}
        of_dataset = {"KeyConditionExpression": "dataset = :d", "ExpressionAttributeValues": {":d": {"S": dataset}}}
        return self.cloud.client("dynamodb").query(**query, **of_dataset)["Count"]

    def drop_and_wait(self, dataset: str, files: dict[str, bytes]) -> list[dict[str, Any]]:
        """The executions that these files have led to."""
        before = len(self.executions(dataset))
        for name, content in files.items():
            self.drop(dataset, name, content)
        return self.wait(dataset, more_than=before)[before:]

    def drop_together_and_wait(self, dataset: str, files: dict[str, bytes]) -> list[dict[str, Any]]:
        """The same for files that nobody looks at until all are there, however slow this machine is."""
        before = len(self.executions(dataset))
        functions, sqs, queue = self.cloud.client("lambda"), self.cloud.client("sqs"), physical(self, "FileQueue")
        found = functions.list_event_source_mappings(FunctionName=physical(self, "IngestFunction"))
        [reader] = [one["UUID"] for one in found["EventSourceMappings"]]

        def in_queue() -> int:
            found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])
            return int(found["Attributes"]["ApproximateNumberOfMessages"])

        functions.update_event_source_mapping(UUID=reader, Enabled=False)
        for name, content in files.items():
            self.drop(dataset, name, content)
        deadline = time.monotonic() + RUN_SECONDS
        while in_queue() < len(files):
            assert time.monotonic() < deadline, f"{in_queue()} of {len(files)} files are in the queue"
            time.sleep(0.1)
        functions.update_event_source_mapping(UUID=reader, Enabled=True)
        return self.wait(dataset, more_than=before)[before:]

    def outcome(self, execution: dict[str, Any]) -> dict[str, Any]:
        states = self.cloud.client("stepfunctions")
        described = states.describe_execution(executionArn=execution["executionArn"])
        assert described["status"] == "SUCCEEDED", self.why(described)
        return json.loads(described["output"])

    def steps(self, execution: dict[str, Any]) -> list[following.Step]:
        return following.steps(self.cloud.client("stepfunctions"), execution["executionArn"])

    def states(self, execution: dict[str, Any]) -> list[str]:
        return [step.name for step in self.steps(execution)]

    def why(self, described: dict[str, Any]) -> failures.Failure:
        """Why an execution has failed, as DescribeExecution and its history say."""
        return failures.of_execution(described, self.steps(described))

    def read(self, dataset: str, run_id: str, name: str) -> bytes:
        bucket = self.stack.outputs["ArtifactBucketName"]
        answer = self.cloud.client("s3").get_object(Bucket=bucket, Key=f"runs/{dataset}/{run_id}/{name}")
        return answer["Body"].read()

    def read_json(self, dataset: str, run_id: str, name: str) -> Any:
        return json.loads(self.read(dataset, run_id, name))

    def panel(self, dataset: str, run_id: str) -> pd.DataFrame:
        return pd.read_parquet(io.BytesIO(self.read(dataset, run_id, "panel/panel.parquet")))

    def mail(self, about: str) -> list[mailbox.Letter]:
        """Letters with these words in subject or body. It waits a little, because mail comes after the run's end."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = [x for x in mailbox.letters(self.cloud.mailbox) if about in x.subject or about in x.body]
            if found:
                return found
            time.sleep(0.3)
        return []


def physical(service: Service, name: str) -> str:
    """What the stack's resource of this name is called on the cloud."""
    asked = {"StackName": service.stack.name, "LogicalResourceId": name}
    found = service.cloud.client("cloudformation").describe_stack_resource(**asked)
    return found["StackResourceDetail"]["PhysicalResourceId"]


@contextmanager
def results_refused(service: Service, dataset: str) -> Iterator[None]:
    """While this lasts, the jobs' role may not write the dataset's results."""
    iam, role = service.cloud.client("iam"), physical(service, "JobRole")
    target = f"arn:aws:s3:::*/runs/{dataset}/*/assessment/*"
    deny = {"Effect": "Deny", "Action": "s3:PutObject", "Resource": target}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    iam.put_role_policy(RoleName=role, PolicyName=dataset, PolicyDocument=policy)
    yield
    iam.delete_role_policy(RoleName=role, PolicyName=dataset)


def item(service: Service, dataset: str) -> dict[str, Any]:
    """The dataset's lock and pointer."""
    key = {"dataset": {"S": dataset}, "item": {"S": "STATE"}}
    table = service.stack.outputs["LedgerTable"]
    return service.cloud.client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {})


def letter(service: Service, about: str) -> mailbox.Letter:
    """The one letter with these words."""
    [found] = service.mail(about)
    return found


def failure(service: Service, execution: dict[str, Any]) -> mailbox.Letter:
    """The one letter about a failed execution: it holds the command that redrives it."""
    return letter(service, f"redrive-execution --execution-arn {execution['executionArn']}")


def redrive(service: Service, mail: str) -> None:
    """Do what the mail's `redrive-execution` command says."""
    [arn] = re.findall(r"redrive-execution --execution-arn (\S+)", mail)
    service.cloud.client("stepfunctions").redrive_execution(executionArn=arn)


def published(service: Service, dataset: str) -> list[dict[str, Any]]:
    """The manifests of the published chain, the newest first."""
    run = item(service, dataset).get("current_run", {}).get("S")
    found = []
    while run is not None:
        found.append(service.read_json(dataset, run, "manifest.json"))
        run = found[-1]["previous_run_id"]
    return found


def files_of(service: Service, dataset: str) -> list[str]:
    """The files of the published chain, the newest run's last."""
    return [file["file"] for manifest in reversed(published(service, dataset)) for file in manifest["files"]]


def start_by_hand(service: Service, mail: str) -> None:
    """Do what the mail's `start-execution` command says."""
    [(machine, given)] = re.findall(r"start-execution --state-machine-arn (\S+) --input '(.*?)'", mail)
    service.cloud.client("stepfunctions").start_execution(stateMachineArn=machine, input=given)


def intact(service: Service, dataset: str, files: list[str]) -> None:
    """The files are in the published chain, each version once; none waits, nobody has the lock."""
    used = [(file["file"], file["version"]) for one in published(service, dataset) for file in one["files"]]
    assert sorted(file for file, _ in used) == sorted(files)
    assert len(set(used)) == len(used)
    assert service.waiting(dataset) == 0
    assert "running" not in item(service, dataset)
