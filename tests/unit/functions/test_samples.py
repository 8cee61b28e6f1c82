"""What collectors write is read by the jobs as it is: without settings, without notes, to the number."""

from __future__ import annotations

import gzip
import json
import re
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


def panel_of(
    tmp_path: Path, files: dict[str, bytes], settings: str | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, dict]:
    """What the first job makes of files, without any settings or with some."""
    given = None
    if settings is not None:
        given = tmp_path / "settings.yaml"
        given.write_text(settings)
    for name, body in files.items():
        path = tmp_path / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    out = tmp_path / "panel"
    preprocess(tmp_path / "raw", None, given, None, out)
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


@pytest.mark.slow
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
    assert quality["rows"]["read"] == quality["rows"]["accepted"] == 2 * (1490 * 12 + 190), (
        "of 70 days, 62.5 before now by five minutes"
    )
    assert set(panel["metric"]) == {"cpu", "memory", "network_in", "network_out"}
    known = servers.set_index("server_id")
    assert known.loc["=cmd() (i-1)", "business_unit"] == "shop, online"
    assert known.loc["=cmd() (i-1)", "criticality"] == "high"
    assert known.loc["i-2", "memory_gb"] == 32


def collected(service: Collecting) -> dict[str, bytes]:
    return {key.removeprefix("incoming/fleet/"): versions[-1].body or b"" for key, versions in service.files().items()}


@pytest.mark.slow
def test_each_disk_has_a_series_beside_those_of_its_server(tmp_path):
    service = Collecting()
    service.aws.instance("i-1")
    for path, used in (("/", 30.0), ("/data", 80.0)):
        service.aws.metric("CWAgent", "disk_used_percent", used, InstanceId="i-1", path=path, fstype="xfs")
    service.set_up(backfill_days=2)
    assert service.tick() == 2
    panel, servers, quality = panel_of(tmp_path, collected(service))
    levels = panel.groupby(["metric", "entity"])["y"].max().to_dict()
    assert levels["disk", "/"] == pytest.approx(30)
    assert levels["disk", "/data"] == pytest.approx(80)
    assert levels["cpu", ""] == pytest.approx(42.5)
    assert servers.loc[0, "instance_type"] == "m5.large"
    assert [file["error"] for file in quality["files"]] == [None, None]


@pytest.mark.slow
def test_what_is_provisioned_is_the_capacity_of_metrics_that_the_settings_name(tmp_path):
    """With the settings that docs/collectors.md gives."""
    page = (Path(__file__).parents[3] / "docs" / "collectors.md").read_text(encoding="utf-8")
    (settings,) = re.findall(r"```yaml\n(metrics:.*?)```", page, flags=re.DOTALL)
    service = Collecting()
    for volume in ("vol-1", "vol-2"):
        here = [{"InstanceId": "i-1", "VolumeId": volume, "State": "attached"}]
        service.aws.volumes.append({"VolumeId": volume, "Attachments": here, "Iops": 3000, "Throughput": 125})
        for way in ("Read", "Write"):
            service.aws.metric("AWS/EBS", f"Volume{way}Ops", lambda *at: 200.0 * at[2], VolumeId=volume)
            service.aws.metric("AWS/EBS", f"Volume{way}Bytes", lambda *at: 6e6 * at[2], VolumeId=volume)
    service.aws.metric("AWS/Lambda", "ConcurrentExecutions", 812.0)
    service.aws.metric("AWS/ApplicationELB", "RequestCount", lambda *at: 20.0 * at[2], LoadBalancer="app/web/50dc")
    arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/50dc"
    service.aws.balancers.append({"LoadBalancerArn": arn, "LoadBalancerName": "web", "Type": "application"})
    service.set_up(backfill_days=2, services=["ebs", "lambda", "elb"])
    assert service.tick() == 3
    panel, _, quality = panel_of(tmp_path, collected(service), settings)
    assert [file["error"] for file in quality["files"]] == [None] * 3
    found = panel.drop_duplicates(["metric", "entity"]).set_index(["metric", "entity"])
    assert found.loc[("iops", "vol-1"), ["y", "capacity"]].to_list() == pytest.approx([400, 3000])
    assert found.loc[("throughput", "vol-2"), ["y", "capacity"]].to_list() == pytest.approx([12, 131.072])
    assert found.loc[("concurrency", ""), ["y", "capacity"]].to_list() == pytest.approx([812, 1000])
    assert found.loc[("requests", ""), "y"] == pytest.approx(20)


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
