"""Overdue: datasets whose files used to come and have stopped coming. The sweep looks for them and tells once of each.

Whether a dataset is meant to repeat is seen from the days on which its files came, which the ledger keeps: a habit are
four days over two weeks. It is overdue after the stack's ``OverdueAfterDays``, and after twice its own usual pause, so
that weekends and monthly exports ring no alarm. A dataset's setting ``overdue_after_days`` counts as it stands.
"""

from __future__ import annotations

import itertools
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from commands import ask_sweep
from dataset_settings import read_settings, whole_number
from environment import SweepSettings
from ledger import Ledger, State
from notification import attributes, subject, text

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

logger = Logger()

HABIT_DAYS, HABIT_SPAN = 4, timedelta(days=14)
# Days of arrivals that are looked at: three weeks of a daily export, more than a year of a monthly one.
DAYS_KEPT = 21


def due(arrivals: list[date], stack_days: int, own_days: int | None) -> date | None:
    """The last day on which a dataset's next file is in time; None where none is expected.

    ``arrivals`` are the days on which files came, in order; ``stack_days`` and ``own_days`` are the stack's and the
    dataset's number of days, 0 for never.
    """
    if not arrivals:
        return None
    if own_days is not None:
        return arrivals[-1] + timedelta(days=own_days) if own_days else None
    if not stack_days or len(arrivals) < HABIT_DAYS or arrivals[-1] - arrivals[0] < HABIT_SPAN:
        return None
    return arrivals[-1] + max(timedelta(days=stack_days), 2 * usual_pause(arrivals))


def usual_pause(arrivals: list[date]) -> timedelta:
    """The longest pause between at least three days of arrivals but one: a single silence is no habit."""
    return sorted(after - before for before, after in itertools.pairwise(arrivals))[-2]


def is_overdue(state: State) -> bool:
    """Whether people were told that a dataset is overdue, nothing has come since, and nobody has given it up."""
    last = state.arrivals[-1] if state.arrivals else None
    return last is not None and state.told_overdue == last != state.given_up


def tell_overdue(
    s3: Any, sns: SNSClient, ledger: Ledger, environment: SweepSettings, sweep_function: str, now: datetime
) -> list[str]:
    """Tell of each dataset that has become overdue, and only then note that people know: at least once, that is."""
    told = []
    for dataset in ledger.datasets():
        state = ledger.state(dataset)
        if not state.arrivals:
            continue
        if old := state.arrivals[:-DAYS_KEPT]:
            ledger.forget_arrivals(dataset, old)
        arrivals, last = [date.fromisoformat(day) for day in state.arrivals[-DAYS_KEPT:]], state.arrivals[-1]
        own = own_days(s3, environment.ingest_bucket, dataset)
        until = due(arrivals, environment.overdue_after_days, own)
        if until is None or now.date() <= until:
            if state.told_overdue == last:  # the settings were changed meanwhile
                ledger.note_overdue(dataset, None)
        elif last not in (state.told_overdue, state.given_up):
            letter = notification(dataset, environment.ingest_bucket, arrivals, own, sweep_function, now)
            sns.publish(TopicArn=environment.topic_arn, MessageAttributes=attributes("overdue", dataset), **letter)
            ledger.note_overdue(dataset, last)
            told.append(dataset)
            logger.warning("overdue", extra={"dataset": dataset, "last": last})
    return told


def own_days(s3: Any, bucket: str, dataset: str) -> int | None:
    """What the dataset's settings say; None also where they cannot be read, which must hold up no other dataset."""
    try:
        return whole_number(read_settings(s3, bucket, dataset), "overdue_after_days")
    except ClientError as error:
        logger.warning("the settings cannot be read", extra={"dataset": dataset, "error": str(error)})
        return None


def notification(
    dataset: str, bucket: str, arrivals: list[date], own: int | None, sweep_function: str, now: datetime
) -> dict[str, str]:
    """Subject and message that a dataset is overdue."""
    silent = (now.date() - arrivals[-1]).days
    habit = f" Its usual pauses are at most {usual_pause(arrivals).days} days." if own is None else ""
    lines = [
        f"Nothing has arrived for dataset {dataset} in {silent} days; the last files came on {arrivals[-1]}.{habit}",
        "",
        "Its results stay as they are and become outdated. Check the export that makes the files, and whether it may "
        f"still write to s3://{bucket}/incoming/{dataset}/. The next file that comes starts a run as usual.",
        "You are told once, and again only after files have come and stopped again.",
        "",
        f"To change when you are told, set overdue_after_days in s3://{bucket}/config/{dataset}.yaml; 0 means never.",
    ]
    commands = [
        "If no more files are expected, end the alarm (until some arrive):",
        *ask_sweep(sweep_function, "give_up", dataset),
    ]
    return {
        "Subject": subject(f"Headroom {dataset}: nothing arrived in {silent} days"),
        "Message": text(lines, commands),
    }


class NothingToGiveUp(Exception):
    """The dataset has had no files."""


def give_up(ledger: Ledger, dataset: str) -> dict[str, str]:
    """A dataset is overdue no more: nothing is meant to come, until something does."""
    arrivals = ledger.state(dataset).arrivals
    if not arrivals:
        raise NothingToGiveUp(f"dataset {dataset!r} has had no files: there is nothing to give up")
    ledger.give_up(dataset, arrivals[-1])
    return {"given_up": dataset, "last_arrival": arrivals[-1]}
