"""Columns that say of each row what its number is."""

import exports
import pytest

from headroom.core.job import InputError


def table(heading, *values, metric="cpu [%]", cells=(50,)):
    rows = [
        f"2024-02-13 {hour:02}:00,a,{cells[place % len(cells)]},{value}"
        for hour in range(24)
        for place, value in enumerate(values)
    ]
    return {"a.csv": "\n".join([f"time,host,{metric},{heading}", *rows]) + "\n"}


def maxima(panel):
    return panel[["metric", "max"]].values.tolist()


@pytest.mark.parametrize("zone", ["Europe/Berlin", "+01:00", "UTC+1"])
def test_a_column_of_zones_says_in_which_the_times_are(tmp_path, zone):
    panel, _ = exports.read(tmp_path, table("utc_offset", zone), "frequency: h")
    assert panel["ds"].dt.day.tolist() == [12] + 23 * [13]
    with pytest.raises(InputError, match="in several zones"):
        exports.read(tmp_path / "two", table("tz", zone, "UTC"))
    with pytest.raises(InputError, match="can mean several"):
        exports.read(tmp_path / "unclear", table("time zone", "BST"))
    with_offset = {"a.csv": table("tz", "Europe/Rome")["a.csv"].replace(":00,a", ":00Z,a")}
    panel, _ = exports.read(tmp_path / "own", with_offset, "frequency: h")
    assert panel["ds"].dt.day.tolist() == 24 * [13]


def test_a_column_of_states_makes_another_thing_of_the_numbers(tmp_path):
    with pytest.raises(InputError, match="parts of the time or the memory"):
        exports.read(tmp_path / "idle", table("mode", "idle"))
    panel, _ = exports.read(tmp_path, table("state", "running"))
    assert maxima(panel) == [["cpu", 50]]


@pytest.mark.parametrize(
    "heading, cell",
    [("field", "usage_idle"), ("instance", "idle"), ("anything", "iowait"), ("kind", "cached"), ("type", "user"),
     ("submetric", "System Time"), ("sensor", "Core 0"), ("item", "free")],
)  # fmt: skip
def test_a_word_for_a_part_of_the_time_is_seen_under_any_heading(tmp_path, heading, cell):
    files = {"cpu.csv": table(heading, cell, metric="value")["a.csv"]}
    with pytest.raises(InputError, match=f"{heading}: {cell}.*{heading}: ignore"):
        exports.read(tmp_path, files)
    panel, _ = exports.read(tmp_path / "ignored", files, f"columns: {{{heading}: ignore}}")
    assert maxima(panel) == [["cpu", 50]]


@pytest.mark.parametrize(
    "heading, cell",
    [("team", "system"), ("city", "Nice"), ("status", "idle"), ("type", "t3.large"), ("pool", "idle servers"),
     ("mount", "/var/cached")],
)  # fmt: skip
def test_other_words_are_left_alone(tmp_path, heading, cell):
    panel, _ = exports.read(tmp_path, table(heading, cell))
    assert maxima(panel) == [["cpu", 50]]


@pytest.mark.parametrize("heading, kind", [("type", "forecast"), ("Series", "Baseline"), ("scenario", "planned")])
def test_what_was_not_measured_is_no_sample(tmp_path, heading, kind):
    with pytest.raises(InputError, match="values that were not measured"):
        exports.read(tmp_path, table(heading, kind))
    panel, _ = exports.read(tmp_path / "type", table(heading, "vm"))
    assert maxima(panel) == [["cpu", 50]]


def test_of_rows_of_several_statistics_the_one_that_is_asked_for_counts(tmp_path):
    files = table("statistic", "Average", "Maximum", "p99", cells=(50, 90, 80))
    panel, quality = exports.read(tmp_path, files)
    assert maxima(panel) == [["cpu", 50]] and panel["samples"].tolist() == [24] and exports.adds_up(quality)
    panel, _ = exports.read(tmp_path / "p99", files, "statistic: p99")
    assert maxima(panel) == [["cpu", 80]]
    with pytest.raises(InputError, match=r"its rows are max \(by 'aggregation'\)"):
        exports.read(tmp_path / "max", table("aggregation", "max"))
    panel, _ = exports.read(tmp_path / "words", table("rollup", "5 minutes"))
    assert maxima(panel) == [["cpu", 50]]


@pytest.mark.parametrize("heading", ["unit", "cpu unit", "cpu_uom"])
def test_a_column_of_units_holds_for_the_values_beside_it(tmp_path, heading):
    panel, _ = exports.read(tmp_path, table(heading, "ratio", metric="cpu", cells=(0.5,)))
    assert maxima(panel) == [["cpu", 50]]
    with pytest.raises(InputError, match="cpu is in 'cores'"):
        exports.read(tmp_path / "cores", table(heading, "cores", metric="cpu", cells=(3.5,)))
    with pytest.raises(InputError, match="several units"):
        exports.read(tmp_path / "two", table(heading, "ratio", "%", metric="cpu", cells=(0.5, 50)))


def test_a_process_is_not_its_server(tmp_path):
    with pytest.raises(InputError, match="it has cpu of the part 'java' only"):
        exports.read(tmp_path, table("process", "java"))


def test_a_server_that_is_named_in_its_first_row_only_is_not_read_by_that_row(tmp_path):
    text = table("note", "")["a.csv"].replace(",a,", ",,").replace(",,", ",a,", 1)
    with pytest.raises(InputError, match="write the server's name into each row"):
        exports.read(tmp_path, {"a.csv": text})


def test_counts_of_samples_beside_averages_are_left_out(tmp_path):
    rows = [
        f"2024-02-13 {hour:02}:00,a,{stat},{v}"
        for hour in range(24)
        for stat, v in (("Average", 50), ("SampleCount", 5))
    ]
    panel, _ = exports.read(tmp_path, {"a.csv": "\n".join(["time,host,statistic,cpu [%]", *rows])})
    assert panel["max"].tolist() == [50] and panel["samples"].tolist() == [24]
