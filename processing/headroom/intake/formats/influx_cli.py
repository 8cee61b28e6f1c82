"""InfluxDB 1's shell, ``influx -format csv``: ``name,tags,time`` and a column per field."""

from __future__ import annotations

from collections.abc import Iterator

from headroom.intake.formats import Export, Sample
from headroom.intake.formats.influx_annotated import owner_of
from headroom.intake.formats.influx_v1 import metric_of

NAME = "InfluxDB 1 shell (CSV)"


def recognise(export: Export) -> bool:
    """By the beginning of its header, where the tags are."""
    return export.head.startswith("name,tags,time,")


def read(export: Export) -> Iterator[Sample]:
    """Each measurement has a header of its own; the tags stand in one cell."""
    header: list[str] = []
    for row in export.rows(","):
        if row[:2] == ["name", "tags"]:
            header = row
        elif row and export.fits(row, len(header)):
            measurement, tags, at, *values = row
            server, part = owner_of(dict(tag.partition("=")[::2] for tag in tags.split(",")))
            said = {metric_of(measurement, name): value for name, value in zip(header[3:], values, strict=False)}
            for name in export.understood(tuple(said)):
                yield Sample(server, name, at, said[name], "", part)
