"""Drops of files in which nearly everything happens that intake must decide over several files."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from exports import fleet

from local.fleet import own

Files = dict[str, str | bytes]


@dataclass(frozen=True)
class Drop:
    """Files of one run after the other, with the dataset's settings."""

    runs: list[Files]
    settings: str = "frequency: D\n"
    orders: list[list[str]] = field(default_factory=list)

    def order(self, run: int) -> list[str]:
        """The order of arrival in a run."""
        return self.orders[run] if self.orders else sorted(self.runs[run])

    def shuffled(self, seed: int) -> Drop:
        """The same files, come in another order."""
        chance = random.Random(seed)  # noqa: S311 - no secret
        return Drop(self.runs, self.settings, [chance.sample(sorted(files), len(files)) for files in self.runs])


def wide(*servers: str, day: str = "2024-02-13", level: float = 40, more: str = "", values: str = "") -> str:
    """A day of samples per server, every quarter of an hour; ``more`` headings with ``values`` in each row."""
    rows = [
        f"{at:%Y-%m-%d %H:%M},{server},{value},{value / 2:.2f}{values}"
        for server, series in fleet(*servers, day=day, level=level).items()
        for at, value in series
    ]
    return "\n".join([f"timestamp,server_id,cpu,memory{more}", *rows]) + "\n"


def long(names: Mapping[str, str], day: str = "2024-02-13", server: str = "long-1") -> str:
    """A day of samples in the long form: of each name, its unit."""
    begin = datetime.fromisoformat(day)
    rows = [
        f"{begin + timedelta(hours=hour)};{server};{name};{unit};{20 + hour + len(name)}"
        for name, unit in names.items()
        for hour in range(24)
    ]
    return "\n".join(["Time;Host;Metric;Unit;Value", *rows]) + "\n"


def idle(day: str, level: float) -> str:
    """A day of a server that is little used, beside one that is used."""
    begin = datetime.fromisoformat(day)
    rows = [
        f"{begin + timedelta(hours=hour)},{server},{most + hour / 48:.3f}"
        for server, most in (("lazy-1", level), ("used-1", 60.0))
        for hour in range(24)
    ]
    return "\n".join(["time,host,cpu", *rows]) + "\n"


def entities(mounts: Mapping[str, list[str]], day: str = "2024-02-13") -> str:
    """Hourly values of the disks of servers."""
    begin = datetime.fromisoformat(day)
    rows = [
        f"{begin + timedelta(hours=hour)},{server},{mount},{30 + hour + 5 * place}"
        for server, of_server in mounts.items()
        for place, mount in enumerate(of_server)
        for hour in range(24)
    ]
    return "\n".join(["timestamp,host,mount,disk_used_percent", *rows]) + "\n"


def many_things() -> Drop:
    """Bad cells, damaged and empty files, conflicts, duplicates, corrections, doubts, inventories and long names."""
    servers = [f"web-{number}" for number in range(6)]
    bad = wide("web-1", "db-9", day="2024-02-14").replace(",40", ",n/a", 1).replace("db-9,5", "db-9,-5", 3)
    first: Files = {
        "a/day.csv": wide(*servers, more=",region,vcpus", values=",eu,4"),
        "b/day.csv": wide(*servers, day="2024-02-14", more=",region,vcpus", values=",us,many"),
        "bad.csv": bad + "2024-02-14 12:00,web-1\nsoon,web-1,3,4\n2024-02-14 13:00,,3,4\n",
        "conflict.csv": wide("web-2", "only-here", day="2024-02-12") + wide("web-2", day="2024-02-12", level=60)[31:],
        "correction.csv": wide("web-3", level=55),
        "damaged.csv.gz": gzip.compress(wide("gone-1").encode())[:-40],
        "duplicate.csv": wide("web-4"),
        "empty.csv": "",
        "header.csv": "timestamp,server_id,cpu\n",
        "inventory.csv": "server_id,region,vcpus,memory_gb\nweb-1,ap,16,64\nunmeasured,eu,2,4\nweb-5,eu,x,8\n",
        "long-1.csv": long({"cpu": "%", "mem": "%", "load": ""}),
        "long-2.csv": long({"cpu max": "%", "mem": "%", "queue": ""}, server="long-2"),
        "long-3.csv": long({"cpu": "%", "cpu avg": "%"}, server="long-3"),
        "shares.csv": "timestamp,server_id,cpu\n" + "".join(
            f"2024-02-13 {hour:02}:00,share-1,{hour / 30:.3f}\n" for hour in range(24)),
        "idle/1.csv": idle("2024-02-11", 0.3),
        "idle/2.csv": idle("2024-02-12", 4.3),
        "two-inventories.csv": "server_id,region,vcpus\nweb-1,ap,16\nweb-1,ap,8\n",
        "utf-16.csv": wide("wide-char-ä", day="2024-02-11").encode("utf-16"),
        "=formula.csv": wide("=cmd()", "web-0 ", day="2024-02-10").replace(",40.", ",140.", 2),
    }  # fmt: skip
    second: Files = {
        "corrected.csv": wide("web-1", "web-2", day="2024-02-13", level=20),
        "late.csv": "\n".join(wide("web-0", day="2024-02-10").splitlines()[:20]) + "\n",
        "new.csv": wide(*servers, day="2024-02-15"),
        "tenfold.csv": "timestamp,server_id,cpu,memory\n" + "".join(
            f"2024-02-10 {quarter // 4:02}:{quarter % 4 * 15:02},=cmd(),1.5,1.2\n" for quarter in range(96)),
    }  # fmt: skip
    return Drop([first, second, {"after.csv": wide("web-1", day="2024-02-16")}], "keep_samples_days: 3\n")


def parts_and_groups() -> Drop:
    """Disks of servers, of which some have one only, and groups by name and by attribute."""
    settings = """
groups:
  - {name: "all {group}", match: "{group}-*", members: hide, minutes: 60}
  - {name: "unit {group}", attribute: business_unit, minutes: 60}
  - {name: "dense {group}", match: "{group}-1", minutes: 5}
"""
    units = "server_id,business_unit\nweb-1,Shop\nweb-2,Shop\ndb-1,Shop\ndb-2,Books\n"
    first: Files = {
        "disks-1.csv": entities({"web-1": ["/", "/var"], "web-2": ["/"], "db-1": ["/"]}),
        "disks-2.csv": entities({"web-2": ["/data"], "db-2": ["/"]}, day="2024-02-14"),
        "cpu.csv": wide("web-1", "web-2", "db-1", "db-2"),
        "more.csv": wide("web-3", "db-3", "all web", day="2024-02-14"),
        "units.csv": units,
    }
    second: Files = {
        "disks-3.csv": entities({"db-1": ["/var"], "web-3": ["/"]}, day="2024-02-15"),
        "units.csv": units.replace("db-2,Books", "db-3,Books"),
        "cpu.csv": wide("web-1", "db-1", "new-1", day="2024-02-15"),
    }
    return Drop([first, second], settings)


def own_metrics(folder: Path) -> Drop:
    """Counters, free amounts, capacities in columns, and disks: see ``local.fleet.own``."""
    own.write(folder, days=20, servers=3)
    files = {path.name: path.read_text() for path in sorted((folder / "incoming").glob("*.csv"))}
    first, second = {}, {}
    for name, text in files.items():
        header, *rows = text.splitlines()
        first[name] = "\n".join([header, *(row for row in rows if row < "2026-10-25")]) + "\n"
        second[f"new-{name}"] = "\n".join([header, *(row for row in rows if row >= "2026-10-24")]) + "\n"
    return Drop([first, second], (folder / "settings.yaml").read_text())


def skewed() -> Drop:
    """One server with most of the rows, one file with most of the rest, and many small ones."""
    begin = datetime(2024, 2, 1)
    giant = "".join(f"{begin + timedelta(minutes=n)},giant,{n % 60 + 1},{n % 7}\n" for n in range(8_000))
    large = "".join(wide(f"server-{n}", day="2024-02-03").partition("\n")[2] for n in range(40))
    head = "timestamp,server_id,cpu,memory\n"
    small = {f"small/{n:03}.csv": wide(f"small-{n % 9}", day=f"2024-02-{n % 9 + 1:02}") for n in range(40)}
    return Drop([{"giant.csv": head + giant, "large.csv": head + large, **small}])


def each(folder: Path) -> dict[str, Callable[[], Drop]]:
    """The drops by name; ``folder`` is for what they are made of."""
    return {
        "many things": many_things,
        "parts and groups": parts_and_groups,
        "own metrics": lambda: own_metrics(folder),
        "skewed": skewed,
    }
