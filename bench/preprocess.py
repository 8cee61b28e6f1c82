"""Speed and memory of preprocessing compared with pandas: python -m bench.preprocess [--rows N].

    --times 3    run each three times, in turns, and report the best (the machine may be busy with other work)
    --files 1    the number of files: one giant file, or many small ones
    --lean       leave pandas out, which needs about 300 bytes of memory per row

Both read the same CSV files, drop rows and values that break the contract, keep the newest value of each sample,
clip overshoot, aggregate five metrics to daily P95, P99, mean, maximum and count, and write the samples of the last
62 days for late files. The job also explains what it dropped and writes its report; pandas does not. Each runs in a
process of its own, one after the other; memory is that process's peak.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PERCENT = ["cpu", "memory", "disk"]
METRICS = [*PERCENT, "network_in", "network_out"]
REPOSITORY = Path(__file__).parents[1]
SERVERS = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--lean", action="store_true")
    parser.add_argument("--alone", choices=["headroom", "pandas"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        print(json.dumps(_measure(given.alone, given.folder)))
        return
    with tempfile.TemporaryDirectory() as folder:
        size = _make_files(Path(folder), given.rows, given.files)
        print(
            f"{given.rows:,} rows, {len(METRICS)} metrics, {given.files} files, {size / 1e6:.0f} MB, "
            f"{os.cpu_count()} CPUs\n"
        )
        names = ["headroom"] if given.lean else ["pandas", "headroom"]
        runs = [{name: _alone(name, Path(folder)) for name in names} for _ in range(given.times)]
        if not given.lean:
            _compare(Path(folder))
    best = {name: {key: min(run[name][key] for run in runs) for key in runs[0][name]} for name in names}
    print(f"{'':10}{'seconds':>9}{'CPU s':>8}{'peak MB':>9}{'rows/s':>12}")
    for name, result in best.items():
        print(
            f"{name:10}{result['seconds']:9.1f}{result['cpu']:8.1f}{result['megabytes']:9.0f}"
            f"{given.rows / result['seconds']:12,.0f}"
        )
    if not given.lean:
        ratio = {key: best["pandas"][key] / best["headroom"][key] for key in best["pandas"]}
        print(f"{'ratio':10}{ratio['seconds']:9.1f}{ratio['cpu']:8.1f}{ratio['megabytes']:9.1f}")
        print(
            f"\nheadroom: {given.rows / best['headroom']['seconds']:,.0f} rows/s, {ratio['seconds']:.1f} times pandas"
        )


def _make_files(folder: Path, rows: int, files: int) -> int:
    """Write five-minute samples of all servers; each file holds a stretch of time. Returns the bytes written."""
    import duckdb

    (folder / "raw").mkdir()
    step = rows // files
    values = ", ".join(f"round(100 * random(), 3) AS {metric}" for metric in METRICS)
    with duckdb.connect() as db:
        db.execute("SET threads = 1; SELECT setseed(0.5)")
        for file in range(files):
            # Only constants and numbers of this module go into the statement.
            db.execute(f"""
                COPY (SELECT strftime(TIMESTAMP '2024-01-01' + to_minutes(5 * (row // {SERVERS})), '%Y-%m-%dT%H:%M:%SZ')
                        AS "timestamp", 'server-' || (row % {SERVERS}) AS server_id, {values}
                    FROM range({file * step}, {(file + 1) * step}) AS range(row))
                TO '{folder / "raw"}/{file:06}.csv' (HEADER)""")  # noqa: S608
    return sum(path.stat().st_size for path in (folder / "raw").iterdir())


def _alone(name: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.preprocess", "--alone", name, "--folder", str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _measure(name: str, folder: Path) -> dict[str, float]:
    work = {"headroom": _headroom, "pandas": _pandas}[name]
    started, before = time.perf_counter(), time.process_time()
    work(folder)
    return {
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - before,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _headroom(folder: Path) -> None:
    sys.path.insert(0, str(REPOSITORY / "processing"))
    from headroom.preprocess import preprocess

    preprocess(folder / "raw", None, None, None, folder / "panel")


def _pandas(folder: Path) -> None:
    import pandas as pd

    files = sorted((folder / "raw").iterdir())
    table = pd.concat([pd.read_csv(file) for file in files], ignore_index=True)
    table["timestamp"] = pd.to_datetime(table["timestamp"], utc=True, errors="coerce").dt.tz_localize(None)
    table["server_id"] = table["server_id"].str.strip()
    table = table[table["timestamp"].notna() & table["server_id"].str.len().between(1, 256)]
    for metric in METRICS:
        values = pd.to_numeric(table[metric], errors="coerce")
        table[metric] = values.where(values.between(0, 110 if metric in PERCENT else 1e6))
    table[PERCENT] = table[PERCENT].clip(upper=100)
    table = table.drop_duplicates(["server_id", "timestamp"], keep="last")
    kept = table[table["timestamp"] >= table["timestamp"].max() - pd.Timedelta(days=62)]
    kept.sort_values(["timestamp", "server_id"]).to_parquet(folder / "samples.parquet", compression="zstd")
    periods = table.groupby(["server_id", table["timestamp"].dt.floor("D").rename("ds")])[METRICS]
    quantiles = periods.quantile([0.95, 0.99]).unstack()
    rest = periods.agg(["mean", "max", "count"])
    parts = []
    for metric in METRICS:
        part = rest[metric].assign(metric=metric, p95=quantiles[metric][0.95], p99=quantiles[metric][0.99])
        parts.append(part.reset_index())
    pd.concat(parts).sort_values(["server_id", "metric", "ds"]).to_parquet(folder / "pandas.parquet")


def _compare(folder: Path) -> None:
    """Raises AssertionError if the two results differ."""
    import numpy as np
    import pandas as pd

    ours = pd.read_parquet(folder / "panel" / "panel.parquet")
    theirs = pd.read_parquet(folder / "pandas.parquet")
    assert len(ours) == len(theirs)
    for column in ("p95", "p99", "mean", "max"):
        np.testing.assert_allclose(ours[column].to_numpy(), theirs[column].to_numpy(), rtol=1e-9)


if __name__ == "__main__":
    main()
