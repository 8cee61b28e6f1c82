"""Azure's platform metrics by a diagnostic setting: JSON lines in a storage account, or records from an event hub."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headroom.intake.formats import Export, Sample, text
from headroom.intake.formats.azure_monitor import server_of

NAME = "Azure diagnostic setting, metrics (JSON)"


def recognise(export: Export) -> bool:
    """By the keys of its records."""
    return export.is_json() and all(f'"{key}"' in export.head for key in ("resourceId", "metricName", "timeGrain"))


def read(export: Export) -> Iterator[Sample]:
    """The server is named by the resource's id, which Azure writes in capital letters here."""
    for document in export.documents() if '"records"' not in export.head else export.answers():
        yield from export.samples(document.get("records", [document]), _samples)


def _samples(one: dict[str, Any]) -> Iterator[Sample]:
    server = server_of(one["resourceId"])
    if "average" in one:
        yield Sample(server, one["metricName"], text(one["time"]), text(one["average"]))
    else:
        yield Sample(server, f"{one['metricName']} (total)", text(one["time"]), text(one.get("total")))
