"""Which runs' panels expire: each run keeps a whole panel and its samples, of which only the newest are ever read.

A published run reads the panel of the one before it. Once enough newer runs have followed, ``Publish`` tags a run's
panel, and a lifecycle rule of the artifact bucket deletes it by that tag. Results stay.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import TaggingTypeDef

logger = Logger()

SUPERSEDED: TaggingTypeDef = {"TagSet": [{"Key": "superseded", "Value": "true"}]}


def expire_superseded(s3: S3Client, bucket: str, dataset: str, run: str, previous: str | None, keep: int) -> None:
    """Tag the panels of the runs that have become too old now that ``run``, which follows ``previous``, is published.

    ``keep`` published runs, this one included, keep their panels. Too old are the next one back in the chain, and the
    runs between it and its predecessor that were never published. What goes wrong here costs storage and nothing
    else, so it is logged and does not raise.
    """
    try:
        # The chain ends where a run was the first, or where its manifest is gone.
        chain = [run, *_before(s3, bucket, dataset, previous, keep + 1)]
        if len(chain) <= keep:
            return
        newest, after = chain[keep], chain[keep + 1] if len(chain) > keep + 1 else ""
        for old in _runs(s3, bucket, dataset):
            if after < old <= newest and old not in chain[:keep]:
                _tag(s3, bucket, f"runs/{dataset}/{old}/panel/")
    except ClientError:
        logger.exception("superseded panels could not be tagged", extra={"dataset": dataset})


def _before(s3: S3Client, bucket: str, dataset: str, run: str | None, most: int) -> Iterator[str]:
    """A run and its predecessors, the newest first."""
    for _ in range(most):
        if run is None:
            return
        yield run
        body = s3.get_object(Bucket=bucket, Key=f"runs/{dataset}/{run}/manifest.json")["Body"].read()
        run = json.loads(body)["previous_run_id"]


def _runs(s3: S3Client, bucket: str, dataset: str) -> Iterator[str]:
    """The names of a dataset's runs; they begin with the time of their start, and so sort by it."""
    folder = f"runs/{dataset}/"
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder, Delimiter="/"):
        for found in page.get("CommonPrefixes", []):
            yield found["Prefix"].removeprefix(folder).rstrip("/")


def _tag(s3: S3Client, bucket: str, prefix: str) -> None:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for found in page.get("Contents", []):
            s3.put_object_tagging(Bucket=bucket, Key=found["Key"], Tagging=SUPERSEDED)
