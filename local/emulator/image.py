"""The laptop's "container image" of the jobs is this interpreter's environment: it must carry the jobs' lock."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from pathlib import Path

from packaging.requirements import Requirement

from local.cloud import ROOT, CloudError

LOCK = ROOT / "requirements" / "jobs.txt"
# `processing/run.sh` finds this copy of the lock, and so installs nothing.
SIGN = Path(sys.prefix) / "headroom-jobs.txt"


def require() -> None:
    """Make sure that the jobs find their locked libraries here; raises ``CloudError`` where they do not."""
    lock = LOCK.read_text(encoding="utf-8")
    if SIGN.exists() and SIGN.read_text(encoding="utf-8") == lock:
        return
    wrong = missing(lock)
    if wrong:
        raise CloudError(
            f"the environment {sys.prefix} does not match requirements/jobs.txt: {', '.join(wrong[:5])}"
            f"{' and more' if len(wrong) > 5 else ''}. Run make again, which installs what is missing."
        )
    SIGN.write_text(lock, encoding="utf-8")


def missing(lock: str) -> list[str]:
    """What the lock (pip's format, with hashes) asks for and this environment lacks, with what it has instead."""
    wrong = []
    for line in re.findall(r"^([A-Za-z0-9][^\s#]*==[^\\\n]*)", lock, re.MULTILINE):
        wanted = Requirement(line.strip())
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        try:
            installed = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            installed = "nothing"
        if not wanted.specifier.contains(installed, prereleases=True):
            wrong.append(f"{wanted.name}{wanted.specifier} (installed: {installed})")
    return wrong
