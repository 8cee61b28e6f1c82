"""What the owner of a fleet can rely on when they drop files: see docs/data-contract.md."""

import csv
import gzip
import itertools
import json
import re
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headroom.core.job import InputError
from headroom.intake.files import sources
from headroom.preprocess import _incoming, preprocess

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
REAL_DATA = ROOT.parent / "shared" / "data"
needs_real_data = pytest.mark.skipif(not REAL_DATA.exists(), reason="needs ../shared/data")
quick = settings(max_examples=10, suppress_health_check=list(HealthCheck))


class Desk:
    """Drops files and runs the job on them, each run on the panel of the one before unless told otherwise."""

    def __init__(self, folder: Path):
        self.folder, self.runs = folder, 0

    def run(self, files, *, settings=None, history=None, order=None, created_at=None):
        self.runs += 1
        raw, panel = self.folder / f"raw{self.runs}", self.folder / f"panel{self.runs}"
        raw.mkdir()
        for name, content in files.items():
            path = raw / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        settings_file = manifest = None
        if settings is not None:
            settings_file = self.folder / f"settings{self.runs}.yaml"
            settings_file.write_text(settings)
        if order is not None or created_at is not None:
            manifest = self.folder / f"manifest{self.runs}.json"
            names = sorted(files) if order is None else order
            entries = [{"file": name, "key": f"incoming/demo/{name}"} for name in names]
            manifest.write_text(json.dumps({"dataset": "demo", "created_at": created_at, "files": entries}))
        self.summary = preprocess(raw, history, settings_file, manifest, panel)
        return panel


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def panel_of(folder):
    return pd.read_parquet(folder / "panel.parquet")


def quality_of(folder):
    return json.loads((folder / "data_quality.json").read_text())


def quarantine_of(folder):
    with (folder / "quarantine.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def counts_add_up(quality):
    rows = quality["rows"]
    assert rows["read"] == rows["accepted"] + rows["duplicates"] + rows["quarantined"]
    for key, name in (("read", "read"), ("accepted", "accepted"), ("duplicates", "duplicate"), ("quarantined",) * 2):
        assert rows[key] == sum(file[f"rows_{name}"] for file in quality["files"])
    assert all(file[f"rows_{name}"] >= 0 for file in quality["files"] for name in ("accepted", "duplicate"))
    return True


def same_panel(one, other):
    pd.testing.assert_frame_equal(panel_of(one), panel_of(other), check_exact=True)
    return True


WIDE = """timestamp,server_id,cpu,memory,network_in,region,vcpus
2024-01-01T00:00:00Z,web-1,10,50,1.5,eu,4
2024-01-01T12:00:00Z,web-1,30,50,2.5,eu,4
2024-01-02T00:00:00Z,web-1,40,,3.5,us,8
2024-01-01T06:00:00Z,db-1,5,60,0,eu,2
"""


def test_a_day_of_samples_becomes_one_row_with_the_settings_statistic(desk):
    panel = panel_of(desk.run({"a.csv": WIDE}))
    assert list(panel.columns[:7]) == ["server_id", "metric", "ds", "y", "mean", "max", "samples"]
    assert str(panel["ds"].dtype).startswith("datetime64")
    row = panel.query("server_id == 'web-1' and metric == 'cpu'").iloc[0]
    assert (row["y"], row["mean"], row["max"], row["samples"]) == (29.0, 20.0, 30.0, 2)
    assert len(panel) == 8  # no row for the period in which web-1 sent no memory
    assert panel.equals(panel.sort_values(["server_id", "metric", "ds"], ignore_index=True))


def test_the_newest_attribute_of_a_server_counts(desk):
    servers = pd.read_parquet(desk.run({"a.csv": WIDE}) / "servers.parquet").set_index("server_id")
    assert servers.loc["web-1", "region"] == "us" and servers.loc["web-1", "vcpus"] == 8
    assert servers.loc["db-1", "vcpus"] == 2
    assert list(servers.columns) == [
        "business_unit", "region", "criticality", "instance_type", "vcpus", "memory_gb", "monthly_cost_usd",
    ]  # fmt: skip


def test_an_older_month_sent_later_does_not_bring_old_attributes_back(desk):
    new = desk.run({"b.csv": WIDE})
    old = "timestamp,server_id,cpu,vcpus\n2023-06-01,web-1,5,2\n"
    servers = pd.read_parquet(desk.run({"a.csv": old}, history=new) / "servers.parquet").set_index("server_id")
    assert servers.loc["web-1", "vcpus"] == 8


LONG = """Time;Host;Metric;Value
2024-01-01 00:00;web-1;CPUUtilization;10
2024-01-01 12:00;web-1;CPUUtilization;30
2024-01-02 00:00;web-1;CPUUtilization;40
2024-01-01 06:00;db-1;cpu;5,0
2024-01-01 06:00;db-1;load;5
"""


def test_the_long_form_gives_the_same_panel_as_the_wide_form(desk):
    wide = panel_of(desk.run({"a.csv": WIDE})).query("metric == 'cpu'").reset_index(drop=True)
    long = desk.run({"a.csv": LONG})
    pd.testing.assert_frame_equal(panel_of(long), wide)
    [unknown] = quarantine_of(long)
    assert (unknown["row"], unknown["column"], unknown["value"]) == ("6", "Metric", "load")
    assert "unknown metric" in unknown["reason"]


@pytest.mark.parametrize("setting, metric", [("metric: cpu", "cpu"), ("metric: network_in", "network_in")])
def test_the_two_column_form_takes_metric_from_the_settings_and_server_from_the_file(desk, setting, metric):
    file = "timestamp,value\n2024-01-01,7\n"
    panel = panel_of(desk.run({"fleet/web-1.prod.csv.gz": gzip.compress(file.encode())}, settings=setting))
    assert panel[["server_id", "metric", "y"]].values.tolist() == [["web-1.prod", metric, 7.0]]


@pytest.mark.parametrize(
    "text",
    ["2024-03-31T01:30:00Z", "2024-03-31 03:30:00+02:00", "2024-03-31 03:30:00 +0200", "2024/03/31 01:30",
     "1711848600", "1711848600000", "1711848600000000", "1711848600.0", "\t2024-03-31T01:30:00Z "],
)  # fmt: skip
def test_a_moment_is_understood_however_it_is_written(desk, text):
    file = f"Timestamp [ms],server,cpu\n{text},a,1\n"
    panel = panel_of(desk.run({"a.csv": file}, settings="frequency: h"))
    assert panel["ds"].tolist() == [pd.Timestamp("2024-03-31 01:00")]


def test_timestamps_without_an_offset_are_in_the_settings_time_zone(desk):
    file = "time,server,cpu\n2024-07-01 00:30,a,1\n2024-07-01T00:30:00Z,b,1\n"
    panel = panel_of(desk.run({"a.csv": file}, settings="{frequency: h, timezone: Europe/Berlin}"))
    assert panel["ds"].tolist() == [pd.Timestamp("2024-06-30 22:00"), pd.Timestamp("2024-07-01 00:00")]


def test_any_common_delimiter_encoding_and_line_end_is_understood(desk):
    files = {}
    for delimiter, encoding, line_end in itertools.product(
        [",", ";", "\t", "|", ";\t"], ["utf-8", "utf-8-sig", "utf-16", "latin-1"], ["\n", "\r\n", "\r"]
    ):
        quoted = "12.5" if delimiter == ";\t" else '"12.5"'
        rows = [["TIME", "Server Name", "CPU usage [%]"], ["2024-01-01", f"münchen-{len(files)}", quoted]]
        files[f"{len(files)}.txt"] = line_end.join(delimiter.join(row) for row in rows).encode(encoding)
    panel = panel_of(desk.run(files))
    assert set(panel["server_id"]) == {f"münchen-{number}" for number in range(len(files))}
    assert set(panel["y"]) == {12.5}


def test_fields_may_stand_in_single_quotes(desk):
    panel = panel_of(desk.run({"a.csv": "'time','host','cpu'\n'2024-01-01','a, b','5'\n"}))
    assert panel[["server_id", "y"]].values.tolist() == [["a, b", 5.0]]


def test_the_order_of_rows_does_not_matter_to_the_last_bit(desk):
    rows = [f"2024-01-01T{hour:02}:00,a,{value}" for hour, value in enumerate([0.1, 0.2, 0.3, 0.7, 11.3, 99.99])]
    one, other = (
        desk.run({"a.csv": "\n".join(["timestamp,server_id,cpu", *some])})
        for some in (rows, sorted(rows, reverse=True))
    )
    assert same_panel(one, other)


def test_columns_are_mapped_by_the_settings_and_unknown_ones_are_listed(desk):
    file = "when,box,CPU ready,Memory usage [KB],note\n2024-01-01,a,5,12345,x\n"
    mapping = "columns: {When: timestamp, box: server_id, cpu  ready: cpu}"
    folder = desk.run({"a.csv": file}, settings=mapping)
    assert panel_of(folder)["y"].tolist() == [5.0]
    assert quality_of(folder)["files"][0]["ignored_columns"] == ["Memory usage [KB]", "note"]


def test_parquet_is_read_by_the_same_rules(desk, tmp_path):
    table = pd.DataFrame({
        "timestamp": pd.to_datetime(["2024-01-01 00:00", "2024-01-01 12:00", "2024-01-02 00:00"]),
        "host": ["a", "a", None], "cpu": [10.0, 105.0, 3.0], "vcpus": [4, 4, 4],
    })  # fmt: skip
    table.to_parquet(tmp_path / "x.parquet")
    folder = desk.run({"x.parquet": (tmp_path / "x.parquet").read_bytes()})
    assert panel_of(folder)["max"].tolist() == [100.0]
    [bad] = quarantine_of(folder)
    assert bad["row"] == "3" and bad["reason"].startswith("no server name: export it beside the values")
    assert quality_of(folder)["files"][0]["format"] == "parquet"


def test_overshoot_is_clipped_and_counted_and_what_is_beyond_it_is_quarantined_with_its_line(desk):
    file = (
        "timestamp,server_id,cpu,memory\n2024-01-01,a,105,50\n\n2024-01-02,a,110.5,50\n2024-01-03,a,-1,\n"
        '2024-01-04,"a",inf,7\n2024-01-05,a,NaN,n/a\n2024-01-06,a,,7 %\n2024-01-07,a,x,110\nyesterday,a,1,1\n'
    )
    folder = desk.run({"a.csv": file})
    quality = quality_of(folder)
    assert counts_add_up(quality)
    assert quality["rows"] == {"read": 8, "accepted": 6, "duplicates": 0, "quarantined": 2}
    assert quality["values"] == {"read": 16, "clipped": 2, "empty": 4, "quarantined": 6}
    assert [(row["row"], row["column"], row["value"], row["reason"]) for row in quarantine_of(folder)] == [
        ("4", "cpu", "110.5", "outside 0 to 110 percent"),
        ("5", "cpu", "'-1", "outside 0 to 110 percent"),
        ("6", "cpu", "inf", "not a finite number"),
        ("9", "cpu", "x", "not a number"),
        ("10", "timestamp", "yesterday", quality["examples"][-1]["reason"]),
    ]
    memory = panel_of(folder).query("metric == 'memory'")
    assert memory["y"].tolist() == [50.0, 50.0, 7.0, 7.0, 100.0]


def test_lines_are_those_an_editor_shows_after_blank_lines_and_line_breaks_within_quotes(desk):
    file = (
        "exported by tool\n\ntimestamp,server_id,cpu,note\n2024-01-01,a,1,ok\n\n2024-01-02,a,bad,ok\n"
        '2024-01-03,a,1,"two\nlines"\n2024-01-04,a,bad,\n2024-01-05,a,1,x,y,z\n2024-01-06,a\n2024-01-07,a,bad,\n'
    )
    folder = desk.run({"a.csv": file})
    assert [(row["row"], row["reason"][:12]) for row in quarantine_of(folder)] == [
        ("6", "not a number"), ("9", "not a number"), ("10", "more fields "), ("11", "fewer fields"),
        ("12", "not a number"),
    ]  # fmt: skip
    assert counts_add_up(quality_of(folder))


def test_a_line_that_is_no_text_is_quarantined_and_the_lines_after_it_keep_their_numbers(desk):
    padding = "".join(f"2024-01-01T{i // 3600:02}:{i // 60 % 60:02}:{i % 60:02},a,1\n" for i in range(5000))
    file = ("timestamp,server_id,cpu\n" + padding).encode() + b"2024-01-02,\xff\xfe,1\n2024-01-03,a,bad\n"
    folder = desk.run({"a.csv": file})
    assert [(row["row"], row["reason"]) for row in quarantine_of(folder)] == [
        ("5002", "not UTF-8 text: save the file as UTF-8"), ("5003", "not a number"),
    ]  # fmt: skip
    assert quality_of(folder)["rows"] == {"read": 5002, "accepted": 5000, "duplicates": 0, "quarantined": 2}


def test_a_large_file_that_several_cores_read_gives_the_same_panel_and_the_right_lines(desk, monkeypatch):
    monkeypatch.setattr(sources, "_LARGE", 1_000_000)
    start = datetime(2024, 1, 1)
    moments = [f"{start + timedelta(seconds=10 * moment):%Y-%m-%dT%H:%M:%SZ}" for moment in range(9_200)]
    lines = [f"{at},server-{server:02},{server + 10}.25" for at in moments for server in range(50)]
    for place in (5, 200_000, 434_999):
        lines[place] = lines[place].rpartition(",")[0] + ",bad"
    lines[300_000] += ",more"
    content = "\n".join(["timestamp,server_id,cpu", *lines]) + "\n"
    assert len(content) > 2 * 8 * 2**20  # a reader takes 8 MB at a time
    folder = desk.run({"a.csv": content})
    assert [row["row"] for row in quarantine_of(folder)] == ["7", "200002", "300002", "435001"]
    by_one = desk.run({"a.csv": content.replace("timestamp", '"timestamp"', 1)})  # which only one core reads
    assert same_panel(folder, by_one)
    assert quarantine_of(folder) == quarantine_of(by_one)


def test_on_one_machine_no_library_is_loaded_that_takes_longer_than_small_files():
    loaded = "import sys, headroom.preprocess; print(*({'pandas', 'numpy', 'pyarrow'} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", loaded], cwd=ROOT / "processing", check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == ""


GARBAGE = {
    "empty": (b"", "empty"),
    "blank": (b" \n\n", "white space"),
    "header only": (b"timestamp,server_id,cpu\n", "no rows"),
    "binary": (bytes(range(256)) * 100, "binary"),
    "web page": (b"<!DOCTYPE html><html><body>timestamp,cpu</body></html>", "web page"),
    "json": (b'{"hello": [1, 2]}', "JSON"),
    "damaged export": (b'{"MetricDataResults": [{"Label": "a CPUUtilization", "Timesta', "damaged"),
    "workbook": (b"PK\x03\x04" + b"x" * 100, "Excel"),
    "no header": (b"2024-01-01,a,5\n2024-01-02,a,6\n", "no header"),
    "cut gzip": (gzip.compress(WIDE.encode() * 1000)[:-20], "gzip"),
    "spoiled gzip": (gzip.compress(bytes(range(256)) * 100)[:200] + b"x" * 3000, "gzip"),
    "spoiled parquet": (b"PAR1" + b"x" * 100, "Parquet"),
    "one giant line": (b"timestamp,server_id,cpu," + b"x" * 3_000_000, "no end"),
}


def test_garbage_files_are_quarantined_whole_and_the_good_ones_are_used(desk):
    folder = desk.run({"good.csv": WIDE, **{f"{kind}.csv": content for kind, (content, _) in GARBAGE.items()}})
    quality = quality_of(folder)
    errors = {file["file"].removesuffix(".csv"): file["error"] for file in quality["files"]}
    assert errors.pop("good") is None
    for kind, (_, word) in GARBAGE.items():
        assert word in errors[kind]
        reported = {"file": f"{kind}.csv", "row": None, "column": "", "value": "", "reason": errors[kind]}
        assert reported in quality["examples"]
    assert len(panel_of(folder)) == 8 and counts_add_up(quality)
    assert quality["rows"] == {"read": 4, "accepted": 4, "duplicates": 0, "quarantined": 0}


@pytest.mark.parametrize("kind", ["empty", "web page", "cut gzip"])
def test_with_nothing_but_garbage_the_first_run_fails_and_says_what_to_do(desk, kind):
    with pytest.raises(InputError, match=f"(?s)bad.csv.*{GARBAGE[kind][1]}.*upload them again"):
        desk.run({"bad.csv": GARBAGE[kind][0]})


def test_with_nothing_but_garbage_a_later_run_goes_on_with_the_old_panel(desk):
    first = desk.run({"good.csv": WIDE})
    assert same_panel(first, desk.run({"bad.csv": b""}, history=first))
    assert same_panel(first, desk.run({}, history=first))


def test_a_huge_line_among_good_ones_costs_only_itself(desk):
    file = b"timestamp,server_id,cpu\n2024-01-01,a,1\n2024-01-02," + b"x" * 50_000_000 + b",1\n2024-01-03,a,bad\n"
    folder = desk.run({"bomb.csv.gz": gzip.compress(file)})
    assert [(row["row"], row["reason"][:12]) for row in quarantine_of(folder)] == [
        ("3", "a line of mo"),
        ("4", "not a number"),
    ]
    assert quality_of(folder)["rows"]["accepted"] == 1


HOSTILE = [
    "=1+1",
    "<script>alert(1)</script>",
    "a'; DROP TABLE reading; --",
    "../../etc/passwd",
    "%s%n",
    "\u202eabc",
    "x" * 256,
    '"',
    "*",
]


def test_hostile_server_names_are_kept_literally_and_are_harmless_in_spreadsheets(desk):
    rows = "".join('2024-01-01,"{}",{}\n'.format(name.replace('"', '""'), 5) for name in HOSTILE)
    bad = "".join('2024-01-01,"{}",bad\n'.format(name.replace('"', '""')) for name in HOSTILE)
    folder = desk.run(
        {
            "=cmd*[x]'.csv": "timestamp,server_id,=cpu+1,cpu\n"
            + rows.replace(",5\n", ",1,5\n")
            + bad.replace(",bad\n", ",1,=bad\n")
        }
    )
    # But for what nobody sees: a mark that turns the direction of writing is no part of a name.
    assert sorted(panel_of(folder)["server_id"]) == sorted(name.strip("\u202e") for name in HOSTILE)
    quarantine = quarantine_of(folder)
    assert {row["file"] for row in quarantine} == {"'=cmd*[x]'.csv"} and {row["value"] for row in quarantine} == {
        "'=bad"
    }


def test_server_names_are_trimmed_and_those_no_one_could_read_are_bad_rows(desk):
    file = (
        'timestamp,server_id,cpu\n2024-01-01,  a ,1\n2024-01-01,"a\x07b",1\n2024-01-01,'
        + "x" * 257
        + ",1\n2024-01-01, ,1\n"
    )
    folder = desk.run({"a.csv": file})
    assert panel_of(folder)["server_id"].tolist() == ["a"]
    assert [row["reason"].partition(":")[0] for row in quarantine_of(folder)] == [
        "server name with control characters", "server name longer than 256 characters", "no server name",
    ]  # fmt: skip


def test_bad_attributes_are_reported_once_and_the_row_stays(desk):
    rows = "".join(f"2024-01-01T{hour:02}:00,a,1,four,{'-1' if hour else '2'}\n" for hour in range(24))
    folder = desk.run({"a.csv": "timestamp,server_id,cpu,vcpus,memory_gb\n" + rows})
    assert quality_of(folder)["rows"]["accepted"] == 24
    assert [(row["row"], row["column"], row["value"]) for row in quarantine_of(folder)] == [
        ("2", "vcpus", "four"), ("3", "memory_gb", "'-1"),
    ]  # fmt: skip
    assert pd.read_parquet(folder / "servers.parquet")["memory_gb"].tolist() == [2.0]


def test_of_the_same_sample_the_newer_file_wins_and_a_note_says_so(desk):
    first = "timestamp,server_id,cpu,memory\n2024-01-01,a,1,10\n2024-01-01,a,1,\n"
    second = "timestamp,server_id,cpu\n2024-01-01,a,3\n"
    folder = desk.run({"1.csv": first, "2.csv": second}, order=["1.csv", "2.csv"])
    assert panel_of(folder)["y"].tolist() == [3.0, 10.0]
    assert quality_of(folder)["rows"] == {"read": 3, "accepted": 2, "duplicates": 1, "quarantined": 0}
    assert any(
        "1 samples of 1.csv were replaced by other values of 2.csv" in note for note in quality_of(folder)["notes"]
    )
    assert panel_of(desk.run({"1.csv": first, "2.csv": second}, order=["2.csv", "1.csv"]))["y"].tolist() == [1.0, 10.0]


CONFLICT = "timestamp,server_id,cpu,agent\n2024-01-01,a,1,x\n2024-01-01,a,2,y\n2024-01-01,b,2,x\n"


def test_a_file_that_contradicts_itself_is_refused_and_the_columns_that_vary_are_named(desk):
    folder = desk.run({"good.csv": WIDE, "two.csv": CONFLICT, "same.csv": CONFLICT.replace("a,2,y", "a,1,y")})
    quality = quality_of(folder)
    errors = {file["file"]: file["error"] for file in quality["files"]}
    assert errors["good.csv"] is None and errors["same.csv"] is None
    assert "cpu of a has different values at the same moment" in errors["two.csv"] and "'agent'" in errors["two.csv"]
    assert counts_add_up(quality)
    assert quality["rows"] == {"read": 7, "accepted": 6, "duplicates": 1, "quarantined": 0}


def test_the_busiest_of_several_values_counts_where_the_settings_say_so(desk):
    folder = desk.run({"two.csv": CONFLICT.replace("agent", "mount")}, settings="entities: busiest")
    assert panel_of(folder)["y"].tolist() == [2.0, 2.0] and counts_add_up(quality_of(folder))


def test_adding_a_file_again_changes_nothing_and_says_so(desk):
    first = desk.run({"a.csv": WIDE})
    again = desk.run({"a.csv": WIDE}, history=first)
    assert same_panel(first, again)
    quality = quality_of(again)
    assert quality["rows"] == {"read": 4, "accepted": 0, "duplicates": 4, "quarantined": 0}
    assert quality["panel"]["rows_new"] == quality["panel"]["rows_changed"] == 0


def test_a_correction_changes_the_period_and_is_counted(desk):
    first = desk.run({"a.csv": WIDE})
    second = desk.run({"b.csv": "timestamp,server_id,cpu\n2024-01-01T00:00:00Z,web-1,90\n"}, history=first)
    assert quality_of(second)["panel"]["rows_changed"] == 1 and quality_of(second)["panel"]["rows_new"] == 0
    assert panel_of(second).query("server_id == 'web-1' and metric == 'cpu'")["max"].tolist() == [90.0, 40.0]


def month(first_day, server="a", step="6h", days=30, value=lambda at: at.day):
    times = pd.date_range(first_day, periods=days * 24 // int(step[:-1]), freq=step)
    return "timestamp,server_id,cpu\n" + "".join(f"{at.isoformat()},{server},{value(at)}\n" for at in times)


def test_samples_too_late_for_their_closed_period_leave_it_and_are_noted(desk):
    first = desk.run({"a.csv": month("2024-01-01"), "b.csv": month("2024-06-01", days=62)})
    late = "timestamp,server_id,cpu\n2024-01-05T01:00,a,99\n"
    second = desk.run({"late.csv": late}, history=first)
    assert same_panel(first, second)
    assert any(note.startswith("1 samples came too late") for note in quality_of(second)["notes"])


def test_a_closed_period_sent_again_whole_is_replaced_and_a_new_one_is_added(desk):
    first = desk.run({"a.csv": month("2024-01-01"), "b.csv": month("2024-06-01", days=62)})
    second = desk.run(
        {"fixed.csv": month("2024-01-01", value=lambda at: 50), "old.csv": month("2023-01-01")}, history=first
    )
    panel = panel_of(second).set_index("ds")["y"]
    assert (panel["2024-01"] == 50).all() and panel["2024-06-05"] == 5 and panel["2023-01-05"] == 5
    assert quality_of(second)["panel"]["rows_changed"] == 30


def test_another_statistic_is_applied_to_all_of_the_history(desk):
    first = desk.run({"a.csv": month("2024-01-01", value=lambda at: at.hour), "b.csv": month("2024-06-01", days=62)})
    second = desk.run({}, history=first, settings="statistic: max")
    assert (panel_of(second)["y"] == panel_of(second)["max"]).all() and len(panel_of(second)) == len(panel_of(first))
    assert same_panel(first, desk.run({}, history=second, settings="statistic: p95"))


def test_another_frequency_makes_the_panel_anew_from_the_samples_kept(desk):
    first = desk.run({"a.csv": month("2024-01-01"), "b.csv": month("2024-06-01", days=62)})
    second = desk.run({}, history=first, settings="frequency: h")
    panel = panel_of(second)
    assert len(panel) == 62 * 4 and panel["ds"].min() == pd.Timestamp("2024-06-01")
    assert any("30 older rows of the former frequency were dropped" in note for note in quality_of(second)["notes"])


def test_wrong_settings_are_reported_and_the_last_good_ones_stay(desk):
    wrong = "statistik: p95\nfrequency: fortnight\n"
    first = desk.run({"a.csv": WIDE}, settings=wrong)
    assert quality_of(first)["settings"]["source"] == "default"
    assert {error.split(":")[0] for error in quality_of(first)["settings"]["errors"]} == {"statistik", "frequency"}
    good = desk.run({"a.csv": WIDE}, settings="statistic: mean")
    second = desk.run({"a.csv": WIDE}, settings=wrong, history=good)
    assert quality_of(second)["settings"]["source"] == "last_good" and quality_of(second)["statistic"] == "mean"


def test_an_empty_settings_file_means_the_defaults(desk):
    folder = desk.run({"a.csv": WIDE}, settings="")
    assert quality_of(folder)["settings"] == {"source": "given", "errors": []}
    assert quality_of(folder)["frequency"] == "D"


def test_hourly_settings_on_daily_data_are_pointed_out(desk):
    folder = desk.run({"a.csv": month("2024-01-01", step="24h")}, settings="frequency: h")
    assert any("contradict the data" in note and "1 day apart" in note for note in quality_of(folder)["notes"])


def test_a_column_that_never_exceeds_1_is_refused_unless_its_unit_is_said(desk):
    file = month("2024-01-01", value=lambda at: at.day / 100)
    with pytest.raises(InputError, match="shares of one, or percent"):
        desk.run({"a.csv": file})
    assert panel_of(desk.run({"a.csv": file}, settings="units: {cpu: ratio}"))["y"].max() == 30
    assert panel_of(desk.run({"a.csv": file}, settings="units: {cpu: percent}"))["y"].max() == 0.3
    assert panel_of(desk.run({"a.csv": file.replace("cpu", "cpu [%]")}))["y"].max() == 0.3


def test_servers_and_columns_without_any_value_are_named(desk):
    rows = "".join(f"2026-10-{day:02},full,{day},\n2026-10-{day:02},empty,,\n" for day in range(1, 29))
    notes = quality_of(desk.run({"a.csv": f"timestamp,server_id,cpu,memory\n{rows}"}))["notes"]
    assert any("nothing is forecast for them: 1 (empty)" in note for note in notes)
    assert any("column for memory" in note for note in notes) and not any("column for cpu" in note for note in notes)


def test_gaps_and_short_series_are_reported(desk):
    file = month("2024-01-01", days=3) + "2024-01-31,a,1\n2024-01-31,b,1\n"
    quality = quality_of(desk.run({"a.csv": file}))
    assert quality["gaps"]["missing_periods"] == 27
    assert quality["gaps"]["worst"] == [{"server_id": "a", "metric": "cpu", "missing": 27, "expected": 31}]
    assert {"server_id": "b", "metric": "cpu", "periods": 1} in quality["short_series"]


def test_a_sample_from_after_the_run_was_planned_is_a_bad_row(desk):
    file = "timestamp,server_id,cpu\n2024-01-01,a,1\n2034-01-01,a,1\n1970-01-02,a,1\n"
    folder = desk.run({"a.csv": file}, created_at="2024-01-02T00:00:00Z")
    assert [row["row"] for row in quarantine_of(folder)] == ["3", "4"]
    assert quality_of(folder)["dataset"] == "demo"


def test_a_file_planned_but_gone_is_reported(desk):
    folder = desk.run({"a.csv": WIDE, "extra.csv": WIDE}, order=["a.csv", "../gone.csv"])
    quality = quality_of(folder)
    assert "not there" in quality["files"][1]["error"]
    assert any("extra.csv" in note for note in quality["notes"])


def test_a_run_without_new_files_has_nothing_to_say_of_the_manifest_that_it_is_handed_instead(desk):
    first = desk.run({"a.csv": WIDE})
    second = desk.run({"manifest.json": "{}"}, order=[], history=first)
    assert not any("manifest" in note for note in quality_of(second)["notes"])


def test_the_same_run_again_writes_the_same_bytes(desk):
    files = {f"{n}.csv": month("2024-01-01", server=f"s{n}", step="1h") for n in range(5)}
    one, other = desk.run(files), desk.run(files)
    for path in sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file()):
        assert (one / path).read_bytes() == (other / path).read_bytes(), path


def test_the_summary_is_small_and_says_what_was_done(desk):
    desk.run({"a.csv": WIDE})
    assert desk.summary == {
        "servers": 2, "metrics": ["cpu", "memory", "network_in"], "rows_read": 4, "rows_quarantined": 0, "files": 1,
        "first": "2024-01-01T00:00:00", "last": "2024-01-02T00:00:00",
    }  # fmt: skip


def test_many_files_are_looked_at_by_all_cores_and_give_the_same_bytes(desk, monkeypatch):
    files = {
        "long.csv": "time;host;metric;value\n2024-01-01;a;cpu;50\n2024-01-01;a;queue;5\n",
        "more.csv": "time;host;metric;value\n2024-01-02;a;cpu max;60\n",
        "utf-16.csv": "timestamp,server_id,cpu\n2024-01-01,wéb,50\n".encode("utf-16"),
        "nothing.csv": "",
        **{f"{day}.csv": f"timestamp,server_id,cpu\n2024-01-{day:02},b,{day}\n" for day in range(1, 9)},
    }
    one = desk.run(files, order=[*sorted(files), "gone.csv"])
    monkeypatch.setattr("headroom.preprocess._MANY", 5)
    other = desk.run(files, order=[*sorted(files), "gone.csv"])
    for name in ("panel.parquet", "data_quality.json", "quarantine.csv"):
        assert (one / name).read_bytes() == (other / name).read_bytes()


def test_one_machine_loads_neither_pandas_nor_pyarrow_which_takes_half_a_second(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.csv").write_text("timestamp,server_id,cpu\n2024-01-01,a,50\n2024-01-02,a,60\n")
    program = (
        "import sys; from pathlib import Path; from headroom.preprocess import preprocess; "
        f"preprocess(Path({str(tmp_path / 'raw')!r}), None, None, None, Path({str(tmp_path / 'panel')!r})); "
        "print(sorted({'pandas', 'numpy', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT / "processing", check=True
    )
    assert done.stdout == "[]\n"


def test_the_job_runs_as_a_program_and_leaves_its_reason_when_it_fails(tmp_path):
    (tmp_path / "raw").mkdir()
    message = tmp_path / "message"
    job = subprocess.run(
        [sys.executable, "-m", "headroom.preprocess", "--raw", tmp_path / "raw", "--panel", tmp_path / "panel",
         "--message", message],
        capture_output=True, cwd=ROOT / "processing", check=False,
    )  # fmt: skip
    assert job.returncode == 1 and "upload monitoring files" in message.read_text()


# --- wild inputs ---

servers = st.sampled_from(["a", "b", "c"])
moments = st.integers(0, 40 * 24).map(lambda hour: (pd.Timestamp("2024-01-01") + pd.Timedelta(hours=hour)).isoformat())
cells = st.one_of(
    st.floats(0, 100).map(repr),
    st.sampled_from(["", "nan", "105", "111", "-3", "inf", "1e400", "x", "=1", "7,5", '"', "\x00", "é", "99%", "\t5"]),
    st.text(max_size=5),
)
rows = st.lists(
    st.tuples(st.one_of(moments, cells), st.one_of(servers, cells), cells, cells).map(lambda row: ",".join(row)),
    max_size=30,
)


@quick
@given(
    header=st.sampled_from(["timestamp,server_id,cpu,memory", "time;host;metric;value", "ds,server,region,cpu"]),
    rows=rows, noise=st.binary(max_size=40), line_end=st.sampled_from(["\n", "\r\n"]),
)  # fmt: skip
def test_whatever_comes_in_the_counts_add_up(tmp_path_factory, header, rows, noise, line_end):
    wild = line_end.join([header, *rows]).encode() + noise
    folder = Desk(tmp_path_factory.mktemp("wild")).run({"wild.csv": wild, "good.csv": WIDE, "noise": noise})
    quality = quality_of(folder)
    assert counts_add_up(quality)
    assert {"web-1", "db-1"} <= set(panel_of(folder)["server_id"])
    percent = panel_of(folder).query("metric in ('cpu', 'memory', 'disk')")
    assert percent["max"].between(0, 100).all()


samples = st.dictionaries(
    st.tuples(servers, moments), st.tuples(st.floats(0, 100), st.floats(0, 1e5)), min_size=1, max_size=60
)


@quick
@given(samples=samples, parts=st.integers(1, 3), seed=st.randoms(use_true_random=False))
def test_files_one_after_the_other_in_any_order_give_the_panel_of_all_at_once(tmp_path_factory, samples, parts, seed):
    lines = [f"{moment},{server},{cpu!r},{net!r}" for (server, moment), (cpu, net) in samples.items()]
    seed.shuffle(lines)
    files = {
        f"{part}.csv": "\n".join(["timestamp,server_id,cpu,network_in", *lines[part::parts]]) for part in range(parts)
    }
    files = {name: content for name, content in files.items() if "\n" in content}
    desk = Desk(tmp_path_factory.mktemp("parts"))
    at_once = desk.run(files)
    order = sorted(files)
    seed.shuffle(order)
    folder = None
    for name in order:
        folder = desk.run({name: files[name]}, history=folder)
    assert same_panel(at_once, folder)
    kept = [pd.read_parquet(one / "samples/samples") for one in (at_once, folder)]
    one, other = (rows.sort_values(["sampled_at", "server_id"], ignore_index=True) for rows in kept)
    assert one.equals(other)  # their order means nothing
    assert same_panel(at_once, desk.run({name: files[name] for name in order[:1]}, history=folder))


# --- real data ---


@needs_real_data
def test_weekly_files_of_a_real_fleet_in_any_order_give_the_panel_of_all_at_once(desk):
    files = {path.name: path.read_bytes() for path in sorted((REAL_DATA / "bitbrains").glob("*.csv.gz"))}
    at_once = desk.run(files, settings="frequency: h")
    folder = None
    for name in (*sorted(files)[::-1], sorted(files)[0]):
        folder = desk.run({name: files[name]}, history=folder, settings="frequency: h")
    assert same_panel(at_once, folder)
    quality = quality_of(at_once)
    assert counts_add_up(quality) and quality["rows"]["accepted"] == 346_239 and quality["panel"]["servers"] == 50
    table = pd.concat(pd.read_csv(REAL_DATA / "bitbrains" / name, parse_dates=["timestamp"]) for name in files)
    table["ds"] = table["timestamp"].dt.tz_localize(None).dt.floor("h")
    table["cpu"] = table["cpu_utilization"].clip(upper=100)
    expected = table.groupby(["server_id", "ds"])["cpu"].quantile(0.95)
    actual = panel_of(at_once).set_index(["server_id", "ds"])["y"]
    pd.testing.assert_series_equal(actual, expected, check_names=False, check_index_type=False, check_exact=False)


@needs_real_data
def test_a_providers_own_export_is_understood_though_its_header_lies(desk):
    folder = desk.run({"1.csv": (REAL_DATA / "bitbrains-raw" / "1.csv").read_bytes()})
    quality = quality_of(folder)
    assert quality["rows"]["accepted"] == quality["rows"]["read"] == 8619
    assert quality["panel"]["first"].startswith("2013-08-12") and quality["panel"]["last"].startswith("2013-09-11")
    assert pd.read_parquet(folder / "servers.parquet")[["server_id", "vcpus"]].values.tolist() == [["1", 1.0]]


@needs_real_data
def test_a_cloud_accounts_export_has_a_server_a_file(desk):
    folder = desk.run({path.name: path.read_bytes() for path in (REAL_DATA / "cloudwatch").glob("*.csv")})
    assert "ec2_cpu_utilization_24ae8d" in set(panel_of(folder)["server_id"])
    assert quality_of(folder)["panel"]["servers"] == 10 and counts_add_up(quality_of(folder))


def files_of(raw: Path, layout: str, contents: dict[str, str]) -> dict[str, object]:
    """Lay files out as SageMaker may, by name or by whole key, and return the run's manifest."""
    for name, text in contents.items():
        path = raw / (name if layout == "name" else f"incoming/demo/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return {"dataset": "demo", "files": [{"file": name, "key": f"incoming/demo/{name}"} for name in contents]}


@pytest.mark.parametrize("layout", ["name", "key"])
def test_files_of_a_manifest_are_found_under_their_name_or_their_whole_key(tmp_path: Path, layout: str) -> None:
    given = files_of(tmp_path, layout, {"a.csv": "first", "deep/b.csv": "second"})
    sources, notes = _incoming(tmp_path, given)
    assert [(source.file, source.path.read_text(), source.error) for source in sources] == [
        ("a.csv", "first", None),
        ("deep/b.csv", "second", None),
    ]
    assert notes == []


@pytest.mark.parametrize("layout", ["name", "key"])
def test_a_name_that_looks_like_a_whole_key_is_not_mistaken_for_one(tmp_path: Path, layout: str) -> None:
    contents = {"a.csv": "outer", "incoming/demo/a.csv": "inner"}
    sources, _ = _incoming(tmp_path, files_of(tmp_path, layout, contents))
    assert {source.file: source.path.read_text() for source in sources} == contents


def test_a_column_of_request_ids_is_refused_with_a_sentence_and_the_other_files_are_read(desk, monkeypatch):
    monkeypatch.setattr("headroom.intake.files.whole_files.MOST_SERVERS_OF_ONE_ROW", 100)
    rows = [f"2026-01-01T00:{number % 60:02d}:00Z,req-{number},50" for number in range(200)]
    requests = "\n".join(["timestamp,server_id,cpu", *rows])
    told = r"200 different servers, 200 of them in a single row, such as 'req-"
    with pytest.raises(InputError, match=rf"a\.csv: {told}"):
        desk.run({"a.csv": requests})
    folder = desk.run({"a.csv": requests, "b.csv": "timestamp,server_id,cpu\n2026-01-01,web-1,40\n"})
    assert set(panel_of(folder)["server_id"]) == {"web-1"}
    refused, _ = quality_of(folder)["files"]
    assert re.match(told, refused["error"]) and refused["rows_read"] == 0


def test_a_large_fleet_with_several_samples_of_each_server_is_read(desk, monkeypatch):
    monkeypatch.setattr("headroom.intake.files.whole_files.MOST_SERVERS_OF_ONE_ROW", 100)
    rows = [f"2026-01-01T00:{number % 2:02d}:00Z,web-{number // 2},50" for number in range(400)]
    desk.run({"a.csv": "\n".join(["timestamp,server_id,cpu", *rows])})


# --- a run touches what its files touch ---


def test_samples_of_days_that_no_new_file_touches_stay_the_same_files(desk):
    day = "timestamp,server_id,cpu,network_in\n" + "".join(
        f"2024-01-0{{0}}T{hour:02d}:00:00Z,a,{hour},1\n" for hour in range(24)
    )
    first = desk.run({"1.csv": day.replace("{0}", "1"), "2.csv": day.replace("{0}", "2")})
    # Were the old days read again, this would not go unnoticed.
    untouched, touched = (first / "samples/samples" / f"2024010{number}.parquet" for number in (1, 2))
    untouched.write_bytes(b"nobody looks at it")
    second = desk.run(
        {"3.csv": day.replace("{0}", "2").replace(",1\n", ",2\n"), "4.csv": day.replace("{0}", "3")}, history=first
    )
    assert (second / "samples/samples/20240101.parquet").read_bytes() == untouched.read_bytes()
    assert pd.read_parquet(second / "samples/samples/20240102.parquet")["network_in"].unique() == [2]
    assert sorted(path.name for path in (second / "samples/samples").iterdir()) == [
        f"2024010{number}.parquet" for number in (1, 2, 3)
    ]
    assert touched.exists()
    panel = panel_of(second).query("metric == 'cpu'")
    assert list(panel["samples"]) == [24, 24, 24]


def test_days_that_are_not_touched_leave_when_their_time_is_over(desk):
    folder = None
    for number in range(1, 6):
        text = f"timestamp,server_id,cpu\n2024-01-0{number}T05:00:00Z,a,50\n"
        folder = desk.run({f"{number}.csv": text}, history=folder, settings="keep_samples_days: 2")
    assert sorted(path.stem for path in (folder / "samples/samples").iterdir()) == ["20240104", "20240105"]
    assert len(panel_of(folder)) == 5
    late = "timestamp,server_id,cpu\n" + "2024-01-01T06:00:00Z,a,90\n"
    assert list(panel_of(desk.run({"late.csv": late}, history=folder))["max"]) == [90, 50, 50, 50, 50]


def test_a_panel_of_an_earlier_version_is_gone_on_with(desk):
    day = "timestamp,server_id,cpu\n" + "".join(f"2024-01-0{{0}}T{hour:02d}:00:00Z,a,{hour}\n" for hour in range(24))
    first = desk.run({"1.csv": day.replace("{0}", "1"), "2.csv": day.replace("{0}", "2")})
    samples = first / "samples"
    both = pd.read_parquet(samples / "samples")
    for path in (samples / "samples").iterdir():
        path.unlink()
    both.to_parquet(samples / "samples/20240101.parquet")  # a file of several days
    (samples / "kept.json").write_text('{"since": "0001-01-01T00:00:00"}')
    second = desk.run({"3.csv": day.replace("{0}", "3")}, history=first)
    at_once = desk.run({f"{number}.csv": day.replace("{0}", str(number)) for number in (1, 2, 3)})
    assert same_panel(at_once, second)
    assert pd.read_parquet(at_once / "samples/samples").equals(pd.read_parquet(second / "samples/samples"))


def test_names_are_trimmed_and_their_rows_keep_their_order_and_lines(desk):
    rows = [
        f"2024-01-01T{hour:02d}:00:00Z,{'a ' if hour % 2 else ' a'},{hour if hour != 7 else 'x'}" for hour in range(24)
    ]
    folder = desk.run({"a.csv": "\n".join(["timestamp,server_id,cpu", *rows])})
    assert set(panel_of(folder)["server_id"]) == {"a"}
    assert [(one["row"], one["value"]) for one in quarantine_of(folder)] == [("9", "x")]


# --- what values of periods are not ---


def day_of(number, value, minutes=60, hours=24, server="a"):
    times = [datetime(2024, 1, number) + timedelta(minutes=step) for step in range(0, 60 * hours, minutes)]
    return "timestamp,server_id,cpu [%]\n" + "".join(f"{at.isoformat()}Z,{server},{value + at.hour}\n" for at in times)


def closed_then(desk, text, settings="keep_samples_days: 2", name="again.csv"):
    """The panel after the first of six days came a second time, when it was closed."""
    first = desk.run({f"{number}.csv": day_of(number, 40) for number in range(1, 7)}, settings=settings)
    return desk.run({name: text}, history=first, settings=settings)


def test_a_closed_period_that_would_change_tenfold_stays_until_the_file_is_confirmed(desk):
    shares = day_of(1, 0).replace("cpu [%]", "cpu [ratio]")  # 0 to 23 as shares of one are no percentages at all
    shares = re.sub(r",(\d+)$", lambda found: f",{(40 + int(found[1])) / 10_000}", shares, flags=re.MULTILINE)
    before = panel_of(desk.run({f"{number}.csv": day_of(number, 40) for number in range(1, 7)}))
    panel = closed_then(desk, shares)
    assert panel_of(panel)["mean"].equals(before["mean"])
    [note] = [note for note in quality_of(panel)["notes"] if "tenfold" in note]
    assert note.startswith(
        "1 closed periods would change more than tenfold, such as cpu of a on 2024-01-01 from 51.5 to"
    )
    confirmed = closed_then(desk, shares, "{keep_samples_days: 2, confirmed: ['again*']}")
    assert panel_of(confirmed)["mean"].iloc[0] == pytest.approx(0.515)
    assert not [note for note in quality_of(confirmed)["notes"] if "tenfold" in note]


def test_a_closed_period_that_changes_less_is_replaced_as_ever(desk):
    assert panel_of(closed_then(desk, day_of(1, 60)))["mean"].iloc[0] == pytest.approx(71.5)


def test_a_last_day_that_is_not_over_is_marked(desk):
    files = {f"{number}.csv": day_of(number, 40, hours=24 if number < 4 else 6) for number in range(1, 5)}
    quality = quality_of(desk.run(files))
    assert quality["marked"]["partial"] == {
        "series": 1, "first": [{"server_id": "a", "metric": "cpu", "samples": 6, "usual": 24}],
    }  # fmt: skip
    assert [note for note in quality["notes"] if note.startswith("The last day is not complete: 1 series")]
    whole = quality_of(desk.run({name: text for name, text in files.items() if name != "4.csv"}))
    assert whole["marked"]["partial"]["series"] == 0 and whole["notes"] == []


def test_a_percentile_of_few_samples_is_marked(desk):
    files = {f"{number}.csv": day_of(number, 40, minutes=120) for number in range(1, 9)}
    quality = quality_of(desk.run(files))
    assert quality["marked"]["few_samples"]["series"] == 1
    assert [note for note in quality["notes"] if "fewer than 20 samples a day, so that their P95" in note]
    for statistic in ("mean", "max"):
        assert quality_of(desk.run(files, settings=f"statistic: {statistic}"))["marked"]["few_samples"]["series"] == 0


def test_both_hours_of_an_autumn_change_survive(desk):
    local = [*pd.date_range("2024-10-27 00:00", "2024-10-27 02:50", freq="10min"),
             *pd.date_range("2024-10-27 02:00", "2024-10-27 04:50", freq="10min")]  # fmt: skip
    rows = [f"{at:%Y-%m-%d %H:%M:%S},a,{10 + place}" for place, at in enumerate(local)]
    text = "\n".join(["timestamp,server_id,cpu [%]", *rows])
    panel = panel_of(desk.run({"a.csv": text}, settings="{timezone: Europe/Berlin, frequency: h}"))
    assert list(panel["samples"]) == [6] * 6
    assert list(panel["ds"].dt.hour) == [22, 23, 0, 1, 2, 3]
    assert list(panel["max"]) == [15, 21, 27, 33, 39, 45]


@pytest.mark.parametrize("zone", ["CET", "BST", "IST", "EST"])
def test_an_abbreviated_zone_is_refused_unless_it_is_mapped(desk, zone):
    text = f"timestamp,server_id,cpu [%]\n2024-02-13 12:00:00 {zone},a,50\n2024-02-14 12:00:00 {zone},a,51\n"
    with pytest.raises(
        InputError, match=f"the zone '{zone}' of .* can mean several: map it in the settings, such as zones: "
    ):
        desk.run({"a.csv": text})
    panel = panel_of(desk.run({"a.csv": text}, settings=f"{{frequency: h, zones: {{{zone}: '+02:00'}}}}"))
    assert list(panel["ds"].dt.hour) == [10, 10]
