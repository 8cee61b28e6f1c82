"""The ledger keeps files and runs straight, whatever happens in between."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime
from types import SimpleNamespace

from serving import Quiet, serving

from ledger import connect
from tests.unit.conftest import a_file

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_each_version_of_a_file_is_recorded_once(aws) -> None:
    assert aws.ledger.record("demo", a_file())
    assert not aws.ledger.record("demo", a_file())
    assert aws.ledger.record("demo", a_file(version="2"))
    assert len(aws.ledger.waiting("demo")) == 2


def test_files_wait_in_the_order_in_which_they_arrived(aws) -> None:
    late = a_file("incoming/demo/a.csv", time="2026-01-02T00:00:00Z")
    early = a_file("incoming/demo/z.csv", sequencer="B")
    # S3's sequencers are compared at equal length: 1F comes after A.
    second, first = (
        a_file("incoming/demo/b.csv", "v2", sequencer="1F"),
        a_file("incoming/demo/b.csv", "v1", sequencer="A"),
    )
    for file in (late, second, early, first):
        aws.ledger.record("demo", file)
    assert [(f.key[-5:], f.version) for f in aws.ledger.waiting("demo")] == [
        ("b.csv", "v1"), ("z.csv", "1"), ("b.csv", "v2"), ("a.csv", "1"),
    ]  # fmt: skip


def test_datasets_do_not_see_each_others_files(aws) -> None:
    aws.ledger.record("demo", a_file())
    assert aws.ledger.waiting("other") == []


def test_one_execution_at_a_time_holds_a_dataset(aws) -> None:
    assert aws.ledger.lock("demo", "first", NOW)
    assert aws.ledger.lock("demo", "first", NOW)
    assert not aws.ledger.lock("demo", "second", NOW)
    assert not aws.ledger.unlock("demo", "second")
    assert aws.ledger.lock("demo", "second", NOW, instead_of="first")
    assert not aws.ledger.unlock("demo", "first")
    assert aws.ledger.unlock("demo", "second")
    assert aws.ledger.state("demo").running is None


def test_an_old_run_never_overwrites_a_newer_one(aws) -> None:
    assert aws.ledger.publish("demo", "run1", None, False)
    assert aws.ledger.publish("demo", "run2", "run1", True)
    assert aws.ledger.publish("demo", "run2", "run1", True), "a repeated publish is the same publish"
    assert not aws.ledger.publish("demo", "redriven", "run1", False)
    assert not aws.ledger.publish("demo", "redriven", None, False)
    state = aws.ledger.state("demo")
    assert (state.current_run, state.drifted) == ("run2", True)


def test_published_files_wait_no_more_and_expire(aws) -> None:
    aws.ledger.record("demo", a_file())
    aws.ledger.close("demo", [a_file().item], "run1", NOW)
    assert aws.ledger.waiting("demo") == []
    entry = aws.table.get_item(Key={"dataset": "demo", "item": a_file().item})["Item"]
    assert (entry["published"], entry["expires"]) == ("run1", int(NOW.timestamp()))
    assert not aws.ledger.record("demo", a_file()), "the event of a published file may come again"


class Busy(Quiet):
    """DynamoDB's address, where the first five requests are throttled and the others succeed."""

    protocol_version = "HTTP/1.1"
    throttled = 0

    def do_POST(self) -> None:
        self.body()
        busy = Busy.throttled < 5
        Busy.throttled += busy
        answer = {"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"} if busy else {}
        body = json.dumps(answer).encode()
        headers = {"Content-Type": "application/x-amz-json-1.0", "x-amz-crc32": zlib.crc32(body)}
        self.answer(400 if busy else 200, body, headers)


def test_a_table_that_throttles_is_waited_for(monkeypatch) -> None:
    pauses: list[float] = []
    # Of botocore alone: what else runs in this process sleeps as ever.
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=pauses.append))
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    with serving(Busy) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        assert connect("ledger").record("demo", a_file(), NOW)
    assert len(pauses) == 5
