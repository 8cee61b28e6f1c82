"""One table as many tools would write it: other languages, units, marks, dates, orders, and units in the settings."""

import json
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import exports
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.slow

# time, server, and what is used of cpu, memory and disk, and moved by the network
LANGUAGES = {
    "english": ("Timestamp", "Server", "CPU usage", "Memory usage", "Disk usage", "Network in", "Network out"),
    "short": ("ts", "host", "cpu_util", "mem_util", "disk_usage", "net_rx", "net_tx"),
    "german": ("Zeit", "Hostname", "CPU Auslastung", "Arbeitsspeicher Auslastung", "Festplatte Nutzung",
               "Netzwerk in", "Netzwerk out"),
    "french": ("Horodatage", "VM", "Processeur usage", "Mémoire usage", "Disque usage", "network receive",
               "network transmit"),
    "spanish": ("Fecha", "Nodo", "Procesador uso", "Memoria uso", "Disco uso", "network rx", "network tx"),
}  # fmt: skip
METRICS = ("cpu", "memory", "disk", "network_in", "network_out")
# What is written of a percentage or of MB/s. None of them may be taken for another.
PERCENT = {"%": 1.0, "percent": 1.0, "ratio": 0.01, "GiB": 0.32, "MHz": 24.0, "": 1.0}
RATE = {"MB/s": 1.0, "kB/s": 1e3, "B/s": 1e6, "KiB/s": 1e6 / 1024, "Mbit/s": 8.0, "bytes/s": 1e6, "Mb/s": 8.0, "": 1e6}
CLEAR = {"%", "percent", "ratio", "MB/s", "kB/s", "B/s", "KiB/s", "Mbit/s", "bytes/s"}
DATES = ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M", "%d.%m.%Y %H:%M", "%m/%d/%Y %I:%M %p", "%d/%m/%Y %H:%M:%S",
         "%b %d, %Y %H:%M", "epoch", "milliseconds"]  # fmt: skip

wild = settings(max_examples=20, suppress_health_check=list(HealthCheck))


def values(metric, server, step):
    """The truth: percent, or MB/s. Somewhere between, never the same, and not what another metric has."""
    place = METRICS.index(metric)
    return 20 + 11 * place + 5 * server + 4 * math.sin(step / 5 + place) + 0.003 * step


def as_date(at, layout):
    if layout in ("epoch", "milliseconds"):
        return str(int(at.timestamp()) * (1000 if layout == "milliseconds" else 1))
    return at.strftime(layout)


@dataclass(frozen=True)
class Table:
    """What is written, the units that only the settings say, and what is true; ``clear`` if nothing is left open."""

    text: str = field(repr=False)
    heading: str
    units: dict[str, str]
    begin: datetime
    minutes: int
    metrics: list[str]
    clear: bool


@st.composite
def tables(draw):
    """A table of two days and two servers."""
    language = draw(st.sampled_from(sorted(LANGUAGES)))
    time, host, *headings = LANGUAGES[language]
    metrics = draw(st.lists(st.sampled_from(METRICS), min_size=1, max_size=4, unique=True))
    units = {metric: draw(st.sampled_from(sorted(PERCENT if metric in METRICS[:3] else RATE))) for metric in metrics}
    where = draw(st.sampled_from(["heading", "heading", "row", "settings"]))
    mark = draw(st.sampled_from(",;\t"))
    decimal = draw(st.sampled_from([".", ","])) if mark != "," else "."
    layout = draw(st.sampled_from(DATES))
    begin = datetime(2024, draw(st.integers(1, 12)), draw(st.integers(1, 27)), tzinfo=UTC)
    minutes = draw(st.sampled_from([15, 30, 60]))
    named = {metric: headings[METRICS.index(metric)] for metric in metrics}
    if where == "heading":
        named = {metric: f"{name} [{units[metric]}]" if units[metric] else name for metric, name in named.items()}
    columns = draw(st.permutations([("time", time), ("host", host), *named.items()]))
    rows = [mark.join(heading for _, heading in columns)]
    if where == "row":
        rows.append(mark.join(f"({units[what]})" if units.get(what) else "" for what, _ in columns))
    for step in range(2 * 1440 // minutes):
        for server in range(2):
            cells = {"time": as_date(begin + timedelta(minutes=minutes * step), layout), "host": f"srv-{server}"}
            for metric in metrics:
                factor = (PERCENT if metric in METRICS[:3] else RATE)[units[metric]]
                cells[metric] = f"{values(metric, server, step) * factor:.7f}".replace(".", decimal)
            rows.append(mark.join(cells[what] for what, _ in columns))
    said = {named[metric]: unit for metric, unit in units.items() if unit} if where == "settings" else {}
    clear = set(units.values()) <= CLEAR and layout in DATES[:2] + DATES[-2:] and decimal == "." and mark == ","
    return Table("\n".join(rows), rows[0], said, begin, minutes, metrics, clear)


@wild
@given(table=tables())
def test_a_table_is_read_right_or_refused_whatever_it_is_written_like(tmp_path_factory, table):
    begin, minutes, metrics = table.begin, table.minutes, table.metrics
    good = exports.wide(exports.fleet("good-1"))["fleet.csv"]
    rules = f"units: {json.dumps(table.units)}" if table.units else None
    panel, quality = exports.read(tmp_path_factory.mktemp("t"), {"table.csv": table.text, "good/g.csv": good}, rules)
    assert exports.adds_up(quality)
    found = panel[panel["server_id"] != "good-1"]
    assert set(panel["server_id"]) <= {"good-1", "srv-0", "srv-1"}
    for row in found.itertuples():
        assert row.metric in metrics, row
        steps = [step for step in range(2 * 1440 // minutes)
                 if (begin + timedelta(minutes=minutes * step)).date() == row.ds.date()]  # fmt: skip
        true = [values(row.metric, int(row.server_id[-1]), step) for step in steps]
        assert row.samples == len(true) and row.max == pytest.approx(max(true), rel=1e-5), row
        assert row.mean == pytest.approx(sum(true) / len(true), rel=1e-5), row
    if table.clear:
        assert set(found["metric"]) == set(metrics), quality["files"]
    elif not len(found):
        assert quality["notes"] or any(file["error"] for file in quality["files"])
