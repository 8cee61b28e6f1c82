"""Tables in JSON are read as those in CSV; other JSON is refused."""

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
    assert quality["files"][0]["export"] == "Telegraf (CSV)"


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
