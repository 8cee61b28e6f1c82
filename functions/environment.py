"""What the template tells the functions, through their environment."""

from __future__ import annotations

import os
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from locks import Limits

JOBS = ("preprocess", "train", "assess")


class _Environment(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    ledger_table: str = Field(alias="LEDGER_TABLE")


class _Starting(_Environment):
    """Of the functions that start runs."""

    state_machine_arn: str = Field(alias="STATE_MACHINE_ARN")
    minutes_between_runs: int = Field(alias="MINUTES_BETWEEN_RUNS")
    parallel_runs: int = Field(alias="PARALLEL_RUNS")

    @property
    def limits(self) -> Limits:
        return Limits(self.minutes_between_runs, self.parallel_runs)


class IngestSettings(_Starting):
    topic_arn: str = Field(alias="TOPIC_ARN")
    retention_days: int = Field(alias="RETENTION_DAYS")
    most_datasets: int = Field(alias="MOST_DATASETS")


class SweepSettings(IngestSettings):
    ingest_bucket: str = Field(alias="INGEST_BUCKET")
    artifact_bucket: str = Field(alias="ARTIFACT_BUCKET")


class PublishSettings(_Starting):
    artifact_bucket: str = Field(alias="ARTIFACT_BUCKET")
    retention_days: int = Field(alias="RETENTION_DAYS")
    link_hours: int = Field(alias="LINK_HOURS")
    keep_panels: int = Field(alias="KEEP_PANELS")


class RunStatusSettings(_Starting):
    topic_arn: str = Field(alias="TOPIC_ARN")
    sweep_function: str = Field(alias="SWEEP_FUNCTION")


class PlanSettings(_Environment):
    state_machine_arn: str = Field(alias="STATE_MACHINE_ARN")
    ingest_bucket: str = Field(alias="INGEST_BUCKET")
    artifact_bucket: str = Field(alias="ARTIFACT_BUCKET")
    region: str = Field(alias="REGION")
    image_uri: str = Field(alias="IMAGE_URI")
    job_name_prefix: str = Field(alias="JOB_NAME_PREFIX")
    retrain_after_days: int = Field(alias="RETRAIN_AFTER_DAYS")
    retention_days: int = Field(alias="RETENTION_DAYS")
    most_files: int = Field(alias="MOST_FILES_PER_RUN", ge=1)
    most_usd: float = Field(alias="MOST_USD_PER_RUN")
    sweep_function: str = Field(alias="SWEEP_FUNCTION")
    wheelhouse_uri: str = Field(alias="WHEELHOUSE_URI")
    subnet_ids: list[str] = Field(alias="SUBNET_IDS")
    security_group_ids: list[str] = Field(alias="SECURITY_GROUP_IDS")
    network_isolation: bool = Field(alias="NETWORK_ISOLATION")
    output_key_arn: str = Field(alias="OUTPUT_KEY_ARN")
    volume_key_arn: str = Field(alias="VOLUME_KEY_ARN")
    train_on_spot: bool = Field(alias="TRAIN_ON_SPOT")
    preprocess_instance_type: str = Field(alias="PREPROCESS_INSTANCE_TYPE")
    preprocess_volume_gb: int = Field(alias="PREPROCESS_VOLUME_GB")
    train_instance_type: str = Field(alias="TRAIN_INSTANCE_TYPE")
    train_volume_gb: int = Field(alias="TRAIN_VOLUME_GB")
    assess_instance_type: str = Field(alias="ASSESS_INSTANCE_TYPE")
    assess_volume_gb: int = Field(alias="ASSESS_VOLUME_GB")

    @field_validator("subnet_ids", "security_group_ids", mode="before")
    @classmethod
    def _split(cls, text: str) -> list[str]:
        return [part for part in text.split(",") if part]


SettingsOf = TypeVar("SettingsOf", bound=_Environment)


def from_environment(kind: type[SettingsOf]) -> SettingsOf:
    """The settings of one function; a variable that is missing or no number is named in the error."""
    return kind.model_validate(dict(os.environ))
