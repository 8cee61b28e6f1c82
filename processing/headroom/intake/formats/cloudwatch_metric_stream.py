"""CloudWatch Metric Streams through Firehose, in JSON: one line per metric and minute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from headroom.intake.formats import Export, Sample, text

NAME = "CloudWatch Metric Streams (JSON)"
_SERVERS = ("InstanceId", "host", "Host", "InstanceName", "DBInstanceIdentifier", "CacheClusterId", "ServiceName")


def recognise(export: Export) -> bool:
    """By the keys of its lines."""
    return export.is_json() and '"metric_name"' in export.head and '"dimensions"' in export.head


def read(export: Export) -> Iterator[Sample]:
    """One sample per line."""
    return export.samples(export.documents(), lambda line: (sample_of(line),))


def sample_of(line: Mapping[str, Any]) -> Sample:
    """A point's sample is sum by count; sums without a server (of a whole account) have no server's name."""
    dimensions, value = line.get("dimensions") or {}, line["value"]
    server = next((dimensions[name] for name in _SERVERS if name in dimensions), "-")
    groups = [name for name in ("AutoScalingGroupName", "ImageId", "InstanceType") if name in dimensions]
    parts = [dimensions[name] for name in sorted(dimensions) if name not in (*_SERVERS, *groups)]
    if "path" in dimensions:  # of the agent's disks, where their device and file system say nothing more
        parts = [dimensions["path"]]
    count = value.get("count")
    mean = "" if not count else repr(value["sum"] / count)
    at, unit = text(line["timestamp"]), text(line.get("unit"))
    metric = line["metric_name"] if server != "-" else f"{line['metric_name']} of {line.get('namespace', '')}"
    return Sample(server, metric, at, mean, "" if unit == "None" else unit, " ".join(parts))
