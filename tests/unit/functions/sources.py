"""AWS as a source for collectors, in memory: EC2, RDS, ECS and a CloudWatch that is as strict as the real one.

Clients are botocore's own, so that every request is checked and every answer paged as it would be; only what would go
over the network is answered here.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from unittest import mock

import boto3

import cloudwatch
import collect
from collect import Tools
from local.emulator.service_model import check
from progress import Progress
from tests.unit.functions import world as worlds
from tests.unit.functions.world import Version, World, refusal

NOW = datetime(2026, 6, 15, 10, 20, tzinfo=UTC)
SIZES = {"m5.large": (2, 8192), "r5.xlarge": (4, 32768)}


@dataclass
class Series:
    """One metric of CloudWatch. ``value`` gives a period's value for a statistic."""

    namespace: str
    name: str
    dimensions: dict[str, str]
    value: Callable[[datetime, str, int], float] = lambda moment, statistic, period: 42.5
    since: datetime = datetime(2020, 1, 1, tzinfo=UTC)
    until: datetime = datetime(2100, 1, 1, tzinfo=UTC)

    @property
    def key(self) -> tuple[str, str, frozenset[tuple[str, str]]]:
        return self.namespace, self.name, frozenset(self.dimensions.items())


@dataclass
class Aws:
    """An account's resources and metrics, what was asked of it, and what it refuses."""

    now: Callable[[], datetime]
    instances: list[dict[str, Any]] = field(default_factory=list)
    databases: list[dict[str, Any]] = field(default_factory=list)
    volumes: list[dict[str, Any]] = field(default_factory=list)
    balancers: list[dict[str, Any]] = field(default_factory=list)
    clusters: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    series: list[Series] = field(default_factory=list)
    page: int = 3
    """Resources in a page."""
    points: int = 100_800
    """Points in a page of GetMetricData."""
    late: timedelta = timedelta(minutes=20)
    """How long a point takes until it can be had."""
    fails: dict[str, list[str]] = field(default_factory=dict)
    """Error codes that the next calls of an operation are answered with."""
    incomplete: int = 0
    """So many answers of GetMetricData say that something went wrong inside."""
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    metrics_paid: int = 0

    # ---- what tests say

    def instance(self, name: str, kind: str = "m5.large", state: str = "running", **tags: str) -> None:
        """An EC2 instance with the metrics that every one has."""
        self.instances.append(
            {
                "InstanceId": name,
                "InstanceType": kind,
                "State": {"Name": state},
                "Tags": [{"Key": key.replace("__", ":"), "Value": value} for key, value in tags.items()],
            }
        )
        for metric in ("CPUUtilization", "NetworkIn", "NetworkOut"):
            self.series.append(Series("AWS/EC2", metric, {"InstanceId": name}))

    def metric(self, namespace: str, name: str, value: Any = 42.5, **dimensions: str) -> None:
        """Another metric, of the same value at all times or by a function."""
        by_time = value if callable(value) else lambda *_: value
        self.series.append(Series(namespace, name, dimensions, by_time))

    def requests(self, operation: str) -> list[dict[str, Any]]:
        return [request for one, request in self.asked if one == operation]

    # ---- boto3

    def session(self, *keys: str, region_name: str = "us-east-1") -> Any:
        return mock.Mock(client=lambda service, **_: self.client(service))

    def client(self, service: str) -> Any:
        """A client of botocore's, made once, whose requests come to this account."""
        _ACCOUNTS[0] = self
        return _client(service)

    def answer(self, model: Any, context: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        request, operation = context["asked"], model.name
        service = model.service_model.service_name
        check(service, operation, _as_sent(request))
        self.asked.append((operation, request))
        if waiting := self.fails.get(operation):
            code = waiting.pop(0)
            error = {"Error": {"Code": code, "Message": f"{code} was said"}, "ResponseMetadata": {}}
            return mock.Mock(status_code=400), error
        answer = getattr(self, re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).lower())(request)
        return mock.Mock(status_code=200), answer | {"ResponseMetadata": {}}

    # ---- the services

    def assume_role(self, request: dict[str, Any]) -> dict[str, Any]:
        keys = {"AccessKeyId": "ASIAOFANOTHER0000", "SecretAccessKey": "s", "SessionToken": "t"}
        return {"Credentials": keys | {"Expiration": self.now() + timedelta(hours=1)}}

    def describe_instances(self, request: dict[str, Any]) -> dict[str, Any]:
        (states,) = (one["Values"] for one in request["Filters"] if one["Name"] == "instance-state-name")
        found = [one for one in self.instances if one["State"]["Name"] in states]
        page, more = self._page(found, request)
        return {"Reservations": [{"Instances": [one]} for one in page]} | more

    def describe_instance_types(self, request: dict[str, Any]) -> dict[str, Any]:
        (wanted,) = (one["Values"] for one in request["Filters"] if one["Name"] == "instance-type")
        found = [
            {"InstanceType": name, "VCpuInfo": {"DefaultVCpus": cpus}, "MemoryInfo": {"SizeInMiB": memory}}
            for name, (cpus, memory) in SIZES.items()
            if name in wanted
        ]
        page, more = self._page(found, request)
        return {"InstanceTypes": page} | more

    def describe_volumes(self, request: dict[str, Any]) -> dict[str, Any]:
        assert request["Filters"] == [{"Name": "attachment.status", "Values": ["attached"]}]
        page, more = self._page([one for one in self.volumes if one["Attachments"]], request)
        return {"Volumes": page} | more

    def describe_load_balancers(self, request: dict[str, Any]) -> dict[str, Any]:
        page, more = self._page(self.balancers, request, "Marker", "NextMarker")
        return {"LoadBalancers": page} | more

    def get_account_settings(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"AccountLimit": {"ConcurrentExecutions": 1000}}

    def describe_dbinstances(self, request: dict[str, Any]) -> dict[str, Any]:
        page, more = self._page(self.databases, request, "Marker", "Marker")
        return {"DBInstances": page} | more

    def list_clusters(self, request: dict[str, Any]) -> dict[str, Any]:
        page, more = self._page(sorted(self.clusters), request, "nextToken", "nextToken")
        return {"clusterArns": page} | more

    def list_services(self, request: dict[str, Any]) -> dict[str, Any]:
        names = [one["serviceArn"] for one in self.clusters[request["cluster"]]]
        page, more = self._page(names, request, "nextToken", "nextToken")
        return {"serviceArns": page} | more

    def describe_services(self, request: dict[str, Any]) -> dict[str, Any]:
        assert 0 < len(request["services"]) <= 10, "ECS describes ten at a time"
        known = self.clusters[request["cluster"]]
        return {"services": [one for one in known if one["serviceArn"] in request["services"]], "failures": []}

    def list_metrics(self, request: dict[str, Any]) -> dict[str, Any]:
        wanted = {one["Name"] for one in request.get("Dimensions", [])}
        found = [
            {"Namespace": one.namespace, "MetricName": one.name,
             "Dimensions": [{"Name": name, "Value": value} for name, value in one.dimensions.items()]}
            for one in self.series
            if (one.namespace, one.name) == (request["Namespace"], request["MetricName"])
            and wanted <= one.dimensions.keys()
        ]  # fmt: skip
        page, more = self._page(found, request)
        return {"Metrics": page} | more

    def get_metric_data(self, request: dict[str, Any]) -> dict[str, Any]:
        queries, start, end = request["MetricDataQueries"], request["StartTime"], request["EndTime"]
        assert 0 < len(queries) <= 500, "GetMetricData takes 500 queries"
        assert len({one["Id"] for one in queries}) == len(queries)
        assert all(re.fullmatch(r"[a-z]\w*", one["Id"]) for one in queries)
        assert start < end
        known = {one.key: one for one in self.series}
        if "NextToken" not in request:
            self.metrics_paid += len(queries)
        everything = []
        for query in queries:
            stat = query["MetricStat"]
            dimensions = frozenset((one["Name"], one["Value"]) for one in stat["Metric"].get("Dimensions", []))
            one = known.get((stat["Metric"]["Namespace"], stat["Metric"]["MetricName"], dimensions))
            period = stat["Period"]
            assert period % 60 == 0
            for moment in [] if one is None else self._moments(one, start, end, period):
                everything.append((query["Id"], moment, one.value(moment, stat["Stat"], period)))
        first = int(request.get("NextToken", "0"))
        page, more = everything[first : first + self.points], first + self.points < len(everything)
        status = "PartialData" if more else "Complete"
        if self.incomplete:
            self.incomplete, status = self.incomplete - 1, "InternalError"
        results = [
            {
                "Id": query["Id"],
                "Label": "x",
                "StatusCode": status,
                "Timestamps": [moment for name, moment, _ in page if name == query["Id"]],
                "Values": [value for name, _, value in page if name == query["Id"]],
            }
            for query in queries
        ]
        token = {"NextToken": str(first + self.points)} if more else {}
        return {"MetricDataResults": results, "Messages": []} | token

    def _moments(self, series: Series, start: datetime, end: datetime, period: int) -> Iterator[datetime]:
        """The starts of the periods that CloudWatch still has, or has already: fine ones for 63 days, hours for 455."""
        kept = timedelta(days=455) if period % 3600 == 0 else timedelta(days=63 if period % 300 == 0 else 15)
        step = timedelta(seconds=period)
        moment = datetime.fromtimestamp(-(-start.timestamp() // period) * period, UTC)
        last = min(end, series.until, self.now() - self.late)
        while moment < last:
            if moment >= max(series.since, self.now() - kept):
                yield moment
            moment += step

    def _page(
        self, items: list[Any], request: dict[str, Any], given: str = "NextToken", told: str = "NextToken"
    ) -> tuple[list[Any], dict[str, str]]:
        first = int(request.get(given, "0"))
        more = {told: str(first + self.page)} if first + self.page < len(items) else {}
        return items[first : first + self.page], more


_ACCOUNTS: list[Any] = [None]


@cache
def _client(service: str) -> Any:
    session = boto3.session.Session("key", "secret", region_name="us-east-1")
    session.events.register("provide-client-params.*.*", _note)
    session.events.register("before-call.*.*", lambda **call: _ACCOUNTS[0].answer(**call))
    return session.client(service)


def _note(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    context["asked"] = params


def _as_sent(value: Any) -> Any:
    """A request as botocore's model describes it: times as text."""
    if isinstance(value, dict):
        return {key: _as_sent(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_sent(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value


class Bucket(worlds.S3):
    """S3 of the world in memory, with the requests that only collectors make."""

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        self.world.called("HeadObject")
        if self._current(Bucket, Key) is None:
            raise refusal("404", "HeadObject")
        return {}

    def put_object(self, Bucket: str, Key: str, Body: bytes, IfNoneMatch: str = "") -> None:
        self.world.called("PutObject")
        if IfNoneMatch == "*" and self._current(Bucket, Key) is not None:
            raise refusal("PreconditionFailed", "PutObject")
        self.world.put(Bucket, Key, Body)
        self.world.wrote()


@dataclass
class Collecting:
    """A stack that collects, and its source."""

    world: World = field(default_factory=lambda: World(now=NOW))
    parts_left: int | None = None
    """So many questions whether there is still time are answered with yes."""

    def __post_init__(self) -> None:
        self.aws = Aws(now=lambda: self.world.now)
        self.patches = mock.patch.multiple(cloudwatch.boto3, Session=self.aws.session, client=self.aws.client)

    @property
    def tools(self) -> Tools:
        def tell(title: str, lines: list[str]) -> None:
            self.world.letters.append({"Subject": title, "Message": "\n".join(lines)})
            self.world.wrote()

        def has_time() -> bool:
            if self.parts_left is None:
                return True
            self.parts_left -= 1
            return self.parts_left >= 0

        progress = Progress(self.world.Table("ledger"))  # type: ignore[arg-type]
        s3 = Bucket(self.world)
        return Tools(s3, "ingest", progress, tell, "us-east-1", lambda: self.world.now, has_time)

    def set_up(self, name: str = "aws", **settings: Any) -> None:
        body = {"source": "cloudwatch", "dataset": "fleet"} | settings
        self.world.put("ingest", f"config/collectors/{name}.json", json.dumps(body).encode())

    def tick(self) -> int:
        """The schedule's quarter of an hour is over; how many files came of it."""
        self.world.now += timedelta(minutes=15)
        with self.patches:
            return collect.collect_all(self.tools)

    def wait(self, **time: float) -> None:
        self.world.now += timedelta(**time)

    def files(self, prefix: str = "incoming/") -> dict[str, list[Version]]:
        return {key: found for key, found in self.world.buckets["ingest"].items() if key.startswith(prefix)}

    def rows(self) -> list[dict[str, str]]:
        """All rows of all files."""
        found = []
        for versions in self.files().values():
            head, *lines = gzip.decompress(versions[-1].body or b"").decode().splitlines()
            found += [dict(zip(head.split(","), line.split(","), strict=True)) for line in lines]
        return found
