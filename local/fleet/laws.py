"""Servers that each follow one known law, for asking what can be told of them after how many days.

Where :mod:`local.fleet.generator` makes a company's fleet, this makes the stories behind single series: a disk that
fills in a straight line, a leak that began three weeks ago, a cache that fills and stays. The history of ``days`` days
and what follows come out of the same process; ``truth`` says what that law is and when it crosses.

How noisy the series are, how high the teeth, how far apart the batches and how old the bends, was set so that a
Theil-Sen line that is told if its slope is surely positive does about as well as in the table of the issue on early
warnings: recall and precision of 0.79 and 0.58 after 14 days, 0.90 and 0.68 after 30, 0.84 and 0.80 after 60, 0.72 and
0.93 after 120, 0.76 and 0.92 after 400. On 1,200 of these servers it has 0.75 and 0.59, 0.84 and 0.67, 0.82 and 0.75,
0.73 and 0.71, 0.69 and 0.82: of the issue's ten laws fewer look like growth in a long history.

By the hour the same laws run in hours of the week ahead as they do in days of the quarter ahead, on top of a daily
rhythm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from local.fleet.generator import CRITICAL, END, crossing

HORIZON = {"D": 90, "h": 168}
WINDOW = {"D": 7, "h": 24}
SEASON = {"D": 7, "h": 24}
LEAST, MOST = 1.0, 100.0
METRICS = ("cpu", "memory", "disk")


@dataclass(frozen=True)
class LawFleet:
    """Series of known laws.

    ``panel`` and ``future``: ``server_id, metric, ds, y``, one metric per server. ``truth``: one row per server:
    ``server_id, metric, law, grows`` (whether the law leads upwards without an end), ``began`` (how many periods ago
    the climb or the step began; NaN where nothing began within the history), ``critical_ds`` (first crossing of
    ``CRITICAL`` by the rule of ``first_crossing``, NaT where there is none within the horizon).
    """

    panel: pd.DataFrame
    future: pd.DataFrame
    truth: pd.DataFrame
    frequency: str
    horizon: int


Level = tuple[np.ndarray, float]
"""A law's level at each time, and how many days ago what it shows began (NaN where it is as old as the history)."""


def _line(time: np.ndarray, days: int, random: np.random.Generator) -> Level:
    """A straight line; the steepest that the history has room for reaches back to 8 %."""
    until = random.uniform(0.1, 1.5) * 90
    slope = min(random.uniform(0.1, 0.8), (CRITICAL - 8) / (days + until))
    return CRITICAL + slope * (time - until), np.nan


def _bend(time: np.ndarray, days: int, random: np.random.Generator) -> Level:
    """Flat, and climbing since 5 to 60 days, of which a short history shows only the climb."""
    age = random.uniform(5, 60)
    slope, until = random.uniform(0.15, 0.9), random.uniform(0.1, 1.5) * 90
    until = min(until, (CRITICAL - 10) / slope - age)
    return CRITICAL - slope * until + slope * np.maximum(time, -age), age if age < days else np.nan


def _saturation(time: np.ndarray, days: int, random: np.random.Generator) -> Level:
    """Rising ever more slowly towards a level that may lie on either side of the threshold."""
    highest, pace = random.uniform(55, 98), random.uniform(20, 120)
    since = random.uniform(0.2, 1.0) * days
    rise = random.uniform(20, 50)
    return highest - rise * np.exp(-np.maximum(time + since, 0) / pace), min(since, days)


def _batches(time: np.ndarray, days: int, random: np.random.Generator) -> Level:
    """A line that is climbed in steps, one in five to fourteen days."""
    line, _ = _line(time, days, random)
    apart = random.uniform(5, 14)
    loads = np.cumsum(random.gamma(4, apart / 4, int(3 * len(time) / apart) + 10)) + time[0] - 2 * apart
    newest = np.maximum(np.searchsorted(loads, time, side="right") - 1, 0)
    return np.interp(loads[newest], time, line), np.nan


def _teeth(time: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """What fills up and is emptied at once, again and again: logs, leaks with restarts."""
    length, height = random.uniform(5, 14), random.uniform(4, 12)
    return height * ((time + random.uniform(0, length)) % length) / length


def _sawtooth_growth(time: np.ndarray, days: int, random: np.random.Generator) -> Level:
    line, _ = _line(time, days, random)
    teeth = _teeth(time, random)
    return line - teeth.max() + teeth, np.nan


def _sawtooth(time: np.ndarray, days: int, random: np.random.Generator) -> Level:
    return random.uniform(20, 65) + _teeth(time, random), np.nan


def _steady(time: np.ndarray, days: int, random: np.random.Generator) -> Level:
    return np.full(len(time), random.uniform(10, 80)), np.nan


def _memory(time: np.ndarray, days: int, random: np.random.Generator) -> Level:
    """Strong memory and no trend."""
    share, spread = random.uniform(0.9, 0.985), random.uniform(3, 8)
    return random.uniform(25, 78) + spread * _autoregression(len(time), share, random), np.nan


def _random_walk(time: np.ndarray, days: int, random: np.random.Generator) -> Level:
    walk = np.cumsum(random.standard_normal(len(time))) * random.uniform(0.3, 1.3)
    level = random.uniform(40, 89) + walk - walk[np.searchsorted(time, 0)]
    return 100 - np.abs(100 - np.abs(level)), np.nan


def _step(time: np.ndarray, days: int, random: np.random.Generator) -> Level:
    """One lasting step to a level below the threshold."""
    age = random.uniform(4, min(120, 0.8 * days))
    height = random.uniform(8, 30) * random.choice([1, 1, -1])
    before = random.uniform(max(5, 5 - height), min(80, 81 - height))
    return before + height * (time > -age), age


def _slow_wave(time: np.ndarray, days: int, random: np.random.Generator) -> Level:
    period, height = np.exp(random.uniform(np.log(45), np.log(400))), random.uniform(4, 16)
    level = random.uniform(20, 81 - height)
    return level + height * np.sin(2 * np.pi * (time / period + random.random())), np.nan


def _shrink(time: np.ndarray, days: int, random: np.random.Generator) -> Level:
    now, slope = random.uniform(25, 80), np.exp(random.uniform(np.log(0.03), np.log(0.4)))
    return np.minimum(now - min(slope, (95 - now) / days) * time, 95), np.nan


def _cache(time: np.ndarray, days: int, random: np.random.Generator) -> Level:
    """A new server whose caches fill within days, and stay full."""
    age = min(random.uniform(8, 60), days - 1)
    full, pace = random.uniform(40, 80), random.uniform(1.5, 7)
    level = full - random.uniform(0.3, 0.8) * full * np.exp(-(time + age) / pace)
    return np.where(time >= -age, level, np.nan), age


def _plateau(time: np.ndarray, days: int, random: np.random.Generator) -> Level:
    """A climb that has ended, one to six weeks ago."""
    ended = random.uniform(min(7, 0.3 * days), min(45, 0.6 * days))
    slope, now = random.uniform(0.15, 0.8), random.uniform(45, 80)
    return np.maximum(now + slope * np.minimum(time + ended, 0), 5), ended


def _bursts(time: np.ndarray, days: int, random: np.random.Generator) -> Level:
    """Quiet, and now and then busier for some days, a little or much: a reindexing, a month's accounts."""
    level, height = random.uniform(3, 60), np.exp(random.uniform(np.log(3), np.log(50)))
    height = min(height, 82 - level)
    starts = np.cumsum(random.uniform(8, 40, int(len(time) / 8) + 3)) + time[0] - random.uniform(0, 30)
    since = time - starts[np.maximum(np.searchsorted(starts, time, side="right") - 1, 0)]
    return level + height * ((since >= 0) & (since < random.uniform(0.5, 7))), np.nan


def _exponential(time: np.ndarray, days: int, random: np.random.Generator) -> Level:
    """Growing by the same share in the same time, as users do."""
    rate, until = 1 / random.uniform(60, 400), random.uniform(0.1, 1.8) * 90
    base = random.uniform(0, 30)
    return base + (CRITICAL - base) * np.exp(rate * np.minimum(time - until, 60)), np.nan


def _logistic(time: np.ndarray, days: int, random: np.random.Generator) -> Level:
    """A migration: slow, fast and slow again, its middle before today or after."""
    middle, pace = random.uniform(-0.5 * days, 60), random.uniform(5, 30)
    low, rise = random.uniform(5, 50), random.uniform(10, 60)
    return np.minimum(low + rise / (1 + np.exp(-(time - middle) / pace)), 99), np.nan


def _staircase(time: np.ndarray, days: int, random: np.random.Generator) -> Level:
    """Jumps of any size at any time, most of them upwards: tenants that join and leave."""
    apart, size, up = np.exp(random.uniform(np.log(4), np.log(40))), random.uniform(1, 8), random.uniform(0.6, 1)
    jump = (random.random(len(time)) < 1 / apart) * random.gamma(2, size / 2, len(time))
    level = np.cumsum(jump * np.where(random.random(len(time)) < up, 1, -1))
    return random.uniform(20, 85) + level - level[np.searchsorted(time, 0)], np.nan


def _wandering_slope(time: np.ndarray, days: int, random: np.random.Generator) -> Level:
    """A slope that changes a little every day."""
    changes = random.standard_normal(len(time)) * np.exp(random.uniform(np.log(0.003), np.log(0.04)))
    level = np.cumsum(random.uniform(-0.3, 0.5) + np.cumsum(changes) - changes.sum() / 2)
    return 100 - np.abs(100 - np.abs(random.uniform(30, 85) + level - level[np.searchsorted(time, 0)])), np.nan


def _turn(time: np.ndarray, days: int, random: np.random.Generator) -> Level:
    """Two slopes, up or down, which meet some time ago."""
    age = random.uniform(4, 0.8 * days)
    before, after = random.uniform(-0.6, 0.6, 2)
    now = random.uniform(30, 85)
    return np.abs(now + after * time + (before - after) * np.minimum(time + age, 0)), age


def _stages(time: np.ndarray, days: int, random: np.random.Generator) -> Level:
    """Climbs and rests by turns, as a data centre is moved rack by rack."""
    climb, rest, slope = random.uniform(5, 40), random.uniform(5, 40), random.uniform(0.1, 0.9)
    turn = (time + random.uniform(0, climb + rest)) / (climb + rest)
    level = slope * climb * (np.floor(turn) + np.minimum((turn % 1) * (climb + rest) / climb, 1))
    return random.uniform(30, 85) + level - level[np.searchsorted(time, 0)], np.nan


def _months(time: np.ndarray, days: int, random: np.random.Generator) -> Level:
    """The month's rhythm, on a level or a slight slope."""
    height, slope = random.uniform(2, 10), random.choice([0, random.uniform(-0.1, 0.3)])
    wave = height * np.sin(2 * np.pi * (time / 30.4 + random.random()))
    return random.uniform(20, 75) + slope * time + wave, np.nan


def _regimes(time: np.ndarray, days: int, random: np.random.Generator) -> Level:
    """Two levels that change places at random."""
    apart, height = random.uniform(6, 60), random.uniform(5, 25)
    high = np.cumsum(random.random(len(time)) < 1 / apart) % 2
    return random.uniform(20, 82 - height) + height * high, np.nan


@dataclass(frozen=True)
class Law:
    """A law's ``level``, whether it ``grows`` without an end, and whether it has the rhythm of the ``season``."""

    level: Callable[[np.ndarray, int, np.random.Generator], Level]
    grows: bool
    season: bool = False


LAWS = {
    "line": Law(_line, True),
    "line with rhythm": Law(_line, True, season=True),
    "bend": Law(_bend, True),
    "saturation": Law(_saturation, True),
    "sawtooth growth": Law(_sawtooth_growth, True),
    "batch growth": Law(_batches, True),
    "memory": Law(_memory, False),
    "random walk": Law(_random_walk, False),
    "step": Law(_step, False),
    "slow wave": Law(_slow_wave, False),
    "shrink": Law(_shrink, False),
    "steady": Law(_steady, False, season=True),
    "sawtooth": Law(_sawtooth, False),
    "bursts": Law(_bursts, False),
    "cache": Law(_cache, False),
    "plateau": Law(_plateau, False),
}


# Of these the prior of the trends has seen none: they show how it does where it meets something new.
OTHER_LAWS = {
    "exponential": Law(_exponential, True),
    "logistic": Law(_logistic, False),
    "staircase": Law(_staircase, True),
    "wandering slope": Law(_wandering_slope, False),
    "turn": Law(_turn, False),
    "stages": Law(_stages, True),
    "months": Law(_months, False),
    "regimes": Law(_regimes, False),
}


def generate_laws(
    servers: int = 400,
    days: int = 60,
    seed: int = 1,
    frequency: str = "D",
    laws: tuple[str, ...] = tuple(LAWS),
    end: str = END,
) -> LawFleet:
    """Series of ``days`` days that follow the given laws, and their continuation.

    Laws that grow have twice the share of the others, so that about a third of all series crosses.

    Raises:
        ValueError: an unknown law or frequency, or nothing to generate.
    """
    known_laws = LAWS | OTHER_LAWS
    if unknown := set(laws) - set(known_laws):
        raise ValueError(f"unknown laws {sorted(unknown)}; known are {', '.join(known_laws)}")
    if frequency not in HORIZON or servers < 1 or days < 3 or not laws:
        raise ValueError("servers and laws must be at least one, days at least three, frequency D or h")
    horizon, window = HORIZON[frequency], WINDOW[frequency]
    known = days * (24 if frequency == "h" else 1)
    # A law's day is a ninetieth of the horizon.
    day = horizon / HORIZON["D"]
    time = np.arange(1 - known, horizon + window) / day
    turns = [law for law in laws for _ in range(2 if known_laws[law].grows else 1)]
    random = np.random.default_rng([seed, days, sorted(HORIZON).index(frequency)])
    values, truth = np.empty((servers, len(time))), []
    for number in range(servers):
        law = turns[number % len(turns)]
        level, began = known_laws[law].level(time, max(round(known / day), 8), random)
        values[number] = level + _around(level, known_laws[law].season or frequency == "h", frequency, random)
        metric = METRICS[int(random.integers(len(METRICS)))]  # a law may be any metric's
        truth.append((f"srv-{number:04d}", metric, law, known_laws[law].grows, began * day))
    values = np.clip(values, LEAST, MOST).round(2)
    start = pd.Timestamp(end).normalize() + pd.Timedelta(days=1)
    ds = pd.date_range(start - known * pd.Timedelta(1, str(frequency)), periods=len(time), freq=frequency)
    table = pd.DataFrame(truth, columns=["server_id", "metric", "law", "grows", "began"])
    crossed = crossing(values[:, known:] >= CRITICAL, horizon, window)
    table["critical_ds"] = np.where(crossed >= 0, ds.to_numpy()[known + np.maximum(crossed, 0)], np.datetime64("NaT"))
    return LawFleet(
        panel=_long(table, ds[:known], values[:, :known]),
        future=_long(table, ds[known : known + horizon], values[:, known : known + horizon]),
        truth=table,
        frequency=frequency,
        horizon=horizon,
    )


def _around(level: np.ndarray, rhythm: bool, frequency: str, random: np.random.Generator) -> np.ndarray:
    """What a series does around its level: noise with some memory, a burst now and then, and perhaps a rhythm."""
    spread, share = random.uniform(0.3, 1.2), random.uniform(0, 0.5)
    noise = spread * (_autoregression(len(level), share, random) + 0.5 * random.standard_normal(len(level)))
    noise += (random.random(len(level)) < 0.01) * random.uniform(5, 15)
    if rhythm:
        period = np.arange(len(level)) % SEASON[frequency]
        free = period < 2 if frequency == "D" else (period < 7) | (period > 19)
        noise -= random.uniform(3, 12) * free
    return noise


def _autoregression(length: int, share: float, random: np.random.Generator) -> np.ndarray:
    noise = random.standard_normal(length) * np.sqrt(1 - share**2)
    noise[0] /= np.sqrt(1 - share**2)
    for now in range(1, length):
        noise[now] += share * noise[now - 1]
    return noise


def _long(truth: pd.DataFrame, ds: pd.DatetimeIndex, values: np.ndarray) -> pd.DataFrame:
    server, period = np.nonzero(np.isfinite(values))
    return pd.DataFrame(
        {
            "server_id": truth["server_id"].to_numpy()[server],
            "metric": truth["metric"].to_numpy()[server],
            "ds": ds.to_numpy()[period],
            "y": values[server, period],
        }
    )
