"""Marked series: their last period is not over yet, or their quantiles are those of few samples."""

# ruff: noqa: S608 - SQL is put together of names and quoted literals; see `quoted`.

from __future__ import annotations

from typing import Any

import duckdb

from headroom.core.periods import LEAST_SAMPLES, PARTIAL
from headroom.core.settings import Settings
from headroom.intake.entities import as_named
from headroom.intake.sql import dicts

# Of fewer samples, a 95th percentile lies between the highest two.
_FEW_SAMPLES = 20
# So many periods show how many samples a series usually has.
_A_HABIT = 7
_SHOWN = 20


def report(db: duckdb.DuckDBPyConnection, settings: Settings) -> dict[str, Any]:
    """What the values of periods are not: series whose last period is ``partial``, and series whose quantiles are
    usually those of ``few_samples``; each with its number of series and the first of them."""
    found = {}
    few = settings.statistic in ("p95", "p99")
    for name, condition in (
        ("partial", f"last < {PARTIAL} * usual AND usual >= {LEAST_SAMPLES}"),
        ("few_samples", f"{few} AND usual < {_FEW_SAMPLES} AND periods >= {_A_HABIT}"),
    ):
        rows = dicts(
            db,
            f"""
            SELECT server_id, metric, last AS samples, usual::INTEGER AS usual FROM (
                SELECT server_id, metric, arg_max(samples, ds) AS last, median(samples) AS usual, max(ds) AS ds,
                    count(*) AS periods
                FROM panel GROUP BY server_id, metric
            ) WHERE {condition} AND (ds = (SELECT max(ds) FROM panel) OR '{name}' <> 'partial')
            ORDER BY server_id, metric""",
        )
        found[name] = {"series": len(rows), "first": as_named(rows[:_SHOWN])}
    return found


def notes(marked: dict[str, Any], settings: Settings) -> list[str]:
    """What people are told of what :func:`report` found."""
    notes = []
    if count := marked["partial"]["series"]:
        notes.append(
            f"The last {settings.frequency.word} is not complete: {count} series have less than {100 * PARTIAL:.0f} % "
            "of their usual samples in it. Forecasts of these series are made from what came before it."
        )
    if (count := marked["few_samples"]["series"]) and not settings.frequency.hourly:
        notes.append(
            f"{count} series have fewer than {_FEW_SAMPLES} samples a day, so that their {settings.statistic.upper()} "
            "is nearly the highest of them, or the only one: export finer samples, or set statistic: mean or max."
        )
    return notes
