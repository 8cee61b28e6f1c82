"""The plan of the house: what may import what."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "processing" / "headroom"
ROOMS = ("intake", "forecast", "insight", "report")


def imported(path: Path) -> set[str]:
    """The dotted names of the modules that a file imports; of ``from a import b`` both ``a`` and ``a.b``."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def rooms_of(path: Path) -> set[str]:
    """The parts of ``headroom`` that a file imports."""
    parts = (name.split(".") for name in imported(path))
    return {part[1] for part in parts if part[0] == "headroom" and len(part) > 1}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_itself_and_the_core(room):
    for path in (PACKAGE / room).rglob("*.py"):
        assert rooms_of(path) <= {room, "core"}, path.name


def test_the_core_imports_no_other_room():
    for path in (PACKAGE / "core").rglob("*.py"):
        assert rooms_of(path) <= {"core"}, path.name


# Rooms of intake, from what words mean to what becomes of rows: each imports itself and what stands before it.
WITHIN_INTAKE = ("words", "formats", "files", "servers")
BESIDE_THEM = {"sql", "unreadable", "entities", "database", "merge"}  # the last only as a type


@pytest.mark.parametrize("room", WITHIN_INTAKE)
def test_within_intake_a_room_imports_only_those_before_it(room):
    before = {*WITHIN_INTAKE[: WITHIN_INTAKE.index(room) + 1], *BESIDE_THEM}
    for path in (PACKAGE / "intake" / room).glob("*.py"):
        found = {name.split(".")[2] for name in imported(path) if name.startswith("headroom.intake.")}
        assert found <= before, path.name


# The two schemas that the API and the command line check too, the words for mistakes in them and in collectors'
# settings, and what makes the page as it makes the report; with what they import. They load no library of the jobs.
SHARED = {
    "headroom.core",
    *(f"headroom.core.{name}" for name in ("settings", "metrics", "accepted", "mistakes", "one_file")),
}


def test_functions_and_jobs_import_nothing_from_each_other_but_what_is_shared():
    functions = {path.stem for path in (ROOT / "functions").glob("*.py")}
    for path in (ROOT / "functions").glob("*.py"):
        modules = {name for name in imported(path) if name.split(".")[0] in ("headroom", "local", "cli")}
        objects = {name for name in modules if name.rpartition(".")[0] in SHARED - {"headroom.core"}}
        allowed = SHARED | ({"headroom", "headroom.preview"} if path.name == "preview.py" else set())
        assert modules - objects <= allowed, path.name
    for path in PACKAGE.rglob("*.py"):
        assert not {name.split(".")[0] for name in imported(path)} & (functions | {"functions", "cli"}), path.name


def test_the_command_line_uses_the_schemas_and_nothing_else_of_the_jobs_but_in_preview():
    for path in (ROOT / "cli").rglob("*.py"):
        of_jobs = {name for name in imported(path) if name.split(".")[0] == "headroom"}
        objects = {name for name in of_jobs if name.rpartition(".")[0] in SHARED - {"headroom.core"}}
        allowed = {"headroom", "headroom.preview"} if path.name == "preview.py" else SHARED
        assert of_jobs - objects <= allowed, path.name


def test_lengths_that_depend_on_the_frequency_stand_in_one_place():
    for path in PACKAGE.rglob("*.py"):
        if path.name == "periods.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            table = isinstance(node, ast.Dict) and {getattr(key, "value", None) for key in node.keys} == {"D", "h"}
            compared = isinstance(node, ast.Compare) and any(
                isinstance(side, ast.Constant) and side.value in ("D", "h") for side in (node.left, *node.comparators)
            )
            assert not table and not compared, f"{path.name}, line {node.lineno}"


def test_functions_holds_nothing_that_would_be_packaged_by_mistake():
    """The folder is the Lambdas' ``CodeUri``: all that lies in it, caches of tools included, is uploaded."""
    found = {path.name for path in (ROOT / "functions").iterdir()} - {"__pycache__", "Makefile"}
    assert all(name.endswith(".py") for name in found), found


# Modules that run what they read, or that leave the language.
DANGEROUS = {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle", "subprocess", "ctypes", "importlib.reload"}


@pytest.mark.parametrize("folder", ["functions", "processing/headroom"])
def test_nothing_that_is_read_is_ever_executed(folder):
    for path in (ROOT / folder).rglob("*.py"):
        assert not {name.split(".")[0] for name in imported(path)} & DANGEROUS, path.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in {"eval", "exec", "compile", "__import__", "os.system", "os.popen"}, path.name
                assert not called.startswith("yaml.") or called in {"yaml.safe_load", "yaml.YAMLError"}, path.name
                assert not any(word.arg == "allow_pickle" for word in node.keywords), path.name
