"""The command line against the laptop cloud: the same commands that people use on AWS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.smoke import fleet
from local.cloud import ROOT, Cloud
from local.deploy import Stack


@pytest.fixture(scope="module")
def headroom(cloud: Cloud, stack: Stack):
    """Run a command line as its users do, in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= cloud.environment | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "processing")])}

    def run(*words: str, code: int = 0) -> Any:
        asked = [sys.executable, "-m", "cli", *words]
        done = subprocess.run(asked, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == code, f"{words}: {done.stdout}{done.stderr}"
        return json.loads(done.stdout) if "--json" in words or "--dry-run" in words else done.stdout + done.stderr

    return run


@pytest.fixture(scope="module")
def dropped(headroom, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A small fleet's file, dropped and followed to the end of its run."""
    folder = tmp_path_factory.mktemp("drop")
    (folder / "fleet.csv").write_text(fleet())
    (folder / "cli.yaml").write_text("horizon: 14\nthresholds: {cpu: {warning: 50, critical: 60, underused: 5}}\n")
    headroom("settings", "check", str(folder / "cli.yaml"))
    return headroom("drop", "cli", str(folder / "fleet.csv"), "--settings", str(folder / "cli.yaml"), "--json")


def test_a_dropped_file_is_followed_to_its_results(headroom, dropped, tmp_path: Path) -> None:
    assert dropped["status"] == "published"
    [state] = headroom("status", "cli", "--json")
    assert (state["current_run"], state["running"], state["waiting"]) == (dropped["run_id"], None, 0)
    [run] = headroom("runs", "cli", "--json")
    assert (run["run_id"], run["state"], run["files"]) == (dropped["run_id"], "current", 1)
    headroom("report", "cli", "--no-open", "--output", str(tmp_path / "report.html"))
    assert "</html>" in (tmp_path / "report.html").read_text()
    [model] = headroom("models", "cli", "--json")
    assert model["status"] == "Approved" and model["run"] == dropped["run_id"]
    assert '"servers": 6' in headroom("logs", "cli", "--job", "assess")
    assert headroom("follow", "cli", "--json")["run_id"] == dropped["run_id"]
    assert "no failed run that Step Functions still keeps" in headroom("redrive", "cli", code=1)


def test_a_dry_run_shows_the_requests_of_every_job_and_starts_nothing(headroom, dropped) -> None:
    before = headroom("runs", "cli", "--json")
    shown = headroom("run", "cli", "--mode", "train", "--instance", "ml.m5.4xlarge", "--only", "train", "--dry-run")
    start, *jobs = shown["requests"]
    assert [one["operation"] for one in jobs] == ["CreateProcessingJob", "CreateTrainingJob", "CreateProcessingJob"]
    assert all(one["problems"] == [] for one in (start, *jobs))
    assert jobs[1]["request"]["ResourceConfig"]["InstanceType"] == "ml.m5.4xlarge"
    assert shown["plan"]["train_reason"] == "asked to train"
    assert headroom("runs", "cli", "--json") == before


def test_an_accepted_finding_is_hidden_by_the_next_run_and_counted(headroom, dropped, cloud: Cloud, stack: Stack):
    before = headroom("findings", "cli", "--json")["findings"]
    first = next(one for one in before if one["kind"] == "risk")
    until = f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}"
    words = ("accept", "cli", first["server"], first["metric"], "--reason", "moves <soon>", "--until", until)
    request = headroom(*words, "--dry-run")["request"]
    assert request["IfNoneMatch"] == "*"
    assert headroom(*words, "--json")["level"] == first["level"]

    scored = headroom("run", "cli", "--mode", "score", "--json")
    s3, folder = cloud.client("s3"), f"runs/cli/{scored['run_id']}/assessment"

    def read(name: str) -> bytes:
        bucket = stack.outputs["ArtifactBucketName"]
        return s3.get_object(Bucket=bucket, Key=f"{folder}/{name}")["Body"].read()

    summary = json.loads(read("risk_summary.json"))
    assert (first["server"], first["metric"]) not in [(one["server_id"], one["metric"]) for one in summary["top"]]
    assert summary["accepted"]["hidden_total"] == 1
    assert summary["accepted"]["hidden"][0]["reason"] == "moves <soon>"
    assert sum(summary["open_levels"].values()) == sum(summary["levels"].values())
    assert summary["open_levels"][first["level"]] < summary["levels"][first["level"]]
    assert "Accepted findings" in read("report.html").decode()
    after = headroom("findings", "cli", "--json")["findings"]
    assert [one["hidden"] for one in after if one["server"] == first["server"] and one["kind"] == "risk"] == [True]


def test_a_broken_file_of_decisions_hides_nothing_and_stops_no_run(headroom, dropped, cloud: Cloud, stack: Stack):
    bucket = stack.outputs["IngestBucketName"]
    broken = b'{"schema": 1, "findings": [{}]}'
    cloud.client("s3").put_object(Bucket=bucket, Key="config/cli.accepted.json", Body=broken)
    assert headroom("run", "cli", "--mode", "score", "--json")["status"] == "published"
    [state] = headroom("status", "cli", "--json")
    assert state["accepted"] == 0
    assert "findings.0.server: Field required" in headroom("findings", "cli", code=1)


def test_a_run_that_fails_gives_its_reason_and_exit_code_1(headroom, tmp_path: Path) -> None:
    (tmp_path / "diary.csv").write_text("dear diary\ntoday nothing happened\n")
    told = headroom("drop", "cli-bad", str(tmp_path / "diary.csv"), code=1)
    assert "the run ended FAILED" in told and "usable row" in told
    assert "the last lines of headroom-cli-bad-preprocess-" in told


def test_a_stack_that_is_not_there_is_said_so(headroom) -> None:
    assert "there is no stack 'nowhere'" in headroom("status", "--stack", "nowhere", code=1)
