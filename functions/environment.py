"""What the template tells the functions, through their environment."""

from __future__ import annotations

import os
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from locks import Limits

JOBS = ("preprocess", "train", "assess")


class _Variables(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=str.upper)


class _Environment(_Variables):
    ledger_table: str


class _Starting(_Environment):
    """Of the functions that start runs."""

    state_machine_arn: str
    minutes_between_runs: int
    parallel_runs: int

    @property
    def limits(self) -> Limits:
        return Limits(self.minutes_between_runs, self.parallel_runs)


class IngestSettings(_Starting):
    topic_arn: str
    retention_days: int
    most_datasets: int


class SweepSettings(IngestSettings):
    ingest_bucket: str
    artifact_bucket: str
    overdue_after_days: int


class PublishSettings(_Starting):
    artifact_bucket: str
    retention_days: int
    link_hours: int
    page_address: str
    """Where people sign in and see reports; empty where a browser cannot sign in."""
    keep_panels: int


class RunStatusSettings(_Starting):
    topic_arn: str
    sweep_function: str


class CollectSettings(_Environment):
    topic_arn: str
    ingest_bucket: str
    region: str


class ApiSettings(_Environment):
    state_machine_arn: str
    ingest_bucket: str
    artifact_bucket: str
    job_name_prefix: str
    openid_issuer: str
    """Empty where callers sign in by IAM."""
    openid_audience: str
    preview_function: str
    most_datasets: int
    most_usd: float = Field(alias="MOST_USD_PER_RUN")
    data_arns: list[str]
    """What may be copied from other buckets, each with a star at its end."""

    @field_validator("data_arns", mode="before")
    @classmethod
    def _split(cls, text: str) -> list[str]:
        return [part for part in text.split(",") if part]


class PreviewSettings(_Variables):
    ingest_bucket: str


class PlanSettings(_Environment):
    state_machine_arn: str
    ingest_bucket: str
    artifact_bucket: str
    region: str
    image_uri: str
    job_name_prefix: str
    retrain_after_days: int
    retention_days: int
    most_files: int = Field(alias="MOST_FILES_PER_RUN", ge=1)
    most_usd: float = Field(alias="MOST_USD_PER_RUN")
    instance_prices: dict[str, float]
    """USD per hour by instance type, where the stack was told."""
    sweep_function: str
    wheelhouse_uri: str
    subnet_ids: list[str]
    security_group_ids: list[str]
    network_isolation: bool
    output_key_arn: str
    volume_key_arn: str
    train_on_spot: bool
    preprocess_instance_type: str
    preprocess_volume_gb: int
    train_instance_type: str
    train_volume_gb: int
    assess_instance_type: str
    assess_volume_gb: int
    engine: Literal["auto", "machine", "spark"]
    spark_from_gb: float
    """The size of new files or of a panel from which ``auto`` means Spark; 0 for none."""
    spark_image_uri: str
    spark_instance_type: str
    spark_instances: int
    challenger_arn: str
    """The challenger's state machine; empty where the stack has none."""
    challenger_minutes: int
    challenger_instance_type: str

    @field_validator("subnet_ids", "security_group_ids", mode="before")
    @classmethod
    def _split(cls, text: str) -> list[str]:
        return [part for part in text.split(",") if part]

    @field_validator("instance_prices", mode="before")
    @classmethod
    def _pairs(cls, text: str) -> dict[str, str]:
        """From ``ml.m5.xlarge=0.23,ml.m5.2xlarge=0.461``; the template sees to it that it looks like that."""
        return {kind: price for kind, _, price in (part.strip().partition("=") for part in cls._split(text))}


SettingsOf = TypeVar("SettingsOf", bound=_Variables)


def from_environment(kind: type[SettingsOf]) -> SettingsOf:
    """The settings of one function; a variable that is missing or not a number is named in the error."""
    return kind.model_validate(dict(os.environ))
