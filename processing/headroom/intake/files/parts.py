"""Parts of servers, such as mounts, drives, cards and cores: which rows count, and whose series they are.

Parts stand in rows, beside a column that names them, or in columns of their own (``disk /``, ``disk /var``), which are
turned into rows first.
"""

# ruff: noqa: S608 - SQL is put together of names and quoted literals; see `quoted`.

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from headroom.core import metrics
from headroom.core.settings import FileRules
from headroom.intake.files.columns import WHOLE
from headroom.intake.files.layout import SAMPLE_ROWS, File, Layout, layout_of_samples, meaning_of_cell, open_bytes
from headroom.intake.files.tables import counts, field_of, name_text, part_text, server_is
from headroom.intake.sql import quoted
from headroom.intake.unreadable import UnreadableFile
from headroom.intake.words.headings import ATTRIBUTES, PARTS_OF, plain
from headroom.intake.words.meaning import Meaning

if TYPE_CHECKING:
    from headroom.intake.files.sources import Source


def as_rows(source: Source, file: File, layout: Layout) -> Layout:
    """A table whose parts of servers stand in columns (``disk /``, ``disk /var``) as one row per value.

    Raises:
        UnreadableFile: it is Parquet, or the settings choose rows of it.
    """
    shown = ", ".join(repr(heading) for heading, *_ in layout.spread)
    if layout.format == "parquet" or layout.where:
        raise UnreadableFile(f"{shown} are parts of one server: export one row per part, with a column that names it")
    path = source.readable.with_suffix(".rows")
    read = [
        (layout.columns[place], place, "", "") for metric, place in layout.places if metric in dict(layout.meanings)
    ]
    attributes = [layout.columns[place] for column, place in layout.places if column in ATTRIBUTES]
    wanted = [layout.required_place("timestamp"), layout.place("clock")]
    server = layout.place("server_id")
    sample: list[Sequence[str]] = []
    with open_bytes(source.readable) as raw, path.open("w", encoding="utf-8", newline="") as out:
        text = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="")
        for _ in range(layout.header_line):
            text.readline()
        writer = csv.writer(out)
        try:
            for row in csv.reader(text, delimiter=layout.delimiter, quotechar=layout.quote):
                if not row:
                    continue
                at = " ".join(row[place] for place in wanted if place is not None and place < len(row))
                name = row[server] if server is not None and server < len(row) else ""
                if len(row) < len(layout.columns):
                    writer.writerow([name, "", at])
                    continue
                if any(row[len(layout.columns) :]):
                    writer.writerow([name, "", at, "", "", "", "too many"])
                    continue
                for heading, place, part, unit in [*read, *layout.spread]:
                    one = (name, heading, at, row[place], unit, part)
                    if len(sample) < SAMPLE_ROWS:
                        sample.append(one)
                    writer.writerow(one)
        except csv.Error as error:
            raise UnreadableFile(f"the file cannot be read to its end ({error}): send it again") from error
    if attributes:
        source.said.append(
            f"{', '.join(attributes)} are not read of a table whose parts stand in columns ({shown}): send them as an "
            "inventory."
        )
    source.readable = path
    made = layout_of_samples(layout.name, file, sample)
    return replace(made, zone=layout.zone, unclear=layout.unclear, decimal=made.decimal or layout.decimal)


def settle(db: duckdb.DuckDBPyConnection, source: Source, layout: Layout, scan: str) -> Layout:
    """What becomes of the rows of servers' parts: of a metric that has rows of whole servers they do not count, else
    each part has a series of its own, where the metric is one of parts. Rows without a part are of the server.

    Raises:
        UnreadableFile: a server has several parts and no row for the whole, of a metric of which parts say nothing.
    """
    rules = source.rules
    found = _parts_of_servers(db, layout, scan)
    if layout.shape == "long":
        units = ("", "%", "MB/s", *(one.unit for one in metrics.own()))
        found = [one for one in found if any(isinstance(meaning_of_cell(layout, one.metric, unit, rules), Meaning)
                                             for unit in units)]  # fmt: skip
    chosen = {place for place, _ in layout.where} & set(layout.parts)
    of_cores = not chosen and any(plain(layout.columns[place]) in _CORE_HEADINGS for place in layout.parts)
    cores = [one for one in found if of_cores and one.is_core and "cpu" in _meant(layout, one.metric, rules)]
    if not chosen and any(plain(layout.columns[place]) in _PROCESS_HEADINGS for place in layout.parts):
        cores += [one for one in found if one.inner and not one.whole and _needs_whole(layout, one.metric, rules)]
    several = [one for one in found if one.parts > 1 and not one.whole] + cores
    of_wholes = {one.metric for one in found if one.parts > 1 and one.whole}
    if rules.entities == "own":
        owners = layout.shape == "long" or not all(_needs_whole(layout, one, rules) for one, _ in layout.meanings)
        # A row has one owner: where it says something of a part and of the server, both would go to the part.
        inside = [one for one in found if layout.shape != "long" and one.inner and one.metric not in of_wholes
                  and _needs_whole(layout, one.metric, rules)]  # fmt: skip
        if not any(_needs_whole(layout, one.metric, rules) or one.metric in of_wholes for one in several) and not (
            inside and several
        ):
            if owners and inside:
                source.said += _parts_not_kept(layout, found)
            owners = owners and not inside
            return replace(layout, wholes=bool(of_wholes), of_wholes=tuple(sorted(of_wholes)), owners=owners)
        several = [*several, *inside]
    if several and rules.entities == "busiest":
        source.busiest = True
        return layout
    if several:
        headings = " and ".join(repr(layout.columns[place]) for place in layout.parts)
        one = several[0]
        if one.parts == 1:
            raise UnreadableFile(
                f"of {one.server or source.name.server!r} it has {one.metric or 'values'} of the part {one.example!r} "
                f"only (by {headings}): export that of the whole server, or say under `sources` that the part is all "
                "(where: {heading: value})"
            )
        examples = db.execute(f"""
            SELECT DISTINCT {part_text(layout)} AS part FROM {scan} WHERE {server_is(layout, one.server)}
            ORDER BY part LIMIT 3""").fetchall()
        shown = ", ".join(repr(name) for (name,) in examples)
        raise UnreadableFile(
            f"{one.parts} parts of {one.server or source.name.server!r} ({shown}, by {headings}) have values of "
            f"{one.metric or 'the same metric'} each: export one, or say under `sources` which (where: "
            "{heading: value}) or that the busiest counts (entities: busiest)"
        )
    return replace(layout, wholes=bool(of_wholes), of_wholes=tuple(sorted(of_wholes)))


_DISKS_AND_CARDS = {"path"}.union(*PARTS_OF.values())


def _parts_not_kept(layout: Layout, found: Sequence[_Parts]) -> list[str]:
    """A note where a row names a disk or card, and has its server's CPU as well: another file may be of another one."""
    headings = [layout.columns[place] for place in layout.parts]
    lost = [one for one in found if one.inner and metrics.of_column(one.metric).parts == "own"]
    if not lost or not any(plain(heading) in _DISKS_AND_CARDS for heading in headings):
        return []
    return [
        f"{lost[0].metric} of {lost[0].example!r} (by {', '.join(map(repr, headings))}) counts as its server's, "
        "because the rows have the server's own values as well: give disks and cards rows of their own if a server has "
        "several."
    ]


class _Parts(NamedTuple):
    """The parts of a server that have values of a metric: how many, whether the whole is one, how many others there
    are, and one of their names."""

    server: str
    metric: str
    parts: int
    whole: bool
    inner: int
    example: str | None

    @property
    def is_core(self) -> bool:
        """Whether the only part is a core by its number, and so nothing is known of the others."""
        core = re.fullmatch(r"(v?cpu|core|processor|socket)?[ _#-]?\d{1,3}(,\d{1,3})?", (self.example or "").casefold())
        return self.parts == 1 and not self.whole and core is not None


def _parts_of_servers(db: duckdb.DuckDBPyConnection, layout: Layout, scan: str) -> list[_Parts]:
    place = layout.place("server_id")
    server = "''" if place is None else f"clean({field_of(layout, place)})"
    if layout.shape == "long":
        seen = f"SELECT {server} AS server, {name_text(layout)} AS metric, {part_text(layout)} AS part FROM {scan} "
        seen += f"WHERE {counts(layout)} GROUP BY ALL"
    else:
        cells = {metric: layout.place(metric) for metric, _ in layout.meanings}
        if layout.shape == "two-column":
            cells = {metric: layout.place("value") for metric in cells}
        has = ", ".join(
            f"bool_or(NOT is_nothing({field_of(layout, cell)})) AS {metric}"
            for metric, cell in cells.items() if cell is not None
        )  # fmt: skip
        each = " UNION ALL ".join(
            f"SELECT server, '{metric}' AS metric, part FROM rows WHERE {metric}" for metric in cells
        )
        seen = f"WITH rows AS (SELECT {server} AS server, {part_text(layout)} AS part, {has} FROM {scan} "
        seen += f"WHERE {counts(layout)} GROUP BY ALL) {each}"
    whole = f"lower(part) IN ({', '.join(map(quoted, WHOLE))})"
    found = db.execute(f"""
        SELECT server, metric, count(DISTINCT part), coalesce(bool_or({whole}), false),
            count(DISTINCT part) FILTER (NOT {whole}), min(part) FILTER (NOT {whole})
        FROM ({seen}) GROUP BY server, metric ORDER BY server, metric""").fetchall()
    return [_Parts(*row) for row in found]


_PROCESS_HEADINGS = ("process", "processname", "command", "cmd", "program", "executable", "pid", "thread", "container",
                     "containername", "containerid")  # fmt: skip
_CORE_HEADINGS = ("cpu", "cpuid", "cpuindex", "core", "coreid", "processor", "instance", "instancename", "entity")


def _needs_whole(layout: Layout, name: str, rules: FileRules) -> bool:
    """Whether a metric (in the long form a name of one) is of a whole server, as its CPU is."""
    return any(metrics.of_column(metric).parts == "whole" for metric in _meant(layout, name, rules))


def _meant(layout: Layout, name: str, rules: FileRules) -> set[str]:
    """The metrics that a name can mean: itself, or in the long form what it says in percent, MB/s or without a unit."""
    if layout.shape != "long":
        return {name}
    found = [meaning_of_cell(layout, name, unit, rules) for unit in ("", "%", "MB/s")]
    return {one.metric for one in found if isinstance(one, Meaning)}
