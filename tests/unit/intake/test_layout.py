"""Which files are tables, and where their header is."""

import pytest

from headroom.core.settings import FileRules
from headroom.intake.layout import File, UnreadableFile, layout_of
from headroom.intake.meaning import of_file


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
