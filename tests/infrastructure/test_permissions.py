"""Permissions: each role may do what it does, and nothing else.

What a Lambda function does is read from its code: the calls to AWS that its handler can reach.
"""

from __future__ import annotations

import ast
import fnmatch
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from infrastructure.stack import ROOT, Stack, template

import environment
import progress
import publish
from following import KINDS
from names import dataset_problem

EVERYTHING = {
    "HttpApi": "true",
    "OpenIdIssuer": "https://login.example.com/",
    "OpenIdAudience": "headroom",
    "DataArns": "arn:aws:s3:::exports/servers/*",
    "SlackWebhookParameter": "/headroom/slack",
    "WheelhouseUri": "s3://wheels/of/ours/",
    "SubnetIds": "subnet-0a,subnet-0b",
    "SecurityGroupIds": "sg-0c",
    "OutputKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/headroom-outputs",
    "VolumeKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/headroom-volumes",
    "Collectors": "on",
    "CollectRoleArns": "arn:aws:iam::210987654321:role/read-cloudwatch",
    "CollectSecretArns": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:prometheus-AbCdEf",
    "CollectWorkspaceArns": "arn:aws:aps:eu-central-1:123456789012:workspace/ws-0a1b",
    "CollectSubnetIds": "subnet-0a,subnet-0b",
    "CollectSecurityGroupIds": "sg-0c",
    "Challenger": "on",
}

# What may be allowed on every resource, each with the reason that nothing narrower can be named.
ON_EVERY_RESOURCE = {
    "logs:CreateLogDelivery": "vended logs of the state machine take no resource",
    "logs:GetLogDelivery": "as above",
    "logs:UpdateLogDelivery": "as above",
    "logs:DeleteLogDelivery": "as above",
    "logs:ListLogDeliveries": "as above",
    "logs:PutResourcePolicy": "as above",
    "logs:DescribeResourcePolicies": "as above",
    "logs:DescribeLogGroups": "as above",
    "xray:PutTraceSegments": "X-Ray takes no resource",
    "xray:PutTelemetryRecords": "as above",
    "xray:GetSamplingRules": "as above",
    "xray:GetSamplingTargets": "as above",
    "sagemaker:ListModelPackageGroups": "listing groups takes no resource",
    "ecr:GetAuthorizationToken": "a registry login takes no resource",
    "cloudwatch:PutMetricData": "takes no resource; held to SageMaker's namespaces by its condition",
    "ec2:CreateNetworkInterface": "jobs in a network: the interfaces do not exist before",
    "ec2:CreateNetworkInterfacePermission": "as above",
    "ec2:DeleteNetworkInterface": "as above",
    "ec2:DeleteNetworkInterfacePermission": "as above",
    "ec2:DescribeNetworkInterfaces": "descriptions take no resource",
    "ec2:DescribeVpcs": "as above",
    "ec2:DescribeDhcpOptions": "as above",
    "ec2:DescribeSubnets": "as above",
    "ec2:DescribeSecurityGroups": "as above",
    "cloudwatch:GetMetricData": "metrics take no resource",
    "cloudwatch:ListMetrics": "as above",
    "ec2:DescribeInstances": "descriptions take no resource",
    "ec2:DescribeInstanceTypes": "as above",
    "ec2:DescribeVolumes": "as above",
    "elasticloadbalancing:DescribeLoadBalancers": "as above",
    "lambda:GetAccountSettings": "takes no resource",
    "rds:DescribeDBInstances": "all databases are looked for, whatever they are called",
    "ecs:ListClusters": "listing takes no resource",
    "ecs:ListServices": "all services are looked for, whatever they are called",
    "ecs:DescribeServices": "as above",
}
# What a stack has of its own, and needs of no other.
OWN_ONLY = ("s3:", "dynamodb:", "sns:", "kms:", "states:")
CONDITION_REQUIRED = {"cloudwatch:PutMetricData", "iam:PassRole"}

# Policies of AWS's own that SAM attaches: logs and traces of a function, and polling its queue.
MANAGED = {
    "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
    "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess",
    "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole",
    "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole",
}


def to_run(*kinds: str) -> set[str]:
    """What a state machine calls that starts jobs of these kinds and waits for them (``.sync``), as the documentation
    of Step Functions lists it per integration."""
    return {
        *(f"sagemaker:{verb}{kind}Job" for kind in kinds for verb in ("Create", "Describe", "Stop")),
        "sagemaker:AddTags",
        "sagemaker:ListTags",
        "iam:PassRole",
        "events:PutTargets",
        "events:PutRule",
        "events:DescribeRule",
    }


SYNC = to_run("Processing", "Training")


@dataclass(frozen=True)
class Grant:
    """One action on one resource."""

    action: str
    resource: str
    condition: dict[str, Any] = field(default_factory=dict, compare=False)


def grants(stack: Stack, role: str) -> Iterator[Grant]:
    """What a role's own policies allow."""
    for policy in stack.resources[role]["Properties"].get("Policies", []):
        for statement in as_list(policy["PolicyDocument"]["Statement"]):
            if statement["Effect"] != "Allow":
                continue
            for action in as_list(statement["Action"]):
                for resource in as_list(statement["Resource"]):
                    yield Grant(action, resource, statement.get("Condition", {}))


def roles(stack: Stack) -> list[str]:
    return list(stack.of_type("AWS::IAM::Role"))


# ---------------------------------------------------------------- all roles


def too_wide(stack: Stack) -> Iterator[str]:
    for role in roles(stack):
        for grant in grants(stack, role):
            if "*" in grant.action:
                yield f"{role} may do {grant.action}"
            if grant.resource == "*" and grant.action not in ON_EVERY_RESOURCE:
                yield f"{role} may do {grant.action} everywhere"
            if grant.action in CONDITION_REQUIRED and not grant.condition:
                yield f"{role} may do {grant.action} under no condition"
            wheels = role == "JobRole" and grant.resource.startswith("arn:aws:s3:::wheels")
            data = (role, grant.action, grant.resource) == ("ApiFunctionRole", "s3:GetObject", EVERYTHING["DataArns"])
            if grant.action.startswith(OWN_ONLY) and "headroom" not in grant.resource and not wheels and not data:
                yield f"{role} may do {grant.action} beyond this stack, on {grant.resource}"
        properties = stack.resources[role]["Properties"]
        for policy in set(properties.get("ManagedPolicyArns", [])) - MANAGED:
            yield f"{role} has the managed policy {policy}"


def assumable_by_others(stack: Stack) -> Iterator[str]:
    wanted = {"CapacityRole": "states.amazonaws.com", "JobRole": "sagemaker.amazonaws.com"}
    wanted |= {"ChallengerMachineRole": "states.amazonaws.com", "ChallengerRole": "sagemaker.amazonaws.com"}
    wanted |= {"CollectScheduleRole": "scheduler.amazonaws.com"}
    for role in roles(stack):
        for statement in stack.resources[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]:
            principal = as_list(statement["Principal"].get("Service", "nobody's service"))
            if principal != [wanted.get(role, "lambda.amazonaws.com")] or len(statement["Principal"]) > 1:
                yield f"{role} can be assumed by {statement['Principal']}"
            if role in wanted and "aws:SourceAccount" not in str(statement.get("Condition")):
                yield f"{role} can be assumed for another account"


def allowed_twice(stack: Stack) -> Iterator[str]:
    for role in roles(stack):
        seen: set[Grant] = set()
        for grant in grants(stack, role):
            if grant in seen:
                yield f"{role}: {grant.action} on {grant.resource} is said twice"
            seen.add(grant)


# ---------------------------------------------------------------- the state machine's role


SAGEMAKER_KINDS = ("processing-job", "training-job", "model-package-group", "model-package")
REGISTRY = {"sagemaker:CreateModelPackageGroup", "sagemaker:CreateModelPackage"}


def not_what_the_state_machine_needs(stack: Stack) -> Iterator[str]:
    """The integrations of the definition need exactly these; logs and traces come on top."""
    given = {grant for grant in grants(stack, "CapacityRole") if grant.action not in ON_EVERY_RESOURCE}
    wanted = SYNC | REGISTRY | {"lambda:InvokeFunction", "sns:Publish", "kms:GenerateDataKey", "kms:Decrypt"}
    # CreateModelPackage checks the model's object and the image with its caller's permissions.
    wanted |= {"s3:GetObject", "ecr:BatchGetImage", "ecr:DescribeImages"}
    wanted |= {"kms:CreateGrant", "kms:DescribeKey"}  # for the volumes of the jobs
    # A challenger's execution, which `.sync` waits for and stops.
    wanted |= {"states:StartExecution", "states:DescribeExecution", "states:StopExecution"}
    for action in wanted - {grant.action for grant in given}:
        yield f"lacks {action}"
    for action in {grant.action for grant in given} - wanted:
        yield f"does not need {action}"
    region = "eu-central-1:123456789012"
    rules = [f"StepFunctionsGetEventsForSageMaker{kind}JobsRule" for kind in ("Processing", "Training")]
    rules.append("StepFunctionsGetEventsForStepFunctionsExecutionRule")
    narrow = {
        "sagemaker:": {f"arn:aws:sagemaker:{region}:{kind}/headroom-*" for kind in SAGEMAKER_KINDS},
        "iam:": {stack.arn("JobRole")},
        "events:": {f"arn:aws:events:{region}:rule/{rule}" for rule in rules},
        "lambda:": {stack.arn("PlanFunction"), stack.arn("PublishFunction")},
        "sns:": {stack.arn("Topic")},
        "kms:": {stack.arn("TopicKey"), EVERYTHING["OutputKeyArn"], EVERYTHING["VolumeKeyArn"]},
        "s3:": {f"{stack.arn('ArtifactBucket')}/runs/*/model/*"},
        "ecr:": {"arn:aws:ecr:eu-central-1:*:repository/*"},
        "states:": {
            stack.arn("ChallengerMachine"),
            f"arn:aws:states:{region}:execution:headroom-challenger:*",
        },
    }
    for prefix, resources in narrow.items():
        found = {grant.resource for grant in given if grant.action.startswith(prefix)}
        if found != resources:
            yield f"{prefix} on {sorted(found ^ resources)}"
    told = {(grant.action, grant.resource) for grant in given if grant.action.startswith("events:")}
    for rule, action in itertools.product(narrow["events:"], ("PutTargets", "PutRule", "DescribeRule")):
        if (f"events:{action}", rule) not in told:
            yield f"lacks events:{action} on {rule}"
    passed = [grant.condition for grant in given if grant.action == "iam:PassRole"]
    if passed != [{"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}]:
        yield "the job role may be passed to other services"


# What the challenger's state machine calls without waiting for it, and what its preparing job needs besides.
CHALLENGER = to_run("Processing", "Transform") | {
    *(f"sagemaker:{verb}AutoMLJobV2" for verb in ("Create", "Describe")),
    "sagemaker:StopAutoMLJob",
    "sagemaker:CreateModel",
    "sagemaker:DeleteModel",
    "kms:CreateGrant",
    "kms:DescribeKey",
}


def not_what_the_challenger_needs(stack: Stack) -> Iterator[str]:
    """Its requests need exactly these, on what has the stack's prefix; its AutoML sees what was written for it."""
    given = {grant for grant in grants(stack, "ChallengerMachineRole") if grant.action not in ON_EVERY_RESOURCE}
    for action in {grant.action for grant in given} ^ CHALLENGER:
        yield f"{action} is needed, or given, and not both"
    region = "eu-central-1:123456789012"
    kinds = ("processing-job", "automl-job", "transform-job", "model")
    narrow = {
        "sagemaker:": {f"arn:aws:sagemaker:{region}:{kind}/headroom-*" for kind in kinds},
        "iam:": {stack.arn("JobRole"), stack.arn("ChallengerRole")},
        "events:": {f"arn:aws:events:{region}:rule/StepFunctionsGetEventsForSageMakerProcessingJobsRule"},
        "kms:": {EVERYTHING["VolumeKeyArn"]},
    }
    for prefix, resources in narrow.items():
        if (found := {grant.resource for grant in given if grant.action.startswith(prefix)}) != resources:
            yield f"{prefix} on {sorted(found ^ resources)}"
    artifacts = stack.arn("ArtifactBucket")
    own = {Grant(f"s3:{verb}Object", f"{artifacts}/challenger/*") for verb in ("Get", "Put")}
    own.add(Grant("s3:ListBucket", artifacts))
    for grant in {grant for grant in grants(stack, "ChallengerRole") if grant.action.startswith("s3:")} ^ own:
        yield f"AutoML: {grant.action} on {grant.resource}"
    for grant in grants(stack, "ChallengerRole"):
        if grant.action == "s3:ListBucket" and grant.condition != {"StringLike": {"s3:prefix": "challenger/*"}}:
            yield "AutoML lists what is not its own"
    services = {grant.action.split(":")[0] for grant in grants(stack, "ChallengerRole")}
    yield from services - {"s3", "logs", "ecr", "cloudwatch", "ec2", "kms"}


def jobs_reach_too_far(stack: Stack) -> Iterator[str]:
    """A job reads what came in, its code and runs, and writes runs; SageMaker fetches its image and writes its log."""
    ingest, artifacts = stack.arn("IngestBucket"), stack.arn("ArtifactBucket")
    wanted = {
        Grant("s3:GetObject", f"{ingest}/incoming/*"),
        Grant("s3:GetObject", f"{artifacts}/code/*"),
        Grant("s3:GetObject", f"{artifacts}/runs/*"),
        Grant("s3:PutObject", f"{artifacts}/runs/*"),
        Grant("s3:ListBucket", ingest),
        Grant("s3:ListBucket", artifacts),
    }
    if "ChallengerRole" in stack.resources:
        wanted |= {Grant(f"s3:{verb}Object", f"{artifacts}/challenger/*") for verb in ("Get", "Put")}
    if "wheelhouse" in str(stack.resources["JobRole"]):
        wanted |= {
            Grant("s3:GetObject", "arn:aws:s3:::wheels/of/ours/*"),
            Grant("s3:ListBucket", "arn:aws:s3:::wheels"),
        }
    found = {grant for grant in grants(stack, "JobRole") if grant.action.startswith("s3:")}
    for grant in found ^ wanted:
        yield f"{grant.action} on {grant.resource}"
    keys = {grant.resource for grant in grants(stack, "JobRole") if grant.action.startswith("kms:")}
    if keys - {EVERYTHING["OutputKeyArn"], EVERYTHING["VolumeKeyArn"]}:
        yield f"other keys than those of outputs and volumes: {sorted(keys)}"
    services = {grant.action.split(":")[0] for grant in grants(stack, "JobRole")}
    yield from services - {"s3", "logs", "ecr", "cloudwatch", "ec2", "kms"}


def locked_out(stack: Stack) -> Iterator[str]:
    """Whoever reads or writes the artifact bucket may use its key; whoever creates jobs, that of their volumes."""
    artifacts = stack.arn("ArtifactBucket")
    for role in roles(stack):
        given = {(grant.action, grant.resource) for grant in grants(stack, role)}
        touches = {action for action, resource in given if resource.startswith(f"{artifacts}/")}
        needed = {"kms:Decrypt"} if "s3:GetObject" in touches else set()
        needed |= {"kms:GenerateDataKey"} if "s3:PutObject" in touches else set()
        for action in needed:
            if (action, EVERYTHING["OutputKeyArn"]) not in given:
                yield f"{role} cannot {action} what the artifact bucket's key encrypts"
    for role in ("CapacityRole", "JobRole", "ChallengerMachineRole", "ChallengerRole"):
        given = {(grant.action, grant.resource) for grant in grants(stack, role)}
        for action in ("kms:CreateGrant", "kms:DescribeKey"):
            if (action, EVERYTHING["VolumeKeyArn"]) not in given:
                yield f"{role} cannot {action} for the volumes of the jobs"
    if Grant("kms:Encrypt", EVERYTHING["OutputKeyArn"]) not in set(grants(stack, "JobRole")):
        yield "JobRole cannot encrypt a training job's model"


# ---------------------------------------------------------------- the functions' roles

FUNCTIONS = ROOT / "functions"
HANDLERS = {
    "CollectFunction": "collect",
    "ApiFunction": "api",
    "PreviewFunction": "preview",
    "IngestFunction": "ingest",
    "PlanFunction": "plan",
    "PublishFunction": "publish",
    "RunStatusFunction": "run_status",
    "SlackFunction": "slack",
    "SweepFunction": "sweep",
}
# Receivers that are AWS by the names that functions/ gives them; a client is named as its service.
RECEIVERS = {
    "s3": "s3",
    "stepfunctions": "stepfunctions",
    "sns": "sns",
    "sagemaker": "sagemaker",
    "_table": "dynamodb",
    "_client": "dynamodb",
    "events": "events",
    "logs": "logs",
    "parameters": "ssm",
    "cloudwatch": "cloudwatch",
    "ec2": "ec2",
    "rds": "rds",
    "ecs": "ecs",
    "sts": "sts",
    "secretsmanager": "secretsmanager",
    "elbv2": "elbv2",
    "lambda_": "lambda",
}
IAM_PREFIXES = {"elbv2": "elasticloadbalancing", "stepfunctions": "states"}
IAM_ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:CopyObject": "s3:PutObject",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
}
# Publishing to a topic with a key of its own uses that key.
COMES_WITH = {"sns:Publish": {"kms:GenerateDataKey", "kms:Decrypt"}}
# Needed though no call says so.
UNSPOKEN = {
    ("ApiFunction", "kms:Decrypt"): "S3 decrypts what it reads, and what its links open",
    ("PlanFunction", "s3:ListBucket"): "without it S3 answers a missing settings file with access denied",
    ("RunStatusFunction", "sqs:SendMessage"): "Lambda leaves there what the function fails on",
    ("SlackFunction", "sqs:SendMessage"): "as above",
    ("SweepFunction", "sqs:SendMessage"): "as above",
    ("PlanFunction", "kms:GenerateDataKey"): "S3 encrypts what it writes with the key of the bucket",
    ("PlanFunction", "kms:Decrypt"): "as above",
    ("CollectFunction", "aps:QueryMetrics"): "asked over HTTP, with a signature",
    ("PublishFunction", "kms:Decrypt"): "S3 decrypts what it reads, and what its links open",
    ("PublishFunction", "kms:GenerateDataKey"): "said together with the other",
}


@cache
def calls_of(handler: str) -> frozenset[str]:
    """IAM actions of all calls to AWS that a module's ``handler`` can reach.

    Reachable is what is named: a function or method of ``functions/`` whose name occurs in reachable code.
    That errs towards too much, never towards too little.
    """
    modules = {path.stem: ast.parse(path.read_text(encoding="utf-8")) for path in FUNCTIONS.glob("*.py")}
    imported, waiting = set(), [handler]
    while waiting:
        name = waiting.pop()
        if name in modules and name not in imported:
            imported.add(name)
            for node in ast.walk(modules[name]):
                if isinstance(node, ast.Import):
                    waiting += [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.module:
                    waiting.append(node.module)
    defined: dict[str, list[ast.AST]] = {}
    for name in imported:
        for node in ast.walk(modules[name]):
            if isinstance(node, ast.FunctionDef):
                defined.setdefault(node.name, []).append(node)
    # A module's own `handler` is where Lambda enters; those of imported modules are not entered.
    defined["handler"] = [node for node in ast.walk(modules[handler]) if getattr(node, "name", "") == "handler"]

    actions: set[str] = set()
    reached, waiting = set(), ["handler"]
    while waiting:
        name = waiting.pop()
        if name in reached or name not in defined:
            continue
        reached.add(name)
        for function in defined[name]:
            for node in ast.walk(function):
                if isinstance(node, ast.Name):
                    waiting.append(node.id)
                elif isinstance(node, ast.Attribute):
                    service = service_of(node.value)
                    if service is None:
                        waiting.append(node.attr)
                    elif action := action_of(service, node.attr):
                        actions.add(action)
                elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    service = service_of(node.func.value)
                    # What is signed here is done later by whoever has the link, with the signer's permissions.
                    if service is not None and node.func.attr in ("get_paginator", "generate_presigned_url"):
                        actions.add(action_of(service, first_argument(node)) or f"unknown: {ast.unparse(node)}")
                    if service is not None and node.func.attr == "generate_presigned_post":
                        actions.add("s3:PutObject")
    return frozenset(actions)


def first_argument(call: ast.Call) -> str:
    return str(ast.literal_eval(call.args[0]))


def service_of(receiver: ast.AST) -> str | None:
    """The AWS service that an expression is a client, resource or table of."""
    if isinstance(receiver, ast.Call) and ast.unparse(receiver.func) == "boto3.client":
        return first_argument(receiver)
    return RECEIVERS.get(ast.unparse(receiver).rpartition(".")[2])


def action_of(service: str, method: str) -> str | None:
    """The IAM action of a client's method, None where the method is no operation of the service."""
    operation = operations_of(service).get(method)
    if operation is None:
        return None
    action = f"{IAM_PREFIXES.get(service, service)}:{operation}"
    return IAM_ACTIONS.get(action, action)


@cache
def operations_of(service: str) -> dict[str, str]:
    """The operations of a service by the names of the client's methods."""
    model = botocore.session.get_session().get_service_model(service)
    return {xform_name(operation): operation for operation in model.operation_names}


def roles_and_code_differ(stack: Stack) -> Iterator[str]:
    for function, module in HANDLERS.items():
        called = calls_of(module)
        called |= {also for action in called for also in COMES_WITH.get(action, ())}
        allowed = {grant.action for grant in grants(stack, f"{function}Role")}
        for action in called - allowed:
            yield f"{function} calls {action} and may not"
        for action in allowed - called:
            if (function, action) not in UNSPOKEN:
                yield f"{function} may do {action} and never does"


def test_clients_are_named_as_their_services():
    """On which the reading of the code above stands."""
    for path in FUNCTIONS.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("boto3.client("):
                assert service_of(node.value) == ast.unparse(node.targets[0]), path.name


def test_every_function_is_looked_at():
    handlers = {
        name: function["Handler"].removesuffix(".handler")
        for name, function in Stack(**EVERYTHING).of_type("AWS::Lambda::Function").items()
    }
    assert handlers == HANDLERS


@pytest.mark.parametrize(
    ("module", "some"),
    [
        ("ingest", {"dynamodb:PutItem", "dynamodb:Query", "states:StartExecution", "sns:Publish"}),
        ("plan", {"dynamodb:Query", "s3:PutObject", "s3:ListBucket", "sagemaker:DescribeModelPackage"}),
        ("publish", {"dynamodb:UpdateItem", "s3:GetObject", "states:DescribeExecution"}),
        ("run_status", {"states:GetExecutionHistory", "sns:Publish"}),
        ("slack", {"ssm:GetParameter"}),
        ("preview", {"s3:GetObject"}),
        ("api", {"lambda:InvokeFunction", "states:GetExecutionHistory"}),
        ("collect", {"cloudwatch:GetMetricData", "ec2:DescribeInstances", "sts:AssumeRole", "s3:PutObject"}),
        ("collect", {"secretsmanager:GetSecretValue", "rds:DescribeDBInstances", "ecs:DescribeServices"}),
    ],
)
def test_the_code_is_read_right(module, some):
    assert some <= calls_of(module)


def test_functions_get_the_environment_they_read():
    """Each variable that the code reads is set by the template, and none is set in vain."""
    classes = {
        "CollectFunction": "CollectSettings",
        "ApiFunction": "ApiSettings",
        "PreviewFunction": "PreviewSettings",
        "IngestFunction": "IngestSettings",
        "PlanFunction": "PlanSettings",
        "PublishFunction": "PublishSettings",
        "RunStatusFunction": "RunStatusSettings",
        "SweepFunction": "SweepSettings",
    }
    functions = Stack(**EVERYTHING).of_type("AWS::Lambda::Function")
    for function, name in classes.items():
        given = {key for key in functions[function]["Environment"]["Variables"] if not key.startswith("POWERTOOLS_")}
        read = {field.alias for field in getattr(environment, name).model_fields.values()}
        assert given == read, function


# ---------------------------------------------------------------- the tests

RULES = [
    too_wide,
    assumable_by_others,
    allowed_twice,
    not_what_the_state_machine_needs,
    not_what_the_challenger_needs,
    jobs_reach_too_far,
    roles_and_code_differ,
    locked_out,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_no_role_is(rule):
    assert list(rule(Stack(**EVERYTHING))) == []


def test_without_a_challenger_there_is_nothing_of_it():
    stack = Stack()
    assert [name for name in stack.resources if "Challenger" in name] == []
    assert not any(grant.action.startswith("states:") for grant in grants(stack, "CapacityRole"))


def test_with_the_defaults_jobs_reach_neither_wheels_nor_networks():
    stack = Stack()
    assert list(jobs_reach_too_far(stack)) == []
    assert not any(grant.action.startswith("ec2:") for grant in grants(stack, "JobRole"))


OPENID = {"HttpApi": "true", "OpenIdIssuer": "https://login.example.com/", "OpenIdAudience": "headroom"}


@pytest.mark.parametrize(
    ("hours", "more"), [("6", {}), ("0", {}), ("6", OPENID)], ids=["with links", "without", "with a page to sign in to"]
)
def test_a_link_opens_the_report_or_a_picture_and_nothing_else(hours, more):
    """A link does what its signer may do; without links the function may read only what it tells of."""
    stack = Stack(LinkHours=hours, **more)
    told_of = {"manifest.json", "assessment/risk_summary.json", "assessment/data_quality.json"}
    shown = {f"assessment/{file}" for file in publish.SHOWN} if hours != "0" and not more else set()
    found = {
        grant
        for grant in grants(stack, "PublishFunctionRole")
        if grant.action.startswith(("s3:Get", "s3:PutObjectTagging", "s3:List", "kms:"))
    }
    bucket = stack.arn("ArtifactBucket")
    wanted = {Grant("s3:GetObject", f"{bucket}/runs/*/{file}") for file in told_of | shown}
    # To have old panels expire.
    wanted |= {Grant("s3:PutObjectTagging", f"{bucket}/runs/*/panel/*"), Grant("s3:ListBucket", bucket)}
    assert found == wanted
    (encryption,) = stack.resources["ArtifactBucket"]["Properties"]["BucketEncryption"].values()
    algorithm = encryption[0]["ServerSideEncryptionByDefault"]["SSEAlgorithm"]
    assert algorithm == "AES256", "with a key of its own, links need kms:Decrypt"


CHANGES = ("s3:Put", "s3:Delete", "s3:Replicate", "s3:Restore", "s3:Bypass")


# Collectors add what they collect, below a folder of their own in each dataset, and note how far they are.
COLLECTED = ("incoming/*/collected/*", "collectors/*")
# What lets files in, as a person at the console would; the bucket keeps the versions before.
DOORS = {("ApiFunctionRole", "s3:PutObject")}


def test_no_role_may_change_what_came_in_or_what_anybody_may():
    stack = Stack(**EVERYTHING)
    own = {f"{stack.arn('IngestBucket')}/{folder}" for folder in COLLECTED}
    for role in roles(stack):
        for grant in grants(stack, role):
            changes = grant.action.startswith(CHANGES)
            came_in = changes and grant.resource.startswith(stack.arn("IngestBucket"))
            adds = role == "CollectFunctionRole" and grant.action == "s3:PutObject" and grant.resource in own
            assert not came_in or adds or (role, grant.action) in DOORS, (role, grant)
            deletes = "Delete" in grant.action and grant.action not in ON_EVERY_RESOURCE
            # The model that the challenger's state machine has made for one batch transform.
            assert not deletes or (role, grant.action) == ("ChallengerMachineRole", "sagemaker:DeleteModel"), grant
            if grant.action.startswith("iam:"):
                assert grant.action == "iam:PassRole"
            if grant.action.startswith("kms:"):
                assert grant.action.removeprefix("kms:") in {
                    "GenerateDataKey", "Decrypt", "Encrypt", "DescribeKey", "CreateGrant",
                }  # fmt: skip


def test_the_preview_may_read_what_is_to_be_looked_at_and_nothing_else():
    stack = Stack(**EVERYTHING)
    wanted = {Grant("s3:GetObject", f"{stack.arn('IngestBucket')}/preview/*")}
    assert set(grants(stack, "PreviewFunctionRole")) == wanted


def test_the_api_reads_other_buckets_only_where_it_is_told_to():
    def read(stack: Stack) -> list[str]:
        found = [grant.resource for grant in grants(stack, "ApiFunctionRole") if grant.action == "s3:GetObject"]
        return [resource for resource in found if "headroom" not in resource]

    assert read(Stack(**EVERYTHING)) == [EVERYTHING["DataArns"]]
    assert read(Stack(**OPENID)) == []


def test_only_collectors_read_what_collectors_are_told_to_do():
    """And nobody writes it: it says where they log in."""
    stack = Stack(**EVERYTHING)
    settings = f"{stack.arn('IngestBucket')}/config/collectors/prometheus.json"
    reach = {
        (role, grant.action)
        for role in roles(stack)
        for grant in grants(stack, role)
        if grant.action.startswith("s3:") and fnmatch.fnmatchcase(settings, grant.resource)
    }
    assert reach == {("CollectFunctionRole", "s3:GetObject")}


@pytest.mark.parametrize("role", ["ApiFunctionRole", "RunStatusFunctionRole"])
def test_only_the_logs_of_our_own_jobs_are_read(role):
    groups = [f"arn:aws:logs:eu-central-1:123456789012:log-group:/aws/sagemaker/{kind}Jobs" for kind in KINDS.values()]
    given = set(grants(Stack(**EVERYTHING), role))
    wanted = {Grant("logs:GetLogEvents", f"{group}:log-stream:headroom-*") for group in groups}
    wanted |= {Grant("logs:DescribeLogStreams", f"{group}*") for group in groups}
    assert {grant for grant in given if grant.action.startswith("logs:")} == wanted


def test_collectors_touch_nothing_of_the_ledger_but_what_is_theirs():
    found = [
        grant for grant in grants(Stack(**EVERYTHING), "CollectFunctionRole") if grant.action.startswith("dynamodb:")
    ]
    theirs = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [progress.PLACE]}}
    assert found and all(grant.condition == theirs for grant in found)
    assert dataset_problem(progress.PLACE), "no dataset can have that name"


def test_collectors_make_network_interfaces_only_in_a_network():
    def managed(stack: Stack) -> str:
        return str(stack.resources["CollectFunctionRole"]["Properties"]["ManagedPolicyArns"])

    assert "VPCAccess" in managed(Stack(**EVERYTHING))
    assert "VPCAccess" not in managed(Stack(Collectors="on"))


def test_every_exception_is_still_needed():
    given = {grant.action for role in roles(Stack(**EVERYTHING)) for grant in grants(Stack(**EVERYTHING), role)}
    assert [action for action in ON_EVERY_RESOURCE if action not in given] == []
    for function, action in UNSPOKEN:
        assert action in {grant.action for grant in grants(Stack(**EVERYTHING), f"{function}Role")}


def statements(source: dict[str, Any], role: str) -> list[dict[str, Any]]:
    """A role's own statements; SAM puts the one for a function's dead letters before them."""
    policies = source["Resources"][role]["Properties"]["Policies"]
    return next(p for p in policies if "DeadLetter" not in p["PolicyName"])["PolicyDocument"]["Statement"]


def statement_by(source: dict[str, Any], sid: str) -> dict[str, Any]:
    (found,) = (one for one in statements(source, "CapacityRole") if one.get("Sid") == sid)
    return found


def trust(source: dict[str, Any], role: str) -> dict[str, Any]:
    return source["Resources"][role]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]


def allow(role: str, action: str, resource: Any) -> Callable[[dict[str, Any]], None]:
    added = {"Effect": "Allow", "Action": action, "Resource": resource}
    return lambda source: statements(source, role).append(added)


def no_keys(source: dict[str, Any], role: str) -> None:
    found = statements(source, role)
    found[:] = [one for one in found if "kms" not in str(one.get("Fn::If"))]


def forbid(role: str, action: str) -> Callable[[dict[str, Any]], None]:
    def change(source: dict[str, Any]) -> None:
        for statement in statements(source, role):
            if "Action" in statement:  # not those under a condition
                statement["Action"] = [one for one in as_list(statement["Action"]) if not fnmatch.fnmatch(one, action)]

    return change


LEDGER = {"Fn::GetAtt": ["Ledger", "Arn"]}
ALL_TRAINING = "arn:aws:sagemaker:eu-central-1:123456789012:training-job/*"
BREAKS: list[tuple[Callable[[Stack], Iterator[str]], str, Callable[[dict[str, Any]], Any]]] = [
    (too_wide, "an action with a star", allow("PlanFunctionRole", "s3:Get*", {"Ref": "IngestBucket"})),
    (too_wide, "every resource", allow("PublishFunctionRole", "dynamodb:GetItem", "*")),
    (too_wide, "another's bucket", allow("JobRole", "s3:GetObject", "arn:aws:s3:::another/*")),
    (too_wide, "a role passed to anyone", lambda t: statement_by(t, "JobsRunAsJobRole").pop("Condition")),
    (
        too_wide,
        "a managed policy",
        lambda t: t["Resources"]["JobRole"]["Properties"].update(
            ManagedPolicyArns=["arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"]
        ),
    ),
    (
        assumable_by_others,
        "everyone may be the job",
        lambda t: trust(t, "JobRole").update(Principal={"AWS": "*"}),
    ),
    (
        assumable_by_others,
        "a deputy that can be confused",
        lambda t: trust(t, "CapacityRole").pop("Condition"),
    ),
    (allowed_twice, "said twice", allow("PlanFunctionRole", "dynamodb:GetItem", LEDGER)),
    (not_what_the_state_machine_needs, "no way to stop a job", forbid("CapacityRole", "sagemaker:StopTrainingJob")),
    (not_what_the_state_machine_needs, "no way to tag a job", forbid("CapacityRole", "sagemaker:AddTags")),
    (not_what_the_state_machine_needs, "no word of a job's end", forbid("CapacityRole", "events:PutRule")),
    (not_what_the_state_machine_needs, "another job", allow("CapacityRole", "sagemaker:CreateTransformJob", "arn:x")),
    (
        not_what_the_state_machine_needs,
        "jobs of all the account",
        allow("CapacityRole", "sagemaker:CreateTrainingJob", ALL_TRAINING),
    ),
    (not_what_the_challenger_needs, "no way to end it", forbid("ChallengerMachineRole", "sagemaker:StopAutoMLJob")),
    (not_what_the_challenger_needs, "AutoML that reads runs", allow("ChallengerRole", "s3:GetObject", LEDGER)),
    (
        not_what_the_challenger_needs,
        "AutoML with a function",
        allow("ChallengerRole", "lambda:InvokeFunction", "arn:x"),
    ),
    (locked_out, "volumes without their key", lambda t: no_keys(t, "CapacityRole")),
    (locked_out, "jobs without the key of their outputs", lambda t: no_keys(t, "JobRole")),
    (jobs_reach_too_far, "jobs that write where files arrive", allow("JobRole", "s3:PutObject", LEDGER)),
    (jobs_reach_too_far, "jobs that cannot list", forbid("JobRole", "s3:ListBucket")),
    (jobs_reach_too_far, "jobs with the ledger", allow("JobRole", "dynamodb:GetItem", LEDGER)),
    (roles_and_code_differ, "a call that is not allowed", forbid("IngestFunctionRole", "dynamodb:PutItem")),
    (roles_and_code_differ, "a topic without its key", forbid("RunStatusFunctionRole", "kms:*")),
    (roles_and_code_differ, "a permission never used", allow("SlackFunctionRole", "dynamodb:GetItem", LEDGER)),
]


@pytest.mark.parametrize(("rule", "breaks"), [(r, breaks) for r, _, breaks in BREAKS], ids=[b for _, b, _ in BREAKS])
def test_these_tests_see(rule, breaks):
    broken = template()
    breaks(broken)
    assert list(rule(Stack(broken, **EVERYTHING))) != []


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
