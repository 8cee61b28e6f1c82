"""Files read in shares and servers merged in buckets give what one machine gives, to the bit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import drops
import laptop_spark
import pytest
from drops import Drop
from intake_in_parts import one_process, runs, same
from laptop_spark import with_spark

from headroom import engine
from headroom.intake.in_parts import buckets, distributed, file_shares, packed

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
    monkeypatch.setattr(file_shares, "SHARE_BYTES", share_bytes)
    monkeypatch.setattr(buckets, "BUCKET_ROWS", bucket_rows)
    monkeypatch.setattr(packed, "PACKED_ROWS", 700)
    monkeypatch.setattr(distributed, "SHARE_ROWS", 10)


@pytest.mark.parametrize("name", CUTS)
def test_however_files_and_servers_are_cut_the_results_are_those_of_one_machine(
    name, on_one_machine, tmp_path, monkeypatch
):
    drop, expected = on_one_machine(name)
    cut_small(monkeypatch, *CUTS[name])
    monkeypatch.setattr("headroom.spark.cluster", one_process)
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
    assert "idle/1.csv: cpu of lazy-1 never exceeds 1" in told
    assert first["rows"]["duplicates"] and first["inventory"]["without_data"] == ["unmeasured"]
    assert "came too late" in json.dumps(second) and "more than tenfold" in json.dumps(second)
    assert second["panel"]["rows_changed"]
    groups = json.loads(on_one_machine("parts and groups")[1][0]["data_quality.json"])["groups"]
    assert {one["problem"] is None for one in groups} == {True, False}
