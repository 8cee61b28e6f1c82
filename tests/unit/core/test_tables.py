"""Tables as they are written."""

from __future__ import annotations

import pandas as pd
import pytest

from headroom.core.tables import decoded, typed

TABLE = pd.DataFrame({
    "server_id": ["a", "a", "b"], "level": ["none", "high", None], "ds": pd.date_range("2026-01-01", periods=3),
    "q50": [1.0, None, 3.0],
})  # fmt: skip


@pytest.mark.parametrize("rows", [3, 1, 0])
def test_a_table_of_categories_is_written_as_one_of_texts(rows):
    texts = TABLE[:rows]
    written = decoded(typed(texts.astype({"server_id": "category", "level": "category"})))
    wanted = typed(texts)
    assert written.equals(wanted)
    assert written.schema.equals(wanted.schema, check_metadata=True), "readers see no difference"
