"""Columns that say of each row what its number is: its time zone, its statistic, its unit, of which state it is.

They make another thing of the number than its heading says, and are seldom there: only then all rows are looked at.
"""

# ruff: noqa: S608 - SQL is put together of names and quoted literals; see `quoted`.

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import duckdb

from headroom.core.settings import time_zones
from headroom.intake.files.layout import Layout
from headroom.intake.files.tables import counts, field_of, time_text
from headroom.intake.sql import one_row, quoted
from headroom.intake.unreadable import UnreadableFile, in_settings
from headroom.intake.words.headings import STATISTICS, ZONES, plain, same, statistic_under
from headroom.intake.words.meaning import OF_A_PART, OF_A_PART_IF_ASKED, Unclear, in_unit
from headroom.intake.words.times import zone_of_heading

if TYPE_CHECKING:
    from headroom.intake.files.sources import Source

# They may be of another kind, such as an availability zone: only a zone's full name or offset makes them one of times.
_PERHAPS_ZONES = ("zone", "tzname", "tzinfo", "offset", "zeitzone", "fuseau", "fuseauhoraire", "zonahoraria", "locale")
_COUNTS = ("samplecount", "count", "n")
_STATES = ("mode", "state", "cpustate", "cpumode")
_KINDS = ("type", "kind", "series", "category", "recordtype", "datatype", "scenario", "mode", "state")
_NOT_MEASURED_WORDS = """
    forecast forecasted predicted prediction projected projection target baseline threshold limit planned plan budget
    simulated estimate estimated
"""


def settle(db: duckdb.DuckDBPyConnection, source: Source, layout: Layout, scan: str, statistic: str) -> Layout:
    """The layout with what these columns say; ``scan`` is an SQL relation with all rows, ``statistic`` the settings'.

    Raises:
        UnreadableFile: they say that the rows are no samples of ours, or several things.
        UnclearTime: they name a zone that could be several.
    """
    layout = replace(layout, zone=_zone(db, source, layout, scan) or layout.zone)
    for place, cell in layout.of_parts[:1]:
        raise _of_parts(layout.columns[place], cell, "parts of the time or the memory, or of single cores")
    _refuse(db, source, layout, scan, _STATES, OF_A_PART | OF_A_PART_IF_ASKED, "parts of the time or the memory")
    _refuse(db, source, layout, scan, _KINDS, set(_NOT_MEASURED_WORDS.split()), "values that were not measured")
    layout = _of_one_statistic(db, source, layout, scan, statistic)
    return _in_unit(db, source, layout, scan)


def _columns(source: Source, layout: Layout, names: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """The columns of such names that have no other role; those that the settings ignore are left out."""
    ignored = {same(heading) for heading, column in source.rules.columns.items() if column == "ignore"}
    used = {place for _, place in layout.places}
    for place, heading in enumerate(layout.columns):
        if plain(heading) in names and same(heading) not in ignored and place not in used:
            yield place, heading


def _zone(db: duckdb.DuckDBPyConnection, source: Source, layout: Layout, scan: str) -> str | None:
    """The zone that a column of its own gives to times that have none themselves; ``None`` without such a column.

    Raises:
        UnreadableFile: it gives several, or one that is not clear.
    """
    for place, heading in _columns(source, layout, (*ZONES, *_PERHAPS_ZONES)):
        local = f"NOT regexp_matches({time_text(layout)}, '(Z|UTC|GMT|[+-]\\d\\d:?\\d\\d)\\s*$|^\\d{{9,}}')"
        said = f"clean({field_of(layout, place)})"
        found = db.execute(
            f"SELECT DISTINCT {said} FROM {scan} WHERE {said} <> '' AND {local} ORDER BY ALL LIMIT 2"
        ).fetchall()
        if plain(heading) in _PERHAPS_ZONES and not all(_is_zone(one) for (one,) in found):
            continue
        if len(found) > 1:
            raise UnreadableFile(
                f"its times are in several zones ({heading}: {found[0][0]}, {found[1][0]}): export them in UTC, or "
                "with their offset, such as 2024-01-31T13:05:00+02:00"
            )
        if found:
            if (zone := zone_of_heading(f"({found[0][0]})", source.rules.zones)) is None:
                raise UnreadableFile(f"the zone {found[0][0]!r} under {heading!r} is not clear: export times in UTC")
            return zone
    return None


def _is_zone(text: str) -> bool:
    return (text in time_zones() and "/" in text) or re.fullmatch(r"[+-]\d\d:?\d\d", text) is not None


def _refuse(
    db: duckdb.DuckDBPyConnection,
    source: Source,
    layout: Layout,
    scan: str,
    names: tuple[str, ...],
    words: Collection[str],
    of: str,
) -> None:
    """Refuse a file of which some row says by such a word that its number is another thing (``mode``: idle)."""
    for place, heading in _columns(source, layout, names):
        said = f"lower(clean({field_of(layout, place)}))"
        among = ", ".join(map(quoted, sorted(words)))
        [found] = one_row(db, f"SELECT min({said}) FILTER ({said} IN ({among})) FROM {scan} WHERE {counts(layout)}")
        if found is not None:
            raise _of_parts(heading, found, of)


def _of_parts(heading: str, cell: str, of: str) -> UnreadableFile:
    return UnreadableFile(
        f"its rows are of {of} ({heading}: {cell}), and not of what is used: export that, choose its rows under "
        f"`sources` ({in_settings('where', heading, 'used')}), or say that the column means nothing "
        f"({in_settings('columns', heading, 'ignore')})"
    )


def _of_one_statistic(
    db: duckdb.DuckDBPyConnection, source: Source, layout: Layout, scan: str, statistic: str
) -> Layout:
    """Of rows of several statistics those that are asked for, or else averages.

    Raises:
        UnreadableFile: there are neither.
    """
    for place, heading in _columns(source, layout, STATISTICS):
        said = f"coalesce(clean({field_of(layout, place)}), '')"
        query = f"SELECT DISTINCT {said} AS one FROM {scan} WHERE {counts(layout)} ORDER BY one LIMIT 50"
        written = [one for (one,) in db.execute(query).fetchall()]
        meant = {one: "count" if one.casefold() in _COUNTS else statistic_under(heading, one) for one in written if one}
        if not meant or not all(meant.values()) or place in dict(layout.where):
            continue
        asked = next((one for one in ({"mean": "avg"}.get(statistic, statistic), "avg") if one in meant.values()), None)
        if asked is None:
            raise UnreadableFile(
                f"its rows are {', '.join(meant)} (by {heading!r}), and not what was measured on average: export "
                "averages"
            )
        if set(meant.values()) != {asked}:
            chosen = tuple(one for one, known in meant.items() if known == asked)
            layout = replace(layout, where=(*layout.where, (place, chosen)))
    return layout


def _in_unit(db: duckdb.DuckDBPyConnection, source: Source, layout: Layout, scan: str) -> Layout:
    """A table of which a column has the unit of its values: read in that unit, where it is one and fits.

    Raises:
        UnreadableFile: there are several units, or it does not fit.
    """
    if layout.shape not in ("wide", "two-column"):
        return layout
    values = {layout.columns[place] for column, place in layout.places if column in (*dict(layout.meanings), "value")}
    names = tuple(f"{plain(heading)}{word}" for heading in values for word in ("unit", "units", "uom"))
    places = dict(_columns(source, layout, names))
    if (unit := layout.place("unit")) is not None:
        places[unit] = layout.columns[unit]
    for place, heading in places.items():
        said = f"coalesce(clean({field_of(layout, place)}), '')"
        query = f"SELECT DISTINCT {said} AS one FROM {scan} WHERE {counts(layout)} ORDER BY one LIMIT 3"
        units = [one for (one,) in db.execute(query).fetchall()]
        if units in ([], [""]):
            continue
        if len(units) > 1:
            raise UnreadableFile(
                f"its values are in several units ({heading}: {', '.join(one or 'none' for one in units)}): export one "
                "file per unit, or a table with the columns metric, value and unit"
            )
        of = [name for name, spot in layout.places if f"{plain(layout.columns[spot])}" == re.sub(
            "(unit|units|uom)$", "", plain(heading))]  # fmt: skip
        meanings = []
        for metric, known in layout.meanings:
            found = in_unit(known, units[0]) if metric in of or not of else known
            if isinstance(found, Unclear):
                raise UnreadableFile(f"{metric} {found.reason} (by {heading!r})")
            meanings.append((metric, found))
        layout = replace(layout, meanings=tuple(meanings))
    return layout
