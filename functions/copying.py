"""Data that lies in another bucket: copied into a dataset's folder, since all data enters by one door (docs/api.md)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from names import name_problem, twice
from objects import HIDDEN

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# What is copied while a caller waits; more comes by `aws s3 sync` or headroom drop.
MOST_FILES = 100
MOST_BYTES = 2 * 2**30
ADDRESS = r"s3://[a-z0-9.-]{3,63}/.{1,1024}"
_AT_ONCE = 8
_REFUSED = (*HIDDEN, "NoSuchBucket")


class CannotCopy(Exception):
    """Nothing was copied; the message has a line for each address that is the reason."""


@dataclass(frozen=True)
class Found:
    """An object that is to be copied."""

    bucket: str
    key: str
    etag: str
    size: int

    @property
    def name(self) -> str:
        """Its name in the dataset: that of the file, without the folders of the other bucket."""
        return self.key.rpartition("/")[2]


def look(s3: S3Client, addresses: Sequence[str], allowed: Sequence[str]) -> list[Found]:
    """The objects that are to be copied, once all of them can be.

    ``allowed`` are ARNs that end with a star, such as ``arn:aws:s3:::exports/servers/*``.

    Raises:
        CannotCopy: one of them is not allowed, not there, or cannot be taken in.
    """
    faults = [fault for address in addresses if (fault := _not_allowed(address, allowed))]
    if faults:
        raise CannotCopy("\n".join(faults))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        looked = list(pool.map(lambda address: _look(s3, address), addresses))
    faults = [one for one in looked if isinstance(one, str)]
    found = [one for one in looked if isinstance(one, Found)]
    names = [one.name for one in found]
    faults += [f"{name} is named twice: files of one dataset need names of their own" for name in twice(names)]
    if (size := sum(one.size for one in found)) > MOST_BYTES:
        faults.append(
            f"together they have {size / 2**30:.1f} GB, and {MOST_BYTES // 2**30} are copied at once: use aws s3 sync"
        )
    if faults:
        raise CannotCopy("\n".join(faults))
    return found


def copy(s3: S3Client, found: Sequence[Found], bucket: str, dataset: str) -> list[str]:
    """Copy objects into a dataset's folder; the names of those that were not there yet.

    Who asks again copies nothing again, so that no file counts as a new one.

    Raises:
        CannotCopy: some of them were refused; the others are copied.
    """
    fresh = [one for one in found if not _is_there(s3, bucket, f"incoming/{dataset}/{one.name}", one)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        faults = list(pool.map(lambda one: _copy(s3, one, bucket, f"incoming/{dataset}/{one.name}"), fresh))
    if any(faults):
        raise CannotCopy("\n".join(filter(None, faults)))
    return [one.name for one in fresh]


def _not_allowed(address: str, allowed: Sequence[str]) -> str | None:
    if re.fullmatch(ADDRESS, address) is None:
        return f"{address!r} is not the address of an object, such as s3://exports/june.csv"
    place = address.removeprefix("s3://")
    if ".." in place.split("/") or not any(place.startswith(arn.partition(":::")[2][:-1]) for arn in allowed if arn):
        told = ", ".join(f"s3://{arn.partition(':::')[2]}" for arn in allowed if arn) or "none"
        return f"{address}: the stack may not read it. Its parameter DataArns allows {told}"
    if problem := name_problem(place.rpartition("/")[2]):
        return f"{address}: {problem}"
    return None


def _look(s3: Any, address: str) -> Found | str:
    bucket, _, key = address.removeprefix("s3://").partition("/")
    try:
        head = s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _REFUSED:
            raise
        return f"{address} is not there, or its bucket does not let this stack read it"
    if head["ContentLength"] == 0:
        return f"{address} is empty (0 bytes): check the export that made it"
    return Found(bucket, key, head["ETag"], head["ContentLength"])


def _is_there(s3: Any, bucket: str, key: str, wanted: Found) -> bool:
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
    return any((one["Key"], one["ETag"], one["Size"]) == (key, wanted.etag, wanted.size) for one in listed)


def _copy(s3: Any, one: Found, bucket: str, key: str) -> str | None:
    """Copy the version that was looked at; why that cannot be, where it cannot."""
    try:
        # No tags: reading those would need another permission.
        s3.copy_object(
            Bucket=bucket, Key=key, CopySource={"Bucket": one.bucket, "Key": one.key}, CopySourceIfMatch=one.etag,
            TaggingDirective="REPLACE",
        )  # fmt: skip
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _REFUSED:
            return f"s3://{one.bucket}/{one.key}: this stack may not use it, or the key that it is encrypted with"
        if code != "PreconditionFailed":
            raise
        return f"s3://{one.bucket}/{one.key} was changed meanwhile: ask again"
    return None
