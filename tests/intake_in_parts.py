"""Intake in parts without Spark: the steps of a cluster, one after the other in this process."""

from __future__ import annotations

import copy
import io
import json
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from drops import Drop
from fleet_in_blocks import files

from headroom import engine
from headroom.core.job import InputError
from headroom.preprocess import preprocess

Parts = list[list[Any]]


class OneProcess:
    """What ``spark.Cluster`` is, with lists in place of Spark; what goes from step to step is packed as Spark does."""

    cores = 2

    def parts(self, work: Callable[[Any], Iterator[Any]], items: Sequence[Any]) -> Parts:
        return self.then([[item] for item in items], work)

    def then(self, parts: Parts, work: Callable[[Any], Iterator[Any]]) -> Parts:
        return [[_sent(made) for thing in part for made in work(copy.deepcopy(thing))] for part in parts]

    def without(self, parts: Parts, numbers: Sequence[int]) -> Parts:
        return [[] if number in numbers else part for number, part in enumerate(parts)]

    def shuffled(self, all_parts: Sequence[Parts], work: Any, count: int, name: str) -> Parts:
        buckets: Parts = [[] for _ in range(count)]
        for thing in reversed([thing for parts in all_parts for part in parts for thing in part]):
            for bucket, piece in work(thing):
                buckets[bucket].append(_sent(piece))
        return buckets

    def results(self, parts: Parts, work: Any, only: Sequence[int] | None = None) -> Iterator[Any]:
        for place in range(len(parts)) if only is None else only:
            yield _sent(work(iter(parts[place])))


def _sent(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))  # noqa: S301 - our own


@contextmanager
def one_process() -> Iterator[OneProcess]:
    yield OneProcess()


def runs(drop: Drop, folder: Path, where: str = engine.MACHINE) -> list[dict[str, bytes]]:
    """All files that each run of a drop leaves, by name; or what the job says where it cannot go on."""
    history, results = None, []
    (folder / "settings.yaml").parent.mkdir(parents=True, exist_ok=True)
    (folder / "settings.yaml").write_text(drop.settings)
    for number, dropped in enumerate(drop.runs):
        raw, panel = folder / f"raw{number}", folder / f"panel{number}"
        for name, content in dropped.items():
            (raw / name).parent.mkdir(parents=True, exist_ok=True)
            (raw / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        raw.mkdir(exist_ok=True)
        manifest = folder / f"manifest{number}.json"
        entries = [{"file": name} for name in drop.order(number)]
        manifest.write_text(json.dumps({"dataset": "drop", "created_at": "2030-01-01T00:00:00Z", "files": entries}))
        try:
            preprocess(raw, history, folder / "settings.yaml", manifest, panel, where)
        except InputError as error:
            results.append({"error": str(error).encode()})
            continue
        results.append(files(panel))
        history = panel
    return results


def same(one: list[dict[str, bytes]], other: list[dict[str, bytes]]) -> None:
    """Fail with the name of the first file that differs, and of a text where."""
    for number, (left, right) in enumerate(zip(one, other, strict=True)):
        assert sorted(left) == sorted(right), f"run {number}"
        for name in left:
            if left[name] != right[name] and name.endswith((".json", ".csv")):
                assert left[name].decode() == right[name].decode(), f"run {number}: {name}"
            if left[name] != right[name] and not (
                name.startswith("samples/") and _rows(left[name]) == _rows(right[name])
            ):
                pytest.fail(f"run {number}: {name} differs")


def _rows(content: bytes) -> pa.Table:
    """The rows of samples kept, whose order means nothing.

    Parquet notes as well which columns have no gaps, as far as DuckDB happens to know.
    """
    table = pq.read_table(io.BytesIO(content)).sort_by([("sampled_at", "ascending"), ("server_id", "ascending")])
    return table.cast(pa.schema([column.with_nullable(True) for column in table.schema]))
