"""Blocks of servers are worked through on a machine's cores or on a Spark cluster: the results are the same bits."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import laptop_spark
import pytest
from blocks import doubled, is_killed, is_killed_once, refuses, stumbles
from fleet_in_blocks import FEW, assessed, files, write
from laptop_spark import with_spark

from headroom import assess, engine, preprocess, train
from headroom.core import job
from headroom.core import panel as panels
from headroom.in_turn import EngineFailed
from local.fleet import own

pytestmark = pytest.mark.slow

EACH = pytest.mark.parametrize("where", [engine.MACHINE, pytest.param(engine.SPARK, marks=with_spark)])


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    """Spark, started once."""
    with laptop_spark.started() as context:
        yield context


@pytest.fixture
def on(request: pytest.FixtureRequest, where: str) -> str:
    """An engine that is ready."""
    if where == engine.SPARK:
        request.getfixturevalue("spark")
    return where


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("fleet"))


@pytest.fixture(scope="module")
def on_this_machine(fleet: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(panels, "BLOCK_VALUES", FEW)
        return files(assessed(fleet, tmp_path_factory.mktemp("machine")))


@with_spark
@pytest.mark.parametrize("at_a_time", [1, 5])
def test_spark_gives_the_same_bytes_as_one_machine_however_many_blocks_it_works_on_at_a_time(
    fleet, on_this_machine, tmp_path, spark, monkeypatch, at_a_time
):
    monkeypatch.setattr(panels, "BLOCK_VALUES", FEW)
    monkeypatch.setattr(type(spark), "defaultParallelism", at_a_time)
    assert files(assessed(fleet, tmp_path, engine.SPARK)) == on_this_machine


@with_spark
def test_spark_gives_the_same_bytes_for_servers_with_entities_and_metrics_of_ones_own(tmp_path, spark, monkeypatch):
    own.write(tmp_path, days=90, servers=2)
    panel, model = tmp_path / "panel", tmp_path / "model"
    preprocess.preprocess(tmp_path / "incoming", None, tmp_path / "settings.yaml", None, panel)
    train.work(argparse.Namespace(panel=panel, settings=None, model=model, manifest=None))
    monkeypatch.setattr(panels, "BLOCK_VALUES", 1)
    for where in engine.ENGINES:
        assess.work(argparse.Namespace(panel=panel, model=model, settings=None, manifest=None, previous=None,
                                       accepted=None, assessment=tmp_path / where, engine=where, challenger=None,
                                       challenged="off"))  # fmt: skip
    assert files(tmp_path / engine.MACHINE) == files(tmp_path / engine.SPARK)


def test_results_come_in_the_order_of_the_blocks_and_none_before_it_is_asked_for():
    assert list(engine.in_order(doubled, list(range(7)))) == [0, 2, 4, 6, 8, 10, 12]


@with_spark
def test_results_of_spark_come_in_the_order_of_the_blocks(spark):
    assert list(engine.in_order(doubled, list(range(7)), engine.SPARK)) == [0, 2, 4, 6, 8, 10, 12]


@EACH
def test_a_block_that_fails_is_named(on):
    with pytest.raises(job.PartFailed, match=r"^servers 'c' to 'd': KeyError: 'gone'$"):
        list(engine.in_order(stumbles, ["servers 'a' to 'b'", "servers 'c' to 'd'"], on))


@EACH
def test_input_that_a_block_cannot_be_worked_on_with_is_told_as_such_and_once(on):
    with pytest.raises(job.InputError, match=r"^servers 'a': the model knows another frequency: train again$"):
        list(engine.in_order(refuses, ["servers 'a'"], on))


@EACH
def test_a_process_that_is_killed_is_the_engine_s_failure_and_told_with_what_to_change(on):
    with pytest.raises(EngineFailed, match=r"servers 'a'.*more memory|more memory.*servers 'a'"):
        list(engine.in_order(is_killed, ["servers 'a'"], on))


@with_spark
def test_a_lost_executor_costs_the_work_on_its_block_and_no_other(spark, tmp_path):
    blocks = [tmp_path / name for name in ("one", "killed", "two")]
    begun = [text.count("begun") for text in engine.in_order(is_killed_once, blocks, engine.SPARK)]
    assert begun == [1, 2, 1]
