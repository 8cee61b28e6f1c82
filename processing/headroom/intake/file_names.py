"""What files' names and folders say: which server a file is about, and which metric.

Only asked where a file's content says nothing of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from headroom.core import metrics
from headroom.intake.meaning import Meaning, Unclear, meaning_of, words_of

FILE_ENDING = re.compile(r"(\.(csv|tsv|txt|json|jsonl|ndjson|log|gz|parquet|pq))+$", re.IGNORECASE)

_DATE = re.compile(r"[-_ ]*\d{4}-?\d{2}-?\d{2}(?:[-_ T]+\d{1,2}[-_:h]?\d{2}(?:[-_:]?\d{2})?)?")
# A day at the end or the beginning of a name, which is no number of a server: of this and the last century.
_DAY = r"(?:19|20)\d\d-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01])"
_DATED = re.compile(rf"[-_. ]+{_DAY}(?:[-_ T]\d\d[-_:h]?\d\d(?:[-_:]?\d\d)?)?$|^{_DAY}[-_. ]+")
_GRAFANA = re.compile(r"(.*?)-data(?:-as-\w+)?(?=-\d{4}|$)")
_SAYS_NOTHING_WORDS = """
    q data export report metrics metric query result results query_data usage values stats stat history hist
    grafana_data_export render trends download sheet1 series timeseries ts file out output test csv sample samples
    table dump log logs raw all overview panel cacti cloudwatch collectd datadog discover elastic grafana graphite
    influx influxdb kibana munin nagios netdata newrelic prometheus prtg sar solarwinds splunk telegraf zabbix
"""
_SAYS_NOTHING = set(_SAYS_NOTHING_WORDS.split())


@dataclass(frozen=True)
class FileName:
    """What a file's name and folders say: the server (``""`` if nothing does) and the metric (``None`` likewise).

    ``text`` is what of the name says the metric.
    """

    server: str
    meaning: Meaning | Unclear | None
    text: str = ""


def of_file(file: str) -> FileName:
    """Which server and which metric per file speaks of where its content says nothing of them.

    ``web-1.prod.csv.gz`` is about ``web-1.prod``; ``web-1_memory.csv`` about the memory of ``web-1``; of
    ``web-1/cpu.csv`` and Grafana's ``CPU usage-data-2024-02-05.csv`` the server is the folder, if there is one.
    """
    *folders, name = file.split("/")
    whole_name = stem(name)
    if title := _GRAFANA.match(whole_name):
        return FileName(_folder(folders), meaning_of(title[1]), title[1])
    plain = _DATE.sub("", whole_name).strip(" -_") or whole_name
    whole = meaning_of(plain)
    if whole is not None and not (isinstance(whole, Unclear) and _part(plain)):
        # cpu-node-7 may well be a server, of which the file's content says more.
        named = isinstance(whole, Unclear) and re.search(r"\d", plain)
        return FileName(whole_name if named else _folder(folders), whole, plain)
    if part := _part(plain):
        server, meaning, text = part
        return FileName(whole_name if server is None else server, meaning, text)
    if plain.casefold() in _SAYS_NOTHING:
        return FileName(_folder(folders), None)
    by_folder = meaning_of(folders[-1]) if folders else None
    found = by_folder if isinstance(by_folder, Meaning) else None
    return FileName(undated(name), found, folders[-1] if found else "")


def _part(stem: str) -> tuple[str | None, Meaning | Unclear, str] | None:
    """The metric at one end of a name and the server at the other; ``None`` for the server if it is in the midst.

    The last is the text that says the metric.
    """
    ends = [(stem[: mark.start()], stem[mark.end() :]) for mark in re.finditer(r"[-_. ]", stem)]
    # A hyphen is part of many servers' names (cpu-node-7), so that a metric in front stands before another mark.
    ends += [(stem[mark.end() :], stem[: mark.start()]) for mark in re.finditer(r"[_. ]", stem)]
    for server, metric in ends:
        found = meaning_of(metric.replace("-", "_"))
        if isinstance(found, Meaning) and server.strip(" -_."):
            return server, found, metric.replace("-", "_")
    words = words_of(stem)
    for begin in range(1, len(words) - 2):
        found = meaning_of(" ".join(words[begin : begin + 2]))  # ec2_cpu_utilization_24ae8d
        if isinstance(found, Meaning) and metrics.is_percent(found.metric):
            certain = found.certain or bool(_AWS & set(words))
            return None, replace(found, certain=certain), " ".join(words[begin : begin + 2])
    return None


# CloudWatch's CPUUtilization is always percent.
_AWS = {"ec2", "rds", "ecs", "elasticache", "aws"}


def stem(name: str) -> str:
    """A file's name without folders and endings."""
    name = name.rsplit("/", 1)[-1]
    return FILE_ENDING.sub("", name) or name


def undated(name: str) -> str:
    """A file's name without endings, and without the day at its end or beginning: exports of several days are alike."""
    return _DATED.sub("", stem(name)) or stem(name)


def folder_of(file: str) -> str:
    """The folder that can be a server, if there is one."""
    return _folder(file.split("/")[:-1])


def _folder(folders: list[str]) -> str:
    """The nearest folder that can be a server: neither a date nor a metric nor a word for data."""
    for folder in reversed(folders):
        plain = _DATE.sub("", folder).strip(" -_")
        found = meaning_of(plain)
        metric = isinstance(found, Meaning) or (isinstance(found, Unclear) and not re.search(r"\d", plain))
        if plain and plain.casefold() not in _SAYS_NOTHING and not metric and not plain.isdigit():
            return folder
    return ""
