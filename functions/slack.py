"""Slack: passes the topic's notifications on to a Slack channel.

Event: SNS records. The webhook's URL is a secret and lives in an SSM SecureString parameter.
"""

from __future__ import annotations

import json
import os
import urllib.request

from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.data_classes import SNSEvent, event_source
from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
tracer = Tracer()

# Slack shows this much of one text block.
LONGEST_TEXT = 3000


@tracer.capture_lambda_handler
@logger.inject_lambda_context(clear_state=True)
@event_source(data_class=SNSEvent)
def handler(event: SNSEvent, context: LambdaContext) -> None:
    webhook = parameters.get_parameter(os.environ["SLACK_WEBHOOK_PARAMETER"], decrypt=True, max_age=300)
    for record in event.records:
        post(webhook, message(record.sns.subject or "Headroom", record.sns.message))


def message(subject: str, text: str) -> dict[str, object]:
    """A Slack message of blocks; the text is shown as it is, never read as markup or mentions."""
    shown = text if len(text) <= LONGEST_TEXT - 8 else text[: LONGEST_TEXT - 9] + "…"
    escaped = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("```", "'''")
    return {
        "text": subject,
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": subject[:150], "emoji": False}},
            {
                "type": "section",
                "text": {"type": "mrkdwn", "text": f"```{escaped[: LONGEST_TEXT - 6]}```", "verbatim": True},
            },
        ],
    }


def post(webhook: str, body: dict[str, object]) -> None:
    """Send a message; an answer that is no success raises, so that Lambda tries again."""
    if not webhook.startswith("https://"):
        raise ValueError("the webhook of the SSM parameter is not an https address")
    request = urllib.request.Request(  # noqa: S310
        webhook, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        logger.info("posted", extra={"status": answer.status})
