"""Sends a program's output, line by line while it runs, to a stream of CloudWatch Logs."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import IO, Any

from botocore.exceptions import ClientError

LINE_LENGTH = 250_000  # a log event takes 256 KB
BATCH = 500


class LogStream:
    """A log stream as a context: lines are sent every half second, and the rest at the end.

    A job without permission to write logs still runs, as on AWS, but without logs.
    """

    def __init__(self, client: Any, group: str, stream: str):
        self._client, self._group, self._stream = client, group, stream
        self._waiting: list[dict[str, Any]] = []
        self._lock, self._closed = threading.Lock(), threading.Event()
        self._sender = threading.Thread(target=self._keep_sending, daemon=True)

    def __enter__(self) -> LogStream:
        with contextlib.suppress(ClientError):  # there already, or not ours to make
            self._client.create_log_group(logGroupName=self._group)
        with contextlib.suppress(ClientError):
            self._client.create_log_stream(logGroupName=self._group, logStreamName=self._stream)
        self._sender.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._sender.join()
        self._send()

    def write(self, line: str) -> None:
        """Add one line, with the time of now."""
        event = {"timestamp": int(time.time() * 1000), "message": line[:LINE_LENGTH]}
        with self._lock:
            self._waiting.append(event)

    def copy(self, output: IO[bytes], seen: Callable[[str], None] = lambda line: None) -> None:
        """Add every line of ``output`` until it ends, and show it to ``seen``. Carriage returns end a line too."""
        for raw in output:
            for line in raw.decode("utf-8", errors="replace").splitlines():
                if line.strip():
                    self.write(line)
                    seen(line)

    def _keep_sending(self) -> None:
        while not self._closed.wait(0.5):
            self._send()

    def _send(self) -> None:
        while True:
            with self._lock:
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            if not batch:
                return
            with contextlib.suppress(ClientError):
                self._client.put_log_events(logGroupName=self._group, logStreamName=self._stream, logEvents=batch)


def install() -> None:
    """Let ``FilterLogEvents`` choose streams by the start of their names, in the process that runs MiniStack.

    ``aws logs tail --log-stream-name-prefix <job>`` asks for that, and also for an id with every event.
    """
    from ministack.services import cloudwatch_logs

    original = cloudwatch_logs._filter_log_events

    def filter_log_events(request: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        prefix, group = request.get("logStreamNamePrefix"), cloudwatch_logs._resolve_log_group_name(request)
        if prefix and group in cloudwatch_logs._log_groups:
            names = [name for name in cloudwatch_logs._log_groups[group]["streams"] if name.startswith(prefix)]
            request = {**request, "logStreamNames": names or [prefix]}
        return original(request)

    cloudwatch_logs._filter_log_events = filter_log_events
