"""The accuracy of Headroom's forecasts compared with common alternatives: ``python -m bench.accuracy``.

Rolling origin: at each cut-off everything after it is hidden. Headroom trains and forecasts as its jobs do, and the
references forecast from the same data. The errors of a series are scaled by the mean error of a seasonal naive forecast
of its known values (the season is a day for hourly data and a week for daily data). Constant series have no such scale
and are left out. The table shows means over series and cut-offs.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from bench import datasets
from bench.datasets import DAY_SEASON, SERIES, Case
from bench.references import COLUMNS, QUANTILES, REFERENCES, Reference
from headroom import train
from headroom.core.panel import Panel
from headroom.core.periods import Frequency
from headroom.core.settings import Settings
from headroom.forecast import model as forecast


def headroom(panel: pd.DataFrame, frequency: Frequency, horizon: int) -> pd.DataFrame:
    """Train and predict as the jobs do."""
    with tempfile.TemporaryDirectory() as folder:
        train.train(Panel.of(panel), pd.DataFrame(columns=["server_id"]), settings(frequency, horizon), Path(folder))
        return forecast.predict(forecast.load(Path(folder)), panel, pd.DataFrame(columns=["server_id"]))


def settings(frequency: Frequency, horizon: int) -> Settings:
    """The settings of the benchmarks' datasets: holidays for daily data, default thresholds."""
    return Settings(frequency=frequency, horizon=horizon, holidays={"country": "US"} if frequency == "D" else None)


def score(known: pd.DataFrame, future: pd.DataFrame, forecasts: pd.DataFrame, frequency: Frequency) -> pd.DataFrame:
    """One row per series: scaled quantile loss and MASE (2 × pinball loss over the scale), coverage of 80 %."""
    season = DAY_SEASON[frequency]
    wide = known.pivot(index="ds", columns=SERIES, values="y")
    wide = wide.reindex(pd.date_range(wide.index.min(), wide.index.max(), freq=frequency))
    scale = (wide - wide.shift(season)).abs().mean().rename("scale")
    scale = scale[scale > 1e-6 * wide.abs().mean()]
    both = future.merge(forecasts, on=[*SERIES, "ds"], how="left").merge(scale.reset_index(), on=SERIES)
    if both[COLUMNS].isna().any(axis=None):
        raise ValueError(f"forecasts are missing for {both[both['q50'].isna()][SERIES].drop_duplicates().to_dict()}")
    error = both["y"].to_numpy()[:, None] - both[COLUMNS].to_numpy()
    pinball = 2 * np.maximum(error * QUANTILES, error * (np.array(QUANTILES) - 1)).mean(axis=1)
    rows = pd.DataFrame(
        {
            **{key: both[key] for key in SERIES},
            "sql": pinball / both["scale"],
            "mase": np.abs(error[:, 2]) / both["scale"],
            "coverage_80": ((error[:, 1] >= 0) & (error[:, 3] <= 0)).astype(float),
        }
    )
    return rows.groupby(SERIES, as_index=False).mean()


def evaluate(case: Case, name: str, method: Reference, keep: Path | None) -> dict[str, object]:
    """Mean scores of one method on one case; with ``keep``, forecasts are read from that folder, or stored there."""
    rows, seconds = [], 0.0
    for number, (known, future) in enumerate(case.splits()):
        file = keep / f"{case.name}-{name}-{number}.parquet" if keep else None
        if file and file.exists():
            forecasts = pd.read_parquet(file)
        else:
            started = time.monotonic()
            forecasts = method(known, case.frequency, case.horizon)
            seconds += time.monotonic() - started
            if file:
                file.parent.mkdir(parents=True, exist_ok=True)
                forecasts.to_parquet(file)
        rows.append(score(known, future, forecasts, case.frequency))
    scores = pd.concat(rows)[["sql", "mase", "coverage_80"]]
    return {"dataset": case.name, "method": name, "series": len(scores), **scores.mean(), "seconds": round(seconds, 1)}


def cases(size: int) -> dict[str, Callable[[], Case]]:
    """The function that makes each case; ``size`` is the number of servers in the generated ones."""
    return {
        "bitbrains-24": lambda: datasets.bitbrains(24, windows=5, step=24),
        "bitbrains-168": lambda: datasets.bitbrains(168, windows=3, step=72),
        "cloudwatch": lambda: datasets.cloudwatch(24, windows=5, step=24),
        "fleet": lambda: datasets.fleet(size, days=730, metrics=("cpu", "memory", "disk"), horizon=90, seeds=(1,)),
        # What helps chances of crossing in the first weeks may harm the forecasts of servers that stay where they are.
        "young-fleet": lambda: datasets.fleet(size, days=21, metrics=("cpu", "memory", "disk"), horizon=90, seeds=(1,)),
        "loads": lambda: datasets.loads(series=size, weeks=5, horizon=48, windows=1, seed=7),
    }


def markdown(table: pd.DataFrame) -> str:
    """The table as Markdown, for the documentation."""
    rows = [list(table.columns), ["---"] * len(table.columns), *table.astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--cases", nargs="*", help="only these; by default all")
    arguments.add_argument("--methods", nargs="*", help="only these; by default all")
    arguments.add_argument("--size", type=int, default=120, help="servers in each generated case")
    arguments.add_argument("--keep", type=Path, help="keep the references' forecasts in this folder between runs")
    given = arguments.parse_args()
    table = []
    for key, make in cases(given.size).items():
        if key not in (given.cases or [key]):
            continue
        try:
            case = make()
        except FileNotFoundError as error:
            print(f"{key} is left out: {error}")
            continue
        for name, method in {"Headroom": headroom, **REFERENCES}.items():
            if name in (given.methods or [name]):
                table.append(evaluate(case, name, method, given.keep if name != "Headroom" else None))
                print(pd.DataFrame(table[-1:]).round(3).to_string(index=False, header=len(table) == 1), flush=True)
    print("\n" + markdown(pd.DataFrame(table).round(3)))


if __name__ == "__main__":
    main()
