"""Collect: asks the sources that are set up for what was measured since the last time, and drops it into ``incoming/``.

Event: the schedule's, every quarter of an hour. Each invocation does what there is time for; the next one goes on.

A collection of one scope (say, EC2 in one region of one account) is a *round* over a fixed span of time. Its plan, what
goes into which file, is written down before anything is asked for; then part after part is asked for and dropped
under a name that says scope, span and part. Whatever dies in between, the next invocation finds by these names what is
there already. The next round begins where this one ends, and not before all its files are there.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError

import cloudwatch
import collectors
import postgresql
import prometheus
from collectors import CloudWatch, Collector, ConfigurationError, SourceError
from environment import CollectSettings, from_environment
from notification import attributes, subject, text
from objects import is_there
from progress import Progress, Round, Scope, Superseded, connect

logger = Logger()
tracer = Tracer()
metrics = Metrics()

SOURCES: dict[str, Any] = {"cloudwatch": cloudwatch, "prometheus": prometheus, "postgresql": postgresql}
# Time that a part takes at most, by its size; none is begun with less left.
RESERVE = timedelta(minutes=5)
WHOLE_DAYS = 24 * 60
# A source that is down for a moment is not worth a mail: the next invocation tries again.
FAILURES_TO_TELL = 3


@dataclass(frozen=True)
class Tools:
    """What a collection works with."""

    s3: Any
    bucket: str
    progress: Progress
    tell: Callable[[str, list[str]], None]
    """Sends people a notification: its subject and lines."""
    region: str
    now: Callable[[], datetime]
    has_time: Callable[[], bool]


class LimitReached(Exception):
    """What may be spent in a month is spent."""


@cache
def _environment() -> CollectSettings:
    return from_environment(CollectSettings)


@tracer.capture_lambda_handler
@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    environment = _environment()
    end = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - RESERVE.total_seconds()
    sns = boto3.client("sns")

    def tell(title: str, lines: list[str]) -> None:
        sns.publish(
            TopicArn=environment.topic_arn,
            Subject=subject(f"Headroom: {title}"),
            Message=text(lines),
            MessageAttributes=attributes("collector"),
        )

    tools = Tools(
        s3=boto3.client("s3"),
        bucket=environment.ingest_bucket,
        progress=connect(environment.ledger_table),
        tell=tell,
        region=environment.region,
        now=lambda: datetime.now(UTC),
        has_time=lambda: time.monotonic() < end,
    )
    files = collect_all(tools)
    metrics.add_metric("FilesCollected", MetricUnit.Count, files)
    return {"files": files}


def collect_all(tools: Tools) -> int:
    """Collect from every source that is set up; how many files were dropped."""
    configurations = configured(tools)
    due: list[tuple[datetime, str, str]] = []
    for name, config in configurations.items():
        for scope in SOURCES[config.source].scopes(config, tools.region):
            until = tools.progress.scope(name, scope).until
            due.append((until or datetime.min.replace(tzinfo=UTC), name, scope))
    files = 0
    wrong: dict[str, dict[str, Exception]] = {}
    for _, name, scope in sorted(due):  # what is furthest behind comes first
        if not tools.has_time():
            break
        logger.append_keys(collector=name, scope=scope)
        dropped, error = collect(tools, name, configurations[name], scope)
        files += dropped
        if error is not None:
            wrong.setdefault(name, {})[scope] = error
    logger.remove_keys(["collector", "scope"])
    for name, errors in wrong.items():
        _tell_failures(tools, name, configurations[name], errors)
    return files


# ---------------------------------------------------------------- what is set up


def configured(tools: Tools) -> dict[str, Collector]:
    """The settings of all collectors by name; of those that cannot be used people are told, once."""
    found: dict[str, Collector] = {}
    for page in tools.s3.get_paginator("list_objects_v2").paginate(Bucket=tools.bucket, Prefix=collectors.FOLDER):
        for entry in page.get("Contents", []):
            file = entry["Key"].removeprefix(collectors.FOLDER)
            name = file.removesuffix(".json")
            if file.endswith("/") or not file:
                continue  # the console's marker of a folder
            try:
                if not file.endswith(".json") or not collectors.NAME.fullmatch(name):
                    raise ConfigurationError(
                        "the file must be named <name>.json, in lower-case letters, digits, hyphens"
                    )
                body = tools.s3.get_object(Bucket=tools.bucket, Key=entry["Key"])["Body"]
                found[name], problem = collectors.parse(body.read(collectors.LARGEST + 1)), ""
            except ConfigurationError as error:
                problem = str(error)
            if problem and tools.progress.account(file).told != problem:
                tools.tell(
                    f"settings of collector {name} cannot be used",
                    [
                        f"Collector {name!r} collects nothing until its settings are right:",
                        f"s3://{tools.bucket}/{entry['Key']}",
                        "",
                        *problem.splitlines(),
                        "",
                        "docs/collectors.md has all keys. Once the file is right, it goes on where it stopped.",
                    ],
                )
            tools.progress.remember(file, told=problem)
    return found


# ---------------------------------------------------------------- a round of a scope


def collect(tools: Tools, name: str, config: Collector, scope: str) -> tuple[int, Exception | None]:
    """Go on with a scope's round, or begin one where it is time; how many files were dropped, and what went wrong."""
    held = tools.progress.take(name, scope, tools.now())
    if held is None:
        return 0, None
    files: list[str] = []
    wrong: Exception | None = None
    try:
        if held.round is None:
            held = _begin(tools, name, config, scope, held)
        if held.round is not None:
            _go_on(tools, name, config, scope, held, files)
    except Superseded:
        return len(files), None
    # Whatever is wrong with one source, the others go on, and this one tries again.
    except Exception as error:
        logger.warning("collection stopped", exc_info=True)
        wrong = error
    now = tools.progress.scope(name, scope)
    broken = wrong is not None and not isinstance(wrong, LimitReached)
    changed = {"lease": None, "failures": now.failures + 1} if broken else {"lease": None, "failures": 0, "told": ""}
    try:
        tools.progress.save(name, scope, now.model_copy(update=changed))
    except Superseded:
        logger.warning("somebody else went on with it")
    return len(files), wrong


def _begin(tools: Tools, name: str, config: Collector, scope: str, held: Scope) -> Scope:
    """Write down the span of the next round, if enough time has passed."""
    until = (tools.now() - timedelta(minutes=config.late_minutes)).replace(minute=0, second=0, microsecond=0)
    if config.every_minutes % WHOLE_DAYS == 0:  # a part of a day would be forecast from as if it were one
        until = until.replace(hour=0)
    since = held.until or until - timedelta(days=config.backfill_days)
    if held.until is not None and until - since < timedelta(minutes=config.every_minutes):
        return held
    return tools.progress.save(name, scope, held.model_copy(update={"round": Round(since=since, until=until)}))


def _go_on(tools: Tools, name: str, config: Collector, scope: str, held: Scope, files: list[str]) -> None:
    """Drop those files of the round that are missing, for as long as there is time; their keys go to ``files``.

    Raises:
        SourceError, LimitReached, ClientError: what is dropped by then is written down.
    """
    this = held.round
    if this is None:
        return
    source = SOURCES[config.source].opened(config, scope, name, tools.region)
    span = f"{this.since:%Y%m%dT%H%MZ}-{this.until:%Y%m%dT%H%MZ}"

    def made() -> list[Any]:
        parts = source.parts(this.since, this.until, tools.now())
        asked = sum(source.price(part, this.since, this.until, tools.now()) for part in parts)
        usd = round(asked * cloudwatch.USD_PER_METRIC, 4)
        logger.info("round planned", extra={"span": span, "files": len(parts), "usd": usd})
        return parts

    parts = _planned(tools, f"collectors/{name}/{scope}/{span}.json.gz", made)
    for number in range(this.next, len(parts)):
        if not tools.has_time():
            return
        key = f"incoming/{config.dataset}/collected/{name}/{scope}/{span}-{number:05d}.csv.gz"
        if not is_there(tools.s3, tools.bucket, key):
            _spend(tools, name, config, source.price(parts[number], this.since, this.until, tools.now()))
            packed = source.read(parts[number], this.since, this.until, tools.now())
            if packed is not None and _drop(tools, key, packed):
                files.append(key)
        held = tools.progress.save(
            name, scope, held.model_copy(update={"round": this.model_copy(update={"next": number + 1})})
        )
    tools.progress.save(name, scope, held.model_copy(update={"until": this.until, "round": None}))


def _planned(tools: Tools, key: str, made: Callable[[], list[Any]]) -> list[Any]:
    """The parts of the round: those that are written down, so that they stay the same whatever the fleet does."""
    if not is_there(tools.s3, tools.bucket, key):
        _drop(tools, key, gzip.compress(json.dumps(made()).encode(), mtime=0))
    return json.loads(gzip.decompress(tools.s3.get_object(Bucket=tools.bucket, Key=key)["Body"].read()))


def _spend(tools: Tools, name: str, config: Collector, asked: int) -> None:
    """Count the paid metrics that are about to be asked for.

    Raises:
        LimitReached: they would cost more than the settings allow for the month.
    """
    if isinstance(config, CloudWatch):
        most = int(config.max_usd_per_month / cloudwatch.USD_PER_METRIC)
        if not tools.progress.spend(name, asked, most, tools.now()):
            raise LimitReached(f"max_usd_per_month of collector {name} is reached")


def _drop(tools: Tools, key: str, packed: bytes) -> bool:
    """Put an object, unless somebody has put it there meanwhile."""
    try:
        tools.s3.put_object(Bucket=tools.bucket, Key=key, Body=packed, IfNoneMatch="*")
    except ClientError as error:
        if error.response["Error"]["Code"] != "PreconditionFailed":
            raise
        return False
    logger.info("file dropped", extra={"key": key, "bytes": len(packed)})
    return True


# ---------------------------------------------------------------- what people are told


def _tell_failures(tools: Tools, name: str, config: Collector, errors: dict[str, Exception]) -> None:
    """One notification of what is new among a collector's failures; it is noted after it is sent, so at least one."""
    if isinstance(config, CloudWatch) and any(isinstance(error, LimitReached) for error in errors.values()):
        _tell_limit(tools, name, config)
    new: dict[str, Scope] = {}
    for scope, error in errors.items():
        held = tools.progress.scope(name, scope)
        if held.failures >= FAILURES_TO_TELL and held.told != _kind(error):
            new[scope] = held
    if not new:
        return
    lines = [
        f"- {scope}, collected up to {f'{held.until:%Y-%m-%d %H:%M} UTC' if held.until else '(nothing yet)'}: "
        f"{errors[scope]}"
        for scope, held in new.items()
    ]
    tools.tell(
        f"collector {name} fails",
        [
            f"Collector {name} has failed {FAILURES_TO_TELL} times in a row:",
            *lines,
            "",
            "Nothing is lost: it tries again every quarter of an hour and goes on where it stopped, as long as the "
            "source still has its data.",
            "What to do: docs/operations.md, Collectors. The log of the collect function has more.",
        ],
    )
    for scope, held in new.items():
        try:
            tools.progress.save(name, scope, held.model_copy(update={"told": _kind(errors[scope])}))
        except Superseded:
            logger.warning("somebody else went on with it")


def _tell_limit(tools: Tools, name: str, config: CloudWatch) -> None:
    limit = f"{tools.now():%Y-%m} {config.max_usd_per_month:g}"
    if tools.progress.account(name).limit_told == limit:
        return
    tools.tell(
        f"collector {name} has reached its limit",
        [
            f"Collector {name} stops for this month: GetMetricData would cost more than its max_usd_per_month allows "
            f"({config.max_usd_per_month:g} USD).",
            "It goes on next month where it stopped, or within a quarter of an hour once the limit is raised in "
            f"s3://{tools.bucket}/{collectors.FOLDER}{name}.json.",
            "CloudWatch keeps values of five minutes for 63 days; what is asked for later comes as hourly values.",
        ],
    )
    tools.progress.remember(name, limit_told=limit)


def _kind(error: Exception) -> str:
    """What stays the same when the same thing goes wrong again; messages may hold a request's number."""
    if isinstance(error, ClientError):
        return f"{error.operation_name} {error.response['Error']['Code']}"
    return f"{type(error).__name__} {error}" if isinstance(error, SourceError) else type(error).__name__
