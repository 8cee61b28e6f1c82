"""The laptop cloud's Lambda refuses what AWS refuses, and hands a queue's messages over as AWS does."""

from __future__ import annotations

import io
import json
import time
import zipfile

import pytest
from botocore.exceptions import ClientError

from local.cloud import Cloud


def zipped(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


@pytest.fixture(scope="module")
def role(cloud: Cloud) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam = cloud.client("iam")
    arn = iam.create_role(RoleName="lambdas", AssumeRolePolicyDocument=json.dumps({"Statement": [statement]}))
    allowed = {"Effect": "Allow", "Action": ["sqs:*", "s3:*", "logs:*"], "Resource": "*"}
    iam.put_role_policy(RoleName="lambdas", PolicyName="x", PolicyDocument=json.dumps({"Statement": [allowed]}))
    return arn["Role"]["Arn"]


def test_a_layer_attached_twice_is_refused(cloud: Cloud, role: str) -> None:
    client = cloud.client("lambda")
    versions = [
        client.publish_layer_version(LayerName="libraries", Content={"ZipFile": zipped({"python/x.py": str(number)})})
        for number in range(2)
    ]
    function = {
        "FunctionName": "layered", "Runtime": "python3.13", "Role": role, "Handler": "main.handler",
        "Code": {"ZipFile": zipped({"main.py": "def handler(event, context): return {}"})},
    }  # fmt: skip
    first, second = (version["LayerVersionArn"] for version in versions)
    for layers in ([first, first], [first, second]):
        with pytest.raises(ClientError, match="same layer") as refused:
            client.create_function(**function, Layers=layers)
        assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert client.create_function(**function, Layers=[first])["Layers"][0]["Arn"] == first


def test_messages_that_come_together_are_handed_over_in_several_batches(cloud: Cloud, role: str) -> None:
    code = (
        "import boto3, uuid\n"
        "def handler(event, context):\n"
        "    boto3.client('s3').put_object(Bucket='batches', Key=uuid.uuid4().hex, Body=str(len(event['Records'])))\n"
    )
    cloud.client("s3").create_bucket(Bucket="batches")
    sqs, client = cloud.client("sqs"), cloud.client("lambda")
    url = sqs.create_queue(QueueName="gathering")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    client.create_function(
        FunctionName="counter", Runtime="python3.13", Role=role, Handler="main.handler",
        Code={"ZipFile": zipped({"main.py": code})}, Timeout=20,
    )  # fmt: skip
    for number in range(30):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    client.create_event_source_mapping(
        EventSourceArn=queue, FunctionName="counter", BatchSize=1000, MaximumBatchingWindowInSeconds=60
    )
    s3, deadline = cloud.client("s3"), time.monotonic() + 60
    while time.monotonic() < deadline:
        keys = [one["Key"] for one in s3.list_objects_v2(Bucket="batches").get("Contents", [])]
        sizes = [int(s3.get_object(Bucket="batches", Key=key)["Body"].read()) for key in keys]
        if sum(sizes) == 30:
            break
        time.sleep(0.3)
    assert sum(sizes) == 30
    assert len(sizes) >= 5, "as of AWS's several pollers"
