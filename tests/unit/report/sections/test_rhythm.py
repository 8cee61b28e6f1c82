"""Seasons in words."""

from __future__ import annotations

import numpy as np
import pandas as pd

from headroom.core.periods import Frequency
from headroom.report.sections import rhythm


def test_seasons_are_named_when_they_are_strong_and_their_peaks_when_they_are_noticeable() -> None:
    row = pd.Series({"day_strength": 0.7, "week_strength": 0.4, "year_strength": np.nan, "peak_hour": 14.0,
                     "peak_weekday": 2.0, "peak_month": np.nan})  # fmt: skip
    assert rhythm.rhythm_of(row, Frequency.HOUR) == "daily, highest at 14:00, on Wednesdays"
    assert rhythm.rhythm_of(row.replace(0.7, 0.5), Frequency.HOUR) == ""
