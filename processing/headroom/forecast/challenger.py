"""The challenger: SageMaker's AutoML forecasts the newest window of our own backtest, and is scored as we are.

Training writes what it may know: the series up to that window's origin, under made-up names, and nothing later. Its
best model then forecasts the window by batch transform, and :func:`outcome` scores both forecasts with the same
functions over the same series and dates. Why so, and not by the job's own backtest: docs/decisions.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from headroom.core import wording
from headroom.core.grid import Grid
from headroom.core.periods import Frequency
from headroom.forecast import backtest, choice, intervals
from headroom.forecast.backtest import Window

# Folders and files: what training leaves beside the model, what the service reads, and what both forecasts come to.
FOLDER = "challenge"
EXERCISE = "exercise.json"
HISTORY = "history"
RESULT = "result"
OURS = "ours.parquet"
COMPLETED, OFF = "completed", "off"

ITEM, TIME, VALUE = "item_id", "timestamp", "value"
# Columns of the service's forecasts: the quantiles that it is asked for (p5 …) are those of our intervals.
QUANTILES = [f"p{100 * level:.0f}" for level in intervals.LEVELS]

# A forecast reaches at most a quarter of the history and 500 steps (API reference of TimeSeriesForecastingJobConfig);
# a job wants 500 rows (CreateAutoMLJob's reference), a forecast four values per series (AWS's example notebook).
SHARE_AHEAD, MOST_AHEAD = 4, 500
LEAST_ROWS, LEAST_VALUES = 500, 4
# A batch transform takes files of up to 100 MB, each with whole series (the same notebook): a row has about 45 bytes.
FILE_ROWS = 500_000
# More rows only cost more: series are drawn evenly until these are full.
MOST_ROWS = 2_000_000
# The service's word for a period.
PERIODS = {Frequency.DAY: "1D", Frequency.HOUR: "1H"}


@dataclass(frozen=True)
class Exercise:
    """What is to be forecast: n series, known up to the origin.

    ``actual``: n × ahead, NaN where nothing was measured; ``ours``: our forecast's quantiles, n × ahead × 5;
    ``scale``: n, as MASE has it; ``apart``: whether our forecast rests on windows that share no day with this one.
    """

    known: Grid
    actual: np.ndarray
    ours: np.ndarray
    scale: np.ndarray
    apart: bool


def prepare(history: Grid, windows: list[Window], ours: np.ndarray | None, folder: Path) -> None:
    """Write the exercise of the newest window, or why there is none, into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    found = exercise(history, windows, ours)
    told = {"possible": False, "reason": found} if isinstance(found, str) else _written(found, folder)
    (folder / EXERCISE).write_text(json.dumps(told, indent=1), encoding="utf-8")


def exercise(history: Grid, windows: list[Window], ours: np.ndarray | None) -> Exercise | str:
    """The exercise that the newest window makes, within the service's limits; or why there is none."""
    if not windows or ours is None:
        return "the history is too short for a backtest"
    newest, frequency = windows[-1], history.frequency
    known = history.until(newest.origin)
    # Of a series that has fallen silent before the origin, it is not known where a challenger's forecast begins.
    fit = np.isfinite(known.values[:, -1]) & (np.isfinite(known.values).sum(axis=1) >= LEAST_VALUES)
    fit &= np.isfinite(newest.actual).any(axis=1)
    rows = np.flatnonzero(fit)
    rows = rows[:: -(-len(rows) * len(known.ds) // MOST_ROWS) or 1]
    drawn = known.only(rows)
    measured = np.isfinite(drawn.values)
    periods = len(known.ds) - int(measured.any(axis=0).argmax()) if len(rows) else 0
    ahead, season = min(newest.reach, periods // SHARE_AHEAD, MOST_AHEAD), frequency.seasons[0]
    if ahead < season:
        return (
            f"AutoML forecasts at most a quarter of the history, and before the newest backtest window there are "
            f"{wording.span(periods, frequency)} of it: too few to forecast {wording.span(season, frequency)}"
        )
    if measured.sum() < LEAST_ROWS:
        return f"AutoML wants {LEAST_ROWS} values, and before the newest backtest window there are {measured.sum()}"
    return Exercise(
        drawn, newest.actual[rows, :ahead], ours[rows, :ahead], newest.scale[rows],
        len(windows) - 1 in backtest.independent(windows),
    )  # fmt: skip


def _written(found: Exercise, folder: Path) -> dict[str, Any]:
    """Write history and held-out window; what the job that asks the service must know of them."""
    names = np.array([f"series-{number:05}" for number in range(len(found.known.values))], dtype=object)
    (folder / HISTORY).mkdir(exist_ok=True)
    per_file = max(FILE_ROWS // len(found.known.ds), 1)
    for number, first in enumerate(range(0, len(names), per_file)):
        part = slice(first, first + per_file)
        row, column = np.nonzero(np.isfinite(found.known.values[part]))
        table = pd.DataFrame({
            ITEM: names[part][row],
            TIME: found.known.ds[column].strftime("%Y-%m-%d %H:%M:%S"),
            VALUE: found.known.values[part][row, column],
        })  # fmt: skip
        table.to_csv(folder / HISTORY / f"history-{number:03}.csv", index=False)
    count, ahead = found.actual.shape
    ds = found.known.coming(ahead)
    ours = pd.DataFrame(found.ours.reshape(-1, len(QUANTILES)), columns=QUANTILES)
    ours.insert(0, ITEM, np.repeat(names, ahead))
    ours.insert(1, "ds", np.tile(ds.to_numpy(), count))
    (folder / RESULT).mkdir(exist_ok=True)
    ours.assign(
        actual=found.actual.ravel(), scale=np.repeat(found.scale, ahead), apart=found.apart
    ).to_parquet(folder / RESULT / OURS, index=False)  # fmt: skip
    return {
        "possible": True, "frequency": PERIODS[found.known.frequency], "horizon": ahead, "series": count,
    }  # fmt: skip


class _NotComparableError(Exception):
    """The challenger's forecasts are not what was asked for; the message says what they are instead."""


def outcome(folder: Path | None, challenged: str, frequency: Frequency) -> dict[str, Any] | None:
    """How the challenger did beside us, for ``model_metrics.json``; None where a run had none.

    ``folder`` holds :data:`OURS` and the service's forecasts, ``*.out``; ``challenged`` is ``completed``, ``off``, or
    says why there are no forecasts. Whatever the forecasts hold, this ends with a sentence: a challenger fails no run.
    """
    if folder is None or challenged == OFF:
        return None
    reason = challenged
    if challenged == COMPLETED:
        try:
            return _compared(folder, frequency)
        except _NotComparableError as error:
            reason = str(error)
    return {"status": "not compared", "reason": reason, "words": f"AutoML challenger: not compared ({reason})."}


def _compared(folder: Path, frequency: Frequency) -> dict[str, Any]:
    ours = pd.read_parquet(folder / OURS)
    ahead = ours["ds"].nunique()
    both = ours.merge(_forecasts(folder), how="left", on=[ITEM, "ds"], suffixes=("", "_theirs"), validate="1:1")
    both = both.sort_values([ITEM, "ds"])
    shape = (-1, ahead, len(QUANTILES))
    mine = both[QUANTILES].to_numpy(float).reshape(shape)
    theirs = both[[f"{name}_theirs" for name in QUANTILES]].to_numpy(float).reshape(shape)
    whole = np.isfinite(theirs).all(axis=(1, 2))
    if not whole.any():
        raise _NotComparableError("its forecasts cover none of the series over the whole window")
    actual = both["actual"].to_numpy(float).reshape(-1, ahead)[whole]
    scale = both["scale"].to_numpy(float).reshape(-1, ahead)[whole, 0]
    scores = {
        name: choice.means(choice.score(actual, quantiles[whole], scale))
        for name, quantiles in (("ours", mine), ("theirs", theirs))
    }
    found = {
        "status": "compared",
        "from": ours["ds"].min().isoformat(),
        "ahead": ahead,
        "series": int(whole.sum()),
        "series_asked": len(whole),
        "apart": bool(ours["apart"].all()),
        **scores,
    }
    return found | {"words": _words(found, frequency)}


def _words(found: dict[str, Any], frequency: Frequency) -> str:
    """The comparison in a sentence or two."""
    ours, theirs = found["ours"]["mase"], found["theirs"]["mase"]
    of = f" of {wording.count(found['series_asked'])}" if found["series"] < found["series_asked"] else ""
    over = f"{wording.span(found['ahead'], frequency)} from {wording.date(pd.Timestamp(found['from']), frequency)}"
    start = f"AutoML challenger: over {over}, for {wording.count(found['series'])}{of} series,"
    difference = round(100 * (1 - min(ours, theirs) / max(ours, theirs))) if max(ours, theirs) > 0 else 0
    closer = "Headroom's forecasts" if ours <= theirs else "AutoML's forecasts"
    verdict = f"{closer} were {wording.percent(difference)} closer" if difference else "both were equally close"
    flattered = "" if found["apart"] else " The history is short, and Headroom's had seen part of these days."
    return f"{start} {verdict} (MASE {ours:.2f} against AutoML's {theirs:.2f}).{flattered}"


def _forecasts(folder: Path) -> pd.DataFrame:
    """The service's forecasts: item, ``ds`` and quantiles, each series and period once."""
    files = sorted(folder.rglob("*.out"))
    if not files:
        raise _NotComparableError("its batch transform left no forecasts")
    tables = [_forecast(path) for path in files]
    table = pd.concat(tables, ignore_index=True)
    if table.duplicated([ITEM, "ds"]).any():
        raise _NotComparableError("its forecasts hold a series twice")
    return table


def _forecast(path: Path) -> pd.DataFrame:
    wanted = [ITEM, TIME, *QUANTILES]
    try:
        table = pd.read_csv(path, dtype={ITEM: str})
    except (ValueError, UnicodeDecodeError) as error:  # pandas' own errors of reading are ValueErrors
        raise _NotComparableError(f"its forecasts cannot be read: {error}") from error
    if missing := [name for name in wanted if name not in table.columns]:
        shown = wording.printable(", ".join(map(str, table.columns[:8])))[:200]
        raise _NotComparableError(f"its forecasts lack {wording.listed(missing)}; their columns are {shown}")
    try:
        moments = pd.to_datetime(table[TIME], utc=True, format="ISO8601").dt.tz_localize(None)
        quantiles = table[QUANTILES].astype(float)
    except (ValueError, TypeError) as error:
        raise _NotComparableError(f"its forecasts hold a value that is not a date or a number: {error}") from error
    return quantiles.assign(**{ITEM: table[ITEM], "ds": moments.astype("datetime64[ns]")})
