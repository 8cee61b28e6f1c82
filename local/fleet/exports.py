"""A fleet as five tools would export it: each fifth of the servers comes from another one.

    python -m local.fleet --formats --out DIR

writes ``DIR/incoming`` with a table of columns, a metric stream of CloudWatch's, answers of Prometheus' and Datadog's
APIs, and Zabbix' history: other names, units, times and shapes for the same values. ``truth.csv``, ``future.parquet``
and ``settings.yaml`` are those of ``generator.write``.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from local.fleet import generator
from local.fleet.generator import Fleet

# What a part of the fleet has: server, metric, seconds since 1970, values.
Series = tuple[str, str, np.ndarray, np.ndarray]


def write(fleet: Fleet, out: Path) -> None:
    """Write the fleet's files (see the module) below ``out``; network metrics only where their tool names a rate."""
    generator.write(fleet, out)
    incoming = out / "incoming"
    for path in incoming.iterdir():
        path.unlink()
    for place, (name, tool) in enumerate(TOOLS.items()):
        servers = np.arange(len(fleet.servers))[place :: len(TOOLS)]
        if len(servers):
            content = tool(list(_series(fleet, servers))).encode()
            packed = gzip.compress(content, compresslevel=3, mtime=0) if name.endswith(".gz") else content
            (incoming / name).write_bytes(packed)


def _series(fleet: Fleet, servers: np.ndarray) -> Iterator[Series]:
    times = pd.date_range(fleet.start, periods=fleet.days * fleet.per_day, freq=pd.Timedelta(days=1) / fleet.per_day)
    seconds = (times.to_numpy() - np.datetime64(0, "s")) // np.timedelta64(1, "s")
    for server in servers:
        for metric, samples in fleet.history.items():
            there = np.flatnonzero(~np.isnan(samples[server]))
            yield str(fleet.servers["server_id"].iloc[server]), metric, seconds[there], samples[server][there]


def _number(value: float) -> str:
    """As short as tools write numbers, and exact enough."""
    return f"{value:.10g}"


def _table(series: list[Series]) -> str:
    columns: dict[tuple[int, str], dict[str, float]] = {}
    for server, metric, seconds, values in series:
        for at, value in zip(seconds.tolist(), values.tolist(), strict=True):
            columns.setdefault((at, server), {})[metric] = value
    metrics = list(dict.fromkeys(metric for _, metric, _, _ in series))
    rows = ["timestamp,server_id," + ",".join(metrics)]
    for (at, server), row in sorted(columns.items()):
        cells = [_number(row[metric]) if metric in row else "" for metric in metrics]
        rows.append(",".join([f"{pd.Timestamp(at, unit='s'):%Y-%m-%dT%H:%M:%SZ}", server, *cells]))
    return "\n".join(rows) + "\n"


_STREAM = {"cpu": ("AWS/EC2", "CPUUtilization"), "memory": ("CWAgent", "mem_used_percent"),
           "disk": ("CWAgent", "disk_used_percent")}  # fmt: skip


def _metric_stream(series: list[Series]) -> str:
    lines = []
    for server, metric, seconds, values in series:
        if metric not in _STREAM:
            continue
        namespace, name = _STREAM[metric]
        for at, value in zip(seconds.tolist(), values.tolist(), strict=True):
            point = {"count": 4.0, "sum": 4 * value, "max": value, "min": value}
            line = {"metric_stream_name": "all", "account_id": "123456789012", "region": "us-east-1",
                    "namespace": namespace, "metric_name": name, "dimensions": {"InstanceId": server},
                    "timestamp": at * 1000, "value": point, "unit": "Percent"}  # fmt: skip
            lines.append(json.dumps(line))
    return "\n".join(lines) + "\n"


_PROMETHEUS = {
    "cpu": "host_cpu_usage_percent", "memory": "host_memory_usage_percent", "disk": "host_disk_used_percent",
    "network_in": "host_network_receive_bytes_per_second", "network_out": "host_network_transmit_bytes_per_second",
}  # fmt: skip


def _prometheus(series: list[Series]) -> str:
    result = [
        {"metric": {"__name__": _PROMETHEUS[metric], "instance": server, "job": "node"},
         "values": [[at, _number(value * 1e6 if metric.startswith("network") else value)]
                    for at, value in zip(seconds.tolist(), values.tolist(), strict=True)]}
        for server, metric, seconds, values in series
    ]  # fmt: skip
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})


_DATADOG: dict[str, tuple[str, Callable[[float], float]]] = {
    "cpu": ("system.cpu.idle", lambda percent: 100 - percent),
    "memory": ("system.mem.pct_usable", lambda percent: 1 - percent / 100),
    "disk": ("system.disk.in_use", lambda percent: percent / 100),
}


def _datadog(series: list[Series]) -> str:
    found = []
    for server, metric, seconds, values in series:
        if metric in _DATADOG:
            name, said = _DATADOG[metric]
            points = [[at * 1000.0, said(value)] for at, value in zip(seconds.tolist(), values.tolist(), strict=True)]
            tags = [f"host:{server}"]
            found.append({"metric": name, "scope": tags[0], "tag_set": tags, "pointlist": points})
    return json.dumps({"status": "ok", "res_type": "time_series", "series": found})


_ZABBIX = {"cpu": "system.cpu.util[,idle]", "memory": "vm.memory.size[pused]", "disk": "vfs.fs.size[/,pused]"}


def _zabbix(series: list[Series]) -> str:
    rows = ["host,key_,clock,value"]
    for server, metric, seconds, values in series:
        if metric in _ZABBIX:
            said = 100 - values if metric == "cpu" else values
            rows += [
                f'{server},"{_ZABBIX[metric]}",{at},{_number(value)}'
                for at, value in zip(seconds.tolist(), said.tolist(), strict=True)
            ]
    return "\n".join(rows) + "\n"


TOOLS: dict[str, Callable[[list[Series]], str]] = {
    "fleet.csv": _table,
    "metric-stream.json.gz": _metric_stream,
    "prometheus-range.json": _prometheus,
    "datadog-query.json": _datadog,
    "zabbix-history.csv": _zabbix,
}
