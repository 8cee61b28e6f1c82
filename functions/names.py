"""What a key under ``incoming/`` must look like, and what runs and jobs are called. Imports nothing: the laptop's demo
and the command line go by it too."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

# The first folder under incoming/. Names of jobs and of the model group are made of it, hence the hyphen rule.
DATASET_NAME = r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?"
DATASET_RULE = "1 to 40 lower-case letters, digits and hyphens, beginning and ending with a letter or digit"
# The endings of files that may hold data, compared in lower case.
ENDINGS = (
    ".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".csv.gz", ".tsv.gz", ".txt.gz", ".json.gz", ".jsonl.gz",
    ".ndjson.gz", ".gz", ".parquet",
)  # fmt: skip
# Excel's files, whose content a new name does not change.
WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".xlsb")
# Bytes of one part of a key: the longest file name that the job's file system takes (NAME_MAX of Linux).
LONGEST_PART = 255

# Bytes that a preview takes: for most files their beginning is enough, gzip, Parquet and JSON come whole.
LARGEST_PREVIEW = 64 * 2**20

# 2026-01-31, 20260131, 2026-01, 2026: folders by date, each of which would become a dataset with runs of its own.
_DATE = re.compile(r"(19|20)\d\d-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])|^(19|20)\d\d(-?(0[1-9]|1[0-2]))?$")


def dataset_problem(name: str) -> str | None:
    """Why a folder under ``incoming/`` cannot be a dataset, and what to do; None where it can."""
    if not re.fullmatch(DATASET_NAME, name):
        return f"{name!r} is not a valid dataset name: use {DATASET_RULE}"
    if _DATE.search(name):
        return (
            f"{name!r} looks like a date, and every dataset has runs and a model of its own: upload to one folder for "
            "the fleet, with dates below it, such as incoming/web/2026-01-31/"
        )
    return None


def name_problem(name: str) -> str | None:
    """Why a file of this name, its path below the dataset's folder, cannot be taken; None where it can."""
    parts = name.split("/")
    if not name.isprintable() or any(part in ("", ".", "..") for part in parts) or "\\" in name:
        return "its key holds control characters, backslashes, or empty, '.' or '..' folders: rename it"
    longest = max(len(part.encode()) for part in parts)
    if longest > LONGEST_PART:
        return f"one part of its key has {longest} bytes; file names may have at most {LONGEST_PART}: rename it"
    # Firehose and collectd give their files no ending at all.
    if "." in parts[-1] and not name.lower().endswith(ENDINGS):
        if name.lower().endswith(WORKBOOKS):
            return "it is an Excel workbook: save it as CSV"
        return f"its name ends in none of {', '.join(ENDINGS)}: export it as one of these"
    return None


def twice(names: Iterable[str]) -> list[str]:
    """The names that occur more than once, in order."""
    return sorted(name for name, times in Counter(names).items() if times > 1)


def execution_name(dataset: str, now: datetime) -> str:
    """The name of an execution that starts now; it begins with its dataset's, by which a dataset's runs are found."""
    return f"{dataset}-{now:%Y%m%dT%H%M%S}-{now.microsecond:06d}"


def execution_arn(state_machine_arn: str, execution: str) -> str:
    """The ARN of an execution, from its state machine's and its name."""
    return f"{state_machine_arn.replace(':stateMachine:', ':execution:')}:{execution}"


def run_token(arn: str) -> str:
    """Eight digits by which an execution's run and jobs are named; run ids end with them."""
    return hashlib.sha256(arn.encode()).hexdigest()[:8]


def job_name(prefix: str, dataset: str, job: str, execution: str) -> str:
    """What the names of a run's jobs of one kind begin with; ``execution`` is the run's ARN."""
    return f"{prefix}-{dataset[:20]}-{job}-{run_token(execution)}"


def model_group(prefix: str, dataset: str) -> str:
    """The group of a dataset's models in the registry."""
    return f"{prefix}-{dataset}"
