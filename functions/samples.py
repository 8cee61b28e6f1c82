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
    # Of the settings' own `metrics`; without them nothing reads these.
    "iops": "iops",
    "throughput": "throughput [MB/s]",
    "concurrency": "concurrency",
    "requests": "requests",
    "connections": "connections",
}
PLAIN_METRICS = ("cpu", "memory", "disk", "network_in", "network_out")
# What there is of an own metric, for its `capacity: {column: …}`.
LIMITS = ("provisioned_iops", "provisioned_throughput", "concurrency_limit")
ATTRIBUTES = ("instance_type", "vcpus", "memory_gb", "monthly_cost_usd", "region", "business_unit", "criticality")
_LONGEST_TEXT = 256  # characters of a name or attribute that the data contract takes


class ConflictError(ValueError):
    """Two values of one server, metric and moment."""


@dataclass
class Samples:
    """Samples of some servers: of each moment the value of each metric, and each server's attributes.

    A part of a server, such as a volume, has a name of its own beside the server's.
    """

    values: dict[tuple[str, str], dict[datetime, dict[str, float]]] = field(default_factory=dict)
    attributes: dict[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)

    def add(self, server: tuple[str, str], moment: datetime, metric: str, value: float, summed: bool = False) -> None:
        """Note a value. Of several the largest counts, as of a server's disks, or their sum, as of reads and writes."""
        row = self.values.setdefault(server, {}).setdefault(moment, {})
        if summed:
            row[metric] = value + row.get(metric, 0)
        else:
            row[metric] = max(value, row.get(metric, value))

    def add_once(self, server: str, moment: datetime, metric: str, value: float) -> None:
        """Note a value of what has no parts.

        Raises:
            ConflictError: there is another value already.
        """
        row = self.values.setdefault((server, ""), {}).setdefault(moment, {})
        if row.setdefault(metric, value) != value:
            raise ConflictError(server)

    def packed(self) -> bytes | None:
        """The file, the same bytes for the same samples; None where there are none."""
        metrics = [one for one in METRICS if any(one in row for rows in self.values.values() for row in rows.values())]
        if not metrics:
            return None
        attributes = [
            one for one in (*LIMITS, *ATTRIBUTES) if any(known.get(one) for known in self.attributes.values())
        ]
        parts = any(part for _, part in self.values)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        named = ["server_id", "entity"] if parts else ["server_id"]
        writer.writerow(["timestamp", *named, *(METRICS[one] for one in metrics), *attributes])
        for server in sorted(self.values):
            known = self.attributes.get(server, {})
            facts = [known.get(one, "") for one in attributes]
            writer.writerows(
                [_moment(moment), *server[: len(named)], *(_number(row.get(one)) for one in metrics), *facts]
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
