"""Schedule: a server that does nothing at night or at weekends, as far as the panel's period shows it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from headroom.core import wording
from headroom.core.findings import Action
from headroom.core.periods import Frequency
from headroom.insight.behaviour import IDLE_BELOW
from headroom.insight.ranking import criticality
from headroom.insight.recommend.facts import (
    IDLE_NETWORK,
    IDLE_PEAK,
    NETWORKS,
    Advice,
    Fleet,
    cost_evidence,
    number,
)

ORDER = 40
ACTION = Action("schedule", "Schedule", "switch off when nobody uses them", effort="low")

# A schedule is worth its trouble from this share of the week on, and takes this many idle hours in a row every day.
LEAST_OFF_SHARE, LEAST_OFF_HOURS = 0.25, 6
# A time of the week is free where this share of its periods is idle; weekends after this many of their days.
QUIET_SHARE, WEEKEND_DAYS = 0.95, 6
HOURS_A_WEEK = 168


def find(fleet: Fleet) -> list[Advice]:
    """One piece of advice per server with free hours or weekends; none for business-critical servers."""
    if "cpu" not in fleet.recent or fleet.highest_cpu is None:
        return []
    cpu, highest, week = fleet.recent["cpu"], fleet.highest_cpu, Week.of(fleet.ds)
    there, idle, busy = np.isfinite(cpu), cpu < IDLE_BELOW, highest >= IDLE_PEAK
    for metric in NETWORKS:
        if metric in fleet.recent:
            busy |= fleet.recent[metric] >= IDLE_NETWORK
    found = []
    for server in fleet.spared():
        if server.is_idle() or server.busy or criticality(server.criticality) == "critical":
            continue
        row, use = server.row, server.use["cpu"]
        daily, weekend = free_time(idle[row], busy[row], there[row], week, fleet.frequency)
        hours = 5 * len(daily) + (48 if weekend else 2 * len(daily))
        if hours / HOURS_A_WEEK < LEAST_OFF_SHARE:
            continue
        off = there[row] & (np.isin(week.hour, daily) | (weekend & week.weekend))
        quiet, most = idle[row][off].mean(), highest[row][off].max()
        found.append(Advice(
            server_ids=[server.name],
            metric="cpu",
            saving=server.cost * hours / HOURS_A_WEEK,
            why=f"CPU is idle {_when(daily, weekend)}: below {wording.percent(IDLE_BELOW)} for "
                f"{wording.likelihood(quiet)} of that time over {wording.periods(round(use.days), Frequency.DAY)}, "
                f"at most {wording.percent(most)}. Switch the server off at these times: {hours} hours per week.",
            target={"off_hours_utc": daily, "off_weekends": weekend, "hours_a_week": hours},
            evidence={"off_idle_share": number(quiet, 3), "off_cpu_max": number(most), "cpu_p95": number(use.p95),
                      "days": number(use.days, 0), **cost_evidence(server)},
        ))  # fmt: skip
    return found


def _when(daily: list[int], weekend: bool) -> str:
    when = []
    if daily:
        days, until = "working day" if weekend else "day", (daily[-1] + 1) % 24
        when = [f"every {days} from {daily[0]:02d}:00 to {until:02d}:00 UTC"]
    return wording.listed([*when, *(["at weekends"] if weekend else [])])


@dataclass(frozen=True)
class Week:
    """Where in the week each period lies: its hour, its day (a number) and whether that is of a weekend; (T,) each."""

    hour: np.ndarray
    day: np.ndarray
    weekend: np.ndarray

    @classmethod
    def of(cls, ds: pd.DatetimeIndex) -> Week:
        """Those of these periods."""
        return cls(np.asarray(ds.hour), ds.to_numpy("datetime64[D]").astype(int), np.asarray(ds.weekday >= 5))


def free_time(
    idle: np.ndarray, busy: np.ndarray, there: np.ndarray, week: Week, frequency: Frequency
) -> tuple[list[int], bool]:
    """The hours that are free every day, in order, and whether weekends are.

    A time of the week is free where 95 % of its periods are idle and none is busy.
    """
    weekend = week.weekend

    def free(chosen: np.ndarray) -> bool:
        measured = np.count_nonzero(chosen & there)
        quiet = np.count_nonzero(chosen & there & idle) >= QUIET_SHARE * measured
        return bool(measured >= WEEKEND_DAYS and quiet and not (chosen & busy).any())

    weekends = free(weekend) and len(np.unique(week.day[weekend & there])) >= WEEKEND_DAYS
    if not frequency.hourly:
        return [], weekends
    quiet = [free((week.hour == hour) & ~(weekend & weekends)) for hour in range(24)]
    if all(quiet):
        return [], weekends
    # The longest run of quiet hours round the clock, beginning after a busy one.
    start = quiet.index(False)
    runs: list[list[int]] = [[]]
    for hour in ((start + step) % 24 for step in range(24)):
        if quiet[hour]:
            runs[-1].append(hour)
        elif runs[-1]:
            runs.append([])
    longest = max(runs, key=len)
    return (longest if len(longest) >= LEAST_OFF_HOURS else []), weekends
