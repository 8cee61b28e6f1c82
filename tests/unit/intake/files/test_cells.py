"""What a cell is: moments that count from 1970, and numbers that only look like such."""

import duckdb
import exports
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headroom.core.job import InputError
from headroom.intake.files import cells
from headroom.preview import main

CPU = exports.fleet("web-1", day="2024-02-13")
# Seconds between 1970 and the years from which others count, and their units in a second.
OTHERS = {
    "Apple": (-978_307_200, 1), "LabVIEW": (2_082_844_800, 1), "NTP": (2_208_988_800, 1), "2000": (-946_684_800, 1),
    ".NET ticks": (62_135_596_800, 10**7), "Windows file times": (11_644_473_600, 10**7),
    "Chrome": (11_644_473_600, 10**6), "Apple in milliseconds": (-978_307_200, 1000),
    "Apple in nanoseconds": (-978_307_200, 10**9), "SAS": (315_619_200, 1), "minutes": (0, 1 / 60),
}  # fmt: skip


def table(moment):
    rows = [f"{moment(exports.epoch(at))},web-1,{value}" for at, value in CPU["web-1"]]
    return {"a.csv": "\n".join(["time,server,cpu", *rows])}


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9])
def test_times_since_1970_are_read_in_seconds_and_smaller_units(tmp_path, unit):
    panel, quality = exports.read(tmp_path, table(lambda at: at * unit))
    assert exports.is_right(panel, quality, cpu=CPU)


@pytest.mark.parametrize("since", OTHERS)
def test_times_since_another_year_are_not_read_as_of_1970(tmp_path, since, capsys):
    begin, unit = OTHERS[since]
    files = table(lambda at: int((at + begin) * unit))
    with pytest.raises(InputError, match=r"does (it|this number) count from another year|timestamp before 1990"):
        exports.read(tmp_path / "run", files)
    (tmp_path / "a.csv").write_text(files["a.csv"])
    assert main([str(tmp_path / "a.csv")]) == 1, "the preview says so as well"


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(number=st.integers(0, 10**20))
def test_a_number_is_a_moment_since_2001_or_none(tmp_path_factory, number):
    files = {"good.csv": exports.wide(CPU)["fleet.csv"], "odd.csv": f"time,server,cpu\n{number},odd,50\n"}
    panel, quality = exports.read(tmp_path_factory.mktemp("n"), files)
    assert exports.adds_up(quality)
    found = panel[panel["server_id"] == "odd"]
    assert (found["ds"] >= "2001-09-09").all()


@pytest.mark.parametrize("at", ["31.10.2026", "Summe", ""])
def test_rows_of_totals_are_called_so_whatever_their_time_and_are_no_servers_that_are_missing(tmp_path, at):
    text = (
        f"Datum;Uhrzeit;Server;cpu\n13.02.2024;06:00;web-1;35,5\n14.02.2024;06:00;web-1;35,5\n{at};;Mittelwert;26,7\n"
    )
    _, quality = exports.read(tmp_path, {"a.csv": text})
    assert [one["reason"] for one in quality["reasons"]] == ["a total or an average, and not a server"]
    assert not any("Mittelwert" in note for note in quality["notes"])


def test_a_row_whose_time_says_total_is_one(tmp_path):
    _, quality = exports.read(tmp_path, {"a.csv": "time,host,cpu\n2024-02-13,a,35\n2024-02-13,b,35\nTotal,,70\n"})
    assert [one["reason"] for one in quality["reasons"]] == ["a total or an average, and not a sample"]


@pytest.mark.parametrize(
    "number, amount",
    [("number", "amount"), ("number_with_point", "amount_with_point"), ("number_with_comma", "amount_with_comma")],
)
def test_cells_are_searched_for_units_only_where_they_are_no_plain_numbers(number, amount):
    """What DuckDB takes for a common expression it computes for all rows beforehand: it took a fifth of reading."""
    query = f"SELECT rate(text, quick_or(text, {number}(text)), {amount}(text)) FROM cell"  # noqa: S608 - ours
    with duckdb.connect() as db:
        db.execute(cells.MACROS + "CREATE TABLE cell AS SELECT unnest(['1.5', '12 MB/s', '', 'n/a']) AS text")
        assert db.execute(query).fetchall() == [(1.5,), (12.0,), (None,), (None,)]
        [(_, plan)] = db.execute("EXPLAIN (FORMAT json) " + query).fetchall()
    assert '"regexp_' not in plan, "a projection of its own, and not in a CASE"


def test_cells_without_a_value_are_found_without_a_join():
    """Of a list of texts DuckDB makes a join that all rows pass: rows with an empty cell took twice their time."""
    with duckdb.connect() as db:
        db.execute(cells.MACROS + "CREATE TABLE cell AS SELECT unnest(['', ' N/A', '1', NULL]) AS text")
        query = "SELECT CASE WHEN text <> '1' THEN is_nothing(text) END FROM cell"
        assert db.execute(query).fetchall() == [(True,), (True,), (None,), (None,)]
        [(_, plan)] = db.execute("EXPLAIN (FORMAT json) " + query).fetchall()
    assert "JOIN" not in plan
