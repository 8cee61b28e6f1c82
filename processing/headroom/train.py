"""The training job: from a panel to a model that has proved itself on the panel's own past."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from headroom.core import job, settings
from headroom.core import metrics as table_of_metrics
from headroom.core import panel as panels
from headroom.core import series as owners
from headroom.core.grid import SERIES, Grid, mean, series_in
from headroom.core.panel import Panel
from headroom.core.settings import Settings
from headroom.core.wording import percent, span
from headroom.forecast import backtest, booster, challenger, choice, drift, prior
from headroom.forecast.features import FEATURE_VERSION, history_of, kinds, side_by_side
from headroom.forecast.model import Model, fallbacks, save, scale_of

log = logging.getLogger(__name__)

# So many series are enough to train on and to tell the candidates apart; of larger panels these are drawn.
SAMPLE = 600


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m headroom.train", description=__doc__)
    arguments.add_argument("--panel", type=Path, required=True, metavar="DIR", help="what preprocess wrote")
    arguments.add_argument("--settings", type=Path, metavar="FILE", help="instead of the panel's settings")
    arguments.add_argument("--manifest", type=Path, metavar="FILE", help="the run's manifest.json")
    arguments.add_argument("--model", type=Path, required=True, metavar="DIR", help="where to write")
    job.run(work, arguments)


def work(given: argparse.Namespace) -> dict[str, Any]:
    """Train on the panel's folder, write the model's, and return the job's last word."""
    chosen = settings.of_panel(given.panel, given.settings)
    panel = panels.in_folder(given.panel)
    metrics = train(panel, panels.attributes_in(given.panel), chosen, given.model)
    return {"series": metrics["series"], **metrics["headline"], "fallbacks": len(metrics["fallbacks"])}


def train(panel: Panel, servers: pd.DataFrame, chosen: Settings, folder: Path) -> dict[str, Any]:
    """Backtest, choose, calibrate and train on a panel with at least one value; write the model's folder.

    Returns what is also in ``model_metrics.json``.
    """
    table_of_metrics.use(chosen.own_metrics())
    # More threads gain nothing at these sizes, lose much on a busy machine, and change the last digits.
    with threadpool_limits(1, "blas"):
        return _train(panel, servers, chosen, folder)


def _train(panel: Panel, servers: pd.DataFrame, chosen: Settings, folder: Path) -> dict[str, Any]:
    blocks = panel.blocks(chosen.frequency)
    looks = side_by_side(lambda number: _look(panel, blocks[number], chosen), list(range(len(blocks))))
    series, never = (pd.concat(parts, ignore_index=True) for parts in zip(*looks, strict=True))
    sample = _sample(series)
    sampled = _history(panel, series.iloc[sample], chosen)
    periods = len(sampled.ds)
    log.info("%d series over %d periods, horizon %d", len(series), periods, chosen.horizon)
    examples = booster.examples(sampled, booster.training_origins(periods, chosen), servers, chosen)
    windows = backtest.run(sampled, examples, servers, chosen)
    log.info("backtested %d series in %d windows", len(sample), len(windows))

    group = series["group"].to_numpy(str)
    groups = sorted(set(group[sample]))
    weight, group_weights = choice.weights(windows, group[sample], groups)
    judged, lean = choice.judge(windows, group[sample], groups, chosen.frequency)
    final = judged[choice.COMBINATION]
    reach = backtest.reach(periods, chosen) if windows else 0
    # Said long before the job ends: SageMaker reads metrics from the log, and may miss what comes just before the exit.
    log.info("backtest: %s", json.dumps({"relative_mase": _relative_mase(judged, reach, chosen)}))

    choices = series[[*SERIES, "group"]].copy()
    for number, name in enumerate(backtest.CANDIDATES):
        choices.loc[sample, name] = weight[number]
    choices.loc[sample, ["own_below", "own_above"]] = final.own
    trained = booster.train(examples)
    metrics = _metrics(series, periods, chosen, sample, windows, group[sample], judged, weight, lean, trained)
    model = Model(
        settings=chosen,
        trained=trained,
        choices=choices,
        group_weights=group_weights,
        calibration=final.calibration,
        lean=lean,
        reach=metrics["backtested"],
        usual_scale=series.groupby("metric")["scale"].median().dropna().to_dict(),
        baseline=drift.of_panel(
            panel.newest(chosen.frequency.recent, [*SERIES, "ds", "y"]), chosen.frequency.recent, chosen.drift_threshold
        ),
    )
    save(model, folder)
    if chosen.challenger:
        challenger.prepare(sampled, windows, final.newest, folder / challenger.FOLDER)
    metrics["fallbacks"] += [
        {**one, "points": 0, "method": "none", "reason": "never measured"} for one in never.to_dict("records")
    ]
    metrics["fallbacks"] = [_as_file(one) for one in metrics["fallbacks"]]
    (folder / "model_metrics.json").write_text(json.dumps(metrics, indent=1, allow_nan=False), encoding="utf-8")
    return metrics


def _as_file(fallback: dict[str, Any]) -> dict[str, Any]:
    """With the server and its entity instead of their owner."""
    server, entity = owners.parts_of(fallback["server_id"])
    return fallback | {"server_id": server} | ({"entity": entity} if entity else {})


def _look(panel: Panel, servers: list[str], chosen: Settings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What is known of each series of some servers before anything is learned.

    ``server_id, metric, points, reason`` (why it gets the simple forecast, or ""), ``group, scale`` (of
    ``model.scale_of``); and ``server_id, metric`` of those that were never measured.
    """
    rows = _rows(panel, servers)
    history = history_of(rows, chosen.frequency, panel.measured)
    listed = pd.MultiIndex.from_frame(series_in(rows))
    never = listed.difference(pd.MultiIndex.from_frame(history.series)).to_frame(index=False, name=SERIES)
    if not len(history.series):
        return history.series, never
    looked = history.series.assign(
        points=np.isfinite(history.values).sum(axis=1), reason=fallbacks(history, chosen),
        group=backtest.behaviour(history, chosen), scale=scale_of(history, chosen),
    )  # fmt: skip
    return looked, never


def _rows(panel: Panel, servers: list[str]) -> pd.DataFrame:
    """What is learned from of some servers: their periods as far as these are over."""
    rows = panel.of_servers(servers, [*SERIES, "ds", "y", "samples"])
    return panels.whole_periods(rows, panel.span.last) if panel.span else rows


def _history(panel: Panel, series: pd.DataFrame, chosen: Settings) -> Grid:
    """The history of some of the panel's series."""
    rows = _rows(panel, series["server_id"].unique().tolist())
    history = history_of(rows, chosen.frequency, panel.measured)
    wanted = pd.MultiIndex.from_frame(series[SERIES])
    return history.only(pd.MultiIndex.from_frame(history.series).get_indexer(wanted))


def _sample(series: pd.DataFrame) -> np.ndarray:
    """Indices of the series to learn from: those that need no fallback, at most ``SAMPLE``; all if none would do."""
    fit = np.flatnonzero(series["reason"] == "")
    fit = fit if len(fit) else np.arange(len(series))
    return np.sort(np.random.default_rng(1).permutation(fit)[:SAMPLE])


def _metrics(
    series: pd.DataFrame,
    periods: int,
    chosen: Settings,
    sample: np.ndarray,
    windows: list[backtest.Window],
    group: np.ndarray,
    judged: dict[str, choice.Judged],
    weight: np.ndarray,
    lean: np.ndarray,
    trained: booster.Booster | None,
) -> dict[str, Any]:
    reach = backtest.reach(periods, chosen) if windows else 0
    cells = [(name, *name.split("/")) for name in sorted(set(group))]
    candidates = [
        {
            "candidate": name,
            "metric": metric,
            "group": kind,
            "series": int((group == cell).sum()),
            **choice.means(one.scores[group == cell]),
        }
        for name, one in judged.items()
        for cell, metric, kind in cells
    ]
    overall, naive = (choice.means(judged[name].scores) for name in (choice.COMBINATION, backtest.CANDIDATES[0]))
    error, floor = overall["mase"], naive["mase"]
    ratio = error / floor if error is not None and floor else None
    headline = {
        **{name: overall[name] for name in ("mase", "smape", "scaled_quantile_loss", "coverage_80", "coverage_90")},
        "seasonal_naive_mase": floor,
        "relative_mase": _relative_mase(judged, reach, chosen),
        "improvement_percent": round(100 * (1 - ratio), 1) if ratio is not None else None,
    }
    importance = _importance(trained)
    notes = []
    if reach < chosen.horizon:
        tested = f"reach {span(reach, chosen.frequency)} ahead" if windows else "are not possible yet"
        notes.append(
            f"{span(periods, chosen.frequency)} of history: backtests {tested}. What is said of later dates,"
            f" up to {span(chosen.horizon, chosen.frequency)} ahead, rests on each series' own trend and on how such"
            f" trends went on in {prior.measured_on()}; it becomes more reliable as the history grows."
        )
    if windows and not backtest.independent(windows):
        notes.append(
            "The history is too short for backtest windows that do not overlap: candidates were chosen on part of the"
            " data they are judged by, and the errors may look better than they are."
        )
    simple = series[series["reason"] != ""]
    if len(sample) < len(series) - len(simple):
        notes.append(f"Trained and backtested on {len(sample)} series drawn from {len(series)}.")
    return {
        "schema": 1,
        "feature_version": FEATURE_VERSION,
        "frequency": chosen.frequency,
        "horizon": chosen.horizon,
        "windows": len(windows),
        "backtested": reach,
        "trend_prior": prior.measured_on(),
        "trend_share": _trend_share(lean, sorted(set(group))),
        "series": len(series),
        "sampled_series": len(sample) if len(sample) < len(series) else None,
        "candidates": candidates,
        "chosen": _chosen(cells, group, weight, bool(windows)),
        "headline": headline,
        "feature_importance": importance,
        "calendar_share": round(sum(one["share"] for one in importance if one["kind"] in CALENDAR_KINDS), 4),
        "fallbacks": [
            {**one, "method": "seasonal average" if one["points"] else "none"}
            for one in simple[[*SERIES, "points", "reason"]].to_dict("records")
        ],
        "notes": notes,
    }


def _relative_mase(judged: dict[str, choice.Judged], reach: int, chosen: Settings) -> float | None:
    """How the registry compares models of different times: the data may have become harder for both.

    A backtest of less than the horizon is another exercise, and no bar for later models.
    """
    ours, naive = (choice.means(judged[name].scores)["mase"] for name in (choice.COMBINATION, backtest.CANDIDATES[0]))
    return round(ours / naive, 4) if ours is not None and naive and reach == chosen.horizon else None


def _trend_share(lean: np.ndarray, groups: list[str]) -> dict[str, float]:
    """How far the forecasts of each group lean to the laws of trends, where backtests could say so, on average."""
    means = mean(lean, axis=1)
    return {name: round(float(one), 2) for name, one in zip(groups, means, strict=False) if np.isfinite(one)}


def _chosen(
    cells: list[tuple[str, str, str]], group: np.ndarray, weight: np.ndarray, tested: bool
) -> list[dict[str, Any]]:
    """Which candidate counts most, for how many series of each group, and why."""
    why = "least backtest error on these and similar series" if tested else "nothing could be backtested"
    most = weight.argmax(axis=0)
    return [
        {
            "metric": metric,
            "group": kind,
            "candidate": name,
            "series": int(rows.sum()),
            "reason": f"{why}; counts {percent(100 * weight[number, rows].mean())} of their combination on average",
        }
        for cell, metric, kind in cells
        for number, name in enumerate(backtest.CANDIDATES)
        for rows in [(group == cell) & (most == number)]
        if rows.any()
    ]


CALENDAR_KINDS = ("calendar", "holiday", "quarter_end")


def _importance(trained: booster.Booster | None) -> list[dict[str, Any]]:
    """Share of each feature in what the median's trees gained, greatest first."""
    if trained is None:
        return []
    total = max(sum(trained.gain.values()), 1e-12)
    ordered = sorted(trained.gain.items(), key=lambda one: -one[1])
    return [{"feature": name, "kind": kinds(name), "share": round(gain / total, 4)} for name, gain in ordered]


if __name__ == "__main__":
    job.as_program(main)
