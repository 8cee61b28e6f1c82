"""The SQL that reads the rows of files of one layout: a relation, and the texts of its canonical columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from headroom.intake.files.columns import WHOLE
from headroom.intake.files.layout import Layout
from headroom.intake.sql import quoted


def field_of(layout: Layout, place: int) -> str:
    """A column as text; NULL where a row is too short."""
    if layout.format == "csv":
        return f"c{place}"
    name = layout.columns[place].replace('"', '""')
    return f'CAST("{name}" AS VARCHAR)'


def scan_of(layout: Layout, files: Sequence[Path], plain: bool = False) -> str:
    """A relation with all rows of files of one layout; ``file_index`` counts the files from 0.

    ``plain``: in each of them every line is a row for certain.
    """
    paths = ", ".join(quoted(str(file)) for file in files)
    if layout.format == "parquet":
        return f"read_parquet([{paths}], hive_partitioning = false)"
    # One column more than the header has shows rows that are too long. Of a short row the missing fields come
    # as NULL, which an empty field does not because no field equals this null string. DuckDB's parallel
    # scan of a single file guesses where rows begin, wrongly in messy files, so each of these has one reader.
    columns = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(len(layout.columns)))
    return (
        f"read_csv([{paths}], auto_detect = false, columns = {{{columns}, 'beyond': 'VARCHAR'}}, "
        f"delim = {quoted(layout.delimiter)}, quote = {quoted(layout.quote)}, escape = {quoted(layout.quote)}, "
        f"header = false, skip = {layout.header_line}, nullstr = chr(1), null_padding = true, strict_mode = false, "
        f"parallel = {plain}, store_rejects = true, hive_partitioning = false, "
        f"compression = '{'gzip' if layout.compressed else 'none'}')"
    )


def time_text(layout: Layout) -> str:
    """A row's moment as it is written; date and time of day together where they stand in two columns."""
    at = f"coalesce({field_of(layout, layout.required_place('timestamp'))}, '')"
    clock = layout.place("clock")
    return at if clock is None else f"{at} || ' ' || coalesce({field_of(layout, clock)}, '')"


def structure_problem(layout: Layout, too_few: str = "fewer fields than the header") -> str:
    """What is wrong with the number of a row's fields; NULL where nothing is."""
    if layout.format != "csv":
        return "NULL"
    last = field_of(layout, len(layout.columns) - 1)
    too_many = "more fields than the header"
    return f"CASE WHEN beyond <> '' THEN {quoted(too_many)} WHEN {last} IS NULL THEN {quoted(too_few)} END"


def name_text(layout: Layout) -> str:
    """A row's metric in the long form."""
    return f"coalesce(clean({field_of(layout, layout.required_place('metric'))}), '')"


def key_text(layout: Layout) -> str:
    """What decides a row's meaning in the long form: its metric, and its unit where there is one."""
    unit = layout.place("unit")
    return (
        name_text(layout)
        if unit is None
        else f"{name_text(layout)} || chr(31) || coalesce(clean({field_of(layout, unit)}), '')"
    )


def part_text(layout: Layout) -> str:
    """The part of a server that a row is about."""
    return " || ' ' || ".join(f"coalesce(clean({field_of(layout, place)}), '')" for place in layout.parts)


def counts(layout: Layout) -> str:
    """The condition of rows that the settings' ``where`` lets count."""
    conditions = [
        f"coalesce(clean({field_of(layout, place)}), '') IN ({', '.join(map(quoted, values))})"
        for place, values in layout.where
    ]
    return " AND ".join(conditions) or "true"


def is_part(layout: Layout) -> str:
    """The SQL condition of rows that are about a part of a server, and not about all of it."""
    return f"lower({part_text(layout)}) NOT IN ({', '.join(map(quoted, WHOLE))})"


def left_out(layout: Layout, metric: str = "") -> str:
    """The SQL condition of rows that the settings or the rows of whole servers leave out, of a metric where each has a
    column; nothing if there are none."""
    parts = ""
    if layout.wholes and layout.shape == "long":
        parts = f"{is_part(layout)} AND {name_text(layout)} IN ({', '.join(map(quoted, layout.of_wholes))})"
    elif metric in layout.of_wholes:
        parts = is_part(layout)
    return " OR ".join(filter(None, [parts, f"NOT ({counts(layout)})" if layout.where else ""]))


def server_is(layout: Layout, server: str) -> str:
    """An SQL condition for the rows of a server."""
    place = layout.place("server_id")
    return "true" if place is None else f"clean({field_of(layout, place)}) = {quoted(server)}"
