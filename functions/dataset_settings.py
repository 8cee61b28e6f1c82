"""A dataset's settings file, ``config/<dataset>.yaml``, as far as functions must know it.

The jobs judge the settings, with a YAML parser. Of the few keys that matter before any job runs, or where none does,
a function reads plain numbers on lines of their own; a test holds this reading to that of the jobs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from objects import fetched

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_LONGEST = 8 * 1024**2  # bytes; the rest of a file that is longer is not read


def read_settings(s3: S3Client, bucket: str, dataset: str) -> str:
    """The text of the dataset's settings file; empty where there is none."""
    return read_config(s3, bucket, f"{dataset}.yaml")


def read_config(s3: S3Client, bucket: str, name: str) -> str:
    """The text of a file under ``config/``; empty where there is none."""
    content, _ = fetched(s3, bucket, f"config/{name}", _LONGEST)
    return content.decode("utf-8", errors="replace")


def whole_number(settings: str, key: str) -> int | None:
    """The value of a key of the settings, None where they do not say or say nonsense."""
    found = re.findall(rf"^{key}:[ \t]+(\d{{1,6}})[ \t]*(?:#.*)?\r?$", settings, flags=re.MULTILINE)
    return int(found[-1]) if found else None


def switched_on(settings: str, key: str) -> bool:
    """Whether a key of the settings is true, in any of YAML's words for it."""
    words = "true|True|TRUE|yes|Yes|YES|on|On|ON"
    found = re.findall(rf"^{key}:[ \t]+(\S+)[ \t]*(?:#.*)?\r?$", settings, flags=re.MULTILINE)
    return bool(found) and re.fullmatch(words, found[-1]) is not None
