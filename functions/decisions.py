"""Reads and changes the findings that a dataset's owners have accepted: one file per dataset, docs/accepting.md.

The command line and the API both change it here. Its schema is the jobs' own, ``headroom.core.accepted``.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from headroom.core.accepted import Accepted, Finding, in_words, parse, written
from objects import MISSING, fetched, fetched_json, if_still

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_TRIES = 5
CHANGED = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")


class NoSuchFinding(Exception):
    """The dataset's current run has no such finding; the message names those that are nearest."""

    def __init__(self, message: str, kinds: list[str]) -> None:
        super().__init__(message)
        self.kinds = kinds
        """Of the findings that differ from the wanted one in nothing else."""


class TooBusy(Exception):
    """Others have changed the file again and again meanwhile."""


def key_of(dataset: str) -> str:
    """Where the file lies in the ingest bucket."""
    return f"config/{dataset}.accepted.json"


def read(s3: S3Client, bucket: str, dataset: str) -> tuple[list[Accepted], str | None]:
    """The decisions, and the file's ETag; no decisions and None where there is no file.

    Raises:
        AcceptedError: the file cannot be used.
    """
    content, etag = fetched(s3, bucket, key_of(dataset))
    return [] if etag is None else parse(content.decode("utf-8-sig", errors="replace")), etag


def put_request(bucket: str, dataset: str, decisions: list[Accepted], etag: str | None) -> dict[str, Any]:
    """S3's request that writes the decisions, and is refused where the file is not what was read."""
    return {
        "Bucket": bucket,
        "Key": key_of(dataset),
        "Body": written(decisions).encode(),
        "ContentType": "application/json",
        **if_still(etag),
    }


def change(s3: S3Client, bucket: str, dataset: str, how: Callable[[list[Accepted]], list[Accepted]]) -> None:
    """Write the decisions that ``how`` makes of those that are there; whoever else writes meanwhile loses nothing.

    Raises:
        AcceptedError: the file that is there cannot be used.
        TooBusy: it was changed again and again meanwhile.
    """
    for _ in range(_TRIES):
        decisions, etag = read(s3, bucket, dataset)
        try:
            s3.put_object(**put_request(bucket, dataset, how(decisions), etag))
            return
        except ClientError as error:
            if error.response["Error"]["Code"] not in (*CHANGED, *MISSING):
                raise
    raise TooBusy(f"{key_of(dataset)} was changed by others {_TRIES} times meanwhile: try again")


def findings(s3: S3Client, bucket: str, dataset: str, run_id: str) -> list[dict[str, Any]]:
    """All that can be accepted of a run, the most urgent first; of a run before there was such a list, nothing."""
    listed = fetched_json(s3, bucket, f"runs/{dataset}/{run_id}/assessment/findings.json")
    return [] if listed is None else listed["findings"]


def the_one(known: list[dict[str, Any]], wanted: Finding) -> dict[str, Any]:
    """The finding of this name.

    Raises:
        NoSuchFinding: there is none.
    """
    names = {Finding(one["server"], one["metric"], one["entity"], one["kind"]): one for one in known}
    if wanted in names:
        return names[wanted]
    of_server = [in_words(name) for name in names if name.server == wanted.server]
    near = of_server or difflib.get_close_matches(in_words(wanted), [in_words(name) for name in names], n=3)
    hint = f"; there is {', '.join(near[:5])}" if near else ""
    kinds = [name.kind for name in names if name._replace(kind=wanted.kind) == wanted]
    raise NoSuchFinding(f"the current run has no finding {in_words(wanted)}{hint}", kinds)
