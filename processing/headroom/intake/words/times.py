"""Moments: how the texts of a file's time column are read, if they can be read in one way only.

Plain times (ISO 8601 and epochs) are read as they come. Any other layout must fit every row of the file that is a
time at all; where two layouts fit, such as 03/02/2024, the file is refused unless ``time_format`` says which.
"""

# ruff: noqa: S608 - SQL is put together of names and quoted literals.

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb

from headroom.core.settings import time_zones
from headroom.intake.unreadable import in_settings
from headroom.intake.words.brackets import in_brackets

PLAIN = re.compile(
    r"\d{4}[-/]\d{1,2}[-/]\d{1,2}(?:[T ]+\d{1,2}:\d{2}(?::\d{2}(?:\.\d*)?)?)?\s*(?:Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?"
    r"|\d{9,11}(?:\.\d*)?|\d{13}(?:\.\d*)?|\d{16}|\d{19}"
)
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[AP]\.?M\.?)?", re.IGNORECASE)
# Hours, and minutes if there are two digits of each: what 330 is of, 3:30 or 330 minutes, is not certain. The farthest
# zone is 14 hours ahead.
_OFFSET = re.compile(r"(?:UTC|GMT)? ?([+-]) ?(0?\d|1[0-4])(?:(?:(?<=\d\d)|:)([0-5]\d))?")
# What stands in brackets beside a time and names no zone: its unit, what it is, or how it is written.
_NO_ZONE_WORDS = """
    s sec secs second seconds ms msec millisecond milliseconds us µs microsecond microseconds ns nanosecond nanoseconds
    min minutes since epoch unix posix iso iso8601 iso-8601 8601 rfc rfc3339 3339 avg average mean raw local time
    timestamp date datetime begin start end interval hourly daily format 12h 24h
"""
_NO_ZONE = set(_NO_ZONE_WORDS.split())
_WRITTEN_SO = re.compile(r"(?:[-:/.,T ]|yyyy|yy|mmm?|dd?|hh|h|ss|s{3}|tt|aa?)+", re.IGNORECASE)
# Lines above the header or below the rows that say of which zone the times are, by a word for zones or for times.
_ZONE_WORDS = (
    "time[ _-]?zone|tz|zeitzone|fuseau(?: horaire)?|(?:zona|huso) horari[ao]|fuso or[aá]rio|tijdzone|tidszon[ea]?"
    "|strefa czasowa|časové pásmo|saat dilimi|часовой пояс|タイムゾーン|时区"
)
_ABBREVIATIONS = (
    "C?E[SD]?T|W?ES?T|MES?Z|[CMP][SD]T|BST|IST|JST|KST|SGT|HKT|MSK|A[EWC][SD]T|NZ[SD]T|BRT|ART|SAST|UTC|GMT|Z(?:ulu)?"
)
_ZONE = rf"[A-Za-z]\w+(?:/[A-Za-z][\w+-]+)+|(?:UTC|GMT)? ?[+-] ?\d{{1,2}}(?::?\d\d)?|(?:{_ABBREVIATIONS})"
_ZONE_SAID = re.compile(
    rf"(?:(?<![^\W_])(?:{_ZONE_WORDS})(?![^\W_])[\s:=,;|\"']*(?:(?-i:is|ist|est|es)\b)?"
    r"|(?i:\b(?:times?|timestamps?|dates?|zeit(?:en|angaben)?|heures?|horas?|orari)\b[\s:]*"
    r"(?:(?:are|is|sind|ist|sont|son)\b\s*)?(?:(?:shown|given|displayed|reported|expressed)\s*)?(?:(?:in|as|en|em)\b)?)"
    rf"\s*:?\s*(?=[(\[]?(?-i:{_ZONE})(?!\w)))(?P<zone>.*)",
    re.IGNORECASE,
)
# One that stands there and does not say of what it is the zone.
_ZONE_ALONE = re.compile(
    r"[(\[ ]((?:UTC|GMT) ?[+-] ?\d{1,2}(?::?\d\d)?)(?:[)\]]|\W*$)|^\W*([A-Z]\w+(?:/[A-Z][\w+-]+)+)\W*$"
)
_UNIVERSAL = r"(?:[(\[]?(?:UTC|(?:coordinated )?universal time)[)\]]?)?"
_OWN_ZONE = re.compile(r"(?:Z|UTC|GMT|[+-]\d\d:?\d\d)\s*$|^\s*\d{9,}(?:\.\d*)?\s*$")
_ABBREVIATION = re.compile(r"(?<=[\d ])(?!AM$|PM$|am$|pm$)([A-Z]{1,5}(?:[+-]\d{1,2}(?::?\d{2})?)?)$")

# Weekdays before the date, and the zone's long name in brackets behind it, say nothing new.
_WEEKDAY = r"^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[,.]? +"
_WEEKDAY_BEGIN = re.compile(_WEEKDAY, re.IGNORECASE)
_REMARK = r" *\([^()]*\)$"
_WEEKDAYS = """
    montag dienstag mittwoch donnerstag freitag samstag sonntag mo di mi do fr sa so lundi mardi mercredi jeudi vendredi
    samedi dimanche lun mar mer jeu ven sam dim lunes martes miércoles miercoles jueves viernes sábado sabado domingo
    mié mie jue vie sáb sab dom lunedì martedì mercoledì giovedì venerdì gio segunda-feira terça-feira quarta-feira
    quinta-feira sexta-feira seg ter qua qui sex maandag dinsdag woensdag donderdag vrijdag zaterdag zondag
"""
# Halves of the day in Korean, Chinese and Japanese; a file's first rows may be of one.
_HALVES = (
    (r" (?:오전|上午|午前) ?(\d{1,2}:\d\d(?::\d\d)?)$", r" \1 AM"),
    (r" (?:오후|下午|午後) ?(\d{1,2}:\d\d(?::\d\d)?)$", r" \1 PM"),
)
# Ways to write that are made one, for Python's and RE2's expressions alike.
_REWRITTEN = (
    (r"(\d{4}) @ (\d)", r"\1 \2"),  # Kibana
    (r"^(\d{4})年(\d{1,2})月(\d{1,2})日", r"\1/\2/\3"),
    # PRTG's intervals count from their begin.
    (r"(\d:\d\d(?::\d\d)?(?: ?[AaPp]\.? ?[Mm]\.?)?) [-–] (?:\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4} )?\d{1,2}:\d\d.*$", r"\1"),
    (r"^([A-Z][a-z]{2}) (\d{1,2}) (\d\d:\d\d:\d\d)(?: (UTC|GMT))? (\d{4})$", r"\1 \2 \5 \3 \4"),  # C's ctime
    (r"([+-]\d\d:?\d\d) [A-Z]{2,5}$", r"\1"),  # Go
    (r"([+-]\d\d:?\d\d|Z)\[[\w/+-]+\]$", r"\1"),  # Java
    (r"(\d)h(\d\d)$", r"\1:\2"),  # France
    (r"(?i) uhr$", ""),
    (r"^(\d{4})[.] ?(\d{1,2})[.] ?(\d{1,2})[.]?,? ", r"\1/\2/\3 "),  # Korea, Hungary
    (r"(\d)[時时](\d{1,2})分(?:\d{1,2}秒)?$", r"\1:\2"),
    *_HALVES,
    (rf"(?i)^(?:{'|'.join(_WEEKDAYS.split())})[.,]{{0,2}} (\d{{1,4}}[-./]\d)", r"\1"),
)

# Months' names, wide and abbreviated, in German, French, Spanish, Italian, Portuguese, Dutch, the Scandinavian
# languages, Polish, Czech, Russian, Ukrainian and Turkish (Unicode CLDR), also without their accents. They contradict
# neither each other nor English. Poles and Croats call different months listopad and lip: those are not here.
_MONTHS = {
    "Jan": "januar jänner jänn jan janvier janv enero ene gennaio gen janeiro januari stycznia sty ledna января янв "
           "січня ocak",
    "Feb": "februar feber feb février fevrier févr fevr febrero febbraio fevereiro fev februari lutego lut února "
           "февраля февр фев лютого şubat",
    "Mar": "märz maerz marz mär mrz mars marzo mar março marco maart mrt marca března марта мар березня mart",
    "Apr": "april apr avril avr abril abr aprile kwietnia kwi dubna апреля апр квітня nisan",
    "May": "mai mayo maggio mag maio mei maj may maja května мая травня mayıs",
    "Jun": "juni jun juin junio giugno giu junho czerwca cze června июня июн червня haziran",
    "Jul": "juli jul juillet juil julio luglio lug julho lipca července июля июл липня temmuz",
    "Aug": "august aug août aout agosto ago augustus augusti sierpnia sie srpna августа авг серпня ağustos",
    "Sep": "september sep sept septembre septiembre settembre set setembro września wrz září сентября сент сен "
           "вересня eylül",
    "Oct": "oktober okt octobre oct octubre ottobre ott outubro out października paź října октября окт жовтня ekim",
    "Nov": "november nov novembre noviembre novembro listopadu ноября нояб ноя листопада kasım",
    "Dec": "dezember dez décembre decembre déc dec diciembre dic dicembre dezembro december desember des grudnia gru "
           "prosince декабря дек грудня aralık",
}  # fmt: skip
_MONTHS_BY_NAME = (
    (rf"(?i)^(?:{'|'.join(_WEEKDAYS.split())})[.,]{{0,2}} (\d{{1,2}}[.]? [^ 0-9])", r"\1"),
    *(
        (rf"(?i)^(\d{{1,2}})(?:[.]|er|º)? ?(?:de )?(?:{'|'.join(names.split())})[.]?(?: de| del)? (\d{{4}})",
         rf"\1 {month} \2")
        for month, names in _MONTHS.items()
    ),
    (r"(\d{4}) г[.]?,? ", r"\1 "),
    (r"(?i)(\d{4}),? (?:à|um|a las|alle|às|om|kl[.]?|-) (\d)", r"\1 \2"),
)  # fmt: skip
_BY_NAME = re.compile(r"(?:^|[^\W\d]+[.,]{0,2} )\d{1,2}(?:[.]|er|º)? ?(?:de )?[^\W\d]{3,}[.]?(?: de| del)? \d{4}")


class UnclearTime(ValueError):
    """The times of a file cannot be read for certain; the message says why and what to do."""


@dataclass(frozen=True)
class TimeLayout:
    """How texts become moments: by DuckDB's strptime formats; none of them is plain ISO 8601 or an epoch."""

    formats: tuple[str, ...] = ()
    zones: tuple[tuple[str, str], ...] = ()
    rewritten: tuple[tuple[str, str], ...] = ()

    def sql(self, text: str) -> str:
        """An SQL expression of type TIMESTAMPTZ; times without an offset are in the session's time zone."""
        if not self.formats:
            return f"instant({text})"
        return _moment(_normalized(text, dict(self.zones), self.rewritten), self.formats)


def is_clock(text: str) -> bool:
    """Whether a text is a time of day without a date."""
    return _CLOCK.fullmatch(text.strip()) is not None


def says_utc(heading: str) -> bool:
    """Whether a heading says that its times are in UTC, in brackets or as a word (``time_utc``, ``Time GMT``), or that
    they are of an epoch, which no clock puts off."""
    words = re.split(r"[\W_]+|(?<=[a-z])(?=UTC$)", heading.strip(" ])"))
    said = {word.upper() for word in (words[0], words[-1])} & {"UTC", "GMT", "EPOCH", "UNIX", "UNIXTIME"}
    return bool(said) and not re.search(r"[+-] ?\d", heading)


def zone_of_heading(heading: str, zones: Mapping[str, str]) -> str | None:
    """The zone in a heading such as ``Timestamp (Europe/Berlin)`` or ``Time [UTC]``, as DuckDB names it.

    Raises:
        UnclearTime: it is an abbreviation or something else that is not a zone for certain.
    """
    for text in in_brackets(heading):
        if set(text.casefold().split()) <= _NO_ZONE or (len(text) > 4 and _WRITTEN_SO.fullmatch(text)):
            continue
        if (zone := _zone_called(text, zones)) is not None:
            return zone
        if re.search(r"[^\W\d_]|[+-]", text):
            raise UnclearTime(
                f"the zone {text!r} of the heading {heading!r} can mean several: map it, such as "
                f"{_mapping_of(text)}, or use a name such as Europe/Berlin"
            )
    return "UTC" if says_utc(heading) else None


def zone_around(lines: Sequence[str], zones: Mapping[str, str]) -> str | None:
    """The zone that the lines above a header or below the rows say (``Time zone: Europe/Berlin``, ``Times are in
    UTC+1``), as ``zone_of_heading`` gives it; ``None`` if they name none.

    Raises:
        UnclearTime: it is not a zone for certain, or they say several.
    """
    said = {zone for line in lines if (zone := _zone_in(line, zones)) is not None}
    if len(said) > 1:
        raise UnclearTime(
            f"the lines beside its table name several zones ({', '.join(sorted(said))}): say under `sources` in the "
            "settings which one holds (timezone: Europe/Berlin)"
        )
    return next(iter(said), None)


def has_zones(texts: Sequence[str]) -> bool:
    """Whether most of some times say themselves how far they are from UTC, or count from an epoch, which is the same
    everywhere."""
    return 2 * sum(_OWN_ZONE.search(text) is not None for text in texts) > len(texts)


def _zone_in(line: str, zones: Mapping[str, str]) -> str | None:
    said, alone = _ZONE_SAID.search(line), _ZONE_ALONE.search(line)
    text = (said["zone"] if said else alone[1] or alone[2] if alone else "").strip(" \t:=,;|\"'.")
    if not text or set(re.findall(r"[^\W_]+", text.casefold())) <= _NO_ZONE:
        return None
    if said is None and (text not in zones and (text[:3] in ("UTC", "GMT") or text in time_zones())):
        raise UnclearTime(
            f"the line {line.strip()[:120]!r} names the zone {text!r}, and does not say that its times are in it: say "
            f"under `sources` in the settings in which they are (timezone: Europe/Berlin), or map it under `zones`"
        )
    for name in re.findall(r"[A-Za-z]\w+(?:/[A-Za-z][\w+-]+)+", text):
        if name in time_zones():
            return name
    first = re.fullmatch(rf"[(\[]?([^()\[\],;]*[^()\[\],; ])[)\]]?\W*{_UNIVERSAL}\W*", text, re.IGNORECASE)
    if first and (zone := _zone_called(first[1], zones)) is not None:
        return zone
    if said is None:
        return None
    raise UnclearTime(
        f"the zone {text[:60]!r} of the line {line.strip()[:120]!r} can mean several, or have a summer time: use a "
        f"name such as Europe/Berlin, map it, such as {_mapping_of(text[:30])}, or say under "
        "`sources` in the settings in which zone its times are (timezone: Europe/Berlin)"
    )


def _zone_called(text: str, zones: Mapping[str, str]) -> str | None:
    """The zone that goes by a name or is so far from UTC; ``None`` where that is not certain."""
    if text.upper() in ("UTC", "GMT", "Z", "ZULU"):
        return "UTC"
    if text in time_zones() and "/" in text:
        return text
    found = _OFFSET.fullmatch(zones.get(text, text))
    if found is None:
        return None
    if int(found[3] or 0) or int(found[2]) > 12:
        return f"GMT{found[1]}{int(found[2]):02}:{found[3] or '00'}"  # ICU's: an hour and a half ahead is GMT+01:30
    # POSIX counts zones the other way round: Etc/GMT-1 is an hour ahead of UTC.
    return f"Etc/GMT{'-' if found[1] == '+' else '+'}{int(found[2])}" if int(found[2]) else "UTC"


def repeated_hours(zone: str, first: datetime | None, last: datetime | None) -> list[datetime]:
    """The moments (UTC, without a zone) at which an hour of a zone's local times begins for the second time."""
    if first is None or last is None:
        return []
    found, at = [], first.replace(minute=0, second=0, microsecond=0) - timedelta(days=1)
    offset = _utc_offset(zone, at)
    while at <= last + timedelta(days=1):
        step = timedelta(days=1)
        following = _utc_offset(zone, at + step)
        if following < offset:
            while _utc_offset(zone, at) == offset:
                at += timedelta(minutes=30)
            found.append(at)
        elif following == offset:
            at += step
            continue
        at += timedelta(minutes=30) if following < offset else step
        offset = _utc_offset(zone, at)
    return found


def _utc_offset(zone: str, at: datetime) -> timedelta:
    return at.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) - at


def layout_of_times(
    db: duckdb.DuckDBPyConnection,
    scan: str,
    text: str,
    sample: Sequence[str],
    time_format: str | None,
    zones: Mapping[str, str],
) -> TimeLayout:
    """The layout of a file's times, of which ``sample`` are some; ``scan`` is an SQL relation with all of its rows
    and ``text`` the SQL expression of their times.

    Raises:
        UnclearTime: no layout, or more than one, fits all rows.
    """
    mapped = tuple(sorted(zones.items()))
    if time_format:
        return TimeLayout((time_format,), mapped)
    texts = [item.strip() for item in sample if item.strip()]
    if zones:  # a file that begins in winter says GMT at first, and BST from some day on
        ends = _quoted("|".join(map(re.escape, zones)))
        found = db.execute(
            f"SELECT DISTINCT {text} FROM {scan} WHERE regexp_matches({text}, '[\\d ](?:{ends})\\s*$') LIMIT 50"
        )
        texts += [item.strip() for (item,) in found.fetchall()]
    if all(PLAIN.fullmatch(item) for item in texts):
        return TimeLayout()
    for item in texts:
        refuse_abbreviation(item, zones)
    # Each costs time in every row, so that only those count that the sample needs.
    rewritten = tuple(one for one in _REWRITTEN if any(re.search(one[0], " ".join(item.split())) for item in texts))
    rewritten = (*rewritten, *_HALVES) if set(rewritten) & set(_HALVES) else rewritten
    rewritten = rewritten or (_REWRITTEN if any(_WEEKDAY_BEGIN.match(item) for item in texts) else ())
    if any(_BY_NAME.match(" ".join(item.split())) for item in texts):
        rewritten += _MONTHS_BY_NAME  # of all months, because the sample may be of one
    orders = _candidates([_normalize(item, zones, rewritten) for item in texts])
    if not orders and not any(PLAIN.fullmatch(item) for item in texts):
        why = "is not a time that can be read for certain"
        if is_clock(texts[0]):
            why = "is a time of day without a date"
        elif re.fullmatch(r"[\d.]+", texts[0]):
            why = "is a number, and not of seconds or milliseconds since 1970 (does it count from another year?)"
        raise UnclearTime(
            f"{texts[0]!r} {why}: export times as 2024-01-31T13:05:00Z, or say in the settings how they are written "
            "(time_format: '%d.%m.%Y %H.%M')"
        )
    if not orders:
        return TimeLayout()  # each row says that it is not a timestamp
    normal = _normalized(text, zones, rewritten)
    moments = [_moment(normal, formats) for formats in orders.values()]
    fits = ", ".join(f"({moment})::TIMESTAMPTZ" for moment in moments)
    patterns = db.execute(f"""
        SELECT list_transform(moments, lambda one: one IS NOT NULL) AS pattern, count(*), min(text),
            bool_and(list_unique(list_filter(moments, lambda one: one IS NOT NULL)) = 1)
        FROM (SELECT {text} AS text, [{fits}] AS moments FROM {scan}) GROUP BY pattern""").fetchall()
    some = [(pattern, example, same) for pattern, _, example, same in patterns if any(pattern)]
    fitting = [place for place in range(len(orders)) if all(pattern[place] for pattern, _, _ in some)]
    names = list(orders)
    if not some:
        return TimeLayout()
    if not fitting:
        examples = " and ".join(repr(example) for _, example, _ in some[:2])
        raise UnclearTime(f"its times are in several layouts, such as {examples}: export it again in one of them")
    if len(fitting) > 1 and not all(same for _, _, same in some):
        example = next(example for _, example, same in some if not same)
        shown = " or ".join(f"time_format: {orders[names[place]][0]!r} ({names[place]})" for place in fitting[:2])
        raise UnclearTime(
            f"{example!r} can be read in several ways: say which in the settings with {shown}, or export dates as "
            "2024-01-31"
        )
    return TimeLayout(tuple(orders[names[fitting[0]]]), mapped, rewritten)


def refuse_abbreviation(text: str, zones: Mapping[str, str]) -> None:
    """Refuse a time that says a zone which the settings do not map, or that a spreadsheet has rounded.

    Raises:
        UnclearTime: it does.
    """
    if re.fullmatch(r"\d(\.\d+)?[eE]\+?\d+", text):
        raise UnclearTime(
            f"{text!r} is a time that a spreadsheet has rounded: export it again without opening it there"
        )
    found = _ABBREVIATION.search(re.sub(_REMARK, "", text))
    if found is None or found[1] in zones or found[1] in ("Z", "UTC", "GMT", "T"):
        return
    if re.search(r"[+-]\d\d:?\d\d [A-Z]{2,5}$", text):
        return  # it says how far it is from UTC
    if re.fullmatch(r"(UTC|GMT)[+-]\d{2}:?\d{2}", found[1]):
        return
    raise UnclearTime(
        f"the zone {found[1]!r} of {text!r} can mean several: map it in the settings, such as "
        f"{_mapping_of(found[1])}, or export times in UTC"
    )


# What abbreviations usually mean, for an example that is right where it is copied.
_USUALLY_WRITTEN = """
    CEST+02:00 MESZ+02:00 EET+02:00 EEST+03:00 MSK+03:00 IST+05:30 SGT+08:00 HKT+08:00 JST+09:00 KST+09:00 AEST+10:00
    AEDT+11:00 BRT-03:00 EDT-04:00 EST-05:00 CDT-05:00 CST-06:00 MDT-06:00 MST-07:00 PDT-07:00 PST-08:00
"""
_USUALLY = {one[:-6]: one[-6:] for one in _USUALLY_WRITTEN.split()}


def _mapping_of(zone: str) -> str:
    """An example of how the settings map a zone."""
    said = re.fullmatch(r"(?:UTC|GMT) ?([+-])0?(\d{1,2})", zone)
    offset = f"{said[1]}{int(said[2]):02}:00" if said else _USUALLY.get(zone, "+01:00")
    return in_settings("zones", zone, f'"{offset}"')


def _normalize(text: str, zones: Mapping[str, str], rewritten: Sequence[tuple[str, str]]) -> str:
    """What ``_normalized`` does, for one text."""
    text = re.sub(_REMARK, "", re.sub(_WEEKDAY, "", " ".join(text.split()), flags=re.IGNORECASE))
    for pattern, replacement in rewritten:
        text = re.sub(pattern, replacement, text).strip()
    for name, offset in zones.items():
        text = re.sub(rf"(?<=[\d ]){re.escape(name)}$", f" {offset}", text)
    text = re.sub(r"(?<=[\d ])(?:Z|UTC|GMT)$", " +00:00", text)
    text = re.sub(r"\s*(?:UTC|GMT)?([+-]\d{2}):?(\d{2})$", r" \1:\2", text)
    return re.sub(r"(?<=\d) ?([AaPp])\.? ?([Mm])\.?(?= |$)", r" \1\2", text)


def _normalized(text: str, zones: Mapping[str, str], rewritten: Sequence[tuple[str, str]]) -> str:
    """The same in SQL, for all rows."""
    text = f"trim(regexp_replace({text}, '[\\s\\x{{a0}}\\x{{202f}}\\x{{2009}}]+', ' ', 'g'))"
    text = f"regexp_replace(regexp_replace({text}, '{_WEEKDAY}', '', 'i'), '{_REMARK}', '')"
    for pattern, replacement in rewritten:
        text = f"trim(regexp_replace({text}, '{pattern}', '{replacement}'))"
    for name, offset in zones.items():
        text = f"regexp_replace({text}, '([0-9 ]){_quoted(re.escape(name))}$', '\\1 {_quoted(offset)}')"
    text = f"regexp_replace({text}, '([0-9 ])(?:Z|UTC|GMT)$', '\\1 +00:00')"
    text = f"regexp_replace({text}, '\\s*(?:UTC|GMT)?([+-][0-9][0-9]):?([0-9][0-9])$', ' \\1:\\2')"
    text = f"regexp_replace({text}, '([0-9]) ?([AaPp])\\.? ?([Mm])\\.?( |$)', '\\1 \\2\\3\\4')"
    return f"regexp_replace({text}, ' +', ' ', 'g')"


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def _moment(text: str, formats: Sequence[str]) -> str:
    zoned = ", ".join(f"'{_quoted(one)}'" for one in formats if "%z" in one)
    naive = ", ".join(f"'{_quoted(one)}'" for one in formats if "%z" not in one)
    parts = [f"try_strptime({text}, [{zoned}])"] if zoned else []
    parts += [f"try_strptime({text}, [{naive}])::TIMESTAMP::TIMESTAMPTZ"] if naive else []
    return parts[0] if len(parts) == 1 else f"coalesce({', '.join(parts)})"


_DATES = (
    # shape of the date, and the orders it can be read in: name and format
    (r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})", (("year first", "%Y{2}%m{2}%d"),)),
    (r"(\d{1,2})(\.)(\d{1,2})\.(\d{4})", (("day first", "%d.%m.%Y"),)),  # nobody writes months first with dots
    (r"(\d{1,2})([-/])(\d{1,2})\2(\d{4})", (("day first", "%d{2}%m{2}%Y"), ("month first", "%m{2}%d{2}%Y"))),
    (
        r"(\d{1,2})([-/.])(\d{1,2})\2(\d{2})(?!\d)",
        (("day first", "%d{2}%m{2}%y"), ("month first", "%m{2}%d{2}%y"), ("year first", "%y{2}%m{2}%d")),
    ),
    (r"(20\d{6}|19\d{6})(?=$|[T _])", (("year first", "%Y%m%d"),)),
    (r"(20\d{6}|19\d{6})(\d{4})$", (("year first", "%Y%m%d%H%M"),)),
    (r"(20\d{6}|19\d{6})(\d{6})$", (("year first", "%Y%m%d%H%M%S"),)),
    (r"[A-Za-z]{3}()( )\d{1,2}(,? )\d{4}", (("month by name", "%b %d{3}%Y"),)),
    (r"[A-Za-z]{4,}()( )\d{1,2}(,? )\d{4}", (("month by name", "%B %d{3}%Y"),)),
    (r"\d{1,2}()([ /-])[A-Za-z]{3}\2\d{4}", (("month by name", "%d{2}%b{2}%Y"),)),
    (r"\d{1,2}()([ /-])[A-Za-z]{4,}\2\d{4}", (("month by name", "%d{2}%B{2}%Y"),)),
    (r"\d{1,2}()([ /-])[A-Za-z]{3}\2\d{2}(?!\d)", (("month by name", "%d{2}%b{2}%y"),)),
)
_TIMES = (
    (r"\d{1,2}:\d{2}:\d{2}[.,]\d{1,9}", "%{H}:%M:%S.%f"),
    (r"\d{1,2}:\d{2}:\d{2}", "%{H}:%M:%S"),
    (r"\d{1,2}:\d{2}", "%{H}:%M"),
    (r"\d{1,2}[.]\d{2}[.]\d{2}[.]\d{1,9}", "%{H}.%M.%S.%f"),  # Oracle
    (r"\d{1,2}[.]\d{2}[.]\d{2}", "%{H}.%M.%S"),
    (r"\d{1,2}[.]\d{2}", "%{H}.%M"),
    (r"\d{6}[.]\d{1,9}", "%H%M%S.%f"),
    (r"\d{6}", "%H%M%S"),
    (r"\d{4}", "%H%M"),
)


def _candidates(texts: Sequence[str]) -> dict[str, list[str]]:
    """The orders in which the texts' dates could be, each with the formats that occur."""
    orders: dict[str, list[str]] = {}
    for text in dict.fromkeys(texts):
        for shape, readings in _DATES:
            found = re.match(shape, text)
            if not found:
                continue
            rest = _rest_format(text[found.end() :])
            if rest is None:
                continue
            for order, written in readings:
                groups = ("", *(group or "" for group in found.groups()), "", "")
                one = written.format(*groups) + rest
                if one not in orders.setdefault(order, []):
                    orders[order].append(one)
    return orders


def _rest_format(rest: str) -> str | None:
    """The format of what follows the date: nothing, or a clock, perhaps with an offset."""
    if not rest:
        return ""
    found = re.fullmatch(r"([T :,_-]{1,3})(.*?)( [AaPp][Mm])?( [+-]\d{2}:\d{2})?", rest)
    if not found:
        return None
    for shape, written in _TIMES:
        if re.fullmatch(shape, found[2]):
            clock = written.replace("{H}", "I" if found[3] else "H")
            if "," in found[2]:
                clock = clock.replace("%S.", "%S,")
            return found[1] + clock + (" %p" if found[3] else "") + (" %z" if found[4] else "")
    return None
