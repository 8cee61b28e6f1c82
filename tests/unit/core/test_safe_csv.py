"""CSV files that people open in spreadsheets."""

import csv

import duckdb
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from headroom.core.safe_csv import harmless, harmless_sql, write_csv

texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)


def test_no_cell_and_no_heading_is_a_formula_and_numbers_stay_numbers(tmp_path):
    table = pd.DataFrame({"=server": ["=1+1", "+x", "-x", "@x", "\tx", "web-1"], "level": [-1.5, 2, 3, 4, 5, 6]})
    write_csv(table, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["'=server", "level"]
    assert [row[0] for row in rows[1:]] == ["'=1+1", "'+x", "'-x", "'@x", "'\tx", "web-1"]
    assert rows[1][1] == "-1.5"


@given(texts)
def test_sql_makes_texts_harmless_in_the_same_way(text):
    query = f"SELECT {harmless_sql('cell')} FROM (SELECT ? AS cell)"  # noqa: S608 - the text is a parameter
    assert duckdb.execute(query, [text]).fetchone()[0] == harmless(text)
