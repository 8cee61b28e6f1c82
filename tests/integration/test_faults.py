"""Faults on the laptop cloud: what is told, what is kept, and that the commands of the mails do what they say."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import time
from pathlib import Path

import pytest
from integration.service import (
    Service,
    failure,
    files_of,
    intact,
    item,
    letter,
    published,
    redrive,
    results_refused,
    start_by_hand,
)


def empty(service: Service, prefix: str) -> None:
    """Delete what lies under a prefix of the artifact bucket, as a person does in the console."""
    s3, bucket = service.cloud.client("s3"), service.stack.outputs["ArtifactBucketName"]
    for entry in s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]:
        s3.delete_object(Bucket=bucket, Key=entry["Key"])


def bring_back(service: Service, mail: str) -> None:
    """Do what the mail's command says that takes delete markers away."""
    [(bucket, prefix)] = re.findall(r"list-object-versions --bucket (\S+) --prefix (\S+) ", mail)
    s3 = service.cloud.client("s3")
    for marker in s3.list_object_versions(Bucket=bucket, Prefix=prefix)["DeleteMarkers"]:
        if marker["IsLatest"]:
            s3.delete_object(Bucket=bucket, Key=marker["Key"], VersionId=marker["VersionId"])


def stop_preprocess(service: Service, dataset: str) -> None:
    """Stop the dataset's Preprocess job by hand, as soon as it runs."""
    sagemaker = service.cloud.client("sagemaker")
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = sagemaker.list_processing_jobs(NameContains=f"headroom-{dataset}-preprocess", StatusEquals="InProgress")
        if jobs := found["ProcessingJobSummaries"]:
            sagemaker.stop_processing_job(ProcessingJobName=jobs[0]["ProcessingJobName"])
            return
        time.sleep(0.1)
    raise AssertionError(f"Preprocess of {dataset} did not run")


@pytest.fixture(scope="module")
def lived_in(service: Service, months: dict[str, bytes]) -> str:
    """A dataset with a published run and a model. The faults that people put right take turns with it: each finds it
    sound and leaves it sound."""
    # Without the trainings that drift asks for.
    bucket = service.stack.outputs["IngestBucketName"]
    service.cloud.client("s3").put_object(Bucket=bucket, Key="config/lived-in.yaml", Body=b"drift_threshold: 100\n")
    service.outcome(service.drop_and_wait("lived-in", {"first.csv": next(iter(months.values()))})[-1])
    return "lived-in"


@pytest.fixture(scope="module")
def more(months: dict[str, bytes]) -> bytes:
    """What the files hold that come to that dataset later."""
    return list(months.values())[1]


def trained_in(service: Service, dataset: str) -> str:
    """The run that has trained the dataset's newest approved model."""
    sagemaker = service.cloud.client("sagemaker")
    newest = sagemaker.list_model_packages(
        ModelPackageGroupName=f"headroom-{dataset}", ModelApprovalStatus="Approved", SortBy="CreationTime",
        SortOrder="Descending",
    )["ModelPackageSummaryList"][0]  # fmt: skip
    facts = sagemaker.describe_model_package(ModelPackageName=newest["ModelPackageArn"])
    return facts["CustomerMetadataProperties"]["run"]


def test_a_stopped_job_is_told_with_its_log_and_redriven(service: Service, lived_in: str, more: bytes) -> None:
    before, count = files_of(service, lived_in), len(service.executions(lived_in))
    service.drop(lived_in, "stopped.csv", more)
    stop_preprocess(service, lived_in)
    [execution] = service.wait(lived_in, more_than=count)[count:]
    assert execution["status"] == "FAILED"
    mail = failure(service, execution)
    assert mail.subject == f"Headroom {lived_in}: failed in Preprocess"
    assert "the job was stopped" in mail.body
    assert f"'incoming/{lived_in}/stopped.csv'" in mail.body, "the newest files are named"
    assert "running" not in item(service, lived_in)
    redrive(service, mail.body)
    execution = service.wait(lived_in, more_than=count)[-1]
    assert service.outcome(execution)["status"] == "published"
    intact(service, lived_in, [*before, "stopped.csv"])


def process_of(service: Service, job: str) -> int | None:
    """The process of a job of this cloud, which works in the job's own folder."""
    folder = service.cloud.state / "jobs" / job
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").resolve().is_relative_to(folder.resolve()):
                return int(process.name)
    return None


def test_a_job_that_is_killed_is_told_as_out_of_memory_and_redriven(
    service: Service, lived_in: str, more: bytes
) -> None:
    before, count = files_of(service, lived_in), len(service.executions(lived_in))
    jobs = {"NameContains": f"headroom-{lived_in}-preprocess", "StatusEquals": "InProgress"}
    service.drop(lived_in, "killed.csv", more)
    deadline, process = time.monotonic() + 120, None
    while process is None and time.monotonic() < deadline:
        found = service.cloud.client("sagemaker").list_processing_jobs(**jobs)["ProcessingJobSummaries"]
        process = process_of(service, found[0]["ProcessingJobName"]) if found else None
        time.sleep(0.05)
    assert process is not None
    os.killpg(os.getpgid(process), signal.SIGKILL)
    [execution] = service.wait(lived_in, more_than=count)[count:]
    assert execution["status"] == "FAILED"
    mail = failure(service, execution)
    assert mail.subject == f"Headroom {lived_in}: failed in Preprocess"
    assert "out of memory: the job was killed (exit code 137)" in mail.body
    assert "running" not in item(service, lived_in)
    redrive(service, mail.body)
    execution = service.wait(lived_in, more_than=count)[-1]
    assert service.outcome(execution)["status"] == "published"
    intact(service, lived_in, [*before, "killed.csv"])


def test_an_execution_that_is_stopped_is_told_and_its_file_is_in_the_next_run(
    service: Service, lived_in: str, more: bytes
) -> None:
    before, count = files_of(service, lived_in), len(service.executions(lived_in))
    service.drop(lived_in, "aborted.csv", more)
    deadline = time.monotonic() + 60
    while len(running := service.executions(lived_in)) == count and time.monotonic() < deadline:
        time.sleep(0.1)
    states = service.cloud.client("stepfunctions")
    states.stop_execution(executionArn=running[-1]["executionArn"], cause="by hand\nRun x of dataset y: published.")
    mail = letter(service, f"Headroom {lived_in}: was stopped")
    assert "it was stopped: by hand Run x of dataset y: published." in mail.body
    service.wait(lived_in, more_than=count)
    service.drop_and_wait(lived_in, {"after.csv": more})
    # In one run with the newer file, or in one of its own before it, where it was stopped before it took the file.
    intact(service, lived_in, [*before, "aborted.csv", "after.csv"])


def test_a_deleted_panel_is_brought_back_by_the_mails_command_and_the_run_goes_on(
    service: Service, lived_in: str, more: bytes
) -> None:
    before, run = files_of(service, lived_in), published(service, lived_in)[0]["run_id"]
    empty(service, f"runs/{lived_in}/{run}/panel/")
    [failed] = service.drop_and_wait(lived_in, {"emptied.csv": more})
    assert failed["status"] == "FAILED"
    mail = failure(service, failed)
    assert mail.subject == f"Headroom {lived_in}: failed in PlanRun"
    assert f"the panel of the current run {run} is gone" in mail.body
    bring_back(service, mail.body)
    redrive(service, mail.body)
    again = service.wait(lived_in)[-1]
    assert service.outcome(again)["status"] == "published"
    intact(service, lived_in, [*before, "emptied.csv"])


def test_a_redrive_after_its_file_was_overwritten_and_beside_a_newer_run_uses_each_version_once(
    service: Service, lived_in: str, months: dict[str, bytes]
) -> None:
    first, second = list(months.values())[:2]
    with results_refused(service, lived_in):
        [old] = service.drop_and_wait(lived_in, {"rewritten.csv": first})
    assert old["status"] == "FAILED"
    mail = failure(service, old)
    assert mail.subject == f"Headroom {lived_in}: failed in AssessRisk"
    assert "Reason: ClientError" in mail.body or "AccessDenied" in mail.body or "upload" in mail.body.lower()
    assert "\nReason: {" not in mail.body, "the summary of a job that went well is not a reason"
    count = len(service.executions(lived_in))
    service.drop(lived_in, "rewritten.csv", second)
    redrive(service, mail.body)
    service.wait(lived_in, more_than=count)
    used = [(file["key"], file["version"]) for one in published(service, lived_in) for file in one["files"]]
    assert len(set(used)) == len(used)
    assert service.waiting(lived_in) == 0
    assert "running" not in item(service, lived_in)


def test_a_file_whose_event_was_lost_is_found_by_the_sweep(service: Service, lived_in: str) -> None:
    """The ledger is emptied of the dataset, as if no event had ever come; then it is rebuilt from S3."""
    chain = published(service, lived_in)
    dynamodb, table = service.cloud.client("dynamodb"), service.stack.outputs["LedgerTable"]
    of_dataset = {"KeyConditionExpression": "dataset = :d", "ExpressionAttributeValues": {":d": {"S": lived_in}}}
    for entry in dynamodb.query(TableName=table, **of_dataset)["Items"]:
        dynamodb.delete_item(TableName=table, Key={name: entry[name] for name in ("dataset", "item")})
    assert published(service, lived_in) == []
    function = service.stack.outputs["SweepFunctionName"]
    answer = service.cloud.client("lambda").invoke(FunctionName=function, Payload=b'{"do": "rebuild_ledger"}')
    assert "FunctionError" not in answer, answer["Payload"].read()
    assert published(service, lived_in) == chain
    assert service.waiting(lived_in) == 0, "what a published run has had does not come again"


def test_the_topics_messages_can_be_filtered_by_dataset_and_outcome(
    service: Service, lived_in: str, more: bytes
) -> None:
    sns, sqs = service.cloud.client("sns"), service.cloud.client("sqs")
    queue = sqs.create_queue(QueueName="only-routed")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sender = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    allowed = {"Version": "2012-10-17", "Statement": [sender | {"Resource": arn}]}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(allowed)})
    policy = json.dumps({"dataset": [lived_in], "outcome": ["published"]})
    sns.subscribe(
        TopicArn=service.stack.outputs["TopicArn"], Protocol="sqs", Endpoint=arn, Attributes={"FilterPolicy": policy}
    )
    service.drop("another", "setup.exe", b"MZ")
    execution = service.drop_and_wait(lived_in, {"routed.csv": more})[-1]
    run = service.outcome(execution)["run_id"]
    received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=10).get("Messages", [])
    assert len(received) == 1
    assert run in received[0]["Body"]


@pytest.mark.parametrize("name", ["2026-01-31", "web-"])
def test_folders_that_cannot_be_datasets_are_refused(service: Service, name: str) -> None:
    service.drop(name, "a.csv", b"timestamp,server_id,cpu\n")
    assert service.mail(f"'incoming/{name}/a.csv'")
    assert service.executions(name) == []


def freed(service: Service, dataset: str) -> None:
    """A moment after a run has failed, nobody has the lock."""
    deadline = time.monotonic() + 60
    while "running" in item(service, dataset):
        assert time.monotonic() < deadline, "the lock stays with a run that has ended"
        time.sleep(0.2)


def test_a_file_that_was_deleted_before_a_redrive_is_passed_over_by_the_next_run(
    service: Service, lived_in: str, more: bytes
) -> None:
    before, chain, count = files_of(service, lived_in), published(service, lived_in), len(service.executions(lived_in))
    service.drop(lived_in, "withdrawn.csv", more)
    stop_preprocess(service, lived_in)
    [failed] = service.wait(lived_in, more_than=count)[count:]
    mail = failure(service, failed)
    service.cloud.client("s3").delete_object(
        Bucket=service.stack.outputs["IngestBucketName"], Key=f"incoming/{lived_in}/withdrawn.csv"
    )
    redrive(service, mail.body)
    [again] = service.wait(lived_in, more_than=count)[count:]
    assert again["status"] == "FAILED", "its manifest names a file that is gone"
    assert published(service, lived_in) == chain
    freed(service, lived_in)
    done = service.drop_and_wait(lived_in, {"instead.csv": more})[-1]
    assert service.outcome(done)["status"] == "published"
    intact(service, lived_in, [*before, "instead.csv"])


@pytest.mark.parametrize("what", ["code", "model"])
def test_what_a_redrive_needs_was_deleted_and_the_mails_command_starts_a_run_that_needs_it_not(
    service: Service, lived_in: str, more: bytes, what: str
) -> None:
    before, chain = files_of(service, lived_in), published(service, lived_in)
    with results_refused(service, lived_in):
        [failed] = service.drop_and_wait(lived_in, {f"lost-{what}.csv": more})
    count = len(service.executions(lived_in))
    mail = failure(service, failed)
    empty(service, "code/" if what == "code" else f"runs/{lived_in}/{trained_in(service, lived_in)}/model/")
    redrive(service, mail.body)
    service.wait(lived_in)
    deadline = time.monotonic() + 120
    while not (told := [one for one in service.mail(failed["executionArn"]) if "was deleted" in one.body]):
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert "was deleted: start a new run" in told[0].body
    assert published(service, lived_in) == chain, "nothing half-written"
    assert "running" not in item(service, lived_in)
    start_by_hand(service, told[0].body)
    again = service.wait(lived_in, more_than=count)[count]
    assert service.outcome(again)["status"] == "published"
    intact(service, lived_in, [*before, f"lost-{what}.csv"])
    if what == "model":
        assert "Train" in service.states(again) and service.mail("the approved model's file is gone")
        assert trained_in(service, lived_in) == service.outcome(again)["run_id"]
