"""Buckets of servers; what comes of them is in ``tests/unit/test_spread.py``."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from headroom.core.job import PartFailed
from headroom.core.settings import Settings
from headroom.intake.in_parts import buckets
from headroom.intake.in_parts.packed import Rows, pack


def test_members_of_groups_that_share_a_server_are_in_one_bucket():
    with duckdb.connect() as db:
        db.execute("CREATE TABLE member (server_id VARCHAR, group_name VARCHAR)")
        db.execute("INSERT INTO member VALUES ('c', 'g'), ('a', 'g'), ('a', 'h'), ('b', 'h'), ('x', 'other')")
        chosen = buckets.together(db)
    assert {chosen[name] for name in ("a", "b", "c", "g", "h")} == {"a"}
    assert chosen["x"] == chosen["other"] != "a"


def test_a_bucket_that_fails_names_its_servers():
    given = buckets.Known(Settings(), {name: pa.table({}) for name in buckets._KNOWN}, [], None)
    content = pack(pa.table({"server_id": ["web-2", "web-1"], "metric": ["cpu", "cpu"]}))
    rows = [Rows("stored", content)]
    with pytest.raises(PartFailed, match=r"^2 servers from 'web-1' to 'web-2': CatalogException"):  # noqa: SIM117
        with buckets._bucket(iter(rows), given) as (db, _):
            db.execute("FROM nothing_of_the_kind")
