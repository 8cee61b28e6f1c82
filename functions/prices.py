"""What a run will cost, as PlanRun can tell before it runs.

An estimate, and nothing measured: a run's files must be the same when its jobs run again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# USD per hour and instance, on demand, the same for processing and training, as published lists gave them in 2025.
# The list that counts: https://aws.amazon.com/sagemaker/pricing/. No list of the other regions could be had that is to
# be trusted, and regions differ by half: there, the stack's parameter InstancePricesUsd says what a machine costs.
REGION = "us-east-1"
PRICES = {
    "ml.m5.large": 0.115,
    "ml.m5.xlarge": 0.23,
    "ml.m5.2xlarge": 0.461,
    "ml.m5.4xlarge": 0.922,
    "ml.m5.12xlarge": 2.765,
    "ml.m5.24xlarge": 5.53,
    "ml.c5.xlarge": 0.204,
    "ml.c5.2xlarge": 0.408,
    "ml.c5.4xlarge": 0.816,
    "ml.c5.9xlarge": 1.836,
    "ml.c5.18xlarge": 3.672,
    "ml.r5.2xlarge": 0.605,
    "ml.r5.4xlarge": 1.21,
    "ml.r5.8xlarge": 2.419,
    "ml.r5.16xlarge": 4.838,
}
# Minutes in which a job fetches its image and installs its libraries, and then a gigabyte of what it reads:
# about twice what two cores were seen to need.
START_UP = 4
PER_GIGABYTE = {"preprocess": 1, "train": 20, "assess": 20, "challenge": 1, "transform": 20}
# Bytes of panel that come of a byte of files; the finer the sampling, the fewer.
PANEL_SHARE = 0.1
# AWS publishes neither which machines AutoML takes for time series nor how many, only that it trains six algorithms
# (docs.aws.amazon.com/sagemaker/latest/dg/timeseries-forecasting-algorithms.html) and ends at the time limit that it is
# given. So an assumption stands in, which is meant to be high: a large machine for each algorithm until that limit.
AUTOML: dict[str, Any] = {"instance_type": "ml.m5.12xlarge", "instance_count": 6}


@dataclass(frozen=True)
class Estimate:
    """What a run will cost."""

    usd: float | None
    """None where it cannot be told."""
    words: str
    """The sum and the minutes and instances it is made of; or why there is none."""


def known(region: str, given: dict[str, float]) -> dict[str, float]:
    """The price of each instance type, USD per hour: as ``given`` to the stack, else as published for its region."""
    return (PRICES if region == REGION else {}) | given


def estimate(
    region: str,
    given: dict[str, float],
    machines: dict[str, dict[str, Any]],
    file_bytes: float,
    panel_bytes: float,
) -> Estimate:
    """A run's cost.

    ``given`` are prices that the stack was told, ``machines`` the instance type and count of each job that will run,
    and its ``minutes`` where a limit says how long it can take, not what it reads. ``file_bytes`` and ``panel_bytes``
    are the sizes of the new files, unpacked, and of the previous panel. Storage, requests and taxes are not in it.
    """
    kinds = {machine["instance_type"] for machine in machines.values()}
    prices = known(region, given)
    if missing := sorted(kinds - prices.keys()):
        example = ",".join(f"{kind}=<USD per hour>" for kind in missing)
        return Estimate(
            None,
            f"unknown, because no price is known here for {', '.join(missing)} in {region}, so that MaxRunCostUsd "
            f"refuses nothing: set the stack's parameter InstancePricesUsd to {example}",
        )
    at = "at the stack's prices" if kinds & given.keys() else f"on demand in {region}"
    total, parts = 0.0, []
    for job, machine in machines.items():
        read = file_bytes + panel_bytes if job == "preprocess" else PANEL_SHARE * file_bytes + panel_bytes
        kind, count = machine["instance_type"], machine["instance_count"]
        shared = count if job in ("preprocess", "assess") else 1  # by Spark; no other job can
        most = machine.get("minutes")
        minutes = most or round(START_UP + PER_GIGABYTE[job] * read / 1e9 / shared)
        total += minutes / 60 * count * prices[kind]
        told = f"at most {minutes} min, assumed to be" if most else f"{minutes} min"
        parts.append(f"{job} {told} on {f'{count} × ' if count > 1 else ''}{kind}")
    return Estimate(total, f"about {total:.2f} USD ({', '.join(parts)}; {at})")
