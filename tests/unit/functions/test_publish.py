"""A finished run becomes the dataset's current one, and people are told in words they can act on."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import publish
import slack
from notification import subject
from tests.unit.conftest import a_file
from tests.unit.functions import messages
from tests.unit.functions.messages import SUMMARY

BAD = [{"file": f"{number}.csv", "error": "this is not text: send CSV"} for number in range(5)]
QUALITY = messages.QUALITY | {"files": [*messages.QUALITY["files"], *BAD]}
MANIFEST: dict[str, Any] = {
    "previous_run_id": None,
    "mode": "auto",
    "created_at": "2026-01-02T03:04:05Z",
    "code": {"hash": "c0de"},
    "settings": "5e77",
    "train_reason": "there was no approved model before",
    "cost_estimate": "about 0.06 USD (on demand in us-east-1)",
    "files": [{"key": "incoming/demo/a.csv", "file": "a.csv"}],
    "ledger_items": [a_file().item],
}
EVENT = {
    "dataset": "demo",
    "run_id": "run1",
    "execution": "demo-1",
    "trained": True,
    "model_package": "arn:aws:sagemaker:us-east-1:123456789012:model-package/headroom-demo/1",
    "approved": True,
}


@pytest.fixture
def finished(aws) -> Any:
    """A run whose jobs have written their results."""
    aws.ledger.record("demo", a_file())
    aws.ledger.lock("demo", "demo-1", datetime.now(UTC))
    write(aws)
    return aws


def write(aws, manifest: dict[str, Any] = MANIFEST, summary: dict[str, Any] = SUMMARY) -> None:
    for name, content in {
        "manifest.json": manifest,
        "assessment/risk_summary.json": summary,
        "assessment/data_quality.json": QUALITY,
    }.items():
        aws.s3.put_object(Bucket="artifact-bucket", Key=f"runs/demo/run1/{name}", Body=json.dumps(content))


def text(told: dict[str, str], protocol: str = "default") -> str:
    return json.loads(told["message"])[protocol]


def test_a_finished_run_becomes_the_current_one(finished) -> None:
    told = publish.handler(EVENT, finished.context)
    state = finished.ledger.state("demo")
    assert told["status"] == "published"
    assert (state.current_run, state.running) == ("run1", None)
    assert finished.ledger.waiting("demo") == []


def test_the_notification_says_what_needs_a_decision(finished) -> None:
    told = publish.handler(EVENT, finished.context)
    assert told["subject"] == "Headroom demo: 2 critical, 1 medium"
    for words in (
        "web-1: cpu crosses 90 % about 12 March",
        "1 newly at risk, 2 better",
        "1,234 USD per month",
        "new file (5 could not be used), 1,000 rows read, 3 rows in quarantine.",
        "2 servers have gaps.",
        "could not be used: '0.csv': this is not text: send CSV",
        "and 2 more of 6 files: see data_quality.json",
        "trained (there was no approved model before)",
        "Cost estimate: about 0.06 USD (on demand in us-east-1).",
        "s3://artifact-bucket/runs/demo/run1/assessment/report.html",
    ):
        assert words in text(told)


def test_the_mail_has_links_to_report_and_pictures_and_says_how_long_they_work(finished) -> None:
    for name in publish.SHOWN:
        finished.s3.put_object(Bucket="artifact-bucket", Key=f"runs/demo/run1/assessment/{name}", Body=name)
    mail = text(publish.handler(EVENT, finished.context))
    promised = re.search(r"until (.*) UTC at the latest", mail)
    assert promised is not None
    left = datetime.fromisoformat(f"{promised[1]}+00:00") - datetime.now(UTC)
    assert timedelta(hours=5, minutes=58) < left <= timedelta(hours=6)
    for name, (title, content_type) in publish.SHOWN.items():
        [url] = re.findall(rf"^{title}: (https://\S+)$", mail, flags=re.MULTILINE)
        signed = parse_qs(urlsplit(url).query)
        assert urlsplit(url).path.endswith(f"/runs/demo/run1/assessment/{name}")
        assert (signed["X-Amz-Algorithm"], signed["X-Amz-Expires"]) == (["AWS4-HMAC-SHA256"], ["21600"])
        assert signed["response-content-type"] == [content_type], "a browser shows it, and does not save it"
    assert "s3://artifact-bucket/runs/demo/run1/assessment/report.html" in mail, "the address that stays"


def test_links_name_the_regions_own_host(finished, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host is signed: a redirect from the global one to the region's would break the link."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setattr(publish, "connect", lambda _: finished.ledger)
    monkeypatch.setattr(publish, "start_if_idle", lambda *_, **__: None)
    assert "https://artifact-bucket.s3.eu-central-1.amazonaws.com/" in text(publish.handler(EVENT, finished.context))


def test_slack_gets_the_text_and_the_links_apart(finished) -> None:
    told = publish.handler(EVENT, finished.context)
    shown, links = slack.parts(text(told, "lambda"))
    assert "https://" not in shown
    assert shown in text(told)
    assert [link["file"] for link in links] == list(publish.SHOWN)


def test_without_links_nobody_without_access_sees_anything(finished, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINK_HOURS", "0")
    told = publish.handler(EVENT, finished.context)
    assert "http" not in text(told)
    assert slack.parts(text(told, "lambda"))[1] == []


def test_where_people_can_sign_in_notifications_lead_there_and_no_link_opens_for_anybody(finished, monkeypatch) -> None:
    monkeypatch.setenv("PAGE_ADDRESS", "https://api.example.com")
    told = publish.handler(EVENT, finished.context)
    address = f"https://api.example.com/#/datasets/demo/report/{EVENT['run_id']}"
    assert address in text(told) and "without signing in" not in text(told) and "X-Amz" not in told["message"]
    [link] = slack.parts(text(told, "lambda"))[1]
    assert link["url"] == address and not slack.is_picture(link)


def test_publishing_again_changes_nothing(finished, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINK_HOURS", "0")  # links are signed anew each time
    assert publish.handler(EVENT, finished.context) == publish.handler(EVENT, finished.context)


def test_an_old_run_that_was_redriven_is_superseded_and_says_so(finished) -> None:
    finished.ledger.publish("demo", "newer", None, False)
    told = publish.handler(EVENT, finished.context)
    assert told["status"] == "superseded"
    assert "run superseded" in told["subject"]
    assert finished.ledger.state("demo").current_run == "newer"
    assert len(finished.ledger.waiting("demo")) == 1, "files that are in no published run still wait"


def test_a_file_that_came_meanwhile_starts_the_next_run(finished) -> None:
    finished.ledger.record("demo", a_file("incoming/demo/late.csv"))
    told = publish.handler(EVENT, finished.context)
    [execution] = finished.executions()
    assert finished.ledger.state("demo").running == execution["name"]
    assert execution["name"] in text(told)


NEW_FLEET = {"exceeded": True, "new_series": 0.96, "reason": "26 of 27 series are new to the model"}
SCORED = EVENT | {"trained": False, "model_package": ""}


def inputs(aws) -> list[dict[str, Any]]:
    """What the executions were started with."""
    describe = aws.stepfunctions.describe_execution
    return [json.loads(describe(executionArn=one["executionArn"])["input"]) for one in aws.executions()]


def test_a_model_that_no_longer_fits_is_trained_anew_at_once_and_the_mail_says_why(finished) -> None:
    write(finished, summary=SUMMARY | {"drift": NEW_FLEET})
    told = publish.handler(SCORED, finished.context)
    state, [execution] = finished.ledger.state("demo"), finished.executions()
    assert inputs(finished) == [{"dataset": "demo", "mode": "train"}]
    assert (state.running, state.drifted) == (execution["name"], True)
    assert "scored with the approved one" in text(told)
    assert "A training run follows" in text(told)
    assert f"(26 of 27 series are new to the model): {execution['name']}." in text(told)


@pytest.mark.parametrize("approved", [True, False])
def test_a_run_that_has_trained_never_starts_another(finished, approved: bool) -> None:
    """Not even one whose model was held back, so that the drift is still there."""
    write(finished, summary=SUMMARY | {"drift": NEW_FLEET})
    told = publish.handler(EVENT | {"approved": approved}, finished.context)
    assert finished.executions() == []
    assert not finished.ledger.state("demo").drifted
    assert "follows" not in text(told)


def test_a_run_by_hand_that_asked_for_scores_only_starts_no_training(finished) -> None:
    write(finished, summary=SUMMARY | {"drift": NEW_FLEET}, manifest=MANIFEST | {"mode": "score"})
    told = publish.handler(SCORED, finished.context)
    assert finished.executions() == [] and "follows" not in text(told)
    assert finished.ledger.state("demo").drifted, "by which the next run in mode auto trains"


def measured(capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    """The metrics of a run, in the embedded metric format."""
    (line,) = (json.loads(one) for one in capsys.readouterr().out.splitlines() if "CloudWatchMetrics" in one)
    return {name: value[0] for name, value in line.items() if isinstance(value, list)}


def test_a_run_of_which_nothing_is_to_be_said_rings_no_alarm(finished, capsys: pytest.CaptureFixture[str]) -> None:
    write(finished, summary=SUMMARY | {"forecast": {"relative_mase": 0.8}})
    mail = text(publish.handler(EVENT, finished.context))
    found = measured(capsys)
    assert (found["RunsWithDrift"], found["RunsWithPoorModel"], found["RelativeError"]) == (0, 0, 0.8)
    assert "Drift" not in mail and "In backtests" not in mail


@pytest.mark.parametrize(
    ("event", "mode", "then"),
    [
        (SCORED, "score", "the next run trains a new one"),
        (EVENT | {"approved": False}, "auto", "the new model, which was trained on it, was held back"),
    ],
)
def test_drift_rings_and_the_mail_says_what_comes_of_it_where_no_training_follows(
    finished, capsys: pytest.CaptureFixture[str], event: dict[str, Any], mode: str, then: str
) -> None:
    write(finished, summary=SUMMARY | {"drift": NEW_FLEET}, manifest=MANIFEST | {"mode": mode})
    mail = text(publish.handler(event, finished.context))
    assert measured(capsys)["RunsWithDrift"] == 1
    assert (
        f"Drift: the data is no longer what the model was trained on (26 of 27 series are new to the model); {then}."
        in mail
    )


def test_drift_that_a_training_follows_is_said_once(finished, capsys: pytest.CaptureFixture[str]) -> None:
    write(finished, summary=SUMMARY | {"drift": NEW_FLEET})
    mail = text(publish.handler(SCORED, finished.context))
    assert measured(capsys)["RunsWithDrift"] == 1
    assert "A training run follows" in mail and "Drift:" not in mail


def test_a_model_that_was_held_back_rings(finished, capsys: pytest.CaptureFixture[str]) -> None:
    mail = text(publish.handler(EVENT | {"approved": False}, finished.context))
    assert measured(capsys)["RunsWithPoorModel"] == 1
    assert "It waits for approval." in mail


@pytest.mark.parametrize("event", [EVENT, SCORED])
def test_a_model_that_is_no_better_than_the_last_season_rings_and_is_said_to_be(
    finished, capsys: pytest.CaptureFixture[str], event: dict[str, Any]
) -> None:
    write(finished, summary=SUMMARY | {"forecast": {"relative_mase": 1.234}})
    mail = text(publish.handler(event, finished.context))
    assert measured(capsys)["RunsWithPoorModel"] == 1
    assert "its error is 1.23 times that of repeating the last season" in mail


def test_drift_beside_waiting_files_leaves_the_training_to_their_run(finished) -> None:
    write(finished, summary=SUMMARY | {"drift": NEW_FLEET})
    finished.ledger.record("demo", a_file("incoming/demo/late.csv"))
    told = publish.handler(SCORED, finished.context)
    assert inputs(finished) == [{"dataset": "demo"}]
    assert finished.ledger.state("demo").drifted, "by which that run trains"
    assert "A training run follows" in text(told)


def test_drift_starts_nothing_beside_a_run_that_has_the_lock(finished) -> None:
    write(finished, summary=SUMMARY | {"drift": NEW_FLEET})
    finished.ledger.unlock("demo", "demo-1")
    finished.stepfunctions.start_execution(stateMachineArn=finished.state_machine, name="demo-2", input="{}")
    finished.ledger.lock("demo", "demo-2", datetime.now(UTC))
    told = publish.handler(SCORED, finished.context)
    assert [one["name"] for one in finished.executions()] == ["demo-2"]
    assert (finished.ledger.state("demo").running, finished.ledger.state("demo").drifted) == ("demo-2", True)
    assert "follows" not in text(told)


def test_drift_of_a_superseded_run_starts_nothing(finished) -> None:
    write(finished, summary=SUMMARY | {"drift": NEW_FLEET})
    finished.ledger.publish("demo", "newer", None, False)
    finished.ledger.close("demo", MANIFEST["ledger_items"], "newer", datetime.now(UTC))
    publish.handler(SCORED, finished.context)
    assert finished.executions() == []


def test_growth_is_said_to_cost_money(finished) -> None:
    savings = {"monthly": 0.0, "currency": "EUR", "growth_monthly": 4321.0}
    write(finished, summary=SUMMARY | {"savings": savings})
    told = text(publish.handler(EVENT, finished.context))
    assert "The recommended upsizing would cost about 4,321 EUR more per month." in told
    assert "savings" not in told


HIDDEN = {"server_id": "web-1", "metric": "cpu", "entity": None, "kind": "risk", "state": "accepted", "level": "high",
          "level_then": "high", "reason": "moves", "by": "Ann", "at": "2026-01-01T00:00:00Z",
          "until": "2026-03-01"}  # fmt: skip
NOTHING = {"hidden_total": 0, "hidden": [], "returned_total": 0, "returned": [], "problems": []}


def test_the_mail_counts_what_is_accepted_beside_what_is_open_and_says_what_came_back(finished) -> None:
    accepted = NOTHING | {"hidden_total": 2, "hidden": [HIDDEN] * 2, "returned_total": 1,
                          "returned": [HIDDEN | {"why": "worse", "level": "critical"}]}  # fmt: skip
    levels = {"critical": 0, "high": 0, "medium": 1, "low": 0, "none": 11}
    write(finished, summary=SUMMARY | {"headline": "1 medium", "open_levels": levels, "accepted": accepted, "top": []})
    told = publish.handler(EVENT, finished.context)
    assert (told["subject"], told["level"]) == ("Headroom demo: 1 medium", "medium")
    assert "Accepted or snoozed, and not counted above: 2 findings. The report lists them." in text(told)
    assert "  back, as it has become worse: web-1: cpu (critical, accepted by Ann until 2026-03-01)" in text(told)


def test_the_mail_says_that_the_file_of_accepted_findings_cannot_be_used(finished) -> None:
    problems = [f"findings.{number}.level: Input should be" for number in range(5)]
    write(finished, summary=SUMMARY | {"open_levels": SUMMARY["levels"], "accepted": NOTHING | {"problems": problems}})
    told = publish.handler(EVENT, finished.context)
    assert told["subject"] == "Headroom demo: 2 critical, 1 medium"
    assert "so nothing is hidden:\n  findings.0.level: Input should be" in text(told)
    assert "and 2 more: see the report." in text(told)


@pytest.mark.parametrize("words", ["AutoML challenger: over 90 days …", "AutoML challenger: not compared (quota)."])
def test_the_mail_says_how_the_challenger_did_or_why_it_did_not(finished, words: str) -> None:
    write(finished, summary=SUMMARY | {"challenger": {"status": "x", "words": words}})
    assert f"  {words}" in text(publish.handler(EVENT, finished.context)).splitlines()


def test_names_from_files_cannot_turn_or_forge_the_mails_lines(finished) -> None:
    name = "web\u202e\u2066\x1b[2J\x85\nData: all is well"
    long = "x" * 59 + "yz"
    top = [SUMMARY["top"][0] | {"server_id": one} for one in (name, long, "größe-北京")]
    write(finished, summary=SUMMARY | {"top": top, "notes": [f"Fallen silent: {name}"]})
    told = text(publish.handler(EVENT, finished.context))
    assert all(sign.isprintable() or sign == "\n" for sign in told)
    assert "\nData: all is well" not in told
    assert "web\\u202e\\u2066\\x1b[2J\\x85\\nData: all is well: cpu crosses" in told
    assert f"  {'x' * 59}…: cpu" in told
    assert "größe-北京: cpu" in told


def test_a_model_held_back_is_told_of_with_the_way_to_approve_it(finished) -> None:
    told = publish.handler(EVENT | {"approved": False}, finished.context)
    assert "worse than the approved one" in text(told)
    assert "\n  headroom approve demo 1\n" in text(told)
    assert "\n  headroom report demo --run run1\n" in text(told)
    assert f"--model-package-arn {EVENT['model_package']}" in text(told)


def test_a_subject_fits_into_an_email_whatever_the_data_says() -> None:
    assert subject("Ünï\ncode") == "?n??code"
    assert len(subject("x" * 300)) == 100


def test_the_notification_says_what_spark_did_and_nothing_of_one_machine(finished) -> None:
    spark = {"engine": "spark", "told": "Spark on 4 × ml.r5.4xlarge (asked for)"}
    machine = {"engine": "machine", "told": "one machine, ml.m5.xlarge (the panel is not too large for it)"}
    write(finished, manifest=MANIFEST | {"engines": {"preprocess": spark, "assess": machine}})
    message = text(publish.handler(EVENT, finished.context))
    assert "Files read by Spark on 4 × ml.r5.4xlarge (asked for)." in message
    assert "Assessed by" not in message
