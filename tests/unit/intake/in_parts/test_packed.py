"""Rows on their way between parts of the work arrive as they were."""

import duckdb
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from headroom.intake.in_parts import packed

VALUES = st.lists(st.tuples(st.text(max_size=5), st.none() | st.floats(allow_nan=False)), max_size=20)


@settings(max_examples=50, deadline=None)
@given(VALUES)
def test_what_is_packed_is_unpacked_the_same(rows):
    table = pa.table(
        {"server_id": pa.array([a for a, _ in rows], pa.string()), "cpu": pa.array([b for _, b in rows], pa.float64())}
    )
    assert packed.unpack(packed.pack(table)) == table


def test_all_rows_of_a_query_are_packed_some_at_a_time_in_their_order(monkeypatch):
    monkeypatch.setattr(packed, "PACKED_ROWS", 2048)
    with duckdb.connect() as db:
        some = list(packed.packed(db, "kept", "SELECT range AS number FROM range(10000) ORDER BY range", cores=2))
        assert len(some) > 2 and {one.kind for one in some} == {"kept"}
        numbers = pa.concat_tables(packed.unpack(one.packed) for one in some)["number"].to_pylist()
        assert numbers == list(range(10000))
        assert list(packed.packed(db, "kept", "FROM range(0)")) == []


def test_rows_are_inserted_by_name_and_only_those_that_meet_the_condition():
    with duckdb.connect() as db:
        db.execute("CREATE TABLE target (cpu DOUBLE, server_id VARCHAR)")
        packed.insert(db, "target", pa.table({"server_id": ["a", "b"], "cpu": [1.0, 2.0]}), "WHERE cpu > 1")
        packed.insert(
            db, "target", pa.table({"server_id": pa.array([], pa.string()), "cpu": pa.array([], pa.float64())})
        )
        assert packed.arrow(db, "FROM target").to_pylist() == [{"cpu": 2.0, "server_id": "b"}]
