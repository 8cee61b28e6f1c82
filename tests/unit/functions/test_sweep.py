"""What no event told of is found, what had to wait is started, and the ledger can be had again from S3."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.functions.test_faults import drop, started
from tests.unit.functions.world import Crash, Execution, World, a_file


@pytest.fixture
def world():
    with World().alive() as world:
        yield world


def later(world: World, **time: int) -> None:
    world.now += timedelta(**time)


def test_a_file_whose_event_was_lost_is_found_and_run(world: World) -> None:
    world.drop("demo/lost.csv")
    later(world, minutes=11)
    answer = world.sweep()
    assert (answer["found"], answer["recorded"]) == (1, 1)
    assert answer["started"] == [started(world).name]
    world.run(started(world))
    assert [file["file"] for file in world.manifest(world.chain()[0])["files"]] == ["lost.csv"]


def test_an_event_that_comes_after_the_sweep_counts_for_nothing(world: World) -> None:
    version = world.drop("demo/late.csv")
    later(world, minutes=11)
    world.sweep()
    world.run(started(world))
    world.arrive(("demo/late.csv", version))
    assert world.running() == []
    assert world.ledger.waiting("demo") == []


def test_what_is_on_its_way_is_left_to_its_event(world: World) -> None:
    world.drop("demo/new.csv")
    assert world.sweep()["found"] == 0


def test_the_bucket_is_listed_once_an_hour_however_often_the_schedule_comes(world: World) -> None:
    for _ in range(13):
        world.sweep()
        later(world, minutes=5)
    assert world.calls["ListObjectVersions"] == 2


def test_only_the_newest_version_is_taken_in_and_deleted_files_are_not(world: World) -> None:
    world.drop("demo/a.csv", b"old")
    newest = world.drop("demo/a.csv", b"new")
    world.drop("demo/b.csv")
    world.delete("ingest", "incoming/demo/b.csv")
    later(world, minutes=11)
    world.sweep()
    assert [(file.key, file.version) for file in world.ledger.waiting("demo")] == [("incoming/demo/a.csv", newest.id)]


def test_rubbish_without_an_event_is_refused_once(world: World) -> None:
    world.drop("demo/setup.exe")
    world.drop("2026-01-01/a.csv")
    for _ in range(3):
        later(world, hours=2)
        world.sweep()
    [letter] = world.letters
    assert "2 files refused" in letter["Subject"]


def test_files_older_than_the_ledgers_memory_do_not_come_again(world: World) -> None:
    drop(world, "a.csv")
    world.run(started(world))
    for key in [key for key in world.items if key[1].startswith("FILE#")]:
        del world.items[key]  # as DynamoDB does when an entry has expired
    later(world, days=366)
    assert world.sweep()["found"] == 0


def test_a_long_upload_is_found_although_s3_dates_it_by_its_beginning(world: World) -> None:
    world.sweep()
    version = world.drop("demo/large.csv")
    later(world, days=6)
    del world.buckets["ingest"]["incoming/demo/large.csv"]
    world.sweep()
    world.buckets["ingest"]["incoming/demo/large.csv"] = [version]
    later(world, hours=2)
    assert world.sweep()["found"] == 1


def test_a_sweep_that_died_is_made_again(world: World) -> None:
    for number in range(5):
        world.drop(f"demo/{number}.csv")
    later(world, minutes=11)
    world.crash_after = 3
    with pytest.raises(Crash):
        world.sweep()
    world.sweep()
    assert len(world.ledger.waiting("demo")) == 5
    assert len(world.running()) == 1


def test_a_start_that_was_lost_on_the_way_is_made_up_for(world: World) -> None:
    version = world.drop("demo/a.csv")
    world.crash_after = 3  # the file is written down and the lock is taken; no run is started
    with pytest.raises(Crash):
        world.arrive(("demo/a.csv", version))
    assert world.running() == []
    later(world, minutes=6)
    assert len(world.sweep()["started"]) == 1


def test_files_of_a_run_that_failed_for_other_reasons_are_not_tried_again_by_the_schedule(world: World) -> None:
    drop(world, "a.csv")
    execution = started(world)
    world.plan(execution)
    version = world.drop("demo/b.csv")
    world.ledger.record("demo", a_file("b.csv", version), world.now - timedelta(days=1))
    world.fail(execution, cause=world.job_failed("CapacityError: no machine"))
    for _ in range(3):
        later(world, hours=2)
        assert world.sweep()["started"] == []
    drop(world, "c.csv")
    world.run(started(world))
    assert world.ledger.waiting("demo") == []


def test_the_ledger_is_rebuilt_from_the_buckets_by_one_command(world: World) -> None:
    for name in ("a.csv", "b.csv", "c.csv"):
        drop(world, name)
        world.run(started(world))
    drop(world, "failed.csv")
    world.plan(started(world))
    world.fail(started(world), cause=world.job_failed("CapacityError"))
    chain, waiting = world.chain(), world.ledger.waiting("demo")
    later(world, minutes=11)
    world.items.clear()

    answer = world.sweep(do="rebuild_ledger")
    assert (answer["published_runs"], answer["published_files"]) == (3, 3)
    assert world.chain() == chain
    assert [file.item for file in world.ledger.waiting("demo")] == [file.item for file in waiting]
    world.sweep()
    world.run(started(world))
    assert [file["file"] for file in world.manifest(world.chain()[0])["files"]] == ["failed.csv"], "nothing twice"
    assert world.chain()[1:] == chain


def test_a_rebuilt_ledger_knows_no_run_that_was_not_published(world: World) -> None:
    drop(world, "a.csv")
    world.run(started(world))
    world.executions["by-hand"] = old = Execution("by-hand", '{"dataset": "demo"}')
    world.plan(old)
    world.jobs(old)
    world.ledger.unlock("demo", "by-hand")
    drop(world, "b.csv")
    newer = next(one for one in world.running() if one is not old)
    world.run(newer)
    assert world.publish(old)["status"] == "superseded"
    chain = world.chain()
    world.items.clear()
    world.sweep(do="rebuild_ledger")
    assert world.chain() == chain


def test_rebuilding_a_ledger_that_is_there_changes_nothing(world: World) -> None:
    drop(world, "a.csv")
    world.run(started(world))
    later(world, minutes=11)
    before = {key: item for key, item in world.items.items() if key[0] == "demo"}
    world.sweep(do="rebuild_ledger")
    after = {key: item for key, item in world.items.items() if key[0] == "demo"}
    for item in (*before.values(), *after.values()):
        item.pop("expires", None)
    assert after == before


def test_put_back_takes_the_files_that_are_named(world: World) -> None:
    bad = [(f"demo/{name}.csv", world.drop(f"demo/{name}.csv", b"x", ("AccessDenied", {}))) for name in ("a", "b")]
    good = world.drop("demo/good.csv")
    world.arrive(*bad, ("demo/good.csv", good))
    world.run(started(world))
    assert world.sweep(do="put_back", dataset="demo", keys=["incoming/demo/b.csv"])["put_back"] == 1
    assert [one.file.key for one in world.ledger.aside("demo")] == ["incoming/demo/a.csv"]


def test_a_command_without_its_dataset_says_so(world: World) -> None:
    with pytest.raises(Exception, match="list needs a dataset"):
        world.sweep(do="list")
