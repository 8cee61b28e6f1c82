"""How the rows of a file become samples."""

import exports
import pytest

HEAD = "time,host,cpu,memory\n"


def test_an_empty_cell_is_no_value_and_the_others_of_its_row_count(tmp_path):
    panel, _ = exports.read(tmp_path, {"a.csv": HEAD + "2024-02-13,a,50,\n2024-02-14,a,,60\n"})
    assert sorted(zip(panel["metric"], panel["max"], strict=True)) == [("cpu", 50), ("memory", 60)]


def test_a_cell_that_is_not_a_number_costs_only_itself(tmp_path):
    panel, report = exports.read(tmp_path, {"a.csv": HEAD + "2024-02-13,a,high,60\n2024-02-14,a,50,61\n"})
    assert panel.groupby("metric")["max"].apply(list).to_dict() == {"cpu": [50], "memory": [60, 61]}
    assert report["values"]["quarantined"] == 1


def test_the_order_of_rows_changes_nothing(tmp_path):
    lines = [f"2024-02-{day},{host},{day},{100 - day}\n" for day in range(13, 20) for host in "ab"]
    first, _ = exports.read(tmp_path / "one", {"a.csv": HEAD + "".join(lines)})
    second, _ = exports.read(tmp_path / "two", {"a.csv": HEAD + "".join(reversed(lines))})
    assert first.equals(second)


def test_of_two_files_the_later_ones_value_counts(tmp_path):
    files = {"1.csv": HEAD + "2024-02-13,a,50,60\n", "2.csv": HEAD + "2024-02-13,a,55,60\n"}
    panel, _ = exports.read(tmp_path, files)
    assert panel.set_index("metric")["max"].to_dict() == {"cpu": 55, "memory": 60}


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_ends_of_either_kind_are_read(tmp_path, ending):
    text = (HEAD + "2024-02-13,a,50,60\n").replace("\n", ending)
    panel, _ = exports.read(tmp_path, {"a.csv": text})
    assert len(panel) == 2


def test_what_nobody_sees_in_a_name_makes_no_other_server(tmp_path):
    names = ["web-1", "web-1\u200b"]
    rows = [f"2024-02-13 {hour:02}:00,{names[hour % 2]},{40 + hour}" for hour in range(24)]
    panel, _ = exports.read(tmp_path, {"a.csv": "\n".join(["time,host,cpu", *rows])})
    assert panel[["server_id", "samples"]].values.tolist() == [["web-1", 24]]
