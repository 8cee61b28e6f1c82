"""What the names in metric columns mean: decided over all files that are alike, before their rows are read."""

# ruff: noqa: S608 - SQL is put together of names and quoted literals; see `quoted`.

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb

from headroom.core import metrics
from headroom.core.settings import FileRules
from headroom.intake.files.columns import best
from headroom.intake.files.layout import Layout, meaning_of_cell
from headroom.intake.files.scanning import of_all_or_each
from headroom.intake.files.sources import Source, read_alike
from headroom.intake.files.tables import key_text, scan_of
from headroom.intake.words.meaning import Meaning, Unclear

_SAID_BY_SETTINGS = "it in the settings (metric: cpu, under `sources`)"


@dataclass(frozen=True)
class Names:
    """What the names in metric columns mean.

    Attributes:
        meant: of files that are read alike (``Source.alike``), the meaning of each name and unit that is read.
        unclear: why others are not, by name.
    """

    meant: Mapping[tuple[Layout, str], Mapping[str, Meaning]]
    unclear: Mapping[str, str]


def names_of(sources: Sequence[Source], statistic: str) -> Names:
    """What the names in all files' metric columns mean; each of several files alike is told what stands in all."""
    meant: dict[tuple[Layout, str], Mapping[str, Meaning]] = {}
    unclear: dict[str, str] = {}
    for alike, group in read_alike(sources).items():
        if alike[0].shape != "long":
            continue
        keys = set().union(*(source.keys for source in group))
        for source in group:
            source.names.update(key.partition("\x1f")[0] for key in keys)
        meant[alike], reasons = _meant(alike[0], group[0].rules, keys, statistic)
        for name, reason in reasons:
            unclear[name] = min(reason, unclear.get(name, reason))
    return Names(meant, unclear)


def find_keys(db: duckdb.DuckDBPyConnection, layout: Layout, sources: Sequence[Source]) -> None:
    """Find what stands in the metric columns of files of one layout."""

    def find(some: Sequence[Source]) -> None:
        scan = scan_of(layout, [source.readable for source in some], all(source.plain for source in some))
        keys = {key for (key,) in db.execute(f"SELECT DISTINCT {key_text(layout)} FROM {scan}").fetchall()}
        for source in some:
            source.keys = keys

    of_all_or_each(sources, find)


def _meant(
    layout: Layout, rules: FileRules, keys: Collection[str], statistic: str
) -> tuple[dict[str, Meaning], list[tuple[str, str]]]:
    """What the names in a long file's metric column mean, by name and unit; and names that are not read, with why."""
    understood: dict[str, Meaning] = {}
    unclear: list[tuple[str, str]] = []
    for key in sorted(keys):
        name, _, unit = key.partition("\x1f")
        found = meaning_of_cell(layout, name, unit, rules)
        if isinstance(found, Meaning):
            understood[key] = found
        elif isinstance(found, Unclear) and not name:
            told = f"{found.metric}: the file's name, {layout.named_text!r}, {found.reason}"
            unclear.append((layout.named_text, f"{told}: rename the file, or say {_SAID_BY_SETTINGS}"))
        elif isinstance(found, Unclear):
            unclear.append((name, f"{found.metric}: {_shown(name)} {found.reason}"))
        elif not name and layout.named is None:
            unclear.append(("", f"nothing says the metric: put it into the file's name, or say {_SAID_BY_SETTINGS}"))
    taken: dict[str, Meaning] = {}
    for metric in metrics.columns():
        candidates = [(key, found) for key, found in understood.items() if found.metric == metric]
        fit = best([(key, replace(found, certain=True, free=False)) for key, found in candidates], statistic)
        for key, found in candidates:
            if key in fit:
                taken[key] = found
            else:
                name = key.partition("\x1f")[0]
                unclear.append(
                    (
                        name or layout.named_text,
                        f"{metric}: {_shown(name)} is another statistic than what was measured on average",
                    )
                )
    return taken, unclear


def _shown(name: str) -> str:
    return repr(name) if name else "what the file's name says"
