"""What Spark is told, what is said when it fails, and steps on a cluster; what engines share is in ``test_engine``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import laptop_spark
import pytest
from blocks import doubled
from laptop_spark import with_spark

from headroom import engine, spark
from headroom.core import job
from headroom.in_turn import EngineFailed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def context() -> Iterator[Any]:
    """Spark, started once."""
    with laptop_spark.started() as started:
        yield started


@with_spark
def test_a_cluster_without_an_executor_ends_the_job_instead_of_waiting_for_ever(context, monkeypatch):
    monkeypatch.setattr(spark, "PATIENCE", 0)
    with pytest.raises(EngineFailed, match=r"no executor after 0 minutes.*security groups"):
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
    told = spark.told(error, "servers 'a'")
    assert told.startswith("The Spark engine ") and "It was at servers 'a'." in told
    assert re.search(words, told), told
    assert len(told) < job.MESSAGE_LENGTH


def test_executors_leave_room_for_the_driver_and_for_python_beside_java():
    r5_4xlarge, c5_4xlarge = spark.shares(128 * 1024, 16), spark.shares(32 * 1024, 16)
    assert r5_4xlarge == {"spark.executor.memory": "2048m", "spark.executor.memoryOverhead": f"{16 * 2048}m"}
    assert c5_4xlarge == {"spark.executor.memory": "2048m", "spark.executor.memoryOverhead": f"{24 * 1024 - 2048}m"}


def test_executors_find_the_code_and_the_libraries_that_the_driver_has(monkeypatch):
    monkeypatch.setenv("LD_LIBRARY_PATH", "/venv/openmp")
    environment = spark.executor_environment()
    assert (Path(environment["PYTHONPATH"]) / "headroom" / "spark.py").exists()
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
def test_steps_on_a_cluster_keep_the_parts_and_their_order_and_a_shuffle_makes_new_ones(context):
    with spark.cluster() as cluster:
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
        (ends_at_b, EngineFailed, r'ran out of memory.*"preprocess": \{"instance_type".*It was at b\.'),
    ],
    ids=["by an error", "killed, with what to change for preprocess"],
)
def test_a_part_of_a_cluster_that_fails_is_named_however_many_steps_come_after_it(context, step, error, words):
    with pytest.raises(error, match=words), spark.cluster() as cluster:
        list(cluster.results(cluster.then(cluster.parts(lines_of, ["a", "b"]), step), list))


@with_spark
def test_what_a_step_has_made_is_not_made_again_for_the_next(context, tmp_path):
    with spark.cluster() as cluster:
        parts = cluster.parts(counts_its_lines, [tmp_path / "one", tmp_path / "two"])
        assert [list(cluster.results(parts, list)) for _ in range(2)] == 2 * [[[1], [1]]]
