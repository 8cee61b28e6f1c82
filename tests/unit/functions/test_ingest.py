"""Files that people drop are taken in once, together, and rubbish is refused with a reason."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

import arrivals
import ingest
from ledger import File
from names import DATASET_NAME
from tests.unit.functions.messages import arrival


def test_files_dropped_together_start_one_run(aws) -> None:
    records = [arrival(f"incoming/demo/{month}.csv", message=str(month)) for month in range(9)]
    assert ingest.handler({"Records": records}, aws.context) == {"batchItemFailures": []}
    assert len(aws.ledger.waiting("demo")) == 9
    [execution] = aws.executions()
    assert execution["name"] == aws.ledger.state("demo").running


def test_an_event_that_comes_twice_counts_once(aws) -> None:
    for _ in range(2):
        ingest.handler({"Records": [arrival("incoming/demo/a.csv")]}, aws.context)
    assert len(aws.ledger.waiting("demo")) == 1
    assert len(aws.executions()) == 1


def test_a_file_that_comes_during_a_run_waits(aws) -> None:
    ingest.handler({"Records": [arrival("incoming/demo/a.csv")]}, aws.context)
    ingest.handler({"Records": [arrival("incoming/demo/b.csv")]}, aws.context)
    assert len(aws.executions()) == 1
    assert len(aws.ledger.waiting("demo")) == 2


def test_a_lock_left_by_an_execution_that_is_over_does_not_hold_up_files(aws) -> None:
    ended = aws.stepfunctions.start_execution(stateMachineArn=aws.state_machine, name="ended", input="{}")
    aws.stepfunctions.stop_execution(executionArn=ended["executionArn"])
    assert aws.ledger.lock("demo", "ended", datetime.now(UTC))
    ingest.handler({"Records": [arrival("incoming/demo/a.csv")]}, aws.context)
    assert aws.ledger.state("demo").running != "ended"
    assert len(aws.executions()) == 2


def test_a_lock_of_an_execution_that_never_came_to_be_is_taken_over_after_minutes(aws) -> None:
    assert aws.ledger.lock("demo", "never-started", datetime(2020, 1, 1, tzinfo=UTC))
    ingest.handler({"Records": [arrival("incoming/demo/a.csv")]}, aws.context)
    assert len(aws.executions()) == 1


def test_each_dataset_gets_its_own_run(aws) -> None:
    ingest.handler(
        {"Records": [arrival("incoming/one/a.csv", message="1"), arrival("incoming/two/a.csv", message="2")]},
        aws.context,
    )
    assert {e["name"].partition("-")[0] for e in aws.executions()} == {"one", "two"}


@pytest.mark.parametrize(
    ("key", "size", "why"),
    [
        ("incoming/a.csv", 10, "no dataset's folder"),
        ("incoming/My Data/a.csv", 10, "is not a valid dataset name"),
        ("incoming/demo/../other/a.csv", 10, "'..' folders"),
        ("incoming/demo/a\x07.csv", 10, "control characters"),
        ("incoming/demo/setup.exe", 10, "ends in none of"),
        ("incoming/demo/a.csv", 0, "empty"),
        ("incoming/demo/a.csv", 30 * 1024**3, "split it"),
    ],
)
def test_rubbish_is_refused_with_the_reason_and_the_rest_is_taken(aws, key: str, size: int, why: str) -> None:
    good, bad = arrival("incoming/demo/good.csv", message="1"), arrival(key, "v2", size, "2")
    assert ingest.handler({"Records": [bad, good]}, aws.context) == {"batchItemFailures": []}
    assert [file.key for file in aws.ledger.waiting("demo")] == ["incoming/demo/good.csv"]
    [mail] = aws.notifications()
    assert why in mail["Message"]
    assert mail["Subject"] == "Headroom: 1 file refused"


def test_a_refused_file_is_told_of_once(aws) -> None:
    for _ in range(2):
        ingest.handler({"Records": [arrival("incoming/demo/setup.exe")]}, aws.context)
    assert len(aws.notifications()) == 1


def test_a_refusal_is_told_of_even_if_the_mail_fails_at_first(aws, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [arrival("incoming/demo/setup.exe"), arrival("incoming/demo/good.csv", message="m2")]
    with monkeypatch.context() as broken:
        broken.setenv("TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:gone")
        ingest._environment.cache_clear()
        with pytest.raises(Exception, match="NotFound"):
            ingest.handler({"Records": records}, aws.context)
    assert len(aws.executions()) == 1, "the good file is not held up"
    ingest._environment.cache_clear()
    for _ in range(2):
        ingest.handler({"Records": records}, aws.context)
    [mail] = aws.notifications()
    assert "setup.exe" in mail["Message"]


def test_what_is_known_of_a_refused_file_is_forgotten_after_a_while(aws) -> None:
    ingest.handler({"Records": [arrival("incoming/demo/setup.exe")]}, aws.context)
    [entry] = [one for one in aws.table.scan()["Items"] if "refused" in one]
    assert "ends in none of" in entry["refused"]
    days = (datetime.fromtimestamp(int(entry["expires"]), UTC) - datetime.now(UTC)).days
    assert 363 <= days <= 365


def test_the_markers_of_empty_folders_are_passed_over(aws) -> None:
    ingest.handler({"Records": [arrival("incoming/demo/", size=0)]}, aws.context)
    assert aws.notifications() == []
    assert aws.executions() == []


def test_a_broken_message_goes_back_alone(aws) -> None:
    broken = arrival("incoming/demo/a.csv", message="broken") | {"body": "{}"}
    answer = ingest.handler({"Records": [broken, arrival("incoming/demo/b.csv", message="good")]}, aws.context)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "broken"}]}
    assert len(aws.ledger.waiting("demo")) == 1


def test_where_no_run_can_be_started_the_messages_come_back_and_the_lock_is_free(aws) -> None:
    boto3.client("stepfunctions").delete_state_machine(stateMachineArn=aws.state_machine)
    records = [arrival("incoming/demo/a.csv"), arrival("incoming/demo/setup.exe", message="m2")]
    with pytest.raises(Exception, match="StateMachineDoesNotExist"):
        ingest.handler({"Records": records}, aws.context)
    assert len(aws.notifications()) == 1, "refused files are told of all the same: they are not told of again"
    assert aws.ledger.state("demo").running is None
    assert len(aws.ledger.waiting("demo")) == 1


@given(st.text(max_size=60))
def test_no_key_leads_out_of_its_datasets_folder(rest: str) -> None:
    file = File(f"incoming/{rest}", "v", 10, "e", "2026-01-01T00:00:00Z", "0")
    try:
        dataset = arrivals.dataset_of(file)
    except arrivals.Refused:
        return
    assert re.fullmatch(DATASET_NAME, dataset)
    parts = rest.split("/")
    assert parts[0] == dataset
    assert not {"", ".", ".."} & set(parts)
    assert rest.isprintable()
