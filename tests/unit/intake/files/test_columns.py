"""What the columns of a table are."""

import exports
import pytest

from headroom.core.job import InputError
from headroom.core.settings import FileRules
from headroom.intake.files.columns import best, name_of_cell, understand
from headroom.intake.unreadable import UnreadableFile
from headroom.intake.words.meaning import Unclear, meaning_of


def places(headings, *rows, **rules):
    found = understand(headings, rows, FileRules(**rules), "p95", None)
    return {role: headings[place] for role, place in found.places.items()}


@pytest.mark.parametrize(
    "headings, server",
    [
        (["time", "Host", "VM", "cpu"], "VM"), (["time", "instance", "host", "cpu"], "host"),
        (["time", "node", "pod", "cpu [%]"], "pod"), (["time", "device", "hostname", "cpu"], "hostname"),
        (["time", "Computer", "InstanceName", "cpu"], "Computer"), (["time", "Name", "cpu"], "Name"),
        (["time", "Resource", "cpu"], "Resource"), (["time", "ServiceName", "host", "cpu"], "host"),
        (["time", "DBInstanceIdentifier", "cpu"], "DBInstanceIdentifier"),
        (["time", "Instance-ID", "cpu"], "Instance-ID"),
    ],
)  # fmt: skip
def test_of_several_names_the_server_is_the_one_that_is_surest_to_be_it(headings, server):
    assert places(headings)["server_id"] == server


def test_label_columns_are_no_metrics_in_the_long_form():
    found = places(["time", "host", "disk", "metric", "value"], ["2024-01-01", "a", "3", "cpu", "5"])
    assert found == {"timestamp": "time", "server_id": "host", "metric": "metric", "value": "value"}


def test_sizes_are_no_usage():
    assert places(["time", "vm", "cpu", "memory", "cpu_usage_pct", "mem_usage_pct"])["cpu"] == "cpu_usage_pct"


def test_of_a_periods_statistics_the_one_that_is_asked_for_counts_and_maxima_never_do():
    names = ["cpu_avg", "cpu_max", "cpu_p95", "cpu_min"]
    meanings = [(name, meaning_of(name)) for name in names]
    assert best(meanings, "p95") == ["cpu_p95"] and best(meanings, "max") == ["cpu_max"]
    assert best(meanings[:2], "p95") == ["cpu_avg"] and best(meanings[1:2], "p95") == []


def test_several_parts_of_a_server_are_not_taken_for_one():
    found = understand(
        ["time", "host", "disk / [%]", "disk /var [%]"], [["1", "a", "5", "6"]], FileRules(), "p95", None
    )
    assert "disk" not in found.places
    assert [(place, part) for _, place, part, _ in found.spread] == [(2, "/"), (3, "/var")]


def test_two_columns_mapped_to_one_metric_are_an_error():
    with pytest.raises(UnreadableFile, match="'a' and 'b' are all mapped to cpu"):
        places(["time", "a", "b"], columns={"a": "cpu", "b": "cpu"})


def test_date_and_time_in_two_columns_are_one_timestamp():
    found = places(["Date", "Time", "Server", "CPU"], ["2024-02-03", "00:10:00", "a", "5"])
    assert (found["timestamp"], found["clock"]) == ("Date", "Time")
    found = places(["Date", "Time", "Server", "CPU"], ["2024-02-03", "2024-02-03 00:10:00", "a", "5"])
    assert found["timestamp"] == "Time" and "clock" not in found


def test_what_the_settings_say_comes_first():
    found = places(
        ["when", "box", "CPU ready", "cpu"], columns={"When": "timestamp", "box": "server_id", "cpu  ready": "cpu"}
    )
    assert found == {"timestamp": "when", "server_id": "box", "cpu": "CPU ready"}


def test_a_unit_in_the_settings_holds_for_a_heading_mapped_to_its_metric():
    rules = FileRules(columns={"Last": "cpu"}, units={"cpu": "ratio"})
    found = understand(["time", "host", "Last"], [["2024-02-13", "a", "0.4"]], rules, "p95", None)
    assert [meaning.factor for _, meaning in found.meanings] == [100]


@pytest.mark.parametrize(
    "header",
    ["time,average,minimum,maximum", "time,avg_CounterValue", "time,Value #A", "Zeit,Wert", "time,Average,unit"],
)
def test_an_average_is_of_what_the_files_name_says(tmp_path, header):
    others = ["%"] if "unit" in header else ["7", "99"][: header.count(",") - 1]
    rows = [",".join([f"2024-02-13 {hour:02}:00", f"{40 + hour}", *others]) for hour in range(24)]
    panel, _ = exports.read(
        tmp_path, {"web-1_cpu.csv": "\n".join([header, *rows]).replace(",7", ",%", "unit" in header)}
    )
    assert panel[["server_id", "metric", "max"]].values.tolist() == [["web-1", "cpu", 63]]


def test_values_of_several_queries_are_not_said_to_be_anything():
    headings = ["Time", "instance", "Value #A", "Value #B"]
    with pytest.raises(UnreadableFile, match="are of several queries"):
        places(headings)
    mapped = {"Value #A": "cpu", "Value #B": "memory"}
    assert places(headings, columns=mapped)["memory"] == "Value #B"


def test_a_disks_number_beside_its_operations_is_no_usage():
    with pytest.raises(UnreadableFile, match="'disk' may be its number, as 'read_iops' stands beside it"):
        places(["time", "host", "disk", "read_iops"], ["2024-02-13", "a", "1", "212"])


def test_what_df_shows_is_of_disks(tmp_path):
    rows = [f"2024-02-13 {hour:02}:00,a,/dev/sda1,100G,{40 + hour}%,/" for hour in range(24)]
    panel, _ = exports.read(tmp_path, {"d.csv": "\n".join(["time,host,Filesystem,Size,Use%,Mounted on", *rows])})
    assert panel[["metric", "max"]].values.tolist() == [["disk", 63]]


def test_numbers_of_pods_without_a_unit_are_not_taken_for_percent():
    with pytest.raises(UnreadableFile, match="of a pod could be cores"):
        places(["timestamp", "pod", "cpu"], ["2024-01-01", "web-abc", "1.7"])


def test_a_unit_that_does_not_fit_is_refused_with_a_sentence():
    units = FileRules(units={"memory": "GiB"})
    with pytest.raises(UnreadableFile, match=r"'value \[GiB\]' is in 'GiB', of which Headroom cannot make percent"):
        understand(["time", "host", "value [GiB]"], [], FileRules(), "p95", meaning_of("memory"))
    found = understand(["time", "host", "cpu", "memory_usage"], [], units, "p95", None)
    assert dict(found.unclear)["memory_usage"].startswith("is in 'GiB'") and "memory" not in found.places
    assert isinstance(name_of_cell("memory_usage", "", units), Unclear)


@pytest.mark.parametrize("heading", ["value [avg]", "Value (mean)", "value"])
def test_a_bare_value_may_say_that_it_is_an_average(heading):
    found = understand(["time", heading], [], FileRules(), "p95", meaning_of("cpu"))
    assert [metric for metric, _ in found.meanings] == ["cpu"]


def test_a_bare_value_that_is_a_maximum_is_refused_as_that():
    with pytest.raises(UnreadableFile, match=r"'value \[max\]' is a max, and not what was measured on average"):
        understand(["time", "value [max]"], [], FileRules(metric="cpu"), "p95", None)
    assert understand(["time", "value [max]"], [], FileRules(metric="cpu"), "max", None).shape == "two-column"


def test_a_bare_value_may_say_its_unit_beside_its_statistic():
    [(_, found)] = understand(["time", "value [avg] (ratio)"], [], FileRules(), "p95", meaning_of("cpu")).meanings
    assert found.factor == 100


def test_percent_beside_a_drive_are_of_disks_and_rates_beside_a_card_of_the_network(tmp_path):
    rows = [
        f"2024-02-13 {hour:02}:00,a,{drive},{free}" for hour in range(24) for drive, free in (("C:", 60), ("D:", 20))
    ]
    panel, _ = exports.read(tmp_path / "d", {"d.csv": "\n".join(["time,server,Drive,% Free Space", *rows])})
    assert exports.entities(panel) == [("a", "C:", "disk", 40), ("a", "D:", "disk", 80)]
    panel, _ = exports.read(tmp_path / "n", {"n.csv": "\n".join(["time,server,NIC,rx [MB/s]", *rows])})
    assert exports.entities(panel) == [("a", "C:", "network_in", 60), ("a", "D:", "network_in", 20)]
    with pytest.raises(InputError, match=r"'% Busy' is in percent, of what is not known|is not known to be"):
        exports.read(tmp_path / "b", {"d.csv": "\n".join(["time,server,Disk,% Busy", *rows])})


def test_a_column_of_cores_with_one_for_all_is_no_cpu(tmp_path):
    rows = [f"2024-02-13 {hour:02}:00,a,{cpu},{free}" for hour in range(24) for cpu, free in (("all", 60), ("0", 20))]
    panel, _ = exports.read(tmp_path, {"d.csv": "\n".join(["time,host,CPU,pctIdle", *rows])})
    assert panel["max"].tolist() == [40]


def test_the_name_of_a_measurement_is_no_server(tmp_path):
    rows = [f"system,2024-02-13 {hour:02}:00,{hour}.5" for hour in range(24)]
    panel, _ = exports.read(tmp_path, {"web-1.csv": "\n".join(["name,time,cpu_usage", *rows])})
    assert panel["server_id"].tolist() == ["web-1"]


@pytest.mark.parametrize("cell", ['"=""40.5"""', "~40.5", "40٫5", "40·5"])
def test_numbers_written_so_that_they_are_none_are_named(tmp_path, cell):
    rows = [f"2024-02-13 {hour:02}:00,a,{cell},50" for hour in range(24)]
    with pytest.raises(InputError, match="the cells under 'cpu' are not plain numbers"):
        exports.read(tmp_path, {"d.csv": "\n".join(["time,host,cpu,memory", *rows])})


@pytest.mark.parametrize("cell", ["40.5 %", "40.5\u00a0%", "40,5\u202f%"])
def test_blanks_of_any_kind_stand_before_a_percent_sign(tmp_path, cell):
    rows = [f"2024-02-13 {hour:02}:00;a;{cell}" for hour in range(24)]
    panel, _ = exports.read(tmp_path, {"d.csv": "\n".join(["time;host;cpu", *rows])})
    assert panel["max"].tolist() == [40.5]


def rows_of(made, *more):
    return [[exports.iso(at), server, *(one(value) for one in more)] for server, x in made.items() for at, value in x]


def table(headings, rows):
    return "\n".join(",".join(map(str, row)) for row in [headings, *rows])


def is_read(folder, headings, rows, **truth):
    panel, quality = exports.read(folder, {"a.csv": table(headings, rows)})
    return exports.is_right(panel, quality, **truth)


def test_amounts_as_kubernetes_writes_them_are_no_parts_and_no_percentages(tmp_path):
    cpu = exports.fleet("node-1", "node-2")
    rows = rows_of(cpu, lambda v: f"{v * 40:.0f}m", lambda v: f"{v}%")
    assert is_read(tmp_path / "beside", ["time", "node", "CPU", "CPU%"], rows, cpu=cpu)
    with pytest.raises(InputError, match="has amounts such as"):
        exports.read(tmp_path / "alone", {"a.csv": table(["time", "node", "cpu"], [row[:3] for row in rows])})


def test_a_column_of_decimals_is_no_part(tmp_path):
    cpu = exports.fleet("node-1", "node-2")
    assert is_read(tmp_path, ["time", "host", "cpu", "gpu"], rows_of(cpu, str, lambda v: v / 2 + 0.03), cpu=cpu)


@pytest.mark.parametrize(
    "parts, used", [("Filesystem,Mounted on", "Use%"), ("DriveLetter", "PercentUsed"), ("path", "used_percent")]
)
def test_percent_beside_a_column_of_drives_is_of_these(tmp_path, parts, used):
    rows = [
        [f"2024-02-13 {hour:02}:00", "web-1", *[part] * (1 + parts.count(",")), value]
        for hour in range(24) for part, value in (("/", 40), ("/var", 70))
    ]  # fmt: skip
    panel, _ = exports.read(tmp_path, {"a.csv": table(["time", "host", *parts.split(","), used], rows)})
    assert sorted(panel["max"]) == [40, 70] and set(panel["metric"]) == {"disk"} and panel["entity"].nunique() == 2


@pytest.mark.parametrize("rate", ["{:,.2f} MB/s", "{:.3f} MB/s", "{:.0f} B/s"])
def test_rates_may_say_their_unit_in_their_cells_alone(tmp_path, rate):
    net = {server: [(at, v * 50) for at, v in made] for server, made in exports.fleet("web-1", "web-2").items()}
    rows = rows_of(net, lambda v: '"' + rate.format(v * (1e6 if " B/s" in rate else 1)) + '"')
    assert is_read(tmp_path, ["time", "host", "Network In"], rows, network_in=net)


def test_where_commas_are_decimal_marks_they_are_so_beside_units(tmp_path):
    rows = [f"2024-02-13 {hour:02}:00;web-1;{45 + hour},25;1.04{hour % 10} MB/s" for hour in range(24)]
    panel, _ = exports.read(tmp_path, {"a.csv": "\n".join(["time;host;cpu;network_in", *rows])})
    assert panel.set_index("metric").loc["network_in", "max"] == 1049


@pytest.mark.parametrize("heading", ["Durchsatz (KB/s)", "AvgLoad", "ifInOctets", "Bytes Total/sec [B/s]"])
def test_what_may_be_of_ours_and_is_not_read_is_named(tmp_path, heading):
    memory = exports.fleet("web-1", "web-2")
    _, quality = exports.read(
        tmp_path, {"a.csv": table(["time", "host", "memory", heading], rows_of(memory, str, lambda v: v * 900))}
    )
    assert any(heading in note for note in quality["notes"])


@pytest.mark.parametrize(
    "heading, factor",
    [("Bytes Received/sec", 1e6), ("rxkB/s", 1e6 / 1024), ("Netzwerk eingehend (KB/s)", 1000),
     ("Network In (BytesPerSecond)", 1e6), ("network_in [By/s]", 1e6), ("receiveBytesPerSecond", 1e6)],
)  # fmt: skip
def test_what_a_network_receives_has_many_names(tmp_path, heading, factor):
    net = exports.fleet("web-1", "web-2")
    assert is_read(tmp_path, ["time", "host", heading], rows_of(net, lambda v: f"{v * factor:.4f}"), network_in=net)
