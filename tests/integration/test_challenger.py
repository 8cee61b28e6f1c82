"""A run with a challenger on the laptop cloud, whose AutoML really forecasts; and challengers that come to nothing."""

from __future__ import annotations

import json

import pytest
from integration.service import Service, physical


@pytest.fixture(scope="module")
def fleet(months: dict[str, bytes]) -> dict[str, bytes]:
    """Eight months: enough for the window of a three-week horizon, and four times as much before it.

    In one file, which is one run however slow the machine is.
    """
    tables = [content.split(b"\n", 1) for content in list(months.values())[:8]]
    assert len({heading for heading, _ in tables}) == 1
    return {"fleet.csv": b"\n".join([tables[0][0], *(rows.rstrip(b"\n") for _, rows in tables)])}


def settings(service: Service, dataset: str, text: str) -> None:
    bucket = service.stack.outputs["IngestBucketName"]
    service.cloud.client("s3").put_object(Bucket=bucket, Key=f"config/{dataset}.yaml", Body=text.encode())


def run_of(service: Service, dataset: str, files: dict[str, bytes]) -> tuple[dict, list[str]]:
    """The outcome and the states of the one run that these files lead to."""
    execution = service.drop_and_wait(dataset, files)[-1]
    return service.outcome(execution), service.states(execution)


def test_a_challenger_forecasts_the_newest_window_and_is_compared_in_metrics_report_and_mail(
    service: Service, fleet: dict[str, bytes]
) -> None:
    settings(service, "contest", "challenger: true\nhorizon: 21\n")
    outcome, states = run_of(service, "contest", fleet)
    assert "Challenge" in states
    run = outcome["run_id"]
    found = service.read_json("contest", run, "assessment/model_metrics.json")["challenger"]
    assert found["status"] == "compared", found
    assert found["ahead"] == 21
    assert found["series"] == found["series_asked"]
    assert 10 < found["series"] <= 20, "of ten servers with two metrics, some ended or began too late"
    assert found["ours"].keys() == found["theirs"].keys()
    assert found["ours"]["mase"] != found["theirs"]["mase"], "it is another forecast than ours"
    assert 0 < found["theirs"]["mase"] < 3, "and one that has learned something"
    assert service.read_json("contest", run, "assessment/risk_summary.json")["challenger"] == found
    [letter] = service.mail(f"run {run}: published")
    assert found["words"] in letter.body
    assert "AutoML at most 120 min, assumed to be on 6 × ml.m5.12xlarge" in letter.body

    # What it was given ends where the window begins.
    bucket, s3 = service.stack.outputs["ArtifactBucketName"], service.cloud.client("s3")
    history = s3.get_object(Bucket=bucket, Key=f"challenger/contest/{run}/history/history-000.csv")["Body"].read()
    newest = max(line.split(",")[1] for line in history.decode().splitlines()[1:])
    assert newest < found["from"].replace("T", " ")
    assert service.cloud.client("sagemaker").list_processing_jobs(NameContains="challenge")["ProcessingJobSummaries"]


def test_a_challenger_that_may_not_read_its_data_is_named_and_the_run_is_published(
    service: Service, fleet: dict[str, bytes]
) -> None:
    iam, role = service.cloud.client("iam"), physical(service, "ChallengerRole")
    deny = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    iam.put_role_policy(RoleName=role, PolicyName="deny", PolicyDocument=policy)
    try:
        settings(service, "barred", "challenger: true\nhorizon: 21\n")
        outcome, states = run_of(service, "barred", fleet)
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="deny")
    assert outcome["status"] == "published"
    assert states[-3:] == ["AssessRisk", "Publish", "NotifyCompletion"]
    found = service.read_json("barred", outcome["run_id"], "assessment/model_metrics.json")["challenger"]
    assert found["status"] == "not compared"
    assert "the AutoML job ended without a model" in found["reason"]
    [letter] = service.mail(f"run {outcome['run_id']}: published")
    assert found["words"] in letter.body


def test_a_history_too_short_for_automl_is_said_and_no_job_is_paid_for(
    service: Service, months: dict[str, bytes]
) -> None:
    settings(service, "young", "challenger: true\n")
    outcome, _ = run_of(service, "young", dict(list(months.items())[:1]))
    found = service.read_json("young", outcome["run_id"], "assessment/model_metrics.json")["challenger"]
    assert found["status"] == "not compared"
    assert "history" in found["reason"]
