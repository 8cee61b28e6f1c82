"""A job's program sees its own folder as /opt/ml, and nothing of the user."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.emulator.jobs import Job, _environment, _relocated


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(
        kind="Processing",
        description={
            "ProcessingJobName": "j",
            "ProcessingJobStatus": "InProgress",
            "Environment": {"DATA": "/opt/ml/processing/in", "AWS_REGION": "given"},
        },
        credentials={"aws_access_key_id": "A", "aws_secret_access_key": "B", "aws_session_token": "C"},
        region="us-east-1",
        endpoint="http://127.0.0.1:1",
        folder=tmp_path,
    )


@pytest.mark.parametrize(
    ("word", "becomes"),
    [
        ("/opt/ml/processing/in", "{ml}/processing/in"),
        ("/opt/ml", "{ml}"),
        ("--panel=/opt/ml/model", "--panel={ml}/model"),
        ("cd /opt/ml && ls '/opt/ml/model'", "cd {ml} && ls '{ml}/model'"),
        ("/opt/mlflow", "/opt/mlflow"),
        ("/home/opt/ml/x", "/home/opt/ml/x"),
        ("s3://bucket/opt/ml/x", "s3://bucket/opt/ml/x"),
    ],
)
def test_paths_of_the_container_become_paths_of_the_job(job: Job, word: str, becomes: str) -> None:
    assert _relocated(job, word) == becomes.format(ml=job.ml)


def test_the_users_environment_stays_out(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("SECRET", "x")
    environment = _environment(job)
    assert "SECRET" not in environment
    assert "AWS_PROFILE" not in environment
    assert environment["AWS_ACCESS_KEY_ID"] == "A"
    assert environment["DATA"] == f"{job.ml}/processing/in"
    assert environment["AWS_REGION"] == "given"
