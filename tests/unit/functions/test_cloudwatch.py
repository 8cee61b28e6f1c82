"""CloudWatch as a source: which servers and metrics are found, how they are asked for, what their numbers mean."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest

import cloudwatch
from tests.unit.functions.sources import NOW, Collecting

GIB = 2**30


def collected(service: Collecting, **settings: Any) -> list[dict[str, str]]:
    """The rows of a first collection of one day."""
    service.set_up(**({"backfill_days": 1} | settings))
    service.tick()
    return service.rows()


def of(rows: list[dict[str, str]], server: str) -> dict[str, str]:
    """The last row of a server."""
    return max((row for row in rows if row["server_id"] == server), key=lambda row: row["timestamp"])


@pytest.mark.slow
def test_an_instance_is_its_id_with_size_and_tags():
    service = Collecting()
    tags = {"Name": "web-1", "Business-Unit": "shop", "Criticality": "high", "colour": "red"}
    service.aws.instance("i-1", **tags)
    service.aws.instance("i-2", "r5.xlarge", CostCenter="4711")
    service.aws.instances[1]["CpuOptions"] = {"CoreCount": 1, "ThreadsPerCore": 1}
    rows = collected(service)
    facts = {"instance_type": "m5.large", "vcpus": "2", "memory_gb": "8", "region": "us-east-1"}
    assert of(rows, "i-1").items() >= (facts | {"business_unit": "shop", "criticality": "high"}).items()
    assert of(rows, "i-2").items() >= {"vcpus": "1", "memory_gb": "32", "business_unit": "4711"}.items()
    assert "colour" not in rows[0]


def test_an_instance_can_be_named_by_its_tag_and_stays_unique():
    service = Collecting()
    service.aws.instance("i-1", Name="web")
    service.aws.instance("i-2", Name="web")
    service.aws.instance("i-3", Name="  bad\x07\nname ")
    service.aws.instance("i-4")
    found = {row["server_id"] for row in collected(service, names="tag")}
    assert found == {"web (i-1)", "web (i-2)", "bad name (i-3)", "i-4"}


def test_of_stopped_instances_what_they_did_before_is_collected_and_terminated_ones_are_left_out():
    service = Collecting()
    service.aws.instance("i-1", state="stopped")
    service.aws.series[0].until = NOW - timedelta(hours=15)
    service.aws.instance("i-2", state="terminated")
    assert {row["server_id"] for row in collected(service)} == {"i-1"}


def test_network_is_in_megabytes_per_second_whether_monitoring_is_detailed_or_not():
    service = Collecting()
    service.aws.instance("i-1")
    service.aws.series[1].value = lambda moment, statistic, period: {"Sum": 6e6 * period, "Average": 60.0}[statistic]
    assert of(collected(service), "i-1")["network_in [MB/s]"] == "6"


def test_the_agents_memory_and_every_disk_that_can_fill_up_are_found():
    service = Collecting()
    for name in ("i-1", "i-2"):
        service.aws.instance(name)
    here: dict[str, str] = {"InstanceId": "i-1", "ImageId": "ami-1", "InstanceType": "m5.large"}
    service.aws.metric("CWAgent", "mem_used_percent", 61.0, **here)
    service.aws.metric("CWAgent", "disk_used_percent", 30.0, **here, path="/", device="nvme0n1p1", fstype="xfs")
    service.aws.metric("CWAgent", "disk_used_percent", 80.0, **here, path="/data", device="nvme1n1", fstype="ext4")
    service.aws.metric(
        "CWAgent", "disk_used_percent", 100.0, **here, path="/snap/core", device="loop0", fstype="squashfs"
    )
    service.aws.metric("CWAgent", "disk_used_percent", 99.0, **here, path="/dev/shm", device="tmpfs")  # noqa: S108
    service.aws.metric("CWAgent", "disk_used_percent", 98.0, **here)
    service.aws.metric(
        "CWAgent", "LogicalDisk % Free Space", 9.0, InstanceId="i-2", instance="C:", objectname="LogicalDisk"
    )
    service.aws.metric("CWAgent", "LogicalDisk % Free Space", 2.0, InstanceId="i-2", instance="_Total")
    rows = collected(service)
    assert {row["memory [%]"] for row in rows if row["server_id"] == "i-1" and "memory [%]" in row} == {"61"}
    disks = {(row["server_id"], row["entity"], row["disk [%]"]) for row in rows if "entity" in row}
    assert disks == {("i-1", "/", "30"), ("i-1", "/data", "80"), ("i-2", "C:", "91")}


def test_a_metric_that_the_agent_sends_under_several_dimensions_is_asked_for_once():
    service = Collecting()
    service.aws.instance("i-1")
    service.aws.metric("Own", "mem_used_percent", 61.0, InstanceId="i-1", ImageId="ami-1")
    service.aws.metric("Own", "mem_used_percent", 61.0, InstanceId="i-1")
    service.aws.metric("Own", "mem_used_percent", 61.0, AutoScalingGroupName="web")
    collected(service, agent_namespace="Own")
    asked = [
        query["MetricStat"]["Metric"]["Dimensions"]
        for request in service.aws.requests("GetMetricData")
        for query in request["MetricDataQueries"]
        if query["MetricStat"]["Metric"]["MetricName"] == "mem_used_percent"
    ]
    assert asked == [[{"Name": "InstanceId", "Value": "i-1"}]]


def test_databases_have_names_that_are_unique_among_accounts_and_regions():
    service = Collecting()
    for number in range(7):
        name = f"db-{number}"
        service.aws.databases.append(
            {
                "DBInstanceIdentifier": name,
                "DBInstanceArn": f"arn:aws:rds:us-east-1:123456789012:db:{name}",
                "DBInstanceClass": "db.r5.xlarge",
                "TagList": [{"Key": "owner", "Value": "shop"}],
            }
        )
        service.aws.metric("AWS/RDS", "CPUUtilization", 33.0, DBInstanceIdentifier=name)
        service.aws.metric("AWS/RDS", "NetworkReceiveThroughput", 2.5e6, DBInstanceIdentifier=name)
    row = of(collected(service, services=["rds"]), "rds/123456789012/us-east-1/db-6")
    assert row.items() >= {"cpu [%]": "33", "network_in [MB/s]": "2.5", "business_unit": "shop"}.items()
    assert row.items() >= {"instance_type": "db.r5.xlarge", "vcpus": "4", "memory_gb": "32"}.items()


def test_services_of_containers_count_what_they_reserve_as_all_that_they_have():
    service = Collecting()
    for cluster in ("prod", "empty"):
        arn = f"arn:aws:ecs:us-east-1:123456789012:cluster/{cluster}"
        names = [f"api-{number}" for number in range(12)] if cluster == "prod" else []
        service.aws.clusters[arn] = [
            {"serviceName": name, "serviceArn": arn.replace("cluster", "service") + f"/{name}", "tags": []}
            for name in names
        ]
    service.aws.metric("AWS/ECS", "CPUUtilization", 180.0, ClusterName="prod", ServiceName="api-11")
    service.aws.metric("AWS/ECS", "MemoryUtilization", 70.0, ClusterName="prod", ServiceName="api-11")
    row = of(collected(service, services=["ecs"]), "ecs/123456789012/us-east-1/prod/api-11")
    assert row.items() >= {"cpu [%]": "100", "memory [%]": "70"}.items()


def test_volumes_are_parts_of_their_instances_with_what_is_provisioned():
    service = Collecting()
    service.aws.instance("i-1", Name="web")
    for number in range(5):
        volume = f"vol-{number}"
        here = [{"InstanceId": "i-1", "VolumeId": volume, "State": "attached"}] if number else []
        service.aws.volumes.append({"VolumeId": volume, "Attachments": here, "Iops": 3000, "Throughput": 125})
        for way in ("Read", "Write"):
            service.aws.metric("AWS/EBS", f"Volume{way}Ops", lambda _, stat, period: 200.0 * period, VolumeId=volume)
            service.aws.metric("AWS/EBS", f"Volume{way}Bytes", lambda _, stat, period: 6e6 * period, VolumeId=volume)
    rows = collected(service, services=["ebs"], names="tag")
    found = {(row["server_id"], row["entity"]) for row in rows}
    assert found == {("web (i-1)", f"vol-{number}") for number in range(1, 5)}
    limits = {"provisioned_iops": "3000", "provisioned_throughput": "131.072"}
    assert all(row.items() >= ({"iops": "400", "throughput [MB/s]": "12"} | limits).items() for row in rows)


@pytest.mark.slow
def test_concurrency_of_functions_stands_beside_its_limit():
    service = Collecting()
    highest = {"Maximum": 812.0, "Average": 3.0}
    service.aws.metric("AWS/Lambda", "ConcurrentExecutions", lambda _, stat, period: highest[stat])
    service.aws.metric("AWS/Lambda", "ConcurrentExecutions", 5.0, FunctionName="one-of-them")
    row = of(collected(service, services=["lambda"]), "lambda/own/us-east-1")
    assert row.items() >= {"concurrency": "812", "concurrency_limit": "1000"}.items()


def test_load_balancers_have_requests_or_connections():
    service = Collecting()
    for kind, name in (("application", "web"), ("network", "tcp"), ("gateway", "wall")):
        short = {"application": "app", "network": "net", "gateway": "gwy"}[kind]
        arn = f"arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/{short}/{name}/50dc6c495c0c9188"
        service.aws.balancers.append({"LoadBalancerArn": arn, "LoadBalancerName": name, "Type": kind})
    web, tcp = "app/web/50dc6c495c0c9188", "net/tcp/50dc6c495c0c9188"
    service.aws.metric("AWS/ApplicationELB", "RequestCount", lambda _, stat, period: 20.0 * period, LoadBalancer=web)
    service.aws.metric("AWS/NetworkELB", "ActiveFlowCount", 77.0, LoadBalancer=tcp)
    rows = collected(service, services=["elb"])
    assert of(rows, "elb/123456789012/us-east-1/web").items() >= {"requests": "20", "connections": ""}.items()
    assert of(rows, "elb/123456789012/us-east-1/tcp").items() >= {"requests": "", "connections": "77"}.items()


def test_a_large_fleet_is_asked_for_in_requests_and_files_that_are_full_but_not_too_large(monkeypatch):
    monkeypatch.setattr(cloudwatch, "MOST_ROWS", 288 * 250)
    service = Collecting()
    service.aws.page = 1000
    for number in range(600):
        service.aws.instance(f"i-{number:04d}")
        service.aws.series[-3].since = NOW - timedelta(hours=10, minutes=50)
        del service.aws.series[-2:]  # quicker; they are asked for all the same
    rows = collected(service)
    assert len({row["server_id"] for row in rows}) == 600
    assert len(service.files()) == 3
    sizes = [len(request["MetricDataQueries"]) for request in service.aws.requests("GetMetricData")]
    assert sorted(sizes) == sorted([350, 350, 50] * 2 + [300])
    assert service.aws.metrics_paid == 1800


def test_answers_in_pages_are_put_together():
    service = Collecting()
    service.aws.points = 100
    service.aws.instance("i-1")
    rows = collected(service)
    assert len(rows) == 288
    assert all(row["cpu [%]"] == "42.5" for row in rows)


def test_an_answer_that_is_not_complete_is_not_used():
    service = Collecting()
    service.aws.instance("i-1")
    service.aws.incomplete = 1
    assert collected(service) == []
    service.tick()
    assert len(service.rows()) == 288


def test_a_moment_that_has_no_value_has_no_row():
    service = Collecting()
    service.aws.instance("i-1")
    for series in service.aws.series:
        series.since, series.until = NOW - timedelta(hours=15), NOW - timedelta(hours=14)
    assert len(collected(service)) == 12


@pytest.mark.parametrize(
    ("days_ago", "lasts", "periods"),
    [
        (1, 1, [300]),
        (62, 62, [300]),
        (80, 80, [3600, 300]),
        (455, 455, [3600, 300]),
        (600, 100, []),
        (100, 10, [3600]),
    ],
)
def test_each_age_is_asked_for_as_finely_as_cloudwatch_still_has_it(days_ago, lasts, periods):
    since = NOW.replace(minute=0) - timedelta(days=days_ago)
    found = cloudwatch.segments(since, since + timedelta(days=lasts), NOW)
    assert [int(period.total_seconds()) for _, _, period in found] == periods
    for (_, end, _), (start, _, _) in itertools.pairwise(found):
        assert end == start
    for start, _, period in found:
        assert NOW - start < timedelta(days=63 if period < timedelta(hours=1) else 455)
