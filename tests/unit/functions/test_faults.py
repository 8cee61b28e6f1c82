"""Faults, one by one: what was broken, what happens, and what people are told."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest

import failures
import job_code
import planning
from dataset_settings import whole_number
from ledger import File
from notification import LONGEST_TEXT, text
from tests.unit.functions.test_models import version
from tests.unit.functions.world import MACHINE, Crash, Execution, World, a_file


@pytest.fixture
def world():
    with World().alive() as world:
        yield world


def drop(world: World, *names: str) -> None:
    """Files are dropped into the dataset demo together."""
    world.arrive(*[(f"demo/{name}", world.drop(f"demo/{name}", name.encode())) for name in names])


def started(world: World) -> Execution:
    [execution] = world.running()
    return execution


def fails_in_job(world: World, execution: Execution, reason: str = "AlgorithmError: , exit code: 137") -> str:
    """The run fails in Preprocess; the notification of it."""
    world.plan(execution)
    world.fail(execution, cause=world.job_failed(reason, ""))
    return world.letters[-1]["Message"]


def files_of(world: World, execution: Execution) -> list[str]:
    return [file["file"] for file in world.manifest((execution.plan or {})["run_id"])["files"]]


# ---------------------------------------------------------------- F2: a file that breaks its run again and again


def test_a_file_that_breaks_its_run_three_times_is_set_aside_and_the_dataset_goes_on(world: World) -> None:
    drop(world, "poison.csv")
    for number in range(3):
        mail = fails_in_job(world, started(world))
        if number < 2:
            assert "Set aside" not in mail
            drop(world, f"good-{number}.csv")
    assert "'incoming/demo/poison.csv': 3 runs with it failed; the last one: out of memory" in mail
    assert "'incoming/demo/good-1.csv'" in mail, "the newest files are named"
    world.run(started(world))
    assert set(files_of(world, list(world.executions.values())[-1])) == {"good-0.csv", "good-1.csv"}
    assert "Set aside until you put them back: 1 file." in world.letters[-1]["Message"]


def test_what_was_set_aside_is_listed_and_put_back_by_the_command_of_the_mail(world: World) -> None:
    drop(world, "poison.csv")
    for number in range(3):
        mail = fails_in_job(world, started(world))
        if number < 2:
            drop(world, f"good-{number}.csv")
    world.run(started(world))
    assert "\n  headroom put-back demo\n" in mail
    [payload] = re.findall(r"lambda invoke --function-name headroom-sweep .*--payload '(.*?)'", mail)
    listed = world.sweep(do="list", dataset="demo")
    assert [file["key"] for file in listed["files"]] == ["incoming/demo/poison.csv"]
    answer = world.sweep(**json.loads(payload))
    assert answer["put_back"] == 1
    assert answer["started"] == started(world).name
    world.run(started(world))
    assert world.ledger.aside("demo") == []
    assert world.ledger.waiting("demo") == []


def test_a_file_alone_is_not_set_aside_as_nothing_would_go_on_without_it(world: World) -> None:
    drop(world, "poison.csv")
    execution = started(world)
    for _ in range(5):
        fails_in_job(world, execution)
        world.redrive(execution)
    assert world.ledger.aside("demo") == []


@pytest.mark.parametrize(
    "cause",
    [
        {"FailureReason": "CapacityError: Unable to provision requested ML compute capacity."},
        {"FailureReason": "InternalServerError: We encountered an internal error. Please try again."},
        {"FailureReason": "ClientError: Failed to upload output", "ExitMessage": '{"servers": 3}'},
        {
            "FailureReason": "AlgorithmError: x",
            "ExitMessage": "The job's libraries could not be installed",
        },
    ],
)
def test_what_no_file_is_to_blame_for_counts_on_no_file(world: World, cause: dict[str, str]) -> None:
    drop(world, "a.csv")
    job = {"ProcessingJobName": "headroom-demo-preprocess-1", "ProcessingJobStatus": "Failed"} | cause
    for number in range(4):
        execution = started(world)
        world.plan(execution)
        world.fail(execution, cause=json.dumps(job))
        drop(world, f"later-{number}.csv")
    world.run(started(world))
    assert len(files_of(world, list(world.executions.values())[-1])) == 5


def test_an_event_of_a_failure_that_comes_twice_counts_once(world: World) -> None:
    drop(world, "a.csv")
    execution = started(world)
    for _ in range(5):
        fails_in_job(world, execution)
    [file] = world.ledger.waiting("demo")
    assert file.failures == 1


@pytest.mark.parametrize(
    ("refuses", "why"),
    [
        (("InvalidObjectState", {"StorageClass": "GLACIER"}), r"it is archived \(GLACIER\)"),
        (("InvalidObjectState", {}), "it is archived"),
        (("AccessDenied", {}), "encrypted with a KMS key that this stack may not use"),
        (("KMS.DisabledException", {}), "encrypted with a KMS key"),
        (("InvalidRequest", {}), "SSE-C"),
    ],
)
def test_a_file_that_no_job_could_read_is_set_aside_by_planrun_and_the_rest_goes_on(
    world: World, refuses: Any, why: str
) -> None:
    bad = world.drop("demo/bad.csv", b"x", refuses)
    good = world.drop("demo/good.csv")
    world.arrive(("demo/bad.csv", bad), ("demo/good.csv", good))
    execution = started(world)
    told = world.run(execution)
    assert files_of(world, execution) == ["good.csv"]
    assert re.search(why, told["message"])
    [aside] = world.ledger.aside("demo")
    assert (aside.file.key, aside.by) == ("incoming/demo/bad.csv", execution.name)
    assert re.search(why, aside.reason)


def test_a_service_that_is_out_of_order_sets_no_file_aside(world: World) -> None:
    drop(world, "a.csv")
    world.fails["GetObject"] = "SlowDown"
    with pytest.raises(Exception, match="SlowDown"):
        world.plan(started(world))
    assert world.ledger.aside("demo") == []


def test_where_no_file_can_be_read_the_run_says_so_at_once_and_sets_none_aside(
    world: World,
) -> None:
    """It may be a permission that is missing: then every file would be set aside."""
    bad = world.drop("demo/bad.csv", b"x", ("AccessDenied", {}))
    world.arrive(("demo/bad.csv", bad))
    execution = started(world)
    with pytest.raises(planning.CannotPlan, match=r"none of the 1 waiting files can be read: 'incoming") as e:
        world.plan(execution)
    world.fail(execution, cause=json.dumps({"errorType": "CannotPlan", "errorMessage": str(e.value)}))
    assert "encrypted with a KMS key" in world.letters[-1]["Message"]
    assert world.ledger.aside("demo") == []
    assert world.sweep()["started"] == [], "nothing is tried again for nothing"
    world.buckets["ingest"]["incoming/demo/bad.csv"][-1].refuses = None  # the permission is given
    drop(world, "good.csv")
    world.run(started(world))
    assert world.ledger.waiting("demo") == []


def test_a_file_and_a_folder_of_one_name_are_not_given_to_a_job(world: World) -> None:
    drop(world, "a.csv", "a.csv/b.csv", "c.csv")
    execution = started(world)
    told = world.run(execution)
    assert files_of(world, execution) == ["a.csv", "c.csv"]
    assert "'a.csv' is a file and a folder at once: rename one of them" in told["message"]


# ---------------------------------------------------------------- F3: a large backlog


def backlog(world: World, count: int, size: int = 1) -> None:
    """Files that wait, in the bucket and in the ledger."""
    for number in range(count):
        version = world.drop(f"demo/{number:05d}.csv")
        file = a_file(f"{number:05d}.csv", version)
        world.ledger.record("demo", File(file.key, file.version, size, file.etag, file.time, file.sequencer))


def test_a_backlog_is_worked_off_in_bounded_runs_in_order_of_arrival() -> None:
    with World().alive(MOST_FILES_PER_RUN="40") as world:
        backlog(world, 100)
        assert len(world.sweep()["started"]) == 0, "a dataset is known from its first file on"
        drop(world, "last.csv")
        taken = []
        while running := world.running():
            world.run(running[0])
            taken.append(files_of(world, running[0]))
        assert [len(files) for files in taken] == [40, 40, 21]
        assert [file for files in taken for file in files] == [f"{number:05d}.csv" for number in range(100)] + [
            "last.csv"
        ]


def test_a_run_takes_no_more_than_its_volume_has_room_for(world: World) -> None:
    backlog(world, 5, size=6 * 10**9)
    drop(world, "last.csv")
    execution = started(world)
    world.plan(execution)
    assert len(files_of(world, execution)) == 2, "half of 30 GB"


def test_one_file_larger_than_that_is_taken_all_the_same(world: World) -> None:
    backlog(world, 2, size=19 * 10**9)
    drop(world, "last.csv")
    world.plan(started(world))
    assert files_of(world, started(world)) == ["00000.csv"]


def test_a_plan_looks_at_the_files_that_wait_and_not_at_all_that_ever_came(world: World) -> None:
    for number in range(3_000):
        world.drop(f"demo/old-{number}.csv")
    drop(world, "new.csv")
    world.calls.clear()
    world.plan(started(world))
    assert world.calls["ListObjectsV2"] < 5
    assert world.calls["GetObject"] < 5


def test_a_plan_that_died_goes_on_where_it_stopped(world: World) -> None:
    backlog(world, 200)
    drop(world, "last.csv")
    world.crash_after = 120
    with pytest.raises(Crash):
        world.plan(started(world))
    marked = sum(file.planned is not None for file in world.ledger.waiting("demo"))
    assert marked >= 100
    world.calls.clear()
    world.plan(started(world))
    assert world.calls["UpdateItem"] <= 201 - marked + 5, "what is marked is not marked again"


# ---------------------------------------------------------------- F4: the silent orphan


@pytest.mark.parametrize("writes", range(12))
def test_wherever_publish_dies_its_retry_starts_the_same_next_run(world: World, writes: int) -> None:
    drop(world, "a.csv")
    execution = started(world)
    world.plan(execution)
    world.jobs(execution)
    drop(world, "late.csv")
    world.crash_after = writes
    try:
        world.publish(execution)
    except Crash:
        world.publish(execution)  # Step Functions tries again at once
    world.crash_after = None
    [following] = world.running()
    assert following.name == world.ledger.state("demo").running
    assert following.name in world.letters[-1]["Message"]
    world.run(following)
    assert world.running() == []
    assert world.ledger.waiting("demo") == []
    assert len(world.chain()) == 2


def test_a_redrive_of_publish_follows_its_run_again_where_files_wait_again(world: World) -> None:
    drop(world, "a.csv")
    execution = started(world)
    world.plan(execution)
    world.jobs(execution)
    drop(world, "b.csv")
    world.publish(execution)
    [first] = world.running()
    world.run(first)
    version = world.drop("demo/c.csv")
    world.ledger.record("demo", a_file("c.csv", version))  # by an ingest that died before it looked at the lock
    world.publish(execution)
    [second] = world.running()
    assert second.name != first.name
    world.run(second)
    assert world.ledger.waiting("demo") == []


# ---------------------------------------------------------------- F5, F6: mails say what is so


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        (
            {"FailureReason": "ClientError: Failed to upload output: AccessDenied", "ExitMessage": '{"servers": 12}'},
            "ClientError: Failed to upload output: AccessDenied",
        ),
        ({"FailureReason": "AlgorithmError: , exit code: 1", "ExitMessage": "no such column"}, "no such column"),
        (
            {"FailureReason": "AlgorithmError: no such column, exit code: 1"},
            "AlgorithmError: no such column, exit code: 1",
        ),
        ({"FailureReason": "AlgorithmError: , exit code: 137"}, "out of memory: the job was killed (exit code 137)."),
        ({"ExitMessage": "no such column"}, "no such column"),
    ],
)
def test_the_reason_is_the_one_that_is_so(world: World, job: dict[str, str], reason: str) -> None:
    drop(world, "a.csv")
    execution = started(world)
    world.plan(execution)
    described = {"ProcessingJobName": "headroom-demo-assess-1", "ProcessingJobStatus": "Failed"} | job
    world.fail(execution, cause=json.dumps(described))
    assert f"\nReason: {reason}" in world.letters[-1]["Message"]
    assert "servers" not in world.letters[-1]["Message"].split("Reason: ")[1].splitlines()[0]


@pytest.mark.parametrize(
    ("folder", "told"),
    [
        ("code/5e1f", "the job code that this run was planned with was deleted: start a new run, which brings its own"),
        ("runs/demo/20260101T000000Z-5e1f/model", "the model was deleted: start a new run, which trains another"),
        ("runs/demo/20260101T000000Z-5e1f/panel", "a panel was deleted: start a new run, which builds on it"),
    ],
)
def test_what_was_deleted_before_a_redrive_is_named_with_what_to_do_and_counts_on_no_file(
    world: World, folder: str, told: str
) -> None:
    drop(world, "a.csv")
    execution = started(world)
    world.plan(execution)
    missing = f'No S3 objects found under S3 URL "s3://artifacts/{folder}/" given in input data source.'
    for _ in range(4):
        world.fail(execution, cause=world.job_failed(f"ClientError: Data download failed:{missing}", ""))
        world.redrive(execution)
    mail = world.letters[-1]["Message"]
    assert f"Reason: {told}" in mail
    assert missing in mail
    [given] = re.findall(r"start-execution --state-machine-arn \S+ --input '(.*?)'", mail)
    [file] = world.ledger.waiting("demo")
    assert file.failures == 0
    execution.status = "FAILED"
    world.executions["by-hand"] = Execution("by-hand", given)
    world.run(world.executions["by-hand"])
    assert world.ledger.waiting("demo") == []


@pytest.mark.parametrize("state", ["PlanRun", "Preprocess"])
def test_after_the_fourteen_days_of_a_redrive_the_mails_other_command_takes_the_files(world: World, state: str) -> None:
    drop(world, "a.csv")
    old = started(world)
    if state == "Preprocess":
        world.plan(old)
    world.fail(old, cause=world.job_failed("ClientError: quota"))
    later = timedelta(days=15)  # the laptop cloud refuses the redrive now: test_stepfunctions
    world.now += later
    assert world.sweep()["started"] == [], "what the files are not to blame for is not tried again by itself"
    mail = world.letters[0]["Message"]
    [given] = re.findall(r"start-execution --state-machine-arn \S+ --input '(.*?)'", mail)
    world.executions["by-hand"] = Execution("by-hand", given)
    world.run(world.executions["by-hand"])
    assert files_of(world, world.executions["by-hand"]) == ["a.csv"]
    assert world.ledger.waiting("demo") == []
    assert world.ledger.state("demo").running is None


def test_a_job_that_ran_too_long_is_told_from_one_that_was_stopped_by_hand() -> None:
    job = {
        "ProcessingJobName": "j",
        "ProcessingJobStatus": "Stopped",
        "StoppingCondition": {"MaxRuntimeInSeconds": 10800},
    }
    long = job | {"ProcessingStartTime": 0, "ProcessingEndTime": 10_801_000}
    short = job | {"ProcessingStartTime": 0, "ProcessingEndTime": 60_000}
    reason, by_data = failures.reason_of_job(long, "Processing", "e", "Preprocess")
    assert (reason, by_data) == ("the job was stopped because it ran longer than 3 hours", True)
    assert failures.reason_of_job(short, "Processing", "e", "Preprocess")[1] is False


KEPT, PUBLISHED = "The results of the last good run stay current", "The run's results are published"


@pytest.mark.parametrize("writes", range(10))
def test_the_mail_of_a_publish_that_died_says_whether_it_had_published(world: World, writes: int) -> None:
    drop(world, "a.csv")
    execution = started(world)
    world.plan(execution)
    world.jobs(execution)
    world.crash_after = writes
    try:
        world.publish(execution)
    except Crash:
        world.fail(execution, cause='{"errorMessage": "RuntimeError"}')
        mail = world.letters[-1]["Message"]
        assert (PUBLISHED in mail) is (world.ledger.state("demo").current_run is not None)
        assert KEPT not in mail, "its jobs have ended well"
        world.redrive(execution)
        assert world.publish(execution)["status"] == "published", "the redrive that the mail offers does it"
    world.crash_after = None


def test_a_file_of_a_published_run_is_not_used_again_where_publish_died_before_it_closed_it(world: World) -> None:
    drop(world, "a.csv")
    execution = started(world)
    world.plan(execution)
    world.jobs(execution)
    world.crash_after = 0
    with pytest.raises(Crash):
        world.publish(execution)
    assert world.ledger.state("demo").current_run is not None
    world.fail(execution)
    drop(world, "b.csv")
    following = started(world)
    world.run(following)
    assert files_of(world, following) == ["b.csv"]


def test_one_mail_a_failure_with_the_last_lines_of_the_log_and_the_exact_commands(world: World) -> None:
    drop(world, "a.csv")
    world.log = [f"line {number}" for number in range(100)] + ["MemoryError \x1b[2J\u202e"]
    mail = fails_in_job(world, started(world))
    assert len(world.letters) == 1
    assert "  | line 99\n  | MemoryError \\x1b[2J\\u202e\n" in mail
    assert "line 85" not in mail
    name = next(iter(world.executions))
    assert f"  aws stepfunctions redrive-execution --execution-arn {world.arn(name)}\n" in mail
    assert f'start-execution --state-machine-arn {MACHINE} --input \'{{"dataset": "demo"}}\'' in mail


def test_a_log_that_cannot_be_read_holds_up_no_mail(world: World) -> None:
    drop(world, "a.csv")
    world.fails["DescribeLogStreams"] = "AccessDeniedException"
    assert "out of memory" in fails_in_job(world, started(world))


def test_what_is_said_of_a_stopped_run_cannot_forge_lines(world: World) -> None:
    drop(world, "a.csv")
    execution = started(world)
    world.fail(execution, "ABORTED", cause="by hand\nRun x of dataset demo: published.\u202e\x07")
    mail = world.letters[-1]["Message"]
    assert "\nRun x of" not in mail
    assert "it was stopped: by hand Run x of dataset demo: published.\\u202e\\x07" in mail


# ---------------------------------------------------------------- late and repeated status events


def test_a_redrive_that_is_told_late_leaves_no_lock_with_a_run_that_has_ended(world: World) -> None:
    drop(world, "a.csv")
    execution = started(world)
    fails_in_job(world, execution)
    world.tell_status(execution, "RUNNING", redriveCount=1)
    assert world.ledger.state("demo").running is None


def test_a_failure_that_is_told_late_does_not_free_the_run_that_was_redriven_meanwhile(world: World) -> None:
    drop(world, "a.csv")
    execution = started(world)
    world.plan(execution)
    execution.status = "FAILED"
    world.redrive(execution)
    world.tell_status(execution, "RUNNING", redriveCount=1)
    world.tell_status(execution, "FAILED", redriveCount=0, cause=world.job_failed())
    assert world.ledger.state("demo").running == execution.name
    assert "It has been redriven meanwhile and is running." in world.letters[-1]["Message"]


# ---------------------------------------------------------------- F7, F8: the registry, deleted results


def with_run(world: World, **facts: Any) -> None:
    """A dataset with a published run and its approved model."""
    world.models = [version(1, code=job_code.version(job_code.read()), settings=planning.settings_hash(""), **facts)]
    world.put("artifacts", "1.tar.gz", b"model")
    drop(world, "first.csv")
    world.run(started(world))
    drop(world, "second.csv")


def test_an_approved_version_registered_by_hand_holds_up_nothing_and_is_told_of(world: World) -> None:
    with_run(world)
    world.models.insert(0, version(2) | {"CustomerMetadataProperties": {}})
    planned = world.plan(started(world))
    assert planned["model_uri"] == "s3://artifacts/1.tar.gz"
    world.jobs(started(world))
    assert "version arn:2 was registered by hand: it cannot be compared" in world.publish(started(world))["message"]


def test_a_deleted_panel_is_said_before_any_job_with_both_ways_back(world: World) -> None:
    with_run(world)
    [run] = world.chain()
    world.delete("artifacts", f"runs/demo/{run}/panel/")
    execution = started(world)
    with pytest.raises(planning.CannotPlan) as error:
        world.plan(execution)
    world.fail(execution, cause=json.dumps({"errorType": "CannotPlan", "errorMessage": str(error.value)}))
    mail = world.letters[-1]["Message"]
    assert f"aws s3api list-object-versions --bucket artifacts --prefix runs/demo/{run}/panel/ --query" in mail
    [payload] = re.findall(r"lambda invoke .*--payload '(.*?)'", mail)
    answer = world.sweep(**json.loads(payload))
    assert answer["files"] == 2
    anew = started(world)
    world.run(anew)
    assert sorted(files_of(world, anew)) == ["first.csv", "second.csv"]
    assert world.chain() == [(anew.plan or {})["run_id"]], "it builds on nothing"


def test_to_begin_anew_waits_for_a_run_that_is_under_way(world: World) -> None:
    with_run(world)
    with pytest.raises(Exception, match="has a run"):
        world.sweep(do="start_over", dataset="demo")
    assert len(world.chain()) == 1


def test_a_deleted_model_is_made_anew_and_the_mail_says_why(world: World) -> None:
    with_run(world)
    world.delete("artifacts", "1.tar.gz")
    execution = started(world)
    told = world.run(execution)
    assert "trained (the approved model's file is gone (s3://artifacts/1.tar.gz))" in told["message"]


def test_scoring_with_a_deleted_model_says_how_to_bring_it_back(world: World) -> None:
    with_run(world)
    world.delete("artifacts", "1.tar.gz")
    world.executions["by-hand"] = by_hand = Execution("by-hand", '{"dataset": "demo", "mode": "score"}')
    world.executions.pop(next(one.name for one in world.running() if one is not by_hand))
    world.now += timedelta(minutes=10)
    with pytest.raises(planning.CannotPlan, match=r"list-object-versions --bucket artifacts --prefix 1\.tar\.gz"):
        world.plan(by_hand)


def test_a_deleted_assessment_is_compared_with_nothing(world: World) -> None:
    with_run(world)
    [run] = world.chain()
    world.delete("artifacts", f"runs/demo/{run}/assessment/")
    planned = world.plan(started(world))
    assert planned["previous_assessment_uri"] == f"{planned['run_uri']}/manifest.json"


def test_a_file_that_is_overwritten_while_its_run_goes_on_is_said_to_be(world: World) -> None:
    drop(world, "a.csv")
    execution = started(world)
    world.plan(execution)
    world.jobs(execution)
    drop(world, "a.csv")
    mail = world.publish(execution)["message"]
    assert "overwritten while the run was under way: 'incoming/demo/a.csv'" in mail


def test_a_file_that_was_overwritten_before_its_run_is_read_once_under_the_version_that_is_there(world: World) -> None:
    drop(world, "a.csv", "b.csv")
    newer = world.drop("demo/a.csv", b"corrected")  # its event has not come yet
    first = started(world)
    world.run(first)
    assert files_of(world, first) == ["b.csv"]
    world.arrive(("demo/a.csv", newer))
    second = started(world)
    world.run(second)
    assert [file["version"] for file in world.manifest(world.chain()[0])["files"]] == [newer.id]


# ---------------------------------------------------------------- F9, F10: what does not fit


def test_no_notification_is_larger_than_sns_takes(world: World) -> None:
    names = [f"demo/{chr(0x202E) * 300}{number}.csv" for number in range(60)]
    world.arrive(*[(name, world.drop(name)) for name in names])  # the world holds every letter to 256 KiB
    assert "60 files refused" in world.letters[-1]["Subject"]
    assert chr(0x202E) not in world.letters[-1]["Message"]


def test_a_text_is_cut_and_its_commands_stay() -> None:
    told = text([f"line {number} {'x' * 3_000}" for number in range(100)], ["  aws do this"])
    assert len(told.encode()) <= LONGEST_TEXT
    assert told.endswith("did not fit into a notification)\n  aws do this")
    assert json.loads(json.dumps({"default": told}))["default"] == told


def test_the_longest_key_has_an_entry_in_the_ledger(world: World) -> None:
    folders = "/".join(["f" * 200] * 4)
    name = f"{folders}/{'x' * (1024 - len(f'incoming/demo/{folders}/') - 4)}.csv"
    assert len(f"incoming/demo/{name}") == 1024
    drop(world, name)
    execution = started(world)
    world.run(execution)
    assert files_of(world, execution) == [name]
    assert all(len(item.encode()) <= 1024 for _, item in world.items)


# ---------------------------------------------------------------- aws.md 12: what a run costs, how many there are


def test_files_gather_for_as_long_as_the_stack_says_and_then_start_by_themselves() -> None:
    with World().alive(MINUTES_BETWEEN_RUNS="60") as world:
        drop(world, "a.csv")
        world.run(started(world))
        for number in range(11):  # an export every five minutes
            world.now += timedelta(minutes=5)
            drop(world, f"{number}.csv")
            assert world.sweep()["started"] == []
        assert world.running() == []
        world.now += timedelta(minutes=6)
        [name] = world.sweep()["started"]
        world.run(world.executions[name])
        assert len(files_of(world, world.executions[name])) == 11


def test_a_run_that_ends_before_its_time_says_when_the_next_starts_and_how_to_start_it_now() -> None:
    with World().alive(MINUTES_BETWEEN_RUNS="60") as world:
        drop(world, "a.csv")
        execution = started(world)
        world.plan(execution)
        world.jobs(execution)
        drop(world, "b.csv")
        mail = json.loads(world.publish(execution)["message"])["default"]
        assert "1 file wait for the next run, which starts by itself at 01:00 UTC" in mail
        assert f'start-execution --state-machine-arn {MACHINE} --input \'{{"dataset": "demo"}}\'' in mail
        world.executions["by-hand"] = Execution("by-hand", '{"dataset": "demo"}')
        world.run(started(world))
        assert world.ledger.waiting("demo") == []


def test_a_dataset_can_ask_for_another_time_between_its_runs() -> None:
    with World().alive(MINUTES_BETWEEN_RUNS="60") as world:
        world.put("ingest", "config/demo.yaml", b"horizon: 30\nminutes_between_runs: 5  # we are quick\n")
        drop(world, "a.csv")
        world.run(started(world))
        world.now += timedelta(minutes=6)
        drop(world, "b.csv")
        started(world)


@pytest.mark.parametrize(
    ("config", "minutes"),
    [
        ("minutes_between_runs: 30\n", 30),
        ("minutes_between_runs: 30 # half an hour\r\nhorizon: 3\n", 30),
        ("horizon: 3", None),
        ("minutes_between_runs: often\n", None),
        ("thresholds:\n  minutes_between_runs: 30\n", None),
        ("# minutes_between_runs: 30\n", None),
        ("", None),
    ],
)
def test_the_time_between_runs_is_read_as_the_jobs_read_it(config: str, minutes: int | None) -> None:
    from headroom.core import settings

    assert whole_number(config, "minutes_between_runs") == minutes
    if minutes is not None:
        assert settings.parse(config).minutes_between_runs == minutes


def test_no_more_datasets_than_allowed_and_the_refusal_says_so() -> None:
    with World().alive(MOST_DATASETS="2") as world:
        for name in ("one", "two", "three", "one"):
            world.arrive((f"{name}/{name}.csv", world.drop(f"{name}/{name}.csv")))
        assert world.ledger.datasets() == ["one", "two"]
        [letter] = world.letters
        assert "it would begin the new dataset 'three', and there are 2 already" in letter["Message"]


def test_a_year_of_folders_by_date_starts_no_run(world: World) -> None:
    keys = [f"2026-{month:02d}-{day:02d}/web.csv" for month in range(1, 13) for day in range(1, 29)]
    world.arrive(*[(key, world.drop(key)) for key in keys])
    assert world.running() == []
    [letter] = world.letters
    assert "336 files refused" in letter["Subject"]


def test_datasets_beyond_the_limit_of_parallel_runs_start_as_others_end() -> None:
    with World().alive(PARALLEL_RUNS="2") as world:
        for name in ("one", "two", "three", "four"):
            world.arrive((f"{name}/a.csv", world.drop(f"{name}/a.csv")))
        assert len(world.running()) == 2
        done = []
        while running := world.running():
            assert len(running) <= 2
            world.run(running[0])
            done.append(json.loads(running[0].input)["dataset"])
        assert sorted(done) == ["four", "one", "three", "two"]


def test_a_run_that_would_cost_too_much_is_refused_with_the_estimate_and_can_be_run_all_the_same() -> None:
    with World().alive(MOST_USD_PER_RUN="0.01") as world:
        drop(world, "a.csv")
        execution = started(world)
        with pytest.raises(
            planning.CannotPlan, match=r"would cost about 0\.05 USD .* may cost at most 0\.01 USD"
        ) as error:
            world.plan(execution)
        world.fail(execution, cause=json.dumps({"errorMessage": str(error.value)}))
        assert world.running() == []
        assert world.sweep()["started"] == [], "it is not tried again by itself"
        [given] = re.findall(r"start-execution --state-machine-arn \S+ --input '(.*?)'$", str(error.value))
        world.executions["by-hand"] = Execution("by-hand", given)
        world.run(started(world))
        assert len(world.chain()) == 1


def test_where_no_price_is_known_the_estimate_is_unknown_and_refuses_nothing() -> None:
    with World().alive(MOST_USD_PER_RUN="0.01", REGION="eu-north-1") as world:
        drop(world, "a.csv")
        world.run(started(world))
        told = world.letters[-1]["Message"]
        assert "no price is known here for ml.m5.xlarge in eu-north-1, so that MaxRunCostUsd refuses nothing" in told
        assert "InstancePricesUsd to ml.m5.xlarge=<USD per hour>" in told


def test_the_stacks_own_prices_make_the_ceiling_hold_in_any_region() -> None:
    prices = "ml.m5.xlarge=0.276,ml.m5.2xlarge=0.552"
    with World().alive(MOST_USD_PER_RUN="0.01", REGION="eu-north-1", INSTANCE_PRICES=prices) as world:
        drop(world, "a.csv")
        with pytest.raises(planning.CannotPlan, match=r"about 0\.06 USD .*; at the stack's prices"):
            world.plan(started(world))


def test_the_input_that_runs_a_costly_run_all_the_same_keeps_what_it_was_started_with() -> None:
    given = {"dataset": "demo", "mode": "train", "overrides": {"train": {"instance_type": "ml.m5.24xlarge"}}}
    with World().alive(MOST_USD_PER_RUN="0.01") as world:
        drop(world, "a.csv")
        execution = started(world)
        execution.input = json.dumps(given)
        with pytest.raises(planning.CannotPlan) as error:
            world.plan(execution)
        [offered] = re.findall(r"start-execution --state-machine-arn \S+ --input '(.*?)'$", str(error.value))
        assert json.loads(offered) == given | {"max_usd": 1}


# ---------------------------------------------------------------- aws.md 8: routing


def test_every_notification_says_of_which_dataset_and_how_bad_it_is(world: World) -> None:
    drop(world, "a.csv", "b.exe")
    [refusal] = world.letters
    assert {name: one["StringValue"] for name, one in refusal["MessageAttributes"].items()} == {"outcome": "refused"}
    fails_in_job(world, started(world))
    attributes = {name: one["StringValue"] for name, one in world.letters[-1]["MessageAttributes"].items()}
    assert attributes == {"outcome": "failed", "dataset": "demo"}
    drop(world, "c.csv")
    told = world.run(started(world))
    assert (told["status"], told["level"]) == ("published", "critical")
