"""Prometheus' series as text: what ``promtool query range`` prints, its dumps of a database, and OpenMetrics with
times."""

from __future__ import annotations

import re
from collections.abc import Iterator

from headroom.intake.formats import Export, Sample
from headroom.intake.formats.prometheus_json import names_of

NAME = "Prometheus (text)"
_LABELS = r'\{(?P<labels>(?:[^"{}]|"(?:\\.|[^"\\])*")*)\}'
_SERIES = re.compile(rf"(?P<name>[a-zA-Z_:][\w:]*)?(?:{_LABELS})? =>")
_POINT = re.compile(r"(?P<value>\S+) @\[(?P<at>\d+(?:\.\d+)?)\]")
_SAMPLE = re.compile(rf"(?P<name>[a-zA-Z_:][\w:]*)?(?:{_LABELS})? (?P<value>\S+) (?P<at>\d{{10,13}}(?:\.\d+)?)")
_LABEL = re.compile(r'(\w+)\s*=\s*"((?:\\.|[^"\\])*)"')


def recognise(export: Export) -> bool:
    """A series and its points below, or lines of a series, a value and a moment."""
    first = next((line for line in export.first_lines if line.strip() and not line.startswith("#")), "").strip()
    found = _SERIES.match(first) or _SAMPLE.fullmatch(first)
    return found is not None and "{" in first


def read(export: Export) -> Iterator[Sample]:
    """A series without a name is an expression: then the metric is the file's name."""
    series: tuple[str, str, str] | None = None
    known: dict[tuple[str, str], tuple[str, str, str]] = {}
    with export.path.open(encoding="utf-8-sig", errors="replace") as file:
        for export.line, line in enumerate(map(str.strip, file), start=1):
            if not line or line.startswith("#"):
                continue
            if head := _SERIES.match(line):
                series = _names(head, known, export)
                line = line[head.end() :].strip()
                if not line:
                    continue
            export.records += 1
            if found := _SAMPLE.fullmatch(line):
                names = _names(found, known, export)
            elif (found := _POINT.fullmatch(line)) and series:
                names = series
            else:
                export.leave_out(line, "not a sample of a series: is the line cut off?")
                # What follows a series' name that is cut off is not of the series before it.
                series = None if "{" in line else series
                continue
            server, metric, part = names
            yield Sample(server, metric, found["at"], found["value"], "", part)


def _names(
    found: re.Match[str], known: dict[tuple[str, str], tuple[str, str, str]], export: Export
) -> tuple[str, str, str]:
    key = found["name"] or "", found["labels"] or ""
    if key not in known:
        labels = {name: re.sub(r"\\(.)", r"\1", value) for name, value in _LABEL.findall(key[1])}
        known[key] = names_of({"__name__": key[0], **labels}, export)
    return known[key]
