"""How well are crossings predicted from few and from many days? Servers of known laws, Headroom and simpler methods.

    PYTHONPATH=processing python -m bench.laws [--seeds 1 2 3] [--servers 400] [--lengths 14 60] [--hourly-lengths 7]
        [--methods Headroom Theil-Sen] [--by-law] [--other-laws] [--without-bitbrains] [--keep DIR]

For each length of history, fleets of :func:`local.fleet.generate_laws` are given to each method, which says of each
server how likely it crosses the critical threshold within the horizon (90 days, or a week of hours) and when. The
tables hold, pooled over the seeds:

- ``recall`` and ``precision`` of servers told with a chance of at least one half;
- ``Brier``: the mean square of chance less outcome; lower is better;
- ``never told``: the share told of the servers that do not cross and whose law does not grow;
- ``date error``: the median error of the date in days, of servers told that cross;
- ``bend recall``: recall of servers that began to climb 20 to 60 days ago after a flat time.

Then come Headroom's calibration (what share crossed of the servers that were given such a chance), real servers
(Bitbrains, a week of hours ahead), and the targets that are missed. Exits with 1 where one is.

``--keep`` keeps the forecasts of AutoETS and AutoTheta, which take long, by the values of the panel they were made of.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import ndtr
from scipy.stats import theilslopes

from bench import accuracy, datasets, references
from bench.datasets import SERIES
from bench.references import COLUMNS, Reference
from headroom.core.grid import of_panel
from headroom.core.periods import Frequency
from headroom.insight import risk, seasonality
from headroom.insight.crossing import chance_crossed
from headroom.insight.risk import LIKELY
from local.fleet import CRITICAL, LawFleet, generate_laws
from local.fleet.generator import crossing
from local.fleet.laws import LAWS, OTHER_LAWS

LENGTHS = {"D": (14, 21, 30, 45, 60, 90, 120, 180, 270, 400), "h": (3, 7, 14, 30)}
SEEDS, SERVERS = (1, 2, 3), 400
WEEK, DAY = 168, 24

# Of Headroom. By the day: the first length in days that a target holds from.
BRIER_SHARE, CALIBRATION, LEAST_IN_TENTH = 0.8, 0.10, 30
LEAST = {"recall": (0.85, 30), "precision": (0.85, 30), "bend recall": (0.8, 60)}
MOST = {"never told": (0.03, 0), "date error": (7.0, 0)}

# Bitbrains: hours known at least, and from one origin to the next.
KNOWN, STEP = 240, 72

Method = Callable[[pd.DataFrame, Frequency, int], pd.DataFrame]
"""(panel, frequency, horizon) -> ``server_id, metric, p`` (chance of crossing within the horizon; NaN counts as 0),
``date`` (of the crossing, if one is more likely than not, or NaT)."""


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m bench.laws", description=__doc__.split("\n")[0])
    arguments.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    arguments.add_argument("--servers", type=int, default=SERVERS, help="in each fleet")
    arguments.add_argument("--lengths", type=int, nargs="*", default=LENGTHS["D"], metavar="DAYS", help="daily panels")
    arguments.add_argument(
        "--hourly-lengths", type=int, nargs="*", default=LENGTHS["h"], metavar="DAYS", help="hourly panels"
    )
    arguments.add_argument("--methods", nargs="+", choices=list(methods(None)), default=list(methods(None)))
    arguments.add_argument("--by-law", action="store_true", help="also how Headroom does on each law")
    arguments.add_argument("--other-laws", action="store_true", help="laws that the prior of the trends has not seen")
    arguments.add_argument("--without-bitbrains", action="store_true", help="no real servers")
    arguments.add_argument("--keep", type=Path, metavar="DIR", help="keep the slow references' forecasts here")
    sys.exit(run(**vars(arguments.parse_args())))


def run(
    seeds: Sequence[int] = SEEDS,
    servers: int = SERVERS,
    lengths: Sequence[int] = LENGTHS["D"],
    hourly_lengths: Sequence[int] = LENGTHS["h"],
    methods: Sequence[str] | None = None,
    by_law: bool = False,
    other_laws: bool = False,
    without_bitbrains: bool = False,
    keep: Path | None = None,
) -> bool:
    """Print all tables; whether a target is missed. ``methods`` are names, by default all; see :func:`main`."""
    missed = []
    cases = [(Frequency.DAY, days) for days in lengths] + [(Frequency.HOUR, days) for days in hourly_lengths]
    for frequency, days in cases:
        told = evaluate(frequency, days, seeds, servers, methods, keep, tuple(OTHER_LAWS if other_laws else LAWS))
        table = pd.DataFrame({name: figures(one, frequency) for name, one in told.items()}).T
        some = next(iter(told.values()))
        title = f"{days} days by the {frequency.word}"
        print(f"\n{title}: {len(some):,} servers, {int(some['crosses'].sum()):,} cross")
        print(_text(table))
        if "Headroom" not in told:
            continue
        print("Headroom's calibration, by tenths of the chance\n" + _text(calibration(told["Headroom"]).T))
        if by_law:
            print("Headroom by law\n" + _text(laws(told["Headroom"])))
        missed += [f"{title}: {one}" for one in missed_targets(frequency, days, told, table)]
    if not without_bitbrains:
        bitbrains(methods)
    print("\nmissed: " + ("none" if not missed else "".join(f"\n  {one}" for one in missed)))
    return bool(missed)


def evaluate(
    frequency: Frequency,
    days: int,
    seeds: Sequence[int],
    servers: int,
    chosen: Sequence[str] | None,
    keep: Path | None,
    followed: tuple[str, ...] = tuple(LAWS),
) -> dict[str, pd.DataFrame]:
    """By method, a row for each server of each seed's fleet: the fleet's truth, ``p, date, crosses, seconds``.

    ``followed``: the laws that the servers follow.
    """
    found: dict[str, list[pd.DataFrame]] = {}
    for seed in seeds:
        fleet = generate_laws(servers, days, seed, frequency, followed)
        for name, method in methods(keep).items():
            if (chosen and name not in chosen) or (name == "last-week" and not frequency.hourly):
                continue
            started = time.monotonic()
            method = best_constant(fleet) if name == "base-rate" else method
            told = beside(fleet.truth, method(fleet.panel, frequency, fleet.horizon))
            found.setdefault(name, []).append(told.assign(seconds=(time.monotonic() - started) / len(told)))
    return {name: pd.concat(parts, ignore_index=True) for name, parts in found.items()}


def beside(truth: pd.DataFrame, told: pd.DataFrame) -> pd.DataFrame:
    """Truth (with ``critical_ds``), and what was told of it; what was not judged counts as no chance."""
    both = truth.merge(told, how="left", on=SERIES, validate="one_to_one")
    return both.assign(p=both["p"].fillna(0.0), crosses=both["critical_ds"].notna())


# Methods


def methods(keep: Path | None) -> dict[str, Method]:
    """All methods by name, Headroom first. The last two need no forecast: the best constant, and last week again."""
    return {
        "Headroom": headroom,
        "Theil-Sen": theil_sen,
        "robust-line": robust_line,
        "AutoETS": through_the_rule(kept("AutoETS", references.auto_ets, keep)),
        "AutoTheta": through_the_rule(kept("AutoTheta", references.auto_theta, keep)),
        "base-rate": nobody,
        "last-week": last_week,
    }


def headroom(panel: pd.DataFrame, frequency: Frequency, horizon: int) -> pd.DataFrame:
    """Train, predict and judge risk as the jobs do.

    Where a server is above the threshold already, ``p`` is Headroom's ``p_critical`` as it stands: docs/risk.md has
    it as the chance of crossing (again) within the horizon, which is what truth is about, and it is a half or more.
    The date of such a server is the panel's last period, a period before the first that truth can name.
    """
    chosen = accuracy.settings(frequency, horizon)
    forecasts = accuracy.headroom(panel, frequency, horizon)
    laid_out = of_panel(panel, frequency, frequency.assessed_history)
    seen = risk.outlook(forecasts, seasonality.measure(laid_out, chosen), chosen)
    seen, reasons = risk.judged(seen, laid_out, chosen)
    found = risk.risks(seen, laid_out, chosen, reasons)
    return found.rename(columns={"p_critical": "p", "critical_date": "date"})[[*SERIES, "p", "date"]]


def theil_sen(panel: pd.DataFrame, frequency: Frequency, horizon: int) -> pd.DataFrame:
    """Yes or no: the line reaches the threshold within the horizon, and its slope is positive with 95 % confidence."""
    keys, line, _, rises = _lines(panel, frequency, horizon)
    reached = (line >= CRITICAL) & rises[:, None]
    return keys.assign(p=reached.any(axis=1).astype(float), date=_first(reached, panel, frequency))


def robust_line(panel: pd.DataFrame, frequency: Frequency, horizon: int) -> pd.DataFrame:
    """Theil and Sen's line with a normal error, which is the slope's standard error and the spread around the line."""
    keys, line, error, _ = _lines(panel, frequency, horizon)
    chance = ndtr((line - CRITICAL) / error)
    return keys.assign(p=chance[:, -1], date=_first(risk.expected(chance), panel, frequency))


def _lines(
    panel: pd.DataFrame, frequency: Frequency, horizon: int
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray]:
    """Each series' Theil-Sen line over the horizon.

    Returns:
        ``server_id, metric`` of the n series; the line's value and its standard error in the metric's unit, each
        (n, horizon); whether the slope is positive with 95 % confidence (n,).
    """
    keys, line, error, rises = [], [], [], []
    ahead = np.arange(1, horizon + 1)
    for key, own in panel.groupby(SERIES):
        time_ = ((own["ds"] - panel["ds"].max()) / frequency.step).to_numpy()
        y = own["y"].to_numpy(float)
        slope, level, low, high = theilslopes(y, time_, 0.95)
        residual = y - level - slope * time_
        spread = 1.4826 * np.median(np.abs(residual - np.median(residual)))
        of_slope = (high - low) / (2 * 1.96) * (ahead - np.median(time_))
        keys.append(key)
        line.append(level + slope * ahead)
        error.append(np.maximum(np.hypot(of_slope, spread), 1e-9))
        rises.append(low > 0)
    return pd.DataFrame(keys, columns=SERIES), np.array(line), np.array(error), np.array(rises)


def _first(reached: np.ndarray, panel: pd.DataFrame, frequency: Frequency) -> np.ndarray:
    """The first period in which each row (bool, n × horizon, of the periods after the panel's last) is True, or NaT."""
    dates = panel["ds"].max().to_datetime64() + (1 + reached.argmax(axis=1)) * frequency.step.to_timedelta64()
    return np.where(reached.any(axis=1), dates, np.datetime64("NaT"))


def through_the_rule(reference: Reference) -> Method:
    """A reference's quantiles through Headroom's rule for crossings, with the noise that assess would give it."""

    def method(panel: pd.DataFrame, frequency: Frequency, horizon: int) -> pd.DataFrame:
        forecasts = reference(panel, frequency, horizon).sort_values([*SERIES, "ds"])
        keys = forecasts[SERIES].drop_duplicates(ignore_index=True)
        quantiles = np.sort(forecasts[COLUMNS].to_numpy(float).reshape(len(keys), horizon, len(COLUMNS)), axis=2)
        laid_out = of_panel(panel, frequency, frequency.assessed_history)
        patterns = seasonality.measure(laid_out, accuracy.settings(frequency, horizon))
        noise = keys.merge(patterns[[*SERIES, "noise"]], how="left", on=SERIES)["noise"].to_numpy()
        chances = chance_crossed(quantiles, noise, CRITICAL, frequency)
        return keys.assign(p=chances[:, -1], date=_first(risk.expected(chances), panel, frequency))

    return method


def kept(name: str, reference: Reference, keep: Path | None) -> Reference:
    """The reference, its forecasts taken from or left in the folder ``keep`` if there is one.

    A file's name has the panel's values in it as a hash: other seeds, or another generator, are other files.
    """

    def forecast(panel: pd.DataFrame, frequency: Frequency, horizon: int) -> pd.DataFrame:
        if keep is None:
            return reference(panel, frequency, horizon)
        values = pd.util.hash_pandas_object(panel[[*SERIES, "ds", "y"]], index=False).to_numpy()
        size = f"{panel['server_id'].nunique()}-servers-{panel['ds'].nunique()}{frequency}-{horizon}-ahead"
        file = keep / f"{name}-{size}-{hashlib.sha256(values.tobytes()).hexdigest()[:16]}.parquet"
        if not file.exists():
            keep.mkdir(parents=True, exist_ok=True)
            part = file.with_suffix(".part")
            reference(panel, frequency, horizon).to_parquet(part, index=False)
            part.rename(file)
        return pd.read_parquet(file)

    return forecast


def nobody(panel: pd.DataFrame, frequency: Frequency, horizon: int) -> pd.DataFrame:
    """No server has any chance."""
    return panel[SERIES].drop_duplicates().assign(p=0.0, date=pd.NaT)


def best_constant(fleet: LawFleet) -> Method:
    """Every server has the chance that is the share of those that cross, which only who knows the truth can tell."""
    share = float(fleet.truth["critical_ds"].notna().mean())
    return lambda panel, frequency, horizon: nobody(panel, frequency, horizon).assign(p=share)


def last_week(panel: pd.DataFrame, frequency: Frequency, horizon: int) -> pd.DataFrame:
    """Yes or no: the last 168 known hours held a crossing; if so, it comes again a week later."""
    wide = panel.pivot(index=SERIES, columns="ds", values="y")
    hours = pd.date_range(end=panel["ds"].max(), periods=WEEK, freq="h")
    above = wide.reindex(columns=hours).to_numpy() >= CRITICAL
    number = crossing(np.pad(above, ((0, 0), (0, DAY - 1))), WEEK, DAY)
    dates = np.where(number >= 0, hours.to_numpy()[number] + np.timedelta64(WEEK, "h"), np.datetime64("NaT"))
    return wide.index.to_frame(index=False).assign(p=(number >= 0).astype(float), date=dates)


# Figures


def figures(told: pd.DataFrame, frequency: Frequency) -> dict[str, float]:
    """The figures of one method; ``told`` as :func:`evaluate` has it."""
    said, crosses = told["p"] >= LIKELY, told["crosses"]
    error = (told["date"] - told["critical_ds"]).abs() / pd.Timedelta(days=1)
    never = ~told["grows"] & ~crosses
    bend = (told["law"] == "bend") & told["began"].between(20, 60) & crosses
    result = {
        **found(said, crosses),
        "Brier": brier(told),
        "never told": said[never].mean(),
        "date error": error[said & crosses].median(),
    }
    if not frequency.hourly:
        result["bend recall"] = said[bend].mean()
    return result | {"seconds": told["seconds"].sum()}


def found(said: pd.Series, crosses: pd.Series) -> dict[str, float]:
    """Recall and precision, NaN where none cross or none are told."""
    return {"recall": said[crosses].mean(), "precision": crosses[said].mean()}


def brier(told: pd.DataFrame) -> float:
    return float(((told["p"] - told["crosses"]) ** 2).mean())


def calibration(told: pd.DataFrame) -> pd.DataFrame:
    """By tenths of ``p``: ``servers, mean p, crossed`` (a share), and the ``gap`` between the two, NaN for few servers.

    A tenth with fewer than ``LEAST_IN_TENTH`` servers says little and has no gap.
    """
    tenth = np.minimum((told["p"] * 10 + 1e-9).astype(int), 9)
    table = told.groupby(tenth).agg(servers=("p", "size"), mean_p=("p", "mean"), crossed=("crosses", "mean"))
    table["gap"] = (table["mean_p"] - table["crossed"]).abs().where(table["servers"] >= LEAST_IN_TENTH)
    table.index = pd.Index([f"{one / 10:.1f}-" for one in table.index])
    return table.rename(columns={"mean_p": "mean p"})


def laws(told: pd.DataFrame) -> pd.DataFrame:
    """By law: how many servers, how many cross, are told, and are told rightly; and the Brier score."""
    said = told["p"] >= LIKELY
    table = told.assign(told=said, right=said & told["crosses"], Brier=(told["p"] - told["crosses"]) ** 2)
    how = {"p": "size", "crosses": "sum", "told": "sum", "right": "sum", "Brier": "mean"}
    table = table.groupby("law", sort=False).agg(how)
    return table.rename(columns={"p": "n", "crosses": "crossed", "right": "told right"})


def missed_targets(frequency: Frequency, days: int, told: dict[str, pd.DataFrame], table: pd.DataFrame) -> list[str]:
    """What Headroom misses at one length, each with the figure and the target; by the hour fewer targets hold."""
    ours, others = table.loc["Headroom"], table.drop(index="Headroom")
    missed = []
    if len(others) and ours["Brier"] > BRIER_SHARE * others["Brier"].min():
        best, least = others["Brier"].idxmin(), others["Brier"].min()
        missed.append(f"Brier {ours['Brier']:.3f}, at most {BRIER_SHARE:g} of {best}'s {least:.3f}")
    gaps = calibration(told["Headroom"])["gap"]
    if gaps.max() > CALIBRATION:
        missed.append(f"calibration gap {gaps.max():.2f} from {gaps.idxmax()[:-1]} on, at most {CALIBRATION:.2f}")
    if frequency.hourly:
        return missed
    for name, other in others.iterrows():
        if not as_good(told["Headroom"], other["recall"], other["precision"]):
            missed.append(
                f"no threshold has {name}'s recall {other['recall']:.2f} at its precision {other['precision']:.2f}"
            )
    for name, (least, since) in LEAST.items():
        if days >= since and ours[name] < least:
            missed.append(f"{name} {ours[name]:.2f}, at least {least:g}")
    for name, (most, since) in MOST.items():
        if days >= since and ours[name] > most:
            missed.append(f"{name} {ours[name]:.3g}, at most {most:g}")
    return missed


def as_good(told: pd.DataFrame, recall: float, precision: float) -> bool:
    """Whether there is a least chance from which on servers are told with at least this recall and precision."""
    if not recall > 0:
        return True
    by_chance = told.groupby("p")["crosses"].agg(["sum", "size"]).sort_index(ascending=False).cumsum()
    recalls, precisions = by_chance["sum"] / told["crosses"].sum(), by_chance["sum"] / by_chance["size"]
    return bool(((recalls >= recall - 1e-9) & (precisions >= precision - 1e-9)).any())


# Real servers


def bitbrains(chosen: Sequence[str] | None = None) -> None:
    """Print how Headroom and the last week tell crossings on real servers, a week of hours ahead, origins pooled."""
    if not (datasets.DATA / "bitbrains").is_dir():
        print(f"\nBitbrains is left out: {datasets.DATA / 'bitbrains'} is not there")
        return
    panel = datasets.bitbrains(WEEK, windows=1, step=STEP).panels[0]
    hours = int((panel["ds"].max() - panel["ds"].min()) / pd.Timedelta(hours=1)) + 1
    case = datasets.bitbrains(WEEK, windows=1 + (hours - KNOWN - WEEK) // STEP, step=STEP)
    rows = {}
    for name, method in {"Headroom": headroom, "last-week": last_week}.items():
        if chosen and name not in chosen:
            continue
        told = pd.concat([
            beside(crossings_after(panel, known["ds"].max()), method(known, Frequency.HOUR, WEEK))
            for known, _ in case.splits()
        ])  # fmt: skip
        rows[name] = {**found(told["p"] >= LIKELY, told["crosses"]), "Brier": brier(told)}
    if rows:
        print(f"\nBitbrains, a week ahead: {len(told):,} servers at {case.windows} origins, ", end="")
        print(f"{int(told['crosses'].sum()):,} cross\n{_text(pd.DataFrame(rows).T)}")


def crossings_after(panel: pd.DataFrame, origin: pd.Timestamp) -> pd.DataFrame:
    """``server_id, metric, critical_ds`` of each series that was measured before: its first crossing in the week after.

    A day at the end of that week looks beyond it, as far as there are values.
    """
    known = panel.loc[panel["ds"] <= origin, SERIES].drop_duplicates(ignore_index=True)
    hours = pd.date_range(origin, periods=WEEK + DAY, freq="h")[1:]
    wide = panel.pivot(index=SERIES, columns="ds", values="y").reindex(columns=hours)
    number = crossing(wide.reindex(pd.MultiIndex.from_frame(known)).to_numpy() >= CRITICAL, WEEK, DAY)
    return known.assign(critical_ds=np.where(number >= 0, hours.to_numpy()[number], np.datetime64("NaT")))


def _text(table: pd.DataFrame) -> str:
    return table.to_string(float_format=lambda value: f"{value:.3g}", na_rep="-")


if __name__ == "__main__":
    main()
