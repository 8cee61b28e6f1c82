"""The model registry as the functions see it: one SageMaker model package group per dataset.

The state machine registers each trained model as a version, with what it was made from as metadata. Here it is
only read: which version is approved for scoring, and when a model was last trained at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient


@dataclass(frozen=True)
class Model:
    """A registered model version."""

    arn: str
    uri: str
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
    foreign: tuple[str, ...] = ()
    """Approved versions, newer than ``approved``, that no run of Headroom registered: they are never used."""
    gone: str | None = None
    """Where the approved model was whose file is not there any more."""


def models(sagemaker: SageMakerClient, group: str) -> Models:
    """The newest approved version that a run registered and the time of the newest version; nothing without a group."""
    if not has_group(sagemaker, group):
        return Models()
    foreign: list[str] = []
    approved = None
    for version in _newest_first(sagemaker, group, ModelApprovalStatus="Approved"):
        approved = _describe(sagemaker, version["ModelPackageArn"])
        if approved is not None:
            break
        foreign.append(version["ModelPackageArn"])
    newest = next(_newest_first(sagemaker, group), None)
    return Models(approved, newest["CreationTime"] if newest else None, tuple(foreign))


def versions(sagemaker: SageMakerClient, group: str) -> Iterator[dict[str, Any]]:
    """A group's versions, the newest first; none where there is no group."""
    return _newest_first(sagemaker, group) if has_group(sagemaker, group) else iter(())


def has_group(sagemaker: SageMakerClient, group: str) -> bool:
    """Whether there is a model group of this name."""
    pages = sagemaker.get_paginator("list_model_package_groups").paginate(NameContains=group)
    return any(one["ModelPackageGroupName"] == group for page in pages for one in page["ModelPackageGroupSummaryList"])


def _newest_first(sagemaker: SageMakerClient, group: str, **wanted: Any) -> Iterator[dict[str, Any]]:
    """A page may be empty and yet not be the last one: SageMaker filters what it has read."""
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending", **wanted
    )
    for page in pages:
        yield from page["ModelPackageSummaryList"]


def _describe(sagemaker: SageMakerClient, arn: str) -> Model | None:
    """A version as a run registered it; None for one that was registered by hand, of which nobody knows what it is."""
    described = sagemaker.describe_model_package(ModelPackageName=arn)
    facts = described.get("CustomerMetadataProperties", {})
    containers = described.get("InferenceSpecification", {}).get("Containers", [])
    uri = containers[0].get("ModelDataUrl") if containers else None
    if uri is None or not {"code", "settings"} <= facts.keys():
        return None
    return Model(
        arn=arn,
        uri=uri,
        code=facts["code"],
        settings=facts["settings"],
        relative_mase=_number(facts.get("relative_mase")),
    )


def _number(text: str | None) -> float | None:
    """A person may have written anything there."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
