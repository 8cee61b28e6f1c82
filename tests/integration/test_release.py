"""A release executes the change set that people have seen, guards the data, and says why it could not."""

from __future__ import annotations

import json

import pytest

from local import release
from local.cloud import Cloud
from local.deploy import Stack


def change_set(cloud: Cloud, stack: Stack, name: str, **changes: str) -> str:
    cloudformation = cloud.client("cloudformation")
    [found] = cloudformation.describe_stacks(StackName=stack.name)["Stacks"]
    parameters = [
        {"ParameterKey": one["ParameterKey"], "ParameterValue": changes[one["ParameterKey"]]}
        if one["ParameterKey"] in changes
        else {"ParameterKey": one["ParameterKey"], "UsePreviousValue": True}
        for one in found["Parameters"]
    ]
    made = cloudformation.create_change_set(
        StackName=stack.name, ChangeSetName=name, UsePreviousTemplate=True, Parameters=parameters,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )  # fmt: skip
    return made["Id"]


def test_a_change_set_is_executed_and_the_data_guarded(cloud: Cloud, stack: Stack) -> None:
    state = release.execute(cloud.client, stack.name, change_set(cloud, stack, "more", KeepPanels="6"))
    assert state == "UPDATE_COMPLETE"
    cloudformation = cloud.client("cloudformation")
    [found] = cloudformation.describe_stacks(StackName=stack.name)["Stacks"]
    assert {"ParameterKey": "KeepPanels", "ParameterValue": "6"} in found["Parameters"]
    guarded = json.loads(cloudformation.get_stack_policy(StackName=stack.name)["StackPolicyBody"])
    assert guarded == json.loads(release.POLICY.read_text(encoding="utf-8"))


def test_a_deployment_that_fails_names_what_failed(cloud: Cloud) -> None:
    cloudformation = cloud.client("cloudformation")
    broken = {"Resources": {"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Metrics": [
        {"Id": "a", "Expression": "UNKNOWN()"}]}}}}  # fmt: skip
    made = cloudformation.create_change_set(
        StackName="broken", ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=json.dumps(broken)
    )
    with pytest.raises(release.ReleaseError, match=r"(?s)ROLLBACK.*Alarm: .*UNKNOWN"):
        release.execute(cloud.client, "broken", made["Id"])
