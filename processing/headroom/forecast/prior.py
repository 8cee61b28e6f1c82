"""What is believed of the laws before a series is seen: the weights of ``trend_prior.json``.

They are measured by ``python -m bench.prior`` on many made-up fleets. They count like one more observation: the longer
the history, the more its own evidence outweighs them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from headroom.forecast import jumps
from headroom.forecast.laws import Laws, laws_of

FILE = Path(__file__).with_name("trend_prior.json")
# How much a law moves a metric that has an upper bound, in shares of that bound (per period or at once): how steep a
# climb is says how long it may last, and what is steep cannot be told from the noise alone.
SHARES: Mapping[str, tuple[float, ...]] = {
    "slope": (0.0003, 0.001, 0.003, 0.01, 0.03),
    "rise": (0.01, 0.03, 0.1, 0.3, 1.0),
}


def measured_on() -> str:
    """What the prior was measured on, in words."""
    return json.loads(FILE.read_text(encoding="utf-8"))["measured_on"]


@cache
def measured() -> dict[str, float]:
    """The logarithms of the weights of noises and laws, by name, as ``bench.prior`` measured them."""
    return json.loads(FILE.read_text(encoding="utf-8"))["log_weights"]


@cache
def of_length(periods: int, steps: tuple[int, ...], pace: float, season: int) -> np.ndarray:
    """:func:`of_laws` of the laws of one length with the measured weights."""
    return of_laws(laws_of(periods, steps, pace, season), measured())


def of_laws(laws: Laws, weights: Mapping[str, float]) -> np.ndarray:
    """The logarithms of the prior of each noise and law (N × C): the sums over their parts.

    Laws of the same parts, such as steps of neighbouring ages, share what one of them would have.
    """
    alike = Counter(laws.parts)
    of_law = [sum(weights.get(part, 0.0) for part in parts) - np.log(alike[parts]) for parts in laws.parts]
    of_noise = [sum(weights.get(part, 0.0) for part in noise.parts) for noise in laws.noises]
    return np.add.outer(of_noise, of_law)


def of_shares(laws: Laws, size: np.ndarray, weights: Mapping[str, float]) -> np.ndarray:
    """What the prior adds for how large a law would be of all that is possible (n × C).

    ``size``: n, of the noise, as a share of the metric's upper bound; 0 where there is none, and nothing is added.
    """
    table = np.array([weights.get(name, 0.0) for name in share_names()])
    number = shares(laws, size)
    return np.where(number < 0, 0.0, table[number])


def of_jumps(found: jumps.Jumps, weights: Mapping[str, float]) -> np.ndarray:
    """The logarithms of the prior of each pair with jumps, by how many a series has (n × J)."""
    of_pair = np.array([sum(weights.get(part, 0.0) for part in parts) for parts in found.parts])
    return of_pair + np.array([weights.get(name, 0.0) for name in jumps.NUMBERS])[found.number]


def share_names() -> list[str]:
    """The names in the prior of what :func:`shares` tells apart."""
    return [
        f"{kind}, {bound:g} of all and more" if bound else f"{kind}, less of all"
        for kind, bounds in _kinds().items()
        for bound in (0, *bounds)
    ]


def shares(laws: Laws, size: np.ndarray) -> np.ndarray:
    """Which of :func:`share_names` each law is of, for noises of these sizes (n × C); -1 for none, see above."""
    result = np.full((len(size), len(laws.kinds)), -1)
    kinds, first = np.array(laws.kinds), 0
    for kind, bounds in _kinds().items():
        own = np.flatnonzero(kinds == kind)
        large = np.multiply.outer(size, laws.sizes[own, 0])
        result[:, own] = np.where(large > 0, first + np.searchsorted(bounds, large), -1)
        first += len(bounds) + 1
    return result


def _kinds() -> dict[str, tuple[float, ...]]:
    """The kinds of laws that are told apart by shares, with their bounds."""
    slopes = ("line", "line that ends", "slope", "slope that ends", "ended", "ramp")
    rises = ("step", "saturation", "warming", "burst")
    return dict.fromkeys(slopes, SHARES["slope"]) | dict.fromkeys(rises, SHARES["rise"])
