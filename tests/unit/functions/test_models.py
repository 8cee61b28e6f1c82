"""What the registry holds is found whatever its pages look like, and nobody's model is taken for ours."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import models
from tests.unit.functions.world import World

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def version(number: int, status: str = "Approved", **facts: Any) -> dict[str, Any]:
    """A version as a run registers it; a fact that is None is left out."""
    known = {"code": "c0de", "settings": "5e77", "relative_mase": "0.8"} | facts
    return {
        "ModelPackageArn": f"arn:{number}",
        "ModelApprovalStatus": status,
        "CreationTime": NOW,
        "InferenceSpecification": {"Containers": [{"Image": "i", "ModelDataUrl": f"s3://artifacts/{number}.tar.gz"}]},
        "CustomerMetadataProperties": {name: value for name, value in known.items() if value is not None},
    }


def found(*versions: dict[str, Any]) -> models.Models:
    """Each version comes on a page of its own, and those that are not asked for leave their page empty."""
    return models.models(World(models=list(versions)).client("sagemaker"), "headroom-demo")


def test_the_approved_model_is_found_behind_pages_that_are_empty() -> None:
    held = [version(number, "PendingManualApproval") for number in (9, 8, 7)]
    known = found(*held, version(6))
    assert known.approved is not None
    assert known.approved.arn == "arn:6"
    assert known.last_trained_at == NOW


def test_a_version_registered_by_hand_is_passed_over_and_named() -> None:
    by_hand = [version(9) | {"CustomerMetadataProperties": {}}, version(8)]
    del by_hand[1]["CustomerMetadataProperties"]
    no_model = version(7)
    del no_model["InferenceSpecification"]
    known = found(*by_hand, no_model, version(6))
    assert known.approved is not None
    assert known.approved.arn == "arn:6"
    assert known.foreign == ("arn:9", "arn:8", "arn:7")


def test_only_versions_registered_by_hand_are_as_no_model_at_all() -> None:
    known = found(version(1) | {"CustomerMetadataProperties": {}})
    assert (known.approved, known.foreign) == (None, ("arn:1",))


def test_an_error_that_is_not_a_number_sets_no_bar() -> None:
    for nonsense in ("very good", "nan", "inf", None):
        known = found(version(1, relative_mase=nonsense))
        assert known.approved is not None
        assert known.approved.relative_mase is None
