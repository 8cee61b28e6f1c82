"""Finds and ends everything that the laptop cloud has started: all processes of its session."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

import psutil

GONE = (psutil.NoSuchProcess, psutil.AccessDenied)


def alive(pid: int) -> bool:
    """Is there a process with this id (a dead one that nobody has collected yet is not)?"""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def of_session(session: int) -> list[int]:
    """Ids of the living processes in a session, the session's leader and this process apart."""
    return [pid for pid in psutil.pids() if pid not in (session, os.getpid()) and _session_of(pid) == session]


def end_session(session: int, grace_seconds: float = 1.0) -> None:
    """End every process of a session but its leader: politely first, then for good."""
    _, left = psutil.wait_procs(_signalled(session, psutil.Process.terminate), timeout=grace_seconds)
    if left:
        psutil.wait_procs(_signalled(session, psutil.Process.kill), timeout=grace_seconds)


def _signalled(session: int, how: Callable[[psutil.Process], None]) -> list[psutil.Process]:
    found = []
    for pid in of_session(session):
        with suppress(*GONE):
            process = psutil.Process(pid)
            found.append(process)
            how(process)
    return found


def _session_of(pid: int) -> int:
    with suppress(ProcessLookupError, PermissionError):
        return os.getsid(pid) if alive(pid) else -1
    return -1
