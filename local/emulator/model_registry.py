"""SageMaker's model registry: groups of numbered model packages with an approval status."""

from __future__ import annotations

import time
from typing import Any

from local.emulator.service_model import ServiceError

_IN_SUMMARY = (
    "ModelPackageName", "ModelPackageGroupName", "ModelPackageVersion", "ModelPackageArn", "ModelPackageDescription",
    "CreationTime", "ModelPackageStatus", "ModelApprovalStatus",
)  # fmt: skip
_UPDATABLE = (
    "ModelApprovalStatus", "ApprovalDescription", "InferenceSpecification", "SourceUri", "ModelCard", "ModelLifeCycle",
)  # fmt: skip


class Registry:
    """Groups and packages by ARN. Answers are copies of what Describe… returns; errors are ``ServiceError``."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[str, Any]] = {}
        self._packages: dict[str, dict[str, Any]] = {}

    def create_group(self, group_arn: str, request: dict[str, Any]) -> None:
        """Add an empty group."""
        if group_arn in self._groups:
            raise ServiceError("ValidationException", f"Model Package Group already exists: {group_arn}")
        self._groups[group_arn] = {
            "ModelPackageGroupName": request["ModelPackageGroupName"],
            "ModelPackageGroupArn": group_arn,
            "ModelPackageGroupDescription": request.get("ModelPackageGroupDescription", ""),
            "CreationTime": time.time(),
            "CreatedBy": {},
            "ModelPackageGroupStatus": "Completed",
        }

    def group(self, group_arn: str) -> dict[str, Any]:
        """One group."""
        if group_arn not in self._groups:
            raise ServiceError("ValidationException", f"ModelPackageGroup {group_arn} does not exist.")
        return dict(self._groups[group_arn])

    def create_package(self, group_arn: str, arn_of_versions: str, request: dict[str, Any]) -> str:
        """Add the group's next version and return its ARN, ``<arn_of_versions>/<version>``."""
        group = self.group(group_arn)
        version = 1 + sum(p["ModelPackageGroupName"] == group["ModelPackageGroupName"] for p in self._packages.values())
        package_arn = f"{arn_of_versions}/{version}"
        facts = {k: v for k, v in request.items() if k not in ("Tags", "ClientToken", "SkipModelValidation")}
        self._packages[package_arn] = facts | {
            "ModelPackageGroupName": group["ModelPackageGroupName"],
            "ModelPackageVersion": version,
            "ModelPackageArn": package_arn,
            "CreationTime": time.time(),
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            "ModelApprovalStatus": request.get("ModelApprovalStatus", "PendingManualApproval"),
        }
        return package_arn

    def package(self, package_arn: str) -> dict[str, Any]:
        """One version."""
        return dict(self._existing(package_arn))

    def package_page(self, group_arn: str | None, request: dict[str, Any]) -> dict[str, Any]:
        """One page of summaries of a group's versions, sorted as the request says (by default the oldest first).

        As SageMaker may do, it cuts the page first and filters then: a page can be empty and yet have a ``NextToken``.
        """
        found = self._sorted(group_arn, request)
        start, size = _token(request), request.get("MaxResults", 100)
        status = request.get("ModelApprovalStatus")
        page = [one for one in found[start : start + size] if status in (None, one["ModelApprovalStatus"])]
        more = {"NextToken": str(start + size)} if start + size < len(found) else {}
        return {"ModelPackageSummaryList": page} | more

    def group_page(self, request: dict[str, Any]) -> dict[str, Any]:
        """One page of groups, cut before it is filtered, as above; by default the oldest first."""
        by = "ModelPackageGroupName" if request.get("SortBy") == "Name" else "CreationTime"
        found = sorted(self._groups.values(), key=lambda g: g[by], reverse=request.get("SortOrder") == "Descending")
        start, size = _token(request), request.get("MaxResults", 100)
        page = [
            one
            for one in found[start : start + size]
            if request.get("NameContains", "") in one["ModelPackageGroupName"]
        ]
        more = {"NextToken": str(start + size)} if start + size < len(found) else {}
        return {
            "ModelPackageGroupSummaryList": [{k: v for k, v in one.items() if k != "CreatedBy"} for one in page]
        } | more

    def _sorted(self, group_arn: str | None, request: dict[str, Any]) -> list[dict[str, Any]]:
        name = self.group(group_arn)["ModelPackageGroupName"] if group_arn else None
        wanted = [one for one in self._packages.values() if name in (None, one["ModelPackageGroupName"])]
        newest_first = request.get("SortOrder") == "Descending"
        wanted.sort(key=lambda p: (p["CreationTime"], p["ModelPackageVersion"]), reverse=newest_first)
        return [{k: package[k] for k in _IN_SUMMARY if k in package} for package in wanted]

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        """Change a version's approval or metadata."""
        package = self._existing(request["ModelPackageArn"])
        package.update({member: request[member] for member in _UPDATABLE if member in request})
        metadata = {**package.get("CustomerMetadataProperties", {}), **request.get("CustomerMetadataProperties", {})}
        for key in request.get("CustomerMetadataPropertiesToRemove", []):
            metadata.pop(key, None)
        package["CustomerMetadataProperties"] = metadata
        package["LastModifiedTime"] = time.time()
        return {"ModelPackageArn": package["ModelPackageArn"]}

    def delete_package(self, package_arn: str) -> None:
        """Remove a version."""
        self._existing(package_arn)
        del self._packages[package_arn]

    def delete_group(self, group_arn: str) -> None:
        """Remove an empty group."""
        name = self.group(group_arn)["ModelPackageGroupName"]
        if any(package["ModelPackageGroupName"] == name for package in self._packages.values()):
            raise ServiceError("ConflictException", f"ModelPackageGroup {name} still has model packages")
        del self._groups[group_arn]

    def _existing(self, package_arn: str) -> dict[str, Any]:
        if package_arn not in self._packages:
            raise ServiceError("ValidationException", f"ModelPackage {package_arn} does not exist.")
        return self._packages[package_arn]


def _token(request: dict[str, Any]) -> int:
    token = request.get("NextToken", "0")
    if not token.isdigit():
        raise ServiceError("ValidationException", "Invalid NextToken")
    return int(token)
