"""Moves a job's data between S3 and its folder, the way SageMaker does."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError

_UPLOAD_ERRORS = (ClientError, S3UploadFailedError)
NAME_BYTES = 255  # the longest name most file systems take
CHUNK_BYTES = 2**20
# One request per file and no pool of threads: of a job's many small files (its code), boto3's own transfers take three
# times the processor time.
LARGE_BYTES = 64 * 2**20


KEPT_BYTES = 4 * 2**20


@dataclass(frozen=True)
class Kept:
    """Small objects that an earlier job of the same role has fetched, for those after it that still may read them.

    A job's code is over a hundred files, and the same for most jobs: fetching them took more time than the job itself.
    """

    folder: Path
    may_read: Callable[[str, str, str], bool]  # role, bucket, key

    def place(self, role_arn: str, bucket: str, key: str, etag: str) -> Path:
        """Where the object is, or is to be put."""
        return self.folder / hashlib.sha256("\0".join((role_arn, bucket, key, etag)).encode()).hexdigest()

    def gives(self, role_arn: str, bucket: str, key: str, etag: str, target: Path) -> bool:
        """Has it put the object there?"""
        source = self.place(role_arn, bucket, key, etag)
        if not (source.exists() and self.may_read(role_arn, bucket, key)):
            return False
        shutil.copyfile(source, target)
        return True

    def takes(self, role_arn: str, bucket: str, key: str, etag: str, file: Path) -> None:
        """Keep what was fetched; jobs may do so at the same time."""
        if file.stat().st_size <= KEPT_BYTES:
            self.folder.mkdir(exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, delete=False) as copy:
                copy.write(file.read_bytes())
            Path(copy.name).rename(self.place(role_arn, bucket, key, etag))


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
    found = _listed(s3, bucket, prefix) if kind == "S3Prefix" else _in_manifest(s3, bucket, prefix, whole_keys)
    total = files = 0
    try:
        for source, key, name, etag in found:
            target = inside(folder, name)
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                if not (kept and etag and kept.gives(role_arn, source, key, etag, target)):
                    with target.open("wb") as file:
                        shutil.copyfileobj(s3.get_object(Bucket=source, Key=key)["Body"], file, CHUNK_BYTES)
                    if kept and etag:
                        kept.takes(role_arn, source, key, etag, target)
            except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
                raise TransferError(f'the key "{key}" is both a file and a folder of other keys') from error
            total += target.stat().st_size
            files += 1
    except ClientError as error:
        raise TransferError(f"{error} (role {role_arn}, {uri})") from error
    if not files:
        raise TransferError(
            f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket '
            f'exists in the selected region, that objects exist under that S3 prefix, and that the role "{role_arn}" '
            f'has "s3:ListBucket" permissions on bucket "{bucket}".'
        )
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


def _listed(s3: Any, bucket: str, prefix: str) -> Iterator[tuple[str, str, str, str | None]]:
    """(bucket, key, name relative to the prefix, ETag) of every object whose key begins with ``prefix``."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            key = item["Key"]
            if key.endswith("/"):
                continue  # the empty object that consoles show as a folder
            yield bucket, key, relative(key, prefix), item["ETag"]


def relative(key: str, prefix: str) -> str:
    """What SageMaker calls the file of ``key`` when it was asked for ``prefix``, which need not be a folder."""
    folder = prefix.rstrip("/")
    if key.startswith(f"{folder}/"):
        return key[len(folder) + 1 :]
    return key[prefix.rfind("/") + 1 :]


def _in_manifest(s3: Any, bucket: str, key: str, whole_keys: bool) -> Iterator[tuple[str, str, str, str | None]]:
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
        yield source, folder + name, folder + name if whole_keys else name, None


def _files(folder: Path) -> list[Path]:
    """Regular files under ``folder``, in order of name. Links are left out: they could point anywhere."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
