"""From what AWS measured to a published report, on the laptop cloud, with no file of anybody's."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from integration.service import Service

from local.cloud import Cloud
from local.deploy import Stack

DAYS = 13  # CloudWatch takes values that are up to two weeks old


@pytest.fixture(scope="module")
def fleet(cloud: Cloud) -> list[str]:
    """Two instances whose CPU CloudWatch has known for two weeks, one of them with the agent."""
    ec2, cloudwatch = cloud.client("ec2"), cloud.client("cloudwatch")
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}, {"Key": "team", "Value": "shop"}]}]
    made = ec2.run_instances(
        ImageId="ami-12345678", InstanceType="m5.large", MinCount=2, MaxCount=2, TagSpecifications=tags
    )
    names = sorted(one["InstanceId"] for one in made["Instances"])
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    moments = [now - timedelta(minutes=5 * number) for number in range(12, DAYS * 288)]

    def put(namespace: str, metric: str, server: str, level: float) -> None:
        data = [
            {
                "MetricName": metric,
                "Dimensions": [{"Name": "InstanceId", "Value": server}],
                "Timestamp": moment,
                "Value": level + 10 * (9 <= moment.hour < 17),
                "Unit": "Percent",
            }
            for moment in moments
        ]
        for first in range(0, len(data), 1000):
            cloudwatch.put_metric_data(Namespace=namespace, MetricData=data[first : first + 1000])

    for server, level in zip(names, (20.0, 70.0), strict=True):
        put("AWS/EC2", "CPUUtilization", server, level)
    put("CWAgent", "mem_used_percent", names[0], 50.0)
    return names


def collect(cloud: Cloud, stack: Stack) -> dict[str, Any]:
    answer = cloud.client("lambda").invoke(FunctionName=stack.outputs["CollectFunctionName"], Payload=b"{}")
    told = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, told
    return told


def test_a_fleet_that_nobody_has_exported_gets_its_report(cloud: Cloud, stack: Stack, fleet: list[str]) -> None:
    s3 = cloud.client("s3")
    settings = {"source": "cloudwatch", "dataset": "collected", "backfill_days": DAYS}
    s3.put_object(
        Bucket=stack.outputs["IngestBucketName"],
        Key="config/collectors/fleet.json",
        Body=json.dumps(settings).encode(),
    )
    # The schedule may have come first.
    assert collect(cloud, stack)["files"] <= 1
    assert collect(cloud, stack) == {"files": 0}, "what has come is not asked for again"
    service = Service(cloud, stack)
    run = service.outcome(service.wait("collected")[-1])["run_id"]
    panel = service.panel("collected", run)
    assert set(panel["server_id"]) == set(fleet)
    assert set(panel.loc[panel["server_id"] == fleet[0], "metric"]) == {"cpu", "memory"}
    assert panel.loc[panel["server_id"] == fleet[1], "y"].max() == pytest.approx(80.0)
    servers = pd.read_parquet(io.BytesIO(service.read("collected", run, "panel/servers.parquet"))).set_index(
        "server_id"
    )
    assert servers.loc[fleet[0], ["instance_type", "business_unit"]].to_list() == ["m5.large", "shop"]
    assert service.read_json("collected", run, "assessment/data_quality.json")["rows"]["quarantined"] == 0
    assert b"</html>" in service.read("collected", run, "assessment/report.html")
