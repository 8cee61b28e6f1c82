"""The ledger: which files each dataset has had, which run it has now, and who is running.

One DynamoDB table. A dataset's ``STATE`` item holds the lock (``running``: the name of the execution)
and the pointer (``current_run``). Each object version has a ``FILE#…`` item, and while it waits
to be in a published run also the attribute ``waiting``, whose value sorts by arrival and by which the local
index ``waiting`` finds it; of a file that was set aside it begins with ``~``, after all times. All reads are
consistent: the design stands on "write, then look".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
from boto3.dynamodb.conditions import Attr, Key
from botocore.config import Config
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

# The ledger's name for the owner of what belongs to no dataset.
NOBODY = "-"

_LONGEST_ITEM = 1024  # bytes of a sort key (DynamoDB's limit)
_ASIDE = "~"  # after every digit, with which the times of waiting files begin
_AT_ONCE = 16  # requests under way at a time where each file has its own
_IN_A_BATCH = 100  # items that BatchGetItem takes


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
    planned: str | None = field(default=None, compare=False)
    """The last execution that took it, as the ledger said when it was read."""
    failures: int = field(default=0, compare=False)
    """How many attempts at a run with it a job failed in."""

    @property
    def item(self) -> str:
        """Its name in the ledger; keys too long for one go by their hash."""
        name = f"FILE#{self.key}#{self.version}"
        fits = len(name.encode()) <= _LONGEST_ITEM
        return name if fits else f"FILE#sha256:{hashlib.sha256(name.encode()).hexdigest()}"

    @property
    def waiting(self) -> str:
        return f"{self.time}#{self.sequencer.rjust(32, '0')}#{self.version}"


@dataclass(frozen=True)
class Aside:
    """A file that was set aside: no run takes it until somebody puts it back."""

    file: File
    reason: str
    by: str
    """The execution that set it aside."""


@dataclass(frozen=True)
class State:
    """A dataset's lock and pointer."""

    running: str | None = None
    running_since: str | None = None
    last_execution: str | None = None
    """The newest execution that has held the lock."""
    current_run: str | None = None
    drifted: bool = False
    """Whether the current run found that the data has drifted from what its model was trained on."""
    last_start: str | None = None
    """When its last run was planned, ISO 8601."""
    minutes_between_runs: int | None = None
    """The dataset's own setting, as the last run read it."""
    closed: str | None = None
    """The last run whose files are known to be closed."""
    failed_at: str | None = None
    """When a run failed for what its files are not to blame for; what waited then is not tried again by itself."""
    arrivals: tuple[str, ...] = ()
    """Days on which files came, the last ones, in order, ISO 8601."""
    told_overdue: str | None = None
    """The last arrival after which people were told that nothing more came."""
    given_up: str | None = None
    """The last arrival after which a person said that nothing more is meant to come."""


def connect(table: str) -> Ledger:
    """The ledger as a DynamoDB table. When DynamoDB throttles, requests are repeated after longer and longer pauses."""
    config = Config(max_pool_connections=_AT_ONCE, retries={"mode": "standard", "total_max_attempts": 8})
    return Ledger(boto3.resource("dynamodb", config=config).Table(table))


class Ledger:
    """The ledger's operations; ``table`` is a boto3 DynamoDB table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        # The table's own client: it may be used by several threads, the table may not.
        self._client = table.meta.client
        self._name = {"TableName": table.name}

    # ---- files

    def record(self, dataset: str, file: File, now: datetime | None = None) -> bool:
        """Record a file as waiting. False if this version of it is in the ledger already."""
        item = _item(dataset, file, now or datetime.now(UTC))
        return _if_so(lambda: self._table.put_item(Item=item, ConditionExpression=Attr("item").not_exists()))

    def reopen(self, dataset: str, files: list[File], now: datetime) -> None:
        """Record files as waiting whatever the ledger says of them, as if they had just arrived."""
        _each(files, lambda file: self._client.put_item(**self._name, Item=_item(dataset, file, now)))

    def knows(self, dataset: str, file: File) -> bool:
        """Whether this version of a file is in the ledger."""
        return "Item" in self._table.get_item(Key={"dataset": dataset, "item": file.item}, ConsistentRead=True)

    def in_the_table(self, keys: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of the (dataset, item) pairs that are in the ledger."""
        wanted, found = sorted(set(keys)), set()
        while wanted:
            batch, wanted = wanted[:_IN_A_BATCH], wanted[_IN_A_BATCH:]
            request = {
                "Keys": [{"dataset": dataset, "item": item} for dataset, item in batch],
                "ConsistentRead": True,
                "ProjectionExpression": "dataset, #item",
                "ExpressionAttributeNames": {"#item": "item"},
            }
            answer = self._client.batch_get_item(RequestItems={self._name["TableName"]: request})
            found |= {(one["dataset"], one["item"]) for one in answer["Responses"].get(self._name["TableName"], [])}
            for left in answer.get("UnprocessedKeys", {}).values():
                wanted += [(key["dataset"], key["item"]) for key in left["Keys"]]
        return found

    def refuse(self, dataset: str, file: File, reason: str, expires: datetime) -> None:
        """Write a file down as refused, with the reason, for a while."""
        facts = {"key": file.key, "refused": reason, "expires": int(expires.timestamp())}
        self._table.put_item(Item={"dataset": dataset, "item": file.item, **facts})

    def waiting(self, dataset: str, most: int | None = None) -> list[File]:
        """The dataset's files that no published run has had, in order of arrival: all, or the first so many."""
        found: list[File] = []
        for item in self._items(dataset, Key("waiting").lt(_ASIDE), most):
            found.append(_file(item))
            if len(found) == most:
                break
        return found

    def has_waiting(self, dataset: str) -> bool:
        """Whether any file waits."""
        return bool(self.waiting(dataset, most=1))

    def has_unplanned(self, dataset: str, since: str | None = None) -> bool:
        """Whether a file waits that no run has taken; with ``since``, one that was written down after that moment.

        At that very moment were those with which the run was started that took the lock then.
        """
        return any(
            "planned" not in item and (since is None or item["recorded"] > since)
            for item in self._items(dataset, Key("waiting").lt(_ASIDE))
        )

    def plan(self, dataset: str, files: list[File], execution: str) -> None:
        """Note on each file the execution that takes it; those that have the note already are left out."""
        self._note(
            dataset,
            [file.item for file in files if file.planned != execution],
            "SET planned = :execution",
            {":execution": execution},
        )

    def close(self, dataset: str, items: list[str], run_id: str, expires: datetime) -> None:
        """Mark files as published: they no longer wait, and their entries expire after a while."""
        self._note(
            dataset,
            items,
            "SET published = :run, expires = :expires REMOVE waiting, set_aside",
            {":run": run_id, ":expires": int(expires.timestamp())},
        )
        self._table.update_item(
            Key=_state_key(dataset), UpdateExpression="SET closed = :run", ExpressionAttributeValues={":run": run_id}
        )

    def blame(self, dataset: str, execution: str, attempt: int) -> list[File]:
        """Count a failed attempt at a run on each file that it had and that still waits; these files, counted.

        An attempt that is reported twice counts once.
        """
        token = f"{execution}/{attempt}"
        files = [file for file in self.waiting(dataset) if file.planned == execution]

        def count(file: File) -> File:
            update = {
                "Key": {"dataset": dataset, "item": file.item},
                "UpdateExpression": "SET failures = :failures, blamed = :token",
                "ConditionExpression": Attr("blamed").not_exists() | Attr("blamed").ne(token),
                "ExpressionAttributeValues": {":failures": file.failures + 1, ":token": token},
            }
            new = _if_so(lambda: self._client.update_item(**self._name, **update))
            return replace(file, failures=file.failures + 1) if new else file

        return _each(files, count)

    def set_aside(self, dataset: str, files: Iterable[tuple[File, str]], execution: str) -> None:
        """Set files aside, each with its reason: no run takes them until they are put back."""

        def aside(one: tuple[File, str]) -> None:
            file, reason = one
            update = {
                "Key": {"dataset": dataset, "item": file.item},
                "UpdateExpression": "SET waiting = :waiting, set_aside = :reason, aside_by = :execution",
                "ConditionExpression": Attr("waiting").exists(),
                "ExpressionAttributeValues": {
                    ":waiting": _ASIDE + file.waiting,
                    ":reason": reason,
                    ":execution": execution,
                },
            }
            _if_so(lambda: self._client.update_item(**self._name, **update))

        _each(list(files), aside)

    def aside(self, dataset: str) -> list[Aside]:
        """The files that are set aside, in order of arrival."""
        items = self._items(dataset, Key("waiting").begins_with(_ASIDE))
        return [Aside(_file(item), item["set_aside"], item["aside_by"]) for item in items]

    def put_back(self, dataset: str, files: list[File], now: datetime) -> None:
        """Files that were set aside wait again, as if they had never been in a run that failed."""

        def back(file: File) -> None:
            update = {
                "Key": {"dataset": dataset, "item": file.item},
                "UpdateExpression": "SET waiting = :waiting, recorded = :now "
                "REMOVE set_aside, aside_by, failures, blamed, planned",
                "ConditionExpression": Attr("set_aside").exists(),
                "ExpressionAttributeValues": {":waiting": file.waiting, ":now": now.isoformat()},
            }
            _if_so(lambda: self._client.update_item(**self._name, **update))

        _each(files, back)

    def _note(self, dataset: str, items: list[str], update: str, values: dict[str, Any]) -> None:
        """The same update on each item."""

        def note(item: str) -> None:
            self._client.update_item(
                **self._name,
                Key={"dataset": dataset, "item": item},
                UpdateExpression=update,
                ExpressionAttributeValues=values,
            )

        _each(items, note)

    def _items(self, dataset: str, condition: Any, most: int | None = None) -> Iterator[dict[str, Any]]:
        """Entries by the index, page by page, for as long as somebody asks for more."""
        query: dict[str, Any] = {
            "IndexName": "waiting",
            "KeyConditionExpression": Key("dataset").eq(dataset) & condition,
            "ConsistentRead": True,
            **({} if most is None else {"Limit": most}),
        }
        while True:
            page = self._table.query(**query)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    # ---- lock and pointer

    def state(self, dataset: str) -> State:
        item = self._table.get_item(Key=_state_key(dataset), ConsistentRead=True).get("Item", {})
        minutes = item.get("minutes_between_runs")
        return State(
            running=item.get("running"),
            running_since=item.get("running_since"),
            last_execution=item.get("last_execution"),
            current_run=item.get("current_run"),
            drifted=item.get("drifted", False),
            last_start=item.get("last_start"),
            minutes_between_runs=None if minutes is None else int(minutes),
            closed=item.get("closed"),
            failed_at=item.get("failed_at"),
            arrivals=tuple(sorted(item.get("arrivals", ()))),
            told_overdue=item.get("told_overdue"),
            given_up=item.get("given_up"),
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
                UpdateExpression="SET running = :execution, running_since = :at, last_execution = :execution",
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

    def begin(self, dataset: str, at: datetime, minutes_between_runs: int | None) -> None:
        """A run is planned now, under settings that may ask for some time between runs."""
        self._table.update_item(
            Key=_state_key(dataset),
            UpdateExpression="SET last_start = :at, minutes_between_runs = :minutes",
            ExpressionAttributeValues={":at": at.isoformat(), ":minutes": minutes_between_runs},
        )

    def failed(self, dataset: str, at: datetime) -> None:
        """A run failed for what its files are not to blame for: what waits now is not tried again by itself."""
        self._table.update_item(
            Key=_state_key(dataset),
            UpdateExpression="SET failed_at = :at",
            ExpressionAttributeValues={":at": at.isoformat()},
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
                UpdateExpression="SET current_run = :run, drifted = :drifted REMOVE failed_at",
                ConditionExpression=at_start | Attr("current_run").eq(run_id),
                ExpressionAttributeValues={":run": run_id, ":drifted": drifted},
            )
        )

    def forget_current_run(self, dataset: str, execution: str) -> bool:
        """Take the pointer away, so that the next run begins from nothing; only for who holds the lock."""
        return _if_so(
            lambda: self._table.update_item(
                Key=_state_key(dataset),
                UpdateExpression="REMOVE current_run, drifted, failed_at, last_start",
                ConditionExpression=Attr("running").eq(execution),
            )
        )

    # ---- what comes, and what has stopped coming

    def note_arrivals(self, dataset: str, days: Iterable[str]) -> None:
        """Files came on these days, ISO 8601."""
        self._table.update_item(
            Key=_state_key(dataset),
            UpdateExpression="ADD arrivals :days",
            ExpressionAttributeValues={":days": set(days)},
        )

    def forget_arrivals(self, dataset: str, days: Iterable[str]) -> None:
        """These days count no more."""
        self._table.update_item(
            Key=_state_key(dataset),
            UpdateExpression="DELETE arrivals :days",
            ExpressionAttributeValues={":days": set(days)},
        )

    def note_overdue(self, dataset: str, last: str | None) -> None:
        """People were told that nothing has come since the day ``last``; with None, that counts no more."""
        self._note_day(dataset, "told_overdue", last)

    def give_up(self, dataset: str, last: str) -> None:
        """Nothing is meant to come after the day ``last``."""
        self._note_day(dataset, "given_up", last)

    def _note_day(self, dataset: str, name: str, day: str | None) -> None:
        self._table.update_item(
            Key=_state_key(dataset),
            **(
                {"UpdateExpression": f"REMOVE {name}"}
                if day is None
                else {"UpdateExpression": f"SET {name} = :day", "ExpressionAttributeValues": {":day": day}}
            ),
        )

    # ---- all datasets

    def admit(self, dataset: str, most: int) -> bool:
        """Note a dataset among all there are; False where there are ``most`` of them already."""
        return _if_so(
            lambda: self._table.update_item(
                Key=_all_key("DATASETS"),
                UpdateExpression="ADD members :one",
                ConditionExpression=Attr("members").not_exists()
                | Attr("members").contains(dataset)
                | Attr("members").size().lt(most),
                ExpressionAttributeValues={":one": {dataset}},
            )
        )

    def datasets(self) -> list[str]:
        """All datasets that ever had a file."""
        return self._members("DATASETS")

    def hold_back(self, dataset: str) -> None:
        """Note a dataset whose run waits for others to end."""
        self._table.update_item(
            Key=_all_key("HELD"), UpdateExpression="ADD members :one", ExpressionAttributeValues={":one": {dataset}}
        )

    def held_back(self) -> list[str]:
        return self._members("HELD")

    def let_go(self, dataset: str) -> None:
        """A dataset's run no longer waits for others."""
        self._table.update_item(
            Key=_all_key("HELD"), UpdateExpression="DELETE members :one", ExpressionAttributeValues={":one": {dataset}}
        )

    def swept(self) -> datetime | None:
        """When the last complete sweep began."""
        found = self._table.get_item(Key=_all_key("SWEPT"), ConsistentRead=True).get("Item", {}).get("at")
        return datetime.fromisoformat(found) if found else None

    def note_sweep(self, began: datetime) -> None:
        self._table.put_item(Item={**_all_key("SWEPT"), "at": began.isoformat()})

    def _members(self, item: str) -> list[str]:
        found = self._table.get_item(Key=_all_key(item), ConsistentRead=True).get("Item", {})
        return sorted(found.get("members", ()))


def _state_key(dataset: str) -> dict[str, str]:
    return {"dataset": dataset, "item": "STATE"}


def _all_key(item: str) -> dict[str, str]:
    return {"dataset": NOBODY, "item": item}


def _item(dataset: str, file: File, now: datetime) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "item": file.item,
        "waiting": file.waiting,
        "key": file.key,
        "version": file.version,
        "size": file.size,
        "etag": file.etag,
        "time": file.time,
        "sequencer": file.sequencer,
        "recorded": now.isoformat(),
    }


def _file(item: dict[str, Any]) -> File:
    return File(
        key=item["key"],
        version=item["version"],
        size=int(item["size"]),
        etag=item["etag"],
        time=item["time"],
        sequencer=item["sequencer"],
        planned=item.get("planned"),
        failures=int(item.get("failures", 0)),
    )


def _each(things: list[Any], do: Callable[[Any], Any]) -> list[Any]:
    """What ``do`` gives for each thing, in order; many at once, and the first error is raised."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(do, things))


def _if_so(write: Callable[[], Any]) -> bool:
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
