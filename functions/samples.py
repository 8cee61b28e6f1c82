"""What collectors write: a wide CSV, packed, that is read without any settings (docs/data-contract.md)."""

from __future__ import annotations

import csv
import gzip
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

# Headings say their unit, so that a fleet that idles below 1 % is not taken for shares.
METRICS = {
    "cpu": "cpu [%]",
    "memory": "memory [%]",
    "disk": "disk [%]",
    "network_in": "network_in [MB/s]",
    "network_out": "network_out [MB/s]",
}
ATTRIBUTES = ("instance_type", "vcpus", "memory_gb", "monthly_cost_usd", "region", "business_unit", "criticality")
_LONGEST_TEXT = 256  # characters of a name or attribute that the data contract takes


@dataclass
class Samples:
    """Samples of some servers: of each moment the value of each metric, and each server's attributes."""

    values: dict[str, dict[datetime, dict[str, float]]] = field(default_factory=dict)
    attributes: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def add(self, server: str, moment: datetime, metric: str, value: float) -> None:
        """Note a value. Of several parts of a server, such as its disks, the busiest counts."""
        row = self.values.setdefault(server, {}).setdefault(moment, {})
        row[metric] = max(value, row.get(metric, value))

    def packed(self) -> bytes | None:
        """The file, the same bytes for the same samples; None where there are none."""
        metrics = [one for one in METRICS if any(one in row for rows in self.values.values() for row in rows.values())]
        if not metrics:
            return None
        attributes = [one for one in ATTRIBUTES if any(known.get(one) for known in self.attributes.values())]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["timestamp", "server_id", *(METRICS[one] for one in metrics), *attributes])
        for server in sorted(self.values):
            known = self.attributes.get(server, {})
            facts = [known.get(one, "") for one in attributes]
            writer.writerows(
                [_moment(moment), server, *(_number(row.get(one)) for one in metrics), *facts]
                for moment, row in sorted(self.values[server].items())
            )
        return gzip.compress(text.getvalue().encode(), compresslevel=6, mtime=0)


def clean(text: str) -> str:
    """A name or attribute as the data contract takes it: one line without control characters, not too long."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:_LONGEST_TEXT]


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _number(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return ""
    return f"{value:.6f}".rstrip("0").rstrip(".")
