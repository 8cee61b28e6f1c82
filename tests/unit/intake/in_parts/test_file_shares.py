"""Shares of the files that are looked at and read together."""

from __future__ import annotations

import os

from headroom.core.settings import Settings
from headroom.intake.files.sources import Source
from headroom.intake.in_parts import file_shares


def test_a_file_is_in_one_share_and_shares_are_of_a_size(tmp_path, monkeypatch):
    monkeypatch.setattr(file_shares, "SHARE_BYTES", 100)
    monkeypatch.setattr(file_shares, "SHARE_FILES", 3)
    sizes = [40, 70, 500, 10, 10, 10, 10]
    for place, size in enumerate(sizes):
        (tmp_path / f"{place}.csv").write_bytes(bytes(size))
    sources = [Source(place, f"{place}.csv", tmp_path / f"{place}.csv") for place in range(len(sizes))]
    made = file_shares.shares_of(sources, Settings(), tmp_path)
    assert [[one.order for one in share.sources] for share in made] == [[0], [1], [2], [3, 4, 5], [6]]
    assert str(made[3]) == "3 files, '3.csv' to '5.csv'" and str(made[2]) == "the file '2.csv'"


def test_a_giant_file_is_read_by_as_many_cores_of_its_machine_as_it_is_shares_large(tmp_path, monkeypatch):
    monkeypatch.setattr(file_shares, "SHARE_BYTES", 100)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    for name, size in (("small.csv", 60), ("giant.csv", 350), ("packed.csv.gz", 200)):
        (tmp_path / name).write_bytes(bytes(size))
    names = ("small.csv", "giant.csv", "packed.csv.gz")
    sources = [Source(place, name, tmp_path / name) for place, name in enumerate(names)]
    assert [share.cores for share in file_shares.shares_of(sources, Settings(), tmp_path)] == [1, 3, 8]
