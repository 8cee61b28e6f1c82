"""What the data-quality report says of files, so that nothing vanishes."""

import exports
import pytest

GOOD = "time,host,cpu\n2024-02-13,a,50\n2024-02-14,a,60\n"


def told(tmp_path, files, settings=""):
    _, report = exports.read(tmp_path, files, settings)
    return report


def test_every_row_is_used_a_duplicate_or_in_quarantine(tmp_path):
    text = GOOD + "2024-02-14,a,60\nyesterday,a,70\n2024-02-15,,80\n"
    rows = told(tmp_path, {"fleet.csv": text})["rows"]
    assert rows["read"] == 5
    assert rows["read"] == rows["accepted"] + rows["duplicates"] + rows["quarantined"]
    assert (rows["duplicates"], rows["quarantined"]) == (1, 2)


def test_a_refused_file_is_named_with_what_to_do_and_the_rest_is_used(tmp_path):
    report = told(tmp_path, {"good.csv": GOOD, "bad.csv": "time,value\n2024-02-13,5\n"})
    bad, good = sorted(report["files"], key=lambda one: one["file"])
    assert "nothing says what 'value' measures" in bad["error"] and "name the metric" in bad["error"]
    assert good["error"] is None and good["rows_accepted"] == 2


def test_the_reasons_of_quarantined_rows_are_counted(tmp_path):
    report = told(tmp_path, {"fleet.csv": GOOD + "never,a,1\nnever,a,2\n"})
    assert sum(reason["rows"] for reason in report["reasons"]) == report["rows"]["quarantined"] == 2


def test_a_mapping_that_matches_nothing_is_told_with_the_nearest_heading(tmp_path):
    report = told(tmp_path, {"fleet.csv": GOOD}, "columns: {hots: server_id}")
    assert any("hots" in one and "host" in one for one in report["unmatched_mappings"])


def test_values_above_what_is_possible_are_clipped_and_counted(tmp_path):
    panel, report = exports.read(tmp_path, {"fleet.csv": GOOD + "2024-02-15,a,104\n"})
    assert panel["max"].max() == 100 and report["values"]["clipped"] == 1


@pytest.mark.parametrize("settings", ["frequency: h", ""])
def test_the_report_names_its_frequency(tmp_path, settings):
    assert told(tmp_path, {"fleet.csv": GOOD}, settings)["frequency"] == ("h" if settings else "D")
