"""S3's objects as values: what lies under a key, or nothing where nothing does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# HeadObject has no body to name the error in: it answers with the bare number.
MISSING = ("NoSuchKey", "404")
# Without the right to list a bucket, S3 answers a key that is not there with "forbidden".
HIDDEN = (*MISSING, "AccessDenied", "403")


def client_for_links() -> S3Client:
    """A client whose links work: the region's own host name, and the signature that every region takes."""
    import boto3
    from botocore.config import Config

    return boto3.client("s3", config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}))


def fetched(s3: S3Client, bucket: str, key: str, longest: int | None = None) -> tuple[bytes, str | None]:
    """An object, or its first ``longest`` bytes, and its ETag; ``b""`` and None where it is not there."""
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in MISSING:
            raise
        return b"", None
    return answer["Body"].read(longest), answer["ETag"]


def fetched_json(s3: S3Client, bucket: str, key: str) -> Any:
    """A JSON document; None where it is not there."""
    content, etag = fetched(s3, bucket, key)
    return None if etag is None else json.loads(content)


def if_still(etag: str | None) -> dict[str, Any]:
    """The condition of a PutObject that nobody has written since the object was read; None where there was none."""
    return {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}


def is_there(s3: S3Client, bucket: str, key: str) -> bool:
    """Whether an object lies under a key."""
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in MISSING:
            raise
        return False
    return True


def sizes(s3: S3Client, bucket: str, prefix: str) -> dict[str, int]:
    """The bytes of each object under a prefix, by key."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", [])}
