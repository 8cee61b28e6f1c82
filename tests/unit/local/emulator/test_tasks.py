"""What the emulator's Step Functions hand on to other services."""

from __future__ import annotations

from ministack.services import sns

from local.emulator.tasks import _with_attributes
from notification import attributes


def test_sns_gets_the_attributes_of_a_message() -> None:
    given = attributes("published", "demo", "high")
    message = {"TopicArn": "arn:x", "Message": "text", "MessageAttributes": given}
    handed_on = _with_attributes(message)
    assert sns._parse_message_attributes(handed_on) == given
    assert (handed_on["Message"], handed_on["TopicArn"]) == ("text", "arn:x")
    assert _with_attributes({"Message": "text"}) == {"Message": "text"}
