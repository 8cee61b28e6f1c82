"""Prometheus' and Thanos' ``query_range`` answers, and VictoriaMetrics' export: series with labels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from headroom.intake.formats import Export, Sample, pairs, text
from headroom.intake.words import file_names, headings, meaning
from headroom.intake.words.meaning import OF_A_PART, OF_A_PART_IF_ASKED

NAME = "Prometheus (JSON)"
# Which label is the server, the surest first.
SERVERS = (
    "vm",
    "vm_name",
    "pod",
    "hostname",
    "host",
    "nodename",
    "instance_name",
    "node",
    "instance",
    "server",
    "name",
)
# Of series about other machines than the exporter's own, ``instance`` is the exporter, and these begin the labels that
# are about them (``exported_instance``, the CloudWatch exporter's ``dimension_InstanceId``).
_OF_OTHERS = re.compile("exported_|dimension_")
# In Kubernetes the exporter of a machine runs in a pod of its own, and these labels are of that pod.
_OF_ITS_POD = ("pod", "container", "container_name", "namespace", "service", "endpoint")
_PARTS = ("device", "mountpoint", "interface", "cpu", "container", "core", "gpu")
# Labels that say which part of the time or space a series is: they belong to the metric's name.
_STATES = ("mode", "state", "cpu_state", "cpu_mode")
# Labels that may say this as well.
_PERHAPS_STATES = ("type", "kind", "category")


def recognise(export: Export) -> bool:
    """A matrix, as promtool also prints it, or lines of a metric's labels with values and timestamps."""
    head = export.head
    return export.is_json() and (
        ('"resultType"' in head and '"matrix"' in head) or ('"metric"' in head and '"values"' in head)
    ) and '"MetricDataResults"' not in head  # fmt: skip


def read(export: Export) -> Iterator[Sample]:
    """An expression has no name: then the metric is the file's name."""
    if '"timestamps"' in export.head:
        yield from export.samples(export.documents(), partial(_of_lists, export))
        return
    for answer in export.answers():
        series = answer.get("data", answer)["result"] if isinstance(answer, dict) else answer
        yield from export.samples(series, partial(_of_series, export))


def _of_lists(export: Export, series: Mapping[str, Any]) -> Iterator[Sample]:
    server, metric, part = names_of(series["metric"], export)
    for at, value in pairs(series["timestamps"], series["values"]):
        yield Sample(server, metric, text(at), text(value), "", part)


def _of_series(export: Export, series: Mapping[str, Any]) -> Iterator[Sample]:
    names = names_of(series["metric"], export)
    yield from export.samples(series.get("values", []), partial(_of_point, *names))


def _of_point(server: str, metric: str, part: str, point: Sequence[Any]) -> Iterator[Sample]:
    at, value = point
    yield Sample(server, metric, text(at), text(value), "", part)


def names_of(labels: Mapping[str, Any], export: Export) -> tuple[str, str, str]:
    """A series' server, metric and part."""
    labels = of_machine(labels)
    return server_of(labels), metric_of(text(labels.get("__name__")), labels, export), part_of(labels)


def of_machine(labels: Mapping[str, Any]) -> Mapping[str, Any]:
    """A series' labels without those that are about the pod in which the exporter of a machine runs."""
    if not any(headings.EXPORTER.fullmatch(text(labels.get(name))) for name in ("pod", "container")):
        return labels
    return {name: value for name, value in labels.items() if name not in _OF_ITS_POD}


def metric_of(name: str, labels: Mapping[str, Any], export: Export) -> str:
    """A series' metric with the state and the statistic that its labels say (``mode="idle"``, ``quantile="0.99"``);
    empty where the file's name says all."""
    states = [text(labels[label]) for label in _STATES if labels.get(label)]
    kinds = [text(labels.get(label)) for label in _PERHAPS_STATES]
    states += [kind for kind in kinds if kind.casefold() in OF_A_PART | OF_A_PART_IF_ASKED]
    states += ["bucket"] if labels.get("le") else []  # of a histogram
    statistics = [headings.statistic_under(label, text(value)) for label, value in labels.items()]
    said = " ".join([*states, *(f"({statistic})" for statistic in statistics if statistic not in ("", "avg"))])
    named = file_names.of_file(export.file)
    if not said and not name and labels.get("pod") and isinstance(named.meaning, meaning.Meaning):
        # Of a pod, an expression's numbers are cores and bytes more often than percent.
        return "" if named.meaning.certain else f"{named.text} of a pod"
    if not labels.get("pod") and any(labels.get(label) for label in ("container", "container_name")):
        return f"{name or named.text} of a container"
    return f"{name or named.text} {said}".strip() if said else name


def server_of(labels: Mapping[str, Any]) -> str:
    """The label that is the server, without the exporter's port; none where the exporter is of another machine."""
    others = {_OF_OTHERS.sub("", name).casefold(): value for name, value in labels.items() if _OF_OTHERS.match(name)}
    if others:
        known = {name: value for name, value in labels.items() if name not in ("instance", "name")}
        ids = {"instance": others.get("instanceid") or labels.get("instance_id") or ""}
        labels = known | ids | others
    return next((without_port(text(labels[name])) for name in SERVERS if labels.get(name)), "")


def part_of(labels: Mapping[str, Any]) -> str:
    """The labels that name a part of the server; a file system goes by where it is mounted."""
    if labels.get("mountpoint"):
        return text(labels["mountpoint"])
    return " ".join(text(labels[name]) for name in _PARTS if labels.get(name))


def without_port(name: str) -> str:
    """``web-1`` of ``web-1:9100``."""
    host, colon, port = name.rpartition(":")
    return host if colon and port.isdigit() and ":" not in host else name
