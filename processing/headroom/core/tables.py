"""Tables in the form in which they are written as Parquet, so that Athena reads them."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa

# What a Parquet writer is given: Athena reads microseconds.
COERCED: dict[str, Any] = {"coerce_timestamps": "us"}


def decoded(table: pa.Table) -> pa.Table:
    """The table with texts where it has categories, the same as if it had been made from texts."""
    coded = [one.name for one in table.schema if pa.types.is_dictionary(one.type)]
    if not coded:
        return table
    # Of pandas' own description of the columns, which goes into the file.
    example = table.slice(0, 1).to_pandas().astype(dict.fromkeys(coded, object))
    return table.cast(typed(example).schema)


def typed(table: pd.DataFrame) -> pa.Table:
    """The table with a type for every column, even where it holds nothing: Athena asks for one."""
    written = pa.Table.from_pandas(table, preserve_index=False)
    for number, field in enumerate(written.schema):
        if pa.types.is_null(field.type):
            kind = pa.list_(pa.string()) if field.name == "server_ids" else pa.string()
            written = written.set_column(number, field.name, pa.nulls(len(written), kind))
    return written
