"""The assessment job: panel and model become forecasts, risk, clusters, recommendations and the report."""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from headroom import engine, results
from headroom.core import job, settings
from headroom.core import metrics as table_of_metrics
from headroom.core import panel as panels
from headroom.core.archives import unpacked
from headroom.core.grid import SERIES, Span
from headroom.core.settings import Settings
from headroom.forecast import challenger
from headroom.forecast.model import Model, ModelError, drift_of, load, predict_and_explain
from headroom.insight import ranking
from headroom.partition import Part, judge

log = logging.getLogger(__name__)

# What follows the blocks and loads slowly (scikit-learn, Matplotlib): it is loaded while others work on the blocks, and
# not at all in their processes.
AFTER_BLOCKS = ("headroom.conclusion", "headroom.report.page", "headroom.report.pictures")


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
        beside.map(importlib.import_module, AFTER_BLOCKS)
        drift = beside.submit(lambda: drift_of(loaded, panel.newest(chosen.frequency.recent, [*SERIES, "ds", "y"])))
        fleet = results.written(found_in(blocks, loaded, given.engine), given.assessment)
    from headroom.conclusion import conclude  # see AFTER_BLOCKS

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
    results.write(results.with_forecasts(found, given.assessment), given.assessment)
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
    history = panels.whole_periods(rows, block.span.last) if block.span else rows
    forecasts, climbs = predict_and_explain(model, history, attributes, block.measured)
    return judge(rows, forecasts, block.settings, climbs, block.span, attributes, panel.has_entities)


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
    return panels.attributes_in(folder).reindex(columns=["server_id", *ranking.ATTRIBUTES])


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


def _text_in(path: Path | None) -> str:
    """A text file, "" where there is none; what is not UTF-8 is left to whoever reads the text to refuse."""
    return path.read_text(encoding="utf-8-sig", errors="replace") if path is not None and path.exists() else ""


def _json_in(path: Path | None) -> dict[str, Any]:
    """A JSON document; ``{}`` where there is no such file."""
    return json.loads(path.read_text(encoding="utf-8")) if path is not None and path.exists() else {}


if __name__ == "__main__":
    job.as_program(main)
