"""Runs of several datasets on the laptop cloud: redriven, superseded, with bad files and bad settings."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd
from integration.service import Service, intact, letter, redrive, results_refused


def test_a_failed_job_is_redriven_alone_and_settings_that_change_meanwhile_count_from_the_next_run_on(
    service: Service, months: dict[str, bytes]
) -> None:
    """Once its cause is put right. If the settings are wrong, the last good ones stay, and that is told."""
    s3, bucket = service.cloud.client("s3"), service.stack.outputs["IngestBucketName"]
    first, second, third = list(months.values())[:3]

    def settings(text: bytes) -> None:
        s3.put_object(Bucket=bucket, Key="config/broken.yaml", Body=text)

    def horizon(run: dict[str, Any]) -> int:
        return service.read_json("broken", run["run_id"], "assessment/risk_summary.json")["horizon"]

    def trainings() -> list[str]:
        found = service.cloud.client("sagemaker").list_training_jobs(NameContains="broken")["TrainingJobSummaries"]
        return [job["TrainingJobName"] for job in found]

    settings(b"horizon: 14\n")
    with results_refused(service, "broken"):
        [execution] = service.drop_and_wait("broken", {"a.csv": first})
    assert execution["status"] == "FAILED"
    mail = letter(service, "Headroom broken: failed in AssessRisk")

    settings(b"horizon: 21\n")
    before = trainings()
    redrive(service, mail.body)
    [execution] = service.wait("broken")
    outcome = service.outcome(execution)
    assert (outcome["status"], horizon(outcome)) == ("published", 14)
    assert service.states(execution)[-3:] == ["AssessRisk", "Publish", "NotifyCompletion"]
    assert service.states(execution).count("Preprocess") == 1
    assert trainings() == before
    assert service.mail(f"run {outcome['run_id']}: published")

    assert horizon(service.outcome(service.drop_and_wait("broken", {"b.csv": second})[-1])) == 21
    settings(b"horzion: 7\n")
    last = service.outcome(service.drop_and_wait("broken", {"c.csv": third})[-1])
    assert horizon(last) == 21
    assert any("horzion: unknown key" in one.body for one in service.mail(f"run {last['run_id']}: published"))
    intact(service, "broken", ["a.csv", "b.csv", "c.csv"])


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
