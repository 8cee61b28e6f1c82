"""``aws cloudwatch get-metric-data``: parallel lists of times and values under a label."""

from __future__ import annotations

from collections.abc import Iterator

from headroom.intake.formats import Export, Sample, text

NAME = "CloudWatch get-metric-data (JSON)"


def recognise(export: Export) -> bool:
    """By the key of its results."""
    return export.is_json() and '"MetricDataResults"' in export.head


def read(export: Export) -> Iterator[Sample]:
    """The default label is server and metric; with one word only, the metric is in the file's name."""
    for result in export.document()["MetricDataResults"]:
        words = result.get("Label", "").split()
        named = [word for word in words if _is_metric(word)]
        metric = named[0] if len(named) == 1 else ""
        server = " ".join(word for word in words if word != metric)
        for at, value in zip(result["Timestamps"], result["Values"], strict=True):
            yield Sample(server, metric, text(at), text(value))


def _is_metric(word: str) -> bool:
    """CloudWatch's metrics are written in camel case or with underscores, and servers are not."""
    from headroom.intake.meaning import meaning_of

    return meaning_of(word) is not None or (word[:1].isupper() and word[1:].isalpha() and not word.isupper())
