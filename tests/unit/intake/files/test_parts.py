"""Which rows and columns of parts count, and which are refused."""

import exports
import pytest

from headroom.core.job import InputError

HOURS = range(24)


def test_cores_are_no_entities_and_no_full_server(tmp_path):
    rows = "time,host,core,cpu\n" + "".join(
        f"2024-02-13 {h:02}:00,a,{core},{50 + core}\n" for h in HOURS for core in (0, 1)
    )
    with pytest.raises(InputError, match=r"2 parts of 'a'"):
        exports.read(tmp_path, {"a.csv": rows})


def test_a_row_of_the_whole_counts_and_parts_of_other_metrics_keep_theirs(tmp_path):
    rows = "time,host,instance,metric,value,unit\n" + "".join(
        f"2024-02-13 {hour:02}:00,a,{part},{metric},{value},%\n"
        for hour in HOURS
        for part, metric, value in (
            ("_Total", "cpu", 40), ("0", "cpu", 70), ("1", "cpu", 10),
            ("C:", "disk usage", 55), ("D:", "disk usage", 90))
    )  # fmt: skip
    panel, quality = exports.read(tmp_path, {"a.csv": rows}, "columns: {host: server_id, instance: entity}")
    assert exports.entities(panel) == [("a", "", "cpu", 40), ("a", "C:", "disk", 55), ("a", "D:", "disk", 90)]
    assert exports.adds_up(quality)


def test_the_settings_may_refuse_parts_or_take_the_busiest(tmp_path):
    with pytest.raises(InputError, match=r"2 parts of 'a'.*'/', '/var', by 'mount'"):
        exports.read(tmp_path / "a", {"a.csv": exports.disks("/", "/var")}, "entities: refuse")
    panel, _ = exports.read(tmp_path / "b", {"a.csv": exports.disks("/", "/var")}, "entities: busiest")
    assert panel["max"].tolist() == [50] and "entity" not in panel


def mixed(*parts, header="time,host,mount,cpu,disk_used_percent", whole=""):
    """A row of the server with its CPU, and one of each mount with its disk."""
    rows = [header]
    for hour in HOURS:
        rows.append(f"2024-02-13 {hour:02}:00,a,{whole},{40 + hour % 3},")
        rows += [f"2024-02-13 {hour:02}:00,a,{part},,{20 + 30 * place}" for place, part in enumerate(parts)]
    return "\n".join(rows)


@pytest.mark.parametrize("whole", ["", "_Total", "-", "N/A"])
def test_rows_of_the_server_beside_rows_of_its_disks_are_both_read(tmp_path, whole):
    panel, quality = exports.read(tmp_path, {"a.csv": mixed("/", "/var", whole=whole)})
    assert exports.entities(panel) == [("a", "", "cpu", 42), ("a", "/", "disk", 20), ("a", "/var", "disk", 50)]
    assert exports.adds_up(quality)


def test_a_row_that_says_something_of_the_server_and_of_a_disk_is_refused_where_there_are_several(tmp_path):
    rows = [f"2024-02-13 {hour:02}:00,a,{part},40,20" for hour in HOURS for part in ("/", "/var")]
    with pytest.raises(InputError, match="2 parts of 'a'"):
        exports.read(tmp_path, {"a.csv": "time,host,mount,cpu,disk_used_percent\n" + "\n".join(rows)})


@pytest.mark.parametrize(
    "headings, parts, metric",
    [
        (["disk / [%]", "disk /var [%]"], ["/", "/var"], "disk"),
        (["disk_used_percent[/]", "disk_used_percent[/var]"], ["/", "/var"], "disk"),
        (["Disk usage (C:) [%]", "Disk usage (D:) [%]"], ["C:", "D:"], "disk"),
        (["eth0 rx [MB/s]", "eth1 rx [MB/s]"], ["eth0", "eth1"], "network_in"),
        (["network_in ens1 [MB/s]", "network_in ens2 [MB/s]"], ["ens1", "ens2"], "network_in"),
    ],
)
@pytest.mark.parametrize("mark", [",", ";"])
def test_parts_that_stand_in_columns_have_a_series_each(tmp_path, headings, parts, metric, mark):
    rows = [mark.join(["time", "host", "cpu [%]", *headings])]
    rows += [mark.join([f"2024-02-13 {hour:02}:00", "a", "40", "20", "50"]) for hour in HOURS]
    panel, quality = exports.read(tmp_path, {"a.csv": "\n".join([*rows, mark.join(["cut off", "a"])])})
    wanted = [("a", "", "cpu", 40), ("a", parts[0], metric, 20), ("a", parts[1], metric, 50)]
    assert exports.entities(panel) == wanted and exports.adds_up(quality)
    assert quality["rows"]["quarantined"] == 1


def test_attributes_beside_parts_in_columns_are_told(tmp_path):
    text = "time,host,region,disk / [%],disk /var [%]\n2024-02-13 01:00,a,eu,20,50\n"
    _, quality = exports.read(tmp_path, {"a.csv": text})
    assert any("region are not read" in note for note in quality["notes"])


def test_one_core_is_not_the_server(tmp_path):
    rows = "".join(f"2024-02-13 {hour:02}:00,a,0,90\n" for hour in HOURS)
    with pytest.raises(InputError, match="of 'a' it has cpu of the part '0' only"):
        exports.read(tmp_path, {"a.csv": f"time,host,core,cpu [%]\n{rows}"})


def test_a_part_that_is_not_kept_because_its_row_has_the_server_s_cpu_is_told(tmp_path):
    text = "time,host,mount,cpu [%],disk [%]\n2024-02-13 01:00,a,/var,40,20\n"
    panel, quality = exports.read(tmp_path, {"var.csv": text})
    assert exports.entities(panel.assign(entity="")) == [("a", "", "cpu", 40), ("a", "", "disk", 20)]
    assert any("disk of '/var' (by 'mount') counts as its server's" in note for note in quality["notes"])
