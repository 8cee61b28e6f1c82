"""Finds and ends everything that the laptop cloud has started: all processes of its session."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path


def of_session(session: int) -> list[int]:
    """Ids of the living processes in a session, the session's leader apart."""
    return [pid for pid in _all() if pid not in (session, os.getpid()) and _session_of(pid) == session]


def end_session(session: int, grace_seconds: float = 1.0) -> None:
    """End every process of a session but its leader: politely first, then for good."""
    deadline = time.monotonic() + grace_seconds
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in of_session(session):
            _signal(pid, number)
        while of_session(session) and time.monotonic() < deadline:
            time.sleep(0.05)


def alive(pid: int) -> bool:
    """Is there a process with this id (a dead one that nobody has collected yet is not)?"""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _session_of(pid: int) -> int:
    try:
        return os.getsid(pid) if alive(pid) else -1
    except (ProcessLookupError, PermissionError):
        return -1


def _all() -> list[int]:
    if Path("/proc/self").exists():
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    listed = subprocess.run(["ps", "-A", "-o", "pid="], capture_output=True, text=True, check=True).stdout
    return [int(pid) for pid in listed.split()]
