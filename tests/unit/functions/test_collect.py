"""Collecting: everything measured comes once, whatever stops it on the way, and people are told what is wrong."""

from __future__ import annotations

import contextlib
import itertools
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cloudwatch
import collect
from tests.unit.conftest import LambdaContext
from tests.unit.functions.sources import Bucket, Collecting
from tests.unit.functions.world import Crash, Sns, World


def moments(rows: list[dict[str, str]], server: str) -> list[datetime]:
    return sorted(datetime.fromisoformat(row["timestamp"]) for row in rows if row["server_id"] == server)


def is_whole(found: list[datetime]) -> bool:
    """Neither a hole nor a moment that came twice."""
    return all(later - earlier == timedelta(minutes=5) for earlier, later in itertools.pairwise(found))


def test_nothing_happens_until_a_collector_is_set_up():
    service = Collecting()
    service.aws.instance("i-1")
    assert service.tick() == 0
    assert service.aws.asked == []


@pytest.mark.slow
def test_a_new_stack_gets_two_months_of_the_fleet_at_once():
    service = Collecting()
    service.aws.instance("i-1")
    service.aws.instance("i-2")
    service.set_up()
    assert service.tick() == 1
    found = moments(service.rows(), "i-1")
    assert is_whole(found)
    assert len(found) == 61 * 288
    assert found[-1] == datetime.fromisoformat("2026-06-14T23:55Z"), "whole days, so that none is forecast from a part"


def test_the_next_collection_begins_where_the_last_one_ended():
    service = Collecting()
    service.aws.instance("i-1")
    service.set_up(backfill_days=1)
    assert service.tick() == 1
    assert service.tick() == 0, "a day has not passed"
    service.wait(hours=24)
    assert service.tick() == 1
    found = moments(service.rows(), "i-1")
    assert is_whole(found)
    assert len(found) == 2 * 288


def test_what_is_collected_by_the_hour_ends_at_the_last_full_one():
    service = Collecting()
    service.aws.instance("i-1")
    service.set_up(backfill_days=1, every_minutes=60)
    service.tick()
    found = moments(service.rows(), "i-1")
    assert found[-1] == datetime.fromisoformat("2026-06-15T09:55Z")
    assert len(found) == 288
    service.wait(hours=1)
    service.tick()
    assert len(moments(service.rows(), "i-1")) == 300


def test_what_was_missed_while_nothing_ran_is_made_up_for():
    service = Collecting()
    service.aws.instance("i-1")
    service.set_up(backfill_days=1)
    service.tick()
    service.wait(days=30)
    service.tick()
    found = moments(service.rows(), "i-1")
    assert is_whole(found)
    assert len(found) == 31 * 288


def test_after_three_months_without_it_the_oldest_part_comes_by_the_hour_and_nothing_is_missing():
    service = Collecting()
    service.aws.instance("i-1")
    service.set_up(backfill_days=1)
    service.tick()
    service.wait(days=90)
    service.tick()
    found = moments(service.rows(), "i-1")
    steps = [later - earlier for earlier, later in itertools.pairwise(found)]
    assert set(steps) == {timedelta(minutes=5), timedelta(hours=1)}
    assert sum(steps, timedelta()) == timedelta(days=91) - timedelta(minutes=5)


def test_a_server_that_is_new_is_collected_from_its_first_moment():
    service = Collecting()
    service.aws.instance("i-1")
    service.set_up(backfill_days=1)
    service.tick()
    service.aws.instance("i-2")
    began = service.world.now + timedelta(hours=1)
    for series in service.aws.series[-3:]:
        series.since = began
    service.wait(hours=24)
    service.tick()
    found = moments(service.rows(), "i-2")
    assert is_whole(found)
    assert timedelta(0) <= found[0] - began < timedelta(minutes=5)


def test_each_region_and_account_has_its_own_beginning():
    service = Collecting()
    service.aws.instance("i-1")
    service.set_up(backfill_days=1)
    service.tick()
    service.set_up(backfill_days=1, accounts=[{"regions": ["us-east-1", "eu-west-1"]}])
    assert service.tick() == 1
    assert any("/own-eu-west-1-ec2/" in key for key in service.files())


def test_what_there_is_no_time_for_is_left_to_the_next_quarter_of_an_hour(monkeypatch):
    monkeypatch.setattr(cloudwatch, "MOST_ROWS", 288)
    service = Collecting()
    for number in range(5):
        service.aws.instance(f"i-{number}")
    service.set_up(backfill_days=1)
    service.parts_left = 3  # one for the scope, two for parts
    assert service.tick() == 2
    service.parts_left = None
    assert service.tick() == 3
    assert service.tick() == 0
    assert all(is_whole(moments(service.rows(), f"i-{number}")) for number in range(5))


def test_a_fleet_that_changes_while_it_is_collected_is_neither_mixed_up_nor_collected_twice(monkeypatch):
    monkeypatch.setattr(cloudwatch, "MOST_ROWS", 288)
    service = Collecting()
    for number in range(4):
        service.aws.instance(f"i-{number}")
    service.set_up(backfill_days=1)
    service.parts_left = 3
    service.tick()
    service.aws.instances = service.aws.instances[2:]
    service.aws.instance("i-0new")
    service.parts_left = None
    service.tick()
    assert sorted({row["server_id"] for row in service.rows()}) == ["i-0", "i-1", "i-2", "i-3"]
    assert len(service.rows()) == 4 * 288


def test_two_at_once_do_not_do_the_same_work():
    service = Collecting()
    service.aws.instance("i-1")
    service.set_up(backfill_days=1)
    held = service.tools.progress.take("aws", "own-us-east-1-ec2", service.world.now + timedelta(minutes=14))
    assert held is not None
    assert service.tick() == 0
    service.wait(minutes=16)
    assert service.tick() == 1, "whoever held it is dead by now"


@pytest.mark.slow
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(
    steps=st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(0, 9)),
            st.sampled_from([0.25, 1, 7, 30]),
            st.sampled_from(["", "", "GetMetricData", "DescribeInstances", "ListMetrics", "incomplete"]),
        ),
        max_size=8,
    ),
    parts=st.sampled_from([100, 400, 10_000]),
)
def test_whatever_dies_whenever_nothing_is_missing_and_nothing_comes_twice(steps, parts):
    """The function dies after any of its writes, the source refuses or answers in part, for days on end."""
    service = Collecting()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cloudwatch, "MOST_ROWS", parts)
        for number in range(3):
            service.aws.instance(f"i-{number}")
        service.set_up(backfill_days=1, every_minutes=360)
        for crash, hours, trouble in steps:
            service.world.crash_after = crash
            service.aws.incomplete = int(trouble == "incomplete")
            service.aws.fails = {trouble: ["Throttling"]} if trouble not in ("", "incomplete") else {}
            with contextlib.suppress(Crash):
                service.tick()
            service.wait(hours=hours)
        service.world.crash_after, service.aws.fails, service.aws.incomplete = None, {}, 0
        for _ in range(3):
            service.wait(minutes=30)
            service.tick()
    rows = service.rows()
    assert len({(row["server_id"], row["timestamp"]) for row in rows}) == len(rows)
    assert all(len(versions) == 1 for versions in service.files().values()), "a file was delivered twice"
    spans = {tuple(moments(rows, f"i-{number}")) for number in range(3)}
    assert len(spans) == 1
    (span,) = spans
    assert is_whole(list(span))
    assert service.world.now - span[-1] <= timedelta(hours=8, minutes=30)


def test_nothing_that_came_is_asked_for_again():
    service = Collecting()
    service.aws.instance("i-1")
    service.set_up(backfill_days=1)
    service.world.crash_after = 4  # lease, round, plan, spending, the file: it dies before it can note the file
    with pytest.raises(Crash):
        service.tick()
    assert len(service.files()) == 1
    paid = service.aws.metrics_paid
    service.wait(minutes=30)
    service.tick()
    assert service.aws.metrics_paid == paid
    service.wait(hours=24)
    service.tick()
    assert is_whole(moments(service.rows(), "i-1"))


def test_the_function_collects_with_what_the_template_tells_it(monkeypatch):
    service = Collecting(World(now=datetime.now(UTC)))
    service.aws.instance("i-1")
    service.set_up(backfill_days=1)
    service.set_up("wrong", dataset="Wrong")
    given = {"LEDGER_TABLE": "ledger", "TOPIC_ARN": "topic", "INGEST_BUCKET": "ingest", "REGION": "us-east-1"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    clients = {"s3": Bucket, "sns": Sns}

    def client(name, **_):
        return clients[name](service.world) if name in clients else service.aws.client(name)

    with (
        service.patches,
        mock.patch("boto3.client", client),
        mock.patch("boto3.resource", lambda *_, **__: service.world),
    ):
        collect._environment.cache_clear()
        context = LambdaContext()
        context.get_remaining_time_in_millis = lambda: 900_000  # type: ignore[attr-defined]
        assert collect.handler({}, context) == {"files": 1}  # type: ignore[arg-type]
        context.get_remaining_time_in_millis = lambda: 60_000  # type: ignore[attr-defined]
        assert collect.handler({}, context) == {"files": 0}  # type: ignore[arg-type]
    collect._environment.cache_clear()
    (letter,) = service.world.letters
    assert letter["Subject"] == "Headroom: settings of collector wrong cannot be used"
    assert letter["TopicArn"] == "topic"
    assert letter["MessageAttributes"]["outcome"]["StringValue"] == "collector"


# ---------------------------------------------------------------- what people are told


def test_a_source_that_is_down_is_told_of_once_and_only_if_it_stays_down():
    service = Collecting()
    service.aws.instance("i-1")
    service.set_up(backfill_days=1)
    service.aws.fails = {"DescribeInstances": ["UnauthorizedOperation"] * 6}
    for _ in range(2):
        service.tick()
    assert service.world.letters == []
    for _ in range(4):
        service.tick()
    (letter,) = service.world.letters
    assert "UnauthorizedOperation" in letter["Message"]
    assert "own-us-east-1-ec2" in letter["Message"]
    assert service.tick() == 1
    service.aws.fails = {"DescribeInstances": ["UnauthorizedOperation"] * 3}
    service.wait(hours=24)
    for _ in range(3):
        service.tick()
    assert len(service.world.letters) == 2, "it worked in between: that it fails again is news"


def test_an_account_that_refuses_does_not_hold_up_the_others():
    service = Collecting()
    service.aws.instance("i-1")
    role = "arn:aws:iam::210987654321:role/headroom"
    service.set_up(backfill_days=1, accounts=[{"role_arn": role, "external_id": "our-secret"}, {}])
    service.aws.fails = {"AssumeRole": ["AccessDenied"]}
    assert service.tick() == 1
    assert service.tick() == 1
    (request, again) = service.aws.requests("AssumeRole")
    assert request["RoleArn"] == role
    assert request["ExternalId"] == "our-secret"
    assert again == request


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"dataset": "Fleet"}, "dataset: 'Fleet' is not a valid dataset name"),
        ({"every_minute": 5}, "every_minute: not a key that a collector has"),
        ({"every_minutes": "often"}, "every_minutes: must be a valid integer"),
        ({"accounts": [{"role_arn": "headroom"}]}, "accounts.0.role_arn: must match pattern"),
        ({"accounts": [{}, {}]}, "accounts: account own is there twice"),
        ({"accounts": "own"}, "accounts: must be a valid array"),
        ({"source": "nagios"}, "the file: 'source' must be one of 'cloudwatch', 'prometheus', 'postgresql'"),
    ],
)
def test_settings_that_are_wrong_are_told_of_once_key_by_key(settings, told):
    service = Collecting()
    service.set_up(**settings)
    service.set_up("right", backfill_days=1)
    service.aws.instance("i-1")
    assert service.tick() == 1, "the others go on"
    service.tick()
    (letter,) = service.world.letters
    assert told in letter["Message"]
    assert "config/collectors/aws.json" in letter["Message"]
    service.set_up(backfill_days=1)
    assert service.tick() == 1


@pytest.mark.parametrize("body", [b"", b"{", b'{"a": 1, "a": 2}', b"[" * 100_000, b"\xff\xfe", b"[]", b" " * 300_000])
def test_a_file_of_settings_that_is_none_is_told_of(body):
    service = Collecting()
    service.world.put("ingest", "config/collectors/aws.json", body)
    assert service.tick() == 0
    assert len(service.world.letters) == 1


def test_a_file_of_settings_with_a_wrong_name_is_told_of():
    service = Collecting()
    service.world.put("ingest", "config/collectors/My Fleet.yaml", b"{}")
    service.world.put("ingest", "config/collectors/", b"")
    service.tick()
    (letter,) = service.world.letters
    assert "My Fleet.yaml" in letter["Message"]


def test_the_limit_of_a_month_is_kept_told_of_once_and_loses_nothing():
    service = Collecting()
    service.aws.instance("i-1")
    service.set_up(backfill_days=1, max_usd_per_month=0.00003)  # three metrics
    assert service.tick() == 1
    service.wait(hours=24)
    for _ in range(3):
        assert service.tick() == 0
    assert service.aws.metrics_paid == 3
    (letter,) = service.world.letters
    assert "max_usd_per_month" in letter["Message"]
    service.wait(days=16)  # another month
    assert service.tick() == 1
    assert is_whole(moments(service.rows(), "i-1"))


def test_a_limit_that_is_raised_is_heeded_at_once():
    service = Collecting()
    service.aws.instance("i-1")
    service.set_up(backfill_days=1, max_usd_per_month=0)
    assert service.tick() == 0
    service.set_up(backfill_days=1, max_usd_per_month=1)
    assert service.tick() == 1
