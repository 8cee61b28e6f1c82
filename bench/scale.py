"""How the time and memory of train and assess grow with the fleet.

    PYTHONPATH=processing python -m bench.scale [--servers 20000] [--days 365]

runs both jobs, as a container would, on a generated fleet with all metrics and on a tenth of it, and prints the ratios:
ten times the servers should take at most ten times as long and little more memory.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pandas as pd
import psutil

from headroom.core.settings import Settings
from local import fleet

HORIZON = 90
JOBS = {"train": ("--panel", "panel", "--model", "model"),
        "assess": ("--panel", "panel", "--model", "model", "--assessment", "assessment")}  # fmt: skip


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__.split("\n")[0])
    arguments.add_argument("--servers", type=int, default=20_000)
    arguments.add_argument("--days", type=int, default=365)
    given = arguments.parse_args()
    rows = []
    for servers in (given.servers // 10, given.servers):
        with tempfile.TemporaryDirectory() as folder:
            write(servers, given.days, Path(folder) / "panel")
            rows += [(servers, name, *measure(name, Path(folder))) for name in JOBS]
    table = pd.DataFrame(rows, columns=["servers", "job", "seconds", "cpu_seconds", "gigabytes"])
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    both = table.groupby("servers").agg({"seconds": "sum", "cpu_seconds": "sum", "gigabytes": "max"})
    print("ten times the servers:", (both.iloc[1] / both.iloc[0]).round(2).to_dict())


def write(servers: int, days: int, folder: Path) -> None:
    """A generated fleet's daily panel and attributes, as preprocess leaves them."""
    made = fleet.generate(servers, days, sampling="1D", metrics=tuple(fleet.METRICS), horizon=HORIZON, seed=1)
    folder.mkdir(parents=True)
    made.panel().sort_values(["server_id", "metric", "ds"]).to_parquet(folder / "panel.parquet", row_group_size=122_880)
    made.servers.to_parquet(folder / "servers.parquet", index=False)
    (folder / "settings.json").write_text(Settings(horizon=HORIZON).model_dump_json(), encoding="utf-8")


def measure(name: str, folder: Path) -> tuple[float, float, float]:
    """Seconds, processor seconds and peak memory in gigabytes of a job, all of its processes together."""
    command = [sys.executable, "-m", f"headroom.{name}", *JOBS[name]]
    started, highest = time.monotonic(), 0.0
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, env=environment()) as child:
        ended = threading.Event()

        def watch() -> None:
            nonlocal highest
            while not ended.wait(0.2):
                highest = max(highest, resident(psutil.Process(child.pid)))

        watcher = threading.Thread(target=watch)
        watcher.start()
        _, status, usage = os.wait4(child.pid, 0)
        ended.set()
        watcher.join()
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(command)} failed in {folder}")
    return time.monotonic() - started, usage.ru_utime + usage.ru_stime, highest / 2**30


def resident(process: psutil.Process) -> float:
    """Bytes of memory that a process and its descendants occupy; 0 once it has ended."""
    try:
        return float(sum(one.memory_info().rss for one in (process, *process.children(recursive=True))))
    except psutil.Error:
        return 0.0


def environment() -> dict[str, str]:
    """This process's, with the jobs' code on the path."""
    return os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "processing")}


if __name__ == "__main__":
    main()
