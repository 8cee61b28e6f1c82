"""Preprocess and AssessRisk on Spark: the entry of AWS's Spark image, and a whole run on the laptop cloud."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import drops
import pytest
from fleet_in_blocks import assessed, files, write
from intake_in_parts import same
from integration.service import Service

from headroom import preprocess
from local import spark
from local.emulator import jobs

pytestmark = pytest.mark.skipif(spark.missing() is not None, reason=str(spark.missing()))
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("fleet"))


@pytest.fixture
def container(tmp_path: Path, fleet: Path) -> Path:
    """The folders of a processing job on two instances, with the job code as PlanRun puts it there."""
    ml = tmp_path / "opt" / "ml"
    inputs = ml / "processing" / "input"
    shutil.copytree(ROOT / "processing", inputs / "code")
    shutil.copy(ROOT / "requirements" / "jobs.txt", inputs / "code")
    shutil.copytree(fleet, inputs / "panel", ignore=shutil.ignore_patterns("model"))
    # The model as Train leaves it.
    shutil.make_archive(str(inputs / "model" / "model"), "gztar", fleet / "model")
    for name in ("config", "output"):
        (ml / name).mkdir()
    (ml / "config" / "resourceconfig.json").write_text('{"current_host": "algo-1", "hosts": ["algo-1", "algo-2"]}')
    return tmp_path


def start(container: Path, name: str = "assess") -> subprocess.CompletedProcess[str]:
    """The job as SageMaker starts it in the Spark image."""
    job = jobs.Job("Processing", {"ProcessingJobName": "j", "ProcessingJobStatus": "InProgress"}, {}, "", "", container)
    path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"])
    ml = job.ml / "processing"
    folders = {
        "assess": {"--panel": "input/panel", "--model": "input/model", "--assessment": "output/assessment"},
        "preprocess": {"--raw": "input/raw", "--panel": "output/panel"},
    }[name]
    flags = {"--job": name, "--engine": "spark", "--message": str(job.ml / "output" / "message")}
    flags |= {flag: str(ml / folder) for flag, folder in folders.items()}
    words = [word for flag in flags.items() for word in flag]
    environment = {"PATH": path, "HOME": str(container), "TMPDIR": str(container)} | jobs._spark(job, path)
    # Which instructions the linear algebra uses changes the last digits; machines may have chosen for all programs.
    environment |= {name: value for name, value in os.environ.items() if name.startswith("OPENBLAS_")}
    command = ["bash", str(ml / "input" / "code" / "run.sh"), *words]
    return subprocess.run(command, cwd=container, env=environment, capture_output=True, text=True, check=False)


def test_a_job_on_spark_gives_what_it_gives_on_one_machine(container: Path, fleet: Path, tmp_path: Path) -> None:
    done = start(container)
    assert done.returncode == 0, done.stdout + done.stderr
    ml = container / "opt" / "ml"
    assert json.loads((ml / "output" / "message").read_text())["servers"] == 24
    assert files(ml / "processing" / "output" / "assessment") == files(assessed(fleet, tmp_path / "alone"))


def test_preprocess_on_spark_gives_what_it_gives_on_one_machine(container: Path, tmp_path: Path) -> None:
    raw = container / "opt" / "ml" / "processing" / "input" / "raw"
    for name, content in drops.many_things().runs[0].items():
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    done = start(container, "preprocess")
    assert done.returncode == 0, done.stdout + done.stderr
    preprocess.preprocess(raw, None, None, None, tmp_path / "alone")
    same([files(tmp_path / "alone")], [files(container / "opt" / "ml" / "processing" / "output" / "panel")])


def test_the_reason_of_a_failure_is_the_jobs_and_not_the_sentence_that_smspark_submit_writes_over_it(
    container: Path,
) -> None:
    shutil.rmtree(container / "opt" / "ml" / "processing" / "input" / "model")
    done = start(container)
    assert done.returncode == 1
    assert "spark failed with a non-zero exit code" in done.stderr
    assert "cannot be read" in (container / "opt" / "ml" / "output" / "message").read_text()
    assert "train again" in (container / "opt" / "ml" / "output" / "message").read_text()


def test_a_run_on_spark_publishes_the_same_results(service: Service, months: dict[str, bytes]) -> None:
    first = service.outcome(service.drop_together_and_wait("sparks", months)[-1])["run_id"]
    before = len(service.executions("sparks"))
    given = {"dataset": "sparks", "mode": "score"}
    overrides = {"engine": "spark", "assess": {"instance_count": 2}}
    machine: dict[str, Any] = {
        "stateMachineArn": service.machine,
        "input": json.dumps(given | {"overrides": overrides}),
    }
    service.cloud.client("stepfunctions").start_execution(**machine)
    [execution] = service.wait("sparks", more_than=before)[before:]
    second = service.outcome(execution)["run_id"]
    assert service.read("sparks", first, "panel/panel.parquet") == service.read("sparks", second, "panel/panel.parquet")
    for name in ("risk_flagged_forecasts.parquet", "server_clusters.csv", "optimization_recommendations.csv"):
        name = f"assessment/{name}"
        assert service.read("sparks", first, name) == service.read("sparks", second, name), name
    told = "Spark on 2 × ml.r5.4xlarge (asked for)"
    assert service.read_json("sparks", second, "manifest.json")["engine"] == told
    assert told.encode() in service.read("sparks", second, "assessment/report.html")
    [letter] = service.mail(f"run {second}: published")
    assert f"Assessed by {told}." in letter.body and "Files read by Spark on 4 × ml.r5.4xlarge" in letter.body
