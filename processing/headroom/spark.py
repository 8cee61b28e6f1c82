"""Spark: blocks as jobs of their own, and a cluster on which parts of the work stay where they are."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as OutOfTime
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from headroom.core import job
from headroom.in_turn import EngineFailed, closed, in_turn

log = logging.getLogger(__name__)

# Memory of an executor: of its Java, which only hands blocks and results on, and for each core of the Python process
# that holds a block (1.3 GB at the most, docs/scale.md). The rest of an instance is for the driver, which runs beside
# the first executor and holds the summaries of the whole fleet; an executor never gets more than this share.
JAVA_MB = 2048
CORE_MB = 2048
EXECUTOR_SHARE = 0.75
# Seconds within which Spark's first executor must answer. On AWS they are up within a minute of their instances.
PATIENCE = 600

Block = TypeVar("Block")
Result = TypeVar("Result")


@contextmanager
def blocks(work: Callable[[Block], Result], count: int) -> Iterator[tuple[Callable, Callable, int]]:
    """How to submit a block, how to open what comes back, and how many blocks are under way at a time.

    Each block is a Spark job of one task. A task that loses its executor is tried again elsewhere, up to four times.

    One job per block, and not one for all: results come back, are written and forgotten while others are under way,
    which one job's ``collect`` does not allow, and ``toLocalIterator`` does one at a time. Results stay packed until it
    is their turn: they are large, Java keeps them thrice, and those of as many blocks as there are cores may wait.
    """
    with _started() as (context, pool, cores):
        log.info("%d blocks, %d at a time", count, cores)
        yield lambda block: pool.submit(_on_an_executor, context, work, block), _packing().loads, cores


@contextmanager
def _started() -> Iterator[tuple[Any, Executor, int]]:
    """Spark's context, threads that wait for its jobs, and how many tasks run at a time."""
    from pyspark import SparkContext  # the image's own, or the laptop's: no job without Spark needs it

    running = SparkContext._active_spark_context
    context = running or SparkContext(conf=_configuration())
    # AWS's image sets spark.default.parallelism to two per core; a local master has one.
    cores = max(context.defaultParallelism // (2 if context.master == "yarn" else 1), 1)
    pool = ThreadPoolExecutor(cores, thread_name_prefix="block")
    try:
        _meet(context, pool)
        log.info("Spark %s on %s, %d cores", context.version, context.master, cores)
        with closed(pool):
            try:
                yield context, pool, cores
            except BaseException:
                context.cancelAllJobs()
                raise
    finally:
        if running is None:
            context.stop()


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A Spark cluster, for as long as it takes.

    Raises:
        EngineFailed: it has no executor, or one with other libraries.
    """
    with _started() as (context, pool, cores):
        yield Cluster(context, pool, cores)


@dataclass(frozen=True)
class Parts:
    """Things on the disks of a cluster, in parts of which each has a name."""

    rdd: Any
    names: Sequence[str]


class Cluster:
    """Work in steps on parts that stay where they are, and one shuffle: what Spark calls RDDs.

    Functions must be those of importable modules. What they raise ends the job when results are asked for, with the
    name of the part; a part whose executor is lost is made again, from the beginning where it must.
    """

    def __init__(self, context: Any, pool: Executor, cores: int) -> None:
        self.context, self.pool, self.cores = context, pool, cores

    def parts(self, work: Callable[[Any], Iterator[Any]], items: Sequence[Any]) -> Parts:
        """What ``work`` yields for each item, a part per item."""
        rdd = self.context.parallelize(items, max(len(items), 1))
        return self._kept(Parts(rdd, [str(item) for item in items]), work)

    def then(self, parts: Parts, work: Callable[[Any], Iterator[Any]]) -> Parts:
        """What ``work`` yields for each thing of each part."""
        return self._kept(parts, work)

    def _kept(self, parts: Parts, work: Callable[[Any], Iterator[Any]]) -> Parts:
        from pyspark import StorageLevel

        return Parts(parts.rdd.mapPartitions(partial(_each, work)).persist(StorageLevel.DISK_ONLY), parts.names)

    def shuffled(
        self, all_parts: Sequence[Parts], work: Callable[[Any], Iterator[tuple[int, Any]]], count: int, name: str
    ) -> Parts:
        """Things in ``count`` new parts: ``work`` cuts a thing of the old ones, and says of each piece where it goes.

        ``name`` is one of a part, with its number and the count in it.
        """
        pairs = self.context.union([parts.rdd for parts in all_parts]).mapPartitions(partial(_each, work))
        rdd = pairs.map(_addressed).partitionBy(count, int).map(_content)
        return Parts(rdd, [name.format(number=number + 1, count=count) for number in range(count)])

    def results(
        self, parts: Parts, work: Callable[[Iterator[Any]], Any], only: Sequence[int] | None = None
    ) -> Iterator[Any]:
        """What ``work`` makes of all things of each part, in the order of the parts, or of some (``only``).

        Raises:
            job.InputError, job.PartFailed, EngineFailed: as ``in_order`` does.
        """
        places = range(len(parts.names)) if only is None else only
        names = [_Named(place, parts.names[place]) for place in places]

        def submit(one: _Named) -> Future[Any]:
            return self.pool.submit(_on_a_part, self.context, parts.rdd, work, one)

        for packed in in_turn(names, submit, self.cores):
            yield _packing().loads(packed)


@dataclass(frozen=True)
class _Named:
    place: int
    name: str

    def __str__(self) -> str:
        return self.name


def _each(work: Callable[[Any], Iterator[Any]], things: Iterator[Any]) -> Iterator[Any]:
    threadpool_limits(1)
    for thing in things:
        if isinstance(thing, _Fault):
            yield thing
            continue
        try:
            yield from work(thing)
        except Exception as error:
            yield _fault(error, thing)


def _addressed(pair: Any) -> tuple[int, Any]:
    return (0, pair) if isinstance(pair, _Fault) else pair


def _content(pair: tuple[int, Any]) -> Any:
    return pair[1]


def _all(work: Callable[[Iterator[Any]], Any], things: Iterator[Any]) -> Iterator[bytes | _Fault]:
    threadpool_limits(1)
    met: list[_Fault] = []

    def good() -> Iterator[Any]:
        for thing in things:
            if isinstance(thing, _Fault):
                met.append(thing)
            else:
                yield thing

    try:
        packed: bytes | _Fault = _packing().dumps(work(good()))
    except Exception as error:
        packed = _fault(error, "a part")
    yield met[0] if met else packed


def _on_a_part(context: Any, rdd: Any, work: Callable[[Iterator[Any]], Any], part: _Named) -> bytes:
    """Work on one part as a Spark job; waits for it, and gives the packed result."""
    try:
        [result] = context.runJob(rdd, partial(_all, work), [part.place])
    except Exception as error:  # Py4J raises several kinds, where Java is gone as well
        raise EngineFailed(told(str(error), str(part), "preprocess")) from error
    return _good(result, part)


def _on_an_executor(context: Any, work: Callable[[Block], Any], block: Block) -> bytes:
    """Work on one block as a Spark job; waits for it, and gives the packed result."""
    try:
        [result] = context.parallelize([block], 1).map(partial(_task, work)).collect()
    except Exception as error:  # Py4J raises several kinds, where Java is gone as well
        raise EngineFailed(told(str(error), str(block))) from error
    return _good(result, block)


def _task(work: Callable[[Block], Any], block: Block) -> bytes | _Fault:
    threadpool_limits(1)
    try:
        return _packing().dumps(work(block))
    except Exception as error:
        return _fault(error, block)


@dataclass(frozen=True)
class _Fault:
    """What went wrong with a block on an executor: told, and not raised there, so that Spark does not try it again."""

    reason: str
    by_input: bool


def _fault(error: Exception, block: Any) -> _Fault:
    if isinstance(error, job.InputError | job.PartFailed):
        return _Fault(str(error), by_input=isinstance(error, job.InputError))
    logging.error("%s", block, exc_info=error)  # into the executor's log, which is in the job's
    return _Fault(f"{type(error).__name__}: {error}", by_input=False)


def _good(result: bytes | _Fault, block: Any) -> bytes:
    if isinstance(result, _Fault):
        raise (job.InputError(result.reason) if result.by_input else job.PartFailed(f"{block}: {result.reason}"))
    return result


def _packing() -> Any:
    """PySpark's own way of packing what goes between its processes, compressed to a quarter."""
    from pyspark.serializers import CompressedSerializer, CPickleSerializer

    return CompressedSerializer(CPickleSerializer())


def _configuration() -> Any:
    """What Spark is to know beyond what ``spark-submit`` tells it."""
    from pyspark import SparkConf

    configuration = SparkConf().setIfMissing("spark.app.name", "headroom")
    configuration.set("spark.ui.showConsoleProgress", "false")
    configuration.set("spark.driver.maxResultSize", "0")  # a block's findings are bounded by the size of blocks
    for name, value in executor_environment().items():
        configuration.set(f"spark.executorEnv.{name}", value)
    if configuration.get("spark.master", "") == "yarn":
        megabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
        for name, value in shares(megabytes, os.cpu_count() or 1).items():
            configuration.set(name, value)
    return configuration


def executor_environment() -> dict[str, str]:
    """What executors, which start with an environment of their own, need of the driver's: every instance has the same
    folders, because it has fetched the same inputs and installed the same libraries."""
    code = str(Path(__file__).parents[1])
    known = {"PYTHONPATH": code, "OMP_NUM_THREADS": "1"}
    return known | {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}


def shares(megabytes: int, cores: int) -> dict[str, str]:
    """Spark's settings for executors on instances with so much memory and so many cores each.

    AWS's image gives nearly all memory to Java. Here the data is in Python processes beside it, one per core, and YARN
    kills an executor whose processes together hold more than it was given.
    """
    python = min(cores * CORE_MB, int(megabytes * EXECUTOR_SHARE) - JAVA_MB)
    return {"spark.executor.memory": f"{JAVA_MB}m", "spark.executor.memoryOverhead": f"{max(python, CORE_MB)}m"}


def _meet(context: Any, pool: Executor) -> None:
    """See that there is an executor, and that it has this code: Spark itself would wait for one for ever.

    Raises:
        EngineFailed: none answers.
    """
    first = pool.submit(_on_an_executor, context, _versions, "its first task")
    try:
        theirs = _packing().loads(first.result(timeout=PATIENCE))
    except OutOfTime as error:
        context.cancelAllJobs()
        raise EngineFailed(
            f"{_ENGINE} has no executor after {PATIENCE // 60} minutes. The usual reasons are instances with less than "
            "8 GB of memory, and security groups that do not let their members talk to each other"
        ) from error
    if theirs != (ours := _versions("")):
        raise EngineFailed(f"{_ENGINE}'s executors run other libraries ({theirs}) than its driver ({ours})")


def _versions(_: Any) -> str:
    import sys

    import numpy
    import pandas

    return f"Python {sys.version_info[0]}.{sys.version_info[1]}, numpy {numpy.__version__}, pandas {pandas.__version__}"


# How the sentence of a failure that is the engine's own begins; run_status knows it.
_ENGINE = "The Spark engine"
# What Spark, YARN and PySpark write where a task was ended from outside, and what to do about it; the first that fits.
_REASONS = (
    (
        r"memory limits|(?<!On)OutOfMemory|worker exited unexpectedly"
        r"|exit(?:ed with)? (?:code|status):? ?(?:137|143|52)\b",
        "ran out of memory: use instances with more memory per core, for one run with overrides "
        '({"engine": "spark", "assess": {"instance_type": "ml.r5.4xlarge"}})',
    ),
    (
        r"No space left on device",
        "has filled a volume: use larger ones, for one run with overrides "
        '({"engine": "spark", "assess": {"volume_gb": 200}})',
    ),
    (
        r"ExecutorLostFailure|lost node|heartbeat|FetchFailed|Connection (?:reset|refused)|SparkContext was shut down",
        "lost instances, and the work on one block was begun four times: redrive the run. If it happens again, use "
        'another instance type, or more instances ({"engine": "spark", "assess": {"instance_count": 8}})',
    ),
    (
        r"ModuleNotFoundError|ImportError|Cannot run program",
        "has executors that cannot start the job's Python: see the log for which library is missing",
    ),
)


def told(error: str, block: str, of_job: str = "assess") -> str:
    """Why Spark gave up on a block, in words: what kind of failure it was, and what to change for the job."""
    known = (
        sentence.replace("assess", of_job) for pattern, sentence in _REASONS if re.search(pattern, error, re.IGNORECASE)
    )
    said = " ".join(_cause(error).split())[:300]
    return f"{_ENGINE} {next(known, 'ended the work')}. It was at {block}. Spark says: {said}"


def _cause(error: str) -> str:
    """The sentence of a Spark error that says why, without Java's stack."""
    sentence = re.split(r"\n\s*at |\n\s*Driver stacktrace", error)[0]
    for before in ("most recent failure: ", "Exception: "):
        sentence = sentence.rpartition(before)[2]
    return sentence
