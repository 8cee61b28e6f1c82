"""Columns that are not what their heading says."""

import exports
import pytest

from headroom.core.job import InputError


def file(values, metric="cpu", server="a"):
    rows = "".join(
        f"2024-02-13T{place // 4:02}:{place % 4 * 15:02}:00Z,{server},{value}\n" for place, value in enumerate(values)
    )
    return f"timestamp,server_id,{metric}\n" + rows


@pytest.mark.parametrize(
    "values, metric, why",
    [([350, 380, "NaN", 90, 410], "cpu", "exceeds 110 % often"), ([8] * 30 + ["NaN"], "cpu", "never changes here"),
     ([1000 + 37 * place for place in range(48)] + ["NaN"], "network_in", "only grows")],
)  # fmt: skip
def test_a_cell_that_is_not_a_number_hides_no_doubt(tmp_path, values, metric, why):
    with pytest.raises(InputError, match=why):
        exports.read(tmp_path, {"x.csv": file(values, metric)})


def test_percent_per_core_is_explained_and_the_servers_that_vanish_are_named(tmp_path):
    good = exports.wide(exports.fleet("good-1"))
    panel, quality = exports.read(tmp_path, {**good, "top.csv": file([350, 380, 90, 410], server="busy-1")})
    assert set(panel["server_id"]) == {"good-1"} and exports.adds_up(quality)
    assert any("exceeds 110 % often, of busy-1 up to 410" in note for note in quality["notes"])
    assert any(
        note.startswith("Servers of which nothing could be used") and "busy-1" in note for note in quality["notes"]
    )


def test_a_single_spike_costs_only_itself(tmp_path):
    panel, quality = exports.read(tmp_path, {"x.csv": file([50] * 30 + [130])})
    assert panel["max"].tolist() == [50] and quality["rows"]["quarantined"] == 1


def test_a_count_since_some_start_is_no_rate(tmp_path):
    with pytest.raises(InputError, match="only grows"):
        exports.read(tmp_path, {"x.csv": file([1000 + 37 * place for place in range(48)], "network_in")})
    panel, _ = exports.read(tmp_path / "rate", {"x.csv": file([10 + place % 7 for place in range(48)], "network_in")})
    assert panel["max"].tolist() == [16]


def test_where_some_numbers_cannot_be_read_the_rest_would_lie(tmp_path):
    cells = ["991", '"6,104"', "870"]
    with pytest.raises(InputError, match="not clear, such as '6,104'"):
        exports.read(tmp_path, {"x.csv": file(cells, "network_in")})


@pytest.mark.parametrize("cell", ["<0.5", ">90", "~97", "97.3 (!)", "97.3*", "1,23,456.78", "####", "∞", "Infinity"])
def test_numbers_with_marks_are_not_left_out_alone(tmp_path, cell):
    cells = [20, f'"{cell}"', 22, f'"{cell}"', 23]
    with pytest.raises(InputError, match="not clear, such as"):
        exports.read(tmp_path, {"x.csv": file(cells)})


@pytest.mark.parametrize("cells", [[20, "#DIV/0!", 22, "error", 23], [20] * 25 + ["4?.2"]])
def test_errors_and_single_damaged_numbers_cost_only_themselves(tmp_path, cells):
    panel, quality = exports.read(tmp_path, {"x.csv": file([21, *cells], "cpu [%]")})
    assert panel["samples"].tolist() == [sum(isinstance(one, int) for one in [21, *cells])]
    assert exports.adds_up(quality)


def test_an_inventory_with_a_time_has_sizes_and_no_usage(tmp_path):
    rows = ["web-1,2024-02-13T00:00:00Z,8,32,eu", "web-2,2024-02-13T00:00:00Z,4,16,us"]
    with pytest.raises(InputError, match="never changes here"):
        exports.read(tmp_path, {"cmdb.csv": "\n".join(["server_id,time,cpu,memory,region", *rows])})


def test_a_number_of_cores_is_no_usage(tmp_path):
    with pytest.raises(InputError, match="never changes here"):
        exports.read(tmp_path, {"x.csv": file([8] * 30)})
    panel, _ = exports.read(tmp_path, {"x.csv": file([8] * 30)}, "units: {cpu: percent}")
    assert panel["max"].tolist() == [8]
