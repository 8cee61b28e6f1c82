"""A panel read by blocks of servers: what a job holds of it does not grow with the fleet.

A block is a stretch of the sorted names of servers, as long as its values are few enough. Where blocks begin depends
on the panel alone, never on the machine: whoever works through the blocks, in whatever order and on however many
machines, computes the same numbers from the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import dataset

from headroom.core import grid, job, series
from headroom.core.grid import SERIES, Span
from headroom.core.periods import LEAST_SAMPLES, PARTIAL, Frequency

FILE = "panel.parquet"
COLUMNS = (*SERIES, "ds", "y", "samples", "mean", "max", "p99", "capacity")

# Values of a block: of 547 servers with 5 metrics over a year, for which forecasting and judging need about 0.6 GB.
# Larger blocks are no faster, and while the last one is worked on, all but one core wait.
BLOCK_VALUES = 1_000_000


@dataclass(frozen=True)
class Panel:
    """``server_id, metric, ds, y, mean``, and ``samples``, ``max``, ``p99`` and ``capacity`` where they are kept.

    Rows are read with the owner of their series (see ``core.series``) as ``server_id``.
    """

    source: dataset.Dataset

    @classmethod
    def of(cls, table: pd.DataFrame) -> Panel:
        """The panel in a table."""
        return cls(dataset.dataset(pa.Table.from_pandas(table, preserve_index=False)))

    @cached_property
    def _seen(self) -> tuple[list[str], list[str], np.ndarray, Span | None]:
        """Servers, metrics, the moments with a value, and the first and last moment of all; in one pass."""
        source = self.source
        if isinstance(source, dataset.FileSystemDataset):  # names as the file has them, once and then by number
            source = dataset.dataset(source.files, format=dataset.ParquetFileFormat(dictionary_columns=SERIES))
        servers, metrics, moments, ends = set(), set(), set(), set()
        for batch in source.to_batches(columns=[*SERIES, "ds", "y"]):
            if not len(batch):
                continue
            servers.update(pc.unique(batch["server_id"]).to_pylist())
            metrics.update(pc.unique(batch["metric"]).to_pylist())
            ds = batch["ds"].cast(pa.timestamp("ns")).cast(pa.int64())
            moments.update(pc.unique(ds.filter(pc.is_finite(batch["y"]))).to_pylist())
            ends.update(pc.min_max(ds).as_py().values())
        span = Span(pd.Timestamp(min(ends)), pd.Timestamp(max(ends))) if ends else None
        return sorted(servers), sorted(metrics), np.array(sorted(moments), "int64").view("datetime64[ns]"), span

    @property
    def servers(self) -> list[str]:
        """The names of the servers, sorted."""
        return self._seen[0]

    @property
    def moments(self) -> np.ndarray:
        """The periods at which anything has a value, sorted."""
        return self._seen[2]

    @property
    def span(self) -> Span | None:
        """The first and the last period; None of an empty panel."""
        return self._seen[3]

    @property
    def measured(self) -> Span | None:
        """The first and the last period with a value; None without any."""
        return Span(pd.Timestamp(self.moments[0]), pd.Timestamp(self.moments[-1])) if len(self.moments) else None

    @property
    def has_entities(self) -> bool:
        """Whether servers have series of their parts."""
        return "entity" in self.source.schema.names

    def blocks(self, frequency: Frequency) -> list[list[str]]:
        """The servers in blocks, in order."""
        if self.span is None:
            return []
        periods = (self.span.last - self.span.first) // frequency.step + 1
        size = max(BLOCK_VALUES // (periods * len(self._seen[1])), 1)
        return [self.servers[start : start + size] for start in range(0, len(self.servers), size)]

    def of_servers(self, servers: Sequence[str], columns: Sequence[str] = COLUMNS) -> pd.DataFrame:
        """The rows of these servers, or of the servers of these owners; of ``columns`` those that are kept.

        Server and metric are categories where no server has entities, see :func:`grid.coded`.
        """
        servers = list(dict.fromkeys(series.parts_of(one)[0] for one in servers))
        name = dataset.field("server_id")
        wanted = (name >= min(servers)) & (name <= max(servers)) & name.isin(list(servers))
        return self._read(wanted, columns, coded=not self.has_entities)

    def newest(self, periods: int, columns: Sequence[str] = COLUMNS) -> pd.DataFrame:
        """The rows of the newest periods at which anything has a value; of ``columns`` those that are kept."""
        first = pd.Timestamp(self.moments[-periods:].min())
        return self._read(dataset.field("ds") >= pa.scalar(first, self.source.schema.field("ds").type), columns)

    def _read(self, wanted: dataset.Expression, columns: Sequence[str], coded: bool = False) -> pd.DataFrame:
        kept = [one for one in (*columns, "entity") if one in self.source.schema.names]
        table = self.source.to_table(columns=kept, filter=wanted)
        if not coded:
            return series.joined(table.to_pandas())
        return grid.coded(table.to_pandas(categories=[one for one in SERIES if one in kept]))


def whole_periods(rows: pd.DataFrame, last: pd.Timestamp) -> pd.DataFrame:
    """Rows of a panel whose last period is ``last``, without the values of series for which it is not over.

    Forecasts are made from these: a morning's P95 is not a day's.
    """
    if "samples" not in rows:
        return rows
    at_end = (rows["ds"] == last).to_numpy()
    usual = rows.groupby(SERIES, observed=True)["samples"].median()
    end = rows.loc[at_end, [*SERIES, "samples"]].merge(usual.rename("usual").reset_index(), on=SERIES, how="left")
    partial = (end["samples"] < PARTIAL * end["usual"]) & (end["usual"] >= LEAST_SAMPLES)
    if not partial.any():
        return rows
    y = rows["y"].to_numpy(float, copy=True)
    y[np.flatnonzero(at_end)[partial.to_numpy()]] = np.nan
    return rows.assign(y=y)


def at(folder: Path) -> Panel:
    """The panel in a folder that :func:`in_folder` has found good; nothing of it is read yet."""
    return Panel(dataset.dataset(folder / FILE, format="parquet"))


def in_folder(folder: Path) -> Panel:
    """The panel that preprocess left in a folder, read once from end to end.

    Raises:
        job.InputError: there is none, or it holds no value.
    """
    path = folder / FILE
    if not path.exists():
        raise job.InputError(f"{path} is missing: run preprocess first and give its --panel folder here")
    panel = at(folder)
    if not len(panel.moments):
        raise job.InputError(
            f"{path} holds no value: see data_quality.json beside it for what was wrong with the files"
        )
    return panel


def attributes_in(folder: Path) -> pd.DataFrame:
    """The attributes of the panel's servers, one row each: ``server_id`` and what is known; no rows without a file."""
    path = folder / "servers.parquet"
    return pd.read_parquet(path) if path.exists() else pd.DataFrame({"server_id": pd.Series(dtype=str)})
