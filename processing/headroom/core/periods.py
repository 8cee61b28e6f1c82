"""Time as the panel counts it: days or hours, the lengths that depend on which, and what the calendar says.

Every length is in periods unless its name says otherwise. The libraries are imported where they are needed: the command
line and the API check settings, and have neither pandas nor NumPy.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from headroom.core.settings import Settings

# A series' last period with less than this part of its usual samples is not over, or was cut off: its statistic is that
# of a part of the day. Where there are fewer samples than this many, one more or less says nothing.
PARTIAL, LEAST_SAMPLES = 0.8, 20
# "The end of the quarter" is its last days, "the end of the month" its last days and the first of the next.
QUARTER_END_DAYS = 5
MONTH_END_DAYS = 3
DAYS_PER_MONTH = 365.25 / 12


class Frequency(StrEnum):
    """How long a period is; the values are those of the settings and of pandas."""

    DAY = "D"
    HOUR = "h"

    @property
    def hourly(self) -> bool:
        """Whether periods are hours."""
        return self is Frequency.HOUR

    @property
    def word(self) -> str:
        """One period, in a sentence."""
        return "hour" if self.hourly else "day"

    @property
    def seconds(self) -> int:
        """How long one period is."""
        return 3600 if self.hourly else 86_400

    @property
    def step(self) -> pd.Timedelta:
        """One period."""
        import pandas as pd

        return pd.Timedelta(seconds=self.seconds)

    @property
    def per_day(self) -> int:
        """Periods per day."""
        return 24 if self.hourly else 1

    @property
    def per_week(self) -> int:
        """Periods per week."""
        return 7 * self.per_day

    @property
    def seasons(self) -> tuple[int, int]:
        """Season lengths, shortest first: day and week of hours, week and year of days."""
        return (24, 168) if self.hourly else (7, 365)

    @property
    def horizon(self) -> int:
        """How far forecasts reach where the settings do not say: a week of hours, a quarter of days."""
        return 168 if self.hourly else 90

    @property
    def recent(self) -> int:
        """What "lately" is to the forecasts: one week of hours, four weeks of days."""
        return 168 if self.hourly else 28

    @property
    def forecast_history(self) -> int:
        """Older history says nothing more about the next quarter: half a year of hours, five years of days."""
        return 4392 if self.hourly else 1830

    @property
    def assessed_history(self) -> int:
        """What the assessment looks back on: 400 days of hours, four years (four of the year's seasons) of days."""
        return 400 * 24 if self.hourly else 4 * 366

    @property
    def trend_window(self) -> int:
        """The window of the trend beside seasons: four weeks of hours, a quarter of days."""
        return 28 * 24 if self.hourly else 91

    @property
    def booster_origins(self) -> int:
        """Origins that the booster learns from; hours differ more from one origin to the next than days."""
        return 24 if self.hourly else 12

    @property
    def law_pace(self) -> float:
        """Periods per day of the laws of trends, which are told in days of a daily panel.

        By the hour they run in a week ahead as they do in a quarter of days.
        """
        return 168 / 90 if self.hourly else 1.0

    @property
    def untested_share(self) -> float:
        """How far forecasts lean to the laws of trends where no backtest reaches.

        By the hour they live by rhythms more than by trends.
        """
        return 0.3 if self.hourly else 1.0

    @property
    def crossing_window(self) -> int:
        """The window in which a threshold has to be reached several times before it counts as crossed."""
        return 24 if self.hourly else 7

    @property
    def silent(self) -> int:
        """After this many periods without a value a series is silent."""
        return 48 if self.hourly else 7

    @property
    def short(self) -> int:
        """With fewer values than this a series is too short to judge its risk."""
        return 48 if self.hourly else 7

    @property
    def long_climb(self) -> int:
        """A climb without a date is longer than this, as far as the laws of trends look back; hours in whole days."""
        return 12 * 24 if self.hourly else 160

    @property
    def above_periods(self) -> int:
        """A day is above a threshold with at least this many of its periods there."""
        return 3 if self.hourly else 1

    @property
    def measured_periods(self) -> int:
        """A day counts as measured with at least this many values."""
        return 12 if self.hourly else 1


def in_quarter_end(ds: pd.DatetimeIndex, months: list[int]) -> np.ndarray:
    """Which periods lie in the last ``QUARTER_END_DAYS`` days of one of these months: bool array (T,)."""
    import numpy as np

    return np.asarray((ds.days_in_month - ds.day < QUARTER_END_DAYS) & ds.month.isin(months))


def in_month_end(ds: pd.DatetimeIndex) -> np.ndarray:
    """Which periods lie in the last ``MONTH_END_DAYS`` days of a month or on the first: bool array (T,)."""
    import numpy as np

    return np.asarray((ds.days_in_month - ds.day < MONTH_END_DAYS) | (ds.day == 1))


def calendar(ds: pd.DatetimeIndex, settings: Settings) -> pd.DataFrame:
    """What the calendar says about each period, known arbitrarily far ahead; one row per period."""
    import holidays as holidays_package
    import numpy as np
    import pandas as pd

    days, day = ds.normalize(), pd.Timedelta(days=1)
    given = settings.holidays
    known = pd.DatetimeIndex([])
    if given is not None:
        years = range(days[0].year - 1, days[-1].year + 2)
        named = holidays_package.country_holidays(given.country, subdiv=given.subdivision, years=years)
        known = pd.DatetimeIndex(sorted(named))
    to_month_end = ds.days_in_month - ds.day
    fiscal = ds.month.isin(settings.fiscal_quarter_ends)
    return pd.DataFrame(
        {
            "hour": ds.hour,
            "weekday": ds.dayofweek,
            "day_of_month": ds.day,
            "days_to_month_end": to_month_end,
            "month": ds.month,
            "week_of_year": ds.isocalendar().week.to_numpy(int),
            "holiday": days.isin(known).astype(float),
            "before_holiday": (days + day).isin(known).astype(float),
            "after_holiday": (days - day).isin(known).astype(float),
            "month_start": (ds.day == 1).astype(float),
            "month_end": (to_month_end < MONTH_END_DAYS).astype(float),
            "days_to_quarter_end": np.where(fiscal, to_month_end, 31),
            "quarter_end": in_quarter_end(ds, settings.fiscal_quarter_ends).astype(float),
        },
        index=ds,
    )
