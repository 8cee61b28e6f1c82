"""What a series' trend is and how it may go on, from the first weeks: Bayesian model averaging over simple laws.

A backtest says nothing of the next quarter while the history is shorter than that. What can be said comes from many
laws that a level may follow (constant; a line; a slope, a step or a saturation that began some time ago; a climb that
has ended) under several kinds of noise (none that lasts, much memory, a random walk, slow waves). Each pair explains
the history more or less well: its weight is a prior times its evidence, and its forecast is a Student t distribution.
The sum over all pairs knows what no single fit does: that a rise over two weeks may be a trend, a wave or an accident
(Hoeting et al. 1999, "Bayesian model averaging").

All series of one length share the laws and the noise, so a noise's covariance is factorised once for all of them, and
a law's coefficient (normal prior) and the noise's size (inverse gamma prior) are integrated out in closed form: the
evidence of thousands of pairs is a few matrix products (Rasmussen and Williams 2006, section 2.7, with a noise scale
as in Gelman et al. 2013, section 14.2).

The prior, ``trend_prior.json``, is measured by ``python -m bench.prior`` on many made-up fleets, and nothing else here
is. It counts like one observation against the evidence of all: with every week known the data speak louder.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import logsumexp, stdtrit

PRIOR = Path(__file__).with_name("trend_prior.json")
# Longer histories than this are judged by their newest part: what a year ago began is no news.
LONGEST = 180
SHORTEST = 6
# How many periods ago a law may have begun, about a fifth apart.
AGES = (4, 5, 6, 7, 9, 11, 13, 16, 19, 23, 28, 33, 40, 48, 58, 69, 83, 100, 120, 144)
COARSE_AGES = (7, 11, 16, 23, 33, 48, 69, 100, 144)
# After how many periods ahead a climb may end; "never" is the other possibility.
ENDS = (10, 30, 60)
# Prior standard deviations of a law's coefficient, in sizes of the noise: of a slope per period, of a step or a rise.
SLOPES, RISES = (0.01, 0.03, 0.1, 0.3, 1.0), (5.0, 20.0)
# Paces (periods to 63 %) at which a rise saturates, for one that began some time ago and one as old as the series.
PACES, FIRST_PACES = (20.0, 60.0), (2.0, 5.0, 10.0, 25.0, 70.0)
# Variance of a level that nothing is known of, in sizes of the noise.
ANY_LEVEL = 1e4
# Variances of a season's effects that are tried, in sizes of the noise; that with the most evidence is taken.
SEASONS = (0.0, 10.0, 300.0)
# Inverse gamma prior of the noise's variance, in squares of the usual change between periods.
SHAPE, RATE = 1.0, 0.5
# Steps ahead at which the forecast is worked out, as shares of the horizon; it is linear between them.
KNOTS = (0.0, 0.03, 0.07, 0.13, 0.2, 0.3, 0.42, 0.56, 0.72, 0.86, 1.0)
PATHS = 199
MOST_LAWS = 80
CHUNK = 500


@dataclass(frozen=True)
class Laws:
    """What all series of one length share.

    ``columns``: (periods + steps) × shapes; ``names``: each shape's name and age in periods; ``both``: which two
    columns the laws of two parts have; ``noises``: name → covariance over the known periods and the steps ahead.
    """

    columns: np.ndarray
    names: list[tuple[str, int]]
    both: list[tuple[int, int]]
    noises: dict[str, np.ndarray]


@cache
def laws_of(periods: int, steps: tuple[int, ...]) -> Laws:
    """The laws and noises of series of this length, over the known periods and at ``steps`` ahead."""
    time = np.concatenate([np.arange(1 - periods, 1), steps]).astype(float)
    columns, names = [time], [("line", periods)]
    for age in (age for age in AGES if age <= periods - 3):
        columns += [np.maximum(time + age, 0), np.minimum(time + age, 0), (time > -age).astype(float)]
        names += [("slope", age), ("ended", age), ("step", age)]
    both = [(0, number) for number, (name, _) in enumerate(names) if name in ("slope", "step")]
    for age in (age for age in COARSE_AGES if age <= periods - 3):
        for pace in PACES:
            columns.append(1 - np.exp(-np.maximum(time + age, 0) / pace))
            names.append(("saturation", age))
        for later in (later for later in COARSE_AGES if later < age):
            columns.append(np.minimum(np.maximum(time + age, 0), age - later))
            names.append(("ramp", later))
    for pace in (pace for pace in FIRST_PACES if pace < periods):
        columns.append(np.exp(-(time + periods) / pace))
        names.append(("warming", periods))
    return Laws(np.stack(columns, axis=1), names, both, _noises(time))


def _noises(time: np.ndarray) -> dict[str, np.ndarray]:
    """Covariances of what follows no law, in sizes of the noise."""
    apart, own = np.abs(time[:, None] - time), np.eye(len(time))
    since = time - time[0] + 1
    noises = {"white": own}
    noises |= {f"memory {share}": share**apart + 0.3 * own for share in (0.5, 0.8, 0.93, 0.98)}
    noises |= {f"walk {pace}": pace * np.minimum.outer(since, since) + own for pace in (0.02, 0.15, 1.0)}
    noises |= {
        f"waves {length}": 25 * np.exp(-0.5 * (apart / length) ** 2) + 0.5 * 0.6**apart + 0.7 * own
        for length in (12, 25, 50)
    }
    return {name: ANY_LEVEL + noise for name, noise in noises.items()}


def sizes(shape: str) -> tuple[float, ...]:
    """The prior sizes of a shape's coefficient that are tried."""
    return SLOPES if shape in ("line", "slope", "ended", "ramp") else RISES


PAIR_SIZES = {"slope": (0.06, 0.3), "step": (0.06, 10.0)}


@dataclass(frozen=True)
class Explained:
    """How n series of one length are explained by C laws; all in sizes of the noise, see :func:`explain`.

    ``parts``: each law's names in the prior. ``evidence``: n × C logarithms. ``first``, ``second``: C indices of
    columns (``second`` -1 for none, ``first`` -1 for a level). ``noise``: C. ``end``: C, periods, infinity for never.
    ``coefficient``: n × C × 2. ``level``: noises × n × S; ``ahead``: noises × S × (shapes + 1); ``variance``: noises ×
    S; ``sureness``: C × 3, of the coefficients. ``size``: n × C, the noise's.
    """

    parts: list[tuple[str, ...]]
    evidence: np.ndarray


def explain(values: np.ndarray, steps: tuple[int, ...]) -> dict:
    n, T = values.shape
    laws = laws_of(T, steps)
    X = values.T
    m = len(laws.names)
    out = {"parts": [], "ev": [], "noise": [], "first": [], "second": [], "end": [], "coef": [], "extra": [], "q": []}
    level, ahead, variance = [], [], []
    slope_like = {"line", "slope"}
    for number, (noise, K) in enumerate(laws.noises.items()):
        L = np.linalg.cholesky(K[:T, :T])
        Z = solve_triangular(L, X, lower=True)
        D = solve_triangular(L, laws.columns[:T], lower=True)
        W = solve_triangular(L, K[:T, T:], lower=True)
        logdet = -np.log(np.diag(L)).sum()
        q0, s, c = (Z**2).sum(0), (D**2).sum(0), (D.T @ Z).T
        level.append((W.T @ Z).T)
        variance.append(np.diag(K)[T:] - (W**2).sum(0))
        dstar = laws.columns[T:] - W.T @ D
        ahead.append(np.hstack([dstar, np.zeros((len(dstar), 1))]))

        def put(names, first, second, end, q, extra, c1, c2, var, number=number, logdet=logdet):
            out["parts"].append(names); out["noise"].append(number); out["first"].append(first); out["second"].append(second)
            out["end"].append(end); out["q"].append(q); out["coef"].append((c1, c2)); out["extra"].append(var)
            out["ev"].append(logdet + extra - (SHAPE + T / 2) * np.log(RATE + 0.5 * np.maximum(q, 1e-9)))

        zero = np.zeros(n)
        put((f"noise {noise}", "level"), m, m, np.inf, q0, 0.0, zero, zero, np.zeros(len(steps)))
        for j, (shape, age) in enumerate(laws.names):
            label = shape if shape in ("line", "warming") else f"{shape} {_age(age)}"
            for size in sizes(shape):
                g = size**2 / (1 + size**2 * s[j])
                base = (f"noise {noise}", label, f"{shape} x {size}")
                for end in (np.inf, *ENDS) if shape in slope_like else (np.inf,):
                    names = (*base, "lasts" if np.isinf(end) else f"ends after {end}") if shape in slope_like else base
                    put(names, j, m, end, q0 - g * c[:, j] ** 2, -0.5 * np.log1p(size**2 * s[j]), g * c[:, j], zero, g * dstar[:, j] ** 2)
        for a, b in laws.both:
            shape, age = laws.names[b]
            s1, s2 = PAIR_SIZES[shape]
            S11, S22, S12 = s[a] + s1**-2, s[b] + s2**-2, D[:, a] @ D[:, b]
            det = S11 * S22 - S12**2
            u1, u2 = (S22 * c[:, a] - S12 * c[:, b]) / det, (S11 * c[:, b] - S12 * c[:, a]) / det
            var = (S22 * dstar[:, a] ** 2 + S11 * dstar[:, b] ** 2 - 2 * S12 * dstar[:, a] * dstar[:, b]) / det
            put((f"noise {noise}", f"line and {shape} {_age(age)}"), a, b, np.inf,
                q0 - u1 * c[:, a] - u2 * c[:, b], -0.5 * np.log(det * s1**2 * s2**2), u1, u2, var)
    return dict(
        parts=out["parts"], noise=np.array(out["noise"]), first=np.array(out["first"]), second=np.array(out["second"]),
        end=np.array(out["end"]), evidence=np.array(out["ev"]).T, q=np.array(out["q"]).T,
        coef=np.array(out["coef"]).transpose(2, 0, 1), extra=np.array(out["extra"]),
        level=np.array(level), ahead=np.array(ahead), variance=np.array(variance), names=laws.names, periods=T, steps=np.array(steps),
    )


def _age(age):
    return next((f"until {bound}" for bound in (8, 15, 30, 60, 120) if age < bound), "older")


def forecasts(e, rows, picked):
    """means and standard deviations (rows × picks × steps) of the picked laws (rows × picks)"""
    noise, first, second = e["noise"][picked], e["first"][picked], e["second"][picked]
    r = np.arange(len(rows))[:, None]
    c = e["coef"][rows[:, None], picked]
    mean = e["level"][noise, rows[:, None]]
    mean = mean + c[..., :1] * e["ahead"][noise, :, first] + c[..., 1:] * e["ahead"][noise, :, second]
    late = np.maximum(e["steps"] - e["end"][picked][..., None], 0)
    mean = mean - c[..., :1] * late
    var = e["variance"][noise] + e["extra"][picked]
    size = (RATE + 0.5 * np.maximum(e["q"][rows[:, None], picked], 0)) / (SHAPE + e["periods"] / 2)
    return mean, np.sqrt(np.maximum(var, 1e-6) * size[..., None])


def season_effects(values: np.ndarray, season: int) -> np.ndarray:
    """Each series' (n × T) usual difference at the phases of a season, 0 on average (n × T continued: n × season)."""
    n, T = values.shape
    time = np.arange(T).astype(float)
    apart = np.abs(time[:, None] - time)
    phase = np.equal.outer(np.arange(season), np.arange(T) % season).astype(float)
    base = ANY_LEVEL + 0.05 * (time[:, None] - T) * (time - T) + 0.15 * np.minimum.outer(time + 1, time + 1) + np.eye(T)
    best, chosen = np.full(n, -np.inf), np.zeros((n, season))
    for size in SEASONS:
        K = base + size * phase.T @ phase
        L = np.linalg.cholesky(K)
        Z = solve_triangular(L, values.T, lower=True)
        evidence = -np.log(np.diag(L)).sum() - (SHAPE + T / 2) * np.log(RATE + 0.5 * (Z**2).sum(0))
        effects = (size * phase @ solve_triangular(L.T, Z, lower=False)).T
        effects -= effects.mean(axis=1, keepdims=True)
        chosen = np.where((evidence > best)[:, None], effects, chosen)
        best = np.maximum(best, evidence)
    return chosen
