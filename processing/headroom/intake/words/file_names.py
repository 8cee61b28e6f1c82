"""What files' names and folders say: which server a file is about, and which metric.

Only asked where a file's content says nothing of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from headroom.core import metrics
from headroom.intake.words.meaning import Meaning, Unclear, meaning_of, says_a_usage, statistic_of, words_of
from headroom.intake.words.server_names import server_in, server_of_folder, without_periods
from headroom.intake.words.units import unit_of

FILE_ENDING = re.compile(r"(\.(csv|tsv|txt|json|jsonl|ndjson|log|gz|parquet|pq|snappy|zstd))+$", re.IGNORECASE)
_GRAFANA = re.compile(r"(.*?)-data(?:-as-\w+)?(?=-\d{4}|$)")


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
    plain = without_periods(whole_name)
    whole = meaning_of(plain)
    if whole is not None and not (isinstance(whole, Unclear) and _part(plain)):
        # cpu-node-7 may well be a server, of which the file's content says more.
        named = isinstance(whole, Unclear) and re.search(r"\d", plain)
        return FileName(server_in(whole_name) if named else _folder(folders), whole, plain)
    if part := _part(plain):
        server, meaning, text = part
        return FileName(
            (server_in(whole_name) if server is None else server_in(server)) or _folder(folders), meaning, text
        )
    if whole_name.isdigit() and folders and (folders[-1].isdigit() or "=" in folders[-1]) and _folder(folders):
        return FileName(_folder(folders), None)  # 2024/01/31.csv
    by_folder = meaning_of(folders[-1].removeprefix("metric=")) if folders else None
    found = by_folder if isinstance(by_folder, Meaning) else None
    if found and set(words_of(plain)) & _OF_METRICS:
        return FileName("", None)  # cpu/percent-idle
    return FileName(server_in(whole_name) or _folder(folders), found, folders[-1] if found else "")


def _part(stem: str) -> tuple[str | None, Meaning | Unclear, str] | None:
    """The metric at one end of a name and the server at the other; ``None`` for the server if it is in the midst.

    The last is the text that says the metric.
    """
    ends = [(stem[: mark.start()], stem[mark.end() :], -1) for mark in re.finditer(r"[-_. ]", stem)]
    # A hyphen is part of many servers' names (cpu-node-7): in front of one stands a metric that says more than this.
    ends += [
        (stem[mark.end() :], stem[: mark.start()], 0)
        for mark in re.finditer(r"[-_. ]", stem)
        if (mark[0] != "-" or says_a_usage(stem[: mark.start()])) and not _goes_on(stem[mark.end() :])
    ]
    for server, metric, beside in ends:
        found = meaning_of(metric.replace("-", "_"))
        if isinstance(found, Meaning) and server.strip(" -_.") and not _of_another(server, beside, found):
            return server.strip(" -_."), found, metric.replace("-", "_")
    words = words_of(stem)
    for begin in range(1, len(words) - 2):
        found = meaning_of(" ".join(words[begin : begin + 2]))  # ec2_cpu_utilization_24ae8d
        if isinstance(found, Meaning) and metrics.is_percent(found.metric) and words[begin + 2] not in _OF_METRICS:
            certain = found.certain or bool(_AWS & set(words))
            return None, replace(found, certain=certain), " ".join(words[begin : begin + 2])
    return None


def _goes_on(rest: str) -> bool:
    """Whether the word behind a metric belongs to the metric, and not to a server (``cpu_usage_max_web-1``)."""
    word = re.split(r"[-_. ]", rest)[0].casefold()
    unit = len(word) > 1 and unit_of(word) is not None
    return word in _OF_METRICS or says_a_usage(word) or bool(statistic_of(word)) or unit


# What such a word stands beside in a file's name is another metric (``cpu_steal``), and the word no server.
_OF_METRICS_WORDS = """
    user usr sys system kernel nice steal stolen guest idle iowait wait io irq softirq interrupt interrupts dpc
    privileged load load1 load5 load15 queue ready costop busy temp temperature fan power voltage freq mhz speed clock
    frequency cores core count threads process processes limit limits request requests reserved reservation quota
    throttled throttling credit credits balance swap swapped cache cached buffer buffers slab shared committed commit
    dirty pressure fault faults page pages paging error errors drop drops dropped retransmits packets connections
    sessions read reads write writes iops latency time seconds response inode inodes health wear size total
    capacity bandwidth throughput context switches heap gc jvm gpu per
"""
_OF_METRICS = frozenset(_OF_METRICS_WORDS.split())


def _of_another(server: str, beside: int, found: Meaning) -> bool:
    """Whether the word of a server's name beside a metric belongs to another one (``web-1_cpu`` of
    ``web-1_cpu_memory``, ``steal`` of ``cpu_steal``): the first or the last, as ``beside`` is 0 or -1."""
    words = [word for word in re.split(r"[_ .]+", server) if word]
    if not words or words[beside].casefold() in _OF_METRICS:
        return True
    one = meaning_of(words[beside]) if len(words) > 1 else None
    return isinstance(one, Meaning) and one.metric != found.metric


# CloudWatch's CPUUtilization is always percent.
_AWS = {"ec2", "rds", "ecs", "elasticache", "aws"}


def stem(name: str) -> str:
    """A file's name without folders and endings."""
    name = name.rsplit("/", 1)[-1]
    return FILE_ENDING.sub("", name) or name


def folder_of(file: str) -> str:
    """The folder that can be a server, if there is one."""
    return _folder(file.split("/")[:-1])


def place_of(file: str) -> str:
    """A file's folders without those of periods and metrics: files of one name in other places are of other servers."""
    folders = [folder for folder in file.split("/")[:-1] if not meaning_of(folder) and without_periods(folder)]
    return "/".join(one for one in folders if not one.isdigit() and ("=" not in one or server_of_folder(one)))


def _folder(folders: list[str]) -> str:
    """The nearest folder that can be a server: neither a date nor a metric nor a word for data."""
    for folder in reversed(folders):
        plain = server_of_folder(folder)
        found = meaning_of(plain)
        metric = isinstance(found, Meaning) or (isinstance(found, Unclear) and not re.search(r"\d", plain))
        if plain and not metric:
            return plain
    return ""
