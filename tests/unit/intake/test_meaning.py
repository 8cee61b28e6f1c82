"""What names mean: headings, metrics of tools, names of files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroom.intake.meaning import Meaning, Unclear, meaning_of, of_file


@pytest.mark.parametrize(
    "name, metric",
    [
        ("cpu", "cpu"), ("CPU_P95", "cpu"), ("cpu_utilization", "cpu"), ("cpu_percent", "cpu"),
        ("CPU usage [%]", "cpu"),
        ("CPUUtilization", "cpu"), ("Percentage CPU (Avg)", "cpu"), ("cpuPercent", "cpu"), ("CPU%", "cpu"),
        ("node:cpu_util:pct", "cpu"), ("CPU-Auslastung (%)", "cpu"), ("cpu|usage_average", "cpu"), ("memory", "memory"),
        ("mem", "memory"), ("Memory utilization (%)", "memory"), ("mem_used_percent", "memory"),
        ("memoryUsedPercent", "memory"), ("disk_used_percent", "disk"), ("Disk Space|Usage (%)", "disk"),
        ("disk /var [%]", "disk"), ("network_in", "network_in"), ("net_out_p95", "network_out"),
        ("Network in [MB/s]", "network_in"), ("network_out_mb_s", "network_out"),
        ("Speicherauslastung (%)", "memory"), ("Datenträgerauslastung (%)", "disk"), ("CPU使用率 (%)", "cpu"),
        ("メモリ使用率 (%)", "memory"), ("Uso de disco (%)", "disk"), ("Utilisation mémoire (%)", "memory"),
        ("Schijfgebruik (%)", "disk"), ("CPU Load [%]", "cpu"),
    ],
)  # fmt: skip
def test_headings_are_understood_with_case_white_space_and_units(name, metric):
    found = meaning_of(name)
    assert isinstance(found, Meaning) and (found.metric, found.factor, found.free) == (metric, 1.0, False)


@pytest.mark.parametrize(
    "name, metric, factor, free",
    [
        ("CPU utilization [ratio]", "cpu", 100, False), ("cpu_idle", "cpu", 1, True),
        ("mem_available_percent", "memory", 1, True), ("avg:system.cpu.idle{*} by {host}", "cpu", 1, True),
        ("system.cpu.idle", "cpu", 1, True),
        ("system.mem.pct_usable", "memory", 100, True), ("vm.memory.size[pavailable]", "memory", 1, True),
        ("compute.googleapis.com/instance/cpu/utilization", "cpu", 100, False), ("cpu %idle", "cpu", 1, True),
        ("Network in (KB/s)", "network_in", 1e-3, False), ("Network Out [bit/s]", "network_out", 1.25e-7, False),
    ],
)  # fmt: skip
def test_shares_rates_and_what_is_free_become_our_units(name, metric, factor, free):
    found = meaning_of(name)
    assert isinstance(found, Meaning)
    assert (found.metric, found.free) == (metric, free) and found.factor == pytest.approx(factor)


@pytest.mark.parametrize(
    "name",
    [
        "CPU usage [MHZ]", "cpu_load", "cpu_total", "CPU(cores)", "mem_used", "memory_free", "Memory usage [KB]",
        "Disk read throughput [KB/s]", "Network in [Mb/s]", "net_in_mbps", "NetworkIn", "Network In", "disk_util",
        "disk.usage.average", "CPU usage (avg) [MHz]", "disk_iops", 
        "cpu_ready", "cpu_system", "cpu_temperature", "system.cpu.util",
    ],
)  # fmt: skip
def test_what_could_be_something_else_is_not_read_and_the_reason_is_said(name):
    found = meaning_of(name)
    assert isinstance(found, Unclear) and found.reason


@pytest.mark.parametrize(
    "name", ["gpu_utilization", "DatabaseConnections", "node_load1", "temperature", "note", "", "%"]
)
def test_other_metrics_are_none_of_ours(name):
    assert meaning_of(name) is None


def test_a_unit_beside_the_name_decides():
    assert isinstance(meaning_of("memory", "GB"), Unclear) and isinstance(meaning_of("cpu", "cores"), Unclear)
    assert meaning_of("NetworkIn", "Bytes/Second").factor == pytest.approx(1e-6)
    assert isinstance(meaning_of("NetworkIn", "Bytes"), Unclear)
    assert meaning_of("memory", "ratio").factor == 100
    assert isinstance(meaning_of("cpu [%]", "ratio"), Unclear), "they contradict each other"


@pytest.mark.parametrize(
    "file, server, metric",
    [
        ("web-1.csv", "web-1", None), ("a/b/web-1.prod.csv.gz", "web-1.prod", None), ("DB.CSV", "DB", None),
        ("x.parquet", "x", None), ("plain", "plain", None), (".csv", "", None), ("web-1_cpu.csv", "web-1", "cpu"),
        ("web-1/cpu.csv", "web-1", "cpu"), ("2024-02/web-1/memory.csv", "web-1", "memory"),
        ("web-1/CPU usage-data-2024-02-05 09_12_33.csv", "web-1", "cpu"), ("CPU-data-2024-02-05.csv", "", "cpu"),
        ("ec2_cpu_utilization_24ae8d.csv", "ec2_cpu_utilization_24ae8d", "cpu"), ("export.csv", "", None),
        ("queue_depth.csv", "queue_depth", None), ("temperature_rack7.csv", "temperature_rack7", None),
    ],
)  # fmt: skip
def test_a_files_name_says_the_server_and_perhaps_the_metric(file, server, metric):
    found = of_file(file)
    assert (found.server, getattr(found.meaning, "metric", None)) == (server, metric)


@given(st.text(), st.text(max_size=10))
def test_no_name_is_a_surprise(name, unit):
    meaning_of(name, unit)
    of_file(name)


@pytest.mark.parametrize(
    "key, mount",
    [("vfs.fs.size[/var,pused]", "/var"), ("vfs.fs.size[/mnt/a,b,pused]", "/mnt/a,b"),
     ('vfs.fs.size["/mnt/A,b",pused]', "/mnt/A,b"), ("vfs.fs.size[C:,pfree]", "C:")],
)  # fmt: skip
def test_zabbix_names_the_mount_as_a_whole(key, mount):
    assert meaning_of(key).entity == mount


@pytest.mark.parametrize(
    "name",
    [
        "CPU Leerlauf (%)", "CPU inactif (%)", "CPU inactiva (%)", "CPU inattiva (%)", "CPU inactief (%)",
        "CPU ociosa (%)", "CPU アイドル率 (%)", "CPU空闲率(%)", "CPU headroom %", "CPU left %", "CPU unutilized %",
        "CPU not used %", "CPU remaining (%)", "CPU disponibile (%)", "Nicht genutzte CPU (%)", "CPU non utilisé (%)",
        "CPU no usada (%)", "CPU não usada (%)", "CPU 未使用率 (%)", "CPU Usage (% idle)", "avg(cpu_idle)",
        "CPU usage - idle", "cpu usage inverse %",
    ],
)  # fmt: skip
def test_what_is_left_is_never_taken_for_what_is_used(name):
    found = meaning_of(name)
    assert not isinstance(found, Meaning) or found.free


@pytest.mark.parametrize(
    "name",
    [
        "cpu % (of one core)", "CPU % of limit", "CPU wait %", "CPU throttled %", "cpu forecast %", "CPU threshold (%)",
        "CPU Contention (%)", "CPU Demand (%)", "CPU reserved %", "memory cached %", "memory active %", "swap used %",
        "pagefile usage %", "Memory Balloon %", "disk busy %", "disk time %", "inode usage %", "disk cache hit %",
        "CPU (‰)", "network_in (Mbit)", "Network in (MB/min)", "net_in MB per 5 min", "GPU memory usage %",
    ],
)  # fmt: skip
def test_what_has_the_word_and_is_another_thing_is_not_read(name):
    assert not isinstance(meaning_of(name), Meaning)


def test_a_function_of_sql_is_the_statistic():
    assert meaning_of("avg(cpu_percent)") == Meaning("cpu", certain=True, statistic="avg")
    assert meaning_of("MAX(cpu)") == Meaning("cpu", statistic="max")
