"""AWS in memory for the functions' handlers: quick enough for thousands of schedules, and it can die at any write.

The handlers run as they are; only boto3's clients are these. What they do is held to moto by ``test_world.py``.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import boto3
from botocore.exceptions import ClientError

import ingest
import job_code
import plan
import publish
import run_status
import sweep
from ledger import File, Ledger
from names import execution_arn
from tests.unit import conftest
from tests.unit.conftest import LambdaContext
from tests.unit.functions.messages import QUALITY, SUMMARY, arrival, status_change

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:headroom-capacity"
TOPIC = "arn:aws:sns:us-east-1:123456789012:headroom"
ENVIRONMENT = conftest.ENVIRONMENT | {
    "LEDGER_TABLE": "ledger",
    "STATE_MACHINE_ARN": MACHINE,
    "TOPIC_ARN": TOPIC,
    "INGEST_BUCKET": "ingest",
    "ARTIFACT_BUCKET": "artifacts",
    "LINK_HOURS": "0",
}


class Crash(BaseException):
    """The function's process is gone, as when Lambda takes it away: no handler of errors sees this."""


def refusal(code: str, operation: str = "Call", **more: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code, **more}}, operation)


@dataclass
class Version:
    """One version of an object; ``body`` None is a delete marker."""

    id: str
    body: bytes | None
    at: datetime
    refuses: tuple[str, dict[str, str]] | None = None
    """The error code that reading it gives, and more of the error."""

    @property
    def etag(self) -> str:
        return hashlib.md5(self.body or b"").hexdigest()  # noqa: S324 - S3's own


@dataclass
class Execution:
    """One execution of the state machine."""

    name: str
    input: str
    status: str = "RUNNING"
    redrives: int = 0
    state: str = "PlanRun"
    plan: dict[str, Any] | None = None


@dataclass
class World:
    """All of the stack's state, and what it has told people."""

    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    buckets: dict[str, dict[str, list[Version]]] = field(default_factory=lambda: {"ingest": {}, "artifacts": {}})
    items: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    letters: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    models: list[dict[str, Any]] = field(default_factory=list)
    """Versions of the model package group of every dataset, the newest first, as DescribeModelPackage gives them."""
    log: list[str] = field(default_factory=list)
    """The lines of the log of every job."""
    calls: dict[str, int] = field(default_factory=dict)
    crash_after: int | None = None
    """So many writes from now on succeed, and then the process dies."""
    fails: dict[str, str] = field(default_factory=dict)
    """Error codes by operation: what a service refuses for the time being."""
    _lock: Any = field(default_factory=threading.RLock)
    _versions: int = 0

    # ---- what tests do

    @contextmanager
    def alive(self, **environment: str) -> Iterator[World]:
        """While this lasts, boto3 talks to this world; ``environment`` are other values of the functions' variables."""
        with (
            mock.patch.dict("os.environ", ENVIRONMENT | environment),
            mock.patch.object(boto3, "client", self.client),
            mock.patch.object(boto3, "resource", lambda *_, **__: self),
            mock.patch.object(job_code, "read", lambda: {"run.sh": b"run", "jobs.txt": b"lock"}),
            mock.patch.multiple("ingest", datetime=self.clock()),
            mock.patch.multiple("plan", datetime=self.clock()),
            mock.patch.multiple("publish", datetime=self.clock()),
            mock.patch.multiple("run_status", datetime=self.clock()),
            mock.patch.multiple("sweep", datetime=self.clock()),
        ):
            for module in (ingest, plan, publish, run_status, sweep):
                module._environment.cache_clear()
            logging.disable(logging.CRITICAL)
            try:
                yield self
            finally:
                logging.disable(logging.NOTSET)
        for module in (ingest, plan, publish, run_status, sweep):
            module._environment.cache_clear()

    def clock(self) -> type:
        world = self

        class Clock(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:
                world.now += timedelta(milliseconds=1)
                return world.now

        return Clock

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.Table("ledger"))

    def drop(self, key: str, body: bytes = b"x", refuses: tuple[str, dict[str, str]] | None = None) -> Version:
        """Put an object under ``incoming/``; the event of it is ``arrival`` of what is returned."""
        return self.put("ingest", f"incoming/{key}", body, refuses)

    def put(self, bucket: str, key: str, body: bytes, refuses: Any = None) -> Version:
        self._versions += 1
        self.now += timedelta(seconds=1)
        version = Version(f"v{self._versions:06d}", body, self.now, refuses)
        self.buckets[bucket].setdefault(key, []).append(version)
        return version

    def delete(self, bucket: str, prefix: str) -> None:
        for key, versions in self.buckets[bucket].items():
            if key.startswith(prefix):
                self._versions += 1
                versions.append(Version(f"v{self._versions:06d}", None, self.now))

    def arrive(self, *arrivals: tuple[str, Version]) -> dict[str, Any]:
        """The ingest function with the events of objects, each a key below ``incoming/`` and its version."""
        return ingest.handler({"Records": [self._record(*one) for one in arrivals]}, LambdaContext())

    def _record(self, key: str, version: Version) -> dict[str, Any]:
        return arrival(
            f"incoming/{key}",
            version=version.id,
            size=len(version.body or b""),
            message=f"{key}-{version.id}",
            etag=version.etag,
            sequencer=f"00{version.id[1:]}",
            time=version.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        )

    def plan(self, execution: Execution) -> dict[str, Any]:
        """The PlanRun state of an execution."""
        execution.state = "PlanRun"
        started = {"arn": self.arn(execution.name), "name": execution.name, "started": "2026-01-01T00:00:00.000Z"}
        execution.plan = plan.handler({"input": json.loads(execution.input), "execution": started}, LambdaContext())
        execution.state = "Preprocess"
        return execution.plan

    def jobs(self, execution: Execution) -> None:
        """The jobs of an execution have written their results."""
        planned = execution.plan or {}
        folder = planned["run_uri"].removeprefix("s3://artifacts/")
        for name, content in {
            "panel/panel.parquet": "x",
            "assessment/risk_summary.json": SUMMARY,
            "assessment/data_quality.json": QUALITY,
        }.items():
            self.put("artifacts", f"{folder}/{name}", json.dumps(content).encode())
        execution.state = "Publish"

    def publish(self, execution: Execution) -> dict[str, Any]:
        """The Publish state of an execution, and its end."""
        planned = execution.plan or {}
        finished = {
            "dataset": planned["dataset"],
            "run_id": planned["run_id"],
            "execution": execution.name,
            "trained": planned["train"],
            "model_package": "",
            "approved": True,
        }
        told = publish.handler(finished, LambdaContext())
        self.letters.append({"Subject": told["subject"], "Message": told["message"], "of": execution.name})
        execution.status, execution.state = "SUCCEEDED", "NotifyCompletion"
        return told

    def run(self, execution: Execution) -> dict[str, Any]:
        """A whole run."""
        self.plan(execution)
        self.jobs(execution)
        return self.publish(execution)

    def fail(self, execution: Execution, status: str = "FAILED", **detail: Any) -> None:
        """An execution ends badly, and the event of it comes."""
        execution.status = status
        self.tell_status(execution, status, **detail)

    def tell_status(self, execution: Execution, status: str, **detail: Any) -> None:
        """The run-status function with the event of a change."""
        arn, told = self.arn(execution.name), {"input": execution.input, "redriveCount": execution.redrives}
        run_status.handler(status_change(arn, status, **(told | detail)), LambdaContext())

    def job_failed(self, reason: str = "AlgorithmError: , exit code: 1", word: str = "no such column") -> str:
        """The cause of a failed Preprocess job."""
        return json.dumps(
            {
                "ProcessingJobName": "headroom-demo-preprocess-1",
                "ProcessingJobStatus": "Failed",
                "FailureReason": reason,
                "ExitMessage": word,
            }
        )

    def redrive(self, execution: Execution) -> None:
        """An execution goes on at the state it stopped in; the event of it is not sent by this."""
        execution.status, execution.redrives = "RUNNING", execution.redrives + 1

    def sweep(self, **command: Any) -> dict[str, Any]:
        return sweep.handler(command or {"source": "aws.events"}, LambdaContext())

    def running(self, dataset: str = "") -> list[Execution]:
        found = [one for one in self.executions.values() if one.status == "RUNNING"]
        return [one for one in found if not dataset or json.loads(one.input).get("dataset") == dataset]

    def arn(self, name: str) -> str:
        return execution_arn(MACHINE, name)

    def manifest(self, run: str, dataset: str = "demo") -> dict[str, Any]:
        return json.loads(self.buckets["artifacts"][f"runs/{dataset}/{run}/manifest.json"][-1].body or b"")

    def chain(self, dataset: str = "demo") -> list[str]:
        """The published runs of a dataset, the newest first, as the manifests tell."""
        run, found = self.ledger.state(dataset).current_run, []
        while run is not None:
            found.append(run)
            run = self.manifest(run, dataset)["previous_run_id"]
        return found

    # ---- dying, refusing, counting

    def wrote(self) -> None:
        """Called after each write that has been done."""
        if self.crash_after is not None:
            if self.crash_after <= 0:
                self.crash_after = None
                raise Crash
            self.crash_after -= 1

    def called(self, operation: str) -> None:
        with self._lock:
            self.calls[operation] = self.calls.get(operation, 0) + 1
        if operation in self.fails:
            raise refusal(self.fails[operation], operation)

    # ---- boto3

    def client(self, service: str, **_: Any) -> Any:
        return {"s3": S3, "stepfunctions": StepFunctions, "sns": Sns, "events": Events, "sagemaker": SageMaker,
                "logs": Logs}[service](self)  # fmt: skip

    def Table(self, name: str) -> Table:
        return Table(self, name)


@dataclass
class S3:
    world: World

    def _current(self, bucket: str, key: str) -> Version | None:
        versions = self.world.buckets[bucket].get(key, [])
        return versions[-1] if versions and versions[-1].body is not None else None

    def get_object(self, Bucket: str, Key: str, Range: str | None = None) -> dict[str, Any]:
        self.world.called("GetObject")
        found = self._current(Bucket, Key)
        if found is None:
            raise refusal("NoSuchKey")
        if found.refuses:
            raise refusal(found.refuses[0], **found.refuses[1])
        body = found.body or b""
        return {"Body": io.BytesIO(body[:1] if Range else body), "VersionId": found.id, "ETag": f'"{found.etag}"'}

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:
        self.world.called("PutObject")
        self.world.put(Bucket, Key, Body)
        self.world.wrote()

    def put_object_tagging(self, Bucket: str, Key: str, Tagging: dict[str, Any]) -> None:
        """Tags are looked at by S3's own lifecycle only, so that none is kept here; the write can fail like any."""
        self.world.called("PutObjectTagging")
        self.world.wrote()

    def generate_presigned_url(self, *_: Any, **__: Any) -> str:
        return "https://link"

    def get_paginator(self, operation: str) -> Any:
        return mock.Mock(paginate=getattr(self, operation))

    def list_objects_v2(self, Bucket: str, Prefix: str, Delimiter: str = "") -> Iterator[dict[str, Any]]:
        self.world.called("ListObjectsV2")
        keys = sorted(
            key for key in self.world.buckets[Bucket] if key.startswith(Prefix) and self._current(Bucket, key)
        )
        if Delimiter:
            inside = {key.removeprefix(Prefix).partition("/")[0] for key in keys if "/" in key.removeprefix(Prefix)}
            yield {"CommonPrefixes": [{"Prefix": f"{Prefix}{name}/"} for name in sorted(inside)]}
            return
        for first in range(0, len(keys), 1000):
            some = keys[first : first + 1000]
            yield {"Contents": [{"Key": k, "Size": len(self._current(Bucket, k).body or b"")} for k in some]}  # type: ignore[union-attr]

    def list_object_versions(self, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:
        self.world.called("ListObjectVersions")
        found = [
            {
                "Key": key,
                "VersionId": version.id,
                "IsLatest": version is versions[-1],
                "ETag": f'"{version.etag}"',
                "Size": len(version.body),
                "LastModified": version.at,
            }
            for key, versions in sorted(self.world.buckets[Bucket].items())
            for version in versions
            if key.startswith(Prefix) and version.body is not None
        ]
        for first in range(0, len(found), 1000):
            yield {"Versions": found[first : first + 1000]}


@dataclass
class StepFunctions:
    world: World

    def start_execution(self, stateMachineArn: str, name: str, input: str) -> None:
        self.world.called("StartExecution")
        known = self.world.executions.get(name)
        if known is not None and (known.status != "RUNNING" or known.input != input):
            raise refusal("ExecutionAlreadyExists")
        if known is None:
            self.world.executions[name] = Execution(name, input)
        self.world.wrote()

    def describe_execution(self, executionArn: str) -> dict[str, Any]:
        self.world.called("DescribeExecution")
        name = executionArn.rpartition(":")[2]
        if name not in self.world.executions:
            raise refusal("ExecutionDoesNotExist")
        return {"status": self.world.executions[name].status}

    def list_executions(self, stateMachineArn: str, statusFilter: str, maxResults: int) -> dict[str, Any]:
        self.world.called("ListExecutions")
        found = [one for one in self.world.executions.values() if one.status == statusFilter]
        return {"executions": [{"name": one.name} for one in found[:maxResults]]}

    def get_execution_history(self, executionArn: str, **_: Any) -> dict[str, Any]:
        state = self.world.executions[executionArn.rpartition(":")[2]].state
        return {"events": [{"type": "ExecutionFailed"}, {"stateEnteredEventDetails": {"name": state}}]}


@dataclass
class Sns:
    world: World

    def publish(self, **letter: Any) -> None:
        self.world.called("Publish")
        assert len(letter["Message"].encode()) < 256 * 1024, "SNS takes no more"
        self.world.letters.append(letter)
        self.world.wrote()


@dataclass
class Events:
    world: World

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, int]:
        self.world.called("PutEvents")
        assert 0 < len(Entries) <= 10
        assert sum(len(entry["Detail"].encode()) for entry in Entries) < 256 * 1024
        self.world.events += Entries
        self.world.wrote()
        return {"FailedEntryCount": 0}


@dataclass
class Logs:
    world: World

    def describe_log_streams(self, logGroupName: str, logStreamNamePrefix: str) -> dict[str, Any]:
        self.world.called("DescribeLogStreams")
        return {"logStreams": [{"logStreamName": f"{logStreamNamePrefix}algo-1-1"}] if self.world.log else []}

    def get_log_events(self, limit: int, **_: Any) -> dict[str, Any]:
        return {"events": [{"message": line} for line in self.world.log[-limit:]]}


@dataclass
class SageMaker:
    """The model registry, whose pages are as SageMaker's may be: one of them empty, and more to come."""

    world: World

    def get_paginator(self, operation: str) -> Any:
        return mock.Mock(paginate=getattr(self, operation))

    def list_model_package_groups(self, NameContains: str) -> Iterator[dict[str, Any]]:
        yield {"ModelPackageGroupSummaryList": []}
        if self.world.models:
            yield {"ModelPackageGroupSummaryList": [{"ModelPackageGroupName": NameContains}]}

    def list_model_packages(self, ModelApprovalStatus: str | None = None, **_: Any) -> Iterator[dict[str, Any]]:
        for model in self.world.models:
            wanted = ModelApprovalStatus in (None, model["ModelApprovalStatus"])
            yield {"ModelPackageSummaryList": [model] if wanted else []}

    def describe_model_package(self, ModelPackageName: str) -> dict[str, Any]:
        return next(model for model in self.world.models if model["ModelPackageArn"] == ModelPackageName)


# ---------------------------------------------------------------- DynamoDB


class Table:
    """A table and its client: the requests that the ledger makes, each at once and whole."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.meta = mock.Mock(client=self)

    def put_item(self, Item: dict[str, Any], ConditionExpression: Any = None, **_: Any) -> None:
        self.world.called("PutItem")
        with self.world._lock:
            key = (Item["dataset"], Item["item"])
            _check(self.world.items.get(key, {}), ConditionExpression)
            self.world.items[key] = copy.deepcopy(Item)
            self.world.wrote()

    def get_item(self, Key: dict[str, str], **_: Any) -> dict[str, Any]:
        self.world.called("GetItem")
        found = self.world.items.get((Key["dataset"], Key["item"]))
        return {} if found is None else {"Item": copy.deepcopy(found)}

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
        self.world.called("BatchGetItem")
        keys = RequestItems[self.name]["Keys"]
        assert len(keys) <= 100
        wanted = [(key["dataset"], key["item"]) for key in keys]
        assert len(set(wanted)) == len(wanted), "DynamoDB refuses a key that is there twice"
        found = [{"dataset": key[0], "item": key[1]} for key in wanted if key in self.world.items]
        return {"Responses": {self.name: found}}

    def update_item(
        self,
        Key: dict[str, str],
        UpdateExpression: str,
        ExpressionAttributeValues: dict[str, Any] | None = None,
        ConditionExpression: Any = None,
        **_: Any,
    ) -> None:
        self.world.called("UpdateItem")
        with self.world._lock:
            key = (Key["dataset"], Key["item"])
            item = self.world.items.get(key, {})
            _check(item, ConditionExpression)
            changed = _updated(item, UpdateExpression, ExpressionAttributeValues or {})
            self.world.items[key] = Key | changed
            self.world.wrote()

    def query(
        self,
        KeyConditionExpression: Any,
        Limit: int | None = None,
        ExclusiveStartKey: Any = None,
        **_: Any,
    ) -> dict[str, Any]:
        self.world.called("Query")
        found = [copy.copy(item) for item in list(self.world.items.values())
                 if "waiting" in item and _holds(item, KeyConditionExpression)]  # fmt: skip
        found.sort(key=lambda item: (item["waiting"], item["item"]))
        start = (ExclusiveStartKey["waiting"], ExclusiveStartKey["item"]) if ExclusiveStartKey else ("", "")
        found = [item for item in found if (item["waiting"], item["item"]) > start]
        page = found[: Limit or 2_500]  # about a megabyte, DynamoDB's page
        more = len(found) > len(page)
        return {"Items": page} | ({"LastEvaluatedKey": page[-1]} if more else {})


def _check(item: dict[str, Any], condition: Any) -> None:
    if condition is not None and not _holds(item, condition):
        raise refusal("ConditionalCheckFailedException")


def _holds(item: dict[str, Any], condition: Any) -> bool:
    """Whether a condition of boto3's holds of an item."""
    kind, values = type(condition).__name__, condition._values
    if kind in ("And", "Or"):
        both = (_holds(item, one) for one in values)
        return all(both) if kind == "And" else any(both)
    if kind in ("AttributeExists", "AttributeNotExists"):
        return (values[0].name in item) is (kind == "AttributeExists")
    if type(values[0]).__name__ == "Size":
        inner = values[0]._values[0].name
        return kind == "LessThan" and inner in item and len(item[inner]) < values[1]
    if values[0].name not in item:
        return False
    have, wanted = item[values[0].name], values[1]
    return {
        "Equals": lambda: have == wanted,
        "NotEquals": lambda: have != wanted,
        "LessThan": lambda: have < wanted,
        "BeginsWith": lambda: have.startswith(wanted),
        "Contains": lambda: wanted in have,
    }[kind]()


def _updated(item: dict[str, Any], expression: str, values: dict[str, Any]) -> dict[str, Any]:
    """An item after an update: SET, REMOVE, ADD and DELETE as the ledger writes them."""
    item = copy.deepcopy(item)
    for verb, rest in re.findall(r"(SET|REMOVE|ADD|DELETE) (.*?)(?= (?:SET|REMOVE|ADD|DELETE) |$)", expression):
        for part in rest.split(","):
            name, _, value = part.strip().replace(" = ", " ").partition(" ")
            if verb == "SET":
                item[name] = values[value]
            elif verb == "REMOVE":
                item.pop(name, None)
            elif verb == "ADD":
                item[name] = set(item.get(name, set())) | values[value]
            elif left := set(item.get(name, set())) - values[value]:
                item[name] = left
            else:
                item.pop(name, None)
    return item


def a_file(name: str, version: Version, dataset: str = "demo") -> File:
    """The ledger's file of an object dropped as ``<dataset>/<name>``."""
    return File(
        f"incoming/{dataset}/{name}",
        version.id,
        len(version.body or b""),
        version.etag,
        version.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        f"00{version.id[1:]}",
    )
