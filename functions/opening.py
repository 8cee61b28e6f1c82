"""Whether the jobs will be able to read the waiting files, checked before a run is paid for."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ledger import File
from objects import MISSING

_AT_ONCE = 16
_ANSWERS = {
    "InvalidObjectState": "it is archived ({storage}), and no job can read it: restore it, then put it back",
    "InvalidRequest": "it is encrypted with a key that only its uploader has (SSE-C): upload it without",
    "AccessDenied": "S3 refuses to read it: it is encrypted with a KMS key that this stack may not use, or a policy "
    "denies it. Upload it with the bucket's own encryption",
}
# Gone, or emptied meanwhile: an empty version is refused when its own event comes.
_GONE = (*MISSING, "InvalidRange")


@dataclass(frozen=True)
class Opened:
    """What became of the files that a run would take."""

    readable: list[File]
    """In order of arrival, one for each key."""
    refused: list[tuple[File, str]]
    """To be set aside, each with the reason."""
    # All others are done with without being read: they were deleted, or a newer version has taken their place.


def open_all(s3: Any, bucket: str, files: list[File]) -> Opened:
    """Open each file as the jobs will, by its key, and see that what lies there is the version that is meant.

    A job reads the version that a key has now. An older one cannot be read any more; a newer one whose event has
    not come yet, or which is beyond this run's share, is left to the run that its own entry starts.
    """
    by_key: dict[str, list[File]] = {}
    for file in files:
        by_key.setdefault(file.key, []).append(file)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = dict(zip(by_key, pool.map(lambda key: _open(s3, bucket, key), by_key), strict=True))
    readable: dict[str, File] = {}
    refused: list[tuple[File, str]] = []
    for key, (versions, problem) in answers.items():
        if problem is not None:
            refused += [(file, problem) for file in by_key[key]]
            continue
        current = [file for file in by_key[key] if file.version in versions]
        if current:
            readable[key] = current[-1]
    clashing = _below_a_file(readable)
    refused += [(readable.pop(key), problem) for key, problem in clashing.items()]
    order = {file.item: number for number, file in enumerate(files)}
    return Opened(sorted(readable.values(), key=lambda file: order[file.item]), refused)


def _open(s3: Any, bucket: str, key: str) -> tuple[set[str], str | None]:
    """The names of the version that lies under a key, none where nothing does; and why it cannot be read."""
    try:
        answer = s3.get_object(Bucket=bucket, Key=key, Range="bytes=0-0")
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _GONE:
            return set(), None
        if code in _ANSWERS or code.startswith("KMS"):
            storage = error.response["Error"].get("StorageClass") or "a storage class such as Glacier"
            return set(), _ANSWERS.get(code, _ANSWERS["AccessDenied"]).format(storage=storage)
        raise
    answer["Body"].close()
    return {answer.get("VersionId", ""), answer.get("ETag", "").strip('"')} - {""}, None


def _below_a_file(keys: Iterable[str]) -> dict[str, str]:
    """Files that lie in a "folder" that is a file: in S3 these are two keys, on a job's disk only one can be."""
    there = set(keys)
    clashing = {}
    for key in there:
        parts = key.split("/")
        for end in range(1, len(parts)):
            above = "/".join(parts[:end])
            if above in there:
                clashing[key] = f"{above.rpartition('/')[2]!r} is a file and a folder at once: rename one of them"
    return clashing
