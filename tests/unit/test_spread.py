"""Files read in shares and servers merged in buckets give what one machine gives, to the bit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import drops
import laptop_spark
import pytest
from drops import Drop
from intake_in_parts import one_process, runs, same
from laptop_spark import with_spark

from headroom import engine
from headroom.intake import distributed, merge
from headroom.intake.sources import Source

pytestmark = pytest.mark.slow

# What is dropped, and the bytes of a share and rows of a bucket that make few or many of them.
CUTS = {
    "many things": (1, 10**9),
    "parts and groups": (5_000, 100),
    "own metrics": (10**9, 900),
    "skewed": (60_000, 2_000),
}
Kept = Callable[[str], tuple[Drop, list[dict[str, bytes]]]]


@pytest.fixture(scope="module")
def on_one_machine(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A drop by its name, its files shuffled, and what one machine makes of it."""

    @cache
    def kept(name: str) -> tuple[Drop, list[dict[str, bytes]]]:
        drop = drops.each(tmp_path_factory.mktemp("made"))[name]().shuffled(len(name))
        return drop, runs(drop, tmp_path_factory.mktemp("machine"))

    return kept


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    """Spark, started once."""
    with laptop_spark.started() as context:
        yield context


def cut_small(monkeypatch: pytest.MonkeyPatch, share_bytes: int, bucket_rows: int) -> None:
    """Shares and buckets of such sizes, and so few rows packed together that there are several packs."""
    monkeypatch.setattr(distributed, "SHARE_BYTES", share_bytes)
    monkeypatch.setattr(distributed, "BUCKET_ROWS", bucket_rows)
    monkeypatch.setattr(distributed, "PACKED_ROWS", 700)
    monkeypatch.setattr(distributed, "SHARE_ROWS", 10)


@pytest.mark.parametrize("name", CUTS)
def test_however_files_and_servers_are_cut_the_results_are_those_of_one_machine(
    name, on_one_machine, tmp_path, monkeypatch
):
    drop, expected = on_one_machine(name)
    cut_small(monkeypatch, *CUTS[name])
    monkeypatch.setattr(engine, "cluster", one_process)
    same(expected, runs(drop, tmp_path, engine.SPARK))


@with_spark
@pytest.mark.parametrize(
    ("name", "share_bytes", "bucket_rows"),
    [("many things", 20_000, 400), ("parts and groups", 10**9, 10**9), ("skewed", 10**9, 5_000)],
)
def test_spark_gives_what_one_machine_gives_whatever_the_number_of_partitions(
    name, share_bytes, bucket_rows, on_one_machine, tmp_path, monkeypatch, spark
):
    drop, expected = on_one_machine(name)
    cut_small(monkeypatch, share_bytes, bucket_rows)
    same(expected, runs(drop, tmp_path, engine.SPARK))


def test_the_drops_have_in_them_what_they_are_to_prove(on_one_machine):
    """Otherwise nothing of the above would say much."""
    first, second, _ = (json.loads(one["data_quality.json"]) for one in on_one_machine("many things")[1])
    told = json.dumps(first)
    for what in ("different values at the same moment", "another statistic", "damaged gzip", "shares of one",
                 "were replaced by other values", "no server name", "vcpus of web-1 is"):  # fmt: skip
        assert what in told, what
    assert first["rows"]["duplicates"] and first["inventory"]["without_data"] == ["unmeasured"]
    assert "came too late" in json.dumps(second) and "more than tenfold" in json.dumps(second)
    assert second["panel"]["rows_changed"]
    groups = json.loads(on_one_machine("parts and groups")[1][0]["data_quality.json"])["groups"]
    assert {one["problem"] is None for one in groups} == {True, False}


def test_a_file_is_in_one_share_and_shares_are_of_a_size(tmp_path, monkeypatch):
    monkeypatch.setattr(distributed, "SHARE_BYTES", 100)
    monkeypatch.setattr(distributed, "SHARE_FILES", 3)
    sizes = [40, 70, 500, 10, 10, 10, 10]
    for place, size in enumerate(sizes):
        (tmp_path / f"{place}.csv").write_bytes(bytes(size))
    sources = [Source(place, f"{place}.csv", tmp_path / f"{place}.csv") for place in range(len(sizes))]
    made = distributed.shares_of(sources, merge.Settings(), tmp_path)
    assert [[one.order for one in share.sources] for share in made] == [[0], [1], [2], [3, 4, 5], [6]]
    assert str(made[3]) == "3 files, '3.csv' to '5.csv'" and str(made[2]) == "the file '2.csv'"


def test_members_of_groups_that_share_a_server_are_in_one_bucket():
    with distributed.duckdb.connect() as db:
        db.execute("CREATE TABLE member (server_id VARCHAR, group_name VARCHAR)")
        db.execute("INSERT INTO member VALUES ('c', 'g'), ('a', 'g'), ('a', 'h'), ('b', 'h'), ('x', 'other')")
        chosen = distributed.together(db)
    assert {chosen[name] for name in ("a", "b", "c", "g", "h")} == {"a"}
    assert chosen["x"] == chosen["other"] != "a"


def test_a_bucket_that_fails_names_its_servers(monkeypatch):
    given = distributed.Known(
        merge.Settings(), {name: distributed.pa.table({}) for name in distributed._KNOWN}, [], None
    )
    packed = distributed._pack(distributed.pa.table({"server_id": ["web-2", "web-1"], "metric": ["cpu", "cpu"]}))
    rows = [distributed.Rows("stored", packed)]
    with pytest.raises(distributed.job.PartFailed, match=r"^2 servers from 'web-1' to 'web-2': CatalogException"):  # noqa: SIM117
        with distributed._bucket(iter(rows), given) as (db, _):
            db.execute("FROM nothing_of_the_kind")


def test_files_that_became_others_on_another_machine_are_made_again(tmp_path):
    raw: Path = tmp_path / "raw.csv"
    raw.write_bytes("timestamp,server_id,cpu\n2024-01-01,wéb-1,4\n".encode("utf-16"))
    share = distributed.Files([Source(0, "raw.csv", raw)], merge.Settings(), tmp_path / "share")
    looked_at = distributed.look_at(share)
    looked_at.sources[0].readable.unlink()
    names = distributed.reading.names_of(looked_at.sources, "p95")
    told, rows = distributed.read(looked_at, "2030-01-01 00:00:00+00", names)
    assert told.tables["name_in_file"].to_pylist() == [{"file": 0, "server_id": "wéb-1", "rows": 1}]
    assert distributed._unpack(rows.packed).to_pylist()[0]["row"] == 0
