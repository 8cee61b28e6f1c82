"""The process of the laptop cloud: MiniStack with our additions. ``cloud.py`` starts it; nobody else needs to.

The additions hook into functions of MiniStack that are not its public interface. That is why the lock pins its
version, and why this module refuses to start with another one.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import signal
import sys
import threading
import time
from pathlib import Path

MINISTACK_VERSION = "1.5.33"


def main() -> None:
    """Serve until SIGTERM or SIGINT, then end every process that was started on the way."""
    version = importlib.metadata.version("ministack")
    if version != MINISTACK_VERSION:
        sys.exit(f"the laptop cloud is written for ministack {MINISTACK_VERSION}, but {version} is installed")
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack import app
    from ministack.core import iam_actions, router

    from local import processes
    from local.emulator import (
        alarms,
        authorizers,
        jobs,
        lambdas,
        logs,
        mailbox,
        metric_data,
        permissions,
        s3_events,
        sagemaker,
        stepfunctions,
        transfer,
    )

    state, port = Path(os.environ["HEADROOM_STATE"]), int(os.environ["GATEWAY_PORT"])
    sagemaker.folder = state / "jobs"
    jobs.warm_programs = state / "tmp" / "warm"
    jobs.kept = transfer.Kept(state / "tmp" / "kept", permissions.may_read)
    sagemaker.endpoint = f"http://127.0.0.1:{port}"
    sagemaker.on_change = _publish_job_status
    app.SERVICE_HANDLERS["sagemaker"] = sagemaker.handle_request
    router.SERVICE_PATTERNS["sagemaker"] = {"target_prefixes": ["SageMaker."], "host_patterns": [r"api\.sagemaker\."]}
    iam_actions.SERVICE_TO_IAM_NAMESPACE["sagemaker"] = "sagemaker"
    _authorize_sagemaker(iam_actions)
    _authorize_log_streams(iam_actions)
    # Loopback never leaves the machine: policies that refuse unencrypted transport mean the network.
    pin_origin = app.pin_request_origin
    app.pin_request_origin = lambda address, _encrypted: pin_origin(address, True)
    stepfunctions.install()
    lambdas.install()
    authorizers.install()
    s3_events.install()
    mailbox.install(state / "mailbox")
    logs.install()
    metric_data.install()
    alarms.start()
    if "HEADROOM_PARENT" in os.environ:
        threading.Thread(target=_follow_parent, args=(int(os.environ["HEADROOM_PARENT"]),), daemon=True).start()

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        config = Config()
        config.bind = [f"127.0.0.1:{port}"]
        config.keep_alive_timeout = 75
        config.graceful_timeout = 0.5
        config.loglevel = "WARNING"
        try:
            await serve(app.app, config, shutdown_trigger=stop.wait)
        finally:
            processes.end_session(os.getpid())
            os._exit(0)  # a normal exit would wait for the threads of running executions and functions

    asyncio.run(run())


def _authorize_sagemaker(iam_actions: object) -> None:
    """Teach the gateway which resource a SageMaker request is about, for policies that name resources."""
    import json

    from local.emulator import sagemaker

    original = iam_actions.extract_resource_arn  # type: ignore[attr-defined]

    def extract_resource_arn(service: str, method: str, path: str, headers: dict, body: bytes, *rest: object) -> str:
        if service != "sagemaker":
            return original(service, method, path, headers, body, *rest)
        try:
            request = json.loads(body or b"{}")
        except ValueError:
            return "*"
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        return sagemaker.resource_arn(operation, request) if isinstance(request, dict) else "*"

    iam_actions.extract_resource_arn = extract_resource_arn  # type: ignore[attr-defined]


def _authorize_log_streams(iam_actions: object) -> None:
    """Reading a log is about its stream (service authorization reference); the gateway knows the group alone."""
    import json

    original = iam_actions.extract_resource_arn  # type: ignore[attr-defined]

    def extract_resource_arn(service: str, method: str, path: str, headers: dict, body: bytes, *rest: object) -> str:
        found = original(service, method, path, headers, body, *rest)
        if not headers.get("x-amz-target", "").endswith(".GetLogEvents"):
            return found
        try:
            return f"{found}:log-stream:{json.loads(body)['logStreamName']}"
        except (ValueError, LookupError, TypeError):
            return found

    iam_actions.extract_resource_arn = extract_resource_arn  # type: ignore[attr-defined]


def _publish_job_status(job: object) -> None:
    from local.emulator import stepfunctions, tasks

    kind, description = job.kind, job.description  # type: ignore[attr-defined]
    stepfunctions.publish(
        "aws.sagemaker",
        f"SageMaker {kind} Job State Change",
        tasks.with_milliseconds(description),
        description[f"{kind}JobArn"],
    )


def _follow_parent(parent: int) -> None:
    """Go when the program that wanted this cloud for itself is gone, however it went."""
    while True:
        time.sleep(1)
        try:
            os.kill(parent, 0)
        except ProcessLookupError:
            os.kill(os.getpid(), signal.SIGTERM)
            return


if __name__ == "__main__":
    main()
