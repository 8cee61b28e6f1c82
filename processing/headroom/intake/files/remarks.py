"""Remarks: what lines above a table or below it say of all of its rows, and what speaks against reading these so.

A report may name its server, its metric, its unit or its statistic in a line of its own. Where that is another than the
headings and the file's name say, the file is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from headroom.core.settings import FileRules
from headroom.intake.files.columns import Columns, best
from headroom.intake.formats import Export
from headroom.intake.unreadable import UnreadableFile
from headroom.intake.words.file_names import FileName
from headroom.intake.words.headings import STATISTICS, plain, role_of, statistic_under
from headroom.intake.words.meaning import Meaning, Unclear, meaning_of, statistic_of, words_of
from headroom.intake.words.server_names import says_nothing, without_periods
from headroom.intake.words.units import unit_of

_SAID = re.compile(r"[\s#\"'|]*([^\W\d][\w .-]{0,30}?)[\"']?\s*[:=,;\t|]\s*[\"']?([^\s\"',;|][^\"',;|]*)")
_LIKE_A_HOST = re.compile(r"[A-Za-z][\w.]*(?:-[\w.-]*\d|\d[\w.-]*-|[A-Za-z]\d\d)[\w.-]*")
_VALUES = {"values", "usage", "utilization", "werte", "auslastung", "valeurs", "valores", "valori"}
_UNITS = re.compile(
    r"\b(?:values?|units?|werte|angaben|einheit(?:en)?|valeurs?|unités?|valores|unidad(?:es)?|valori|unità"
    r"|vertical label|[yv][- ]axis)\b(?: (?:are|is|sind|sont|given|shown))*"
    r"(?: (?:in|en)\b|\s*[:=,;](?:[\"'][,;\t])?)\s*[(\[\"']?([^\s)\],;\"']+(?: of one)?)",
    re.IGNORECASE,
)

TITLE_BETWEEN = (
    "the line {title!r} stands among its rows, as if another table began there: send tables one by one, or put what it "
    "says into a column"
)


def refuse_put_together(export: Export, last: int) -> None:
    """Refuse an export of times and columns that is several, one below the other; ``last`` is its last sample's line.

    Raises:
        UnreadableFile: another header, or a title, stands among its rows.
    """
    header = export.header()
    if export.is_json() or export.is_parquet or not header or role_of(header[0], FileRules()) != "timestamp":
        return
    for line, text, _ in export.damaged:
        title = text.strip(" \t,;\"'")
        alone = not re.search(r"[,;\t]|^[A-Z][a-z]{2,} \d", title) and re.match(r"[^\W\d]", title)
        if line < last and alone and not says_nothing(title) and title not in header:
            raise UnreadableFile(TITLE_BETWEEN.format(title=title[:120]))
    for row in export.rows():
        cells = [cell.strip() for cell in row]
        if cells and cells[0] == header[0] and cells != header:
            raise UnreadableFile(
                f"a second header with other columns stands in it ({', '.join(cells)[:120]}): these are files put "
                "together; send them one by one"
            )


def refuse_others(
    above: Sequence[str], below: Sequence[str], found: Columns, name: FileName, rules: FileRules, statistic: str
) -> None:
    """Compare the lines above a table, and the last ones of its file, with what its columns and its name say.

    Raises:
        UnreadableFile: a line says another server, metric, unit or statistic.
    """
    below = [line for line in below if re.match(r"[\s#\"']*[^\W\d][\w .-]{0,30}\s*[:=]", line)]  # no rows
    for line in [*above, *below]:
        shown = f"the line {line.strip()[:120]!r} beside its table"
        if "server_id" not in found.places and rules.server is None:
            for other in _servers(line, rules, line in above):
                if not _same(other, name.server) and name.server:
                    raise UnreadableFile(
                        f"{shown} names {other!r}, and the file is named after {name.server!r}: name it after its "
                        "server, or add a column server_id"
                    )
        if found.shape == "two-column" and rules.metric is None and (other := _metric(line, found)):
            raise UnreadableFile(
                f"{shown} says {other}, and the file's name another metric: name the metric in a column, or say it "
                "under `sources` in the settings (metric: cpu)"
            )
        if (unit := _unit(line)) and not all(meant.certain for _, meant in found.meanings) and not rules.units:
            raise UnreadableFile(
                f"{shown} says a unit, {unit!r}, and the headings none: say it in the heading (CPU [%]), or under "
                "`units` in the settings"
            )
        if other := _statistic(line, line in above):
            meant = Meaning("cpu", statistic=other)
            if found.shape != "long" and not best([("", meant)], statistic):
                raise UnreadableFile(f"{shown} says that its values are {other}, and not what was measured on average")


def _same(one: str, other: str) -> bool:
    """Whether two names are one server's, perhaps with its domain or in a longer name."""
    short, long = sorted((one.casefold(), other.casefold()), key=len)
    return re.search(rf"(?<![^\W_]){re.escape(short)}(?![^\W_])", long) is not None


def _servers(line: str, rules: FileRules, titles: bool) -> Iterator[str]:
    """What a line says is the server, and what in a title looks like one."""
    said = _SAID.match(line)
    if said and role_of(said[1], rules) == "server_id" and plain(said[1]) not in ("name", "label", "object"):
        yield said[2].split("(")[0].strip()
    elif titles:
        for word in re.findall(r"[\w.-]+", without_periods(line)):
            if _LIKE_A_HOST.fullmatch(word) and not says_nothing(word) and meaning_of(word) is None:
                yield word.strip(".-")


def _metric(line: str, found: Columns) -> str:
    """Another metric than that of the table's only column, or what is left of it."""
    meant = meaning_of(line.strip(" \t#:;,\"'"))
    [(metric, known)] = found.meanings
    if isinstance(meant, Meaning) and (meant.metric != metric or meant.free != known.free):
        return repr(f"{meant.metric}, free" if meant.free else meant.metric)
    return repr(meant.metric) if isinstance(meant, Unclear) and meant.metric != metric else ""


def _unit(line: str) -> str:
    """A unit other than percent that a line gives to all values."""
    said = _UNITS.search(line)
    known = unit_of(said[1].removesuffix(" of one")) if said else None
    return "" if said is None or known is None or (known.kind, known.factor) == ("share of the whole", 1) else said[1]


def _statistic(line: str, titles: bool) -> str:
    """The statistic that a line says, or a title of values names as the only one (``Peak CPU usage by hour``)."""
    said = _SAID.match(line)
    if said and plain(said[1]) in STATISTICS:
        return statistic_under(said[1], said[2])
    words = words_of(line)
    named = {statistic for word in words if word != "min" and (statistic := statistic_of(word))}  # 5 min
    if re.search(r"[:=,;\t]\s*[\d.,]+\s*%?\W*$", line):
        return ""  # a summary's number
    of_values = _VALUES & set(words) or any(meaning_of(word) is not None for word in words)
    return named.pop() if titles and len(named) == 1 and of_values else ""
