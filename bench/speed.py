"""Time and memory of training and forecasting, compared with a loop over servers that a team might write itself.

    PYTHONPATH=processing python -m bench.speed [--only reference|fleet|metrics] [--scale 0.1] [--loop-servers 12]

prints a table of measurements and targets. Every measurement is a process of its own. Its seconds include imports,
reading, training (all candidates, backtest, intervals), loading the model and forecasting every series; memory is the
peak of the process. In the comparison with the loop, imports and reading are not counted for either. Exits with 1 if a
target is missed at full scale.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd

from headroom import train
from headroom.core.panel import Panel
from headroom.core.settings import Settings
from headroom.forecast import model as forecast
from local import fleet

HORIZON = 90
CASES = ("reference", "fleet", "metrics")
LAGS = (HORIZON, HORIZON + 1, HORIZON + 7, HORIZON + 14, HORIZON + 28)  # all of them known over the whole horizon
# Loaded where they are needed first: without this their imports would be counted, which those of the loop are not.
LOADED_LATE = ("lightgbm", "statsforecast.models")
Row = tuple[str, float, str, bool | None]


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m bench.speed", description=__doc__.split("\n")[0])
    arguments.add_argument("--only", choices=CASES)
    arguments.add_argument("--scale", type=float, default=1.0, help="share of the servers (targets are for 1)")
    arguments.add_argument("--loop-servers", type=int, default=12, help="number of servers in the reference loop")
    arguments.add_argument("--child", nargs=2, metavar=("METHOD", "DIR"), help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.child:
        method, folder = given.child
        return {"headroom": headroom, "loop": loop}[method](Path(folder))
    rows: list[Row] = []
    for case in CASES if given.only is None else (given.only,):
        rows += {"reference": against_loop, "fleet": large_fleet, "metrics": many_metrics}[case](given)
    table = pd.DataFrame(rows, columns=["measurement", "value", "target", "met"])
    table["met"] = table["met"].map({True: "yes", False: "NO", None: ""})
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    if given.scale == 1 and (table["met"] == "NO").any():
        sys.exit("missed: " + ", ".join(table.loc[table["met"] == "NO", "measurement"]))


def against_loop(given: argparse.Namespace) -> list[Row]:
    """120 servers over four years, and the loop over some of them."""
    servers, days = round(120 * given.scale), 1461
    some = min(given.loop_servers, servers)
    with tempfile.TemporaryDirectory() as folder:
        write(servers, days, ("cpu",), Path(folder))
        _, _, ours = measure("headroom", Path(folder))
        panel = pd.read_parquet(Path(folder) / "panel.parquet")
        panel[panel["server_id"].isin(panel["server_id"].unique()[:some])].to_parquet(Path(folder) / "panel.parquet")
        _, _, sample = measure("loop", Path(folder))
    theirs = sample["seconds"] * servers / some
    ratio = theirs / ours["seconds"]
    how = "" if some == servers else f", scaled from {some} servers in {sample['seconds']:.1f} s"
    return [
        (f"Headroom, {servers} servers x {days:,} days, s", ours["seconds"], "", None),
        (f"reference loop, the same{how}, s", theirs, "", None),
        ("how many times faster", ratio, "at least 10", ratio >= 10),
    ]


def large_fleet(given: argparse.Namespace) -> list[Row]:
    """A fleet of 10,000 servers, and half of it."""
    rows, seconds = [], []
    for servers in (round(5_000 * given.scale), round(10_000 * given.scale)):
        with tempfile.TemporaryDirectory() as folder:
            write(servers, 365, ("cpu",), Path(folder))
            took, gigabytes, _ = measure("headroom", Path(folder))
        seconds.append(took)
        shape = f"Headroom, {servers:,} servers x 365 days"
        target = ("at most 150", took <= 150) if len(seconds) == 2 else ("", None)
        rows += [(f"{shape}, s", took, *target), (f"{shape}, GB", gigabytes, "at most 4", gigabytes <= 4)]
    ratio = seconds[1] / seconds[0]
    return [*rows, ("twice the servers, times as long", ratio, "at most 2.2", ratio <= 2.2)]


def many_metrics(given: argparse.Namespace) -> list[Row]:
    """1,000 servers with all metrics over two years."""
    servers = round(1_000 * given.scale)
    with tempfile.TemporaryDirectory() as folder:
        write(servers, 730, tuple(fleet.METRICS), Path(folder))
        took, gigabytes, _ = measure("headroom", Path(folder))
    shape = f"Headroom, {servers:,} servers x {len(fleet.METRICS)} metrics x 730 days"
    return [(f"{shape}, s", took, "at most 180", took <= 180), (f"{shape}, GB", gigabytes, "", None)]


def write(servers: int, days: int, metrics: tuple[str, ...], folder: Path) -> None:
    """A generated fleet's daily panel and attributes."""
    made = fleet.generate(servers, days, sampling="1D", metrics=metrics, horizon=HORIZON, seed=1)
    made.panel().to_parquet(folder / "panel.parquet", index=False)
    made.servers.to_parquet(folder / "servers.parquet", index=False)


def measure(method: str, folder: Path) -> tuple[float, float, dict[str, float]]:
    """Run a method in a process of its own: seconds, peak memory in gigabytes, and its last line, which is JSON."""
    command = [sys.executable, "-m", "bench.speed", "--child", method, str(folder)]
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(command, stdout=output)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        lines = output.read().decode().splitlines()
    if child.returncode:
        sys.exit(f"{' '.join(command)} failed")
    return seconds, usage.ru_maxrss / 2**20, json.loads(lines[-1])


def headroom(folder: Path) -> None:
    """Train, load and forecast, as the jobs do it."""
    panel = pd.read_parquet(folder / "panel.parquet", columns=["server_id", "metric", "ds", "y"])
    servers = pd.read_parquet(folder / "servers.parquet")
    settings = Settings(horizon=HORIZON, holidays={"country": fleet.COUNTRY})
    for library in LOADED_LATE:
        import_module(library)
    started = time.monotonic()
    metrics = train.train(Panel.of(panel), servers, settings, folder / "model")
    result = forecast.predict(forecast.load(folder / "model"), panel, servers)
    assert len(result) == HORIZON * metrics["series"]
    print(json.dumps({"seconds": time.monotonic() - started}))


def loop(folder: Path) -> None:
    """For each server: a day-of-week mean, Prophet and a forest of 150 trees on one split, of which the best is taken.

    Prophet draws no samples, since no intervals are needed, and nothing is fitted again on the whole history.
    """
    from prophet import Prophet
    from sklearn.ensemble import RandomForestRegressor

    for name in ("prophet", "cmdstanpy"):
        logging.getLogger(name).disabled = True
    panel = pd.read_parquet(folder / "panel.parquet", columns=["server_id", "ds", "y"])
    started = time.monotonic()
    for _, rows in panel.groupby("server_id"):
        series = rows.set_index("ds")["y"].asfreq("D").interpolate()
        days = series.index
        features = pd.DataFrame({f"lag_{lag}": series.shift(lag) for lag in LAGS}).assign(
            weekday=days.dayofweek,
            day=days.day,
            month=days.month,
            day_of_year=days.dayofyear,
            time=np.arange(len(days)),
        )
        known, asked = series[:-HORIZON], series[-HORIZON:]
        learned = features[max(LAGS) : -HORIZON]
        forest = RandomForestRegressor(150, n_jobs=-1, random_state=1).fit(learned, known[max(LAGS) :])
        prophet = Prophet(uncertainty_samples=0).fit(known.rename("y").rename_axis("ds").reset_index())
        points = {
            "day-of-week mean": known.groupby(known.index.dayofweek).mean().loc[asked.index.dayofweek].to_numpy(),
            "Prophet": prophet.predict(pd.DataFrame({"ds": asked.index}))["yhat"].to_numpy(),
            "forest": forest.predict(features[-HORIZON:]),
        }
        errors = {name: np.abs(asked.to_numpy() - point).mean() for name, point in points.items()}
        assert np.isfinite(errors[min(errors, key=errors.__getitem__)])
    print(json.dumps({"seconds": time.monotonic() - started}))


if __name__ == "__main__":
    main()
