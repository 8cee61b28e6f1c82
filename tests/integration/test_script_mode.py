"""Train in script mode: what AWS's image makes of the request, by its own toolkit, and the laptop cloud the same.

``sagemaker-training`` is what the image starts a training job with. It runs here from an environment of its own
(``make .venv-toolkit/installed``, from requirements/toolkit.txt) in a folder that looks like the container's /opt/ml.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from infrastructure.stack import Stack
from infrastructure.test_requests import steps_of

from headroom.preprocess import preprocess
from local.emulator import jobs

ROOT = Path(__file__).parents[2]
KILLED = 'ExtraInfo "OutOfMemory: Process killed by SIGKILL (signal 9)"\n'
TOOLKIT = ROOT / ".venv-toolkit" / "bin" / "train"


@pytest.fixture(scope="session")
def toolkit() -> Path:
    """The program of the toolkit; installed here where ``make test`` has not done it."""
    done = subprocess.run(
        ["make", "--silent", ".venv-toolkit/installed", f"PYTHON={sys.executable}"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"make .venv-toolkit/installed failed:\n{done.stdout}{done.stderr}"
    return TOOLKIT


class Container:
    """A training job's folders, as SageMaker has made them when the image starts."""

    def __init__(self, folder: Path, request: dict[str, Any]) -> None:
        self.ml = folder / "opt" / "ml"
        self.request = request
        for part in ("input/config", "output/data", "model"):
            (self.ml / part).mkdir(parents=True)
        for channel in self.channels:
            (self.ml / "input" / "data" / channel).mkdir(parents=True)
        # SageMaker's host is called algo-1; here only localhost has an address.
        hosts = {"current_host": "localhost", "hosts": ["localhost"], "network_interface_name": "eth0"}
        self._configure("resourceconfig", hosts)
        self._configure("inputdataconfig", {channel: {"TrainingInputMode": "File"} for channel in self.channels})
        self._configure("hyperparameters", self.hyperparameters)

    @property
    def channels(self) -> list[str]:
        return [channel["ChannelName"] for channel in self.request["InputDataConfig"]]

    @property
    def hyperparameters(self) -> dict[str, str]:
        """The request's, with this folder in the place of the container's."""
        given = self.request["HyperParameters"]
        return {name: value.replace("/opt/ml", str(self.ml)) for name, value in given.items()}

    def _configure(self, name: str, content: Any) -> None:
        (self.ml / "input" / "config" / f"{name}.json").write_text(json.dumps(content))

    def channel(self, name: str) -> Path:
        return self.ml / "input" / "data" / name

    def failure(self) -> str:
        return (self.ml / "output" / "failure").read_text()

    def by_the_toolkit(self, program: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program], env=self._environment(), capture_output=True, text=True, check=False)

    def by_the_laptop_cloud(self) -> subprocess.CompletedProcess[str]:
        starts = jobs.script_mode(self.hyperparameters, self.channels, self.ml)
        done = subprocess.run(
            starts.words, cwd=starts.folder, env=self._environment() | starts.environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            done.returncode = jobs.leave_failure(self.ml, starts.words, done.returncode)
        return done

    def _environment(self) -> dict[str, str]:
        """The image's own python3 comes first, which here carries the jobs' libraries."""
        return {
            "PATH": os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ["PATH"]]),
            "SAGEMAKER_BASE_DIR": str(self.ml),
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "HOME": str(self.ml),
            "LANG": "C.UTF-8",
            "OMP_NUM_THREADS": "1",
        }


@pytest.fixture(scope="module")
def request_of_train() -> dict[str, Any]:
    """What the real state machine sends for Train."""
    (train,) = (step.request for step in steps_of(Stack(), {}) if step.state == "Train")
    return train


@pytest.fixture(params=["the image's toolkit", "the laptop cloud"])
def start(request: pytest.FixtureRequest, toolkit: Path) -> Any:
    """Starts a container in one of the two ways."""
    if request.param == "the laptop cloud":
        return Container.by_the_laptop_cloud
    return lambda container: container.by_the_toolkit(toolkit)


def with_program(container: Container, text: str) -> None:
    program = container.channel("code") / "run.sh"
    program.write_text(f"#!/bin/bash\n{text}\n")
    program.chmod(0o644)  # as it comes from S3


def test_the_hyperparameters_of_the_state_machine_train_a_model(
    request_of_train: dict[str, Any], tmp_path: Path, start: Any
) -> None:
    container = Container(tmp_path, request_of_train)
    shutil.copytree(
        ROOT / "processing", container.channel("code"), dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "requirements" / "jobs.txt", container.channel("code"))
    shutil.copy(ROOT / "requirements" / "jobs.txt", container.channel("wheels"))
    raw = tmp_path / "raw"
    raw.mkdir()
    days = pd.date_range("2026-01-01", periods=40, freq="D")
    samples = pd.DataFrame({"timestamp": days, "server_id": "web-1", "cpu": range(20, 60)})
    samples.to_csv(raw / "a.csv", index=False)
    preprocess(raw, None, None, None, container.channel("panel"))

    done = start(container)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (container.ml / "model" / "model_metrics.json").exists()
    assert not (container.ml / "output" / "failure").exists() or json.loads(container.failure())["series"] == 1
    assert '"relative_mase"' in done.stdout, "SageMaker reads the metric in the log"


def test_a_program_gets_its_flags_its_folder_and_its_channels(
    request_of_train: dict[str, Any], tmp_path: Path, start: Any
) -> None:
    container = Container(tmp_path, request_of_train)
    told = container.ml / "model" / "told"
    with_program(container, f'printf "%s\\n" "$PWD" "$SM_CHANNEL_WHEELS" "$PYTHONPATH" "$@" >{told}')
    assert start(container).returncode == 0
    folder, wheels, packages, *words = told.read_text().splitlines()
    assert folder == str(container.ml / "code")
    assert wheels == str(container.channel("wheels"))
    assert packages, "the packages of the image, which run.sh must not hand on to pip"
    ml = container.ml
    assert words == [
        "--job", "train", "--message", f"{ml}/output/failure", "--model", f"{ml}/model",
        "--panel", f"{ml}/input/data/panel",
    ]  # fmt: skip


def test_a_failing_jobs_own_reason_stays_the_reason(
    request_of_train: dict[str, Any], tmp_path: Path, start: Any
) -> None:
    container = Container(tmp_path, request_of_train)
    with_program(container, f"printf 'no rows left' >{container.ml}/output/failure; exit 3")
    assert start(container).returncode == 1
    assert container.failure() == "no rows left"


@pytest.mark.parametrize(("code", "more"), [(3, ""), (137, KILLED)])
def test_a_program_that_dies_without_a_word_has_its_exit_code_as_the_reason(
    request_of_train: dict[str, Any], tmp_path: Path, start: Any, code: int, more: str
) -> None:
    container = Container(tmp_path, request_of_train)
    with_program(container, f"exit {code}")
    assert start(container).returncode == 1
    command = "./run.sh " + " ".join(
        f"--{name} {value}"
        for name, value in sorted(container.hyperparameters.items())
        if not name.startswith("sagemaker_")
    )
    assert container.failure() == (
        f'ExecuteUserScriptError:\nExitCode {code}\nErrorMessage ""\n{more}Command "/bin/sh -c {command}"'
    )
