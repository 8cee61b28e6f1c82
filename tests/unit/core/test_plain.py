"""Values as JSON has them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from headroom.core.plain import plain


def test_what_is_not_known_is_null_and_everything_else_is_what_json_has():
    value = {
        1: np.float64("nan"), "a": [np.int64(3), float("inf"), pd.NaT, None], "b": (pd.Timestamp("2026-11-21 05:00"),),
        "c": np.array([1.5, np.nan]), "d": np.bool_(True),
    }  # fmt: skip
    wanted = {"1": None, "a": [3, None, None, None], "b": ["2026-11-21T05:00:00"], "c": [1.5, None], "d": True}
    assert plain(value) == wanted
    json.dumps(plain(value), allow_nan=False)
