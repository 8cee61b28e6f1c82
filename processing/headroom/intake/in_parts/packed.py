"""Rows on their way from one part of the work to another."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Literal, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

Tables = Mapping[str, pa.Table]
# The tables whose rows go from part to part.
Kind = Literal["usable_row", "kept", "stored"]
# Rows that are packed together: some 60 bytes each in memory.
PACKED_ROWS = 500_000


class Rows(NamedTuple):
    """Packed rows of a table."""

    kind: Kind
    packed: bytes


def packed(db: duckdb.DuckDBPyConnection, kind: Kind, query: str, cores: int = 1) -> Iterator[Rows]:
    """The rows of a query, so many packed at a time, by several cores; ``kind`` is the table that they are for."""
    batches = iter(db.sql(query).to_arrow_reader(PACKED_ROWS))
    with ThreadPoolExecutor(cores) as pool:
        while some := [pa.Table.from_batches([batch]) for batch in islice(batches, cores)]:
            yield from (Rows(kind, content) for content in pool.map(pack, filter(len, some)))


def pack(table: pa.Table) -> bytes:
    """A table as Parquet."""
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd", compression_level=1)
    return out.getvalue()


def unpack(packed: bytes) -> pa.Table:
    """The table in what ``pack`` made."""
    return pq.read_table(io.BytesIO(packed))


def arrow(db: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """The rows of a query."""
    return db.sql(query).to_arrow_table()


def insert(db: duckdb.DuckDBPyConnection, name: str, table: pa.Table, where: str = "") -> None:
    """Insert the rows of a table into one of the database; ``where`` is a condition that not all of them meet."""
    if table.num_rows:
        db.register("inserted", table)
        db.execute(f"INSERT INTO {name} BY NAME FROM inserted {where}")
        db.unregister("inserted")
