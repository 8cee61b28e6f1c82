"""Series whose last period is not over, and quantiles of few samples."""

import duckdb
import pytest

from headroom.core.settings import Settings
from headroom.intake.accounting import marked


def report(series, **settings):
    """``series``: name, samples of each day up to the fleet's last."""
    with duckdb.connect() as db:
        db.execute("CREATE TABLE panel (server_id VARCHAR, metric VARCHAR, ds TIMESTAMP, samples BIGINT)")
        for name, samples in series.items():
            for age, count in enumerate(reversed(samples)):
                db.execute(
                    "INSERT INTO panel VALUES (?, 'cpu', TIMESTAMP '2024-02-29' - to_days(?), ?)", [name, age, count]
                )
        found = marked.report(db, Settings(**settings))
        return {kind: [one["server_id"] for one in said["first"]] for kind, said in found.items()}, marked.notes(
            found, Settings(**settings)
        )


@pytest.mark.parametrize("last, partial", [(76, True), (77, False), (96, False)])
def test_a_last_day_with_less_than_four_fifths_of_the_usual_samples_is_partial(last, partial):
    found, notes = report({"a": [96] * 9 + [last], "whole": [96] * 10})
    assert found["partial"] == (["a"] if partial else [])
    assert any("The last day is not complete: 1 series" in note for note in notes) == partial


def test_a_series_that_ended_earlier_has_no_unfinished_last_day():
    found, _ = report({"whole": [96] * 10, "gone": [96] * 5 + [10, 0]})
    assert found["partial"] == ["gone"]
    with_gap, _ = report({"whole": [96] * 10})
    assert with_gap["partial"] == []


def test_a_percentile_of_few_samples_is_told_where_it_is_usual_and_asked_for():
    few = {"a": [12] * 7}
    found, notes = report(few)
    assert found["few_samples"] == ["a"] and "1 series have fewer than 20 samples a day, so that their P95" in notes[-1]
    assert report(few, statistic="mean")[0]["few_samples"] == []
    assert report({"a": [12] * 6})[0]["few_samples"] == [], "six days are no habit"
    assert report({"a": [20] * 7})[0]["few_samples"] == []
