"""The laptop cloud comes up, goes down, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import cloud as clouds
from local import processes
from local.cloud import ROOT, Cloud, CloudError


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Cloud]:
    cloud = clouds.start(tmp_path, clouds.free_port(), with_parent=True)
    yield cloud
    clouds.stop(cloud)


def test_starting_again_gives_the_cloud_that_is_up(own: Cloud) -> None:
    assert clouds.start(own.state, clouds.free_port()) == own
    with clouds.used(own.state) as same:
        assert same == own
    assert clouds.running(own.state) == own, "a cloud that was up before stays up"


def test_a_taken_port_is_told_with_the_way_out(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(CloudError, match="HEADROOM_PORT"):
            clouds.start(tmp_path, taken.getsockname()[1])


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clouds, "LEAST_FREE_BYTES", 2**60)
    with pytest.raises(CloudError, match="GB are free"):
        clouds.start(tmp_path, clouds.free_port())


def test_it_listens_on_loopback_only(own: Cloud) -> None:
    listening = {
        line.split()[1].split(":")[0]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and int(line.split()[1].split(":")[1], 16) == own.port
    }
    assert listening == {"0100007F"}


def test_stopping_ends_functions_and_jobs_too(own: Cloud) -> None:
    started = _start_something(own)
    assert processes.alive(started)
    clouds.stop(own)
    assert not processes.alive(started)
    assert not processes.alive(own.pid)
    assert processes.of_session(own.pid) == []
    assert clouds.running(own.state) is None


def test_a_cloud_ends_with_the_program_that_wanted_it_even_if_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from local import cloud\n"
        f"c = cloud.start(Path({str(tmp_path)!r}), cloud.free_port(), with_parent=True)\n"
        "print(c.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    assert processes.alive(pid)
    parent.kill()
    parent.wait()
    _wait_for(lambda: not processes.alive(pid))


def test_ctrl_c_in_the_demo_leaves_no_process(tmp_path: Path) -> None:
    environment = {**os.environ, "HEADROOM_STATE": str(tmp_path), "HEADROOM_PORT": str(clouds.free_port())}
    demo = subprocess.Popen(
        [sys.executable, "-m", "local", "demo"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        # As in a terminal: where tests run in the background, Ctrl-C is ignored from the start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    _wait_for(lambda: clouds.running(tmp_path) is not None)
    pid = clouds.running(tmp_path).pid
    os.killpg(demo.pid, signal.SIGINT)
    demo.communicate(timeout=30)
    assert demo.returncode != 0
    assert not processes.alive(pid)
    assert processes.of_session(pid) == []
    assert processes.of_session(demo.pid) == []


def test_up_when_up_and_down_when_down_are_friendly(tmp_path: Path) -> None:
    environment = {**os.environ, "HEADROOM_STATE": str(tmp_path)}
    for command, words in (("down", "not up"), ("status", "not up"), ("mailbox", "empty"), ("test-env", "not up")):
        done = subprocess.run(
            [sys.executable, "-m", "local", command], cwd=ROOT, env=environment, capture_output=True, text=True
        )
        assert words in done.stdout
        assert "Traceback" not in done.stderr


def _start_something(cloud: Cloud) -> int:
    """A job that sleeps; returns the id of a process of it."""
    iam = cloud.client("iam")
    statement = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName="job", AssumeRolePolicyDocument=json.dumps({"Statement": [statement]}))["Role"]
    cloud.client("sagemaker").create_processing_job(
        ProcessingJobName="sleeper",
        RoleArn=role["Arn"],
        AppSpecification={"ImageUri": "x", "ContainerEntrypoint": ["bash", "-c", "trap '' TERM; sleep 300 & wait"]},
        ProcessingResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
    )
    _wait_for(lambda: len(processes.of_session(cloud.pid)) >= 2)
    return processes.of_session(cloud.pid)[-1]


def _wait_for(condition: object, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
