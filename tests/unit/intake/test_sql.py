"""SQL in small: a text stays the same text, and tables take rows as they are."""

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headroom.intake import sql


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))))
def test_a_text_of_a_file_is_a_text_in_sql_and_nothing_else(text):
    with duckdb.connect() as db:
        assert sql.one_row(db, f"SELECT {sql.quoted(text)}") == (text,)


def test_each_name_takes_the_place_of_the_mark():
    assert (
        sql.for_each(["cpu", "memory"], "max(%) AS %_most", " | ")
        == "max(cpu) AS cpu_most | max(memory) AS memory_most"
    )


def test_a_query_that_must_have_one_row_says_so_where_it_has_not():
    with duckdb.connect() as db:
        for rows in ("0", "2"):
            with pytest.raises(ValueError, match="values to unpack"):
                sql.one_row(db, f"FROM range({rows})")


def test_rows_are_inserted_all_at_once_and_none_where_there_are_none():
    with duckdb.connect() as db:
        db.execute("CREATE TABLE note (file INTEGER, said VARCHAR)")
        sql.insert_all(db, "note", [])
        assert not sql.holds(db, "note")
        sql.insert_all(db, "note", [(1, "it's"), (2, None)])
        assert sql.holds(db, "note")
        assert sql.dicts(db, "FROM note ORDER BY file") == [{"file": 1, "said": "it's"}, {"file": 2, "said": None}]


def test_lines_that_one_scan_rejected_are_not_told_of_the_next(tmp_path):
    (tmp_path / "a.csv").write_text("1,2\nx,2\n")
    scan = f"read_csv('{tmp_path}/a.csv', columns = {{'a': 'INT', 'b': 'INT'}}, store_rejects = true)"
    with duckdb.connect() as db:
        db.execute(f"FROM {scan}").fetchall()
        assert sql.holds(db, "reject_errors")
        sql.drop_rejects(db)
        with pytest.raises(duckdb.CatalogException):
            sql.holds(db, "reject_errors")
        sql.drop_rejects(db)
