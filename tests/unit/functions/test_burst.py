"""A burst: 1,000 objects for 20 datasets within a minute, with second versions, doubled and out of order."""

from __future__ import annotations

import random

import pytest

from tests.unit.functions.world import Version, World

pytestmark = pytest.mark.slow

DATASETS, OBJECTS, SECOND_VERSIONS = 20, 1_000, 100


def test_a_burst_becomes_a_few_runs_per_dataset_and_every_version_counts_once() -> None:
    chance = random.Random(7)  # noqa: S311
    names = [f"fleet-{number % DATASETS:02d}/{number // DATASETS:03d}.csv" for number in range(OBJECTS)]
    names += chance.sample(names, SECOND_VERSIONS)
    with World().alive() as world:
        events: list[tuple[str, Version]] = []
        for name in names:
            events.append((name, world.drop(name, f"{name} {len(events)}".encode())))
        events += chance.sample(events, len(events) // 3)
        chance.shuffle(events)
        runs = 0
        while events or world.running():
            # The queue hands over some messages to several pollers, while some of the runs go on.
            batch, events = events[:60], events[60:]
            if batch:
                world.arrive(*batch)
            for execution in chance.sample(world.running(), min(3 if batch else 20, len(world.running()))):
                world.run(execution)
                runs += 1
        world.sweep()
        assert world.running() == []
        used: list[tuple[str, str]] = []
        for number in range(DATASETS):
            dataset = f"fleet-{number:02d}"
            manifests = [world.manifest(run, dataset) for run in world.chain(dataset)]
            used += [(file["key"], file["version"]) for one in manifests for file in one["files"]]
            assert world.ledger.waiting(dataset) == []
            assert world.ledger.state(dataset).running is None
        assert len(set(used)) == len(used), "no version is used twice"
        newest = {(key, versions[-1].id) for key, versions in world.buckets["ingest"].items()}
        assert newest <= set(used), "no object is lost"
        assert runs <= 6 * DATASETS
        assert len(world.letters) == runs, "one notification a run"
        print(f"{len(names)} uploads, {runs} runs, {runs / DATASETS:.1f} of a dataset, {len(world.letters)} mails")
