"""What the report shows of single servers: a row of the table, the small line in it, and the section behind it.

History and forecasts are most of the bytes. Each series becomes one byte per value (1/254 of its own range, finer than
a pixel of its chart), deltas of those, deflated per server: the page unpacks only the servers that are opened.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from headroom.core import metrics as table_of_metrics
from headroom.core import wording
from headroom.core.findings import LEVELS, REASON_PARTS, Assessment
from headroom.core.metrics import is_percent
from headroom.core.periods import Frequency
from headroom.core.plain import plain
from headroom.report import blocks, fleet
from headroom.report.sections import accepted, actions, rhythm

SPARK_POINTS = 28
MISSING = 255
QUANTILES = ("q50", "q05", "q10", "q90", "q95")
TEXT_LENGTH = 1000
# What moves a metric is worth telling from here on, in points or megabytes per second: how much it rose in four weeks
# (hourly panels: one week), how much falls in jumps per month, how much more it is at the end of a quarter.
LEAST_RISE, LEAST_LEAK, LEAST_QUARTER = 1.0, 3.0, 3.0
# A trend is told from this change per month and this strength on.
LEAST_GROWTH, LEAST_TREND = 0.5, 0.3
# Entities named beside the worst one.
MOST_PARTS = 6
Parts = dict[tuple[str, str], list[tuple[str, float, str]]]
_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def cut(value: Any) -> Any:
    """The value with its texts not too long."""
    if isinstance(value, dict):
        return {key: cut(one) for key, one in value.items()}
    if isinstance(value, list):
        return [cut(one) for one in value]
    return f"{value[:TEXT_LENGTH]}…" if isinstance(value, str) and len(value) > TEXT_LENGTH else value


def facts(found: Assessment, shown: pd.DataFrame) -> pd.DataFrame:
    """All that is known of each metric of the servers shown, one row each, with ``rise`` and the seasonality."""
    risks = found.risks[found.risks["server_id"].isin(shown["server_id"])]
    table = risks.merge(found.seasonality, on=["server_id", "metric"], how="left", validate="one_to_one")
    table["rise"] = _rise(found).reindex(pd.MultiIndex.from_frame(table[["server_id", "metric"]])).to_numpy()
    return table


def columns(found: Assessment, shown: pd.DataFrame, table: pd.DataFrame, metrics: list[str]) -> dict[str, list[Any]]:
    """The table of servers, in order of urgency: texts of its cells, and the numbers that it sorts by.

    Args:
        shown: the servers of the report.
        table: see :func:`facts`.
        metrics: names of all metrics, which the columns refer to by position.
    """
    worst = shown.merge(
        table.drop(columns=["level", "score", "reason", "entity"]), how="left",
        left_on=["server_id", "worst_metric"], right_on=["server_id", "metric"],
    )  # fmt: skip
    unjudged = fleet.unjudged(found)
    attributes = {"unit": "business_unit", "region": "region", "criticality": "criticality", "cluster": "cluster_name"}
    rows = list(worst.itertuples())
    return {
        "name": [cut(name) for name in worst["server_id"]],
        "level": [LEVELS.index(level) for level in worst["level"]],
        "unjudged": [int(name in unjudged) for name in worst["server_id"]],
        "worst": [metrics.index(metric) for metric in worst["worst_metric"]],
        **({"part": [cut(wording.printable(name)) for name in worst["worst_entity"]]} if found.every else {}),
        **{key: [cut(value) for value in plain(worst[column].tolist())] for key, column in attributes.items()},
        "reason": [cut(reason) for reason in worst["reason"]],
        "why": [cut(_why(row, found)) for row in rows],
        "current": _numbers(worst["current"]),
        "currentTold": [wording.amount(row.current, row.worst_metric) for row in rows],
        "peak": _numbers(worst["peak_q50"]),
        "peakTold": [wording.amount(row.peak_q50, row.worst_metric) for row in rows],
        "critical": [_step(row.critical_date, found) for row in rows],
        "criticalTold": [_critical(row, row.server_id in unjudged, found) for row in rows],
        "chance": _numbers(worst["p_critical"]),
        "chanceTold": [wording.chance(row.p_critical) for row in rows],
    }


def sections(found: Assessment, shown: pd.DataFrame, table: pd.DataFrame, metrics: list[str]) -> Iterator[str]:
    """Each server's section without its charts, deflated in base 64; see :func:`_section`."""
    by_server: dict[str, list[Any]] = {}
    for row in table.itertuples():
        by_server.setdefault(row.server_id, []).append(row)
    advice: dict[str, list[dict[str, Any]]] = {}
    for item in found.recommendations:
        for name in item["server_ids"]:
            advice.setdefault(name, []).append(item)
    common, parts = {metric: thresholds_of_all(found, metric) for metric in metrics}, _parts(found)
    for server in shown.itertuples():
        name = server.server_id
        section = _section(server, by_server.get(name, []), advice.get(name, []), found, metrics, common, parts)
        yield _packed(json.dumps(section, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))


def sparks(found: Assessment, shown: pd.DataFrame) -> list[list[str]]:
    """Small lines for the table: history, q50, q05 and q95 of each server's worst metric, one digit per point.

    Each point is the highest value of its stretch (the lowest for q05), on a scale from zero to the highest of the
    series, its critical threshold and, for percent, 100. The last digit of five is the critical threshold.
    """
    wanted = pd.MultiIndex.from_frame(shown[["server_id", "worst_metric"]])
    horizon, period = found.settings.horizon, found.settings.frequency.step
    table = found.forecasts
    table = table[pd.MultiIndex.from_frame(table[["server_id", "metric"]]).isin(wanted)]
    step = ((table["ds"] - fleet.last_period(found)) // period).to_numpy()
    table, step = table[step > -horizon], step[step > -horizon]
    future = table["is_future"].to_numpy()
    point = np.clip(np.where(future, step - 1, step + horizon - 1) * SPARK_POINTS // horizon, 0, SPARK_POINTS - 1)
    row = pd.Index(shown["server_id"]).get_indexer(table["server_id"])
    values = {}
    for name, pick in (("actual", np.fmax), ("q50", np.fmax), ("q05", np.fmin), ("q95", np.fmax)):
        grid = np.full((len(shown), SPARK_POINTS), np.nan)
        use = future if name != "actual" else ~future
        pick.at(grid, (row[use], point[use]), table[name].to_numpy()[use])
        values[name] = grid
    keys = pd.MultiIndex.from_frame(found.risks[["server_id", "metric"]])
    limits = found.risks["critical"].to_numpy(float)[keys.get_indexer(wanted)]
    tops = [
        100.0 if is_percent(metric) else limit * 1.1 if np.isfinite(limit) else 0.0
        for metric, limit in zip(shown["worst_metric"], limits, strict=True)
    ]
    highest = np.fmax.reduce([np.fmax.reduce(grid, axis=1) for grid in values.values()])
    scale = np.fmax(np.fmax(tops, highest), 1e-9)
    return [
        [*(_digits(grid[i] / scale[i]) for grid in values.values()),
         _digits(np.array([limit / scale[i]])) if np.isfinite(limit) else ""]
        for i, limit in enumerate(limits)
    ]  # fmt: skip


def series(found: Assessment, shown: pd.DataFrame, metrics: list[str], room: int) -> list[Any]:
    """History and forecast of each server shown, in its order, until the room (bytes) is used; then None.

    A server is ``[deflated bytes in base 64, [metric, first history step, values, first future step, values, low,
    high], …]``. Steps count from the last measured period. The bytes hold, metric after metric, the history and then
    q50, q05, q10, q90, q95, each as differences modulo 256 of values scaled from low to high onto 0 to 254; 255 is
    a period without a value.
    """
    position = {name: i for i, name in enumerate(shown["server_id"])}
    table = found.forecasts[found.forecasts["server_id"].isin(position)]
    step = ((table["ds"] - fleet.last_period(found)) // found.settings.frequency.step).to_numpy()
    values_of = {name: table[name].to_numpy() for name in ("actual", *QUANTILES)}
    future = table["is_future"].to_numpy()
    parts: list[list[tuple[list[Any], bytes]]] = [[] for _ in position]
    for (name, metric), rows in table.groupby(["server_id", "metric"], sort=False).indices.items():
        ahead = future[rows]
        history = _on_grid(step[rows[~ahead]], [values_of["actual"][rows[~ahead]]])
        forecast = _on_grid(step[rows[ahead]], [values_of[q][rows[ahead]] for q in QUANTILES])
        values = np.concatenate([history[1].ravel(), forecast[1].ravel()])
        seen = values[np.isfinite(values)]
        low, high = (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 0.0)
        head = [metrics.index(metric), history[0], history[1].shape[1], forecast[0], forecast[1].shape[1],
                _rounded(low), _rounded(high)]  # fmt: skip
        parts[position[name]].append((head, _bytes(history[1], low, high) + _bytes(forecast[1], low, high)))
    packed: list[Any] = []
    for part in parts:
        heads = [head for head, _ in part]
        content = _packed(b"".join(content for _, content in part))
        room -= len(content) + len(json.dumps(heads)) + 8
        if room < 0:
            return packed + [None] * (len(parts) - len(packed))
        packed.append([content, *heads])
    return packed


def _section(
    server: Any, rows: list[Any], advice: list[dict[str, Any]], found: Assessment, metrics: list[str],
    common: dict[str, Any], parts: Parts,
) -> dict[str, Any]:  # fmt: skip
    """A server's facts, advice and metrics, the worst metric first.

    ``common`` are the thresholds by metric of all servers, ``parts`` the entities, see :func:`_parts`.
    """
    currency = found.settings.costs.currency
    entries = [
        ("Name", cut(server.server_id) if len(server.server_id) > 40 else None),
        ("Instance", server.instance_type),
        ("vCPUs", _known(server.vcpus, "{:g}")),
        ("Memory", _known(server.memory_gb, "{:g} GB")),
        ("Cost", None if pd.isna(server.monthly_cost_usd)
         else f"{wording.money(server.monthly_cost_usd, currency)} per month"),
        ("Behaviour", server.cluster_name),
        ("Business unit", server.business_unit),
        ("Region", server.region),
        ("Criticality", server.criticality),
        ("Link", blocks.link("to this server", server.server_id)),
    ]  # fmt: skip
    ordered = sorted(rows, key=lambda row: (-LEVELS.index(row.level), row.metric != server.worst_metric))
    return {
        "facts": blocks.facts([(term, cut(plain(value))) for term, value in entries], "server-facts"),
        "advice": [_advice(item, found) for item in advice],
        "metrics": [_metric(row, found, metrics, common, parts) for row in ordered],
    }


def _advice(item: dict[str, Any], found: Assessment) -> list[Any]:
    """A recommendation beside the charts of its server, which say why it is to grow."""
    currency = found.settings.costs.currency
    title = next(action.title for action in found.actions if action.name == item["action"])
    pieces: list[Any] = [blocks.bold(title), ": "]
    target, now = actions.target_of(item)
    if item["action"] == "grow" and target:
        by = actions.by_when(item["by"], fleet.last_period(found))
        pieces += ["to ", *target, f" (today {now})" if now else "", f", {by}." if by else "."]
    else:
        pieces.append(item["reason"])
    if item["monthly_saving"] > 0:
        pieces.append(f" Saves {wording.money(item['monthly_saving'], currency)} per month.")
    increase = item["evidence"].get("monthly_cost_increase") or 0
    if increase > 0:
        pieces.append(f" Costs {wording.money(increase, currency)} more per month.")
    return pieces


def _metric(row: Any, found: Assessment, metrics: list[str], common: dict[str, Any], parts: Parts) -> dict[str, Any]:
    """One metric of a server: words, figures, and what its chart marks."""
    frequency, metric = found.settings.frequency, row.metric
    limited = bool(np.isfinite(row.critical))
    judged = not pd.isna(row.p_critical)
    peak = _on(row.peak_q50, row.peak_ds, metric, frequency)
    lately = "Last 24 hours" if frequency.hourly else "Last 7 days"
    entries: list[tuple[str, Any]] = [
        (lately, wording.amount(row.current, metric)),
        ("Expected peak", peak or "–"),
        ("Peak, 95 % forecast", wording.amount(row.peak_q95, metric)),
    ]
    if np.isfinite(row.capacity) and not is_percent(metric):
        entries.append(("Capacity", wording.amount(row.capacity, metric)))
    if limited and judged:
        entries += [
            (f"Chance above {_short(row.warning, row.capacity, metric)}", wording.chance(row.p_warning)),
            (f"Chance above {_short(row.critical, row.capacity, metric)}", wording.chance(row.p_critical)),
        ]
    coming = pd.notna(row.critical_date) and not row.above_already
    if limited:
        entries.append(("Critical by", _critical_by(row, judged, found)))
        if coming and pd.notna(row.breach_earliest) and row.breach_earliest != row.breach_latest:
            entries.append(("8 in 10 between", _range(row, found)))
    entries += [
        ("Next holiday", _on(row.holiday_peak, row.holiday_ds, metric, frequency)),
        ("Quarter end", _on(row.quarter_end_peak, row.quarter_end_ds, metric, frequency)),
    ]
    if abs(row.trend_per_month) >= LEAST_GROWTH * _points(row) and row.trend_strength >= LEAST_TREND:
        sign = "+" if row.trend_per_month > 0 else "−"
        entries.append(("Long-term trend", f"{sign}{wording.change(abs(row.trend_per_month), metric)} per month"))
    entries.append(("Rhythm", rhythm.rhythm_of(row, frequency)))
    if row.entity:
        entries.append(("Beside it", _others(row, parts)))
    mark = None
    if coming:
        mark = {
            "at": _step(row.critical_date, found),
            "earliest": _step(row.breach_earliest, found),
            "latest": _step(row.breach_latest, found),
            "text": f"critical {wording.date(row.critical_date, frequency, year=False)}",
        }
    thresholds = _thresholds(row, metric)
    own = {"thresholds": thresholds} if thresholds != common[metric] else {}
    decision = accepted.of_metric(found, row.server_id, metric, row.entity or None)
    return {
        "metric": metrics.index(metric),
        **own,
        "title": wording.sentence(wording.metric(metric, cut(row.entity))),
        "level": LEVELS.index(row.level),
        "reason": cut(wording.sentences([decision, row.reason])),
        "facts": blocks.facts(entries, "metric-facts"),
        "summary": f"Expected peak {wording.amount(row.peak_q50, metric)} on "
        f"{wording.date(row.peak_ds, frequency, year=False)}" if peak else "No forecast",
        "mark": mark,
    }  # fmt: skip


def thresholds_of_all(found: Assessment, metric: str) -> list[dict[str, Any]] | None:
    """What charts of a metric mark; ``None`` where it has no thresholds, or series have different ones."""
    rows = found.risks.loc[found.risks["metric"] == metric, ["warning", "critical", "capacity"]].drop_duplicates()
    return _thresholds(rows.iloc[0], metric) if len(rows) == 1 else None


def _thresholds(row: Any, metric: str) -> list[dict[str, Any]] | None:
    """The thresholds of a row of the risks, where its chart marks them."""
    if not np.isfinite(row.critical):
        return None
    return [
        {"name": name, "at": plain(value), "text": f"{name} {_short(value, row.capacity, metric)}"}
        for name, value in (("warning", row.warning), ("critical", row.critical))
    ]


def _short(limit: float, capacity: float, metric: str) -> str:
    """A threshold where there is little room: percent of what has a capacity, "90 %", else "100 MB/s"."""
    share = 100 * limit / capacity if np.isfinite(capacity) and not is_percent(metric) else limit
    return wording.threshold(float(f"{share:.6g}"), metric)


def _why(row: Any, found: Assessment) -> str:
    """The reason without what the columns beside it say: what drives the metric, where a crossing is to come."""
    if row.accepted:
        return row.reason
    driver = _driver(row, found) if pd.notna(row.critical_date) and not row.above_already else ""
    parts = {part: getattr(row, part) for part in REASON_PARTS}
    return driver or wording.sentences([parts["what"], parts["since"], parts["how_sure"], row.adjusted])


def _driver(row: Any, found: Assessment) -> str:
    """What moves a metric, as a sentence; "" where nothing stands out."""
    over = "a week" if found.settings.frequency.hourly else "four weeks"
    parts = []
    unit = _points(row)
    if row.rise >= LEAST_RISE * unit:
        parts.append(f"rose by {wording.change(row.rise, row.metric)} in {over}")
    if row.leak_per_month >= LEAST_LEAK * unit:
        size = wording.change(row.leak_per_month, row.metric)
        parts.append(f"climbs and falls back by {size} per month, as with a leak and restarts")
    if row.quarter_end_effect >= LEAST_QUARTER * unit:
        parts.append(f"rises by {wording.change(row.quarter_end_effect, row.metric)} at the end of a quarter")
    name = wording.metric(row.metric, cut(row.worst_entity or ""))
    return f"{wording.sentence(name)} {'; it '.join(parts)}." if parts else ""


def _others(row: Any, parts: Parts) -> str:
    """The other entities of a server's metric with their expected peaks, the highest first."""
    others = parts.get((row.server_id, row.metric), [])
    told = [
        f"{wording.printable(name)} {wording.amount(peak, row.metric)}{f' ({level})' if level != 'none' else ''}"
        for name, peak, level in others
        if name != row.entity
    ]
    return ", ".join(told[:MOST_PARTS]) + (f" and {len(told) - MOST_PARTS} more" if len(told) > MOST_PARTS else "")


def _parts(found: Assessment) -> Parts:
    """By server and metric its entities: name, expected peak, level; empty where there are none."""
    if "risks" not in found.every:
        return {}
    table = found.every["risks"].sort_values(["peak_q50", "entity"], ascending=[False, True])
    grouped = table.groupby(["server_id", "metric"], sort=False)
    return {key: list(zip(own["entity"], own["peak_q50"], own["level"], strict=True)) for key, own in grouped}


def _points(row: Any) -> float:
    """What a point is to a metric: one percent, one MB/s, a hundredth of an own metric's capacity or, without, peak."""
    if table_of_metrics.of(row.metric).built_in or is_percent(row.metric):
        return 1.0
    return next((one for one in (row.capacity, row.peak_q95) if np.isfinite(one) and one > 0), np.nan) / 100


def _critical(row: Any, unjudged: bool, found: Assessment) -> list[str]:
    """The cell "Critical by": what it says, and up to two remarks below it."""
    frequency = found.settings.frequency
    if row.above_already:
        lines = ["above now", f"since {_day(row.above_since, found)}"]
    elif pd.notna(row.critical_date):
        ahead = fleet.periods_between(fleet.last_period(found), row.critical_date, found)
        lines = [wording.date(row.critical_date, frequency, year=False), f"in {wording.about(ahead, frequency)}"]
    else:
        lines = ["not judged" if unjudged else "no threshold" if pd.isna(row.p_critical) else "not expected"]
    if row.early:
        lines.append(f"early warning: {wording.about(int(row.history), frequency)} of history")
    return lines


def _critical_by(row: Any, judged: bool, found: Assessment) -> str:
    if row.above_already:
        return f"above since {_day(row.above_since, found)}"
    if pd.notna(row.critical_date):
        return wording.date(row.critical_date, found.settings.frequency, year=False)
    return "not expected" if judged else "not judged"


def _range(row: Any, found: Assessment) -> str:
    frequency = found.settings.frequency
    end = fleet.last_period(found) + found.settings.horizon * frequency.step
    latest = f"sometime after {wording.date(end, frequency, year=False)}"
    if pd.notna(row.breach_latest):
        latest = wording.date(row.breach_latest, frequency, year=False)
    return f"{wording.date(row.breach_earliest, frequency, year=False)} and {latest}"


def _day(moment: pd.Timestamp, found: Assessment) -> str:
    """A day that may be long ago."""
    return wording.day(moment, year=moment.year != fleet.last_period(found).year)


def _on(value: float, moment: pd.Timestamp, metric: str, frequency: Frequency) -> str:
    if pd.isna(value) or pd.isna(moment):
        return ""
    return f"{wording.amount(value, metric)}, {wording.date(moment, frequency, year=False)}"


def _rise(found: Assessment) -> pd.Series:
    """By server and metric, how much higher the newest week is than four weeks before (hourly: day, and week)."""
    table = found.forecasts[~found.forecasts["is_future"]]
    age = (fleet.last_period(found) - table["ds"]) / pd.Timedelta(days=1)
    length, before = (1, 7) if found.settings.frequency.hourly else (7, 28)

    def mean(since: int) -> pd.Series:
        mine = table[(age >= since) & (age < since + length)]
        return mine.groupby(["server_id", "metric"])["actual"].mean()

    return mean(0) - mean(before)


def _step(moment: pd.Timestamp, found: Assessment) -> int | None:
    """A moment as periods after the last measured one."""
    return None if pd.isna(moment) else fleet.periods_between(fleet.last_period(found), moment, found)


def _digits(shares: np.ndarray) -> str:
    """Numbers from 0 to 1 as one base-64 digit each; a dot where there is none."""
    return "".join("." if math.isnan(x) else _DIGITS[min(63, max(0, round(x * 63)))] for x in shares.tolist())


def _on_grid(steps: np.ndarray, values: list[np.ndarray]) -> tuple[int, np.ndarray]:
    """The first step, and the values laid on every step from it to the last, NaN where there is none."""
    if not len(steps):
        return 0, np.empty((len(values), 0))
    first = int(steps.min())
    grid = np.full((len(values), int(steps.max()) - first + 1), np.nan)
    grid[:, steps - first] = values
    return first, grid


def _bytes(values: np.ndarray, low: float, high: float) -> bytes:
    scaled = (values - low) * (254 / (high - low)) if high > low else values * 0
    levels = np.where(np.isfinite(scaled), np.rint(np.nan_to_num(scaled)), MISSING).astype(np.uint8)
    return np.diff(levels, axis=1, prepend=np.uint8(0)).tobytes()


def _packed(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 9)).decode("ascii")


def _numbers(values: pd.Series) -> list[float | None]:
    return [None if value is None else _rounded(value) for value in plain(values.tolist())]


def _rounded(value: float) -> float:
    """Four significant digits: enough to sort by and to draw."""
    return round(value) if abs(value) >= 1000 else float(f"{value:.4g}")


def _known(value: float, form: str) -> str | None:
    return None if pd.isna(value) else form.format(value)
