"""What SageMaker's requests say of machines, networks and keys: the stack's, or what a run overrides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from environment import PlanSettings
    from run_input import Override


def machine(environment: PlanSettings, job: str, override: Override) -> dict[str, Any]:
    """Instance type, count and volume of a job: the stack's, or what this run overrides."""
    return {
        "instance_type": override.instance_type or getattr(environment, f"{job}_instance_type"),
        "instance_count": override.instance_count or 1,
        "volume_gb": override.volume_gb or getattr(environment, f"{job}_volume_gb"),
    }


def spark_machines(environment: PlanSettings, job: str, override: Override) -> dict[str, Any]:
    """Instance type, count and volume of a job on Spark."""
    return {
        "instance_type": override.instance_type or environment.spark_instance_type,
        "instance_count": override.instance_count or environment.spark_instances,
        "volume_gb": override.volume_gb or getattr(environment, f"{job}_volume_gb"),
    }


def cluster(environment: PlanSettings, machine: dict[str, Any]) -> dict[str, Any]:
    """A job's machine as SageMaker's requests have it."""
    key = {"VolumeKmsKeyId": environment.volume_key_arn} if environment.volume_key_arn else {}
    return {
        "InstanceType": machine["instance_type"],
        "InstanceCount": machine["instance_count"],
        "VolumeSizeInGB": machine["volume_gb"],
    } | key


def vpc(environment: PlanSettings) -> dict[str, Any]:
    """``VpcConfig``, which must be absent where the jobs have no subnets."""
    if not environment.subnet_ids:
        return {}
    return {"VpcConfig": {"SecurityGroupIds": environment.security_group_ids, "Subnets": environment.subnet_ids}}


def training_options(environment: PlanSettings, run_uri: str) -> dict[str, Any]:
    """What Train's request holds only where the stack asks for it; the state machine merges it over the rest."""
    options = vpc(environment)
    if environment.network_isolation:
        options["EnableNetworkIsolation"] = True
    if environment.output_key_arn:
        options["OutputDataConfig"] = {"S3OutputPath": f"{run_uri}/model/", "KmsKeyId": environment.output_key_arn}
    if environment.train_on_spot:
        options["EnableManagedSpotTraining"] = True
        options["StoppingCondition"] = {"MaxRuntimeInSeconds": 10_800, "MaxWaitTimeInSeconds": 14_100}
    return options


def challenger_of(environment: PlanSettings, dataset: str, run_id: str, token: str) -> dict[str, Any]:
    """What the challenger's state machine is given: names, places and machines.

    Its files lie apart from the run's, where they expire: AutoML leaves models that nobody uses again. The name of an
    AutoML job has at most 32 characters, of which each attempt adds some.
    """
    folder = f"s3://{environment.artifact_bucket}/challenger/{dataset}/{run_id}"
    key = {"KmsKeyId": environment.output_key_arn} if environment.output_key_arn else {}
    volume = {"VolumeKmsKeyId": environment.volume_key_arn} if environment.volume_key_arn else {}
    return {
        "machine": environment.challenger_arn,
        "name": f"{environment.job_name_prefix}-{token}",
        "uri": folder,
        "seconds": 60 * environment.challenger_minutes,
        "automl_output": {"S3OutputPath": f"{folder}/automl"} | key,
        "security": {"EnableInterContainerTrafficEncryption": False} | vpc(environment) | volume,
        "model_options": vpc(environment) | {"EnableNetworkIsolation": environment.network_isolation},
        "transform_output": {"S3OutputPath": f"{folder}/result/forecast", "AssembleWith": "Line"} | key,
        "transform_resources": {"InstanceType": environment.challenger_instance_type, "InstanceCount": 1} | volume,
    }
