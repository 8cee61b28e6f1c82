"""A time and a column per server, as spreadsheets have it and Grafana's panel data with *Series joined by time*, where
one column per series has the legend for its heading."""

from __future__ import annotations

import re
from collections.abc import Iterator

from headroom.core.settings import FileRules
from headroom.intake.formats import Export, Sample
from headroom.intake.formats.prometheus_json import metric_of, part_of, server_of
from headroom.intake.words import file_names, meaning, times
from headroom.intake.words.headings import PART, role_of
from headroom.intake.words.server_names import TOTALS, says_nothing, without_periods

NAME = "a column per server (CSV), such as Grafana's series joined by time"
_LABELS = re.compile(r"(?P<name>[\w:]*)\s*\{(?P<labels>.*)\}")
# Words for parts of a value, which in headings are series of one server and not servers.
_NOT_A_SERVER_WORDS = """
    user system idle iowait nice steal guest irq softirq used free buffers cached total min max avg mean value
    read write in out rx tx load load1 load5 load15 median p50 p90 p95 p99 count rate name status busy ready
    wait other kernel costop temperature temp cores limit limits request requests throttled credits balance swap
    cache privileged interrupt dpc active inactive available shared slab committed threshold cluster fleet overall all
    sum target baseline forecast predicted prediction trend capacity warning critical upper lower percentile quantile
    gesamt summe durchschnitt mittelwert schwellwert moyenne promedio totale
"""
_NOT_A_SERVER = set(_NOT_A_SERVER_WORDS.split())
# Columns that are only numbered, and parts of one server that are: no names of servers for certain.
_NUMBERED = re.compile(
    r"(?:value|wert|messwert|sample|column|spalte|serie|series|disk|gpu|vcpu|kern|thread|lun|port|queue|volume|partition)"
    r"[ _#-]?\d{1,3}|vol-[0-9a-f]{8,}",
    re.IGNORECASE,
)
# A series with one of these in its name was not measured.
_NOT_MEASURED = set(["threshold", "baseline", "forecast", "predicted", "prediction", "schwellwert", "limit", "limits"])
# What a name without a number that ends so counts.
_COUNTED_WORDS = """
    rate count length depth size users requests errors connections sessions threads processes packets iops latency
    time seconds sec second ms temp temperature load
"""
_COUNTED = set(_COUNTED_WORDS.split())
# What Splunk writes beside a chart's series.
_BESIDE = ("_span", "_spandays")


def recognise(export: Export) -> bool:
    """A time, and beside it nothing but series' names: labels in braces, or servers whose metric is said."""
    lines = _table(export)
    if len(lines) < 2:
        return False
    headings = export.fields(lines[0])
    if len(headings) < 2 or not _is_time(headings[0], export) or "" in headings[1:]:
        return False
    series = [series_of(heading, export) for heading in headings[1:] if not _left_out(heading, export)]
    if not series or not all(server for server, _, _ in series):
        return False
    known = export.rules.metric is not None or file_names.of_file(export.file).meaning is not None
    numbers = all(
        re.fullmatch(r"|[-+]?[\d.,]+(e[-+]?\d+)?\s*[%\w/]*|null|nan", cell.strip(), re.IGNORECASE)
        for line in lines[1:20]
        for cell in export.fields(line)[1:]
    )
    return numbers and (known or all(metric for _, metric, _ in series))


def read(export: Export) -> Iterator[Sample]:
    """The metric is in the heading or, as the panel's title, in the file's name."""
    series = None
    for row in export.rows():
        if series is None:
            if len(row) > 1 and _is_time(row[0], export):
                left = [heading for heading in row[1:] if _left_out(heading, export)]
                series = [None if heading in left else series_of(heading, export) for heading in row[1:]]
                if totals := [heading for heading in left if _is_total(heading)]:
                    export.said.append(f"not read, as it is no server but made of the others: {', '.join(totals)}.")
            continue
        if not row or not export.fits(row, 1 + len(series)):
            continue
        for names, value in zip(series, row[1:], strict=False):
            if names is not None:
                server, metric, part = names
                yield Sample(server, metric, row[0], value, "", part)


def _is_time(heading: str, export: Export) -> bool:
    """Whether a heading is one of times and no more: a zone that it says would have to count."""
    plain = heading.strip()
    if not plain:  # pandas' index without a name
        below = [export.fields(line)[:1] for line in _table(export)[1:3]]
        return bool(below) and all(cell and times.PLAIN.fullmatch(cell[0].strip()) for cell in below)
    bare = re.fullmatch(r"\w+", plain) and not times.says_utc(plain)
    return bool(bare) and (plain == "_time" or role_of(plain, export.rules) == "timestamp")


def _left_out(heading: str, export: Export) -> bool:
    return heading in _BESIDE or _is_total(heading) or role_of(heading, export.rules) == "ignore"


def _is_total(heading: str) -> bool:
    return re.fullmatch(TOTALS, heading.strip().casefold()) is not None


def _table(export: Export) -> list[str]:
    lines = export.first_lines
    return lines[1:] if lines and lines[0].strip('"').startswith("sep=") else lines


def series_of(heading: str, export: Export) -> tuple[str, str, str]:
    """Server, metric and part in a heading; no server where it is not a series of one."""
    heading = heading.strip()
    if series := _LABELS.fullmatch(heading):
        labels = dict(re.findall(r'(\w+)\s*[=:]\s*"([^"]*)"', series["labels"]))
        if not labels and not series["name"]:
            labels = dict(re.findall(r"(\w+)\s*[=:]\s*([^\s,]+)", series["labels"]))
        return server_of(labels), metric_of(series["name"], labels, export), part_of(labels)
    heading = heading.removeprefix("host:")  # Datadog's tags
    joined = "joinbyfield" in export.file or "seriesToColumns" in export.file  # Grafana 8
    if split := split_name(heading, joined):
        return (*split, "")
    found = meaning.meaning_of(heading)
    if isinstance(found, meaning.Meaning) or (found is not None and not re.search(r"\d", heading)):
        return "", "", ""
    return (server_of({"instance": heading}), "", "") if is_server(heading, joined) else ("", "", "")


def is_server(heading: str, joined: bool = False) -> bool:
    """Whether a heading by itself can be the name of a server; where series were ``joined``, any single word can."""
    plain = heading.casefold()
    one_word = re.fullmatch(r"[\w.-]+(:\d+)?", heading) and not _NUMBERED.fullmatch(heading)
    named = one_word and (joined or re.search(r"[\d.-]", heading))
    if not named or _is_of_another_thing(plain) or plain in _NOT_A_SERVER or says_nothing(without_periods(heading)):
        return False
    return PART.fullmatch(plain) is None and role_of(plain, FileRules()) is None


def _is_of_another_thing(plain: str) -> bool:
    """Whether a series by such a name was not measured (``cpu-limit``), is a statistic of another (``web-1_max``,
    ``avg-all``), or counts something (``error-rate``)."""
    words = re.split(r"[\W_]+", plain)
    if set(words) & _NOT_MEASURED or (len(words) > 1 and meaning.statistic_of(words[-1])):
        return True
    return not re.search(r"\d", plain) and (words[-1] in _COUNTED or any(map(meaning.statistic_of, words)))


def split_name(heading: str, joined: bool = False) -> tuple[str, str] | None:
    """``cpu web-1`` or ``web-1 - CPU usage``: a metric at one end and a single word, the server, at the other."""
    words = heading.replace(" - ", " ").replace(": ", " ").split()
    for server, rest in ((words[-1], words[:-1]), (words[0], words[1:])):
        found = meaning.meaning_of(" ".join(rest)) if rest else None
        plain = joined and server.casefold() not in _NOT_A_SERVER and not meaning.says_something(server)
        named = re.fullmatch(r"[\w.:-]+", server) and (plain or re.search(r"[\d.-]", server))
        if isinstance(found, meaning.Meaning) and named:
            return server_of({"instance": server}), " ".join(rest)
    return None
