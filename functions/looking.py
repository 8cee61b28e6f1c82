"""What is so: datasets, runs, findings and models, for the command line and the API. Nothing is changed here."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from models import versions
from objects import fetched_json

if TYPE_CHECKING:
    from ledger import Ledger

RUN_ID = r"\d{8}T\d{6}Z-[0-9a-f]{8}"
MOST_COUNTED = 1_000
_AT_ONCE = 8


def is_run_id(text: str) -> bool:
    """Whether a text is a run's id as PlanRun makes them: nothing else may become part of a key or a path."""
    return re.fullmatch(RUN_ID, text) is not None


def document(text: str | None) -> dict[str, Any]:
    """A JSON object from text that anybody may have written; ``{}`` where it is none."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def dataset_state(ledger: Ledger, s3: Any, bucket: str, dataset: str) -> dict[str, Any]:
    """What runs, what waits (counted to ``MOST_COUNTED``), and how the current results stand."""
    [state] = dataset_states(ledger, s3, bucket, [dataset])
    return state


def dataset_states(ledger: Ledger, s3: Any, bucket: str, datasets: list[str]) -> list[dict[str, Any]]:
    """The same of several datasets. The ledger is asked one by one: its table is not for several threads."""
    known = [_in_the_ledger(ledger, dataset) for dataset in datasets]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda one: one | _standing(s3, bucket, one["dataset"], one["current_run"]), known))


def _in_the_ledger(ledger: Ledger, dataset: str) -> dict[str, Any]:
    state = ledger.state(dataset)
    return {
        "dataset": dataset,
        "running": state.running,
        "running_since": state.running_since,
        "last_execution": state.last_execution,
        "failed_at": state.failed_at,
        "current_run": state.current_run,
        "waiting": len(ledger.waiting(dataset, MOST_COUNTED)),
        "set_aside": len(ledger.aside(dataset)),
    }


def _standing(s3: Any, bucket: str, dataset: str, run_id: str | None) -> dict[str, Any]:
    folder = f"runs/{dataset}/{run_id}/assessment"
    summary = (fetched_json(s3, bucket, f"{folder}/risk_summary.json") if run_id else None) or {}
    return {
        "as_of": summary.get("as_of"),
        "servers": summary.get("servers"),
        **_in_short(summary),
        "accepted": (summary.get("accepted") or {}).get("hidden_total"),
    }


def _in_short(summary: dict[str, Any]) -> dict[str, Any]:
    """How a run's fleet stands, without what is accepted; each is None where the run has no results yet."""
    return {
        "levels": summary.get("open_levels", summary.get("levels")),
        "headline": summary.get("headline"),
        "unjudged": summary.get("unjudged"),
    }


def runs_of(s3: Any, bucket: str, dataset: str, current: str | None, most: int) -> list[dict[str, Any]]:
    """A dataset's runs, the newest first."""
    folder = f"runs/{dataset}/"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder, Delimiter="/")
    ids = [one["Prefix"][len(folder) : -1] for page in pages for one in page.get("CommonPrefixes", [])]
    newest = sorted(filter(is_run_id, ids), reverse=True)[:most]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda run_id: run_of(s3, bucket, dataset, run_id, current), newest))


def run_of(s3: Any, bucket: str, dataset: str, run_id: str, current: str | None) -> dict[str, Any]:
    """What is known of a run, from its files."""
    folder = f"runs/{dataset}/{run_id}"
    manifest = fetched_json(s3, bucket, f"{folder}/manifest.json") or {}
    mark = fetched_json(s3, bucket, f"{folder}/published.json")
    summary = fetched_json(s3, bucket, f"{folder}/assessment/risk_summary.json") or {}
    state = "current" if run_id == current else "published" if mark is not None else "assessed" if summary else ""
    return {
        "run_id": run_id,
        "state": state or "not finished",
        "created_at": manifest.get("created_at"),
        "mode": manifest.get("mode"),
        "train": manifest.get("train"),
        "train_reason": manifest.get("train_reason"),
        "files": len(manifest.get("files", [])),
        **_in_short(summary),
        "cost_estimate": manifest.get("cost_estimate"),
        "engine": manifest.get("engine"),
        "previous_run_id": manifest.get("previous_run_id"),
    }


def models_of(sagemaker: Any, group: str) -> list[dict[str, Any]]:
    """The versions of a dataset's model group, the newest first; none where there is no group."""
    arns = [version["ModelPackageArn"] for version in versions(sagemaker, group)]
    return [_model(sagemaker.describe_model_package(ModelPackageName=arn)) for arn in arns]


def _model(version: dict[str, Any]) -> dict[str, Any]:
    facts = version.get("CustomerMetadataProperties", {})
    return {
        "version": version.get("ModelPackageVersion"),
        "arn": version["ModelPackageArn"],
        "status": version["ModelApprovalStatus"],
        "relative_mase": facts.get("relative_mase"),
        "registered_at": version["CreationTime"].isoformat(),
        "run": facts.get("run"),
        "description": version.get("ModelPackageDescription"),
    }
