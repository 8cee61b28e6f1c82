"""Which headings mean what."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroom.core.settings import CanonicalColumn
from headroom.intake.layout import canonical_column, places_of, server_from_name


@pytest.mark.parametrize(
    "heading, column",
    [
        ("timestamp", "timestamp"), (" Time ", "timestamp"), ("Timestamp [ms]", "timestamp"),
        ("DateTime (UTC)", "timestamp"), ("ds", "timestamp"), ("Date", "timestamp"), ("host", "server_id"),
        ("HostName", "server_id"), ("Instance-ID", "server_id"), ("Server Name", "server_id"), ("VM", "server_id"),
        ("device_id", "server_id"), ("cpu", "cpu"), ("CPU_P95", "cpu"), ("cpu_utilization", "cpu"),
        ("cpu_percent", "cpu"), ("CPU usage [%]", "cpu"), ("CPUUtilization", "cpu"), ("CPU usage [MHZ]", None),
        ("cpu_load", None), ("cpu cores", "vcpus"), ("memory", "memory"), ("mem", "memory"),
        ("Memory utilization (%)", "memory"), ("mem_used_percent", "memory"), ("mem_used", None),
        ("Memory usage [KB]", None), ("disk_used_percent", "disk"), ("Disk read throughput [KB/s]", None),
        ("network_in", "network_in"), ("net_out_p95", "network_out"), ("Network in [MB/s]", "network_in"),
        ("Network in [Mb/s]", None), ("net_in_mbps", None), ("Network in (KB/s)", None),
        ("Business Unit", "business_unit"), ("instance type", "instance_type"),
        ("monthly_cost_usd", "monthly_cost_usd"), ("note", None), ("", None), ("%", None),
    ],
)  # fmt: skip
def test_headings_are_understood_with_case_white_space_and_units(heading, column):
    assert canonical_column(heading, {}) == column


def test_what_the_settings_say_about_a_column_comes_first():
    mapping = {"CPU usage [MHZ]": "cpu", "cpu": "value"}
    assert canonical_column("cpu usage  [mhz]", mapping) == "cpu"
    assert canonical_column("CPU", mapping) == "value"


def test_of_several_columns_that_fit_the_mapped_one_wins_then_the_exact_name_then_the_first():
    assert places_of(["cpu_p95", "cpu", "cpu ready"], {"cpu ready": "cpu"}) == {"cpu": 2}
    assert places_of(["cpu_p95", "cpu"], {}) == {"cpu": 1}
    assert places_of(["cpu_p95", "cpu_percent"], {}) == {"cpu": 0}


@pytest.mark.parametrize(
    "file, server",
    [("web-1.csv", "web-1"), ("a/b/web-1.prod.csv.gz", "web-1.prod"), ("DB.CSV", "DB"), ("x.parquet", "x"),
     ("plain", "plain"), (".csv", ".csv")],
)  # fmt: skip
def test_a_file_without_a_server_column_is_about_the_server_it_is_named_after(file, server):
    assert server_from_name(file) == server


@given(st.text())
def test_no_heading_is_a_surprise(heading):
    assert canonical_column(heading, {"x": "cpu"}) in (None, *get_args(CanonicalColumn))
