"""How good the forecasts were, and what they were made with."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from headroom.core import wording
from headroom.core.findings import Assessment
from headroom.report import blocks
from headroom.report.blocks import Block, Text

# Outside of these, the backtest's share of values inside the 80 % band is worth a warning.
FAIR_COVERAGE = (0.70, 0.92)


def section(found: Assessment) -> dict[str, Any]:
    """How good the forecasts were, and what they were made with."""
    model, frequency = found.metrics, found.settings.frequency
    title = "How good the forecasts were"
    if not model:
        nothing = blocks.paragraph("This model came without backtest figures.")
        return blocks.section("forecast", "Forecasts", title, [nothing])
    scores = model["headline"]
    content: list[Block] = []
    if model["windows"] == 0:
        content.append(blocks.paragraph(
            "Not tested: the history is too short to hide its last part and forecast that. How good the forecasts are "
            "is not known, and their bands are wide.", style="intro",
        ))  # fmt: skip
    else:
        backtested, horizon = model["backtested"], model["horizon"]
        of = ""
        if model["sampled_series"] is not None:
            of = f", for {model['sampled_series']:,} of {model['series']:,} series"
        tests, ahead = wording.plural(model["windows"], "backtest"), wording.about(backtested, frequency)
        words = f"In {tests}, the last part of the known history was hidden and then forecast, {ahead} ahead{of}. "
        if backtested < horizon:
            words += f"The history is too short to test all {wording.about(horizon, frequency)}. "
        gain = scores["improvement_percent"]
        verdict: list[Any] = []
        if gain is not None:
            better = f"{wording.percent(abs(round(gain)))} {'better' if gain >= 0 else 'worse'}"
            verdict = [
                blocks.bold(f"The forecasts were {better} than repeating the last season"),
                f" (MASE {blocks.fixed(scores['mase'], 2)} against {blocks.fixed(scores['seasonal_naive_mase'], 2)}).",
            ]
        content.append(blocks.paragraph(words, *verdict, style="intro"))
        held = [f"{wording.metric(metric)} {wording.share(share)}" for metric, share in coverage(model)]
        content.append({
            "covers": "Share of later values that fell inside the band:",
            "bands": [[f"{wanted} % band", scores[f"coverage_{wanted}"], wanted / 100,
                       wording.share(_nan(scores[f"coverage_{wanted}"]))] for wanted in (80, 90)],
            "note": f"80 % band: {', '.join(held)}." if len(held) > 1 else "",
        })  # fmt: skip
    if challenger := model.get("challenger"):
        content.append(blocks.paragraph(challenger["words"]))
    content += [
        *coverage_warning(found), *_candidates(model), *_drawn_from(model), *_fallbacks(model), *_drift(found),
        *(blocks.paragraph(note, style="quiet") for note in model["notes"]),
    ]  # fmt: skip
    return blocks.section("forecast", "Forecasts", title, content)


def _candidates(model: dict[str, Any]) -> list[Block]:
    rows = [row for row in model["candidates"] if row["scaled_quantile_loss"] is not None]
    best: dict[tuple[str, str], float] = {}
    for row in rows:
        key = (row["metric"], row["group"])
        best[key] = min(row["scaled_quantile_loss"], best.get(key, math.inf))
    chosen: list[list[Text]] = [
        [wording.metric(row["metric"]), wording.label(row["group"]), blocks.bold(wording.label(row["candidate"])),
         blocks.number(row["series"]), row["reason"]]
        for row in model["chosen"][:60]
    ]  # fmt: skip

    def candidate(row: dict[str, Any]) -> Text:
        name = wording.label(row["candidate"])
        is_best = row["scaled_quantile_loss"] == best[row["metric"], row["group"]]
        return [blocks.bold(name), " ✓"] if is_best else name

    figures = (("mae", 2), ("rmse", 2), ("smape", 1), ("mase", 2), ("scaled_quantile_loss", 3))
    errors: list[list[Text]] = [
        [wording.metric(row["metric"]), wording.label(row["group"]), candidate(row),
         *(blocks.fixed(row[key], digits) for key, digits in figures),
         *(wording.share(_nan(row[key])) for key in ("coverage_80", "coverage_90"))]
        for row in rows[:120]
    ]  # fmt: skip
    names = ["MAE", "RMSE", "sMAPE", "MASE", "Quantile loss", "In 80 %", "In 90 %"]
    first = [("Metric", ""), ("Series", "")]
    return [
        *blocks.fold("What was chosen", blocks.table(
            "Series by the method that served them best",
            [*first, ("Chosen", ""), ("Number", "number"), ("Why", "")], chosen,
        )),
        *blocks.fold("All candidates", blocks.table(
            "Errors, lower is better; the best of its group is marked",
            [*first, ("Candidate", ""), *((name, "number") for name in names)], errors,
        )),
    ]  # fmt: skip


def _drawn_from(model: dict[str, Any]) -> list[Block]:
    features = [
        [wording.label(row["feature"]), wording.label(row["kind"]), row["share"], wording.share(row["share"])]
        for row in model["feature_importance"][:15]
    ]
    calendar = model["calendar_share"]
    return blocks.fold(
        "What the forecasts are drawn from",
        [blocks.paragraph(f"The calendar accounts for {wording.share(calendar)}.")] if calendar is not None else [],
        [{"shares": features}] if features else [],
    )


def _fallbacks(model: dict[str, Any]) -> list[Block]:
    rows: list[list[Text]] = [
        [blocks.server(row["server_id"]), wording.metric(row["metric"], row.get("entity", "")),
         wording.count(row["points"]), row["method"], row["reason"]]
        for row in model["fallbacks"][:60]
    ]  # fmt: skip
    columns = [("Server", ""), ("Metric", ""), ("Values", "number"), ("Method", ""), ("Why", "")]
    title = f"Simpler forecasts ({len(model['fallbacks']):,})"
    return blocks.fold(title, blocks.table("Series too short for the models", columns, rows))


def _drift(found: Assessment) -> list[Block]:
    drift = found.summary["drift"] or {"psi": {}}
    indices = [f"{wording.metric(name)} {value:.2f}" for name, value in drift["psi"].items() if value is not None]
    if not indices:
        return []
    says: Text = "The data still looks like what the model learned. "
    if drift["exceeded"]:
        says = blocks.bold(
            f"The data has drifted from what the model learned ({drift['reason']}): the next run trains a new one. "
        )
    outside = f"{wording.share(_nan(drift['servers_out_of_range']))} of servers are outside their usual range."
    return [blocks.paragraph(says, f"Population stability index: {', '.join(indices)}; {outside}")]


def coverage(metrics: dict[str, Any]) -> list[tuple[str, float]]:
    """For each metric, the share of later values that the 80 % band of its forecasts held in the backtest.

    Forecasts are combinations of the candidates, so these are the combination's figures, by number of series.
    """
    rows = pd.DataFrame(metrics.get("candidates") or [], columns=["candidate", "metric", "series", "coverage_80"])
    rows = rows[(rows["candidate"] == "combination") & rows["coverage_80"].notna() & (rows["series"] > 0)]
    return [
        (str(metric), float(np.average(mine["coverage_80"], weights=mine["series"])))
        for metric, mine in rows.groupby("metric", sort=False)
    ]


def coverage_warning(found: Assessment) -> list[Block]:
    """The metrics whose forecast bands held far more or fewer values in the backtest than they promise."""
    items: list[Text] = []
    for metric, held in coverage(found.metrics):
        if FAIR_COVERAGE[0] <= held <= FAIR_COVERAGE[1]:
            continue
        narrow = held < FAIR_COVERAGE[0]
        items.append([
            blocks.bold(wording.sentence(wording.metric(metric))),
            f": the 80 % band held {wording.share(held)} of later values, so it is too ",
            "narrow; " if narrow else "wide; ",
            "crossings may come earlier or later than the dates and chances say." if narrow
            else "chances and ranges of dates are vaguer than they need to be.",
        ])  # fmt: skip
    return blocks.warning("Take these forecasts with care.", items)


def _nan(value: float | None) -> float:
    return math.nan if value is None else value
