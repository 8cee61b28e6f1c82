"""Blocks of servers are worked through on a machine's cores or on a Spark cluster: the results are the same bits."""

from __future__ import annotations

import argparse
import os
import re
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
    with pytest.raises(engine.EngineFailed, match=r"servers 'a'.*more memory|more memory.*servers 'a'"):
        list(engine.in_order(is_killed, ["servers 'a'"], on))


@with_spark
def test_a_lost_executor_costs_the_work_on_its_block_and_no_other(spark, tmp_path):
    blocks = [tmp_path / name for name in ("one", "killed", "two")]
    begun = [text.count("begun") for text in engine.in_order(is_killed_once, blocks, engine.SPARK)]
    assert begun == [1, 2, 1]


@with_spark
def test_a_cluster_without_an_executor_ends_the_job_instead_of_waiting_for_ever(spark, monkeypatch):
    monkeypatch.setattr(engine, "PATIENCE", 0)
    with pytest.raises(engine.EngineFailed, match=r"no executor after 0 minutes.*security groups"):
        list(engine.in_order(doubled, [1, 2], engine.SPARK))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            "An error occurred while calling z:org.apache.spark.api.python.PythonRDD.collectAndServe.\n"
            ": org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 7.0 failed 4 times, "
            "most recent failure: Lost task 0.3 in stage 7.0 (TID 12) (algo-2 executor 2): ExecutorLostFailure "
            "(executor 2 exited caused by one of the running tasks) Reason: Container killed by YARN for exceeding "
            "physical memory limits. 12.1 GB of 12 GB physical memory used.\nDriver stacktrace:\n\tat org.apache",
            r"ran out of memory.*instance_type.*Spark says: Lost task 0\.3.*12 GB physical memory used\.",
        ),
        (
            "Job aborted due to stage failure: Task 0 in stage 7.0 failed 4 times, most recent failure: Lost task 0.3 "
            "in stage 7.0: ExecutorLostFailure (executor 2 exited unrelated to the running tasks) Reason: Container "
            "marked as failed on host algo-2. Exit status: -100. Diagnostics: Container released on a *lost* node",
            r"lost instances.*redrive.*instance_count",
        ),
        ("org.apache.spark.SparkException: java.io.IOException: No space left on device", r"volume_gb"),
        (
            "ExecutorLostFailure (executor 1 exited) Reason: Container from a bad node. Exit status: -100. "
            "Diagnostics: java -XX:OnOutOfMemoryError='kill -9 %p' was lost",
            r"lost instances",
        ),
        ("ModuleNotFoundError: No module named 'lightgbm'", r"cannot start the job's Python"),
        ("what nobody has seen yet", r"ended the work\. It was at servers 'a'\. Spark says: what nobody has seen yet"),
    ],
)
def test_why_spark_gave_up_is_told_in_words_with_the_servers_and_what_to_change(error, words):
    told = engine.told(error, "servers 'a'")
    assert told.startswith("The Spark engine ") and "It was at servers 'a'." in told
    assert re.search(words, told), told
    assert len(told) < job.MESSAGE_LENGTH


def test_executors_leave_room_for_the_driver_and_for_python_beside_java():
    r5_4xlarge, c5_4xlarge = engine.shares(128 * 1024, 16), engine.shares(32 * 1024, 16)
    assert r5_4xlarge == {"spark.executor.memory": "2048m", "spark.executor.memoryOverhead": f"{16 * 2048}m"}
    assert c5_4xlarge == {"spark.executor.memory": "2048m", "spark.executor.memoryOverhead": f"{24 * 1024 - 2048}m"}


def test_executors_find_the_code_and_the_libraries_that_the_driver_has(monkeypatch):
    monkeypatch.setenv("LD_LIBRARY_PATH", "/venv/openmp")
    environment = engine.executor_environment()
    assert (Path(environment["PYTHONPATH"]) / "headroom" / "engine.py").exists()
    assert environment["LD_LIBRARY_PATH"] == "/venv/openmp"


def lines_of(name: str) -> Iterator[str]:
    """What a part of the first step yields: two things."""
    yield from (f"{name} {number}" for number in (1, 2))


def stumbles_at_b(thing: str) -> Iterator[str]:
    if thing == "b 2":
        raise KeyError("gone")
    yield thing.upper()


def ends_at_b(thing: str) -> Iterator[str]:
    if thing.startswith("b"):
        os._exit(137)
    yield thing


def by_number(thing: str) -> Iterator[tuple[int, str]]:
    yield int(thing[-1]) - 1, thing


def counts_its_lines(path: Path) -> Iterator[int]:
    with path.open("a") as file:
        file.write("begun\n")
    yield len(path.read_text().splitlines())


@with_spark
def test_steps_on_a_cluster_keep_the_parts_and_their_order_and_a_shuffle_makes_new_ones(spark):
    with engine.cluster() as cluster:
        parts = cluster.then(cluster.parts(lines_of, ["a", "b", "c"]), lines_of)
        assert list(cluster.results(parts, sorted))[1] == ["b 1 1", "b 1 2", "b 2 1", "b 2 2"]
        assert [one[0] for one in cluster.results(parts, sorted, only=[2, 0])] == ["c 1 1", "a 1 1"]
        two = cluster.shuffled([parts, cluster.parts(lines_of, ["d"])], by_number, 2, "bucket {number} of {count}")
        assert [len(one) for one in cluster.results(two, list)] == [7, 7]
        assert list(cluster.results(cluster.parts(lines_of, []), list)) == []


@with_spark
@pytest.mark.parametrize(
    ("step", "error", "words"),
    [
        (stumbles_at_b, job.PartFailed, r"^b: KeyError: 'gone'$"),
        (ends_at_b, engine.EngineFailed, r'ran out of memory.*"preprocess": \{"instance_type".*It was at b\.'),
    ],
    ids=["by an error", "killed, with what to change for preprocess"],
)
def test_a_part_of_a_cluster_that_fails_is_named_however_many_steps_come_after_it(spark, step, error, words):
    with pytest.raises(error, match=words), engine.cluster() as cluster:
        list(cluster.results(cluster.then(cluster.parts(lines_of, ["a", "b"]), step), list))


@with_spark
def test_what_a_step_has_made_is_not_made_again_for_the_next(spark, tmp_path):
    with engine.cluster() as cluster:
        parts = cluster.parts(counts_its_lines, [tmp_path / "one", tmp_path / "two"])
        assert [list(cluster.results(parts, list)) for _ in range(2)] == 2 * [[[1], [1]]]
