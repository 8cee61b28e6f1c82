"""The model registry's numbering, filters and updates."""

from __future__ import annotations

import pytest

from local.emulator.model_registry import Registry
from local.emulator.service_model import ServiceError

GROUP, MODELS = "arn:group/demo", "arn:package/demo"


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.create_group(GROUP, {"ModelPackageGroupName": "demo"})
    for status in ("Approved", "PendingManualApproval", "Approved"):
        registry.create_package(GROUP, MODELS, {"ModelApprovalStatus": status})
    return registry


def test_the_newest_approved_version_comes_first_when_asked_so(registry: Registry) -> None:
    found = registry.package_page(GROUP, {"ModelApprovalStatus": "Approved", "SortOrder": "Descending"})
    assert [package["ModelPackageVersion"] for package in found["ModelPackageSummaryList"]] == [3, 1]


def test_a_page_that_is_filtered_can_be_empty_and_yet_not_be_the_last(registry: Registry) -> None:
    asked = {"ModelApprovalStatus": "PendingManualApproval", "SortOrder": "Descending", "MaxResults": 1}
    assert registry.package_page(GROUP, asked) == {"ModelPackageSummaryList": [], "NextToken": "1"}
    second = registry.package_page(GROUP, asked | {"NextToken": "1"})
    assert [package["ModelPackageVersion"] for package in second["ModelPackageSummaryList"]] == [2]
    registry.create_group("arn:group/zoo", {"ModelPackageGroupName": "zoo"})
    assert registry.group_page({"NameContains": "zoo", "MaxResults": 1}) == {
        "ModelPackageGroupSummaryList": [],
        "NextToken": "1",
    }


def test_an_update_adds_and_removes_metadata(registry: Registry) -> None:
    arn = f"{MODELS}/2"
    registry.update({"ModelPackageArn": arn, "CustomerMetadataProperties": {"mase": "0.8", "old": "1"}})
    registry.update(
        {"ModelPackageArn": arn, "ModelApprovalStatus": "Rejected", "CustomerMetadataPropertiesToRemove": ["old"]}
    )
    package = registry.package(arn)
    assert package["ModelApprovalStatus"] == "Rejected"
    assert package["CustomerMetadataProperties"] == {"mase": "0.8"}


def test_what_is_not_there_is_an_error(registry: Registry) -> None:
    for ask in (lambda: registry.package("arn:x"), lambda: registry.group("arn:y")):
        with pytest.raises(ServiceError, match="does not exist"):
            ask()
