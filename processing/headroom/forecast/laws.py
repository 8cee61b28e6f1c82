"""The laws that a series' level may follow, and how well each explains a series under several kinds of noise.

The laws: constant; a line; a slope, a step, a burst or a saturation that began some time ago; a climb that has ended.
The noise: none that lasts, much memory, a random walk, slow waves.

All series of one length share the laws and the noise, so a noise's covariance is factorised once for all of them, and
a law's coefficient (normal prior) and the noise's size (inverse gamma prior) are integrated out in closed form
(Rasmussen and Williams 2006, section 2.7; Gelman et al. 2013, section 14.8): the evidence of thousands of pairs is a
few matrix products.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from scipy.linalg import solve_triangular

from headroom.forecast import jumps

# How many days ago something may have begun, a fifth apart; coarser where two such times are combined.
AGES = (9, 11, 13, 16, 19, 23, 28, 33, 40, 48, 58, 69, 83, 100, 120, 144)
# A climb of little more than a week is none yet. A step is looked for on every day: one that is dated a few days wrong
# leaves outliers behind that ramps and memory explain better, and then goes on rising (on a fleet apart from the
# project's, the mean squared error of chances on servers with a step fell from 0.108 to 0.006 at 60 days).
OLDEST_STEP = 150
COARSE_AGES = (11, 16, 23, 33, 48, 69, 100, 144)
# The prior tells ages apart by these bounds, and the noises of series that are younger than a month.
AGE_GROUPS = (8, 15, 30, 60, 120)
OF_FIRST_WEEKS = " of the first weeks"
# After how many periods from now a climb may end; it may also last.
ENDS = (10, 30, 60)
# Prior standard deviations of a slope per period and of a rise, in sizes of the noise.
SLOPES, RISES = (0.01, 0.03, 0.1, 0.3, 1.0), (5.0, 20.0, 80.0)
SIZES = {
    "line": SLOPES, "slope": SLOPES, "ended": SLOPES, "ramp": SLOPES,
    "step": RISES, "saturation": RISES, "warming": RISES, "burst": RISES, "level": (1.0,),
}  # fmt: skip
# The same where something came later than a line: of the line, and of what came.
LINE_OF_TWO, AFTER_LINE = 0.06, {"slope": 0.3, "step": 10.0}
# Periods in which a rise comes to 63 %: one that began some time ago, and one as old as the series.
PACES, FIRST_PACES = (15.0, 35.0, 80.0), (2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 150.0)
# What may be a burst began this many days ago; and how fast it fades, in days.
BURST_AGES, FADING = (1, 2, 3, 4, 5, 6, 7, 9), 3.0
# Variance of a level that nothing is known of, in squared sizes of the noise.
ANY_LEVEL = 1e4
# Variances of a season's effects that are tried, likewise; the one with the most evidence is taken.
SEASONS = (0.0, 10.0, 300.0)
# From this many seasons on their effects are known well enough to be taken out before the laws are weighed.
SURE_SEASONS = 5
# Inverse gamma prior of the noise's variance, in squares of the usual change from one period to the next.
SHAPE, RATE = 1.0, 0.5
# Laws with jumps are weighed under these noises, by the day only: by the hour rhythms jump too.
AROUND_JUMPS = ("noise white", "noise memory 0.5")
# A change of the slope is recent for this many days: backtests have seen hardly anything of it.
LATELY = 61


@dataclass(frozen=True)
class Laws:
    """What all series of one length share; times are in the laws' days, see ``Frequency.law_pace``.

    Of each shape that a level may have (the last is none): ``ages``: when it began, ``slopes``: its slope now,
    ``turns``: by how much it turned then.
    ``noises``: what may lie around a law. And of the C laws: ``parts``, their names in the prior; ``shapes``, C × 2
    indices (the second is none for laws of one part); ``sizes``, C × 2, standard deviations of the coefficients;
    ``ends``, C, when a climb will end (infinity for never); ``kinds``, C, what the prior calls it where it asks how
    large it is of all that is possible, "" where it does not. ``around_jumps``: what may lie around laws with
    jumps, where there are any.
    """

    ages: np.ndarray
    slopes: np.ndarray
    turns: np.ndarray
    noises: list[Noise]
    parts: list[tuple[str, ...]]
    shapes: np.ndarray
    sizes: np.ndarray
    ends: np.ndarray
    kinds: list[str]
    around_jumps: jumps.Noises | None

    @cached_property
    def grams(self) -> np.ndarray:
        """``gram`` of every noise (N × shapes × shapes)."""
        return np.stack([noise.gram for noise in self.noises])

    @cached_property
    def variance(self) -> np.ndarray:
        """``variance`` of every noise (N × S)."""
        return np.stack([noise.variance for noise in self.noises])

    @cached_property
    def columns(self) -> np.ndarray:
        """``columns`` of every noise (N × S × shapes)."""
        return np.stack([noise.columns for noise in self.noises])

    @cached_property
    def fits(self) -> tuple[np.ndarray, np.ndarray, int]:
        """The first law of each pair of shapes and sizes, those of one part before those of two, which one each law
        has, and how many are of one part: laws that differ in their ends alone explain the past alike."""
        both = np.concatenate([self.shapes, self.sizes], axis=1)
        _, first, same = np.unique(both, axis=0, return_index=True, return_inverse=True)
        # The coefficient of nothing has a precision of exactly 1 and tells nothing: see ``_left_of_one``.
        alone = (self.shapes[first, 1] == len(self.ages) - 1) & (self.sizes[first, 1] == 1)
        order = np.argsort(~alone, kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        return first[order], rank[same.ravel()], int(alone.sum())


@cache
def laws_of(periods: int, steps: tuple[int, ...], pace: float, season: int) -> Laws:
    """The laws and noises of series of this length.

    ``pace``: the panel's periods in a day of the laws; ``season``: the length of one that may be in the series.
    """
    time = np.concatenate([np.arange(1 - periods, 1), steps]) / pace
    oldest = periods / pace
    names: list[str] = []
    paces: list[tuple[str, ...]] = []
    ages: list[float] = []
    slopes: list[float] = []
    turns: list[float] = []
    columns: list[np.ndarray] = []

    def shape(
        name: str, age: float, column: np.ndarray, slope: float = 0.0, turn: float = 0.0, rate: float | None = None
    ) -> None:
        names.append(name)
        paces.append(() if rate is None else (f"{name} in {rate:g}",))
        ages.append(age)
        columns.append(column)
        slopes.append(slope)
        turns.append(turn)

    shape("line", oldest, time, 1.0)
    for age in (age for age in AGES if age <= oldest - 3):
        shape("slope", age, np.maximum(time + age, 0), 1.0, 1.0)
        shape("ended", age, np.minimum(time + age, 0), turn=1.0)
        for rate in PACES:
            rise = 1 - np.exp(-np.maximum(time + age, 0) / rate)
            shape("saturation", age, rise, np.exp(-age / rate) / rate, 1 / rate, rate)
    for age in (age for age in range(1, OLDEST_STEP + 1) if age <= oldest - 3):
        shape("step", age, (time > -age).astype(float))
        if age in BURST_AGES:
            shape("burst", age, (time > -age) * np.exp(-np.maximum(time, 0) / FADING))
    for age in (age for age in COARSE_AGES if age <= oldest - 3):
        for later in (later for later in COARSE_AGES if later < age):
            shape("ramp", later, np.minimum(np.maximum(time + age, 0), age - later), turn=1.0)
    for rate in FIRST_PACES:
        shape("warming", oldest, 1 - np.exp(-(time + oldest) / rate), np.exp(-oldest / rate) / rate, rate=rate)
    shape("level", oldest, np.zeros(len(time)))

    nothing = len(names) - 1
    laws: list[tuple[tuple[str, ...], tuple[int, int], tuple[float, float], float, str]] = []
    for number, (name, began, pace_of) in enumerate(zip(names, ages, paces, strict=True)):
        since = _age_group(began)
        of_age = name if name in ("warming", "level") else f"{name} {since}"
        for size in SIZES[name]:
            own = (of_age,) if name == "level" else (of_age, f"{name} x {size}", *pace_of)
            if name in ("line", "slope"):
                laws.append(((*own, f"lasts, {since}"), (number, nothing), (size, 1.0), np.inf, name))
                laws += [
                    ((*own, f"ends in {end}, {since}"), (number, nothing), (size, 1.0), end, f"{name} that ends")
                    for end in ENDS
                ]
            else:
                laws.append((own, (number, nothing), (size, 1.0), np.inf, "" if name == "level" else name))
        if name in AFTER_LINE:
            laws.append(((f"line and {of_age}",), (0, number), (LINE_OF_TWO, AFTER_LINE[name]), np.inf, ""))
    parts, kinds = [one for one, *_ in laws], [kind for *_, kind in laws]
    pairs, sizes = np.array([pair for _, pair, *_ in laws]), np.array([size for _, _, size, *_ in laws])
    shared = np.stack(columns, axis=1)
    noises = [
        _factorised(of_noise, covariance, shared, periods, pairs, sizes)
        for of_noise, covariance in _covariances(time, periods, season).items()
    ]
    return Laws(
        np.array(ages),
        np.array(slopes),
        np.array(turns),
        noises,
        parts,
        pairs,
        sizes,
        np.array([end for _, _, _, end, _ in laws], dtype=float),
        kinds,
        _around_jumps(noises) if pace == 1 else None,
    )


def _around_jumps(noises: list[Noise]) -> jumps.Noises:
    """Those of the noises under which laws with jumps are weighed."""
    some = [noise for noise in noises if noise.parts[0].removesuffix(OF_FIRST_WEEKS) in AROUND_JUMPS]
    names = ("parts", "factor", "carried", "variance")
    return jumps.noises(*([getattr(noise, name) for noise in some] for name in names))


def _age_group(age: float) -> str:
    return next((f"since less than {bound} days" for bound in AGE_GROUPS if age < bound), "since longer")


def _covariances(time: np.ndarray, periods: int, season: int) -> dict[tuple[str, ...], np.ndarray]:
    """Covariances of what follows no law, by its names in the prior: white, with memory, wandering, in slow waves.

    Each beside a season of several sizes while that is not sure; what comes is to be told without it.
    """
    apart, own = np.abs(time[:, None] - time), np.eye(len(time))
    since = time - time[0] + 1
    noises = {"white": own}
    noises |= {f"memory {share}": share**apart + 0.3 * own for share in (0.5, 0.8, 0.93, 0.98)}
    noises |= {f"walk {rate}": rate * np.minimum.outer(since, since) + own for rate in (0.02, 0.15, 1.0)}
    noises |= {
        f"waves {length}": 25 * np.exp(-0.5 * (apart / length) ** 2) + 0.5 * 0.6**apart + 0.7 * own
        for length in (12, 25, 50)
    }
    young = OF_FIRST_WEEKS if time[periods - 1] - time[0] < AGE_GROUPS[2] else ""
    noises = {f"noise {name}{young}": ANY_LEVEL + noise for name, noise in noises.items()}
    if periods >= SURE_SEASONS * season:
        return {(name,): noise for name, noise in noises.items()}
    number = np.arange(len(time))
    alike = ((number[:, None] - number) % season == 0) & (np.maximum.outer(number, number) < periods)
    return {
        (name, f"season x {variance:g}"): noise + variance * alike
        for name, noise in noises.items()
        for variance in SEASONS
    }


@dataclass(frozen=True)
class Noise:
    """What follows no law, factorised for all series of one length (T periods, S steps ahead, C laws).

    ``parts``: its names in the prior. ``factor``: T × T, of its covariance in squared sizes of the noise. ``known``:
    T × shapes, whitened; ``gram``: shapes × shapes, their products. ``carried``: T × S, from whitened values to its
    forecast, of ``variance`` (S). ``columns``: S × shapes, what a shape adds to that. Of the laws: ``precision``, see
    :class:`Fitted`, and ``likely``: C, the logarithms of what their evidence owes to determinants.
    """

    parts: tuple[str, ...]
    factor: np.ndarray
    known: np.ndarray
    gram: np.ndarray
    carried: np.ndarray
    variance: np.ndarray
    columns: np.ndarray
    precision: tuple[np.ndarray, np.ndarray, np.ndarray]
    likely: np.ndarray


def _factorised(
    parts: tuple[str, ...],
    covariance: np.ndarray,
    columns: np.ndarray,
    periods: int,
    shapes: np.ndarray,
    sizes: np.ndarray,
) -> Noise:
    """A noise of this covariance ((T + S) × (T + S)) around laws of these columns ((T + S) × shapes)."""
    factor = np.linalg.cholesky(covariance[:periods, :periods])
    known = solve_triangular(factor, columns[:periods], lower=True)
    carried = solve_triangular(factor, covariance[:periods, periods:], lower=True)
    gram, (one, two), (of_one, of_two) = known.T @ known, shapes.T, 1 / sizes.T**2
    precision = gram[one, one] + of_one, gram[two, two] + of_two, gram[one, two]
    determinant = precision[0] * precision[1] - precision[2] ** 2
    return Noise(
        parts=parts,
        factor=factor,
        known=known,
        gram=gram,
        carried=carried,
        variance=np.diag(covariance)[periods:] - (carried**2).sum(axis=0),
        columns=columns[periods:] - carried.T @ known,
        precision=precision,
        likely=-np.log(np.diag(factor)).sum() + 0.5 * np.log(of_one * of_two / determinant),
    )


@dataclass(frozen=True)
class Explained:
    """How n series of one length (T) are explained by each noise (N) and law (C), in sizes of the noise.

    ``of_fits``: N × fits × n, the evidence (logarithms) for each of :attr:`Laws.fits`. ``squares``: N × n, the whitened
    series' sums of squares; ``products``: N × shapes × n, those with the shapes. ``level``: N × n × S, the noise's own
    forecast at S steps ahead. ``jumps``: the J pairs of noise and law with jumps, None where there are none.

    A pair's number is that of noise times C plus that of the law; the pairs with jumps follow those N × C.
    """

    laws: Laws
    steps: np.ndarray
    periods: int
    of_fits: np.ndarray
    squares: np.ndarray
    products: np.ndarray
    level: np.ndarray
    jumps: jumps.Jumps | None

    @property
    def evidence(self) -> np.ndarray:
        """The evidence for each noise and law (n × N × C), logarithms."""
        return np.moveaxis(self.of_fits[:, self.laws.fits[1]], 2, 0)

    @property
    def freedom(self) -> float:
        """The degrees of freedom of the forecasts' Student t distributions."""
        return 2 * SHAPE + self.periods

    def without_jumps(self, pair: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The noise and the law of pairs (n × K each); the first of each for those with jumps."""
        return np.divmod(np.where(self.of_jumps(pair) < 0, pair, 0), len(self.laws.parts))

    def of_jumps(self, pair: np.ndarray) -> np.ndarray:
        """Which of ``jumps`` pairs are, negative for the others."""
        return pair - len(self.laws.noises) * len(self.laws.parts)

    def fitted(self, pair: np.ndarray) -> Fitted:
        """Some pairs of noise and law (n × K), fitted to their series; those with jumps have been fitted already."""
        noise, law = self.without_jumps(pair)
        row = np.arange(len(noise))[:, None]
        one, two = np.moveaxis(self.laws.shapes[law], -1, 0)
        of_one, of_two = np.moveaxis(1 / self.laws.sizes[law] ** 2, -1, 0)
        gram = self.laws.grams
        grams = gram[noise, one, one] + of_one, gram[noise, two, two] + of_two, gram[noise, one, two]
        return _fitted(self.squares[noise, row], self.products[noise, one, row], self.products[noise, two, row], *grams)

    def forecasts(self, pair: np.ndarray, fit: Fitted) -> tuple[np.ndarray, np.ndarray]:
        """Centres and scales (n × K × S) of the Student t forecasts by pairs of noise and law (n × K) and their fit."""
        noise, law = self.without_jumps(pair)
        row = np.arange(len(noise))[:, None]
        first, second = np.moveaxis(self.laws.shapes[law], -1, 0)
        over = np.maximum(self.steps - self.laws.ends[law][..., None], 0)
        one, two = self.laws.columns[noise, :, first], self.laws.columns[noise, :, second]
        centre = self.level[noise, row] + fit.one[..., None] * (one - over) + fit.two[..., None] * two
        squared = fit.precise_two[..., None] * one**2 + fit.precise_one[..., None] * two**2
        added = (squared - 2 * fit.together[..., None] * one * two) / fit.determinant[..., None]
        size = (RATE + 0.5 * fit.left) / (SHAPE + self.periods / 2)
        scale = np.sqrt(np.maximum(self.laws.variance[noise] + added, 1e-9) * size[..., None])
        if self.jumps:
            row, column = np.nonzero(self.of_jumps(pair) >= 0)
            jump = self.of_jumps(pair)[row, column]
            centre[row, column], scale[row, column] = self.jumps.centre[row, jump], self.jumps.scale[row, jump]
        return centre, scale

    def climb(self, pair: np.ndarray, fit: Fitted, weight: np.ndarray) -> tuple[np.ndarray, ...]:
        """The chances that each series climbs now and that it has turned lately; its slope and age if it climbs.

        Given weighed pairs (n × K each) and their fit. Four arrays (n), slopes and ages in the laws' days. What would
        not move a series within the horizon by twice its noise is neither climb nor change.
        """
        shapes = self.laws.shapes[self.without_jumps(pair)[1]]
        coefficients = np.stack([fit.one, fit.two], axis=2)
        least = 2 * np.sqrt(fit.left / self.periods) / self.steps[-1]
        slope = (coefficients * self.laws.slopes[shapes]).sum(axis=2)
        age = self.laws.ages[shapes].min(axis=2)
        if self.jumps:
            row, column = np.nonzero(self.of_jumps(pair) >= 0)
            slope[row, column] = self.jumps.slope[row, self.of_jumps(pair)[row, column]]
            age[row, column] = self.periods
        climbs = np.where(slope > least, weight, 0.0)
        changed = (np.abs(coefficients * self.laws.turns[shapes]) > least[..., None]).any(axis=2)
        turned = np.where(changed & (age < LATELY), weight, 0.0).sum(axis=1)
        return climbs.sum(axis=1), turned, _weighted_median(slope, climbs), _weighted_median(age, climbs)


@dataclass(frozen=True)
class Fitted:
    """Regressions on two shapes with normal priors: posterior means of the coefficients, and what is left over.

    ``precise_one``, ``precise_two`` and ``together`` are the coefficients' posterior precision, a 2 × 2 matrix.
    """

    one: np.ndarray
    two: np.ndarray
    left: np.ndarray
    precise_one: np.ndarray
    precise_two: np.ndarray
    together: np.ndarray
    determinant: np.ndarray


def _fitted(
    squares: np.ndarray,
    product_one: np.ndarray,
    product_two: np.ndarray,
    precise_one: np.ndarray,
    precise_two: np.ndarray,
    together: np.ndarray,
) -> Fitted:
    determinant = precise_one * precise_two - together**2
    one = (precise_two * product_one - together * product_two) / determinant
    two = (precise_one * product_two - together * product_one) / determinant
    left = np.maximum(squares - one * product_one - two * product_two, 0)
    return Fitted(one, two, left, precise_one, precise_two, together, determinant)


def _left_of_one(squares: np.ndarray, product: np.ndarray, precise: np.ndarray) -> np.ndarray:
    """What :func:`_fitted` leaves over, to the bit, where the second shape is nothing, with a precision of 1."""
    return np.maximum(squares - product / precise * product, 0)


def explain(values: np.ndarray, steps: np.ndarray, pace: float, season: int) -> Explained:
    """Weigh every pair of noise and law by the standardised series (n × T) that it is to explain."""
    count, periods = values.shape
    laws = laws_of(periods, tuple(steps.tolist()), pace, season)
    squares, products, level = [], [], []
    first, _, alone = laws.fits
    one, two = first[:alone], first[alone:]
    of_fits = np.empty((len(laws.noises), len(first), count))  # the series last: what belongs to a law lies together
    for number, noise in enumerate(laws.noises):
        whitened = solve_triangular(noise.factor, values.T, lower=True)
        square, product = (whitened**2).sum(axis=0), noise.known.T @ whitened
        left = of_fits[number]
        left[:alone] = _left_of_one(square, product[laws.shapes[one, 0]], noise.precision[0][one, None])
        precision = (part[two, None] for part in noise.precision)
        left[alone:] = _fitted(square, *(product[shape] for shape in laws.shapes[two].T), *precision).left
        left[:] = log_evidence(noise.likely[first, None], left, periods)
        squares.append(square)
        products.append(product)
        level.append((noise.carried.T @ whitened).T)
    around = laws.around_jumps
    return Explained(
        laws=laws,
        steps=steps / pace,
        periods=periods,
        of_fits=of_fits,
        squares=np.stack(squares),
        products=np.stack(products),
        level=np.stack(level),
        jumps=None if around is None else jumps.weighed(values, around, steps, SHAPE, RATE),
    )


def log_evidence(likely: np.ndarray | float, left: np.ndarray, periods: int) -> np.ndarray:
    """The logarithm of the evidence but for a constant, the noise's variance integrated out."""
    return likely - (SHAPE + periods / 2) * np.log(RATE + 0.5 * left)


def _weighted_median(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The median of each row (n × K) under its weights; NaN where they are all zero."""
    order = np.argsort(values, axis=1)
    reached = np.cumsum(np.take_along_axis(weight, order, axis=1), axis=1)
    at = np.minimum((reached < reached[:, -1:] / 2).sum(axis=1), values.shape[1] - 1)[:, None]
    found = np.take_along_axis(np.take_along_axis(values, order, axis=1), at, axis=1)[:, 0]
    return np.where(reached[:, -1] > 0, found, np.nan)
