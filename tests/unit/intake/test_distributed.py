"""Shares of files, buckets of servers, and what they tell; what comes of them is in ``tests/unit/test_spread.py``."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from headroom.core.job import PartFailed
from headroom.core.settings import Settings
from headroom.intake import distributed, reading
from headroom.intake.sources import Source


def test_a_file_is_in_one_share_and_shares_are_of_a_size(tmp_path, monkeypatch):
    monkeypatch.setattr(distributed, "SHARE_BYTES", 100)
    monkeypatch.setattr(distributed, "SHARE_FILES", 3)
    sizes = [40, 70, 500, 10, 10, 10, 10]
    for place, size in enumerate(sizes):
        (tmp_path / f"{place}.csv").write_bytes(bytes(size))
    sources = [Source(place, f"{place}.csv", tmp_path / f"{place}.csv") for place in range(len(sizes))]
    made = distributed.shares_of(sources, Settings(), tmp_path)
    assert [[one.order for one in share.sources] for share in made] == [[0], [1], [2], [3, 4, 5], [6]]
    assert str(made[3]) == "3 files, '3.csv' to '5.csv'" and str(made[2]) == "the file '2.csv'"


def test_members_of_groups_that_share_a_server_are_in_one_bucket():
    with duckdb.connect() as db:
        db.execute("CREATE TABLE member (server_id VARCHAR, group_name VARCHAR)")
        db.execute("INSERT INTO member VALUES ('c', 'g'), ('a', 'g'), ('a', 'h'), ('b', 'h'), ('x', 'other')")
        chosen = distributed.together(db)
    assert {chosen[name] for name in ("a", "b", "c", "g", "h")} == {"a"}
    assert chosen["x"] == chosen["other"] != "a"


def test_a_bucket_that_fails_names_its_servers():
    given = distributed.Known(Settings(), {name: pa.table({}) for name in distributed._KNOWN}, [], None)
    packed = distributed._pack(pa.table({"server_id": ["web-2", "web-1"], "metric": ["cpu", "cpu"]}))
    rows = [distributed.Rows("stored", packed)]
    with pytest.raises(PartFailed, match=r"^2 servers from 'web-1' to 'web-2': CatalogException"):  # noqa: SIM117
        with distributed._bucket(iter(rows), given) as (db, _):
            db.execute("FROM nothing_of_the_kind")


def test_files_that_became_others_on_another_machine_are_made_again(tmp_path):
    raw = tmp_path / "raw.csv"
    raw.write_bytes("timestamp,server_id,cpu\n2024-01-01,wéb-1,4\n".encode("utf-16"))
    share = distributed.Files([Source(0, "raw.csv", raw)], Settings(), tmp_path / "share")
    looked_at = distributed.look_at(share)
    looked_at.sources[0].readable.unlink()
    names = reading.names_of(looked_at.sources, "p95")
    told, rows = distributed.read(looked_at, "2030-01-01 00:00:00+00", names)
    assert told.tables["name_in_file"].to_pylist() == [{"file": 0, "server_id": "wéb-1", "rows": 1}]
    assert distributed._unpack(rows.packed).to_pylist()[0]["row"] == 0
