"""Starts and stops the laptop cloud, and says how to reach it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local import processes

ROOT = Path(__file__).resolve().parent.parent
STATE = Path(os.environ.get("HEADROOM_STATE", ROOT / ".local")).resolve()
REGION = "us-east-1"
ACCOUNT = "000000000000"
DEFAULT_PORT = 4566
LEAST_FREE_BYTES = 2 * 2**30
START_SECONDS = 60

SERVICES = (
    "s3", "sqs", "sns", "dynamodb", "lambda", "iam", "sts", "events", "states", "logs", "monitoring",
    "cloudformation", "kms", "ssm", "glue", "athena", "apigateway", "scheduler", "tagging", "ec2", "secretsmanager",
)  # fmt: skip


class CloudError(Exception):
    """The laptop cloud cannot start or go on; the message says what to do."""


@dataclass(frozen=True)
class Cloud:
    """A laptop cloud: its process, where it listens, where it keeps its files."""

    port: int
    state: Path
    pid: int

    @property
    def endpoint(self) -> str:
        """The address of every AWS service."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make ``aws``, ``sam`` and boto3 use this cloud, as the account's administrator."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
        }

    @property
    def log(self) -> Path:
        """What the cloud's own process writes."""
        return self.state / "cloud.log"

    @property
    def mailbox(self) -> Path:
        """The folder that e-mail is delivered into."""
        return self.state / "mailbox"

    def client(self, service: str, **credentials: str) -> Any:
        """A boto3 client, of the administrator unless told otherwise."""
        given = credentials or {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return _client(self, service, tuple(sorted(given.items())))


@cache
def _client(cloud: Cloud, service: str, credentials: tuple[tuple[str, str], ...]) -> Any:
    """One client per service and credentials: making one takes longer than most requests, and it keeps connections."""
    make: Any = boto3.client  # its types know no service name that is only known at run time
    return make(
        service,
        endpoint_url=cloud.endpoint,
        region_name=REGION,
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 2}),
        **dict(credentials),
    )


def running(state: Path = STATE) -> Cloud | None:
    """The cloud whose files are in ``state``, if it is up."""
    try:
        known = json.loads((state / "cloud.json").read_text())
    except (OSError, ValueError):
        return None
    found = Cloud(port=known["port"], state=state, pid=known["pid"])
    return found if processes.alive(found.pid) and healthy(found.port) else None


def start(state: Path = STATE, port: int | None = None, with_parent: bool = False) -> Cloud:
    """Start a cloud with empty services and wait until it answers; the one that is up already, if there is one.

    ``with_parent`` makes it end with the calling process, however that ends. Raises ``CloudError`` where the port
    is taken, disk space is short, or the process does not come up.
    """
    if (found := running(state)) is not None:
        return found
    port = port or int(os.environ.get("HEADROOM_PORT", DEFAULT_PORT))
    _require_port(port)
    _clear(state)
    if (free := shutil.disk_usage(state).free) < LEAST_FREE_BYTES:
        raise CloudError(
            f"{free / 2**30:.1f} GB are free under {state}; the laptop cloud needs {LEAST_FREE_BYTES / 2**30:.0f} GB"
        )
    log = state / "cloud.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "local.emulator.launcher"],
            cwd=ROOT,
            env=_environment(state, port, with_parent),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    cloud = Cloud(port=port, state=state, pid=process.pid)
    (state / "cloud.json").write_text(json.dumps({"pid": cloud.pid, "port": port}))
    try:
        _wait_until_healthy(cloud, process)
    except BaseException:
        stop(cloud)
        raise
    return cloud


def stop(cloud: Cloud) -> None:
    """End the cloud and everything that it has started: jobs, functions."""
    _signal(cloud.pid, signal.SIGTERM)
    _wait_for_end(cloud.pid, seconds=8)
    _signal(cloud.pid, signal.SIGKILL)
    _wait_for_end(cloud.pid, seconds=2)
    processes.end_session(cloud.pid)
    (cloud.state / "cloud.json").unlink(missing_ok=True)
    shutil.rmtree(cloud.state / "tmp", ignore_errors=True)


@contextmanager
def used(state: Path = STATE, port: int | None = None) -> Iterator[Cloud]:
    """The cloud that is up, or one for the length of this context."""
    if (found := running(state)) is not None:
        yield found
        return
    cloud = start(state, port, with_parent=True)
    try:
        yield cloud
    finally:
        stop(cloud)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def healthy(port: int) -> bool:
    """Does a cloud answer on this port?"""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _require_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CloudError(
                f"port {port} on 127.0.0.1 cannot be used ({error.strerror}): stop what listens there, or choose "
                "another port with HEADROOM_PORT=<number>"
            ) from error


def _clear(state: Path) -> None:
    """Forget the last cloud's files; its builds stay, they are expensive."""
    for name in ("jobs", "mailbox", "tmp"):
        shutil.rmtree(state / name, ignore_errors=True)
        (state / name).mkdir(parents=True)


def _environment(state: Path, port: int, with_parent: bool) -> dict[str, str]:
    """What the cloud's process gets: nothing of the user's own AWS settings, and nothing beyond loopback."""
    # SSL_CERT_FILE: whom the cloud trusts besides, where an OpenID provider has a certificate of its own making.
    names = ("HOME", "LANG", "HEADROOM_JOBS", "SSL_CERT_FILE")
    inherited = {name: os.environ[name] for name in names if name in os.environ}
    return inherited | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": str(state / "tmp"),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "false",
        "SFTP_ENABLED": "false",
        "DOCKER_HOST": f"unix://{state}/no-docker",
        "SERVICES": ",".join(SERVICES),
        "AUTH": "true",
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "HEADROOM_STATE": str(state),
        **({"HEADROOM_PARENT": str(os.getpid())} if with_parent else {}),
    }


def _wait_until_healthy(cloud: Cloud, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not healthy(cloud.port):
        if process.poll() is not None or time.monotonic() > deadline:
            lines = cloud.log.read_text(errors="replace").splitlines()[-15:]
            raise CloudError("the laptop cloud did not start; its last words:\n" + "\n".join(lines))
        time.sleep(0.1)


def _wait_for_end(pid: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while processes.alive(pid) and time.monotonic() < deadline:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)  # ours to collect where this process started it
        time.sleep(0.05)


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
