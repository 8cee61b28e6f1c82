"""Files come in: each is recorded in the ledger once, or refused and reported once. Shared by ingest and sweep."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from environment import IngestSettings
from ledger import NOBODY, File, Ledger, in_days
from names import dataset_problem, name_problem
from notification import attributes, subject, text

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

logger = Logger()

# Above this a file is surely not one of utilization samples, and no job volume is sized for it.
LARGEST_FILE = 20 * 1024**3
_TOLD = 50  # refused files that a notification names


def no_room(dataset: str, most_datasets: int) -> str:
    """Why a dataset cannot begin where there are as many as allowed."""
    return (
        f"it would begin the new dataset {dataset!r}, and there are {most_datasets} already, as many as "
        "the stack's parameter MaxDatasets allows: upload it to one of them, or raise the parameter and "
        "upload it again"
    )


class Refused(Exception):
    """The object is not a utilization file; the message says why and what to do."""


@dataclass
class Taken:
    """What became of files that came."""

    recorded: int = 0
    days: dict[str, set[str]] = field(default_factory=dict)
    """By dataset, the days on which its files were made, ISO 8601."""
    refused: dict[File, str] = field(default_factory=dict)


def take_in(ledger: Ledger, file: File, most_datasets: int, now: datetime, taken: Taken) -> None:
    """Record one file as waiting, or note in ``taken`` why it is refused."""
    if file.key.endswith("/") and file.size == 0:
        return  # the console's marker of an empty folder
    try:
        dataset = dataset_of(file)
        if dataset not in taken.days and not ledger.admit(dataset, most_datasets):
            raise Refused(no_room(dataset, most_datasets))
    except Refused as why:
        if not ledger.knows(NOBODY, file):
            taken.refused[file] = str(why)
        return
    if ledger.record(dataset, file, now):
        taken.recorded += 1
        logger.info("file recorded", extra={"dataset": dataset, "key": file.key, "size": file.size})
    taken.days.setdefault(dataset, set()).add(file.time[:10])


def note_arrivals(ledger: Ledger, taken: Taken) -> None:
    """Note on which days files came, by which it is seen when they stop coming (see ``overdue``)."""
    for dataset, days in taken.days.items():
        ledger.note_arrivals(dataset, days)


def dataset_of(file: File) -> str:
    """The dataset that an object under ``incoming/`` belongs to.

    Raises:
        Refused: the key names no dataset, or the object cannot be utilization data.
    """
    _, _, rest = file.key.partition("incoming/")
    dataset, slash, name = rest.partition("/")
    if not slash or not name:
        raise Refused("it is in no dataset's folder: upload it to incoming/<dataset>/")
    if problem := dataset_problem(dataset) or name_problem(name):
        raise Refused(problem)
    if file.size == 0:
        raise Refused("it is empty (0 bytes): check the export that made it")
    if file.size > LARGEST_FILE:
        size, most = (number / 1024**3 for number in (file.size, LARGEST_FILE))
        raise Refused(f"it has {size:.0f} GiB, and the largest file may have {most:.0f}: split it")
    return dataset


def tell(sns: SNSClient, ledger: Ledger, environment: IngestSettings, refused: dict[File, str], now: datetime) -> None:
    """Tell people of refused files, and only then write down that they know: at least once, that is."""
    if not refused:
        return
    logger.warning("files refused", extra={"refused": {file.key: why for file, why in refused.items()}})
    sns.publish(TopicArn=environment.topic_arn, MessageAttributes=attributes("refused"), **refusal(refused))
    expires = in_days(now, environment.retention_days)
    for file, why in refused.items():
        ledger.refuse(NOBODY, file, why, expires)


def refusal(refused: dict[File, str]) -> dict[str, str]:
    """Subject and message of the notification about refused files, from their reasons."""
    lines = [f"- {file.key!r}: {why}" for file, why in list(refused.items())[:_TOLD]]
    more = [f"… and {len(refused) - _TOLD} more, see the function's log"] if len(refused) > _TOLD else []
    count = f"{len(refused)} file" + ("s" if len(refused) > 1 else "")
    return {
        "Subject": subject(f"Headroom: {count} refused"),
        "Message": text(
            ["These files were not taken in. They stay where they are; nothing else is held up.", "", *lines, *more]
        ),
    }
