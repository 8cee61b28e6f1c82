"""Values as JSON has them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroom.core.plain import plain, text


def test_what_is_not_known_is_null_and_everything_else_is_what_json_has():
    value = {
        1: np.float64("nan"), "a": [np.int64(3), float("inf"), pd.NaT, None], "b": (pd.Timestamp("2026-11-21 05:00"),),
        "c": np.array([1.5, np.nan]), "d": np.bool_(True),
    }  # fmt: skip
    wanted = {"1": None, "a": [3, None, None, None], "b": ["2026-11-21T05:00:00"], "c": [1.5, None], "d": True}
    assert plain(value) == wanted
    json.dumps(plain(value), allow_nan=False)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@pytest.mark.slow
@given(VALUES)
def test_documents_are_written_as_the_standard_library_writes_them(value):
    assert text(value) == json.dumps(value, indent=1, ensure_ascii=False)


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {"a": np.float64("nan")}])
def test_a_document_with_a_number_that_json_has_not_is_not_written(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        text(value)
