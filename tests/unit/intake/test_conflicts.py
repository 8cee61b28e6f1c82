"""A file with two values of one server, metric and moment is refused, with what tells them apart."""

import exports
import pytest

from headroom.core.job import InputError


def table(*rows, header="time,host,cpu,colour"):
    return "\n".join([header, *(f"2024-02-13 00:{minute:02}:00,{rest}" for minute, rest in rows)])


def test_the_column_that_tells_the_values_apart_is_named_with_the_first_moment(tmp_path):
    text = table((0, "a,5,red"), (5, "a,6,red"), (5, "a,9,blue"), (10, "a,7,red"), (10, "a,8,blue"))
    with pytest.raises(InputError) as refused:
        exports.read(tmp_path, {"a.csv": text})
    told = str(refused.value)
    assert "cpu of a has different values at the same moment (2024-02-13 00:05:00 UTC: 6 and 9" in told
    assert "and at 2 moments in all" in told and "They differ in 'colour'" in told
    assert "columns: {colour: server_id}" in told


def test_nothing_is_named_where_nothing_tells_them_apart(tmp_path):
    with pytest.raises(InputError, match="Nothing in the file tells them apart"):
        exports.read(tmp_path, {"a.csv": table((5, "a,6,red"), (5, "a,9,red"))})


def test_the_same_value_twice_is_no_conflict_and_other_files_are_used(tmp_path):
    twice = table((5, "a,6,red"), (5, "a,6,blue"))
    bad = table((5, "b,6,red"), (5, "b,7,blue"))
    panel, quality = exports.read(tmp_path, {"a.csv": twice, "b.csv": bad})
    assert panel["server_id"].tolist() == ["a"] and quality["rows"]["duplicates"] == 1
    assert [bool(file["error"]) for file in quality["files"]] == [False, True] and exports.adds_up(quality)


def test_what_is_active_and_what_idle_leaves_are_the_same(tmp_path):
    cpu = exports.fleet()
    lines = [f"cpu,cpu=cpu-total,host={server} usage_idle={100 - v!r},usage_active={v + 1e-13!r} {exports.epoch(at)}"
             for server, made in cpu.items() for at, v in made]  # fmt: skip
    panel, quality = exports.read(tmp_path, {"m.txt": "\n".join(lines)})
    assert exports.is_right(panel, quality, cpu=cpu)


def test_of_two_counters_of_an_export_the_settings_choose_one_as_the_message_says(tmp_path):
    cpu = exports.fleet("WEB-1")
    heads = [rf"\\WEB-1\{name}(_Total)\% Processor Time" for name in ("Processor", "Processor Information")]
    rows = [f'"{at:%m/%d/%Y %H:%M:%S.000}","{v}","{v + 0.5}"' for at, v in cpu["WEB-1"]]
    files = {"d.csv": "\n".join([",".join(['"(PDH-CSV 4.0) (UTC)(0)"', *(f'"{head}"' for head in heads)]), *rows])}
    with pytest.raises(InputError, match="They differ in 'metric'"):
        exports.read(tmp_path / "both", files)
    rules = r"sources: [{match: '*', where: {metric: 'Processor\% Processor Time'}}]"
    panel, quality = exports.read(tmp_path, files, rules)
    assert exports.is_right(panel, quality, cpu=cpu)


def test_a_day_and_an_hour_in_two_columns_are_no_servers(tmp_path):
    rows = [f"2024-02-13,{hour},a,{20 + hour}" for hour in range(24)]
    with pytest.raises(InputError, match="They differ in 'hour': write date and time of day into one column"):
        exports.read(tmp_path, {"a.csv": "\n".join(["date,hour,host,cpu", *rows])})


def test_local_times_of_another_zone_are_no_servers(tmp_path):
    rows = [f"2024-03-31 0{hour}:{minute},a,{20 + hour}" for hour in range(1, 5) for minute in (10, 50)]
    with pytest.raises(InputError, match=r"are one moment as they are read: say .* in which zone") as refused:
        exports.read(tmp_path, {"a.csv": "\n".join(["time,host,cpu", *rows])}, "timezone: Europe/Berlin")
    assert "server_id" not in str(refused.value)
