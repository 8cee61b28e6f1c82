"""Moves a job's data between S3 and its folder, the way SageMaker does."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError

_UPLOAD_ERRORS = (ClientError, S3UploadFailedError)
NAME_BYTES = 255  # the longest name most file systems take
CHUNK_BYTES = 2**20
# One request per file and no pool of threads: of a job's many small files (its code), boto3's own transfers take three
# times the processor time.
LARGE_BYTES = 64 * 2**20


KEPT_BYTES = 16 * 2**20  # of all objects of an input


class Found(NamedTuple):
    """An object, what its file is called, and what the listing says of it, where there is one."""

    bucket: str
    key: str
    name: str
    etag: str | None = None
    size: int = 0


@dataclass(frozen=True)
class Kept:
    """Small inputs that an earlier job of the same role has fetched, for those after it that still may read them.

    A job's code is over a hundred files, and the same for most jobs: fetching them took more time than the job itself.
    A job gets copies, but of a Python package a link: so it is compiled once as well, and not in every job.
    """

    folder: Path
    may_read: Callable[[str, str, str], bool]  # role, bucket, key

    def place(self, role_arn: str, found: list[Found]) -> Path | None:
        """Where these objects are, or are to be put; None if they are not for keeping."""
        if not all(one.etag for one in found) or sum(one.size for one in found) > KEPT_BYTES:
            return None
        facts = json.dumps([role_arn, [(one.bucket, one.key, one.name, one.etag) for one in found]])
        return self.folder / hashlib.sha256(facts.encode()).hexdigest()

    def hand_over(self, place: Path, target: Path) -> None:
        """Put what is in the place into the folder ``target``."""
        for entry in place.iterdir():
            if (entry / "__init__.py").exists():
                (target / entry.name).symlink_to(entry)
            elif entry.is_dir():
                shutil.copytree(entry, target / entry.name)
            else:
                shutil.copyfile(entry, target / entry.name)


class TransferError(Exception):
    """Data could not be moved; the message becomes the job's failure reason."""


def download(
    s3: Any, uri: str, kind: str, folder: Path, role_arn: str, whole_keys: bool = False, kept: Kept | None = None
) -> int:
    """Bring what ``uri`` names into ``folder`` and return the number of bytes.

    ``kind`` is ``S3Prefix`` (every object whose key begins with the prefix) or ``ManifestFile`` (the object
    lists them: ``[{"prefix": "s3://bucket/folder/"}, "a.csv", …]``; with ``whole_keys`` they lie under their whole
    keys, else under the names in that list). Raises ``TransferError`` where nothing
    matches, access is denied, or a key cannot be a file inside ``folder``.
    """
    bucket, prefix = split(uri)
    try:
        listed = _listed(s3, bucket, prefix) if kind == "S3Prefix" else _in_manifest(s3, bucket, prefix, whole_keys)
        if not (found := list(listed)):
            raise TransferError(
                f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket '
                f"exists in the selected region, that objects exist under that S3 prefix, and that the role "
                f'"{role_arn}" has "s3:ListBucket" permissions on bucket "{bucket}".'
            )
        place = kept.place(role_arn, found) if kept else None
        if kept is None or place is None:
            return _fetch(s3, found, folder)
        if not place.exists():
            kept.folder.mkdir(exist_ok=True)
            fetched = Path(tempfile.mkdtemp(dir=kept.folder))
            _fetch(s3, found, fetched)
            with suppress(OSError):  # another job was quicker
                fetched.rename(place)
        elif not all(kept.may_read(role_arn, one.bucket, one.key) for one in found):
            return _fetch(s3, found, folder)
        kept.hand_over(place, folder)
        return sum(one.size for one in found)
    except ClientError as error:
        raise TransferError(f"{error} (role {role_arn}, {uri})") from error


def _fetch(s3: Any, found: list[Found], folder: Path) -> int:
    """Bring the objects into ``folder`` and return the number of bytes."""
    total = 0
    for one in found:
        target = inside(folder, one.name)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                shutil.copyfileobj(s3.get_object(Bucket=one.bucket, Key=one.key)["Body"], file, CHUNK_BYTES)
        except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
            raise TransferError(f'the key "{one.key}" is both a file and a folder of other keys') from error
        total += target.stat().st_size
    return total


def upload(s3: Any, folder: Path, uri: str) -> int:
    """Send every file under ``folder`` to ``uri`` with its relative name; returns how many."""
    bucket, prefix = split(uri)
    sent = 0
    for path in _files(folder):
        key = f"{prefix.rstrip('/')}/{path.relative_to(folder).as_posix()}".lstrip("/")
        try:
            if path.stat().st_size > LARGE_BYTES:
                s3.upload_file(str(path), bucket, key)
            else:
                with path.open("rb") as file:
                    s3.put_object(Bucket=bucket, Key=key, Body=file)
        except _UPLOAD_ERRORS as error:
            raise TransferError(f"upload to s3://{bucket}/{key} failed: {error}") from error
        sent += 1
    return sent


def upload_archive(s3: Any, folder: Path, uri: str) -> None:
    """Send everything under ``folder`` as one ``.tar.gz`` object at ``uri``."""
    bucket, key = split(uri)
    with tempfile.TemporaryFile() as archive:
        with tarfile.open(fileobj=archive, mode="w:gz", compresslevel=1) as tar:
            for path in _files(folder):
                tar.add(path, arcname=str(path.relative_to(folder)), recursive=False)
        archive.seek(0)
        try:
            s3.upload_fileobj(archive, bucket, key)
        except _UPLOAD_ERRORS as error:
            raise TransferError(f"upload to {uri} failed: {error}") from error


def split(uri: str) -> tuple[str, str]:
    """``s3://bucket/some/key`` → ``("bucket", "some/key")``."""
    scheme, separator, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not separator or not bucket:
        raise TransferError(f"not an S3 address: {uri!r}")
    return bucket, key


def inside(folder: Path, name: str) -> Path:
    """The path of ``name`` in ``folder``; refuses every name that would be a file elsewhere or no file at all."""
    parts = name.split("/")
    harmless = (
        all(part not in ("", ".", "..") and len(part.encode()) <= NAME_BYTES for part in parts)
        and not any(ord(character) < 32 or ord(character) == 127 for character in name)
        and "\\" not in name
    )
    path = folder.joinpath(*parts) if harmless else folder
    if not harmless or not path.resolve().is_relative_to(folder.resolve()):
        raise TransferError(f"the object name {name!r} cannot be a file in {folder.name}")
    return path


def _listed(s3: Any, bucket: str, prefix: str) -> Iterator[Found]:
    """Every object whose key begins with ``prefix``, called by what follows the prefix."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            key = item["Key"]
            if key.endswith("/"):
                continue  # the empty object that consoles show as a folder
            yield Found(bucket, key, relative(key, prefix), item["ETag"], item["Size"])


def relative(key: str, prefix: str) -> str:
    """What SageMaker calls the file of ``key`` when it was asked for ``prefix``, which need not be a folder."""
    folder = prefix.rstrip("/")
    if key.startswith(f"{folder}/"):
        return key[len(folder) + 1 :]
    return key[prefix.rfind("/") + 1 :]


def _in_manifest(s3: Any, bucket: str, key: str, whole_keys: bool) -> Iterator[Found]:
    """The same for the objects that a manifest lists, which gives no ETags."""
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        first, *names = json.loads(body)
        source, folder = split(first["prefix"])
        if not all(isinstance(name, str) for name in names):
            raise TypeError("names must be text")
    except (ValueError, TypeError, KeyError) as error:
        raise TransferError(
            f's3://{bucket}/{key} is not a manifest of the form [{{"prefix": "s3://…"}}, "name", …]: {error}'
        ) from error
    for name in names:
        yield Found(source, folder + name, folder + name if whole_keys else name)


def _files(folder: Path) -> list[Path]:
    """Regular files under ``folder``, in order of name. Links are left out: they could point anywhere."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
