"""What Headroom would make of a file, before any run: the jobs' own preview of a beginning that somebody has uploaded.

Event: ``{"key": …, "name": …, "settings": …}``, from the API's function alone; answer: ``{"lines": […], "usable": …}``.
It reads files that nobody has looked at yet, so its role may read ``preview/`` and do nothing else at all.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError

from environment import PreviewSettings, from_environment
from headroom import preview as reading
from headroom.core import settings
from names import LARGEST_PREVIEW
from objects import HIDDEN

logger = Logger()

_PIECE = 2**20


@cache
def _environment() -> PreviewSettings:
    return from_environment(PreviewSettings)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    s3 = boto3.client("s3")
    try:
        found = s3.get_object(Bucket=_environment().ingest_bucket, Key=event["key"])
    except ClientError as error:
        if error.response["Error"]["Code"] not in HIDDEN:
            raise
        return {"missing": True}
    if found["ContentLength"] > LARGEST_PREVIEW:
        return {"lines": [event["name"], "  too large to look at here"], "usable": False}
    with tempfile.TemporaryDirectory(prefix="preview-") as folder:
        path = Path(folder) / "file"
        with path.open("wb") as file:
            for piece in found["Body"].iter_chunks(_PIECE):
                file.write(piece)
        lines, usable = reading.preview(path, event["name"], settings.parse(event["settings"]))
    return {"lines": lines, "usable": usable}
