"""The template as CloudFormation sees it: SAM's resources spelled out, functions resolved for given parameters."""

from __future__ import annotations

import copy
import re
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "template.yaml"
ACCOUNT = "123456789012"
PARTITION = "aws"
NAME = "headroom"

_NO_VALUE = object()
# Resources that `Ref` names by their ARN, and the ARNs of all that the template takes one of.
_REF_IS_ARN = {"AWS::SNS::Topic", "AWS::StepFunctions::StateMachine", "AWS::Lambda::LayerVersion"}
_ARNS = {
    "AWS::S3::Bucket": "arn:aws:s3:::{name}",
    "AWS::IAM::Role": "arn:aws:iam::{account}:role/{name}",
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:{region}:{account}:table/{name}",
    "AWS::SQS::Queue": "arn:aws:sqs:{region}:{account}:{name}",
    "AWS::SNS::Topic": "arn:aws:sns:{region}:{account}:{name}",
    "AWS::KMS::Key": "arn:aws:kms:{region}:{account}:key/{name}",
    "AWS::Logs::LogGroup": "arn:aws:logs:{region}:{account}:log-group:{name}:*",
    "AWS::Scheduler::ScheduleGroup": "arn:aws:scheduler:{region}:{account}:schedule-group/{name}",
    "AWS::Events::Rule": "arn:aws:events:{region}:{account}:rule/{name}",
    "AWS::Lambda::Function": "arn:aws:lambda:{region}:{account}:function:{name}",
    "AWS::Lambda::LayerVersion": "arn:aws:lambda:{region}:{account}:layer:{name}:1",
    "AWS::StepFunctions::StateMachine": "arn:aws:states:{region}:{account}:stateMachine:{name}",
}


@cache
def _template() -> dict[str, Any]:
    from cfnlint.decode import cfn_yaml  # two seconds, which most workers never need
    from cfnlint.template.transforms._sam import Transform

    transform = Transform(str(TEMPLATE), cfn_yaml.load(str(TEMPLATE)), "us-east-1")
    problems = transform.transform_template()
    if problems:
        raise ValueError(f"SAM cannot transform the template: {problems}")
    return transform.template()


def template() -> dict[str, Any]:
    """The transformed template, functions unresolved; a copy of one's own to change."""
    return copy.deepcopy(_template())


class Stack:
    """The resources of the template, or of a changed copy, in one region with some parameters given.

    ``resources`` holds those whose condition is met, by logical name, with all functions resolved.
    """

    def __init__(self, source: dict[str, Any] | None = None, region: str = "eu-central-1", **given: str) -> None:
        self._source = _template() if source is None else source
        self._region = region
        parameters = self._source["Parameters"]
        if unknown := given.keys() - parameters.keys():
            raise KeyError(f"the template has no parameters {sorted(unknown)}")
        self._parameters = {
            name: _value(parameter["Type"], given.get(name, parameter.get("Default", "")))
            for name, parameter in parameters.items()
        }
        self.resources: dict[str, dict[str, Any]] = {
            name: self._resolve(resource)
            for name, resource in self._source["Resources"].items()
            if "Condition" not in resource or self._condition(resource["Condition"])
        }

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Properties by logical name of the resources of one type, such as ``AWS::S3::Bucket``."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.resources.items()
            if resource["Type"] == kind
        }

    def arn(self, name: str) -> str:
        resource = self._source["Resources"][name]
        physical = self._resolve(resource.get("Properties", {}).get("Name", f"{NAME}-{name.lower()}"))
        return _ARNS[resource["Type"]].format(region=self._region, account=ACCOUNT, name=physical)

    def _ref(self, name: str) -> Any:
        pseudo = {
            "AWS::Region": self._region,
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": PARTITION,
            "AWS::StackName": NAME,
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::NoValue": _NO_VALUE,
        }
        if name in pseudo:
            return pseudo[name]
        if name in self._parameters:
            return self._parameters[name]
        kind = self._source["Resources"][name]["Type"]
        return self.arn(name) if kind in _REF_IS_ARN else f"{NAME}-{name.lower()}"

    def _get(self, name: str, attribute: str) -> str:
        return self.arn(name) if attribute == "Arn" else f"{name}.{attribute}"

    def _condition(self, name: str) -> bool:
        return bool(self._resolve(self._source["Conditions"][name]))

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [kept for item in value if (kept := self._resolve(item)) is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (function, argument), *_ = value.items()
            if function == "Ref" or function.startswith("Fn::"):
                return self._call(function.removeprefix("Fn::"), argument)
            if function == "Condition" and isinstance(argument, str):
                return self._condition(argument)
        return {key: kept for key, item in value.items() if (kept := self._resolve(item)) is not _NO_VALUE}

    def _call(self, function: str, argument: Any) -> Any:
        if function == "Ref":
            return self._ref(argument)
        if function == "GetAtt":
            return self._get(*(argument.split(".", 1) if isinstance(argument, str) else argument))
        if function == "If":
            name, yes, no = argument
            return self._resolve(yes if self._condition(name) else no)
        if function == "Sub":
            text, given = argument if isinstance(argument, list) else (argument, {})
            values = {name: self._resolve(item) for name, item in given.items()}
            return re.sub(r"\$\{([^!}]+)\}", lambda found: str(self._substitute(found[1], values)), text)
        resolved = self._resolve(argument)
        if function == "Join":
            return resolved[0].join(resolved[1])
        if function == "Split":
            return resolved[1].split(resolved[0])
        if function == "Select":
            return resolved[1][int(resolved[0])]
        if function == "Equals":
            return resolved[0] == resolved[1]
        if function in ("Not", "And", "Or"):
            return {"Not": not resolved[0], "And": all(resolved), "Or": any(resolved)}[function]
        raise NotImplementedError(f"this helper does not know Fn::{function}: teach it")

    def _substitute(self, name: str, values: dict[str, Any]) -> Any:
        if name in values:
            return values[name]
        return self._get(*name.split(".", 1)) if "." in name else self._ref(name)


def _value(kind: str, text: Any) -> Any:
    if kind == "CommaDelimitedList":
        return [part.strip() for part in str(text).split(",")]
    return str(text)
