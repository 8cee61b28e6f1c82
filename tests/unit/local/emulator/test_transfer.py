"""How the laptop cloud names and places a job's files."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.emulator.transfer import Kept, TransferError, download, inside, relative, split


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


KEYS = ("code/run.sh", "code/package/__init__.py", "code/data/a.csv")


class Bucket:
    """Objects of one content behind the client's two calls; counts how often all of them are fetched."""

    def __init__(self, content: bytes, etag: str):
        self.content, self.etag, self.fetched = content, etag, 0

    def get_paginator(self, _: str) -> Bucket:
        return self

    def paginate(self, **_: str) -> list[dict]:
        return [{"Contents": [{"Key": key, "ETag": self.etag, "Size": 3} for key in KEYS]}]

    def get_object(self, **_: str) -> dict:
        self.fetched += 1 / len(KEYS)
        return {"Body": io.BytesIO(self.content)}


def test_what_a_job_has_fetched_is_there_for_the_next_one_of_its_role_while_it_may_read_it(tmp_path: Path) -> None:
    allowed = {"train"}
    kept = Kept(tmp_path / "kept", lambda role, bucket, key: role in allowed)
    one, changed = Bucket(b"one", "1"), Bucket(b"two", "2")
    for number, (bucket, role, fetched) in enumerate(
        [(one, "train", 1), (one, "train", 1), (one, "assess", 2), (changed, "train", 1), (one, "train", 3)]
    ):
        if number == 4:
            allowed.clear()  # S3 is asked, and refuses
        folder = tmp_path / str(number)
        folder.mkdir()
        download(bucket, "s3://artifacts/code/", "S3Prefix", folder, role, kept=kept)
        for name in ("run.sh", "package/__init__.py", "data/a.csv"):
            assert (folder / name).read_bytes() == bucket.content
            if not name.startswith("package/"):
                (folder / name).write_bytes(b"of the job itself")
        assert bucket.fetched == pytest.approx(fetched), number
