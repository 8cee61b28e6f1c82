"""The assessment job: panel and model become forecasts, risk, clusters, recommendations and the report."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import dataset, parquet

from headroom import engine
from headroom.core import job, safe_csv, series, settings, wording
from headroom.core import metrics as table_of_metrics
from headroom.core import panel as panels
from headroom.core.archives import unpacked
from headroom.core.findings import LEVELS, REASON_PARTS, Assessment
from headroom.core.grid import SERIES, Span
from headroom.core.periods import Frequency
from headroom.core.plain import plain, text
from headroom.core.settings import Settings
from headroom.core.tables import COERCED, decoded, typed
from headroom.forecast import challenger
from headroom.forecast.model import Model, ModelError, drift_of, load, predict_and_explain
from headroom.insight import accepted, changes, clusters, limits, over_time, parts, recommend, risk, seasonality
from headroom.partition import Part, judge, together
from headroom.report import page, pictures

log = logging.getLogger(__name__)

FORECASTS = "risk_flagged_forecasts.parquet"
TOP = 20
MOST_NOT_JUDGED = 200
MOST_ACCEPTED = 1_000
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
    arguments.add_argument("--accepted", type=Path, metavar="FILE", help="the findings that their owners have accepted")
    arguments.add_argument("--challenger", type=Path, metavar="DIR", help="the challenger's forecasts, beside ours")
    arguments.add_argument("--challenged", default="off", metavar="TEXT", help="completed, off, or why there are none")
    arguments.add_argument("--assessment", type=Path, required=True, metavar="DIR", help="where to write")
    arguments.add_argument("--engine", choices=engine.ENGINES, default=engine.MACHINE, help="who assesses the servers")
    job.run(work, arguments)


def work(given: argparse.Namespace) -> dict[str, Any]:
    """Assess, write all results, and return the job's last word."""
    chosen = settings.of_panel(given.panel, given.settings)
    panel = panels.in_folder(given.panel)
    loaded, metrics = model_in(given.model)
    chosen = fitting(chosen, loaded.settings)
    table_of_metrics.use(chosen.own_metrics())
    log.info("forecasting %d periods of %d servers", chosen.horizon, len(panel.servers))
    # Every process of the job, on whichever instance, has the folders that the job was given, and no others.
    blocks = [
        Block(given.panel, given.model, servers, chosen, panel.span, panel.measured)
        for servers in panel.blocks(chosen.frequency)
    ]
    given.assessment.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(1) as beside:  # while others work on the blocks
        drift = beside.submit(lambda: drift_of(loaded, panel.newest(chosen.frequency.recent, [*SERIES, "ds", "y"])))
        fleet = written(found_in(blocks, loaded, given.engine), given.assessment / FORECASTS)
    if challenge := challenger.outcome(given.challenger, given.challenged, chosen.frequency):
        metrics["challenger"] = challenge
    found = conclude(
        fleet,
        attributes_in(given.panel),
        chosen,
        run=_json_in(given.manifest),
        quality=_json_in(given.panel / "data_quality.json"),
        metrics=metrics,
        drift=drift.result(),
        previous=given.previous,
        decisions=_text_in(given.accepted),
    )
    write(with_forecasts(found, given.assessment / FORECASTS), given.assessment)
    return {
        "servers": found.summary["servers"],
        "levels": found.summary["levels"],
        "recommendations": len(found.recommendations),
        "monthly_savings": found.summary["savings"]["monthly"],
    }


@dataclass(frozen=True)
class Block:
    """What it takes to assess some servers, wherever that is done.

    ``span`` and ``measured``: the first and last period of the whole panel, and of its values.
    """

    panel: Path
    model: Path
    servers: list[str]
    settings: Settings
    span: Span | None
    measured: Span | None

    def __str__(self) -> str:
        first, last = self.servers[0], self.servers[-1]
        return f"server {first!r}" if first == last else f"{len(self.servers):,} servers from {first!r} to {last!r}"


def found_in(blocks: list[Block], model: Model, where: str = engine.MACHINE) -> Iterator[Part]:
    """The blocks' findings, in order: of a single block in this process, else by an engine.

    ``model`` is the one in the blocks' folder: other processes read it for themselves.
    """
    if len(blocks) == 1 and where == engine.MACHINE:
        yield assess_block(blocks[0], model)
    else:
        yield from engine.in_order(_on_a_core, blocks, where)


def _on_a_core(block: Block) -> Part:
    return assess_block(block, _kept(block.model))


@cache
def _kept(model: Path) -> Model:
    return model_in(model)[0]


def assess_block(block: Block, model: Model) -> Part:
    """Forecast and judge some servers."""
    table_of_metrics.use(block.settings.own_metrics())
    panel, attributes = panels.at(block.panel), attributes_in(block.panel)
    rows = panel.of_servers(block.servers)
    forecasts, climbs = predict_and_explain(model, rows, attributes, block.measured)
    return judge(rows, forecasts, block.settings, climbs, block.span, attributes, panel.has_entities)


def written(parts: Iterator[Part], path: Path) -> Part:
    """The fleet's findings as one, with the forecasts of each part written as it comes and then forgotten."""
    kept: list[Part] = []
    with contextlib.ExitStack() as stack:
        for part in parts:
            forecasts = decoded(part.forecasts)
            if not kept:
                writer = stack.enter_context(parquet.ParquetWriter(path, forecasts.schema, **COERCED))
            writer.write_table(forecasts)
            # A copy of no rows: a slice would hold on to all of them.
            kept.append(replace(part, forecasts=forecasts.schema.empty_table()))
            del part, forecasts
    return together(kept)


def with_forecasts(found: Assessment, path: Path) -> Assessment:
    """With the forecasts of the servers that the report and the pictures show."""
    told = open_view(found)
    shown = {*page.servers_shown(told)["server_id"], *told.servers["server_id"].head(pictures.ROWS)}
    table = forecasts_of(shown, path).to_pandas()
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


def model_in(folder: Path) -> tuple[Model, dict[str, Any]]:
    """The model in a folder, as files or as ``model.tar.gz``, and what it says of its training.

    Raises:
        job.InputError: there is none that this job can use; the message says what to do.
    """
    with tempfile.TemporaryDirectory(prefix="assess-") as scratch:
        files = unpacked(folder, Path(scratch))
        try:
            return load(files), _json_in(files / "model_metrics.json")
        except ModelError as error:
            raise job.InputError(str(error)) from error


def attributes_in(folder: Path) -> pd.DataFrame:
    """The attributes of the panel's servers, as far as the assessment knows them."""
    return panels.attributes_in(folder).reindex(columns=["server_id", *risk.ATTRIBUTES])


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


def conclude(
    fleet: Part,
    attributes: pd.DataFrame,
    chosen: Settings,
    run: dict[str, Any] | None = None,
    quality: dict[str, Any] | None = None,
    metrics: dict[str, Any] | None = None,
    drift: dict[str, Any] | None = None,
    previous: Path | None = None,
    decisions: str = "",
) -> Assessment:
    """What follows for the whole fleet from what was found about its servers.

    Args:
        fleet: see ``partition.judge`` and ``partition.together``.
        attributes: one row per server: ``server_id`` and ``risk.ATTRIBUTES``, nulls allowed.
        previous: the previous run's assessment folder.
        decisions: the text of the dataset's ``accepted.json``; the day that counts is that of the run.
    """
    table_of_metrics.use(chosen.own_metrics())
    run, quality, metrics = run or {}, quality or {}, metrics or {}
    risks, not_judged = fleet.risks, fleet.not_judged
    servers = risk.servers(risks, attributes)
    unknown = {one["server_id"] for one in not_judged}
    advice = recommend.recommend(fleet.past, risks, servers, chosen, unknown)
    known, problems = accepted.read(decisions, [one.name for one in recommend.actions()])
    every = fleet.every.get("risks", risks)
    judged = replace(accepted.judge(known, every, advice, _day_of(run)), problems=problems)
    for table in (every, risks):
        table["accepted"] = accepted.hidden_risks(table, judged.findings)
    open_risks, open_seasonality = standing(fleet, judged)
    quiet = accepted.quieted(open_risks, judged)
    open_servers = risk.servers(quiet, attributes)
    open_servers["open_level"] = open_servers["level"]
    servers = servers.merge(open_servers[["server_id", "open_level"]], how="left", on="server_id")
    recommendations = accepted.open_advice(advice, judged.findings, quiet)

    before, notes_on_clusters = changes.clusters_of(previous)
    found = clusters.find(fleet.described, before)
    groups = found.table[["server_id", "cluster", "cluster_name"]]
    servers, open_servers = (one.merge(groups, how="left", on="server_id") for one in (servers, open_servers))
    changed, notes_on_changes = changes.against(previous, servers, unknown)

    notes = [*metrics.get("notes", []), *_notes(fleet, servers, chosen.frequency)]
    notes += limits.unmatched(chosen, series.joined(every))
    summary = {
        "schema": 1,
        "dataset": run.get("dataset"),
        "run_id": run.get("run_id"),
        "as_of": fleet.ds[-1].isoformat(),
        "frequency": chosen.frequency,
        "horizon": chosen.horizon,
        "servers": len(servers),
        "series": len(risks),
        "levels": _counts(servers["level"]),
        "open_levels": _counts(servers["open_level"]),
        "levels_by_metric": {metric: _counts(rows["level"]) for metric, rows in risks.groupby("metric")},
        "ranking": risk.RANKING,
        "top": _top(open_servers, open_risks),
        "accepted": _accepted(judged),
        "not_judged": not_judged[:MOST_NOT_JUDGED],
        "not_judged_total": len(not_judged),
        "savings": recommend.totals(recommendations, chosen),
        "recommendations": pd.Series([one["action"] for one in recommendations], dtype=object).value_counts().to_dict(),
        "clusters": [{key: one[key] for key in ("cluster", "name", "size")} for one in found.profiles],
        "changes": changed,
        "moved": changes.moved(previous, servers),
        "forecast": metrics.get("headline"),
        "challenger": metrics.get("challenger"),
        "drift": drift,
        "notes": [*notes, *notes_on_clusters, *notes_on_changes],
    }
    return Assessment(
        settings=chosen,
        run=run,
        quality=quality,
        metrics=metrics,
        summary=plain(summary),
        forecasts=decoded(fleet.forecasts).to_pandas(),
        every=fleet.every,
        risks=risks,
        servers=servers,
        seasonality=fleet.seasonality,
        fleet_peaks=seasonality.fleet_peaks(fleet.peaks, fleet.ds, chosen.frequency),
        clusters=found.table,
        profiles=found.profiles,
        recommendations=plain(recommendations),
        actions=recommend.actions(),
        changes=changed,
        over_time=over_time.in_order(fleet.over_time, servers["server_id"].tolist()),
        not_judged=not_judged,
        open_servers=open_servers,
        open_risks=open_risks,
        open_seasonality=open_seasonality,
        findings=plain(accepted.listed(every, advice, judged.findings)),
    )


def write(found: Assessment, folder: Path) -> None:
    """Write all results beside the forecasts; the names are fixed. The panel's and the model's documents come along."""
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


def _notes(fleet: Part, servers: pd.DataFrame, frequency: Frequency) -> list[str]:
    notes, not_judged = [], fleet.not_judged
    if not_judged:
        named = ", ".join(one["server_id"] for one in not_judged[:10]) + (" and others" if len(not_judged) > 10 else "")
        notes.append(
            f"Servers whose risk is not judged, or not for every metric, because they have fallen silent or have too "
            f"little history: {len(not_judged)} ({named})."
        )
    days, missing = clusters.too_short_for(fleet.described.longest, frequency)
    if missing:
        history = "Less than a day" if days == 0 else wording.periods(days, Frequency.DAY)
        notes.append(
            f"{history} of history {'is' if days < 2 else 'are'} too short to tell {wording.listed(missing)}: clusters "
            "do not use them."
        )
    if "cpu" not in fleet.peaks:
        notes.append("CPU is not measured: idle servers, sizes and schedules cannot be judged.")
    elif "memory" not in fleet.peaks:
        notes.append("Memory is not measured: sizes are judged by CPU alone, and nothing is consolidated.")
    if gone := fleet.gone:
        shown = ", ".join(gone[:5]) + (" and others" if len(gone) > 5 else "")
        notes.append(f"Series left out, as other parts of the same server took over from them: {len(gone)} ({shown}).")
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


def open_view(found: Assessment) -> Assessment:
    """The assessment as it stands without accepted findings, which the report and the pictures show."""
    if found.open_servers is None:
        return found
    ordered = over_time.in_order(found.over_time, found.open_servers["server_id"].tolist())
    shown = {"servers": found.open_servers, "risks": found.open_risks, "seasonality": found.open_seasonality}
    return replace(found, over_time=ordered, **shown)


def standing(fleet: Part, judged: accepted.Judged) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Risks and seasonality of the series that stands for each server and metric without accepted findings.

    Where servers have entities, that is the worst one of which nobody has accepted the risk.
    """
    if not fleet.every:
        return fleet.risks, fleet.seasonality
    risks, patterns = fleet.every["risks"], fleet.every["seasonality"]
    worst = parts.worst(series.joined(accepted.quieted(risks, judged)))
    owned = series.joined(risks).assign(entity=risks["entity"])
    return parts.of_servers(owned, worst), parts.of_servers(series.joined(patterns), worst)


def _accepted(judged: accepted.Judged) -> dict[str, Any]:
    """The findings that are hidden, those that came back, and what is wrong with their file."""
    return {
        "hidden_total": len(judged.hidden),
        "hidden": judged.hidden[:MOST_ACCEPTED],
        "returned_total": len(judged.returned),
        "returned": judged.returned[:MOST_ACCEPTED],
        "problems": judged.problems,
    }


def _day_of(run: dict[str, Any]) -> date:
    """The day (UTC) that the run was planned on: the same one when a job of it runs again."""
    planned = run.get("created_at")
    return datetime.fromisoformat(planned).astimezone(UTC).date() if planned else datetime.now(UTC).date()


def _text_in(path: Path | None) -> str:
    """A text file, "" where there is none; what is not UTF-8 is left to whoever reads the text to refuse."""
    return path.read_text(encoding="utf-8-sig", errors="replace") if path is not None and path.exists() else ""


def _json_in(path: Path | None) -> dict[str, Any]:
    """A JSON document; ``{}`` where there is no such file."""
    return json.loads(path.read_text(encoding="utf-8")) if path is not None and path.exists() else {}


if __name__ == "__main__":
    job.as_program(main)
