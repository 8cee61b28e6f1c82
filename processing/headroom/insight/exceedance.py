"""Is a series above a threshold already: on which days, at which hours and since when.

An hourly server that crosses its threshold every morning has crossed it: a date on which it "is expected to" would be
news to nobody. The rule is documented for its readers in ``docs/risk.md``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from headroom.core import wording
from headroom.core.periods import Frequency

# Above already is what was above on this many of the last days, and on one of the newest.
DAYS, DAYS_ABOVE, NEWEST_DAYS = 7, 3, 3
# From this share of the hours on it is all of the time, from this share on the same hours every day.
AROUND_THE_CLOCK, SAME_HOURS = 0.9, 0.7
# The weekday of day 0, a Thursday, where Monday is 0.
_EPOCH_WEEKDAY = 3


@dataclass(frozen=True)
class Standing:
    """A series that is above a threshold already.

    Attributes:
        since: the first period above it, before which it was below for five days or longer, or nothing was measured.
        from_the_start: whether the data begins there.
        days, measured: how many of the last seven days were above, of how many measured.
        rhythm: "every day", "every working day" or "on 5 of the last 7 days".
        hours: "around the clock", "between 09:00 and 12:00 UTC" or
            "for 14 hours per day, at changing times"; "" in daily panels.
        peak: the median of the highest values of the days above, of the last seven.
    """

    since: pd.Timestamp
    from_the_start: bool
    days: int
    measured: int
    rhythm: str
    hours: str
    peak: float


def of_series(
    values: np.ndarray, ds: pd.DatetimeIndex, threshold: float, frequency: Frequency, soon: bool = False
) -> Standing | None:
    """Whether the values (T,) are at or above a threshold already; None where they are not.

    They are where the threshold was reached on at least three of the last seven days (on all that were measured where
    they are fewer), one of them among the last three; or on the last day, where it is expected again on the next
    (``soon``). A day reaches it with one daily value, or with three hours.
    """
    day = ds.to_numpy("datetime64[D]").astype(int)
    weekend = (np.unique(day) + _EPOCH_WEEKDAY) % 7 >= 5
    day -= day[0]
    above = np.isfinite(values) & (values >= threshold)
    hits = np.bincount(day, weights=above)
    seen = np.bincount(day, weights=np.isfinite(values))
    reached = hits >= frequency.above_periods
    measured = reached | (seen >= frequency.measured_periods)
    last, last_measured = reached[-DAYS:], measured[-DAYS:]
    often = last.sum() >= max(min(DAYS_ABOVE, last_measured.sum()), 1) and last[-NEWEST_DAYS:].any()
    if not (often or (soon and last[-1])):
        return None
    first = _start(reached)
    began = int(np.flatnonzero(above & (day >= first))[0])
    begins = int(np.flatnonzero(np.isfinite(values))[0])
    recent = day > day[-1] - DAYS
    highs = [np.nanmax(values[day == number]) for number in np.flatnonzero(reached) if number > day[-1] - DAYS]
    return Standing(
        since=ds[began],
        from_the_start=bool(day[began] <= day[begins] + 1),
        days=int(last.sum()),
        measured=int(last_measured.sum()),
        rhythm=_rhythm(reached, measured, weekend),
        hours=_hours(above[recent], values[recent], ds[recent], int(last.sum())) if frequency.hourly else "",
        peak=float(np.median(highs)),
    )


def sentence(found: Standing, metric: str, called: str, limit: str, frequency: Frequency) -> str:
    """How it is above the threshold, without an end: "CPU has been above 90 % since 5 Oct 2026".

    ``called`` and ``limit`` are the metric and the threshold in words.
    """
    name, have = wording.sentence(called), wording.verb(metric, "has", "have")
    now, then = wording.verb(metric, "is", "are"), wording.verb(metric, "was", "were")
    since = f"since {wording.day(found.since)}"
    if found.from_the_start:
        since += ", when measurements began"
    always, past = found.rhythm == "every day", found.rhythm.startswith("on ")
    if not frequency.hourly:
        if always:
            return f"{name} {have} been above {limit} {since}"
        return f"{name} {then if past else now} above {limit} {found.rhythm} ({since})"
    if always and found.hours == "around the clock":
        return f"{name} {have} been above {limit} around the clock {since}"
    peak = wording.amount(found.peak, metric)
    reaches, stays = ("reached", then) if past else (wording.verb(metric, "reaches", "reach"), now)
    return f"{name} {reaches} {peak} {found.rhythm} and {stays} above {limit} {found.hours} ({since})"


def _start(reached: np.ndarray) -> int:
    """The first day of the spell that goes on now: between its days above lie at most four others."""
    days = np.flatnonzero(reached)
    breaks = np.flatnonzero(np.diff(days) > DAYS - DAYS_ABOVE + 1)
    return int(days[breaks[-1] + 1] if breaks.size else days[0])


def _rhythm(reached: np.ndarray, measured: np.ndarray, weekend: np.ndarray) -> str:
    if reached[-DAYS:].sum() == measured[-DAYS:].sum() >= DAYS - 1:
        return "every day"
    # Two weeks make a rhythm, one does not.
    weekend, both = weekend[-2 * DAYS :], slice(-2 * DAYS, None)
    if len(weekend) == 2 * DAYS and measured[both].all() and (reached[both] == ~weekend).all():
        return "every working day"
    days, among = int(reached[-DAYS:].sum()), int(measured[-DAYS:].sum())
    if among >= DAYS - 1:
        return f"on {days} of the last {among} days"
    if among == 1:
        return f"on the only day measured of the last {DAYS}"
    return f"on {f'all {days}' if days == among else f'{days} of the {among}'} days measured of the last {DAYS}"


def _hours(above: np.ndarray, values: np.ndarray, ds: pd.DatetimeIndex, days: int) -> str:
    if above.sum() >= AROUND_THE_CLOCK * np.isfinite(values).sum():
        return "around the clock"
    by_hour = np.bincount(ds.hour, weights=above, minlength=24)
    usual = by_hour >= SAME_HOURS * days
    # The usual hours as one stretch round the clock, which holds most of what is above.
    starts = np.flatnonzero(usual & ~np.roll(usual, 1))
    if len(starts) == 1 and by_hour[usual].sum() >= SAME_HOURS * by_hour.sum():
        end = (starts[0] + int(usual.sum()) - 1) % 24 + 1  # midnight is 24:00
        return f"between {starts[0]:02d}:00 and {end:02d}:00 UTC"
    hours = max(int(above.sum() / days + 0.5), 1)
    return f"for {wording.periods(hours, Frequency.HOUR)} per day, at changing times"
