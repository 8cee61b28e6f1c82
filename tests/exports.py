"""Exports as monitoring tools write them, made of a fleet whose truth is known, and what Headroom makes of files."""

from __future__ import annotations

import io
import json
import math
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from headroom.preprocess import preprocess

Series = list[tuple[datetime, float]]
Fleet = dict[str, Series]
Files = dict[str, str | bytes]


def fleet(*servers: str, day: str = "2024-02-13", level: float = 40, minutes: int = 15, seed: int = 1) -> Fleet:
    """A day of samples per server, in percent."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    begin = datetime.fromisoformat(day).replace(tzinfo=UTC)
    made = {}
    for place, server in enumerate(servers or ("web-1", "db-2.corp.example")):
        values = [
            round(level + 15 * place + 9 * math.sin(step / 7) + 3 * chance.random(), 2)
            for step in range(1440 // minutes)
        ]
        made[server] = [(begin + timedelta(minutes=minutes * step), value) for step, value in enumerate(values)]
    return made


def read(
    folder: Path, files: Mapping[str, str | bytes], settings: str | None = None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The panel and the data-quality report that the job makes of files.

    Raises:
        InputError: nothing can be read.
    """
    raw = folder / "raw"
    for name, content in files.items():
        path = raw / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    written = None
    if settings is not None:
        written = folder / "settings.yaml"
        written.write_text(settings)
    preprocess(raw, None, written, None, folder / "panel")
    quality = json.loads((folder / "panel" / "data_quality.json").read_text())
    return pd.read_parquet(folder / "panel" / "panel.parquet"), quality


def is_right(panel: pd.DataFrame, quality: Mapping[str, Any], **truth: Fleet) -> bool:
    """Whether the panel holds the truth of each metric and nothing else, and the counts add up."""
    wanted = {
        (server, metric, pd.Timestamp(day)): pd.Series([value for at, value in series if at.date() == day]).quantile(
            0.95
        )
        for metric, made in truth.items()
        for server, series in made.items()
        for day in {at.date() for at, _ in series}
    }
    found = {(row.server_id, row.metric, row.ds): row.p95 for row in panel.itertuples()}
    assert set(found) == set(wanted)
    assert all(abs(found[key] - wanted[key]) < 0.02 for key in wanted), (found, wanted)
    return adds_up(quality)


def adds_up(quality: Mapping[str, Any]) -> bool:
    """Every row is accepted, a duplicate or in quarantine; every file without rows has an error."""
    for file in quality["files"]:
        counts = [file[f"rows_{kind}"] for kind in ("accepted", "duplicate", "quarantined")]
        assert file["rows_read"] == sum(counts) and min(counts) >= 0
        assert file["rows_read"] or file["error"]
    return True


def iso(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def epoch(at: datetime) -> int:
    return int(at.timestamp())


def _rows(made: Fleet) -> list[tuple[str, datetime, float]]:
    return [(server, at, value) for server, series in made.items() for at, value in series]


def _across(made: Fleet) -> list[tuple[datetime, list[float]]]:
    return [(moments[0][0], [value for _, value in moments]) for moments in zip(*made.values(), strict=True)]


def wide(cpu: Fleet) -> Files:
    return {
        "fleet.csv": "timestamp,server_id,cpu\n" + "".join(f"{iso(at)},{server},{v}\n" for server, at, v in _rows(cpu))
    }


def disks(*mounts: str, server: str = "a", day: int = 13, used: int = 20) -> str:
    """A table of a server's disks, hour by hour; each is fuller than the one before by 30."""
    return "time,host,mount,disk_used_percent\n" + "".join(
        f"2024-02-{day} {hour:02}:00,{server},{mount},{used + 30 * place}\n"
        for hour in range(24)
        for place, mount in enumerate(mounts)
    )


def entities(panel: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Server, entity, metric and maximum of each row of a panel with entities."""
    return [tuple(row) for row in panel[["server_id", "entity", "metric", "max"]].itertuples(index=False)]


def cloudwatch_console(cpu: Fleet) -> Files:
    every = len(cpu)
    head = [("Label", list(cpu)), ("Id", [f"m{n}" for n in range(every)]), ("Metric name", ["CPUUtilization"] * every),
            ("Statistic", ["Average"] * every), ("Period", ["900"] * every)]  # fmt: skip
    rows = [",".join([name, *cells]) for name, cells in head]
    rows += [",".join([f"{at:%Y/%m/%d %H:%M:%S}", *map(str, values)]) for at, values in _across(cpu)]
    return {"CloudWatch.csv": "\n".join(rows) + "\n"}


def cloudwatch_get_metric_data(cpu: Fleet) -> Files:
    results = [
        {"Id": "m", "Label": f"{server} CPUUtilization", "Timestamps": [iso(at) for at, _ in reversed(series)],
         "Values": [value for _, value in reversed(series)], "StatusCode": "Complete"}
        for server, series in cpu.items()
    ]  # fmt: skip
    return {"answer.json": json.dumps({"MetricDataResults": results, "Messages": []}, indent=4)}


def cloudwatch_get_metric_statistics(cpu: Fleet) -> Files:
    return {
        f"{server}.json": json.dumps({"Label": "CPUUtilization", "Datapoints": [
            {"Timestamp": iso(at), "Average": value, "Maximum": value + 9, "Unit": "Percent"} for at, value in series]})
        for server, series in cpu.items()
    }  # fmt: skip


def cloudwatch_metric_stream_parquet(cpu: Fleet) -> Files:
    """By the Glue schema that AWS gives for these streams; Firehose names its files without an ending."""
    values = {"count": pa.float64(), "sum": pa.float64(), "max": pa.float64(), "min": pa.float64()}
    schema = pa.schema([
        *((name, pa.string()) for name in ("metric_stream_name", "account_id", "region", "namespace", "metric_name")),
        ("dimensions", pa.map_(pa.string(), pa.string())), ("timestamp", pa.timestamp("ms")),
        ("value", pa.struct(values.items())), ("unit", pa.string()),
    ])  # fmt: skip
    rows = [
        {"metric_stream_name": "all", "account_id": "1", "region": "eu-west-1", "namespace": "AWS/EC2",
         "metric_name": "CPUUtilization", "dimensions": [("InstanceId", server)], "timestamp": at.replace(tzinfo=None),
         "value": {"count": 2.0, "sum": 2 * value, "max": value, "min": value}, "unit": "Percent"}
        for server, series in cpu.items() for at, value in series
    ]  # fmt: skip
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema), out, use_deprecated_int96_timestamps=True)
    return {"all-1-2024-02-13-00-05-12": out.getvalue()}


def cloudwatch_metric_stream(cpu: Fleet) -> Files:
    lines = [
        {"metric_stream_name": "all", "account_id": "1", "region": "eu-west-1", "namespace": "AWS/EC2",
         "metric_name": "CPUUtilization", "dimensions": {"InstanceId": server}, "timestamp": epoch(at) * 1000,
         "value": {"max": value + 1, "min": value - 1, "sum": 3 * value, "count": 3.0}, "unit": "Percent"}
        for server, at, value in _rows(cpu)
    ]  # fmt: skip
    return {"MetricStreams-all-1": "".join(json.dumps(line) + "\n" for line in lines)}


def prometheus_json(cpu: Fleet) -> Files:
    result = [
        {"metric": {"__name__": "node_cpu_utilization_percent", "instance": f"{server}:9100", "job": "node"},
         "values": [[epoch(at), str(value)] for at, value in series]}
        for server, series in cpu.items()
    ]  # fmt: skip
    return {"range.json": json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})}


def prometheus_text(cpu: Fleet) -> Files:
    """As ``promtool query range`` prints it."""
    text = ""
    for server, series in cpu.items():
        text += f'node_cpu_utilization_percent{{instance="{server}:9100", job="node"}} =>\n'
        text += "".join(f"{value} @[{epoch(at)}]\n" for at, value in series)
    return {"range.txt": text}


def grafana_joined(cpu: Fleet) -> Files:
    rows = ["Time," + ",".join(f'"{server}"' for server in cpu)]
    rows += [",".join([f"{at:%Y-%m-%d %H:%M:%S}", *(f"{value}%" for value in values)]) for at, values in _across(cpu)]
    return {"CPU usage-data-as-joinbyfield-2024-02-14 09_00_00.csv": "\n".join(rows)}


def grafana_series(cpu: Fleet) -> Files:
    rows = ['"Series";"Time";"Value"']
    rows += [f'"{server}";"{at:%Y-%m-%dT%H:%M:%S}+00:00";{value}' for server, at, value in _rows(cpu)]
    return {"CPU usage.csv": "\n".join(rows)}


def azure_portal(cpu: Fleet) -> Files:
    rows = ['"Chart Title: Avg Percentage CPU"', "", ",".join(
        ["Timestamp (UTC)", *(f'"Percentage CPU (Avg), {server}"' for server in cpu)])]  # fmt: skip
    rows += [",".join([f"{at:%Y-%m-%d %H:%M:%S}", *map(str, values)]) for at, values in _across(cpu)]
    return {"chart.csv": "\n".join(rows)}


def prtg(cpu: Fleet) -> Files:
    """With the day in front of the month or behind it, which only the day's number tells."""
    made = {}
    for server, series in cpu.items():
        rows = ['"Date Time","Date Time(RAW)","Total","Total(RAW)","Processor 1","Processor 1(RAW)","Coverage"']
        for at, value in series:
            day = (at - datetime(1899, 12, 30, tzinfo=UTC)) / timedelta(days=1)
            shown = f"{at.month}/{at.day}/{at.year} {at:%I:%M:%S %p} - {at + timedelta(minutes=5):%I:%M:%S %p}"
            rows.append(f'"{shown}","{day:.10f}","{value:.0f} %","{value:.4f}","3 %","3.0000","100 %"')
        rows.append('"Averages (of 96 values)","","45 %","45.0000","3 %","3.0000","100 %"')
        made[f"{server}.csv"] = "\n".join(rows)
    return made


def azure_monitor(cpu: Fleet) -> Files:
    return {
        f"{place}.json": json.dumps({"cost": 1, "timespan": "a/b", "interval": "PT15M", "value": [{
            "id": f"/subscriptions/1/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/{server}"
                  "/providers/Microsoft.Insights/metrics/Percentage CPU",
            "name": {"value": "Percentage CPU", "localizedValue": "Percentage CPU"}, "unit": "Percent",
            "timeseries": [{"data": [{"timeStamp": iso(at), "average": value} for at, value in series]}]}]})
        for place, (server, series) in enumerate(cpu.items())
    }  # fmt: skip


def azure_log_analytics(cpu: Fleet) -> Files:
    rows = ["TimeGenerated [UTC],Computer,ObjectName,CounterName,InstanceName,CounterValue"]
    for server, at, value in _rows(cpu):
        moment = f'"{at.month}/{at.day}/{at.year}, {at:%I:%M:%S}.000 {at:%p}"'
        rows += [f"{moment},{server},Processor,% Processor Time,_Total,{value}", f"{moment},{server},Memory,Pages,,12"]
    return {"query_data.csv": "\n".join(rows)}


def gcp_api(cpu: Fleet) -> Files:
    series = [
        {"metric": {"type": "compute.googleapis.com/instance/cpu/utilization", "labels": {"instance_name": server}},
         "resource": {"type": "gce_instance", "labels": {"instance_id": "1"}}, "metricKind": "GAUGE",
         "points": [
             {"interval": {"endTime": iso(at)}, "value": {"doubleValue": value / 100}} for at, value in reversed(made)]}
        for server, made in cpu.items()
    ]  # fmt: skip
    return {"timeseries.json": json.dumps({"timeSeries": series})}


def gcp_metrics_explorer(cpu: Fleet) -> Files:
    rows = ["TimeSeries ID," + ",".join(cpu), "instance_name," + ",".join(cpu)]
    for at, values in _across(cpu):
        written = f"{at:%a %b %d %Y %H:%M:%S} GMT+0000 (Coordinated Universal Time)"
        rows.append(",".join([written, *(f"{value / 100:.6f}" for value in values)]))
    return {"CPU_utilization.csv": "\n".join(rows)}


def datadog_api(cpu: Fleet) -> Files:
    series = [
        {"metric": "system.cpu.idle", "scope": f"host:{server}", "tag_set": [f"host:{server}"],
         "pointlist": [[epoch(at) * 1000.0, 100 - value] for at, value in made]}
        for server, made in cpu.items()
    ]  # fmt: skip
    return {"query.json": json.dumps({"status": "ok", "res_type": "time_series", "series": series})}


def datadog_api_v2(cpu: Fleet) -> Files:
    """By the models of Datadog's API clients; what is asked for is not in the answer."""
    first = next(iter(cpu.values()))
    attributes = {
        "series": [{"group_tags": [f"host:{server}"], "query_index": 0, "unit": [
            {"family": "percentage", "name": "percent", "short_name": "%", "scale_factor": 1.0}, None]}
            for server in cpu],
        "times": [epoch(at) * 1000 for at, _ in first],
        "values": [[value for _, value in made] for made in cpu.values()],
    }  # fmt: skip
    return {"cpu.json": json.dumps({"data": {"type": "timeseries_response", "attributes": attributes}})}


def influx_v1(cpu: Fleet) -> Files:
    series = [
        {"name": "cpu", "tags": {"host": server, "cpu": "cpu-total"}, "columns": ["time", "mean_usage_idle"],
         "values": [[iso(at), round(100 - value, 4)] for at, value in made]}
        for server, made in cpu.items()
    ]  # fmt: skip
    return {"query.json": json.dumps({"results": [{"statement_id": 0, "series": series}]})}


def influx_annotated(cpu: Fleet) -> Files:
    rows = [
        "#group,false,false,false,false,true,true,true,true",
        "#datatype,string,long,dateTime:RFC3339,double,string,string,string,string",
        "#default,_result,,,,,,,",
        ",result,table,_time,_value,_field,_measurement,cpu,host",
    ]
    rows += [f",,0,{iso(at)},{100 - value:.4f},usage_idle,cpu,cpu-total,{server}" for server, at, value in _rows(cpu)]
    return {"query.csv": "\r\n".join(rows) + "\r\n"}


def telegraf(cpu: Fleet) -> Files:
    rows = ["timestamp,measurement,cpu,host,usage_idle,usage_system,usage_user"]
    for server, at, value in _rows(cpu):
        rows += [
            f"{epoch(at)},cpu,{core},{server},{100 - value + place:.4f},1,1"
            for place, core in enumerate(("cpu-total", "cpu0"))
        ]
    return {"metrics.csv": "\n".join(rows)}


def collectd(cpu: Fleet) -> Files:
    return {
        f"{server}/cpu/percent-idle-2024-02-13": "epoch,value\n"
        + "".join(f"{epoch(at)}.000,{100 - value:.6f}\n" for at, value in series)
        for server, series in cpu.items()
    }


def sysstat_csv(cpu: Fleet) -> Files:
    text = ""
    for server, series in cpu.items():
        text += "# hostname;interval;timestamp;CPU;%user;%nice;%system;%iowait;%steal;%idle\n"
        text += f"{server};-1;{series[0][0]:%Y-%m-%d %H:%M:%S} UTC;LINUX-RESTART\t(4 CPU)\n"
        for at, value in series:
            for core, shift in ((-1, 0), (0, 2), (1, -2)):
                text += f"{server};900;{at:%Y-%m-%d %H:%M:%S} UTC;{core};1;0;1;0;0;{100 - value + shift:.2f}\n"
    return {"sa13.csv": text}


def sysstat_fields(cpu: Fleet) -> Files:
    """``sadf -p``"""
    rows = [
        f"{server}\t900\t{at:%Y-%m-%d %H:%M:%S} UTC\t{core}\t{field}\t{used:.2f}"
        for server, at, value in _rows(cpu)
        for core, field, used in (("all", "%user", value), ("all", "%idle", 100 - value), ("cpu0", "%idle", 1))
    ]
    return {"sa13.txt": "\n".join(rows) + "\n"}


def sysstat_json(cpu: Fleet) -> Files:
    hosts = [
        {"nodename": server, "number-of-cpus": 4, "timezone": "UTC", "statistics": [
            {"timestamp": {"date": f"{at:%Y-%m-%d}", "time": f"{at:%H:%M:%S}", "utc": 1, "interval": 900},
             "cpu-load": [{"cpu": "all", "user": 1.0, "idle": round(100 - value, 4)}, {"cpu": "0", "idle": 1.5}]}
            for at, value in series]}
        for server, series in cpu.items()
    ]  # fmt: skip
    return {"sa13.json": json.dumps({"sysstat": {"hosts": hosts}})}


def windows_perfmon(cpu: Fleet) -> Files:
    made = {}
    for server, series in cpu.items():
        rows = [f'"(PDH-CSV 4.0) (Pacific Standard Time)(480)","\\\\{server}\\Processor(_Total)\\% Processor Time"']
        rows += [f'"{at - timedelta(hours=8):%m/%d/%Y %H:%M:%S}.123","{value:.9f}"' for at, value in series]
        made[f"perf-{server}.csv"] = "\r\n".join(rows)
    return made


def windows_get_counter(cpu: Fleet) -> Files:
    """Get-Counter, ForEach CounterSamples, Export-Csv."""
    rows = ["#TYPE Microsoft.PowerShell.Commands.GetCounter.PerformanceCounterSample",
            '"Path","InstanceName","CookedValue","RawValue","CounterType","Timestamp","Status"']  # fmt: skip
    for server, at, value in _rows(cpu):
        moment = f"{at.month}/{at.day}/{at.year} {at:%I:%M:%S %p}"
        for part, one in (("_total", value), ("0", 1.5)):
            path = f"\\\\{server}\\processor({part})\\% processor time"
            rows.append(f'"{path}","{part}","{one}","1548125","Timer100NsInverse","{moment}","0"')
    return {"counters.csv": "\r\n".join(rows)}


def zabbix_csv(cpu: Fleet) -> Files:
    rows = [
        f'{server},"system.cpu.util[,idle]",{epoch(at)},12,1,{100 - value:.4f},99' for server, at, value in _rows(cpu)
    ]
    return {"trends.csv": "host,key_,clock,num,value_min,value_avg,value_max\n" + "\n".join(rows)}


def zabbix_export(cpu: Fleet) -> Files:
    lines = [
        {
            "host": {"host": server, "name": server},
            "itemid": 1,
            "name": "CPU utilization",
            "clock": epoch(at),
            "ns": 1,
            "value": value,
        }
        for server, at, value in _rows(cpu)
    ]
    return {"history-1.ndjson": "".join(json.dumps(line) + "\n" for line in lines)}


def powercli(cpu: Fleet) -> Files:
    rows = ["#TYPE VMware.Sample", '"MetricId","Timestamp","Value","Unit","Instance","Entity"']
    for server, at, value in _rows(cpu):
        moment = f"{at.day:02}.{at.month:02}.{at.year} {at:%H:%M:%S}"
        rows.append(f'"cpu.usage.average","{moment}","{str(value).replace(".", ",")}","%","","{server}"')
        rows.append(
            f'"cpu.usage.average","{moment}","{value + 5:.2f}","%","0","{server}"'.replace(
                f"{value + 5:.2f}", f"{value + 5:.2f}".replace(".", ",")
            )
        )
        rows.append(f'"disk.usage.average","{moment}","96","KBps","","{server}"')
    return {"stat.csv": "\r\n".join(rows)}


def graphite(cpu: Fleet) -> Files:
    targets = [
        {"target": f"cpu.usage_percent;host={server}", "tags": {"name": "cpu.usage_percent", "host": server},
         "datapoints": [[value, epoch(at)] for at, value in series] + [[None, epoch(series[-1][0]) + 1]]}
        for server, series in cpu.items()
    ]  # fmt: skip
    return {"render.json": json.dumps(targets)}


def influx_line(cpu: Fleet) -> Files:
    lines = []
    for server, at, value in _rows(cpu):
        lines += [
            f"cpu,cpu={core},host={server} usage_idle={100 - value + place:.4f},usage_user=1 {epoch(at)}000000000"
            for place, core in enumerate(("cpu-total", "cpu0"))
        ]
        lines.append(f'system,host={server},os=a\\ b uptime_format="1 day, 2:03",n_cpus=4i {epoch(at)}000000000')
    return {"metrics.out.txt": "\n".join(lines)}


def influx_cli(cpu: Fleet) -> Files:
    rows = [
        f'cpu,"cpu=cpu-total,host={server}",{epoch(at)}000000000,{100 - value:.4f}' for server, at, value in _rows(cpu)
    ]
    return {"query.csv": "\n".join(["name,tags,time,mean_usage_idle", *rows])}


def azure_diagnostics(cpu: Fleet) -> Files:
    lines = [
        {"count": 2, "total": 2 * value, "minimum": value - 1, "maximum": value + 1, "average": value,
         "resourceId": f"/SUBSCRIPTIONS/1/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.COMPUTE/VIRTUALMACHINES/{server}",
         "time": f"{at:%Y-%m-%dT%H:%M:%S}.0000000Z", "metricName": "Percentage CPU", "timeGrain": "PT1M"}
        for server, at, value in _rows(cpu)
    ]  # fmt: skip
    return {"y=2024/m=02/d=13/h=00/m=00/PT1M.json": "".join(json.dumps(line) + "\n" for line in lines)}


def dynatrace(cpu: Fleet) -> Files:
    rows = [f"builtin:host.cpu.usage:names,{s},HOST-1,{at:%Y-%m-%d %H:%M:%S},{v}" for s, at, v in _rows(cpu)]
    return {"metrics.csv": "\n".join(["metricId,dt.entity.host.name,dt.entity.host,time,value", *rows])}


def opentelemetry(cpu: Fleet) -> Files:
    lines = [
        {"resourceMetrics": [{
            "resource": {"attributes": [{"key": "host.name", "value": {"stringValue": server}}]},
            "scopeMetrics": [{"scope": {"name": "hostmetrics"}, "metrics": [{
                "name": "system.cpu.utilization", "unit": "1", "gauge": {"dataPoints": [
                    {"attributes": [{"key": "state", "value": {"stringValue": state}}],
                     "timeUnixNano": str(epoch(at) * 10**9), "asDouble": share}
                    for state, share in (("user", value / 100), ("idle", round(1 - value / 100, 6)))]}}]}]}]}
        for server, at, value in _rows(cpu)
    ]  # fmt: skip
    return {"metrics.json": "".join(json.dumps(line) + "\n" for line in lines)}


def pandas_pivot(cpu: Fleet) -> Files:
    servers = [*cpu, *cpu]
    rows = [",".join(["", *["CPU idle [%]"] * len(cpu), *["Load"] * len(cpu)]).replace("Load", "Network in [kB/s]")]
    rows += [",".join(["server", *servers]), "timestamp" + "," * len(servers)]
    rows += [
        f"{at:%Y-%m-%d %H:%M:%S}," + ",".join([*(f"{100 - value:.2f}" for value in values), *([""] * len(cpu))])
        for at, values in _across(cpu)
    ]
    return {"pivot.csv": "\n".join(rows)}


def sysstat_text(cpu: Fleet) -> Files:
    made = {}
    for server, series in cpu.items():
        head = "     CPU     %user     %nice   %system   %iowait    %steal     %idle"
        lines = [f"Linux 5.15.0 ({server}) \t{series[0][0]:%Y-%m-%d} \t_x86_64_\t(4 CPU)", ""]
        for place, (at, value) in enumerate(series):
            if place % 40 == 0:
                lines += ["", f"{at:%I:%M:%S %p}{head}"]
            lines.append(
                f"{at:%I:%M:%S %p}     all      1.00      0.00      1.00      0.00      0.00 {100 - value:9.2f}"
            )
        lines.append("Average:        all      1.00      0.00      1.00      0.00      0.00     50.00")
        made[f"sar-{server}.txt"] = "\n".join(lines)
    return made


MAKERS = (
    wide, cloudwatch_console, cloudwatch_get_metric_data, cloudwatch_get_metric_statistics, cloudwatch_metric_stream,
    cloudwatch_metric_stream_parquet,
    prometheus_json, prometheus_text, grafana_joined, azure_monitor, azure_log_analytics, gcp_api, gcp_metrics_explorer,
    datadog_api,
    datadog_api_v2, influx_annotated, influx_v1,
    grafana_series, azure_portal, prtg,
    graphite, influx_line, influx_cli, azure_diagnostics, dynatrace, opentelemetry,
    pandas_pivot, sysstat_text,
    telegraf, collectd, sysstat_csv, sysstat_json, sysstat_fields, windows_perfmon, windows_get_counter,
    zabbix_csv, zabbix_export, powercli,
)  # fmt: skip
EXPORTS = {make.__name__: make for make in MAKERS}
