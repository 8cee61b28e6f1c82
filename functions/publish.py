"""Publish: moves the dataset's pointer to this run, closes its files, starts the next run if files wait
or the model no longer fits.

Event: ``{"dataset", "run_id", "execution", "trained", "model_package", "approved", "measured"}``.
Returns ``{"status": "published" | "superseded", "level", "subject", "message"}``: what NotifyCompletion says, the
message as SNS's JSON with a text for each protocol.
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

from commands import start
from completion import Finished, counted, notification, relative_error
from environment import PublishSettings, from_environment
from events import open_levels, put, run_published, worst
from ledger import Ledger, connect, in_days
from locks import Limits, earliest, start_held_back, start_if_idle
from notification import cut, text
from objects import client_for_links
from panels import expire_superseded

logger = Logger()
tracer = Tracer()
metrics = Metrics()

# Waiting files that a notification looks at, of which there may be a great many more.
_LOOKED_AT = 1_000

# What people look at first, with what the notification calls it.
SHOWN = {
    "report.html": ("Report", "text/html; charset=utf-8"),
    "risk_heatmap.png": ("Risk by server over time", "image/png"),
    "utilization_clusters.png": ("Servers that behave alike", "image/png"),
}


@cache
def _environment() -> PublishSettings:
    return from_environment(PublishSettings)


@tracer.capture_lambda_handler(capture_response=False)  # links that open without signing in are in it
@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, str]:
    environment = _environment()
    run = Finished.model_validate(event)
    ledger = connect(environment.ledger_table)
    stepfunctions = boto3.client("stepfunctions")
    s3 = client_for_links()
    logger.append_keys(dataset=run.dataset, run_id=run.run_id)

    folder = f"runs/{run.dataset}/{run.run_id}"
    manifest = read_json(s3, environment.artifact_bucket, f"{folder}/manifest.json")
    summary = read_json(s3, environment.artifact_bucket, f"{folder}/assessment/risk_summary.json")
    quality = read_json(s3, environment.artifact_bucket, f"{folder}/assessment/data_quality.json")
    now = datetime.now(UTC)

    # Drift asks for a training. A run that has just trained, and held its model back, would ask for another each time.
    drift, error = summary.get("drift") or {}, relative_error(summary)
    drifted = bool(drift.get("exceeded")) and not run.trained
    published = ledger.publish(run.dataset, run.run_id, manifest["previous_run_id"], drifted)
    if published:
        # By which the ledger can be rebuilt: a manifest alone does not say whether its run was published.
        mark = json.dumps({"previous_run_id": manifest["previous_run_id"], "published_at": now.isoformat()})
        s3.put_object(Bucket=environment.artifact_bucket, Key=f"{folder}/published.json", Body=mark.encode())
        ledger.close(run.dataset, manifest["ledger_items"], run.run_id, in_days(now, environment.retention_days))
        before = manifest["previous_run_id"]
        expire_superseded(s3, environment.artifact_bucket, run.dataset, run.run_id, before, environment.keep_panels)
    ledger.unlock(run.dataset, run.execution)
    # Release, then look again: a file that came while this run had the lock starts the next one here.
    # Where none came, drift starts a training (unless this run was asked for scores only); where one did, its run
    # trains by the flag in the ledger.
    trains = published and drifted and manifest["mode"] == "auto"
    machine, limits = environment.state_machine_arn, environment.limits
    following = start_if_idle(
        ledger, stepfunctions, machine, run.dataset, now, limits, trains, after=f"{run.execution}/published"
    )
    start_held_back(ledger, stepfunctions, machine, now, limits, run.execution)

    status = "published" if published else "superseded"
    metrics.add_metric("RunsPublished" if published else "RunsSuperseded", MetricUnit.Count, 1)
    logger.info(status, extra={"following": following})
    results = f"s3://{environment.artifact_bucket}/{folder}/assessment/"
    if published:
        metrics.add_metric("RunsWithDrift", MetricUnit.Count, int(bool(drift.get("exceeded"))))
        poor = error is not None and error > 1
        metrics.add_metric("RunsWithPoorModel", MetricUnit.Count, int(poor or run.held_back))
        if error is not None:
            metrics.add_metric("RelativeError", MetricUnit.NoUnit, error)
        entries = run_published(run.model_dump(), summary, results)
        metrics.add_metric("EventsLost", MetricUnit.Count, put(boto3.client("events"), entries, now))
    told = notification(run, status, summary, quality, manifest, results, following, trains)
    left = left_lines(ledger, run, manifest, following, machine, limits, now)
    told["message"] = text(told["message"].splitlines(), left)
    if environment.page_address:
        message = with_links(told["message"], [on_the_page(environment.page_address, run)], None)
    else:
        hours = environment.link_hours
        shown = links(s3, environment.artifact_bucket, f"{folder}/assessment", hours)
        message = with_links(told["message"], shown, now + timedelta(hours=hours))
    return {"status": status, "level": worst(open_levels(summary)), "subject": told["subject"], "message": message}


def left_lines(
    ledger: Ledger,
    run: Finished,
    manifest: dict[str, Any],
    following: str | None,
    machine: str,
    limits: Limits,
    now: datetime,
) -> list[str]:
    """What is left to be done with the dataset's files: set aside, overwritten meanwhile, or waiting for the time."""
    aside = ledger.aside(run.dataset)
    waiting = ledger.waiting(run.dataset, _LOOKED_AT)
    read = {file["key"] for file in manifest["files"]}
    newer = sorted({file.key for file in waiting if file.key in read})
    lines = [f"  overwritten while the run was under way: {cut(key, 200)!r}" for key in newer[:3]]
    if newer:
        lines.append(
            f"  This run may have read either version of {counted(len(newer), 'file')}; the newer version waits and "
            "counts from the next run on."
        )
    if aside:
        lines.append(f"Set aside until you put them back: {counted(len(aside), 'file')}.")
        lines += [f"  {cut(one.file.key, 200)!r}: {cut(one.reason, 500)}" for one in aside[-3:]]
    due = earliest(ledger.state(run.dataset), limits)
    if waiting and following is None and due > now:
        more = "at least " if len(waiting) == _LOOKED_AT else ""
        lines += [
            f"{more}{counted(len(waiting), 'file')} wait for the next run, which starts by itself at {due:%H:%M} UTC "
            "(see MinutesBetweenRuns). To start it now:",
            *start(machine, run.dataset),
        ]
    return lines


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


def on_the_page(page: str, run: Finished) -> dict[str, str]:
    """File, title and address of the report on the page: an address that lasts, for those who may sign in there."""
    address = f"{page}/#/datasets/{run.dataset}/report/{run.run_id}"
    return {"file": "report.html", "title": SHOWN["report.html"][0], "url": address}


def with_links(message: str, shown: list[dict[str, str]], until: datetime | None) -> str:
    """The message as SNS's JSON: links as text for e-mail and the like, apart from the text for the Slack function.

    They open for anybody ``until`` then, or, with None, for ever for those who sign in.
    """
    lines = [
        "",
        f"Links that open without signing in, for anyone who has them, until {until:%Y-%m-%d %H:%M} UTC at the latest:"
        if until
        else "On the page, for those who may sign in:",
        *[f"{link['title']}: {link['url']}" for link in shown],
    ]
    everywhere = "\n".join([message, *lines]) if shown else message
    apart = json.dumps({"text": message, "links": shown}, ensure_ascii=False)
    return json.dumps({"default": everywhere, "lambda": apart}, ensure_ascii=False)


def read_json(s3: Any, bucket: str, key: str) -> dict[str, Any]:
    return json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
