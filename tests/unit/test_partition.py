"""A fleet assessed block by block, in one process or several, is the same fleet."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
from fleet_in_blocks import CHOSEN, FEW, assessed, files, write

from headroom import assess, conclusion, partition, results
from headroom.core import job
from headroom.core import panel as panels
from headroom.core.panel import Panel
from headroom.forecast.model import load
from headroom.insight import ranking

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("fleet"))


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory) -> Path:
    return assessed(folder, tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def in_blocks(folder, tmp_path_factory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(panels, "BLOCK_VALUES", FEW)
        assert len(panels.in_folder(folder).blocks(CHOSEN.frequency)) > 3
        return assessed(folder, tmp_path_factory.mktemp("blocks"))


@pytest.mark.parametrize("name", ["forecasts", "risks", "servers", "seasonality", "clusters", "recommendations"])
def test_blocks_on_several_cores_give_the_tables_of_the_whole_fleet(whole, in_blocks, name):
    one, other = (pd.read_parquet(root / "tables" / name / f"{name}.parquet") for root in (whole, in_blocks))
    # Not to the last digit: sums over more rows may be taken in another order.
    pd.testing.assert_frame_equal(one, other, rtol=1e-9, atol=1e-9)


def test_blocks_on_several_cores_give_the_summary_of_the_whole_fleet(whole, in_blocks):
    one, other = (json.loads((root / "risk_summary.json").read_text()) for root in (whole, in_blocks))
    assert one == other


def test_the_report_of_a_fleet_in_blocks_shows_every_server(in_blocks):
    page = (in_blocks / "report.html").read_text()
    servers = pd.read_parquet(in_blocks / "tables" / "servers" / "servers.parquet")
    assert all(name in page for name in servers["server_id"])
    assert (in_blocks / results.FORECASTS).read_bytes() == (
        in_blocks / "tables" / "forecasts" / "forecasts.parquet"
    ).read_bytes()


def test_who_works_through_the_blocks_changes_no_byte(folder, in_blocks, tmp_path, monkeypatch):
    monkeypatch.setattr(panels, "BLOCK_VALUES", FEW)
    monkeypatch.setattr(assess, "found_in", lambda blocks, *_: map(assess._on_a_core, blocks))
    assert files(assessed(folder, tmp_path)) == files(in_blocks)


def test_a_block_reads_its_own_rows_and_never_the_whole_panel(folder, monkeypatch):
    panel = panels.in_folder(folder)
    block = assess.Block(folder, folder / "model", panel.servers[:2], CHOSEN, panel.span, panel.measured)
    monkeypatch.setattr(Panel, "_seen", property(lambda _: pytest.fail("the whole panel was read")))
    found = assess.assess_block(block, load(folder / "model"))
    assert set(found.risks["server_id"]) == set(block.servers)


def test_every_process_has_the_model_from_the_folder_that_the_job_was_given(folder, tmp_path, monkeypatch):
    """On other instances there is no folder in which this process has unpacked it."""
    given = tmp_path / "given"
    given.mkdir()
    for name in ("panel.parquet", "servers.parquet", "settings.json"):
        shutil.copy(folder / name, given)
    shutil.make_archive(str(given / "model" / "model"), "gztar", folder / "model")
    blocks: list[assess.Block] = []
    monkeypatch.setattr(assess, "found_in", lambda given, *_: map(assess._on_a_core, blocks.extend(given) or given))
    assessed(given, tmp_path / "out")
    assert {block.model for block in blocks} == {given / "model"}


def dies(block: assess.Block) -> partition.Part:
    os._exit(9)


def test_a_process_that_is_killed_for_its_memory_is_told_with_what_to_change(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(panels, "BLOCK_VALUES", FEW)
    monkeypatch.setattr(assess, "_on_a_core", dies)
    with pytest.raises(job.InputError, match="more memory"):
        assessed(folder, tmp_path)


def test_parts_of_a_fleet_know_what_the_others_measure(folder):
    """A server without a metric has no use of it, and not an unknown one for ever."""
    panel = panels.in_folder(folder)
    forecasts = pd.DataFrame(columns=["server_id", "metric", "ds", "q05", "q10", "q50", "q90", "q95"])
    forecasts = forecasts.astype({"ds": "datetime64[ns]"})
    parts = [
        partition.judge(panel.of_servers([name]), forecasts, CHOSEN, span=panel.span)
        for name in (panel.servers[0], panel.servers[20])
    ]
    fleet_of_two = partition.together(parts)
    assert set(fleet_of_two.past.measures) == {"cpu", "memory", "disk"}
    assert sorted(fleet_of_two.peaks) == ["cpu", "disk", "memory"]
    attributes = pd.DataFrame({"server_id": [panel.servers[0], panel.servers[20]]})
    found = conclusion.conclude(fleet_of_two, attributes.reindex(columns=["server_id", *ranking.ATTRIBUTES]), CHOSEN)
    assert len(found.servers) == 2
