"""Attributes of servers: the newest counts, and bad ones are told and left out."""

from datetime import datetime

import duckdb
import pytest

from headroom.intake.files import cells
from headroom.intake.servers import attributes
from headroom.intake.words.headings import ATTRIBUTES

OLD, NEW = datetime(2024, 1, 1), datetime(2024, 2, 1)


def told(**said):
    return [said.get(name) for name in ATTRIBUTES]


@pytest.fixture
def merged():
    with duckdb.connect() as db:
        db.execute(cells.MACROS + attributes.TABLES)
        db.execute("""
            CREATE TABLE file_told (file INTEGER, newest TIMESTAMP); CREATE TABLE refused_file (file INTEGER);
            CREATE TABLE stored (ds TIMESTAMP); CREATE TABLE attribute_told (
                file INTEGER, server_id VARCHAR, attributes VARCHAR[], sampled_at TIMESTAMP,
                row BIGINT, first_row BIGINT)
            """)

        def merge(*rows, newest=NEW, before=()):
            db.execute("INSERT INTO file_told VALUES (1, ?)", [newest])
            for one in before:
                db.execute("INSERT INTO attribute VALUES (?, ?, ?, ?)", one)
            for file, server, said, at, row in rows:
                db.execute("INSERT INTO attribute_told VALUES (?, ?, ?, ?, ?, ?)", [file, server, said, at, row, row])
            attributes.merge(db)
            known = db.execute("SELECT server_id, attribute, value FROM attribute ORDER BY ALL").fetchall()
            return known, db.execute('SELECT row, "column", value, reason FROM attribute_problem').fetchall()

        yield merge


def test_the_newest_sample_says_it_and_of_equally_new_ones_the_last(merged):
    known, _ = merged(
        (2, "a", told(region="new"), NEW, 1), (1, "a", told(region="late file, old sample"), OLD, 9),
        (1, "b", told(region="first"), NEW, 1), (2, "b", told(region="last"), NEW, 0),
        before=[("a", "region", "former", OLD), ("c", "region", "kept", OLD)],
    )  # fmt: skip
    assert known == [("a", "region", "new"), ("b", "region", "last"), ("c", "region", "kept")]


def test_an_inventory_is_as_new_as_the_newest_sample(merged):
    known, _ = merged((1, "a", told(region="list"), None, 1), before=[("a", "region", "former", OLD)])
    assert known == [("a", "region", "list")]


@pytest.mark.parametrize(
    "name, value, reason",
    [("vcpus", "many", "not a number"), ("memory_gb", "-1", "outside 0 to 1000000000"),
     ("region", "x" * 257, "longer than 256 characters"), ("business_unit", "a\x07b", "control characters")],
)  # fmt: skip
def test_a_bad_one_is_told_once_and_what_was_known_stays(merged, name, value, reason):
    known, problems = merged(
        (1, "a", told(**{name: value}), NEW, 3), (1, "a", told(**{name: value}), NEW, 5), before=[("a", name, "7", OLD)]
    )
    assert known == [("a", name, "7")] and problems == [(3, name, value, reason)]


def test_what_says_nothing_is_no_attribute(merged):
    assert merged((1, "a", told(region="n/a", vcpus="-", criticality=" "), NEW, 1)) == ([], [])


def test_each_server_of_the_panel_has_a_row_with_what_is_known_of_it():
    with duckdb.connect() as db:
        db.execute(attributes.TABLES)
        db.execute("CREATE TABLE panel AS SELECT unnest(['a', 'a', 'b']) AS server_id")
        db.execute("INSERT INTO attribute VALUES ('a', 'vcpus', '8.0', NULL), ('gone', 'vcpus', '2', NULL)")
        attributes.list_servers(db)
        assert db.execute("SELECT server_id, vcpus, region FROM server ORDER BY ALL").fetchall() == [
            ("a", 8.0, None),
            ("b", None, None),
        ]
