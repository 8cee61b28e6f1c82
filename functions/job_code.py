"""The jobs' code as PlanRun carries it: which files it is, and that they are in place before a run reads them."""

from __future__ import annotations

import hashlib
import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING

from objects import sizes

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def read() -> dict[str, bytes]:
    """The files of the job code by relative path: the layer that this function carries (never imported here)."""
    found = importlib.util.find_spec("headroom")
    if found is None or found.origin is None:
        raise RuntimeError("the layer with the job code is missing from this function")
    root = Path(found.origin).parent.parent
    paths = [root / "run.sh", root / "submit.py", root / "jobs.txt", *sorted((root / "headroom").rglob("*"))]
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in paths
        if path.is_file() and "__pycache__" not in path.parts
    }


def version(code: dict[str, bytes]) -> str:
    """What tells this code from any other."""
    digest = hashlib.sha256()
    for name, content in sorted(code.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def upload(s3: S3Client, bucket: str, uri: str, code: dict[str, bytes]) -> None:
    """Put the job code in place, once for each of its versions."""
    prefix = re.sub(r"^s3://[^/]+/", "", uri)
    there = sizes(s3, bucket, prefix)
    for name, content in code.items():
        if prefix + name not in there:
            s3.put_object(Bucket=bucket, Key=prefix + name, Body=content)
