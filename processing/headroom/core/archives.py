"""A model as SageMaker hands it on: its files, or the archive that a training job made of them."""

from __future__ import annotations

import tarfile
from pathlib import Path

from headroom.core import job


def unpacked(model: Path, scratch: Path) -> Path:
    """The folder with the model's files: ``model`` itself, or ``scratch`` with its ``model.tar.gz`` unpacked.

    The archive may write only inside ``scratch`` and holds no links out of it (Python's ``data`` filter).

    Raises:
        job.InputError: the archive is damaged or wants to write elsewhere.
    """
    archive = model / "model.tar.gz"
    if not archive.exists():
        return model
    try:
        with tarfile.open(archive, "r:gz") as opened:
            opened.extractall(scratch, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise job.InputError(f"{archive} cannot be unpacked ({error}): train again to replace it") from error
    return scratch
