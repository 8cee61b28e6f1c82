"""What names mean: headings and metrics of tools."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroom.intake.words.meaning import Meaning, Unclear, meaning_of


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
        ("system.cpu.idle", "cpu", 1, True), ("(100 - system.cpu.idle)", "cpu", 1, False),
        ("100 - avg:system.cpu.idle{*} by {host}", "cpu", 1, False),
        ("1 - system.mem.pct_usable", "memory", 100, False),
        ("100 - CPU usage [%]", "cpu", 1, True), ("aws.ec2.cpuutilization", "cpu", 1, False),
        ("LogicalDisk % Free Space", "disk", 1, True), ("NETWORK_IN", "network_in", 1, False),
        ("Netzwerk eingehend (MB/s)", "network_in", 1, False), ("Speicherplatz belegt (%)", "disk", 1, False),
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


@given(st.text(), st.text(max_size=10))
def test_no_name_is_a_surprise(name, unit):
    meaning_of(name, unit)


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


@pytest.mark.parametrize("name", ["disk idle %", "Disk Active (%)", "disk_busy_percent", "disk active"])
def test_how_busy_a_disk_is_is_not_how_full_it_is(name):
    assert isinstance(meaning_of(name), Unclear)


def test_what_ends_in_pct_is_a_share_in_elastics_names_and_not_said_elsewhere():
    assert meaning_of("system.cpu.total.norm.pct").factor == 100
    assert not meaning_of("cpu.pct").certain and meaning_of("cpu_pct").certain


def test_bits_per_second_are_certain_where_the_name_says_bits():
    found = meaning_of("Interface eth0: Bits received", "bps")
    assert (found.metric, found.entity) == ("network_in", "eth0") and found.factor == pytest.approx(1 / 8e6)
    assert meaning_of("Network|Data Receive Rate (KBps)").factor == pytest.approx(1e-3)
    assert isinstance(meaning_of("network received", "bps"), Unclear)
