"""Slack: passes the topic's notifications on to a Slack channel.

Event: SNS records. The webhook's URL is a secret and lives in an SSM SecureString parameter.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from typing import Any

from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.data_classes import SNSEvent, event_source
from aws_lambda_powertools.utilities.typing import LambdaContext

from notification import text

logger = Logger()
tracer = Tracer()

# Slack takes 3,000 characters in one text block, and in the address of a picture; the rest is for what is around it.
LONGEST_TEXT = 3000
LONGEST_ADDRESS = 2900


@tracer.capture_lambda_handler
@logger.inject_lambda_context(clear_state=True)
@event_source(data_class=SNSEvent)
def handler(event: SNSEvent, context: LambdaContext) -> None:
    webhook = parameters.get_parameter(os.environ["SLACK_WEBHOOK_PARAMETER"], decrypt=True, max_age=300)
    for record in event.records:
        subject, (told, links) = record.sns.subject or "Headroom", parts(record.sns.message)
        try:
            post(webhook, message(subject, told, links))
        except urllib.error.HTTPError as error:
            if error.code != 400 or not links:
                raise
            # Slack refuses a message whose pictures it cannot fetch, as when a link has expired: then without them.
            logger.warning("refused with pictures", extra={"answer": error.read(500).decode(errors="replace")})
            post(webhook, message(subject, told, [link for link in links if not is_picture(link)]))


def parts(notification: str) -> tuple[str, list[dict[str, str]]]:
    """Text and links of a notification; only a run's completion has links (see ``publish.with_links``)."""
    try:
        told = json.loads(notification)
    except ValueError:
        return notification, []
    if isinstance(told, dict) and told.keys() == {"text", "links"}:
        return told["text"], told["links"]
    if isinstance(told, dict) and {"AlarmName", "NewStateValue"} <= told.keys():
        return alarm_text(told), []
    return notification, []


def alarm_text(alarm: dict[str, Any]) -> str:
    """An alarm in words; CloudWatch sends it as JSON, of which most is its own definition."""
    return text(
        [
            f"{alarm['AlarmName']}: {alarm.get('OldStateValue', '?')} → {alarm['NewStateValue']}",
            str(alarm.get("AlarmDescription") or ""),
            f"Since {alarm.get('StateChangeTime', '?')} in {alarm.get('Region', '?')}.",
            f"Why: {alarm.get('NewStateReason', '?')}",
        ]
    )


def message(subject: str, told: str, links: list[dict[str, str]]) -> dict[str, object]:
    """A Slack message of blocks: the text, shown as it is and never read as markup or mentions, links, pictures."""
    escaped = escape(told).replace("```", "'''")
    return {
        "text": subject,
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": subject[:150], "emoji": False}},
            {
                "type": "section",
                "text": {"type": "mrkdwn", "text": f"```{shortened(escaped, LONGEST_TEXT - 6)}```", "verbatim": True},
            },
            *[linked(link, subject) for link in links if len(link["url"]) <= LONGEST_ADDRESS],
        ],
    }


def shortened(told: str, most: int) -> str:
    """The text, without lines from its middle where it is longer: what happened comes first, what to do comes last."""
    if len(told) <= most:
        return told
    end = told[-most // 2 :]
    end = end[end.find("\n") + 1 :]
    return f"{told[: most - len(end) - 3]}\n…\n{end}"


def linked(link: dict[str, str], subject: str) -> dict[str, object]:
    """The block of one link: a picture is shown, anything else is named."""
    if is_picture(link):
        title = {"type": "plain_text", "text": link["title"], "emoji": False}
        return {"type": "image", "title": title, "image_url": link["url"], "alt_text": f"{link['title']}. {subject}"}
    return {"type": "section", "text": {"type": "mrkdwn", "text": f"<{escape(link['url'])}|{link['title']}>"}}


def is_picture(link: dict[str, str]) -> bool:
    return link["file"].endswith(".png")


def escape(text: str) -> str:
    """The three characters that mean something to Slack, as Slack wants them escaped."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def post(webhook: str, body: dict[str, object]) -> None:
    """Send a message; an answer other than success raises, so that Lambda tries again."""
    if not webhook.startswith("https://"):
        raise ValueError("the webhook of the SSM parameter is not an https address")
    request = urllib.request.Request(  # noqa: S310
        webhook, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        logger.info("posted", extra={"status": answer.status})
