"""Runs of several datasets on the laptop cloud: redriven, superseded, side by side, with bad files and bad settings."""

from __future__ import annotations

import io

import pandas as pd
from integration.service import Service, results_refused


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
