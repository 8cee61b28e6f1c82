"""When files have stopped coming, somebody is told, once; nobody is told of what was never meant to come."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from typing import Any

import pytest

from headroom.core import settings
from overdue import DAYS_KEPT, due
from tests.unit.functions.test_faults import drop, started
from tests.unit.functions.world import World


@pytest.fixture
def world():
    with World().alive() as world:
        yield world


FIRST = date(2026, 1, 5)  # a Monday


def days(*numbers: int) -> list[date]:
    return [FIRST + timedelta(days=number) for number in numbers]


@pytest.mark.parametrize(
    ("arrivals", "stack", "own", "last_day_in_time"),
    [
        pytest.param(days(*range(20)), 7, None, 26, id="daily"),
        pytest.param(days(0, 1, 2, 3, 4, 7, 8, 9, 10, 11, 14), 7, None, 21, id="on weekdays"),
        pytest.param(days(0, 7, 14, 21), 7, None, 35, id="weekly: twice its pause"),
        pytest.param(days(0, 31, 59, 90), 7, None, 152, id="monthly"),
        pytest.param(days(0, 1, 2, 40, 41, 42), 7, None, 49, id="daily, but for one silence"),
        pytest.param(days(0), 7, None, None, id="loaded once"),
        pytest.param(days(0, 1, 2, 3, 4), 7, None, None, id="a week of trying it out"),
        pytest.param(days(0, 20), 7, None, None, id="loaded twice"),
        pytest.param([], 7, 3, None, id="nothing ever came"),
        pytest.param(days(*range(20)), 0, None, None, id="the stack wants no alarm"),
        pytest.param(days(*range(20)), 7, 0, None, id="the dataset wants none"),
        pytest.param(days(0), 7, 2, 2, id="the dataset's own word counts from its first file on"),
        pytest.param(days(0, 31, 59, 90), 0, 2, 92, id="and whatever stack and habit say"),
    ],
)
def test_when_a_dataset_is_overdue(
    arrivals: list[date], stack: int, own: int | None, last_day_in_time: int | None
) -> None:
    wanted = None if last_day_in_time is None else FIRST + timedelta(days=last_day_in_time)
    assert due(arrivals, stack, own) == wanted


def a_habit(world: World, count: int = 15) -> None:
    """A file a day, each in a run."""
    for number in range(count):
        drop(world, f"day-{number}.csv")
        world.run(started(world))
        pass_days(world, 1)
    world.letters.clear()


def pass_days(world: World, number: int) -> None:
    """The schedule comes once a day."""
    for _ in range(number):
        world.now += timedelta(days=1)
        world.sweep()


def overdue(world: World) -> list[dict[str, Any]]:
    return [letter for letter in world.letters if "nothing arrived" in letter["Subject"]]


def test_files_that_stop_coming_are_told_of_once_and_again_after_they_have_come_and_stopped(world: World) -> None:
    a_habit(world)
    pass_days(world, 6)
    assert overdue(world) == []
    pass_days(world, 20)
    [letter] = overdue(world)
    assert letter["Subject"] == "Headroom demo: nothing arrived in 8 days"
    assert letter["MessageAttributes"]["outcome"]["StringValue"] == "overdue"
    assert letter["MessageAttributes"]["dataset"]["StringValue"] == "demo"
    assert "the last files came on 2026-01-15" in letter["Message"]
    drop(world, "again.csv")
    world.run(started(world))
    pass_days(world, 5)
    assert len(overdue(world)) == 1
    pass_days(world, 80)
    assert len(overdue(world)) == 2


def gauge(world: World, capsys: pytest.CaptureFixture[str], name: str = "DatasetsOverdue") -> float:
    """What the sweep reports of a metric, in the embedded metric format."""
    capsys.readouterr()
    world.sweep()
    (line,) = (line for line in capsys.readouterr().out.splitlines() if f'"{name}"' in line)
    return json.loads(line)[name][0]


def test_the_metric_of_the_alarm_rises_and_falls_again_with_the_next_file(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    a_habit(world)
    assert gauge(world, capsys) == 0
    pass_days(world, 10)
    assert gauge(world, capsys) == 1
    drop(world, "again.csv")
    assert gauge(world, capsys) == 0


def test_a_dataset_that_was_given_up_rings_no_more_until_files_come_again(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    a_habit(world)
    pass_days(world, 10)
    [letter] = overdue(world)
    [payload] = re.findall(r"--payload '(.*?)'", letter["Message"])
    world.sweep(**json.loads(payload))
    assert gauge(world, capsys) == 0
    pass_days(world, 60)
    assert len(overdue(world)) == 1
    drop(world, "again.csv")
    world.run(started(world))
    pass_days(world, 90)
    assert len(overdue(world)) == 2


def test_one_that_was_given_up_before_it_was_overdue_is_never_told_of(world: World) -> None:
    a_habit(world)
    world.sweep(do="give_up", dataset="demo")
    pass_days(world, 60)
    assert overdue(world) == []


def test_what_never_came_cannot_be_given_up(world: World) -> None:
    with pytest.raises(Exception, match="'nobody' has had no files"):
        world.sweep(do="give_up", dataset="nobody")


def test_a_change_of_the_setting_counts_without_a_run(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    drop(world, "once.csv")
    world.run(started(world))
    pass_days(world, 10)
    assert overdue(world) == []
    world.put("ingest", "config/demo.yaml", b"overdue_after_days: 3\n")
    pass_days(world, 1)
    assert len(overdue(world)) == 1
    world.put("ingest", "config/demo.yaml", b"overdue_after_days: 0  # done with\n")
    pass_days(world, 1)
    assert gauge(world, capsys) == 0
    assert len(overdue(world)) == 1


def test_a_file_that_no_event_told_of_counts_as_come(world: World) -> None:
    a_habit(world)
    pass_days(world, 5)
    world.drop("demo/lost.csv")
    pass_days(world, 4)
    world.run(started(world))
    assert overdue(world) == []


def test_an_old_event_that_comes_again_is_no_arrival(world: World) -> None:
    version = world.drop("demo/old.csv")
    world.arrive(("demo/old.csv", version))
    world.run(started(world))
    a_habit(world)
    pass_days(world, 5)
    world.arrive(("demo/old.csv", version))
    pass_days(world, 3)
    assert len(overdue(world)) == 1


def test_a_mail_that_could_not_be_sent_is_sent_with_the_next_hour(world: World) -> None:
    a_habit(world)
    pass_days(world, 6)
    world.fails["Publish"] = "InternalError"
    for _ in range(2):
        world.now += timedelta(days=1)
        try:
            world.sweep()
        except Exception as error:
            assert "InternalError" in str(error)
    assert overdue(world) == []
    del world.fails["Publish"]
    world.now += timedelta(hours=1, minutes=1)
    world.sweep()
    assert len(overdue(world)) == 1


def test_the_ledger_keeps_only_the_last_days_of_arrivals_and_has_them_again_when_it_is_rebuilt(world: World) -> None:
    a_habit(world, 2 * DAYS_KEPT)
    arrivals = world.ledger.state("demo").arrivals
    assert len(arrivals) <= DAYS_KEPT + 1
    world.items.clear()
    world.sweep(do="rebuild_ledger")
    assert world.ledger.state("demo").arrivals == arrivals[-DAYS_KEPT:]


def test_functions_and_jobs_read_the_setting_alike() -> None:
    assert settings.parse("overdue_after_days: 3\n").overdue_after_days == 3
    assert settings.parse("{}").overdue_after_days is None


def test_how_long_the_oldest_run_has_been_under_way_is_reported(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gauge(world, capsys, "OldestRunSeconds") == 0
    drop(world, "a.csv")
    world.now += timedelta(hours=7)
    assert gauge(world, capsys, "OldestRunSeconds") > 6 * 3600
    world.run(started(world))
    assert gauge(world, capsys, "OldestRunSeconds") == 0


def test_settings_that_cannot_be_read_hold_up_nobody(world: World) -> None:
    a_habit(world)
    world.put("ingest", "config/demo.yaml", b"overdue_after_days: 0\n", ("AccessDenied", {}))
    pass_days(world, 10)
    assert len(overdue(world)) == 1
