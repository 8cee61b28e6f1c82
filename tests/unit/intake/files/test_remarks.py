"""Lines beside a table that say another thing than its headings and the file's name refuse the file."""

from datetime import datetime, timedelta

import exports
import pytest

from headroom.core.job import InputError
from headroom.core.settings import FileRules
from headroom.intake.files.layout import File, layout_of
from headroom.intake.unreadable import UnreadableFile
from headroom.intake.words.file_names import of_file

ROWS = "".join(f"2024-02-13 {hour:02}:00,4{hour % 10}.5\n" for hour in range(24))


def layout(tmp_path, text, name="web-1.csv", statistic="p95", **rules):
    path = tmp_path / "file"
    path.write_text(text)
    return layout_of(File(path, of_file(name), FileRules(**rules), statistic), None)


@pytest.mark.parametrize(
    "line",
    ["Server: app-77", "# hostname=app-77", "Device: app-77 (10.0.0.1)", "CPU usage of app-77", '"Machine","app-77"',
     "app-77", "Report for app-77, last 7 days", "Rechner: app-77", "Instance,app-77,,", "Host: web-10", "Server: nas"],
)  # fmt: skip
def test_a_title_of_another_server_than_the_file_is_named_after(tmp_path, line):
    with pytest.raises(UnreadableFile, match="and the file is named after 'web-1'"):
        layout(tmp_path, f"{line}\ntime,cpu\n{ROWS}")
    assert layout(tmp_path, f"{line}\ntime,host,cpu\n{ROWS}").place("server_id") == 1, "the rows say it"
    assert layout(tmp_path, f"{line}\ntime,cpu\n{ROWS}", server="web-1").shape == "wide", "the settings say it"


@pytest.mark.parametrize("line", ["Server: app-77", "Host = app-77"])
def test_a_footer_of_another_server(tmp_path, line):
    with pytest.raises(UnreadableFile, match="'app-77', and the file is named after 'web-1'"):
        layout(tmp_path, f"time,cpu\n{ROWS}\n{line}")


@pytest.mark.parametrize(
    "line",
    ["Server: web-1", "Host: WEB-1.corp.example", "CPU of web-1 in percent", "Report of 2024-02-13, week 7, page 1",
     "Exported by the web team", "Version: v2.3", "Name: the weekly report", "Unit: %", "Values in percent",
     "Statistic: Average", "Interval: 60 min", "sep=,"],
)  # fmt: skip
def test_a_line_that_says_nothing_else_changes_nothing(tmp_path, line):
    assert layout(tmp_path, f"{line}\ntime,cpu\n{ROWS}\n{line}").shape == "wide"


@pytest.mark.parametrize(
    "line, told",
    [("Values in MHz", "a unit, 'MHz'"), ("All values are given in cores", "'cores'"), ("Unit: ratio", "'ratio'"),
     ("Einheit: MB", "'MB'"),
     ("'Vertical Label:','bytes'", "'bytes'"), ("Vertical Label: processes", "'processes'"),
     ("Statistic: Maximum", "its values are max"), ("Aggregation,Min", "its values are min")],
)  # fmt: skip
def test_a_unit_or_statistic_of_all_values_that_the_headings_do_not_have(tmp_path, line, told):
    with pytest.raises(UnreadableFile, match=told):
        layout(tmp_path, f"{line}\ntime,cpu\n{ROWS}")


def test_headings_and_settings_that_say_the_unit_or_statistic_hold(tmp_path):
    assert layout(tmp_path, f"Values in MHz\ntime,cpu [%]\n{ROWS}").shape == "wide"
    assert layout(tmp_path, f"Values in MHz\ntime,cpu\n{ROWS}", units={"cpu": "percent"}).shape == "wide"
    assert layout(tmp_path, f"Statistic: Maximum\ntime,cpu\n{ROWS}", statistic="max").shape == "wide"


@pytest.mark.parametrize("line, told", [("Memory usage in percent", "'memory'"), ("CPU idle", "'cpu, free'")])
def test_a_title_of_another_metric_than_the_file_is_named_after(tmp_path, line, told):
    with pytest.raises(UnreadableFile, match=told):
        layout(tmp_path, f"{line}\ntime,value\n{ROWS}", "web-1_cpu.csv")
    assert layout(tmp_path, f"CPU usage\ntime,value\n{ROWS}", "web-1_cpu.csv").shape == "two-column"


@pytest.mark.parametrize("title", ["db-2", "Memory usage", "Memory usage,", '"Disk /var"'])
def test_a_title_among_the_rows_is_the_begin_of_another_table(tmp_path, title):
    half = ROWS.index("2024-02-13 12")
    with pytest.raises(InputError, match="stands among its rows, as if another table began there"):
        exports.read(tmp_path, {"web-1.csv": f"time,cpu\n{ROWS[:half]}{title}\n{ROWS[half:]}"})


def test_a_row_that_is_cut_off_behind_its_server_is_no_title(tmp_path):
    rows = [f"web-1,2024-02-13 {hour:02}:00,4{hour % 10}" for hour in range(24)]
    rows[9] = "web-1"
    panel, quality = exports.read(tmp_path, {"a.csv": "\n".join(["host,time,cpu", *rows])})
    assert panel["samples"].tolist() == [23] and quality["rows"]["quarantined"] == 1


@pytest.mark.parametrize(
    "between, told",
    [("\nMemory %\n", "the line 'Memory %' stands among its rows"),
     ("\nTime,db-2,web-1\n", "a second header with other columns stands in it"), ("\nPage 2 of 3\n", ""),
     ("\nTime,web-1,db-2\n", "")],
)  # fmt: skip
def test_tables_with_a_column_per_server_one_below_the_other(tmp_path, between, told):
    rows = [f"2024-02-13 {n // 12:02}:{n % 12 * 5:02},4{n % 10}.5,5{n % 10}.5\n" for n in range(288)]
    files = {"cpu.csv": "Time,web-1,db-2\n" + "".join(rows[:200]).rstrip() + between + "".join(rows[200:])}
    if told:
        with pytest.raises(InputError, match=told):
            exports.read(tmp_path, files)
    else:
        panel, quality = exports.read(tmp_path, files)
        assert panel["samples"].tolist() == [288, 288] and exports.adds_up(quality)


def test_page_breaks_totals_and_lines_at_the_end_are_no_titles(tmp_path):
    half = ROWS.index("2024-02-13 12")
    text = f"time,cpu\n{ROWS[:half]}Page 2 of 3\nTotal,\n-----\n{ROWS[half:]}The end of it\n"
    panel, quality = exports.read(tmp_path, {"web-1.csv": text})
    assert panel["samples"].tolist() == [24] and exports.adds_up(quality)


@pytest.mark.parametrize("hours", [24, 24 * 20])
def test_percent_in_some_cells_and_shares_in_others_are_refused(tmp_path, hours):
    begin = datetime(2024, 2, 1)
    first = [f"{begin + timedelta(hours=hour)},a,{10 + hour % 60}%\n" for hour in range(hours)]
    shares = [f"{begin + timedelta(hours=hour)},b,0.{10 + hour % 60}\n" for hour in range(hours)]
    with pytest.raises(InputError, match="are in percent, and the others never exceed 1"):
        exports.read(tmp_path / "shares", {"a.csv": "time,host,cpu\n" + "".join(first + shares)})
    percent = [row.replace(",b,0.", ",b,") for row in shares]
    panel, _ = exports.read(tmp_path, {"a.csv": "time,host,cpu\n" + "".join(first + percent)})
    assert set(panel["server_id"]) == {"a", "b"} and panel["max"].min() > 1


@pytest.mark.parametrize(
    "title, read",
    [("Peak CPU utilization by hour", False), ("Report of maximum values", False), ("CPU usage, 5 min values", True),
     ("Average and maximum CPU usage", True), ("Maximum CPU usage: 61.5 %", True), ("Average CPU usage", True)],
)  # fmt: skip
def test_a_title_of_maxima_is_heard(tmp_path, title, read):
    files = {"web-1.csv": f"{title}\ntime,cpu [%]\n{ROWS}"}
    if read:
        panel, _ = exports.read(tmp_path, files)
        assert panel["samples"].tolist() == [24]
    else:
        with pytest.raises(InputError, match="not what was measured on average"):
            exports.read(tmp_path, files)
