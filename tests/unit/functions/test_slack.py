"""Slack shows notifications as they are, with the run's pictures: nothing is markup, and nothing is too long."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import traceback
import urllib.error
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import publish
import slack

LINKS = [
    {"file": file, "title": title, "url": f"https://bucket.s3.amazonaws.com/{file}?a=1&b=2"}
    for file, (title, _) in publish.SHOWN.items()
]


def text_of(message: dict) -> str:
    return message["blocks"][1]["text"]["text"]


def test_names_from_the_data_mention_nobody() -> None:
    shown = text_of(slack.message("Headroom", "server <!channel> ``` *bold*", []))
    assert "<!channel>" not in shown
    assert shown.count("```") == 2


@given(st.text(max_size=9000), st.text(max_size=400))
def test_a_message_is_within_slacks_limits(text: str, subject: str) -> None:
    message = slack.message(subject, text, LINKS)
    assert len(text_of(message)) <= 3000
    assert len(message["blocks"][0]["text"]["text"]) <= 150
    assert all(len(block["alt_text"]) <= 2000 for block in message["blocks"] if block["type"] == "image")


def test_of_a_message_too_long_the_beginning_and_the_commands_at_its_end_stay() -> None:
    lines = [
        "Run web-1 of dataset web failed.",
        *(f"  | line {number} of the log" for number in range(300)),
        "After fixing the cause, resume from the failed state:",
        "  headroom redrive web --execution web-1",
    ]
    shown = text_of(slack.message("Headroom", "\n".join(lines), []))
    assert shown.startswith(f"```{lines[0]}\n")
    assert shown.endswith("\n".join(lines[-2:]) + "```")
    assert "\n…\n" in shown


def test_the_pictures_are_shown_with_words_for_those_who_cannot_see_them() -> None:
    blocks = slack.message("Headroom demo: 2 critical", "text", LINKS)["blocks"]
    assert [block["type"] for block in blocks] == ["header", "section", "section", "image", "image"]
    assert blocks[3]["image_url"] == LINKS[1]["url"]
    assert blocks[3]["title"]["text"] == "Risk by server over time"
    assert blocks[3]["alt_text"] == "Risk by server over time. Headroom demo: 2 critical"
    report = "<https://bucket.s3.amazonaws.com/report.html?a=1&amp;b=2|Report>"
    assert blocks[2]["text"] == {"type": "mrkdwn", "text": report}


def test_a_picture_whose_address_slack_would_refuse_is_left_out() -> None:
    long = [link | {"url": "https://x/" + 3000 * "y"} for link in LINKS]
    assert [block["type"] for block in slack.message("s", "t", long)["blocks"]] == ["header", "section"]


class Channel:
    """Slack's webhook: keeps what is posted, refuses pictures that it ``cannot_fetch``."""

    def __init__(self, cannot_fetch: bool) -> None:
        self.cannot_fetch, self.posted = cannot_fetch, []

    def __call__(self, webhook: str, body: dict[str, Any]) -> None:
        if self.cannot_fetch and any(block["type"] == "image" for block in body["blocks"]):
            raise urllib.error.HTTPError(webhook, 400, "Bad Request", {}, io.BytesIO(b"invalid_blocks"))
        self.posted.append(body)


def notify(monkeypatch: pytest.MonkeyPatch, channel: Any, message: str) -> None:
    monkeypatch.setenv("SLACK_WEBHOOK_PARAMETER", "/slack")
    monkeypatch.setattr(slack.parameters, "get_parameter", lambda *_, **__: "https://hooks.example.com/x")
    monkeypatch.setattr(slack, "post", channel)
    record = {"EventSource": "aws:sns", "Sns": {"Subject": "Headroom demo", "Message": message}}
    slack.handler({"Records": [record]}, type("Context", (), dict.fromkeys(CONTEXT, "1"))())


CONTEXT = ("function_name", "memory_limit_in_mb", "invoked_function_arn", "aws_request_id")
PUBLISHED = json.loads(publish.with_links("2 critical", LINKS, datetime(2026, 1, 1, tzinfo=UTC)))["lambda"]


def test_a_runs_notification_comes_with_its_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    channel = Channel(cannot_fetch=False)
    notify(monkeypatch, channel, PUBLISHED)
    [posted] = channel.posted
    assert text_of(posted) == "```2 critical```"
    assert [block["type"] for block in posted["blocks"]].count("image") == 2


def test_pictures_that_slack_cannot_fetch_cost_neither_the_message_nor_the_link_to_the_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    channel = Channel(cannot_fetch=True)
    notify(monkeypatch, channel, PUBLISHED)
    [posted] = channel.posted
    assert text_of(posted) == "```2 critical```"
    assert [block["type"] for block in posted["blocks"]] == ["header", "section", "section"]
    assert "|Report>" in posted["blocks"][2]["text"]["text"]


@pytest.mark.parametrize("code", [429, 500, 503])
@pytest.mark.parametrize("message", ["Run x failed.", PUBLISHED])
def test_a_slack_that_is_out_of_order_fails_the_function_so_that_lambda_tries_again(
    monkeypatch: pytest.MonkeyPatch, code: int, message: str
) -> None:
    def refuses(webhook: str, body: dict[str, Any]) -> None:
        raise urllib.error.HTTPError(webhook, code, "no", {}, io.BytesIO(b"rate_limited"))  # type: ignore[arg-type]

    with pytest.raises(urllib.error.HTTPError):
        notify(monkeypatch, refuses, message)


def test_an_alarm_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    alarm = {
        "AlarmName": "headroom-DeadLetters",
        "AlarmDescription": "Files that ingest could not take in.",
        "AWSAccountId": "123456789012",
        "NewStateValue": "ALARM",
        "OldStateValue": "OK",
        "NewStateReason": "Threshold Crossed: 1 datapoint [3.0] was greater than the threshold (1.0).",
        "StateChangeTime": "2026-01-01T00:00:00.000+0000",
        "Region": "EU (Frankfurt)",
        "Trigger": {"MetricName": "x", "Dimensions": [{"name": "QueueName", "value": "q"}]},
    }
    channel = Channel(cannot_fetch=False)
    notify(monkeypatch, channel, json.dumps(alarm))
    shown = text_of(channel.posted[0])
    assert "headroom-DeadLetters: OK → ALARM\nFiles that ingest could not take in." in shown
    assert "Why: Threshold Crossed" in shown
    assert "{" not in shown


@pytest.mark.parametrize("message", ["Run x failed.", '{"AlarmName": "RunFailed"}', "[1]", "3", '{"text": "x"}'])
def test_alarms_and_failures_are_shown_as_they_are(monkeypatch: pytest.MonkeyPatch, message: str) -> None:
    channel = Channel(cannot_fetch=False)
    notify(monkeypatch, channel, message)
    assert text_of(channel.posted[0]) == f"```{message}```"


def test_only_https_webhooks_are_called() -> None:
    with pytest.raises(ValueError, match="not an https address"):
        slack.post("file:///etc/passwd", {})


@pytest.mark.slow
def test_the_webhook_is_in_no_trace_and_in_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a secret. X-Ray's patch of http.client would record its path; the one of botocore does not see it."""
    look = "import slack; from aws_xray_sdk.core import patcher; print(*patcher._PATCHED_MODULES)"
    environment = os.environ | {"LAMBDA_TASK_ROOT": "/var/task", "PYTHONPATH": str(Path(slack.__file__).parent)}
    environment.pop("POWERTOOLS_TRACE_DISABLED", None)
    done = subprocess.run([sys.executable, "-c", look], env=environment, capture_output=True, text=True, check=True)
    assert "botocore" in done.stdout, "tracing is on"
    assert "httplib" not in done.stdout

    def refuses(webhook: str, body: dict[str, Any]) -> None:
        raise urllib.error.HTTPError(webhook, 403, "invalid_token", {}, io.BytesIO(b""))  # type: ignore[arg-type]

    with pytest.raises(urllib.error.HTTPError) as error:
        notify(monkeypatch, refuses, "Run x failed.")
    assert "hooks" not in "".join(traceback.format_exception(error.value))
