"""The assessment job: panel and model become forecasts, risk, clusters, recommendations and the report."""

from __future__ import annotations

import argparse
import json
import logging
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from headroom.core import job, safe_csv, series, settings, wording
from headroom.core import metrics as table_of_metrics
from headroom.core.findings import LEVELS, REASON_PARTS, Assessment
from headroom.core.grid import SERIES, Grid, of_panel
from headroom.core.periods import Frequency
from headroom.core.plain import plain
from headroom.core.settings import Settings
from headroom.forecast.model import ModelError, drift_of, load, predict_and_explain
from headroom.insight import changes, clusters, limits, parts, recommend, risk, seasonality
from headroom.insight.risk import QUANTILES
from headroom.report import page, pictures

log = logging.getLogger(__name__)

TOP = 20
MOST_NOT_JUDGED = 200
LEAST_HISTORY = 60
# What the files hold of a recommendation; the report has parts of its reason besides.
ADVICE = (
    "action", "server_ids", "metric", "reason", "evidence", "effort", "monthly_saving", "target", "by", "priority",
)  # fmt: skip


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m headroom.assess", description=__doc__)
    arguments.add_argument("--panel", type=Path, required=True, metavar="DIR", help="what preprocess wrote")
    arguments.add_argument("--model", type=Path, required=True, metavar="DIR", help="what train wrote")
    arguments.add_argument("--settings", type=Path, metavar="FILE", help="instead of the panel's settings")
    arguments.add_argument("--manifest", type=Path, metavar="FILE", help="the run's manifest.json")
    arguments.add_argument("--previous", type=Path, metavar="DIR", help="the previous run's assessment")
    arguments.add_argument("--assessment", type=Path, required=True, metavar="DIR", help="where to write")
    job.run(work, arguments)


def work(given: argparse.Namespace) -> dict[str, Any]:
    """Assess, write all results, and return the job's last word."""
    chosen = settings.of_panel(given.panel, given.settings)
    panel, servers = read_panel(given.panel)
    with tempfile.TemporaryDirectory(prefix="model-") as scratch:
        model = unpacked(given.model, Path(scratch))
        try:
            loaded = load(model)
        except ModelError as error:
            raise job.InputError(str(error)) from error
        metrics = _json_in(model / "model_metrics.json")
    chosen = fitting(chosen, loaded.settings)
    table_of_metrics.use(chosen.own_metrics())
    log.info("forecasting %d periods of %d servers", chosen.horizon, panel["server_id"].nunique())
    forecasts, climbs = predict_and_explain(loaded, panel, servers)
    drift = drift_of(loaded, panel)
    found = assess(
        panel,
        servers,
        forecasts,
        chosen,
        run=_json_in(given.manifest),
        quality=_json_in(given.panel / "data_quality.json"),
        metrics=metrics,
        drift=drift,
        previous=given.previous,
        climbs=climbs,
    )
    write(found, given.assessment)
    return {
        "servers": found.summary["servers"],
        "levels": found.summary["levels"],
        "recommendations": len(found.recommendations),
        "monthly_savings": found.summary["savings"]["monthly"],
    }


def read_panel(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The panel, by owner of its series (see ``core.series``), and the attributes of its servers.

    Raises:
        job.InputError: there is none, or it holds no value.
    """
    path = folder / "panel.parquet"
    if not path.exists():
        raise job.InputError(f"{path} is missing: run preprocess first and give its --panel folder here")
    there = parquet.read_schema(path).names
    extra = [name for name in ("max", "p99", "entity", "capacity") if name in there]
    panel = series.joined(pd.read_parquet(path, columns=["server_id", "metric", "ds", "y", "mean", *extra]))
    if not np.isfinite(panel["y"].to_numpy(float)).any():
        raise job.InputError(
            f"{path} holds no value: see data_quality.json beside it for what was wrong with the files"
        )
    attributes = folder / "servers.parquet"
    servers = pd.read_parquet(attributes) if attributes.exists() else pd.DataFrame({"server_id": pd.Series(dtype=str)})
    return panel, servers.reindex(columns=["server_id", *risk.ATTRIBUTES])


def unpacked(model: Path, scratch: Path) -> Path:
    """The folder with the model's files: ``model`` itself, or ``scratch`` with its ``model.tar.gz`` unpacked.

    The archive may write only inside ``scratch`` and holds no links out of it (Python's ``data`` filter).

    Raises:
        job.InputError: the archive is damaged or wants to write elsewhere.
    """
    archive = model / "model.tar.gz"
    if not archive.exists():
        return model
    try:
        with tarfile.open(archive, "r:gz") as opened:
            opened.extractall(scratch, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise job.InputError(f"{archive} cannot be unpacked ({error}): train again to replace it") from error
    return scratch


def fitting(chosen: Settings, trained: Settings) -> Settings:
    """The settings with the horizon that the model was trained for: it forecasts no other.

    Raises:
        job.InputError: the model knows another frequency.
    """
    if chosen.frequency != trained.frequency:
        raise job.InputError(
            f"the panel has frequency {chosen.frequency} and the model {trained.frequency}: train again (mode train)"
        )
    if chosen.horizon != trained.horizon:
        log.warning("the horizon is the model's, %d, not %d: train again to change it", trained.horizon, chosen.horizon)
    return chosen.model_copy(update={"horizon": trained.horizon})


def assess(
    panel: pd.DataFrame,
    attributes: pd.DataFrame,
    forecasts: pd.DataFrame,
    chosen: Settings,
    run: dict[str, Any] | None = None,
    quality: dict[str, Any] | None = None,
    metrics: dict[str, Any] | None = None,
    drift: dict[str, Any] | None = None,
    previous: Path | None = None,
    climbs: pd.DataFrame | None = None,
) -> Assessment:
    """Everything that follows from a panel and its forecasts.

    Args:
        panel: ``server_id`` (the owner of the series), ``metric, ds, y, mean``; ``max``, ``p99`` and ``capacity`` as
            far as they are kept.
        attributes: one row per server: ``server_id`` and ``risk.ATTRIBUTES``, nulls allowed.
        forecasts: ``server_id, metric, ds, q05, q10, q50, q90, q95``.
        previous: the previous run's assessment folder.
        climbs: what the forecasts rest on, see ``model.predict_and_explain``.
    """
    run, quality, metrics = run or {}, quality or {}, metrics or {}
    table_of_metrics.use(chosen.own_metrics())
    panel, gone = parts.without_gone(panel, chosen.frequency)
    capacities = panel.loc[panel["capacity"].notna(), [*SERIES, "ds", "capacity"]] if "capacity" in panel else None
    laid_out = of_panel(panel, chosen.frequency, chosen.frequency.assessed_history)
    patterns = seasonality.measure(laid_out, chosen)
    first = laid_out.ds[-1] + chosen.frequency.step
    forecasts = _with_missing(_of_panel(forecasts, panel), panel, first)
    outlook = risk.outlook(forecasts, patterns, chosen, capacities, attributes)
    judged_by = limits.at_todays_capacity(laid_out, capacities)
    outlook, reasons = risk.judged(outlook, laid_out, chosen, judged_by)
    risks = risk.risks(outlook, laid_out, chosen, reasons, climbs)
    not_judged = risk.not_judged(outlook.keys, reasons, laid_out, chosen)
    notes_on_series = [*gone, *limits.unmatched(chosen, outlook.keys)]
    flagged_forecasts = flagged(panel, judged_by, outlook, chosen)
    every: dict[str, pd.DataFrame] = {}
    if series.have_entities(risks["server_id"]):
        # From here on a server has one series of each metric: its worst entity's.
        every = {
            "risks": parts.as_files(risks), "forecasts": parts.as_files(flagged_forecasts),
            "seasonality": parts.as_files(patterns),
        }  # fmt: skip
        worst = parts.worst(risks)
        risks, patterns = (parts.of_servers(table, worst) for table in (risks, patterns))
        flagged_forecasts, panel = (parts.of_servers(table, worst) for table in (flagged_forecasts, panel))
        laid_out = of_panel(panel, chosen.frequency, chosen.frequency.assessed_history)
    servers = risk.servers(risks, attributes)

    before, notes_on_clusters = changes.clusters_of(previous)
    found = clusters.find(clusters.features(panel, laid_out, patterns), laid_out, before)
    servers = servers.merge(found.table[["server_id", "cluster", "cluster_name"]], how="left", on="server_id")
    unknown = {one["server_id"] for one in not_judged}
    recommendations = recommend.recommend(laid_out, risks, servers, chosen, unknown, panel)
    changed, notes_on_changes = changes.against(previous, servers, unknown)

    notes = [*metrics.get("notes", []), *_notes(laid_out, not_judged, servers), *notes_on_series]
    summary = {
        "schema": 1,
        "dataset": run.get("dataset"),
        "run_id": run.get("run_id"),
        "as_of": laid_out.ds[-1].isoformat(),
        "frequency": chosen.frequency,
        "horizon": chosen.horizon,
        "servers": len(servers),
        "series": len(risks),
        "levels": _counts(servers["level"]),
        "levels_by_metric": {metric: _counts(rows["level"]) for metric, rows in risks.groupby("metric")},
        "ranking": risk.RANKING,
        "top": _top(servers, risks),
        "not_judged": not_judged[:MOST_NOT_JUDGED],
        "not_judged_total": len(not_judged),
        "savings": recommend.totals(recommendations, chosen),
        "recommendations": pd.Series([one["action"] for one in recommendations], dtype=object).value_counts().to_dict(),
        "clusters": [{key: one[key] for key in ("cluster", "name", "size")} for one in found.profiles],
        "changes": changed,
        "moved": changes.moved(previous, servers),
        "forecast": metrics.get("headline"),
        "drift": drift,
        "notes": [*notes, *notes_on_clusters, *notes_on_changes],
    }
    return Assessment(
        settings=chosen,
        run=run,
        quality=quality,
        metrics=metrics,
        summary=plain(summary),
        forecasts=flagged_forecasts,
        every=every,
        risks=risks,
        servers=servers,
        seasonality=patterns,
        fleet_peaks=seasonality.fleet_peaks(laid_out),
        clusters=found.table,
        profiles=found.profiles,
        recommendations=plain(recommendations),
        actions=recommend.actions(),
        changes=changed,
        not_judged=not_judged,
    )


def _of_panel(forecasts: pd.DataFrame, panel: pd.DataFrame) -> pd.DataFrame:
    """The forecasts of the series that the panel has."""
    there = pd.MultiIndex.from_frame(panel[SERIES].drop_duplicates())
    known = pd.MultiIndex.from_frame(forecasts[SERIES]).isin(there)
    return forecasts if known.all() else forecasts[known]


def flagged(panel: pd.DataFrame, laid_out: Grid, outlook: risk.Outlook, chosen: Settings) -> pd.DataFrame:
    """``risk_flagged_forecasts.parquet``: the tail of the history and the forecast, see ``Assessment.forecasts``."""
    levels = np.array(LEVELS, dtype=object)
    periods = max(2 * chosen.horizon, LEAST_HISTORY)
    start = laid_out.ds[max(len(laid_out.ds) - periods, 0)]
    tail = panel.loc[(panel["ds"] >= start) & panel["y"].notna(), ["server_id", "metric", "ds", "y"]]
    history = tail.rename(columns={"y": "actual"}).assign(is_future=False)
    row = pd.MultiIndex.from_frame(outlook.keys).get_indexer(pd.MultiIndex.from_frame(tail[SERIES]))
    y = _as_judged(tail, laid_out)
    reached = (np.where(y >= outlook.limits[name].to_numpy()[row], 1.0, 0.0) for name in ("warning", "critical"))
    history["risk_level"] = levels[risk.level_of(*reached)]

    count = len(outlook.ds)
    there = np.isfinite(outlook.quantiles).all(axis=2).ravel()
    future = pd.DataFrame({
        "server_id": np.repeat(outlook.keys["server_id"].to_numpy(), count),
        "metric": np.repeat(outlook.keys["metric"].to_numpy(), count),
        "ds": np.tile(outlook.ds.to_numpy(), len(outlook.keys)),
        "is_future": True,
        **{name: outlook.quantiles[:, :, number].ravel() for number, name in enumerate(QUANTILES)},
        "risk_level": levels[outlook.levels.ravel()],
    })[there]  # fmt: skip
    both = pd.concat([history, future], ignore_index=True)
    both = both.sort_values(["server_id", "metric", "ds"], ignore_index=True)
    return both[["server_id", "metric", "ds", "is_future", "actual", *QUANTILES, "risk_level"]]


def _as_judged(tail: pd.DataFrame, laid_out: Grid) -> np.ndarray:
    """The values of some rows of the panel as the grid has them: at today's capacities."""
    if not any(metric.capacity_column for metric in table_of_metrics.own()):
        return tail["y"].to_numpy(float)
    row = pd.MultiIndex.from_frame(laid_out.series).get_indexer(pd.MultiIndex.from_frame(tail[SERIES]))
    return laid_out.values[row, laid_out.ds.get_indexer(tail["ds"].dt.floor(laid_out.frequency))]


def write(found: Assessment, folder: Path) -> None:
    """Write all results; the names are fixed. ``data_quality.json`` and ``model_metrics.json`` come along."""
    folder.mkdir(parents=True, exist_ok=True)
    write_parquet(found.every.get("forecasts", found.forecasts), folder / "risk_flagged_forecasts.parquet")
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
        "data_quality.json": found.quality,
        "model_metrics.json": found.metrics,
    }
    for name, document in documents.items():
        text = json.dumps(plain(document), indent=1, ensure_ascii=False, allow_nan=False)
        (folder / name).write_text(text + "\n", encoding="utf-8")
    pictures.write_risk_heatmap(found, folder / "risk_heatmap.png")
    pictures.write_utilization_clusters(found, folder / "utilization_clusters.png")
    page.write(found, folder / "report.html")


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
    every = {"forecasts": found.forecasts, "risks": found.risks, "seasonality": found.seasonality} | found.every
    return {
        "forecasts": every["forecasts"],
        "risks": every["risks"].drop(columns=[*REASON_PARTS, *more]),
        "servers": found.servers.drop(columns=["adjusted", *([] if special else ["worst_entity"])]),
        "seasonality": every["seasonality"],
        "clusters": found.clusters,
        "recommendations": advice.rename(columns={"by": "due"}),
    }


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Parquet that Athena reads: microseconds, and a type for every column even where it holds nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = pa.Table.from_pandas(table, preserve_index=False)
    for number, field in enumerate(written.schema):
        if pa.types.is_null(field.type):
            typed = pa.list_(pa.string()) if field.name == "server_ids" else pa.string()
            written = written.set_column(number, field.name, pa.nulls(len(written), typed))
    parquet.write_table(written, path, coerce_timestamps="us")


def _with_missing(forecasts: pd.DataFrame, panel: pd.DataFrame, first: pd.Timestamp) -> pd.DataFrame:
    """The forecasts, and an empty row at ``first`` for each series of the panel without one: no server is lost."""
    present = panel[["server_id", "metric"]].drop_duplicates()
    known = forecasts[["server_id", "metric"]].drop_duplicates()
    missing = present.merge(known, how="left", on=["server_id", "metric"], indicator=True)
    missing = missing.loc[missing["_merge"] == "left_only", ["server_id", "metric"]]
    if missing.empty:
        return forecasts
    return pd.concat([forecasts, missing.assign(ds=first)], ignore_index=True)


def _notes(laid_out: Grid, not_judged: list[dict[str, Any]], servers: pd.DataFrame) -> list[str]:
    notes = []
    if not_judged:
        named = ", ".join(one["server_id"] for one in not_judged[:10]) + (" and others" if len(not_judged) > 10 else "")
        notes.append(
            f"Servers whose risk is not judged, or not for every metric, because they have fallen silent or have too "
            f"little history: {len(not_judged)} ({named})."
        )
    days, missing = clusters.too_short_for(laid_out)
    if missing:
        history = "Less than a day" if days == 0 else wording.periods(days, Frequency.DAY)
        notes.append(
            f"{history} of history {'is' if days < 2 else 'are'} too short to tell {wording.listed(missing)}: clusters "
            "do not go by them."
        )
    if "cpu" not in laid_out.by_metric:
        notes.append("CPU is not measured: idle servers, sizes and schedules cannot be judged.")
    elif "memory" not in laid_out.by_metric:
        notes.append("Memory is not measured: sizes are judged by CPU alone, and nothing is consolidated.")
    unknown = int((servers["vcpus"].isna() & servers["monthly_cost_usd"].isna()).sum())
    if unknown:
        notes.append(
            f"Servers with neither vcpus nor monthly_cost_usd, whose savings are not in the totals: {unknown:,}."
        )
    estimated = int((servers["vcpus"].notna() & servers["monthly_cost_usd"].isna()).sum())
    if estimated:
        notes.append(
            f"Servers without monthly_cost_usd, whose savings are by size at the settings' rates: {estimated:,}."
        )
    return notes


def _counts(levels: pd.Series) -> dict[str, int]:
    return {level: int((levels == level).sum()) for level in reversed(LEVELS)}


def _top(servers: pd.DataFrame, risks: pd.DataFrame) -> list[dict[str, Any]]:
    worst = servers[servers["level"] != "none"].head(TOP)
    told = risks.drop(columns=["level", "reason", "score", "entity"])
    worst = worst.merge(told, left_on=["server_id", "worst_metric"], right_on=["server_id", "metric"])
    columns = [
        "server_id",
        "level",
        "metric",
        "above_already",
        "critical_date",
        "days_to_breach",
        "p_critical",
        "score",
        "reason",
    ]
    told = worst[columns].round({"p_critical": 4, "score": 1}).to_dict("records")
    entities = worst["worst_entity"].tolist()
    return [one | ({"entity": entity} if entity else {}) for one, entity in zip(told, entities, strict=True)]


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


def _json_in(path: Path | None) -> dict[str, Any]:
    """A JSON document; ``{}`` where there is no such file."""
    return json.loads(path.read_text(encoding="utf-8")) if path is not None and path.exists() else {}


if __name__ == "__main__":
    job.as_program(main)
