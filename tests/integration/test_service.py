"""The whole service on the laptop cloud: what its users do, and what they get."""

from __future__ import annotations

import io
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cli import follow
from local import fleet
from local.cloud import Cloud
from local.deploy import Stack
from local.emulator import mailbox

RUN_SECONDS = 300
REAL = Path(__file__).parents[3] / "shared" / "data"


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
        """The dataset's executions, the oldest first, once there are more than so many, none runs, and no file
        waits but those of a failed run."""
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

    def outcome(self, execution: dict[str, Any]) -> dict[str, Any]:
        described = self.cloud.client("stepfunctions").describe_execution(executionArn=execution["executionArn"])
        assert described["status"] == "SUCCEEDED", follow.failure(described)
        return json.loads(described["output"])

    def states(self, execution: dict[str, Any]) -> list[str]:
        return [step.name for step in follow.steps(self.cloud, execution["executionArn"])]

    def read(self, dataset: str, run_id: str, name: str) -> bytes:
        bucket = self.stack.outputs["ArtifactBucketName"]
        answer = self.cloud.client("s3").get_object(Bucket=bucket, Key=f"runs/{dataset}/{run_id}/{name}")
        return answer["Body"].read()

    def read_json(self, dataset: str, run_id: str, name: str) -> Any:
        return json.loads(self.read(dataset, run_id, name))

    def panel(self, dataset: str, run_id: str) -> pd.DataFrame:
        return pd.read_parquet(io.BytesIO(self.read(dataset, run_id, "panel/panel.parquet")))

    def mail(self, about: str) -> list[mailbox.Letter]:
        """Letters with these words in subject or body; waits a little, because mail comes after the run's end."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            found = [x for x in mailbox.letters(self.cloud.mailbox) if about in x.subject or about in x.body]
            if found:
                return found
            time.sleep(0.3)
        return []


@pytest.fixture(scope="module")
def service(cloud: Cloud, stack: Stack) -> Service:
    return Service(cloud, stack)


@pytest.fixture(scope="module")
def months(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A small fleet's wide files, one a month, by name."""
    folder = tmp_path_factory.mktemp("fleet")
    fleet.write(
        fleet.generate(servers=10, days=240, sampling="1D", metrics=("cpu", "memory"), horizon=30, seed=3), folder
    )
    return {path.name: path.read_bytes() for path in sorted((folder / "incoming").glob("fleet-*.csv"))}


@pytest.fixture(scope="module")
def first_run(service: Service, months: dict[str, bytes]) -> dict[str, Any]:
    """The dataset "web" after all months but the last were dropped: the output of its run."""
    return service.outcome(service.drop_and_wait("web", dict(list(months.items())[:-1]))[-1])


def test_dropped_files_become_results_and_a_notification(service: Service, first_run: dict[str, Any]) -> None:
    assert first_run["status"] == "published"
    run_id = first_run["run_id"]
    summary = service.read_json("web", run_id, "assessment/risk_summary.json")
    assert summary["servers"] == service.panel("web", run_id)["server_id"].nunique() > 5
    assert service.read("web", run_id, "assessment/risk_heatmap.png").startswith(b"\x89PNG")
    assert b"</html>" in service.read("web", run_id, "assessment/report.html")
    assert b"server_id" in service.read("web", run_id, "assessment/server_clusters.csv")
    columns = ["server_id", "metric", "ds", "is_future", "actual", "q05", "q10", "q50", "q90", "q95", "risk_level"]
    forecasts = service.read("web", run_id, "assessment/risk_flagged_forecasts.parquet")
    assert list(pd.read_parquet(io.BytesIO(forecasts)).columns) == columns
    [letter] = service.mail(f"run {run_id}: published")
    assert letter.subject.startswith("Headroom web: ")
    assert f"runs/web/{run_id}/assessment/report.html" in letter.body


def test_files_that_are_dropped_together_are_one_run(service: Service, first_run: dict[str, Any]) -> None:
    """Though the queue hands them over in several batches."""
    [execution] = service.executions("web")[:1]
    manifest = service.read_json("web", first_run["run_id"], "manifest.json")
    assert len(manifest["files"]) >= 5
    assert service.outcome(execution)["run_id"] == first_run["run_id"], "the first run had them all"


def fetched(url: str) -> tuple[int, str, bytes]:
    """Status, content type and body that a browser without any credentials gets."""
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        return error.code, "", b""


def test_the_mails_links_open_the_report_and_the_pictures_without_signing_in(
    service: Service, first_run: dict[str, Any]
) -> None:
    [letter] = service.mail(f"run {first_run['run_id']}: published")
    links = dict(re.findall(r"^(.+): (http://\S+)$", letter.body, flags=re.MULTILINE))
    assert list(links) == ["Report", "Risk by server over time", "Servers that behave alike"]
    kinds = [fetched(url)[1] for url in links.values()]
    assert kinds == ["text/html; charset=utf-8", "image/png", "image/png"]
    for title in list(links)[1:]:
        assert fetched(links[title])[2].startswith(b"\x89PNG"), title
    # A link opens what it was made for, and nothing else of the run.
    assert fetched(links["Report"].replace("report.html", "risk_summary.json"))[0] == 403
    assert fetched(links["Report"].partition("?")[0])[0] == 403


def test_the_report_and_the_mail_say_what_the_run_was_estimated_to_cost(
    service: Service, first_run: dict[str, Any]
) -> None:
    manifest = service.read_json("web", first_run["run_id"], "manifest.json")
    assert manifest["cost_estimate"].startswith("about 0.06 USD (preprocess 4 min on ml.m5.xlarge, train 4 min on")
    [letter] = service.mail(f"run {first_run['run_id']}: published")
    assert f"Cost estimate: {manifest['cost_estimate']}." in letter.body
    assert manifest["cost_estimate"].encode() in service.read("web", first_run["run_id"], "assessment/report.html")


def test_athena_can_find_a_run_of_the_demo_by_its_id_alone(service: Service) -> None:
    glue, database = service.cloud.client("glue"), service.stack.outputs["ResultsDatabaseName"]
    tables = glue.get_tables(DatabaseName=database)["TableList"]
    assert len(tables) == 6
    for table in tables:
        assert table["Parameters"]["projection.dataset.type"] == "enum"
        assert table["Parameters"]["projection.dataset.values"] == "demo"


def test_the_first_run_trains_and_registers_its_model(service: Service, first_run: dict[str, Any]) -> None:
    assert service.states(service.executions("web")[0]) == [
        "Gather", "PlanRun", "Preprocess", "ChooseModel", "DescribeTraining", "Train", "MakeModelGroup",
        "RegisterModel", "AssessRisk", "Publish", "NotifyCompletion",
    ]  # fmt: skip
    sagemaker = service.cloud.client("sagemaker")
    [version] = sagemaker.list_model_packages(ModelPackageGroupName="headroom-web")["ModelPackageSummaryList"]
    facts = sagemaker.describe_model_package(ModelPackageName=version["ModelPackageArn"])
    assert version["ModelApprovalStatus"] == "Approved"
    assert facts["CustomerMetadataProperties"]["run"] == service.outcome(service.executions("web")[0])["run_id"]
    assert float(facts["CustomerMetadataProperties"]["relative_mase"]) > 0


@pytest.fixture(scope="module")
def second_run(service: Service, months: dict[str, bytes], first_run: dict[str, Any]) -> dict[str, Any]:
    """The dataset "web" after the last month and a garbage file have come too."""
    name, content = list(months.items())[-1]
    photo = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
    both = service.drop_and_wait("web", {name: content, "holiday-photo.csv": photo})
    return service.outcome(both[-1])


def test_a_second_run_builds_on_the_first_panel_and_scores_with_its_model(
    service: Service, first_run: dict[str, Any], second_run: dict[str, Any]
) -> None:
    assert "Train" not in service.states(service.executions("web")[-1])
    before, after = service.panel("web", first_run["run_id"]), service.panel("web", second_run["run_id"])
    assert len(after) > len(before)
    kept = before.merge(after, on=["server_id", "metric", "ds"], suffixes=("_before", "_after"))
    assert len(kept) == len(before)
    assert service.read_json("web", second_run["run_id"], "assessment/risk_summary.json")["changes"] is not None


def test_a_garbage_file_among_good_ones_is_put_aside_with_its_reason(
    service: Service, second_run: dict[str, Any]
) -> None:
    outcomes = [service.outcome(execution) for execution in service.executions("web")]
    reports = [service.read_json("web", run["run_id"], "assessment/data_quality.json") for run in outcomes]
    [(quality, garbage)] = [
        (report, file) for report in reports for file in report["files"] if file["file"] == "holiday-photo.csv"
    ]
    assert garbage["error"]
    assert garbage["rows_accepted"] == 0
    assert sum(file["rows_accepted"] for file in quality["files"]) == quality["rows"]["accepted"]


@contextmanager
def results_refused(service: Service, dataset: str) -> Iterator[None]:
    """While this lasts, the jobs' role may not write the dataset's results."""
    iam, resources = service.cloud.client("iam"), service.cloud.client("cloudformation")
    found = resources.describe_stack_resources(StackName=service.stack.name)["StackResources"]
    [role] = [one["PhysicalResourceId"] for one in found if one["LogicalResourceId"] == "JobRole"]
    target = f"arn:aws:s3:::*/runs/{dataset}/*/assessment/*"
    deny = {"Effect": "Deny", "Action": "s3:PutObject", "Resource": target}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    iam.put_role_policy(RoleName=role, PolicyName=dataset, PolicyDocument=policy)
    yield
    iam.delete_role_policy(RoleName=role, PolicyName=dataset)


def test_a_failed_job_is_redriven_alone_once_its_cause_is_put_right(service: Service, months: dict[str, bytes]) -> None:
    states = service.cloud.client("stepfunctions")
    with results_refused(service, "broken"):
        [execution] = service.drop_and_wait("broken", {"a.csv": next(iter(months.values()))})
    assert execution["status"] == "FAILED"
    [letter] = service.mail("Headroom broken: failed in AssessRisk")
    assert f"redrive-execution --execution-arn {execution['executionArn']}" in letter.body

    before = service.cloud.client("sagemaker").list_training_jobs(NameContains="broken")["TrainingJobSummaries"]
    states.redrive_execution(executionArn=execution["executionArn"])
    [execution] = service.wait("broken")
    outcome = service.outcome(execution)
    assert outcome["status"] == "published"
    assert service.states(execution)[-3:] == ["AssessRisk", "Publish", "NotifyCompletion"]
    assert service.states(execution).count("Preprocess") == 1
    after = service.cloud.client("sagemaker").list_training_jobs(NameContains="broken")["TrainingJobSummaries"]
    assert [job["TrainingJobName"] for job in after] == [job["TrainingJobName"] for job in before]
    assert service.mail(f"run {outcome['run_id']}: published")


def test_an_old_run_that_is_redriven_after_a_newer_one_ends_as_superseded(
    service: Service, months: dict[str, bytes]
) -> None:
    with results_refused(service, "late"):
        [old] = service.drop_and_wait("late", {"a.csv": next(iter(months.values()))})
    newer = service.outcome(service.drop_and_wait("late", {"b.csv": list(months.values())[1]})[-1])
    service.cloud.client("stepfunctions").redrive_execution(executionArn=old["executionArn"])
    outcome = service.outcome(service.wait("late", more_than=1)[0])
    assert outcome["status"] == "superseded"
    assert service.mail(f"run {outcome['run_id']}: superseded")
    ledger = service.cloud.client("dynamodb")
    key = {"dataset": {"S": "late"}, "item": {"S": "STATE"}}
    state = ledger.get_item(TableName=service.stack.outputs["LedgerTable"], Key=key)["Item"]
    assert state["current_run"]["S"] == newer["run_id"]
    assert "running" not in state


def test_two_datasets_run_side_by_side_and_see_only_their_own(service: Service, months: dict[str, bytes]) -> None:
    first, second = list(months.values())[:2]
    service.drop("east", "a.csv", first)
    service.drop("west", "a.csv", second)
    spans = {}
    for dataset in ("east", "west"):
        [execution] = service.wait(dataset)
        panel = service.panel(dataset, service.outcome(execution)["run_id"])
        spans[dataset] = (panel["ds"].min(), panel["ds"].max())
    assert spans["east"][1] < spans["west"][0]


def test_a_run_without_any_usable_row_fails_with_the_reason_and_a_later_file_goes_on(
    service: Service, months: dict[str, bytes]
) -> None:
    [execution] = service.drop_and_wait("hopeless", {"notes.csv": b"dear diary\ntoday nothing happened\n"})
    assert execution["status"] == "FAILED"
    [letter] = service.mail("Headroom hopeless: failed in Preprocess")
    assert "notes.csv" in letter.body
    later = service.drop_and_wait("hopeless", {"good.csv": next(iter(months.values()))})
    assert service.outcome(later[-1])["status"] == "published"


def test_a_first_file_of_one_server_does_not_speak_for_the_fleet_that_comes_after(
    service: Service, months: dict[str, bytes]
) -> None:
    """Its model makes one run's forecasts; a run that trains on the whole fleet follows by itself, and none after."""
    first, second = list(months.values())[:2]
    table = pd.read_csv(io.BytesIO(first))
    alone = table[table["server_id"] == table["server_id"].iloc[0]].to_csv(index=False).encode()
    service.drop_and_wait("small", {"one.csv": alone})
    both = service.drop_and_wait("small", {"fleet.csv": second})
    assert ["Train" in service.states(execution) for execution in both] == [False, True]
    scored, trained = [service.outcome(execution)["run_id"] for execution in both]
    assert service.read_json("small", trained, "manifest.json")["files"] == []
    drift = {run: service.read_json("small", run, "assessment/risk_summary.json")["drift"] for run in (scored, trained)}
    assert drift[scored]["new_series"] > 0.8
    assert drift[trained]["new_series"] == 0, "the fleet's own model makes its forecasts"
    [letter] = service.mail(f"run {scored}: published")
    assert "A training run follows" in letter.body
    assert "series are new to the model" in letter.body


def test_starting_by_hand_takes_mode_and_machines(service: Service, first_run: dict[str, Any], second_run: Any) -> None:
    states = service.cloud.client("stepfunctions")
    wanted = {
        "dataset": "web",
        "mode": "train",
        "overrides": {"train": {"instance_type": "ml.m5.4xlarge", "volume_gb": 7}},
    }
    count = len(service.executions("web"))
    states.start_execution(stateMachineArn=service.machine, input=json.dumps(wanted))
    execution = service.wait("web", more_than=count)[-1]
    assert service.outcome(execution)["status"] == "published"
    jobs = service.cloud.client("sagemaker").list_training_jobs(
        NameContains="headroom-web-", SortBy="CreationTime", SortOrder="Descending"
    )["TrainingJobSummaries"]
    job = service.cloud.client("sagemaker").describe_training_job(TrainingJobName=jobs[0]["TrainingJobName"])
    assert job["ResourceConfig"]["InstanceType"] == "ml.m5.4xlarge"
    assert job["ResourceConfig"]["VolumeSizeInGB"] == 7


def test_a_model_that_backtests_worse_waits_and_scoring_stays_on_the_approved_one(
    service: Service, second_run: dict[str, Any]
) -> None:
    sagemaker, states = service.cloud.client("sagemaker"), service.cloud.client("stepfunctions")
    newest = {"ModelPackageGroupName": "headroom-web", "SortBy": "CreationTime", "SortOrder": "Descending"}
    good = sagemaker.list_model_packages(**newest, ModelApprovalStatus="Approved")["ModelPackageSummaryList"][0]
    unbeatable = {"relative_mase": "0.001"}
    sagemaker.update_model_package(ModelPackageArn=good["ModelPackageArn"], CustomerMetadataProperties=unbeatable)
    count = len(service.executions("web"))
    states.start_execution(stateMachineArn=service.machine, input='{"dataset": "web", "mode": "train"}')
    outcome = service.outcome(service.wait("web", more_than=count)[-1])
    held = sagemaker.list_model_packages(**newest)["ModelPackageSummaryList"][0]
    assert held["ModelApprovalStatus"] == "PendingManualApproval"
    [letter] = service.mail(f"run {outcome['run_id']}: published")
    assert f"--model-package-arn {held['ModelPackageArn']}" in letter.body
    approved = sagemaker.list_model_packages(**newest, ModelApprovalStatus="Approved")["ModelPackageSummaryList"][0]
    assert approved["ModelPackageArn"] == good["ModelPackageArn"]


def test_a_wrong_start_by_hand_says_what_is_wrong(service: Service) -> None:
    states = service.cloud.client("stepfunctions")
    started = states.start_execution(stateMachineArn=service.machine, input='{"dataset": "web", "mode": "quick"}')
    deadline = time.monotonic() + 60
    while (described := states.describe_execution(executionArn=started["executionArn"]))["status"] == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert "mode" in follow.failure(described).reason


def test_a_refused_file_is_told_of(service: Service) -> None:
    service.drop("web", "setup.exe", b"MZ")
    [letter] = service.mail("setup.exe")
    assert "ends in none of" in letter.body


def test_settings_that_are_wrong_are_reported_and_the_last_good_ones_stay(
    service: Service, months: dict[str, bytes]
) -> None:
    bucket = service.stack.outputs["IngestBucketName"]
    s3 = service.cloud.client("s3")
    s3.put_object(Bucket=bucket, Key="config/tuned.yaml", Body=b"horizon: 14\n")
    first = service.outcome(service.drop_and_wait("tuned", {"a.csv": next(iter(months.values()))})[-1])
    assert service.read_json("tuned", first["run_id"], "assessment/risk_summary.json")["horizon"] == 14
    s3.put_object(Bucket=bucket, Key="config/tuned.yaml", Body=b"horzion: 7\n")
    second = service.outcome(service.drop_and_wait("tuned", {"b.csv": list(months.values())[1]})[-1])
    assert service.read_json("tuned", second["run_id"], "assessment/risk_summary.json")["horizon"] == 14
    assert any("horzion: unknown key" in letter.body for letter in service.mail(f"run {second['run_id']}: published"))


@pytest.mark.skipif(not REAL.exists(), reason="the real monitoring data is not beside this repository")
def test_weekly_files_of_real_monitoring_give_the_same_panel_one_by_one_as_all_at_once(service: Service) -> None:
    weeks = sorted((REAL / "bitbrains").glob("*.csv.gz"))
    s3, bucket = service.cloud.client("s3"), service.stack.outputs["IngestBucketName"]
    for dataset in ("weekly", "whole"):
        s3.put_object(Bucket=bucket, Key=f"config/{dataset}.yaml", Body=b"frequency: h\nhorizon: 24\n")
    for week in weeks:
        service.drop("whole", week.name, week.read_bytes())
    for week in weeks:
        service.drop_and_wait("weekly", {week.name: week.read_bytes()})
    panels = {}
    for dataset in ("weekly", "whole"):
        last = service.outcome(service.wait(dataset)[-1])
        panels[dataset] = service.panel(dataset, last["run_id"])
    assert panels["whole"]["server_id"].nunique() == 50
    pd.testing.assert_frame_equal(panels["weekly"], panels["whole"])


def test_the_alarm_on_failed_runs_goes_off_and_leaves_the_telling_to_the_run(service: Service) -> None:
    """Runs on what the tests above made fail; alarms look at whole minutes, so it may take one."""
    states, cloudwatch = service.cloud.client("stepfunctions"), service.cloud.client("cloudwatch")
    states.start_execution(stateMachineArn=service.machine, input="{}")
    deadline = time.monotonic() + 150
    while time.monotonic() < deadline:
        of_this_machine = {"Name": "StateMachineArn", "Value": service.machine}  # other tests set alarms on theirs
        alarms = cloudwatch.describe_alarms()["MetricAlarms"]
        [failed] = [
            one
            for one in alarms
            if one.get("MetricName") == "ExecutionsFailed" and of_this_machine in one["Dimensions"]
        ]
        if failed["StateValue"] == "ALARM":
            break
        time.sleep(1)
    else:
        raise AssertionError("the alarm did not go off")
    assert service.mail("Headroom run: failed in PlanRun")
    told = [letter.subject for letter in mailbox.letters(service.cloud.mailbox)]
    assert not any(failed["AlarmName"] in subject for subject in told), f"one failure, one mail: {told}"


def test_logs_of_a_job_are_where_aws_logs_finds_them(service: Service, first_run: dict[str, Any]) -> None:
    logs = service.cloud.client("logs")
    streams = logs.describe_log_streams(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix="headroom-web-train-"
    )["logStreams"]
    assert streams
