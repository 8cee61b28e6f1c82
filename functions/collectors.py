"""What a collector is to do: ``config/collectors/<name>.json`` in the ingest bucket, checked strictly.

JSON and not YAML, because functions carry no YAML parser.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from names import dataset_problem

FOLDER = "config/collectors/"
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
LARGEST = 256 * 1024  # bytes of a collector's settings
_ROLE = r"^arn:aws[a-z-]*:iam::\d{12}:role/[A-Za-z0-9_+=,.@/-]+$"
_REGION = r"^[a-z]{2}(-[a-z]+)+-\d$"


class ConfigurationError(ValueError):
    """The settings of a collector cannot be used; the message says why, key by key."""


class SourceError(Exception):
    """A source answered nothing that can be used; the message says what."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class _Collector(_Strict):
    """What all collectors have in common."""

    dataset: str
    every_minutes: int = Field(1440, ge=60, le=44640, description="how often it collects")
    backfill_days: int = Field(62, ge=1, le=455, description="how far back the first collection goes")
    late_minutes: int = Field(30, ge=5, le=1440, description="how long samples may take until the source has them")

    @field_validator("dataset")
    @classmethod
    def _is_one(cls, name: str) -> str:
        if problem := dataset_problem(name):
            raise ValueError(problem)
        return name


class AwsAccount(_Strict):
    """An AWS account to collect from: this one, or the one of a role."""

    role_arn: str | None = Field(None, pattern=_ROLE, max_length=600)
    external_id: str | None = Field(None, min_length=2, max_length=1224)
    regions: list[Annotated[str, Field(pattern=_REGION)]] = Field([], description="by default the stack's own")

    @property
    def name(self) -> str:
        """The account's number, or ``own``."""
        return self.role_arn.split(":")[4] if self.role_arn else "own"


class CloudWatch(_Collector):
    """EC2 instances and other resources of AWS, by CloudWatch's metrics."""

    source: Literal["cloudwatch"]
    accounts: list[AwsAccount] = Field([AwsAccount()], min_length=1)
    services: list[Literal["ec2", "rds", "ecs"]] = Field(["ec2"], min_length=1)
    names: Literal["id", "tag"] = Field("id", description="an EC2 instance is its id, or its Name tag and its id")
    agent_namespace: str = Field("CWAgent", min_length=1, max_length=255)
    tags: dict[Literal["business_unit", "criticality"], list[str]] = Field(
        {"business_unit": ["business_unit", "cost_center", "team", "owner"], "criticality": ["criticality", "tier"]},
        description="the tags that hold an attribute, the first that a resource has; case and -_: do not matter",
    )
    max_usd_per_month: float = Field(20, ge=0, description="what GetMetricData may cost in a calendar month")

    @field_validator("accounts")
    @classmethod
    def _each_once(cls, accounts: list[AwsAccount]) -> list[AwsAccount]:
        if double := _twice(account.name for account in accounts):
            raise ValueError(f"account {', '.join(double)} is there twice: give its regions in one place")
        return accounts


Collector = CloudWatch
_COLLECTOR: TypeAdapter[Collector] = TypeAdapter(Collector)


def parse(text: bytes) -> Collector:
    """A collector's settings.

    Raises:
        ConfigurationError: with one line for each problem, naming the key.
    """
    if len(text) > LARGEST:
        raise ConfigurationError(f"the file has more than {LARGEST // 1024} KiB")
    try:
        json.loads(text, object_pairs_hook=_each_key_once)
        return _COLLECTOR.validate_json(text)
    except ValidationError as error:
        raise ConfigurationError("\n".join(_problem(one) for one in error.errors())) from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"not valid JSON: {error}") from error


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if double := _twice(key for key, _ in pairs):
        raise ConfigurationError(f"{', '.join(double)}: said twice")
    return dict(pairs)


def _twice(names: Iterable[str]) -> list[str]:
    return sorted(name for name, times in Counter(names).items() if times > 1)


def _problem(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"]) or "the file"
    if error["type"] == "extra_forbidden":
        return f"{place}: not a key that a collector has"
    return f"{place}: {error['msg'].removeprefix('Value error, ')}"
