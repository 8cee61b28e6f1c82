"""What the benchmarks forecast: real monitoring data, generated fleets, and synthetic loads of a kind of their own.

A dataset is a list of panels (``server_id, metric, ds, y``) with a frequency, a horizon and the cut-offs to forecast
from. Servers that were not measured at the same time are in separate panels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from headroom.core.periods import Frequency
from local import fleet as generator

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SERIES = ["server_id", "metric"]
DAY_SEASON = {"h": 24, "D": 7}
LONG_SEASON = {"h": 168, "D": 365}


@dataclass(frozen=True)
class Case:
    """One dataset at one horizon: ``panels`` of observations and how many ``windows`` of ``horizon`` to forecast.

    Consecutive cut-offs are ``step`` periods apart; the last one leaves exactly ``horizon`` periods to score.
    """

    name: str
    frequency: Frequency
    horizon: int
    windows: int
    step: int
    panels: tuple[pd.DataFrame, ...]

    def splits(self) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
        """(known rows, rows to forecast) for each panel and cut-off, the oldest cut-off first."""
        period = self.frequency.step
        for panel in self.panels:
            last = panel["ds"].max() - period * self.horizon
            for back in range(self.windows - 1, -1, -1):
                cutoff = last - period * self.step * back
                future = panel[(panel["ds"] > cutoff) & (panel["ds"] <= cutoff + period * self.horizon)]
                yield panel[panel["ds"] <= cutoff].reset_index(drop=True), future.reset_index(drop=True)


def bitbrains(horizon: int, windows: int, step: int) -> Case:
    """Hourly P95 of CPU on 50 virtual machines over a month."""
    samples = pd.concat([pd.read_csv(file) for file in _files("bitbrains", "*.csv.gz")])
    samples = samples.rename(columns={"cpu_utilization": "value"})
    return Case(f"bitbrains, {horizon} hours", Frequency.HOUR, horizon, windows, step, (_hourly_p95(samples),))


def cloudwatch(horizon: int, windows: int, step: int) -> Case:
    """Hourly P95 of CPU on ten instances, two weeks each, at four different times."""
    files = [
        pd.read_csv(file).assign(server_id=file.stem, start=lambda samples: samples["timestamp"].min()[:10])
        for file in _files("cloudwatch", "*.csv")
    ]
    panels = tuple(_hourly_p95(samples) for _, samples in pd.concat(files).groupby("start"))
    return Case(f"cloudwatch, {horizon} hours", Frequency.HOUR, horizon, windows, step, panels)


def _files(folder: str, pattern: str) -> list[Path]:
    """The files of a dataset of real measurements. They are not part of the repository.

    Raises:
        FileNotFoundError: if there are none.
    """
    if not (found := sorted((DATA / folder).glob(pattern))):
        raise FileNotFoundError(f"real measurements are expected beside the repository, in ../shared/data/{folder}")
    return found


def _hourly_p95(samples: pd.DataFrame) -> pd.DataFrame:
    hour = pd.to_datetime(samples["timestamp"], utc=True).dt.tz_localize(None).dt.floor("h").astype("datetime64[ns]")
    p95 = samples["value"].clip(0, 100).groupby([samples["server_id"], hour]).quantile(0.95)
    return p95.rename("y").rename_axis(["server_id", "ds"]).reset_index().assign(metric="cpu")


def fleet(servers: int, days: int, metrics: tuple[str, ...], horizon: int, seeds: tuple[int, ...]) -> Case:
    """Daily P95 of generated fleets (hourly samples), with their true future as the last periods."""
    panels = []
    for seed in seeds:
        made = generator.generate(servers, days, sampling="1h", metrics=metrics, horizon=horizon, seed=seed)
        panels.append(pd.concat([made.panel("D"), made.future("D")], ignore_index=True)[[*SERIES, "ds", "y"]])
    known = f"{days} days known, " if days < horizon else ""
    return Case(f"generated fleet, {known}{horizon} days", Frequency.DAY, horizon, 1, horizon, tuple(panels))


def loads(series: int, weeks: int, horizon: int, windows: int, seed: int) -> Case:
    """Hourly demand-like series with day and week seasons, at scales from 10 to 100,000 and of several characters.

    Weekday and weekend profiles with one to three humps, slow weather-like drift, growth, bursts, and noise that grows
    with the level. Some series are idle at night, some change their level once, some have hardly any season.
    """
    rng = np.random.default_rng(seed)
    periods = weeks * 168
    ds = pd.date_range("2023-01-02", periods=periods, freq="h")
    hour, weekend = np.arange(periods) % 24, (np.arange(periods) // 24) % 7 >= 5
    frames = []
    for number in range(series):
        bumps = np.zeros((2, 24))
        for kind in range(2):
            for _ in range(rng.integers(1, 4)):
                distance = (np.arange(24) - rng.uniform(0, 24) + 12) % 24 - 12
                bumps[kind] += rng.uniform(0.3, 1.0) * np.exp(-0.5 * (distance / rng.uniform(1.5, 5)) ** 2)
        bumps[1] = bumps[0] * rng.uniform(0.3, 1.1) + 0.3 * bumps[1] * rng.uniform(0, 1)
        season = rng.choice([0.1, 0.5, 1.0, 2.0], p=[0.1, 0.3, 0.4, 0.2]) * bumps[weekend.astype(int), hour]
        drift = _autoregression(rng, periods, 1 - 1 / rng.uniform(24, 24 * 10)) * rng.uniform(0.02, 0.25)
        growth = rng.choice([0.0, 0.0, 1.0]) * rng.normal(0, 0.3) * np.arange(periods) / periods
        level = rng.uniform(0.3, 1.5) + season * (1 + (drift if rng.random() < 0.5 else 0)) + drift + growth
        if rng.random() < 0.1:
            level[rng.integers(periods // 2, periods) :] += rng.normal(0, 0.5)
        noise = rng.standard_t(5, periods) * rng.choice([0.01, 0.03, 0.08, 0.2], p=[0.3, 0.3, 0.3, 0.1])
        y = np.maximum(level * (1 + noise), 0) * 10 ** rng.uniform(1, 5)
        if rng.random() < 0.15:
            y = np.where(y < np.quantile(y, rng.uniform(0.1, 0.4)), 0, y)
        frames.append(pd.DataFrame({"server_id": f"load-{number:04}", "ds": ds, "y": y, "metric": "network_in"}))
    panel = pd.concat(frames, ignore_index=True)
    return Case(f"{series} loads, {horizon} hours", Frequency.HOUR, horizon, windows, horizon, (panel,))


def _autoregression(rng: np.random.Generator, length: int, memory: float) -> np.ndarray:
    shocks = rng.normal(0, np.sqrt(1 - memory**2), length)
    value, path = rng.normal(), np.empty(length)
    for index, shock in enumerate(shocks):
        value = memory * value + shock
        path[index] = value
    return path
