"""A damaged row or record of an export costs that row: it is in quarantine with its line, and all else is read."""

import csv
import json
import re

import exports
import pytest

from headroom.core.job import InputError

# Exports that are text of lines, each of which is a row or a record.
OF_LINES = sorted(set(exports.EXPORTS) - {
    "cloudwatch_get_metric_data", "cloudwatch_get_metric_statistics", "cloudwatch_metric_stream_parquet",
    "prometheus_json", "azure_monitor", "gcp_api", "datadog_api", "datadog_api_v2", "graphite", "influx_v1",
    "sysstat_json", "wide",
})  # fmt: skip


def _fields(line):
    """A line's fields with the marks between them."""
    mark = max(",;\t", key=line.count) if re.search("[,;\t]", line) else " "
    *first, last = re.split(mark + r'(?=(?:[^"]*"[^"]*")*[^"]*$)', line)  # not within quotes
    return [text + mark for text in first] + [last]


def _cut(line):
    if line.startswith("{"):
        return line[: len(line) // 2]
    fields = _fields(line)
    return "".join(fields[: max(len(fields) // 2, 1)]).rstrip(",;\t")


def _quarantine(tmp_path):
    with (tmp_path / "panel" / "quarantine.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", OF_LINES)
def test_a_line_that_is_cut_off_costs_that_line(tmp_path, name):
    files = exports.EXPORTS[name](exports.fleet())
    file = next(iter(files))
    whole, _ = exports.read(tmp_path / "whole", files)
    lines = files[file].split("\n")
    # Of tables one below the other the midst may be a header: somewhat later there are rows.
    place = len(lines) * 5 // 8
    lines[place] = _cut(lines[place])
    panel, quality = exports.read(tmp_path, {**files, file: "\n".join(lines)})
    assert exports.adds_up(quality) and not any(one["error"] for one in quality["files"])
    assert whole["samples"].sum() - panel["samples"].sum() <= 2  # of rows of parts, none
    cut = [row for row in _quarantine(tmp_path) if re.search("cut off|more fields", row["reason"])]
    assert [(row["file"], row["row"]) for row in cut] == [(file, str(place + 1))]
    assert not re.search(r"Error|zip\(|argument", cut[0]["reason"])


def _document(name):
    [(file, content), *others] = exports.EXPORTS[name](exports.fleet()).items()
    return file, json.loads(content), dict(others)


@pytest.mark.parametrize(
    "name, points, damage",
    [
        ("azure_monitor", lambda one: one["value"][0]["timeseries"][0]["data"], lambda one: one.pop("timeStamp")),
        ("cloudwatch_get_metric_statistics", lambda one: one["Datapoints"], lambda one: one.pop("Timestamp")),
        ("datadog_api", lambda one: one["series"][0]["pointlist"], lambda one: one.pop()),
        ("gcp_api", lambda one: one["timeSeries"][0]["points"], lambda one: one.pop("interval")),
        ("graphite", lambda one: one[0]["datapoints"], lambda one: one.pop()),
        ("influx_v1", lambda one: one["results"][0]["series"][0]["values"], lambda one: one.pop()),
        ("prometheus_json", lambda one: one["data"]["result"][0]["values"], lambda one: one.pop()),
        (
            "sysstat_json",
            lambda one: one["sysstat"]["hosts"][0]["statistics"],
            lambda one: one["timestamp"].pop("date"),
        ),
    ],
)
def test_a_point_of_a_document_that_lacks_something_costs_that_point(tmp_path, name, points, damage):
    file, document, others = _document(name)
    whole, _ = exports.read(tmp_path / "whole", {file: json.dumps(document), **others})
    damage(points(document)[20])
    panel, quality = exports.read(tmp_path, {file: json.dumps(document), **others})
    assert exports.adds_up(quality) and whole["samples"].sum() - panel["samples"].sum() == 1
    [row] = _quarantine(tmp_path)
    assert row["file"] == file and row["row"] == "21" and row["value"]


def test_a_series_with_more_times_than_values_is_left_out_as_a_whole(tmp_path):
    file, document, _ = _document("cloudwatch_get_metric_data")
    document["MetricDataResults"][0]["Values"].pop()
    panel, quality = exports.read(tmp_path, {file: json.dumps(document)})
    assert panel["server_id"].tolist() == ["db-2.corp.example"] and exports.adds_up(quality)
    assert "96 times and 95 values" in _quarantine(tmp_path)[0]["reason"]


def test_many_rows_with_too_many_fields_refuse_the_file(tmp_path):
    """Decimal commas part the fields of most rows; a row that fits all the same has lost a cell."""
    rows = ["Time,web-1,web-2"]
    for step in range(50):
        rows.append(f"2024-02-13 00:{step:02}:00," + (f"4{step % 10},5,30,5" if step % 10 else f"{step},5"))
    files = {"CPU usage-data-as-joinbyfield.csv": "\n".join(rows)}
    with pytest.raises(InputError, match="the first is 3, '2024-02-13 00:01:00,41,5,30,5': more fields"):
        exports.read(tmp_path, files)
    few = [row if step % 20 == 1 or not step else "2024-02-13 00:00:00,1.5,2.5" for step, row in enumerate(rows)]
    few = [re.sub("^2024-02-13 00:..", f"2024-02-13 00:{step:02}", row) for step, row in enumerate(few)]
    few[2] = few[22] = few[42] = "2024-02-13 00:59:00,41,5,30,5"
    with pytest.raises(InputError, match=r"as if decimal commas parted them.*semicolons"):
        exports.read(tmp_path / "few", {"CPU usage-data-as-joinbyfield.csv": "\n".join(few)})


def test_a_file_that_is_not_as_its_format_is_is_refused_in_words_that_help(tmp_path):
    file, document, _ = _document("prometheus_json")
    del document["data"]["result"]
    with pytest.raises(InputError, match=r"does not have its layout \('result' is missing\): export it"):
        exports.read(tmp_path, {file: json.dumps(document)})
