"""Google's Metrics Explorer, *Download CSV*: rows of labels above, one column per series."""

from __future__ import annotations

import re
from collections.abc import Iterator

from headroom.intake.formats import Export, Sample
from headroom.intake.words import file_names, meaning

NAME = "Google Metrics Explorer (CSV)"


def recognise(export: Export) -> bool:
    """By its first cell."""
    return bool(export.first_lines) and export.first_lines[0].strip('"').startswith("TimeSeries ID")


def read(export: Export) -> Iterator[Sample]:
    """The metric is the chart's title in the file's name; the CPU's utilization is a share of one."""
    named = file_names.of_file(export.file).meaning
    unit = "ratio" if isinstance(named, meaning.Meaning) and named.metric == "cpu" else ""
    labels: dict[str, list[str]] = {}
    for row in export.rows():
        if not row:
            continue
        if not re.search(r"\d{4}.*\d:\d\d", row[0]):
            labels[row[0].strip()] = row
            continue
        if not export.fits(row, len(labels["TimeSeries ID"])):
            continue
        for place in range(1, len(labels["TimeSeries ID"])):
            said = {key: cells[place].strip() for key, cells in labels.items() if place < len(cells)}
            server = next(
                (
                    said[key]
                    for key in (
                        "instance_name",
                        "metadata.system_labels.name",
                        "node_name",
                        "instance_id",
                        "TimeSeries ID",
                    )
                    if said.get(key)
                ),
                "",
            )
            part = " ".join(said[key] for key in ("device_name", "device", "cpu_number") if said.get(key))
            yield Sample(
                server, said.get("metric.type", ""), row[0], row[place], "" if row[place].endswith("%") else unit, part
            )
