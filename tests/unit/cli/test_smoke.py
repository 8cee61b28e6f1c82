"""What the smoke test says of an account's quotas, before any run is tried."""

from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber

from cli import smoke

TYPES = ("ml.m5.xlarge for processing job usage", "ml.m5.2xlarge for training job usage")


def look(values: dict[str, float], **parameters: str) -> tuple[smoke.Smoke, list[str]]:
    client = boto3.client("service-quotas", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    stub = Stubber(client)
    quotas = [{"QuotaName": name, "QuotaCode": f"L-{n}", "Value": v} for n, (name, v) in enumerate(values.items())]
    half = len(quotas) // 2
    asked = {"ServiceCode": "sagemaker"}
    stub.add_response("list_service_quotas", {"Quotas": quotas[:half], "NextToken": "more"}, asked)
    stub.add_response("list_service_quotas", {"Quotas": quotas[half:]}, asked | {"NextToken": "more"})
    stub.activate()
    said: list[str] = []
    test = smoke.Smoke(lambda _: client, "headroom", "smoke-x", said.append)
    test.outputs = {"InstanceTypes": "ml.m5.xlarge,ml.m5.2xlarge,ml.m5.xlarge"}
    test.parameters = parameters
    test.look_at_quotas("123456789012")
    return test, said


def test_a_missing_quota_is_named_with_the_command_that_asks_for_it():
    with pytest.raises(
        smoke.SmokeFailure, match=r"ml\.m5\.2xlarge for training job usage' is 0, and 1 is needed: no run can start"
    ) as why:
        look({TYPES[0]: 4, TYPES[1]: 0, "ml.m5.xlarge for endpoint usage": 9})
    assert "--quota-code L-1" in why.value.look


def test_spot_training_has_a_quota_of_its_own():
    spot = "ml.m5.2xlarge for spot training job usage"
    test, _ = look({TYPES[0]: 2, TYPES[1]: 0, spot: 2}, TrainOnSpot="true")
    assert test.warnings == []


def test_a_quota_of_one_is_enough_for_one_dataset_and_said_so():
    test, said = look({TYPES[0]: 1, TYPES[1]: 2, "ml.m5.xlarge for endpoint usage": 0})
    assert [warning for warning in test.warnings if "two datasets cannot run at the same time" in warning]
    assert f"ok    quota '{TYPES[1]}': 2" in said


SPARK = "ml.r5.4xlarge for processing job usage"
CLUSTER = {"SparkInstanceType": "ml.r5.4xlarge", "SparkInstances": "4"}


def test_spark_needs_as_many_machines_as_the_stack_says():
    enough = dict.fromkeys(TYPES, 2)
    with pytest.raises(smoke.SmokeFailure, match="is 3, and 4 is needed: no run can be assessed by Spark") as why:
        look({**enough, SPARK: 3}, Engine="spark", **CLUSTER)
    assert "--desired-value 8" in why.value.look
    assert look({**enough, SPARK: 8}, Engine="spark", **CLUSTER)[0].warnings == []
    test, _ = look({**enough, SPARK: 0}, Engine="auto", SparkFromGb="5", **CLUSTER)
    assert "is 0, and 4 is needed: a panel of SparkFromGb or more cannot be assessed" in test.warnings[0]
    for unused in ({"Engine": "auto", "SparkFromGb": "0"}, {"Engine": "machine", "SparkFromGb": "5"}):
        assert look({**enough, SPARK: 0}, **unused, **CLUSTER)[0].warnings == []


def test_a_challenger_needs_a_machine_for_its_batch_transform():
    enough, transform = dict.fromkeys(TYPES, 2), "ml.m5.4xlarge for transform job usage"
    given = {"ChallengerInstanceType": "ml.m5.4xlarge"}
    test, _ = look({**enough, transform: 0}, Challenger="on", **given)
    assert "a challenger ends without a comparison. To ask for more: aws service-quotas" in test.warnings[0]
    assert look({**enough, transform: 1}, Challenger="on", **given)[0].warnings == []
    assert look({**enough, transform: 0}, Challenger="off", **given)[0].warnings == []


def test_the_laptop_cloud_has_no_quotas_to_look_at():
    said: list[str] = []
    smoke.Smoke(lambda _: pytest.fail("asked"), "headroom", "smoke-x", said.append).look_at_quotas("000000000000")
    assert said == ["      quotas: not checked: emulator"]


def test_the_fleet_is_the_same_for_everybody_and_usable():
    lines = smoke.fleet().splitlines()
    assert len(lines) == 1 + smoke.SERVERS * smoke.DAYS
    values = [float(line.split(",")[2]) for line in lines[1:]]
    assert min(values) > 0 and max(values) < 100


def test_a_ceiling_that_holds_nothing_for_want_of_prices_is_said():
    test = smoke.Smoke(lambda _: pytest.fail("asked"), "headroom", "smoke-x", lambda _: None)
    test.outputs = {"InstanceTypes": "ml.m5.xlarge,ml.m5.2xlarge,ml.m5.xlarge"}
    test.parameters = {"MaxRunCostUsd": "100", "InstancePricesUsd": "ml.m5.xlarge=0.276"}
    test.look_at_prices("us-east-1")
    assert test.warnings == []
    test.look_at_prices("eu-west-1")
    assert "no price is known here for ml.m5.2xlarge in eu-west-1" in test.warnings[0]
    test.parameters["InstancePricesUsd"] += ",ml.m5.2xlarge=0.552"
    test.look_at_prices("eu-west-1")
    test.parameters = {"MaxRunCostUsd": "0"}
    test.look_at_prices("eu-west-1")
    assert len(test.warnings) == 1
    test.parameters = {"MaxRunCostUsd": "100", "Challenger": "on", "ChallengerInstanceType": "ml.m5.xlarge",
                       "InstancePricesUsd": "ml.m5.xlarge=0.3,ml.m5.2xlarge=0.6"}  # fmt: skip
    test.look_at_prices("eu-west-1")
    assert "for ml.m5.12xlarge in eu-west-1" in test.warnings[1]
