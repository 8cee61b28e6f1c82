"""A model as a folder or as an archive, which may come damaged or hostile."""

from __future__ import annotations

import io
import tarfile

import pytest

from headroom.core import job
from headroom.core.archives import unpacked


def archive(path, members):
    with tarfile.open(path, "w:gz") as opened:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))


def test_a_model_comes_as_a_folder_or_as_the_archive_that_training_leaves(tmp_path):
    (tmp_path / "model_metrics.json").write_text("{}")
    assert unpacked(tmp_path, tmp_path / "scratch") == tmp_path
    (tmp_path / "scratch").mkdir()
    archive(tmp_path / "model.tar.gz", {"model_metrics.json": b"{}"})
    folder = unpacked(tmp_path, tmp_path / "scratch")
    assert (folder / "model_metrics.json").read_text() == "{}" and folder == tmp_path / "scratch"


@pytest.mark.parametrize("name", ["../evil", "/absolutely/evil"])
def test_an_archive_that_writes_elsewhere_is_refused(tmp_path, name):
    (tmp_path / "scratch").mkdir()
    archive(tmp_path / "model.tar.gz", {name: b"evil"})
    try:
        folder = unpacked(tmp_path, tmp_path / "scratch")
    except job.InputError as error:
        assert "train again" in str(error)
    else:
        assert all(path.is_relative_to(folder) for path in folder.rglob("*"))
    assert not (tmp_path / "evil").exists()


def test_a_damaged_archive_is_an_error_that_says_what_to_do(tmp_path):
    (tmp_path / "model.tar.gz").write_bytes(b"\x1f\x8b nothing")
    with pytest.raises(job.InputError, match="train again"):
        unpacked(tmp_path, tmp_path)
