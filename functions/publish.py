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
from pydantic import BaseModel

from commands import approve, report, start
from environment import PublishSettings, from_environment
from events import put, run_published, worst
from ledger import Ledger, connect, in_days
from locks import Limits, earliest, start_held_back, start_if_idle
from notification import cut, subject, text
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
    measured: bool = True
    """Whether the training job reported the error that new models are compared by."""

    @property
    def held_back(self) -> bool:
        """Whether its own model waits for a person, and an older one made the forecasts."""
        return self.trained and not self.approved


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
            f"  This run may have read either version of {_count(len(newer), 'file')}; the newer version waits and "
            "counts from the next run on."
        )
    if aside:
        lines.append(f"Set aside until you put them back: {_count(len(aside), 'file')}.")
        lines += [f"  {cut(one.file.key, 200)!r}: {cut(one.reason, 500)}" for one in aside[-3:]]
    due = earliest(ledger.state(run.dataset), limits)
    if waiting and following is None and due > now:
        more = "at least " if len(waiting) == _LOOKED_AT else ""
        lines += [
            f"{more}{_count(len(waiting), 'file')} wait for the next run, which starts by itself at {due:%H:%M} UTC "
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
    levels = open_levels(summary)
    urgent = [f"{levels[level]} {level}" for level in ("critical", "high", "medium") if levels.get(level)]
    headline = ", ".join(urgent) if urgent else "no server at risk"
    unit = "days" if summary["frequency"] == "D" else "hours"
    superseded = ["A newer run was published while this one was running; the newer results stay current."]
    rows, files, servers = quality["rows"], len(manifest["files"]), _count(summary["servers"], "server")
    lines = [
        f"Dataset {run.dataset}, run {run.run_id}: {status}.",
        *(superseded if status == "superseded" else []),
        "",
        f"{servers} to {summary['as_of'][:10]}, {summary['horizon']} {unit} ahead: {headline}.",
        *[f"  {one['level']:8}  {cut(one['server_id'], 60)}: {one['reason']}" for one in summary["top"][:10]],
        "",
        *accepted_lines(summary.get("accepted")),
        *changes_lines(summary.get("changes")),
        *savings_lines(summary),
        f"Data: {_count(files, 'new file')}, {rows['read']:,} rows read, {rows['quarantined']:,} in quarantine.",
        *[f"  settings ignored: {cut(problem, 500)}" for problem in quality["settings"]["errors"][:10]],
        *more_lines(quality["settings"]["errors"], 10),
        *unused_lines(quality["files"]),
        *[f"  {note}" for note in quality["notes"][:5]],
        *more_lines(quality["notes"], 5),
        *model_lines(run, manifest["train_reason"], relative_error(summary)),
        *challenger_lines(summary.get("challenger")),
        *(drift_lines(run, summary.get("drift") or {}, following if trains else None) if status == "published" else []),
        *engine_lines(manifest.get("engines", {})),
        *([f"Cost estimate: {manifest['cost_estimate']}."] if "cost_estimate" in manifest else []),
        *[f"  {note}" for note in [*manifest.get("notes", []), *summary.get("notes", [])[:5]]],
        "",
        "Report:",
        *report(run.dataset, run.run_id, results),
        f"All results: {results}",
        *following_lines(following, summary["drift"] if trains else None),
    ]
    about = f"Headroom {run.dataset}: {headline if status == 'published' else 'run superseded'}"
    return {"subject": subject(about), "message": text(lines)}


def engine_lines(engines: dict[str, dict[str, str]]) -> list[str]:
    """Which jobs Spark did, and on what."""
    done = {"preprocess": "Files read by", "assess": "Assessed by"}
    return [f"{words} {engines[job]['told']}." for job, words in done.items()
            if engines.get(job, {}).get("engine") == "spark"]  # fmt: skip


def more_lines(problems: list[str], shown: int, where: str = "data_quality.json") -> list[str]:
    """How many problems or notes are not shown."""
    return [f"  and {len(problems) - shown:,} more: see {where}."] if len(problems) > shown else []


def following_lines(following: str | None, drift: dict[str, Any] | None) -> list[str]:
    """The run that follows this one, and why: ``drift`` where it trains for it, else files that came."""
    if following is None:
        return []
    if drift is None:
        return [f"Files that arrived meanwhile are being processed: {following}."]
    why = f" ({drift['reason']})" if drift.get("reason") else ""
    return [
        f"A training run follows, because the data has drifted from what the model was trained on{why}: {following}."
    ]


def relative_error(summary: dict[str, Any]) -> float | None:
    """The backtest error of the model that made the forecasts, over that of repeating the last season."""
    return (summary.get("forecast") or {}).get("relative_mase")


def drift_lines(run: Finished, drift: dict[str, Any], training: str | None) -> list[str]:
    """That the data has drifted, and what comes of it; nothing where the ``training`` that follows is told of."""
    if not drift.get("exceeded") or training is not None:
        return []
    why = f" ({drift['reason']})" if drift.get("reason") else ""
    then = "the new model, which was trained on it, was held back" if run.held_back else "the next run trains a new one"
    return [f"Drift: the data is no longer what the model was trained on{why}; {then}."]


def model_lines(run: Finished, why: str, error: float | None) -> list[str]:
    """Which model made the forecasts, how good it is where it is not, and what to do where a new one was held back."""
    poor = []
    if error is not None and error > 1:
        poor = [
            f"  In backtests its error is {error:.2f} times that of repeating the last season: take its dates with "
            "care. The report's section on forecasts says for which metrics."
        ]
    if not run.trained:
        return [f"Model: scored with the approved one ({why}).", *poor]
    if run.approved:
        return [f"Model: trained ({why}).", *poor]
    but = "in backtests it is worse than the approved one" if run.measured else "its job reported no error to compare"
    return [
        f"Model: trained ({why}), but {but}, so the approved one made these forecasts.",
        "  It waits for approval. To use it from the next run on:",
        *approve(run.dataset, run.model_package),
        *poor,
    ]


def challenger_lines(challenger: dict[str, Any] | None) -> list[str]:
    """How the challenger did beside the model, or why it did not; nothing in a run that had none."""
    return [f"  {cut(challenger['words'], 500)}"] if challenger else []


def open_levels(summary: dict[str, Any]) -> dict[str, int]:
    """How many servers are at each level, without the findings that their owners have accepted."""
    return summary.get("open_levels", summary["levels"])


def accepted_lines(accepted: dict[str, Any] | None) -> list[str]:
    """What is hidden above because somebody has accepted it, what came back, and what is wrong with that list."""
    if not accepted:
        return []
    hidden, returned = accepted["hidden_total"], accepted["returned_total"]
    why = {"expired": "the decision has ended", "worse": "it has become worse"}
    back = [
        f"  back, as {why[one['why']]}: {cut(one['server_id'], 60)}: {cut(one['metric'], 60)} ({one['level']}, "
        f"{one['state']} by {cut(one['by'], 60)} until {one['until']})"
        for one in accepted["returned"][:3]
    ]
    problems = [f"  {cut(problem, 500)}" for problem in accepted["problems"][:3]]
    lines = [
        *([f"Accepted or snoozed, and not counted above: {_count(hidden, 'finding')}. The report lists them."]
          if hidden else []),
        *([f"Accepted or snoozed earlier, and back: {_count(returned, 'finding')}."] if returned else []),
        *back,
        *(["The file of accepted findings cannot be used, so nothing is hidden:"] if problems else []),
        *problems,
        *more_lines(accepted["problems"], 3, "the report"),
    ]  # fmt: skip
    return [*lines, ""] if lines else []


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
        *([f"Possible savings: {saved:,.0f} {currency} per month (see the recommendations)."] if saved else []),
        *(
            [f"The recommended upsizing would cost about {growth:,.0f} {currency} more per month."]
            if growth > 0
            else []
        ),
    ]


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def read_json(s3: Any, bucket: str, key: str) -> dict[str, Any]:
    return json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
