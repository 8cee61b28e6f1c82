"""Whatever happens in whatever order, and whichever function dies after whichever of its writes: no file is lost, none
is used twice, no dataset stays locked, and everybody is told."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tests.unit.functions.world import Crash, Execution, Version, World

pytestmark = pytest.mark.slow

# A write after which the function dies; most of the time none. Publish and PlanRun make some ten writes of their own.
CRASHES = st.one_of(st.none(), st.none(), st.integers(0, 14))
KEYS = ("a.csv", "b.csv", "c/d.csv", "poison.csv")


class Interleavings(RuleBasedStateMachine):
    """Files arrive, are overwritten and deleted; events are late, lost, doubled; runs fail and are redriven."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.world = World()
        self.stack.enter_context(self.world.alive())
        self.queue: list[tuple[str, Version]] = []
        self.changes: list[tuple[Execution, str, dict[str, Any]]] = []
        self.ended_badly: list[str] = []
        self.count = 0

    # ---- steps

    @rule(name=st.sampled_from(KEYS), event=st.sampled_from(["comes", "comes", "comes twice", "is lost"]))
    def a_file_is_dropped(self, name: str, event: str) -> None:
        self.drop(name, event)

    @rule(name=st.sampled_from(KEYS))
    def a_file_is_deleted(self, name: str) -> None:
        self.world.delete("ingest", f"incoming/demo/{name}")

    @precondition(lambda self: self.queue)
    @rule(data=st.data(), crash=CRASHES)
    def events_of_files_are_delivered(self, data: st.DataObject, crash: int | None) -> None:
        some = data.draw(st.lists(st.sampled_from(range(len(self.queue))), min_size=1, max_size=4, unique=True))
        batch = [self.queue[number] for number in some]
        if self.survives(lambda: self.world.arrive(*batch), crash):
            self.queue = [one for number, one in enumerate(self.queue) if number not in some]

    @precondition(lambda self: self.world.running())
    @rule(data=st.data(), crash=CRASHES)
    def a_run_goes_on(self, data: st.DataObject, crash: int | None) -> None:
        self.step(data.draw(st.sampled_from(self.world.running())), crash)

    @precondition(lambda self: self.world.running())
    @rule(data=st.data(), how=st.sampled_from(["a quota", "a role", "by hand"]))
    def a_run_ends_badly(self, data: st.DataObject, how: str) -> None:
        execution = data.draw(st.sampled_from(self.world.running()))
        if how == "by hand":
            self.end(execution, "ABORTED", cause="by hand")
        else:
            self.end(execution, "FAILED", cause=self.world.job_failed("ClientError: upload refused"))

    @precondition(lambda self: self.changes)
    @rule(data=st.data(), crash=CRASHES)
    def a_status_event_is_delivered(self, data: st.DataObject, crash: int | None) -> None:
        change = data.draw(st.sampled_from(self.changes))
        if self.survives(lambda: self.tell(change), crash):
            self.changes.remove(change)

    @precondition(lambda self: self.redrivable())
    @rule(data=st.data())
    def a_run_is_redriven(self, data: st.DataObject) -> None:
        execution = data.draw(st.sampled_from(self.redrivable()))
        self.world.redrive(execution)
        self.changes.append((execution, "RUNNING", {"redriveCount": execution.redrives}))

    @rule(minutes=st.sampled_from([1, 6, 61]), crash=CRASHES)
    def time_passes_and_the_sweep_comes(self, minutes: int, crash: int | None) -> None:
        self.world.now += timedelta(minutes=minutes)
        self.survives(self.world.sweep, crash)

    # ---- what they are made of

    def drop(self, name: str, event: str = "comes") -> None:
        self.count += 1
        version = self.world.drop(f"demo/{name}", f"{name} {self.count}".encode())
        self.queue += [(f"demo/{name}", version)] * {"comes": 1, "comes twice": 2, "is lost": 0}[event]

    def survives(self, function: Any, crash: int | None) -> bool:
        self.world.crash_after = crash
        try:
            function()
        except Crash:
            return False
        finally:
            self.world.crash_after = None
        return True

    def redrivable(self) -> list[Execution]:
        return [one for one in self.world.executions.values() if one.status in ("FAILED", "ABORTED")]

    def step(self, execution: Execution, crash: int | None = None) -> None:
        """One state of an execution. A function that dies fails it, as Step Functions does not try that again."""
        if execution.state == "PlanRun":
            try:
                alive = self.survives(lambda: self.world.plan(execution), crash)
                cause = '{"errorMessage": "RuntimeError"}'
            except Exception as error:
                alive, cause = False, json.dumps({"errorMessage": str(error)})
            if not alive:
                self.end(execution, "FAILED", cause=cause)
        elif execution.state == "Preprocess":
            files = self.world.manifest(execution.plan["run_id"])["files"]  # type: ignore[index]
            if any(file["file"] == "poison.csv" for file in files):
                self.end(execution, "FAILED", cause=self.world.job_failed("AlgorithmError: , exit code: 137"))
            else:
                self.world.jobs(execution)
        elif not self.survives(lambda: self.world.publish(execution), crash):
            self.end(execution, "FAILED", cause='{"errorMessage": "RuntimeError"}')

    def end(self, execution: Execution, status: str, **detail: Any) -> None:
        execution.status = status
        self.ended_badly.append(execution.name)
        self.changes.append((execution, status, detail | {"redriveCount": execution.redrives}))

    def tell(self, change: tuple[Execution, str, dict[str, Any]]) -> None:
        execution, status, detail = change
        self.world.tell_status(execution, status, **detail)

    # ---- what must be so once all that was on its way has arrived

    def settle(self) -> None:
        for _ in range(100):
            for change in list(self.changes):
                self.tell(change)
                self.changes.remove(change)
            if self.queue:
                self.world.arrive(*self.queue)
                self.queue = []
            self.world.now += timedelta(minutes=61)
            self.world.sweep()
            running = self.world.running()
            for execution in running:
                while execution.status == "RUNNING":
                    self.step(execution)
            if not (running or self.changes):
                return
        raise AssertionError("runs start one another without end")

    def teardown(self) -> None:
        try:
            self.check()
        finally:
            self.stack.close()

    def check(self) -> None:
        world = self.world
        self.settle()
        assert world.ledger.state("demo").running is None, "the lock is free"
        for number in range(6):  # files that came later take along what waited, and in the end go on without the poison
            self.drop(f"later-{number}.csv")
            self.settle()
        chain = [world.manifest(run) for run in world.chain()]
        used = [(file["key"], file["version"]) for manifest in chain for file in manifest["files"]]
        assert len(set(used)) == len(used), "no file is used twice in the published chain"
        closed = [item for manifest in chain for item in manifest["ledger_items"]]
        assert len(set(closed)) == len(closed), "no entry of the ledger is closed twice"
        aside = {one.file.key for one in world.ledger.aside("demo")}
        for key, versions in world.buckets["ingest"].items():
            if versions[-1].body is not None and key not in aside:
                assert (key, versions[-1].id) in used, f"{key} is lost"
        assert world.ledger.waiting("demo") == []
        assert world.ledger.state("demo").running is None
        marked = [key.split("/")[2] for key in world.buckets["artifacts"] if key.endswith("/published.json")]
        assert set(marked) <= set(world.chain()), "what is marked as published is in the chain"
        told = "\n".join(letter["Message"] for letter in world.letters)
        for key in aside:  # with the poison go the files that were in its runs: nobody can know which one it was
            assert f"{key!r}: 3 runs with it failed" in told
        for name in self.ended_badly:
            assert f"Run {name} of dataset demo" in told, f"nobody was told of {name}"
        for execution in world.executions.values():
            if execution.status == "SUCCEEDED":
                assert execution.name in {letter.get("of") for letter in world.letters}


Interleavings.TestCase.settings = settings(
    max_examples=int(os.environ.get("INTERLEAVINGS", "25")),
    stateful_step_count=30,
    suppress_health_check=list(HealthCheck),
)
TestWhateverTheInterleaving = Interleavings.TestCase
