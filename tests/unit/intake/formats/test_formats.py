"""Every export format is read without settings; what is not one of them is left to the reader of tables."""

import io

import exports
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headroom.core.job import InputError
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
def test_an_export_is_recognised_by_one_format_only(tmp_path, name):
    for file, content in exports.EXPORTS[name](exports.fleet()).items():
        path = tmp_path / "export"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        export = Export(file, "" if isinstance(content, bytes) else content[:65_536], path)
        assert [module.NAME for module in all_formats() if module.recognise(export)] == [FORMATS[name].NAME]


@pytest.mark.parametrize(
    "text",
    ["timestamp,server_id,cpu\n2024-01-01,a,5\n", "time,host,name,value\n2024-01-01,a,cpu,5\n", "epoch,value\n1,2\n",
     "Time,cpu\n2024-01-01,5\n", "[1, 2]", '{"a": 1}', "", "\n\n", "x" * 100],
)  # fmt: skip
def test_other_files_are_left_to_the_reader_of_tables(text):
    assert format_of(Export("x.csv", text, None)) is None


def test_a_metric_stream_in_parquet_that_is_cut_off_is_refused(tmp_path):
    [(name, content)] = exports.EXPORTS["cloudwatch_metric_stream_parquet"](exports.fleet()).items()
    with pytest.raises(InputError, match="damaged Parquet file, send it again"):
        exports.read(tmp_path, {name: content[: len(content) // 2]})


@pytest.mark.parametrize("column", ["value", "dimensions"])
def test_a_metric_stream_in_parquet_of_other_types_is_refused_with_a_sentence(tmp_path, column):
    [(name, content)] = exports.EXPORTS["cloudwatch_metric_stream_parquet"](exports.fleet()).items()
    table = pq.read_table(io.BytesIO(content))
    place = table.schema.get_field_index(column)
    out = io.BytesIO()
    pq.write_table(table.set_column(place, column, pa.array(["?"] * len(table))), out)
    with pytest.raises(InputError, match="it looks like CloudWatch Metric Streams"):
        exports.read(tmp_path, {name: out.getvalue()})
