"""AWS for the functions' unit tests: moto's table, buckets, topic and state machine, in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore.loaders
import botocore.session
import pytest
from moto import mock_aws
from samtranslator.yaml_helper import yaml_parse

import ingest
import plan
import publish
import run_status
import sweep
from ledger import File, Ledger

ROOT = Path(__file__).parents[2]
ROLE = "arn:aws:iam::123456789012:role/test"
# Read once and not once per test: the models of the services are large files.
SERVICE_MODELS = botocore.loaders.create_loader()


# What the template tells the functions, where a test says nothing else.
ENVIRONMENT = {
    "LEDGER_TABLE": "ledger",
    "INGEST_BUCKET": "ingest-bucket",
    "ARTIFACT_BUCKET": "artifact-bucket",
    "RETENTION_DAYS": "365",
    "MOST_DATASETS": "50",
    "MINUTES_BETWEEN_RUNS": "0",
    "PARALLEL_RUNS": "10",
    "MOST_FILES_PER_RUN": "5000",
    "MOST_USD_PER_RUN": "100",
    "INSTANCE_PRICES": "",
    "SWEEP_FUNCTION": "headroom-sweep",
    "LINK_HOURS": "6",
    "PAGE_ADDRESS": "",
    "OPENID_ISSUER": "",
    "OPENID_AUDIENCE": "",
    "PREVIEW_FUNCTION": "headroom-preview",
    "DATA_ARNS": "arn:aws:s3:::exports/servers/*",
    "KEEP_PANELS": "3",
    "OVERDUE_AFTER_DAYS": "7",
    "NETWORK_ISOLATION": "false",
    "OUTPUT_KEY_ARN": "",
    "VOLUME_KEY_ARN": "",
    "TRAIN_ON_SPOT": "false",
    "CHALLENGER_ARN": "",
    "CHALLENGER_MINUTES": "120",
    "CHALLENGER_INSTANCE_TYPE": "ml.m5.4xlarge",
    "REGION": "us-east-1",
    "IMAGE_URI": "",
    "JOB_NAME_PREFIX": "headroom",
    "RETRAIN_AFTER_DAYS": "7",
    "WHEELHOUSE_URI": "",
    "SUBNET_IDS": "",
    "SECURITY_GROUP_IDS": "",
    "ENGINE": "auto",
    "SPARK_FROM_GB": "0",
    "SPARK_IMAGE_URI": "",
    "SPARK_INSTANCE_TYPE": "ml.r5.4xlarge",
    "SPARK_INSTANCES": "4",
    **{f"{job}_INSTANCE_TYPE": "ml.m5.xlarge" for job in ("PREPROCESS", "TRAIN", "ASSESS")},
    **{f"{job}_VOLUME_GB": "30" for job in ("PREPROCESS", "TRAIN", "ASSESS")},
}


class OneClientEach(boto3.Session):
    """A session that makes the client of a service once for all tests: it takes longer than most of their requests."""

    def __init__(self) -> None:
        found = botocore.session.get_session()
        found.register_component("data_loader", SERVICE_MODELS)
        super().__init__(botocore_session=found)
        self._made: dict[tuple[Any, ...], Any] = {}

    def client(self, *service: Any, **given: Any) -> Any:
        return self._once(super().client, service, given)

    def resource(self, *service: Any, **given: Any) -> Any:
        return self._once(super().resource, service, given)

    def _once(self, make: Callable[..., Any], service: tuple[Any, ...], given: dict[str, Any]) -> Any:
        if given.keys() - {"region_name"}:
            return make(*service, **given)
        key = (make.__name__, *service, *given.values())
        if key not in self._made:
            self._made[key] = make(*service, **given)
        return self._made[key]


one_client_each = cache(OneClientEach)
_CLIENT, _RESOURCE = boto3.client, boto3.resource


@pytest.fixture(autouse=True)
def _nothing_is_left_in_place_of_boto3() -> Iterator[None]:
    """What a test puts in place of boto3 is gone after it: the next test on this worker meets the real one."""
    yield
    left = boto3.client is not _CLIENT or boto3.resource is not _RESOURCE
    boto3.client, boto3.resource = _CLIENT, _RESOURCE
    assert not left, "this test has left something in place of boto3.client or boto3.resource"


@dataclass
class Aws:
    """The resources of a stack, and what happened to them."""

    table: Any
    s3: Any
    stepfunctions: Any
    state_machine: str
    queue: str
    ledger: Ledger
    context: Any = field(default_factory=lambda: LambdaContext())

    def executions(self) -> list[dict[str, Any]]:
        return self.stepfunctions.list_executions(stateMachineArn=self.state_machine)["executions"]

    def notifications(self) -> list[dict[str, str]]:
        sqs = boto3.client("sqs")
        received = sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in received]


@dataclass
class LambdaContext:
    function_name: str = "test"
    memory_limit_in_mb: int = 128
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:test"
    aws_request_id: str = "1"


def a_file(
    key: str = "incoming/demo/a.csv", version: str = "1", time: str = "2026-01-01T00:00:00Z", sequencer: str = "0A"
) -> File:
    return File(key, version, 10, "etag", time, sequencer)


# Exports of all formats, read together: what ``make quick`` has of whole files.
QUICK = ("test_an_export_is_read_as_it_is", "test_exports_dropped_together_make_servers_of_no_other_names")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes a while, which adds up, is left out of ``make quick``: an AWS in memory, and files that pass through
    the whole of intake, a third of a second each."""
    for item in items:
        needs = set(getattr(item, "fixturenames", ()))
        whole_files = "intake" in item.path.parts and needs & {"tmp_path", "tmp_path_factory"}
        if "aws" in needs or (whole_files and item.originalname not in QUICK):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", one_client_each())
        yield _stack(monkeypatch)


def create_ledger_table() -> Any:
    """The ledger's table as the template defines it."""
    resource = boto3.resource("dynamodb", region_name="us-east-1")
    return resource.create_table(TableName="ledger", **_ledger())


@cache
def _ledger() -> dict[str, Any]:
    defined = yaml_parse((ROOT / "template.yaml").read_text())["Resources"]["Ledger"]["Properties"]
    return {
        name: defined[name] for name in ("BillingMode", "AttributeDefinitions", "KeySchema", "LocalSecondaryIndexes")
    }


def _stack(monkeypatch: pytest.MonkeyPatch) -> Aws:
    table = create_ledger_table()
    s3 = boto3.client("s3")
    for bucket in ("ingest-bucket", "artifact-bucket"):
        s3.create_bucket(Bucket=bucket)
    topic = boto3.client("sns").create_topic(Name="topic")["TopicArn"]
    queue = boto3.client("sqs").create_queue(QueueName="mail")["QueueUrl"]
    queue_arn = boto3.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    boto3.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn["QueueArn"])
    stepfunctions = boto3.client("stepfunctions")
    machine = stepfunctions.create_state_machine(
        name="capacity", roleArn=ROLE, definition='{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}'
    )["stateMachineArn"]
    for name, value in (
        ENVIRONMENT
        | {
            "STATE_MACHINE_ARN": machine,
            "TOPIC_ARN": topic,
        }
    ).items():
        monkeypatch.setenv(name, value)
    for module in (ingest, plan, publish, run_status, sweep):
        module._environment.cache_clear()
    return Aws(table, s3, stepfunctions, machine, queue, Ledger(table))
