"""Every export format is read without settings; what is not one of them is left to the reader of tables."""

import csv
import io
import json
from datetime import timedelta

import exports
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headroom.core.job import InputError
from headroom.intake.formats import Export, all_formats, format_of

FORMATS = {module.__name__.rsplit(".", 1)[-1]: module for module in all_formats()}


def test_every_format_has_a_sample_of_its_own():
    assert set(FORMATS) == set(exports.EXPORTS) - {"wide"}


class Together:
    """An export of each format, of servers of its own, all dropped together; and what is made of each."""

    def __init__(self, folder, share=1, settings=None):
        self.fleets = {
            name: {
                server: [(at, round(value / share, 4)) for at, value in made]
                for server, made in exports.fleet(f"web-{number}", f"db-{number}.corp.example").items()
            }
            for number, name in enumerate(exports.EXPORTS, 1)
        }
        files = {
            f"{name}/{file}": content
            for name, make in exports.EXPORTS.items()
            for file, content in make(self.fleets[name]).items()
        }
        self.panel, self.quality = exports.read(folder, files, settings)
        with (folder / "panel" / "quarantine.csv").open(newline="", encoding="utf-8") as file:
            self.quarantine = list(csv.DictReader(file))

    def of(self, name):
        """The rows of an export's servers, and what is said of its files."""
        rows = self.panel[self.panel["server_id"].isin(self.fleets[name])]
        return rows, [file for file in self.quality["files"] if file["file"].startswith(f"{name}/")]


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    return Together(tmp_path_factory.mktemp("together"))


ANSWERS = ["azure_monitor", "cloudwatch_get_metric_data", "datadog_api", "gcp_api", "graphite",
           "influx_v1", "prometheus_json", "sysstat_json"]  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("indent", [None, 2])
def test_answers_that_a_script_wrote_one_below_the_other_are_all_read(tmp_path, name, indent):
    fleets = [exports.fleet(f"web-{number}", f"db-{number}.corp.example") for number in (1, 2)]
    contents = [content for one in fleets for content in exports.EXPORTS[name](one).values()]
    answers = [json.loads(content) for content in contents if content.lstrip()[:1] in ("{", "[")]
    one_file = "\n".join(json.dumps(answer, indent=indent) for answer in answers) + "\n"
    panel, quality = exports.read(tmp_path, {"cpu.json": one_file})
    assert exports.is_right(panel, quality, cpu=fleets[0] | fleets[1])


@pytest.mark.parametrize("name", exports.EXPORTS)
def test_an_export_is_read_as_it_is(together, name):
    rows, files = together.of(name)
    assert exports.is_right(rows, {"files": files}, cpu=together.fleets[name])
    assert {file["export"] for file in files} == {"CSV" if name == "wide" else FORMATS[name].NAME}


def test_exports_dropped_together_make_servers_of_no_other_names(together):
    assert set(together.panel["server_id"]) == {server for cpu in together.fleets.values() for server in cpu}
    assert exports.adds_up(together.quality)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_an_export_is_recognised_by_one_format_only(tmp_path, name):
    for file, content in exports.EXPORTS[name](exports.fleet()).items():
        path = tmp_path / "export"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        export = Export(file, "" if isinstance(content, bytes) else content[:65_536], path)
        assert [module.NAME for module in all_formats() if module.recognise(export)] == [FORMATS[name].NAME]


@pytest.mark.parametrize(
    "text",
    ["timestamp,server_id,cpu\n2024-01-01,a,5\n", "time,host,name,value\n2024-01-01,a,cpu,5\n", "epoch,value\n1,2\n",
     "Time,cpu\n2024-01-01,5\n", "[1, 2]", '{"a": 1}', "", "\n\n", "x" * 100],
)  # fmt: skip
def test_other_files_are_left_to_the_reader_of_tables(text):
    assert format_of(Export("x.csv", text, None)) is None


def test_a_metric_stream_in_parquet_that_is_cut_off_is_refused(tmp_path):
    [(name, content)] = exports.EXPORTS["cloudwatch_metric_stream_parquet"](exports.fleet()).items()
    with pytest.raises(InputError, match="damaged Parquet file, send it again"):
        exports.read(tmp_path, {name: content[: len(content) // 2]})


@pytest.mark.parametrize("column", ["value", "dimensions"])
def test_a_metric_stream_in_parquet_of_other_types_is_refused_with_a_sentence(tmp_path, column):
    [(name, content)] = exports.EXPORTS["cloudwatch_metric_stream_parquet"](exports.fleet()).items()
    table = pq.read_table(io.BytesIO(content))
    place = table.schema.get_field_index(column)
    out = io.BytesIO()
    pq.write_table(table.set_column(place, column, pa.array(["?"] * len(table))), out)
    with pytest.raises(InputError, match="it looks like CloudWatch Metric Streams"):
        exports.read(tmp_path, {name: out.getvalue()})


@pytest.fixture(scope="module")
def shares(tmp_path_factory):
    """Values from 0 to 1, with settings that say so."""
    return Together(tmp_path_factory.mktemp("shares"), 100, "units: {cpu: ratio}")


@pytest.mark.parametrize("name", exports.EXPORTS)
def test_a_unit_in_the_settings_never_contradicts_what_an_export_says_itself(shares, name):
    rows, files = shares.of(name)
    if rows.empty:
        reasons = {row["reason"] for row in shares.quarantine if row["file"] in {file["file"] for file in files}}
        assert any("`units` in the settings another one" in one or "never exceeds 1" in one for one in reasons)
        return
    factor = 100 if name in ("wide", "zabbix_export", "grafana_series") else 1  # these do not say their unit
    truth = {server: [(at, factor * v) for at, v in made] for server, made in shares.fleets[name].items()}
    assert exports.is_right(rows, {"files": files}, cpu=truth)


def _matrix(cpu, made, **labels):
    series = [
        {
            "metric": {"instance": f"{server}:9100", **labels},
            "values": [[exports.epoch(at), str(made(v))] for at, v in x],
        }
        for server, x in cpu.items()
    ]
    return series


def _is_read(tmp_path, files, **truth):
    panel, quality = exports.read(tmp_path, files)
    return exports.is_right(panel, quality, **truth)


def test_what_prometheus_says_of_a_mode_belongs_to_the_metric(tmp_path):
    cpu = exports.fleet()
    idle, user = _matrix(cpu, lambda v: 100 - v, mode="idle"), _matrix(cpu, lambda v: v / 2, mode="user")
    answer = {"status": "success", "data": {"resultType": "matrix", "result": [*idle, *user]}}
    assert _is_read(tmp_path, {"cpu.json": json.dumps(answer)}, cpu=cpu)
    with pytest.raises(InputError, match="not known to be a utilization"):
        exports.read(tmp_path / "user", {"cpu.json": json.dumps(user)})


def test_what_promtool_prints_is_read_as_well(tmp_path):
    cpu = exports.fleet()
    assert _is_read(tmp_path, {"cpu.json": json.dumps(_matrix(cpu, lambda v: v))}, cpu=cpu)


def test_a_pods_numbers_may_be_cores(tmp_path):
    series = _matrix(exports.fleet(), lambda v: v / 40, pod="api-0")
    with pytest.raises(InputError, match="'cpu of a pod' is not known"):
        exports.read(tmp_path, {"cpu.json": json.dumps(series)})


def test_a_mode_in_grafanas_legend_belongs_to_the_metric(tmp_path):
    cpu = exports.fleet("web-1", "web-2")
    heads = [f'"{{instance=""{server}:9100"", mode=""{mode}""}}"' for server in cpu for mode in ("idle", "user")]
    rows = [",".join(["Time", *heads])]
    for moments in zip(*cpu.values(), strict=True):
        values = [str(one) for _, v in moments for one in (round(100 - v, 4), v / 2)]
        rows.append(",".join([f"{moments[0][0]:%Y-%m-%d %H:%M:%S}", *values]))
    assert _is_read(tmp_path, {"CPU usage-data-as-joinbyfield-2024-02-14 09_00_00.csv": "\n".join(rows)}, cpu=cpu)


@pytest.mark.parametrize("unit, factor", [("MB/s", 1), ("kB/s", 1000), ("MiB/s", 1e6 / 2**20)])
def test_units_in_the_cells_of_an_export_count(tmp_path, unit, factor):
    net = exports.fleet("web-1", "web-2")
    rows = ["Time,web-1,web-2"]
    for moments in zip(*net.values(), strict=True):
        cells = [f"{v * factor:.6f} {unit}" for _, v in moments]
        rows.append(",".join([f"{moments[0][0]:%Y-%m-%d %H:%M:%S}", *cells]))
    files = {"Network in-data-as-joinbyfield-2024-02-14 09_00_00.csv": "\n".join(rows)}
    assert _is_read(tmp_path, files, network_in=net)


def test_what_datadog_does_not_give_by_host_is_of_no_server(tmp_path):
    [(_, content)] = exports.EXPORTS["datadog_api"](exports.fleet("web-1")).items()
    with pytest.raises(InputError, match=r"of \*, not by host"):
        exports.read(tmp_path, {"q.json": content.replace('["host:web-1"]', '["*"]').replace("host:web-1", "*")})


@pytest.mark.parametrize("zone", ["", " (Pacific Standard Time)(480)"])
@pytest.mark.parametrize("kind", ["CSV", "TSV"])
def test_typeperf_writes_lines_around_its_table_and_not_always_a_zone(tmp_path, zone, kind):
    cpu, mark = exports.fleet("WEB01", day="2024-03-05"), {"CSV": ",", "TSV": "\t"}[kind]
    rows = ["", f'"(PDH-{kind} 4.0){zone}"{mark}"\\\\WEB01\\Processor(_Total)\\% Processor Time"']
    shift = timedelta(hours=8 if zone else 0)
    rows += [f'"{at - shift:%m/%d/%Y %H:%M:%S}.123"{mark}"{value}"' for at, value in cpu["WEB01"]]
    rows += ["Exiting, please wait...", "The command completed successfully.", ""]
    assert _is_read(tmp_path, {"perf.csv": "\r\n".join(rows)}, cpu=cpu)


@pytest.mark.parametrize(
    "counter",
    ["Prozessor(_Total)\\Prozessorzeit (%)", "Processeur(_Total)\\% temps processeur",
     "Procesador(_Total)\\% de tiempo de procesador", "Processore(_Total)\\% Tempo processore"],
)  # fmt: skip
def test_perfmon_speaks_the_languages_of_windows(tmp_path, counter):
    cpu = exports.fleet("WEB01")
    files = {
        name: content.replace("Processor(_Total)\\% Processor Time", counter).encode("cp1252")
        for name, content in exports.EXPORTS["windows_perfmon"](cpu).items()
    }
    assert _is_read(tmp_path, files, cpu=cpu)


def test_lists_that_gcloud_and_scripts_make_are_read(tmp_path):
    cpu = exports.fleet()
    [answer] = exports.EXPORTS["gcp_api"](cpu).values()
    assert _is_read(tmp_path / "gcloud", {"ts.json": json.dumps(json.loads(answer)["timeSeries"])}, cpu=cpu)
    answers = [json.loads(answer) for answer in exports.EXPORTS["azure_monitor"](cpu).values()]
    assert _is_read(tmp_path / "azure", {"all.json": json.dumps(answers)}, cpu=cpu)


def test_zabbix_keys_name_the_mounts(tmp_path):
    [(at, value), *_] = exports.fleet("web-1")["web-1"]
    rows = [f'web-1,"vfs.fs.size[{mount},pused]",{exports.epoch(at)},{value + more}' for mount, more in
            (("/", 0), ("/var", 30))]  # fmt: skip
    panel, _ = exports.read(tmp_path, {"h.csv": "host,key_,clock,value\n" + "\n".join(rows)})
    assert sorted(zip(panel.entity, panel["max"], strict=True)) == [("/", value), ("/var", value + 30)]


def test_a_percentile_in_a_label_is_a_statistic_and_no_server(tmp_path):
    cpu = exports.fleet()
    [content] = exports.EXPORTS["cloudwatch_get_metric_data"](cpu).values()
    results = json.loads(content)["MetricDataResults"]
    results += [one | {"Label": one["Label"] + " p99.9", "Values": [99.0] * len(one["Values"])} for one in results]
    assert _is_read(tmp_path, {"cpu.json": json.dumps({"MetricDataResults": results})}, cpu=cpu)


def test_what_influx_names_by_its_function_alone_may_be_any_field(tmp_path):
    [(_, content)] = exports.influx_v1(exports.fleet()).items()
    with pytest.raises(InputError, match="mean of a field that is not named"):
        exports.read(tmp_path, {"cpu.json": content.replace("mean_usage_idle", "mean")})


def test_datadogs_answer_to_several_queries_does_not_say_which_is_which(tmp_path):
    [(_, content)] = exports.datadog_api_v2(exports.fleet()).items()
    with pytest.raises(InputError, match="ask one by one"):
        exports.read(tmp_path, {"cpu.json": content.replace('"query_index": 0', '"query_index": 1', 1)})
    with pytest.raises(InputError, match="metric"):
        exports.read(tmp_path / "unnamed", {"what-is-it.json": content})


def test_grafanas_series_name_the_metric_or_the_file_does(tmp_path):
    [(_, content)] = exports.grafana_series(exports.fleet("web-1", "web-2")).items()
    with pytest.raises(InputError, match="nothing says what 'Value' measures"):
        exports.read(tmp_path / "unnamed", {"grafana_data_export.csv": content})
    named = content.replace('web-1"', 'web-1 CPU usage"').replace('web-2"', 'web-2 CPU usage"')
    assert _is_read(tmp_path, {"grafana_data_export.csv": named}, cpu=exports.fleet("web-1", "web-2"))


def test_a_total_of_prtg_is_a_cpu_only_beside_its_processors(tmp_path):
    cpu = exports.fleet("web-1")
    [(name, content)] = exports.prtg(cpu).items()
    with pytest.raises(InputError, match="Total"):
        exports.read(tmp_path / "alone", {name: content.replace("Processor 1", "Coverage 1")})
    # 3 February or 2 March: the raw day tells.
    early = exports.fleet("web-1", day="2024-02-03")
    assert _is_read(tmp_path, exports.prtg(early), cpu=early)


def test_azures_maxima_are_no_samples(tmp_path):
    [(name, content)] = exports.azure_portal(exports.fleet()).items()
    with pytest.raises(InputError, match="another statistic"):
        exports.read(tmp_path, {name: content.replace("(Avg)", "(Max)")})


PATHS = {
    "servers.{}.cpu.usage_percent": True, "prod.{}.os.cpu.usage_percent": False, "collectd.{}.cpu-0.cpu-idle": False,
    "servers.{}.cpu.cpu0.usage_percent": False, "servers.{}.loadavg.01": False, "{}.frontend.cpu.usage_percent": False,
    "scale(servers.{}.cpu.usage_percent,2)": False, "{}": True,
}  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", ["json", "csv"])
def test_graphites_paths_name_a_server_for_certain_or_none(tmp_path, path, kind):
    cpu = exports.fleet("web-1", "db-2")
    if kind == "json":
        targets = [
            {"target": path.format(server), "datapoints": [[v, exports.epoch(at)] for at, v in made]}
            for server, made in cpu.items()
        ]
        content = json.dumps(targets)
    else:
        content = "\n".join(
            f'"{path.format(s)}",{at:%Y-%m-%d %H:%M:%S},{v}' for s, made in cpu.items() for at, v in made
        )
    files = {f"{'cpu usage percent' if path == '{}' else 'render'}.{kind}": content}
    if PATHS[path]:
        assert _is_read(tmp_path, files, cpu=cpu)
    else:
        with pytest.raises(InputError):
            exports.read(tmp_path, files)


@pytest.mark.parametrize("unit, factor", [("kbit/s", 8000), ("Mbit/s", 8), ("KByte/s", 1e6 / 1024)])
@pytest.mark.parametrize("mark", [".", ","])
def test_prtgs_traffic_is_the_raw_number_that_what_is_shown_confirms(tmp_path, unit, factor, mark):
    net = {"web-1": [(at, round(v / 10, 4)) for at, v in exports.fleet("web-1")["web-1"]]}
    names = ["Date Time", "Traffic In (Volume)", "Traffic In (Speed)", "Coverage"]
    rows = [",".join(f'"{name}","{name}(RAW)"' for name in names)]
    for at, v in net["web-1"]:
        shown = f"{v * factor:,.2f}".translate(str.maketrans(",.", ".," if mark == "," else ",."))
        rows.append(
            f'"{at:%Y-%m-%d %H:%M:%S}","45335","9 KByte","9216","{shown} {unit}","{v * 1e6:.4f}","100 %","10000"'
        )
    assert _is_read(tmp_path / "right", {"web-1.csv": "\n".join(rows)}, network_in=net)
    with pytest.raises(InputError):
        exports.read(tmp_path / "other", {"web-1.csv": "\n".join(rows).replace(f" {unit}", " requests/s")})


@pytest.mark.parametrize("second", ["5,5", "a-1,a-1", "mean,max", "0,1", "2023,2024"])
def test_a_table_below_a_header_of_one_row_is_no_pivot(tmp_path, second):
    rows = [f"2024-02-13 {hour:02}:00,{hour}.5,{hour}.5" for hour in range(2, 24)]
    text = "\n".join(["time,cpu,memory", "2024-02-13 00:00,5.0,5.0", *rows])
    panel, _ = exports.read(tmp_path / "table", {"web-1.csv": text})
    assert set(panel["server_id"]) == {"web-1"}
    pivot = "\n".join([",cpu,cpu", f",{second}", *rows])
    with pytest.raises(InputError):
        exports.read(tmp_path / "pivot", {"pivot.csv": pivot})


def test_what_is_of_no_host_is_of_no_server(tmp_path):
    [(_, content)] = exports.dynatrace(exports.fleet("web-1")).items()
    with pytest.raises(InputError, match="no server name"):
        exports.read(tmp_path, {"m.csv": content.replace("dt.entity.host", "dt.entity.group")})


def test_the_speed_of_a_card_is_raw_in_prtgs_json(tmp_path):
    net = {"web-1": [(at, round(v / 10, 4)) for at, v in exports.fleet("web-1")["web-1"]]}
    rows = [
        {"datetime": f"{at:%Y-%m-%d %H:%M:%S}", "Traffic In (speed)": v * 1e6, "coverage": "100 %"}
        for at, v in net["web-1"]
    ]
    assert _is_read(tmp_path, {"web-1.json": json.dumps({"prtg-version": "24", "histdata": rows})}, network_in=net)


@pytest.mark.parametrize("last, days", [("00:00:01", ["2024-02-13", "2024-02-14"]), ("05:00:00", ["2024-02-13"])])
def test_sar_may_end_after_midnight_and_not_go_back(tmp_path, last, days):
    clocks = [f"{hour:02}:{minute}:00" for hour in range(24) for minute in ("10", "40")] + [last]
    lines = ["Linux 5.15.0 (web-1) \t2024-02-13 \t_x86_64_\t(4 CPU)", "", "00:00:01     CPU     %user     %idle"]
    lines += [f"{clock}     all     10.00     {50 + place / 10:.2f}" for place, clock in enumerate(clocks)]
    panel, quality = exports.read(tmp_path, {"sar.txt": "\n".join([*lines, "Average:     all     10.00     60.00"])})
    assert panel["ds"].astype(str).tolist() == days and quality["rows"]["quarantined"] == 2 - len(days)


LABELS = [
    "{} CPUUtilization",
    "{} - CPUUtilization",
    "CPUUtilization: {}",
    "{} (CPUUtilization)",
    "{} | CPUUtilization | Average",
]


@pytest.mark.parametrize("label", ["{} CPU usage", "CPU {}", "EC2 • {} • CPUUtilization"])
def test_a_label_of_ones_own_may_name_the_metric_beside_the_server(tmp_path, label):
    cpu = exports.fleet()
    [(name, content)] = exports.EXPORTS["cloudwatch_console"](cpu).items()
    for server in cpu:
        content = content.replace(server, label.format(server))
    assert _is_read(tmp_path, {name: content}, cpu=cpu)


@pytest.mark.parametrize("name", ["cloudwatch_console", "azure_portal"])
def test_a_spreadsheet_may_have_saved_a_chart_with_semicolons(tmp_path, name):
    cpu = exports.fleet()
    [(file, content)] = exports.EXPORTS[name](cpu).items()
    rows = [";".join(cell.replace(".", ",") if cell[:1].isdigit() else cell for cell in row)
            for row in csv.reader(content.splitlines())]  # fmt: skip
    assert _is_read(tmp_path, {file: "\n".join(rows)}, cpu=cpu)


@pytest.mark.parametrize(("zone", "hours"), [("UTC", 0), ("UTC+01:00", 1), ("Europe/Berlin", 1)])
def test_the_zone_in_the_heading_of_a_chart_counts_in_any_layout_of_times(tmp_path, zone, hours):
    cpu = exports.fleet()
    local = [(at + timedelta(hours=hours), value) for at, value in cpu["web-1"]]
    rows = [f'"{at.month}/{at.day}/{at.year}, {at:%I:%M:%S %p}",{value}' for at, value in local]
    files = {"c.csv": "\n".join([f'Timestamp ({zone}),"Percentage CPU (Avg), web-1"', *rows])}
    assert _is_read(tmp_path, files, cpu={"web-1": cpu["web-1"]})


def test_an_index_without_a_name_above_a_column_per_server_is_the_time(tmp_path):
    cpu = exports.fleet()
    rows = [f"{at:%Y-%m-%d %H:%M:%S},{','.join(map(str, values))}" for at, values in exports._across(cpu)]
    assert _is_read(tmp_path, {"cpu.csv": "\n".join([",".join(["", *cpu]), *rows])}, cpu=cpu)


def test_azure_answers_for_several_resources_at_once(tmp_path):
    cpu = exports.fleet()
    answers = [json.loads(content) for content in exports.EXPORTS["azure_monitor"](cpu).values()]
    of_each = [{"starttime": "", "endtime": "", "resourceid": "/x", "value": answer["value"]} for answer in answers]
    assert _is_read(tmp_path, {"batch.json": json.dumps({"values": of_each})}, cpu=cpu)


@pytest.mark.parametrize("label", LABELS)
def test_a_label_of_cloudwatch_may_have_metric_and_marks_beside_the_server(tmp_path, label):
    cpu = exports.fleet()
    [(name, content)] = exports.EXPORTS["cloudwatch_console"](cpu).items()
    for server in cpu:
        content = content.replace(server, label.format(server))
    assert _is_read(tmp_path / "console", {name: content}, cpu=cpu)
    [content] = exports.EXPORTS["cloudwatch_get_metric_data"](cpu).values()
    answer = json.loads(content)
    for one, server in zip(answer["MetricDataResults"], cpu, strict=True):
        one["Label"] = label.format(server)
    assert _is_read(tmp_path, {"cpu.json": json.dumps(answer)}, cpu=cpu)


@pytest.mark.parametrize("expression", ["max:system.cpu.idle{host:a}", "avg:system.cpu.idle{host:a}.rollup(max, 300)"])
def test_datadogs_maxima_are_no_samples(tmp_path, expression):
    [(name, content)] = exports.datadog_api(exports.fleet()).items()
    answer = json.loads(content)
    for one in answer["series"]:
        one["expression"] = expression
    with pytest.raises(InputError, match="another statistic"):
        exports.read(tmp_path, {name: json.dumps(answer)})


def test_what_dynatrace_folds_to_a_maximum_is_no_sample(tmp_path):
    [(name, content)] = exports.dynatrace(exports.fleet()).items()
    with pytest.raises(InputError, match="fold"):
        exports.read(tmp_path, {name: content.replace("builtin:host.cpu.usage", "builtin:host.cpu.usage:fold(max)")})


def test_a_result_that_influx_calls_max_is_no_sample(tmp_path):
    rows = [f",max,0,{exports.iso(at)},{v},used_percent,mem,web-1" for at, v in exports.fleet("web-1")["web-1"]]
    text = "\n".join([",result,table,_time,_value,_field,_measurement,host", *rows])
    with pytest.raises(InputError, match="another statistic"):
        exports.read(tmp_path, {"q.csv": text})
    assert _is_read(tmp_path / "mean", {"q.csv": text.replace(",max,", ",mean,")}, memory=exports.fleet("web-1"))


@pytest.mark.parametrize(
    "labels, read",
    [({"exported_instance": "web-1"}, True), ({"dimension_InstanceId": "web-1", "name": "arn:aws:ec2"}, True),
     ({"vm_name": "web-1"}, True), ({"exported_job": "aws_ec2", "instance_id": "web-1"}, True),
     ({"exported_job": "aws_ec2"}, False)],
)  # fmt: skip
def test_an_exporter_that_speaks_of_other_machines_is_not_one_of_them(tmp_path, labels, read):
    cpu = exports.fleet("web-1")
    series = _matrix({"exporter-7": cpu["web-1"]}, lambda v: v, **labels)
    if read:
        assert _is_read(tmp_path, {"cpu.json": json.dumps(series)}, cpu=cpu)
    else:
        with pytest.raises(InputError, match="no server name"):
            exports.read(tmp_path, {"cpu.json": json.dumps(series)})


@pytest.mark.parametrize("path", ["carbon.agents.{}-a.cpuUsage", "servers.host-1.docker.{}.cpu.usage_percent"])
def test_a_daemons_cpu_is_not_its_servers(tmp_path, path):
    cpu = exports.fleet("web-1")
    rows = [f"{path.format('web-1')},{at:%Y-%m-%d %H:%M:%S},{v}" for at, v in cpu["web-1"]]
    with pytest.raises(InputError):
        exports.read(tmp_path, {"render.csv": "\n".join(rows)})


def test_machines_of_two_scale_sets_are_not_one(tmp_path):
    cpu, files = exports.fleet("web/0", "db/0"), {}
    for place, (server, made) in enumerate(cpu.items()):
        [content] = exports.azure_monitor({"NAME": made}).values()
        resource = f"virtualMachineScaleSets/{server[:-2]}/virtualMachines/0"
        files[f"{place}.json"] = content.replace("virtualMachines/NAME", resource)
    assert _is_read(tmp_path, files, cpu=cpu)


def test_a_field_of_the_line_protocol_may_be_mapped_as_the_message_says(tmp_path):
    cpu = exports.fleet()
    lines = [f"app,host={server} busy_share={v},used_percent=1 {exports.epoch(at)}000000000"
             for server, made in cpu.items() for at, v in made]  # fmt: skip
    files = {"m.txt": "\n".join(lines)}
    with pytest.raises(InputError, match="map others under `columns`"):
        exports.read(tmp_path / "not", files)
    panel, quality = exports.read(tmp_path, files, 'columns: {"app busy_share": cpu}')
    assert exports.is_right(panel, quality, cpu=cpu)


def test_prtg_shows_what_is_below_one_percent_so_and_gives_it_raw(tmp_path):
    idle = {"web-1": [(at, round(v / 50, 4)) for at, v in exports.fleet("web-1")["web-1"]]}
    [(name, content)] = exports.prtg(idle).items()
    shown = content.replace('"1 %"', '"< 1 %"').replace('"0 %"', '"< 1 %"')
    assert '"< 1 %"' in shown
    assert _is_read(tmp_path, {name: shown}, cpu=idle)


@pytest.mark.parametrize("layout", ["%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M", "%m/%d/%Y %I:%M %p"])
def test_perfmons_zone_holds_also_where_a_spreadsheet_wrote_the_times_again(tmp_path, layout):
    cpu = exports.fleet("WEB01")
    rows = ["(PDH-CSV 4.0) (Pacific Standard Time)(480);\\\\WEB01\\Processor(_Total)\\% Processor Time"]
    rows += [f"{at - timedelta(hours=8):{layout}};{value}" for at, value in cpu["WEB01"]]
    assert _is_read(tmp_path, {"perf.csv": "\n".join(rows)}, cpu=cpu)


POD = {"pod": "kps-prometheus-node-exporter-x7", "container": "node-exporter", "namespace": "monitoring"}


@pytest.mark.parametrize("name", ["node_cpu_utilization_percent", ""])
def test_the_pod_of_a_machines_exporter_is_not_the_machine(tmp_path, name):
    cpu = exports.fleet()
    series = _matrix(cpu, str, __name__=name, **POD)
    assert _is_read(tmp_path / "json", {"cpu.json": json.dumps(series)}, cpu=cpu)
    rows = ["timestamp,instance,pod,container,cpu_percent"]
    rows += [f"{exports.iso(at)},{server},{POD['pod']},{POD['container']},{v}" for server, made in cpu.items()
             for at, v in made]  # fmt: skip
    assert _is_read(tmp_path / "csv", {"a.csv": "\n".join(rows)}, cpu=cpu)


def test_a_quantile_in_a_label_or_column_is_a_statistic(tmp_path):
    cpu = exports.fleet()
    answer = _matrix(cpu, str, __name__="node_cpu_utilization_percent", quantile="0.99")
    with pytest.raises(InputError, match="another statistic"):
        exports.read(tmp_path / "json", {"range.json": json.dumps(answer)})
    for heading, cell in (("quantile", "0.5"), ("percentile", "99"), ("Percentile", "p99")):
        rows = [f"timestamp,host,{heading},cpu"]
        rows += [f"{exports.iso(at)},{server},{cell},{v}" for server, made in cpu.items() for at, v in made]
        with pytest.raises(InputError, match="not what was measured on average"):
            exports.read(tmp_path / cell, {"a.csv": "\n".join(rows)})


def _telegrafs_memory(memory):
    """Of each moment what is used and what is available, which are not all: caches are in between."""
    rows = [(server, at, v, round(97 - v, 4)) for server, made in memory.items() for at, v in made]
    fields = "used_percent={},available_percent={}"
    of_host = [{"name": "mem", "tags": {"host": server}, "columns": ["time", "available_percent", "used_percent"],
                "values": [[exports.iso(at), round(97 - v, 4), v] for at, v in made]}
               for server, made in memory.items()]  # fmt: skip
    records = [{"fields": {"available_percent": free, "used_percent": v, "free": 12}, "name": "mem",
                "tags": {"host": server}, "timestamp": exports.epoch(at)} for server, at, v, free in rows]  # fmt: skip
    return {
        "m.csv": "timestamp,measurement,host,available_percent,used_percent\n"
                 + "\n".join(f"{exports.epoch(at)},mem,{server},{free},{v}" for server, at, v, free in rows),
        "prefixed.csv": "timestamp,measurement,tag_host,field_available_percent,field_used_percent\n"
                        + "\n".join(f"{exports.epoch(at)},mem,{server},{free},{v}" for server, at, v, free in rows),
        "m.txt": "\n".join(f"mem,host={server} {fields.format(v, free)} {exports.epoch(at)}000000000"
                           for server, at, v, free in rows),
        "m.json": "\n".join(map(json.dumps, records)),
        "batch.json": "\n".join(json.dumps({"metrics": records[place : place + 7]})
                                for place in range(0, len(records), 7)),
        "v1.json": json.dumps({"results": [{"series": of_host}]}),
        "shell.csv": "name,tags,time,available_percent,used_percent\n"
                     + "\n".join(f"mem,host={server},{exports.epoch(at)},{free},{v}" for server, at, v, free in rows),
        "pivot.csv": ",result,table,_time,_measurement,host,available_percent,used_percent\n"
                     + "\n".join(f",,0,{exports.iso(at)},mem,{server},{free},{v}" for server, at, v, free in rows),
    }  # fmt: skip


@pytest.mark.parametrize("name", _telegrafs_memory({}))
def test_of_what_is_used_and_what_is_available_in_one_record_the_used_counts(tmp_path, name):
    memory = exports.fleet()
    assert _is_read(tmp_path, {name: _telegrafs_memory(memory)[name]}, memory=memory)


def test_a_field_that_the_settings_map_is_read_beside_those_that_are_understood(tmp_path):
    [(name, content)] = exports.telegraf(exports.fleet()).items()
    panel, _ = exports.read(tmp_path, {name: content}, "columns: {usage_user: memory}")
    assert set(panel["metric"]) == {"cpu", "memory"}


def test_telegraf_on_windows_names_counters(tmp_path):
    cpu = exports.fleet()
    lines = [
        f"win_cpu,host={server},instance={part},objectname=Processor Percent_Idle_Time={100 - v + more:.4f},"
        f"Percent_User_Time=1 {exports.epoch(at)}000000000"
        for server, made in cpu.items() for at, v in made for part, more in (("_Total", 0), ("0", 1), ("1", -1))
    ]  # fmt: skip
    assert _is_read(tmp_path, {"m.txt": "\n".join(lines)}, cpu=cpu)


def test_a_dump_of_influx_has_lines_in_front(tmp_path):
    cpu = exports.fleet()
    head = "# INFLUXDB EXPORT: a - b\n# DDL\nCREATE DATABASE telegraf WITH NAME autogen\n# DML\nswap in=1 1707782400\n"
    [(_, content)] = exports.influx_line(cpu).items()
    assert _is_read(tmp_path, {"dump.txt": head + content}, cpu=cpu)


def test_a_table_of_telegrafs_cpu_may_leave_its_measurement_out(tmp_path):
    cpu = exports.fleet()
    rows = ["cpu,host,time,usage_idle,usage_user"]
    rows += [f"cpu-total,{s},{at:%Y-%m-%dT%H:%M:%S},{100 - v:.4f},1" for s, made in cpu.items() for at, v in made]
    assert _is_read(tmp_path, {"query.csv": "\n".join(rows)}, cpu=cpu)


def test_what_prtg_gives_raw_in_json_is_not_rounded(tmp_path):
    cpu = exports.fleet("web-1")
    rows = [{"datetime": f"{at:%Y-%m-%d %H:%M:%S}", "Total": f"{v:.0f} %", "Total_raw": v, "Processor 1": "3 %",
             "coverage": "100 %"} for at, v in cpu["web-1"]]  # fmt: skip
    assert _is_read(tmp_path, {"web-1.json": json.dumps({"histdata": rows})}, cpu=cpu)


@pytest.mark.parametrize("label", [{"type": "user"}, {"kind": "iowait"}, {"le": "0.5"}])
def test_a_label_may_say_that_a_series_is_a_part_or_a_bucket(tmp_path, label):
    answer = _matrix(exports.fleet(), str, __name__="node_cpu_utilization_percent", **label)
    with pytest.raises(InputError, match="not known to be a utilization"):
        exports.read(tmp_path, {"range.json": json.dumps(answer)})
