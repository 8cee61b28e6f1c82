"""Where parts of the work are done: on the cores of this machine, or on a Spark cluster.

An engine decides nothing but that. The work on a part is a plain function of it, called the same way by every engine,
and results come back in the order of the parts: who works changes no bit of them. AssessRisk's blocks of servers need
nothing of each other (``in_order``); Preprocess reads files in one place and merges servers in another
(``spark.cluster``).
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from headroom import spark
from headroom.in_turn import closed, in_turn

MACHINE, SPARK = "machine", "spark"
ENGINES = (MACHINE, SPARK)

Block = TypeVar("Block")
Result = TypeVar("Result")


def in_order(work: Callable[[Block], Result], blocks: Sequence[Block], engine: str = MACHINE) -> Iterator[Result]:
    """What ``work`` makes of each block, in the order of the blocks, each as soon as those before it are done.

    No more blocks are under way or waiting for their turn than the engine has cores. ``work`` must be a function of
    an importable module; ``str`` of a block names its servers.

    Raises:
        job.InputError: the block cannot be worked on, and its input is why.
        job.PartFailed: ``work`` failed on a block; the message names it.
        EngineFailed: the engine gave up.
    """
    with {MACHINE: _cores_of_this_machine, SPARK: spark.blocks}[engine](work, len(blocks)) as (submit, opened, cores):
        for result in in_turn(blocks, submit, cores):
            yield opened(result)


@contextmanager
def _cores_of_this_machine(work: Callable[[Block], Result], blocks: int) -> Iterator[tuple[Callable, Callable, int]]:
    """How to submit a block, how to open what comes back, and how many blocks are under way at a time."""
    cores = min(os.cpu_count() or 1, blocks)
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(cores, context, initializer=threadpool_limits, initargs=(1,))
    with closed(pool):
        yield lambda block: pool.submit(work, block), _as_it_is, cores


def _as_it_is(result: Any) -> Any:
    return result
