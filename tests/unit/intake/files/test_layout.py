"""Which files are tables, and where their header is."""

import exports
import pytest

from headroom.core.job import InputError
from headroom.core.settings import FileRules
from headroom.intake.files.layout import File, layout_of
from headroom.intake.unreadable import UnreadableFile
from headroom.intake.words.file_names import of_file


def layout(tmp_path, text, name="fleet.csv", **rules):
    path = tmp_path / "file"
    path.write_text(text)
    return layout_of(File(path, of_file(name), FileRules(**rules)), None)


def test_a_line_that_only_looks_like_a_header_is_none(tmp_path):
    found = layout(tmp_path, "Report,Date,2024-02-05,CPU\nTimestamp,Server,CPU\n2024-02-03,a,1\n")
    assert found.header_line == 2 and dict(found.places) == {"timestamp": 0, "server_id": 1, "cpu": 2}


def test_a_row_of_units_below_the_header_is_read_as_units(tmp_path):
    found = layout(tmp_path, "time,host,cpu,network_in\n,,(ratio),kB/s\n2024-02-03,a,0.5,1\n")
    assert found.header_line == 2
    assert {metric: meaning.factor for metric, meaning in found.meanings} == {"cpu": 100.0, "network_in": 0.001}


def test_a_value_whose_metric_nothing_says_is_refused(tmp_path):
    with pytest.raises(UnreadableFile, match="nothing says what 'value' measures"):
        layout(tmp_path, "time,value\n2024-02-03,5\n", "web-1.csv")
    assert layout(tmp_path, "time,value\n2024-02-03,5\n", "web-1_memory.csv").meanings[0][0] == "memory"
    assert layout(tmp_path, "time,value\n2024-02-03,5\n", "web-1.csv", metric="disk").meanings[0][0] == "disk"


def test_a_sample_of_a_server_called_b_is_no_row_of_units(tmp_path):
    assert layout(tmp_path, "timestamp,server_id,cpu\n2024-01-01T00:00:00,b,1.18e-221\n").header_line == 1


@pytest.mark.parametrize(
    "text, told",
    [
        ("time;web-1;web-2\n2024-02-13;5;6\n", "its header (time, web-1, web-2) has a time, but nothing that is known"),
        (
            "NAME   CPU(cores)   CPU%   MEMORY\n" + 4 * "a   12m   4%   1Gi\n",
            "stand between blanks, as a terminal shows",
        ),
        ('{"data": {"resultType": "vector", "result": []}}', "/api/v1/query_range gives a series"),
        ("time,host,cpu\n13.02.2024 12-05,a,5\n", "'13.02.2024 12-05' is not a time that can be read for certain"),
        ("time,host,cpu\n12:05:00,a,5\n", "'12:05:00' is a time of day without a date"),
        ("time,host,network_in [Mb/s]\n2024-02-13,a,5\n", "says bits to some and bytes to others: say Mbit/s or MB/s"),
    ],
)
def test_who_is_refused_learns_what_to_do(tmp_path, text, told):
    with pytest.raises(InputError) as refused:
        exports.read(tmp_path, {"a.csv": text})
    assert told in str(refused.value)


def test_apostrophes_may_stand_around_the_fields_of_rows_alone(tmp_path):
    rows = [f"'2024-02-13 {hour:02}:00','web-1','4{hour % 10}.5'" for hour in range(24)]
    panel, _ = exports.read(tmp_path, {"a.csv": "\n".join(["time,host,cpu", *rows])})
    assert panel["server_id"].tolist() == ["web-1"] and panel["samples"].tolist() == [24]


@pytest.mark.parametrize("header", ["", ","])
@pytest.mark.parametrize("row", ["", ","])
def test_a_mark_too_many_at_the_end_of_lines_is_no_column(tmp_path, header, row):
    lines = [f"time,host,cpu{header}", *(f"2024-02-13 {hour:02}:00,a,5{hour}{row}" for hour in range(10))]
    panel, quality = exports.read(tmp_path, {"a.csv": "\n".join(lines)})
    assert panel["samples"].tolist() == [10] and exports.adds_up(quality)


def test_a_decimal_comma_that_fills_a_missing_column_is_found_by_its_digits(tmp_path):
    """12,5 is a CPU of 12.5 percent where the memory is missing, and no memory of 5 percent."""
    rows = [f"web-1,2024-02-13 {hour:02}:{ten}0,{30 + hour},{(7 * hour + 3 * ten) % 10}" for hour in range(24)
            for ten in range(6)]  # fmt: skip
    with pytest.raises(UnreadableFile, match=r"decimal comma parted them \(30,0\): export it with semicolons"):
        layout(tmp_path, "\n".join(["host,time,cpu,memory", *rows]))
    for idle in (lambda row: row[:-1] + str(int(row[-1]) % 4), lambda row: row[:-1] + str(3 + int(row[-1]))):
        assert layout(tmp_path, "\n".join(["host,time,cpu,memory", *map(idle, rows)])).shape == "wide"
    assert layout(tmp_path, "\n".join(["host,time,cpu,memory", *rows[:20]])).shape == "wide"


@pytest.mark.parametrize("second", [",,Max,Avg", ",,user,cached", ",,web-1,web-2"])
def test_a_second_row_of_headings_is_not_passed_over(tmp_path, second):
    rows = "".join(f"2024-02-13 {hour:02}:00,a,40,60\n" for hour in range(24))
    with pytest.raises(InputError, match="a second row of headings"):
        exports.read(tmp_path, {"a.csv": f"time,host,cpu [%],memory [%]\n{second}\n{rows}"})


@pytest.mark.parametrize("heads", ["Date,Start Time", "Data,Ora", "Datum,Uhrzeit"])
def test_date_and_time_of_day_stand_under_many_headings(tmp_path, heads):
    rows = "".join(f"2024-02-13,{hour:02}:00,a,{hour}\n" for hour in range(24))
    panel, _ = exports.read(tmp_path, {"a.csv": f"{heads},host,cpu [%]\n{rows}"}, "frequency: h")
    assert panel["max"].tolist() == list(range(24))
