"""What collectors write is read by the jobs as it is: without settings, without notes, to the number."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroom.preprocess import preprocess
from samples import Samples, clean
from tests.unit.functions.sources import Collecting

START = datetime(2026, 6, 1, tzinfo=UTC)


def panel_of(tmp_path: Path, files: dict[str, bytes]) -> tuple[pd.DataFrame, pd.DataFrame, dict]:
    """What the first job makes of files, without any settings."""
    for name, body in files.items():
        path = tmp_path / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    out = tmp_path / "panel"
    preprocess(tmp_path / "raw", None, None, None, out)
    quality = json.loads((out / "data_quality.json").read_text())
    return pd.read_parquet(out / "panel.parquet"), pd.read_parquet(out / "servers.parquet"), quality


def a_day(server: str, **metrics: float) -> Samples:
    found = Samples()
    for number in range(288):
        for metric, value in metrics.items():
            found.add((server, ""), START + timedelta(minutes=5 * number), metric, value)
    return found


def test_a_fleet_that_idles_is_not_taken_for_shares(tmp_path):
    packed = a_day("i-1", cpu=0.3, memory=0.9, disk=0.01, network_in=0.0001, network_out=12345.678).packed()
    assert packed is not None
    panel, _, quality = panel_of(tmp_path, {"a.csv.gz": packed})
    values = panel.set_index("metric")["y"].to_dict()
    assert values == pytest.approx(
        {"cpu": 0.3, "memory": 0.9, "disk": 0.01, "network_in": 0.0001, "network_out": 12345.678}
    )
    assert all("read as percent" in note for note in quality["notes"])
    assert quality["rows"]["quarantined"] == 0


def test_a_collected_fleet_is_read_whole_with_what_it_is(tmp_path):
    service = Collecting()
    service.aws.instance("i-1", Name="=cmd()", Team="shop, online\n", Criticality="high")
    service.aws.instance("i-2", "r5.xlarge")
    service.aws.metric("CWAgent", "mem_used_percent", 71.5, InstanceId="i-1")
    service.set_up(backfill_days=70, names="tag")
    service.tick()
    files = {key.removeprefix("incoming/fleet/"): versions[-1].body or b"" for key, versions in service.files().items()}
    panel, servers, quality = panel_of(tmp_path, files)
    assert quality["notes"] == []
    assert quality["files"] and all(file.get("status", "used") == "used" for file in quality["files"])
    assert quality["rows"]["read"] == quality["rows"]["accepted"] == 2 * (62.5 * 288 + 7.5 * 24)
    assert set(panel["metric"]) == {"cpu", "memory", "network_in", "network_out"}
    known = servers.set_index("server_id")
    assert known.loc["=cmd() (i-1)", "business_unit"] == "shop, online"
    assert known.loc["=cmd() (i-1)", "criticality"] == "high"
    assert known.loc["i-2", "memory_gb"] == 32


def test_of_the_parts_of_a_server_the_busiest_counts():
    found = Samples()
    for value in (30.0, 80.0, 50.0):
        found.add(("i-1", ""), START, "disk", value)
    assert gzip.decompress(found.packed() or b"").decode().splitlines()[1] == "2026-06-01T00:00:00Z,i-1,80"


def test_the_same_samples_are_the_same_bytes():
    one, other = a_day("i-1", cpu=1.0), a_day("i-1", cpu=1.0)
    other.values["i-1", ""] = dict(reversed(other.values["i-1", ""].items()))
    assert one.packed() == other.packed()


def test_no_samples_are_no_file():
    assert Samples(attributes={("i-1", ""): {"region": "x"}}).packed() is None


def test_a_number_that_is_none_is_left_empty():
    found = Samples()
    found.add(("i-1", ""), START, "cpu", float("nan"))
    found.add(("i-1", ""), START, "memory", float("inf"))
    assert gzip.decompress(found.packed() or b"").decode().splitlines()[1].endswith(",i-1,,")


@given(st.text(max_size=600))
def test_whatever_a_tag_holds_is_one_short_line(text):
    found = clean(text)
    assert len(found) <= 256
    assert found.isprintable()
    assert found == found.strip()
