"""The challenger's first job: what training wrote for it leaves the model's archive, so that SageMaker can read it."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from headroom.core import job
from headroom.core.archives import unpacked
from headroom.forecast import challenger


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m headroom.challenge", description=__doc__)
    arguments.add_argument("--model", type=Path, required=True, metavar="DIR", help="what train wrote")
    arguments.add_argument("--challenge", type=Path, required=True, metavar="DIR", help="where to write")
    job.run(work, arguments)


def work(given: argparse.Namespace) -> dict[str, Any]:
    """Copy the exercise; returns what the state machine asks the service by: ``possible``, and how or why not."""
    given.challenge.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="challenge-") as scratch:
        exercise = unpacked(given.model, Path(scratch)) / challenger.FOLDER
        if not (exercise / challenger.EXERCISE).is_file():
            return {"possible": False, "reason": "the settings that the model was trained with do not ask for it"}
        shutil.copytree(exercise, given.challenge, dirs_exist_ok=True)
    return json.loads((given.challenge / challenger.EXERCISE).read_text(encoding="utf-8"))


if __name__ == "__main__":
    job.as_program(main)
