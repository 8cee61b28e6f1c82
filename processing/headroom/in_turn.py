"""Work on blocks, several of them at a time, with results in the order of the blocks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from headroom.core import job


class EngineFailed(job.InputError):
    """The engine, and not the data, is why the job ends; the message says what to change."""


def in_turn(blocks: Iterable[Any], submit: Callable[[Any], Future[Any]], cores: int) -> Iterator[Any]:
    """What comes of each block that is submitted, in the order of the blocks; so many of them wait at a time.

    Raises:
        job.InputError, job.PartFailed, EngineFailed: as ``engine.in_order`` does.
    """
    waiting: deque[tuple[Any, Future[Any]]] = deque()
    for block in blocks:
        waiting.append((block, submit(block)))
        if len(waiting) > cores:
            yield _result(*waiting.popleft(), cores)
    while waiting:
        yield _result(*waiting.popleft(), cores)


def _result(block: Any, under_way: Future[Any], cores: int) -> Any:
    try:
        return under_way.result()
    except BrokenProcessPool as error:
        raise EngineFailed(
            f"a process that worked on {block} or on a block beside it ended in the middle, most likely for want of "
            f"memory ({cores} such processes run side by side): choose an instance type with more memory"
        ) from error
    except EngineFailed:
        raise
    except job.InputError as error:
        raise job.InputError(f"{block}: {error}") from error
    except job.PartFailed:
        raise
    except Exception as error:
        raise job.PartFailed(f"{block}: {type(error).__name__}: {error}") from error


@contextmanager
def closed(pool: Executor) -> Iterator[None]:
    """Where the caller gives up, what has not begun does not begin any more."""
    try:
        yield
    finally:
        pool.shutdown(cancel_futures=True)
