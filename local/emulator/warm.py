"""Starts the Python programs of jobs and functions from a process that has their libraries loaded.

Every job is a process of its own, and for a small fleet most of its processor time goes into loading pandas, LightGBM
and matplotlib. So the jobs find a ``python3`` here that hands ``-m headroom.…`` to a server, which loads the libraries
once per cloud and forks. What it forks has the words, variables, folder, files and process group that the job's own
interpreter would have; the project's code is never loaded beforehand. Everything else, and every program where the
server does not answer, runs in an interpreter of its own, as in a container. Workers of functions are started in the
same way, by a server that has loaded their layer. (Linux only: elsewhere forking a process with these libraries is not
safe.)
"""

from __future__ import annotations

import json
import os
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # whoever asks starts quickly
    from pathlib import Path

# What the three jobs load, and what it loads in turn. One that is missing here costs time and nothing else.
LIBRARIES = (
    "duckdb", "holidays", "lightgbm", "matplotlib.axes", "matplotlib.backends.backend_agg", "matplotlib.figure",
    "numpy", "pandas", "pyarrow.compute", "pyarrow.dataset", "pyarrow.parquet", "pydantic.main", "scipy.fft",
    "scipy.linalg", "scipy.optimize", "scipy.sparse", "scipy.special", "sklearn.cluster", "sklearn.metrics",
    "statsforecast.models", "threadpoolctl", "yaml",
)  # fmt: skip
JOBS = "-m\\ headroom.*"  # the words that the server is asked to run, as a pattern of the shell
MOST_BYTES = 2**20  # of a request: words and variables
MOST_PATH = 100  # of a socket's address, in bytes: Linux takes 107


def start(
    folder: Path, environment: dict[str, str], libraries: tuple[str, ...] = LIBRARIES, programs: str = JOBS
) -> None:
    """Start the server and put the ``python3`` that asks it into ``folder``; nothing where that is not possible.

    ``environment`` is the server's own: what the libraries read when they are loaded, and in ``PYTHONPATH`` where they
    are found; what it starts does not look there. ``programs`` is the shell's pattern of the words that are handed to
    it. It ends with its session.
    """
    import shlex
    import subprocess

    address, python3 = folder / "socket", folder / "python3"
    if sys.platform != "linux" or len(os.fsencode(address)) > MOST_PATH:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(address))
        listener.listen(64)
        command = [sys.executable, __file__, "serve", str(listener.fileno()), *libraries]
        subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, pass_fds=[listener.fileno()])
    python = shlex.quote(sys.executable)
    asks = f"{python} -S -E {shlex.quote(__file__)} ask {shlex.quote(str(address))}"
    python3.write_text(f'#!/bin/sh\ncase "$*" in {programs}) exec {asks} "$@" ;; esac\nexec {python} "$@"\n')
    python3.chmod(0o755)


def _ask(address: str, words: list[str]) -> None:
    """Have ``python3 <words>`` run by the server and end as it ends; without an answer, become it."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        link.connect(address)
    except OSError:
        os.execv(sys.executable, [sys.executable, *words])  # noqa: S606
    asked = {
        "words": words, "environment": dict(os.environ), "folder": os.getcwd(), "group": os.getpgrp(),  # noqa: PTH109
    }  # fmt: skip
    socket.send_fds(link, [json.dumps(asked).encode()], [0, 1, 2])
    code = int(link.recv(16) or b"1")
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code)


def _serve(listener: socket.socket, libraries: list[str]) -> None:
    """Load the libraries, then fork twice per request: a program, and a process that waits for its end."""
    import gc
    import importlib
    import signal
    import warnings

    del sys.path[0]  # this file's folder
    for library in libraries:
        importlib.import_module(library)
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:] = [place for place in sys.path if place not in given]  # each program has others
    gc.collect()
    gc.freeze()
    warnings.filterwarnings("ignore", message=".*multi-threaded")  # BLAS is, and stops its threads before a fork
    signal.signal(signal.SIGCHLD, _collect)
    while True:
        link, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _keep(link)
        link.close()


def _collect(*_: object) -> None:
    """Take note of what has ended; its processor time counts as the server's from then on."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _keep(link: socket.socket) -> None:
    import select
    import signal

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    text, descriptors, *_ = socket.recv_fds(link, MOST_BYTES, 3)
    asked = json.loads(text)
    os.setpgid(0, asked["group"])  # whoever ends the job ends its group
    for standard, given in enumerate(descriptors):
        os.dup2(given, standard)
        os.close(given)
    program = os.fork()
    if program == 0:
        link.close()
        _run(asked)
    with suppress(OSError):  # Linux before 5.3, and some containers, cannot wait for both
        ended, *_ = select.select([link.fileno(), os.pidfd_open(program)], [], [])
        if link.fileno() in ended:  # whoever asked has been ended
            os.kill(program, signal.SIGKILL)
    _, status = os.waitpid(program, 0)
    with suppress(BrokenPipeError):
        link.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _run(asked: dict) -> None:
    """Be ``python3 -m <module> <words>``, or ``python3 <file> <words>``."""
    import runpy
    import time
    import traceback

    os.environ.clear()
    os.environ.update(asked["environment"])
    time.tzset()
    os.chdir(asked["folder"])
    named = os.environ.get("PYTHONPATH", "")
    module = asked["words"][0] == "-m"
    sys.argv = asked["words"][module:]
    sys.path[:0] = [
        asked["folder"] if module else os.path.dirname(sys.argv[0]),  # noqa: PTH120
        *(named.split(os.pathsep) if named else []),
    ]
    code = 1
    try:
        if module:
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(sys.argv[0], run_name="__main__")
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # as an interpreter ends
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    if sys.argv[1] == "ask":
        _ask(sys.argv[2], sys.argv[3:])
    else:
        _serve(socket.socket(fileno=int(sys.argv[2])), sys.argv[3:])
