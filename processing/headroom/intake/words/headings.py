"""Headings: what each is called in tables of all kinds, and which column of ours one by itself can be.

Case, blanks and marks do not matter; the settings' ``columns`` come first.
"""

from __future__ import annotations

import re
from functools import lru_cache
from unicodedata import normalize

from headroom.core.settings import FileRules
from headroom.intake.words.brackets import without_brackets
from headroom.intake.words.meaning import statistic_of

TEXT_ATTRIBUTES = ("business_unit", "region", "criticality", "instance_type")
NUMBER_ATTRIBUTES = ("vcpus", "memory_gb", "monthly_cost_usd")
ATTRIBUTES = (*TEXT_ATTRIBUTES, *NUMBER_ATTRIBUTES)

ATTRIBUTE_OF = {
    "businessunit": "business_unit", "region": "region", "criticality": "criticality", "instancetype": "instance_type",
    "vcpus": "vcpus", "vcpu": "vcpus", "cpucores": "vcpus", "cpucount": "vcpus", "memorygb": "memory_gb",
    "monthlycostusd": "monthly_cost_usd",
}  # fmt: skip
# The more certain a name, the earlier; of columns in one row of the list, the table's first is taken.
TIMES = [
    "timestamp timestamputc", "time datetime ts ds timeutc datetimeutc utctime utctimestamp utcdatetime timegenerated",
    "clock epoch unixtime unixtimestamp timestampunix timeunix epochtime timestampepoch timeepoch epochms timestampms",
    "collectedat recordedat measuredat sampledat sampletime loggedat eventtime",
    "intervalbreakdown samplingtime collectiontime begintimeseconds begintime summarydate zeitstempel horodatage "
    "fechahora datumuhrzeit dateetheure fechayhora dataeora datahora tijdstip dataiczas zeitpunkt 日時 时间",
    "starttime start intervalstart periodstart",
    "date datum zeit fecha data čas tid tidpunkt zaman время дата",
]  # fmt: skip
SERVERS = [
    "serverid server servername servidor serveur nomduserveur nombredelservidor rechner rechnername "
    "サーバー名 サーバー 主机名 服务器 serwer sunucu сервер",
    "vm vmid vmname virtualmachine virtualmachinename guestname guest", "pod podname",
    "host hostname hostid hosthostname fqdn", "computer computername machine machineid machinename",
    "instance instanceid instancename", "node nodeid nodename nodo knoten",
    "agenthostname beathostname systemname ciname configurationitem managedobject monitoredentity elementname "
    "knotenname caption 主机 ホスト名 サーバ имясервера имяхоста узел "
    "entity entityname resource resourcename displayname name label object objectname system target asset",
    "device deviceid devicename dbinstanceidentifier cacheclusterid servicename autoscalinggroupname",
]  # fmt: skip
METRIC_NAMES = ["metric metricname metricid", "counter countername key statkey itemname parameter", "name"]
VALUES = [
    "value metricvalue countervalue valueavg wert messwert valeur valor valore waarde wartość värde hodnota değer "
    "значение 値 值",
    "average avg mean avgcountervalue avgval avgvalue averagevalue meanvalue valuemean",
]
# Columns that say which statistic a row's value is.
STATISTICS = ("statistic", "statistics", "stat", "stats", "statistictype", "aggregation", "aggregationtype",
              "aggregate", "aggregator", "agg", "aggr", "rollup", "rolluptype", "consolidation", "cf", "function",
              "calculation", "valuetype", "metrictype", "measure", "type", "kind", "quantile",
              "percentile")  # fmt: skip
# Columns that say in which zone a row's time is.
ZONES = ("timezone", "tz", "utcoffset", "gmtoffset", "tzoffset", "timezoneoffset")
UNITS = ["unit units unitname uom metricunit valueunit"]
_ENTITIES_WORDS = """
    entity mount mountpoint path filesystem partition volume drive lun device disk diskname interface ifname nic
    adapter core coreid cpu cpuid cpuindex processor gpu container containername queue instance instancename
    objectinstance dev iface interfacename networkadapter networkinterface driveletter mountedon port
    datastore process processname command cmd program executable pid thread numanode
    socket
"""
ENTITIES = set(_ENTITIES_WORDS.split())
# Parts that go by such names wherever they are: mounts, drives, disks, cards, cores.
PART = re.compile(
    r"/[\w./-]*|[a-z]:[\\/]?|[shv]d[a-z]\d*|xvd[a-z]\d*|nvme\d+n\d+(p\d+)?|dm-\d+|loop\d+|mmcblk\d+(p\d+)?"
    r"|(eth|ens|eno|enp|bond|vmnic|wlan|docker|veth)\d[\w.:]*|lo|(cpu|core|processor)[ _#-]?\d+|\d+(,(\d+|_total))?"
)
# Pods and containers that measure the machine they run on.
EXPORTER = re.compile(r"(?:.*[-_])?(?:node|windows|wmi)[-_]exporter(?:[-_].*)?")
_DISKS = """
    mount mountpoint mountedon path filesystem partition volume drive driveletter lun disk diskname
"""
_CARDS = """
    interface interfacename networkinterface ifname nic adapter networkadapter iface
"""
PARTS_OF = {"disk": set(_DISKS.split()), "network": set(_CARDS.split())}


def role_of(heading: str, rules: FileRules) -> str | None:
    """What a heading is beside the metrics: a canonical column, or ``None``."""
    if (column := mapped(heading, rules)) is not None:
        return column
    name = plain(heading)
    if name in ATTRIBUTE_OF:
        return ATTRIBUTE_OF[name]
    for role, rows in (
        ("timestamp", TIMES),
        ("server_id", SERVERS),
        ("value", VALUES[:1]),
        ("metric", METRIC_NAMES),
    ):
        if any(name in row.split() for row in rows):
            return role
    if name in " ".join(VALUES).split():
        return "value"
    return None


def statistic_under(heading: str, cell: str) -> str:
    """The statistic that a cell says under the heading of a column that tells these apart (``quantile``: 0.99), or
    nothing."""
    name = plain(heading)
    percentile = re.fullmatch(r"p?(\d+(?:\.\d+)?)(?:th|%)?", cell.strip().casefold())
    if percentile and name in ("quantile", "percentile"):
        return f"p{float(percentile[1]) * (100 if name == 'quantile' else 1):g}"
    return statistic_of(cell) if name in STATISTICS else ""


def mapped(heading: str, rules: FileRules) -> str | None:
    """The column that the settings map a heading to; ``None`` where they say nothing of it."""
    wanted = same(heading)
    return next((column for source, column in rules.columns.items() if same(source) == wanted), None)


@lru_cache(4096)  # files of a fleet have the same headings
def same(heading: str) -> str:
    """A heading as it is compared: case and white space do not matter."""
    return " ".join(normalize("NFC", heading).split()).casefold()


@lru_cache(4096)
def plain(heading: str) -> str:
    """A heading without what stands in brackets, blanks and marks, in small letters, and Grafana's ``Value #A`` without
    the query's letter."""
    heading = re.sub(r"^(Value) #[A-Z]{1,2}$", r"\1", normalize("NFC", heading).strip())
    return re.sub(r"[\W_]+", "", without_brackets(heading)).casefold()
