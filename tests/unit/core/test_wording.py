"""One way to write a value, a metric, a chance, a date."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroom.core import wording
from headroom.core.periods import Frequency


@pytest.mark.parametrize(
    ("value", "metric", "told"),
    [(45.26, "cpu", "45 %"), (12.345, "network_in", "12.3 MB/s"), (12345.6, "network_out", "12,346 MB/s"),
     (0.04, "network_in", "0.04 MB/s"), (math.nan, "cpu", "–")],
)  # fmt: skip
def test_a_value_is_written_in_its_unit(value, metric, told):
    assert wording.amount(value, metric) == told


@pytest.mark.parametrize(
    ("key", "told"),
    [("cpu_p95", "CPU P95"), ("network_in_p95", "incoming network P95"), ("network_out", "outgoing network"),
     ("cpu_peak_q50", "CPU expected peak"), ("memory_gb", "memory GB"), ("rolling_mean_28", "rolling mean 28"),
     ("vcpus", "vCPUs")],
)  # fmt: skip
def test_a_key_of_the_data_is_told_with_the_metric_s_one_name(key, told):
    assert wording.label(key) == told


@given(st.floats(0, 1))
def test_a_chance_is_never_certain_and_nothing_is_impossible(share):
    assert wording.chance(share) not in ("0 %", "100 %")
    assert ">" not in wording.likelihood(share) and "<" not in wording.likelihood(share)


def test_a_chance_is_a_figure_in_a_cell_and_words_in_a_sentence():
    assert (wording.chance(0.999), wording.likelihood(0.999)) == ("> 99 %", "more than 99 %")
    assert (wording.chance(0.0), wording.likelihood(0.0)) == ("< 1 %", "less than 1 %")
    assert wording.chance(0.125) == "13 %" and wording.chance(math.nan) == "–"


def test_a_share_may_be_all_or_nothing():
    assert [wording.share(one) for one in (0.0, 0.004, 0.5, 0.996, 1.0)] == ["0 %", "< 1 %", "50 %", "> 99 %", "100 %"]


def test_numbers_of_things_agree_with_their_words():
    assert wording.plural(1, "server") == "1 server" and wording.plural(1234, "server") == "1,234 servers"
    assert wording.plural(2, "series", "series") == "2 series"
    assert wording.change(1.2, "cpu") == "1 point" and wording.change(2.6, "network_in") == "2.6 MB/s"


def test_lengths_of_time_are_told_in_the_larger_unit_where_that_is_whole():
    assert [wording.span(hours, Frequency.HOUR) for hours in (24, 36, 168)] == ["1 day", "36 hours", "7 days"]
    assert [wording.about(hours, Frequency.HOUR) for hours in (24, 47, 60)] == ["24 hours", "47 hours", "2 days"]
    assert wording.about(36, Frequency.DAY) == "36 days"


def test_dates_are_as_precise_as_the_panel():
    moment = pd.Timestamp("2026-12-03 07:00")
    assert (
        wording.date(moment, Frequency.DAY) == "3 Dec 2026"
        and wording.date(moment, Frequency.HOUR) == "3 Dec 2026 07:00"
    )
    assert wording.date(moment, Frequency.DAY, year=False) == "3 Dec"


def test_sentences_that_are_not_there_leave_no_space():
    assert wording.sentences(["One.", "", "Two."]) == "One. Two."
    assert wording.listed([]) == "" and wording.listed(["a", "b", "c"]) == "a, b and c"


def test_a_size_is_told_as_far_as_it_is_known():
    assert wording.size(8.0, 32.0) == ["8 vCPUs", "32 GB of memory"]
    assert wording.size(1, None) == ["1 vCPU"] and wording.size(None, None) == []


def test_a_fleet_without_risk_is_told_apart_from_one_of_which_nothing_is_known():
    assert wording.calm(3, 0) == "no server is at risk"
    assert wording.calm(3, 2, "90 days", 1) == "no server is at risk in the next 90 days, 1 to watch, 2 not judged"
    assert wording.calm(3, 3, "90 days") == "none of 3 servers can be judged"
    assert wording.calm(1, 1) == "the server cannot be judged"


def test_only_old_data_is_said_to_be_old():
    assert [wording.age(days) for days in (None, 0, 2, 3, 1200)] == [
        "", "", "", "3 days before this run", "1,200 days before this run"
    ]  # fmt: skip
