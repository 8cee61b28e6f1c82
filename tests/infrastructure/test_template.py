"""The template: private, encrypted, tagged, kept as long as promised, and usable without further thought."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from infrastructure.stack import ROOT, TEMPLATE, Stack, template

import images
import panels
from local.emulator.lambdas import layers_twice
from local.emulator.service_model import input_shape

# Everything that a condition guards is there.
EVERYTHING = {
    "HttpApi": "true",
    "OpenIdIssuer": "https://login.example.com/",
    "OpenIdAudience": "headroom",
    "DataArns": "arn:aws:s3:::exports/servers/*",
    "NotificationEmail": "capacity@example.com",
    "SlackWebhookParameter": "/headroom/slack",
    "ImageUri": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/jobs:1",
    "WheelhouseUri": "s3://wheels/of/ours/",
    "SubnetIds": "subnet-0a,subnet-0b",
    "SecurityGroupIds": "sg-0c",
    "Datasets": "demo,web",
    "NetworkIsolation": "true",
    "OutputKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d-headroom",
    "VolumeKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/4e5f6a7b-headroom",
    "PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/boundary",
    "AccessLogsBucket": "logs-of-ours",
    "TrainOnSpot": "true",
    "MonthlyBudgetUsd": "100",
    "Collectors": "on",
    "CollectRoleArns": "arn:aws:iam::210987654321:role/read-cloudwatch",
    "CollectSecretArns": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:prometheus-AbCdEf",
    "CollectWorkspaceArns": "arn:aws:aps:eu-central-1:123456789012:workspace/ws-0a1b",
    "CollectSubnetIds": "subnet-0a,subnet-0b",
    "CollectSecurityGroupIds": "sg-0c",
}

# The image's own list of registries (aws/sagemaker-python-sdk, image_uri_config/sklearn.json), and il-central-1.
IMAGE_ACCOUNTS = {
    "us-east-1": "683313688378", "us-east-2": "257758044811", "us-west-1": "746614075791",
    "us-west-2": "246618743249", "ca-central-1": "341280168497", "sa-east-1": "737474898029",
    "eu-central-1": "492215442770", "eu-west-1": "141502667606", "eu-west-2": "764974769150",
    "eu-west-3": "659782779980", "eu-north-1": "662702820516", "eu-south-1": "978288397137",
    "ap-northeast-1": "354813040037", "ap-northeast-2": "366743142698", "ap-northeast-3": "867004704886",
    "ap-south-1": "720646828776", "ap-southeast-1": "121021644041", "ap-southeast-2": "783357654285",
    "af-south-1": "510948584623", "ap-east-1": "651117190479", "me-south-1": "801668240914",
    "il-central-1": "898809789911", "ap-south-2": "628508329040", "ap-southeast-3": "951798379941",
    "ap-southeast-4": "106583098589", "eu-central-2": "680994064768", "eu-south-2": "104374241257",
    "me-central-1": "272398656194", "us-gov-east-1": "237065988967", "us-gov-west-1": "414596584902",
    "cn-north-1": "450853457545", "cn-northwest-1": "451049120500",
}  # fmt: skip


def open_buckets(stack: Stack) -> Iterator[str]:
    closed = dict.fromkeys(("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True)
    for name, bucket in stack.of_type("AWS::S3::Bucket").items():
        if bucket.get("PublicAccessBlockConfiguration") != closed:
            yield f"{name} does not block public access"
        if bucket.get("OwnershipControls", {}).get("Rules") != [{"ObjectOwnership": "BucketOwnerEnforced"}]:
            yield f"{name} takes access control lists"
        if bucket.get("VersioningConfiguration", {}).get("Status") != "Enabled":
            yield f"{name} keeps no versions"
        rules = bucket.get("LifecycleConfiguration", {}).get("Rules", [])
        if not any("NoncurrentVersionExpiration" in rule for rule in rules):
            yield f"{name} keeps old versions forever"
        if not any("AbortIncompleteMultipartUpload" in rule for rule in rules):
            yield f"{name} keeps broken uploads forever"


def plain_transport(stack: Stack) -> Iterator[str]:
    """Buckets, queues and topics refuse requests that do not come over TLS."""
    guards = {
        "AWS::S3::Bucket": ("AWS::S3::BucketPolicy", "s3:*"),
        "AWS::SQS::Queue": ("AWS::SQS::QueuePolicy", "sqs:*"),
        "AWS::SNS::Topic": ("AWS::SNS::TopicPolicy", "sns:Publish"),
    }
    for kind, (policy_kind, action) in guards.items():
        refused = {
            resource
            for policy in stack.of_type(policy_kind).values()
            for statement in policy["PolicyDocument"]["Statement"]
            if (statement["Effect"], statement.get("Principal"), statement["Action"]) == ("Deny", "*", action)
            and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
            for resource in as_list(statement["Resource"])
        }
        for name in stack.of_type(kind):
            wanted = {stack.arn(name)} | ({f"{stack.arn(name)}/*"} if kind == "AWS::S3::Bucket" else set())
            if not wanted <= refused:
                yield f"{name} takes requests without TLS"


def unencrypted(stack: Stack) -> Iterator[str]:
    encrypted: dict[str, Callable[[dict[str, Any]], Any]] = {
        "AWS::S3::Bucket": lambda p: p.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration"),
        "AWS::SQS::Queue": lambda p: p.get("SqsManagedSseEnabled") is True or p.get("KmsMasterKeyId"),
        "AWS::SNS::Topic": lambda p: p.get("KmsMasterKeyId"),
        "AWS::DynamoDB::Table": lambda p: p.get("SSESpecification", {}).get("SSEEnabled") is True,
        "AWS::KMS::Key": lambda p: p.get("EnableKeyRotation") is True,
    }
    for kind, is_encrypted in encrypted.items():
        for name, properties in stack.of_type(kind).items():
            if not is_encrypted(properties):
                yield f"{name} is not encrypted (or its key never changes)"


def kept_for_ever(stack: Stack) -> Iterator[str]:
    for name, group in stack.of_type("AWS::Logs::LogGroup").items():
        if not group.get("RetentionInDays"):
            yield f"{name} keeps logs forever"
    groups = {f"headroom-{name.lower()}" for name in stack.of_type("AWS::Logs::LogGroup")}
    for name, function in stack.of_type("AWS::Lambda::Function").items():
        if function.get("LoggingConfig", {}).get("LogGroup") not in groups:
            yield f"{name} logs to a group that the template does not keep"
    for name, table in stack.of_type("AWS::DynamoDB::Table").items():
        if table.get("TimeToLiveSpecification", {}).get("Enabled") is not True:
            yield f"{name} keeps every entry forever"


def lost_with_the_stack(stack: Stack) -> Iterator[str]:
    for name, resource in stack.resources.items():
        if resource["Type"] in ("AWS::S3::Bucket", "AWS::DynamoDB::Table"):
            if resource.get("DeletionPolicy") != "RetainExceptOnCreate" or resource["UpdateReplacePolicy"] != "Retain":
                yield f"{name} and its data go when the stack goes, or stay when its first deployment fails"
            table = resource["Type"] == "AWS::DynamoDB::Table"
            recovery = resource["Properties"].get("PointInTimeRecoverySpecification", {})
            if table and recovery.get("PointInTimeRecoveryEnabled") is not True:
                yield f"{name} cannot be restored"


# Taggable, but out of the template's reach; the tags of the stack itself (samconfig.toml) get there.
TAGGED_BY_THE_STACK = {"AWS::Lambda::EventSourceMapping"}


def untagged(stack: Stack) -> Iterator[str]:
    """Whether a type takes tags, and where, is what its CloudFormation schema says."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    for name, resource in stack.resources.items():
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource["Type"]).schema
        tagging = schema.get("tagging", {})
        if resource["Type"] in TAGGED_BY_THE_STACK or not tagging.get("taggable", True):
            continue
        if not {"Tags", "tags"} & schema["properties"].keys():
            continue
        tags = resource["Properties"].get("Tags", {})
        named = tags if isinstance(tags, dict) else {tag["Key"]: tag["Value"] for tag in tags}
        if named.get("project") != "headroom":
            yield f"{name} ({resource['Type']}) has no tag project: headroom"


def metrics_of(alarm: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(metric, dimension, value) of all that an alarm looks at."""
    for one in [stat["MetricStat"]["Metric"] for stat in alarm.get("Metrics", []) if "MetricStat" in stat] or [alarm]:
        for dimension in one["Dimensions"]:
            yield one["MetricName"], dimension["Name"], str(dimension["Value"])


# What a notification of its own tells, of each run or dataset: an alarm's mail would be the second one.
TOLD = {"ExecutionsFailed", "ExecutionsTimedOut", "DatasetsOverdue", "RunsWithDrift", "RunsWithPoorModel"}
OWN_METRICS = {"DatasetsOverdue", "OldestRunSeconds", "RunsWithDrift", "RunsWithPoorModel", "EventsLost"}


def unwatched(stack: Stack) -> Iterator[str]:
    """What goes wrong raises an alarm that reaches the topic: runs, queues, dead letters, functions, rules, mail."""
    alarms = stack.of_type("AWS::CloudWatch::Alarm")
    watched = {metric for alarm in alarms.values() for metric in metrics_of(alarm)}
    machine = next(iter(stack.of_type("AWS::StepFunctions::StateMachine")))
    wanted = {("ExecutionsFailed", "StateMachineArn", stack.arn(machine))}
    wanted |= {("ExecutionsTimedOut", "StateMachineArn", stack.arn(machine))}
    wanted |= {("ApproximateAgeOfOldestMessage", "QueueName", "FileQueue.QueueName")}
    wanted |= {("NumberOfNotificationsFailed", "TopicName", "Topic.TopicName")}
    wanted |= {(metric, "service", "headroom") for metric in OWN_METRICS}
    by_the_state_machine = str(next(iter(stack.of_type("AWS::StepFunctions::StateMachine").values())))
    for name in stack.of_type("AWS::Lambda::Function"):
        function = ("FunctionName", f"headroom-{name.lower()}")
        wanted.add(("Throttles", *function))
        if stack.arn(name) not in by_the_state_machine:
            wanted.add(("Errors", *function))
    wanted |= {
        ("FailedInvocations", "RuleName", f"headroom-{name.lower()}") for name in stack.of_type("AWS::Events::Rule")
    }
    letters = dead_letter_queues(stack)
    wanted |= {("ApproximateNumberOfMessagesVisible", "QueueName", f"{name}.QueueName") for name in letters}
    for missing in sorted(wanted - watched):
        yield f"no alarm on {missing}"
    for name, alarm in alarms.items():
        # What a notification tells of, once, an alarm does not; what that could not tell is in the dead letters.
        told = alarm.get("MetricName") in TOLD
        if alarm.get("AlarmActions") != [stack.arn("Topic")] and not told:
            yield f"{name} tells nobody"
        if "AlarmActions" in alarm and told:
            yield f"{name} tells of the same thing a second time"
        if {metric for metric, *_ in metrics_of(alarm)} == {"ApproximateNumberOfMessagesVisible"}:
            (expression,) = (
                one["Expression"] for one in alarm.get("Metrics", [{"Expression": ""}]) if "Expression" in one
            )
            if not re.fullmatch(r"DIFF\(FILL\(\w+, 0\)\)", expression):
                yield f"{name} stays on while letters lie there, and hides those that come"


def dead_letter_queues(stack: Stack) -> dict[str, set[str]]:
    """What each queue that takes dead letters takes them from: queues, rules, functions."""
    sources: dict[str, set[str]] = {}
    for queue in stack.of_type("AWS::SQS::Queue").values():
        if "RedrivePolicy" in queue:
            sources.setdefault(queue["RedrivePolicy"]["deadLetterTargetArn"], set()).add("queue")
    for rule in stack.of_type("AWS::Events::Rule").values():
        for target in rule["Targets"]:
            if "DeadLetterConfig" in target:
                sources.setdefault(target["DeadLetterConfig"]["Arn"], set()).add("rule")
    for function in stack.of_type("AWS::Lambda::Function").values():
        if "DeadLetterConfig" in function:
            sources.setdefault(function["DeadLetterConfig"]["TargetArn"], set()).add("function")
    return {name: sources[stack.arn(name)] for name in stack.of_type("AWS::SQS::Queue") if stack.arn(name) in sources}


def lost_letters(stack: Stack) -> Iterator[str]:
    """What cannot be delivered or handled is kept, in a queue of its own kind."""
    for name, rule in stack.of_type("AWS::Events::Rule").items():
        for target in rule["Targets"]:
            if "DeadLetterConfig" not in target:
                yield f"{name} loses events that its target cannot take"
    asynchronous = {"run_status.handler", "slack.handler", "sweep.handler"}
    for name, function in stack.of_type("AWS::Lambda::Function").items():
        if function["Handler"] in asynchronous and "DeadLetterConfig" not in function:
            yield f"{name} loses events that it fails on"
    letters = dead_letter_queues(stack)
    for name, queue in stack.of_type("AWS::SQS::Queue").items():
        if "RedrivePolicy" not in queue and name not in letters:
            yield f"{name} has no dead-letter queue"
    for name, sources in letters.items():
        if len(sources) > 1:
            yield f"{name} mixes dead letters of {sorted(sources)}: StartMessageMoveTask refuses it"


def endless_panels(stack: Stack) -> Iterator[str]:
    """Superseded panels expire by their tag, no sooner than a run that may read them can be redriven; results never."""
    rules = stack.of_type("AWS::S3::Bucket")["ArtifactBucket"]["LifecycleConfiguration"]["Rules"]
    (tag,) = panels.SUPERSEDED["TagSet"]
    # What a challenger leaves is no result; no run reads it after its own end.
    expiring = [rule for rule in rules if "ExpirationInDays" in rule and rule["Prefix"] != "challenger/"]
    if not any(rule["TagFilters"] == [tag] and rule["ExpirationInDays"] >= 14 for rule in expiring):
        yield "superseded panels are kept forever, or not for the 14 days of a redrive"
    yield from (f"{rule['Id']} expires what nobody has superseded" for rule in expiring if "TagFilters" not in rule)


def only_in_one_partition(text: str) -> Iterator[str]:
    """Names of resources in aws-us-gov and aws-cn begin otherwise."""
    yield from re.findall(r"arn:aws:[^\s\"]*", text)


def messages_seen_twice(stack: Stack) -> Iterator[str]:
    """A queue's message stays hidden for six times the function's timeout and the batch window (Lambda's advice)."""
    functions, queues = stack.of_type("AWS::Lambda::Function"), stack.of_type("AWS::SQS::Queue")
    for name, mapping in stack.of_type("AWS::Lambda::EventSourceMapping").items():
        (queue,) = (one for key, one in queues.items() if stack.arn(key) == mapping["EventSourceArn"])
        (function,) = (one for key, one in functions.items() if mapping["FunctionName"] == f"headroom-{key.lower()}")
        window = mapping["MaximumBatchingWindowInSeconds"]
        if queue.get("VisibilityTimeout", 30) < 6 * function["Timeout"] + window:
            yield f"{name}: messages come again while the function still works on them"
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name}: one bad message sends the whole batch back"


def layers_attached_twice(stack: Stack) -> Iterator[str]:
    """Lists of Globals and of a function are merged, and Lambda refuses a layer in two versions or twice in one."""
    for name, function in stack.of_type("AWS::Lambda::Function").items():
        for layer in layers_twice(function.get("Layers", [])):
            yield f"{name} has {layer} twice"


RULES = [
    open_buckets,
    plain_transport,
    unencrypted,
    kept_for_ever,
    lost_with_the_stack,
    untagged,
    unwatched,
    messages_seen_twice,
    layers_attached_twice,
    lost_letters,
    endless_panels,
]


@pytest.mark.parametrize("parameters", [{}, EVERYTHING], ids=["defaults", "everything"])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_nothing_in_the_stack_is(rule, parameters):
    assert list(rule(Stack(**parameters))) == []


def of(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda source: source["Resources"][name]["Properties"]


def double(items: list[Any]) -> None:
    items.append(items[0])


BREAKS: list[tuple[Callable[[Stack], Iterator[str]], str, Callable[[dict[str, Any]], Any]]] = [
    (open_buckets, "a public bucket", lambda t: of("IngestBucket")(t).pop("PublicAccessBlockConfiguration")),
    (open_buckets, "access lists", lambda t: of("ArtifactBucket")(t).pop("OwnershipControls")),
    (open_buckets, "no versions", lambda t: of("IngestBucket")(t).pop("VersioningConfiguration")),
    (open_buckets, "no lifecycle", lambda t: of("ArtifactBucket")(t).pop("LifecycleConfiguration")),
    (plain_transport, "a bucket without its policy", lambda t: t["Resources"].pop("IngestBucketPolicy")),
    (plain_transport, "a queue without TLS", lambda t: of("QueuePolicy")(t)["PolicyDocument"]["Statement"].pop()),
    (plain_transport, "a topic without TLS", lambda t: of("TopicPolicy")(t)["PolicyDocument"]["Statement"].pop()),
    (unencrypted, "a plain bucket", lambda t: of("IngestBucket")(t).pop("BucketEncryption")),
    (unencrypted, "a plain queue", lambda t: of("FileQueue")(t).update(SqsManagedSseEnabled=False)),
    (unencrypted, "a plain topic", lambda t: of("Topic")(t).pop("KmsMasterKeyId")),
    (unencrypted, "a plain table", lambda t: of("Ledger")(t).pop("SSESpecification")),
    (unencrypted, "an old key", lambda t: of("TopicKey")(t).pop("EnableKeyRotation")),
    (kept_for_ever, "endless logs", lambda t: of("IngestLogs")(t).pop("RetentionInDays")),
    (kept_for_ever, "a function with its own log", lambda t: of("PlanFunction")(t).pop("LoggingConfig")),
    (kept_for_ever, "an endless ledger", lambda t: of("Ledger")(t).pop("TimeToLiveSpecification")),
    (lost_with_the_stack, "deletable data", lambda t: t["Resources"]["Ledger"].pop("DeletionPolicy")),
    (lost_with_the_stack, "no restore", lambda t: of("Ledger")(t).pop("PointInTimeRecoverySpecification")),
    (untagged, "a topic without tags", lambda t: of("Topic")(t).pop("Tags")),
    (untagged, "a rule with other tags", lambda t: of("RunEnded")(t).update(Tags=[{"Key": "project", "Value": "x"}])),
    (
        lost_with_the_stack,
        "orphans of a failed deployment",
        lambda t: t["Resources"]["Ledger"].update(DeletionPolicy="Retain"),
    ),
    (unwatched, "a queue that nobody watches", lambda t: t["Resources"].pop("FilesWaitAlarm")),
    (unwatched, "functions that fail unseen", lambda t: t["Resources"].pop("FunctionErrorsAlarm")),
    (unwatched, "mail that does not arrive", lambda t: t["Resources"].pop("NotificationsFailedAlarm")),
    (
        unwatched,
        "an alarm that stays on",
        lambda t: of("EventLettersAlarm")(t)["Metrics"][0].update(Expression="lying"),
    ),
    (unwatched, "datasets that stop coming unseen", lambda t: t["Resources"].pop("OverdueAlarm")),
    (unwatched, "runs that wait unseen", lambda t: of("RunLateAlarm")(t).pop("AlarmActions")),
    (unwatched, "two mails for one drift", lambda t: of("DriftAlarm")(t).update(AlarmActions=[{"Ref": "Topic"}])),
    (unwatched, "no alarm on time-outs", lambda t: t["Resources"].pop("RunTimedOutAlarm")),
    (unwatched, "a silent alarm", lambda t: of("ArrivalLettersAlarm")(t).pop("AlarmActions")),
    (lost_letters, "lost arrivals", lambda t: of("FileArrived")(t)["Targets"][0].pop("DeadLetterConfig")),
    (
        lost_letters,
        "one queue for all letters",
        lambda t: of("FileQueue")(t)["RedrivePolicy"].update(
            deadLetterTargetArn={"Fn::GetAtt": ["EventLetters", "Arn"]}
        ),
    ),
    (
        endless_panels,
        "panels kept forever",
        lambda t: of("ArtifactBucket")(t)["LifecycleConfiguration"]["Rules"].pop(1),
    ),
    (lost_letters, "lost events", lambda t: of("RunEnded")(t)["Targets"][0].pop("DeadLetterConfig")),
    (lost_letters, "lost failures", lambda t: of("RunStatusFunction")(t).pop("DeadLetterConfig")),
    (lost_letters, "no dead letters", lambda t: of("FileQueue")(t).pop("RedrivePolicy")),
    (messages_seen_twice, "too short a time hidden", lambda t: of("FileQueue")(t).update(VisibilityTimeout=300)),
    (layers_attached_twice, "a layer of Globals again", lambda t: double(of("PlanFunction")(t)["Layers"])),
    (unwatched, "two mails for one failure", lambda t: of("RunFailedAlarm")(t).update(AlarmActions=[{"Ref": "Topic"}])),
    (messages_seen_twice, "whole batches", lambda t: of("IngestFunctionFiles")(t).pop("FunctionResponseTypes")),
]


@pytest.mark.parametrize(("rule", "breaks"), [(r, breaks) for r, _, breaks in BREAKS], ids=[b for _, b, _ in BREAKS])
def test_these_tests_see(rule, breaks):
    broken = template()
    breaks(broken)
    assert list(rule(Stack(broken))) != []


def test_the_image_is_known_in_every_region_of_the_design():
    assert {region: images.aws_image(region) for region in IMAGE_ACCOUNTS} == {
        region: f"{account}.dkr.ecr.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"
        "/sagemaker-scikit-learn:1.9-0-cpu-py3"
        for region, account in IMAGE_ACCOUNTS.items()
    }


@pytest.mark.parametrize("region", [*IMAGE_ACCOUNTS, "a-region-of-next-year-1"])
def test_the_stack_deploys_in_every_region(region):
    plan = Stack(region=region).of_type("AWS::Lambda::Function")["PlanFunction"]
    assert plan["Environment"]["Variables"]["REGION"] == region
    assert "Mappings" not in template(), "a region that a mapping does not name cannot be deployed to"


def test_every_parameter_says_what_it_is_and_needs_no_value():
    for name, parameter in template()["Parameters"].items():
        assert re.fullmatch(r"[A-Z].{15,}[^ ]", parameter.get("Description", "")), name
        assert "Default" in parameter, f"{name} must be given for a first deployment"


def test_every_default_is_one_that_its_own_rules_allow():
    for name, parameter in template()["Parameters"].items():
        default = str(parameter["Default"])
        assert re.search(parameter.get("AllowedPattern", ""), default), name
        assert default in map(str, parameter.get("AllowedValues", [default])), name
        if parameter["Type"] == "Number":
            assert float(parameter.get("MinValue", "-inf")) <= float(default) <= float(parameter.get("MaxValue", "inf"))


@pytest.mark.parametrize(
    ("job", "operation", "members"),
    [
        ("Preprocess", "CreateProcessingJob", ("ProcessingResources", "ClusterConfig")),
        ("Train", "CreateTrainingJob", ("ResourceConfig",)),
        ("Assess", "CreateProcessingJob", ("ProcessingResources", "ClusterConfig")),
    ],
)
def test_default_machines_exist_and_volumes_are_of_a_size_that_sagemaker_gives(job, operation, members):
    shape = input_shape("sagemaker", operation)
    for member in members:
        shape = shape.members[member]
    parameters = template()["Parameters"]
    assert parameters[f"{job}InstanceType"]["Default"] in shape.members["InstanceType"].enum
    volume, limits = parameters[f"{job}VolumeGb"], shape.members["VolumeSizeInGB"].metadata
    assert limits.get("min", 0) <= volume["MinValue"] <= volume["Default"]
    assert volume["MaxValue"] <= limits.get("max", 16384)


def test_every_parameter_is_used_and_shown_in_a_group():
    source = template()
    groups = source["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    shown = [name for group in groups for name in group["Parameters"]]
    assert sorted(shown) == sorted(source["Parameters"])
    text = TEMPLATE.read_text(encoding="utf-8")
    assert [name for name in source["Parameters"] if not re.search(rf"!Ref {name}\b|\$\{{{name}\}}", text)] == []


@pytest.mark.parametrize(
    ("rule", "given", "needed"),
    [
        ("SubnetsComeWithSecurityGroups", "SubnetIds", {"SecurityGroupIds"}),
        ("IsolatedJobsHaveTheirLibraries", "NetworkIsolation", {"WheelhouseUri", "ImageUri"}),
        ("BudgetsHaveSomebodyToTell", "MonthlyBudgetUsd", {"NotificationEmail"}),
        ("CollectorsSubnetsComeWithSecurityGroups", "CollectSubnetIds", {"CollectSecurityGroupIds"}),
        ("TokensAreForSomebody", "OpenIdIssuer", {"OpenIdAudience"}),
    ],
)
def test_parameters_that_need_another_are_refused_alone_at_deployment(rule, given, needed):
    found = template()["Rules"][rule]
    assert given in str(found["RuleCondition"])
    assert all(name in str(found["Assertions"]) for name in needed)
    assert len(template()["Rules"]) == 5


def test_the_stack_names_no_partition():
    for path in (TEMPLATE, ROOT / "statemachine" / "capacity.asl.json"):
        assert list(only_in_one_partition(path.read_text(encoding="utf-8"))) == [], path.name
    assert list(only_in_one_partition('"Resource": "arn:aws:states:::sns:publish"')) != []


@pytest.mark.parametrize(
    ("given", "open_to_all"),
    [
        ({"HttpApi": "true"}, set()),
        ({"HttpApi": "true", "OpenIdIssuer": "https://login.example.com/", "OpenIdAudience": "headroom"},
         {"GET /", "GET /page/sign-in"}),
    ],
    ids=["IAM", "OpenID"],
)  # fmt: skip
def test_without_a_sign_in_nobody_gets_more_than_the_page_itself(given, open_to_all):
    routes = Stack(**given).of_type("AWS::ApiGatewayV2::Route").values()
    assert {route["RouteKey"] for route in routes if route["AuthorizationType"] == "NONE"} == open_to_all
    assert len(routes) == 4


def test_browsers_may_upload_from_the_page_and_from_nowhere_else():
    [rule] = Stack(HttpApi="true").resources["IngestBucket"]["Properties"]["CorsConfiguration"]["CorsRules"]
    assert rule["AllowedMethods"] == ["POST"]
    assert all(one.startswith(("https://headroom-api.", "http://127.0.0.1:")) for one in rule["AllowedOrigins"])
    assert "CorsConfiguration" not in Stack().resources["IngestBucket"]["Properties"]


def test_a_permissions_boundary_bounds_every_role():
    boundary = EVERYTHING["PermissionsBoundaryArn"]
    for name, role in Stack(**EVERYTHING).of_type("AWS::IAM::Role").items():
        assert role.get("PermissionsBoundary") == boundary, name
    assert not any("PermissionsBoundary" in role for role in Stack().of_type("AWS::IAM::Role").values())


def test_a_key_and_a_bucket_for_access_logs_reach_the_buckets():
    buckets = Stack(**EVERYTHING).of_type("AWS::S3::Bucket")
    (rule,) = buckets["ArtifactBucket"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"] == EVERYTHING["OutputKeyArn"]
    prefixes = {bucket["LoggingConfiguration"]["LogFilePrefix"] for bucket in buckets.values()}
    assert prefixes == {"headroom/ingest/", "headroom/artifacts/"}


def test_the_dashboard_is_json_and_shows_what_alarms_watch():
    (dashboard,) = Stack().of_type("AWS::CloudWatch::Dashboard").values()
    text = dashboard["DashboardBody"]
    widgets = json.loads(text)["widgets"]
    assert len({widget["properties"]["title"] for widget in widgets}) == len(widgets)
    for alarm in Stack().of_type("AWS::CloudWatch::Alarm").values():
        for metric, _, value in metrics_of(alarm):
            assert f'"{metric}"' in text
            assert value in text, f"{metric} of {value}"


def test_the_runbook_has_a_section_for_every_alarm_and_none_for_others():
    """Each alarm's description names its section, and each section the alarms that lead there."""
    runbook = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    chapter = re.search(r"\n## Alarms\n(.*?)\n## ", runbook, flags=re.DOTALL)
    assert chapter
    _, *parts = re.split(r"^### (.+)$", chapter[1], flags=re.MULTILINE)
    documented = {
        title: set(re.findall(r"`(\w+Alarm)`", text)) for title, text in zip(parts[::2], parts[1::2], strict=True)
    }
    wanted: dict[str, set[str]] = {}
    for name, alarm in Stack(**EVERYTHING).of_type("AWS::CloudWatch::Alarm").items():
        section = re.search(r"\(docs/operations.md, (.+?)\)", alarm["AlarmDescription"])
        assert section, name
        wanted.setdefault(section[1], set()).add(name)
    assert documented == wanted


def test_the_functions_report_the_metrics_that_alarms_and_dashboard_watch():
    """In one namespace for all stacks of an account, so that each has its name as a dimension."""
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "functions").glob("*.py"))
    reported = set(re.findall(r"add_metric\(\s*\"(\w+)\"(?: if \w+ else \"(\w+)\")?", code))
    names = {name for pair in reported for name in pair if name}
    assert names >= OWN_METRICS
    stack = Stack()
    (dashboard,) = stack.of_type("AWS::CloudWatch::Dashboard").values()
    for widget in json.loads(dashboard["DashboardBody"])["widgets"]:
        rows = widget["properties"]["metrics"]
        if rows[0][0] == "Headroom":
            assert rows[0][2:4] == ["service", "headroom"]
            assert {row[1] for row in rows} <= names
    for function in template()["Resources"].values():
        if function["Type"] == "AWS::Lambda::Function":
            variables = function["Properties"]["Environment"]["Variables"]
            assert variables["POWERTOOLS_SERVICE_NAME"] == {"Ref": "AWS::StackName"}


def test_what_is_optional_is_left_out_by_default():
    optional = {"EmailSubscription", "SlackFunction", "SlackLogs", "Budget"}
    optional |= {"CollectFunction", "CollectLogs", "CollectSchedule", "CollectScheduleRole", "CollectorsAlarm"}
    assert not optional & Stack().resources.keys()
    assert optional <= Stack(**EVERYTHING).resources.keys()


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
