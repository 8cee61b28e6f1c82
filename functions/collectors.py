"""What a collector is to do: ``config/collectors/<name>.json`` in the ingest bucket, checked strictly.

JSON, because there is one way to read it: no text becomes a number, a date or a boolean by its looks.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import boto3
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from headroom.core.mistakes import in_plain_words
from names import dataset_problem, twice

FOLDER = "config/collectors/"
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
LARGEST = 256 * 1024  # bytes of a collector's settings
_ROLE = r"^arn:aws[a-z-]*:iam::\d{12}:role/[A-Za-z0-9_+=,.@/-]+$"
_SECRET_ARN = r"^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[A-Za-z0-9/_+=.@-]+$"  # noqa: S105
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
    every_minutes: int = Field(1440, ge=60, le=44640, description="how often it collects; of days, whole ones in UTC")
    backfill_days: int = Field(61, ge=1, le=455, description="how far back the first collection goes")
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
    services: list[Literal["ec2", "rds", "ecs", "ebs", "lambda", "elb"]] = Field(["ec2"], min_length=1)
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
        if double := twice(account.name for account in accounts):
            raise ValueError(f"account {', '.join(double)} is there twice: give its regions in one place")
        return accounts


Metric = Literal["cpu", "memory", "disk", "network_in", "network_out"]
# What makes a number of the data contract of one in a unit; 100 minus it where it says what is free.
UNITS: dict[str, tuple[float, bool]] = {
    "percent": (1, False),
    "percent_free": (1, True),
    "ratio": (100, False),
    "ratio_free": (100, True),
    "megabytes_per_second": (1, False),
    "bytes_per_second": (1e-6, False),
    "bits_per_second": (0.125e-6, False),
}


class PrometheusQuery(_Strict):
    """A query with one series a server, and what its values mean."""

    metric: Metric
    query: str = Field(min_length=1, max_length=20_000)
    unit: Literal[
        "percent", "percent_free", "ratio", "ratio_free", "megabytes_per_second", "bytes_per_second", "bits_per_second"
    ]
    server_label: str = Field("instance", pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")

    @model_validator(mode="after")
    def _unit_fits(self) -> PrometheusQuery:
        if self.metric.startswith("network") != self.unit.endswith("per_second"):
            raise ValueError(f"{self.metric} is not measured in {self.unit}")
        return self

    def in_contract(self, value: float) -> float:
        """A value in percent, or megabytes per second."""
        factor, free = UNITS[self.unit]
        return 100 - value * factor if free else value * factor


class PrometheusSource(_Collector):
    """Whatever answers Prometheus's range queries."""

    source: Literal["prometheus"]
    url: str = Field(max_length=2_000, description="without /api/v1/query_range")
    auth: Literal["none", "sigv4", "bearer", "basic"] = "none"
    secret_arn: str | None = Field(None, pattern=_SECRET_ARN)
    region: str | None = Field(None, pattern=_REGION, description="of a signature; by default the stack's own")
    ca_certificates: str | None = Field(None, max_length=200_000, description="PEM, where its authority is your own")
    queries: list[PrometheusQuery] = Field(min_length=1, max_length=50)
    step_minutes: int = Field(5, ge=1, le=60)
    slice_hours: int = Field(24, ge=1, le=168, description="how much one question spans")

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @model_validator(mode="after")
    def _safe(self) -> PrometheusSource:
        parts = urlsplit(self.url)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("url is not an address such as https://prometheus.example.com/prometheus")
        if parts.username or parts.password:
            raise ValueError("url holds a password: put it into a secret and name that by secret_arn")
        if parts.scheme == "http" and self.auth != "none":
            raise ValueError("url is not encrypted, so that no credential is sent there: use https")
        if (self.auth in ("bearer", "basic")) != (self.secret_arn is not None):
            raise ValueError("secret_arn belongs to auth bearer or basic, and these need it")
        if 60 % self.step_minutes:
            raise ValueError("step_minutes does not divide an hour")
        return self


class PostgreSQLSource(_Collector):
    """A query in a PostgreSQL database."""

    source: Literal["postgresql"]
    host: str = Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$")
    port: int = Field(5432, ge=1, le=65535)
    database: str = Field(min_length=1, max_length=63)
    secret_arn: str = Field(pattern=_SECRET_ARN)
    ca_certificates: str | None = Field(None, max_length=200_000, description="PEM of the authority; RDS has its own")
    query: str = Field(min_length=1, max_length=50_000)
    slice_hours: int = Field(24, ge=1, le=744, description="how much one question spans")
    register_table: str | None = Field(None, pattern=r"^[a-z_][a-z0-9_]{0,62}(\.[a-z_][a-z0-9_]{0,62})?$")

    @field_validator("query")
    @classmethod
    def _asks_for_a_span(cls, query: str) -> str:
        for name in (":since", ":until"):
            if not re.search(rf"(?<!:){name}\b", query):
                raise ValueError(f"{name} is missing: it must select timestamp >= :since and timestamp < :until")
        return query


Collector = CloudWatch | PrometheusSource | PostgreSQLSource
_COLLECTOR: TypeAdapter[Collector] = TypeAdapter(Annotated[Collector, Field(discriminator="source")])


def secret(arn: str | None, keys: tuple[str, ...], host: str) -> dict[str, str]:
    """What Secrets Manager holds under a name, which is JSON with these keys; or a plain text, where it is one key.

    A secret that names a ``host``, as those of RDS do, is shown to no other: who may write settings may not send it
    where they like.

    Raises:
        SourceError: it holds something else, or is meant for another host. What it holds is in no message.
    """
    secretsmanager = boto3.client("secretsmanager")
    text = secretsmanager.get_secret_value(SecretId=arn or "").get("SecretString", "")
    try:
        found = json.loads(text)
    except ValueError:
        found = {keys[0]: text.strip()} if len(keys) == 1 else None
    if not isinstance(found, dict) or not all(isinstance(found.get(key), str) and found[key] for key in keys):
        raise SourceError(f"the secret {arn} is not JSON with the keys {', '.join(keys)}")
    if found.get("host") not in (None, host):
        raise SourceError(f"the secret {arn} is for another host than {host}, by its own key host")
    if any(not (found[key].isprintable() and found[key].isascii()) for key in keys):
        raise SourceError(f"the secret {arn} holds line breaks, or other characters than ASCII")
    return {key: found[key] for key in keys}


def slices(since: datetime, until: datetime, length: timedelta) -> list[tuple[str, str]]:
    """From and to of each slice of a span, as ISO 8601."""
    found = []
    while since < until:
        end = min(until, since + length)
        found.append((since.isoformat(), end.isoformat()))
        since = end
    return found


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
    if double := twice(key for key, _ in pairs):
        raise ConfigurationError(f"{', '.join(double)}: said twice")
    return dict(pairs)


def _problem(error: Any) -> str:
    # The first part of a place is the kind of source, which nobody has written down as a key.
    place = ".".join(str(part) for part in error["loc"][1:]) or "the file"
    if error["type"] == "extra_forbidden":
        return f"{place}: not a key that a collector has"
    return f"{place}: {in_plain_words(error)}"
