"""Slack shows notifications as they are: nothing in them is markup, and nothing is too long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import slack


def text_of(message: dict) -> str:
    return message["blocks"][1]["text"]["text"]


def test_names_from_the_data_mention_nobody() -> None:
    shown = text_of(slack.message("Headroom", "server <!channel> ``` *bold*"))
    assert "<!channel>" not in shown
    assert shown.count("```") == 2


@given(st.text(max_size=9000), st.text(max_size=400))
def test_a_message_is_within_slacks_limits(text: str, subject: str) -> None:
    message = slack.message(subject, text)
    assert len(text_of(message)) <= 3000
    assert len(message["blocks"][0]["text"]["text"]) <= 150


def test_only_https_webhooks_are_called() -> None:
    with pytest.raises(ValueError, match="not an https address"):
        slack.post("file:///etc/passwd", {})
