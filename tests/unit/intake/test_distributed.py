"""Shares of files, and what they tell; what comes of them is in ``tests/unit/test_spread.py``."""

from __future__ import annotations

from headroom.core.settings import Settings
from headroom.intake import distributed
from headroom.intake.metric_names import names_of
from headroom.intake.packed import unpack
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


def test_files_that_became_others_on_another_machine_are_made_again(tmp_path):
    raw = tmp_path / "raw.csv"
    raw.write_bytes("timestamp,server_id,cpu\n2024-01-01,wéb-1,4\n".encode("utf-16"))
    share = distributed.Files([Source(0, "raw.csv", raw)], Settings(), tmp_path / "share")
    looked_at = distributed.look_at(share)
    looked_at.sources[0].readable.unlink()
    names = names_of(looked_at.sources, "p95")
    told, rows = distributed.read(looked_at, "2030-01-01 00:00:00+00", names)
    assert told.tables["name_in_file"].to_pylist() == [{"file": 0, "server_id": "wéb-1", "rows": 1}]
    assert unpack(rows.packed).to_pylist()[0]["row"] == 0
