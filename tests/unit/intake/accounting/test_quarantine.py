"""What was not used stands in quarantine where an editor shows it."""

import csv

import exports
import pytest


def quarantine(tmp_path, text, name="a.csv"):
    _, quality = exports.read(tmp_path, {name: text})
    assert exports.adds_up(quality)
    with (tmp_path / "panel" / "quarantine.csv").open(newline="", encoding="utf-8") as file:
        return [(int(row["row"]), row["column"], row["value"], row["reason"]) for row in csv.DictReader(file)]


GOOD = [f"2024-02-13 00:{minute:02}:00,a,4{minute % 10}" for minute in range(20)]


@pytest.mark.parametrize(
    "before, lines",
    [(["time,host,cpu"], 1), (["A report", "", "time,host,cpu"], 3), (["time,host,cpu", ",,(%)"], 2),
     (["time,host,cpu", '2024-02-13 01:00:00,"a\nb",5', "", "2024-02-13 01:05:00,c,6"], 5)],
)  # fmt: skip
def test_a_bad_value_is_told_by_its_own_line_and_heading(tmp_path, before, lines):
    text = "\n".join([*before, *GOOD[:5], "2024-02-13 00:50:00,a,lots", *GOOD[5:]])
    found = [row for row in quarantine(tmp_path, text) if row[2] == "lots"]
    assert found == [(lines + 6, "cpu", "lots", "not a number")]


def test_a_value_of_a_long_table_has_the_heading_of_its_values(tmp_path):
    rows = [f"2024-02-13 00:{minute:02}:00,a,cpu,{'?' if minute == 3 else 41}" for minute in range(20)]
    assert quarantine(tmp_path, "\n".join(["time,host,metric,Reading", *rows]).replace("Reading", "value")) == [
        (5, "value", "?", "not a number")
    ]


def test_a_long_value_is_cut_and_a_file_that_is_refused_stands_there_once(tmp_path):
    exports.read(
        tmp_path, {"a.csv": "\n".join(["time,host,cpu", *GOOD, f"2024-02-13 01:00:00,a,{'x' * 900}"]), "b.csv": "no"}
    )
    with (tmp_path / "panel" / "quarantine.csv").open(newline="", encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert len(first["value"]) == 200 and (second["file"], second["row"]) == ("b.csv", "")
    assert second["reason"].startswith("no header with a timestamp column")
