"""How a job starts and ends as a program: its log, its last word, its exit code."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

# SageMaker keeps this much of an exit message.
MESSAGE_LENGTH = 1024


class InputError(Exception):
    """The job cannot go on, and the person who gave the input can put it right; the message says how."""


class PartFailed(Exception):
    """The job cannot go on because of a defect that showed in a part of the work; the message names the part."""


def run(work: Callable[[argparse.Namespace], dict[str, Any]], arguments: argparse.ArgumentParser) -> NoReturn:
    """Parse the command line, do the work, leave the last word, and exit.

    ``work`` returns a small summary, which is printed as the last line and, with ``--message FILE``,
    left in that file as JSON: SageMaker gives it back as the job's ``ExitMessage``. A failure leaves its
    reason there instead (in a training job it becomes the ``FailureReason``) and exits with 1.
    """
    arguments.add_argument("--message", type=Path, metavar="FILE", help="where to leave the job's last word")
    given = arguments.parse_args()
    logging.basicConfig(
        stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", force=True
    )
    logging.Formatter.converter = time.gmtime
    started = time.monotonic()
    try:
        summary = work(given)
    except Exception as error:
        named = isinstance(error, InputError | PartFailed)
        reason = str(error) if named else f"{type(error).__name__}: {error}"
        logging.exception("the job failed") if not isinstance(error, InputError) else logging.error(reason)
        _leave(given.message, reason)
        sys.exit(1)
    summary = {**summary, "seconds": round(time.monotonic() - started, 1)}
    print(json.dumps(summary, sort_keys=True), flush=True)
    _leave(given.message, json.dumps(summary, sort_keys=True))
    sys.exit(0)


def as_program(main: Callable[[], None]) -> NoReturn:
    """Run a job's ``main`` and end the process with its exit code at once.

    All is written by then, and at the interpreter's own exit a library's thread may still abort the process: about one
    in a hundred jobs that had read Parquet ended with "terminate called without an active exception".
    """
    try:
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _leave(message: Path | None, text: str) -> None:
    if message is not None:
        message.parent.mkdir(parents=True, exist_ok=True)
        message.write_text(text[:MESSAGE_LENGTH], encoding="utf-8")
