"""How the laptop cloud names and places a job's files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.emulator.transfer import TransferError, inside, relative, split


@pytest.mark.parametrize(
    ("key", "prefix", "name"),
    [
        ("incoming/demo/a.csv", "incoming/demo/", "a.csv"),
        ("incoming/demo/a.csv", "incoming/demo", "a.csv"),
        ("incoming/demo/deep/a.csv", "incoming/demo", "deep/a.csv"),
        ("runs/1/manifest.json", "runs/1/manifest.json", "manifest.json"),
        ("runs/10/x", "runs/1", "10/x"),
        ("a.csv", "", "a.csv"),
    ],
)
def test_a_files_name_is_what_follows_the_prefix(key: str, prefix: str, name: str) -> None:
    assert relative(key, prefix) == name


@given(st.text(max_size=40))
def test_no_name_leaves_the_folder(name: str) -> None:
    folder = Path("/job/opt/ml/in")
    try:
        path = inside(folder, name)
    except TransferError:
        return
    assert path.is_relative_to(folder)
    assert path != folder
    assert ".." not in path.parts


@pytest.mark.parametrize(
    "name", ["../a", "a/../../b", "/etc/passwd", "a//b", "", ".", "a/", "a\0b", "a\nb", "..\\a", "x" * 300]
)
def test_tricky_names_are_refused(name: str) -> None:
    with pytest.raises(TransferError, match="cannot be a file"):
        inside(Path("/job"), name)


def test_a_link_in_the_folder_does_not_lead_out_of_it(tmp_path: Path) -> None:
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "link").symlink_to(tmp_path)
    with pytest.raises(TransferError):
        inside(tmp_path / "job", "link/secret")


def test_only_s3_addresses_are_addresses() -> None:
    assert split("s3://bucket/some/key") == ("bucket", "some/key")
    assert split("s3://bucket") == ("bucket", "")
    for wrong in ("bucket/key", "https://bucket/key", "s3:///key"):
        with pytest.raises(TransferError):
            split(wrong)
