"""Intake on a cluster: files are read in shares and servers merged in buckets, wherever there is a core.

What all files must say before any server can be merged is decided here, by the functions of one machine, from the
small tables that the shares tell (``intake.distributed``): the names in metric columns, files to refuse,
which parts of servers have series of their own, inventories, attributes, groups, and which samples are kept.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from headroom.core.settings import Settings
from headroom.intake import conflicts, entities, merge, reading
from headroom.intake.files.metric_names import names_of
from headroom.intake.files.sources import Source, name_all
from headroom.intake.in_parts import buckets, distributed, file_shares
from headroom.intake.in_parts.buckets import Known
from headroom.intake.in_parts.distributed import Told
from headroom.intake.in_parts.file_shares import Files
from headroom.intake.in_parts.packed import Rows
from headroom.intake.merge import Merge
from headroom.intake.servers import attributes, panel_folder
from headroom.intake.servers.slices import slices_of
from headroom.spark import Cluster

log = logging.getLogger(__name__)


def read_and_merge(
    cluster: Cluster,
    db: duckdb.DuckDBPyConnection,
    sources: list[Source],
    history: Path | None,
    settings: Settings,
    before: Settings | None,
    latest: str,
    work: Path,
) -> Merge:
    """Do what ``reading.read`` and ``merge.merge`` do, with the same tables in ``db`` for the report.

    Of samples, ``db`` has no rows. ``sources`` are replaced by what has become of them. ``work`` is a new folder; on
    the instances of a cluster, the same folder is made for what files become before they are read. The samples to keep
    are in its folder ``samples``.
    """
    name_all(sources, settings)
    came = copy.deepcopy(sources)
    files = file_shares.shares_of(sources, settings, work / "shares")
    looked_at = cluster.parts(_look_at, files)
    seen = [source for some in cluster.results(looked_at, _sources) for source in some]
    names = names_of(seen, settings.statistic)
    read = cluster.then(looked_at, partial(distributed.read, latest=latest, names=names))
    told: list[Told] = list(cluster.results(read, _told))
    sources[:] = [source for one in told for source in one.sources]
    for source, known in zip(sources, seen, strict=True):
        source.names |= known.names

    reading.prepare(db)
    reading.read_rows(db, [], settings, latest, names)
    merge.prepare(db)
    distributed.gather(db, told)
    samples = work / "samples"
    samples.mkdir()
    new_days = {day for day, _ in distributed.days_of(told)}
    before_run = panel_folder.look_back(db, history, settings, before, new_days)
    past = cluster.parts(partial(distributed.read_past, settings=settings), distributed.past_of(before_run))
    told_past: list[Told] = list(cluster.results(past, _told))
    distributed.gather(db, told_past)
    if entities.settle(db):
        entities.give_to_servers(db, "suspect")

    days = distributed.days_of([*told, *told_past])
    given = buckets.known(db, settings, slices_of(days))
    doubtful = [number for number, one in enumerate(told) if one.repeated]
    found = [one for part in cluster.results(read, partial(_conflicts, given), doubtful) for one in part]
    in_conflict = {one.file for one in found}
    here(sources, came, in_conflict, settings, work)
    if conflicts.refuse_all(db, found, sources):
        days = distributed.days_of([*told, *told_past], without=frozenset(in_conflict))
    merge.settle_servers(db, history or samples, settings, sources)
    keep_since = merge.keep_since_of(before_run, [day for day, _ in days], settings)
    kept_days = panel_folder.keep_untouched(before_run, keep_since, samples)
    to_do = merge.Work(
        before_run.closed_before, keep_since, min(new_days, default=None), merge.confirmed(sources, settings)
    )
    count = buckets.how_many(days, cluster.cores)
    log.info("%d shares of files and %d of the run before, %d buckets of servers", len(told), len(told_past), count)
    given = buckets.known(db, settings, slices_of(days), to_do)
    cut = partial(_cut, buckets=count, chosen_by=buckets.together(db))
    apart = cluster.shuffled([read, past], cut, count, "servers of bucket {number} of {count}")
    done = buckets.finish(db, cluster.results(apart, partial(buckets.merged, given=given)), samples, work / "pieces")
    attributes.list_servers(db)
    with_problems = db.execute("""
        SELECT file FROM suspect WHERE len(problems) > 0 UNION SELECT file FROM attribute_problem""").fetchall()
    here(sources, came, {file for (file,) in with_problems}, settings, work)
    return Merge(keep_since, {**kept_days, **done.kept_days}, before_run.rows_dropped, done)


def here(sources: list[Source], came: list[Source], orders: set[int], settings: Settings, work: Path) -> None:
    """Have some files on this machine as they are read: their lines are looked up."""
    wanted = [place for place, source in enumerate(sources) if source.order in orders]
    file_shares.readable_here([sources[n] for n in wanted], [came[n] for n in wanted], settings, work / "again")


def _look_at(share: Files) -> Iterator[Files]:
    yield file_shares.look_at(share)


def _sources(things: Iterator[Files]) -> list[Source]:
    return [source for share in things for source in share.sources]


def _told(things: Iterator[Told | Rows]) -> Told:
    """What a part tells; its rows stay where they are."""
    [told] = [thing for thing in things if isinstance(thing, Told)]
    return told


def _conflicts(given: Known, things: Iterator[Told | Rows]) -> list[conflicts.Conflict]:
    return buckets.conflicts_in((thing for thing in things if isinstance(thing, Rows)), given)


def _cut(thing: Told | Rows, **how: Any) -> Iterator[tuple[int, Rows]]:
    return buckets.cut(thing, **how) if isinstance(thing, Rows) else iter(())
