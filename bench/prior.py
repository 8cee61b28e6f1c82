"""Measure the prior of the trends on made-up fleets: ``PYTHONPATH=processing python -m bench.prior``.

Fleets of many lengths follow known laws (``local.fleet.laws``) and companies' ways (``local.fleet.generator``), from
seeds that no other benchmark uses. The weights of noises and laws are those under which the forecasts' chances of being
above some levels, at some distances, had the least logarithmic loss (with a little ridge): what counts is how well the
future was told, not how well the past is explained. The level that servers are judged by is asked about too, and counts
most. The search goes on from the weights that ``processing/headroom/forecast/trend_prior.json`` holds, or from nothing
(``--anew``), and writes them there; it takes minutes, since of each series only those pairs of noise and law are kept
that can matter.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import ndtr

from headroom.core.settings import Settings
from headroom.forecast import jumps, methods, prior, trend
from headroom.forecast.features import history_of, side_by_side
from headroom.forecast.laws import explain
from local import fleet

LENGTHS = (8, 11, 14, 17, 21, 25, 30, 37, 45, 60, 75, 90, 120, 180, 270, 400, 730)
SETTINGS = Settings(holidays={"country": fleet.COUNTRY})
HORIZON, SEASON = SETTINGS.horizon, SETTINGS.frequency.seasons[0]
# Levels are asked about at these of the steps ahead, twice each; at some, also the level that servers are judged by,
# which counts as much as so many others. Without that question chances of crossing it were too low by up to 20 points.
ASKED = (2, 4, 6, 7, 8, 9, 10)
ASKED_CRITICAL, CRITICAL_COUNTS = (7, 8, 9, 10), 4.0
SEED = 7_000
# Of each series so many pairs are kept, half for their evidence, half for that and for the prior as it was.
KEPT = 300
# More of it leaves weight to laws that none of the fleets follow: learned without bends and plateaus, servers with one
# had a Brier score of 0.29 at 60 days with 2e-5 and of 0.18 with 2e-4. But all laws together are told worse: with 1e-4
# 0.137 instead of 0.133 at 14 days and 0.098 instead of 0.096 at 30.
RIDGE = 2e-5
# Laws of servers that stay where they are, to which a few busier days come at the end of what is known.
QUIET = ("steady", "sawtooth", "shrink", "slow wave")
# Beside so many servers of known laws there is one of a company; one that passes or stays; one that is quiet and has
# some busier days at the end. Fewer of them raise the chances of the first weeks, and cost long histories more:
# docs/decisions.md.
COMPANY, PASSING, BUSY = 4, 8, 4
# One in so many of the series that lessons are taken from is taken for one without an upper bound.
UNBOUNDED = 4


@dataclass(frozen=True)
class Lesson:
    """What n series of one length teach, by their ``KEPT`` pairs of noise and law that count most.

    ``evidence`` and ``pair``: n × KEPT, logarithms, and which pairs they are of. ``chance``: n × KEPT × questions;
    ``answer``: n × questions, which have these ``counts``. ``share``: n × KEPT, a weight that a pair has for this
    series alone (how large its law would be, or how many jumps there are), -1 for none. ``member``: all pairs ×
    weights, which weights a pair's prior is the sum of; ``alike``: what is taken from it.
    """

    evidence: np.ndarray
    pair: np.ndarray
    chance: np.ndarray
    answer: np.ndarray
    counts: np.ndarray
    share: np.ndarray
    member: csr_array
    alike: np.ndarray


def lessons_of(
    panel: pd.DataFrame,
    future: pd.DataFrame,
    names: dict[str, int],
    before: Mapping[str, float],
    random: np.random.Generator,
) -> list[Lesson]:
    """Lessons from the series of a panel, one for each length; ``names`` grows, ``before`` are the weights so far."""
    history = history_of(panel, SETTINGS.frequency)
    _, (past, again) = methods.forecasts_and_effects(history, SETTINGS)
    index = pd.MultiIndex.from_frame(history.series)
    coming = future.pivot(index=list(history.series), columns="ds", values="y").reindex(index).to_numpy() - again
    values = (history.values - past)[:, -trend.LONGEST :]
    length = values.shape[1] - (~np.isnan(values)).argmax(axis=1)
    cut = np.array([trend.bucket(one, values.shape[1]) for one in length])
    return [
        lesson(trend.filled(values[rows, -periods:]), coming[rows], names, before, random)
        for periods in np.unique(cut[cut >= trend.SHORTEST])
        for rows in [np.flatnonzero(cut == periods)]
    ]


def lesson(
    values: np.ndarray,
    coming: np.ndarray,
    names: dict[str, int],
    before: Mapping[str, float],
    random: np.random.Generator,
) -> Lesson:
    """Ask of every series (n × T, and n × horizon of what comes) whether it will be above some levels."""
    scaled, level, size, effects = trend.standardised(values, SEASON)
    steps = trend.knots(HORIZON)
    explained = explain(scaled, steps, SETTINGS.frequency.law_pace, SEASON)
    laws, with_jumps = explained.laws, explained.jumps
    if with_jumps is None:
        raise ValueError("the prior is measured by the day, where laws with jumps are weighed")
    parts = [(*noise.parts, *of_law) for noise in laws.noises for of_law in laws.parts] + with_jumps.parts
    for name in [name for part in parts for name in part] + [*prior.share_names(), *jumps.NUMBERS]:
        names.setdefault(name, len(names))
    times = Counter(laws.parts)
    alike = np.zeros(len(parts))
    alike[: -len(with_jumps.parts)] = np.tile(np.log([times[of_law] for of_law in laws.parts]), len(laws.noises))
    evidence = np.concatenate([explained.evidence.reshape(len(values), -1), with_jumps.evidence], axis=1)
    known = np.zeros(evidence.shape)
    known[:, : -len(with_jumps.parts)] = prior.of_laws(laws, before).ravel()
    known[:, -len(with_jumps.parts) :] = prior.of_jumps(with_jumps, before)
    pair = _counting(evidence - alike, evidence + known)
    centre, scale = explained.forecasts(pair, explained.fitted(pair))
    now, spread = values[:, -7:].mean(axis=1), np.maximum(np.ptp(np.quantile(values, (0.1, 0.9), axis=1), axis=0), 3)
    chance, answer, counts = [], [], []
    for at in ASKED:
        ahead = steps[at] - 1
        season = effects[:, (values.shape[1] + ahead) % SEASON]
        for asked, count in (
            (np.minimum(now + random.uniform(1, 30, len(now)), fleet.CRITICAL), 1.0),
            (now + spread * random.normal(0.2, 1, len(now)), 1.0),
            (np.full(len(now), fleet.CRITICAL), CRITICAL_COUNTS if at in ASKED_CRITICAL else 0.0),
        ):
            if not count:
                continue
            score = ((asked - season - level) / size)[:, None] - centre[:, :, at]
            chance.append(_student(explained.freedom, (-score / scale[:, :, at]).astype(np.float32)))
            answer.append(coming[:, ahead] >= asked)
            counts.append(count)
    row = [number for number, part in enumerate(parts) for _ in part]
    bound = np.where(random.integers(UNBOUNDED, size=len(values)) == 0, np.inf, 100.0)
    share = np.take_along_axis(prior.shares(laws, size / bound), explained.without_jumps(pair)[1], axis=1)
    share = np.where(share < 0, -1, np.array([names[name] for name in prior.share_names()])[share])
    number = np.array([names[name] for name in jumps.NUMBERS])[with_jumps.number]
    of_jumps = explained.of_jumps(pair)
    share = np.where(of_jumps < 0, share, np.take_along_axis(number, np.maximum(of_jumps, 0), axis=1))
    evidence = np.take_along_axis(evidence, pair, axis=1)
    return Lesson(
        (evidence - evidence.max(axis=1, keepdims=True)).astype(np.float32),
        pair,
        np.stack(chance, axis=2),
        np.stack(answer, axis=1),
        np.array(counts),
        share,
        csr_array((np.ones(len(row)), (row, [names[name] for part in parts for name in part]))),
        alike,
    )


def _counting(*weights: np.ndarray) -> np.ndarray:
    """Which pairs count most (n × KEPT), an equal number by each of these weights (n × pairs); none comes twice."""
    kept = min(KEPT, weights[0].shape[1]) // len(weights)
    picked: list[np.ndarray] = []
    for weight in weights:
        left = weight.copy()
        for earlier in picked:
            np.put_along_axis(left, earlier, -np.inf, axis=1)
        picked.append(np.argpartition(-left, kept - 1, axis=1)[:, :kept])
    return np.concatenate(picked, axis=1)


def _student(freedom: float, score: np.ndarray) -> np.ndarray:
    """Student's distribution function to three digits (Abramowitz and Stegun 1964, 26.7.8), in a tenth of the time."""
    return ndtr(score * np.float32(1 - 1 / (4 * freedom)) / np.sqrt(1 + score**2 / np.float32(2 * freedom)))


def fleets(many: int, days: int, random: np.random.Generator) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Panels and futures of as many servers of known laws, and of fewer of other kinds."""
    made = fleet.generate_laws(many, days, SEED + days)
    yield made.panel, made.future
    # What ends soon is rare among laws, and common in life.
    passing = fleet.generate_laws(many // PASSING, days, SEED - days, laws=("bursts", "steady", "step"))
    yield passing.panel, passing.future
    yield busier(fleet.generate_laws(many // BUSY, days, SEED + 1_000 + days, laws=QUIET), random)
    end = str(pd.Timestamp(fleet.END) - pd.Timedelta(days=int(random.integers(365))))
    company = fleet.generate(many // COMPANY, days, sampling="1D", seed=SEED + days, end=end)
    yield company.panel(), company.future()


def busier(made: fleet.LawFleet, random: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A fleet's panel and future with more use on each server's last days, one to seven, which ends within five."""
    servers = pd.DataFrame({"server_id": made.truth["server_id"]})
    servers["more"] = np.exp(random.uniform(np.log(1), np.log(20), len(servers)))
    last = made.panel["ds"].max()
    servers["since"] = last - pd.to_timedelta(random.integers(0, 7, len(servers)), "D")
    servers["until"] = last + pd.to_timedelta(random.integers(0, 6, len(servers)), "D")

    def with_more(part: pd.DataFrame) -> pd.DataFrame:
        both = part.merge(servers, on="server_id")
        inside = both["ds"].between(both["since"], both["until"])
        return part.assign(y=np.minimum(part["y"].to_numpy() + both["more"] * inside, 100).to_numpy())

    return with_more(made.panel), with_more(made.future)


def learn(lessons: list[Lesson], start: np.ndarray, rounds: int, free: np.ndarray) -> tuple[np.ndarray, float]:
    """The logarithms of the weights with the least loss, searched for from ``start`` on, and that loss.

    Only those that are ``free`` change.
    """
    asked = sum(len(one.answer) * one.counts.sum() for one in lessons)

    def of_lesson(number: int, given: np.ndarray) -> tuple[float, np.ndarray]:
        one, slope = lessons[number], np.zeros(len(given))
        width, there = one.member.shape[1], one.share >= 0
        weight = one.evidence + (one.member @ given[:width] - one.alike).astype(np.float32)[one.pair]
        weight += np.where(there, given[one.share], 0).astype(np.float32)
        weight = np.exp(weight - weight.max(axis=1, keepdims=True))
        weight /= weight.sum(axis=1, keepdims=True)
        told = np.clip(np.matmul(weight[:, None, :], one.chance)[:, 0], 1e-3, 1 - 1e-3)
        change = -np.where(one.answer, 1 / told, -1 / (1 - told)) * one.counts / asked
        through = np.matmul(one.chance, change[:, :, None].astype(np.float32))[:, :, 0]
        through -= (change * told).sum(axis=1, keepdims=True)
        through *= weight
        of_pair = np.bincount(one.pair.ravel(), through.ravel(), minlength=len(one.alike))
        slope[:width] += one.member.T @ of_pair
        slope += np.bincount(one.share[there], through[there], minlength=len(given))
        return -(np.where(one.answer, np.log(told), np.log1p(-told)) @ one.counts).sum() / asked, slope

    def loss(given: np.ndarray) -> tuple[float, np.ndarray]:
        found = side_by_side(lambda number: of_lesson(number, given), list(range(len(lessons))))
        ridge = RIDGE * (given**2).sum(), 2 * RIDGE * given
        return sum(one for one, _ in found) + ridge[0], free * (sum(one for _, one in found) + ridge[1])

    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": rounds})
    return found.x, float(found.fun)


def lessons_of_all(servers: int, before: Mapping[str, float]) -> tuple[dict[str, int], list[Lesson]]:
    """The weights' names, numbered, and the lessons of the fleets of all lengths."""
    random = np.random.default_rng(SEED)
    names: dict[str, int] = {}
    lessons: list[Lesson] = []
    for days in LENGTHS:
        many = servers * (4 if days <= 30 else 2 if days <= 60 else 1)  # the shorter, the more the prior decides
        for panel, future in fleets(many, days, random):
            lessons += lessons_of(panel, future, names, before, random)
        print(f"{days} days: {sum(len(one.answer) for one in lessons)} series so far", flush=True)
    return names, lessons


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m bench.prior", description=__doc__.splitlines()[0])
    arguments.add_argument("--servers", type=int, default=200, help="of the longest, four times of the shortest")
    arguments.add_argument("--rounds", type=int, default=40)
    arguments.add_argument("--anew", action="store_true", help="start from nothing (say more rounds: 100)")
    arguments.add_argument("--only", nargs="+", metavar="WORD", help="only weights whose names hold one of these words")
    given = arguments.parse_args()
    weights = {} if given.anew else dict(prior.measured())
    # Which pairs are kept depends on the weights.
    for _ in range(2 if given.anew else 1):
        names, lessons = lessons_of_all(given.servers, weights)
        start = np.array([weights.get(name, 0.0) for name in names])
        free = np.array([not given.only or any(word in name for word in given.only) for name in names])
        found, loss = learn(lessons, start, given.rounds, free)
        weights = {name: round(float(found[number]), 2) for name, number in sorted(names.items())}
    about = {
        "measured_on": f"{sum(len(one.answer) for one in lessons):,} simulated series",
        "log_weights": weights,
    }
    prior.FILE.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    print(f"loss {loss:.4f}; wrote {prior.FILE}")


if __name__ == "__main__":
    main()
