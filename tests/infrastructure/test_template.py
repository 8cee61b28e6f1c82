"""The template: private, encrypted, tagged, kept as long as promised, and usable without further thought."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from infrastructure.stack import ROOT, TEMPLATE, Stack, template

import images
from local.emulator.service_model import input_shape

# Everything that a condition guards is there.
EVERYTHING = {
    "NotificationEmail": "capacity@example.com",
    "SlackWebhookParameter": "/headroom/slack",
    "ImageUri": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/jobs:1",
    "WheelhouseUri": "s3://wheels/of/ours/",
    "SubnetIds": "subnet-0a,subnet-0b",
    "SecurityGroupIds": "sg-0c",
    "Datasets": "demo,web",
}

# design.md, section 5.
IMAGE_ACCOUNTS = {
    "us-east-1": "683313688378", "us-east-2": "257758044811", "us-west-1": "746614075791",
    "us-west-2": "246618743249", "ca-central-1": "341280168497", "sa-east-1": "737474898029",
    "eu-central-1": "492215442770", "eu-west-1": "141502667606", "eu-west-2": "764974769150",
    "eu-west-3": "659782779980", "eu-north-1": "662702820516", "eu-south-1": "978288397137",
    "ap-northeast-1": "354813040037", "ap-northeast-2": "366743142698", "ap-northeast-3": "867004704886",
    "ap-south-1": "720646828776", "ap-southeast-1": "121021644041", "ap-southeast-2": "783357654285",
    "af-south-1": "510948584623", "ap-east-1": "651117190479", "me-south-1": "801668240914",
    "il-central-1": "898809789911",
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
            yield f"{name} keeps old versions for ever"
        if not any("AbortIncompleteMultipartUpload" in rule for rule in rules):
            yield f"{name} keeps broken uploads for ever"


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
            yield f"{name} keeps logs for ever"
    groups = {f"headroom-{name.lower()}" for name in stack.of_type("AWS::Logs::LogGroup")}
    for name, function in stack.of_type("AWS::Lambda::Function").items():
        if function.get("LoggingConfig", {}).get("LogGroup") not in groups:
            yield f"{name} logs to a group that the template does not keep"
    for name, table in stack.of_type("AWS::DynamoDB::Table").items():
        if table.get("TimeToLiveSpecification", {}).get("Enabled") is not True:
            yield f"{name} keeps every entry for ever"


def lost_with_the_stack(stack: Stack) -> Iterator[str]:
    for name, resource in stack.resources.items():
        if resource["Type"] in ("AWS::S3::Bucket", "AWS::DynamoDB::Table"):
            if resource.get("DeletionPolicy") != "Retain" or resource.get("UpdateReplacePolicy") != "Retain":
                yield f"{name} and its data go when the stack goes"
            table = resource["Type"] == "AWS::DynamoDB::Table"
            recovery = resource["Properties"].get("PointInTimeRecoverySpecification", {})
            if table and recovery.get("PointInTimeRecoveryEnabled") is not True:
                yield f"{name} cannot be restored"


# Taggable, but out of the template's reach; the tags of the stack itself (samconfig.toml) get there.
TAGGED_BY_THE_STACK = {"AWS::Lambda::EventSourceMapping"}


def untagged(stack: Stack) -> Iterator[str]:
    """Whether a type takes tags, and where, is what its CloudFormation schema says."""
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


def unwatched(stack: Stack) -> Iterator[str]:
    """Failed and timed-out runs and dead letters raise an alarm that reaches the topic."""
    alarms = stack.of_type("AWS::CloudWatch::Alarm")
    wanted = {"ExecutionsFailed", "ExecutionsTimedOut", "ApproximateNumberOfMessagesVisible"}
    for missing in wanted - {alarm["MetricName"] for alarm in alarms.values()}:
        yield f"no alarm on {missing}"
    for name, alarm in alarms.items():
        # Failed runs are told of by their own notification, once; what that could not tell of is in the dead letters.
        if alarm.get("AlarmActions") != [stack.arn("Topic")] and alarm["Namespace"] != "AWS/States":
            yield f"{name} tells nobody"
        if "AlarmActions" in alarm and alarm["Namespace"] == "AWS/States":
            yield f"{name} tells of a failed run a second time"
    for name, rule in stack.of_type("AWS::Events::Rule").items():
        for target in rule["Targets"]:
            if ":lambda:" in target["Arn"] and "DeadLetterConfig" not in target:
                yield f"{name} loses events that its function cannot take"
    for name, function in stack.of_type("AWS::Lambda::Function").items():
        if function["Handler"] == "run_status.handler" and "DeadLetterConfig" not in function:
            yield f"{name} loses events that it fails on"
    queues = stack.of_type("AWS::SQS::Queue")
    dead = {queue["RedrivePolicy"]["deadLetterTargetArn"] for queue in queues.values() if "RedrivePolicy" in queue}
    for name, queue in queues.items():
        if "RedrivePolicy" not in queue and stack.arn(name) not in dead:
            yield f"{name} has no dead-letter queue"


def messages_seen_twice(stack: Stack) -> Iterator[str]:
    """A queue's message stays hidden for six times the function's timeout and the batch window (Lambda's advice)."""
    functions, queues = stack.of_type("AWS::Lambda::Function"), stack.of_type("AWS::SQS::Queue")
    for name, mapping in stack.of_type("AWS::Lambda::EventSourceMapping").items():
        (queue,) = (one for key, one in queues.items() if stack.arn(key) == mapping["EventSourceArn"])
        (function,) = (one for key, one in functions.items() if mapping["FunctionName"] == f"headroom-{key.lower()}")
        window = int(template()["Parameters"]["BatchWindowSeconds"]["MaxValue"])
        if queue.get("VisibilityTimeout", 30) < 6 * function["Timeout"] + window:
            yield f"{name}: messages come again while the function still works on them"
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name}: one bad message sends the whole batch back"


RULES = [
    open_buckets,
    plain_transport,
    unencrypted,
    kept_for_ever,
    lost_with_the_stack,
    untagged,
    unwatched,
    messages_seen_twice,
]


@pytest.mark.parametrize("parameters", [{}, EVERYTHING], ids=["defaults", "everything"])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_nothing_in_the_stack_is(rule, parameters):
    assert list(rule(Stack(**parameters))) == []


def of(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda source: source["Resources"][name]["Properties"]


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
    (unwatched, "no alarm on time-outs", lambda t: t["Resources"].pop("RunTimedOutAlarm")),
    (unwatched, "two mails for one failure", lambda t: of("RunFailedAlarm")(t).update(AlarmActions=[{"Ref": "Topic"}])),
    (unwatched, "a silent alarm", lambda t: of("DeadLettersAlarm")(t).pop("AlarmActions")),
    (unwatched, "lost events", lambda t: of("RunEnded")(t)["Targets"][0].pop("DeadLetterConfig")),
    (unwatched, "lost failures", lambda t: of("RunStatusFunction")(t).pop("DeadLetterConfig")),
    (unwatched, "no dead letters", lambda t: of("FileQueue")(t).pop("RedrivePolicy")),
    (messages_seen_twice, "too short a time hidden", lambda t: of("FileQueue")(t).update(VisibilityTimeout=600)),
    (messages_seen_twice, "whole batches", lambda t: of("IngestFunctionFiles")(t).pop("FunctionResponseTypes")),
]


@pytest.mark.parametrize(("rule", "breaks"), [(r, breaks) for r, _, breaks in BREAKS], ids=[b for _, b, _ in BREAKS])
def test_these_tests_see(rule, breaks):
    broken = template()
    breaks(broken)
    assert list(rule(Stack(broken))) != []


def test_the_image_is_known_in_every_region_of_the_design():
    assert {region: images.aws_image(region) for region in IMAGE_ACCOUNTS} == {
        region: f"{account}.dkr.ecr.{region}.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
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


def test_a_network_without_security_groups_is_refused_at_deployment():
    (rule,) = template()["Rules"].values()
    assert "SubnetIds" in str(rule["RuleCondition"])
    assert "SecurityGroupIds" in str(rule["Assertions"])


def test_what_is_optional_is_left_out_by_default():
    optional = {"EmailSubscription", "SlackFunction", "SlackLogs"}
    assert not optional & Stack().resources.keys()
    assert optional <= Stack(**EVERYTHING).resources.keys()


@pytest.mark.parametrize(
    "command",
    [["sam", "validate", "--lint", "--template", str(TEMPLATE)], ["cfn-lint", "--", str(TEMPLATE)]],
    ids=["sam validate --lint", "cfn-lint"],
)
def test_the_linters_have_nothing_to_say(command, tmp_path):
    """Without network and account: what would go out meets a closed port."""
    nowhere = "http://127.0.0.1:9"
    environment = os.environ | {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAM_CLI_TELEMETRY": "0",
        "HOME": str(tmp_path),
        "HTTPS_PROXY": nowhere,
        "HTTP_PROXY": nowhere,
    }
    program = Path(sys.executable).parent / command[0]
    done = subprocess.run(
        [program, *command[1:]], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
