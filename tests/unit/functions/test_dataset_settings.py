"""The few settings that functions read must mean to them what they mean to the jobs."""

from __future__ import annotations

import pytest

from dataset_settings import switched_on
from headroom.core import settings


@pytest.mark.parametrize("word", ["true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"])
@pytest.mark.parametrize(
    "line", ["challenger: {}\n", "horizon: 30\r\nchallenger:   {} # for once\r\n", "challenger: {}"]
)
def test_a_switch_is_on_in_every_word_that_yaml_has_for_it(word: str, line: str) -> None:
    text = line.format(word)
    assert switched_on(text, "challenger") is settings.parse(text).challenger is True


@pytest.mark.parametrize(
    "text", ["", "horizon: 30\n", "challenger: false\n", "challenger: no # yes\n", "challenger: off"]
)
def test_a_switch_is_off_where_the_settings_say_so_or_nothing(text: str) -> None:
    assert switched_on(text, "challenger") is settings.parse(text).challenger is False


@pytest.mark.parametrize(
    "text", ["# challenger: true\n", "costs:\n  challenger: true\n", "challenger: perhaps\n", "challenger:\n"]
)
def test_what_is_no_switch_pays_for_no_challenger(text: str) -> None:
    assert not switched_on(text, "challenger")
