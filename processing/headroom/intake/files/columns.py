"""What the columns of a table are: its time, its server, its metrics, and what tells one row from another.

Everything is decided by headings, the settings' rules, and a few rows that tell labels from numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from headroom.core import metrics
from headroom.core.settings import FileRules
from headroom.intake.unreadable import UnreadableFile
from headroom.intake.words import times
from headroom.intake.words.brackets import in_brackets, without_brackets
from headroom.intake.words.headings import (
    ATTRIBUTE_OF,
    ATTRIBUTES,
    ENTITIES,
    EXPORTER,
    METRIC_NAMES,
    PART,
    PARTS_OF,
    SERVERS,
    TIMES,
    UNITS,
    VALUES,
    mapped,
    plain,
    role_of,
    same,
)
from headroom.intake.words.meaning import (
    OF_A_PART,
    OF_A_PART_IF_ASKED,
    Meaning,
    Unclear,
    meaning_of,
    of_metric,
    statistic_of,
    with_said,
    words_of,
)
from headroom.intake.words.units import RATES_IN_CELLS, Kind, unit_of, wanted

# The row of all parts of a server, all cores, all disks: what says so, and what names no part.
_ALL = ("all", "total", "_total", "_gesamt", "cpu-total", "cpu_total", "cputotal")
WHOLE = (*_ALL, "-1", "", "-", "n/a", "none", "null")

# Several in one server are its parts, where no other column names these.
_PERHAPS_ENTITIES_WORDS = """
    containerid application applicationname app appname component task taskname workload
"""
_PERHAPS_ENTITIES = set(_PERHAPS_ENTITIES_WORDS.split())
_ONLY_LONG = {"name", "key", "parameter", "counter"}
MEASUREMENTS = {"cpu", "mem", "memory", "disk", "diskio", "net", "network", "swap", "system", "kernel", "processor"}
_OF_A_DISK = set(["iops", "read", "reads", "write", "writes", "latency", "await", "tps", "queue", "busy"])
_CPU_OF_A_DISK = {"await", "rawait", "wawait", "svctm", "aqusz", "avgqusz", "tps", "iops", "readiops", "writeiops"}


# Words that may stand beside those of a part of the time or the memory.
_OF_SPACE = {"used", "use", "free", "available", "avail"}  # df says Use%
_BESIDE = set(["cpu", "mem", "memory", "usage", "utilization", "percent", "pct", "time", "processor"])
_ASKING_WORDS = """
    field fieldname type kind item itemname attribute submetric dimension category measure measurename variable property
    component detail name label key stat series subtype metrictype cputype
"""
_ASKING = set(_ASKING_WORDS.split())
_OF_A_QUERY = re.compile(r"^Value #[A-Z]{1,2}$")
_CORE = re.compile(r"(v?cpu|core|processor)[ _#-]?\d{1,3}", re.IGNORECASE)


Shape = Literal["wide", "long", "two-column", "inventory"]
Spread = tuple[str, int, str, str]


@dataclass(frozen=True)
class Columns:
    """A table's columns. ``places`` has the column's number of timestamp, clock (a time of day beside a date),
    server_id, metric, value, unit, attributes and, in wide tables, of the metrics.

    ``spread`` has columns of several parts of one metric (``disk /`` and ``disk /var``): heading, place, part, unit.
    ``meanings`` says how the metrics' numbers are read (for a bare value its one metric), ``entities`` are the columns
    that name a part of a server, ``zone`` is the time zone of the heading, and ``unclear`` has headings that speak of
    a metric and are not read, with the reason.
    """

    shape: Shape
    places: Mapping[str, int]
    meanings: tuple[tuple[str, Meaning], ...]
    entities: tuple[int, ...]
    zone: str | None
    unclear: tuple[tuple[str, str], ...]
    spread: tuple[Spread, ...] = ()


def measures_something(headings: Sequence[str], rules: FileRules) -> int:
    """How many headings are understood if these can be a table's header, else 0."""
    roles = [role_of(heading, rules) for heading in headings]
    if "timestamp" not in roles:
        return 0
    of = _of_parts(headings)
    meanings = [
        role is None and _meaning(heading, rules, of) is not None for heading, role in zip(headings, roles, strict=True)
    ]
    measured = any(meanings) or "value" in roles or any(role in metrics.columns() for role in roles)
    return sum(role is not None for role in roles) + sum(meanings) if measured else 0


def understand(
    headings: Sequence[str], sample: Sequence[Sequence[str]], rules: FileRules, statistic: str,
    named: Meaning | Unclear | None, units: Sequence[str] = (),
) -> Columns:  # fmt: skip
    """The columns of a table with these headings, of which ``sample`` are some rows.

    ``statistic`` is the settings' own, ``named`` what the file's name says of a bare value, ``units`` a row of units.

    Raises:
        UnreadableFile: the table does not say what its numbers are, or could mean several things.
    """
    headings = [heading.strip() for heading in headings]
    places: dict[str, int] = {}
    _place_mapped(headings, rules, places)
    _place_time(places, headings)
    _place_clock(places, headings, sample)
    for place, heading in enumerate(headings):
        attribute = ATTRIBUTE_OF.get(plain(heading))
        if attribute and place not in places.values():
            places.setdefault(attribute, place)
    _refuse_several_queries(headings, rules)
    _place(places, "value", VALUES[:1], headings)
    no_names = _not_names(headings, sample)
    if rules.server is None:
        _place(places, "server_id", SERVERS, headings, skip=no_names | (_ONLY_LONG if "value" in places else set()))
    _place(places, "metric", METRIC_NAMES[: 3 if "value" in places else 2], headings)
    if "metric" in places and "value" not in places:
        _place(places, "value", VALUES[1:], headings)
    if rules.server is None and "server_id" not in places and "metric" not in places:
        _place(places, "server_id", SERVERS, headings, skip=no_names)
    _place(places, "unit", UNITS, headings)
    try:
        zone = times.zone_of_heading(headings[places["timestamp"]], rules.zones)
    except times.UnclearTime as error:
        raise UnreadableFile(str(error)) from error
    _refuse_other_times(headings, sample, places["timestamp"])
    long = "value" in places and "metric" in places
    columns, unclear, spread = ({}, [], []) if long else _metrics(headings, sample, rules, statistic, places, units)
    if long:
        for metric in metrics.columns():
            places.pop(metric, None)
    elif not columns and not spread and "metric" not in places:
        _place(places, "value", VALUES[1:], headings)  # an average, of what the file's name says
    elif columns or spread:
        measured = [*(place for place, _ in columns.values()), *(place for _, place, _, _ in spread)]
        if "value" in places and not any(mapped(headings[place], rules) for place in measured):
            several = [headings[place] for place in measured] + [headings[places["value"]]]
            raise UnreadableFile(f"{_and(several)} could all be the measured value: map the right one under `columns`")
        places.pop("value", None)
        places.pop("metric", None)
        places |= {metric: place for metric, (place, _) in columns.items()}
    shape: Shape = "long" if long else "wide" if columns or spread else "two-column"
    meanings = tuple((metric, meaning) for metric, (_, meaning) in columns.items())
    if shape == "two-column":
        places.pop("metric", None)
        if "value" not in places:
            raise UnreadableFile(_nothing_measured(headings, unclear))
        meanings = (_bare_value(headings[places["value"]], rules, named, statistic),)
        unclear = []
    used = {*places.values(), *(place for _, place, _, _ in spread)}
    entities = [
        place
        for place, heading in enumerate(headings)
        if place not in used
        and (
            mapped(heading, rules) == "entity"
            or (
                plain(heading) in ENTITIES
                and not _of_exporters(sample, place)
                and not _are_measured(sample, place)
                and not re.search(r"[%\[(]", heading)
                and (
                    long
                    or plain(heading).endswith(("id", "index"))
                    or not _meaning(heading, rules)
                    or _has_labels(sample, place)  # no size
                )
            )
        )
    ]
    if not entities:
        entities = [
            place
            for place, heading in enumerate(headings)
            if place not in used and plain(heading) in _PERHAPS_ENTITIES and not _has_numbers(sample, place)
        ]
    read = {metric for metric, _ in meanings}
    told = [
        (heading, reason) for metric, heading, reason in unclear if metric not in read and f"{metric}_in" not in read
    ]
    return Columns(shape, places, meanings, tuple(entities), zone, tuple(told), tuple(spread))


def of_inventory(headings: Sequence[str], rules: FileRules) -> dict[str, int]:
    """The places of server and attributes in a table that describes servers and has no times; else nothing."""
    headings = [heading.strip() for heading in headings]
    places: dict[str, int] = {}
    _place_mapped(headings, rules, places)
    _place_time(places, headings)
    if "timestamp" in places:
        return {}
    for place, heading in enumerate(headings):
        if (attribute := ATTRIBUTE_OF.get(plain(heading))) and place not in places.values():
            places.setdefault(attribute, place)
    _place(places, "server_id", SERVERS, headings)
    found = {column: place for column, place in places.items() if column in ("server_id", *ATTRIBUTES)}
    return found if "server_id" in found and len(found) > 1 else {}


def place_of_time(headings: Sequence[str], rules: FileRules) -> int:
    """Which column is the time, of headings that ``measures_something`` takes for a header."""
    places: dict[str, int] = {}
    _place_mapped(headings, rules, places)
    _place_time(places, headings)
    return places["timestamp"]


def name_of_cell(name: str, unit: str, rules: FileRules) -> Meaning | Unclear | None:
    """What a cell of a metric column means, beside its unit; the settings' ``columns`` come first."""
    column = mapped(name, rules) or mapped(name.rsplit(" ", 1)[-1], rules)
    unit = said_unit(rules, name) or unit
    if column in metrics.columns():
        return of_metric(column, unit or said_unit(rules, column))
    if column is not None:
        return None
    found = meaning_of(name, unit)
    if isinstance(found, Meaning) and not unit:
        return with_said(found, "", said_unit(rules, found.metric))
    return found


def said_unit(rules: FileRules, name: str) -> str:
    """The unit that the settings give to a heading or metric, or nothing."""
    return next((unit for said, unit in rules.units.items() if same(said) == same(name)), "")


def best(candidates: Sequence[tuple[str, Meaning]], statistic: str) -> list[str]:
    """Of several names for one metric those that fit best: more than one of them cannot be told apart.

    A column of the statistic that the settings ask for comes first, then samples and averages; maxima and sums are
    never taken for samples. What is named in percent is surer than a bare name (which may be a size).
    """

    def rank(meaning: Meaning) -> tuple[int, bool, bool]:
        order = {statistic: 0, {"mean": "avg"}.get(statistic, ""): 0, "": 1, "avg": 2}
        return order.get(meaning.statistic, 9), not meaning.certain, meaning.free

    ranks = {name: rank(meaning) for name, meaning in candidates}
    fit = [name for name, place in ranks.items() if place[0] < 9]
    return [name for name in fit if ranks[name] == min(ranks[one] for one in fit)]


def _metrics(
    headings: Sequence[str], sample: Sequence[Sequence[str]], rules: FileRules, statistic: str,
    places: Mapping[str, int], units: Sequence[str],
) -> tuple[dict[str, tuple[int, Meaning]], list[tuple[str, str, str]], list[Spread]]:  # fmt: skip
    """The columns that are metrics, those that speak of one and are not read (metric, heading, reason), and those that
    are a metric's parts."""
    found: dict[str, list[tuple[int, Meaning]]] = {}
    unclear, unknown, rates = [], [], []
    spread: list[Spread] = []
    written: dict[int, str] = {}
    chosen: dict[str, list[tuple[int, Meaning | Unclear]]] = {}
    server = plain(headings[places["server_id"]]) if "server_id" in places else ""
    pods, on_hosts = server in ("pod", "podname"), any(server in row.split() for row in SERVERS[1:3])
    busy = any(plain(heading) in _CPU_OF_A_DISK for heading in headings)
    of = _of_parts(headings)
    for place, heading in enumerate(headings):
        column = mapped(heading, rules)
        unit = units[place].strip() if place < len(units) else ""
        if column in metrics.columns():
            unit = said_unit(rules, heading) or unit or _convertible(heading, column) or said_unit(rules, column)
            chosen.setdefault(column, []).append((place, of_metric(column, unit)))
            continue
        if column is not None or place in places.values():
            continue
        unit = said_unit(rules, heading) or unit or _unit_of_cells(sample, place)
        meaning = _meaning(heading, rules, of, unit)
        if isinstance(meaning, Unclear) and not unit and _are_rates(sample, place):
            meaning = _meaning(heading, rules, of, "MB/s")
        if isinstance(meaning, Meaning):
            if plain(heading) in ENTITIES and _has_labels(sample, place):
                _refuse_odd_numbers(heading, sample, place)
                continue
            if not unit:
                meaning = with_said(meaning, "", said_unit(rules, meaning.metric))
        if isinstance(meaning, Meaning):
            if _are_amounts(cells := list(_written(sample, place))):
                why = f"has amounts such as {cells[0]!r}, of which Headroom cannot make {wanted(meaning.metric)}"
                meaning = Unclear(meaning.metric, why)
            elif pods and not meaning.certain:
                meaning = Unclear(meaning.metric, "of a pod could be cores and bytes as well: say its unit")
            elif on_hosts and set(words_of(heading)) & {"host", "node"}:
                meaning = Unclear(meaning.metric, "is of the host, and the rows are of what runs there")
            elif busy and meaning.metric == "disk" and plain(heading).startswith("diskutil"):
                meaning = Unclear("disk", "stands beside a disk's timings, and so is the time that it is busy")
        if isinstance(meaning, Unclear):
            unclear.append((meaning.metric, heading, meaning.reason))
        elif meaning is not None:
            found.setdefault(meaning.metric, []).append((place, meaning))
            written[place] = unit
        elif _says(heading, unit, "data rate") and _has_numbers(sample, place):
            rates.append(("", heading, "is a data rate, of what is not known: map it if you mean it"))
        elif _says(heading, unit, "share of the whole") and _has_numbers(sample, place):
            unknown.append(("", heading, "is in percent, of what is not known: map it if you mean it"))
    for metric, [(place, meaning), *more] in list(found.items()):
        if more or meaning.certain or not _are_numbers_of_parts(headings[place], sample, place):
            continue
        of_it = next((one for one in headings if metric == "disk" and set(words_of(one)) & _OF_A_DISK), "")
        if unknown or of_it:
            beside = f"{unknown[0][1]!r} is in percent" if unknown else f"{of_it!r} stands beside it"
            unclear.append((metric, headings[place], f"may be its number, as {beside}: map one"))
            del found[metric]
    columns: dict[str, tuple[int, Meaning]] = {}
    for metric, several in chosen.items():
        if len(several) > 1:
            raise UnreadableFile(
                f"{_and([headings[place] for place, _ in several])} are all mapped to {metric}: map one of them. If "
                "they are servers, export one row per server and moment"
            )
        [(place, meant)] = several
        if isinstance(meant, Unclear):
            raise UnreadableFile(f"{headings[place]!r} {meant.reason}")
        columns[metric] = place, meant
    for metric, candidates in found.items():
        if metric in columns:
            continue
        fit = [int(place) for place in best([(str(place), meaning) for place, meaning in candidates], statistic)]
        taken = [(place, meaning) for place, meaning in candidates if place in fit]
        taken = [one for one in taken if _has_numbers(sample, one[0])] or taken  # Processor: Intel Xeon
        parts = [meaning.entity for _, meaning in taken if meaning.entity]
        if len(taken) == 1:
            columns[metric] = taken[0]
        elif not taken:
            shown = _and([headings[place] for place, _ in candidates])
            unclear.append((metric, shown, "is not what was measured on average: map it if you mean it"))
        elif len(set(parts)) == len(taken) and metrics.of_column(metric).parts == "own":
            spread += [(headings[place], place, meaning.entity, written[place]) for place, meaning in taken]
        elif len(parts) > 1:
            shown = _and([headings[place] for place, _ in taken])
            unclear.append(
                (metric, shown, f"are several parts of one server ({', '.join(parts)}): map the one to watch")
            )
        else:
            shown = _and([headings[place] for place, _ in taken])
            unclear.append((metric, shown, f"could all be {metric}: map the right one under `columns`"))
    return columns, unclear + unknown + rates, spread


def _unit_of_cells(sample: Sequence[Sequence[str]], place: int) -> str:
    """Percent where every cell says so."""
    return (
        "%"
        if any(_written(sample, place)) and all(re.fullmatch(r"[\d.,]+ ?%", cell) for cell in _written(sample, place))
        else ""
    )


def _are_rates(sample: Sequence[Sequence[str]], place: int) -> bool:
    """Whether each cell says a rate with a unit of its own, which then counts."""
    found = [re.fullmatch(r"[\d.,]+ ?([A-Za-z]+(?:/s|ps))", cell) for cell in _written(sample, place)]
    return bool(found) and all(rate and rate[1] in RATES_IN_CELLS for rate in found)


def _says(heading: str, unit: str, kind: Kind) -> bool:
    """Whether a heading, or the unit beside it, says a unit of a kind."""
    said = [unit, *in_brackets(heading), *without_brackets(heading).replace("%", " % ").replace("_", " ").split()]
    return any(known.kind == kind for one in said if one and (known := unit_of(one)))


def _bare_value(heading: str, rules: FileRules, named: Meaning | Unclear | None, statistic: str) -> tuple[str, Meaning]:
    """The metric of a column that only says ``value``: what the settings say, or the file's name."""
    said = in_brackets(heading)
    measured = next((known for text in said if (known := statistic_of(text))), "")
    unit = said_unit(rules, heading) or next((text for text in said if not statistic_of(text)), "")
    if rules.metric is not None:
        meaning = of_metric(rules.metric, unit or said_unit(rules, rules.metric))
    elif isinstance(named, Meaning):
        meaning = with_said(named, unit, said_unit(rules, named.metric))
    elif isinstance(named, Unclear):
        meaning = Unclear(named.metric, f"({named.metric}, by the file's name) {named.reason}")
    else:
        raise UnreadableFile(
            f"nothing says what {heading!r} measures: name the metric in a column, in the file's name (web-1_cpu.csv), "
            "or in the settings (metric: cpu, or under `sources` for some files)"
        )
    if isinstance(meaning, Unclear):
        raise UnreadableFile(f"{heading!r} {meaning.reason}")
    if measured:
        meaning = replace(meaning, statistic=measured)
    if not best([("", meaning)], statistic):
        raise UnreadableFile(f"{heading!r} is a {meaning.statistic}, and not what was measured on average")
    return meaning.metric, meaning


def _place_mapped(headings: Sequence[str], rules: FileRules, places: dict[str, int]) -> None:
    for place, heading in enumerate(headings):
        column = mapped(heading, rules)
        if column is None or column in metrics.columns() or column in ("entity", "ignore"):
            continue
        if column in places:
            both = _and([headings[places[column]], heading])
            raise UnreadableFile(f"{both} are both mapped to {column}: map one of them")
        places[column] = place
    # What is not to be read is not to be looked at.
    places |= {f"ignored {place}": place for place, one in enumerate(headings) if mapped(one, rules) == "ignore"}


def _place(
    places: dict[str, int], role: str, rows: Sequence[str], headings: Sequence[str], skip: Sequence[str] | set[str] = ()
) -> None:
    """Give the role to the heading that is surest to have it, unless one has it already."""
    for row in rows:
        aliases = set(row.split()) - set(skip)
        for place, heading in enumerate(headings):
            if role not in places and place not in places.values() and plain(heading) in aliases:
                places[role] = place


def _place_time(places: dict[str, int], headings: Sequence[str]) -> None:
    """Of several times the one that says that it is in UTC: the other is the same moment on a local clock."""
    in_utc = [heading if times.says_utc(heading) else "" for heading in headings]
    _place(places, "timestamp", [" ".join(TIMES)], in_utc)
    _place(places, "timestamp", TIMES, headings)


def _refuse_several_queries(headings: Sequence[str], rules: FileRules) -> None:
    """Grafana's table of several queries calls their values after the queries' letters.

    Raises:
        UnreadableFile: there are several, of which nothing says what they are.
    """
    several = [heading for heading in headings if _OF_A_QUERY.search(heading) and mapped(heading, rules) is None]
    if len(several) > 1:
        raise UnreadableFile(
            f"{_and(several)} are of several queries, and not said to be what: name them in the panel, or map those "
            f"that you mean (columns: {{{several[0]}: cpu}}) and say of the others that they are not (ignore)"
        )


def _not_names(headings: Sequence[str], sample: Sequence[Sequence[str]]) -> set[str]:
    """Headings that could be a server's in another table, but have numbers (netdata's ``guest`` and ``system``; long
    whole ones under ``Name`` are names), or nothing but kinds of measurements (InfluxDB's ``name``) or parts of a
    server (``instance``: ``C:``, ``_Total``), or the pods of exporters."""
    parts = {
        plain(heading)
        for place, heading in enumerate(headings)
        if any(plain(heading) in row.split() for row in (SERVERS[5], *SERVERS[-2:]))
        and (cells := {cell.casefold() for cell in _written(sample, place)})
        and all(cell in WHOLE or PART.fullmatch(cell) for cell in cells)
        and not all(cell.isdigit() for cell in cells)
    }
    exporters = {plain(heading) for place, heading in enumerate(headings) if _of_exporters(sample, place)}
    return (
        parts
        | exporters
        | {
            plain(heading)
            for place, heading in enumerate(headings)
            if any(plain(heading) in row.split() for row in (*SERVERS[-2:], "guest"))
            and any(_written(sample, place))
            and (
                (
                    _has_numbers(sample, place)
                    and not (plain(heading) in ("name", "displayname") and _are_ids(sample, place))
                )
                or all(cell.casefold() in MEASUREMENTS for cell in _written(sample, place))
            )
        }
    )


def _of_exporters(sample: Sequence[Sequence[str]], place: int) -> bool:
    """Whether a column has nothing but pods or containers that measure the machine they run on."""
    return any(_written(sample, place)) and all(EXPORTER.fullmatch(cell) for cell in _written(sample, place))


# As Kubernetes writes amounts.
_AMOUNT = re.compile(r"\d+(\.\d+)?([num]|[KMGTPE]i?|k)")


def _are_measured(sample: Sequence[Sequence[str]], place: int) -> bool:
    """Whether a column has numbers that no core, disk or card is called by: with decimals, or amounts (``1788m``)."""
    cells = list(_written(sample, place))
    decimals = any(re.search(r"\d[.,]\d*[1-9]", cell) for cell in cells) and all(map(is_number, cells))
    return decimals or _are_amounts(cells)


def _are_amounts(cells: Sequence[str]) -> bool:
    return bool(cells) and all(_AMOUNT.fullmatch(cell) or cell == "0" for cell in cells) and set(cells) != {"0"}


def _refuse_other_times(headings: Sequence[str], sample: Sequence[Sequence[str]], time: int) -> None:
    """Of two tables side by side the second has times of its own.

    Raises:
        UnreadableFile: two columns have the heading of the time, and other times.
    """
    for place, heading in enumerate(headings):
        if (
            place > time
            and same(heading) == same(headings[time])
            and any(row[place].strip() != row[time].strip() for row in sample if place < len(row))
        ):
            raise UnreadableFile(
                f"two columns are called {heading!r} and differ, as if two tables stood side by side: send them one "
                "by one"
            )


def _place_clock(places: dict[str, int], headings: Sequence[str], sample: Sequence[Sequence[str]]) -> None:
    """Where date and time of day stand in two columns, both are the timestamp."""
    clocks = [
        place
        for place, heading in enumerate(headings)
        if plain(heading) in (*" ".join(TIMES).split(), "timeofday", "uhrzeit", "hora", "ora", "heure", "hour")
        and (texts := [row[place] for row in sample if place < len(row) and row[place].strip()])
        and all(times.is_clock(text) for text in texts)
    ]
    dates = [
        place for place, heading in enumerate(headings) if plain(heading) in ("date", "datum", "fecha", "data", "day")
    ]
    if places.get("timestamp") in clocks and dates:
        places["timestamp"], places["clock"] = dates[0], clocks[0]
    elif places.get("timestamp") in dates and clocks:
        places["clock"] = clocks[0]


def _has_numbers(sample: Sequence[Sequence[str]], place: int) -> bool:
    """Whether some cell of a column is a number; a column whose cells are all empty may have some further down."""
    return any(is_number(cell) for cell in _written(sample, place)) or not any(_written(sample, place))


def _are_numbers_of_parts(heading: str, sample: Sequence[Sequence[str]], place: int) -> bool:
    """Whether a column may have the numbers of cores or disks: none is as high as most machines' usage."""
    cells = list(_written(sample, place))
    return plain(heading) in ENTITIES and all(re.fullmatch(r"[12]?\d", cell) for cell in cells) and any(cells)


def _are_ids(sample: Sequence[Sequence[str]], place: int) -> bool:
    """Whether all cells are numbers as machines are called by, and not those of cores and disks."""
    return all(re.fullmatch(r"\d{3,}", cell) for cell in _written(sample, place))


def _has_labels(sample: Sequence[Sequence[str]], place: int) -> bool:
    """Whether a column names parts: no cell is a number, or beside the numbers of cores one says ``all``."""
    if _are_amounts(list(_written(sample, place))):
        return False
    return not _has_numbers(sample, place) or any(cell.casefold() in _ALL for cell in _written(sample, place))


def _written(sample: Sequence[Sequence[str]], place: int) -> Iterator[str]:
    """The cells of a column that are not empty; as a rule the first of them tells."""
    return (cell for row in sample if place < len(row) and (cell := row[place].strip()))


def part_in(heading: str, cells: Sequence[str], cores: bool) -> str | None:
    """A cell of a column that says that its row is of a part of the time or the memory (``usage_idle``).

    With ``cores``, also one that says that it is of a single core.
    """
    asked = plain(heading) in _ASKING
    for cell in cells:
        if plain(heading) == "name" and cell.casefold() in MEASUREMENTS:
            continue  # InfluxDB's
        words = set(words_of(cell))
        of_a_part = words & (OF_A_PART | OF_A_PART_IF_ASKED if asked else OF_A_PART)
        if of_a_part and words <= of_a_part | _BESIDE and plain(heading) != "status":
            return cell
        if cores and _CORE.fullmatch(cell.strip()):
            return cell
    return None


def is_number(cell: str) -> bool:
    """Whether a cell is a number, perhaps in percent; an address such as 10.1.2.3 is none."""
    number = re.fullmatch(r"[-+]?[\d.,]*\d[\d.,]*(e[-+]?\d+)?\s*%?", cell.strip(), re.IGNORECASE)
    return number is not None and not re.fullmatch(r"\d{1,3}(\.\d{1,3}){3}", cell.strip())


def is_name(cell: str) -> bool:
    """Whether a cell could be a name: neither a number, with or without a unit, nor a time."""
    if is_number(cell) or re.fullmatch(r"[-+]?[\d.,]+\s*[A-Za-zµ/%]{1,7}", cell):
        return False
    address = re.fullmatch(r"\d{1,3}(\.\d{1,3}){3}", cell)
    return bool(address) or not re.match(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{1,2}:\d\d|\d{8}T", cell)


def _meaning(heading: str, rules: FileRules, of: Sequence[str] = (), unit: str = "") -> Meaning | Unclear | None:
    """What a heading means; one in percent, or a rate, also by what the parts that the rows are ``of`` are parts of."""
    unit = unit or said_unit(rules, heading)
    found = meaning_of(heading, unit)
    for resource in of if found is None else ():
        if resource == "disk" and not _OF_SPACE & set(words_of(heading)):
            continue  # a disk is also busy in percent
        beside = meaning_of(f"{resource} {heading}", unit)
        if isinstance(beside, Meaning) and beside.certain:
            return beside
    return found


def _of_parts(headings: Sequence[str]) -> list[str]:
    """Of what the rows are parts, by the column that names them: ``% Free`` beside a drive is of a disk."""
    names = {plain(heading) for heading in headings}
    return [resource for resource, parts in PARTS_OF.items() if names & parts]


def _refuse_odd_numbers(heading: str, sample: Sequence[Sequence[str]], place: int) -> None:
    """A metric whose cells are written so that none is a number is not a column of labels.

    Raises:
        UnreadableFile: each cell has decimals, and something else.
    """
    written = list(_written(sample, place))
    if written and all(re.search(r"\d[.,٫·']\d", cell) for cell in written):
        raise UnreadableFile(
            f"the cells under {heading!r} are not plain numbers, such as {written[0]!r}: export numbers only"
        )


def _convertible(heading: str, metric: str) -> str:
    """The unit in a mapped heading where it can be converted; the settings' word holds where it cannot."""
    for bracket in in_brackets(heading):
        if unit_of(bracket) and isinstance(of_metric(metric, bracket), Meaning):
            return bracket
    return ""


def _and(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names[:-1]) + f" and {names[-1]!r}" if len(names) > 1 else repr(names[0])


def _nothing_measured(headings: Sequence[str], unclear: Sequence[tuple[str, str, str]]) -> str:
    told = "; ".join(
        f"{heading!r} {reason}" if "'" not in heading else f"{heading} {reason}" for _, heading, reason in unclear[:3]
    )
    return (
        f"it has a time, but no column that is known to be one of {', '.join(metrics.names())}: "
        f"{told or 'its columns are ' + ', '.join(headings[:8])}. "
        "Map a column under `columns` in the dataset's settings"
    )
