"""The report people open: one HTML file with everything in it, that asks nothing of the network.

Python chooses what is shown and states it as plain values; the page in ``assets/`` draws them in the browser.
The values travel as JSON that cannot end its script element and reach the page only as text, never as markup, so a
server's name is harmless whatever it holds. The page's policy allows no request and no script but its own.

History and forecasts are most of the bytes. Each series becomes one byte a value (1/254 of its own range, finer than
a pixel of its chart), deltas of those, deflated a server at a time: the page unpacks only the servers that are opened.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from headroom.core import wording
from headroom.core.findings import AT_RISK, LEVELS, Assessment
from headroom.core.grid import STEP
from headroom.core.settings import PERCENT_METRICS
from headroom.report import pictures

MAX_BYTES = 7_800_000
LEAST_QUARTER_EFFECT = 2.0  # points; less is noise
MAX_SERVERS = 1500
MAX_RECOMMENDATIONS = 400
MAX_LISTED = 400
MAX_SERVERS_NAMED = 20
TEXT_LENGTH = 1000
SPARK_POINTS = 28
MISSING = 255
# Outside of these, the backtest's share of values inside the 80 % band is worth a warning.
FAIR_COVERAGE = (0.70, 0.92)

_ASSETS = Path(__file__).with_name("assets")
_SCRIPTS = ("tools.js", "drawing.js", "servers.js", "sections.js", "page.js")
_QUANTILES = ("q50", "q05", "q10", "q90", "q95")
_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def write(assessment: Assessment, path: Path) -> None:
    """Write ``report.html``, at most 8 MB. The same assessment gives the same bytes.

    A fleet that does not fit is cut to the servers that matter: those at risk first, then those that a change or a
    cluster names, then those with a recommendation, then the rest, each by urgency. The report says what it leaves out
    and which file has it.
    """
    path.write_text(render(assessment), encoding="utf-8", newline="\n")


def render(assessment: Assessment) -> str:
    """The whole page as text; see :func:`write`."""
    most = MAX_SERVERS
    while True:
        servers = _servers_shown(assessment, most)
        view = _view(assessment, servers)
        page = _json(view)
        if len(page.encode()) < MAX_BYTES * 0.55 or most <= 50:
            break
        most //= 2
    style, script = _asset("report.css"), "".join(map(_asset, _SCRIPTS))
    room = MAX_BYTES - len(page.encode()) - len(style) - len(script)
    parts = {
        "policy": _policy(style, script),
        "title": html.escape(f"{_printable(view['dataset'] or 'Fleet')}: {view['headline']}"),
        "style": style,
        "without_script": _without_script(view),
        "view": page,
        "series": _json(_series(assessment, servers, view["metrics"], room)),
        "script": script,
    }
    # One pass over the template, so that nothing inside a part can be taken for a placeholder.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _asset("report.html"))


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    def source(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    return (
        f"default-src 'none'; script-src {source(script)}; style-src {source(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _json(value: Any) -> str:
    """JSON that may stand inside a script element: no character of it can end the element or a line of script."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode("utf-8", "replace").decode("utf-8")


def _view(assessment: Assessment, servers: pd.DataFrame) -> dict[str, Any]:
    """Everything the page shows but the series: plain values, in the order of the page."""
    position = {name: i for i, name in enumerate(servers["server_id"])}
    risks = assessment.risks[assessment.risks["server_id"].isin(position)]
    metrics = [str(metric) for metric in pd.unique(assessment.risks["metric"])]
    as_of, settings, summary = pictures.last_period(assessment), assessment.settings, assessment.summary
    over_time = pictures.risk_over_time(assessment)
    counts = assessment.servers["level"].value_counts()
    return {
        "dataset": _plain(summary.get("dataset") or assessment.run.get("dataset")),
        "asOf": _milliseconds(as_of),
        "frequency": settings.frequency,
        "horizon": settings.horizon,
        "currency": settings.costs.currency,
        "levels": list(LEVELS),
        "atRiskFrom": LEVELS.index(AT_RISK[0]),
        "counts": [int(counts.get(level, 0)) for level in LEVELS],
        "fleet": {"servers": len(assessment.servers), "series": len(assessment.risks), "shown": len(servers)},
        "headline": headline(assessment),
        "metrics": metrics,
        "units": ["%" if metric in PERCENT_METRICS else "MB/s" for metric in metrics],
        "thresholds": [_plain(_thresholds(assessment, metric)) for metric in metrics],
        "servers": _server_columns(servers, metrics, pictures.unjudged(assessment)),
        "risks": _risk_columns(assessment, risks, position, metrics, as_of),
        "sparks": _sparks(assessment, servers, as_of),
        "overTime": _over_time(over_time, position),
        "breaches": _breaches(assessment, over_time),
        "notJudged": _not_judged(assessment),
        "peaks": _plain(assessment.fleet_peaks),
        "seasons": _season_counts(assessment.seasonality),
        "profiles": _profiles(assessment),
        "map": _map(assessment, position),
        "recommendations": _recommendations(assessment),
        "savings": _plain(_savings(assessment)),
        "changes": _changes(assessment),
        "quality": _plain(assessment.quality),
        "model": _plain(assessment.metrics),
        "coverage": _coverage(assessment.metrics),
        "fairCoverage": list(FAIR_COVERAGE),
        "drift": _plain(summary.get("drift")),
        "notes": _plain(summary.get("notes") or []),
        "run": _plain(assessment.run),
        "runId": _plain(summary.get("run_id") or assessment.run.get("run_id")),
        "settings": _plain(settings.model_dump(mode="json")),
    }


def headline(assessment: Assessment) -> str:
    """What the capacity manager must know first, as one sentence."""
    servers, risks = assessment.servers, assessment.risks
    ahead = f"in the next {pictures.horizon_of(assessment)}"
    if servers.empty:
        return "There is no server to assess"
    at_risk = int(servers["level"].isin(AT_RISK).sum())
    fleet = f"{len(servers):,} server{'s' if len(servers) != 1 else ''}"
    now = set(risks.loc[risks["above_already"], "server_id"])
    coming = risks[risks["critical_date"].notna() & ~risks["server_id"].isin(now)]
    if not now and coming.empty:
        if at_risk == 0:
            watch, unjudged = int((servers["level"] != "none").sum()), len(pictures.unjudged(assessment))
            others = [f", {watch:,} to watch" if watch else "", f", {unjudged:,} not judged" if unjudged else ""]
            return f"No server is at risk {ahead}" + "".join(others)
        return f"{at_risk:,} of {fleet} at risk, none expected to reach a critical threshold {ahead}"
    if coming.empty:
        return f"{len(now):,} of {fleet} above a critical threshold now, no other expected to reach one {ahead}"
    first = coming.sort_values(["critical_date", "server_id"]).iloc[0]
    metric = wording.metric(first["metric"])
    moment = f"{first['critical_date']:%-d %B}"
    if assessment.settings.frequency == "h":
        moment += f" at {first['critical_date']:%H:%M}"
    when = f"the first on {moment} ({metric})"
    number = coming["server_id"].nunique()
    if now:
        return f"{len(now):,} of {fleet} above a critical threshold now, {number:,} more expected {ahead}, {when}"
    return f"{number:,} of {fleet} expected to reach a critical threshold {ahead}, {when}"


def _not_judged(assessment: Assessment) -> dict[str, Any]:
    """The servers of which some or all metrics are not judged; ``whole`` counts those of which nothing is."""
    whole, items = pictures.unjudged(assessment), assessment.not_judged
    shown = [item | {"whole": item["server_id"] in whole} for item in items[:MAX_LISTED]]
    return {"total": len(items), "whole": len(whole), "items": _plain(shown)}


def _coverage(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """A metric each, the share of later values that the 80 % band of its forecasts held in the backtest.

    Forecasts are combinations of the candidates, so these are the combination's figures, by number of series.
    """
    rows = pd.DataFrame(metrics.get("candidates") or [], columns=["candidate", "metric", "series", "coverage_80"])
    rows = rows[(rows["candidate"] == "combination") & rows["coverage_80"].notna() & (rows["series"] > 0)]
    return [
        {"metric": metric, "share": _plain(np.average(mine["coverage_80"], weights=mine["series"]))}
        for metric, mine in rows.groupby("metric", sort=False)
    ]


def _servers_shown(assessment: Assessment, most: int) -> pd.DataFrame:
    """The servers in the report, most urgent first; see :func:`write` for which ones where not all fit."""
    servers = assessment.servers.reset_index(drop=True)
    if len(servers) <= most:
        return servers
    named = {profile["typical_server"] for profile in assessment.profiles}
    for value in (assessment.changes or {}).values():
        named.update(value[:MAX_SERVERS_NAMED] if isinstance(value, list) else [])
    advised = {name for item in assessment.recommendations for name in item["server_ids"][:MAX_SERVERS_NAMED]}
    server_ids = servers["server_id"]
    matters = np.select([servers["level"] != "none", server_ids.isin(named), server_ids.isin(advised)], [3, 2, 1], 0)
    return servers.iloc[np.sort(np.argsort(-matters, kind="stable")[:most])].reset_index(drop=True)


def _thresholds(assessment: Assessment, metric: str) -> dict[str, Any] | None:
    thresholds = assessment.settings.thresholds.get(metric)  # type: ignore[call-overload]
    return thresholds.model_dump() if thresholds else None


def _server_columns(servers: pd.DataFrame, metrics: list[str], unjudged: set[str]) -> dict[str, list[Any]]:
    columns = {
        "name": "server_id", "reason": "reason", "unit": "business_unit", "region": "region",
        "criticality": "criticality", "instance": "instance_type", "vcpus": "vcpus", "memory": "memory_gb",
        "cost": "monthly_cost_usd", "cluster": "cluster_name", "score": "score",
    }  # fmt: skip
    return {
        **{key: _column(servers[column]) for key, column in columns.items()},
        "level": [LEVELS.index(level) for level in servers["level"]],
        "unjudged": [int(name in unjudged) for name in servers["server_id"]],
        "worst": [metrics.index(metric) if metric in metrics else -1 for metric in servers["worst_metric"]],
    }


def _risk_columns(
    assessment: Assessment, risks: pd.DataFrame, position: dict[str, int], metrics: list[str], as_of: pd.Timestamp
) -> dict[str, list[Any]]:
    numbers = {
        "current": "current", "peak": "peak_q50", "peak95": "peak_q95", "chanceWarning": "p_warning",
        "chanceCritical": "p_critical", "holidayPeak": "holiday_peak", "quarterPeak": "quarter_end_peak",
    }  # fmt: skip
    dates = {
        "peakAt": "peak_ds", "warningAt": "warning_date", "criticalAt": "critical_date", "earliest": "breach_earliest",
        "latest": "breach_latest", "holidayAt": "holiday_ds", "quarterAt": "quarter_end_ds",
        "since": "above_since",
    }  # fmt: skip
    seasons = {
        "day": "day_strength", "week": "week_strength", "year": "year_strength", "trend": "trend_strength",
        "growth": "trend_per_month", "peakHour": "peak_hour", "peakWeekday": "peak_weekday",
        "peakMonth": "peak_month", "quarterEffect": "quarter_end_effect", "step": "step", "leak": "leak_per_month",
    }  # fmt: skip
    seasonality = risks[["server_id", "metric"]].merge(
        assessment.seasonality, on=["server_id", "metric"], how="left", validate="one_to_one"
    )
    return {
        "server": [position[name] for name in risks["server_id"]],
        "metric": [metrics.index(metric) for metric in risks["metric"]],
        "level": [LEVELS.index(level) for level in risks["level"]],
        **{key: _column(risks[column]) for key, column in numbers.items()},
        **{key: _offsets(risks[column], as_of, assessment) for key, column in dates.items()},
        "now": [int(above) for above in risks["above_already"]],
        "early": _column(risks["history"].where(risks["early"])),
        **{key: _column(seasonality[column]) for key, column in seasons.items()},
        "rise": _column(_rise(assessment).reindex(pd.MultiIndex.from_frame(risks[["server_id", "metric"]]))),
        "reason": _column(risks["reason"]),
    }


def _rise(assessment: Assessment) -> pd.Series:
    """By server and metric, how much higher the newest week is than four weeks before (hourly: day, and week)."""
    table = assessment.forecasts[~assessment.forecasts["is_future"]]
    age = (pictures.last_period(assessment) - table["ds"]) / pd.Timedelta(days=1)
    length, before = (7, 28) if assessment.settings.frequency == "D" else (1, 7)

    def mean(since: int) -> pd.Series:
        mine = table[(age >= since) & (age < since + length)]
        return mine.groupby(["server_id", "metric"])["actual"].mean()

    return mean(0) - mean(before)


def _offsets(dates: pd.Series, as_of: pd.Timestamp, assessment: Assessment) -> list[int | None]:
    """Dates as whole periods after the last measured one."""
    periods = (pd.to_datetime(dates) - as_of) / STEP[assessment.settings.frequency]
    return [None if math.isnan(value) else int(value) for value in periods]


def _sparks(assessment: Assessment, servers: pd.DataFrame, as_of: pd.Timestamp) -> list[list[str] | None]:
    """Small lines for the table: history, q50, q05 and q95 of each server's worst metric, one digit a point.

    Each point is the highest value of its stretch (the lowest for q05), on a scale from zero to the highest of the
    series, its critical threshold and, for percent, 100.
    """
    wanted = pd.MultiIndex.from_frame(servers[["server_id", "worst_metric"]])
    horizon, period = assessment.settings.horizon, STEP[assessment.settings.frequency]
    table = assessment.forecasts
    table = table[pd.MultiIndex.from_frame(table[["server_id", "metric"]]).isin(wanted)]
    step = ((table["ds"] - as_of) // period).to_numpy()
    table, step = table[step > -horizon], step[step > -horizon]
    future = table["is_future"].to_numpy()
    point = np.clip(np.where(future, step - 1, step + horizon - 1) * SPARK_POINTS // horizon, 0, SPARK_POINTS - 1)
    row = pd.Index(servers["server_id"]).get_indexer(table["server_id"])
    values = {}
    for name, pick in (("actual", np.fmax), ("q50", np.fmax), ("q05", np.fmin), ("q95", np.fmax)):
        grid = np.full((len(servers), SPARK_POINTS), np.nan)
        use = future if name != "actual" else ~future
        pick.at(grid, (row[use], point[use]), table[name].to_numpy()[use])
        values[name] = grid
    tops = []
    for metric in servers["worst_metric"]:
        levels = _thresholds(assessment, metric)
        tops.append(100.0 if metric in PERCENT_METRICS else (levels["critical"] * 1.1 if levels else 0.0))
    highest = np.fmax.reduce([np.fmax.reduce(grid, axis=1) for grid in values.values()])
    scale = np.fmax(np.fmax(tops, highest), 1e-9)
    lines = [[_digits(grid[i] / scale[i]) for grid in values.values()] for i in range(len(servers))]
    marks = []
    for i, metric in enumerate(servers["worst_metric"]):
        levels = _thresholds(assessment, metric)
        marks.append(_digits(np.array([levels["critical"] / scale[i]])) if levels else "")
    return [[*line, mark] for line, mark in zip(lines, marks, strict=True)]


def _digits(shares: np.ndarray) -> str:
    """Numbers from 0 to 1 as one base-64 digit each; a dot where there is none."""
    return "".join("." if math.isnan(x) else _DIGITS[min(63, max(0, round(x * 63)))] for x in shares.tolist())


def _over_time(risk: pictures.RiskOverTime, position: dict[str, int]) -> dict[str, Any]:
    rows = [""] * len(position)
    for name, levels in zip(risk.server_ids, risk.levels, strict=True):
        if name in position:
            rows[position[name]] = "".join("." if level < 0 else str(level) for level in levels.tolist())
    return {
        "starts": [_milliseconds(start) for start in risk.starts],
        "days": risk.bucket.days,
        "past": risk.past,
        "rows": rows,
        "totals": [[int((column == code).sum()) for code in range(len(LEVELS))] for column in risk.levels.T],
    }


def _breaches(assessment: Assessment, risk: pictures.RiskOverTime) -> list[int]:
    """How many servers, not above a critical threshold now, first reach one in each bucket of the future."""
    risks = assessment.risks
    now = risks.loc[risks["above_already"], "server_id"]
    coming = risks[risks["critical_date"].notna() & ~risks["server_id"].isin(now)]
    first = coming.groupby("server_id")["critical_date"].min()
    starts = risk.starts[risk.past :]
    column = np.searchsorted(starts.to_numpy(), first.to_numpy(), side="right") - 1
    return np.bincount(np.clip(column, 0, None), minlength=len(starts)).tolist()


def _season_counts(seasonality: pd.DataFrame) -> dict[str, Any]:
    """How many series have a marked season (strength of at least 0.6) or an end-of-quarter effect."""
    strong = {name: int((seasonality[f"{name}_strength"] >= 0.6).sum()) for name in ("day", "week", "year", "trend")}
    effect = seasonality.dropna(subset=["quarter_end_effect"])
    least = effect["metric"].isin(PERCENT_METRICS) * LEAST_QUARTER_EFFECT
    effect = effect[effect["quarter_end_effect"] > least].sort_values(
        ["quarter_end_effect", "server_id", "metric"], ascending=[False, True, True]
    )
    return {
        **strong,
        "series": len(seasonality),
        "quarterEnd": [
            [_plain(row.server_id), _plain(row.metric), _plain(row.quarter_end_effect)]
            for row in effect.head(5).itertuples()
        ],
    }


def _profiles(assessment: Assessment) -> list[dict[str, Any]]:
    return [_plain(profile) for profile in sorted(assessment.profiles, key=lambda profile: -profile["size"])]


def _map(assessment: Assessment, position: dict[str, int]) -> dict[str, Any]:
    """The cluster map on a square of 1000.

    Points are x, y, cluster and position in the table; names are where to write them and what point they stand for.
    """
    clusters = assessment.clusters[assessment.clusters["server_id"].isin(position)]
    spots = pictures.on_map(clusters)
    points = (spots * 1000).round().astype(int).tolist()
    anchors, sizes = [], []
    for profile in _profiles(assessment):
        mine = spots[(clusters["cluster"] == profile["cluster"]).to_numpy()]
        middle = np.median(mine, axis=0) if len(mine) else np.array([0.5, 0.5])
        anchors.append(mine[np.argmin(np.hypot(*(mine - middle).T))] if len(mine) else middle)
        sizes.append((0.0125 * len(profile["name"]) + 0.01, 0.05))
    places = pictures.place_labels(spots, np.array(anchors), np.array(sizes))
    return {
        "points": [
            [*point, cluster, position[name]]
            for point, cluster, name in zip(points, clusters["cluster"].tolist(), clusters["server_id"], strict=True)
        ],
        "names": (np.hstack([places, np.reshape(anchors, (-1, 2))]) * 1000).round().astype(int).tolist(),
        "dot": pictures.dot_width(len(spots)),
    }


def _recommendations(assessment: Assessment) -> dict[str, Any]:
    items = assessment.recommendations
    return {
        "total": len(items),
        "increase": _plain(sum(float(item["evidence"].get("monthly_cost_increase") or 0) for item in items)),
        "counts": {action: sum(item["action"] == action for item in items) for action in _ACTIONS},
        "items": [
            _plain(item | {"server_ids": item["server_ids"][:MAX_SERVERS_NAMED], "servers": len(item["server_ids"])})
            for item in items[:MAX_RECOMMENDATIONS]
        ],
    }


_ACTIONS = ("grow", "stop", "shrink", "schedule", "consolidate")


def _savings(assessment: Assessment) -> dict[str, Any]:
    if savings := assessment.summary.get("savings"):
        return savings
    by_action: dict[str, float] = {}
    for item in assessment.recommendations:
        by_action[item["action"]] = by_action.get(item["action"], 0.0) + item["monthly_saving"]
    return {"monthly": sum(by_action.values()), "by_action": by_action}


def _changes(assessment: Assessment) -> dict[str, Any] | None:
    if assessment.changes is None:
        return None
    return {
        key: {"total": len(value), "names": _plain(value[:MAX_LISTED])} if isinstance(value, list) else _plain(value)
        for key, value in assessment.changes.items()
    }


def _series(assessment: Assessment, servers: pd.DataFrame, metrics: list[str], room: int) -> list[Any]:
    """History and forecast of each server shown, in its order, until the room (bytes) is used; then None.

    A server is ``[deflated bytes in base 64, [metric, first history step, values, first future step, values, low,
    high], …]``. Steps count from the last measured period. The bytes hold, metric after metric, the history and then
    q50, q05, q10, q90, q95, each as differences modulo 256 of values scaled from low to high onto 0 to 254; 255 is
    a period without a value.
    """
    position = {name: i for i, name in enumerate(servers["server_id"])}
    table = assessment.forecasts[assessment.forecasts["server_id"].isin(position)]
    step = ((table["ds"] - pictures.last_period(assessment)) // STEP[assessment.settings.frequency]).to_numpy()
    columns = {name: table[name].to_numpy() for name in ("actual", *_QUANTILES)}
    future = table["is_future"].to_numpy()
    parts: list[list[tuple[list[Any], bytes]]] = [[] for _ in position]
    for (name, metric), rows in table.groupby(["server_id", "metric"], sort=False).indices.items():
        ahead = future[rows]
        history = _on_grid(step[rows[~ahead]], [columns["actual"][rows[~ahead]]])
        forecast = _on_grid(step[rows[ahead]], [columns[q][rows[ahead]] for q in _QUANTILES])
        values = np.concatenate([history[1].ravel(), forecast[1].ravel()])
        seen = values[np.isfinite(values)]
        low, high = (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 0.0)
        head = [metrics.index(metric), history[0], history[1].shape[1], forecast[0], forecast[1].shape[1],
                _plain(low), _plain(high)]  # fmt: skip
        parts[position[name]].append((head, _bytes(history[1], low, high) + _bytes(forecast[1], low, high)))
    series: list[Any] = []
    for part in parts:
        heads = [head for head, _ in part]
        packed = base64.b64encode(zlib.compress(b"".join(content for _, content in part), 9)).decode("ascii")
        room -= len(packed) + len(json.dumps(heads)) + 8
        if room < 0:
            return series + [None] * (len(parts) - len(series))
        series.append([packed, *heads])
    return series


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


def _column(values: pd.Series) -> list[Any]:
    return [_plain(value) for value in values.tolist()]


def _plain(value: Any) -> Any:
    """The value as JSON can hold it: no NaN, four significant digits, texts and lists not too long."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in list(value.items())[:MAX_LISTED]}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value[:MAX_LISTED]]
    if isinstance(value, str):
        return value if len(value) <= TEXT_LENGTH else value[:TEXT_LENGTH] + "…"
    if value is None or value is pd.NaT or isinstance(value, bool | int):
        return None if value is pd.NaT else value
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return round(value) if abs(value) >= 1000 else float(f"{value:.4g}")
    return str(value)


def _milliseconds(moment: pd.Timestamp) -> int:
    return int(moment.value // 1_000_000)


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _without_script(view: dict[str, Any]) -> str:
    """What a reader sees where scripts do not run, as in the preview of a mail program: the most urgent servers."""
    servers = view["servers"]
    rows = [
        f"<li><strong>{LEVELS[level]}</strong> <bdi>{html.escape(_printable(name))}</bdi>: "
        f"{html.escape(_printable(reason or ''))}</li>"
        for level, name, reason in list(zip(servers["level"], servers["name"], servers["reason"], strict=True))[:20]
        if level
    ]
    return (
        f"<h1>{html.escape(view['headline'])}</h1><p>This preview runs no scripts. Open the file in a browser to see "
        f"all of the report. The most urgent servers:</p><ol>{''.join(rows)}</ol>"
    )
