"""Where MiniStack's Lambda is not AWS's: layers attached twice, batches of a queue's messages, and events that a
function fails on, which AWS hands over twice more and then leaves in the function's dead-letter queue; and workers,
each of which unpacks and loads all libraries anew.

``install()`` puts these functions in the place of MiniStack's own, in the process that runs it.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sysconfig
import tempfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ministack.core import lambda_runtime
from ministack.core.responses import error_response_json
from ministack.services import eventbridge, lambda_svc, sns, sqs
from ministack.services.cloudformation import provisioners

from local.emulator import warm

# Lambda polls a queue with several pollers, each with a batch of its own, so that files dropped together arrive in
# several invocations (design.md section 6). How many messages the next one takes is drawn from these.
BATCHES = (1, 2, 3, 5, 8)
SEED = 7

# What the functions load of their layer, and Lambda's own libraries. One of the layer that is missing here costs time;
# nothing else of this machine's libraries can be loaded, as on AWS.
LIBRARIES = (
    "aws_lambda_powertools.event_handler.openapi.params", "aws_lambda_powertools.metrics",
    "aws_lambda_powertools.utilities.batch", "aws_lambda_powertools.utilities.data_classes",
    "aws_lambda_powertools.utilities.parameters", "aws_lambda_powertools.utilities.parser.models",
    "aws_xray_sdk.core", "boto3.dynamodb.conditions", "boto3.s3.transfer", "botocore.handlers", "botocore.httpsession",
    "dateutil.parser", "dateutil.tz", "jmespath", "pydantic.main", "s3transfer.manager", "six", "yaml",
)  # fmt: skip

_draw = random.Random(SEED)  # noqa: S311
_unpacking, _warming = threading.Lock(), threading.Lock()


def install() -> None:
    """Put the additions in place."""
    attach, receive = lambda_svc._normalize_layer_attachments, sqs._receive_messages_for_esm

    def attach_once(layers: list[Any] | None) -> tuple[Any, Any]:
        repeated = layers_twice([one if isinstance(one, str) else (one or {}).get("Arn", "") for one in layers or []])
        if repeated:
            return None, error_response_json(
                "InvalidParameterValueException",
                "Two different versions of the same layer are not allowed to be referenced in the same function: "
                + ", ".join(repeated),
                400,
            )
        return attach(layers)

    def receive_few(queue_url: str, most: int) -> list[dict[str, Any]]:
        return receive(queue_url, min(most, _draw.choice(BATCHES)))

    lambda_svc._normalize_layer_attachments = attach_once
    sqs._receive_messages_for_esm = receive_few
    sns._lambda_svc = _Asynchronous()
    eventbridge._dispatch_to_lambda = dispatch
    lambda_runtime.zipfile = SimpleNamespace(
        ZipFile=SharedArchive, BadZipFile=zipfile.BadZipFile, LargeFileError=zipfile.LargeZipFile
    )
    lambda_runtime.subprocess = SimpleNamespace(
        Popen=worker, PIPE=subprocess.PIPE, STDOUT=subprocess.STDOUT, DEVNULL=subprocess.DEVNULL
    )
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    for made in ("create", "update"):
        handlers[made] = with_letters(handlers[made], made)


class SharedArchive(zipfile.ZipFile):
    """An archive of a function or layer that is unpacked once: every worker gets links to what is in it.

    A worker of its own costs seconds otherwise, for the thousands of files of a layer and for compiling them again.
    """

    def _unpacked(self) -> Path:
        digest = hashlib.sha256(Path(str(self.filename)).read_bytes()).hexdigest()
        return Path(tempfile.gettempdir(), "unpacked", digest[:16])

    def namelist(self) -> list[str]:
        """The names that have still to be unpacked; MiniStack checks each."""
        return [] if self._unpacked().exists() else super().namelist()

    def extractall(self, path: Any = None, members: Any = None, pwd: bytes | None = None) -> None:
        """Links in the folder ``path`` to the files and folders at the archive's top."""
        shared = self._unpacked()
        with _unpacking:
            if not shared.exists():
                super().extractall(shared.with_suffix(".part"), members, pwd)
                shared.with_suffix(".part").rename(shared)
        for entry in shared.iterdir():
            Path(path, entry.name).symlink_to(entry)


def worker(words: list[str], **given: Any) -> subprocess.Popen[str]:
    """``subprocess.Popen`` for a function's worker: forked from a process that has loaded its layer of libraries, and
    without this machine's others.

    Several that start together would take longer than a run waits for more files, on a machine in use.
    """
    layers = [
        Path(layer, "python").resolve() for layer in given["env"].get("_LAMBDA_LAYERS_DIRS", "").split(os.pathsep)
    ]
    if not (libraries := [layer for layer in layers if (layer / "aws_lambda_powertools").is_dir()]):
        return subprocess.Popen(words, **given)
    folder = Path(tempfile.gettempdir(), f"warm-{libraries[0].parent.name}")
    with _warming:
        if not folder.exists():
            folder.mkdir(mode=0o700)
            own = {name: given["env"][name] for name in ("PATH", "LANG", "TMPDIR") if name in given["env"]}
            places = [str(libraries[0]), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
            own |= {"PYTHONPATH": os.pathsep.join(places), "LAMBDA_TASK_ROOT": str(folder)}  # X-Ray's library reads it
            warm.start(folder, own, LIBRARIES, "*")
    python3 = folder / "python3"
    return subprocess.Popen([str(python3) if python3.exists() else words[0], *words[1:]], **given)


class _Asynchronous:
    """MiniStack's Lambda as SNS has to use it: what it invokes, it invokes asynchronously."""

    def __getattr__(self, name: str) -> Any:
        invokes = name == "_execute_function_with_config_scope"
        return getattr(lambda_svc, "invoke_async_with_retry" if invokes else name)


def with_letters(provision: Callable[..., tuple[str, Any]], made: str) -> Callable[..., tuple[str, Any]]:
    """MiniStack's way to make or change a template's function, and the queue of its dead letters, which it forgets."""

    def provisioned(*given: Any, **more: Any) -> tuple[str, Any]:
        answer = provision(*given, **more)
        properties = given[1] if made == "create" else given[2]
        if letters := properties.get("DeadLetterConfig"):
            lambda_svc._functions[answer[0]]["config"]["DeadLetterConfig"] = letters
        return answer

    return provisioned


def dispatch(arn: str, payload: str) -> None:
    """EventBridge's event to a function, asynchronously."""
    function, config, _ = lambda_svc._get_func_record_for_ref(arn)
    if function and config:
        lambda_svc.invoke_async_with_retry(
            lambda_svc._execution_record_for_config(function, config), json.loads(payload)
        )


def layers_twice(arns: list[str]) -> list[str]:
    """Layers (without version) that a function would have more than once, be it in the same version."""
    layers = [arn.rpartition(":")[0] for arn in arns]
    return sorted({layer for layer in layers if layers.count(layer) > 1})
