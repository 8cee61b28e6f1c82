"""Assessments made up for tests of what people look at: plausible numbers, any size, any shape."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from headroom.core import wording
from headroom.core.findings import LEVELS, REASON_PARTS, Action, Assessment, RiskOverTime
from headroom.core.settings import Settings
from headroom.insight import over_time

QUANTILES = {"q05": -1.645, "q10": -1.282, "q50": 0.0, "q90": 1.282, "q95": 1.645}
CLUSTERS = ["weekday office hours", "idle", "growing", "nightly batch", "steady and busy"]
HOSTILE = [
    "<script>window.broken = 1</script>",
    "</script><img src=x onerror='window.broken=2'>",
    '"><svg onload="window.broken=3">',
    "' onmouseover='window.broken=4",
    "a\u202egnp.exe\u2028next\u2029line",
    "خادم-قاعدة-البيانات-٠١",
    "名前-サーバー-😀",
    "long-" + "x" * 295,
    "tab\tand\nnew line\x00\x07",
    '=HYPERLINK("http://evil.example")',
    "$\\frac{1}{0}$ & {{script}} %s \\g<0>",
    "javascript:window.broken=5//",
    "",
    "   ",
    "__proto__",
]

ACTIONS = [
    Action("grow", "Grow", "give more capacity before it runs out", effort="medium"),
    Action("stop", "Stop", "idle, nothing seems to use them", effort="low"),
    Action("shrink", "Shrink", "a smaller size keeps enough headroom", effort="medium"),
    Action("schedule", "Schedule", "switch off when nobody uses them", effort="low"),
    Action("consolidate", "Consolidate", "move together onto fewer servers", effort="high"),
]


def _level(settings: Settings, metric: str, name: str) -> float:
    levels = settings.thresholds.get(metric)
    return getattr(levels, name) if levels else np.nan


def assessment(
    servers: int | Sequence[str] = 60,
    metrics: Sequence[str] = ("cpu", "memory", "disk"),
    frequency: str = "D",
    calm: bool = False,
    recommend: bool = True,
    compare: bool = True,
    bare: bool = False,
    seed: int = 1,
) -> Assessment:
    """A fleet as an assessment would describe it.

    Args:
        servers: how many, or their names.
        calm: every server far from its thresholds.
        recommend: with recommendations.
        compare: with changes since a previous run.
        bare: as from jobs without manifest, data quality and model metrics (all ``{}``).
    """
    random = np.random.default_rng(seed)
    names = (
        [f"{kind}-{i // 5 + 1:03d}" for i in range(servers) for kind in [("web", "db", "app", "batch", "cache")[i % 5]]]
        if isinstance(servers, int)
        else list(servers)
    )
    settings = Settings(frequency=frequency, horizon=168 if frequency == "h" else 90)
    period = pd.Timedelta(1, frequency)
    as_of = pd.Timestamp("2026-11-15 23:00" if frequency == "h" else "2026-11-15")
    history, future, n = 2 * settings.horizon, settings.horizon, len(names) * len(metrics)

    kind = np.repeat(np.arange(len(names)) % len(CLUSTERS), len(metrics))
    steps = np.arange(-history + 1, future + 1)
    dates = as_of + pd.TimedeltaIndex(steps * period)
    base = random.uniform(8, 45, n) + np.where(kind == 4, 25, 0) - np.where(kind == 1, 6, 0)
    swing = random.uniform(3, 12, n) * (kind != 1)
    slope = np.where(kind == 2, random.uniform(5, 45, n), random.uniform(-3, 5, n)) / history
    if calm:
        base, swing, slope = base * 0.4, swing * 0.5, slope * 0.1
    season = np.sin(2 * np.pi * steps / (24 if frequency == "h" else 7))
    level = base[:, None] + swing[:, None] * season + slope[:, None] * (steps + history)
    noise = random.normal(0, 1, (n, history)) * (1 + swing[:, None] * 0.25)
    actual = np.clip(level[:, :history] + noise, 0, 100)
    actual[random.random(actual.shape) < 0.01] = np.nan
    spread = (1.5 + swing[:, None] * 0.3) * np.sqrt(1 + np.arange(1, future + 1) / 20)
    bands = {q: np.clip(level[:, history:] + z * spread, 0, 100) for q, z in QUANTILES.items()}
    chance = {t: 1 / (1 + np.exp(-(bands["q50"] - t) / spread)) for t in (80, 90)}
    daily = np.select([chance[90] > 0.5, chance[90] > 0.1, chance[80] > 0.5, chance[80] > 0.1], [4, 3, 2, 1], 0)

    blank = np.full((n, history), np.nan)
    blank_future = np.full((n, future), np.nan)
    table = {
        "server_id": np.repeat(np.repeat(names, len(metrics)), history + future),
        "metric": np.tile(np.repeat(list(metrics), history + future), len(names)),
        "ds": np.tile(dates.to_numpy(), n),
        "is_future": np.tile(steps > 0, n),
        "actual": np.hstack([actual, blank_future]).ravel(),
        **{q: np.hstack([blank, values]).ravel() for q, values in bands.items()},
    }
    past = np.select([actual >= 90, actual >= 80], [4, 2], 0)
    table["risk_level"] = np.array(LEVELS, dtype=object)[np.hstack([past, daily]).ravel()]
    forecasts = pd.DataFrame(table)
    keep = forecasts["is_future"] | forecasts["actual"].notna()
    forecasts = forecasts[keep].sort_values(["server_id", "metric", "ds"], kind="stable").reset_index(drop=True)

    def first(reached: np.ndarray) -> pd.Series:
        step = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, 0)
        return pd.Series(as_of + pd.TimedeltaIndex(step * period)).where(step > 0)

    peak = bands["q50"].argmax(axis=1)
    code = daily.max(axis=1)
    critical = first(bands["q50"] >= 90)
    risks = pd.DataFrame(
        {
            "server_id": np.repeat(names, len(metrics)),
            "metric": np.tile(list(metrics), len(names)),
            "entity": "",
            "unit": [wording.unit(name) for name in np.tile(list(metrics), len(names))],
            "capacity": [100.0 if wording.unit(name) == "%" else np.nan for name in np.tile(list(metrics), len(names))],
            "warning": [_level(settings, name, "warning") for name in np.tile(list(metrics), len(names))],
            "critical": [_level(settings, name, "critical") for name in np.tile(list(metrics), len(names))],
            "level": np.array(LEVELS, dtype=object)[code],
            "current": np.nanmean(actual[:, -7:], axis=1),
            "peak_q50": bands["q50"].max(axis=1),
            "peak_q95": bands["q95"].max(axis=1),
            "peak_ds": as_of + pd.TimedeltaIndex((peak + 1) * period),
            "p_warning": chance[80].max(axis=1),
            "p_critical": chance[90].max(axis=1),
            "warning_date": first(bands["q50"] >= 80),
            "critical_date": critical,
            "breach_earliest": first(bands["q95"] >= 90),
            "breach_latest": first(bands["q05"] >= 90),
            "above_already": False,
            "above_since": pd.NaT,
            "days_to_breach": (critical - as_of) / pd.Timedelta(days=1),
            "holiday_peak": bands["q50"][:, min(40, future - 1)],
            "holiday_ds": as_of + 41 * period,
            "quarter_end_peak": bands["q50"][:, min(45, future - 1)],
            "quarter_end_ds": as_of + 46 * period,
            "early": False,
            "history": float(history),
            "backtested": float(settings.horizon),
            "climb_chance": np.where(kind == 2, 0.97, 0.04),
            "climb_per_day": np.where(kind == 2, slope * (24 if frequency == "h" else 1), np.nan),
            "climb_since": pd.Series(as_of - 50 * period, range(n)).where(kind == 2),
            "accepted": False,
        }
    )
    risks["score"] = 100 * risks["p_critical"]
    risks["what"] = [
        f"{r.metric} reaches 90 % on {r.critical_date:%d %b} at the present growth."
        if pd.notna(r.critical_date)
        else f"{r.metric} peaks at {r.peak_q50:.0f} % on {r.peak_ds:%d %b}."
        for r in risks.itertuples()
    ]
    risks["since"] = np.where(kind == 2, "It has been climbing since 26 Sep 2026.", "")
    risks["how_sure"] = ""
    days = "24 hours" if frequency == "h" else "7 days"
    risks["lately"] = [
        f"Average of the last {days}: {wording.amount(r.current, r.metric)}." for r in risks.itertuples()
    ]
    parts = risks[list(REASON_PARTS)].itertuples(index=False)
    risks["reason"] = [wording.sentences(one) for one in parts]
    code_of = {(s, m): c for s, m, c in zip(risks.server_id, risks.metric, code, strict=True)}
    table_of_servers = []
    for i, name in enumerate(names):
        worst = max(metrics, key=lambda m, name=name: code_of[name, m])
        row = risks[i * len(metrics) + list(metrics).index(worst) : i * len(metrics) + list(metrics).index(worst) + 1]
        table_of_servers.append(
            {
                "server_id": name,
                "level": LEVELS[code_of[name, worst]],
                "worst_metric": worst,
                "worst_entity": "",
                "score": 20.0 * code_of[name, worst] + float(row.peak_q50.iloc[0]) / 5,
                "reason": row.reason.iloc[0],
                "adjusted": "",
                "business_unit": ("retail", "payments", "logistics")[i % 3],
                "region": ("eu-west-1", "us-east-1")[i % 2],
                "criticality": ("high", "medium", "low")[i % 3],
                "instance_type": "m6i.2xlarge",
                "vcpus": 8.0,
                "memory_gb": 32.0,
                "monthly_cost_usd": 280.32 if i % 4 else np.nan,
                "open_level": LEVELS[code_of[name, worst]],
                "cluster": i % len(CLUSTERS),
                "cluster_name": CLUSTERS[i % len(CLUSTERS)],
            }
        )
    server_table = pd.DataFrame(table_of_servers).sort_values(["score", "server_id"], ascending=[False, True])
    server_table = server_table.reset_index(drop=True)

    seasonality = risks[["server_id", "metric"]].assign(
        day_strength=random.uniform(0, 1, n) if frequency == "h" else np.nan,
        week_strength=random.uniform(0, 1, n),
        year_strength=np.nan,
        trend_strength=random.uniform(0, 1, n),
        trend_per_month=slope * 30,
        peak_hour=14.0 if frequency == "h" else np.nan,
        peak_weekday=2.0,
        peak_month=11.0,
        quarter_end_effect=np.where(kind == 4, random.uniform(0, 9, n), np.nan),
        month_end_effect=np.nan,
        step=np.nan,
        leak_per_month=np.nan,
        noise=1.0,
    )
    hours = [float(30 + 12 * np.sin((h - 8) / 24 * 2 * np.pi)) for h in range(24)] if frequency == "h" else None
    days = [38.0, 40.5, 42.0, 41.0, 39.0, 24.0, 22.0]
    months = [np.nan] * 5 + [31.0, 32, 31, 34, 36, 39, np.nan]
    centres = random.normal(0, 3, (len(CLUSTERS), 2))
    group = np.arange(len(names)) % len(CLUSTERS)
    spots = centres[group] + random.normal(0, 0.5, (len(names), 2))
    clusters = pd.DataFrame(
        {
            "server_id": names,
            "cluster": group,
            "cluster_name": [CLUSTERS[g] for g in group],
            "distance": np.hypot(*(spots - centres[group]).T),
            "level": base[:: len(metrics)],
            "x": spots[:, 0],
            "y": spots[:, 1],
        }
    )
    profiles: list[dict[str, Any]] = [
        {
            "cluster": g,
            "name": CLUSTERS[g],
            "size": int((group == g).sum()),
            "typical_server": names[g],
            "description": f"Servers that are {CLUSTERS[g]}, with a P95 near {30 + g * 8} %.",
            "features": {"level": 30.0 + g * 8, "p95": 44.1 + g * 8, "idle_share": 0.1 * g},
            "weekday_profile": [d * (0.5 + g / 5) for d in days],
            "hour_profile": hours,
        }
        for g in range(min(len(CLUSTERS), len(names)))
    ]
    recommendations: list[dict[str, Any]] = []
    if recommend:
        for priority, row in enumerate(server_table.itertuples(), 1):
            action = {"critical": "grow", "high": "grow"}.get(row.level) or {1: "stop", 3: "schedule", 0: "shrink"}.get(
                row.cluster
            )
            if action:
                recommendations.append(
                    {
                        "action": action,
                        "server_ids": [row.server_id],
                        "metric": row.worst_metric,
                        "why": f"{row.worst_metric} P95 is {30 + priority % 9} % over 90 days.",
                        "reason": f"{row.worst_metric} P95 is {30 + priority % 9} % over 90 days."
                        + (" Target: 4 vCPUs and 16 GB of memory." if action == "grow" else ""),
                        "evidence": {"cpu_p95": 31.5, "cpu_peak_q50": 44.0, "network_in_p95": 0.412, "days": 90},
                        "effort": ("low", "medium", "high")[priority % 3],
                        "monthly_saving": 0.0 if action == "grow" else 70.08 * (1 + priority % 4),
                        "target": {"vcpus": 4, "memory_gb": 16} if action in ("grow", "shrink") else None,
                        "by": "2026-12-20" if action == "grow" else None,
                        "priority": priority,
                    }
                )
    by_action: dict[str, int] = {}
    saved: dict[str, float] = {}
    for item in recommendations:
        by_action[item["action"]] = by_action.get(item["action"], 0) + 1
        saved[item["action"]] = round(saved.get(item["action"], 0) + item["monthly_saving"], 2)
    changes = {
        "previous_run_id": "20261108T060000Z-5b1d",
        "new_at_risk": list(server_table.server_id[:2]),
        "resolved": list(server_table.server_id[-1:]),
        "worse": list(server_table.server_id[2:3]),
        "better": [],
    }
    levels = {name: int((server_table.level == name).sum()) for name in LEVELS}
    summary = {
        "schema": 1, "dataset": "demo", "run_id": "20261115T060000Z-8c2f", "as_of": as_of.isoformat(),
        "data_age_days": 0, "data_age": "", "unjudged": 0, "headline": "no server is at risk",
        "frequency": frequency, "horizon": settings.horizon, "servers": len(names), "series": n, "levels": levels,
        "open_levels": levels,
        "accepted": {"hidden_total": 0, "hidden": [], "returned_total": 0, "returned": [], "problems": []},
        "savings": {"monthly": round(sum(saved.values()), 2), "currency": "USD", "by_action": saved,
                    "growth_monthly": 0.0},
        "levels_by_metric": {m: {} for m in metrics}, "ranking": "by level, then by score", "top": [], "not_judged": [],
        "not_judged_total": 0, "clusters": [], "forecast": None, "challenger": None, "recommendations": by_action,
        "changes": changes if compare else None,
        "drift": {"psi": dict.fromkeys(metrics, 0.041), "servers_out_of_range": 0.02, "new_series": 0.0,
                  "exceeded": False, "reason": None},
        "moved": {},
        "notes": ["2 servers have less than two weeks of history."],
    }  # fmt: skip
    return Assessment(
        settings=settings,
        run={} if bare else _manifest(),
        quality={} if bare else _quality(names, metrics, frequency, as_of),
        metrics={} if bare else _model_metrics(metrics, names, frequency, settings.horizon, n),
        summary=summary | {"dataset": None, "run_id": None, "notes": []} if bare else summary,
        forecasts=forecasts,
        risks=risks,
        servers=server_table,
        seasonality=seasonality,
        fleet_peaks={m: {"hours": hours, "weekdays": days, "months": months} for m in metrics},
        clusters=clusters,
        profiles=profiles,
        recommendations=recommendations,
        actions=ACTIONS,
        changes=changes if compare else None,
        over_time=timeline(forecasts, server_table, settings, as_of),
    )


def timeline(forecasts: pd.DataFrame, servers: pd.DataFrame, settings: Settings, as_of: pd.Timestamp) -> RiskOverTime:
    """The timeline of the fleet, from its forecasts."""
    names = servers["server_id"].tolist()
    return over_time.in_order(over_time.of_forecasts(forecasts, as_of, settings), names)


def with_silent(found: Assessment, servers: int = 3) -> Assessment:
    """The same fleet, whose last servers have gone quiet, and of one more only the first metric."""
    names = found.servers["server_id"].tolist()
    whole, partly = names[-servers:], names[-servers - 1]
    first = found.risks["metric"].iloc[0]
    silent = found.risks["server_id"].isin(whole)
    silent |= (found.risks["server_id"] == partly) & (found.risks["metric"] == first)
    blank = dict.fromkeys(["p_warning", "p_critical", "current"], np.nan)
    dates = dict.fromkeys(["warning_date", "critical_date", "breach_earliest", "breach_latest"], pd.NaT)
    risks = found.risks.copy()
    risks.loc[silent, list(blank)] = np.nan
    risks.loc[silent, list(dates)] = pd.NaT
    risks.loc[silent, "level"] = "none"
    last = pd.Timestamp(found.summary["as_of"]) - pd.Timedelta(days=20)
    not_judged = [
        {
            "server_id": name,
            "metrics": sorted(risks.loc[silent & (risks["server_id"] == name), "metric"]),
            "last": last.isoformat(),
            "periods": 160,
            "reason": f"Nothing has been reported since {last:%-d %b %Y}: check whether the server has stopped.",
        }
        for name in sorted([*whole, partly])
    ]
    quiet = found.servers["server_id"].isin(whole)
    servers_table = found.servers.assign(level=found.servers["level"].mask(quiet, "none"))
    return dataclasses.replace(found, risks=risks, servers=servers_table, not_judged=not_judged)


def _manifest() -> dict[str, Any]:
    return {
        "schema": 1, "dataset": "demo", "run_id": "20261115T060000Z-8c2f", "mode": "auto",
        "created_at": "2026-11-16T06:00:00Z", "previous_run_id": "20261108T060000Z-5b1d",
        "code": {"uri": "s3://artifacts/code/3f9c/", "hash": "3f9c2ad1e0b74455"},
        "cost_estimate": "about 0.21 USD (preprocess 4 min on ml.m5.xlarge; on demand in us-east-1)",
        "files": [
            {"key": f"incoming/demo/week-{i}.csv", "file": f"week-{i}.csv", "size": 48_210_113 + i, "etag": "e",
             "last_modified": f"2026-11-{i + 9:02d}T05:00:00Z"}
            for i in range(5)
        ],
    }  # fmt: skip


def _quality(names: list[str], metrics: Sequence[str], frequency: str, as_of: pd.Timestamp) -> dict[str, Any]:
    return {
        "schema": 1, "dataset": "demo", "frequency": frequency, "statistic": "p95",
        "rows": {"read": 346_239, "accepted": 346_150, "duplicates": 50, "quarantined": 39},
        "values": {"read": 1_038_717, "clipped": 212, "empty": 4, "quarantined": 7},
        "files": [
            {"file": f"week-{i}.csv", "format": "csv", "shape": "wide", "rows_read": 69_247, "rows_accepted": 69_230,
             "rows_duplicate": 10, "rows_quarantined": 7, "export": None,
             "ignored_columns": ["notes"] if i == 1 else [], "error": None}
            for i in range(4)
        ] + [
            {"file": "holiday<b>.csv", "format": "csv", "shape": None, "rows_read": 0, "rows_accepted": 0,
             "rows_duplicate": 0, "rows_quarantined": 0, "export": None, "ignored_columns": [],
             "error": "no column holds a time; name one timestamp, or map it in the settings under columns"}
        ],
        "reasons": [{"reason": "the timestamp cannot be read", "rows": 30}, {"reason": "cpu is above 110", "rows": 9}],
        "examples": [
            {"file": "week-1.csv", "row": 17 + i, "column": "cpu", "value": "<img src=x onerror=window.broken=6>",
             "reason": "cpu is not a number"} for i in range(30)
        ],
        "panel": {"servers": len(names), "metrics": list(metrics), "first": "2025-10-12", "last": as_of.isoformat(),
                  "periods": 400, "rows": 72_000, "rows_new": 1_260, "rows_changed": 3},
        "gaps": {"missing_periods": 41, "servers_with_gaps": 3,
                 "worst": [{"server_id": names[0], "metric": metrics[0], "missing": 30, "expected": 400}]},
        "short_series": [{"server_id": names[-1], "metric": metrics[0], "periods": 6}],
        "marked": {
            "partial": {
                "series": 1,
                "first": [{"server_id": names[0], "metric": metrics[0], "samples": 3, "usual": 288}],
            },
            "few_samples": {"series": 0, "first": []},
        },
        "inventory": None,
        "groups": [],
        "settings": {"source": "last_good", "errors": ["horizn: unknown key; known keys are frequency, horizon"]},
        "unmatched_mappings": [],
        "notes": ["212 values above 100 % were clipped to 100 %."],
    }  # fmt: skip


def _model_metrics(
    metrics: Sequence[str], names: list[str], frequency: str, horizon: int, series: int
) -> dict[str, Any]:
    def row(candidate: str, metric: str, quality: float) -> dict[str, Any]:
        return {
            "candidate": candidate, "metric": metric, "group": "seasonal", "series": len(names), "mae": 3.1 * quality,
            "rmse": 4.4 * quality, "smape": 11.2 * quality, "mase": 0.78 * quality,
            "scaled_quantile_loss": 0.41 * quality, "coverage_80": 0.804, "coverage_90": 0.893,
        }  # fmt: skip

    return {
        "schema": 1, "feature_version": 1, "frequency": frequency, "horizon": horizon, "windows": 3,
        "backtested": horizon, "trend_prior": "400 simulated series", "trend_share": {"cpu/seasonal": 0.12},
        "series": series, "sampled_series": None,
        "candidates": [
            row(candidate, metric, quality)
            for metric in metrics
            for candidate, quality in (("seasonal_naive", 1.4), ("window_average", 1.25), ("lightgbm", 1.02),
                                       ("auto_ets", 1.1), ("combination", 1.0))
        ],
        "chosen": [{"metric": m, "group": "seasonal", "candidate": "combination", "series": len(names),
                    "reason": "lowest scaled quantile loss over 3 windows"} for m in metrics],
        "headline": {"mase": 0.78, "smape": 11.2, "scaled_quantile_loss": 0.41, "coverage_80": 0.804,
                     "coverage_90": 0.893, "seasonal_naive_mase": 1.09, "relative_mase": 0.716,
                     "improvement_percent": 28.4},
        "feature_importance": [
            {"feature": "lag7", "kind": "lag", "share": 0.41}, {"feature": "rolling_mean_28", "kind": "rolling",
             "share": 0.27}, {"feature": "weekday", "kind": "calendar", "share": 0.18},
            {"feature": "days_to_quarter_end", "kind": "quarter_end", "share": 0.09},
            {"feature": "is_holiday", "kind": "holiday", "share": 0.05}],
        "calendar_share": 0.32,
        "fallbacks": [{"server_id": names[-1], "metric": metrics[0], "points": 6, "method": "last value",
                       "reason": "6 points are too few for a season"}],
        "notes": [],
    }  # fmt: skip
