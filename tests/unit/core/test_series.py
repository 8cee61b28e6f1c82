"""Owners: a server, or a server's entity, as one key."""

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from headroom.core import series

NAMES = st.text(st.characters(blacklist_categories=("Cc", "Cs")), min_size=1)


@given(NAMES, st.one_of(st.just(""), NAMES))
def test_server_and_entity_come_out_of_their_owner_again(server, entity):
    assert series.parts_of(series.owner(server, entity)) == (server, entity)


def test_an_owner_is_named_as_people_name_it():
    assert series.named(series.owner("web-1", "/var")) == "/var on web-1"
    assert series.named("web-1") == "web-1"


def test_files_have_two_columns_where_jobs_have_one():
    table = pd.DataFrame({"server_id": ["a", "a", "b"], "entity": ["/", "/var", ""], "y": [1, 2, 3]})
    joined = series.joined(table)
    assert list(joined.columns) == ["server_id", "y"] and joined["server_id"].nunique() == 3
    assert series.have_entities(joined["server_id"]) and not series.have_entities(pd.Series(["a", "b"]))
    assert series.servers(joined["server_id"]).tolist() == ["a", "a", "b"]
    pd.testing.assert_frame_equal(series.split(joined), table, check_dtype=False)
