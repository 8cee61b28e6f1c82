"""Tables in JSON are read as those in CSV; other JSON is refused."""

import csv
import gzip
import json

import exports
import pandas as pd
import pytest

from headroom.core.job import InputError

CPU = exports.fleet("web-1", "web-2")
RECORDS = [
    {"timestamp": exports.iso(at), "tags": {"host": server}, "cpu_percent": value}
    for server, made in CPU.items()
    for at, value in made
]


@pytest.mark.parametrize(
    "content",
    [json.dumps(RECORDS), json.dumps({"status": "ok", "data": RECORDS}, indent=1),
     "\n".join(map(json.dumps, RECORDS)), gzip.compress(json.dumps(RECORDS).encode())],
    ids=["list", "document", "lines", "gzip"],
)  # fmt: skip
def test_records_are_a_table(tmp_path, content):
    panel, quality = exports.read(tmp_path, {"cpu.json": content})
    assert exports.is_right(panel, quality, cpu=CPU)


def test_telegrafs_json_is_read_as_its_csv(tmp_path):
    lines = [
        {"fields": {"usage_idle": 100 - value}, "name": "cpu", "tags": {"cpu": core, "host": server},
         "timestamp": exports.epoch(at)}
        for server, made in CPU.items() for at, value in made for core in ("cpu-total", "cpu0")
    ]  # fmt: skip
    panel, quality = exports.read(tmp_path, {"metrics.json": "\n".join(map(json.dumps, lines))})
    assert exports.is_right(panel, quality, cpu=CPU)
    assert quality["files"][0]["export"] == "Telegraf (CSV, JSON)"


@pytest.mark.parametrize(
    "document",
    [{"a": [1, 2]}, {"a": RECORDS, "b": RECORDS}, [{"x": {"value": 1}, "y": {"value": 2}}],
     [{"timestamp": 1, "cpu": [1, 2]}], {}, {"a": None}],
)  # fmt: skip
def test_what_is_no_table_is_refused_as_json(tmp_path, document):
    with pytest.raises(InputError, match="JSON of a kind that Headroom does not know"):
        exports.read(tmp_path, {"cpu.json": json.dumps(document)})


@pytest.mark.parametrize("orient", ["columns", "split", "records", "table"])
def test_data_frames_are_read_however_pandas_writes_them(tmp_path, orient):
    cpu = exports.fleet("web-1", "web-2")
    rows = [{"time": exports.iso(at), "host": server, "cpu": v} for server, made in cpu.items() for at, v in made]
    panel, quality = exports.read(tmp_path, {"a.json": pd.DataFrame(rows).to_json(orient=orient)})
    assert exports.is_right(panel, quality, cpu=cpu)


def quarantine(tmp_path):
    with (tmp_path / "panel" / "quarantine.csv").open(newline="", encoding="utf-8") as file:
        return [(int(row["row"]), row["reason"]) for row in csv.DictReader(file)]


def test_a_damaged_line_costs_that_line_and_no_other(tmp_path):
    lines = list(map(json.dumps, RECORDS))
    lines[20] = lines[20][:30]  # the disk was full
    lines[40] = "12"
    lines[60] = '{"timestamp": "2024-02-13T00:00:00Z", "cpu_percent": [1, 2]}'
    lines[70] = ""
    lines[80] = lines[80].replace("T", " at ")
    panel, quality = exports.read(tmp_path, {"cpu.json": "\n".join(lines)})
    assert panel["samples"].sum() == len(RECORDS) - 5 and exports.adds_up(quality)
    told = quarantine(tmp_path)
    assert [line for line, _ in told] == [21, 41, 61, 81]
    words = ["is the line cut off?", "not a JSON object", "cpu_percent is a list", "not a timestamp"]
    assert all(word in reason for word, (_, reason) in zip(words, told, strict=True)), told


def telegraf():
    return [
        {"fields": {"usage_idle": 100 - value}, "name": "cpu", "tags": {"cpu": "cpu-total", "host": server},
         "timestamp": exports.epoch(at)}
        for server, made in CPU.items() for at, value in made
    ]  # fmt: skip


def test_a_damaged_line_of_telegrafs_json_costs_that_line(tmp_path):
    lines = list(map(json.dumps, telegraf()))
    lines[30] = lines[30][:-9]
    panel, quality = exports.read(tmp_path, {"metrics.json": "\n".join(lines)})
    assert panel["samples"].sum() == len(lines) - 1 and exports.adds_up(quality)
    assert [line for line, _ in quarantine(tmp_path)] == [31]


@pytest.mark.parametrize("cut", [slice(40), slice(18, None), slice(45, None)], ids=["end", "time", "beginning"])
@pytest.mark.parametrize("form", ["table", "telegraf"])
def test_a_damaged_first_line_costs_that_line_alone(tmp_path, cut, form):
    """Logs are cut off in the midst of a line when they are rotated, and so what follows begins there."""
    lines = list(map(json.dumps, RECORDS if form == "table" else telegraf()))
    lines[0] = lines[0][cut]
    panel, quality = exports.read(tmp_path, {"metrics.json": "\n".join(lines)})
    assert panel["samples"].sum() == len(lines) - 1 and exports.adds_up(quality)
    assert [line for line, _ in quarantine(tmp_path)] == [1]


@pytest.mark.parametrize("indent", [None, 1])
def test_a_damaged_document_is_not_taken_for_lines(tmp_path, indent):
    lines = ",\n".join(map(json.dumps, RECORDS)) if indent is None else json.dumps(RECORDS, indent=1)[2:]
    with pytest.raises(InputError, match="JSON"):
        exports.read(tmp_path, {"cpu.json": f'{{"server": "web-1", "data": [\n{lines}'})


def test_many_damaged_lines_cost_the_file(tmp_path):
    lines = [line if place % 5 == 0 else line[:20] for place, line in enumerate(map(json.dumps, RECORDS))]
    with pytest.raises(InputError, match=r"153 of its 192 JSON records cannot be read; the first is 2, .*: not valid"):
        exports.read(tmp_path, {"cpu.json": "\n".join(lines)})


def test_a_bad_value_of_a_list_of_records_is_told_by_its_records_number(tmp_path):
    records = [dict(one) for one in RECORDS]
    records[9]["cpu_percent"] = "?"
    exports.read(tmp_path, {"cpu.json": json.dumps(records, indent=1)})
    assert quarantine(tmp_path) == [(10, "not a number")]


def test_a_document_says_statistic_zone_and_metric_of_all_its_records(tmp_path):
    records = [{"time": f"2024-02-13 {hour:02}:30", "host": "a", "value": hour + 0.5} for hour in range(24)]
    said = {"metric": "cpu", "data": records}
    with pytest.raises(InputError, match="its rows are Maximum"):
        exports.read(tmp_path / "max", {"a.json": json.dumps({**said, "query": {"aggregation": "Maximum"}})})
    panel, _ = exports.read(
        tmp_path / "zone", {"a.json": json.dumps({**said, "timezone": "Asia/Tokyo"})}, "frequency: h"
    )
    assert panel["ds"].min().isoformat() == "2024-02-12T15:00:00"
    panel, _ = exports.read(tmp_path, {"a_cpu.json": json.dumps({"memory": records})})
    assert panel["metric"].tolist() == ["memory"]
