"""Requests are refused in the words of the service."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from local.emulator.service_model import ServiceError, check, unsupported

REQUEST = {
    "ProcessingJobName": "headroom-demo-preprocess-0",
    "RoleArn": "arn:aws:iam::123456789012:role/service/job",
    "AppSpecification": {
        "ImageUri": "1.dkr.ecr.us-east-1.amazonaws.com/x:1",
        "ContainerEntrypoint": ["bash", "run.sh"],
    },
    "ProcessingResources": {
        "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}
    },
    "Tags": [{"Key": "dataset", "Value": "Büro/1 @x"}],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    request = copy.deepcopy(REQUEST)
    *parents, last = path.split(".")
    part: Any = request
    for parent in parents:
        part = part[int(parent) if parent.isdigit() else parent]
    if value is None:
        del part[last]
    else:
        part[last] = value
    return request


def test_a_good_request_passes_and_stays_as_it_is() -> None:
    before = copy.deepcopy(REQUEST)
    check("sagemaker", "CreateProcessingJob", REQUEST)
    assert before == REQUEST


@pytest.mark.parametrize(
    ("path", "value", "code", "words"),
    [
        ("RoleArn", None, "ValidationException", "Value null at 'roleArn' failed to satisfy constraint"),
        ("ProcessingJobName", "a_b", "ValidationException", "regular expression pattern"),
        ("ProcessingJobName", "a" * 64, "ValidationException", "Member must have length less than or equal to 63"),
        ("ProcessingResources.ClusterConfig.InstanceType", "big", "ValidationException", "enum value set: [ml."),
        ("ProcessingResources.ClusterConfig.InstanceCount", 0, "ValidationException", "greater than or equal to 1"),
        ("ProcessingResources.ClusterConfig.InstanceCount", "1", "SerializationException", "instanceCount"),
        ("ProcessingResources.ClusterConfig.InstanceCount", True, "SerializationException", "instanceCount"),
        ("Tags.0.Key", "semi;colon", "ValidationException", "tags.1.member.key"),
        ("AppSpecification.ContainerEntrypoint", ["x\ny"], "ValidationException", "containerEntrypoint.1.member"),
        ("Tags", {}, "SerializationException", "tags"),
    ],
)  # fmt: skip
def test_a_bad_request_is_told_what_is_wrong_and_where(path: str, value: Any, code: str, words: str) -> None:
    with pytest.raises(ServiceError) as refused:
        check("sagemaker", "CreateProcessingJob", changed(path, value))
    assert refused.value.code == code
    assert words in refused.value.message


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ServiceError, match="2 validation errors detected") as refused:
        check("sagemaker", "CreateProcessingJob", {**changed("RoleArn", None), "ProcessingJobName": "-"})
    assert "processingJobName" in refused.value.message


def test_step_functions_knows_only_the_operations_own_fields() -> None:
    assert unsupported("sagemaker", "CreateProcessingJob", REQUEST) == []
    wrong = changed("ProcessingResources.ClusterConfig", {"InstanceCount": 1, "InstanceTyp": "ml.m5.xlarge"})
    assert sorted(unsupported("sagemaker", "CreateProcessingJob", wrong)) == [
        "The field 'InstanceTyp' is not supported by Step Functions",
        "The field 'VolumeSizeInGB' is required but was missing",
    ]
