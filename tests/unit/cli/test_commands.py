"""What people and programs type, and what they get: tables, JSON, and an exit code that tells the truth."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest

import sweep
from cli import stack
from functions import decisions
from tests.unit.cli.conftest import RUN, SUMMARY
from tests.unit.conftest import LambdaContext, a_file

ROOT = Path(__file__).parents[3]
ACCEPT = ("accept", "web", "web-1", "cpu", "--by", "Ann")


def test_status_shows_every_dataset_with_what_runs_and_waits(headroom, web) -> None:
    web.ledger.record("web", a_file("incoming/web/a.csv"))
    web.ledger.admit("new", 50)
    new, known = headroom("status", "--json").json
    assert (new["dataset"], new["current_run"], new["levels"]) == ("new", None, None)
    assert (known["waiting"], known["current_run"], known["levels"]["critical"], known["accepted"]) == (1, RUN, 0, 1)
    told = headroom("status")
    assert told.code == 0 and RUN in told.out and "idle" in told.out
    summary = SUMMARY | {"levels": {"none": 7}, "open_levels": {"none": 7}, "unjudged": 7}
    key = f"runs/web/{RUN}/assessment/risk_summary.json"
    web.s3.put_object(Bucket="artifact-bucket", Key=key, Body=json.dumps(summary))
    headings, row = headroom("status", "web").out.splitlines()
    assert row[headings.index("not judged")] == "7", "no all-clear where nothing is known"


def test_status_of_a_stack_without_data_says_how_to_begin(headroom) -> None:
    assert "headroom drop" in headroom("status").out


def test_a_name_that_no_dataset_can_have_is_refused_before_anything_is_asked(headroom) -> None:
    for words in (("run", "../web"), ("status", "Web"), ("report", "2026-01-01"), ("redrive", "a/b")):
        ended = headroom(*words)
        assert ended.code == 1 and "Error:" in ended.err, words


@pytest.fixture
def planning(aws, monkeypatch) -> None:
    """The deployed definition and the real planning function, which answers as Lambda does."""
    from infrastructure import machine
    from infrastructure.stack import Stack

    import job_code
    import plan

    definition = machine.definition(Stack())
    real = stack.client

    class Functions:
        def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, object]:
            try:
                answer, failed = plan.handler(json.loads(Payload), LambdaContext()), {}
            except plan.CannotPlan as error:
                answer, failed = {"errorMessage": str(error)}, {"FunctionError": "Unhandled"}
            return {"Payload": io.BytesIO(json.dumps(answer).encode()), **failed}

    def client(service: str) -> object:
        if service == "lambda":
            return Functions()
        made = real(service)
        if service == "stepfunctions":
            made.describe_state_machine = lambda stateMachineArn: {"definition": json.dumps(definition)}
        return made

    monkeypatch.setattr(stack, "client", client)
    monkeypatch.setattr(job_code, "read", lambda: {"run.sh": b"run", "jobs.txt": b"lock"})


def test_a_dry_run_prints_the_exact_requests_and_changes_nothing(headroom, aws, planning) -> None:
    aws.s3.put_object(Bucket="ingest-bucket", Key="incoming/web/a.csv", Body=b"x")
    [version] = aws.s3.list_object_versions(Bucket="ingest-bucket")["Versions"]
    aws.ledger.record("web", a_file("incoming/web/a.csv", version["ETag"].strip('"')))
    before = aws.table.scan()["Items"]
    ended = headroom(
        "run", "web", "--mode", "train", "--instance", "ml.m5.4xlarge", "--only", "train", "--max-usd", "5", "--dry-run"
    )
    start, *jobs = ended.json["requests"]
    assert (ended.code, start["service"], start["operation"]) == (0, "stepfunctions", "StartExecution")
    assert start["request"]["stateMachineArn"] == aws.state_machine
    assert [one["operation"] for one in jobs] == ["CreateProcessingJob", "CreateTrainingJob", "CreateProcessingJob"]
    assert all(one["problems"] == [] for one in ended.json["requests"])
    machines = [
        one["request"].get("ResourceConfig") or one["request"]["ProcessingResources"]["ClusterConfig"] for one in jobs
    ]
    assert [one["InstanceType"] for one in machines] == ["ml.m5.xlarge", "ml.m5.4xlarge", "ml.m5.xlarge"]
    assert ended.json["plan"]["files"] == ["incoming/web/a.csv"]
    assert json.loads(start["request"]["input"]) == {
        "dataset": "web", "mode": "train", "max_usd": 5.0, "overrides": {"train": {"instance_type": "ml.m5.4xlarge"}}
    }  # fmt: skip
    assert aws.executions() == [] and aws.table.scan()["Items"] == before
    assert aws.s3.list_objects_v2(Bucket="artifact-bucket")["KeyCount"] == 0


def test_a_run_on_spark_is_asked_for_with_its_machines(headroom, aws) -> None:
    ended = headroom("run", "web", "--engine", "spark", "--instances", "4", "--no-follow", "--json")
    described = aws.stepfunctions.describe_execution(executionArn=ended.json["execution"])
    asked = {"engine": "spark", "preprocess": {"instance_count": 4}, "assess": {"instance_count": 4}}
    assert json.loads(described["input"]) == {"dataset": "web", "mode": "auto", "overrides": asked}
    ended = headroom("run", "web", "--instances", "4", "--no-follow")
    assert ended.code == 1 and "say --engine spark as well" in ended.err


def test_a_dry_run_says_why_the_run_would_be_refused(headroom, aws, planning) -> None:
    ended = headroom("run", "web", "--dry-run")
    assert ended.code == 1 and "would be refused: dataset 'web' has no files yet" in ended.err


def test_a_run_is_started_with_what_was_said_and_nothing_else(headroom, aws) -> None:
    ended = headroom("run", "web", "--no-follow", "--json")
    described = aws.stepfunctions.describe_execution(executionArn=ended.json["execution"])
    assert json.loads(described["input"]) == {"dataset": "web", "mode": "auto"}
    assert described["name"].startswith("web-2")


def test_a_run_that_is_followed_ends_with_the_runs_own_exit_code(headroom, aws, monkeypatch) -> None:
    from cli import follow

    def ended(status: str, **more: str):
        return lambda *_, **__: iter([({"status": status, "executionArn": "arn:x:y", **more}, [])])

    monkeypatch.setattr(follow, "follow", ended("FAILED", error="States.TaskFailed", cause="no usable row"))
    told = headroom("run", "web")
    assert told.code == 1 and "no usable row" in told.err and "headroom redrive web" in told.err
    output = json.dumps({"status": "published", "run_id": RUN})
    monkeypatch.setattr(follow, "follow", ended("SUCCEEDED", output=output))
    assert headroom("run", "web", "--json").json["run_id"] == RUN


def test_a_machine_that_sagemaker_does_not_have_is_refused_at_once(headroom) -> None:
    ended = headroom("run", "web", "--instance", "ml.m5.huge")
    assert ended.code == 1 and "has no machine 'ml.m5.huge' for the preprocess job" in ended.err


def test_accepting_writes_reason_person_end_and_the_level_of_now(headroom, web) -> None:
    ended = headroom(*ACCEPT, "--reason", "moves", "--until", f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}")
    assert ended.code == 0 and "--mode score" in ended.out
    [known], _ = decisions.read(web.s3, "ingest-bucket", "web")
    assert (known.finding, known.level, known.state, known.reason, known.by) == (
        ("web-1", "cpu", None, "risk"), "high", "accepted", "moves", "Ann"
    )  # fmt: skip
    listed = headroom("findings", "web", "--json").json["findings"]
    assert [one["decision"] and one["decision"]["by"] for one in listed] == ["Ann", None]


@pytest.mark.parametrize("metric", ["CPU", "Cpu", " cpu "])
def test_a_metric_may_be_written_as_the_report_writes_it(headroom, web, metric: str) -> None:
    assert headroom("accept", "web", "web-1", metric, "--reason", "moves").code == 0
    [known], _ = decisions.read(web.s3, "ingest-bucket", "web")
    assert known.metric == "cpu"
    assert headroom("accept", "web", "web-1", metric, "--undo").code == 0


def test_whoever_is_signed_in_is_the_person_and_a_snooze_is_short(headroom, web) -> None:
    headroom("snooze", "web", "idle", "cpu", "--kind", "stop", "--reason", "standby")
    [known], _ = decisions.read(web.s3, "ingest-bucket", "web")
    assert known.by and known.state == "snoozed"
    assert (known.until - known.at.date()).days == 14


def test_a_decision_can_be_taken_back_once(headroom, web) -> None:
    headroom(*ACCEPT, "--reason", "moves")
    assert headroom("accept", "web", "web-1", "cpu", "--undo").code == 0
    assert decisions.read(web.s3, "ingest-bucket", "web")[0] == []
    assert headroom("accept", "web", "web-1", "cpu", "--undo").code == 1


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ((*ACCEPT,), "say why"),
        (("accept", "web", "web-1", "memory", "--reason", "x"), "no finding web-1: memory; there is web-1: cpu"),
        (("accept", "web", "wed-1", "cpu", "--reason", "x"), "there is web-1: cpu"),
        ((*ACCEPT, "--reason", "x", "--until", "2020-01-01"), "until must be a day from"),
        ((*ACCEPT, "--reason", "x", "--until", "2020-01-01"), "Error: until"),
        ((*ACCEPT, "--reason", "x", "--until", "soon"), "--until soon: write the day as year-month-day, such as"),
        ((*ACCEPT, "--reason", "x", "--until", "31.12.2026"), "such as 2026-12-31"),
        (("accept", "web", "idle", "cpu", "--reason", "x"), "there is idle: cpu (stop). To name it: --kind stop"),
        (("accept", "other", "web-1", "cpu", "--reason", "x"), "has no published run yet; there are web"),
    ],
)
def test_a_decision_that_cannot_be_is_refused_with_what_would_do(headroom, web, words, problem) -> None:
    ended = headroom(*words)
    assert ended.code == 1 and problem in ended.err
    assert decisions.read(web.s3, "ingest-bucket", "web")[0] == []


def test_a_file_of_decisions_that_is_broken_is_never_written_over(headroom, web) -> None:
    web.s3.put_object(Bucket="ingest-bucket", Key="config/web.accepted.json", Body=b"{")
    ended = headroom(*ACCEPT, "--reason", "moves")
    assert ended.code == 1 and "Invalid JSON" in ended.err
    assert web.s3.get_object(Bucket="ingest-bucket", Key="config/web.accepted.json")["Body"].read() == b"{"


def test_two_people_who_decide_at_once_lose_nothing(web, monkeypatch) -> None:
    """The second one's write is refused, as the file is not what was read, and is tried again."""
    from headroom.core import accepted

    one, other = (
        accepted.decided({"server": server, "metric": "cpu", "state": "accepted", "level": "high", "reason": "r",
                          "by": "b", "at": "2026-11-21T09:00:00Z", "until": "2026-12-31"})
        for server in ("a", "b")
    )  # fmt: skip
    tried = []

    def meanwhile(known: list[accepted.Accepted]) -> list[accepted.Accepted]:
        if not tried:
            tried.append(1)
            decisions.change(web.s3, "ingest-bucket", "web", lambda found: accepted.put(found, other))
        return accepted.put(known, one)

    decisions.change(web.s3, "ingest-bucket", "web", meanwhile)
    assert {found.server for found in decisions.read(web.s3, "ingest-bucket", "web")[0]} == {"a", "b"}


def test_the_report_is_saved_and_its_place_told(headroom, web, tmp_path: Path) -> None:
    ended = headroom("report", "web", "--no-open", "--output", str(tmp_path / "r.html"))
    assert ended.out.strip() == str(tmp_path / "r.html") and (tmp_path / "r.html").read_bytes() == b"<html>"
    assert headroom("report", "web", "--run", "../../x").code == 1
    assert headroom("report", "web", "--run", "20261121T060000Z-ffffffff").code == 1


def test_runs_are_listed_with_what_is_known_of_them(headroom, web) -> None:
    web.s3.put_object(Bucket="artifact-bucket", Key="runs/web/20261122T060000Z-0a1b2c3d/manifest.json", Body=b"{}")
    newer, current = headroom("runs", "web", "--json").json
    assert (newer["state"], current["state"], current["files"]) == ("not finished", "current", 2)
    assert "asked to train" in headroom("runs", "web").out


def test_settings_are_checked_by_the_validation_of_the_jobs(headroom, web, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("horizon: 30\nholidays: {country: DE}\n")
    bad.write_text("horizn: 30\nfrequency: W\n")
    assert headroom("settings", "check", str(good)).code == 0
    ended = headroom("settings", "check", str(bad))
    assert ended.code == 1 and "horizn: unknown key" in ended.err and "frequency:" in ended.err
    ended = headroom("settings", "check", str(bad), "--json")
    assert ended.code == 1 and len(ended.json["problems"]) == 2
    assert headroom("settings", "check", str(tmp_path / "none.yaml")).code == 1
    assert headroom("settings", "check", "web").code == 0, "a dataset without settings has the defaults"


def test_settings_are_edited_checked_and_saved(headroom, web, tmp_path: Path, monkeypatch) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho "horizon: 30" > "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    assert headroom("settings", "edit", "web").code == 0
    stored = web.s3.get_object(Bucket="ingest-bucket", Key="config/web.yaml")["Body"].read()
    assert stored == b"horizon: 30\n"
    assert "nothing changed" in headroom("settings", "edit", "web").out
    editor.write_text('#!/bin/sh\necho "horizn: 30" > "$1"\n')
    monkeypatch.setattr("typer.confirm", lambda *_, **__: False)
    assert headroom("settings", "edit", "web").code == 1
    assert web.s3.get_object(Bucket="ingest-bucket", Key="config/web.yaml")["Body"].read() == stored


def test_dropped_files_lie_in_the_datasets_folder(headroom, aws, tmp_path: Path) -> None:
    (tmp_path / "june.csv").write_text("timestamp,server_id,cpu\n")
    (tmp_path / "notes.docx").write_text("x")
    ended = headroom("drop", "web", str(tmp_path), "--no-follow", "--json")
    assert ended.json["files"] == ["june.csv"] and "notes.docx" in ended.err
    assert aws.s3.head_object(Bucket="ingest-bucket", Key="incoming/web/june.csv")
    shown = headroom("drop", "other", str(tmp_path / "june.csv"), "--dry-run").json
    assert shown["request"] == {"Bucket": "ingest-bucket", "Key": "incoming/other/june.csv"}
    assert aws.s3.list_objects_v2(Bucket="ingest-bucket", Prefix="incoming/other/")["KeyCount"] == 0


def test_what_ingest_would_refuse_is_not_uploaded(headroom, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "book.xlsx").write_text("x")
    assert "it is empty" in headroom("drop", "web", str(tmp_path / "empty.csv")).err
    assert "it is an Excel workbook: save it as CSV" in headroom("drop", "web", str(tmp_path / "book.xlsx")).err
    (tmp_path / "data.bin").write_text("x")
    assert "export it as one of these" in headroom("drop", "web", str(tmp_path / "data.bin")).err


def test_an_empty_file_in_a_folder_does_not_hold_up_the_others(headroom, aws, tmp_path: Path) -> None:
    for name, content in {"june.csv": "x", "empty.csv": "", "nothing.json": "", "book.xlsx": "x"}.items():
        (tmp_path / name).write_text(content)
    ended = headroom("drop", "web", str(tmp_path), "--no-follow", "--json")
    assert ended.json["files"] == ["june.csv"]
    for words in ("/empty.csv: it is empty", "/nothing.json: it is empty", "book.xlsx; save Excel workbooks as CSV"):
        assert words in ended.err
    assert (ended.code, "2 files were not dropped, see above" in ended.err) == (1, True)
    assert aws.s3.list_objects_v2(Bucket="ingest-bucket", Prefix="incoming/web/")["KeyCount"] == 1
    planned = headroom("drop", "web", str(tmp_path), "--dry-run")
    assert planned.code == 1 and planned.json["request"]["Key"] == "incoming/web/june.csv"


def test_files_that_have_to_wait_are_said_to_and_until_when(headroom, aws, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "june.csv").write_text("x")
    aws.ledger.begin("web", datetime.now(UTC), None)
    aws.ledger.record("web", a_file("incoming/web/june.csv"))
    ended = headroom("drop", "web", str(tmp_path / "june.csv"))
    assert ended.code == 0 and "starts by itself at" in ended.err and "headroom run web" in ended.err


@pytest.fixture
def waiting_model(aws) -> str:
    sagemaker = boto3.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="headroom-web")
    return sagemaker.create_model_package(
        ModelPackageGroupName="headroom-web", ModelApprovalStatus="PendingManualApproval",
        CustomerMetadataProperties={"relative_mase": "0.8", "run": RUN},
    )["ModelPackageArn"]  # fmt: skip


def test_models_are_listed_and_the_one_that_waits_is_approved(headroom, aws, waiting_model) -> None:
    [version] = headroom("models", "web", "--json").json
    assert (version["status"], version["relative_mase"], version["run"]) == ("PendingManualApproval", "0.8", RUN)
    shown = headroom("approve", "web", "--dry-run").json
    assert shown["request"] == {"ModelPackageArn": waiting_model, "ModelApprovalStatus": "Approved"}
    assert headroom("models", "web", "--json").json[0]["status"] == "PendingManualApproval"
    assert headroom("approve", "web").code == 0
    assert headroom("models", "web", "--json").json[0]["status"] == "Approved"
    assert headroom("approve", "web").code == 1, "nothing waits any more"
    assert headroom("models", "other").code == 0


def test_a_dataset_without_a_failed_run_cannot_be_redriven(headroom, aws) -> None:
    headroom("run", "web", "--no-follow")
    ended = headroom("redrive", "web")
    assert ended.code == 1 and "has no failed run that Step Functions still keeps" in ended.err


def test_a_dataset_that_there_is_not_is_a_mistake_and_those_there_are_are_named(headroom, web) -> None:
    for words in (("status",), ("runs",), ("follow",), ("redrive",), ("logs",), ("start-over", "--yes")):
        ended = headroom(words[0], "wbe", *words[1:])
        assert (ended.code, ended.out) == (1, ""), words
        assert ended.err == "Error: there is no dataset 'wbe'; did you mean 'web'? There are web\n", words
    assert headroom("status", "web").code == 0


def test_a_redrive_takes_the_newest_run_that_failed(headroom, aws) -> None:
    execution = headroom("run", "web", "--no-follow", "--json").json["execution"]
    aws.stepfunctions.stop_execution(executionArn=execution)
    shown = headroom("redrive", "web", "--dry-run").json
    assert (shown["operation"], shown["request"]) == ("RedriveExecution", {"executionArn": execution})


def test_a_redrive_of_the_run_that_the_mail_names_takes_that_one(headroom, aws) -> None:
    old, new = (headroom("run", "web", "--no-follow", "--json").json["execution"] for _ in range(2))
    other = headroom("run", "shop", "--no-follow", "--json").json["execution"]
    refused = headroom("redrive", "web", "--execution", old.rpartition(":")[2])
    assert (refused.code, "it is under way: wait for its end" in refused.err) == (1, True)
    for execution in (old, new):
        aws.stepfunctions.stop_execution(executionArn=execution)
        shown = headroom("redrive", "web", "--execution", execution.rpartition(":")[2], "--dry-run")
        assert shown.json["request"]["executionArn"] == execution
    for name in (other.rpartition(":")[2], "web-unknown"):
        refused = headroom("redrive", "web", "--execution", name)
        assert (refused.code, "is not a run of dataset 'web'" in refused.err) == (1, True)


@pytest.fixture
def sweeping(aws, monkeypatch) -> list[dict]:
    """The sweep function behind the stack, asked as Lambda asks it; returns what it was asked."""
    asked = []

    class Functions:
        def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, object]:
            assert FunctionName == "sweep"
            asked.append(json.loads(Payload))
            try:
                answer, failed = sweep.handler(asked[-1], aws.context), {}
            except Exception as error:
                answer, failed = {"errorMessage": str(error)}, {"FunctionError": "Unhandled"}
            return {"Payload": io.BytesIO(json.dumps(answer).encode()), **failed}

    made = stack.client
    monkeypatch.setattr(stack, "client", lambda service: Functions() if service == "lambda" else made(service))
    return asked


def test_that_no_more_files_are_expected_is_said_in_one_line(headroom, aws, web, sweeping) -> None:
    refused = headroom("give-up", "web")
    assert (refused.code, "has had no files" in refused.err) == (1, True)
    aws.ledger.note_arrivals("web", ["2026-11-20"])
    shown = headroom("give-up", "web", "--dry-run")
    assert json.loads(shown.json["request"]["Payload"]) == {"do": "give_up", "dataset": "web"}
    assert aws.ledger.state("web").given_up is None
    done = headroom("give-up", "web")
    assert (done.code, "overdue no more" in done.out) == (0, True)
    assert aws.ledger.state("web").given_up == "2026-11-20"


def test_files_that_were_set_aside_are_listed_and_put_back(headroom, aws, web, sweeping) -> None:
    file = a_file("incoming/web/bad.csv")
    aws.ledger.record("web", file)
    aws.ledger.set_aside("web", [(file, "three runs failed")], "web-1")
    listed = headroom("put-back", "web", "--list")
    assert "incoming/web/bad.csv" in listed.out and "three runs failed" in listed.out
    done = headroom("put-back", "web", "incoming/web/bad.csv")
    assert (done.code, "put back: 1" in done.out) == (0, True)
    assert aws.ledger.aside("web") == []
    assert "No file" in headroom("put-back", "web", "--list").out


def test_to_start_over_is_asked_for_twice_and_reads_all_files_again(headroom, aws, web, sweeping, monkeypatch) -> None:
    aws.s3.put_object(Bucket="ingest-bucket", Key="incoming/web/old.csv", Body=b"a")
    shown = headroom("start-over", "web", "--dry-run")
    assert json.loads(shown.json["request"]["Payload"]) == {"do": "start_over", "dataset": "web"}
    for answer in ("n\n", ""):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        assert headroom("start-over", "web").code == 1
    assert sweeping == [] and aws.ledger.state("web").current_run == RUN
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    done = headroom("start-over", "web")
    assert RUN in done.err and (done.code, "files that wait again: 1; the run web-" in done.out) == (0, True)
    assert aws.ledger.state("web").current_run is None and len(aws.ledger.waiting("web")) == 1
    busy = headroom("start-over", "web", "--yes")
    assert (busy.code, "has a run" in busy.err) == (1, True)
    unknown = headroom("start-over", "nobody", "--yes")
    assert (unknown.code, "there is no dataset 'nobody'" in unknown.err) == (1, True)


def test_logs_without_a_job_say_so(headroom, aws) -> None:
    aws.ledger.admit("web", 50)
    ended = headroom("logs", "web", "--job", "train")
    assert ended.code == 1 and "dataset 'web' has no log of a train job yet" in ended.err
    assert "dataset 'web' has no job logs yet" in headroom("logs", "web").err


def test_a_refusal_of_aws_is_a_sentence_and_not_a_traceback(headroom, aws, monkeypatch) -> None:
    from botocore.exceptions import ClientError, NoCredentialsError

    from cli import stack

    def refuse(error: Exception):
        def find(_: str) -> None:
            raise error

        return find

    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeStacks")
    for error, words in ((denied, "AWS has refused"), (NoCredentialsError(), "AWS_PROFILE")):
        monkeypatch.setattr(stack, "find", refuse(error))
        ended = headroom("status")
        assert ended.code == 1 and words in ended.err and "Traceback" not in ended.err


def test_the_region_is_that_of_aws_region(headroom, aws, monkeypatch) -> None:
    from cli import stack

    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    asked = []
    found = stack.find("x")
    monkeypatch.setattr(stack, "find", lambda _: asked.append(stack.client("s3").meta.region_name) or found)
    headroom("status")
    assert asked == ["eu-north-1"]


def test_the_page_of_a_stack_without_an_api_says_how_to_have_one(headroom) -> None:
    ended = headroom("page", "--no-open")
    assert ended.code == 1 and "HttpApi=true" in ended.err


def test_the_list_of_commands_has_a_whole_sentence_for_each(headroom, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for words in (["--help"], ["settings", "--help"]):
        told = headroom(*words)
        _, _, listed = told.out.partition("Commands:\n")
        assert told.code == 0 and listed.strip()
        for line in listed.strip().splitlines():
            assert line.endswith(".") and "..." not in line, line


def test_a_folder_without_files_has_no_preview(headroom, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    told = headroom("preview", str(tmp_path))
    assert (told.code, told.err) == (1, f"Error: there are no files in {tmp_path}\n")


def test_a_checkout_has_the_command_line_before_it_is_installed(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text("horizn: 3")
    told = subprocess.run(
        [sys.executable, "-m", "cli", "settings", "check", str(tmp_path / "web.yaml")],
        cwd=ROOT, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (told.returncode, "did you mean 'horizon'" in told.stderr) == (1, True)


def make(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run make with the Makefile of the project; python only says what it is asked."""
    (folder / ".venv" / "bin").mkdir(parents=True, exist_ok=True)
    (folder / ".venv" / "installed").touch()
    python = folder / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\nfor word in "$@"; do echo "<$word>"; done\n')
    python.chmod(0o755)
    return subprocess.run(
        ["make", "--no-print-directory", "-f", str(ROOT / "Makefile"), "-o", "install", *words],
        cwd=folder, capture_output=True, text=True, check=False,
        # The tests themselves may be run by make, whose options are not meant for this one.
        env={name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))},
    )  # fmt: skip


def test_a_preview_by_make_takes_names_with_blanks_and_says_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "CPU Usage.csv").write_text("x")
    told = make("preview", "FILES=CPU Usage.csv", folder=tmp_path).stdout.splitlines()
    assert told[-1] == "<CPU Usage.csv>"
    assert make("preview", "FILES=a.csv b.csv", folder=tmp_path).stdout.splitlines()[-2:] == ["<a.csv>", "<b.csv>"]
    nothing = make("preview", folder=tmp_path)
    assert (nothing.returncode, "FILES=june.csv" in nothing.stdout) == (2, True)


def test_a_file_that_is_not_there_is_said_so_before_any_is_looked_at(headroom, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("time,host,cpu\n2024-02-13,web-1,5\n")
    for words in (
        ["preview", f"{tmp_path}/a.csv", "gone.csv"],
        ["preview", f"{tmp_path}/a.csv", "--settings", "gone.csv"],
    ):
        told = headroom(*words)
        assert (told.code, told.err, told.out) == (1, "Error: there is no file or folder gone.csv\n", "")
