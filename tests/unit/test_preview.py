"""What people see of their files before a run."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import exports
import pytest

from headroom.core.job import InputError
from headroom.preview import main

PACKAGES = str(Path(__file__).parents[2] / "processing")


def shown(folder, capsys, files, settings=None):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    arguments = [str(folder)]
    if settings:
        (folder.parent / "settings.yaml").write_text(settings)
        arguments += ["--settings", str(folder.parent / "settings.yaml")]
    code = main(arguments)
    return code, capsys.readouterr().out


def test_each_heading_is_explained_with_examples(tmp_path, capsys):
    code, text = shown(
        tmp_path / "in", capsys, {"a.csv": "Time,Host,CPU idle [%],vcpus,note\n2024-02-13,web-1,80,4,x\n"}
    )
    assert code == 0
    for line in (
        "'Time': timestamp in UTC",
        "'Host': server_id",
        "'CPU idle [%]': cpu in percent, 100 minus what is free",
        "'vcpus': vcpus",
        "'note': not used",
        "cpu: web-1 at 2024-02-13 00:00:00 UTC: 20",
    ):
        assert line in text


@pytest.mark.slow
def test_servers_are_counted_and_their_parts_named(tmp_path, capsys):
    rows = [f"2024-02-13,web-{server},{mount},50" for server in (1, 2) for mount in ("/", "/var")]
    rows += ["2024-02-13,db-1,/data,50"]
    text = "\n".join(["time,host,mount,disk [%]", *rows])
    code, text = shown(tmp_path / "in", capsys, {"disks.csv": text})
    assert code == 0 and "servers: 3 (db-1, web-1, web-2)\n" in text
    # A server with one disk has a series of its own, as it will have after the run.
    assert "with series of their parts: 2 (/, /var)\n" in text and "/data" not in text
    _, text = shown(tmp_path / "plain", capsys, {"a.csv": "time,host,cpu\n2024-02-13,a,5\n"})
    assert "servers: 1 (a)" in text and "parts" not in text


@pytest.mark.slow
def test_what_would_be_refused_is_said_with_the_settings_that_would_help(tmp_path, capsys):
    code, text = shown(tmp_path / "in", capsys, {"a.csv": "time,host,cpu\n03/02/2024 00:00,a,5\n"})
    assert code == 1 and "refused: '03/02/2024 00:00' can be read in several ways" in text and "time_format" in text
    code, text = shown(tmp_path / "share", capsys, {"a.csv": "time,host,cpu\n2024-02-13,a,0.5\n"})
    assert code == 1 and "units: {cpu: ratio}" in text
    code, text = shown(tmp_path / "share", capsys, {}, "units: {cpu: ratio}")
    assert code == 0 and "a at 2024-02-13 00:00:00 UTC: 50" in text


@pytest.mark.slow
def test_files_are_looked_at_with_duckdb_alone(tmp_path):
    """Which is all that the preview behind the API has."""
    (tmp_path / "a.csv").write_text("time,host,cpu\n2024-02-13 00:00,web-1,5\n")
    without = """
import sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("pandas", "numpy", "pyarrow", "scipy", "sklearn"):
            raise ImportError(name)
sys.meta_path.insert(0, Without())
from headroom.core.job import InputError
from headroom.preview import main
sys.exit(main(sys.argv[1:]))
"""
    given = [sys.executable, "-c", without, str(tmp_path / "a.csv")]
    done = subprocess.run(given, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": PACKAGES})
    assert done.returncode == 0, done.stderr
    assert "web-1 at 2024-02-13 00:00:00 UTC: 5" in done.stdout


@pytest.mark.slow
def test_an_export_is_called_by_its_name_and_a_large_file_is_judged_by_its_beginning(tmp_path, capsys):
    _, text = shown(tmp_path / "in", capsys, exports.sysstat_csv(exports.fleet()))
    assert "format: sysstat, sadf -d (CSV)" in text and "'cpu %idle'" in text
    large = "time,host,cpu,note\n" + "2024-02-13T00:00:00Z,a,5," + "x" * 80 + "\n"
    large += ("2024-02-13T00:05:00Z,a,6," + "x" * 80 + "\n") * 60_000
    code, text = shown(tmp_path / "large", capsys, {"a.csv": large})
    assert code == 0 and "judged by its beginning" in text


def test_a_damaged_archive_is_refused_and_harms_no_other_file(tmp_path, capsys):
    (tmp_path / "a.csv.gz").write_bytes(b"\x1f\x8bcut")
    (tmp_path / "b.csv").write_text("time,host,cpu\n2024-02-13 00:00,web-1,5\n")
    assert main([str(tmp_path)]) == 1
    text = capsys.readouterr().out
    assert "refused: damaged gzip file" in text and "web-1 at" in text


@pytest.mark.slow
def test_a_file_that_contradicts_itself_is_refused_as_the_run_refuses_it(tmp_path, capsys):
    """With the sentence of the run, and each file by itself."""
    twice = {
        "twice.csv": "time,host,cpu\n2024-02-13 00:00,app-1,27\n2024-02-13 00:00,app-1 ,28\n",
        "wide.csv": "Time,lb-1,lb-2,lb-1\n2024-02-13 00:00,1.5,2,3\n",
        "good.csv": "time,host,cpu\n2024-02-13 00:00,web-1,5\n",
    }
    twice["cpu.csv"] = twice.pop("wide.csv")
    code, text = shown(tmp_path / "in", capsys, twice)
    with pytest.raises(InputError) as refused:
        exports.read(tmp_path / "run", {name: twice[name] for name in ("cpu.csv", "twice.csv")})
    said = dict(part.split("\n", 1) for part in text.strip().split("\n\n"))
    assert code == 1 and "1 usable" in said["good.csv"]
    for name in ("cpu.csv", "twice.csv"):
        reason = said[name].removeprefix("  refused: ")
        assert "has different values at the same moment" in reason and f"{name}: {reason.strip()}" in str(refused.value)


@pytest.mark.slow
def test_samples_later_than_a_run_of_now_are_not_called_usable(tmp_path, capsys):
    ahead = {"ahead.csv": f"time,host,cpu\n{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d},web-1,5\n"}
    code, text = shown(tmp_path / "in", capsys, ahead)
    assert code == 1 and "1 rows, 0 usable" in text and "timestamp later than the run" in text
    with pytest.raises(InputError, match="timestamp later than the run"):
        exports.read(tmp_path / "run", ahead)
