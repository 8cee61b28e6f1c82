"""The ledger keeps files and runs straight, whatever happens in between."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from moto import mock_aws

from ledger import File, Ledger
from locks import start_if_idle, take_lock
from tests.unit.conftest import a_file, create_ledger_table

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MACHINE = "arn:aws:states:x:1:stateMachine:m"


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


class Executions:
    """Step Functions as the ledger sees it: executions that start, run, and end."""

    def __init__(self) -> None:
        self.status: dict[str, str] = {}

    def start_execution(self, stateMachineArn: str, name: str, input: str) -> None:
        self.status[name] = "RUNNING"

    def describe_execution(self, executionArn: str) -> dict[str, str]:
        return {"status": self.status[executionArn.rpartition(":")[2]]}


class Interleavings(RuleBasedStateMachine):
    """Files arrive, runs are planned, published, fail and are redriven, each step on its own, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.moto = mock_aws()
        self.moto.start()
        self.table = create_ledger_table()
        self.ledger, self.executions = Ledger(self.table), Executions()
        self.dropped: list[File] = []
        self.to_start = 0
        self.plans: dict[str, tuple[str | None, list[File]]] = {}
        self.failed_before_plan = False
        self.order: list[str | None] = [None]
        self.clock = 0

    def teardown(self) -> None:
        # However it went, once every step that is due has been taken, no file is left behind but those of
        # failed runs (also of those that failed before they were planned): they wait for a redrive or the next file.
        while self.to_start or self.running():
            while self.to_start:
                self.ingest_tries_the_lock()
            for name in self.running():
                if name not in self.plans:
                    self.plan_one(name)
                if self.executions.status[name] == "RUNNING":
                    self.publish_one(name)
        assert not self.ledger.has_unplanned("demo") or self.failed_before_plan
        waiting = {file.item for file in self.ledger.waiting("demo")}
        published = {file.item for name in self.order if name for file in self.plans[name][1]}
        assert waiting | published == {file.item for file in self.dropped}
        assert self.ledger.state("demo").running is None
        self.moto.stop()

    def now(self) -> datetime:
        self.clock += 1
        return datetime.fromtimestamp(1_750_000_000 + self.clock, UTC)

    def start(self) -> None:
        start_if_idle(self.ledger, self.executions, MACHINE, "demo", self.now())

    def takes_lock(self, name: str) -> bool:
        return take_lock(self.ledger, self.executions, MACHINE, "demo", name, self.now())

    def running(self) -> list[str]:
        return [name for name, status in self.executions.status.items() if status == "RUNNING"]

    def unplanned(self) -> list[str]:
        return [name for name in self.running() if name not in self.plans]

    def planned(self) -> list[str]:
        return [name for name in self.running() if name in self.plans]

    def failed(self) -> list[str]:
        return [name for name, status in self.executions.status.items() if status == "FAILED" and name in self.plans]

    @rule()
    def a_file_is_written_down(self) -> None:
        file = a_file(f"incoming/demo/{len(self.dropped)}.csv", time=f"2026-01-01T00:00:{self.clock % 60:02d}Z")
        self.dropped.append(file)
        self.ledger.record("demo", file)
        self.to_start += 1

    @precondition(lambda self: self.to_start)
    @rule()
    def ingest_tries_the_lock(self) -> None:
        self.to_start -= 1
        self.start()

    @precondition(lambda self: self.unplanned())
    @rule(data=st.data())
    def a_run_is_planned(self, data: st.DataObject) -> None:
        self.plan_one(data.draw(st.sampled_from(self.unplanned())))

    def plan_one(self, name: str) -> None:
        if not self.takes_lock(name):
            self.executions.status[name] = "FAILED"
            return
        files = self.ledger.waiting("demo")
        self.ledger.plan("demo", files, name)
        self.plans[name] = (self.ledger.state("demo").current_run, files)
        self.failed_before_plan = False

    @precondition(lambda self: self.planned())
    @rule(data=st.data())
    def a_run_is_published(self, data: st.DataObject) -> None:
        self.publish_one(data.draw(st.sampled_from(self.planned())))

    def publish_one(self, name: str, looks_again: bool = True) -> None:
        base, files = self.plans[name]
        if self.ledger.publish("demo", name, base, False):
            assert self.order[-1] in (base, name), "a run is published only on top of the run it started from"
            if name != self.order[-1]:
                self.order.append(name)
            self.ledger.close("demo", [file.item for file in files], name, self.now())
        self.ledger.unlock("demo", name)
        if looks_again:
            self.start()
            self.executions.status[name] = "SUCCEEDED"

    @precondition(lambda self: self.running())
    @rule(data=st.data())
    def a_run_fails(self, data: st.DataObject) -> None:
        self.fail(data.draw(st.sampled_from(self.running())))

    def fail(self, name: str) -> None:
        self.executions.status[name] = "FAILED"
        self.ledger.unlock("demo", name)
        if name not in self.plans:
            self.failed_before_plan = True
        elif self.ledger.has_unplanned("demo"):
            self.start()

    @precondition(lambda self: self.planned())
    @rule(data=st.data())
    def a_run_dies_between_giving_up_the_lock_and_looking_again(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.planned()))
        self.publish_one(name, looks_again=False)
        self.fail(name)

    @precondition(lambda self: self.failed())
    @rule(data=st.data())
    def a_failed_run_is_redriven(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.failed()))
        self.executions.status[name] = "RUNNING"
        self.takes_lock(name)


Interleavings.TestCase.settings = settings(
    max_examples=6, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestWhateverTheInterleaving = Interleavings.TestCase
