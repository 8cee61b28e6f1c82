"""The laptop cloud's e-mail: what SNS would send to subscribers is kept as ``.eml`` files in a folder."""

from __future__ import annotations

import contextlib
import email
import email.policy
import itertools
import json
import time
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from typing import Any

_number = itertools.count(1)


@dataclass(frozen=True)
class Letter:
    """One e-mail. ``body`` is the message for ``email``, the whole notification as JSON for ``email-json``."""

    file: Path
    to: str
    subject: str
    body: str
    date: str


def install(folder: Path) -> None:
    """Deliver SNS's e-mail subscriptions into ``folder``, in the process that runs MiniStack.

    MiniStack confirms e-mail subscriptions by itself; on AWS the subscriber must click a link first.
    """
    from ministack.services import sns

    fan_out = sns._fanout

    def fan_out_with_mail(topic_arn: str, message_id: str, message: str, subject: str,
                          message_structure: str = "", message_attributes: dict[str, Any] | None = None,
                          **rest: Any) -> None:  # fmt: skip
        fan_out(topic_arn, message_id, message, subject, message_structure, message_attributes, **rest)
        topic = sns._topic_by_arn_any_scope(topic_arn)
        for subscription in topic["subscriptions"] if topic else []:
            protocol = subscription.get("protocol")
            if protocol not in ("email", "email-json") or not subscription.get("confirmed"):
                continue
            text = sns._resolve_message_for_protocol(message, message_structure, protocol)
            if sns._matches_filter_policy(subscription, message_attributes or {}, text):
                if protocol == "email-json":
                    text = json.dumps({"Type": "Notification", "MessageId": message_id, "TopicArn": topic_arn,
                                       "Subject": subject, "Message": text}, indent=1)  # fmt: skip
                deliver(folder, subscription["endpoint"], subject or "AWS Notification Message", text)

    sns._fanout = fan_out_with_mail


def deliver(folder: Path, to: str, subject: str, body: str) -> Path:
    """Write one e-mail and return its file."""
    folder.mkdir(parents=True, exist_ok=True)
    letter = EmailMessage(policy=email.policy.SMTPUTF8)
    letter["From"] = "AWS Notifications <no-reply@sns.amazonaws.com>"
    letter["To"] = " ".join(to.split())
    letter["Subject"] = " ".join(subject.split())
    letter["Date"] = formatdate(usegmt=True)
    letter.set_content(body)
    file = folder / f"{time.time_ns()}-{next(_number):04d}.eml"
    partial = file.with_suffix(".part")
    partial.write_bytes(bytes(letter))
    partial.rename(file)
    return file


def letters(folder: Path) -> list[Letter]:
    """Everything in the mailbox, the oldest first."""
    found = []
    for file in sorted(folder.glob("*.eml")):
        with contextlib.suppress(FileNotFoundError):
            letter = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            body = letter.get_content().replace("\r\n", "\n").rstrip("\n")
            found.append(Letter(file, str(letter["To"]), str(letter["Subject"]), body, str(letter["Date"])))
    return found
