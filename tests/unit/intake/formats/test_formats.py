"""Every export format is read without settings; what is not one of them is left to the reader of tables."""

import exports
import pytest

from headroom.intake.formats import Export, all_formats, format_of

FORMATS = {module.__name__.rsplit(".", 1)[-1]: module for module in all_formats()}


def test_every_format_has_a_sample_of_its_own():
    assert set(FORMATS) == set(exports.EXPORTS) - {"wide"}


@pytest.mark.parametrize("name", exports.EXPORTS)
def test_an_export_is_read_as_it_is(tmp_path, name):
    cpu = exports.fleet()
    panel, quality = exports.read(tmp_path, exports.EXPORTS[name](cpu))
    assert exports.is_right(panel, quality, cpu=cpu)
    said = {file["export"] for file in quality["files"]}
    assert said == {"CSV" if name == "wide" else FORMATS[name].NAME}


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_an_export_is_recognised_by_one_format_only(name):
    for file, text in exports.EXPORTS[name](exports.fleet()).items():
        export = Export(file, text[:65_536], None)
        assert [module.NAME for module in all_formats() if module.recognise(export)] == [FORMATS[name].NAME]


@pytest.mark.parametrize(
    "text",
    ["timestamp,server_id,cpu\n2024-01-01,a,5\n", "time,host,name,value\n2024-01-01,a,cpu,5\n", "epoch,value\n1,2\n",
     "Time,cpu\n2024-01-01,5\n", "[1, 2]", '{"a": 1}', "", "\n\n", "x" * 100],
)  # fmt: skip
def test_other_files_are_left_to_the_reader_of_tables(text):
    assert format_of(Export("x.csv", text, None)) is None
