"""The SQL that reads rows."""

import duckdb
import pytest

from headroom.intake.sql import one_row


def test_a_query_of_one_row_gives_this_row_and_any_other_is_an_error():
    with duckdb.connect() as db:
        assert one_row(db, "SELECT count(*), max(n) FROM range(?) AS numbers(n)", [3]) == (3, 2)
        assert one_row(db, "SELECT max(n) FROM range(0) AS numbers(n)") == (None,)
        with pytest.raises(ValueError, match="not enough values"):
            one_row(db, "SELECT n FROM range(0) AS numbers(n)")
        with pytest.raises(ValueError, match="too many values"):
            one_row(db, "SELECT n FROM range(2) AS numbers(n)")
