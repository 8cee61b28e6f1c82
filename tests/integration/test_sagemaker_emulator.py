"""The laptop cloud's SageMaker, seen through boto3 and through a state machine, as a user of AWS would."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.cloud import Cloud
from local.emulator.jobs import whole_keys

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
BUCKET = "emulator-test"


def trust(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def policy(*statements: tuple[list[str], str | list[str]]) -> str:
    parts = [{"Effect": "Allow", "Action": actions, "Resource": resources} for actions, resources in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": parts})


@pytest.fixture(scope="module")
def job_role(cloud: Cloud) -> str:
    """A job role that may read everything of one bucket, and write under ``allowed/`` only."""
    cloud.client("s3").create_bucket(Bucket=BUCKET)
    iam = cloud.client("iam")
    role = iam.create_role(RoleName="job", AssumeRolePolicyDocument=trust("sagemaker.amazonaws.com"))["Role"]["Arn"]
    document = policy(
        (["s3:GetObject", "s3:ListBucket"], [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]),
        (["s3:PutObject", "s3:AbortMultipartUpload"], f"arn:aws:s3:::{BUCKET}/allowed/*"),
        (["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], "*"),
    )
    iam.put_role_policy(RoleName="job", PolicyName="job", PolicyDocument=document)
    return role


@pytest.fixture
def put(cloud: Cloud) -> Callable[..., None]:
    def put(key: str, body: str = "x") -> None:
        cloud.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body.encode())

    return put


def script(cloud: Cloud, code: str) -> str:
    """Put a program into S3, where a job takes it as an input; returns its address."""
    key = f"programs/{hashlib.sha256(code.encode()).hexdigest()[:12]}/main.py"
    cloud.client("s3").put_object(Bucket=BUCKET, Key=key, Body=code.encode())
    return f"s3://{BUCKET}/{key}"


def s3_input(name: str, uri: str, path: str) -> dict[str, Any]:
    kind = "ManifestFile" if uri.endswith(".manifest") else "S3Prefix"
    return {
        "InputName": name,
        "S3Input": {"S3Uri": uri, "LocalPath": path, "S3DataType": kind, "S3InputMode": "File"},
    }


def processing(
    cloud: Cloud, role: str, code: str, *, inputs: dict[str, str] | None = None, **changes: Any
) -> dict[str, Any]:
    """A request that runs ``code``; what it writes to ``/opt/ml/processing/out`` goes to ``allowed/<job>/``."""
    name = changes.pop("ProcessingJobName", f"job-{uuid.uuid4().hex[:12]}")
    output = changes.pop("output", f"s3://{BUCKET}/allowed/{name}")
    return {
        "ProcessingJobName": name,
        "RoleArn": role,
        "AppSpecification": {
            "ImageUri": IMAGE,
            "ContainerEntrypoint": ["python", "/opt/ml/processing/code/main.py"],
            "ContainerArguments": ["/opt/ml/processing/in", "/opt/ml/processing/out"],
        },
        "ProcessingInputs": [
            s3_input("code", script(cloud, code), "/opt/ml/processing/code"),
            *(s3_input(name, uri, "/opt/ml/processing/in") for name, uri in (inputs or {}).items()),
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "out",
                    "S3Output": {
                        "S3Uri": output,
                        "LocalPath": "/opt/ml/processing/out",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 10}
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **changes,
    }


def channel(name: str, uri: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


def training(
    cloud: Cloud, role: str, code: str, *, inputs: dict[str, str] | None = None, **changes: Any
) -> dict[str, Any]:
    name = changes.pop("TrainingJobName", f"train-{uuid.uuid4().hex[:12]}")
    return {
        "TrainingJobName": name,
        "RoleArn": role,
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["python", "/opt/ml/input/data/program/main.py"],
            "ContainerArguments": ["/opt/ml"],
        },
        "InputDataConfig": [
            channel("program", script(cloud, code)),
            *(channel(name, uri) for name, uri in (inputs or {}).items()),
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/allowed/models"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **changes,
    }


def finished(cloud: Cloud, kind: str, request: dict[str, Any], seconds: float = 40) -> dict[str, Any]:
    """Create the job, wait for its end, and return its description."""
    sagemaker = cloud.client("sagemaker")
    getattr(sagemaker, f"create_{kind.lower()}_job")(**request)
    return ended(cloud, kind, request[f"{kind}JobName"], seconds)


def ended(cloud: Cloud, kind: str, name: str, seconds: float = 40) -> dict[str, Any]:
    sagemaker, deadline = cloud.client("sagemaker"), time.monotonic() + seconds
    while time.monotonic() < deadline:
        job = getattr(sagemaker, f"describe_{kind.lower()}_job")(**{f"{kind}JobName": name})
        if job[f"{kind}JobStatus"] in ("Completed", "Failed", "Stopped"):
            return job
        time.sleep(0.1)
    raise AssertionError(f"{name} did not end: {job}")


def keys(cloud: Cloud, prefix: str) -> list[str]:
    found = cloud.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    return [item["Key"] for item in found]


def read(cloud: Cloud, key: str) -> bytes:
    return cloud.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()


def log_of(cloud: Cloud, kind: str, name: str) -> list[str]:
    logs = cloud.client("logs")
    group = f"/aws/sagemaker/{kind}Jobs"
    events = logs.filter_log_events(logGroupName=group, logStreamNamePrefix=f"{name}/")["events"]
    return [event["message"] for event in events]


COPY = """
import pathlib, sys
source, target = map(pathlib.Path, sys.argv[1:3])
for file in sorted(source.rglob("*")):
    if file.is_file():
        print("copying", file.relative_to(source), flush=True)
        new = target / file.relative_to(source)
        new.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(file.read_bytes())
pathlib.Path(str(target).split("/processing/")[0], "output", "message").write_text("copied everything")
"""


# ---------------------------------------------------------------------------------------------- processing


def test_a_processing_job_gets_its_input_and_delivers_its_output(cloud: Cloud, job_role: str, put: Any) -> None:
    put("raw/a.csv", "1")
    put("raw/deep/b.csv", "2")
    request = processing(cloud, job_role, COPY, inputs={"raw": f"s3://{BUCKET}/raw"})
    job = finished(cloud, "Processing", request)
    name = request["ProcessingJobName"]
    assert job["ProcessingJobStatus"] == "Completed", job
    assert keys(cloud, f"allowed/{name}/") == [f"allowed/{name}/a.csv", f"allowed/{name}/deep/b.csv"]
    assert read(cloud, f"allowed/{name}/deep/b.csv") == b"2"
    assert job["ExitMessage"] == "copied everything"
    assert log_of(cloud, "Processing", name) == ["copying a.csv", "copying deep/b.csv"]
    assert job["CreationTime"] <= job["ProcessingStartTime"] <= job["ProcessingEndTime"]


@pytest.mark.parametrize("whole", [False, True], ids=["under their names", "under their whole keys"])
def test_a_manifest_brings_just_the_files_it_lists(cloud: Cloud, job_role: str, put: Any, whole: bool) -> None:
    for name in ("a", "b", "c"):
        put(f"listed/{name}.csv", name)
    put("lists/run.manifest", json.dumps([{"prefix": f"s3://{BUCKET}/listed/"}, "a.csv", "c.csv"]))
    name = next(name for name in (f"m-{uuid.uuid4().hex[:8]}" for _ in range(99)) if whole_keys(name) is whole)
    request = processing(
        cloud, job_role, COPY, inputs={"raw": f"s3://{BUCKET}/lists/run.manifest"}, ProcessingJobName=name
    )
    job = finished(cloud, "Processing", request)
    assert job["ProcessingJobStatus"] == "Completed", job
    folder = f"allowed/{name}/{'listed/' if whole else ''}"
    assert keys(cloud, f"allowed/{name}/") == [f"{folder}a.csv", f"{folder}c.csv"]
    assert any("lie under their" in line for line in log_of(cloud, "Processing", name))


def test_an_empty_prefix_fails_the_job_and_says_where_it_looked(cloud: Cloud, job_role: str) -> None:
    job = finished(
        cloud, "Processing", processing(cloud, job_role, COPY, inputs={"raw": f"s3://{BUCKET}/nothing/here"})
    )
    assert job["ProcessingJobStatus"] == "Failed"
    assert f"s3://{BUCKET}/nothing/here" in job["FailureReason"]
    assert job["FailureReason"].startswith("ClientError: Data download failed")


@pytest.mark.parametrize("name", ["../../escaped.csv", "a/../../b.csv", "bad\tname.csv", "x\\..\\y.csv"])
def test_an_object_name_cannot_leave_the_jobs_folder(cloud: Cloud, job_role: str, put: Any, name: str) -> None:
    put("tricks/run.manifest", json.dumps([{"prefix": f"s3://{BUCKET}/tricks/"}, name]))
    request = processing(cloud, job_role, COPY, inputs={"raw": f"s3://{BUCKET}/tricks/run.manifest"})
    job = finished(cloud, "Processing", request)
    assert job["ProcessingJobStatus"] == "Failed"
    assert "cannot be a file" in job["FailureReason"]


def test_a_job_may_do_only_what_its_role_may(cloud: Cloud, job_role: str, put: Any) -> None:
    put("raw2/a.csv")
    request = processing(
        cloud, job_role, COPY, inputs={"raw": f"s3://{BUCKET}/raw2"}, output=f"s3://{BUCKET}/forbidden"
    )
    job = finished(cloud, "Processing", request)
    assert job["ProcessingJobStatus"] == "Failed"
    assert "AccessDenied" in job["FailureReason"]
    assert keys(cloud, "forbidden") == []


def test_the_program_itself_has_the_roles_credentials_and_no_others(cloud: Cloud, job_role: str) -> None:
    code = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    request = processing(cloud, job_role, code)
    assert finished(cloud, "Processing", request)["ProcessingJobStatus"] == "Completed"
    [line] = log_of(cloud, "Processing", request["ProcessingJobName"])
    assert line.endswith("assumed-role/job/SageMaker")


def test_a_failing_program_fails_the_job_with_its_exit_code(cloud: Cloud, job_role: str) -> None:
    job = finished(cloud, "Processing", processing(cloud, job_role, "import sys; print('no disk'); sys.exit(3)"))
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError")
    assert job["FailureReason"].endswith("exit code: 3")


def test_a_missing_program_fails_the_job(cloud: Cloud, job_role: str) -> None:
    request = processing(cloud, job_role, "")
    request["AppSpecification"]["ContainerEntrypoint"] = ["no-such-program"]
    assert finished(cloud, "Processing", request)["FailureReason"].endswith("exit code: 127")


def test_a_job_ends_at_its_time_limit(cloud: Cloud, job_role: str) -> None:
    request = processing(cloud, job_role, "import time; time.sleep(60)", StoppingCondition={"MaxRuntimeInSeconds": 1})
    started = time.monotonic()
    assert finished(cloud, "Processing", request)["ProcessingJobStatus"] == "Stopped"
    assert time.monotonic() - started < 45


def test_a_stopped_job_takes_the_processes_it_started_with_it(cloud: Cloud, job_role: str) -> None:
    code = "import subprocess, time; print(subprocess.Popen(['sleep', '300']).pid, flush=True); time.sleep(300)"
    request = processing(cloud, job_role, code)
    sagemaker, name = cloud.client("sagemaker"), request["ProcessingJobName"]
    sagemaker.create_processing_job(**request)
    child = None
    for _ in range(100):
        time.sleep(0.1)
        try:
            lines = log_of(cloud, "Processing", name)
        except ClientError:
            continue
        if lines:
            child = int(lines[0])
            break
    assert child, "the log can be followed while the job runs"
    sagemaker.stop_processing_job(ProcessingJobName=name)
    assert ended(cloud, "Processing", name)["ProcessingJobStatus"] == "Stopped"
    from local.processes import alive

    assert not alive(child)
    with pytest.raises(ClientError, match="Stopped"):
        sagemaker.stop_processing_job(ProcessingJobName=name)


def test_two_jobs_run_side_by_side_and_the_third_waits(cloud: Cloud, job_role: str) -> None:
    requests = [processing(cloud, job_role, "import time; time.sleep(1.5)") for _ in range(3)]
    for request in requests:
        cloud.client("sagemaker").create_processing_job(**request)
    jobs = [ended(cloud, "Processing", request["ProcessingJobName"]) for request in requests]
    assert [job["ProcessingJobStatus"] for job in jobs] == ["Completed"] * 3
    side_by_side = [
        sum(other["ProcessingStartTime"] <= job["ProcessingStartTime"] < other["ProcessingEndTime"] for other in jobs)
        for job in jobs
    ]
    assert max(side_by_side) == 2


# ---------------------------------------------------------------------------------------------- training


TRAIN = """
import json, pathlib, sys
ml = pathlib.Path(sys.argv[1])
settings = json.loads((ml / "input/config/hyperparameters.json").read_text())
rows = sorted(p.name for p in (ml / "input/data/panel").iterdir())
(ml / "model/model.json").write_text(json.dumps({"settings": settings, "rows": rows}))
(ml / "output/data/metrics.json").write_text("{}")
"""


def test_a_training_job_delivers_model_and_output_archives(cloud: Cloud, job_role: str, put: Any) -> None:
    put("panel/panel.parquet")
    request = training(
        cloud,
        job_role,
        TRAIN,
        inputs={"panel": f"s3://{BUCKET}/panel/"},
        HyperParameters={"horizon": "90"},
    )
    job = finished(cloud, "Training", request)
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Completed", job
    model = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert model == f"s3://{BUCKET}/allowed/models/{request['TrainingJobName']}/output/model.tar.gz"
    with tarfile.open(fileobj=io.BytesIO(read(cloud, model.split(f"{BUCKET}/")[1]))) as archive:
        written = json.load(archive.extractfile("model.json"))
    assert written == {"settings": {"horizon": "90"}, "rows": ["panel.parquet"]}
    assert f"allowed/models/{request['TrainingJobName']}/output/output.tar.gz" in keys(cloud, "allowed/models/")
    steps = [step["Status"] for step in job["SecondaryStatusTransitions"]]
    assert steps == ["Pending", "Starting", "Downloading", "Training", "Uploading", "Completed"]


def test_a_training_jobs_last_word_is_its_failure_reason(cloud: Cloud, job_role: str) -> None:
    code = "import pathlib, sys; pathlib.Path(sys.argv[1], 'output/failure').write_text('no rows left'); sys.exit(1)"
    job = finished(cloud, "Training", training(cloud, job_role, code))
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: no rows left, exit code: 1"


def test_a_training_job_at_its_time_limit_keeps_its_model(cloud: Cloud, job_role: str) -> None:
    code = "import pathlib, sys, time; pathlib.Path(sys.argv[1], 'model/m').write_text('1'); time.sleep(60)"
    job = finished(cloud, "Training", training(cloud, job_role, code, StoppingCondition={"MaxRuntimeInSeconds": 2}))
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert job["ModelArtifacts"]["S3ModelArtifacts"].endswith("model.tar.gz")


# ---------------------------------------------------------------------------------------------- refusals


def test_a_job_name_works_only_once(cloud: Cloud, job_role: str) -> None:
    request = processing(cloud, job_role, "pass")
    finished(cloud, "Processing", request)
    with pytest.raises(ClientError) as refused:
        cloud.client("sagemaker").create_processing_job(**request)
    assert refused.value.response["Error"]["Code"] == "ResourceInUse"


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("ProcessingJobName", "under_score", "processingJobName"),
        ("ProcessingJobName", "x" * 64, "less than or equal to 63"),
        ("ProcessingResources.ClusterConfig.InstanceType", "ml.huge", "enum value set"),
        ("ProcessingResources.ClusterConfig.VolumeSizeInGB", 99999, "less than or equal to 16384"),
        ("StoppingCondition.MaxRuntimeInSeconds", 10**7, "maxRuntimeInSeconds"),
        ("RoleArn", "arn:aws:iam::000000000000:role/missing", "Could not assume role"),
    ],
)
def test_a_wrong_request_is_refused_as_the_service_does(
    cloud: Cloud, job_role: str, path: str, value: Any, words: str
) -> None:
    request = processing(cloud, job_role, "pass")
    *parents, last = path.split(".")
    part = request
    for parent in parents:
        part = part[parent]
    part[last] = value
    with pytest.raises(ClientError) as refused:
        cloud.client("sagemaker").create_processing_job(**request)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert words in refused.value.response["Error"]["Message"]


def on_fifty(request: dict[str, Any]) -> dict[str, Any]:
    """A processing job's request for more instances than an account has."""
    request["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = 50
    for one in request.get("ProcessingInputs", []):
        one["S3Input"]["S3DataDistributionType"] = "FullyReplicated"
    return request


def test_too_many_instances_meet_the_accounts_limit(cloud: Cloud, job_role: str) -> None:
    request = on_fifty(processing(cloud, job_role, "pass"))
    with pytest.raises(ClientError) as refused:
        cloud.client("sagemaker").create_processing_job(**request)
    assert refused.value.response["Error"]["Code"] == "ResourceLimitExceeded"


def test_a_caller_needs_permission_for_the_job_and_to_pass_the_role(cloud: Cloud, job_role: str) -> None:
    iam = cloud.client("iam")
    iam.create_user(UserName="analyst")
    key = iam.create_access_key(UserName="analyst")["AccessKey"]
    analyst = cloud.client(
        "sagemaker", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"]
    )
    create = ["sagemaker:CreateProcessingJob", "sagemaker:DescribeProcessingJob"]
    jobs = "arn:aws:sagemaker:us-east-1:000000000000:processing-job/analyst-*"

    def refusal(name: str) -> str:
        with pytest.raises(ClientError) as refused:
            analyst.create_processing_job(**processing(cloud, job_role, "pass", ProcessingJobName=name))
        assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
        return refused.value.response["Error"]["Message"]

    assert "sagemaker:CreateProcessingJob" in refusal("analyst-1")
    iam.put_user_policy(UserName="analyst", PolicyName="jobs", PolicyDocument=policy((create, jobs)))
    assert "sagemaker:CreateProcessingJob" in refusal("somebody-1")
    assert "iam:PassRole" in refusal("analyst-2")
    allowed = policy((create, jobs), (["iam:PassRole"], job_role))
    iam.put_user_policy(UserName="analyst", PolicyName="jobs", PolicyDocument=allowed)
    analyst.create_processing_job(**processing(cloud, job_role, "pass", ProcessingJobName="analyst-3"))
    assert ended(cloud, "Processing", "analyst-3")["ProcessingJobStatus"] == "Completed"


def test_jobs_can_be_listed_and_tagged(cloud: Cloud, job_role: str) -> None:
    sagemaker = cloud.client("sagemaker")
    marker = uuid.uuid4().hex[:8]
    for number in range(3):
        tags = [{"Key": "dataset", "Value": marker}]
        sagemaker.create_processing_job(
            **processing(cloud, job_role, "pass", ProcessingJobName=f"{marker}-{number}", Tags=tags)
        )
    for number in range(3):
        ended(cloud, "Processing", f"{marker}-{number}")
    pages = sagemaker.get_paginator("list_processing_jobs").paginate(
        NameContains=marker, SortBy="Name", SortOrder="Descending", PaginationConfig={"PageSize": 2}
    )
    found = [job for page in pages for job in page["ProcessingJobSummaries"]]
    assert [job["ProcessingJobName"] for job in found] == [f"{marker}-{n}" for n in (2, 1, 0)]
    assert sagemaker.list_tags(ResourceArn=found[0]["ProcessingJobArn"])["Tags"] == [
        {"Key": "dataset", "Value": marker}
    ]


# ---------------------------------------------------------------------------------------------- registry


def test_models_are_versions_in_a_group_with_an_approval(cloud: Cloud) -> None:
    sagemaker = cloud.client("sagemaker")
    group = f"headroom-{uuid.uuid4().hex[:8]}"
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    with pytest.raises(ClientError, match="already exists"):
        sagemaker.create_model_package_group(ModelPackageGroupName=group)
    arns = [
        sagemaker.create_model_package(ModelPackageGroupName=group, CustomerMetadataProperties={"mase": str(n)})[
            "ModelPackageArn"
        ]
        for n in range(2)
    ]
    assert [arn.rsplit("/", 1)[-1] for arn in arns] == ["1", "2"]
    sagemaker.update_model_package(ModelPackageArn=arns[0], ModelApprovalStatus="Approved")
    approved = sagemaker.list_model_packages(ModelPackageGroupName=group, ModelApprovalStatus="Approved")
    assert [item["ModelPackageArn"] for item in approved["ModelPackageSummaryList"]] == [arns[0]]
    newest = sagemaker.describe_model_package(ModelPackageName=arns[1])
    assert newest["ModelApprovalStatus"] == "PendingManualApproval"
    assert newest["CustomerMetadataProperties"] == {"mase": "1"}


# ---------------------------------------------------------------------------------------------- state machines


@pytest.fixture(scope="module")
def machine_role(cloud: Cloud, job_role: str) -> str:
    """What design.md asks of the state machine's role."""
    iam = cloud.client("iam")
    role = iam.create_role(RoleName="machine", AssumeRolePolicyDocument=trust("states.amazonaws.com"))["Role"]["Arn"]
    jobs = [f"arn:aws:sagemaker:us-east-1:000000000000:{kind}-job/sf-*" for kind in ("processing", "training")]
    actions = [f"sagemaker:{verb}{kind}Job" for verb in ("Create", "Describe", "Stop")
               for kind in ("Processing", "Training")]  # fmt: skip
    document = policy(
        ([*actions, "sagemaker:AddTags"], jobs),
        (["iam:PassRole"], job_role),
        (["sagemaker:*ModelPackage*"], "*"),
        (
            ["events:PutTargets", "events:PutRule", "events:DescribeRule"],
            "arn:aws:events:us-east-1:000000000000:rule/StepFunctionsGetEventsForSageMaker*",
        ),
    )
    iam.put_role_policy(RoleName="machine", PolicyName="machine", PolicyDocument=document)
    return role


def machine(cloud: Cloud, role: str, definition: dict[str, Any]) -> str:
    return cloud.client("stepfunctions").create_state_machine(
        name=f"m-{uuid.uuid4().hex[:8]}",
        roleArn=role,
        definition=json.dumps({"QueryLanguage": "JSONata", **definition}),
    )["stateMachineArn"]


def sync(kind: str, arguments: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": f"arn:aws:states:::sagemaker:create{kind}Job.sync",
        "Arguments": arguments,
        **({"End": True} if "Next" not in more else {}),
        **more,
    }


def settled(cloud: Cloud, execution: str, seconds: float = 60) -> dict[str, Any]:
    states, deadline = cloud.client("stepfunctions"), time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = states.describe_execution(executionArn=execution)
        if found["status"] != "RUNNING":
            return found
        time.sleep(0.1)
    raise AssertionError(f"{execution} did not end")


NAME = "{% 'sf-' & $states.context.Execution.Name & '-' & $string($states.context.Execution.RedriveCount) %}"


def start(cloud: Cloud, machine_arn: str, **given: Any) -> str:
    return cloud.client("stepfunctions").start_execution(
        stateMachineArn=machine_arn, name=uuid.uuid4().hex[:10], input=json.dumps(given)
    )["executionArn"]


def test_a_task_waits_for_its_job_and_returns_the_description(cloud: Cloud, job_role: str, machine_role: str) -> None:
    request = processing(cloud, job_role, "print('done')", ProcessingJobName=NAME, output=f"s3://{BUCKET}/allowed/sync")
    done = settled(cloud, start(cloud, machine(cloud, machine_role, {
        "StartAt": "Job", "States": {"Job": sync("Processing", request)},
    })))  # fmt: skip
    assert done["status"] == "SUCCEEDED", done
    output = json.loads(done["output"])
    assert output["ProcessingJobStatus"] == "Completed"
    assert output["CreationTime"] > 10**12, "Step Functions gives milliseconds"


def test_a_redrive_runs_just_the_failed_job_again_with_its_variables(
    cloud: Cloud, job_role: str, machine_role: str, put: Any
) -> None:
    marker = uuid.uuid4().hex[:8]
    code = f"import boto3; boto3.client('s3').head_object(Bucket='{BUCKET}', Key='fixed/{marker}')"
    first = processing(cloud, job_role, "pass", output=f"s3://{BUCKET}/allowed/redrive")
    first["ProcessingJobName"] = f"sf-first-{marker}"
    second = processing(cloud, job_role, code, output=f"s3://{BUCKET}/allowed/redrive")
    second["ProcessingJobName"] = "{% 'sf-' & $kept & '-' & $string($states.context.Execution.RedriveCount) %}"
    definition = {
        "StartAt": "Prepare",
        "States": {
            "Prepare": {"Type": "Pass", "Assign": {"kept": marker}, "Next": "First"},
            "First": sync("Processing", first, Next="Second"),
            "Second": sync("Processing", second, Output="{% $states.result.ProcessingJobName %}"),
        },
    }
    states = cloud.client("stepfunctions")
    execution = start(cloud, machine(cloud, machine_role, definition))
    failed = settled(cloud, execution)
    assert (failed["status"], failed["error"]) == ("FAILED", "States.TaskFailed")
    assert json.loads(failed["cause"])["FailureReason"].endswith("exit code: 1")
    assert (failed["redriveCount"], failed["redriveStatus"]) == (0, "REDRIVABLE")

    put(f"fixed/{marker}")
    states.redrive_execution(executionArn=execution)
    done = settled(cloud, execution)
    assert done["status"] == "SUCCEEDED", done
    assert json.loads(done["output"]) == f"sf-{marker}-1"
    assert done["redriveCount"] == 1
    events = [event["type"] for event in states.get_execution_history(executionArn=execution)["events"]]
    assert events.count("ExecutionRedriven") == 1
    assert events.count("TaskSucceeded") == 2, "the first job did not run again"
    with pytest.raises(ClientError) as refused:
        states.redrive_execution(executionArn=execution)
    assert refused.value.response["Error"]["Code"] == "ExecutionNotRedrivable"


def test_stopping_an_execution_stops_its_job(cloud: Cloud, job_role: str, machine_role: str) -> None:
    request = processing(cloud, job_role, "import time; time.sleep(300)", ProcessingJobName=NAME)
    request["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] = f"s3://{BUCKET}/allowed/x"
    execution = start(cloud, machine(cloud, machine_role, {
        "StartAt": "Job", "States": {"Job": sync("Processing", request)},
    }))  # fmt: skip
    name = f"sf-{execution.rsplit(':', 1)[-1]}-0"
    _until_running(cloud, name)
    cloud.client("stepfunctions").stop_execution(executionArn=execution)
    assert settled(cloud, execution)["status"] == "ABORTED"
    assert ended(cloud, "Processing", name)["ProcessingJobStatus"] == "Stopped"


def _until_running(cloud: Cloud, name: str) -> None:
    for _ in range(100):
        try:
            if "ProcessingStartTime" in cloud.client("sagemaker").describe_processing_job(ProcessingJobName=name):
                return
        except ClientError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{name} did not start")


def test_a_task_that_takes_too_long_stops_its_job(cloud: Cloud, job_role: str, machine_role: str) -> None:
    request = processing(cloud, job_role, "import time; time.sleep(300)", ProcessingJobName=NAME)
    request["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] = f"s3://{BUCKET}/allowed/x"
    execution = start(cloud, machine(cloud, machine_role, {
        "StartAt": "Job", "States": {"Job": sync("Processing", request, TimeoutSeconds=2)},
    }))  # fmt: skip
    done = settled(cloud, execution)
    assert (done["status"], done["error"]) == ("FAILED", "States.Timeout")
    assert ended(cloud, "Processing", f"sf-{execution.rsplit(':', 1)[-1]}-0")["ProcessingJobStatus"] == "Stopped"


def test_an_execution_times_out_and_can_be_redriven(cloud: Cloud, machine_role: str) -> None:
    execution = start(cloud, machine(cloud, machine_role, {
        "TimeoutSeconds": 1, "StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 4, "End": True}},
    }))  # fmt: skip
    timed_out = settled(cloud, execution)
    assert (timed_out["status"], timed_out["redriveStatus"]) == ("TIMED_OUT", "REDRIVABLE")


def test_service_errors_have_the_names_that_retry_rules_use(cloud: Cloud, job_role: str, machine_role: str) -> None:
    too_many = processing(cloud, job_role, "pass", ProcessingJobName=NAME, output=f"s3://{BUCKET}/allowed/x")
    too_many = on_fifty(too_many)
    foreign = processing(cloud, job_role, "pass", ProcessingJobName="not-ours", output=f"s3://{BUCKET}/allowed/x")
    unknown = {**processing(cloud, job_role, "pass", output=f"s3://{BUCKET}/allowed/x"), "Colour": "blue"}
    cases = [
        (too_many, "SageMaker.ResourceLimitExceededException", "service limit"),
        (foreign, "SageMaker.AmazonSageMakerException", "sagemaker:CreateProcessingJob"),
        (unknown, "States.Runtime", "Colour"),
    ]
    for request, error, words in cases:
        arn = machine(cloud, machine_role, {"StartAt": "Job", "States": {"Job": sync("Processing", request)}})
        done = settled(cloud, start(cloud, arn))
        assert done["status"] == "FAILED"
        assert done["error"] == error
        assert words in done["cause"]


def test_the_registry_works_through_the_sdk_integration(cloud: Cloud, machine_role: str) -> None:
    def call(action: str, arguments: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {
            "Type": "Task",
            "Resource": f"arn:aws:states:::aws-sdk:sagemaker:{action}",
            "Arguments": arguments,
            **({"End": True} if "Next" not in more else {}),
            **more,
        }

    group = f"sdk-{uuid.uuid4().hex[:8]}"
    definition = {
        "StartAt": "Missing",
        "States": {
            "Missing": call("describeModelPackageGroup", {"ModelPackageGroupName": group}, Next="Group", Catch=[
                {"ErrorEquals": ["SageMaker.SageMakerException"], "Next": "Group"}]),
            "Group": call("createModelPackageGroup", {"ModelPackageGroupName": group}, Next="Package"),
            "Package": call("createModelPackage", {"ModelPackageGroupName": group, "ModelApprovalStatus": "Approved"}),
        },
    }  # fmt: skip
    done = settled(cloud, start(cloud, machine(cloud, machine_role, definition)))
    assert done["status"] == "SUCCEEDED", done
    assert json.loads(done["output"])["ModelPackageArn"].endswith(f"model-package/{group}/1")


def test_an_alarm_on_failed_executions_rings(cloud: Cloud, machine_role: str) -> None:
    failing = machine(cloud, machine_role, {"StartAt": "No", "States": {"No": {"Type": "Fail", "Error": "Planned"}}})
    topic = cloud.client("sns").create_topic(Name=f"ops-{uuid.uuid4().hex[:6]}")["TopicArn"]
    cloud.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.com")
    name = f"failed-{uuid.uuid4().hex[:6]}"
    cloud.client("cloudwatch").put_metric_alarm(
        AlarmName=name, Namespace="AWS/States", MetricName="ExecutionsFailed", Statistic="Sum", Period=60,
        Dimensions=[{"Name": "StateMachineArn", "Value": failing}], EvaluationPeriods=1, Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold", TreatMissingData="notBreaching", AlarmActions=[topic],
    )  # fmt: skip
    settled(cloud, start(cloud, failing))
    from local.emulator.mailbox import letters

    for _ in range(100):
        found = [letter for letter in letters(cloud.mailbox) if name in letter.subject]
        if found:
            break
        time.sleep(0.1)
    assert found, "the alarm was mailed"
    assert found[0].to == "ops@example.com"
    assert json.loads(found[0].body)["NewStateValue"] == "ALARM"
