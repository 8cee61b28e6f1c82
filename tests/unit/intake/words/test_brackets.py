"""What stands in brackets in a heading."""

import pytest

from headroom.intake.words.brackets import in_brackets, without_brackets


@pytest.mark.parametrize(
    "name, said, rest",
    [
        ("CPU [%] (avg)", ["%", "avg"], "CPU"),
        ("cpu", [], "cpu"),
        ("Time ( UTC )", ["UTC"], "Time"),
        ("used () [ ]", [], "used"),
        ("cpu [%", [], "cpu [%"),
    ],
)
def test_what_is_in_brackets_is_told_from_the_name(name, said, rest):
    assert in_brackets(name) == said
    assert without_brackets(name).strip() == rest
    assert len(without_brackets(name)) == len(name)
