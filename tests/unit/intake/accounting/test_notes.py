"""What people are told of a run's files and of its panel."""

from types import SimpleNamespace

import exports
import pytest

from headroom.core.settings import parse
from headroom.intake.accounting import notes


def source(file, *names):
    return SimpleNamespace(layout="some", file=file, names=set(names))


def test_a_mapping_that_no_file_has_is_told_with_the_nearest_heading():
    files = [source("a.csv", "CPU Ready", "host"), source("b/c.csv", "Last Value")]
    said = parse(
        "columns: {CPU Redy: cpu, HOST: server_id}\nsources: [{match: 'b/*', units: {lst value: ratio, cpu: percent}}]"
    )
    assert notes.unmatched_mappings(files, said) == [
        "The settings' columns name 'CPU Redy', which is not a heading or metric of the files: did you mean "
        "'CPU Ready'?",
        "The source 'b/*' name 'lst value', which is not a heading or metric of the files: did you mean 'Last Value'?",
    ]


def test_nothing_is_told_of_mappings_where_no_file_of_theirs_came():
    said = parse("columns: {x: cpu}\nsources: [{match: 'other/*', columns: {y: cpu}}]")
    assert notes.unmatched_mappings([], said) == []
    assert len(notes.unmatched_mappings([source("a.csv", "time")], said)) == 1


@pytest.mark.parametrize(
    "seconds, told", [(86_400, "days"), (172_800, "2 days"), (3_600, "hours"), (5_400, "1.5 hours"), (60, "60 seconds")]
)
def test_how_far_samples_are_apart(seconds, told):
    assert notes._duration(seconds).endswith(told if " " in told else told[:-1])


def test_servers_that_vanish_or_were_corrected_are_named(tmp_path):
    good = exports.wide(exports.fleet("web-1", "web-2"))["fleet.csv"]
    first = next(line for line in good.split("\n")[1:] if "web-2" in line)
    corrected = good.split("\n")[0] + "\n" + first.rsplit(",", 1)[0] + ",77\n"
    bad = "timestamp,server_id,memory\n" + "".join(f"2024-02-13T{h:02}:00:00Z,db-9,much\n" for h in range(24))
    _, quality = exports.read(tmp_path, {"1good.csv": good, "2fix.csv": corrected, "3bad.csv": bad})
    told = "\n".join(quality["notes"])
    assert "Servers of which nothing could be used, so that they are left out: 1 (db-9)." in told
    assert "1 samples of 1good.csv were replaced by other values of 2fix.csv, which came later." in told
