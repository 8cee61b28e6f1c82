"""How well could anyone predict crossings from so few days? ``PYTHONPATH=processing python -m bench.attainable``.

Headroom is judged on servers whose laws it was not tuned for. A classifier that is trained on thousands of servers of
the very laws that it is judged on (with other seeds) knows more than anybody can: how frequent each law is, how steep
its climbs are, and that servers of a law without growth never cross. Its figures are an upper bound on what the series
can tell. Four classifiers are trained and judged on the same servers:

- ``knows all``: the threshold, the mixture of laws, and that only some servers are younger than the rest;
- ``any threshold``: trained on thresholds drawn at random, so that it cannot learn what was drawn around 90 %;
- ``unknown laws``: each law is predicted by a classifier that has not seen it (nor the others of its quarter of laws);
- ``both``: neither the threshold nor the law has been seen. That is Headroom's own position.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

from bench import laws
from headroom.core.periods import Frequency
from local.fleet import CRITICAL, LawFleet, generate_laws
from local.fleet.generator import crossing

WINDOWS = (2, 3, 4, 5, 7, 10, 14, 18, 21, 25, 30, 45, 60)
TRAINED, JUDGED = 71, 72  # seeds
QUARTERS = 4


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m bench.attainable", description=__doc__.splitlines()[0])
    arguments.add_argument("--lengths", type=int, nargs="+", default=[14, 30], metavar="DAYS")
    arguments.add_argument("--servers", type=int, default=20_000)
    given = arguments.parse_args()
    for days in given.lengths:
        trained, judged = (generate_laws(given.servers, days, seed) for seed in (TRAINED, JUDGED))
        rows = {name: _figures(told) for name, told in chances(trained, judged).items()}
        print(
            f"\n{days} days, {given.servers:,} servers\n{pd.DataFrame(rows).T.to_string(float_format='{:.3g}'.format)}"
        )


def chances(trained: LawFleet, judged: LawFleet) -> dict[str, pd.DataFrame]:
    """By what a classifier knows: the judged fleet's truth with ``p, crosses`` and ``date`` (NaT)."""
    random = np.random.default_rng(1)
    seen, shown = features(trained), features(judged)
    asked = np.full(len(seen), CRITICAL), seen["m3"].to_numpy() + np.exp(random.uniform(0, np.log(80), len(seen)))
    future = _wide(trained.future, trained.truth)
    after = np.pad(future, ((0, 0), (0, 6)), mode="edge")  # the rule looks a week ahead
    quarter = {law: number % QUARTERS for number, law in enumerate(judged.truth["law"].unique())}
    of_seen, of_shown = (fleet.truth["law"].map(quarter).to_numpy() for fleet in (trained, judged))
    result: dict[str, pd.DataFrame] = {}
    for threshold, (one, other) in zip(asked, (("knows all", "unknown laws"), ("any threshold", "both")), strict=True):
        table, judge = beside(seen, threshold), beside(shown, np.full(len(shown), CRITICAL))
        answer = crossing(after >= threshold[:, None], trained.horizon, 7) >= 0
        if threshold[0] == CRITICAL:
            answer = trained.truth["critical_ds"].notna().to_numpy()
        p = {one: _classifier().fit(table, answer).predict_proba(judge)[:, 1], other: np.empty(len(judge))}
        for number in range(QUARTERS):
            known, own = of_seen != number, of_shown == number
            p[other][own] = _classifier().fit(table[known], answer[known]).predict_proba(judge[own])[:, 1]
        truth = judged.truth.assign(crosses=judged.truth["critical_ds"].notna(), date=pd.NaT, seconds=0.0)
        result |= {name: truth.assign(p=chance) for name, chance in p.items()}
    return {name: result[name] for name in ("knows all", "any threshold", "unknown laws", "both")}


def features(fleet: LawFleet) -> pd.DataFrame:
    """What can be seen of each server: levels, slopes and their errors, jumps, memory, and where it bends or steps."""
    values = _wide(fleet.panel, fleet.truth)
    young = np.isfinite(values).argmax(axis=1)
    values = pd.DataFrame(values).bfill(axis=1).to_numpy()
    days = values.shape[1]
    time = np.arange(1.0 - days, 1)
    found = {"young": young.astype(float)}
    change = np.diff(values, axis=1)
    found["noise"] = noise = np.maximum(np.median(np.abs(change), axis=1), 0.05)
    found |= {f"m{share:g}": np.quantile(values, share, axis=1) for share in (0, 0.25, 0.5, 0.75, 1)}
    ordered = np.sort(change / noise[:, None], axis=1)
    found |= {f"change {at}": ordered[:, at] for at in (0, 1, 2, days // 2, -3, -2, -1)}
    found |= {"fell": days - change.argmin(axis=1), "rose": days - change.argmax(axis=1)}
    for window in (one for one in WINDOWS if 3 <= one <= days):
        own, since = values[:, -window:], time[-window:] - time[-window:].mean()
        mean, slope = own.mean(axis=1), own @ since / (since**2).sum()
        left = own - mean[:, None] - slope[:, None] * since
        error = np.sqrt((left**2).sum(axis=1) / (window - 2) / (since**2).sum())
        memory = (left[:, 1:] * left[:, :-1]).sum(axis=1) / ((left**2).sum(axis=1) + 1e-6)
        found |= {f"m{window}": mean, f"slope {window}": slope, f"sure {window}": slope / (error + 0.01)}
        found |= {f"left {window}": np.abs(left).mean(axis=1), f"memory {window}": memory}
        found |= {f"m{window} later": mean + slope * (fleet.horizon - time[-window:].mean())}
    rest = ((values - values.mean(axis=1, keepdims=True)) ** 2).sum(axis=1) + 0.1
    both = np.concatenate([time, [fleet.horizon]])
    for name, shape in (("bend", np.maximum), ("end", np.minimum), ("step", np.greater)):
        fits = []
        for age in range(3, days - 3):
            column = np.stack([np.ones(days + 1), shape(both + age, 0).astype(float)], axis=1)
            fit = np.linalg.lstsq(column[:-1], values.T, rcond=None)[0]
            squares = ((values.T - column[:-1] @ fit) ** 2).sum(axis=0)
            fits.append(np.stack([squares, fit[1], column[-1] @ fit, np.full(len(values), age)]))
        best = np.stack(fits)[np.stack(fits)[:, 0].argmin(axis=0), :, np.arange(len(values))].T
        found |= {f"{name} left": np.log(best[0] / rest + 1e-6), f"{name} by": best[1], f"m {name}": best[2]}
        found |= {f"{name} age": best[3]}
    found |= {f"m last {back}": values[:, -back] for back in range(1, 15)}
    return pd.DataFrame(found)


def beside(seen: pd.DataFrame, threshold: np.ndarray) -> pd.DataFrame:
    """The features with all levels, whose names begin with m, as distances below a threshold (n)."""
    levels = [name for name in seen if name.startswith("m") and not name.startswith("memory")]
    result = seen.copy()
    result[levels] = threshold[:, None] - seen[levels].to_numpy()
    return result


def _wide(panel: pd.DataFrame, truth: pd.DataFrame) -> np.ndarray:
    return panel.pivot(index="server_id", columns="ds", values="y").reindex(truth["server_id"]).to_numpy()


def _classifier() -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        max_iter=200, learning_rate=0.08, max_leaf_nodes=16, min_samples_leaf=60, l2_regularization=5,
        max_features=0.2, early_stopping=False, random_state=0,
    )  # fmt: skip


def _figures(told: pd.DataFrame) -> dict[str, float]:
    figures = laws.figures(told, Frequency.DAY)
    kept = {name: figures[name] for name in ("recall", "precision", "Brier", "never told")}
    return kept | {"widest gap": laws.calibration(told)["gap"].max()}


if __name__ == "__main__":
    main()
