"""The model registry as the functions see it: one SageMaker model package group a dataset.

The state machine registers each trained model as a version, with what it was made from as metadata. Here it is
only read: which version is approved for scoring, and when a model was last trained at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient


@dataclass(frozen=True)
class Model:
    """A registered model version."""

    arn: str
    uri: str
    registered_at: datetime
    code: str
    """Hash of the job code that trained it."""
    settings: str
    """Hash of the settings file it was trained under."""
    relative_mase: float | None
    """Its backtest error over the seasonal naive's on the same windows; None where the job reported none."""


@dataclass(frozen=True)
class Models:
    """What a dataset's group holds."""

    approved: Model | None = None
    last_trained_at: datetime | None = None


def models(sagemaker: SageMakerClient, group: str) -> Models:
    """The newest approved version of a group and the time of its newest version; nothing where there is no group."""
    pages = sagemaker.get_paginator("list_model_package_groups").paginate(NameContains=group)
    found = (summary["ModelPackageGroupName"] for page in pages for summary in page["ModelPackageGroupSummaryList"])
    if group not in found:
        return Models()
    newest = _newest(sagemaker, group)
    approved = _newest(sagemaker, group, ModelApprovalStatus="Approved")
    return Models(
        approved=_describe(sagemaker, approved["ModelPackageArn"]) if approved else None,
        last_trained_at=newest["CreationTime"] if newest else None,
    )


def _newest(sagemaker: SageMakerClient, group: str, **wanted: str) -> dict | None:
    listed = sagemaker.list_model_packages(
        ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending", MaxResults=1, **wanted
    )
    return next(iter(listed["ModelPackageSummaryList"]), None)


def _describe(sagemaker: SageMakerClient, arn: str) -> Model:
    described = sagemaker.describe_model_package(ModelPackageName=arn)
    facts = described["CustomerMetadataProperties"]
    return Model(
        arn=arn,
        uri=described["InferenceSpecification"]["Containers"][0]["ModelDataUrl"],
        registered_at=described["CreationTime"],
        code=facts["code"],
        settings=facts["settings"],
        relative_mase=float(facts["relative_mase"]) if "relative_mase" in facts else None,
    )
