import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import psutil
import pytest
from ministack.services import lambda_svc

from local.emulator import lambdas

REGION = "arn:aws:lambda:eu-central-1:123456789012:layer"


def test_a_layer_in_two_versions_or_twice_in_one_is_seen():
    assert lambdas.layers_twice([f"{REGION}:libraries:1", f"{REGION}:libraries:1"]) == [f"{REGION}:libraries"]
    assert lambdas.layers_twice([f"{REGION}:libraries:1", f"{REGION}:code:1", f"{REGION}:libraries:2"]) == [
        f"{REGION}:libraries"
    ]


def test_different_layers_are_fine():
    assert lambdas.layers_twice([f"{REGION}:libraries:1", f"{REGION}:code:1"]) == []
    assert lambdas.layers_twice([]) == []


@pytest.mark.parametrize(("failures", "calls", "letters"), [(0, 1, 0), (2, 3, 0), (9, 3, 1)])
def test_an_event_that_a_function_fails_on_is_handed_over_twice_more_and_then_left_as_a_letter(
    monkeypatch, failures, calls, letters
):
    """As Lambda does with all that EventBridge and SNS invoke."""
    seen, left, done = [], [], threading.Event()
    arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
    config = {"FunctionName": "f", "FunctionArn": arn, "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:::letters"}}
    record = {"config": config}

    def execute(function, event):
        seen.append(event)
        failed = len(seen) <= failures
        if len(seen) == 3 and failed:
            threading.Timer(0.2, done.set).start()
        elif not failed:
            done.set()
        return {"body": {}, **({"error": True} if failed else {})}

    monkeypatch.setattr(lambda_svc, "_LAMBDA_ASYNC_RETRY_BASE_SECONDS", 0)
    monkeypatch.setattr(lambda_svc, "_execute_function", execute)
    monkeypatch.setattr(lambda_svc, "_get_func_record_for_ref", lambda arn: (record, config, "f"))
    monkeypatch.setattr(lambda_svc, "_execution_record_for_config", lambda function, config: function)
    monkeypatch.setattr(lambda_svc, "_route_async_failure", lambda arn, *_: left.append(arn))
    lambdas.dispatch(arn, '{"detail": 1}')
    assert done.wait(10)
    assert seen == [{"detail": 1}] * calls
    assert len(left) == letters


def test_sns_invokes_asynchronously_and_has_all_else_of_lambda():
    theirs = lambdas._Asynchronous()
    assert theirs._execute_function_with_config_scope is lambda_svc.invoke_async_with_retry
    assert theirs._get_func_record_for_ref is lambda_svc._get_func_record_for_ref


@pytest.mark.parametrize(("made", "given"), [("create", ("F", "new", "s")), ("update", ("f", "old", "new", "s"))])
def test_a_functions_dead_letters_are_those_of_the_template(monkeypatch, made, given):
    """CloudFormation hands over a new function's properties second, a changed one's third."""
    letters = {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:letters"}
    properties = {"old": {}, "new": {"DeadLetterConfig": letters}}
    monkeypatch.setattr(lambda_svc, "_functions", {"f": {"config": {"FunctionName": "f"}}})
    provision = lambdas.with_letters(lambda *_, **__: ("f", {}), made)
    assert provision(*(properties.get(one, one) for one in given), logical_id="F") == ("f", {})
    assert lambda_svc._functions["f"]["config"]["DeadLetterConfig"] == letters


def test_an_archive_is_unpacked_once_for_all_workers(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name, words in (("one.zip", "first"), ("same.zip", "first"), ("other.zip", "second")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(zipfile.ZipInfo("python/deep/library.py"), words)
            archive.writestr(zipfile.ZipInfo("handler.py"), words)
        (tmp_path / "of" / name).mkdir(parents=True)
        with lambdas.SharedArchive(tmp_path / name) as archive:
            archive.namelist()
            archive.extractall(tmp_path / "of" / name)
        for path in ("python/deep/library.py", "handler.py"):
            assert (tmp_path / "of" / name / path).read_text() == words
    assert len(list((tmp_path / "unpacked").iterdir())) == 2


def test_no_file_of_an_archive_comes_to_lie_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("../../outside.py", "")
    (tmp_path / "worker").mkdir()
    with lambdas.SharedArchive(tmp_path / "x.zip") as archive:
        assert archive.namelist() == ["../../outside.py"], "MiniStack sees it and refuses it"
        archive.extractall(tmp_path / "worker")
    [file] = [path for path in tmp_path.rglob("outside.py") if not path.is_symlink()]
    assert file.parent.parent == tmp_path / "tmp" / "unpacked"


WORKER = """
import os, sys
sys.path.insert(0, os.path.join(os.environ["_LAMBDA_LAYERS_DIRS"], "python"))
loaded = "aws_lambda_powertools" in sys.modules
import aws_lambda_powertools
print(loaded, aws_lambda_powertools.WORDS, sys.stdin.readline().strip())
"""


forked = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")


@pytest.fixture
def layers(tmp_path, monkeypatch):
    """Folders of two layers, one of them with the functions' libraries."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(lambdas, "LIBRARIES", ("aws_lambda_powertools",))
    library = tmp_path / "unpacked" / "1234" / "python" / "aws_lambda_powertools"
    library.mkdir(parents=True)
    (library / "__init__.py").write_text("WORDS = 'of the layer'")
    (tmp_path / "other" / "python").mkdir(parents=True)
    (tmp_path / "_worker.py").write_text(WORKER)
    before = set(psutil.Process().children())
    yield tmp_path
    for server in set(psutil.Process().children()) - before:
        server.kill()
        server.wait()


def started(layers, layer) -> subprocess.Popen[str]:
    return lambdas.worker(
        [sys.executable, str(layers / "_worker.py")],
        cwd=layers, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1,
        env={"PATH": os.environ["PATH"], "_LAMBDA_LAYERS_DIRS": str(layers / layer)},
    )  # fmt: skip


@forked
def test_a_function_cannot_load_what_only_this_machine_has(layers: Path) -> None:
    """On AWS it would fail with its first event."""
    (layers / "_worker.py").write_text("import pandas")
    assert "No module named 'pandas'" in started(layers, "unpacked/1234").communicate(timeout=30)[1]


@forked
def test_a_functions_workers_start_with_its_layer_loaded_and_load_it_from_nowhere_else(layers: Path) -> None:
    for _ in range(2):
        worker = started(layers, "unpacked/1234")
        assert worker.communicate("an event\n", timeout=30) == ("True of the layer an event\n", "")


def test_a_worker_without_the_functions_libraries_is_an_interpreter_of_its_own(layers: Path) -> None:
    (layers / "other" / "python" / "aws_lambda_powertools.py").write_text("WORDS = 'of its own'")
    assert started(layers, "other").communicate("an event\n", timeout=30) == ("False of its own an event\n", "")
