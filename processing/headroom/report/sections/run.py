"""What produced the report."""

from __future__ import annotations

from typing import Any

import pandas as pd

from headroom.core import wording
from headroom.core.findings import Assessment
from headroom.report import blocks, fleet
from headroom.report.blocks import Text
from headroom.report.sections.rhythm import MONTHS

FILES = [
    "risk_flagged_forecasts.parquet", "risk_summary.json", "optimization_recommendations.json", "server_clusters.csv",
    "data_quality.json", "model_metrics.json", "findings.json",
]  # fmt: skip


def section(found: Assessment) -> dict[str, Any]:
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
        ("Files read by", run.get("engines", {}).get("preprocess", {}).get("told")),
        ("Assessed by", run.get("engine")),
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
    return blocks.section("run", "Run", "This run", [
        *blocks.listing(list(found.summary["notes"])),
        blocks.facts(entries, "run"),
        *blocks.fold("Files of this run", blocks.table(
            "Files", [("File", ""), ("Bytes", "number"), ("Arrived", "")], rows,
        )),
        blocks.paragraph("Beside this report: ", *names, ".", style="quiet"),
    ])  # fmt: skip
