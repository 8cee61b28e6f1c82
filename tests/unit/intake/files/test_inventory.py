"""Files that describe servers and measure nothing."""

import json

import exports
import pandas as pd
import pytest

from headroom.core.job import InputError
from headroom.preprocess import preprocess

SAMPLES = "timestamp,server_id,cpu\n2024-01-01,web-1,50\n2024-01-01,db-1,60\n"
HEAD = "server_id,region,vcpus,team\n"


def go_on(folder, name, files):
    """A run with further files on the panel of the first."""
    raw = folder / name
    raw.mkdir()
    for file, text in files.items():
        (raw / file).write_text(text)
    preprocess(raw, folder / "panel", None, None, folder / f"panel-{name}")
    written = folder / f"panel-{name}"
    quality = json.loads((written / "data_quality.json").read_text())
    return pd.read_parquet(written / "servers.parquet").set_index("server_id"), quality


def test_an_inventory_gives_servers_their_attributes_and_no_values(tmp_path):
    panel, quality = exports.read(tmp_path, {"a.csv": SAMPLES, "cmdb.csv": HEAD + "web-1 ,eu,8,x\ndb-1,us,4,y\n"})
    servers = pd.read_parquet(tmp_path / "panel/servers.parquet").set_index("server_id")
    assert servers.loc["web-1", ["region", "vcpus"]].to_list() == ["eu", 8]
    assert len(panel) == 2 and exports.adds_up(quality)
    assert quality["inventory"] == {"entries": 2, "without_data": [], "without_entry": []}
    assert quality["notes"] == []


def test_servers_without_data_and_data_without_an_entry_are_listed(tmp_path):
    _, quality = exports.read(tmp_path, {"a.csv": SAMPLES, "cmdb.csv": HEAD + "web-1,eu,8,x\nweb-2,us,4,y\n"})
    assert quality["inventory"] == {"entries": 2, "without_data": ["web-2"], "without_entry": ["db-1"]}
    assert quality["notes"] == [
        "Servers of the inventory that have no data: 1 (web-2).",
        "Servers with data that the inventory does not have: 1 (db-1).",
    ]


def test_without_an_inventory_nothing_is_said_of_one(tmp_path):
    _, quality = exports.read(tmp_path, {"a.csv": SAMPLES})
    assert quality["inventory"] is None and quality["notes"] == []


def test_an_inventory_may_come_alone_and_update_what_is_known(tmp_path):
    exports.read(tmp_path, {"a.csv": SAMPLES, "cmdb.csv": HEAD + "web-1,eu,8,x\nweb-2,us,4,y\n"})
    servers, quality = go_on(tmp_path, "later", {"cmdb.csv": HEAD + "web-1,eu,16,x\ndb-1,eu,2,x\n"})
    assert servers["vcpus"].to_dict() == {"web-1": 16, "db-1": 2}
    assert quality["inventory"] == {"entries": 2, "without_data": [], "without_entry": []}


def test_entries_stay_known_until_their_file_comes_again(tmp_path):
    exports.read(tmp_path, {"a.csv": SAMPLES, "cmdb.csv": HEAD + "web-1,eu,8,x\nweb-2,us,4,y\n"})
    _, quality = go_on(tmp_path, "later", {"b.csv": "timestamp,server_id,cpu\n2024-01-02,web-2,50\n"})
    assert quality["inventory"] == {"entries": 2, "without_data": [], "without_entry": ["db-1"]}


def test_rows_of_an_inventory_that_name_no_server_are_in_quarantine(tmp_path):
    _, quality = exports.read(tmp_path, {"a.csv": SAMPLES, "cmdb.csv": HEAD + ",eu,8,x\nweb-1,eu\nweb-1,eu,8,x,more\n"})
    assert {one["reason"].partition(":")[0] for one in quality["reasons"]} == {
        "no server name", "fewer fields than the header", "more fields than the header",
    }  # fmt: skip
    assert exports.adds_up(quality) and quality["rows"]["quarantined"] == 3


def test_an_inventory_that_contradicts_itself_is_refused(tmp_path):
    _, quality = exports.read(tmp_path, {"a.csv": SAMPLES, "cmdb.csv": HEAD + "web-1,eu,8,x\nweb-1,us,8,x\n"})
    assert "region of web-1 is 'eu' in one of its rows and 'us' in another" in quality["files"][1]["error"]
    assert quality["inventory"] is None and exports.adds_up(quality)


def test_an_inventory_without_any_data_says_that_data_is_missing(tmp_path):
    with pytest.raises(InputError, match="describe servers and measure nothing"):
        exports.read(tmp_path, {"cmdb.csv": HEAD + "web-1,eu,8,x\n"})


@pytest.mark.parametrize("text", ["server_id,owner\na,b\n", "region,vcpus\neu,8\n", "time,server_id,vcpus\n2024,a,8\n"])
def test_a_table_without_servers_or_attributes_or_with_times_is_no_inventory(tmp_path, text):
    _, quality = exports.read(tmp_path, {"a.csv": SAMPLES, "b.csv": text})
    assert quality["files"][1]["error"] and quality["inventory"] is None


def test_an_inventory_may_be_parquet(tmp_path):
    table = pd.DataFrame({"host": ["web-1"], "instance_type": ["m5.large"], "vcpu": [2]})
    _, quality = exports.read(tmp_path, {"a.csv": SAMPLES, "b.parquet": table.to_parquet()})
    assert quality["inventory"]["entries"] == 1
    servers = pd.read_parquet(tmp_path / "panel/servers.parquet").set_index("server_id")
    assert servers.loc["web-1", ["instance_type", "vcpus"]].to_list() == ["m5.large", 2]
