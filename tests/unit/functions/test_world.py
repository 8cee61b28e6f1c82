"""The table in memory does as moto's does, for every request that the ledger makes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ledger import File, Ledger
from tests.unit.functions.world import World

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FILES = [
    File(f"incoming/demo/{number}.csv", f"v{number}", 10, "e", f"2026-01-0{number}T00:00:00Z", "0A")
    for number in range(1, 6)
]


def story(ledger: Ledger) -> list[Any]:
    """What the ledger answers to one of each of its operations."""
    told: list[Any] = [ledger.record("demo", file, NOW) for file in (*FILES, FILES[0])]
    told += [ledger.waiting("demo"), ledger.waiting("demo", 2)]
    told += [ledger.has_waiting("other"), ledger.knows("demo", FILES[0])]
    told.append(sorted(ledger.in_the_table([("demo", FILES[0].item), ("demo", "nothing"), ("demo", FILES[1].item)])))
    ledger.plan("demo", FILES[:3], "run-1")
    told += [ledger.has_unplanned("demo"), ledger.has_unplanned("demo", "2027"), ledger.waiting("demo")[0].planned]
    for _ in range(2):
        told.append([(file.key, file.failures) for file in ledger.blame("demo", "run-1", 0)])
    ledger.set_aside("demo", [(FILES[0], "why"), (FILES[1], "so")], "run-1")
    ledger.set_aside("demo", [(FILES[0], "again")], "run-1")
    told += [ledger.aside("demo"), ledger.waiting("demo")]
    ledger.put_back("demo", [FILES[0], FILES[4]], NOW)
    told += [ledger.aside("demo"), ledger.waiting("demo")]
    ledger.close("demo", [FILES[1].item, FILES[2].item], "r1", NOW)
    told += [ledger.aside("demo"), ledger.waiting("demo"), ledger.state("demo")]
    ledger.reopen("demo", [FILES[2]], NOW)
    told.append(ledger.waiting("demo"))
    told += [ledger.lock("demo", "a", NOW), ledger.lock("demo", "b", NOW), ledger.lock("demo", "b", NOW, "a")]
    told += [ledger.publish("demo", "r1", None, True), ledger.publish("demo", "r2", None, False)]
    ledger.begin("demo", NOW, 5)
    ledger.failed("demo", NOW)
    told += [
        ledger.state("demo"),
        ledger.unlock("demo", "a"),
        ledger.forget_current_run("demo", "b"),
        ledger.state("demo"),
    ]
    told += [ledger.unlock("demo", "b"), ledger.forget_current_run("demo", "b"), ledger.state("demo")]
    told += [ledger.admit(name, 2) for name in ("one", "two", "three", "one")]
    ledger.hold_back("one")
    told += [ledger.datasets(), ledger.held_back()]
    ledger.let_go("one")
    told += [ledger.held_back(), ledger.swept()]
    ledger.note_sweep(NOW)
    return [*told, ledger.swept()]


def test_the_table_in_memory_answers_as_motos_does(aws) -> None:
    in_memory, motos = story(World().ledger), story(aws.ledger)
    assert in_memory == motos
    assert len(in_memory) > 40
