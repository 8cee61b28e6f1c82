"""What a job's container does before the job: ``run.sh`` in an image that carries nothing of ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def container(tmp_path: Path) -> Path:
    """The folders of a processing job, with the job code as PlanRun puts it there."""
    code = tmp_path / "input" / "code"
    shutil.copytree(ROOT / "processing", code)
    shutil.copy(ROOT / "requirements" / "jobs.txt", code)
    (tmp_path / "input" / "wheels").mkdir()
    raw = tmp_path / "input" / "raw"
    raw.mkdir()
    (raw / "web-1.csv").write_text("timestamp,cpu\n2026-01-01,50\n2026-01-02,60\n")
    return tmp_path


def run(container: Path, python: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The job as SageMaker starts it; ``python`` is the image's folder of programs."""
    words = ["--job", "preprocess", "--message", container / "output" / "message"]
    words += ["--raw", container / "input" / "raw", "--panel", container / "output" / "panel"]
    return subprocess.run(
        [shutil.which("bash"), container / "input" / "code" / "run.sh", *words],
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        | {"PATH": f"{python}{os.pathsep}{os.environ['PATH']}", "TMPDIR": str(container)}
        | variables,
        capture_output=True,
        text=True,
        check=False,
    )


# The interpreter behind our virtual environment has none of the libraries, as AWS's image has other versions of them.
BARE = Path(sys.base_prefix) / "bin"


def test_an_image_without_the_libraries_gets_an_environment_of_its_own(container: Path) -> None:
    """All of it: script mode puts the image's packages into PYTHONPATH, where pip would take them for the job's own."""
    done = run(container, BARE, PYTHONPATH=sysconfig.get_path("purelib"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "installing the job's libraries" in done.stdout
    assert json.loads((container / "output" / "message").read_text())["servers"] == 1
    assert (container / "output" / "panel" / "panel.parquet").exists()
    (venv,) = container.glob("tmp.*/venv/lib/python3*/site-packages")
    assert (venv / "duckdb").is_dir()


def test_an_image_that_carries_the_lock_installs_nothing(container: Path) -> None:
    done = run(container, Path(sys.prefix) / "bin")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "installing" not in done.stdout


def test_libraries_that_cannot_be_installed_are_the_jobs_last_word(container: Path) -> None:
    (container / "input" / "wheels" / "other-1.0-py3-none-any.whl").write_bytes(b"")
    done = run(container, BARE)
    assert done.returncode == 1
    assert "WheelhouseUri" in (container / "output" / "message").read_text()


def test_an_image_without_cmp_is_still_seen_to_carry_the_lock(container: Path) -> None:
    """AWS's image has no `cmp`: a custom image built on it would install everything again in every job."""
    programs = container / "bin"
    programs.mkdir()
    for name in ("dirname", "mkdir", "mktemp", "ln", "env"):
        (programs / name).symlink_to(shutil.which(name))
    done = run(container, programs, PATH=os.pathsep.join([str(Path(sys.prefix) / "bin"), str(programs)]))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "installing" not in done.stdout
