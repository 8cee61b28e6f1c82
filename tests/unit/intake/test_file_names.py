"""What files' names and folders say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroom.intake.file_names import of_file, undated


@pytest.mark.parametrize(
    "file, server, metric",
    [
        ("web-1.csv", "web-1", None), ("a/b/web-1.prod.csv.gz", "web-1.prod", None), ("DB.CSV", "DB", None),
        ("x.parquet", "x", None), ("plain", "plain", None), (".csv", ".csv", None), ("web-1_cpu.csv", "web-1", "cpu"),
        ("web-1/cpu.csv", "web-1", "cpu"), ("2024-02/web-1/memory.csv", "web-1", "memory"),
        ("web-1/CPU usage-data-2024-02-05 09_12_33.csv", "web-1", "cpu"), ("CPU-data-2024-02-05.csv", "", "cpu"),
        ("ec2_cpu_utilization_24ae8d.csv", "ec2_cpu_utilization_24ae8d", "cpu"), ("export.csv", "", None),
        ("queue_depth.csv", "queue_depth", None), ("temperature_rack7.csv", "temperature_rack7", None),
        ("web-1-2024-02-05.csv", "web-1", None), ("20240205_web-1.csv.gz", "web-1", None),
        ("web-1_2024-02-05-0015.csv", "web-1", None), ("srv-10042233.csv", "srv-10042233", None),
        ("srv-20991399.csv", "srv-20991399", None), ("2024-02-05.csv", "2024-02-05", None),
        ("cpu/web-1.csv", "web-1", "cpu"), ("2024-02-05/web-1.csv", "web-1", None), ("grafana.csv", "", None),
    ],
)  # fmt: skip
def test_a_files_name_says_the_server_and_perhaps_the_metric(file, server, metric):
    found = of_file(file)
    assert (found.server, getattr(found.meaning, "metric", None)) == (server, metric)


@given(st.text())
def test_no_files_name_is_a_surprise(name):
    assert isinstance(of_file(name).server, str)


@given(name=st.from_regex(r"[a-z]{2,8}-[0-9]{1,3}", fullmatch=True), day=st.dates(), mark=st.sampled_from("-_. "))
def test_the_day_in_a_name_makes_no_other_server(name, day, mark):
    written = {f"{name}{mark}{day:%Y-%m-%d}.csv", f"{day:%Y%m%d}{mark}{name}.csv", f"{name}.csv"}
    assert {undated(one) for one in written} == {name} or not 1900 <= day.year < 2100
