"""What processes do with blocks in the tests of the engines. Each of them imports this file, so it imports little."""

from __future__ import annotations

import os
from pathlib import Path

from headroom.core import job


def doubled(block: int) -> int:
    return 2 * block


def stumbles(block: str) -> str:
    if block == "servers 'c' to 'd'":
        raise KeyError("gone")
    return block


def refuses(block: str) -> str:
    raise job.InputError("the model knows another frequency: train again")


def is_killed(block: str) -> str:
    os._exit(137)


def is_killed_once(block: Path) -> str:
    """Leaves a line for each time that it is begun, and ends in the middle of the first."""
    with block.open("a") as file:
        file.write("begun\n")
    if block.name == "killed" and len(block.read_text().splitlines()) == 1:
        os._exit(137)
    return block.read_text()
