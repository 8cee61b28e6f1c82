"""SageMaker's API, as far as Headroom uses it: jobs (processing, training, AutoML, transform), models, registry, tags.

Requests are checked against botocore's model of the service and refused with the service's own errors. Jobs are
started in threads (``jobs.py``); everything else is kept in memory and lives as long as the laptop cloud.
"""

from __future__ import annotations

import contextvars
import json
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.core.router import extract_access_key_id

from local.emulator import automl, permissions
from local.emulator.jobs import Job
from local.emulator.jobs import run as run_job
from local.emulator.model_registry import Registry
from local.emulator.service_model import ServiceError, check

# (action, resource, condition keys) → raises ServiceError where the caller may not
Authorize = Callable[[str, str, dict[str, Any]], None]

INSTANCE_LIMIT = 20  # a usual account quota for one instance type
MOST_SECONDS = {"Processing": 5 * 24 * 3600, "Training": 28 * 24 * 3600}
DEFAULT_SECONDS = {"Processing": 24 * 3600, "Training": 24 * 3600}

_jobs: dict[str, Job] = {}
_models: dict[str, dict[str, Any]] = {}
_tags: dict[str, dict[str, str]] = {}
_registry = Registry()
_lock = threading.RLock()

# Set by the launcher.
folder = Path(".local/jobs")
endpoint = "http://127.0.0.1:4566"
on_change: Callable[[Job], None] = lambda job: None  # noqa: E731


async def handle_request(
    method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
) -> tuple[int, dict[str, str], bytes]:
    """MiniStack's way into a service: one HTTP request, already authenticated and authorized for its action."""
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    access_key = extract_access_key_id(headers, query_params)

    def authorize(action: str, resource: str, context: dict[str, Any]) -> None:
        # The gateway has checked the action itself; what the request does besides (PassRole) is checked here.
        if not action.startswith("sagemaker:"):
            permissions.require_of_caller(access_key, action, resource, context)

    kind = {"Content-Type": "application/x-amz-json-1.1"}
    try:
        request = json.loads(body or b"{}")
        if not isinstance(request, dict):
            raise ServiceError("SerializationException", "the request is not a JSON object")
        return 200, kind, json.dumps(call(operation, request, authorize)).encode()
    except json.JSONDecodeError as error:
        refusal = ServiceError("SerializationException", str(error))
    except ServiceError as error:
        refusal = error
    return 400, kind, json.dumps({"__type": refusal.code, "message": refusal.message}).encode()


def call(operation: str, request: dict[str, Any], authorize: Authorize) -> dict[str, Any]:
    """Perform one API operation; timestamps in the answer are epoch seconds. Raises ``ServiceError``."""
    handler = _OPERATIONS.get(operation)
    if handler is None:
        raise ServiceError("UnknownOperationException", f"the laptop cloud does not have sagemaker:{operation}")
    check("sagemaker", operation, request)
    authorize(f"sagemaker:{operation}", resource_arn(operation, request), _tag_context(request))
    with _lock:
        return handler(request, authorize)


def resource_arn(operation: str, request: dict[str, Any]) -> str:
    """The resource that IAM policies name for this request."""
    for member, kind in _RESOURCE_TYPES.items():
        name = request.get(member)
        if isinstance(name, str):
            return name if name.startswith("arn:") else arn(kind, name)
    return "*"


_RESOURCE_TYPES = {
    "ProcessingJobName": "processing-job",
    "TrainingJobName": "training-job",
    "AutoMLJobName": "automl-job",
    "TransformJobName": "transform-job",
    "ModelName": "model",
    "ModelPackageArn": "model-package",
    "ModelPackageName": "model-package",
    "ModelPackageGroupName": "model-package-group",
    "ResourceArn": "",
}


def arn(kind: str, name: str) -> str:
    """The name of one of this account's resources."""
    return f"arn:aws:sagemaker:{get_region()}:{get_account_id()}:{kind}/{name}"


def job(job_arn: str) -> Job:
    """A job by its ARN."""
    return _jobs[job_arn]


# ------------------------------------------------------------------------------------------------ jobs


def _create_processing_job(request: dict[str, Any], authorize: Authorize) -> dict[str, Any]:
    resources = request["ProcessingResources"].get("ClusterConfig")
    if resources is None:
        raise ServiceError("ValidationException", "ProcessingResources must have a ClusterConfig")
    inputs = [(i["InputName"], i.get("S3Input")) for i in request.get("ProcessingInputs", [])]
    outputs = [
        (o["OutputName"], o.get("S3Output")) for o in request.get("ProcessingOutputConfig", {}).get("Outputs", [])
    ]
    for names in ([name for name, _ in inputs], [name for name, _ in outputs]):
        if len(set(names)) < len(names):
            raise ServiceError("ValidationException", f"Input and output names must be unique: {', '.join(names)}")
    for name, place in inputs + outputs:
        if place is None:
            raise ServiceError("ValidationException", f"{name}: the laptop cloud moves S3 data only")
        _check_s3(place["S3Uri"])
        path = place.get("LocalPath", "")
        if not path.startswith("/opt/ml/processing/") or ".." in path.split("/"):
            raise ServiceError("ValidationException", f"{name}: LocalPath must be a path under /opt/ml/processing/")
    if resources["InstanceCount"] > 1:
        # No source says what several instances get of an input that does not say it.
        unsaid = [name for name, place in inputs if place.get("S3DataDistributionType") != "FullyReplicated"]
        if unsaid:
            raise ServiceError(
                "ValidationException",
                f"{', '.join(unsaid)}: with several instances, the laptop cloud takes only inputs whose "
                "S3DataDistributionType is FullyReplicated",
            )
    if not request["AppSpecification"].get("ContainerEntrypoint"):
        raise ServiceError("ValidationException", "the laptop cloud needs AppSpecification.ContainerEntrypoint")
    return _create_job("Processing", request, resources, authorize)


def _create_training_job(request: dict[str, Any], authorize: Authorize) -> dict[str, Any]:
    for member in ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition"):
        if member not in request:
            raise ServiceError(
                "ValidationException",
                f"1 validation error detected: Value null at '{member[0].lower()}{member[1:]}' failed to satisfy "
                "constraint: Member must not be null",
            )
    algorithm = request["AlgorithmSpecification"]
    if bool(algorithm.get("TrainingImage")) == bool(algorithm.get("AlgorithmName")):
        raise ServiceError("ValidationException", "Provide exactly one of TrainingImage and AlgorithmName")
    given = request.get("HyperParameters", {})
    script_mode = {"sagemaker_program", "sagemaker_submit_directory"} <= set(given)
    if not algorithm.get("ContainerEntrypoint") and not script_mode:
        raise ServiceError(
            "ValidationException",
            "the laptop cloud needs AlgorithmSpecification.ContainerEntrypoint, or the hyperparameters of script mode "
            "(sagemaker_program, sagemaker_submit_directory)",
        )
    submitted = given.get("sagemaker_submit_directory", "/opt/ml/")
    if not submitted.startswith("/opt/ml/") or ".." in submitted.split("/"):
        raise ServiceError("ValidationException", "the laptop cloud takes a submitted folder under /opt/ml/ only")
    for metric in algorithm.get("MetricDefinitions", []):
        try:
            re.compile(metric["Regex"])
        except re.error as error:
            raise ServiceError("ValidationException", f"the regex of metric {metric['Name']}: {error}") from error
    names = [channel["ChannelName"] for channel in request.get("InputDataConfig", [])]
    if len(set(names)) < len(names):
        raise ServiceError("ValidationException", "Channel names must be unique")
    for channel in request.get("InputDataConfig", []):
        source = channel["DataSource"].get("S3DataSource")
        if source is None or source["S3DataType"] not in ("S3Prefix", "ManifestFile"):
            raise ServiceError(
                "ValidationException",
                f"channel {channel['ChannelName']}: the laptop cloud reads S3Prefix and ManifestFile only",
            )
        _check_s3(source["S3Uri"])
    _check_s3(request["OutputDataConfig"]["S3OutputPath"])
    return _create_job("Training", request, request["ResourceConfig"], authorize)


def _create_job(kind: str, request: dict[str, Any], resources: dict[str, Any], authorize: Authorize) -> dict[str, Any]:
    _require_new(kind, request[f"{kind}JobName"])
    _check_instances(kind, resources)
    limit = {"MaxRuntimeInSeconds": DEFAULT_SECONDS[kind]} | request.get("StoppingCondition", {})
    if limit["MaxRuntimeInSeconds"] > MOST_SECONDS[kind]:
        raise ServiceError(
            "ValidationException", f"MaxRuntimeInSeconds must be at most {MOST_SECONDS[kind]} for this account"
        )
    facts: dict[str, Any] = {"StoppingCondition": limit}
    if kind == "Training":
        facts |= {
            "SecondaryStatus": "Starting",
            "SecondaryStatusTransitions": [],
            "EnableNetworkIsolation": request.get("EnableNetworkIsolation", False),
            "EnableInterContainerTrafficEncryption": request.get("EnableInterContainerTrafficEncryption", False),
            "EnableManagedSpotTraining": request.get("EnableManagedSpotTraining", False),
            "ProfilingStatus": "Disabled",
        }
    _authorize_role(request["RoleArn"], arn(f"{kind.lower()}-job", request[f"{kind}JobName"]), authorize)
    return _start(kind, request, facts, request["RoleArn"], authorize, run_job)


def _create_automl_job(request: dict[str, Any], authorize: Authorize) -> dict[str, Any]:
    name = request["AutoMLJobName"]
    if any(one.kind == "AutoML" and one.name.lower() == name.lower() for one in _jobs.values()):
        raise ServiceError("ResourceInUse", f"AutoML job names are unique whatever their case, and {name} exists")
    automl.check_automl(request)
    _check_s3(request["AutoMLJobInputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"])
    _check_s3(request["OutputDataConfig"]["S3OutputPath"])
    facts = {
        "AutoMLJobSecondaryStatus": "Starting",
        "AutoMLProblemTypeConfigName": "TimeSeriesForecasting",
        "ResolvedAttributes": {},
    }
    _authorize_role(request["RoleArn"], arn("automl-job", name), authorize)
    return _start("AutoML", request, facts, request["RoleArn"], authorize, automl.run_automl)


def _create_transform_job(request: dict[str, Any], authorize: Authorize) -> dict[str, Any]:
    _require_new("Transform", request["TransformJobName"])
    automl.check_transform(request)
    _check_s3(request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"])
    _check_s3(request["TransformOutput"]["S3OutputPath"])
    model = _models.get(arn("model", request["ModelName"]))
    if model is None:
        raise ServiceError("ValidationException", f'Could not find model "{arn("model", request["ModelName"])}".')
    return _start("Transform", request, {}, model["ExecutionRoleArn"], authorize, automl.run_transform, model)


def _create_model(request: dict[str, Any], authorize: Authorize) -> dict[str, Any]:
    model_arn = arn("model", request["ModelName"])
    if model_arn in _models:
        raise ServiceError("ValidationException", f"Cannot create already existing model {model_arn!r}.")
    if bool(request.get("PrimaryContainer")) == bool(request.get("Containers")):
        raise ServiceError("ValidationException", "Provide either PrimaryContainer or Containers")
    if "ExecutionRoleArn" not in request:
        raise ServiceError("ValidationException", "ExecutionRoleArn must be given")
    containers = request.get("Containers") or [request["PrimaryContainer"]]
    role = request["ExecutionRoleArn"]
    _authorize_role(role, model_arn, authorize)
    if request.get("Tags"):
        authorize("sagemaker:AddTags", model_arn, _tag_context(request))
    for container in containers:
        if data := container.get("ModelDataUrl"):
            _check_s3(data)
            try:
                permissions.require(role, "SageMaker", "s3:GetObject", f"arn:aws:s3:::{data.removeprefix('s3://')}")
            except ServiceError as refusal:
                raise ServiceError("ValidationException", f"Could not access model data at {data}: {refusal}") from None
    _models[model_arn] = request | {"Containers": containers}
    _set_tags(model_arn, request)
    return {"ModelArn": model_arn}


def _delete_model(request: dict[str, Any], authorize: Authorize) -> dict[str, Any]:
    if _models.pop(arn("model", request["ModelName"]), None) is None:
        raise ServiceError("ValidationException", f'Could not find model "{arn("model", request["ModelName"])}".')
    return {}


def _require_new(kind: str, name: str) -> None:
    job_arn = arn(f"{kind.lower()}-job", name)
    if job_arn in _jobs:
        raise ServiceError(
            "ResourceInUse",
            "Job name must be unique within an AWS account and region, and a job with this name already exists "
            f"({job_arn})",
        )


def _authorize_role(role: str, for_: str, authorize: Authorize) -> None:
    """May the caller pass the role, and may SageMaker assume it?"""
    authorize("iam:PassRole", role, {"iam:PassedToService": "sagemaker.amazonaws.com"})
    asked = {"aws:SourceAccount": get_account_id(), "aws:SourceArn": for_}
    if not permissions.trusts(role, "sagemaker.amazonaws.com", asked):
        raise ServiceError(
            "ValidationException",
            f"Could not assume role {role}. Please ensure that the role exists and allows principal "
            "'sagemaker.amazonaws.com' to assume the role.",
        )


def _start(
    kind: str,
    request: dict[str, Any],
    facts: dict[str, Any],
    role: str,
    authorize: Authorize,
    runner: Callable[[Job], None],
    model: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Start a job that nothing speaks against, in a thread of its own."""
    name = request[f"{kind}JobName"]
    job_arn = arn(f"{kind.lower()}-job", name)
    if request.get("Tags"):
        authorize("sagemaker:AddTags", job_arn, _tag_context(request))
    now = time.time()
    description = {
        **{member: value for member, value in request.items() if member != "Tags"},
        f"{kind}JobArn": job_arn,
        f"{kind}JobStatus": "InProgress",
        "CreationTime": now,
        "LastModifiedTime": now,
        **facts,
    }
    new = Job(
        kind=kind,  # type: ignore[arg-type]
        description=description,
        credentials=permissions.credentials(role, "SageMaker"),
        region=get_region(),
        endpoint=endpoint,
        folder=folder / name,
        on_change=on_change,
        model=model,
    )
    _jobs[job_arn] = new
    _set_tags(job_arn, request)
    scope = contextvars.copy_context()  # the account and region of the request
    threading.Thread(target=scope.run, args=(runner, new), name=f"job-{name}", daemon=True).start()
    return {f"{kind}JobArn": job_arn}


def _check_instances(kind: str, resources: dict[str, Any]) -> None:
    for member in ("InstanceType", "InstanceCount", "VolumeSizeInGB"):
        if resources.get(member) is None:
            raise ServiceError("ValidationException", f"{member} must be given")
    if resources["InstanceCount"] > INSTANCE_LIMIT:
        raise ServiceError(
            "ResourceLimitExceeded",
            f"The account-level service limit '{resources['InstanceType']} for {kind.lower()} job usage' is "
            f"{INSTANCE_LIMIT} Instances, with current utilization of 0 Instances and a request delta of "
            f"{resources['InstanceCount']} Instances. Please use AWS Service Quotas to request an increase for this "
            "quota.",
        )


def _check_s3(uri: str) -> None:
    if not re.match(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/|$)", uri):
        raise ServiceError("ValidationException", f"{uri!r} is not an S3 URI of the form s3://bucket/prefix")


def _describe(kind: str) -> Callable[[dict[str, Any], Authorize], dict[str, Any]]:
    def describe(request: dict[str, Any], authorize: Authorize) -> dict[str, Any]:
        return dict(_existing(kind, request).description)

    return describe


def _stop(kind: str) -> Callable[[dict[str, Any], Authorize], dict[str, Any]]:
    def stop(request: dict[str, Any], authorize: Authorize) -> dict[str, Any]:
        found = _existing(kind, request)
        if found.status != "InProgress":
            raise ServiceError(
                "ValidationException",
                f"The request was rejected because the {kind.lower()} job is in status {found.status}.",
            )
        found.update("Stopping", "Stopping", "Stopping the job")
        found.stop.set()
        return {}

    return stop


def _existing(kind: str, request: dict[str, Any]) -> Job:
    found = _jobs.get(arn(f"{kind.lower()}-job", request[f"{kind}JobName"]))
    if found is None:
        name = request[f"{kind}JobName"]
        raise ServiceError("ValidationException", f"Could not find requested job with name: {name}")
    return found


def _list_jobs(kind: str) -> Callable[[dict[str, Any], Authorize], dict[str, Any]]:
    members = [f"{kind}JobName", f"{kind}JobArn", "CreationTime", f"{kind}JobStatus", "LastModifiedTime",
               f"{kind}EndTime", "FailureReason", "ExitMessage", "SecondaryStatus"]  # fmt: skip
    if kind == "Training":
        members.remove("ExitMessage")

    def list_jobs(request: dict[str, Any], authorize: Authorize) -> dict[str, Any]:
        found = [
            {member: item.description[member] for member in members if member in item.description}
            for job_arn, item in _jobs.items()
            if item.kind == kind
            and job_arn.startswith(arn(f"{kind.lower()}-job", ""))
            and request.get("StatusEquals") in (None, item.status)
            and request.get("NameContains", "") in item.name
            and item.description["CreationTime"] >= _seconds(request.get("CreationTimeAfter"), 0)
            and item.description["CreationTime"] <= _seconds(request.get("CreationTimeBefore"), float("inf"))
        ]
        by = {"Name": f"{kind}JobName", "Status": f"{kind}JobStatus"}.get(request.get("SortBy", ""), "CreationTime")
        found.sort(key=lambda item: item[by], reverse=request.get("SortOrder") == "Descending")
        return page(found, f"{kind}JobSummaries", request)

    return list_jobs


def _seconds(value: Any, default: float) -> float:
    return default if value is None else float(value)


def page(items: list[dict[str, Any]], member: str, request: dict[str, Any]) -> dict[str, Any]:
    """One page of a list, with the token for the next."""
    token = request.get("NextToken", "0")
    if not token.isdigit():
        raise ServiceError("ValidationException", "Invalid NextToken")
    start, size = int(token), request.get("MaxResults", 10 if member.endswith("JobSummaries") else 100)
    more = {"NextToken": str(start + size)} if start + size < len(items) else {}
    return {member: items[start : start + size]} | more


# ------------------------------------------------------------------------------------------------ tags


def _set_tags(resource: str, request: dict[str, Any]) -> None:
    _tags.setdefault(resource, {}).update({tag["Key"]: tag["Value"] for tag in request.get("Tags", [])})


def _tag_context(request: dict[str, Any]) -> dict[str, Any]:
    tags = request.get("Tags") or []
    if not tags:
        return {}
    return {"aws:TagKeys": [t["Key"] for t in tags]} | {f"aws:RequestTag/{t['Key']}": t["Value"] for t in tags}


def _known(resource: str) -> str:
    if resource not in _tags:
        raise ServiceError("ValidationException", f"Resource not found: {resource}")
    return resource


def _add_tags(request: dict[str, Any], authorize: Authorize) -> dict[str, Any]:
    _set_tags(_known(request["ResourceArn"]), request)
    return _list_tags(request, authorize)


def _list_tags(request: dict[str, Any], authorize: Authorize) -> dict[str, Any]:
    tags = _tags[_known(request["ResourceArn"])]
    return {"Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}


def _delete_tags(request: dict[str, Any], authorize: Authorize) -> dict[str, Any]:
    for key in request["TagKeys"]:
        _tags[_known(request["ResourceArn"])].pop(key, None)
    return {}


# ------------------------------------------------------------------------------------------------ registry


def _create_model_package_group(request: dict[str, Any], authorize: Authorize) -> dict[str, Any]:
    group_arn = arn("model-package-group", request["ModelPackageGroupName"])
    _registry.create_group(group_arn, request)
    _set_tags(group_arn, request)
    return {"ModelPackageGroupArn": group_arn}


def _create_model_package(request: dict[str, Any], authorize: Authorize) -> dict[str, Any]:
    if "ModelPackageGroupName" not in request:
        raise ServiceError("ValidationException", "the laptop cloud versions packages in a ModelPackageGroupName only")
    group_arn = _group_arn(request["ModelPackageGroupName"])
    package_arn = _registry.create_package(group_arn, arn("model-package", group_arn.rpartition("/")[2]), request)
    _set_tags(package_arn, request)
    return {"ModelPackageArn": package_arn}


def _delete_model_package(request: dict[str, Any], authorize: Authorize) -> dict[str, Any]:
    _registry.delete_package(request["ModelPackageName"])
    return {}


def _delete_model_package_group(request: dict[str, Any], authorize: Authorize) -> dict[str, Any]:
    _registry.delete_group(_group_arn(request["ModelPackageGroupName"]))
    return {}


def _group_arn(name: str) -> str:
    return name if name.startswith("arn:") else arn("model-package-group", name)


def _list_model_packages(request: dict[str, Any], authorize: Authorize) -> dict[str, Any]:
    group = request.get("ModelPackageGroupName")
    return _registry.package_page(_group_arn(group) if group else None, request)


def _list_model_package_groups(request: dict[str, Any], authorize: Authorize) -> dict[str, Any]:
    return _registry.group_page(request)


_OPERATIONS: dict[str, Callable[[dict[str, Any], Authorize], dict[str, Any]]] = {
    "CreateProcessingJob": _create_processing_job,
    "DescribeProcessingJob": _describe("Processing"),
    "ListProcessingJobs": _list_jobs("Processing"),
    "StopProcessingJob": _stop("Processing"),
    "CreateTrainingJob": _create_training_job,
    "DescribeTrainingJob": _describe("Training"),
    "ListTrainingJobs": _list_jobs("Training"),
    "StopTrainingJob": _stop("Training"),
    "CreateAutoMLJobV2": _create_automl_job,
    "DescribeAutoMLJobV2": _describe("AutoML"),
    "StopAutoMLJob": _stop("AutoML"),
    "CreateModel": _create_model,
    "DeleteModel": _delete_model,
    "CreateTransformJob": _create_transform_job,
    "DescribeTransformJob": _describe("Transform"),
    "StopTransformJob": _stop("Transform"),
    "AddTags": _add_tags,
    "ListTags": _list_tags,
    "DeleteTags": _delete_tags,
    "CreateModelPackageGroup": _create_model_package_group,
    "DescribeModelPackageGroup": lambda r, _: _registry.group(_group_arn(r["ModelPackageGroupName"])),
    "ListModelPackageGroups": _list_model_package_groups,
    "CreateModelPackage": _create_model_package,
    "DescribeModelPackage": lambda r, _: _registry.package(r["ModelPackageName"]),
    "ListModelPackages": _list_model_packages,
    "DeleteModelPackage": _delete_model_package,
    "DeleteModelPackageGroup": _delete_model_package_group,
    "UpdateModelPackage": lambda r, _: _registry.update(r),
}
