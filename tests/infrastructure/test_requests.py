"""What the state machine sends to SageMaker, Lambda and SNS is what these services take.

The plan comes from the real planning function with the environment that the template gives it, the
request from the real definition, the rules from botocore's description of each service.
"""

from __future__ import annotations

import ast
import copy
import itertools
import json
import re
from datetime import UTC, datetime
from typing import Any

import botocore.validate
import pytest
from infrastructure import machine
from infrastructure.stack import ROOT, Stack

import completion
import plan
import planning
import publish
from environment import PlanSettings
from headroom.forecast import challenger
from ledger import File, State
from local.emulator import automl
from local.emulator.service_model import ServiceError, check, input_shape, unsupported
from local.emulator.tasks import doubtful
from models import Model, Models

LONGEST_DATASET = "a-very-long-data-set-name-of-forty-chars"  # the schema of a run's input allows no more
NOW = datetime(2026, 10, 31, 6, 0, tzinfo=UTC)
OPERATIONS = {
    "arn:aws:states:::sagemaker:createProcessingJob.sync": ("sagemaker", "CreateProcessingJob"),
    "arn:aws:states:::sagemaker:createTrainingJob.sync": ("sagemaker", "CreateTrainingJob"),
    "arn:aws:states:::aws-sdk:sagemaker:createModelPackageGroup": ("sagemaker", "CreateModelPackageGroup"),
    "arn:aws:states:::aws-sdk:sagemaker:createModelPackage": ("sagemaker", "CreateModelPackage"),
    "arn:aws:states:::states:startExecution.sync:2": ("stepfunctions", "StartExecution"),
    "arn:aws:states:::aws-sdk:sagemaker:createAutoMLJobV2": ("sagemaker", "CreateAutoMLJobV2"),
    "arn:aws:states:::aws-sdk:sagemaker:describeAutoMLJobV2": ("sagemaker", "DescribeAutoMLJobV2"),
    "arn:aws:states:::aws-sdk:sagemaker:stopAutoMLJob": ("sagemaker", "StopAutoMLJob"),
    "arn:aws:states:::aws-sdk:sagemaker:createModel": ("sagemaker", "CreateModel"),
    "arn:aws:states:::aws-sdk:sagemaker:createTransformJob": ("sagemaker", "CreateTransformJob"),
    "arn:aws:states:::aws-sdk:sagemaker:describeTransformJob": ("sagemaker", "DescribeTransformJob"),
    "arn:aws:states:::aws-sdk:sagemaker:stopTransformJob": ("sagemaker", "StopTransformJob"),
    "arn:aws:states:::aws-sdk:sagemaker:deleteModel": ("sagemaker", "DeleteModel"),
    "arn:aws:states:::sns:publish": ("sns", "Publish"),
    "arn:aws:states:::lambda:invoke": ("lambda", "Invoke"),
}
ARRIVED = [
    File(f"incoming/demo/{name}", "v1", 10, "e", "2026-10-31T05:00:00Z", "0A") for name in ("a.csv", "b/ü (1).csv.gz")
]
PUBLISHED_BEFORE = State(current_run="20261030T060000Z-0a1b2c3d")
CODE = "0123456789abcdef"
APPROVED = Model(
    arn="arn:aws:sagemaker:eu-central-1:123456789012:model-package/headroom-demo/3",
    uri="s3://headroom-artifactbucket/runs/demo/20261030T060000Z-0a1b2c3d/model/x/output/model.tar.gz",
    code=CODE,
    settings=planning.settings_hash(""),
    relative_mase=0.8,
)
KNOWN = Models(approved=APPROVED, last_trained_at=datetime(2026, 10, 30, 6, 30, tzinfo=UTC))
WITH_HISTORY: dict[str, Any] = {"state": PUBLISHED_BEFORE, "known": KNOWN}
IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/jobs:1"
VPC = {"SubnetIds": "subnet-0a,subnet-0b", "SecurityGroupIds": "sg-0c"}
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
LOCKED = {
    "OutputKeyArn": KEY,
    "VolumeKeyArn": KEY,
    "NetworkIsolation": "true",
    "WheelhouseUri": "s3://own/w/",
    "TrainOnSpot": "true",
}
OVERRIDES = {
    "preprocess": {"instance_type": "ml.m5.12xlarge", "volume_gb": 16384},
    "train": {"instance_type": "ml.c5.9xlarge", "instance_count": 1, "volume_gb": 500},
    "assess": {"instance_count": 1},
}
LARGE = {"instance_count": 20, "instance_type": "ml.r5.8xlarge", "volume_gb": 500}
SPARK = {"engine": "spark", "preprocess": LARGE, "assess": LARGE}

# A run by what it starts with: the stack's parameters, the execution's input, the ledger, the registry, the files
# that wait; and by the backtest error that its training job reports.
RUNS: dict[str, dict[str, Any]] = {
    "the first run": {},
    "a first run whose job reports no error": {"relative_mase": None},
    "a run with history, the model fits": WITH_HISTORY,
    "a run with history that trains": WITH_HISTORY | {"given": {"mode": "train"}},
    "a run with history whose job reports no error": WITH_HISTORY | {"given": {"mode": "train"}, "relative_mase": None},
    "a run that trains a worse model": WITH_HISTORY | {"given": {"mode": "train"}, "relative_mase": 0.9},
    "scoring asked for": WITH_HISTORY | {"given": {"mode": "score"}},
    "no new file": WITH_HISTORY | {"files": []},
    "jobs in a network": {"parameters": VPC},
    "scoring in a network": WITH_HISTORY | {"parameters": VPC},
    "keys, isolation and spot": {"parameters": LOCKED},
    "scoring with keys and isolation": WITH_HISTORY | {"parameters": LOCKED},
    "one subnet": {"parameters": VPC | {"SubnetIds": "subnet-0a"}},
    "an image and wheels of one's own": {"parameters": {"ImageUri": IMAGE, "WheelhouseUri": "s3://own/w/"}},
    "other machines": {"given": {"overrides": OVERRIDES}},
    "Spark": {"parameters": {"Engine": "spark"}},
    "Spark for one run, on many machines": WITH_HISTORY | {"given": {"overrides": SPARK}},
    "Spark with keys and an image of one's own": {
        "parameters": LOCKED | {"Engine": "spark", "SparkImageUri": IMAGE, "NetworkIsolation": "false"}
    },
    "the longest names": {"given": {"dataset": LONGEST_DATASET}, "parameters": {"JobNamePrefix": "headroomprod"}},
    "a dataset named by one digit": {"given": {"dataset": "7"}},
    "a challenger": {"parameters": {"Challenger": "on"}, "config": "challenger: true\n"},
    "a challenger with keys": {"parameters": LOCKED | {"Challenger": "on"}, "config": "challenger: true\n"},
    "a challenger that the stack lacks": {"config": "challenger: true\n"},
    "a challenger that nobody wants": {"parameters": {"Challenger": "on"}},
}
CHALLENGED = {"a challenger", "a challenger with keys"}
SCORES = {"a run with history, the model fits", "scoring asked for", "no new file", "scoring in a network"}
SCORES |= {"scoring with keys and isolation", "Spark for one run, on many machines"}


@pytest.fixture(scope="module")
def stack_of():
    stacks: dict[str, Stack] = {}

    def of(parameters: dict[str, str]) -> Stack:
        return stacks.setdefault(json.dumps(parameters, sort_keys=True), Stack(**parameters))

    return of


def steps_of(stack: Stack, run: dict[str, Any], redrives: int | None = 0, retries: int = 0) -> list[machine.Step]:
    """The requests of one run. What the functions answer is what the real ones make of the request."""
    functions = stack.of_type("AWS::Lambda::Function")
    environment = PlanSettings.model_validate(functions["PlanFunction"]["Environment"]["Variables"])

    def planned(request: dict[str, Any]) -> dict[str, Any]:
        given = plan.parse_input(request["Payload"]["input"])
        execution = request["Payload"]["execution"] | {"arn": f"arn:of:{given.dataset}"}
        state, files, known = run.get("state", State()), run.get("files", ARRIVED), run.get("known", Models())
        readable = {file.item for file in files}
        before = planning.Before()
        made, _ = planning.make_plan(
            environment,
            given,
            execution,
            planning.Found(state, files, readable, before, known, CODE, run.get("config", "")),
            NOW,
        )
        return {"Payload": json.loads(json.dumps(made))}

    def trained(request: dict[str, Any]) -> dict[str, Any]:
        error = run.get("relative_mase", 0.7)
        reported = [] if error is None else [{"MetricName": "relative_mase", "Value": error, "Timestamp": 1}]
        folder = request["OutputDataConfig"]["S3OutputPath"] + request["TrainingJobName"]
        return {"ModelArtifacts": {"S3ModelArtifacts": f"{folder}/output/model.tar.gz"}} | (
            {"FinalMetricDataList": reported} if reported else {}
        )

    def published(request: dict[str, Any]) -> dict[str, Any]:
        finished = completion.Finished.model_validate(request["Payload"])
        told = completion.notification(
            finished, "published", SUMMARY, QUALITY, {"files": [], "train_reason": "x"}, "s3://a/b/", None
        )
        message = publish.with_links(told["message"], LINKS, NOW)
        status = {"status": "published", "level": "critical"}
        return {"Payload": {**status, "subject": told["subject"], "message": message}}

    results = {
        "PlanRun": planned,
        "Preprocess": {"ProcessingJobStatus": "Completed"},
        "Train": trained,
        "MakeModelGroup": {"ModelPackageGroupArn": "arn:aws:sagemaker:eu-central-1:123456789012:model-package-group/x"},
        "RegisterModel": {"ModelPackageArn": "arn:aws:sagemaker:eu-central-1:123456789012:model-package/x/1"},
        "Challenge": {"Output": {"outcome": run.get("outcome", "completed")}},
        "AssessRisk": {"ProcessingJobStatus": "Completed"},
        "Publish": published,
        "NotifyCompletion": {"MessageId": "1"},
    }
    given = {"dataset": "demo"} | run.get("given", {})
    return machine.walk(machine.definition(stack), given, results, redrives, retries)


def jobs(steps: list[machine.Step]) -> list[machine.Step]:
    return [step for step in steps if step.resource.endswith("Job.sync")]


# What the longest notification is made of.
SUMMARY: dict[str, Any] = {
    "levels": {"critical": 10**6, "high": 10**6, "medium": 10**6},
    "frequency": "D",
    "servers": 10**6,
    "as_of": "2026-10-30T00:00:00",
    "horizon": 90,
    "top": [{"level": "critical", "server_id": "ü" * 300, "metric": "cpu", "reason": "grows"}] * 20,
    "savings": {"monthly": 1e6, "currency": "USD"},
    "changes": None,
}
LINKS = [{"file": file, "title": title, "url": "https://x/" + 2000 * "y"} for file, (title, _) in publish.SHOWN.items()]
QUALITY: dict[str, Any] = {"rows": {"read": 1, "quarantined": 0}, "files": [], "settings": {"errors": []}, "notes": []}


def problems_of(step: machine.Step) -> list[str]:
    """What the service would object to, by its own description; botocore's validator is the second opinion."""
    service, operation = OPERATIONS[step.resource]
    request = dict(step.request)
    if service == "stepfunctions":
        request = {name[0].lower() + name[1:]: value for name, value in request.items()}
        request["input"] = json.dumps(request["input"])
    if service == "lambda":
        request["Payload"] = json.dumps(request["Payload"]).encode()
    problems = unsupported(service, operation, request)
    try:
        check(service, operation, {name: item for name, item in request.items() if name != "Payload"})
    except ServiceError as error:
        problems.append(str(error))
    report = botocore.validate.ParamValidator().validate(request, input_shape(service, operation))
    return problems + ([report.generate_report()] if report.has_errors() else [])


@pytest.mark.parametrize(("redrives", "retries"), [(0, 0), (1, 0), (0, 5), (1000, 5), (None, 0)])
@pytest.mark.parametrize("run", RUNS)
def test_every_request_is_one_that_the_service_takes(run, redrives, retries, stack_of):
    stack = stack_of(RUNS[run].get("parameters", {}))
    for step in steps_of(stack, RUNS[run], redrives, retries):
        assert problems_of(step) == [], step.state


@pytest.mark.parametrize("run", RUNS)
def test_a_run_takes_the_states_that_it_should(run, stack_of):
    states = [step.state for step in steps_of(stack_of(RUNS[run].get("parameters", {})), RUNS[run])]
    training = [] if run in SCORES else ["Train", "MakeModelGroup", "RegisterModel"]
    training += ["Challenge"] if run in CHALLENGED else []
    assert states == ["PlanRun", "Preprocess", *training, "AssessRisk", "Publish", "NotifyCompletion"]


@pytest.mark.parametrize("run", RUNS)
def test_job_names_are_new_at_every_attempt_and_fit(run, stack_of):
    stack = stack_of(RUNS[run].get("parameters", {}))
    names = [
        request.get("ProcessingJobName") or request["TrainingJobName"]
        for redrives, retries in itertools.product((0, 1, 10, 1000), (0, 1, 5))
        for step in jobs(steps_of(stack, RUNS[run], redrives, retries))
        for request in [step.request]
    ]
    assert len(set(names)) == len(names)
    for name in names:
        assert len(name) <= 63
        assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", name)


def test_two_long_dataset_names_that_begin_alike_have_jobs_of_their_own(stack_of):
    stack = stack_of({})
    names = [
        step.request["ProcessingJobName"]
        for ending in ("one", "two")
        for step in steps_of(stack, {"given": {"dataset": f"a-very-long-data-set-name-{ending}"}})
        if "ProcessingJobName" in step.request
    ]
    assert len(set(names)) == 4


def test_jobs_are_in_the_network_that_was_given_and_in_none_otherwise(stack_of):
    wanted = {"Subnets": ["subnet-0a", "subnet-0b"], "SecurityGroupIds": ["sg-0c"]}
    found = [
        step.request.get("VpcConfig") or step.request.get("NetworkConfig", {}).get("VpcConfig")
        for parameters in (VPC, {})
        for step in jobs(steps_of(stack_of(parameters), {}))
    ]
    assert found == [wanted] * 3 + [None] * 3


def test_overrides_reach_the_jobs_they_name(stack_of):
    steps = {step.state: step.request for step in steps_of(stack_of({}), {"given": {"overrides": OVERRIDES}})}
    cluster = steps["Preprocess"]["ProcessingResources"]["ClusterConfig"]
    assert (cluster["InstanceType"], cluster["VolumeSizeInGB"]) == ("ml.m5.12xlarge", 16384)
    assert steps["Train"]["ResourceConfig"] == {
        "InstanceType": "ml.c5.9xlarge",
        "InstanceCount": 1,
        "VolumeSizeInGB": 500,
    }
    assert steps["AssessRisk"]["ProcessingResources"]["ClusterConfig"]["InstanceType"] == "ml.m5.xlarge"


def test_the_model_that_is_assessed_is_the_one_just_trained_or_the_current_one(stack_of):
    def model(run: dict[str, Any]) -> str:
        (request,) = (step.request for step in steps_of(stack_of({}), run) if step.state == "AssessRisk")
        (found,) = (one["S3Input"]["S3Uri"] for one in request["ProcessingInputs"] if one["InputName"] == "model")
        return found

    train = WITH_HISTORY | {"given": {"mode": "train"}}
    assert model({"given": {"mode": "train"}}) != APPROVED.uri
    assert model(train) != APPROVED.uri
    assert model(train | {"relative_mase": 0.87}) != APPROVED.uri, "hardly worse is good enough"
    assert model(train | {"relative_mase": 0.89}) == APPROVED.uri, "worse than the approved one by a tenth"
    assert model(WITH_HISTORY) == APPROVED.uri


def test_a_worse_model_waits_for_a_person_and_the_notification_says_so(stack_of):
    def registered(run: dict[str, Any]) -> tuple[str, bool, bool]:
        steps = {step.state: step.request for step in steps_of(stack_of({}), run)}
        told = "waits for approval" in steps["NotifyCompletion"]["Message"]
        return steps["RegisterModel"]["ModelApprovalStatus"], steps["Publish"]["Payload"]["approved"], told

    train = WITH_HISTORY | {"given": {"mode": "train"}}
    assert registered(train) == ("Approved", True, False)
    assert registered(train | {"relative_mase": 0.9}) == ("PendingManualApproval", False, True)
    assert registered({"relative_mase": None}) == ("Approved", True, False), "there is nothing to compare it with"
    unknown = registered(train | {"relative_mase": None})
    assert unknown == ("PendingManualApproval", False, True), "an error that was not reported is no good one"


def test_what_is_published_has_a_text_for_every_protocol(stack_of):
    """SNS refuses a message of structure json that is no object of texts, or has no default."""
    (request,) = (step.request for step in steps_of(stack_of({}), {}) if step.state == "NotifyCompletion")
    assert request["MessageStructure"] == "json"
    texts = json.loads(request["Message"])
    assert "default" in texts
    assert all(isinstance(text, str) for text in texts.values())
    assert len(request["Message"].encode()) < 256 * 1024


def test_a_registered_model_tells_what_it_was_made_from(stack_of):
    steps = {step.state: step.request for step in steps_of(stack_of({}), {})}
    facts = steps["RegisterModel"]["CustomerMetadataProperties"]
    assert facts.keys() >= {"run", "panel", "code", "settings", "relative_mase"}
    assert (facts["code"], facts["relative_mase"]) == (CODE, "0.7")
    (container,) = steps["RegisterModel"]["InferenceSpecification"]["Containers"]
    assert container["ModelDataUrl"].startswith(steps["Train"]["OutputDataConfig"]["S3OutputPath"])


def test_every_job_writes_only_into_its_own_run(stack_of):
    for step in jobs(steps_of(stack_of({}), WITH_HISTORY | {"given": {"mode": "train"}})):
        outputs = step.request.get("ProcessingOutputConfig", {}).get("Outputs", [])
        written = [one["S3Output"]["S3Uri"] for one in outputs] or [step.request["OutputDataConfig"]["S3OutputPath"]]
        run = re.compile(
            r"s3://headroom-artifactbucket/runs/demo/20261031T060000Z-[0-9a-f]{8}/(panel|model|assessment)/?"
        )
        assert all(run.fullmatch(uri) for uri in written), written


@pytest.mark.parametrize("dataset", ["demo", "demo2", "de"])
@pytest.mark.parametrize("name", [name for name, run in RUNS.items() if "given" not in run])
def test_no_request_of_a_run_names_anything_of_another_dataset(stack_of, name, dataset):
    """What isolates datasets: folders that end with a slash, and a model group's whole name."""
    found = steps_of(stack_of(RUNS[name].get("parameters", {})), RUNS[name] | {"given": {"dataset": dataset}})
    steps = [step for step in found if step.state != "NotifyCompletion"]  # whose text is made up here
    uris = {uri for step in steps for uri in re.findall(r's3://[^"]+', json.dumps(step.request))}
    ours = re.compile(rf"s3://(headroom-artifactbucket/(code|(runs|challenger)/{dataset})/[^/]+(/.*)?|own/w/)")
    registered = {KNOWN.approved.uri} if KNOWN.approved else set()  # as this test says
    assert [uri for uri in uris - registered if not ours.fullmatch(uri)] == []
    groups = {step.request["ModelPackageGroupName"] for step in steps if "ModelPackageGroupName" in step.request}
    assert groups <= {f"headroom-{dataset}"}


def test_every_path_that_a_job_is_told_of_is_an_input_or_output_of_it(stack_of):
    for step in jobs(steps_of(stack_of({}), {})):
        request = step.request
        mounted = [one["S3Input"]["LocalPath"] for one in request.get("ProcessingInputs", [])]
        mounted += [
            one["S3Output"]["LocalPath"] for one in request.get("ProcessingOutputConfig", {}).get("Outputs", [])
        ]
        mounted += [f"/opt/ml/input/data/{one['ChannelName']}" for one in request.get("InputDataConfig", [])]
        mounted += ["/opt/ml/model", "/opt/ml/output"]
        for path in words_of(request):
            if path.startswith("/"):
                assert any(path == folder or path.startswith(f"{folder}/") for folder in mounted), path


def words_of(request: dict[str, Any]) -> list[str]:
    """What a job's container is told: its command line, or the hyperparameters that script mode makes one of."""
    if "AppSpecification" in request:
        container = request["AppSpecification"]
        return [*container["ContainerEntrypoint"], *container["ContainerArguments"]]
    return [word for name, value in request["HyperParameters"].items() for word in (f"--{name}", value)]


def test_every_job_is_started_by_the_entry_that_its_code_has(stack_of):
    for step in jobs(steps_of(stack_of({}), {})):
        given = step.request.get("HyperParameters")
        if given:
            folder = f"{given['sagemaker_submit_directory']}/{given['sagemaker_program']}"
            assert folder == "/opt/ml/input/data/code/run.sh"
        else:
            assert words_of(step.request)[:2] == ["bash", "/opt/ml/processing/input/code/run.sh"]


def test_a_training_job_has_no_field_that_step_functions_may_not_know(stack_of):
    (train,) = (step.request for step in steps_of(stack_of({}), {}) if step.state == "Train")
    assert doubtful("CreateTrainingJob", train) == []
    assert train.keys() == {
        "TrainingJobName", "RoleArn", "AlgorithmSpecification", "HyperParameters", "InputDataConfig",
        "OutputDataConfig", "ResourceConfig", "StoppingCondition", "Tags",
    }, "what is optional is left out by default"  # fmt: skip


def test_keys_isolation_and_spot_reach_every_job_that_knows_them(stack_of):
    steps = {step.state: step.request for step in steps_of(stack_of(LOCKED), {})}
    for state in ("Preprocess", "AssessRisk"):
        assert steps[state]["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"] == KEY
        assert steps[state]["NetworkConfig"]["EnableNetworkIsolation"] is True
    train = steps["Train"]
    assert train["ResourceConfig"]["VolumeKmsKeyId"] == KEY
    assert train["OutputDataConfig"]["KmsKeyId"] == KEY
    assert train["OutputDataConfig"]["S3OutputPath"].endswith("/model/")
    assert train["EnableNetworkIsolation"] is True
    assert train["EnableManagedSpotTraining"] is True
    limits = train["StoppingCondition"]
    assert limits["MaxRuntimeInSeconds"] <= limits["MaxWaitTimeInSeconds"]
    definition = machine.definition(stack_of(LOCKED))
    assert limits["MaxWaitTimeInSeconds"] < definition["States"]["Train"]["TimeoutSeconds"]


def test_every_job_is_given_arguments_that_its_program_takes(stack_of):
    for step in jobs(steps_of(stack_of({}), {})):
        words = words_of(step.request)
        arguments = words[words.index("--job") :] if "AppSpecification" in step.request else words
        given = dict(zip(arguments[::2], arguments[1::2], strict=True))
        program, message = given.pop("--job"), given.pop("--message")
        assert message == ("/opt/ml/output/failure" if program == "train" else "/opt/ml/output/message")
        given = {flag: value for flag, value in given.items() if not flag.startswith("--sagemaker_")}
        source = (ROOT / "processing" / "headroom" / f"{program}.py").read_text(encoding="utf-8")
        added = [
            node for node in ast.walk(ast.parse(source)) if ast.unparse(node).startswith("arguments.add_argument(")
        ]
        flags = {
            ast.literal_eval(call.args[0]): any(keyword.arg == "required" for keyword in call.keywords)
            for call in added
            if isinstance(call, ast.Call)
        }
        assert set(given) <= set(flags), program
        assert {flag for flag, required in flags.items() if required} <= set(given), program
        assert given.pop("--engine", "machine") in ("machine", "spark")
        assert given.pop("--challenged", "off") == "off"
        assert all(value.startswith("/opt/ml/") for value in given.values())


def test_the_image_is_the_regions_own_unless_another_is_given(stack_of):
    def images(stack: Stack) -> set[str]:
        specifications = [
            step.request.get("AppSpecification") or step.request["AlgorithmSpecification"]
            for step in jobs(steps_of(stack, {}))
        ]
        return {one.get("ImageUri") or one["TrainingImage"] for one in specifications}

    own = "492215442770.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
    assert images(stack_of({})) == {own}
    (container,) = next(
        step.request["InferenceSpecification"]["Containers"]
        for step in steps_of(stack_of({}), {})
        if step.state == "RegisterModel"
    )
    assert container["Image"] == own
    assert images(stack_of({"ImageUri": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/jobs:1"})) == {
        "123456789012.dkr.ecr.eu-central-1.amazonaws.com/jobs:1"
    }


def test_spark_reads_and_assesses_on_the_machines_and_in_the_image_that_are_meant_for_it_and_does_no_other_job(
    stack_of,
):
    run = {"given": {"overrides": SPARK}}
    steps = {step.state: step.request for step in jobs(steps_of(stack_of({}), run))}
    default = {step.state: step.request for step in jobs(steps_of(stack_of({"Engine": "spark"}), {}))}
    for state, job in (("Preprocess", "preprocess"), ("AssessRisk", "assess")):
        request = steps.pop(state)
        assert request["AppSpecification"]["ImageUri"] == (
            "906073651304.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-spark-processing:3.5-cpu-py312-v1.3"
        )
        assert words_of(request)[2:6] == ["--job", job, "--engine", "spark"]
        assert request["ProcessingResources"]["ClusterConfig"] == {
            "InstanceType": "ml.r5.8xlarge", "InstanceCount": 20, "VolumeSizeInGB": 500,
        }  # fmt: skip
        cluster = default[state]["ProcessingResources"]["ClusterConfig"]
        assert (cluster["InstanceType"], cluster["InstanceCount"]) == ("ml.r5.4xlarge", 4)
    for request in steps.values():
        assert "spark" not in json.dumps(request)


def test_every_instance_of_spark_has_every_input_whole(stack_of):
    """Executors read files and rows from their own disk: a shard of an input would be a part of the fleet."""
    steps = {step.state: step.request for step in steps_of(stack_of({"Engine": "spark"}), {})}
    for one in [*steps["Preprocess"]["ProcessingInputs"], *steps["AssessRisk"]["ProcessingInputs"]]:
        assert one["S3Input"]["S3DataDistributionType"] == "FullyReplicated", one["InputName"]


def test_spark_is_refused_where_its_instances_would_have_no_network():
    with pytest.raises(planning.CannotPlan, match=r"Spark's instances must reach each other.*NetworkIsolation=false"):
        steps_of(Stack(**LOCKED, Engine="spark"), {})


def test_a_region_without_aws_spark_image_says_what_to_do():
    with pytest.raises(planning.CannotPlan, match=r"Spark image is not known for region mars-north-1.*SparkImageUri"):
        steps_of(Stack(region="mars-north-1", ImageUri=IMAGE, Engine="spark"), {})


def test_a_region_without_aws_image_deploys_and_runs_with_one_of_ones_own():
    for step in jobs(steps_of(Stack(region="mars-north-1", ImageUri=IMAGE), {})):
        container = step.request.get("AppSpecification") or step.request["AlgorithmSpecification"]
        assert (container.get("ImageUri") or container["TrainingImage"]) == IMAGE
    with pytest.raises(planning.CannotPlan, match=r"not known for region mars-north-1: deploy .* as ImageUri"):
        steps_of(Stack(region="mars-north-1"), {})


def test_everything_a_run_makes_is_tagged_with_dataset_and_run(stack_of):
    for step in jobs(steps_of(stack_of({}), {})):
        assert {tag["Key"] for tag in step.request["Tags"]} == {"project", "dataset", "run"}


# ---------------------------------------------------------------- the challenger

AUTOML_JOB = "arn:aws:sagemaker:eu-central-1:123456789012:automl-job/"
TRANSFORM_JOB = "arn:aws:sagemaker:eu-central-1:123456789012:transform-job/"
POSSIBLE = {"possible": True, "frequency": "1D", "horizon": 90, "series": 600, "seconds": 3.1}
BEST = {
    "InferenceContainers": [
        {"Image": "1.dkr.ecr.eu-central-1.amazonaws.com/a:1", "ModelDataUrl": "s3://a/b/model.tar.gz",
         "Environment": {"A": "b"}}
    ]
}  # fmt: skip
ENDED = {"AutoMLJobStatus": "Completed", "AutoMLJobSecondaryStatus": "Completed", "BestCandidate": BEST}
RUNNING = {"AutoMLJobStatus": "InProgress", "AutoMLJobSecondaryStatus": "TrainingModels"}
PARAMETERS = {
    "by default": {},
    "with keys and isolation": LOCKED,
    "in a network": VPC,
    "with the longest names": {"JobNamePrefix": "headroomprod"},
}


def challenge_of(stack: Stack, run: dict[str, Any], redrives: int = 0, retries: int = 0, **answers: Any) -> Any:
    """The requests of a challenger, and what it tells the run; ``answers`` by state, several one after the other."""
    run = run | {"config": "challenger: true\n"}
    (start,) = (step for step in steps_of(stack, run, redrives, retries) if step.state == "Challenge")
    given = answers | {"DescribeAutoMLJob": answers.get("DescribeAutoMLJob", [RUNNING, ENDED])}
    states = {name: iter(answer) for name, answer in given.items()}
    results: dict[str, Any] = {
        "Prepare": {"ExitMessage": json.dumps(POSSIBLE)},
        "CreateAutoMLJob": lambda request: {"AutoMLJobArn": AUTOML_JOB + request["AutoMLJobName"]},
        "StopAutoMLJob": {},
        "CreateModel": {"ModelArn": "arn:x"},
        "CreateTransformJob": lambda request: {"TransformJobArn": TRANSFORM_JOB + request["TransformJobName"]},
        "DescribeTransformJob": {"TransformJobStatus": "Completed"},
        "StopTransformJob": {},
        "DeleteModel": {},
    } | {name: (lambda _request, answer=answer: next(answer)) for name, answer in states.items()}
    told: dict[str, Any] = {}
    definition = copy.deepcopy(machine.definition(stack, "ChallengerMachine"))
    definition["States"]["Tell"] |= {
        "Type": "Task",
        "Resource": "told",
        "Arguments": definition["States"]["Tell"]["Output"],
    }
    results["Tell"] = lambda request: told.update(request) or request
    steps = machine.walk(definition, start.request["Input"], results, redrives, retries)
    return [step for step in steps if step.state != "Tell"], told["outcome"]


@pytest.mark.parametrize(("redrives", "retries"), [(0, 0), (1, 0), (0, 25), (99, 0)])
@pytest.mark.parametrize("name", PARAMETERS)
def test_every_request_of_a_challenger_is_one_that_the_service_takes(name, redrives, retries, stack_of):
    stack = stack_of(PARAMETERS[name] | {"Challenger": "on"})
    steps, outcome = challenge_of(stack, {}, redrives, retries)
    assert outcome == "completed"
    assert [step.state for step in steps] == [
        "Prepare", "CreateAutoMLJob", "DescribeAutoMLJob", "DescribeAutoMLJob", "CreateModel", "CreateTransformJob",
        "DescribeTransformJob", "DeleteModel",
    ]  # fmt: skip
    for step in steps:
        assert problems_of(step) == [], step.state
    requests = {step.state: step.request for step in steps}
    automl.check_automl(requests["CreateAutoMLJob"])
    automl.check_transform(requests["CreateTransformJob"])
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}", requests["CreateAutoMLJob"]["AutoMLJobName"])


def test_a_challenger_is_asked_for_the_window_of_our_backtest_and_bounded_in_time(stack_of):
    steps, _ = challenge_of(stack_of({"Challenger": "on", "ChallengerMinutes": "45"}), {})
    (request,) = (step.request for step in steps if step.state == "CreateAutoMLJob")
    asked = request["AutoMLProblemTypeConfig"]["TimeSeriesForecastingJobConfig"]
    assert (asked["ForecastFrequency"], asked["ForecastHorizon"]) == ("1D", 90)
    assert asked["CompletionCriteria"] == {"MaxAutoMLJobRuntimeInSeconds": 45 * 60}
    assert asked["ForecastQuantiles"] == challenger.QUANTILES
    columns = asked["TimeSeriesConfig"]
    assert (columns["ItemIdentifierAttributeName"], columns["TimestampAttributeName"]) == (
        challenger.ITEM, challenger.TIME,
    )  # fmt: skip
    assert set(asked["Transformations"]["Filling"]) == {columns["TargetAttributeName"]} == {challenger.VALUE}


def test_a_challenger_reads_and_writes_nothing_of_the_run_but_its_model(stack_of):
    steps, _ = challenge_of(stack_of({"Challenger": "on"}), {})
    of_run = {"Prepare"}
    for step in steps:
        uris = re.findall(r's3://headroom[^"]+', json.dumps(step.request))
        own = re.compile(r"s3://headroom-artifactbucket/challenger/demo/20261031T060000Z-[0-9a-f]{8}(/.*)?")
        assert step.state in of_run or all(own.fullmatch(uri) for uri in uris), step.state
    roles = {step.request.get("RoleArn") or step.request.get("ExecutionRoleArn") for step in steps[1:]} - {None}
    assert roles == {stack_of({"Challenger": "on"}).arn("ChallengerRole")}


OUTCOMES: dict[str, tuple[dict[str, Any], str]] = {
    "not possible": (
        {"Prepare": [{"ExitMessage": json.dumps({"possible": False, "reason": "the history is too short"})}]},
        "the history is too short",
    ),
    "failed": (
        {
            "DescribeAutoMLJob": [
                {"AutoMLJobStatus": "Failed", "AutoMLJobSecondaryStatus": "Failed", "FailureReason": "x"}
            ]
        },
        "the AutoML job ended without a model: Failed, Failed: x",
    ),
    "out of time without a model": (
        {
            "DescribeAutoMLJob": [
                {"AutoMLJobStatus": "Stopped", "AutoMLJobSecondaryStatus": "MaxAutoMLJobRuntimeReached"}
            ]
        },
        "the AutoML job ended without a model: Stopped, MaxAutoMLJobRuntimeReached",
    ),
    "out of time with a model": ({"DescribeAutoMLJob": [ENDED | {"AutoMLJobStatus": "Stopped"}]}, "completed"),
    "never ends": (
        {"DescribeAutoMLJob": [RUNNING] * 1000},
        "the AutoML job did not end within an hour after its time limit, and was stopped",
    ),
    "no forecast": (
        {"DescribeTransformJob": [{"TransformJobStatus": "Failed", "FailureReason": "y" * 1000}]},
        f"its batch transform ended badly: Failed: {'y' * 1000}"[:240],
    ),
    "a forecast that never ends": (
        {"DescribeTransformJob": [{"TransformJobStatus": "InProgress"}] * 1000},
        "its batch transform did not end within two hours, and was stopped",
    ),
}


@pytest.mark.parametrize("case", OUTCOMES)
def test_however_a_challenger_ends_it_says_so_and_leaves_no_model(case, stack_of):
    answers, expected = OUTCOMES[case]
    steps, outcome = challenge_of(stack_of({"Challenger": "on"}), {}, **answers)
    assert outcome == expected
    states = [step.state for step in steps]
    assert states.count("CreateModel") == states.count("DeleteModel")
    assert ("StopAutoMLJob" in states, "StopTransformJob" in states) == (
        case == "never ends", case == "a forecast that never ends",
    )  # fmt: skip


def test_what_became_of_a_challenger_reaches_the_assessment(stack_of):
    def told(run: dict[str, Any]) -> tuple[str, str]:
        (request,) = (
            step.request for step in steps_of(stack_of(run.get("parameters", {})), run) if step.state == "AssessRisk"
        )
        words = request["AppSpecification"]["ContainerArguments"]
        (uri,) = (one["S3Input"]["S3Uri"] for one in request["ProcessingInputs"] if one["InputName"] == "challenger")
        return words[words.index("--challenged") + 1], uri.rpartition("-")[2].partition("/")[2]

    run = RUNS["a challenger"]
    assert told(run) == ("completed", "result/")
    assert told(run | {"outcome": "the AutoML job failed"}) == ("the AutoML job failed", "manifest.json")
    assert told(RUNS["the first run"]) == ("off", "manifest.json")


def test_the_estimate_counts_automl_at_its_time_limit_and_so_does_the_ceiling(stack_of):
    def estimate(run: dict[str, Any], **ceiling: str) -> str:
        stack = Stack(region="us-east-1", **run.get("parameters", {}), **ceiling)
        function = stack.of_type("AWS::Lambda::Function")["PlanFunction"]
        environment = PlanSettings.model_validate(function["Environment"]["Variables"])
        given = plan.parse_input({"dataset": "demo"})
        execution = {"arn": "arn:x", "name": "x", "started": "2026-10-31T06:00:00Z"}
        found = planning.Found(
            State(), ARRIVED, {f.item for f in ARRIVED}, planning.Before(), Models(), CODE, run.get("config", "")
        )
        _, texts = planning.make_plan(environment, given, execution, found, NOW)
        return json.loads(texts["manifest.json"])["cost_estimate"]

    told = estimate(RUNS["a challenger"])
    assert "transform 4 min on ml.m5.4xlarge" in told
    assert "AutoML at most 120 min, assumed to be on 6 × ml.m5.12xlarge" in told
    assert float(told.split()[1]) > 2 * 6 * 2.765
    assert "AutoML" not in estimate(RUNS["a challenger that nobody wants"], MaxRunCostUsd="10")
    with pytest.raises(planning.CannotPlan, match=r"the run would cost about 33\.\d\d USD .*AutoML at most 120 min"):
        estimate(RUNS["a challenger"], MaxRunCostUsd="10")


BREAKS: dict[str, Any] = {
    "an input without an address": ("Preprocess", lambda r: r["ProcessingInputs"][0]["S3Input"].update(S3Uri="code/")),
    "an unknown field": ("Preprocess", lambda r: r.update(InstanceType="ml.m5.large")),
    "an unknown data type": (
        "Train",
        lambda r: r["InputDataConfig"][0]["DataSource"]["S3DataSource"].update(S3DataType="X"),
    ),
    "a number as text": ("Train", lambda r: r["ResourceConfig"].update(VolumeSizeInGB="30")),
    "an unknown instance type": (
        "AssessRisk",
        lambda r: r["ProcessingResources"]["ClusterConfig"].update(InstanceType="ml.m5.huge"),
    ),
    "a name too long": ("Train", lambda r: r.update(TrainingJobName="a" * 64)),
    "a name with a dot": ("Preprocess", lambda r: r.update(ProcessingJobName="a.b")),
    "no role": ("AssessRisk", lambda r: r.pop("RoleArn")),
    "a hyperparameter too long": ("Train", lambda r: r["HyperParameters"].update(panel="x" * 2501)),
    "too many arguments": (
        "AssessRisk",
        lambda r: r["AppSpecification"].update(ContainerArguments=["x"] * 101),
    ),
    "no topic's message": ("NotifyCompletion", lambda r: r.pop("Message")),
    "an unknown approval": ("RegisterModel", lambda r: r.update(ModelApprovalStatus="Perhaps")),
    "a group by a name with a space": ("MakeModelGroup", lambda r: r.update(ModelPackageGroupName="a b")),
    "a function by no name": ("PlanRun", lambda r: r.update(FunctionName="")),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_these_tests_see(broken, stack_of):
    state, breaks = BREAKS[broken]
    (step,) = (step for step in steps_of(stack_of({}), {}) if step.state == state)
    request = copy.deepcopy(step.request)
    breaks(request)
    assert problems_of(machine.Step(step.state, step.resource, request)) != []
