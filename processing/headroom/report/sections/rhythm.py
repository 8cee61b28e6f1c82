"""When the fleet peaks, and the seasons of a series in words."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from headroom.core import wording
from headroom.core.findings import Assessment
from headroom.core.metrics import percent_names
from headroom.core.periods import Frequency
from headroom.report import blocks
from headroom.report.blocks import Block

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
HOURS = [f"{hour:02d}:00" for hour in range(24)]
# A season of this strength is named, one of this strength is worth the time of its peak.
STRONG, NOTICEABLE = 0.6, 0.3
LEAST_QUARTER_EFFECT = 2.0  # points; less is noise
# A peak of the fleet stands out from its average by this share on, where this many bars are measured.
LEAST_LIFT = 0.03
LEAST_MEASURED = {"hours": 12, "weekdays": 4, "months": 6}


def section(found: Assessment) -> dict[str, Any]:
    """When the fleet peaks together: hours, weekdays, months, and ends of quarters."""
    table = found.seasonality
    title, content = "When the fleet peaks together", []
    words = {"day": "a daily rhythm", "week": "a weekly rhythm", "year": "a yearly rhythm", "trend": "a marked trend"}
    strong = {words[name]: int((table[f"{name}_strength"] >= STRONG).sum()) for name in words}
    marked = [f"{wording.share(number / len(table))} have {what}" for what, number in strong.items() if number]
    if marked:
        series = wording.plural(len(table), "series", "series")
        content.append(blocks.paragraph(f"Of {series}, {', '.join(marked)}.", style="intro"))
    articles = [article for metric, peaks in found.fleet_peaks.items() if (article := _fleet_peak(metric, peaks))]
    if articles:
        content.append({"grid": articles, "class": "rhythm"})
    else:
        content.append(blocks.paragraph("There is too little history to tell."))
    effect = table.dropna(subset=["quarter_end_effect"])
    effect = effect[effect["quarter_end_effect"] > effect["metric"].isin(percent_names()) * LEAST_QUARTER_EFFECT]
    effect = effect.sort_values(["quarter_end_effect", "server_id", "metric"], ascending=[False, True, True]).head(5)
    pieces: list[Any] = []
    for row in effect.itertuples():
        rise = wording.change(row.quarter_end_effect, row.metric)
        pieces += [", ", blocks.server(row.server_id), f" ({wording.metric(row.metric)} +{rise})"]
    if pieces:
        content.append(blocks.paragraph("Higher at the end of a quarter: ", *pieces[1:], "."))
    return blocks.section("rhythm", "Rhythm", title, content)


def _fleet_peak(metric: str, peaks: dict[str, list[float] | None]) -> Block | None:
    """The bars of a metric; None where too few hours, weekdays and months are known."""
    kinds = {
        "hours": ("Hour of the day, UTC", HOURS, [name[:2] if i % 6 == 0 else "" for i, name in enumerate(HOURS)],
                  "at {} UTC"),
        "weekdays": ("Day of the week", WEEKDAYS, [name[0] for name in WEEKDAYS], "on {}s"),
        "months": ("Month", MONTHS, [name[0] for name in MONTHS], "in {}"),
    }  # fmt: skip
    content, told = [], []
    for kind, (title, names, ends, phrase) in kinds.items():
        values = np.array(peaks[kind] if peaks[kind] is not None else [], dtype=float)
        if np.isfinite(values).sum() < LEAST_MEASURED[kind]:
            continue
        highest, mean = np.nanmax(values), np.nanmean(values)
        lift = highest / mean - 1 if mean > 0 else 0.0
        if lift >= LEAST_LIFT:
            name = names[int(np.nanargmax(values))]
            told.append(f"{phrase.format(name)} ({wording.share(lift)} above its average)")
        texts = [f"{name}: {wording.amount(value, metric)}" for name, value in zip(names, values, strict=True)]
        content.append(blocks.bars(title, values.tolist(), names, ends, texts, bool(lift >= LEAST_LIFT)))
    if not content:
        return None
    words = f"highest {', '.join(told)}" if told else "about the same at all times"
    heading = [wording.sentence(wording.metric(metric)), ": ", blocks.soft(words)]
    return blocks.article(heading, [{"grid": content, "class": "rhythm-bars"}])


def rhythm_of(row: Any, frequency: Frequency) -> str:
    """A series' seasons in words: the strong ones named, the noticeable ones with their peak."""
    seasons = (("daily", row.day_strength), ("weekly", row.week_strength), ("yearly", row.year_strength))
    strong = [word for word, strength in seasons if strength >= STRONG]
    peaks = []
    if frequency.hourly and row.day_strength >= NOTICEABLE and not math.isnan(row.peak_hour):
        peaks.append(f"at {HOURS[int(row.peak_hour)]}")
    if row.week_strength >= NOTICEABLE and not math.isnan(row.peak_weekday):
        peaks.append(f"on {WEEKDAYS[int(row.peak_weekday)]}s")
    if row.year_strength >= NOTICEABLE and not math.isnan(row.peak_month):
        peaks.append(f"in {MONTHS[int(row.peak_month) - 1]}")
    if not strong:
        return ""
    return wording.listed(strong) + (f", highest {', '.join(peaks)}" if peaks else "")
