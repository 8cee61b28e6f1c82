"""CloudWatch as a source: the values of those metrics that say how busy servers are (``cloudwatch_servers`` has both).

What is measured is asked for as averages of five minutes, or of an hour where CloudWatch has nothing finer any more.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import boto3
from pydantic import BaseModel, ConfigDict

from cloudwatch_servers import AT_ONCE, PATIENT, Query, Server, servers_of
from collectors import AwsAccount, CloudWatch, SourceError
from samples import Samples

# CloudWatch keeps points of five minutes for 63 days and of an hour for 455 (its documentation). Half a day less is
# asked for in each case, so that nothing expires between question and answer.
FINE, COARSE = timedelta(minutes=5), timedelta(hours=1)
FINE_KEPT, COARSE_KEPT = timedelta(days=62, hours=12), timedelta(days=454, hours=12)
# Of one GetMetricData request (its documentation).
MOST_QUERIES, MOST_POINTS = 500, 100_800
# USD for one metric in one request, whatever the time it spans (https://aws.amazon.com/cloudwatch/pricing/).
USD_PER_METRIC = 0.01 / 1000
# Rows of one file, and with it the memory of the function: 250,000 rows of five metrics take about 300 MB.
MOST_ROWS = 250_000


class Part(BaseModel):
    """A part of a collection: the servers of one file."""

    model_config = ConfigDict(frozen=True)

    servers: list[Server]


@dataclass(frozen=True)
class Meaning:
    """How a value becomes one of the data contract: the statistic to ask for, and what to do with it."""

    statistic: str
    value: Callable[[float, timedelta], float]
    summed: bool = False
    """Whether several queries of one metric add up; otherwise the largest counts."""


MEANINGS = {
    "percent": Meaning("Average", lambda value, _: value),
    "percent free": Meaning("Average", lambda value, _: 100 - value),
    # Of what is reserved, which a task may exceed where its host has more: then all that it is promised is in use.
    "percent of reserved": Meaning("Average", lambda value, _: min(value, 100.0)),
    # EC2 gives bytes of an interval of one or five minutes; their sum over the period is right in both cases.
    "bytes": Meaning("Sum", lambda value, period: value / period.total_seconds() / 1e6),
    "bytes per second": Meaning("Average", lambda value, _: value / 1e6),
    "part of operations": Meaning("Sum", lambda value, period: value / period.total_seconds(), summed=True),
    "part of bytes": Meaning("Sum", lambda value, period: value / period.total_seconds() / 1e6, summed=True),
    "per second": Meaning("Sum", lambda value, period: value / period.total_seconds()),
    "average": Meaning("Average", lambda value, _: value),
    # A limit on what runs at once is met at the highest moment of a period.
    "highest": Meaning("Maximum", lambda value, _: value),
}


def scopes(config: CloudWatch, own_region: str) -> dict[str, tuple[AwsAccount, str, str]]:
    """Account, region and service of each part that is collected by itself, by its name."""
    return {
        f"{account.name}-{region}-{service}": (account, region, service)
        for account in config.accounts
        for region in account.regions or [own_region]
        for service in config.services
    }


@dataclass(frozen=True)
class Opened:
    """A scope that can be asked."""

    config: CloudWatch
    account: str
    region: str
    service: str
    session: Any

    def parts(self, since: datetime, until: datetime, now: datetime) -> list[Any]:
        """What there is to ask for, as JSON, in parts of a file each."""
        servers = servers_of(self.session, self.config, self.account, self.region, self.service)
        return [part.model_dump() for part in parts_of(servers, since, until, now)]

    def price(self, part: Any, since: datetime, until: datetime, now: datetime) -> int:
        """How many metrics AWS will charge for a part."""
        return sum(len(server["queries"]) for server in part["servers"]) * len(segments(since, until, now))

    def read(self, part: Any, since: datetime, until: datetime, now: datetime) -> bytes | None:
        """A part's file; None where nothing was measured."""
        return samples(self.session, Part.model_validate(part), since, until, now).packed()


def opened(config: CloudWatch, scope: str, collector: str, own_region: str) -> Opened:
    """A scope by its name, with the permissions that it has been given."""
    account, region, service = scopes(config, own_region)[scope]
    return Opened(config, account.name, region, service, connect(account, region, collector))


def connect(account: AwsAccount, region: str, collector: str) -> boto3.Session:
    """A session in the account's region, by its role if it has one."""
    if account.role_arn is None:
        return boto3.Session(region_name=region)
    sts = boto3.client("sts")
    external: Any = {"ExternalId": account.external_id} if account.external_id else {}
    assumed = sts.assume_role(RoleArn=account.role_arn, RoleSessionName=f"headroom-{collector}", **external)
    keys = assumed["Credentials"]
    return boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=region)


# ---------------------------------------------------------------- how it is asked for


def segments(since: datetime, until: datetime, now: datetime) -> list[tuple[datetime, datetime, timedelta]]:
    """The time from ``since`` to ``until`` as it has to be asked for: from, to, and the period of its points.

    What is older than CloudWatch keeps is left out.
    """
    hour = now.replace(minute=0, second=0, microsecond=0)
    fine, coarse = max(since, hour - FINE_KEPT), max(since, hour - COARSE_KEPT)
    found = [(coarse, min(fine, until), COARSE), (fine, until, FINE)]
    return [(start, end, period) for start, end, period in found if start < end]


def parts_of(servers: list[Server], since: datetime, until: datetime, now: datetime) -> list[Part]:
    """The servers by files: as many in each as have no more rows than a file may have.

    Servers and parts of servers have files of their own: in one table the rows of a server would count as the whole.
    """
    rows = sum((end - start) // period for start, end, period in segments(since, until, now))
    size = max(1, MOST_ROWS // max(1, rows))
    whole, parts = [one for one in servers if not one.part], [one for one in servers if one.part]
    return [Part(servers=some[first : first + size]) for some in (whole, parts) for first in range(0, len(some), size)]


# ---------------------------------------------------------------- what it measured


def samples(session: Any, part: Part, since: datetime, until: datetime, now: datetime) -> Samples:
    """The samples of a part's servers.

    Raises:
        SourceError: CloudWatch has not answered all of it.
    """
    cloudwatch = session.client("cloudwatch", config=PATIENT)
    found = Samples(attributes={(server.id, server.part): server.attributes for server in part.servers})
    asked = [((server.id, server.part), query) for server in part.servers for query in server.queries]
    for start, end, period in segments(since, until, now):
        points = (end - start) // period
        size = max(1, min(MOST_QUERIES, MOST_POINTS // points))
        batches = [asked[first : first + size] for first in range(0, len(asked), size)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = pool.map(lambda batch: _values(cloudwatch, batch, start, end, period), batches)  # noqa: B023
            for batch, answer in zip(batches, answers, strict=True):
                for (server, query), points_of in zip(batch, answer, strict=True):
                    meaning = MEANINGS[query.means]
                    for moment, value in points_of:
                        found.add(server, moment, query.metric, meaning.value(value, period), meaning.summed)
    return found


def _values(
    cloudwatch: Any, batch: list[tuple[tuple[str, str], Query]], start: datetime, end: datetime, period: timedelta
) -> list[list[tuple[datetime, float]]]:
    """The points of each query of a batch."""
    queries = [
        {
            "Id": f"q{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": query.namespace,
                    "MetricName": query.name,
                    "Dimensions": [{"Name": name, "Value": value} for name, value in query.dimensions],
                },
                "Period": int(period.total_seconds()),
                "Stat": MEANINGS[query.means].statistic,
            },
        }
        for number, (_, query) in enumerate(batch)
    ]
    points: list[list[tuple[datetime, float]]] = [[] for _ in batch]
    status = [""] * len(batch)
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=start, EndTime=end, ScanBy="TimestampAscending"
    )
    for page in pages:
        for result in page["MetricDataResults"]:
            number = int(result["Id"][1:])
            status[number] = result["StatusCode"]
            points[number] += zip(result["Timestamps"], result["Values"], strict=True)
    for (server, query), said in zip(batch, status, strict=True):
        if said != "Complete":
            raise SourceError(
                f"CloudWatch answered {query.namespace} {query.name} of {server[0]} with {said or 'nothing'}"
            )
    return points
