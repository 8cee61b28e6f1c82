"""A time and a column per server, as spreadsheets have it."""

import exports
import pytest

from headroom.core.job import InputError


def matrix(made, time="Zeit", layout="%d.%m.%Y %H:%M", total=""):
    rows = [";".join([time, *made, *([total] if total else [])])]
    for moments in zip(*made.values(), strict=True):
        values = [value for _, value in moments]
        cells = [f"{value:.2f}".replace(".", ",") for value in (*values, *([sum(values)] if total else []))]
        rows.append(";".join([f"{moments[0][0]:{layout}}", *cells]))
    return "\n".join(rows)


CPU = exports.fleet("SRV01", "SRV02")


@pytest.mark.parametrize(
    "time", ["Zeit", "Datum", "Date", "Time", "Timestamp", "Zeitstempel", "Fecha", "Horodatage", "ts"]
)
def test_the_first_column_may_have_any_heading_of_times(tmp_path, time):
    panel, quality = exports.read(tmp_path, {"CPU Auslastung.csv": matrix(CPU, time)})
    assert exports.is_right(panel, quality, cpu=CPU)


@pytest.mark.parametrize("total", ["Gesamt", "Total", "Summe", "Average"])
def test_a_total_beside_servers_is_left_out_and_named(tmp_path, total):
    panel, quality = exports.read(tmp_path, {"cpu.csv": matrix(CPU, total=total)})
    assert exports.is_right(panel, quality, cpu=CPU)
    assert f"cpu.csv: not read, as it is no server but made of the others: {total}." in quality["notes"]


def test_the_metric_may_be_in_the_settings_and_a_column_be_left_out(tmp_path):
    files = {"export.csv": matrix(CPU)}
    panel, quality = exports.read(tmp_path, files, "metric: cpu")
    assert exports.is_right(panel, quality, cpu=CPU)
    panel, _ = exports.read(tmp_path, files, "{metric: cpu, columns: {SRV02: ignore}}")
    assert panel["server_id"].tolist() == ["SRV01"]


def test_where_nothing_says_the_metric_the_refusal_names_the_shape_and_the_way_out(tmp_path):
    with pytest.raises(InputError, match=r"a column per server .* the file's name \(cpu.csv\) or the settings"):
        exports.read(tmp_path, {"export.csv": matrix(CPU)})


@pytest.mark.parametrize("names", [("cpu0", "cpu1"), ("core-0", "core-1"), ("disk1", "disk2"), ("Wert1", "Wert2")])
def test_parts_of_one_server_and_numbered_columns_are_no_servers(tmp_path, names):
    with pytest.raises(InputError, match="nothing that is known"):
        exports.read(tmp_path, {"cpu.csv": matrix(exports.fleet(*names), "Time")})


@pytest.mark.parametrize("time", ["Zeit (Europe/Berlin)", "time_utc"])
def test_a_heading_that_says_a_zone_is_not_read_without_it(tmp_path, time):
    with pytest.raises(InputError, match="a column per server"):
        exports.read(tmp_path, {"cpu.csv": matrix(CPU, time)}, "timezone: Asia/Tokyo")


def test_a_files_name_that_does_not_say_its_metric_is_named_as_the_cause(tmp_path):
    files = {"cpu-prod.csv": matrix(CPU), "cpu-ready.csv": matrix(CPU, "Time"), "cpu.csv": matrix(CPU)}
    panel, quality = exports.read(tmp_path, files)
    assert exports.is_right(panel, quality, cpu=CPU)
    reasons = " ".join(one["reason"] for one in quality["reasons"])
    for name in ("cpu-prod", "cpu-ready"):
        assert f"the file's name, {name!r}, is not known to be a utilization" in reasons
    assert "rename the file" in reasons


def test_a_statistic_behind_a_name_is_no_part_of_it(tmp_path):
    rows = "".join(f"2024-02-13 {hour:02}:00,40,60\n" for hour in range(24))
    for heads in ("web-1_avg,web-1_max", "web-1.mean,web-1.max"):
        with pytest.raises(InputError):
            exports.read(tmp_path / heads[5:8], {"cpu.csv": f"Time,{heads}\n{rows}"})


def test_series_joined_by_grafana_8_and_what_splunk_puts_together(tmp_path):
    rows = "".join(f"2024-02-13 {hour:02}:00,{hour},{hour + 9}\n" for hour in range(24))
    joined = {"CPU usage-data-as-seriesToColumns-2024-02-14 09_12_33.csv": f"Time,alpha,beta\n{rows}"}
    panel, _ = exports.read(tmp_path / "joined", joined)
    assert panel["server_id"].tolist() == ["alpha", "beta"]
    panel, quality = exports.read(tmp_path / "splunk", {"cpu.csv": f"_time,web-1,OTHER\n{rows}"})
    assert panel["server_id"].tolist() == ["web-1"] and any("OTHER" in note for note in quality["notes"])


@pytest.mark.parametrize("heading", ["online-users", "error-rate", "queue-length", "avg-all", "lun-3", "vol-0a1b2c3d"])
def test_a_column_of_another_thing_beside_servers_is_none_and_may_be_ignored(tmp_path, heading):
    rows = "".join(f"2024-02-13 {hour:02}:00,{hour},{hour + 9},7\n" for hour in range(24))
    files = {"cpu.csv": f"Time,web-1,web-2,{heading}\n{rows}"}
    with pytest.raises(InputError):
        exports.read(tmp_path / "all", files)
    panel, _ = exports.read(tmp_path, files, f"columns: {{{heading}: ignore}}")
    assert panel["server_id"].tolist() == ["web-1", "web-2"]
