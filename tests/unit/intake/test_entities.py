"""Disks, mounts and network cards have series of their own."""

import csv
import io
import json

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from headroom import preprocess
from headroom.intake.files.columns import WHOLE
from tests import exports
from tests.exports import disks

HOURS = range(24)


def next_run(folder, before, files, rules=""):
    (folder / "raw").mkdir(parents=True)
    for name, content in files.items():
        (folder / "raw" / name).write_text(content)
    (folder / "settings.yaml").write_text(rules)
    preprocess.preprocess(folder / "raw", before / "panel", folder / "settings.yaml", None, folder / "panel")
    return pd.read_parquet(folder / "panel" / "panel.parquet")


def test_several_disks_of_a_server_have_a_series_each(tmp_path):
    panel, quality = exports.read(tmp_path, {"a.csv": disks("/", "/var")})
    assert exports.entities(panel) == [("a", "/", "disk", 20), ("a", "/var", "disk", 50)]
    assert quality["panel"]["servers"] == 1 and exports.adds_up(quality)
    servers = pd.read_parquet(tmp_path / "panel" / "servers.parquet")
    assert servers["server_id"].tolist() == ["a"]


def test_a_server_with_one_disk_has_its_own_series(tmp_path):
    panel, _ = exports.read(tmp_path, {"a.csv": disks("/") + disks("/", "/var", server="b").split("\n", 1)[1]})
    assert exports.entities(panel) == [("a", "", "disk", 20), ("b", "/", "disk", 20), ("b", "/var", "disk", 50)]
    panel, _ = exports.read(tmp_path / "alone", {"a.csv": disks("/")})
    assert "entity" not in panel


def test_disks_in_files_of_their_own_do_not_replace_each_other(tmp_path):
    files = {"root.csv": disks("/"), "var.csv": disks("/var", used=80)}
    panel, quality = exports.read(tmp_path, files)
    assert exports.entities(panel) == [("a", "/", "disk", 20), ("a", "/var", "disk", 80)]
    assert not any("replaced" in note for note in quality["notes"])


def test_the_next_run_goes_on_with_the_entities_there_were(tmp_path):
    exports.read(tmp_path / "one", {"a.csv": disks("/", "/var")})
    panel = next_run(tmp_path / "two", tmp_path / "one", {"b.csv": disks("/var", day=14)})
    assert exports.entities(panel) == [("a", "/", "disk", 20), ("a", "/var", "disk", 50), ("a", "/var", "disk", 20)]
    at_once, _ = exports.read(tmp_path / "all", {"a.csv": disks("/", "/var"), "b.csv": disks("/var", day=14)})
    pd.testing.assert_frame_equal(panel, at_once)


def test_labels_of_exports_name_the_entity(tmp_path):
    result = [
        {"metric": {"__name__": "node_filesystem_used_percent", "instance": "a:9100", "mountpoint": mount},
         "values": [[1707782400 + 3600 * hour, str(used)] for hour in HOURS]}
        for mount, used in (("/", 20), ("/var", 90))
    ]  # fmt: skip
    export = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})
    panel, quality = exports.read(tmp_path, {"range.json": export})
    assert [row[1:] for row in exports.entities(panel)] == [
        ("/", "disk", 20),
        ("/var", "disk", 90),
    ] and exports.adds_up(quality)


@pytest.mark.parametrize("how, expected", [("sum", 30), ("mean", 15), ("max", 20)])
def test_parts_of_an_own_metric_may_make_one_value(tmp_path, how, expected):
    rows = "time,host,queue,depth\n" + "".join(
        f"2024-02-13 {hour:02}:00,a,{queue},{depth}\n" for hour in HOURS for queue, depth in (("in", 10), ("out", 20))
    )
    own = f"metrics: {{depth: {{unit: messages, entities: {how}}}}}"
    panel, quality = exports.read(tmp_path, {"a.csv": rows}, own)
    assert panel[["server_id", "max"]].values.tolist() == [["a", expected]] and exports.adds_up(quality)


def test_a_control_character_in_a_server_s_name_makes_no_entity(tmp_path):
    files = {"a.csv": disks("/", "/var") + "2024-02-13 00:30,b\x1fc,/var,20\n"}
    panel, quality = exports.read(tmp_path, files)
    assert set(panel["server_id"]) == {"a"} and quality["rows"]["quarantined"] == 1
    assert "control characters" in quality["reasons"][0]["reason"]


def test_a_server_goes_by_one_name_whatever_its_disks_are_called(tmp_path):
    rules = "identity: {domains: [corp.example], ignore_case: true}"
    panel, _ = exports.read(tmp_path, {"a.csv": disks("/", "/Var.corp.example", server="DB-1.corp.example")}, rules)
    assert exports.entities(panel) == [("db-1", "/", "disk", 20), ("db-1", "/Var.corp.example", "disk", 50)]


def test_a_server_with_nothing_but_disks_has_data(tmp_path):
    files = {"disks.csv": disks("/", "/var"), "list.csv": "server,region\na,eu\nb,eu\n"}
    _, quality = exports.read(tmp_path, files)
    assert quality["inventory"] == {"entries": 2, "without_data": ["b"], "without_entry": []}


def test_entities_are_no_members_of_groups_and_go_with_hidden_servers(tmp_path):
    files = {"a.csv": disks("/", "/var", server="web-1"), "b.csv": disks("/", server="web-2")}
    rules = 'groups: [{match: "web-*", name: web, minutes: 60, members: hide}]'
    panel, _ = exports.read(tmp_path, files, rules)
    assert set(panel["server_id"]) == {"web"} and panel["max"].tolist() == [20]


NAMES = st.text(
    st.characters(min_codepoint=33, blacklist_categories=("Cc", "Cs", "Z")), min_size=1, max_size=30
).filter(lambda name: name.lower() not in (*WHOLE, "nan", "null", "none"))


@settings(max_examples=8)
@example(["0", "\xad"])
@given(st.lists(NAMES, min_size=2, max_size=4, unique_by=str.lower))
def test_whatever_disks_are_called_each_has_its_series(tmp_path_factory, names):
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["time", "host", "mount", "disk_used_percent"])
    for hour in HOURS:
        writer.writerows((f"2024-02-13 {hour:02}:00", "a", name, 20 + place) for place, name in enumerate(names))
    panel, quality = exports.read(tmp_path_factory.mktemp("names"), {"a.csv": out.getvalue()})
    assert dict(zip(panel["entity"], panel["max"], strict=True)) == {n: 20 + i for i, n in enumerate(names)}
    assert exports.adds_up(quality)


def test_dimensions_of_cloudwatch_name_the_entity_by_its_path(tmp_path):
    lines = [
        {"metric_stream_name": "all", "account_id": "1", "region": "eu-west-1", "namespace": "CWAgent",
         "metric_name": "disk_used_percent", "timestamp": 1707782400000 + 3600000 * hour, "unit": "Percent",
         "dimensions": {"InstanceId": "i-1", "path": path, "device": device, "fstype": "xfs"},
         "value": {"max": used, "min": used, "sum": used, "count": 1.0}}
        for hour in HOURS for path, device, used in (("/", "nvme0n1p1", 20.5), ("/var", "nvme1n1", 90.5))
    ]  # fmt: skip
    panel, _ = exports.read(tmp_path, {"stream-1": "".join(json.dumps(line) + "\n" for line in lines)})
    assert exports.entities(panel) == [("i-1", "/", "disk", 20.5), ("i-1", "/var", "disk", 90.5)]


@pytest.mark.parametrize("name", ["_Total", "Average", "Gesamt"])
def test_a_row_of_totals_is_no_server(tmp_path, name):
    rows = "".join(f"2024-02-13 {hour:02}:00,a,40\n2024-02-13 {hour:02}:00,{name},90\n" for hour in HOURS)
    panel, quality = exports.read(tmp_path, {"a.csv": f"time,host,cpu [%]\n{rows}"})
    assert set(panel.server_id) == {"a"} and quality["rows"]["quarantined"] == 24
    assert exports.adds_up(quality)


def test_a_percentage_that_is_not_known_is_told(tmp_path):
    text = "time,host,cpu [%],Zustand (%)\n2024-02-13 01:00,a,20,50\n"
    _, quality = exports.read(tmp_path, {"a.csv": text})
    assert any("Zustand (%) is in percent" in note for note in quality["notes"])
