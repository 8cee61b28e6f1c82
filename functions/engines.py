"""Whether a run's Preprocess and AssessRisk work on one machine or on a Spark cluster. Their results are the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from images import aws_spark_image

Engine = Literal["machine", "spark"]
Job = Literal["preprocess", "assess"]

# By what each job's engine is chosen, in words; and what is said where that is small.
_SIZES: dict[Job, tuple[str, str]] = {
    "preprocess": ("the new files have", "the new files are not too large for it"),
    "assess": ("the panel has", "the panel is not too large for it"),
}


@dataclass(frozen=True)
class Choice:
    """An engine, and the reason in words."""

    engine: Engine
    why: str


class NotPossible(Exception):
    """The engine that is wanted cannot be had; the message says why and what to do."""


def choose(
    asked: Engine | None,
    stack: Literal["auto", "machine", "spark"],
    gigabytes: float,
    from_gb: float,
    isolated: bool = False,
    job: Job = "assess",
) -> Choice:
    """The run's own choice counts before the stack's; ``auto`` goes by the size of the panel, or for Preprocess of the
    new files, unpacked: from ``from_gb`` on, where 0 means never.

    ``isolated``: the jobs' containers have no network. That AWS lets the instances of a processing job reach each other
    all the same is not documented, as it is for training jobs.

    Raises:
        NotPossible: Spark is wanted where it would have no network.
    """
    large = bool(from_gb) and gigabytes >= from_gb
    has, small = _SIZES[job]
    size = f"{has} about {gigabytes:,.0f} GB, and Spark is used from {from_gb:g} GB on"
    if asked is not None:
        choice = Choice(asked, "asked for")
    elif stack != "auto":
        choice = Choice(stack, "as the stack's parameter Engine says")
    elif large and isolated:
        choice = Choice("machine", f"{size}, but the stack's NetworkIsolation keeps its instances apart")
    else:
        choice = Choice("spark", size) if large else Choice("machine", small)
    if choice.engine == "spark" and isolated:
        raise NotPossible(
            "Spark's instances must reach each other, and the stack's NetworkIsolation leaves them no network: run on "
            "one machine (the stack's parameter Engine, or overrides.engine: machine), or deploy with "
            "NetworkIsolation=false and with subnets of your own (SubnetIds)"
        )
    return choice


def image(region: str, own: str) -> str:
    """The address of the Spark image: the stack's own, or AWS's.

    Raises:
        NotPossible: there is none; the message says what to do.
    """
    found = own or aws_spark_image(region)
    if found is None:
        raise NotPossible(
            f"AWS's Spark image is not known for region {region}: deploy the stack with the address of an image as "
            "SparkImageUri, or run on one machine (the stack's parameter Engine, or overrides.engine: machine)"
        )
    return found


def told(choice: Choice, instance_type: str, instances: int) -> str:
    """The engine in words, as manifest, report and notification have it."""
    if choice.engine == "machine":
        return f"one machine, {instance_type} ({choice.why})"
    return f"Spark on {instances} × {instance_type} ({choice.why})"
