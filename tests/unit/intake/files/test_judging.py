"""What becomes of rows that are not plainly right."""

# ruff: noqa: S608 - names of our own

import duckdb
import pytest

from headroom.core import metrics
from headroom.intake import reading
from headroom.intake.files import doubts, judging
from headroom.intake.sql import one_row


@pytest.fixture
def judged():
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        reading.prepare(db)

        doubts.measure(db)
        doubts.find(db, [])

        def judge(server="a", at="2024-02-13 00:05:00", structure=None, unknown=None, doubt=None, **texts):
            evidence = [at or "soon", server, structure, unknown, None if at else "not a timestamp"]
            evidence += [texts.get(name) for name in metrics.columns()]
            db.execute(
                "INSERT INTO reading (file, server_id, sampled_at, evidence) VALUES (0, ?, ?::TIMESTAMP, ?)",
                [server, at, evidence],
            )
            db.execute("INSERT INTO not_a_name SELECT $1 WHERE server_problem($1) IS NOT NULL", [server])
            for name, text in texts.items():
                db.execute(f"UPDATE reading SET {name} = try_cast(? AS DOUBLE)", [text])
            if doubt:
                db.execute("INSERT INTO doubt VALUES (0, 'cpu', ?, NULL)", [doubt])
                db.execute("INSERT INTO doubt_of_file BY NAME SELECT 0 AS file, ? AS cpu_doubt", [doubt])
            judging.judge(db)
            columns = "usable, cells, used, empty, unusable, clipped, cpu, problems"
            return one_row(db, f"SELECT {columns} FROM suspect")

        yield judge


def test_of_a_row_with_a_bad_cell_the_rest_is_used(judged):
    usable, cells, used, empty, unusable, clipped, cpu, problems = judged(cpu="lots", memory="50", disk="n/a")
    assert usable and (cells, used, empty, unusable, clipped) == (3, 1, 1, 1, 0) and cpu is None
    assert [(one["column"], one["value"], one["reason"]) for one in problems] == [("cpu", "lots", "not a number")]


@pytest.mark.parametrize(
    "row, reason",
    [({"server": ""}, "no server name"), ({"at": None}, "not a timestamp"),
     ({"server": "Total"}, "a total or an average"), ({"structure": "more fields than the header"}, "more fields"),
     ({"unknown": "load"}, "unknown metric: known are cpu")],
)  # fmt: skip
def test_a_row_that_is_wrong_as_a_whole_has_one_reason_and_no_used_value(judged, row, reason):
    usable, cells, used, empty, unusable, _, _, problems = judged(cpu="50", **row)
    assert not usable and used == 0 and cells == empty + unusable
    assert len(problems) == 1 and problems[0]["reason"].startswith(reason)


@pytest.mark.parametrize("text, cpu, clipped", [("100", 100, 0), ("105", 100, 1), ("110", 100, 1), ("111", None, 0)])
def test_a_percentage_a_little_above_a_hundred_counts_as_a_hundred(judged, text, cpu, clipped):
    row = judged(cpu=text)
    assert (row[6], row[5]) == (cpu, clipped) and row[0] == (cpu is not None)


def test_a_column_in_doubt_has_no_good_values(judged):
    usable, _, used, _, unusable, _, cpu, problems = judged(cpu="50", doubt="cpu is shares")
    assert not usable and (used, unusable, cpu) == (0, 1, None) and problems[0]["reason"] == "cpu is shares"


def test_a_row_with_nothing_in_it_is_accepted(judged):
    usable, cells, used, empty, unusable, *_ = judged(cpu="", memory="-")
    assert usable and (cells, used, empty, unusable) == (2, 0, 2, 0)


def test_the_most_that_a_metric_can_have():
    assert [judging.most(name) for name in ("cpu", "network_in")] == [110, 1_000_000]
    assert judging.for_each_metric("% <= #most", " AND ").startswith("cpu <= 110 AND memory <= 110")
