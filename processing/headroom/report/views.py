"""What the report says, section by section, as blocks of plain values; see :mod:`headroom.report.blocks`.

Every number is rounded and every sentence phrased here or in ``core.wording``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from headroom.core import wording
from headroom.core.findings import AT_RISK, Assessment
from headroom.core.metrics import percent_names
from headroom.core.periods import Frequency
from headroom.report import blocks, fleet
from headroom.report.blocks import Block, Text
from headroom.report.fleet import RiskOverTime

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
HOURS = [f"{hour:02d}:00" for hour in range(24)]
FILES = [
    "risk_flagged_forecasts.parquet", "risk_summary.json", "optimization_recommendations.json", "server_clusters.csv",
    "data_quality.json", "model_metrics.json",
]  # fmt: skip

MAX_RECOMMENDATIONS = 400
MAX_LISTED = 400
MAX_SERVERS_NAMED = 20
# Outside of these, the backtest's share of values inside the 80 % band is worth a warning.
FAIR_COVERAGE = (0.70, 0.92)
# A season of this strength is named, one of this strength is worth the time of its peak.
STRONG, NOTICEABLE = 0.6, 0.3
LEAST_QUARTER_EFFECT = 2.0  # points; less is noise
# A peak of the fleet stands out from its average by this share on, where this many bars are measured.
LEAST_LIFT = 0.03
LEAST_MEASURED = {"hours": 12, "weekdays": 4, "months": 6}


def section(name: str, nav: str, title: str, content: list[Block]) -> dict[str, Any]:
    """A section: its anchor, its word in the navigation, its heading and its blocks."""
    return {"id": name, "nav": nav, "title": title, "content": content}


def sections(found: Assessment, over_time: RiskOverTime, shown: int) -> list[dict[str, Any]]:
    """All sections in the order of the page; ``shown`` servers of the fleet are in the report."""
    return [
        _servers(found, shown),
        *_not_judged(found),
        _over_time(over_time),
        _rhythm(found),
        _groups(found),
        _recommendations(found),
        _data(found),
        _forecasts(found),
        _run(found),
    ]


def headline(found: Assessment) -> str:
    """What the capacity manager must know first, as one sentence."""
    servers, risks = found.servers, found.risks
    ahead = f"in the next {fleet.horizon_of(found)}"
    if servers.empty:
        return "There is no server to assess"
    at_risk = int(servers["level"].isin(AT_RISK).sum())
    all_servers = wording.plural(len(servers), "server")
    now = set(risks.loc[risks["above_already"], "server_id"])
    coming = risks[risks["critical_date"].notna() & ~risks["server_id"].isin(now)]
    if not now and coming.empty:
        if at_risk == 0:
            return fleet.calm(found)
        return f"{at_risk:,} of {all_servers} at risk, none expected to reach a critical threshold {ahead}"
    if coming.empty:
        return f"{len(now):,} of {all_servers} above a critical threshold now, no other expected to reach one {ahead}"
    first = coming.sort_values(["critical_date", "server_id"]).iloc[0]
    moment = f"{first['critical_date']:%-d %B}"
    if found.settings.frequency.hourly:
        moment += f" at {first['critical_date']:%H:%M}"
    when = f"the first on {moment} ({wording.metric(first['metric'])})"
    number = coming["server_id"].nunique()
    if now:
        return f"{len(now):,} of {all_servers} above a critical threshold now, {number:,} more expected {ahead}, {when}"
    return f"{number:,} of {all_servers} expected to reach a critical threshold {ahead}, {when}"


def top(found: Assessment) -> dict[str, Any]:
    """The head of the page: the headline, the numbers below it and what changed since the last run."""
    risks, settings, frequency = found.risks, found.settings, found.settings.frequency
    as_of, dataset = fleet.last_period(found), found.summary["dataset"]
    levels = found.servers["level"]
    at_risk, watched = int(levels.isin(AT_RISK).sum()), int((~levels.isin([*AT_RISK, "none"])).sum())
    above = set(risks.loc[risks["above_already"], "server_id"])
    coming = risks.loc[~risks["server_id"].isin(above), "critical_date"].dropna()
    saved, advice = found.summary["savings"]["monthly"], len(found.recommendations)
    beside = f", {watched:,} to watch" if watched else f" of {wording.plural(len(levels), 'server')}"
    numbers = [(wording.count(at_risk), f"at risk{beside}", "risk")]
    if above:
        numbers.append((wording.count(len(above)), "above critical now", "risk"))
    if len(coming):
        first = coming.min()
        numbers.append((wording.date(first, frequency, year=False), f"next, in {_until(first, found)}", "risk"))
    if found.not_judged:
        numbers.append((wording.count(len(found.not_judged)), "not judged", "unjudged"))
    if saved > 0:
        numbers.append((wording.money(saved, settings.costs.currency), "to save per month", "actions"))
    numbers.append((wording.count(advice), "recommendation" if advice == 1 else "recommendations", "actions"))
    gain = (found.metrics.get("headline") or {}).get("improvement_percent")
    if gain is not None:
        backtested, horizon = found.metrics["backtested"], found.metrics["horizon"]
        tested = f", {wording.about(backtested, frequency)} ahead" if backtested < horizon else ""
        words = f"{'less' if gain >= 0 else 'more'} error than naive{tested}"
        numbers.append((wording.percent(abs(round(gain))), words, "forecast"))
    as_of_words = f"apacity risk as of {wording.day(as_of)}"
    return {
        "kicker": f"{dataset} · c{as_of_words}" if dataset else f"C{as_of_words}",
        "headline": f"{headline(found)}.",
        "numbers": [list(one) for one in numbers],
        "changes": _changes(found),
    }


def coverage(metrics: dict[str, Any]) -> list[tuple[str, float]]:
    """For each metric, the share of later values that the 80 % band of its forecasts held in the backtest.

    Forecasts are combinations of the candidates, so these are the combination's figures, by number of series.
    """
    rows = pd.DataFrame(metrics.get("candidates") or [], columns=["candidate", "metric", "series", "coverage_80"])
    rows = rows[(rows["candidate"] == "combination") & rows["coverage_80"].notna() & (rows["series"] > 0)]
    return [
        (str(metric), float(np.average(mine["coverage_80"], weights=mine["series"])))
        for metric, mine in rows.groupby("metric", sort=False)
    ]


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


def target_of(item: dict[str, Any]) -> tuple[list[Any], str]:
    """What a recommendation changes to, and the size now where that is another ("" where it is not)."""
    target = item["target"]
    if not target:
        return [], ""
    if "host" in target:
        return ["onto ", blocks.server(target["host"])], ""
    size = ", ".join(wording.size(target.get("vcpus"), target.get("memory_gb"), of=""))
    parts = [size] if size else []
    if "factor" in target:
        parts.append(f"{target['factor']:g} × today's size")
    if "hours_a_week" in target:
        parts.append(f"off {target['hours_a_week']} hours per week")
    factors = {key.removesuffix("_factor"): value for key, value in target.items() if key.endswith("_factor")}
    parts += [f"{value:g} × today's {wording.metric(name)}" for name, value in factors.items()]
    capacities = {key: value for key, value in target.items() if key.endswith("_capacity")}
    parts += [wording.capacity(key, value) for key, value in capacities.items()]
    now = ", ".join(wording.size(item["evidence"].get("vcpus"), item["evidence"].get("memory_gb"), of=""))
    return [", ".join(parts)], now if size and now != size else ""


def by_when(date: str | None, as_of: pd.Timestamp) -> str:
    """The date by which to act, or that it is time."""
    if date is None:
        return ""
    moment = pd.Timestamp(date)
    return f"by {wording.day(moment, year=False)}" if moment > as_of else "now"


def _until(moment: pd.Timestamp, found: Assessment) -> str:
    return wording.about(fleet.periods_between(fleet.last_period(found), moment, found), found.settings.frequency)


def _changes(found: Assessment) -> list[Block]:
    if found.changes is None:
        return [blocks.paragraph("The first run: there is nothing yet to compare with.", style="since")]
    kinds = {"new_at_risk": "New at risk", "worse": "Worse", "better": "Better", "resolved": "Resolved"}
    entries: list[tuple[Text, Text]] = [
        ([f"{title} ", blocks.bold(f"{len(names):,}")], blocks.servers(names[:MAX_LISTED], len(names)))
        for kind, title in kinds.items()
        if (names := found.changes[kind])
    ]
    title = blocks.bold("Since the last run")
    if not entries:
        return [blocks.paragraph(title, " No server's risk has changed.", style="since")]
    return [{"since": title, "facts": [list(entry) for entry in entries]}]


def _servers(found: Assessment, shown: int) -> dict[str, Any]:
    levels = found.servers["level"]
    at_risk, watched = levels.isin(AT_RISK).any(), (~levels.isin([*AT_RISK, "none"])).any()
    title = {(True, True): "Servers at risk and to watch", (True, False): "Servers at risk",
             (False, True): "Servers to watch"}.get((bool(at_risk), bool(watched)), "Servers")  # fmt: skip
    left = len(levels) - shown
    content = []
    if left > 0:
        content.append(blocks.paragraph(
            f"The {shown:,} servers that matter most are here: those at risk, and those that a change or a "
            f"recommendation names. The other {left:,} are in ", blocks.code("risk_flagged_forecasts.parquet"), " and ",
            blocks.code("server_clusters.csv"), ".", style="note",
        ))  # fmt: skip
    content += [
        *_coverage_warning(found),
        blocks.drawn("filters"),
        blocks.paragraph(
            "Most urgent first: by level, then by how likely and how soon it turns critical, weighted by the server's "
            "criticality. High and critical are at risk.", style="how",
        ),
        blocks.drawn("servers"),
    ]  # fmt: skip
    return section("risk", "Servers", title, content)


def _coverage_warning(found: Assessment) -> list[Block]:
    """The metrics whose forecast bands held far more or fewer values in the backtest than they promise."""
    items: list[Text] = []
    for metric, held in coverage(found.metrics):
        if FAIR_COVERAGE[0] <= held <= FAIR_COVERAGE[1]:
            continue
        narrow = held < FAIR_COVERAGE[0]
        items.append([
            blocks.bold(wording.sentence(wording.metric(metric))),
            f": the 80 % band held {wording.share(held)} of later values, so it is too ",
            "narrow; " if narrow else "wide; ",
            "crossings may come earlier or later than the dates and chances say." if narrow
            else "chances and ranges of dates are vaguer than they need to be.",
        ])  # fmt: skip
    return blocks.warning("Take these forecasts with care.", items)


def _not_judged(found: Assessment) -> list[dict[str, Any]]:
    """The servers of which some or all metrics are not judged; no section where every server is."""
    if not found.not_judged:
        return []
    frequency, as_of = found.settings.frequency, fleet.last_period(found)
    whole, total = fleet.unjudged(found), len(found.not_judged)
    attributes = found.servers.set_index("server_id")[["business_unit", "region"]].to_dict("index")

    def last_seen(item: dict[str, Any]) -> Text:
        if item["last"] is None:
            return "never"
        moment = pd.Timestamp(item["last"])
        ago = fleet.periods_between(moment, as_of, found)
        words = wording.date(moment, frequency)
        return [words, blocks.small(f"{wording.about(ago, frequency)} ago")] if ago > 0 else words

    rows: list[list[Text]] = [
        [
            [blocks.server(item["server_id"]), blocks.small(_joined(attributes[item["server_id"]].values()))],
            "all of it" if item["server_id"] in whole else ", ".join(wording.metric(name) for name in item["metrics"]),
            last_seen(item),
            wording.count(item["periods"]),
            item["reason"],
        ]
        for item in found.not_judged[:MAX_LISTED]
    ]
    partly = total - len(whole)
    intro = blocks.paragraph(
        "Silent servers and those with too little history have no risk level, and nothing is recommended for silent "
        "servers. ",
        f"For {wording.plural(partly, 'server')}, only some metrics are affected. " if partly else "",
        f"The first {len(rows):,} of {total:,} are here. " if total > len(rows) else "",
        style="intro",
    )
    columns = [("Server", "name"), ("Not judged", "short"), ("Last seen", "tight"),
               ("Hours seen" if frequency.hourly else "Days seen", "number"),
               ("Why, and what to do", "wide")]  # fmt: skip
    listed = blocks.table("Servers that are not judged", columns, rows, shown=10, of="servers")
    return [section("unjudged", "Not judged", "Not judged", [intro, *listed])]


def _over_time(risk: RiskOverTime) -> dict[str, Any]:
    words = f"The worst level {risk.every}, of the whole fleet and of each server. "
    if risk.past:
        words += "Left of the line as measured; right of it the level reached by then, as forecast."
    content = [blocks.paragraph(words, style="intro"), blocks.drawn("heat")]
    return section("fleet", "Over time", "The fleet over time", content)


def _rhythm(found: Assessment) -> dict[str, Any]:
    """When the fleet peaks together: hours, weekdays, months, and ends of quarters."""
    table = found.seasonality
    title, content = "When the fleet peaks together", []
    words = {"day": "a daily rhythm", "week": "a weekly rhythm", "year": "a yearly rhythm", "trend": "a marked trend"}
    strong = {words[name]: int((table[f"{name}_strength"] >= STRONG).sum()) for name in words}
    marked = [f"{wording.share(number / len(table))} have {what}" for what, number in strong.items() if number]
    if marked:
        series = wording.plural(len(table), "series", "series")
        content.append(blocks.paragraph(f"Of {series}, {', '.join(marked)}.", style="intro"))
    articles = [_fleet_peak(metric, peaks) for metric, peaks in found.fleet_peaks.items()]
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
    return section("rhythm", "Rhythm", title, content)


def _fleet_peak(metric: str, peaks: dict[str, list[float] | None]) -> Block:
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
    words = f"highest {', '.join(told)}" if told else "about the same at all times"
    heading = [wording.sentence(wording.metric(metric)), ": ", blocks.soft(words)]
    return blocks.article(heading, [{"grid": content, "class": "rhythm-bars"}])


def _groups(found: Assessment) -> dict[str, Any]:
    """Groups of servers that behave alike, the largest first."""
    title = "Servers that behave alike"
    if not found.profiles:
        return section("groups", "Groups", title, [blocks.paragraph("There are too few servers to compare.")])
    intro = "Servers close together on the map use their capacity alike. " if len(found.profiles) > 1 else ""
    intro += "A group's bars are its average week."
    return section("groups", "Groups", title, [blocks.paragraph(intro, style="intro"), blocks.drawn("groups")])


def profile(one: dict[str, Any]) -> dict[str, Any]:
    """A group's entry beside the map."""
    week = one["weekday_profile"] or []
    pieces = [one["description"], " Typical: ", blocks.server(one["typical_server"]), "."]
    medians: list[tuple[str, Text]] = [
        (wording.label(key), f"{value:.4g}") for key, value in one["features"].items() if value is not None
    ]
    return {
        "name": one["name"],
        "size": wording.plural(one["size"], "server"),
        "about": pieces,
        "medians": blocks.fold("Medians", [blocks.facts(medians, "inline")] if medians else []),
        "week": week,
        "texts": [f"{name}: {_fixed(value, 0)}" for name, value in zip(WEEKDAYS, week, strict=False)],
        "names": WEEKDAYS,
        "ends": [name[0] for name in WEEKDAYS],
    }


def _recommendations(found: Assessment) -> dict[str, Any]:
    items, currency = found.recommendations[:MAX_RECOMMENDATIONS], found.settings.costs.currency
    total, savings = len(found.recommendations), found.summary["savings"]
    title = "Recommendations"
    if not total:
        nothing = "Nothing to change: no server needs more capacity, and none could clearly do with less."
        return section("actions", title, title, [blocks.paragraph(nothing)])
    most_urgent = f"The {len(items):,} most urgent of {total:,} are here; all are in "
    intro = blocks.paragraph(
        *([blocks.bold(f"{wording.money(savings['monthly'], currency)} per month could be saved"),
           ", with no server counted twice. "] if savings["monthly"] > 0 else []),
        *(["The recommended upsizing would cost about ",
           blocks.bold(f"{wording.money(savings['growth_monthly'], currency)} more per month"),
           ", where prices are known. "] if savings["growth_monthly"] > 0 else []),
        most_urgent if total > len(items) else "The same list for programs and spreadsheets: ",
        blocks.code("optimization_recommendations.json"), " and ", blocks.code(".csv"), ".", style="intro",
    )  # fmt: skip
    articles = []
    for action in found.actions:
        number = sum(item["action"] == action.name for item in found.recommendations)
        mine = [item for item in items if item["action"] == action.name]
        if not mine:
            continue
        saved = savings["by_action"].get(action.name, 0)
        saving = f", saving {wording.money(saved, currency)} per month" if saved > 0 else ""
        heading = [f"{action.title} ", blocks.soft(f"{number:,}: {action.what}{saving}")]
        articles.append(blocks.article(heading, _advice_table(action.title, mine, found), style="action"))
    return section("actions", title, title, [intro, *articles])


def _advice_table(title: str, items: list[dict[str, Any]], found: Assessment) -> list[Block]:
    currency, as_of = found.settings.costs.currency, fleet.last_period(found)

    def cells(item: dict[str, Any]) -> list[Text]:
        target, now = target_of(item)
        increase = item["evidence"].get("monthly_cost_increase") or 0
        names = item["server_ids"]
        return [
            blocks.servers(names[:MAX_SERVERS_NAMED], len(names)),
            [wording.sentence(item["why"]), blocks.small(_evidence(item, currency))],
            [*target, *([blocks.small(f"now {now}")] if now else [])],
            by_when(item["by"], as_of),
            item["effort"],
            f"+ {wording.money(increase, currency)}" if increase > 0 else "",
            wording.money(item["monthly_saving"], currency) if item["monthly_saving"] > 0 else "",
        ]

    columns = [("Servers", "name"), ("Why", "wide"), ("Target", "short"), ("When", "tight"), ("Effort", "tight"),
               ("Costs per month", "number"), ("Saves per month", "number")]  # fmt: skip
    rows = [cells(item) for item in items]
    used = [number for number in range(len(columns)) if any(row[number] for row in rows)]
    rows = [[row[number] or "–" for number in used] for row in rows]
    caption = f"Recommendations: {title}"
    return blocks.table(caption, [columns[number] for number in used], rows, shown=8, of="recommendations")


def _evidence(item: dict[str, Any], currency: str) -> str:
    """What a recommendation rests on, as far as no column says it."""
    evidence, told = item["evidence"], []
    for key, value in evidence.items():
        if value is not None and key.endswith(("_p95", "_max", "_peak", "_peak_q50")):
            unit = "network_in" if key.startswith("network") else "cpu"
            told.append(f"{wording.label(key)} {wording.amount(value, unit)}")
    cost = evidence.get("monthly_cost")
    if cost is not None:
        by_rates = " by the rates" if evidence.get("cost_from") == "rates" else ""
        told.append(f"costs {wording.money(cost, currency)} per month{by_rates}")
    return ", ".join(told)


def _data(found: Assessment) -> dict[str, Any]:
    """What was read, what was refused and why, and what is missing."""
    title, quality = "The data it rests on", found.quality
    if not quality:
        nothing = blocks.paragraph("This panel came without a data-quality report.")
        return section("data", "Data", title, [nothing])
    rows, values, gaps, panel = quality["rows"], quality["values"], quality["gaps"], quality["panel"]
    files, short, settings = quality["files"], quality["short_series"], quality["settings"]
    numbers = [
        (wording.count(rows["read"]), "rows read"), (wording.count(rows["accepted"]), "accepted"),
        (wording.count(rows["duplicates"]), "duplicates"), (wording.count(rows["quarantined"]), "quarantined"),
        (wording.count(values["clipped"]), "values clipped"),
        (wording.count(gaps["missing_periods"]),
         f"periods missing, {wording.plural(gaps['servers_with_gaps'], 'server')}"),
    ]  # fmt: skip
    refused = [file for file in files if file["error"]]
    used_instead = "; the last good ones were used" if settings["source"] == "last_good" else ""
    covers = ""
    if panel["first"]:
        period = f"from {wording.day(pd.Timestamp(panel['first']))} to {wording.day(pd.Timestamp(panel['last']))}"
        covers = f"The panel now covers {wording.plural(panel['servers'], 'server')} {period}; {panel['rows_new']:,} "
        covers += f"of its {panel['rows']:,} rows are new, {panel['rows_changed']:,} changed. "
    reasons: list[list[Text]] = [[one["reason"], wording.count(one["rows"])] for one in quality["reasons"]]
    examples: list[list[Text]] = [
        [one["file"], _number(one["row"]), one["column"] or "", blocks.code(_text(one["value"])), one["reason"]]
        for one in quality["examples"][:20]
    ]
    read: list[list[Text]] = [
        [one["file"], one["shape"] or "", *(_number(one[f"rows_{key}"])
         for key in ("read", "accepted", "duplicate", "quarantined")), ", ".join(one["ignored_columns"])]
        for one in files[:100]
    ]  # fmt: skip
    worst: list[list[Text]] = [
        [blocks.server(one["server_id"]), wording.metric(one["metric"]), f"{one['missing']:,} of {one['expected']:,}"]
        for one in gaps["worst"][:20]
    ]
    young: list[list[Text]] = [
        [blocks.server(one["server_id"]), wording.metric(one["metric"]), wording.count(one["periods"])]
        for one in short[:50]
    ]
    server_and_metric = [("Server", ""), ("Metric", "")]
    return section("data", "Data", title, [
        blocks.figures(numbers),
        *blocks.warning(f"The settings have errors{used_instead}.", list(settings["errors"])),
        *blocks.warning(f"{wording.plural(len(refused), 'file')} could not be used.",
                        [[blocks.code(file["file"]), f": {file['error']}"] for file in refused[:20]]),
        *blocks.listing(list(quality["notes"])),
        blocks.paragraph(covers, "Every refused row, with file and line, is in ", blocks.code("panel/quarantine.csv"),
                         " of the run; these figures are in ", blocks.code("data_quality.json"), "."),
        *blocks.table("Why rows were refused", [("Reason", ""), ("Rows", "number")], reasons),
        *blocks.fold("Examples of refused rows", blocks.table(
            "Refused rows", [("File", ""), ("Row", "number"), ("Column", ""), ("Value", ""), ("Reason", "")], examples,
        )),
        *blocks.fold(f"Files read ({len(files):,})", blocks.table(
            "Files", [("File", ""), ("Form", ""), ("Read", "number"), ("Accepted", "number"), ("Duplicates", "number"),
                      ("Refused", "number"), ("Columns ignored", "")], read,
        )),
        *blocks.fold("Largest gaps", blocks.table("Gaps", [*server_and_metric, ("Missing", "number")], worst)),
        *blocks.fold(f"Short series ({len(short):,})", blocks.table(
            "Fewer than ten values", [*server_and_metric, ("Periods", "number")], young,
        )),
    ])  # fmt: skip


def _forecasts(found: Assessment) -> dict[str, Any]:
    """How good the forecasts were, and what they were made with."""
    model, frequency = found.metrics, found.settings.frequency
    title = "How good the forecasts were"
    if not model:
        nothing = blocks.paragraph("This model came without backtest figures.")
        return section("forecast", "Forecasts", title, [nothing])
    scores = model["headline"]
    content: list[Block] = []
    if model["windows"] == 0:
        content.append(blocks.paragraph(
            "Not tested: the history is too short to hide its last part and forecast that. How good the forecasts are "
            "is not known, and their bands are wide.", style="intro",
        ))  # fmt: skip
    else:
        backtested, horizon = model["backtested"], model["horizon"]
        of = ""
        if model["sampled_series"] is not None:
            of = f", for {model['sampled_series']:,} of {model['series']:,} series"
        times, ahead = wording.plural(model["windows"], "time"), wording.about(backtested, frequency)
        words = f"Tested on the past: {times} the last part of the history was hidden and forecast {ahead} ahead{of}. "
        if backtested < horizon:
            words += f"The history is too short to test all {wording.about(horizon, frequency)}. "
        gain = scores["improvement_percent"]
        verdict: list[Any] = []
        if gain is not None:
            better = f"{wording.percent(abs(round(gain)))} {'better' if gain >= 0 else 'worse'}"
            verdict = [
                blocks.bold(f"The forecasts were {better} than repeating the last season"),
                f" (MASE {_fixed(scores['mase'], 2)} against {_fixed(scores['seasonal_naive_mase'], 2)}).",
            ]
        content.append(blocks.paragraph(words, *verdict, style="intro"))
        held = [f"{wording.metric(metric)} {wording.share(share)}" for metric, share in coverage(model)]
        content.append({
            "covers": "Share of later values that fell inside the band:",
            "bands": [[f"{wanted} % band", scores[f"coverage_{wanted}"], wanted / 100,
                       wording.share(_nan(scores[f"coverage_{wanted}"]))] for wanted in (80, 90)],
            "note": f"80 % band: {', '.join(held)}." if len(held) > 1 else "",
        })  # fmt: skip
    content += [
        *_coverage_warning(found), *_candidates(model), *_drawn_from(model), *_fallbacks(model), *_drift(found),
        *(blocks.paragraph(note, style="quiet") for note in model["notes"]),
    ]  # fmt: skip
    return section("forecast", "Forecasts", title, content)


def _candidates(model: dict[str, Any]) -> list[Block]:
    rows = [row for row in model["candidates"] if row["scaled_quantile_loss"] is not None]
    best: dict[tuple[str, str], float] = {}
    for row in rows:
        key = (row["metric"], row["group"])
        best[key] = min(row["scaled_quantile_loss"], best.get(key, math.inf))
    chosen: list[list[Text]] = [
        [wording.metric(row["metric"]), wording.label(row["group"]), blocks.bold(wording.label(row["candidate"])),
         _number(row["series"]), row["reason"]]
        for row in model["chosen"][:60]
    ]  # fmt: skip

    def candidate(row: dict[str, Any]) -> Text:
        name = wording.label(row["candidate"])
        is_best = row["scaled_quantile_loss"] == best[row["metric"], row["group"]]
        return [blocks.bold(name), " ✓"] if is_best else name

    figures = (("mae", 2), ("rmse", 2), ("smape", 1), ("mase", 2), ("scaled_quantile_loss", 3))
    errors: list[list[Text]] = [
        [wording.metric(row["metric"]), wording.label(row["group"]), candidate(row),
         *(_fixed(row[key], digits) for key, digits in figures),
         *(wording.share(_nan(row[key])) for key in ("coverage_80", "coverage_90"))]
        for row in rows[:120]
    ]  # fmt: skip
    names = ["MAE", "RMSE", "sMAPE", "MASE", "Quantile loss", "In 80 %", "In 90 %"]
    first = [("Metric", ""), ("Series", "")]
    return [
        *blocks.fold("What was chosen", blocks.table(
            "Series by the method that served them best",
            [*first, ("Chosen", ""), ("Number", "number"), ("Why", "")], chosen,
        )),
        *blocks.fold("All candidates", blocks.table(
            "Errors, lower is better; the best of its group is marked",
            [*first, ("Candidate", ""), *((name, "number") for name in names)], errors,
        )),
    ]  # fmt: skip


def _drawn_from(model: dict[str, Any]) -> list[Block]:
    features = [
        [wording.label(row["feature"]), wording.label(row["kind"]), row["share"], wording.share(row["share"])]
        for row in model["feature_importance"][:15]
    ]
    calendar = model["calendar_share"]
    return blocks.fold(
        "What the forecasts are drawn from",
        [blocks.paragraph(f"The calendar accounts for {wording.share(calendar)}.")] if calendar is not None else [],
        [{"shares": features}] if features else [],
    )


def _fallbacks(model: dict[str, Any]) -> list[Block]:
    rows: list[list[Text]] = [
        [blocks.server(row["server_id"]), wording.metric(row["metric"], row.get("entity", "")),
         wording.count(row["points"]), row["method"], row["reason"]]
        for row in model["fallbacks"][:60]
    ]  # fmt: skip
    columns = [("Server", ""), ("Metric", ""), ("Values", "number"), ("Method", ""), ("Why", "")]
    title = f"Simpler forecasts ({len(model['fallbacks']):,})"
    return blocks.fold(title, blocks.table("Series too short for the models", columns, rows))


def _drift(found: Assessment) -> list[Block]:
    drift = found.summary["drift"] or {"psi": {}}
    indices = [f"{wording.metric(name)} {value:.2f}" for name, value in drift["psi"].items() if value is not None]
    if not indices:
        return []
    says: Text = "The data still looks like what the model learned. "
    if drift["exceeded"]:
        why = f" ({drift['reason']})" if drift.get("reason") else ""
        says = blocks.bold(f"The data has drifted from what the model learned{why}: the next run trains anew. ")
    outside = f"{wording.share(_nan(drift['servers_out_of_range']))} of servers are outside their usual range."
    return [blocks.paragraph(says, f"Population stability index: {', '.join(indices)}; {outside}")]


def _run(found: Assessment) -> dict[str, Any]:
    """What produced the report."""
    run, settings, quality, model = found.run, found.settings, found.quality, found.metrics
    files, costs, holidays = run.get("files", []), settings.costs, settings.holidays
    megabytes = sum(file.get("size", 0) for file in files) / 1e6
    thresholds = [
        f"{wording.metric(metric)} {wording.threshold(one.warning, metric)} / {wording.threshold(one.critical, metric)}"
        for metric in pd.unique(found.risks["metric"])
        if (one := settings.thresholds.get(metric))
    ]
    thresholds += [
        f"{one.in_words()} {' / '.join(wording.threshold(value, one.metric) for value in one.said().values())}"
        for one in settings.thresholds_for
    ]
    entries: list[tuple[str, Text | None]] = [
        ("Dataset", found.summary["dataset"]),
        ("Run", found.summary["run_id"]),
        ("Planned", run.get("created_at")),
        ("Previous run", run.get("previous_run_id")),
        ("Mode", run.get("mode")),
        ("Code", run.get("code", {}).get("hash")),
        ("Cost estimate", run.get("cost_estimate")),
        ("Files", f"{len(files):,}, {megabytes:.2g} MB" if files else None),
        ("Rows read", wording.count(quality["rows"]["read"]) if quality else None),
        ("Panel", f"{quality['panel']['rows']:,} rows, {wording.plural(quality['panel']['servers'], 'server')}"
         if quality else None),
        ("Model", f"feature version {model['feature_version']}, {wording.plural(model['series'], 'series', 'series')}"
         if model else None),
        ("Period", "an hour" if settings.frequency.hourly else "a day"),
        ("Statistic", settings.statistic),
        ("Horizon", fleet.horizon_of(found)),
        ("Thresholds (warning / critical)", ", ".join(thresholds)),
        ("Holidays", " ".join(filter(None, [holidays.country, holidays.subdivision])) if holidays else "none"),
        ("Quarter ends", ", ".join(MONTHS[month - 1] for month in settings.fiscal_quarter_ends)),
        ("Headroom kept", f"{settings.headroom_percent:g} %"),
        ("Rates", f"{costs.currency} {costs.per_vcpu_hour:g} per vCPU-hour, {costs.per_gb_hour:g} per GB-hour"),
    ]  # fmt: skip
    rows: list[list[Text]] = [
        [file["file"], wording.count(file.get("size", 0)), file.get("last_modified", "")] for file in files[:200]
    ]
    names = [piece for name in FILES for piece in (", ", blocks.code(name))][1:]
    return section("run", "Run", "This run", [
        *blocks.listing(list(found.summary["notes"])),
        blocks.facts(entries, "run"),
        *blocks.fold("Files of this run", blocks.table(
            "Files", [("File", ""), ("Bytes", "number"), ("Arrived", "")], rows,
        )),
        blocks.paragraph("Beside this report: ", *names, ".", style="quiet"),
    ])  # fmt: skip


def _joined(words: Any) -> str:
    return " · ".join(str(word) for word in words if isinstance(word, str) and word)


def _fixed(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _number(value: float | None) -> str:
    return "–" if value is None else wording.count(value)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _nan(value: float | None) -> float:
    return math.nan if value is None else value
