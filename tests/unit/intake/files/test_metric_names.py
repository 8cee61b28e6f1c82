"""What the names in metric columns mean is decided over all files that are alike."""

import pytest

from headroom.core.settings import FileRules
from headroom.intake.files.layout import File, layout_of
from headroom.intake.files.metric_names import names_of
from headroom.intake.files.sources import Source
from headroom.intake.words.file_names import of_file


@pytest.fixture
def names(tmp_path):
    def find(*keys_of_files, header="time,host,metric,unit,value", statistic="p95"):
        path = tmp_path / "a.csv"
        path.write_text(header + "\n2024-02-13,a" + ",x" * (header.count(",") - 2) + ",1\n")
        layout = layout_of(File(path, of_file("a.csv"), FileRules()), None)
        sources = [Source(n, f"{n}.csv", path, layout=layout, keys=set(keys)) for n, keys in enumerate(keys_of_files)]
        found = names_of(sources, statistic)
        [meant] = found.meant.values()
        return meant, found.unclear, sources

    return find


def test_a_name_in_one_of_several_units_is_read_in_each(names):
    meant, unclear, _ = names({"cpu\x1f%", "cpu\x1fratio", "network_in\x1fkB/s", "cpu\x1fMHz"})
    assert {key: one.factor for key, one in meant.items()} == {
        "cpu\x1f%": 1,
        "cpu\x1fratio": 100,
        "network_in\x1fkB/s": 0.001,
    }
    assert "MHz" in unclear["cpu"]


def test_of_a_metrics_statistics_the_average_counts_whichever_file_has_it(names):
    meant, unclear, sources = names({"cpu max\x1f%"}, {"cpu avg\x1f%", "memory\x1f%"})
    assert set(meant) == {"cpu avg\x1f%", "memory\x1f%"}
    assert unclear == {"cpu max": "cpu: 'cpu max' is another statistic than what was measured on average"}
    assert all(source.names == {"cpu max", "cpu avg", "memory"} for source in sources)


def test_the_statistic_that_the_settings_ask_for_comes_first(names):
    meant, _, _ = names({"cpu p95\x1f%", "cpu avg\x1f%"}, statistic="p95")
    assert set(meant) == {"cpu p95\x1f%"}


def test_names_of_other_things_are_left_to_the_rows_that_have_them(names):
    meant, unclear, _ = names({"load1\x1f", "\x1f%"})
    assert not meant and "load1" not in unclear
    assert unclear[""].startswith("nothing says the metric: put it into the file's name")
