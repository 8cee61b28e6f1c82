"""The requests that a run would make of SageMaker, evaluated from the deployed definition and PlanRun's own plan."""

from __future__ import annotations

import json
from typing import Any

from cli.errors import CliError
from cli.requests import problems_of
from cli.stack import Stack
from cli.walk import EvaluationError, walk
from cli.watching import follow_arn

JOBS = {"Preprocess": "CreateProcessingJob", "Train": "CreateTrainingJob", "AssessRisk": "CreateProcessingJob"}


def rehearse(stack: Stack, start: dict[str, Any], started: str) -> dict[str, Any]:
    """What would come of a start: the plan in short, and the jobs' requests with what the service would object to.

    The model that a training makes is taken for one that is approved, as its error is not known before.

    Raises:
        CliError: PlanRun would refuse the run; its reason.
    """
    given, name = json.loads(start["input"]), start["name"]
    execution = {"arn": follow_arn(stack, name), "name": name, "started": started}
    plan = planned(stack, given, execution)
    definition = json.loads(
        stack.client("stepfunctions").describe_state_machine(stateMachineArn=stack.machine)["definition"]
    )
    facts = {"Id": execution["arn"], "Name": name, "StartTime": started}
    try:
        steps = walk(definition, given, results_of(plan), execution=facts)
    except EvaluationError as error:
        raise CliError(f"the state machine would fail: {error}") from error
    requests = [
        {
            "service": "sagemaker",
            "operation": JOBS[step.state],
            "problems": problems_of("sagemaker", JOBS[step.state], step.request),
            "request": step.request,
        }
        for step in steps
        if step.state in JOBS
    ]
    told = ("run_id", "train", "train_reason", "cost_estimate", "engine", "files", "notes", "running")
    return {"plan": {name: plan.get(name) for name in told}, "requests": requests}


def planned(stack: Stack, given: dict[str, Any], execution: dict[str, str]) -> dict[str, Any]:
    """The plan that PlanRun would make now; it locks, notes and writes nothing.

    Raises:
        CliError: it would refuse, or the stack is older than dry runs.
    """
    function = stack.outputs.get("PlanFunctionName")
    if function is None:
        raise CliError("this stack is older than dry runs of the command line: deploy the present template")
    payload = json.dumps({"input": given, "execution": execution, "dry_run": True}).encode()
    answer = stack.client("lambda").invoke(FunctionName=function, Payload=payload)
    result = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise CliError(f"the run would be refused: {result.get('errorMessage', result)}")
    return result


def results_of(plan: dict[str, Any]) -> dict[str, Any]:
    """What the tasks of a run that goes well would answer."""

    def trained(request: dict[str, Any]) -> dict[str, Any]:
        folder = f"{request['OutputDataConfig']['S3OutputPath']}{request['TrainingJobName']}"
        return {
            "ModelArtifacts": {"S3ModelArtifacts": f"{folder}/output/model.tar.gz"},
            "FinalMetricDataList": [{"MetricName": "relative_mase", "Value": 0.0, "Timestamp": 0}],
        }

    return {
        "PlanRun": {"Payload": plan},
        "Preprocess": {"ProcessingJobStatus": "Completed"},
        "Train": trained,
        "MakeModelGroup": {"ModelPackageGroupArn": "-"},
        "RegisterModel": {"ModelPackageArn": "-"},
        "Challenge": {"Output": {"outcome": "completed"}},
        "AssessRisk": {"ProcessingJobStatus": "Completed"},
        "Publish": {"Payload": {"status": "published", "level": "none", "subject": "-", "message": "-"}},
        "NotifyCompletion": {"MessageId": "-"},
    }
