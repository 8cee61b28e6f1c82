"""The training job: from a panel to a model that has proved itself on the panel's own past."""

from __future__ import annotations

import argparse
import json
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyarrow import parquet
from threadpoolctl import threadpool_limits

from headroom.core import job, series, settings
from headroom.core import metrics as table_of_metrics
from headroom.core.grid import SERIES, Grid, mean
from headroom.core.settings import Settings
from headroom.core.wording import percent, span
from headroom.forecast import backtest, booster, drift, trend
from headroom.forecast.features import FEATURE_VERSION, history_of, kinds
from headroom.forecast.model import Model, fallbacks, save

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
    path = given.panel / "panel.parquet"
    if not path.exists():
        raise job.InputError(f"{path} is missing: run preprocess first and give its --panel folder here")
    entity = ["entity"] if "entity" in parquet.read_schema(path).names else []
    panel = series.joined(pd.read_parquet(path, columns=[*SERIES, *entity, "ds", "y"]))
    if not np.isfinite(panel["y"].to_numpy(float)).any():
        raise job.InputError(
            f"{path} holds no value: see data_quality.json beside it for what was wrong with the files"
        )
    attributes = given.panel / "servers.parquet"
    servers = pd.read_parquet(attributes) if attributes.exists() else pd.DataFrame({"server_id": pd.Series(dtype=str)})
    metrics = train(panel, servers, chosen, given.model)
    return {"series": metrics["series"], **metrics["headline"], "fallbacks": len(metrics["fallbacks"])}


def train(panel: pd.DataFrame, servers: pd.DataFrame, chosen: Settings, folder: Path) -> dict[str, Any]:
    """Backtest, choose, calibrate and train on a panel with at least one value; write the model's folder.

    Returns what is also in ``model_metrics.json``.
    """
    table_of_metrics.use(chosen.own_metrics())
    # More threads gain nothing at these sizes, lose much on a busy machine, and change the last digits.
    with threadpool_limits(1, "blas"):
        return _train(panel, servers, chosen, folder)


def _train(panel: pd.DataFrame, servers: pd.DataFrame, chosen: Settings, folder: Path) -> dict[str, Any]:
    history = history_of(panel, chosen.frequency)
    log.info("%d series over %d periods, horizon %d", *history.values.shape, chosen.horizon)
    reasons = fallbacks(history, chosen)
    sample = _sample(history, reasons)
    sampled = history.only(sample)
    examples = booster.examples(sampled, booster.training_origins(len(history.ds), chosen), servers, chosen)
    windows = backtest.run(sampled, examples, servers, chosen)
    log.info("backtested %d series in %d windows", len(sample), len(windows))

    group = backtest.behaviour(history, chosen)
    groups = sorted(set(group[sample]))
    weight, group_weights = backtest.weights(windows, group[sample], groups)
    judged, lean = backtest.judge(windows, group[sample], groups, chosen.frequency)
    final = judged[backtest.COMBINATION]
    reach = backtest.reach(len(history.ds), chosen) if windows else 0
    # Said long before the job ends: SageMaker reads metrics from the log, and may miss what comes just before the exit.
    log.info("backtest: %s", json.dumps({"relative_mase": _relative_mase(judged, reach, chosen)}))

    choices = history.series.assign(group=group)
    for number, name in enumerate(backtest.CANDIDATES):
        choices.loc[sample, name] = weight[number]
    choices.loc[sample, ["own_below", "own_above"]] = final.own
    trained = booster.train(examples)
    metrics = _metrics(history, chosen, reasons, sample, windows, group[sample], judged, weight, lean, trained)
    model = Model(
        settings=chosen,
        trained=trained,
        choices=choices,
        group_weights=group_weights,
        calibration=final.calibration,
        lean=lean,
        reach=metrics["backtested"],
        baseline=drift.of_panel(panel, chosen.frequency.recent, chosen.drift_threshold),
    )
    save(model, folder)
    gaps = pd.MultiIndex.from_frame(panel.loc[~np.isfinite(panel["y"].to_numpy(float)), SERIES].drop_duplicates())
    metrics["fallbacks"] += [
        {**dict(zip(SERIES, one, strict=True)), "points": 0, "method": "none", "reason": "never measured"}
        for one in gaps.difference(pd.MultiIndex.from_frame(history.series))
    ]
    metrics["fallbacks"] = [_as_file(one) for one in metrics["fallbacks"]]
    (folder / "model_metrics.json").write_text(json.dumps(metrics, indent=1, allow_nan=False), encoding="utf-8")
    return metrics


def _as_file(fallback: dict[str, Any]) -> dict[str, Any]:
    """With the server and its entity instead of their owner."""
    server, entity = series.parts_of(fallback["server_id"])
    return fallback | {"server_id": server} | ({"entity": entity} if entity else {})


def _sample(history: Grid, reasons: list[str]) -> np.ndarray:
    """Indices of the series to learn from: those that need no fallback, at most ``SAMPLE``; all if none would do."""
    fit = np.flatnonzero([not reason for reason in reasons])
    fit = fit if len(fit) else np.arange(len(reasons))
    return np.sort(np.random.default_rng(1).permutation(fit)[:SAMPLE])


def _metrics(
    history: Grid,
    chosen: Settings,
    reasons: list[str],
    sample: np.ndarray,
    windows: list[backtest.Window],
    group: np.ndarray,
    judged: dict[str, backtest.Judged],
    weight: np.ndarray,
    lean: np.ndarray,
    trained: booster.Booster | None,
) -> dict[str, Any]:
    reach = backtest.reach(len(history.ds), chosen) if windows else 0
    cells = [(name, *name.split("/")) for name in sorted(set(group))]
    candidates = [
        {
            "candidate": name,
            "metric": metric,
            "group": kind,
            "series": int((group == cell).sum()),
            **_mean(one.scores[group == cell]),
        }
        for name, one in judged.items()
        for cell, metric, kind in cells
    ]
    overall, naive = (_mean(judged[name].scores) for name in (backtest.COMBINATION, backtest.CANDIDATES[0]))
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
            f"{span(len(history.ds), chosen.frequency)} of history: backtests {tested}. What is said of later dates,"
            f" up to {span(chosen.horizon, chosen.frequency)} ahead, rests on each series' own trend and on how such"
            f" trends went on in {trend.measured_on()}; it gets surer as the history grows."
        )
    if windows and not backtest.independent(windows):
        notes.append(
            "The history is too short for backtest windows that share no day with another: the choice of candidates"
            " knew part of what it is judged by, and the errors may look better than they are."
        )
    if len(sample) < len(reasons) - sum(map(bool, reasons)):
        notes.append(f"Trained and backtested on {len(sample)} series drawn from {len(reasons)}.")
    return {
        "schema": 1,
        "feature_version": FEATURE_VERSION,
        "frequency": chosen.frequency,
        "horizon": chosen.horizon,
        "windows": len(windows),
        "backtested": reach,
        "trend_prior": trend.measured_on(),
        "trend_share": _trend_share(lean, sorted(set(group))),
        "series": len(history.series),
        "sampled_series": len(sample) if len(sample) < len(history.series) else None,
        "candidates": candidates,
        "chosen": _chosen(cells, group, weight, bool(windows)),
        "headline": headline,
        "feature_importance": importance,
        "calendar_share": round(sum(one["share"] for one in importance if one["kind"] in CALENDAR_KINDS), 4),
        "fallbacks": [
            {
                **history.series.iloc[number].to_dict(),
                "points": int((~np.isnan(history.values[number])).sum()),
                "method": "seasonal average" if np.isfinite(history.values[number]).any() else "none",
                "reason": reason,
            }
            for number, reason in enumerate(reasons)
            if reason
        ],
        "notes": notes,
    }


def _relative_mase(judged: dict[str, backtest.Judged], reach: int, chosen: Settings) -> float | None:
    """How the registry compares models of different times: the data may have become harder for both.

    A backtest of less than the horizon is another exercise, and no bar for later models.
    """
    ours, naive = (_mean(judged[name].scores)["mase"] for name in (backtest.COMBINATION, backtest.CANDIDATES[0]))
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
    median = trained.models[0.5]
    gain = median.feature_importance("gain")
    order = np.argsort(-gain, kind="stable")
    names = median.feature_name()
    return [
        {"feature": names[one], "kind": kinds(names[one]), "share": round(float(gain[one] / max(gain.sum(), 1e-12)), 4)}
        for one in order
    ]


def _mean(table: np.ndarray) -> dict[str, float | None]:
    """Mean scores over series; None where there are none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        means = np.nanmean(table, axis=0) if len(table) else np.full(len(backtest.SCORES), np.nan)
    pairs = zip(backtest.SCORES, means, strict=True)
    return {name: round(float(mean), 4) if np.isfinite(mean) else None for name, mean in pairs}


if __name__ == "__main__":
    job.as_program(main)
