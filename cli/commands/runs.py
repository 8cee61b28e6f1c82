from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import STACK, AsJson, Dataset, StackName

if TYPE_CHECKING:
    from cli.stack import Stack


def runs(
    dataset: Dataset,
    most: Annotated[int, typer.Option(min=1, max=1000, help="The newest so many.")] = 20,
    as_json: AsJson = False,
    stack: StackName = STACK,
) -> None:
    """A dataset's runs, the newest first."""
    from concurrent.futures import ThreadPoolExecutor

    from cli import output  # fmt: skip
    from cli import stack as stacks

    stacks.checked(dataset)
    found = stacks.find(stack)
    current = found.ledger.state(dataset).current_run
    folder = f"runs/{dataset}/"
    pages = found.client("s3").get_paginator("list_objects_v2").paginate(
        Bucket=found.artifacts, Prefix=folder, Delimiter="/"
    )  # fmt: skip
    ids = sorted(one["Prefix"][len(folder) : -1] for page in pages for one in page.get("CommonPrefixes", []))[::-1]
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda run_id: of_run(found, dataset, run_id, current), ids[:most]))
    if as_json:
        output.document(told)
        return
    output.table(
        ["run", "state", "mode", "trained", "files", "critical", "high", "cost estimate"],
        [
            [one["run_id"], one["state"], one["mode"], one["train_reason"] if one["train"] else "no", one["files"],
             *((one["levels"] or {}).get(level) for level in ("critical", "high")),
             (one["cost_estimate"] or "–").partition(" (")[0]]
            for one in told
        ],
        nothing=f"Dataset {dataset!r} has no run yet.",
    )  # fmt: skip


def of_run(stack: Stack, dataset: str, run_id: str, current: str | None) -> dict[str, Any]:
    """What is known of a run, from its files."""
    from cli.stack import read_json

    folder = f"runs/{dataset}/{run_id}"
    manifest = read_json(stack, f"{folder}/manifest.json") or {}
    mark = read_json(stack, f"{folder}/published.json")
    summary = read_json(stack, f"{folder}/assessment/risk_summary.json") or {}
    state = "current" if run_id == current else "published" if mark else "assessed" if summary else "not finished"
    return {
        "run_id": run_id,
        "state": state,
        "created_at": manifest.get("created_at"),
        "mode": manifest.get("mode"),
        "train": manifest.get("train"),
        "train_reason": manifest.get("train_reason"),
        "files": len(manifest.get("files", [])),
        "levels": summary.get("open_levels", summary.get("levels")),
        "cost_estimate": manifest.get("cost_estimate"),
        "previous_run_id": manifest.get("previous_run_id"),
    }


def checked_run(run_id: str) -> str:
    """A run's id as PlanRun makes them: nothing else may become part of a key or a path.

    Raises:
        CliError: it is not one.
    """
    from cli.errors import CliError

    if not re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}", run_id):
        raise CliError(f"{run_id!r} is not a run's id, such as 20261121T090000Z-0a1b2c3d: headroom runs lists them")
    return run_id
