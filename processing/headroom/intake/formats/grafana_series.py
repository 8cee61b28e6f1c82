"""Grafana before version 7, *Export CSV (series as rows)*: ``Series;Time;Value``, one series below the other."""

from __future__ import annotations

from collections.abc import Iterator

from headroom.intake.formats import Export, Sample
from headroom.intake.formats.grafana_joined import series_of
from headroom.intake.words import file_names, meaning

NAME = "Grafana, series as rows (CSV)"


def recognise(export: Export) -> bool:
    """By its header, where the series are servers or metrics whose other half the file's name says."""
    header = [name.casefold() for name in export.header()]
    if header != ["series", "time", "value"]:
        return False
    lines = (export.fields(line) for line in export.first_lines if line.strip())
    series = {row[0] for row in lines if len(row) == 3} - {export.header()[0]}
    named = file_names.of_file(export.file).meaning is not None
    return bool(series) and all(_owner(one, export)[1] or (named and _owner(one, export)[0]) for one in series)


def read(export: Export) -> Iterator[Sample]:
    """A series is a server's metric, or one of both where the file's name says the other."""
    known: dict[str, tuple[str, str, str]] | None = None
    for row in export.rows():
        if known is None:
            known = {} if [name.strip().casefold() for name in row] == ["series", "time", "value"] else None
            continue
        if not row or not export.fits(row, 3):
            continue
        name, at, value, *_ = row
        if name not in known:
            known[name] = _owner(name, export)
            if not any(known[name]):
                known[name] = ("-", f"series {name}", "")
        server, metric, part = known[name]
        yield Sample(server, metric, at, value, "", part)


def _owner(name: str, export: Export) -> tuple[str, str, str]:
    """Server, metric and part in a series' name."""
    if isinstance(meaning.meaning_of(name), meaning.Meaning):
        return "", name.strip(), ""
    return series_of(name, export)
