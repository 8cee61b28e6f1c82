"""How far each collector is, in the ledger's table: what is delivered, what is under way, what was paid.

An item for each scope of a collector (an account's region and service, say), and one for the collector itself. Every
write names the version that it replaces, so that of two that do the same work one is told to stop.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import boto3
from boto3.dynamodb.conditions import Attr
from botocore.config import Config
from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

# Their place in the ledger's table; not a valid name of a dataset.
PLACE = "-collectors"
# Longer than a function can run: whoever holds a scope for longer has died.
LEASE = timedelta(minutes=16)


class Superseded(Exception):
    """Somebody else has written meanwhile: leave the work to them."""


class _Item(BaseModel):
    model_config = ConfigDict(frozen=True)

    version: int = 0


class Round(BaseModel):
    """One collection under way: what was measured from ``since`` up to, and without, ``until``."""

    model_config = ConfigDict(frozen=True)

    since: datetime
    until: datetime
    next: int = 0
    """The first part of its plan that is not delivered yet."""


class Scope(_Item):
    """How far one scope is."""

    until: datetime | None = None
    """Everything measured before is delivered."""
    round: Round | None = None
    lease: datetime | None = None
    """Until when somebody works on it."""
    failures: int = 0
    """How many attempts in a row have failed."""
    told: str = ""
    """The kind of failure that people were told of."""


class Account(_Item):
    """What a collector has asked for in a month."""

    month: str = ""
    metrics: int = 0
    told: str = ""
    """The errors in its settings that people were told of."""
    limit_told: str = ""
    """The month and limit of which they were told that it was reached."""


ItemOf = TypeVar("ItemOf", bound=_Item)


def connect(table: str) -> Progress:
    """The progress in the ledger's table."""
    config = Config(retries={"mode": "standard", "total_max_attempts": 8})
    return Progress(boto3.resource("dynamodb", config=config).Table(table))


class Progress:
    """Reads and writes; ``table`` is a boto3 DynamoDB table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def scope(self, collector: str, scope: str) -> Scope:
        return self._read(Scope, f"{collector}/{scope}")

    def account(self, collector: str) -> Account:
        return self._read(Account, collector)

    def take(self, collector: str, scope: str, now: datetime) -> Scope | None:
        """Hold a scope for a while; None where somebody else does."""
        found = self.scope(collector, scope)
        if found.lease is not None and found.lease > now:
            return None
        try:
            return self.save(collector, scope, found.model_copy(update={"lease": now + LEASE}))
        except Superseded:
            return None

    def save(self, collector: str, scope: str, changed: Scope) -> Scope:
        """Write a scope down in place of the version that it was made from.

        Raises:
            Superseded: somebody else has written meanwhile.
        """
        return self._write(f"{collector}/{scope}", changed)

    def spend(self, collector: str, metrics: int, most: int, now: datetime) -> bool:
        """Count metrics that are about to be asked for. False, and nothing counted, where the month has no room."""
        month = f"{now:%Y-%m}"
        while True:
            known = self.account(collector)
            before = known.metrics if known.month == month else 0
            if before + metrics > most:
                return False
            try:
                self._write(collector, known.model_copy(update={"month": month, "metrics": before + metrics}))
                return True
            except Superseded:
                continue

    def remember(self, collector: str, **told: str) -> None:
        """Write down what people were told of a collector."""
        known = self.account(collector)
        changed = known.model_copy(update=told)
        if changed != known:
            self._write(collector, changed)

    def _read(self, kind: type[ItemOf], item: str) -> ItemOf:
        found = self._table.get_item(Key={"dataset": PLACE, "item": item}, ConsistentRead=True).get("Item")
        return kind() if found is None else kind.model_validate_json(str(found["state"]))

    def _write(self, item: str, changed: ItemOf) -> ItemOf:
        written = changed.model_copy(update={"version": changed.version + 1})
        expected = Attr("version").eq(changed.version) if changed.version else Attr("version").not_exists()
        entry = {
            "dataset": PLACE,
            "item": item,
            "version": written.version,
            "state": written.model_dump_json(exclude_defaults=True),
        }
        try:
            self._table.put_item(Item=entry, ConditionExpression=expected)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            raise Superseded(item) from error
        return written
