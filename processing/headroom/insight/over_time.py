"""Each server's worst level in each stretch of time: what the fleet's picture and its timeline are drawn from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from headroom.core.findings import LEVELS, RiskOverTime
from headroom.core.settings import Settings

PAST_BUCKETS = 6
MAX_BUCKETS = 26


def of_forecasts(
    forecasts: pd.DataFrame, as_of: pd.Timestamp, settings: Settings, blank: Collection[str] = ()
) -> RiskOverTime:
    """Each server's worst level per week (per day for hourly panels; longer for long horizons), servers by name.

    ``forecasts`` is ``Assessment.forecasts``; ``as_of`` the last period that was measured; servers of which nothing is
    judged (``blank``) have no level in the future.
    """
    period = settings.frequency.step
    days = 1 if settings.frequency.hourly else 7
    if settings.horizon * period > pd.Timedelta(days=days * MAX_BUCKETS):
        days *= 7 if days == 1 else 4
    start, bucket = as_of + period, pd.Timedelta(days=days)
    column = ((forecasts["ds"] - start) // bucket).to_numpy()
    past = min(PAST_BUCKETS, max(0, -int(column.min()))) if len(column) else 0
    future = max(1, int(column.max()) + 1) if len(column) else 1
    names = sorted(forecasts["server_id"].unique())
    code = pd.Categorical(forecasts["risk_level"], categories=list(LEVELS)).codes
    levels = np.full((len(names), past + future), -1, dtype=np.int8)
    row = pd.Index(names).get_indexer(forecasts["server_id"])
    seen = (column >= -past) & ~(forecasts["is_future"] & forecasts["server_id"].isin(blank)).to_numpy()
    np.maximum.at(levels, (row[seen], column[seen] + past), code[seen])
    return RiskOverTime(_starts(start, bucket, past, future), past, bucket, names, levels)


def together(parts: Sequence[RiskOverTime]) -> RiskOverTime:
    """The parts of a fleet as one."""
    past = max(one.past for one in parts)
    future = max(len(one.starts) - one.past for one in parts)
    levels = [
        np.pad(one.levels, ((0, 0), (past - one.past, future - len(one.starts) + one.past)), constant_values=-1)
        for one in parts
    ]
    first, names = parts[0], [name for one in parts for name in one.server_ids]
    starts = _starts(first.starts[first.past], first.bucket, past, future)
    return RiskOverTime(starts, past, first.bucket, names, np.concatenate(levels))


def in_order(seen: RiskOverTime, server_ids: list[str]) -> RiskOverTime:
    """The servers in the given order; those without a forecast have no level."""
    levels = np.full((len(server_ids), seen.levels.shape[1]), -1, dtype=np.int8)
    levels[pd.Index(server_ids).get_indexer(seen.server_ids)] = seen.levels
    return replace(seen, server_ids=server_ids, levels=levels)


def _starts(start: pd.Timestamp, bucket: pd.Timedelta, past: int, future: int) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(start + bucket * pd.Index(range(-past, future)))
