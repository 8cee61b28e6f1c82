"""The files of an assessment: forecasts as they are found, then tables, documents, pictures and the report."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import dataset, parquet

from headroom.core import safe_csv
from headroom.core.findings import REASON_PARTS, Assessment
from headroom.core.plain import plain, text
from headroom.core.tables import COERCED, decoded, typed
from headroom.insight import over_time
from headroom.partition import Part, together

FORECASTS = "risk_flagged_forecasts.parquet"
# What the files hold of a recommendation; the report has parts of its reason besides.
ADVICE = (
    "action", "server_ids", "metric", "reason", "evidence", "effort", "monthly_saving", "target", "by", "priority",
)  # fmt: skip


def written(parts: Iterator[Part], folder: Path) -> Part:
    """The fleet's findings as one, with the forecasts of each part written as it comes and then forgotten."""
    kept: list[Part] = []
    with contextlib.ExitStack() as stack:
        for part in parts:
            forecasts = decoded(part.forecasts)
            if not kept:
                writer = stack.enter_context(parquet.ParquetWriter(folder / FORECASTS, forecasts.schema, **COERCED))
            writer.write_table(forecasts)
            # A copy of no rows: a slice would hold on to all of them.
            kept.append(replace(part, forecasts=forecasts.schema.empty_table()))
            del part, forecasts
    return together(kept)


def with_forecasts(found: Assessment, folder: Path) -> Assessment:
    """With the forecasts of the servers that the report and the pictures show."""
    from headroom.report import page, pictures  # see assess.AFTER_BLOCKS

    told = open_view(found)
    shown = {*page.servers_shown(told)["server_id"], *told.servers["server_id"].head(pictures.ROWS)}
    table = forecasts_of(shown, folder / FORECASTS).to_pandas()
    if "entity" in table:  # of each server and metric that of its worst entity
        table = table.merge(told.risks[["server_id", "metric", "entity"]]).drop(columns="entity")
    return replace(found, forecasts=table.astype({"ds": "datetime64[ns]"}))


def forecasts_of(servers: set[str], path: Path) -> pa.Table:
    """The rows of some servers in a file of forecasts; only a part of the file is in memory at any time."""
    file, wanted = parquet.ParquetFile(path, read_dictionary=["server_id"]), pa.array(sorted(servers), pa.string())
    found = []
    for number in range(file.num_row_groups):
        rows = file.read_row_group(number)
        name = rows["server_id"].unify_dictionaries().combine_chunks()
        # Of each name once, and not of each row.
        known = pc.is_in(name.dictionary, value_set=wanted)
        found.append(rows.filter(known.take(name.indices)))
    return pa.concat_tables(found).unify_dictionaries().cast(dataset.dataset(path).schema)


def open_view(found: Assessment) -> Assessment:
    """The assessment as it stands without accepted findings, which the report and the pictures show."""
    if found.open_servers is None:
        return found
    ordered = over_time.in_order(found.over_time, found.open_servers["server_id"].tolist())
    shown = {"servers": found.open_servers, "risks": found.open_risks, "seasonality": found.open_seasonality}
    return replace(found, over_time=ordered, **shown)


def write(found: Assessment, folder: Path) -> None:
    """Write all results beside the forecasts; the names are fixed. The panel's and the model's documents come along."""
    from headroom.report import page, pictures

    (folder / "tables" / "forecasts").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / FORECASTS, folder / "tables" / "forecasts" / "forecasts.parquet")
    for name, table in queryable(found).items():
        write_parquet(table, folder / "tables" / name / f"{name}.parquet")
    safe_csv.write_csv(found.clusters, folder / "server_clusters.csv")
    safe_csv.write_csv(_spreadsheet(found.recommendations), folder / "optimization_recommendations.csv")
    documents = {
        "risk_summary.json": found.summary,
        "optimization_recommendations.json": {
            "schema": 1,
            "savings": found.summary["savings"],
            "recommendations": [{key: one[key] for key in ADVICE} for one in found.recommendations],
        },
        "findings.json": {
            "schema": 1,
            **{key: found.summary[key] for key in ("dataset", "run_id", "as_of")},
            "findings": found.findings,
        },
        "data_quality.json": found.quality,
        "model_metrics.json": found.metrics,
    }
    for name, document in documents.items():
        (folder / name).write_text(text(plain(document)) + "\n", encoding="utf-8")
    shown = open_view(found)
    pictures.write_risk_heatmap(shown, folder / "risk_heatmap.png")
    pictures.write_utilization_clusters(shown, folder / "utilization_clusters.png")
    page.write(shown, folder / "report.html")


def queryable(found: Assessment) -> dict[str, pd.DataFrame]:
    """The tables that Athena sees, by name: it reads whole folders, so each gets one, below ``tables/``."""
    advice = pd.DataFrame(found.recommendations, columns=[
        "priority", "action", "server_ids", "metric", "reason", "effort", "monthly_saving", "by", "target", "evidence",
    ])  # fmt: skip
    advice = advice.astype({"priority": "int64", "monthly_saving": float})
    advice["by"] = pd.to_datetime(advice["by"])
    for column in ("target", "evidence"):
        advice[column] = [None if one is None else json.dumps(one, sort_keys=True) for one in advice[column]]
    # Columns that say something only where there are own metrics, entities or thresholds of single series.
    special = bool(found.every or found.settings.metrics or found.settings.thresholds_for)
    more = [] if special else ["entity", "unit", "capacity", "warning", "critical"]
    every = {"risks": found.risks, "seasonality": found.seasonality} | found.every
    return {
        "risks": every["risks"].drop(columns=[*REASON_PARTS, *more]),
        "servers": found.servers.drop(columns=["adjusted", *([] if special else ["worst_entity"])]),
        "seasonality": every["seasonality"],
        "clusters": found.clusters,
        "recommendations": advice.rename(columns={"by": "due"}),
    }


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """A table as Parquet that Athena reads; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(typed(table), path, **COERCED)


def _spreadsheet(recommendations: list[dict[str, Any]]) -> pd.DataFrame:
    """The recommendations as a table for people, one row each."""
    columns = ["priority", "action", "server_ids", "metric", "by", "monthly_saving", "effort", "target", "reason"]
    rows = [
        {
            **{name: one[name] for name in columns},
            "server_ids": ", ".join(one["server_ids"]),
            "target": ""
            if one["target"] is None
            else ", ".join(f"{key}: {value}" for key, value in one["target"].items()),
        }
        for one in recommendations
    ]
    return pd.DataFrame(rows, columns=columns)
