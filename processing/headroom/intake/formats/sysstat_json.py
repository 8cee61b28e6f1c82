"""``sadf -j``: sysstat's statistics as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from headroom.intake.formats import Export, Sample, text

NAME = "sysstat, sadf -j (JSON)"


def recognise(export: Export) -> bool:
    """By its first key."""
    return export.is_json() and '"sysstat"' in export.head[:200]


def read(export: Export) -> Iterator[Sample]:
    """Times are UTC where the timestamp says so, else in the file's zone, which must be UTC or mapped."""
    for host in (one for answer in export.answers() for one in answer["sysstat"]["hosts"]):
        yield from export.samples(host["statistics"], partial(_of_moment, host))


def _of_moment(host: dict[str, Any], moment: dict[str, Any]) -> Iterator[Sample]:
    if at := moment.get("timestamp"):
        zone = "Z" if at.get("utc") else f" {host['timezone']}" if host.get("timezone") else ""
        yield from _samples(host["nodename"], f"{at['date']} {at['time']}{zone}", moment)


def _samples(server: str, at: str, moment: dict[str, Any]) -> Iterator[Sample]:
    for load in moment.get("cpu-load") or moment.get("cpu-load-all") or []:
        yield Sample(server, "cpu %idle", at, text(load.get("idle")), "", text(load.get("cpu")))
    if memory := moment.get("memory"):
        yield Sample(server, "memory %memused", at, text(memory.get("memused-percent")))
    for system in moment.get("filesystems") or []:
        part = text(system.get("filesystem"))
        yield Sample(
            server, "filesystem %fsused", at, text(system.get("%fsused", system.get("fsused-percent"))), "", part
        )
    for card in (moment.get("network") or {}).get("net-dev") or []:
        yield Sample(server, "network in", at, text(card.get("rxkB")), "KiB/s", text(card.get("iface")))
        yield Sample(server, "network out", at, text(card.get("txkB")), "KiB/s", text(card.get("iface")))
