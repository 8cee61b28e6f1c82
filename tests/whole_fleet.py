"""A fleet assessed in memory: what the job does block by block, at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from headroom import assess, partition
from headroom.core.findings import Assessment
from headroom.core.settings import Settings


def assessed(
    panel: pd.DataFrame, attributes: pd.DataFrame, forecasts: pd.DataFrame, settings: Settings, **known: Any
) -> Assessment:
    """The assessment of a whole panel; ``known`` are the other arguments of ``assess.conclude``."""
    return assess.conclude(partition.judge(panel, forecasts, settings), attributes, settings, **known)


def write(found: Assessment, folder: Path) -> None:
    """All results of an assessment that has the forecasts of all servers."""
    assess.write_parquet(found.forecasts, folder / assess.FORECASTS)
    assess.write(found, folder)
