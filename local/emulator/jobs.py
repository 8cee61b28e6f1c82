"""Runs one SageMaker job on this machine: data in, the container's program as a subprocess, data out.

There is no container. The job gets a folder of its own, and every ``/opt/ml`` in its entry point, arguments and
environment becomes that folder's ``opt/ml``; the interpreter it finds first is this project's virtual environment,
which carries the same locked libraries as the job image does after ``run.sh``. Everything it does on AWS, it does
with the temporary credentials of the job's role.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import boto3
import botocore.loaders
import botocore.session
from botocore.config import Config

from local import spark
from local.cloud import ROOT
from local.emulator import smspark, transfer, warm
from local.emulator.logs import LogStream

GRACE_SECONDS = 120  # between SIGTERM and SIGKILL, as on SageMaker
MESSAGE_LENGTH = 1024  # of an exit message or failure reason
SERVICE_MODELS = botocore.loaders.create_loader()

# The laptop has few cores: later jobs wait, as they do on AWS for an instance.
places = threading.BoundedSemaphore(int(os.environ.get("HEADROOM_JOBS", "2")))

# Where the ``python3`` goes that starts jobs with their libraries loaded (None: every job loads them). The launcher
# sets it.
warm_programs: Path | None = None
kept: transfer.Kept | None = None  # what earlier jobs have fetched; the launcher sets it too
_warming = threading.Lock()


@dataclass
class Job:
    """One job. ``description`` is what Describe…Job answers; the runner keeps it current.

    ``model``: of a batch transform, what CreateModel was given.
    """

    kind: Literal["Processing", "Training", "AutoML", "Transform"]
    description: dict[str, Any]
    credentials: dict[str, Any]  # of the job's role, as boto3 takes them
    region: str
    endpoint: str
    folder: Path
    on_change: Callable[[Job], None] = lambda job: None
    model: dict[str, Any] | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def name(self) -> str:
        return self.description[f"{self.kind}JobName"]

    @property
    def status(self) -> str:
        return self.description[f"{self.kind}JobStatus"]

    @property
    def ml(self) -> Path:
        """The folder that the job knows as ``/opt/ml``."""
        return self.folder / "opt" / "ml"

    def update(self, status: str, secondary: str | None = None, message: str = "", **facts: Any) -> None:
        """Move on to ``status``; ``secondary`` is the finer one that training jobs have."""
        now = time.time()
        self.description.update(facts, **{f"{self.kind}JobStatus": status, "LastModifiedTime": now})
        if self.kind == "Training" and secondary:
            transitions = self.description["SecondaryStatusTransitions"]
            if transitions:
                transitions[-1]["EndTime"] = now
            transitions.append({"Status": secondary, "StartTime": now, "StatusMessage": message})
            if status in ("Completed", "Failed", "Stopped"):
                transitions[-1]["EndTime"] = now
            self.description["SecondaryStatus"] = secondary
        self.on_change(self)


class _Ended(Exception):
    """The job is over before its program ended well."""

    def __init__(self, status: str, secondary: str, reason: str = ""):
        self.status, self.secondary, self.reason = status, secondary, reason
        super().__init__(reason)


def run(job: Job) -> None:
    """Run ``job`` from beginning to end; everything that goes wrong is in its description afterwards."""
    job.update("InProgress", "Pending", "Waiting for a free place on this machine")
    try:
        while not places.acquire(timeout=0.2):
            if job.stop.is_set():
                raise _Ended("Stopped", "Stopped")
        try:
            _run(job)
        finally:
            places.release()
    except _Ended as end:
        _finish(job, end.status, end.secondary, end.reason)
    except Exception as error:
        _finish(job, "Failed", "Failed", f"InternalServerError: {type(error).__name__}: {error}")
        raise
    finally:
        if job.status != "Failed":
            shutil.rmtree(job.folder, ignore_errors=True)  # a failed job's folder stays, to look into
        job.done.set()


def _run(job: Job) -> None:
    # The services' models are read once and not once per job: that takes longer than what is asked of the services.
    known = botocore.session.get_session()
    known.register_component("data_loader", SERVICE_MODELS)
    session = boto3.Session(**job.credentials, region_name=job.region, botocore_session=known)
    s3 = session.client("s3", endpoint_url=job.endpoint, config=Config(s3={"addressing_style": "path"}))
    logs = session.client("logs", endpoint_url=job.endpoint, config=Config(retries={"total_max_attempts": 1}))

    job.update("InProgress", "Starting", "Preparing the instances for the job")
    shutil.rmtree(job.folder, ignore_errors=True)
    for folder in _folders(job):
        folder.mkdir(parents=True, exist_ok=True)
    job.update("InProgress", "Downloading", "Downloading input data")
    try:
        _download(job, s3)
    except transfer.TransferError as error:
        raise _Ended("Failed", "Failed", f"ClientError: Data download failed:{error}") from error
    _write_configuration(job)

    started = time.time()
    job.update("InProgress", "Training", "The job's program is running", **{f"{job.kind}StartTime": started})
    with LogStream(logs, f"/aws/sagemaker/{job.kind}Jobs", f"{job.name}/algo-1-{int(started)}") as log:
        if any(kind == "ManifestFile" for _, kind, _ in _inputs(job)):
            log.write(f"files of manifests lie under {'their whole keys' if whole_keys(job.name) else 'their names'}")
        code, timed_out = _run_program(job, log)
    job.description[f"{job.kind}EndTime"] = time.time()

    stopped = job.stop.is_set() or timed_out
    if job.kind == "Processing" and (last_word := _read(job.ml / "output" / "message")):
        job.description["ExitMessage"] = last_word
    if code != 0 and not stopped:
        _upload_training_output(job, s3, with_model=False)
        reason = _read(job.ml / "output" / "failure") if job.kind == "Training" else ""
        raise _Ended("Failed", "Failed", f"AlgorithmError: {reason}, exit code: {code}")
    job.update("Stopping" if stopped else "InProgress", "Uploading", "Uploading what the job wrote")
    try:
        if job.kind == "Training":
            _upload_training_output(job, s3, with_model=True)
        elif not stopped:
            for output in job.description.get("ProcessingOutputConfig", {}).get("Outputs", []):
                target = output["S3Output"]
                transfer.upload(s3, _local(job, target["LocalPath"]), target["S3Uri"])
    except transfer.TransferError as error:
        raise _Ended("Failed", "Failed", f"ClientError: Artifact upload failed:{error}") from error
    if timed_out:
        raise _Ended("Stopped", "MaxRuntimeExceeded")
    if stopped:
        raise _Ended("Stopped", "Stopped")
    _finish(job, "Completed", "Completed", "")


def _finish(job: Job, status: str, secondary: str, reason: str) -> None:
    ended = time.time()
    facts: dict[str, Any] = {f"{job.kind}EndTime": job.description.get(f"{job.kind}EndTime", ended)}
    if reason:
        facts["FailureReason"] = reason[:MESSAGE_LENGTH]
    if job.kind == "Training" and "TrainingStartTime" in job.description:
        seconds = max(1, round(facts["TrainingEndTime"] - job.description["TrainingStartTime"]))
        facts |= {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": seconds}
    messages = {"Completed": "Training job completed", "Stopped": "Training job stopped"}
    job.update(status, secondary, reason[:MESSAGE_LENGTH] or messages.get(status, ""), **facts)


def _folders(job: Job) -> list[Path]:
    """The folders that SageMaker has made before the program starts."""
    folders = [job.ml / "output", job.folder / "tmp", job.folder / "home"]
    if job.kind == "Training":
        folders += [job.ml / "model", job.ml / "output" / "data", job.ml / "input" / "config"]
    else:
        folders += [job.ml / "config"]
        for output in job.description.get("ProcessingOutputConfig", {}).get("Outputs", []):
            folders.append(_local(job, output["S3Output"]["LocalPath"]))
    return folders


def _download(job: Job, s3: Any) -> None:
    role, volume = job.description["RoleArn"], _volume_bytes(job)
    received = 0
    for uri, kind, folder in _inputs(job):
        folder.mkdir(parents=True, exist_ok=True)
        received += transfer.download(s3, uri, kind, folder, role, whole_keys(job.name), kept)
        if received > volume:
            raise transfer.TransferError(
                f" the input data ({received / 2**30:.1f} GB) does not fit on the volume ({volume / 2**30:.0f} GB): "
                "raise VolumeSizeInGB"
            )
        if job.stop.is_set():
            raise _Ended("Stopped", "Stopped")


def whole_keys(name: str) -> bool:
    """Whether the files of a job's manifests lie under their whole keys: either may be so on AWS, so either is so here.

    Drawn by the job's name, so that a test can choose.
    """
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 1


def _inputs(job: Job) -> list[tuple[str, str, Path]]:
    """(S3 address, S3Prefix or ManifestFile, folder) of each input."""
    if job.kind == "Training":
        channels = job.description.get("InputDataConfig", [])
        sources = [(channel["DataSource"]["S3DataSource"], channel["ChannelName"]) for channel in channels]
        return [(s["S3Uri"], s["S3DataType"], job.ml / "input" / "data" / name) for s, name in sources]
    inputs = [item["S3Input"] for item in job.description.get("ProcessingInputs", [])]
    return [(i["S3Uri"], i.get("S3DataType", "S3Prefix"), _local(job, i["LocalPath"])) for i in inputs]


def _volume_bytes(job: Job) -> int:
    resources = job.description.get("ResourceConfig") or job.description["ProcessingResources"]["ClusterConfig"]
    return resources["VolumeSizeInGB"] * 2**30


def _write_configuration(job: Job) -> None:
    """The files in which SageMaker tells a container about its job."""
    resources = job.description.get("ResourceConfig") or job.description["ProcessingResources"]["ClusterConfig"]
    names = [f"algo-{number + 1}" for number in range(resources["InstanceCount"])]
    hosts = {"current_host": "algo-1", "hosts": names, "network_interface_name": "eth0"}
    if job.kind == "Training":
        files = {
            "input/config/hyperparameters.json": job.description.get("HyperParameters", {}),
            "input/config/inputdataconfig.json": {
                c["ChannelName"]: {"TrainingInputMode": "File"} for c in job.description.get("InputDataConfig", [])
            },
            "input/config/resourceconfig.json": hosts,
        }
    else:
        known = ("ProcessingJobArn", "ProcessingJobName", "AppSpecification", "ProcessingInputs", "RoleArn",
                 "ProcessingOutputConfig", "ProcessingResources", "StoppingCondition", "Environment")  # fmt: skip
        files = {
            "config/processingjobconfig.json": {key: job.description[key] for key in known if key in job.description},
            "config/resourceconfig.json": hosts,
        }
    for name, content in files.items():
        (job.ml / name).write_text(json.dumps(content, indent=1), encoding="utf-8")


@dataclass(frozen=True)
class Program:
    """What a container starts: words, working directory, and variables beyond those of every job."""

    words: list[str]
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)


def program_of(job: Job) -> Program:
    """What the job's container starts: its entry point, or what script mode makes of the hyperparameters."""
    image = job.description.get("AppSpecification") or job.description["AlgorithmSpecification"]
    if "ContainerEntrypoint" in image:
        words = [*image["ContainerEntrypoint"], *image.get("ContainerArguments", [])]
        return Program([_relocated(job, word) for word in words], job.folder)
    return script_mode(
        {name: _relocated(job, value) for name, value in job.description["HyperParameters"].items()},
        [channel["ChannelName"] for channel in job.description.get("InputDataConfig", [])],
        job.ml,
    )


def script_mode(hyperparameters: dict[str, str], channels: list[str], ml: Path) -> Program:
    """What AWS's scikit-learn image does for a training job without an entry point of its own.

    As ``sagemaker-training`` 4.8.0 does it (``tests/integration/test_script_mode.py`` compares): the submitted folder
    is copied to ``ml/code``, and its program is started there by ``/bin/sh`` with the other hyperparameters as flags,
    sorted by name; Python programs also get the packages of the image by ``PYTHONPATH``.
    """
    code = ml / "code"
    shutil.copytree(hyperparameters["sagemaker_submit_directory"], code, symlinks=True)
    program = hyperparameters["sagemaker_program"]
    (code / program).chmod(0o777)
    flags = [
        word
        for name, value in sorted(hyperparameters.items())
        if not name.startswith("sagemaker_")
        for word in (f"--{name}", shlex.quote(value))
    ]
    environment = {f"SM_CHANNEL_{name.upper()}": str(ml / "input" / "data" / name) for name in channels}
    environment |= {"SM_MODEL_DIR": str(ml / "model"), "SM_OUTPUT_DIR": str(ml / "output")}
    environment |= {"PYTHONPATH": os.pathsep.join([str(code), *sys.path[1:]])}
    return Program(["/bin/sh", "-c", f"./{program} {' '.join(flags)}"], code, environment)


def script_mode_failure(words: list[str], code: int) -> str:
    """What the toolkit leaves as the reason of a failure where the program itself has left none."""
    killed = 'ExtraInfo "OutOfMemory: Process killed by SIGKILL (signal 9)"\n' if code == 137 else ""
    command = " ".join(words)
    return f'ExecuteUserScriptError:\nExitCode {code}\nErrorMessage ""\n{killed}Command "{command}"'


def leave_failure(ml: Path, words: list[str], code: int) -> int:
    """Do as the toolkit does where the program of script mode has failed; returns the container's exit code."""
    failure = ml / "output" / "failure"
    if not failure.exists():
        failure.write_text(script_mode_failure(words, code), encoding="utf-8")
    return 1


def _run_program(job: Job, log: LogStream) -> tuple[int, bool]:
    """Run the job's program to its end; returns its exit code and whether it ran out of time."""
    starts = program_of(job)
    limit = job.description["StoppingCondition"]["MaxRuntimeInSeconds"]
    try:
        program = subprocess.Popen(
            starts.words,
            cwd=starts.folder,
            env=_with_warm_programs(job, _environment(job)) | starts.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    except OSError as error:
        log.write(f"exec {starts.words[0]}: {error.strerror}")
        return 127, False
    reader = threading.Thread(target=log.copy, args=(program.stdout, lambda line: _measure(job, line)), daemon=True)
    reader.start()
    deadline, timed_out, stopping = time.monotonic() + limit, False, 0.0
    try:
        while program.poll() is None:
            if stopping and time.monotonic() > stopping + GRACE_SECONDS:
                _signal(program, signal.SIGKILL)
            elif not stopping and (job.stop.is_set() or time.monotonic() > deadline):
                timed_out, stopping = not job.stop.is_set(), time.monotonic()
                _signal(program, signal.SIGTERM)
            time.sleep(0.05)
    finally:
        _signal(program, signal.SIGKILL)  # whatever it left running in the background
        reader.join(timeout=10)
    code = program.returncode
    if code and starts.folder != job.folder:
        return leave_failure(job.ml, starts.words, code), timed_out
    return (code if code >= 0 else 128 - code), timed_out


def _measure(job: Job, line: str) -> None:
    """Keep what a training job's metric definitions find in its log; of each metric the last value is final."""
    for metric in job.description.get("AlgorithmSpecification", {}).get("MetricDefinitions", []):
        found = re.search(metric["Regex"], line)
        if found and found.groups():
            with contextlib.suppress(ValueError):
                value = {"MetricName": metric["Name"], "Value": float(found[1]), "Timestamp": time.time()}
                others = [
                    one for one in job.description.get("FinalMetricDataList", []) if one["MetricName"] != metric["Name"]
                ]
                job.description["FinalMetricDataList"] = [*others, value]


def _signal(program: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(program.pid, number)


def _environment(job: Job) -> dict[str, str]:
    """Nothing of the user's own environment: what a container would have, and the job's role."""
    environment = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(job.folder / "home"),
        "TMPDIR": str(job.folder / "tmp"),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "OMP_WAIT_POLICY": "PASSIVE",  # jobs share this machine's cores: waiting threads must not burn them
        "AWS_REGION": job.region,
        "AWS_DEFAULT_REGION": job.region,
        "AWS_ENDPOINT_URL": job.endpoint,
        "AWS_ACCESS_KEY_ID": job.credentials["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": job.credentials["aws_secret_access_key"],
        "AWS_SESSION_TOKEN": job.credentials["aws_session_token"],
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    if job.kind == "Training":
        environment["TRAINING_JOB_NAME"] = job.name
        environment["TRAINING_JOB_ARN"] = job.description["TrainingJobArn"]
    if smspark.is_spark_image(job.description.get("AppSpecification", {}).get("ImageUri", "")):
        environment |= _spark(job, environment["PATH"])
    given = job.description.get("Environment", {})
    return environment | {name: _relocated(job, value) for name, value in given.items()}


def _with_warm_programs(job: Job, environment: dict[str, str]) -> dict[str, str]:
    """The variables of a job with the quick ``python3`` first; its own ones may be for the libraries to read."""
    if warm_programs is None or job.description.get("Environment"):
        return environment
    with _warming:
        if not warm_programs.exists():
            warm_programs.mkdir(mode=0o700)
            own = {name: environment[name] for name in ("PATH", "LANG", "PYTHONUNBUFFERED", "OMP_WAIT_POLICY")}
            places = dict.fromkeys(("HOME", "TMPDIR"), str(warm_programs))
            warm.start(warm_programs, own | places)
    return environment | {"PATH": os.pathsep.join([str(warm_programs), environment["PATH"]])}


def _spark(job: Job, path: str) -> dict[str, str]:
    """What the Spark image has besides: ``smspark-submit``, and where this machine's Spark is."""
    program = job.folder / "bin" / "smspark-submit"
    program.parent.mkdir(exist_ok=True)
    words = shlex.join([sys.executable, "-m", "local.emulator.smspark"])
    program.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {words} "$@"\n')
    program.chmod(0o755)
    home = spark.home()
    return {"PATH": os.pathsep.join([str(program.parent), path])} | ({"SPARK_HOME": str(home)} if home else {})


_OPT_ML = re.compile(r"(?<![\w./-])/opt/ml(?![\w.-])")


def _relocated(job: Job, text: str) -> str:
    return _OPT_ML.sub(lambda _: str(job.ml), text)


def _local(job: Job, path: str) -> Path:
    """The folder that the job knows as ``path``, a path under ``/opt/ml`` (checked when the job was created)."""
    return job.ml.joinpath(*Path(path).relative_to("/opt/ml").parts)


def _upload_training_output(job: Job, s3: Any, with_model: bool) -> None:
    if job.kind != "Training":
        return
    output = job.description["OutputDataConfig"]
    uri = f"{output['S3OutputPath'].rstrip('/')}/{job.name}/output"
    parts = {"model": job.ml / "model", "output": job.ml / "output" / "data"}
    for name, folder in parts.items():
        if (name == "model" and not with_model) or not any(folder.iterdir()):
            continue
        if output.get("CompressionType") == "NONE":
            transfer.upload(s3, folder, f"{uri}/{name}")
            where = f"{uri}/{name}/"
        else:
            where = f"{uri}/{name}.tar.gz"
            transfer.upload_archive(s3, folder, where)
        if name == "model":
            job.description["ModelArtifacts"] = {"S3ModelArtifacts": where}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")[:MESSAGE_LENGTH]
    except OSError:
        return ""
