"""Which server a file or folder is named after, if its name says one.

Periods (``web-1_2024-01-31``), copies and pieces (``web-1 (1)``, ``web-1_part2``) and words that all exports go by
(``web-1_metrics``) are no part of a server's name; a name of nothing else (``2024-01-31``, ``report february``) names
none.
"""

from __future__ import annotations

import re

_YEAR, _MONTH, _DAY = r"(?:19|20)\d\d", r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])"
# A time of day behind a date, and no second date (2024-02-13_2024-02-14).
_CLOCK = (
    rf"(?:(?![T _-]+(?:{_YEAR}[-_.]{_MONTH}|{_DAY}[-_.]{_DAY}[-_.]{_YEAR}))"
    r"[T _-]+\d{1,2}[-_:h.]?\d{2}(?:[-_:.]?\d{2}(?:[.]\d+)?)?(?:Z|[+-]\d{4}(?![-_.]?\d))?)?"
)
_MONTH_NAME = (
    "(?:jan(?:uary?)?|feb(?:ruary?)?|mar(?:ch)?|märz|apr(?:il)?|may|mai|jun[ei]?|jul[yi]?|aug(?:ust)?"
    "|sep(?:t|tember)?|o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?)"
)
_PERIOD = re.compile(
    rf"(?<![A-Za-z0-9])(?:{_YEAR}(?P<a>[-_.]?){_MONTH}(?P=a){_DAY}{_CLOCK}|{_DAY}(?P<b>[-_.]){_DAY}(?P=b){_YEAR}{_CLOCK}"
    rf"|{_YEAR}{_MONTH}{_DAY}\d{{4}}(?:\d\d)?Z?|1[67]\d{{8}}(?:\d{{3}})?"
    rf"|{_YEAR}[-_.]?(?:{_MONTH}|(?<=[-_.])[1-9]|(?:W|KW|CW)\d\d|Q[1-4])|(?:W|KW|CW|Q)\d{{1,2}}[-_]?{_YEAR}"
    # A number before a month may be the server's own, where no blank parts them.
    rf"|(?<=[_ ]){_MONTH}[-.]{_YEAR}"
    rf"|(?i:(?:{_DAY}|(?<=[_ ]){_DAY}[-. ])?{_MONTH_NAME}[-_. ]?{_YEAR}|{_YEAR}[-_. ]?{_MONTH_NAME}(?:[-_. ]?{_DAY})?)"
    r"|(?i:(?:last|past)[-_ ]?\d{1,3}[-_ ]?(?:hours?|days?|weeks?|months?|[hdwm]))"
    r"|(?i:(?<=[-_ ])\d{1,3}[-_ ]?(?:hours|days|weeks|months))"
    r"|(?<=[_ ])(?:(?:12|24|48|72)h|(?:7|14|28|30|31|60|90|365)d))"
    r"(?![A-Za-z0-9])"
)
_COPY = re.compile(
    r"[-_. ]*\(\d{1,3}\)|[-_ ]+(?:copy|kopie)(?: ?\(?\d+\)?)?$|[-_. ]+(?:part|chunk|batch|page|teil)[-_ ]?\d+$",
    re.IGNORECASE,
)
# Words that stand beside a server's name in an export's, and are no part of it.
_OF_EXPORTS_WORDS = """
    data daten export exports report reports metrics metric usage values stats stat statistics history monitoring
    utilization utilisation performance perf output result results measurements messwerte auswertung bericht download
    daily hourly weekly monthly final from to until von bis
"""
_OF_EXPORTS = frozenset(_OF_EXPORTS_WORDS.split())
# Words that by themselves name no server, beside others perhaps one.
_SAYS_NOTHING_WORDS = """
    q query hist grafana render trends trend downloads sheet series timeseries ts file out test csv sample samples
    table monitor perfmon typeperf logman sar sadf sysstat vmstat mpstat iostat top view nrql insights cacti
    cloudwatch collectd datadog elastic graphite influx influxdb kibana munin nagios netdata newrelic prometheus
    prtg solarwinds splunk telegraf zabbix discover dump raw explorer panel dashboard chart graph untitled book
    mappe tabelle blatt new tmp log logs part chunk batch page teil week kw cw w quarter month day days weeks months
    hours hour last past yesterday today fleet servers hosts nodes vms machines instances all overview summary
    infrastructure systems system linux windows prod production staging copy kopie von of from jan feb mar apr may
    jun jul aug sep sept oct nov dec january february march april june july august september october november
    december januar februar märz mai juni juli oktober dezember
    old older bak latest current recent save saved sicherung alt neu version v temp misc unknown default example
    examples demo input incoming upload uploads processed cleaned clean filtered merged combined joined full complete
    partial extract snapshot
"""
# Words that by themselves say nothing either; with a number they may be a machine that does this.
_SAYS_NOTHING_ALONE = frozenset(["backup", "backups", "archive", "archives", "archiv"])
# Keys that surely say a server's name: of partitions (``host=web-1``), and of documents beside their records.
KEYS = ("server", "server_id", "servername", "host", "hostname", "vm", "instance", "instance_id", "computer", "machine",
        "node")  # fmt: skip
_PIECE = re.compile(r"part-\d{4,}")  # Spark's
_SAYS_NOTHING = _OF_EXPORTS | frozenset(_SAYS_NOTHING_WORDS.split())
# Rows and columns below or beside those of servers: what all of them are together.
TOTALS = (
    r"((_|grand |sub|sub-|overall |cluster |fleet )?"
    r"(totals?|averages?|avg|mean|median|sum|summary|max(imum)?|min(imum)?)"
    r"( of)?( all)?( \d+)?( (servers|hosts|nodes|vms|machines|instances))?"
    r"|(all|overall)( \d+)?( (servers|hosts|nodes|vms|machines|instances))?|others?"
    r"|std ?dev|standard deviation|count|(\d\d(th|\.)?|p\d\d)? ?percentile|gesamt(summe|ergebnis|mittel(wert)?)?"
    r"|insgesamt|summe|mittel(wert)?|durchschnitt|moyenne|m[ée]diane|promedio|media|m[ée]dia|totale?|(eind)?totaal"
    r"|(totale?|promedio|moyenne|m[ée]dia) (g[ée]n[ée]rale?|complessivo|geral)"
    r"|gemiddelde|suma( końcowa)?|razem|średnia|medel|totalsumma|hovedtotal|gennemsnitt?|итого|всего|среднее"
    r"|общий итог|合計|総計|平均|总计|平均值|소계|합계|총합계|평균|[σ∑ø])( ?\(\d+\))?:?"
)
# A hyphen may stand within a server's name: behind a number it ends one.
_LAST_WORD = re.compile(r"(.+?)[_ ]+([^_ ]+)|(.*\d)-+([^-_. ]+)")
_FIRST_WORD = re.compile(r"([^_ ]+)[_ ]+(.+)")


def server_in(name: str) -> str:
    """The server that a file's name without its endings, or a folder's, says; nothing where it says none."""
    plain = without_periods(name)
    if says_nothing(plain) or _PIECE.match(plain):
        return ""
    while found := _LAST_WORD.fullmatch(plain):
        rest, word = found[1] or found[3], found[2] or found[4]
        if word.casefold() not in _OF_EXPORTS:
            break
        plain = rest.strip(" -_.")
    while (first := _FIRST_WORD.fullmatch(plain)) and first[1].casefold() in _OF_EXPORTS:
        plain = first[2].strip(" -_.")
    return "" if says_nothing(plain) else plain


def server_of_folder(folder: str) -> str:
    """The server that a folder is named after, also as a partition (``host=web-1``); nothing if there is none."""
    key, is_partition, value = folder.partition("=")
    if is_partition:
        return value if key.casefold() in KEYS else ""
    name = server_in(folder)
    return "" if name.isdigit() else name


def without_periods(name: str) -> str:
    """A name without the dates, weeks and months that its content is of, and without what tells copies and pieces."""
    plain = _COPY.sub("", _PERIOD.sub("", name))
    return plain.strip(" -_.") if plain != name else name


def says_nothing(name: str) -> bool:
    """Whether a name is made of words that all exports go by, perhaps with numbers; a number alone may be a server."""
    words = re.findall(r"[^\W\d_]+|\d+", name.casefold())
    known = [word in _SAYS_NOTHING for word in words]
    if any(known):
        return all(k or word.isdigit() for k, word in zip(known, words, strict=True))
    return set(words) <= _SAYS_NOTHING_ALONE
