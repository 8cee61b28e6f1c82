"""Events out: what docs/events.md promises is what is sent."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import botocore.validate

import events
from local.emulator.service_model import input_shape
from tests.unit.functions.messages import SUMMARY
from tests.unit.functions.test_faults import drop, fails_in_job, started
from tests.unit.functions.world import World

PAGE = (Path(__file__).parents[3] / "docs" / "events.md").read_text(encoding="utf-8")
RUN = {"dataset": "demo", "run_id": "r1", "execution": "demo-1", "trained": True}
MOVED = {
    "web-1": {"was": "none", "now": "high"},
    "db-1": {"was": "critical", "now": "none"},
    "web-2": {"was": "low", "now": "critical"},
}


def documented(kind: str) -> dict[str, str]:
    """The fields of an event by the page, with their types."""
    section = PAGE.split(f"## {kind}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| ([a-z]+)", section, flags=re.MULTILINE))


TYPES: dict[str, Any] = {"text": str, "number": (int, float), "boolean": bool, "object": dict}


def check(entry: dict[str, Any]) -> dict[str, Any]:
    detail, fields = json.loads(entry["Detail"]), documented(entry["DetailType"])
    assert sorted(detail) == sorted(fields), entry["DetailType"]
    for name, kind in fields.items():
        assert isinstance(detail[name], TYPES[kind]), name
    report = botocore.validate.ParamValidator().validate({"Entries": [entry]}, input_shape("events", "PutEvents"))
    assert not report.has_errors(), report.generate_report()
    return detail


def test_a_published_run_and_each_changed_server_are_events_as_documented() -> None:
    sent = events.run_published(RUN, SUMMARY | {"moved": MOVED}, "s3://a/b/")
    run, *servers = [check(entry) for entry in sent]
    assert (run["schema"], run["dataset"], run["level"], run["levels_changed"]) == (1, "demo", "critical", 3)
    assert [(one["server_id"], one["was"], one["level"]) for one in servers] == [
        ("web-2", "low", "critical"), ("web-1", "none", "high"), ("db-1", "critical", "none"),
    ]  # fmt: skip
    assert servers[1]["reason"] == "cpu crosses 90 % about 12 March"


def test_a_failed_run_is_an_event_as_documented() -> None:
    with World().alive() as world:
        drop(world, "a.csv")
        execution = started(world)
        fails_in_job(world, execution)
        [entry] = world.events
        detail = check(entry)
    assert (detail["outcome"], detail["state"], detail["published"]) == ("failed", "Preprocess", False)
    assert detail["redrive"].endswith(world.arn(execution.name))


def test_a_fleet_that_changes_as_a_whole_is_one_number_and_some_servers() -> None:
    moved = {f"web-{number}": {"was": "none", "now": "low"} for number in range(10_000)}
    sent = events.run_published(RUN, SUMMARY | {"moved": moved}, "s3://a/b/")
    assert len(sent) == 1 + events.MOST_SERVERS
    assert check(sent[0])["levels_changed"] == 10_000


def test_a_superseded_run_sends_nothing_and_a_bus_that_refuses_fails_no_run() -> None:
    with World().alive() as world:
        drop(world, "a.csv")
        execution = started(world)
        world.plan(execution)
        world.jobs(execution)
        world.ledger.publish("demo", "newer", None, False)
        assert world.publish(execution)["status"] == "superseded"
        assert world.events == []
        world.fails["PutEvents"] = "InternalException"
        drop(world, "b.csv")
        world.ledger.forget_current_run("demo", world.running()[0].name)
        assert world.run(world.running()[0])["status"] == "published"


def test_the_examples_of_the_page_are_rules_that_match_what_is_sent() -> None:
    patterns = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, flags=re.DOTALL)]
    rules = [one for one in patterns if "detail-type" in one]
    kinds = {kind for rule in rules for kind in rule["detail-type"]}
    assert len(rules) >= 4
    assert kinds <= {events.PUBLISHED, events.FAILED, events.LEVEL_CHANGED}
    for rule in rules:
        assert rule["source"] == [events.SOURCE]
        for kind in rule["detail-type"]:
            assert rule.get("detail", {}).keys() <= documented(kind).keys()
