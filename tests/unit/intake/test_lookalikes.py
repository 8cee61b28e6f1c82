"""What looks like a server, a zone or a metric of ours and is none: read right, or refused."""

import gzip
import json

import exports
import pytest

from headroom.core.job import InputError

CPU = exports.fleet("web-1", "db-2")
ONE = exports.fleet("web-1")


def wide(cpu, head="timestamp,server_id,cpu", cell=lambda server: server, shift=0, layout="%Y-%m-%d %H:%M", more=""):
    rows = [head]
    for server, made in cpu.items():
        for at, value in made:
            rows.append(f"{at + exports.timedelta(minutes=shift):{layout}},{cell(server)},{value}{more}")
    return "\n".join(rows)


@pytest.mark.parametrize(
    "heading, minutes",
    [("Time (UTC +1)", 60), ("Time [GMT -5]", -300), ("Timestamp (+05:30)", 330), ("Time (UTC+05:30)", 330),
     ("Time (yyyy-mm-dd hh:mm)", 0), ("Time (seconds since epoch)", 0)],
)  # fmt: skip
def test_an_offset_in_a_heading_is_understood(tmp_path, heading, minutes):
    panel, quality = exports.read(tmp_path, {"a.csv": wide(CPU, f"{heading},host,cpu", shift=minutes)})
    assert exports.is_right(panel, quality, cpu=CPU)


@pytest.mark.parametrize(
    "heading", ["Time (Central European Time)", "Time (EST5EDT)", "Time (New York)", "Time (CET / UTC+1)", "Time (+1h)"]
)
def test_a_zone_in_a_heading_that_is_not_certain_is_refused(tmp_path, heading):
    with pytest.raises(InputError, match="can mean several"):
        exports.read(tmp_path, {"a.csv": wide(CPU, f"{heading},host,cpu", shift=60)})


def test_a_zone_above_the_header_or_in_a_column_holds(tmp_path):
    table = wide(CPU, shift=60)
    panel, quality = exports.read(tmp_path / "a", {"a.csv": f"Report\nTime zone: Europe/Berlin\n{table}"})
    assert exports.is_right(panel, quality, cpu=CPU)
    with pytest.raises(InputError, match="can mean several"):
        exports.read(tmp_path / "b", {"a.csv": f"All times in CET\n{table}"})
    columned = wide(CPU, "timestamp,server_id,cpu,zone", shift=60, more=",Europe/Berlin")
    panel, quality = exports.read(tmp_path / "c", {"a.csv": columned})
    assert exports.is_right(panel, quality, cpu=CPU)
    panel, quality = exports.read(
        tmp_path / "d", {"a.csv": wide(CPU, "timestamp,server_id,cpu,zone", more=",eu-west-1a")}
    )
    assert exports.is_right(panel, quality, cpu=CPU)


def test_a_zone_that_a_line_says_below_the_rows_holds(tmp_path):
    table, line = wide(CPU, shift=60), "Times are in Europe/Berlin,,"
    below = f"{table}\n\n{line}\nNote;the machines of the web team\n"
    for name, text in {"a.csv": below, "a.csv.gz": gzip.compress(f"{table}\n{line}".encode())}.items():
        panel, quality = exports.read(tmp_path / name, {name: text})
        assert exports.is_right(panel, quality, cpu=CPU)


def test_a_zone_beside_the_rows_that_is_not_certain_is_refused_unless_it_does_not_matter(tmp_path):
    line = "Report of 2024-02-13 (GMT+02:00)"
    with pytest.raises(InputError, match="timezone: Europe/Berlin"):
        exports.read(tmp_path / "unclear", {"a.csv": f"{wide(CPU)}\n{line}"})
    panel, quality = exports.read(
        tmp_path / "said", {"a.csv": f"{wide(CPU, shift=60)}\n{line}"}, "timezone: Europe/Berlin"
    )
    assert exports.is_right(panel, quality, cpu=CPU)
    panel, quality = exports.read(tmp_path / "own", {"a.csv": f"{wide(CPU, layout='%Y-%m-%dT%H:%M:%SZ')}\n{line}"})
    assert exports.is_right(panel, quality, cpu=CPU)


def test_a_zone_below_the_rows_of_an_export_holds(tmp_path):
    cpu = exports.fleet("web-1", "db-2")
    later = {server: [(at + exports.timedelta(hours=1), v) for at, v in made] for server, made in cpu.items()}
    [(name, text)] = exports.grafana_joined(later).items()
    panel, quality = exports.read(tmp_path, {name: f"{text.rstrip()}\nTimes are in Europe/Berlin"})
    assert exports.is_right(panel, quality, cpu=cpu)


def test_of_a_local_time_and_an_epoch_the_epoch_counts(tmp_path):
    rows = ["Time,Epoch,host,cpu"]
    for server, made in CPU.items():
        for at, value in made:
            local = at - exports.timedelta(hours=5)
            rows.append(f"{local:%Y-%m-%d %H:%M:%S},{exports.epoch(at)},{server},{value}")
    panel, quality = exports.read(tmp_path, {"a.csv": "\n".join(rows)})
    assert exports.is_right(panel, quality, cpu=CPU)


def test_a_date_that_stands_in_its_first_row_only_is_refused(tmp_path):
    rows = ["date,time,host,cpu"]
    for server, made in CPU.items():
        rows += [f"{at:%Y-%m-%d},{at:%H:%M},{server},{value}" if not n else f",{at:%H:%M},{server},{value}"
                 for n, (at, value) in enumerate(made)]  # fmt: skip
    with pytest.raises(InputError, match="have no date"):
        exports.read(tmp_path, {"a.csv": "\n".join(rows)})


@pytest.mark.parametrize(
    "name",
    ["Grand Total", "Durchschnitt", "Moyenne", "Maximum", "All servers", "Total:", "合計", "95th percentile",
     "Gesamtergebnis",
     "Total général", "Totale complessivo", "Общий итог", "Total (2)", "Average of 2 servers", "Σ", "OTHER"],
)  # fmt: skip
def test_a_row_of_all_servers_is_no_server(tmp_path, name):
    panel, _ = exports.read(tmp_path, {"a.csv": wide({**CPU, name: CPU["web-1"]})})
    assert set(panel["server_id"]) == set(CPU)


@pytest.mark.parametrize("name", ["null", "None", "NaN", "n/a", "-", "undefined", "<NA>", "(null)", "#N/A"])
def test_what_programs_write_for_no_name_is_no_server(tmp_path, name):
    panel, quality = exports.read(tmp_path, {"a.csv": wide({**CPU, name: CPU["web-1"]})})
    assert set(panel["server_id"]) == set(CPU)
    assert "no server name" in quality["reasons"][0]["reason"]


@pytest.mark.parametrize(
    "heading, parts", [("device", ("sda1", "sdb1")), ("name", ("/", "/var")), ("instance", ("C:", "D:"))]
)
def test_disks_under_a_name_that_servers_have_too_are_no_servers(tmp_path, heading, parts):
    rows = [f"timestamp,{heading},disk_used_percent"]
    rows += [f"{exports.iso(at)},{part},{value}" for part in parts for at, value in ONE["web-1"]]
    try:
        panel, _ = exports.read(tmp_path, {"web-1.csv": "\n".join(rows)})
    except InputError:
        return
    assert set(panel["server_id"]) == {"web-1"}


def test_applications_of_one_host_at_moments_of_their_own_are_parts_of_it(tmp_path):
    rows = ["timestamp,host,application,cpu %"]
    for at, value in ONE["web-1"]:
        rows += [f"{exports.iso(at)},web-1,shop,{value}",
                 f"{exports.iso(at + exports.timedelta(seconds=7))},web-1,proxy,{value / 3:.2f}"]  # fmt: skip
    with pytest.raises(InputError, match="parts of 'web-1'"):
        exports.read(tmp_path, {"a.csv": "\n".join(rows)})


@pytest.mark.parametrize("heading", ["disk_util_percent", "Disk Util %", "disk_active_pct", "diskUtilizationPercent"])
def test_the_time_that_a_disk_is_busy_is_not_how_full_it_is(tmp_path, heading):
    with pytest.raises(InputError):
        exports.read(tmp_path, {"a.csv": wide(CPU, f"timestamp,host,{heading}")})


@pytest.mark.parametrize(
    "parts", [("cpu0", "cpu1"), ("cpu-0", "cpu-1"), ("2024-02-13", "2024-02-14"), ("web-1", "limit-80")]
)
def test_parts_days_and_limits_beside_a_panels_time_are_no_servers(tmp_path, parts):
    rows = [f"Time,{','.join(parts)}"]
    rows += [f"{at:%Y-%m-%d %H:%M:%S},{value},{value / 2:.2f}" for at, value in ONE["web-1"]]
    with pytest.raises(InputError):
        exports.read(tmp_path, {"CPU usage-data-2024-02-15 09_00_00.csv": "\n".join(rows)})


@pytest.mark.parametrize(
    "document",
    [lambda records: {"host": "web-1", "period": "1h", "samples": records}, lambda records: {"web-1": records},
     lambda records: {"meta": {"host": "web-1"}, "data": records},
     lambda records: [{"time": one["time"], "host": "web-1", "cpu": {"usage": one["cpu"], "cores": 8}}
                      for one in records]],
    ids=["beside", "key", "meta", "nested"],
)  # fmt: skip
def test_json_may_name_its_server_once_for_all_records(tmp_path, document):
    records = [{"time": exports.iso(at), "cpu": value} for at, value in ONE["web-1"]]
    panel, quality = exports.read(tmp_path, {"fleet_q1.json": json.dumps(document(records))})
    assert exports.is_right(panel, quality, cpu=ONE)


def test_one_container_is_not_its_host(tmp_path):
    series = {"metric": {"instance": "web-1:9100", "container": "shop"},
              "values": [[exports.epoch(at), str(value)] for at, value in ONE["web-1"]]}  # fmt: skip
    with pytest.raises(InputError):
        exports.read(tmp_path, {"cpu.json": json.dumps({"data": {"resultType": "matrix", "result": [series]}})})


@pytest.mark.parametrize(
    "offset, minutes", [("+330", None), ("-480", None), ("+15", None), ("+05:30", 330), ("-13", -780)]
)
def test_minutes_that_a_column_counts_from_utc_are_not_taken_for_hours(tmp_path, offset, minutes):
    files = {"a.csv": wide(CPU, "timestamp,server_id,cpu,utc_offset", shift=minutes or 0, more=f",{offset}")}
    if minutes is None:
        with pytest.raises(InputError, match="can mean several"):
            exports.read(tmp_path, files)
    else:
        panel, quality = exports.read(tmp_path, files)
        assert exports.is_right(panel, quality, cpu=CPU)


def test_a_guest_is_not_its_host(tmp_path):
    rows = [f"{exports.iso(at)},esx-{server},{server},{value}" for server, made in CPU.items() for at, value in made]
    panel, quality = exports.read(tmp_path / "guest", {"a.csv": "\n".join(["time,Host,Guest,CPU [%]", *rows])})
    assert exports.is_right(panel, quality, cpu=CPU)
    for heads in ("time,Host,VM,Host CPU [%]", "time,node,pod,node_cpu_percent"):
        with pytest.raises(InputError, match="is of the host, and the rows are of what runs there"):
            exports.read(tmp_path / heads[5:9], {"a.csv": "\n".join([heads, *rows])})


@pytest.mark.parametrize(
    "heading, cell", [("name", "user"), ("stat", "system"), ("Function", "max"), ("agg", "Minimum")]
)
def test_what_a_column_says_of_its_rows_is_heard_under_more_headings(tmp_path, heading, cell):
    with pytest.raises(InputError, match="its rows are"):
        exports.read(tmp_path, {"a.csv": wide(CPU, f"timestamp,server_id,cpu,{heading}", more=f",{cell}")})


def test_numbers_may_be_names_of_several_servers(tmp_path):
    rows = [f"{at + exports.timedelta(minutes=number):%Y-%m-%d %H:%M},{1000 + number},{value}"
            for number, made in enumerate(CPU.values()) for at, value in made]  # fmt: skip
    panel, _ = exports.read(tmp_path / "name", {"rack-7.csv": "\n".join(["timestamp,Name,cpu", *rows])})
    assert panel["server_id"].tolist() == ["1000", "1001"]
    for heading in ("id", "itemid"):
        with pytest.raises(InputError, match=f"{heading}: server_id"):
            exports.read(tmp_path / heading, {"rack-7.csv": "\n".join([f"timestamp,{heading},cpu", *rows])})


def test_a_model_is_no_metric(tmp_path):
    table = wide(CPU, "timestamp,server_id,cpu usage,Processor", more=",Intel Xeon")
    panel, quality = exports.read(tmp_path, {"a.csv": table})
    assert exports.is_right(panel, quality, cpu=CPU)


@pytest.mark.parametrize("heading", ["COMMAND", "Container ID"])
def test_the_busiest_process_or_container_is_not_its_server(tmp_path, heading):
    rows = [f"2024-02-13 {hour:02}:00,a,{('java', 'mysqld')[hour % 2]},{hour}.5" for hour in range(24)]
    with pytest.raises(InputError, match=f"by '{heading}'"):
        exports.read(tmp_path, {"top.csv": "\n".join([f"time,host,{heading},%CPU", *rows])})


def test_of_two_tables_side_by_side_each_has_its_own_times(tmp_path):
    def text(shift):
        rows = [f"2024-02-13 {hour:02}:00,{hour}.5,2024-02-13 {(hour + shift) % 24:02}:00,50.5" for hour in range(24)]
        return "\n".join(["Time,CPU (%),Time,Memory (%)", *rows])

    with pytest.raises(InputError, match="two columns are called 'Time' and differ"):
        exports.read(tmp_path / "other", {"web-1.csv": text(12)})
    panel, _ = exports.read(tmp_path, {"web-1.csv": text(0)})
    assert panel["metric"].tolist() == ["cpu", "memory"]


@pytest.mark.parametrize(
    "heading, value", [("cpu", "usage_pct"), ("Processor", "Utilization (%)"), ("CPU Index", "cpu [%]")]
)
def test_the_number_of_a_core_is_not_its_usage(tmp_path, heading, value):
    with pytest.raises(InputError):
        exports.read(tmp_path, {"a.csv": wide(CPU, f"timestamp,server_id,{value},{heading}", more=",0")})
