"""The commands in notifications: one line each, which the command line really has."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable

import click
import pytest
import typer

import commands
from cli.main import app

EXECUTION = "arn:aws:states:eu-central-1:123456789012:execution:headroom-capacity:web-20261121T060000"
MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:headroom-capacity"
PACKAGE = "arn:aws:sagemaker:eu-central-1:123456789012:model-package/headroom-web/3"
OFFERED: dict[str, tuple[Callable[[], list[str]], str]] = {
    "redrive": (lambda: commands.redrive(EXECUTION, "web"), "headroom redrive web --execution web-20261121T060000"),
    "start": (lambda: commands.start(MACHINE, "web"), "headroom run web"),
    "start dearer": (lambda: commands.start(MACHINE, "web", mode="train", max_usd=7),
                     "headroom run web --mode train --max-usd 7"),
    "logs": (lambda: commands.logs("web", "assess", "headroom-web-assess-1", "Processing"),
             "headroom logs web --job assess"),
    "report": (lambda: commands.report("web", "20261121T060000Z-0a1b2c3d", "s3://a/b/"),
               "headroom report web --run 20261121T060000Z-0a1b2c3d"),
    "approve": (lambda: commands.approve("web", PACKAGE), "headroom approve web 3"),
    "give up": (lambda: commands.ask_sweep("f", "give_up", "web"), "headroom give-up web"),
    "put back": (lambda: commands.ask_sweep("f", "put_back", "web"), "headroom put-back web"),
    "start over": (lambda: commands.ask_sweep("f", "start_over", "web"), "headroom start-over web"),
}  # fmt: skip


def parsed(line: str) -> click.Context:
    """A line as the command line reads it; it ends the test where there is no such command, option or argument."""
    program, name, *words = shlex.split(line)
    assert program == "headroom"
    group = typer.main.get_command(app)
    assert isinstance(group, click.Group) or hasattr(group, "commands")
    command = group.commands[name]  # type: ignore[attr-defined]
    return command.make_context(name, words, resilient_parsing=False)


@pytest.mark.parametrize("name", OFFERED)
def test_the_first_line_is_a_command_of_the_command_line(name: str) -> None:
    offer, expected = OFFERED[name]
    first, between, aws = offer()
    assert first == f"  {expected}"
    assert parsed(first).params["dataset"] == "web"
    assert between == "or, without the headroom command:"
    assert aws.startswith("  aws ")


def test_a_stack_of_another_name_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "headroom-prod")
    line = commands.redrive(EXECUTION, "web")[0]
    assert line.endswith(" --stack headroom-prod")
    assert parsed(line).params["stack"] == "headroom-prod"


def test_what_the_command_line_cannot_say_is_offered_as_aws_command_alone() -> None:
    [line] = commands.start(MACHINE, "web", overrides={"train": {"volume_gb": 500}}, max_usd=7)
    assert json.loads(shlex.split(line)[-1])["overrides"] == {"train": {"volume_gb": 500}}
    [line] = commands.ask_sweep("f", "rebuild_ledger", None)
    assert line.startswith("  aws lambda invoke --function-name f ")
    [line] = commands.redrive(EXECUTION, None)
    assert line == f"  aws stepfunctions redrive-execution --execution-arn {EXECUTION}"
    [line] = commands.logs("web", None, "a-job", "Training")
    assert "--log-stream-name-prefix a-job" in line


@pytest.mark.parametrize("bad", ["headroom mend web", "headroom run web --faster", "headroom redrive"])
def test_these_tests_see(bad: str) -> None:
    with pytest.raises((KeyError, click.UsageError, Exception)):
        parsed(bad)
