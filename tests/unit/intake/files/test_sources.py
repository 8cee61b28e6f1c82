"""What only all rows of a file can tell."""

import exports
import pytest

from headroom.core.job import InputError
from headroom.intake.files import sources


def rows(*cells, header="time;host;network_in", mark=";"):
    return header + "".join(f"\n2024-02-{day:02}{mark}a{mark}{cell}" for day, cell in enumerate(cells, start=13)) + "\n"


def test_numbers_that_could_be_thousands_are_refused_and_a_setting_decides(tmp_path):
    file = {"a.csv": rows("991", "6.104", "1.278")}
    with pytest.raises(InputError, match="decimal_mark"):
        exports.read(tmp_path, file)
    panel, _ = exports.read(tmp_path, file, "decimal_mark: ','")
    assert panel["max"].tolist() == [991, 6104, 1278]
    panel, _ = exports.read(tmp_path, file, "decimal_mark: '.'")
    assert panel["max"].tolist() == [991, 6.104, 1.278]


def test_one_number_that_is_clear_decides_for_the_file(tmp_path):
    panel, _ = exports.read(tmp_path, {"a.csv": rows("6.104", "44.69")})
    assert panel["max"].tolist() == [6.104, 44.69]
    panel, _ = exports.read(
        tmp_path, {"a.csv": rows('"6,104.50"', "991.55", '"1,278"', mark=",", header="time,host,network_in")}
    )
    assert panel["max"].tolist() == [6104.5, 991.55, 1278]


def test_a_column_of_names_that_is_not_known_may_be_the_servers(tmp_path):
    file = {
        "web-9.csv": "time,Kiste,cpu\n"
        + "".join(f"2024-02-13 0{hour}:00,{name},5\n" for hour in range(9) for name in "ab")
    }
    with pytest.raises(InputError, match=r"'Kiste' has 2 different names.*Kiste: server_id"):
        exports.read(tmp_path, file)
    panel, _ = exports.read(tmp_path, file, "columns: {Kiste: server_id}")
    assert panel["server_id"].tolist() == ["a", "b"]


DISKS = "time,host,mount,disk_used_percent\n" + "".join(
    f"2024-02-13 0{hour}:{minute},a,{mount},{used}\n"
    for hour in range(9)
    for minute, mount, used in (("00", "/", 20), ("05", "/var", 90))
)


def test_of_several_disks_one_may_be_chosen(tmp_path):
    panel, quality = exports.read(tmp_path, {"a.csv": DISKS}, "sources: [{match: '*', where: {mount: /var}}]")
    assert panel["max"].tolist() == [90] and panel["samples"].tolist() == [9] and exports.adds_up(quality)


def test_local_times_of_the_hour_that_comes_twice_are_both_kept(tmp_path):
    times = ["01:30", "02:00", "02:30", "02:00", "02:30", "03:00"]
    file = "time,host,cpu\n" + "".join(f"2024-10-27 {at},a,{place + 10}\n" for place, at in enumerate(times))
    panel, _ = exports.read(tmp_path, {"a.csv": file}, "{frequency: h, timezone: Europe/Berlin}")
    assert panel["ds"].dt.hour.tolist() == [23, 0, 1, 2] and panel["max"].tolist() == [10, 12, 14, 15]


def test_a_source_has_rules_of_its_own(tmp_path):
    files = {"old/x.csv": "when;box;load\n13/02/2024 01:00;a;0,5\n", **exports.wide(exports.fleet("b"))}
    rules = "sources: [{match: 'old/*', columns: {when: timestamp, box: server_id, load: cpu}, units: {load: ratio}}]"
    panel, quality = exports.read(tmp_path, files, rules)
    assert panel.query("server_id == 'a'")["max"].tolist() == [50] and quality["unmatched_mappings"] == []


def test_a_mapping_that_matches_nothing_is_told_with_the_nearest_heading(tmp_path):
    files = {"a.csv": "time,host,cpu,cpu readiness\n2024-02-13,a,5,1\n"}
    _, quality = exports.read(tmp_path, files, "columns: {CPU readines: memory}")
    assert "did you mean 'cpu readiness'" in quality["unmatched_mappings"][0]
    assert quality["unmatched_mappings"][0] in quality["notes"]


@pytest.mark.parametrize("units", ["{}", "{units: {cpu: percent}}", "{units: {CPU: '%'}}"])
@pytest.mark.parametrize(
    "name, header",
    [("web-1_{}.csv", "time,value"), ("{}-data-as-joinbyfield-2024-02-15 10_00_00.csv", '"Time","web-1"')],
    ids=["a bare value", "an export"],
)
def test_a_unit_in_the_settings_changes_nothing_else_that_the_files_name_says(tmp_path, name, header, units):
    content = f"{header}\n2024-02-13 00:00:00,90.5\n2024-02-14 00:00:00,91.5\n"
    panel, _ = exports.read(tmp_path / "idle", {name.format("CPU idle"): content}, units)
    assert panel["max"].tolist() == [9.5, 8.5]
    with pytest.raises(InputError, match="what was measured on average"):
        exports.read(tmp_path / "max", {name.format("CPU max"): content}, units)


def test_a_mistake_of_ours_about_one_file_refuses_that_file_and_the_rest_is_read(tmp_path, monkeypatch):
    layout_of = sources.layout_of

    def mistaken(file, db):
        if "broken" in file.name.server:
            raise TypeError("nobody thought of this")
        return layout_of(file, db)

    monkeypatch.setattr(sources, "layout_of", mistaken)
    text = "time,cpu\n2024-02-13,50\n2024-02-14,60\n"
    panel, report = exports.read(tmp_path, {"broken.csv": text, "web-1.csv": text})
    assert set(panel["server_id"]) == {"web-1"}
    [broken] = [one for one in report["files"] if one["file"] == "broken.csv"]
    assert "failed unexpectedly (TypeError" in broken["error"]


@pytest.mark.parametrize("cell", ["6 104,50", "6\u00a0104,50", "6\u202f104,50", "6'104.50", "6’104.50"])
def test_blanks_and_apostrophes_stand_between_thousands(tmp_path, cell):
    rows = "".join(f"2024-02-13 {hour:02}:00;a;{cell}\n" for hour in range(24))
    panel, _ = exports.read(tmp_path, {"a.csv": f"time;host;network_in [kB/s]\n{rows}"})
    assert panel["max"].tolist() == [6.1045]


def test_a_unit_that_the_settings_say_of_a_metric_does_not_override_the_heading(tmp_path):
    text = "time,host,cpu [%]\n" + "".join(f"2024-02-13 {hour:02}:00,a,0.{hour + 1:02}\n" for hour in range(24))
    with pytest.raises(InputError, match="says its unit, and `units` in the settings another one"):
        exports.read(tmp_path / "metric", {"a.csv": text}, "units: {cpu: ratio}")
    panel, _ = exports.read(tmp_path, {"a.csv": text}, "units: {'cpu [%]': percent}")
    assert panel["max"].tolist() == [0.24]


def table(*rows, header="time,host,cpu [%]"):
    return {"a.csv": "\n".join([header, *rows]) + "\n"}


@pytest.mark.parametrize("heading", ["Time (UTC)", "utc_time", "timestamp_utc", "Timestamp GMT"])
def test_of_a_local_time_and_the_same_in_utc_the_latter_counts(tmp_path, heading):
    rows = ["2024-02-13 14:05,2024-02-13 13:05,a,50"]
    files = table(*rows, header=f"Timestamp,{heading},host,cpu [%]")
    panel, _ = exports.read(tmp_path, files, "{frequency: h, timezone: Europe/Berlin}")
    assert panel["ds"].dt.hour.tolist() == [13]


def test_days_before_months_are_not_taken_for_months(tmp_path):
    rows = [f"2024-{day:02}-03 00:00,a,50" for day in range(5, 17)]
    with pytest.raises(InputError, match="'2024-13-03 00:00' has the day before the month"):
        exports.read(tmp_path, table(*rows))
    panel, _ = exports.read(tmp_path / "said", table(*rows), 'time_format: "%Y-%d-%m %H:%M"')
    assert panel["ds"].dt.day.tolist() == list(range(5, 17))


def test_the_hour_that_comes_twice_is_understood_in_files_that_begin_with_the_newest_row(tmp_path):
    times = ["03:00", "02:30", "02:00", "02:30", "02:00", "01:30"]
    rows = [f"2024-10-27 {at},a,{15 - place}" for place, at in enumerate(times)]
    panel, _ = exports.read(tmp_path, table(*rows), "{frequency: h, timezone: Europe/Berlin}")
    assert panel["ds"].dt.hour.tolist() == [23, 0, 1, 2] and panel["max"].tolist() == [10, 12, 14, 15]


@pytest.mark.parametrize(
    "content, plain",
    [
        (b"a,b\n1,2\n", True),
        ("a,b\nMünchen,2\n".encode(), True),
        ("a,b\nMünchen,2\n".encode("cp1252"), False),
        (b'a,b\n"x\ny",2\n', False),
        (b"a,b\r\n1,2\r\n", False),
        (b"a,b\n" + 3 * 2**20 * b"x" + b"\n", False),
    ],
)
def test_several_readers_share_a_file_only_if_each_of_its_lines_is_a_row(tmp_path, monkeypatch, content, plain):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    assert not sources._is_plain(path, '"')  # small files lie beside others
    monkeypatch.setattr(sources, "_LARGE", 1)
    assert sources._is_plain(path, '"') == plain


def test_files_of_several_days_are_of_one_server(tmp_path):
    cpu = {**exports.fleet("web-1"), **exports.fleet("db-20240001")}
    by_name = {
        f"{server}-2024-02-{13 + day}.csv": made
        for server in cpu for day, made in enumerate((cpu[server][:48], cpu[server][48:]))
    }  # fmt: skip
    by_folder = {f"{file[-14:-4]}/{file[:-15]}.csv": made for file, made in by_name.items()}
    for files in (by_name, by_folder, {f"cpu/{server}.csv": made for server, made in cpu.items()}):
        written = {
            file: "\n".join(["time,cpu", *(f"{exports.iso(at)},{value}" for at, value in made)])
            for file, made in files.items()
        }
        panel, quality = exports.read(tmp_path / next(iter(files)), written)
        assert exports.is_right(panel, quality, cpu=cpu)


def test_the_folder_may_name_the_metric_and_the_file_the_server(tmp_path):
    cpu = exports.fleet("web-1", "web-2")
    files = {
        f"cpu/{server}.csv": "\n".join(["time,value", *(f"{exports.iso(at)},{value}" for at, value in made)])
        for server, made in cpu.items()
    }
    panel, quality = exports.read(tmp_path, files)
    assert exports.is_right(panel, quality, cpu=cpu)


def test_one_container_is_not_its_server_and_all_servers_are_none(tmp_path):
    rows = [f"2024-02-13 {hour:02}:00,a,app,5" for hour in range(24)]
    with pytest.raises(InputError, match="of the part 'app' only"):
        exports.read(tmp_path / "c", table(*rows, header="time,host,container_name,cpu [%]"))
    rows = [f"2024-02-13 {hour:02}:00,{host},5" for hour in range(24) for host in ("a", "All servers", "Grand Total")]
    panel, quality = exports.read(tmp_path, table(*rows))
    assert set(panel["server_id"]) == {"a"} and quality["rows"]["quarantined"] == 48
