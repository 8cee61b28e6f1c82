"""What a heading by itself is."""

import pytest

from headroom.core.settings import FileRules
from headroom.intake.words.headings import plain, role_of, same


@pytest.mark.parametrize(
    "heading, role",
    [
        ("Timestamp", "timestamp"), ("@timestamp", "timestamp"), ("Start Time", "timestamp"), ("Время", "timestamp"),
        ("host.name", "server_id"), ("VM Name", "server_id"), ("Server [id]", "server_id"), ("value_avg", "value"),
        ("CounterName", "metric"), ("vCPUs", "vcpus"), ("cpu", None), ("box", "server_id"),
    ],
)  # fmt: skip
def test_a_heading_has_a_role_whatever_its_case_and_marks(heading, role):
    assert role_of(heading, FileRules(columns={"BOX": "server_id"})) == role


def test_letters_with_marks_are_the_same_in_one_character_or_two():
    assert same("Gera\u0308t") == same("Gerät") and plain("Gera\u0308t") == plain("Gerät")


def test_headings_are_compared_without_case_blanks_and_brackets():
    assert same(" CPU  Usage ") == "cpu usage" and plain("Disk_Used (%)") == "diskused"
