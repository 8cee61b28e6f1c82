"""Publish: moves the dataset's pointer to this run, closes its files, starts the next run if files wait
or the model no longer fits.

Event: ``{"dataset", "run_id", "execution", "trained", "model_package", "approved"}``.
Returns ``{"status": "published" | "superseded", "subject", "message"}``: what NotifyCompletion says, the message
as SNS's JSON with a text a protocol.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from pydantic import BaseModel

from environment import PublishSettings, from_environment
from ledger import Ledger, in_days
from locks import start_if_idle
from notification import cut, printable, subject

logger = Logger()
tracer = Tracer()
metrics = Metrics()

# What people look at first, with what the notification calls it.
SHOWN = {
    "report.html": ("Report", "text/html; charset=utf-8"),
    "risk_heatmap.png": ("Risk by server over time", "image/png"),
    "utilization_clusters.png": ("Servers that behave alike", "image/png"),
}


class Finished(BaseModel):
    """A run whose jobs have all succeeded."""

    dataset: str
    run_id: str
    execution: str
    trained: bool
    model_package: str
    """The version that this run registered; empty where it did not train."""
    approved: bool
    """Whether the run scored with its own model; otherwise with the approved one."""


@cache
def _environment() -> PublishSettings:
    return from_environment(PublishSettings)


@tracer.capture_lambda_handler(capture_response=False)  # links that open without signing in are in it
@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, str]:
    environment = _environment()
    run = Finished.model_validate(event)
    ledger = Ledger(boto3.resource("dynamodb").Table(environment.ledger_table))
    # As links need it: the region's own host name, and the signature that every region takes.
    s3 = boto3.client("s3", config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}))
    logger.append_keys(dataset=run.dataset, run_id=run.run_id)

    folder = f"runs/{run.dataset}/{run.run_id}"
    manifest = read_json(s3, environment.artifact_bucket, f"{folder}/manifest.json")
    summary = read_json(s3, environment.artifact_bucket, f"{folder}/assessment/risk_summary.json")
    quality = read_json(s3, environment.artifact_bucket, f"{folder}/assessment/data_quality.json")
    now = datetime.now(UTC)

    # Drift asks for a training. A run that has just trained, and held its model back, would ask for another each time.
    drifted = bool((summary.get("drift") or {}).get("exceeded")) and not run.trained
    published = ledger.publish(run.dataset, run.run_id, manifest["previous_run_id"], drifted)
    if published:
        ledger.close(run.dataset, manifest["ledger_items"], run.run_id, in_days(now, environment.retention_days))
    ledger.unlock(run.dataset, run.execution)
    # Release, then look again: a file that came while this run had the lock starts the next one here.
    # Where none came, drift starts a training (unless this run was asked for scores only); where one did, its run
    # trains by the flag in the ledger.
    trains = published and drifted and manifest["mode"] == "auto"
    following = start_if_idle(
        ledger, boto3.client("stepfunctions"), environment.state_machine_arn, run.dataset, now, trains
    )

    status = "published" if published else "superseded"
    metrics.add_metric("RunsPublished" if published else "RunsSuperseded", MetricUnit.Count, 1)
    logger.info(status, extra={"following": following})
    results = f"s3://{environment.artifact_bucket}/{folder}/assessment/"
    told = notification(run, status, summary, quality, manifest, results, following, trains)
    hours = environment.link_hours
    shown = links(s3, environment.artifact_bucket, f"{folder}/assessment", hours)
    message = with_links(told["message"], shown, now + timedelta(hours=hours))
    return {"status": status, "subject": told["subject"], "message": message}


def links(s3: Any, bucket: str, folder: str, hours: int) -> list[dict[str, str]]:
    """File, title and address of the report and the pictures; for ``hours``, whoever has an address can look."""
    return [
        {
            "file": file,
            "title": title,
            "url": s3.generate_presigned_url(
                "get_object",
                Params={"Bucket": bucket, "Key": f"{folder}/{file}", "ResponseContentType": content_type},
                ExpiresIn=3600 * hours,
            ),
        }
        for file, (title, content_type) in SHOWN.items()
        if hours
    ]


def with_links(message: str, shown: list[dict[str, str]], until: datetime) -> str:
    """The message as SNS's JSON: links as text for e-mail and the like, apart from the text for the Slack function."""
    lines = [
        "",
        f"Links that open without signing in, for anyone who has them, until {until:%Y-%m-%d %H:%M} UTC at the latest:",
        *[f"{link['title']}: {link['url']}" for link in shown],
    ]
    everywhere = "\n".join([message, *lines]) if shown else message
    return json.dumps({"default": everywhere, "lambda": json.dumps({"text": message, "links": shown})})


def notification(
    run: Finished,
    status: str,
    summary: dict[str, Any],
    quality: dict[str, Any],
    manifest: dict[str, Any],
    results: str,
    following: str | None,
    trains: bool = False,
) -> dict[str, str]:
    """Subject and message of the completion notification; ``trains`` tells what the following run does."""
    levels = summary["levels"]
    urgent = [f"{levels[level]} {level}" for level in ("critical", "high", "medium") if levels.get(level)]
    headline = ", ".join(urgent) if urgent else "no server at risk"
    unit = "days" if summary["frequency"] == "D" else "hours"
    superseded = ["A newer run was published while this one was going on; its results stay the current ones."]
    rows, files, servers = quality["rows"], len(manifest["files"]), _count(summary["servers"], "server")
    lines = [
        f"Dataset {run.dataset}, run {run.run_id}: {status}.",
        *(superseded if status == "superseded" else []),
        "",
        f"{servers} to {summary['as_of'][:10]}, {summary['horizon']} {unit} ahead: {headline}.",
        *[f"  {one['level']:8}  {cut(one['server_id'], 60)}: {one['reason']}" for one in summary["top"][:10]],
        "",
        *changes_lines(summary.get("changes")),
        *savings_lines(summary),
        f"Data: {_count(files, 'new file')}, {rows['read']:,} rows read, {rows['quarantined']:,} in quarantine.",
        *[f"  settings ignored: {problem}" for problem in quality["settings"]["errors"]],
        *unused_lines(quality["files"]),
        *[f"  {note}" for note in quality["notes"][:5]],
        *(
            [f"  and {len(quality['notes']) - 5} more notes: see data_quality.json."]
            if len(quality["notes"]) > 5
            else []
        ),
        *model_lines(run, manifest["train_reason"]),
        *([f"Cost estimate: {manifest['cost_estimate']}."] if "cost_estimate" in manifest else []),
        *[f"  {note}" for note in summary.get("notes", [])[:5]],
        "",
        f"Report: aws s3 cp {results}report.html .",
        f"All results: {results}",
        *following_lines(following, summary["drift"] if trains else None),
    ]
    about = f"Headroom {run.dataset}: {headline if status == 'published' else 'run superseded'}"
    return {"subject": subject(about), "message": "\n".join(map(printable, lines))}


def following_lines(following: str | None, drift: dict[str, Any] | None) -> list[str]:
    """The run that follows this one, and why: ``drift`` where it trains for it, else files that came."""
    if following is None:
        return []
    if drift is None:
        return [f"Files that came meanwhile are being processed: {following}."]
    why = f" ({drift['reason']})" if drift.get("reason") else ""
    return [f"A training run follows, as the data has drifted from what the model was trained on{why}: {following}."]


def model_lines(run: Finished, why: str) -> list[str]:
    """Which model made the forecasts, and what to do where a new one was held back."""
    if not run.trained:
        return [f"Model: scored with the approved one ({why})."]
    if run.approved:
        return [f"Model: trained ({why})."]
    return [
        f"Model: trained ({why}), but in backtests it is worse than the approved one, which made these forecasts.",
        "  It waits for approval. To score with it from the next run on:",
        "  aws sagemaker update-model-package --model-approval-status Approved "
        f"--model-package-arn {run.model_package}",
    ]


def changes_lines(changes: dict[str, Any] | None) -> list[str]:
    """What changed since the previous run, in words."""
    if not changes:
        return []
    kinds = {"new_at_risk": "newly at risk", "worse": "worse", "better": "better", "resolved": "resolved"}
    told = [f"{len(changes[kind])} {words}" for kind, words in kinds.items() if changes.get(kind)]
    return [f"Since the last run: {', '.join(told) if told else 'no change'}."]


def unused_lines(files: list[dict[str, Any]]) -> list[str]:
    """The files of which nothing could be used, the first ones with what to do."""
    unused = [file for file in files if file["error"]]
    lines = [f"  could not be used: {cut(file['file'], 200)!r}: {file['error'][:500]}" for file in unused[:3]]
    if len(unused) > 3:
        lines.append(f"  and {len(unused) - 3} more of {len(files)} files: see data_quality.json.")
    return lines


def savings_lines(summary: dict[str, Any]) -> list[str]:
    """What the recommendations would save, and what those to grow would cost."""
    savings = summary["savings"]
    saved, growth, currency = savings["monthly"], savings.get("growth_monthly", 0.0), savings["currency"]
    return [
        *([f"Possible savings: {saved:,.0f} {currency} a month (see the recommendations)."] if saved else []),
        *([f"Growing as recommended would cost about {growth:,.0f} {currency} a month more."] if growth > 0 else []),
    ]


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def read_json(s3: Any, bucket: str, key: str) -> dict[str, Any]:
    return json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
