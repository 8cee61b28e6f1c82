"""Which server a file is about where only its name says so."""

import exports
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from headroom.core.job import InputError
from headroom.intake.words.file_names import of_file
from headroom.intake.words.meaning import Meaning
from headroom.intake.words.server_names import server_in

CPU = exports.fleet("web-1", day="2024-02-13")


def table(begin=0, end=None):
    return "\n".join(["timestamp,cpu", *(f"{exports.iso(at)},{value}" for at, value in CPU["web-1"][begin:end])])


@pytest.mark.parametrize(
    "name, server",
    [
        ("web-1_2024-02-13", "web-1"), ("web-1-20240213", "web-1"), ("2024-02-13_web-1", "web-1"),
        ("web-1_20240213T000500Z", "web-1"), ("web-1-2024-02-13-to-2024-02-14", "web-1"), ("web-1_2024-02", "web-1"),
        ("web-1.prod_2024.02.13", "web-1.prod"), ("web-1 (1)", "web-1"), ("web-1_part2", "web-1"),
        ("web-1_2024-02-13_2024-02-14", "web-1"), ("web-1 2024-02-13 2024-02-14", "web-1"),
        ("web-1-2024-02-13-2024-02-14", "web-1"), ("web-1_2024_02_13_2024_02_14", "web-1"),
        ("web-1_13.02.2024-14.02.2024", "web-1"), ("web-1_2024-02-13_00-05_2024-02-14_23-55", "web-1"),
        ("web-1_from_2024-02-13_to_2024-02-14", "web-1"), ("web-1_02-2024", "web-1"), ("web-1_13Feb2024", "web-1"),
        ("web-1_2024-02-13 00_00_00-2024-02-14 23_59_59", "web-1"), ("web-1_2024-Feb-13", "web-1"),
        ("web-1_20240213000000-20240214235959", "web-1"), ("web-1_24h", "web-1"), ("web-1_7days", "web-1"),
        ("web-01_2024", "web-01_2024"), ("web-01-feb-2024", "web-01"), ("rack-2d", "rack-2d"),
        ("web-1_Feb2024", "web-1"), ("web-1_2024_March", "web-1"), ("web-1_last_7_days", "web-1"),
        ("martin2024", "martin2024"), ("export_web-1", "web-1"), ("web-1-metrics", "web-1"), ("web-1 data", "web-1"),
        # What may be part of a server's name stays.
        ("web-stats", "web-stats"), ("app01_prod", "app01_prod"), ("log-server-2", "log-server-2"), ("1", "1"),
        ("backup-1", "backup-1"),
        ("srv10023456", "srv10023456"), ("i-0abc12320240213", "i-0abc12320240213"), ("10.20.24.12", "10.20.24.12"),
        # These name none.
        ("2024-02-13", ""), ("20240213", ""), ("2024-02", ""), ("2013-8", ""), ("2024-W07", ""), ("Q1-2024", ""),
        ("february", ""), ("last_30_days", ""), ("export (1)", ""), ("part-00000-9f-c000", ""), ("Tabelle1", ""),
        ("CloudWatch_metrics", ""), ("all servers", ""), ("data_1", ""),
        # These words name no machine.
        ("backup", ""), ("old", ""), ("data old 2", ""), ("archive", ""), ("v2", ""),
    ],
)  # fmt: skip
def test_a_servers_name_is_left_without_periods_pieces_and_words_of_exports(name, server):
    assert server_in(name) == server


@pytest.mark.parametrize(
    "files",
    [
        ("web-1_2024-02-13.csv", "web-1_2024-02-14.csv"), ("web-1/2024-02-13.csv", "web-1/2024-02-14.csv"),
        ("web-1/2024/02/13.csv", "web-1/2024/02/14.csv"), ("2024-02-13/web-1.csv", "2024-02-14/web-1.csv"),
        ("host=web-1/dt=2024-02-13/part-00000-1-c000.csv", "host=web-1/dt=2024-02-14/part-00000-2-c000.csv"),
    ],
)  # fmt: skip
def test_files_of_several_days_are_of_one_server(tmp_path, files):
    panel, quality = exports.read(tmp_path, dict(zip(files, (table(0, 48), table(48)), strict=True)))
    assert exports.is_right(panel, quality, cpu=CPU)


@pytest.mark.parametrize("name", ["2024-02-13.csv", "CloudWatch_metrics.csv", "report (2).csv", "all servers.csv"])
def test_a_file_named_after_no_server_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="nothing says which server this is"):
        exports.read(tmp_path, {name: table()})


def test_a_name_with_two_metrics_says_neither():
    found = of_file("web-1_cpu_memory.csv")
    assert not isinstance(found.meaning, Meaning)
    assert of_file("db-memory_cpu.csv").server == "db-memory"


@pytest.mark.parametrize(
    "file",
    ["cpu_steal.csv", "user_cpu.csv", "cpu_user_web-1.csv", "web-1_iowait_cpu.csv", "memory_cached.csv",
     "disk_io.csv", "cpu_load.csv", "cpu_temperature.csv", "ec2_cpu_usage_user_24ae8d.csv",
     "cpu_usage_iowait_web-1.csv", "cpu-usage-iowait-web-1.csv", "memory_used_bytes_web-1.csv"],
)  # fmt: skip
def test_a_word_of_another_metric_is_no_server(file):
    assert not isinstance(of_file(file).meaning, Meaning)


@pytest.mark.parametrize("file", ["cpu_usage_max_web-1.csv", "cpu-usage-max-web-1.csv", "max_cpu_usage_web-1.csv"])
def test_a_maximum_in_a_files_name_is_no_sample(tmp_path, file):
    with pytest.raises(InputError, match="and not what was measured on average"):
        exports.read(tmp_path, {file: table().replace("cpu", "value")})


def test_a_name_in_a_column_that_is_not_known_may_be_the_server_the_file_is_not_named_after(tmp_path):
    rows = "\n".join(["timestamp,Maschine,cpu", *(f"{exports.iso(at)},web-1,{value}" for at, value in CPU["web-1"])])
    with pytest.raises(InputError, match="'Maschine' says 'web-1' in all rows"):
        exports.read(tmp_path / "a", {"first quarter.csv": rows})
    panel, quality = exports.read(tmp_path / "b", {"web-1.csv": rows})
    assert exports.is_right(panel, quality, cpu=CPU)
    panel, quality = exports.read(
        tmp_path / "c", {"web-1.csv": rows.replace("Maschine", "env").replace(",web-1,", ",x,")}
    )
    assert exports.is_right(panel, quality, cpu=CPU)


def test_of_one_name_in_two_places_nothing_says_which_is_the_server(tmp_path):
    with pytest.raises(InputError, match="nothing says which server this is"):
        exports.read(tmp_path / "a", {"berlin/web-1.csv": table(), "paris/web-1.csv": table()})
    with pytest.raises(InputError, match="nothing says which server this is"):
        exports.read(tmp_path / "b", {"prod/web-1.csv": table(), "staging/web-1.csv": table()})
    panel, _ = exports.read(tmp_path / "c", {"2013-7/1.csv": table(0, 48), "2013-8/1.csv": table(48)})
    assert set(panel["server_id"]) == {"1"}
    panel, _ = exports.read(tmp_path / "d", {"web-1/node.csv": table(), "web-2/node.csv": table()})
    assert set(panel["server_id"]) == {"web-1", "web-2"}


@pytest.mark.parametrize(
    "file, server, metric",
    [
        ("web-1.csv", "web-1", None), ("a/b/web-1.prod.csv.gz", "web-1.prod", None), ("DB.CSV", "DB", None),
        ("x.parquet", "x", None), ("web-1.snappy.parquet", "web-1", None),
        ("plain", "plain", None), (".csv", "", None), ("web-1_cpu.csv", "web-1", "cpu"),
        ("web-1/cpu.csv", "web-1", "cpu"), ("2024-02/web-1/memory.csv", "web-1", "memory"),
        ("web-1/CPU usage-data-2024-02-05 09_12_33.csv", "web-1", "cpu"), ("CPU-data-2024-02-05.csv", "", "cpu"),
        ("ec2_cpu_utilization_24ae8d.csv", "ec2_cpu_utilization_24ae8d", "cpu"), ("export.csv", "", None),
        ("queue_depth.csv", "queue_depth", None), ("temperature_rack7.csv", "temperature_rack7", None),
        ("web-1-2024-02-05.csv", "web-1", None), ("20240205_web-1.csv.gz", "web-1", None),
        ("web-1_2024-02-05-0015.csv", "web-1", None), ("srv-10042233.csv", "srv-10042233", None),
        ("srv-20991399.csv", "srv-20991399", None), ("2024-02-05.csv", "", None),
        ("CPUUtilization-web-1.json", "web-1", "cpu"), ("memory-usage-web-1.csv", "web-1", "memory"),
        ("cpu_usage_2024-02_web-1.csv", "web-1", "cpu"),
        ("cpu/web-1.csv", "web-1", "cpu"), ("2024-02-05/web-1.csv", "web-1", None), ("grafana.csv", "", None),
    ],
)  # fmt: skip
def test_a_files_name_says_the_server_and_perhaps_the_metric(file, server, metric):
    found = of_file(file)
    assert (found.server, getattr(found.meaning, "metric", None)) == (server, metric)


def test_the_metric_in_a_name_is_none_of_the_servers_where_the_content_is_of_it_alone(tmp_path):
    [content] = exports.EXPORTS["cloudwatch_get_metric_statistics"](CPU).values()
    panel, quality = exports.read(tmp_path / "export", {"web-1-CPUUtilization.json": content})
    assert exports.is_right(panel, quality, cpu=CPU)
    files = {"web-1_cpu.csv": table(), "web-1_memory.csv": table().replace(",cpu", ",memory")}
    panel, quality = exports.read(tmp_path / "a", files)
    assert exports.is_right(panel, quality, cpu=CPU, memory=CPU)
    other = "\n".join(f"{row},{'memory' if row.endswith('cpu') else 50}" for row in table().splitlines())
    panel, _ = exports.read(tmp_path / "b", {"web-1_cpu.csv": other})
    assert set(panel["server_id"]) == {"web-1_cpu"}


@given(st.text())
def test_no_files_name_is_a_surprise(name):
    assert isinstance(of_file(name).server, str)


@pytest.mark.slow
@given(name=st.from_regex(r"[a-z]{2,8}-[0-9]{1,3}", fullmatch=True), day=st.dates(), mark=st.sampled_from("-_. "))
def test_the_day_in_a_name_makes_no_other_server(name, day, mark):
    assume(1900 <= day.year < 2100 and of_file(f"{name}.csv").server == name)  # not kw-12, a week, or ts-1, times
    written = {f"{name}{mark}{day:%Y-%m-%d}.csv", f"{day:%Y%m%d}{mark}{name}.csv"}
    assert {of_file(one).server for one in written} == {name}
