"""PostgreSQL as a source: a query of the settings, asked for one span of time after another; a register of devices.

The query is read inside another one, in a transaction that may write nothing, so that it can only select.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pg8000.exceptions
import pg8000.native

from collectors import PostgreSQLSource, SourceError, secret, slices
from samples import ATTRIBUTES, PLAIN_METRICS, ConflictError, Samples, clean

STATEMENT_SECONDS = 120
# Of one slice, and with it the memory of the function.
MOST_ROWS = 500_000


def scopes(config: PostgreSQLSource, own_region: str) -> dict[str, None]:
    """It is collected as a whole."""
    return {"all": None}


@dataclass(frozen=True)
class Opened:
    """A database that can be asked. What logs in to it is in no message and no log."""

    config: PostgreSQLSource
    user: str
    password: str = field(repr=False)

    def parts(self, since: datetime, until: datetime, now: datetime) -> list[Any]:
        """The span in slices of a file each, as JSON."""
        return slices(since, until, timedelta(hours=self.config.slice_hours))

    def price(self, part: Any, since: datetime, until: datetime, now: datetime) -> int:
        """Nothing that is counted."""
        return 0

    def read(self, part: Any, since: datetime, until: datetime, now: datetime) -> bytes | None:
        """A slice's file, with its servers registered; None where nothing was measured."""
        start, end = datetime.fromisoformat(part[0]), datetime.fromisoformat(part[1])
        try:
            connection = self._connected()
        except pg8000.exceptions.Error as error:
            raise SourceError(f"the database cannot be reached: {_words(error)}") from None
        try:
            with connection:
                names, rows = _selected(connection, self.config.query, start, end)
                found = samples(names, rows, start, end)
                if self.config.register_table and found.values:
                    for server, known in _registered(connection, self.config.register_table, found).items():
                        found.attributes[server, ""] = {**known, **found.attributes.get((server, ""), {})}
        except pg8000.exceptions.Error as error:
            raise SourceError(f"the database refuses: {_words(error)}") from None
        return found.packed()

    def _connected(self) -> pg8000.native.Connection:
        """A connection whose server has proved with its certificate that it is the host of the settings."""
        config = self.config
        context = ssl.create_default_context(cadata=config.ca_certificates)
        return pg8000.native.Connection(
            self.user,
            password=self.password,
            host=config.host,
            port=config.port,
            database=config.database,
            ssl_context=context,
            timeout=STATEMENT_SECONDS + 10,
            application_name="headroom",
        )


def opened(config: PostgreSQLSource, scope: str, collector: str, own_region: str) -> Opened:
    """The database, with the user and password of its secret."""
    keys = secret(config.secret_arn, ("username", "password"), config.host)
    return Opened(config, keys["username"], keys["password"])


def _selected(
    connection: pg8000.native.Connection, query: str, start: datetime, end: datetime
) -> tuple[list[str], list[list[Any]]]:
    """Names and rows of the query for a span of time."""
    connection.run("START TRANSACTION READ ONLY")
    connection.run(f"SET LOCAL statement_timeout = {STATEMENT_SECONDS * 1000}")
    connection.run("SET LOCAL TIME ZONE 'UTC'")
    # What the settings say is meant to be SQL; the line break ends a remark at its end.
    wrapped = f"SELECT * FROM (\n{query.strip().rstrip(';')}\n) AS collected LIMIT {MOST_ROWS + 1}"  # noqa: S608
    rows = connection.run(wrapped, since=start, until=end)
    names = [column["name"] for column in connection.columns or []]
    connection.run("ROLLBACK")
    if len(rows) > MOST_ROWS:
        raise SourceError(f"the query gives more than {MOST_ROWS:,} rows for {end - start}: lower slice_hours")
    return names, rows


def samples(names: list[str], rows: list[list[Any]], start: datetime, end: datetime) -> Samples:
    """The samples of some rows.

    Raises:
        SourceError: the columns are not those of the data contract, or a row says no moment, server or number.
    """
    known = ("timestamp", "server_id", *PLAIN_METRICS, *ATTRIBUTES)
    if strange := [name for name in names if name not in known]:
        raise SourceError(f"the query gives columns that are not known ({', '.join(strange)}): use {', '.join(known)}")
    if missing := {"timestamp", "server_id"} - set(names):
        raise SourceError(f"the query gives no column {' and none '.join(sorted(missing))}")
    if len(set(names)) < len(names):
        raise SourceError("the query gives a column twice")
    found = Samples()
    for row in rows:
        given = dict(zip(names, row, strict=True))
        server, moment = given["server_id"], given["timestamp"]
        if not isinstance(server, str) or not clean(server):
            raise SourceError(f"the query gives a server_id that is not a text ({server!r})")
        if not isinstance(moment, datetime) or moment.tzinfo is None:
            raise SourceError(
                f"the query gives a timestamp without a time zone ({moment!r}): say which one it is in, such as "
                "measured_at AT TIME ZONE 'UTC' AS timestamp"
            )
        if not start <= moment < end:
            raise SourceError(
                f"the query gives a row of {moment:%Y-%m-%d %H:%M} when asked for {start:%Y-%m-%d %H:%M} to "
                f"{end:%Y-%m-%d %H:%M}: it must select timestamp >= :since and timestamp < :until"
            )
        server = clean(server)
        for metric in PLAIN_METRICS:
            value = given.get(metric)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
                raise SourceError(f"the query gives a {metric} that is not a number ({value!r})")
            if not math.isfinite(value):  # PostgreSQL's NaN and Infinity: nothing is known
                continue
            try:
                found.add_once(server, moment.astimezone(UTC), metric, float(value))
            except ConflictError as error:
                raise SourceError(f"the query gives two values of {metric} for {server!r} at {moment}") from error
        facts = {name: _fact(given.get(name)) for name in ATTRIBUTES}
        if any(facts.values()):
            found.attributes[server, ""] = {name: fact for name, fact in facts.items() if fact}
    return found


def _registered(connection: pg8000.native.Connection, table: str, found: Samples) -> dict[str, Mapping[str, str]]:
    """Write the servers that were seen into the register, and read their attributes from it."""
    place = ".".join(f'"{part}"' for part in table.split("."))
    servers = sorted(server for server, _ in found.values)
    first = [min(found.values[server, ""]) for server in servers]
    last = [max(found.values[server, ""]) for server in servers]
    connection.run(
        f"INSERT INTO {place} AS known (server_id, first_seen, last_seen) "  # noqa: S608 - the name is checked
        "SELECT * FROM unnest(CAST(:servers AS text[]), CAST(:first AS timestamptz[]), CAST(:last AS timestamptz[])) "
        "ON CONFLICT (server_id) DO UPDATE SET first_seen = least(known.first_seen, excluded.first_seen), "
        "last_seen = greatest(known.last_seen, excluded.last_seen)",
        servers=servers,
        first=first,
        last=last,
    )
    rows = connection.run(
        f"SELECT * FROM {place} WHERE server_id = ANY(CAST(:servers AS text[]))",  # noqa: S608
        servers=servers,
    )
    names = [column["name"] for column in connection.columns or []]
    return {given["server_id"]: dict(_facts(given)) for given in (dict(zip(names, row, strict=True)) for row in rows)}


def _facts(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The attributes among the columns of a register's row; other columns are its owner's."""
    for name in ATTRIBUTES:
        if fact := _fact(given.get(name)):
            yield name, fact


def _fact(value: Any) -> str:
    return "" if value is None else clean(str(value))


def _words(error: pg8000.exceptions.Error) -> str:
    """What the server says of an error, in one line; its hint may repeat the query, but never the password."""
    told = error.args[0] if error.args else ""
    if isinstance(told, dict):
        told = f"{told.get('M', '')} ({told.get('C', '')})"
    return clean(str(told))
