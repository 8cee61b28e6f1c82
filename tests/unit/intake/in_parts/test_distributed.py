"""What shares of files tell; what comes of them is in ``tests/unit/test_spread.py``."""

from __future__ import annotations

from headroom.core.settings import Settings
from headroom.intake.files.metric_names import names_of
from headroom.intake.files.sources import Source
from headroom.intake.in_parts import distributed
from headroom.intake.in_parts.file_shares import Files, look_at
from headroom.intake.in_parts.packed import unpack


def test_files_that_became_others_on_another_machine_are_made_again(tmp_path):
    raw = tmp_path / "raw.csv"
    raw.write_bytes("timestamp,server_id,cpu\n2024-01-01,wéb-1,4\n".encode("utf-16"))
    share = Files([Source(0, "raw.csv", raw)], Settings(), tmp_path / "share")
    looked_at = look_at(share)
    looked_at.sources[0].readable.unlink()
    names = names_of(looked_at.sources, "p95")
    told, rows = distributed.read(looked_at, "2030-01-01 00:00:00+00", names)
    assert told.tables["name_in_file"].to_pylist() == [{"file": 0, "server_id": "wéb-1", "rows": 1}]
    assert unpack(rows.packed).to_pylist()[0]["row"] == 0
