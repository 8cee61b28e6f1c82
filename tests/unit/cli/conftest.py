"""A stack in memory for the command line; every request that a command sends is held to the service's description."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from cli import main, stack
from cli.requests import problems_of

RUN = "20261121T060000Z-0a1b2c3d"
FINDINGS = [
    {"server": "web-1", "metric": "cpu", "entity": None, "kind": "risk", "level": "high", "hidden": False,
     "reason": "The chance that CPU crosses 90 % is 30 %."},
    {"server": "idle", "metric": "cpu", "entity": None, "kind": "stop", "level": "none", "hidden": False,
     "reason": "CPU has been idle."},
]  # fmt: skip
SUMMARY = {"as_of": "2026-11-20T00:00:00", "servers": 2, "levels": {"critical": 1, "high": 1, "medium": 0},
           "open_levels": {"critical": 0, "high": 1, "medium": 0}, "accepted": {"hidden_total": 1}}  # fmt: skip
MANIFEST = {"created_at": "2026-11-21T06:00:00Z", "mode": "auto", "train": True, "train_reason": "asked to train",
            "files": [{}, {}], "cost_estimate": "about 0.06 USD (…)", "previous_run_id": None}  # fmt: skip


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def headroom(aws: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run a command line; the stack behind it is in memory."""
    outputs = {
        "IngestBucketName": "ingest-bucket", "ArtifactBucketName": "artifact-bucket", "LedgerTable": "ledger",
        "StateMachineArn": aws.state_machine, "JobNamePrefix": "headroom",
        "PlanFunctionName": "plan", "SweepFunctionName": "sweep",
    }  # fmt: skip
    monkeypatch.setattr(stack, "find", lambda name: stack.Stack(name, outputs, {"MinutesBetweenRuns": "60"}))
    monkeypatch.setenv("COLUMNS", "200")
    session = boto3.Session()
    session.events.register("provide-client-params", _held_to_the_service)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)

    def run(*words: str) -> Ended:
        monkeypatch.setattr("sys.argv", ["headroom", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main.main()
        code = ended.value.code
        return Ended(code if isinstance(code, int) else 0 if code is None else 1, *capsys.readouterr())

    return run


def _held_to_the_service(params: dict[str, Any], model: Any, **_: Any) -> None:
    service = model.service_model.service_name
    if service != "dynamodb":  # a table's own requests have Python's values, of which boto3 makes DynamoDB's
        plain = {name: value for name, value in params.items() if name != "Body"}
        assert problems_of(service, model.name, plain) == [], model.name


@pytest.fixture
def web(aws: Any) -> Any:
    """The dataset "web" with a published run."""
    folder = f"runs/web/{RUN}"
    for name, content in {
        "manifest.json": MANIFEST, "published.json": {}, "assessment/risk_summary.json": SUMMARY,
        "assessment/findings.json": {"schema": 1, "findings": FINDINGS},
    }.items():  # fmt: skip
        aws.s3.put_object(Bucket="artifact-bucket", Key=f"{folder}/{name}", Body=json.dumps(content))
    aws.s3.put_object(Bucket="artifact-bucket", Key=f"{folder}/assessment/report.html", Body=b"<html>")
    aws.ledger.admit("web", 50)
    aws.ledger.publish("web", RUN, None, False)
    return aws
