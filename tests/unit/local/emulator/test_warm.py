"""A program that the warm server starts is as one of an interpreter of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from local.emulator import warm

PROGRAM = """
import decimal, json, os, sys
print(json.dumps({
    "words": sys.argv[1:], "name": __name__, "folder": os.getcwd(), "group": os.getpgrp(), "session": os.getsid(0),
    "environment": dict(os.environ), "path": sys.path[:2], "executable": sys.executable, "input": sys.stdin.read(),
}), flush=True)
print("to stderr", file=sys.stderr)
"""


@pytest.fixture
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("warm")
    before = set(psutil.Process().children())
    warm.start(folder, {"PATH": os.environ["PATH"], "SERVERS": "own"}, ("decimal",))
    [server] = set(psutil.Process().children()) - before
    yield folder
    with suppress(psutil.NoSuchProcess):
        server.kill()
    server.wait()


@pytest.fixture
def code(tmp_path: Path) -> Path:
    (tmp_path / "headroom").mkdir()
    for name, text in {
        "__init__": "", "tell": PROGRAM, "fail": "raise ValueError('no rows left')", "leave": "import sys; sys.exit(3)",
        "die": "import os; os.abort()", "hang": "import time; print('up', flush=True); time.sleep(60)",
        "work": "import time\nwhile time.process_time() < 0.3: pass",
        "loaded": "import sys; print('decimal' in sys.modules, [one for one in sys.modules if 'local' == one])",
    }.items():  # fmt: skip
        (tmp_path / "headroom" / f"{name}.py").write_text(text)
    return tmp_path


def run(python3: Path | str, code: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(code), **more}
    return subprocess.run(
        [python3, *words], cwd=code, env=environment, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL, process_group=0,
    )  # fmt: skip


def test_it_has_the_words_variables_folder_and_files_that_its_own_interpreter_has(programs: Path, code: Path) -> None:
    words = ("-m", "headroom.tell", "--panel", "a b", "--x")
    warmed, cold = (run(one, code, *words, TZ="Asia/Tokyo") for one in (programs / "python3", sys.executable))
    told, wanted = json.loads(warmed.stdout), json.loads(cold.stdout)
    assert told["environment"].pop("PWD") == str(code)  # the shell's, as of a job's run.sh
    for fact in ("words", "name", "folder", "environment", "path", "executable", "input"):
        assert told[fact] == wanted[fact], fact
    assert told["session"] == wanted["session"]
    assert "SERVERS" not in told["environment"]
    assert (warmed.stderr, warmed.returncode) == (cold.stderr, 0)


def test_libraries_are_loaded_and_the_emulators_own_modules_are_not(programs: Path, code: Path) -> None:
    assert run(programs / "python3", code, "-m", "headroom.loaded").stdout == "True []\n"
    assert run(sys.executable, code, "-m", "headroom.loaded").stdout == "False []\n"


@pytest.mark.parametrize(("module", "ends"), [("fail", 1), ("leave", 3), ("die", -signal.SIGABRT)])
def test_it_ends_as_its_own_interpreter_does(programs: Path, code: Path, module: str, ends: int) -> None:
    warmed, cold = (run(one, code, "-m", f"headroom.{module}") for one in (programs / "python3", sys.executable))
    assert warmed.returncode == cold.returncode == ends
    assert warmed.stderr.splitlines()[-1:] == cold.stderr.splitlines()[-1:]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_the_group_of_its_job(programs: Path, code: Path, number: int) -> None:
    job = subprocess.Popen(
        [programs / "python3", "-m", "headroom.hang"], cwd=code, stdout=subprocess.PIPE, process_group=0,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(code)},
    )  # fmt: skip
    assert job.stdout.readline() == b"up\n"
    os.killpg(job.pid, number)
    assert job.wait(10) == -number
    assert job.stdout.read() == b"", "nobody holds it open"
    deadline = time.monotonic() + 60
    while any(one.info["cwd"] == str(code) for one in psutil.process_iter(["cwd"])):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_it_ends_with_the_process_that_its_starter_knows(programs: Path, code: Path) -> None:
    """A function that takes too long is ended so, without its group."""
    hanging = subprocess.Popen(
        [programs / "python3", "-m", "headroom.hang"], cwd=code, stdout=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(code)},
    )  # fmt: skip
    assert hanging.stdout.readline() == b"up\n"
    hanging.terminate()
    assert hanging.communicate(timeout=30) == (b"", None), "nobody holds its output open"
    assert hanging.returncode == -signal.SIGTERM


def test_its_processor_time_is_known_once_it_has_ended(programs: Path, code: Path) -> None:
    [server] = [one for one in psutil.Process().children() if "serve" in one.cmdline()]
    run(programs / "python3", code, "-m", "headroom.work")
    deadline = time.monotonic() + 60
    while server.cpu_times().children_user + server.cpu_times().children_system < 0.25:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_other_programs_run_in_an_interpreter_of_their_own(programs: Path, code: Path) -> None:
    done = run(programs / "python3", code, "-c", "import sys; print('decimal' in sys.modules, sys.prefix)")
    assert done.stdout == f"False {sys.prefix}\n"


def test_without_the_server_a_program_starts_all_the_same(programs: Path, code: Path) -> None:
    [server] = [one for one in psutil.Process().children() if "serve" in one.cmdline()]
    server.kill()
    server.wait()
    assert run(programs / "python3", code, "-m", "headroom.loaded").stdout == "False []\n"
