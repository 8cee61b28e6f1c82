"""``aws cloudwatch get-metric-data``: parallel lists of times and values under a label."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from headroom.intake.formats import Export, Sample, Unlike, pairs, text
from headroom.intake.words.meaning import Meaning, meaning_of

NAME = "CloudWatch get-metric-data (JSON)"

_STATISTIC = re.compile(
    r"average|avg|maximum|max|minimum|min|sum|samplecount|(p|tm|wm|tc|ts)\d+(\.\d+)?", re.IGNORECASE
)


def recognise(export: Export) -> bool:
    """By the key of its results."""
    return export.is_json() and '"MetricDataResults"' in export.head


def read(export: Export) -> Iterator[Sample]:
    """The default label is server and metric; with one word only, the metric is in the file's name."""
    for document in export.answers():
        yield from export.samples(document["MetricDataResults"], _samples)


def _samples(result: dict[str, Any]) -> Iterator[Sample]:
    words = [word for one in result.get("Label", "").split() if (word := one.strip("-–|:,;•()"))]
    if words == [result.get("Id")] and re.fullmatch(r"[a-z]\d+", words[0]):
        raise Unlike(f"the label {words[0]!r} is the query's id only; use --label or LabelOptions")
    statistic = next((word for word in words if _STATISTIC.fullmatch(word)), "")
    words = [word for word in words if word != statistic]
    metric = next((word for word in words if _is_metric(word)), "")
    servers = [word for word in words if word != metric]
    if len(servers) > 1:
        raise Unlike(f"the label {result['Label']!r} is not a server and a metric; use --label or LabelOptions")
    server = servers[0] if servers else ""
    if statistic and statistic.casefold() not in ("average", "avg"):
        metric = f"{metric} ({statistic})"
    for at, value in pairs(result["Timestamps"], result["Values"]):
        yield Sample(server, metric, text(at), text(value))


def _is_metric(word: str) -> bool:
    """CloudWatch's metrics are written in camel case or with underscores, and servers are not."""
    return isinstance(meaning_of(word), Meaning) or (word[:1].isupper() and word[1:].isalpha() and not word.isupper())
