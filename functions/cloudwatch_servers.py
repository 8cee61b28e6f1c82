"""The servers in a region of an AWS account, and which metrics of CloudWatch say how busy they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.config import Config
from pydantic import BaseModel, ConfigDict

from collectors import CloudWatch
from samples import clean

AT_ONCE = 4
# Above the rate that an account is given, CloudWatch refuses requests: they are tried again, ever more slowly.
PATIENT = Config(retries={"mode": "adaptive", "total_max_attempts": 12}, max_pool_connections=AT_ONCE)
_TYPES_AT_ONCE = 100  # values of one filter of DescribeInstanceTypes; it takes 200
# Full for ever, or not on a disk.
_NO_DISKS = {"squashfs", "iso9660", "tmpfs", "devtmpfs", "overlay", "efivarfs", "ramfs", "udf", "nsfs", "fuse.snapfuse"}
_NO_PATHS = ("/dev", "/proc", "/run", "/snap", "/sys")


class Query(BaseModel):
    """One metric of one server: where CloudWatch has it, and what it means."""

    model_config = ConfigDict(frozen=True)

    metric: str
    """The data contract's name."""
    namespace: str
    name: str
    dimensions: list[tuple[str, str]]
    means: str = "percent"
    """One of ``cloudwatch.MEANINGS``."""


class Server(BaseModel):
    """What is collected of one server."""

    model_config = ConfigDict(frozen=True)

    id: str
    part: str = ""
    """Where it is a part of a server: which one."""
    attributes: dict[str, str]
    queries: list[Query]


def servers_of(session: Any, config: CloudWatch, account: str, region: str, service: str) -> list[Server]:
    """All servers of a service in a region, by name, with the metrics that there are of each."""
    find = {"ec2": _instances, "rds": _databases, "ecs": _containers, "ebs": _volumes, "lambda": _functions,
            "elb": _load_balancers}[service]  # fmt: skip
    return sorted(find(session, config, account, region), key=lambda server: (server.id, server.part))


def _instances(session: Any, config: CloudWatch, account: str, region: str) -> Iterator[Server]:
    """EC2 instances: CPU and network by their hypervisor, memory and disks where the CloudWatch agent runs."""
    ec2 = session.client("ec2", config=PATIENT)
    instances = _described(ec2)
    sizes = _sizes(ec2, {one["InstanceType"] for one in instances})
    agent = _agent(session, config.agent_namespace) if instances else {}
    for one in instances:
        name, tags = one["InstanceId"], {tag["Key"]: tag["Value"] for tag in one.get("Tags", [])}
        cpu, memory = sizes.get(one["InstanceType"], ("", ""))
        if options := one.get("CpuOptions"):
            cpu = str(options["CoreCount"] * options["ThreadsPerCore"])
        here = [("InstanceId", name)]
        queries = [
            Query(metric="cpu", namespace="AWS/EC2", name="CPUUtilization", dimensions=here),
            Query(metric="network_in", namespace="AWS/EC2", name="NetworkIn", dimensions=here, means="bytes"),
            Query(metric="network_out", namespace="AWS/EC2", name="NetworkOut", dimensions=here, means="bytes"),
        ]
        disks: dict[str, list[Query]] = {}
        for part, query in agent.get(name, []):
            (disks.setdefault(part, []) if part else queries).append(query)
        server = _called(config, one)
        facts = _facts(config, tags, region, one["InstanceType"], cpu, memory)
        for part, asked in {"": queries, **disks}.items():
            yield Server(id=server, part=part, attributes=facts, queries=asked)


def _described(ec2: Any) -> list[Any]:
    """All instances that may have been running a moment ago."""
    states = {"Name": "instance-state-name", "Values": ["running", "shutting-down", "stopping", "stopped"]}
    pages = ec2.get_paginator("describe_instances").paginate(Filters=[states])
    return [one for page in pages for group in page["Reservations"] for one in group["Instances"]]


def _called(config: CloudWatch, instance: Any) -> str:
    """The server that an instance is, by the settings."""
    tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
    name = clean(tags.get("Name", ""))[:200] if config.names == "tag" else ""
    return f"{name} ({instance['InstanceId']})" if name else str(instance["InstanceId"])


def _databases(session: Any, config: CloudWatch, account: str, region: str) -> Iterator[Server]:
    """RDS instances: CPU and network. How full their storage was is not known: they do not say how large it was."""
    rds, ec2 = session.client("rds", config=PATIENT), session.client("ec2", config=PATIENT)
    pages = rds.get_paginator("describe_db_instances").paginate()
    databases = [one for page in pages for one in page["DBInstances"]]
    sizes = _sizes(ec2, {one["DBInstanceClass"].removeprefix("db.") for one in databases})
    for one in databases:
        tags = {tag["Key"]: tag["Value"] for tag in one.get("TagList", [])}
        here = [("DBInstanceIdentifier", one["DBInstanceIdentifier"])]
        cpu, memory = sizes.get(one["DBInstanceClass"].removeprefix("db."), ("", ""))
        yield Server(
            id=f"rds/{one['DBInstanceArn'].split(':')[4]}/{region}/{one['DBInstanceIdentifier']}",
            attributes=_facts(config, tags, region, one["DBInstanceClass"], cpu, memory),
            queries=[
                Query(metric="cpu", namespace="AWS/RDS", name="CPUUtilization", dimensions=here),
                Query(
                    metric="network_in",
                    namespace="AWS/RDS",
                    name="NetworkReceiveThroughput",
                    dimensions=here,
                    means="bytes per second",
                ),
                Query(
                    metric="network_out",
                    namespace="AWS/RDS",
                    name="NetworkTransmitThroughput",
                    dimensions=here,
                    means="bytes per second",
                ),
            ],
        )


def _containers(session: Any, config: CloudWatch, account: str, region: str) -> Iterator[Server]:
    """ECS services: CPU and memory in percent of what their tasks reserve."""
    ecs = session.client("ecs", config=PATIENT)
    for clusters in ecs.get_paginator("list_clusters").paginate():
        for cluster in clusters["clusterArns"]:
            for services in ecs.get_paginator("list_services").paginate(cluster=cluster, maxResults=10):
                if not services["serviceArns"]:
                    continue
                described = ecs.describe_services(cluster=cluster, services=services["serviceArns"], include=["TAGS"])
                for one in described["services"]:
                    tags: dict[str, str] = {tag["key"]: tag["value"] for tag in one.get("tags", [])}
                    owner, within = cluster.split(":")[4], cluster.rpartition("/")[2]
                    here = [("ClusterName", within), ("ServiceName", one["serviceName"])]
                    yield Server(
                        id=f"ecs/{owner}/{region}/{within}/{one['serviceName']}",
                        attributes=_facts(config, tags, region, "", "", ""),
                        queries=[
                            Query(
                                metric=metric,
                                namespace="AWS/ECS",
                                name=name,
                                dimensions=here,
                                means="percent of reserved",
                            )
                            for metric, name in (("cpu", "CPUUtilization"), ("memory", "MemoryUtilization"))
                        ],
                    )


def _volumes(session: Any, config: CloudWatch, account: str, region: str) -> Iterator[Server]:
    """EBS volumes as parts of the instances that they are attached to: operations and bytes, and their limits."""
    ec2 = session.client("ec2", config=PATIENT)
    called = {one["InstanceId"]: _called(config, one) for one in _described(ec2)}
    attached = {"Name": "attachment.status", "Values": ["attached"]}
    for page in ec2.get_paginator("describe_volumes").paginate(Filters=[attached]):
        for one in page["Volumes"]:
            here = [("VolumeId", one["VolumeId"])]
            limits = {"provisioned_iops": f"{one['Iops']}"} if one.get("Iops") else {}
            if one.get("Throughput"):  # in MiB per second
                limits["provisioned_throughput"] = f"{one['Throughput'] * 2**20 / 1e6:.6g}"
            queries = [
                Query(metric=metric, namespace="AWS/EBS", name=f"Volume{way}{what}", dimensions=here, means=means)
                for metric, what, means in (
                    ("iops", "Ops", "part of operations"),
                    ("throughput", "Bytes", "part of bytes"),
                )
                for way in ("Read", "Write")
            ]
            for attachment in one["Attachments"]:
                yield Server(
                    id=called.get(attachment["InstanceId"], attachment["InstanceId"]),
                    part=one["VolumeId"],
                    attributes={"region": region} | limits,
                    queries=queries,
                )


def _functions(session: Any, config: CloudWatch, account: str, region: str) -> Iterator[Server]:
    """What all Lambda functions of the account run at once in the region, and its limit."""
    lambda_ = session.client("lambda", config=PATIENT)
    limit = lambda_.get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    yield Server(
        id=f"lambda/{account}/{region}",
        attributes={"region": region, "concurrency_limit": str(limit)},
        queries=[
            Query(
                metric="concurrency",
                namespace="AWS/Lambda",
                name="ConcurrentExecutions",
                dimensions=[],
                means="highest",
            )
        ],
    )


def _load_balancers(session: Any, config: CloudWatch, account: str, region: str) -> Iterator[Server]:
    """Requests per second of application load balancers, connections of network load balancers."""
    elbv2 = session.client("elbv2", config=PATIENT)
    kinds = {
        "application": ("AWS/ApplicationELB", "requests", "RequestCount", "per second"),
        "network": ("AWS/NetworkELB", "connections", "ActiveFlowCount", "average"),
    }
    for page in elbv2.get_paginator("describe_load_balancers").paginate():
        for one in page["LoadBalancers"]:
            if one["Type"] in kinds:
                namespace, metric, name, means = kinds[one["Type"]]
                arn = one["LoadBalancerArn"]
                here = [("LoadBalancer", arn.partition(":loadbalancer/")[2])]
                yield Server(
                    id=f"elb/{arn.split(':')[4]}/{region}/{one['LoadBalancerName']}",
                    attributes={"region": region},
                    queries=[Query(metric=metric, namespace=namespace, name=name, dimensions=here, means=means)],
                )


def _facts(
    config: CloudWatch, tags: Mapping[str, str], region: str, kind: str, cpu: str, memory: str
) -> dict[str, str]:
    """A server's attributes; what is not known is left out."""
    plain = {_plain(key): clean(value) for key, value in tags.items()}
    said: dict[str, str] = {
        attribute: next((plain[_plain(key)] for key in keys if plain.get(_plain(key))), "")
        for attribute, keys in config.tags.items()
    }
    facts = {"region": region, "instance_type": kind, "vcpus": cpu, "memory_gb": memory, **said}
    return {name: value for name, value in facts.items() if value}


def _plain(tag: str) -> str:
    return "".join(sign for sign in tag.casefold() if sign not in "-_: .")


def _sizes(ec2: Any, types: set[str]) -> dict[str, tuple[str, str]]:
    """vCPUs and gigabytes of instance types; those that EC2 does not know are left out."""
    sizes: dict[str, tuple[str, str]] = {}
    names = sorted(types)
    for first in range(0, len(names), _TYPES_AT_ONCE):
        wanted = {"Name": "instance-type", "Values": names[first : first + _TYPES_AT_ONCE]}
        for page in ec2.get_paginator("describe_instance_types").paginate(Filters=[wanted]):
            for one in page["InstanceTypes"]:
                memory = f"{one['MemoryInfo']['SizeInMiB'] / 1024:g}"
                sizes[one["InstanceType"]] = str(one["VCpuInfo"]["DefaultVCpus"]), memory
    return sizes


def _agent(session: Any, namespace: str) -> dict[str, list[tuple[str, Query]]]:
    """What the CloudWatch agent measures of each instance: its memory, and every disk that can fill up, by its path.

    The agent is free to send a metric under several sets of dimensions: of those of one disk the smallest is taken.
    """
    cloudwatch = session.client("cloudwatch", config=PATIENT)
    found: dict[tuple[str, str, str], Query] = {}
    for name, metric, means, disk in (
        ("mem_used_percent", "memory", "percent", ""),
        ("disk_used_percent", "disk", "percent", "path"),
        ("LogicalDisk % Free Space", "disk", "percent free", "instance"),
    ):
        asked = {"Namespace": namespace, "MetricName": name, "Dimensions": [{"Name": "InstanceId"}]}
        for page in cloudwatch.get_paginator("list_metrics").paginate(**asked):
            for one in page["Metrics"]:
                dimensions = {dimension["Name"]: dimension["Value"] for dimension in one["Dimensions"]}
                if disk and not _can_fill(dimensions, disk):
                    continue
                query = Query(
                    metric=metric, namespace=namespace, name=name, dimensions=sorted(dimensions.items()), means=means
                )
                place = (dimensions["InstanceId"], name, dimensions.get(disk, ""))
                known = found.get(place)
                if known is None or (len(query.dimensions), query.dimensions) < (
                    len(known.dimensions),
                    known.dimensions,
                ):
                    found[place] = query
    queries: dict[str, list[tuple[str, Query]]] = {}
    for (instance, _, path), query in sorted(found.items(), key=lambda one: one[0]):
        queries.setdefault(instance, []).append((clean(path), query))
    return queries


def _can_fill(dimensions: Mapping[str, str], disk: str) -> bool:
    """Whether these are the dimensions of one disk, and of one that is written to."""
    path = dimensions.get(disk, "_Total")
    away = any(path == one or path.startswith(f"{one}/") for one in _NO_PATHS)
    return path != "_Total" and not away and dimensions.get("fstype", "") not in _NO_DISKS
