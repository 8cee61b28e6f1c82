"""A run is planned from the files that wait, and says why it trains or scores."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

import images
import job_code
import plan
import planning
import prices
from environment import IngestSettings, from_environment
from ledger import File
from tests.unit.conftest import a_file

ARN = "arn:aws:states:us-east-1:123456789012:execution:headroom-capacity:demo-1"
MODEL = "s3://artifact-bucket/m.tar.gz"


def start(aws, execution: str = "demo-1", **given: Any) -> dict[str, Any]:
    event = {
        "input": {"dataset": "demo"} | given,
        "execution": {"arn": f"{ARN[:-6]}{execution}", "name": execution, "started": "2026-01-02T03:04:05.678Z"},
    }
    return plan.handler(event, aws.context)


def read(aws, uri: str) -> Any:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return aws.s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def drop(aws, file: File) -> None:
    """A file that lies in the bucket and waits; as the bucket of the tests has no versions, its etag names it."""
    aws.s3.put_object(Bucket="ingest-bucket", Key=file.key, Body=file.version.encode())
    aws.ledger.record("demo", named(file))


def named(file: File) -> File:
    return replace(file, version=hashlib.md5(file.version.encode()).hexdigest())  # noqa: S324 - S3's own etag


def register(status: str = "Approved", group: str = "headroom-demo", **given: str) -> None:
    """A version in the model registry, as the state machine makes it."""
    sagemaker = boto3.client("sagemaker")
    if group not in [
        g["ModelPackageGroupName"] for g in sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
    ]:
        sagemaker.create_model_package_group(ModelPackageGroupName=group, ModelPackageGroupDescription="x")
    facts = {
        "code": job_code.version(job_code.read()),
        "settings": planning.settings_hash(""),
        "relative_mase": "0.8",
    } | given
    sagemaker.create_model_package(
        ModelPackageGroupName=group,
        InferenceSpecification={
            "Containers": [{"Image": "image", "ModelDataUrl": facts.pop("uri", MODEL)}],
            "SupportedContentTypes": ["a"],
            "SupportedResponseMIMETypes": ["a"],
        },
        ModelApprovalStatus=status,
        CustomerMetadataProperties=facts,
    )


def with_model(aws, drifted: bool = False, **given: str) -> None:
    aws.ledger.publish("demo", "run1", None, drifted)
    for name in ("panel/panel.parquet", "assessment/risk_summary.json"):
        aws.s3.put_object(Bucket="artifact-bucket", Key=f"runs/demo/run1/{name}", Body=b"x")
    uri = given.get("uri", MODEL)
    aws.s3.put_object(Bucket="artifact-bucket", Key=uri.removeprefix("s3://artifact-bucket/"), Body=b"x")
    register(**given)


@pytest.fixture(autouse=True)
def layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The layer is built by `sam build`; here its three parts are given as they are."""
    monkeypatch.setattr(job_code, "read", lambda: {"run.sh": b"run", "jobs.txt": b"lock", "headroom/a.py": b"code"})


def test_the_first_run_takes_every_waiting_file_and_trains(aws) -> None:
    for name in ("b", "a"):
        drop(aws, a_file(f"incoming/demo/{name}.csv"))
    planned = start(aws)
    manifest = json.loads(read(aws, f"{planned['run_uri']}/manifest.json"))
    assert {f["file"] for f in manifest["files"]} == {"a.csv", "b.csv"}
    assert (planned["train"], planned["train_reason"]) == (True, "there was no approved model before")
    assert manifest["previous_run_id"] is None
    listed = json.loads(read(aws, planned["raw"]["uri"]))
    assert listed[0] == {"prefix": "s3://ingest-bucket/incoming/demo/"}
    assert sorted(listed[1:]) == ["a.csv", "b.csv"]
    assert not aws.ledger.has_unplanned("demo")


def test_of_a_file_dropped_twice_the_newest_version_is_read(aws) -> None:
    drop(aws, a_file(version="old", sequencer="A"))
    drop(aws, a_file(version="new", sequencer="B"))
    manifest = json.loads(read(aws, f"{start(aws)['run_uri']}/manifest.json"))
    assert [f["version"] for f in manifest["files"]] == [named(a_file(version="new")).version]
    assert len(manifest["ledger_items"]) == 2, "both are done with this run"


def test_planning_again_plans_the_same_run(aws) -> None:
    drop(aws, a_file())
    assert start(aws) == start(aws)


def test_a_second_run_builds_on_the_first(aws) -> None:
    with_model(aws)
    drop(aws, a_file())
    planned = start(aws)
    assert planned["history_uri"] == "s3://artifact-bucket/runs/demo/run1/panel/"
    assert planned["previous_assessment_uri"] == "s3://artifact-bucket/runs/demo/run1/assessment/"
    assert (planned["train"], planned["model_uri"]) == (False, MODEL)


@pytest.mark.parametrize(
    ("mode", "model", "trains", "why"),
    [
        ("auto", {}, False, "recent"),
        ("auto", {"code": "other"}, True, "code has changed"),
        ("auto", {"settings": "other"}, True, "settings have changed"),
        ("auto", {"drifted": True}, True, "drifted"),
        ("score", {"drifted": True}, False, "asked to score"),
        ("train", {}, True, "asked to train"),
    ],
)
def test_the_mode_decides_between_training_and_scoring(aws, mode: str, model: dict, trains: bool, why: str) -> None:
    with_model(aws, **model)
    planned = start(aws, mode=mode)
    assert planned["train"] is trains
    assert why in planned["train_reason"]


def test_a_model_is_trained_again_after_days(aws, monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(aws)
    monkeypatch.setenv("RETRAIN_AFTER_DAYS", "0")
    planned = start(aws)
    assert (planned["train"], planned["train_reason"]) == (True, "the last training was 0 days ago or more")


def test_scoring_stays_on_the_approved_model_while_a_newer_one_waits_for_approval(aws) -> None:
    with_model(aws, uri="s3://artifact-bucket/approved.tar.gz")
    register("PendingManualApproval", uri="s3://artifact-bucket/worse.tar.gz")
    planned = start(aws)
    assert (planned["train"], planned["model_uri"]) == (False, "s3://artifact-bucket/approved.tar.gz")


def test_another_datasets_model_is_never_used(aws) -> None:
    register(group="headroom-demo2")
    drop(aws, a_file())
    assert start(aws)["model_uri"] == ""


def test_a_new_model_is_measured_against_the_approved_one_of_the_same_settings(aws) -> None:
    with_model(aws)
    assert start(aws)["bar"] == {"relative_mase": 0.8}
    aws.s3.put_object(Bucket="ingest-bucket", Key="config/demo.yaml", Body=b"horizon: 30\n")
    assert start(aws)["bar"] == {}


def test_a_model_of_other_job_code_holds_back_no_new_one(aws) -> None:
    """Otherwise every run would train again, and score with a model that its code may not read."""
    with_model(aws, code="other")
    assert start(aws)["bar"] == {}


def test_without_new_files_a_run_reads_no_raw_file(aws) -> None:
    with_model(aws)
    planned = start(aws)
    assert planned["raw"] == {"type": "S3Prefix", "uri": f"{planned['run_uri']}/manifest.json"}


def test_scoring_without_a_model_says_what_to_do(aws) -> None:
    drop(aws, a_file())
    with pytest.raises(planning.CannotPlan, match="no model to score with yet: start it with mode auto or train"):
        start(aws, mode="score")


def test_a_dataset_without_files_says_where_to_put_them(aws) -> None:
    with pytest.raises(planning.CannotPlan, match="upload CSVs to s3://ingest-bucket/incoming/demo/"):
        start(aws)


def test_a_file_that_was_deleted_before_the_run_does_not_fail_it(aws) -> None:
    drop(aws, a_file("incoming/demo/kept.csv"))
    drop(aws, a_file("incoming/demo/deleted.csv"))
    aws.s3.delete_object(Bucket="ingest-bucket", Key="incoming/demo/deleted.csv")
    planned = start(aws)
    assert json.loads(read(aws, planned["raw"]["uri"]))[1:] == ["kept.csv"]
    manifest = json.loads(read(aws, f"{planned['run_uri']}/manifest.json"))
    assert len(manifest["ledger_items"]) == 2, "both are done with this run"


def test_files_that_a_run_has_taken_are_not_tried_again_by_themselves_even_if_planning_fails(aws) -> None:
    drop(aws, a_file())
    with pytest.raises(planning.CannotPlan):
        start(aws, mode="score")
    assert not aws.ledger.has_unplanned("demo")


def test_a_second_run_beside_a_running_one_is_refused(aws) -> None:
    drop(aws, a_file())
    start(aws, "first")
    with pytest.raises(planning.CannotPlan, match=r"already has a run \(first\)"):
        start(aws, "second")


def test_a_lock_left_by_a_run_that_is_over_does_not_hold_up_one_started_by_hand(aws) -> None:
    drop(aws, a_file())
    ended = aws.stepfunctions.start_execution(stateMachineArn=aws.state_machine, name="ended", input="{}")
    aws.stepfunctions.stop_execution(executionArn=ended["executionArn"])
    assert aws.ledger.lock("demo", "ended", datetime.now(UTC))
    start(aws, "by-hand")
    assert aws.ledger.state("demo").running == "by-hand"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"dataset": "../other"}, "dataset"),
        ({"mode": "fast"}, "mode"),
        ({"overrides": {"train": {"instance_type": "m5.large"}}}, "overrides.train.instance_type"),
        ({"overrides": {"train": {"instance_count": 2}}}, "overrides.train.instance_count"),  # the second would idle
        ({"overrides": {"trian": {}}}, "overrides.trian"),
        ({"datset": "demo"}, "datset"),
    ],
)
def test_a_wrong_input_is_named(aws, given: dict[str, Any], problem: str) -> None:
    with pytest.raises(planning.CannotPlan, match=problem):
        start(aws, **given)


def test_an_override_changes_one_job_of_one_run(aws) -> None:
    drop(aws, a_file())
    jobs = start(aws, overrides={"train": {"instance_type": "ml.m5.4xlarge", "instance_count": 1, "volume_gb": 99}})[
        "jobs"
    ]
    assert jobs["train"]["cluster"] == {"InstanceType": "ml.m5.4xlarge", "InstanceCount": 1, "VolumeSizeInGB": 99}
    assert jobs["assess"]["cluster"]["InstanceType"] == "ml.m5.xlarge"


def test_a_large_panel_is_assessed_by_spark_and_the_manifest_says_so(aws, monkeypatch) -> None:
    with_model(aws)
    monkeypatch.setenv("SPARK_FROM_GB", "0.005")
    plan._environment.cache_clear()
    assert start(aws)["jobs"]["assess"]["engine"] == "machine"
    aws.s3.put_object(Bucket="artifact-bucket", Key="runs/demo/run1/panel/panel.parquet", Body=bytes(10**7))
    planned = start(aws)
    assess = planned["jobs"]["assess"]
    assert (assess["engine"], assess["image"]) == ("spark", images.aws_spark_image("us-east-1"))
    assert assess["cluster"] == {"InstanceType": "ml.r5.4xlarge", "InstanceCount": 4, "VolumeSizeInGB": 30}
    manifest = json.loads(read(aws, f"{planned['run_uri']}/manifest.json"))
    assert manifest["engine"].startswith("Spark on 4 × ml.r5.4xlarge (the panel has about 0 GB")
    assert "on 4 × ml.r5.4xlarge" in manifest["cost_estimate"]
    assert planned["jobs"]["preprocess"]["engine"] == "machine"
    assert {job: one["engine"] for job, one in manifest["engines"].items()} == {
        "preprocess": "machine", "assess": "spark"
    }  # fmt: skip
    assert manifest["engines"]["assess"]["told"] == manifest["engine"]
    assert start(aws, overrides={"engine": "machine"})["jobs"]["assess"]["engine"] == "machine"


def test_many_gigabytes_of_new_files_are_read_by_spark(aws, monkeypatch) -> None:
    monkeypatch.setenv("SPARK_FROM_GB", "0.05")
    plan._environment.cache_clear()
    drop(aws, replace(a_file(), size=10**8))
    planned = start(aws)
    preprocess = planned["jobs"]["preprocess"]
    assert (preprocess["engine"], preprocess["image"]) == ("spark", images.aws_spark_image("us-east-1"))
    assert preprocess["cluster"]["InstanceCount"] == 4
    manifest = json.loads(read(aws, f"{planned['run_uri']}/manifest.json"))
    assert manifest["engines"]["preprocess"]["told"].startswith("Spark on 4 × ml.r5.4xlarge (the new files have about")


def test_several_instances_without_spark_are_refused(aws) -> None:
    with pytest.raises(planning.CannotPlan, match=r'overrides: several instances .* say "engine": "spark" as well'):
        start(aws, overrides={"assess": {"instance_count": 4}})
    with pytest.raises(planning.CannotPlan, match=r'say "engine": "spark" as well'):
        start(aws, overrides={"preprocess": {"instance_count": 4}})
    with pytest.raises(planning.CannotPlan, match=r"train\.instance_count"):
        start(aws, overrides={"engine": "spark", "train": {"instance_count": 4}})


def test_the_manifest_estimates_what_the_run_costs_the_same_each_time(aws) -> None:
    drop(aws, a_file())
    told = [json.loads(read(aws, f"{start(aws)['run_uri']}/manifest.json"))["cost_estimate"] for _ in range(2)]
    assert told[0] == told[1]
    assert told[0].startswith("about 0.05 USD (preprocess 4 min on ml.m5.xlarge, train 4 min")


def test_more_files_and_a_larger_history_cost_more_and_scoring_costs_less(aws, monkeypatch) -> None:
    def costs(**given: Any) -> float:
        return float(
            json.loads(read(aws, f"{start(aws, **given)['run_uri']}/manifest.json"))["cost_estimate"].split()[1]
        )

    with_model(aws)
    scoring = costs()
    assert scoring < costs(mode="train")
    real = plan.sizes
    monkeypatch.setattr(
        plan, "sizes", lambda *which: {key: 10**8 if "/panel/" in key else size for key, size in real(*which).items()}
    )
    with_history = costs()
    assert with_history > scoring
    aws.s3.put_object(Bucket="ingest-bucket", Key="incoming/demo/a.csv", Body=b"x")
    aws.ledger.record("demo", replace(a_file(version="9dd4e461268c8034f5c8564e155c67a6"), size=10**10))
    assert costs() > with_history


@pytest.mark.parametrize("region", [*images.ACCOUNTS, "a-region-of-next-year-1"])
def test_in_every_region_the_cost_is_known_or_it_is_said_what_to_set(region: str) -> None:
    machines = {job: {"instance_type": f"ml.m5.{size}large", "instance_count": 1} for job, size in
                (("preprocess", "x"), ("train", "2x"))}  # fmt: skip
    without = prices.estimate(region, {}, machines, 1, 1)
    if region == prices.REGION:
        assert without.words.endswith("; on demand in us-east-1)")
    else:
        assert without.usd is None
        asked = "the stack's parameter InstancePricesUsd to ml.m5.2xlarge=<USD per hour>,ml.m5.xlarge=<USD per hour>"
        assert f"unknown, because no price is known here for ml.m5.2xlarge, ml.m5.xlarge in {region}" in without.words
        assert asked in without.words
    told = prices.estimate(region, {"ml.m5.xlarge": 0.6, "ml.m5.2xlarge": 1.2}, machines, 1, 1)
    assert told.usd == pytest.approx(4 / 60 * 1.8)
    assert told.words.endswith("; at the stack's prices)")


def test_a_machine_without_a_known_price_is_not_guessed() -> None:
    machine = {"instance_type": "ml.p5.48xlarge", "instance_count": 1}
    words = prices.estimate("us-east-1", {}, {"train": machine}, 1, 1).words
    assert "no price is known here for ml.p5.48xlarge in us-east-1" in words
    assert prices.estimate("us-east-1", {"ml.p5.48xlarge": 60.0}, {"train": machine}, 1, 1).usd == 4.0


def test_two_machines_cost_twice_as_much() -> None:
    machine = {"instance_type": "ml.m5.4xlarge"}
    one, two = (
        prices.estimate("us-east-1", {}, {"train": machine | {"instance_count": n}}, 1e9, 5e9).words for n in (1, 2)
    )
    assert (one.split()[1], two.split()[1]) == ("1.63", "3.26")
    assert "106 min on 2 × ml.m5.4xlarge" in two


def test_the_job_code_is_uploaded_once(aws) -> None:
    drop(aws, a_file())
    planned = start(aws)
    keys = [entry["Key"] for entry in aws.s3.list_objects_v2(Bucket="artifact-bucket", Prefix="code/")["Contents"]]
    root = planned["code_uri"].removeprefix("s3://artifact-bucket/")
    assert sorted(keys) == [f"{root}headroom/a.py", f"{root}jobs.txt", f"{root}run.sh"]
    before = aws.s3.head_object(Bucket="artifact-bucket", Key=keys[0])["LastModified"]
    start(aws)
    assert aws.s3.head_object(Bucket="artifact-bucket", Key=keys[0])["LastModified"] == before


def test_the_settings_are_pinned_to_the_run(aws) -> None:
    aws.s3.put_object(Bucket="ingest-bucket", Key="config/demo.yaml", Body=b"frequency: h\n")
    drop(aws, a_file())
    assert read(aws, f"{start(aws)['run_uri']}/settings.yaml") == b"frequency: h\n"


def test_the_jobs_run_in_the_subnets_of_the_stack(aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBNET_IDS", "subnet-1,subnet-2")
    monkeypatch.setenv("SECURITY_GROUP_IDS", "sg-1")
    drop(aws, a_file())
    planned = start(aws)
    vpc = {"Subnets": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
    assert planned["network"]["VpcConfig"] == vpc
    assert planned["training_options"] == {"VpcConfig": vpc}


def test_the_settings_of_the_function_name_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEDGER_TABLE", raising=False)
    with pytest.raises(ValueError, match="LEDGER_TABLE"):
        from_environment(IngestSettings)


def test_a_file_is_known_by_key_and_version() -> None:
    assert File("k", "v", 1, "e", "t", "s").item == "FILE#k#v"
