"""The whole service on the laptop cloud: what its users do, and what they get."""

from __future__ import annotations

import io
import json
import re
import sys
import time
import urllib.error
import urllib.request
from typing import Any

import pandas as pd
import psutil
import pytest
from integration.service import Service

from local import processes
from local.emulator import mailbox, warm


@pytest.fixture(scope="module")
def first_run(service: Service, months: dict[str, bytes]) -> dict[str, Any]:
    """The dataset "web" after all months but the last were dropped: the output of its run."""
    return service.outcome(service.drop_together_and_wait("web", dict(list(months.items())[:-1]))[-1])


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


@pytest.mark.skipif(sys.platform != "linux", reason="programs are forked on Linux only")
def test_its_functions_and_jobs_came_from_two_processes_with_libraries_loaded(
    service: Service, first_run: dict[str, Any]
) -> None:
    """A library that cannot be loaded beforehand would end these, and make everything slow without a word."""
    words = [psutil.Process(pid).cmdline() for pid in processes.of_session(service.cloud.pid)]
    # What such a process has forked has the same words.
    loaded = {tuple(one) for one in words if warm.__file__ in one and "serve" in one}
    assert len(loaded) == 2


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
        "RegisterModel", "ChooseChallenger", "AssessRisk", "Publish", "NotifyCompletion",
    ]  # fmt: skip
    metrics = service.read_json("web", first_run["run_id"], "assessment/model_metrics.json")
    assert "challenger" not in metrics, "nobody has asked for one"
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


def test_a_training_by_hand_on_other_machines_gives_a_worse_model_which_waits_while_the_approved_one_scores(
    service: Service, second_run: dict[str, Any]
) -> None:
    sagemaker, states = service.cloud.client("sagemaker"), service.cloud.client("stepfunctions")
    newest = {"ModelPackageGroupName": "headroom-web", "SortBy": "CreationTime", "SortOrder": "Descending"}
    good = sagemaker.list_model_packages(**newest, ModelApprovalStatus="Approved")["ModelPackageSummaryList"][0]
    unbeatable = {"relative_mase": "0.001"}
    sagemaker.update_model_package(ModelPackageArn=good["ModelPackageArn"], CustomerMetadataProperties=unbeatable)
    machine = {"instance_type": "ml.m5.4xlarge", "volume_gb": 7}
    wanted = {"dataset": "web", "mode": "train", "overrides": {"train": machine}}
    count = len(service.executions("web"))
    states.start_execution(stateMachineArn=service.machine, input=json.dumps(wanted))
    outcome = service.outcome(service.wait("web", more_than=count)[-1])
    assert outcome["status"] == "published"
    jobs = sagemaker.list_training_jobs(NameContains="headroom-web-", SortBy="CreationTime", SortOrder="Descending")
    [job, *_] = [one["TrainingJobName"] for one in jobs["TrainingJobSummaries"]]
    resources = sagemaker.describe_training_job(TrainingJobName=job)["ResourceConfig"]
    assert (resources["InstanceType"], resources["VolumeSizeInGB"]) == ("ml.m5.4xlarge", 7)
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
    assert "mode" in service.why(described).reason


def test_a_refused_file_is_told_of(service: Service) -> None:
    service.drop("web", "setup.exe", b"MZ")
    [letter] = service.mail("incoming/web/setup.exe")
    assert "ends in none of" in letter.body


def test_the_alarm_on_failed_runs_goes_off_and_leaves_the_telling_to_the_run(service: Service) -> None:
    """The alarm looks at whole minutes, so it may take one."""
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
