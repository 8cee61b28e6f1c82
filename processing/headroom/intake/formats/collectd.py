"""collectd's csv plugin: ``<host>/<plugin>/<type>-<date>``, with the server and the metric in the path."""

from __future__ import annotations

import re
from collections.abc import Iterator

from headroom.intake.formats import Export, Sample

NAME = "collectd csv plugin"


def recognise(export: Export) -> bool:
    """A header ``epoch,value…`` under at least two folders."""
    return export.head.startswith("epoch,") and export.file.count("/") >= 2


def read(export: Export) -> Iterator[Sample]:
    """Host, plugin (perhaps with an instance) and type are the last three parts of the path."""
    host, plugin, kind = export.file.split("/")[-3:]
    kind = re.sub(r"-\d{4}-\d{2}-\d{2}(\.csv)?(\.gz)?$", "", kind)
    plugin, _, part = plugin.partition("-")
    rows = export.rows()
    names = next(rows)[1:]
    for row in rows:
        if not row or not export.fits(row, 1 + len(names)):
            continue
        for name, value in zip(names, row[1:], strict=False):
            metric = f"{plugin} {kind}" if name == "value" else f"{plugin} {kind} {name}"
            yield Sample(host, metric, row[0], value, "", part)
