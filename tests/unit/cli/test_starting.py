"""The command line starts at once, and carries nothing of the jobs: held to what is imported, not to a clock."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HEAVY = {"boto3", "botocore", "pydantic", "yaml", "rich", "holidays", "aws_lambda_powertools"}
OF_THE_JOBS = {"pandas", "numpy", "duckdb", "scipy", "pyarrow", "sklearn", "lightgbm", "statsforecast", "matplotlib"}


def loaded_after(code: str) -> set[str]:
    """The top-level modules that are there after some code has run in a new interpreter."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "processing")])}
    last = f"{code}\nimport sys\nprint('\\n'.join({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", last], env=environment, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_nothing_heavy_is_loaded_to_start():
    assert loaded_after("import cli.main") & (HEAVY | OF_THE_JOBS) == set()


@pytest.mark.slow
def test_settings_are_checked_and_decisions_written_without_the_jobs_libraries():
    code = (
        "from cli.commands.settings import problems_of\n"
        "assert problems_of(b'horizon: 3\\nholidays: {country: DE}') == []\n"
        "import functions.decisions, functions.ledger, functions.looking, cli.smoke, cli.requests"
    )
    assert loaded_after(code) & OF_THE_JOBS == set()


@pytest.mark.slow
def test_the_apis_function_has_all_that_it_imports():
    """Its layers carry the functions' libraries and the jobs' code, and none of the jobs' libraries."""
    path = f"import sys\nsys.path.insert(0, {str(ROOT / 'functions')!r})\n"
    code = f"{path}import api\napi.problems_of_settings('horizon: 3')"
    assert loaded_after(code) & OF_THE_JOBS == set()


def imports_of(path: Path) -> set[str]:
    """The modules of this repository, outside of cli/, that a file imports at any place; functions import each other
    by their bare names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    beside = {f"functions.{name}" for name in found if path.parent.name == "functions" and "." not in name}
    return {name for name in found if name.partition(".")[0] in ("functions", "local")} | beside


def test_all_that_the_command_line_imports_is_installed_with_it():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    carried = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"])
    needed, waiting = set(), list((ROOT / "cli").rglob("*.py"))
    while waiting:
        for name in imports_of(waiting.pop()):
            path = ROOT / (name.replace(".", "/") + ".py")
            if path.is_file() and path not in needed:
                needed.add(path)
                waiting.append(path)
    assert {str(path.relative_to(ROOT)) for path in needed} == carried


@pytest.mark.slow
@pytest.mark.parametrize("command", sorted(path.stem for path in (ROOT / "cli" / "commands").glob("[a-z]*.py")))
def test_every_command_has_help_and_stands_in_its_manual(command):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "processing")])}
    command = command.replace("_", "-")
    asked = [sys.executable, "-m", "cli", command, "--help"]
    done = subprocess.run(asked, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"headroom {command}" in (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
