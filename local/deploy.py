"""Puts the real template into the laptop cloud with the real ``sam build`` and ``sam deploy``."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from samtranslator.yaml_helper import yaml_parse

from cli.stack import api_address_of
from local.cloud import ROOT, STATE, Cloud, CloudError

STACK = "headroom"
EMAIL = "you@example.com"
BUILD = STATE / "build"
PACKED = BUILD / "packed.json"
SOURCES = ("template.yaml", "samconfig.toml", "functions", "console", "processing", "statemachine", "requirements")
PARAMETERS = {"NotificationEmail": EMAIL, "BatchWindowSeconds": "2", "MinutesBetweenRuns": "0", "Datasets": "demo",
              "HttpApi": "true"}  # fmt: skip


@dataclass(frozen=True)
class Stack:
    """A deployed stack and its outputs, such as ``IngestBucketName``."""

    name: str
    outputs: dict[str, str]


def deploy(cloud: Cloud, parameters: dict[str, str] | None = None, name: str = STACK) -> Stack:
    """Build what has changed and deploy it as a stack of this name.

    Raises:
        CloudError: that fails; the tool's own words.
    """
    with _alone():
        _build()
    given = [f"{key}={value}" for key, value in (PARAMETERS | (parameters or {})).items()]
    _sam(
        cloud.environment,
        "deploy",
        "--template-file", PACKED,
        "--config-file", ROOT / "samconfig.toml",
        "--stack-name", name,
        "--no-confirm-changeset",
        "--no-fail-on-empty-changeset",
        "--parameter-overrides", *given,
    )  # fmt: skip
    return stack(cloud, name)


def stack(cloud: Cloud, name: str = STACK) -> Stack:
    """What is deployed."""
    [found] = cloud.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    return Stack(name, {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])})


def api_address(cloud: Cloud, stack: Stack) -> str:
    """Where the stack's HTTP API listens on this machine."""
    return api_address_of(stack.outputs["ApiEndpoint"], cloud.endpoint)


def _build() -> None:
    """``sam build``, unless nothing that it reads has changed since the last time."""
    stamp, wanted = BUILD.with_suffix(".sha256"), _digest()
    if PACKED.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    stamp.unlink(missing_ok=True)
    # The laptop runs the functions with this interpreter, so they get the libraries of this machine.
    here = {"LAMBDA_PLATFORM": "", "PYTHON": sys.executable}
    _sam(here, "build", "--template-file", ROOT / "template.yaml", "--config-file", ROOT / "samconfig.toml",
         "--build-dir", BUILD)  # fmt: skip
    _pack()
    stamp.write_text(wanted)


def _pack() -> None:
    """Archives of the folders that the built template names, and the template, as JSON, with these in their place.

    ``sam deploy`` takes both as they are. Itself it packs the folder of the functions once per function, and parses
    the YAML seven times: 6 of 8 seconds of a processor, of each deployment.
    """
    template = yaml_parse((BUILD / "template.yaml").read_text(encoding="utf-8"))
    packed: dict[str, str] = {}
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        for name in {"CodeUri", "ContentUri"} & properties.keys():
            folder = properties[name]
            packed[folder] = packed.get(folder) or _packed((BUILD / folder).resolve()).name
            properties[name] = packed[folder]
    PACKED.write_text(json.dumps(template), encoding="utf-8")


def _packed(folder: Path) -> Path:
    archive = BUILD / f"{folder.name}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1, strict_timestamps=False) as packed:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                packed.write(file, file.relative_to(folder))
    return archive


def _digest() -> str:
    digest = hashlib.sha256(sys.version.encode())
    for source in SOURCES:
        path = ROOT / source
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(ROOT)}\0{file.stat().st_mode & 0o111}\0".encode())
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _sam(environment: dict[str, str], *arguments: str | Path) -> None:
    program = Path(sys.executable).with_name("sam")
    for tool in (str(program), "make"):
        if shutil.which(tool) is None:
            raise CloudError(f"{Path(tool).name} is missing: {'run make again' if tool != 'make' else 'install it'}")
    ours = {
        "PATH": os.pathsep.join([str(program.parent), os.environ.get("PATH", os.defpath)]),
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "0.3",  # seconds between looks at the stack
        "SAM_CLI_CHECK_FOR_UPDATES": "0",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        **{name: value for name, value in os.environ.items() if name.lower().endswith("_proxy") or "PIP" in name},
    }
    done = subprocess.run(
        [program, *map(str, arguments)],
        cwd=ROOT,
        env=ours | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        words = "\n".join(done.stdout.strip().splitlines()[-30:])
        raise CloudError(f"sam {arguments[0]} failed:\n{words}")


@contextmanager
def _alone() -> Iterator[None]:
    """One build at a time in this checkout."""
    STATE.mkdir(exist_ok=True)
    with (STATE / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
