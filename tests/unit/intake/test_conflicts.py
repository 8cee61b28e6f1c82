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


def test_nothing_is_named_where_nothing_tells_them_apart(tmp_path):
    with pytest.raises(InputError, match="Nothing in the file tells them apart"):
        exports.read(tmp_path, {"a.csv": table((5, "a,6,red"), (5, "a,9,red"))})


def test_the_same_value_twice_is_no_conflict_and_other_files_are_used(tmp_path):
    twice = table((5, "a,6,red"), (5, "a,6,blue"))
    bad = table((5, "b,6,red"), (5, "b,7,blue"))
    panel, quality = exports.read(tmp_path, {"a.csv": twice, "b.csv": bad})
    assert panel["server_id"].tolist() == ["a"] and quality["rows"]["duplicates"] == 1
    assert [bool(file["error"]) for file in quality["files"]] == [False, True] and exports.adds_up(quality)
