"""What the names of metrics mean: headings, cells of a metric column, names of files.

A name is split into words (``CPUUtilization``, ``cpu_util [%]`` and ``cpu|utilization`` are the same two), and every
one of them must be understood: what is left over, such as *load*, *time* or *ready*, makes it another thing than a
utilization. Names that tools define otherwise than their words say are listed one by one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from headroom.core import metrics
from headroom.intake.words.brackets import in_brackets, without_brackets
from headroom.intake.words.units import factor, unit_of, wanted


@dataclass(frozen=True)
class Meaning:
    """How a number becomes a sample: ``metric`` = ``factor`` × number, or 100 minus that for what is free.

    ``certain`` says that the unit was named, and not only supposed. ``statistic`` is what the name says that the
    number is of its interval (``avg``, ``max``, ``min``, ``p95``, …); ``entity`` the part of the server.
    """

    metric: str
    factor: float = 1.0
    free: bool = False
    certain: bool = False
    statistic: str = ""
    entity: str = ""


@dataclass(frozen=True)
class Unclear:
    """A name that speaks of one of our metrics, but not of a value that we could store; ``reason`` is a sentence."""

    metric: str
    reason: str


_RESOURCE = {
    "cpu": "cpu processor prozessor processeur procesador processador цп процессор процессора",
    "memory": "memory mem ram arbeitsspeicher speicher memoria memória mémoire geheugen pamięci paměti minne bellek "
              "память памяти",
    "disk": "disk filesystem fs volume storage drive diskspace speicherplatz festplatte festplatten datenträger disque "
            "disco schijf dysku disku диск диска",
    "network": "network net netzwerk réseau rede rete netwerk nätverk",
}  # fmt: skip
_RESOURCE_OF = {word: resource for resource, words in _RESOURCE.items() for word in words.split()}
_UTILIZATION_WORDS = """
    utilization utilisation util usage used inuse active auslastung nutzung belegt belegung uso usado usada utilización
    utilização utilizada utilizado utilizzo utilizzato utilizzata utilisé utilisée gebruik użycie využití användning
    kullanımı использование загрузка
"""
_UTILIZATION = set(_UTILIZATION_WORDS.split())
_FREE_WORDS = """
    idle free available avail usable unused libre libres frei freier leerlauf disponible disponibile livre libero vrij
"""
_FREE = set(_FREE_WORDS.split())
_PERCENT = {"percent", "pct", "percentage", "perc", "prozent"}
_SHARE = {"ratio", "share", "fraction"}
_STATISTIC = {"avg": "avg", "average": "avg", "mean": "avg", "mittelwert": "avg", "durchschnitt": "avg",
              "moyenne": "avg", "promedio": "avg", "平均": "avg", "最大": "max", "最小": "min",
              "max": "max", "maximum": "max", "peak": "max", "min": "min", "minimum": "min", "p95": "p95",
              "p99": "p99", "p90": "p90", "p50": "p50", "median": "p50", "sum": "sum"}  # fmt: skip
_IN_WORDS = """
    in rx received receive recv incoming inbound ingress eingehend eingehende empfangen entrant entrante recibido
    recibidos reçu reçus ricevuti entrada ontvangen inkommande
"""
_IN = set(_IN_WORDS.split())
_OUT_WORDS = """
    out tx sent send transmitted transmit outgoing outbound egress ausgehend ausgehende gesendet sortant saliente
    enviado enviados envoyé envoyés inviati saída verzonden utgående
"""
_OUT = set(_OUT_WORDS.split())
# Words that say of which part of the time or the memory a number is, and those that do so only under headings that ask
# for it (a team may be called system, a city Nice).
OF_A_PART = set(["idle", "iowait", "steal", "softirq", "irq", "cached", "buffered", "buffers"])
_OF_A_PART_IF_ASKED_WORDS = """
    user system kernel guest nice interrupt privileged dpc wait free available avail
"""
OF_A_PART_IF_ASKED = set(_OF_A_PART_IF_ASKED_WORDS.split())
# They change nothing: whose value it is, or what kind of share.
_PERCENT_NOISE = {"node", "host", "vm", "server", "instance", "space", "in", "use", "total"}
_FILLERS = set(["de", "da", "do", "di", "des", "du", "del", "la", "le", "of", "und"])
_NETWORK_NOISE_WORDS = """
    traffic throughput rate bandwidth data interface node host vm server total
"""
_NETWORK_NOISE = set(_NETWORK_NOISE_WORDS.split())
_CONTRACT_NETWORK = re.compile(
    r"(?:(p95|avg|average|mean)_?)?net(?:work)?_?(in|out)(?:_?(p95|avg|average|mean)|_?mb_?s|_?mb_?sec|_?mb_?per_?s(?:ec"
    r"(?:ond)?)?)*"
)
# Small letters say bits to some and bytes to others, unless the name says bits.
_BITS_PER_SECOND = re.compile(r"([kKMG]?)(?:bps|b/s)")
_BITS_OR_BYTES = re.compile(r"[kKmMgG]?b(?:ps|/s|/sec)")
_MOUNT = re.compile(r"(?<![\w.|:\\/])(/[\w./-]*|[A-Z]:\\?)(?=$|[\s\[(])")
_MOUNT_IN_BRACKETS = re.compile(r"[\[(]\s*(/[\w./-]*|[A-Z]:\\?)\s*[\])]")
_DATADOG = re.compile(r"(avg|max|min|sum):([\w.]+)\{[^{}]*\}(?: by \{[^{}]*\})?")
_REST = re.compile(r"\(?(100|1) ?- ?([A-Za-z(].*?)\)?")  # (100 - system.cpu.idle)
_FUNCTION = re.compile(r"(avg|average|mean|max|min)\(([^()]*)\)", re.IGNORECASE)  # of SQL
_CARD = re.compile(r"(?<![A-Za-z0-9])((?:eth|ens|eno|enp|em|bond|team|vmnic|wlan)\d+(?:[a-z]\d+)*)(?![A-Za-z0-9])")

# Names whose meaning is defined by a tool: (metric, unit, free). Folded to lower case.
_BY_TOOL: Mapping[str, tuple[str, str, bool]] = {
    "cpuutilization": ("cpu", "%", False),  # CloudWatch, AWS/EC2
    "percentage cpu": ("cpu", "%", False),  # Azure Monitor
    "aws.ec2.cpuutilization": ("cpu", "%", False),  # the same at Datadog
    "aws.rds.cpuutilization": ("cpu", "%", False),
    "azure.vm.percentage_cpu": ("cpu", "%", False),
    "system.cpu.idle": ("cpu", "%", True),  # Datadog
    "system.mem.pct_usable": ("memory", "ratio", True),
    "system.disk.in_use": ("disk", "ratio", False),
    "compute.googleapis.com/instance/cpu/utilization": ("cpu", "ratio", False),  # Google Cloud Monitoring
    "cloudsql.googleapis.com/database/cpu/utilization": ("cpu", "ratio", False),
    "cloudsql.googleapis.com/database/memory/utilization": ("memory", "ratio", False),
    "cloudsql.googleapis.com/database/disk/utilization": ("disk", "ratio", False),
    "agent.googleapis.com/memory/percent_used used": ("memory", "%", False),  # type and state
    "agent.googleapis.com/disk/percent_used used": ("disk", "%", False),
    "kubernetes.io/node/cpu/allocatable_utilization": ("cpu", "ratio", False),
    "kubernetes.io/node/memory/allocatable_utilization": ("memory", "ratio", False),
    "instance:node_cpu_utilisation:rate1m": ("cpu", "ratio", False),  # recording rules of node-mixin
    "instance:node_cpu_utilisation:rate5m": ("cpu", "ratio", False),
    "instance:node_memory_utilisation:ratio": ("memory", "ratio", False),
    "system.cpu.util[,idle]": ("cpu", "%", True),  # Zabbix
    "system.cpu.util[all,idle]": ("cpu", "%", True),
    "system.cpu.util[all,idle,avg1]": ("cpu", "%", True),
    "system.cpu.util[,idle,avg1]": ("cpu", "%", True),
    "system.cpu.util[,idle,avg5]": ("cpu", "%", True),
    "system.cpu.util[,idle,avg15]": ("cpu", "%", True),
    "system.cpu.util[all,idle,avg5]": ("cpu", "%", True),
    "system.cpu.util[all,idle,avg15]": ("cpu", "%", True),
    "vm.memory.size[pused]": ("memory", "%", False),
    "vm.memory.size[pavailable]": ("memory", "%", True),
    "vm.memory.utilization": ("memory", "%", False),
    "builtin:host.cpu.usage": ("cpu", "%", False),  # Dynatrace
    "builtin:host.cpu.idle": ("cpu", "%", True),
    "builtin:host.mem.usage": ("memory", "%", False),
    "builtin:host.disk.usedpct": ("disk", "%", False),
    "builtin:host.disk.free": ("disk", "%", True),
    "system.cpu.total.norm.pct": ("cpu", "ratio", False),  # Elastic's beats
    "system.memory.actual.used.pct": ("memory", "ratio", False),
    "system.filesystem.used.pct": ("disk", "ratio", False),
    "system.cpu.utilization idle": ("cpu", "ratio", True),  # OpenTelemetry: name and state
    "system.memory.utilization used": ("memory", "ratio", False),
    "system.filesystem.utilization": ("disk", "ratio", False),
    "pctidle": ("cpu", "%", True),  # Splunk's add-on for Unix
    "traffic in (speed)": ("network_in", "B/s", False),  # PRTG
    "traffic out (speed)": ("network_out", "B/s", False),
    "cpu.usage.average": ("cpu", "%", False),  # vSphere; disk.usage.average is in KBps
    "mem.usage.average": ("memory", "%", False),
    "cpu|usage_average": ("cpu", "%", False),  # vRealize Operations
    "mem|usage_average": ("memory", "%", False),
    "net.received.average": ("network_in", "KBps", False),
    "net.transmitted.average": ("network_out", "KBps", False),
    "cpu usage_idle": ("cpu", "%", True),  # Telegraf: measurement and field
    "cpu usage_active": ("cpu", "%", False),
    "mem used_percent": ("memory", "%", False),
    "mem available_percent": ("memory", "%", True),
    "disk used_percent": ("disk", "%", False),
    "win_cpu percent_processor_time": ("cpu", "%", False),
    "win_cpu percent_idle_time": ("cpu", "%", True),
    "win_disk percent_free_space": ("disk", "%", True),
    "cpu percent-idle": ("cpu", "%", True),  # collectd: plugin and type
    "cpu percent-active": ("cpu", "%", False),
    "memory percent-used": ("memory", "%", False),
    "interface if_octets rx": ("network_in", "B/s", False),
    "interface if_octets tx": ("network_out", "B/s", False),
    "df percent_bytes-used": ("disk", "%", False),
    "df percent_bytes-free": ("disk", "%", True),
    "receivebytespersecond": ("network_in", "B/s", False),  # New Relic
    "transmitbytespersecond": ("network_out", "B/s", False),
    "rxkb/s": ("network_in", "KiB/s", False),  # sysstat: its kB are 1,024 bytes
    "txkb/s": ("network_out", "KiB/s", False),
    "cpu %idle": ("cpu", "%", True),  # sysstat: activity and column
    "memory %memused": ("memory", "%", False),
    "filesystem %fsused": ("disk", "%", False),
    "processor\\% processor time": ("cpu", "%", False),  # Windows
    "processor\\% idle time": ("cpu", "%", True),
    "processor information\\% processor time": ("cpu", "%", False),
    "processor information\\% idle time": ("cpu", "%", True),
    "logicaldisk\\% free space": ("disk", "%", True),
    "logical disk\\% free space": ("disk", "%", True),
    "logical disk\\% used space": ("disk", "%", False),
    "logicaldisk freespacepercentage": ("disk", "%", True),
    "logicaldisk % free space": ("disk", "%", True),  # of CloudWatch's agent
    "processor % processor time": ("cpu", "%", False),
    "processor % idle time": ("cpu", "%", True),
    "network interface\\bytes received/sec": ("network_in", "B/s", False),
    "network interface\\bytes sent/sec": ("network_out", "B/s", False),
    "bytes received/sec": ("network_in", "B/s", False),
    "bytes sent/sec": ("network_out", "B/s", False),
    "prozessor\\prozessorzeit (%)": ("cpu", "%", False),  # the same in other languages
    "prozessorinformationen\\prozessorzeit (%)": ("cpu", "%", False),
    "logischer datenträger\\freier speicherplatz (%)": ("disk", "%", True),
    "netzwerkschnittstelle\\empfangene bytes/s": ("network_in", "B/s", False),
    "netzwerkschnittstelle\\gesendete bytes/s": ("network_out", "B/s", False),
    "processeur\\% temps processeur": ("cpu", "%", False),
    "informations sur le processeur\\% temps processeur": ("cpu", "%", False),
    "interface réseau\\octets reçus/s": ("network_in", "B/s", False),
    "interface réseau\\octets envoyés/s": ("network_out", "B/s", False),
    "procesador\\% de tiempo de procesador": ("cpu", "%", False),
    "processore\\% tempo processore": ("cpu", "%", False),
    "processador\\% tempo de processador": ("cpu", "%", False),
}
# Names that fit by their words and are something else.
_NOT_BY_TOOL = {
    "disk.usage.average": ("disk", "is the disk's throughput in KBps, and not how full it is"),
    "disk|usage_average": ("disk", "is the disk's throughput in KBps, and not how full it is"),
    "system.cpu.util": ("cpu", "is the time of user processes only, or all, depending on the item"),
    "disk_util": ("disk", "is the time that a disk is busy to some tools, and how full it is to others"),
    "disk util": ("disk", "is the time that a disk is busy to some tools, and how full it is to others"),
    "diskutilizationpercent": ("disk", "is the time that disks are busy (New Relic), and not how full they are"),
    "avgload": ("cpu", "may be the CPU's in percent (SolarWinds) or a number of processes: map it if it is in percent"),
    "average load": ("cpu", "may be the CPU's in percent or a number of processes: map it if it is in percent"),
    "ifinoctets": ("network_in", "counts what came since a start: export its rate in MB/s"),
    "ifoutoctets": ("network_out", "counts what went since a start: export its rate in MB/s"),
    "ifhcinoctets": ("network_in", "counts what came since a start: export its rate in MB/s"),
    "ifhcoutoctets": ("network_out", "counts what went since a start: export its rate in MB/s"),
    "%util": ("disk", "is the time that a disk is busy, and not how full it is"),
}


def meaning_of(name: str, unit: str = "") -> Meaning | Unclear | None:
    """What a metric's name says, with the unit that a unit column or row gives; ``None`` if it is not about ours."""
    name = " ".join(name.replace("\\_", "_").split())
    if (own := _own(name, unit)) is not None:
        return own
    if rest := _REST.fullmatch(name):
        return _rest_of(meaning_of(rest[2], unit), int(rest[1]))
    query = _DATADOG.fullmatch(name) or _FUNCTION.fullmatch(name)
    if query:
        found = meaning_of(query[2], unit)
        return replace(found, statistic=_STATISTIC[query[1].casefold()]) if isinstance(found, Meaning) else found
    mount = _MOUNT_IN_BRACKETS.search(name) or _MOUNT.search(without_brackets(name))
    found = _by_words(name, name[: mount.start()] + name[mount.end() :] if mount else name, unit)
    if isinstance(found, Meaning) and mount and found.metric == "disk":
        return replace(found, entity=mount[1])
    if not isinstance(found, Meaning) and (card := _CARD.search(name)):
        of_card = _by_words(name, f"network {name[: card.start()]} {name[card.end() :]}", unit)
        if of_card is not None and of_card.metric in ("network_in", "network_out"):
            return replace(of_card, entity=card[1]) if isinstance(of_card, Meaning) else of_card
    return found


def _rest_of(found: Meaning | Unclear | None, whole: int) -> Meaning | Unclear | None:
    """What a whole, 100 or 1, leaves of a value: of what is idle, what is used."""
    if not isinstance(found, Meaning):
        return found
    if not metrics.is_percent(found.metric) or found.factor != 100 / whole:
        return Unclear(found.metric, f"is what {whole} leaves of a value in another unit")
    return replace(found, free=not found.free)


def _own(name: str, unit: str) -> Meaning | Unclear | None:
    """What a name says that a metric of the dataset's own has, or the capacity of one."""
    known = _own_names()
    if not known:
        return None
    brackets = in_brackets(name)
    words = words_of(without_brackets(name))
    statistics = [_STATISTIC[word] for word in words if word in _STATISTIC]
    metric = known.get(tuple(words))
    if metric is not None:
        statistics = []
    else:
        metric = known.get(tuple(word for word in words if word not in _STATISTIC))
    metric = metric or known.get((name.casefold(),))
    if metric is None:
        return None
    statistics += [statistic for one in brackets if (statistic := statistic_of(one))]
    said = [unit] if unit.strip() else [one for one in brackets if not statistic_of(one)]
    return _with_unit(metric, said, _is_free(metric), statistics[0] if statistics else "")


def _own_names() -> dict[tuple[str, ...], str]:
    """The words of each name that the dataset's own metrics and their capacities go by."""
    found: dict[tuple[str, ...], str] = {}
    for one in metrics.own():
        for name in (one.name, one.label, *one.names):
            found[tuple(words_of(name))] = found[(name.casefold(),)] = one.name
    for one in metrics.own():
        if one.capacity_column and one.capacity_series:
            for name in (one.capacity_column, one.capacity_series):
                found[tuple(words_of(name))] = found[(name.casefold(),)] = one.capacity_series
    return found


def _is_free(metric: str) -> bool:
    """Whether a number is to be taken from a capacity that is one number; others are known when samples are merged."""
    meant = metrics.of_column(metric)
    return meant.free and meant.capacity is not None and metric == meant.name


def _by_words(name: str, rest: str, unit: str) -> Meaning | Unclear | None:
    folded = name.casefold()
    if folded in _NOT_BY_TOOL and not (unit and unit_of(unit) and factor(_NOT_BY_TOOL[folded][0], unit)):
        metric, reason = _NOT_BY_TOOL[folded]
        return Unclear(metric, reason)
    if folded in _BY_TOOL:
        metric, said, free = _BY_TOOL[folded]
        return _with_unit(metric, [unit] if unit.strip() else [said], free, "")
    if found := re.fullmatch(r"vfs\.fs\.(?:dependent\.)?size\[(.+),(pused|pfree)\]", name, re.IGNORECASE):
        return Meaning("disk", free=found[2].lower() == "pfree", certain=True, entity=found[1].strip().strip('"'))
    words = words_of(without_brackets(rest))
    statistics = [_STATISTIC[word] for word in words if word in _STATISTIC]
    units = [unit] if unit.strip() else []
    unknown = []
    for bracket in in_brackets(rest):
        if said := statistic_of(bracket):
            statistics.append(said)
        elif unit_of(bracket):
            units.append(bracket)
        else:
            unknown.append(bracket)
    words = [word for word in words if word not in _STATISTIC]
    resources = list(dict.fromkeys(_RESOURCE_OF[word] for word in words if word in _RESOURCE_OF))
    if len(resources) != 1:
        return None
    resource, others = resources[0], [word for word in words if word not in _RESOURCE_OF]
    statistic = statistics[0] if statistics else ""
    if resource == "network":
        return _network(name, others, units, unknown, statistic)
    if set(others) & _PERCENT and not folded.endswith(".pct"):
        units.append("%")
    if set(others) & _SHARE:
        units.append("ratio")
    free = bool(set(others) & _FREE)
    if others == ["load"] or (set(others) - _PERCENT == {"load"} and units):
        # SolarWinds and PRTG call the percentage so; without a percent sign it is a number of processes.
        others = others if not units or resource != "cpu" else []
    if resource == "cpu":
        others = [word for word in others if word != "busy"]  # of a disk it is a time
    strange = [
        word
        for word in others
        if word not in _UTILIZATION | _FREE | _PERCENT | _SHARE | _PERCENT_NOISE | _FILLERS
        or (word == "total" and not units)
    ]
    if strange or unknown:
        return Unclear(resource, f"is not known to be a utilization ({', '.join(strange + unknown)})")
    if len(set(statistics)) > 1:
        return Unclear(resource, "names several statistics")
    only_used = "used" in others and not set(others) & (_UTILIZATION - {"used"})
    if not units and resource != "cpu" and (free or only_used):
        return Unclear(resource, "could be bytes: say the unit, such as [%] in its heading or under `units`")
    if resource == "memory" and "active" in others:
        return Unclear(resource, "is what was touched lately, and not all that is used")
    if resource == "disk" and set(others) & {"active", "idle"}:
        return Unclear(resource, "is the time that a disk is busy")
    if "disk" in words and "util" in others and not unit.strip() and not set(others) & {"space", "used", "usage"}:
        return Unclear(resource, _NOT_BY_TOOL["disk util"][1])
    return _with_unit(resource, units, free, statistic)


def _network(
    name: str, words: list[str], units: list[str], unknown: list[str], statistic: str
) -> Meaning | Unclear | None:
    directions = {"network_in" for word in words if word in _IN} | {"network_out" for word in words if word in _OUT}
    if len(directions) != 1:
        return None
    metric = directions.pop()
    strange = [word for word in words if word not in _IN | _OUT | _NETWORK_NOISE]
    if "bits" in strange and len(units) == 1 and (pace := _BITS_PER_SECOND.fullmatch(units[0])):
        units, strange = [f"{pace[1]}bit/s"], [word for word in strange if word != "bits"]  # Zabbix
    plain = name.replace(" ", "_") if units or "[" in name else name
    if not units and not unknown and _CONTRACT_NETWORK.fullmatch(plain.casefold() if "_" in name else plain):
        return Meaning(metric, certain="mb" in plain.casefold(), statistic=statistic)
    if strange and not units and unit_of(said := _written_unit(strange)):
        units, strange = [said], []
    if strange or unknown:
        return Unclear(metric, f"is not known to be a rate in MB/s ({', '.join(strange + unknown)})")
    if not units:
        return Unclear(metric, "has no unit: bytes of what period? Say it as in [MB/s] in the heading or under `units`")
    return _with_unit(metric, units, False, statistic)


def _written_unit(words: list[str]) -> str:
    """``bytes per sec`` of a heading's words, as a unit; abbreviations in small letters could be bits as well."""
    return re.sub(r"^(\w*bytes) (?:per )?(s|sec|second)$", r"\1/\2", " ".join(words))


def _with_unit(metric: str, units: list[str], free: bool, statistic: str) -> Meaning | Unclear:
    factors = set()
    for unit in units:
        found = factor(metric, unit)
        if found is None and _BITS_OR_BYTES.fullmatch(unit):
            return Unclear(
                metric,
                f"is in {unit!r}, which says bits to some and bytes to others: say Mbit/s or MB/s (kbit/s, kB/s, …) in "
                "its heading or under `units`",
            )
        if found is None:
            return Unclear(metric, f"is in {unit!r}, of which Headroom cannot make {wanted(metric)}")
        factors.add(found)
    if len(factors) > 1:
        return Unclear(metric, f"has contradictory units ({', '.join(units)})")
    return Meaning(metric, factors.pop() if factors else 1.0, free, bool(units), statistic)


def says_a_usage(name: str) -> bool:
    """Whether a metric's name says so by more than what it is of (``cpu-usage``, unlike ``cpu`` and ``cpu-node``)."""
    return bool(set(words_of(name)) & (_UTILIZATION | _FREE | _PERCENT))


def statistic_of(word: str) -> str:
    """What a word says that a number is of its interval (``avg``, ``max``, ``p95``, …), or nothing."""
    return _STATISTIC.get(word.casefold(), "")


def says_something(word: str) -> bool:
    """Whether a single word is one of those that metrics' names are made of."""
    known = {*_RESOURCE_OF, *_UTILIZATION, *_FREE, *_PERCENT, *_SHARE, *_STATISTIC, *_IN, *_OUT, *_NETWORK_NOISE}
    return word.casefold() in known | _PERCENT_NOISE or unit_of(word) is not None


def words_of(name: str) -> list[str]:
    """A name's words in lower case: split at punctuation and within camel case; ``%`` is the word percent."""
    name = re.sub(r"(?<=[a-zà-ÿ0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name.replace("%", " percent "))
    name = _COMPOUND.sub(r"\1 \2", name.casefold())
    if not name.isascii():
        for written, word in _WITHOUT_BLANKS.items():
            name = name.replace(written, f" {word} ")
    return [_JOINED.get(word, word) for word in re.split(r"[\W_]+", name) if word]


# Words that people write as one.
_JOINED = {"cpupercent": "cpu", "networkin": "network"}
# German, Dutch and Swedish put nouns together; Japanese and Chinese have no blanks.
_COMPOUND = re.compile(r"(?<=\b)(\w{3,}?)s?(auslastung|nutzung|belegung|gebruik|användning)\b")
_WITHOUT_BLANKS = {
    "使用率": "utilization", "利用率": "utilization", "メモリ": "memory", "ディスク": "disk", "内存": "memory",
    "磁盘": "disk", "平均": "avg", "最大": "max", "最小": "min",
}  # fmt: skip


def of_metric(metric: str, unit: str = "") -> Meaning | Unclear:
    """A number of a metric that is known, in a unit or, without one, in ours; ``Unclear`` if the unit does not fit."""
    return _with_unit(metric, [unit] if unit.strip() else [], _is_free(metric), "")


def with_said(found: Meaning, unit: str, said: str) -> Meaning | Unclear:
    """The meaning with the unit of its row or cell, else with the one that the settings say of its metric.

    What the settings say of the metric must not contradict what the name says itself: it was meant for other files.
    """
    if unit or not said:
        return in_unit(found, unit) if unit else found
    in_settings = in_unit(found, said)
    if found.certain and isinstance(in_settings, Meaning) and in_settings.factor != found.factor:
        return Unclear(
            found.metric,
            f"says its unit, and `units` in the settings another one of all {found.metric} ({said}): give the unit "
            "there to the heading or name for which it holds, or under `sources`",
        )
    return in_settings


def in_unit(found: Meaning, unit: str) -> Meaning | Unclear:
    """The same meaning with its numbers in a unit given elsewhere than in the name; ``Unclear`` if it does not fit."""
    said = of_metric(found.metric, unit)
    return replace(found, factor=said.factor, certain=said.certain) if isinstance(said, Meaning) else said
