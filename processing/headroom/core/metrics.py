"""The table of metrics: what each measures, in which unit, of which capacity; the built-in five and the dataset's own.

A job is about one dataset, so there is one table per process: :func:`use` puts a dataset's own metrics into it, and
whoever names, reads, judges or draws a metric asks here what it is. Nothing else in the code knows a metric by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

PERCENT = "%"


@dataclass(frozen=True)
class Metric:
    """What a metric is.

    Attributes:
        name: its key in files and settings.
        label: as people call it inside a sentence.
        unit: of its values, as it is shown: "%", "MB/s", "connections".
        free: whether what is read is what is left of the capacity, instead of what is used.
        capacity: all that there is, in ``unit``, where that is one number.
        capacity_column: the heading (or the name in a metric column) that says the capacity at each moment.
        capacity_attribute: the attribute of the server that is the capacity.
        counter: whether what is read is a count since some start, of which the rate per second is wanted.
        parts: what parts of a server (disks, network cards, …) are to it. "own": each has a series and is judged by
            itself; "sum", "mean", "max": at each moment they make one value of the server; "whole": they mean nothing
            by themselves, and only the row of the whole counts.
        names: headings and names in metric columns that mean it, besides its own.
        built_in: whether every dataset has it.
    """

    name: str
    label: str
    unit: str
    free: bool = False
    capacity: float | None = None
    capacity_column: str | None = None
    capacity_attribute: str | None = None
    counter: bool = False
    parts: Literal["own", "sum", "mean", "max", "whole"] = "own"
    names: tuple[str, ...] = ()
    built_in: bool = False

    @property
    def percent(self) -> bool:
        """Whether its values are percent of all there is, from 0 to 100."""
        return self.unit == PERCENT

    @property
    def has_capacity(self) -> bool:
        """Whether something says how much there is: then thresholds are percent of that."""
        return any(one is not None for one in (self.capacity, self.capacity_column, self.capacity_attribute))

    @property
    def capacity_series(self) -> str | None:
        """The name under which the capacity's own samples are read and kept; ``None`` where no column says it."""
        return None if self.capacity_column is None else f"{self.name}_capacity"


# The order is that of the columns in the files that the jobs write.
BUILT_IN: Mapping[str, Metric] = {
    one.name: one
    for one in (
        Metric("cpu", "CPU", PERCENT, capacity=100.0, parts="whole", built_in=True),
        Metric("memory", "memory", PERCENT, capacity=100.0, parts="whole", built_in=True),
        Metric("disk", "disk", PERCENT, capacity=100.0, built_in=True),
        Metric("network_in", "incoming network", "MB/s", built_in=True),
        Metric("network_out", "outgoing network", "MB/s", built_in=True),
    )
}

_table: dict[str, Metric] = dict(BUILT_IN)


def use(own: Mapping[str, Metric]) -> None:
    """Make a dataset's own metrics, by name, those of this process, in place of any others."""
    global _table  # at once: another thread may be asking
    _table = {**BUILT_IN, **own}


def of(name: str) -> Metric:
    """The metric of a name; one that nobody has defined is called by its name and has no unit."""
    return _table.get(name) or Metric(name, name, "")


def names() -> tuple[str, ...]:
    """The names of all metrics, the built-in ones first."""
    return tuple(_table)


def columns() -> tuple[str, ...]:
    """The names of all that is read as numbers: the metrics, and the capacities that columns say."""
    return (*_table, *(one.capacity_series for one in _table.values() if one.capacity_series))


def of_column(name: str) -> Metric:
    """The metric that a name of :func:`columns` is about: itself, or the one whose capacity it is."""
    if name not in _table and name.endswith("_capacity"):
        return of(name.removesuffix("_capacity"))
    return of(name)


def own() -> tuple[Metric, ...]:
    """The metrics that the dataset has defined."""
    return tuple(one for one in _table.values() if not one.built_in)


def percent_names() -> tuple[str, ...]:
    """The names of the metrics in percent of all there is."""
    return tuple(one.name for one in _table.values() if one.percent)


def is_percent(name: str) -> bool:
    """Whether a metric's values are percent of all there is."""
    return of(name).percent
