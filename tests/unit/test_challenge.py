"""The challenger's first job as the state machine sees it: files, and a last word that says what is asked."""

from __future__ import annotations

import argparse
import json
import tarfile
from pathlib import Path

import pytest

from headroom import challenge
from headroom.core.job import InputError
from headroom.forecast import challenger


def archived(folder: Path, target: Path) -> Path:
    """A model as a training job leaves it."""
    target.mkdir()
    with tarfile.open(target / "model.tar.gz", "w:gz") as archive:
        for path in sorted(folder.rglob("*")):
            archive.add(path, arcname=str(path.relative_to(folder)), recursive=False)
    return target


def asked(model: Path, out: Path) -> dict:
    return challenge.work(argparse.Namespace(model=model, challenge=out))


def test_what_training_wrote_leaves_the_archive_and_the_last_word_is_what_is_asked(tmp_path):
    written = tmp_path / "written" / challenger.FOLDER
    (written / challenger.HISTORY).mkdir(parents=True)
    exercise = {"possible": True, "frequency": "1D", "horizon": 30, "series": 7}
    (written / challenger.EXERCISE).write_text(json.dumps(exercise))
    (written / challenger.HISTORY / "history-000.csv").write_text("item_id,timestamp,value\n")
    out = tmp_path / "out"
    assert asked(archived(tmp_path / "written", tmp_path / "model"), out) == exercise
    assert (out / challenger.HISTORY / "history-000.csv").read_text() == "item_id,timestamp,value\n"


def test_a_model_without_an_exercise_says_so(tmp_path):
    (tmp_path / "written").mkdir()
    (tmp_path / "written" / "model.json").write_text("{}")
    told = asked(archived(tmp_path / "written", tmp_path / "model"), tmp_path / "out")
    assert told["possible"] is False
    assert "do not ask for it" in told["reason"]


def test_a_damaged_archive_is_named(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.tar.gz").write_bytes(b"no archive")
    with pytest.raises(InputError, match="cannot be unpacked"):
        asked(tmp_path / "model", tmp_path / "out")
