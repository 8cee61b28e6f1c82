"""The ledger: which files each dataset has had, which run it has now, and who is running.

One DynamoDB table. A dataset's ``STATE`` item holds the lock (``running``: the name of the execution)
and the pointer (``current_run``). Each object version has a ``FILE#…`` item, and while it waits
to be in a published run also the attribute ``waiting``, whose value sorts by arrival and by which the local
index ``waiting`` finds it. All reads are consistent: the design stands on "write, then look".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Attr, Key
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

# The first folder under incoming/. Names of jobs and of the model group are made of it, hence the hyphen rule.
DATASET_NAME = r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?"


@dataclass(frozen=True)
class File:
    """One version of one object under ``incoming/<dataset>/``."""

    key: str
    version: str
    size: int
    etag: str
    time: str
    """When it was created, ISO 8601."""
    sequencer: str
    """S3's order of the events of one key: hexadecimal, to be compared at equal length."""

    @property
    def item(self) -> str:
        return f"FILE#{self.key}#{self.version}"

    @property
    def waiting(self) -> str:
        return f"{self.time}#{self.sequencer.rjust(32, '0')}#{self.version}"


@dataclass(frozen=True)
class State:
    """A dataset's lock and pointer."""

    running: str | None = None
    running_since: str | None = None
    current_run: str | None = None
    drifted: bool = False
    """Whether the current run found that the data has drifted from what its model was trained on."""


class Ledger:
    """The ledger's operations; ``table`` is a boto3 DynamoDB table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    # ---- files

    def record(self, dataset: str, file: File) -> bool:
        """Write a file down as waiting. False where this version of it is in the ledger already."""
        item = {
            "dataset": dataset,
            "item": file.item,
            "waiting": file.waiting,
            "key": file.key,
            "version": file.version,
            "size": file.size,
            "etag": file.etag,
            "time": file.time,
            "sequencer": file.sequencer,
        }
        return _if_so(lambda: self._table.put_item(Item=item, ConditionExpression=Attr("item").not_exists()))

    def knows(self, dataset: str, file: File) -> bool:
        """Whether this version of a file is in the ledger."""
        return "Item" in self._table.get_item(Key={"dataset": dataset, "item": file.item}, ConsistentRead=True)

    def refuse(self, dataset: str, file: File, reason: str, expires: datetime) -> None:
        """Write a file down as refused, with the reason, for a while."""
        facts = {"key": file.key, "refused": reason, "expires": int(expires.timestamp())}
        self._table.put_item(Item={"dataset": dataset, "item": file.item, **facts})

    def waiting(self, dataset: str) -> list[File]:
        """The dataset's files that no published run has had, in order of arrival."""
        return [_file(item) for item in self._waiting_items(dataset)]

    def has_unplanned(self, dataset: str) -> bool:
        """Whether a file waits that no run has taken."""
        return any("planned" not in item for item in self._waiting_items(dataset))

    def plan(self, dataset: str, files: list[File], execution: str) -> None:
        """Note on each file the execution that takes it."""
        for file in files:
            self._table.update_item(
                Key={"dataset": dataset, "item": file.item},
                UpdateExpression="SET planned = :execution",
                ExpressionAttributeValues={":execution": execution},
            )

    def close(self, dataset: str, items: list[str], run_id: str, expires: datetime) -> None:
        """The files are in a published run: they wait no more, and their entries end after a while."""
        for item in items:
            self._table.update_item(
                Key={"dataset": dataset, "item": item},
                UpdateExpression="SET published = :run, expires = :expires REMOVE waiting",
                ExpressionAttributeValues={":run": run_id, ":expires": int(expires.timestamp())},
            )

    def _waiting_items(self, dataset: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        query: dict[str, Any] = {
            "IndexName": "waiting",
            "KeyConditionExpression": Key("dataset").eq(dataset),
            "ConsistentRead": True,
        }
        while True:
            page = self._table.query(**query)
            items += page["Items"]
            if "LastEvaluatedKey" not in page:
                return items
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    # ---- lock and pointer

    def state(self, dataset: str) -> State:
        item = self._table.get_item(Key=_state_key(dataset), ConsistentRead=True).get("Item", {})
        return State(
            running=item.get("running"),
            running_since=item.get("running_since"),
            current_run=item.get("current_run"),
            drifted=item.get("drifted", False),
        )

    def lock(self, dataset: str, execution: str, at: datetime, instead_of: str | None = None) -> bool:
        """Take the dataset's lock for an execution, which may hold it already.

        ``instead_of`` names an execution that is known to have ended and whose lock may be taken over.
        Returns False where another execution holds it.
        """
        free = Attr("running").not_exists() | Attr("running").eq(execution)
        if instead_of is not None:
            free = free | Attr("running").eq(instead_of)
        return _if_so(
            lambda: self._table.update_item(
                Key=_state_key(dataset),
                UpdateExpression="SET running = :execution, running_since = :at",
                ConditionExpression=free,
                ExpressionAttributeValues={":execution": execution, ":at": at.isoformat()},
            )
        )

    def unlock(self, dataset: str, execution: str) -> bool:
        """Release the dataset's lock. False where the execution does not hold it."""
        return _if_so(
            lambda: self._table.update_item(
                Key=_state_key(dataset),
                UpdateExpression="REMOVE running, running_since",
                ConditionExpression=Attr("running").eq(execution),
            )
        )

    def publish(self, dataset: str, run_id: str, previous_run_id: str | None, drifted: bool) -> bool:
        """Move the pointer from the run that this one started from to this one, if it still stands there.

        Returns False where a newer run was published meanwhile; True again when repeated.
        """
        at_start = (
            Attr("current_run").not_exists() if previous_run_id is None else Attr("current_run").eq(previous_run_id)
        )
        return _if_so(
            lambda: self._table.update_item(
                Key=_state_key(dataset),
                UpdateExpression="SET current_run = :run, drifted = :drifted",
                ConditionExpression=at_start | Attr("current_run").eq(run_id),
                ExpressionAttributeValues={":run": run_id, ":drifted": drifted},
            )
        )


def _state_key(dataset: str) -> dict[str, str]:
    return {"dataset": dataset, "item": "STATE"}


def _file(item: dict[str, Any]) -> File:
    return File(
        key=item["key"],
        version=item["version"],
        size=int(item["size"]),
        etag=item["etag"],
        time=item["time"],
        sequencer=item["sequencer"],
    )


def _if_so(write: Any) -> bool:
    """Whether a conditional write found its condition met."""
    try:
        write()
    except ClientError as error:
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            return False
        raise
    return True


def in_days(now: datetime, days: int) -> datetime:
    return now + timedelta(days=days)
